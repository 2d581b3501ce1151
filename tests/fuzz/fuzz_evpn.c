/*
 * The kernel's messages about an overlay's devices, as the mirror takes them:
 * devices 2, 4 and 5 are the bridge, the member and the vxlan device, as in the
 * corpus, which a kernel told.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"
#include "tunnel/evpn_mirror.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 64

static void tell(const struct evpn_news *news, void *arg)
{
	unsigned *n = arg;

	MUST(!(news->mac >> 48));
	MUST(news->type != EVPN_REMOTE || news->vtep.len == 4 ||
	     news->vtep.len == 16);
	++*n;
}

static void drain(struct evpn_mirror *m, uint64_t now)
{
	struct evpn_request r;

	for (unsigned i = 0; i < 2 * LIMIT; i++) {
		if (!evpn_mirror_next_request(m, &r, now))
			return;
		MUST(r.len && r.len <= sizeof(r.bytes));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = 0;
	struct evpn_mirror_config config = {
		.bridge = 2,
		.member = 4,
		.vxlan = 5,
		.local = { 4, { 10, 0, 0, 1 } },
		.macs_max = LIMIT,
		.ips_max = LIMIT,
		.vteps_max = LIMIT,
		.ips_a_mac_max = 4,
		.withdraw_ms = 100,
		.hold_ms = 1000,
		.retry_ms = 100,
		.tell = tell,
		.arg = &n,
	};
	struct evpn_mirror *m = evpn_mirror_create(&config);
	const struct evpn_mirror_counters *c = evpn_mirror_counters(m);
	/* Aligned as the kernel's are, and of the exact size. */
	uint8_t *copy = xmalloc(size);

	memcpy(copy, data, size);
	evpn_mirror_local(m, 0x020000000001);
	evpn_mirror_local_ip(m, 0x020000000001,
			     &(struct evpn_ip){ 4, { 192, 0, 2, 1 } });
	for (uint64_t now = 0; now < 5000; now += 400) {
		drain(m, now);
		evpn_mirror_take(m, copy, size, now);
		MUST(c->macs <= LIMIT && c->ips <= LIMIT && c->vteps <= LIMIT);
	}
	evpn_mirror_frr_gone(m, 5000);
	evpn_mirror_local_gone(m, 0x020000000001);
	evpn_mirror_run(m, 9000);
	free(copy);
	evpn_mirror_destroy(m);
	return 0;
}
