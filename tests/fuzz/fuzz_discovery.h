/* What must hold of whatever was decoded of a stranger's LLDP or CDP. */
#ifndef TESTS_FUZZ_DISCOVERY_H
#define TESTS_FUZZ_DISCOVERY_H

#include <string.h>

#include "discovery/neighbors.h"
#include "discovery/text.h"
#include "fuzz_input.h"

/* Of exactly its length, so that a sanitizer sees one byte read too far. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = xmalloc(size ? size : 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

/* It ends, and cleaning it again changes nothing. */
static inline void fuzz_check_text(const char *text, size_t size)
{
	char again[DISCOVERY_VERSION_MAX + 1];
	size_t n = strnlen(text, size);

	MUST(n < size);
	text_clean(again, sizeof(again), text, n);
	MUST(!strcmp(text, again));
	for (size_t i = 0; i < n; i++)
		MUST((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
}

#define FUZZ_CHECK_TEXT(FIELD) fuzz_check_text(FIELD, sizeof(FIELD))

static inline void fuzz_check_info(const struct discovery_info *info)
{
	char buf[DISCOVERY_NAME_SIZE];

	FUZZ_CHECK_TEXT(info->port_description);
	FUZZ_CHECK_TEXT(info->system_name);
	FUZZ_CHECK_TEXT(info->system_description);
	FUZZ_CHECK_TEXT(info->platform);
	FUZZ_CHECK_TEXT(info->vtp_domain);
	chassis_format(&info->chassis, buf);
	FUZZ_CHECK_TEXT(buf);
	port_id_format(&info->port, buf);
	FUZZ_CHECK_TEXT(buf);
	MUST(info->n_addresses <= DISCOVERY_ADDRESSES_MAX);
	MUST(info->n_vlans <= DISCOVERY_VLANS_MAX);
	MUST(info->n_ppvids <= DISCOVERY_PPVIDS_MAX);
	for (unsigned i = 0; i < info->n_addresses; i++) {
		address_format(&info->addresses[i], buf);
		FUZZ_CHECK_TEXT(buf);
	}
	for (unsigned i = 0; i < info->n_vlans; i++)
		FUZZ_CHECK_TEXT(info->vlans[i].name);
}

/* Nothing of it is too long to be said in a frame's TLV. */
static inline bool fuzz_is_whole(const struct discovery_info *info)
{
	return strlen(info->system_description) <= DISCOVERY_TEXT_MAX;
}

/* The table takes it, says the same of it, and forgets it. */
static inline void fuzz_hear(const struct discovery_info *info,
			     const uint8_t *pdu, size_t size)
{
	static struct discovery_info kept;
	struct neighbor_pool pool = { 0 };
	struct neighbor_table table;

	if (size > UINT16_MAX)
		return;
	neighbor_table_init(&table, &pool);
	neighbor_heard(&table, info, 2, pdu, size, 1000);
	MUST(table.n == (info->ttl_s != 0));
	if (table.n) {
		neighbor_decode(table.list, &kept);
		MUST(!memcmp(info, &kept, sizeof(kept)));
		MUST(neighbor_heard(&table, info, 2, pdu, size, 2000) ==
		     NEIGHBOR_SAME);
	}
	neighbor_table_age(&table, UINT64_MAX - 1, NULL, NULL);
	MUST(!table.n && !pool.n);
}

#endif
