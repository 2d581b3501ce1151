/*
 * A state file that anybody may have written: with its checksum as it is, and
 * again with one that is right, so that the records are looked at, too. What is
 * taken up can be saved, and loaded to the same number.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"
#include "nat/nat.h"
#include "packet/crc32c.h"

#define LEN_MAX 8192

struct saved {
	uint8_t data[LEN_MAX];
	size_t len;
};

static int collect(const void *data, size_t len, void *saved_)
{
	struct saved *saved = saved_;

	MUST(saved->len + len <= sizeof(saved->data));
	memcpy(saved->data + saved->len, data, len);
	saved->len += len;
	return 0;
}

static struct nat *create(void)
{
	struct nat_addr pool[2] = { { 4, { 198, 51, 100, 1 } },
				    { 6, { 0x20, 1 } } };
	struct nat_config config;
	struct nat *nat;

	nat_config_init(&config);
	config.max_sessions = 32;
	config.max_clients = 8;
	config.max_forwards = 0;
	config.max_fragments = config.max_datagrams = 8;
	config.max_quarantine = 8;
	config.filtering = NAT_FILTER_ADDRESS;
	config.seed = 1;
	MUST(!nat_create(&config, &nat, NULL));
	MUST(!nat_set_outside(nat, pool, 2, NULL));
	return nat;
}

static void load(const uint8_t *data, size_t len)
{
	static struct saved saved;
	struct nat *nat = create(), *again = create();
	struct nat_stats stats;
	int64_t n;

	n = nat_load(nat, 5000, 1000, data, len, NULL);
	nat_get_stats(nat, &stats);
	MUST(stats.sessions == (n < 0 ? 0 : n));
	saved.len = 0;
	MUST(!nat_save(nat, 5000, collect, &saved));
	MUST(nat_load(again, 5000, 0, saved.data, saved.len, NULL) ==
	     stats.sessions);
	nat_destroy(nat);
	nat_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t head[16] = "vswnat\r\n\1\0\0\0\100\0\0";
	uint8_t *file;
	uint32_t n, crc;

	if (size > 4096)
		return 0;
	file = xmalloc(size + 32);
	memcpy(file, data, size);
	load(file, size);
	n = size / 64;
	memcpy(file, head, 16);
	memcpy(file + 16, data, n * 64);
	crc = ~crc32c_add(~0u, file + 16, n * 64);
	memcpy(file + 16 + n * 64, &n, 4);
	memcpy(file + 20 + n * 64, &crc, 4);
	load(file, 24 + n * 64);
	free(file);
	return 0;
}
