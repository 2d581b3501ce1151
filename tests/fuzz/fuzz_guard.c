/*
 * Any frame at a guarded port (policy/guard.h): what is known at once to be
 * good is good when it is looked at, and is from the port's own addresses.
 */
#include <stdlib.h>

#include "fuzz_input.h"
#include "policy/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWN_MAC 0x020000000001ull
#define OWN_IP	0x0a000001

static struct guard *make(uint8_t kind)
{
	static const uint8_t own6[16] = { 0xfd, [15] = 1 };
	uint64_t mac = OWN_MAC;
	struct allowed_ip4 ip4 = { OWN_IP, UINT32_MAX };
	struct allowed_ip6 ip6 = allowed_prefix6(own6, 128);
	const struct inspect_rules rules = {
		.allowed = { .guards_macs = kind & 1,
			     .guards_ips = kind & 2,
			     .n_macs = 1,
			     .macs = &mac,
			     .ips = { 1, 1, &ip4, &ip6 } },
		.dhcp_guard = kind & 4,
		.router_guard = kind & 8,
	};

	return guard_create(&rules, kind & 16);
}

static void pull(struct packet *p, const uint8_t *data, size_t size)
{
	packet_init(p, data, (uint32_t)size);
	packet_pull(p, PACKET_PULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guard_memo memo;
	struct packet p, again;
	struct guard *g;
	bool is_known;
	uint8_t kind;
	int reason;

	fuzz_take(&data, &size, &kind, 1);
	if (size < 18 || size > PACKET_LEN_MAX)
		return 0;
	/* Ends before any guard (DROP_BAD_SOURCE). */
	if (!load_mac(data + 6) || mac_is_multicast(load_mac(data + 6)))
		return 0;
	g = make(kind);
	memo = g->seed;
	pull(&p, data, size);
	pull(&again, data, size);
	is_known = eth_type_is_vlan(load_be16(p.header + 12))
			   ? guard_knows(&memo, &p, true)
			   : guard_knows(&memo, &p, false);
	reason = guard_judge_anew(g, &memo, &p);
	MUST(reason >= -1 && reason < N_DROP_REASONS);
	/* A UDP header that is cut tells its ports. */
	MUST(!is_known || reason == -1 || reason == DROP_UNINSPECTED);
	if (is_known || reason == -1)
		MUST(!(kind & 1) || load_mac(data + 6) == OWN_MAC);
	if (is_known)
		MUST(guard_learns(g, load_mac(data + 6)));
	/* What is remembered of a good one lets no other pass. */
	if (guard_knows(&memo, &again, false) && !is_known)
		MUST(reason == -1);
	free(g);
	return 0;
}
