/*
 * Source guard (forged-transmits, allowed-macs, allowed-ips): a frame that is
 * like none that was found good.
 */
#include "policy/guard.h"

#include <stdlib.h>

#include "policy/inspect_internal.h"

#define IP_PROTO_IGMP	2
#define IP_PROTO_UDP	17
#define IP_PROTO_ICMPV6 58
#define IP4_LEN		20
#define IP6_LEN		40

/* Of the header's bytes 8 to 15 as they lie (little endian). */
#define IP4_PROTO     0x000000000000ff00
#define IP4_PROTO_TCP (6 << 8)
#define IP4_SRC	      0xffffffff00000000

/* --- making ----------------------------------------------------------------
 */

/* A source address and a type as they lie in a frame. */
static uint64_t from_word(uint64_t mac, uint16_t type)
{
	return __builtin_bswap64(mac << 16 | type);
}

/* The first of them is an address, rather than a network. */
static bool has_first4(const struct allowed_ips *ips)
{
	return ips->n_ip4 && ips->ip4[0].mask == UINT32_MAX;
}

static bool has_first6(const struct allowed_ips *ips)
{
	return ips->n_ip6 && !~(ips->ip6[0].mask[0] & ips->ip6[0].mask[1]);
}

/* What most packets will be like: of the first MAC, and the first addresses. */
static struct guard_memo seed_of(const struct guard *g)
{
	const struct allowed *a = &g->rules.allowed;
	struct guard_memo seed = {
		.ip4 = IP4_PROTO_TCP,
		.mask4 = IP4_PROTO | (a->guards_ips ? IP4_SRC : 0),
		.mask6 = a->guards_ips ? UINT64_MAX : 0,
	};

	if (a->n_macs && !g->reads_on)
		seed.mac = from_word(a->macs[0], 0) << 16;
	if (!a->n_macs || !g->reads_on)
		return seed;
	if (!a->guards_ips || has_first4(&a->ips))
		seed.from4 = from_word(a->macs[0], ETH_TYPE_IPV4);
	if (!a->guards_ips || has_first6(&a->ips))
		seed.from6 = from_word(a->macs[0], ETH_TYPE_IPV6);
	if (has_first4(&a->ips))
		seed.ip4 |= __builtin_bswap64(a->ips.ip4[0].address);
	if (has_first6(&a->ips))
		memcpy(seed.ip6, a->ips.ip6[0].address, sizeof(seed.ip6));
	return seed;
}

/* The next n bytes at *at, filled. */
static void *put(uint8_t **at, const void *from, size_t n)
{
	void *to = *at;

	if (n)
		memcpy(to, from, n);
	*at += n;
	return to;
}

struct guard *guard_create(const struct inspect_rules *rules, bool learns_all)
{
	const struct allowed *a = &rules->allowed;
	size_t macs = a->n_macs * sizeof(*a->macs);
	size_t ip6 = a->ips.n_ip6 * sizeof(*a->ips.ip6);
	size_t ip4 = a->ips.n_ip4 * sizeof(*a->ips.ip4);
	struct guard *g = xmalloc(sizeof(*g) + macs + ip6 + ip4);
	uint8_t *at = (uint8_t *)(g + 1);

	*g = (struct guard){ .rules = *rules, .learns_all = learns_all };
	g->rules.allowed.macs = put(&at, a->macs, macs);
	g->rules.allowed.ips.ip6 = put(&at, a->ips.ip6, ip6);
	g->rules.allowed.ips.ip4 = put(&at, a->ips.ip4, ip4);
	g->reads_on = a->guards_ips || rules->dhcp_guard || rules->router_guard;
	g->seed = seed_of(g);
	return g;
}

bool guard_learns(const struct guard *g, uint64_t mac)
{
	return g->learns_all || allowed_names_mac(&g->rules.allowed, mac);
}

/* --- IP sources ------------------------------------------------------------
 */

/*
 * From 0.0.0.0: who has no address yet asks a DHCP server (RFC 2131 4.1), and
 * tells multicast routers of its groups (RFC 3376 4.2.13).
 */
static bool may_be_nobody4(const uint8_t *ip, unsigned len)
{
	unsigned header_len = (ip[0] & 0xf) * 4u;

	if (ip[9] == IP_PROTO_IGMP)
		return ip[16] >> 4 == 0xe;
	return ip[9] == IP_PROTO_UDP && !(load_be16(ip + 6) & 0x3fff) &&
	       load_be32(ip + 16) == UINT32_MAX && header_len >= IP4_LEN &&
	       len >= header_len + 4 &&
	       load_be16(ip + header_len) == DHCP_CLIENT_PORT &&
	       load_be16(ip + header_len + 2) == DHCP_SERVER_PORT;
}

static bool is_nobody6(const uint8_t ip[16])
{
	static const uint8_t nobody[16];

	return !memcmp(ip, nobody, sizeof(nobody));
}

/*
 * From "::": who has no address yet asks whether it may have it (RFC 4862
 * 5.4.2), where routers are (RFC 4861 4.1), and tells them of its groups
 * (RFC 3590 4).
 */
static bool may_be_nobody6(const struct packet *p, unsigned at)
{
	const uint8_t *ip = p->header + at;
	struct inspect_upper upper =
		inspect_upper6(ip, p->header_len - at, p->len - at);

	if (upper.state != UPPER_THERE || upper.is_fragment ||
	    upper.protocol != IP_PROTO_ICMPV6 || ip[24] != 0xff)
		return false;
	switch (reader_u8(&upper.data)) {
	case 131: /* MLD report, done, and version 2 report */
	case 132:
	case 143:
	case 133: /* router solicitation */
	case 135: /* neighbor solicitation */
		return true;
	default:
		return false;
	}
}

static int judge_ip4(const struct allowed *a, const struct packet *p,
		     const struct inspect_place *place)
{
	const uint8_t *ip = p->header + place->at;
	uint32_t src;

	if (p->header_len < place->at + IP4_LEN)
		return DROP_UNINSPECTED;
	src = load_be32(ip + 12);
	if (allowed_ip4(a, src))
		return -1;
	if (!src && may_be_nobody4(ip, p->header_len - place->at))
		return -1;
	return DROP_SPOOFED_IP;
}

static int judge_ip6(const struct allowed *a, const struct packet *p,
		     const struct inspect_place *place)
{
	const uint8_t *ip = p->header + place->at;

	if (p->header_len < place->at + IP6_LEN)
		return DROP_UNINSPECTED;
	if (allowed_ip6(a, ip + 8))
		return -1;
	if (is_nobody6(ip + 8) && may_be_nobody6(p, place->at))
		return -1;
	return DROP_SPOOFED_IP;
}

static int judge_source(const struct allowed *a, const struct packet *p,
			const struct inspect_place *place)
{
	if (!a->guards_ips)
		return -1;
	if (place->type == ETH_TYPE_IPV4)
		return judge_ip4(a, p, place);
	if (place->type == ETH_TYPE_IPV6)
		return judge_ip6(a, p, place);
	return -1;
}

/* --- judging ---------------------------------------------------------------
 */

/*
 * Others like this one are good, if nothing but one tag may be in between, and
 * it is from somebody: who is nobody yet may not say whatever he wants.
 */
static void note(const struct guard *g, struct guard_memo *memo,
		 const struct packet *p, const struct inspect_place *place)
{
	const struct allowed *a = &g->rules.allowed;
	const uint8_t *ip = p->header + place->at;
	uint64_t from = from_word(load_mac(p->header + 6), place->type);

	if (place->at > ETH_HEADER_LEN + VLAN_TAG_LEN ||
	    load_be16(ip - 2) != place->type)
		return;
	if (place->type == ETH_TYPE_IPV4 &&
	    p->header_len >= place->at + IP4_LEN &&
	    (!a->guards_ips || load_be32(ip + 12))) {
		memo->from4 = from;
		memcpy(&memo->ip4, ip + 8, sizeof(memo->ip4));
		memo->ip4 = (memo->ip4 & IP4_SRC) | IP4_PROTO_TCP;
	} else if (place->type == ETH_TYPE_IPV6 &&
		   p->header_len >= place->at + IP6_LEN &&
		   (!a->guards_ips || !is_nobody6(ip + 8))) {
		memo->from6 = from;
		memcpy(memo->ip6, ip + 8, sizeof(memo->ip6));
	}
}

int guard_judge_anew(const struct guard *g, struct guard_memo *memo,
		     struct packet *p)
{
	uint64_t mac = load_mac(p->header + 6);
	struct inspect_place place;
	int reason;

	if (!allowed_mac(&g->rules.allowed, mac))
		return DROP_FORGED_SOURCE;
	if (!g->reads_on) {
		if (guard_learns(g, mac))
			memo->mac = from_word(mac, 0) << 16;
		return -1;
	}
	reason = inspect_locate(p, &place);
	if (reason < 0)
		reason = inspect_packet(&g->rules, p, &place);
	if (reason < 0)
		reason = judge_source(&g->rules.allowed, p, &place);
	if (reason < 0 && guard_learns(g, mac))
		note(g, memo, p, &place);
	return reason;
}
