#include "discovery/neighbors.h"

#include <stdlib.h>
#include <string.h>

#include "discovery/cdp_pdu.h"
#include "discovery/lldp_pdu.h"

/* Chassis and port: the MSAP identifier (3.x), of one protocol. */
#define KEY_MAX (2 * (2 + DISCOVERY_ID_MAX))

static size_t add_id(uint8_t *key, const struct discovery_id *id)
{
	key[0] = id->subtype;
	key[1] = id->len;
	memcpy(key + 2, id->bytes, id->len);
	return 2 + id->len;
}

static size_t make_key(const struct discovery_info *info, uint8_t key[KEY_MAX])
{
	size_t n = add_id(key, &info->chassis);

	return n + add_id(key + n, &info->port);
}

void neighbor_table_init(struct neighbor_table *table,
			 struct neighbor_pool *pool)
{
	memset(table, 0, sizeof(*table));
	table->pool = pool;
}

/* Where it hangs, or where a new one is to hang. */
static struct neighbor_entry **find(struct neighbor_table *table,
				    enum discovery_protocol protocol,
				    const uint8_t *key, size_t key_len)
{
	struct neighbor_entry **p = &table->list;

	for (; *p; p = &(*p)->next)
		if ((*p)->protocol == protocol && (*p)->key_len == key_len &&
		    !memcmp((*p)->key, key, key_len))
			break;
	return p;
}

static void remove_at(struct neighbor_table *table, struct neighbor_entry **p)
{
	struct neighbor_entry *entry = *p;

	*p = entry->next;
	table->n--;
	table->pool->n--;
	free(entry);
}

static struct neighbor_entry *create(const struct discovery_info *info,
				     const uint8_t *key, size_t key_len,
				     const void *pdu, size_t len)
{
	struct neighbor_entry *entry =
		xcalloc(1, sizeof(*entry) + key_len + len);

	entry->protocol = info->protocol;
	entry->key = (uint8_t *)(entry + 1);
	entry->key_len = key_len;
	entry->pdu = entry->key + key_len;
	entry->pdu_len = len;
	memcpy(entry->key, key, key_len);
	memcpy(entry->pdu, pdu, len);
	return entry;
}

static bool is_full(const struct neighbor_table *table)
{
	return table->n >= NEIGHBORS_PER_PORT ||
	       table->pool->n >= NEIGHBORS_MAX;
}

static enum neighbor_change refuse(struct neighbor_table *table, uint16_t ttl_s,
				   uint64_t now_ms)
{
	uint64_t until = now_ms + ttl_s * 1000ull;

	table->drops++;
	table->too_many_until_ms = MAX(table->too_many_until_ms, until);
	return NEIGHBOR_TOO_MANY;
}

static void refresh(struct neighbor_entry *entry,
		    const struct discovery_info *info, uint64_t source,
		    uint64_t now_ms)
{
	entry->source = source;
	entry->ttl_s = info->ttl_s;
	entry->last_ms = now_ms;
	entry->expires_ms = now_ms + info->ttl_s * 1000ull;
}

static enum neighbor_change replace(struct neighbor_entry **p,
				    const struct discovery_info *info,
				    const void *pdu, size_t len)
{
	struct neighbor_entry *old = *p, *entry;

	if (old->pdu_len == len && !memcmp(old->pdu, pdu, len))
		return NEIGHBOR_SAME;
	entry = create(info, old->key, old->key_len, pdu, len);
	entry->first_ms = old->first_ms;
	entry->next = old->next;
	*p = entry;
	free(old);
	return NEIGHBOR_CHANGED;
}

enum neighbor_change neighbor_heard(struct neighbor_table *table,
				    const struct discovery_info *info,
				    uint64_t source, const void *pdu,
				    size_t len, uint64_t now_ms)
{
	enum neighbor_change change = NEIGHBOR_NEW;
	struct neighbor_entry **p;
	uint8_t key[KEY_MAX];
	size_t key_len = make_key(info, key);

	p = find(table, info->protocol, key, key_len);
	if (!info->ttl_s) {
		if (!*p)
			return NEIGHBOR_UNKNOWN;
		remove_at(table, p);
		table->deletes++;
		return NEIGHBOR_GONE;
	}
	if (*p) {
		change = replace(p, info, pdu, len);
	} else if (is_full(table)) {
		return refuse(table, info->ttl_s, now_ms);
	} else {
		*p = create(info, key, key_len, pdu, len);
		(*p)->first_ms = now_ms;
		table->n++;
		table->pool->n++;
		table->inserts++;
	}
	refresh(*p, info, source, now_ms);
	return change;
}

void neighbor_table_age(struct neighbor_table *table, uint64_t now_ms,
			void (*gone)(const struct neighbor_entry *entry,
				     void *arg),
			void *arg)
{
	struct neighbor_entry **p = &table->list;

	while (*p) {
		if ((*p)->expires_ms > now_ms) {
			p = &(*p)->next;
			continue;
		}
		if (gone)
			gone(*p, arg);
		remove_at(table, p);
		table->ageouts++;
		table->deletes++;
	}
}

uint64_t neighbor_table_next_ms(const struct neighbor_table *table)
{
	uint64_t next = UINT64_MAX;

	for (const struct neighbor_entry *e = table->list; e; e = e->next)
		next = MIN(next, e->expires_ms);
	return next;
}

static unsigned clear(struct neighbor_table *table, unsigned protocols)
{
	struct neighbor_entry **p = &table->list;
	unsigned n = 0;

	while (*p) {
		if (protocols >> (*p)->protocol & 1) {
			remove_at(table, p);
			table->deletes++;
			n++;
		} else {
			p = &(*p)->next;
		}
	}
	return n;
}

unsigned neighbor_table_clear(struct neighbor_table *table)
{
	table->too_many_until_ms = 0;
	return clear(table, ~0u);
}

unsigned neighbor_table_clear_protocol(struct neighbor_table *table,
				       enum discovery_protocol protocol)
{
	return clear(table, 1u << protocol);
}

void neighbor_decode(const struct neighbor_entry *entry,
		     struct discovery_info *info)
{
	struct discovery_parse_notes notes;

	if (entry->protocol == DISCOVERY_LLDP)
		lldp_decode(entry->pdu, entry->pdu_len, info, &notes);
	else
		cdp_decode(entry->pdu, entry->pdu_len, info, &notes);
}
