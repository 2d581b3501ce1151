/*
 * A host and frames of any bytes that may be router advertisements, or other
 * stations' neighbour discovery: a row of them, each with its length and the
 * time that passed. What must hold after each: a few addresses of what may be
 * one's own, and no more than a few frames sent.
 */
#include "fuzz_input.h"
#include "gateway/autoconf.h"
#include "packet/csum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAC 0x025600000001

static struct autoconf *autoconf;
static unsigned n_sent;

static void on_send(const void *frame, size_t len, void *arg)
{
	MUST(len >= 54 && len <= 128);
	MUST(++n_sent <= 2 * AUTOCONF_PREFIXES_MAX + 2);
}

static void on_changed(void *arg)
{
}

static void on_duplicate(const uint8_t ip[16], uint64_t mac, void *arg)
{
	MUST(mac != MAC);
}

static void check(uint64_t now)
{
	struct autoconf_address a[AUTOCONF_PREFIXES_MAX];
	unsigned n = autoconf_get_addresses(autoconf, a);

	MUST(n <= AUTOCONF_PREFIXES_MAX);
	for (unsigned i = 0; i < n; i++)
		MUST(a[i].ip[0] != 0xff && load_be16(a[i].ip) != 0xfe80);
	MUST(!autoconf_get_mtu(autoconf) || autoconf_get_mtu(autoconf) >= 1280);
	MUST(autoconf_next_ms(autoconf) > now);
}

/* The length of 2 bytes, the time of 1, what happens of 1. */
static void one(const uint8_t **data, size_t *size, uint64_t *now)
{
	uint8_t head[4], *copy;
	size_t len, n;

	fuzz_take(data, size, head, 4);
	len = MIN((size_t)load_be16(head), *size);
	*now += head[2] * 500ull << (head[3] & 7);
	copy = xmalloc(len ? len : 1);
	memcpy(copy, *data, len);
	*data += len;
	*size -= len;
	/* mostly with the right sum, or it goes no further */
	if (len >= 58 && !(head[3] & 0x80) &&
	    load_be16(copy + 18) <= len - 54) {
		n = load_be16(copy + 18);
		copy[56] = copy[57] = 0;
		if (n >= 4)
			csum_store(copy + 56,
				   csum_combine(csum_pseudo6(copy + 14, 58, n),
						csum_add(0, copy + 54, n)));
	}
	n_sent = 0;
	if (head[3] & 0x40)
		autoconf_restart(autoconf, *now);
	autoconf_receive(autoconf, copy, len, *now);
	autoconf_run(autoconf, *now);
	free(copy);
	check(*now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct autoconf_ops ops = { on_send, on_changed,
						 on_duplicate };
	uint64_t now = 1;

	n_sent = 0;
	autoconf = autoconf_create(MAC, &ops, NULL, now);
	autoconf_run(autoconf, now);
	while (size)
		one(&data, &size, &now);
	autoconf_destroy(autoconf);
	return 0;
}
