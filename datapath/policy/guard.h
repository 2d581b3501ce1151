/*
 * Guard of a port: what the station behind it may claim to be. Its frames have
 * a MAC address that is the port's, their IP packets an address that is, and
 * what they say of addresses and services is as inspect.h judges it.
 *
 * Immutable, made for a snapshot; read by all workers. Most packets of a burst
 * are as one before them was, or as the port's only station sends: those are
 * told by a few comparisons with what was found good (struct guard_memo), all
 * others by guard_judge_anew().
 */
#ifndef POLICY_GUARD_H
#define POLICY_GUARD_H

#include "policy/inspect.h"

/*
 * What the guard has found good, each as it lies in a frame: a source address
 * and the type behind it (0: nothing), and the IP source that goes with it.
 */
struct guard_memo {
	uint64_t from4, from6;
	uint64_t mac; /* any type is good with it; in the upper 48 bits */
	uint64_t ip4, mask4; /* 8 bytes that end with it; of TCP */
	uint64_t ip6[2], mask6;
};

/* By what UDP differs there from TCP (little endian). */
#define GUARD_UDP ((6ull ^ 17) << 8)

struct guard {
	struct inspect_rules rules;
	bool learns_all;	/* also MACs that are not the port's */
	bool reads_on;		/* MACs are not all that is to be looked at */
	struct guard_memo seed; /* a burst begins with it */
};

/*
 * rules are copied, lists and all, but for allowed.leased, which goes on to be
 * read. learns_all: whether any MAC may be learned, or the named ones only.
 * Returns one piece of memory, the caller's: free().
 */
struct guard *guard_create(const struct inspect_rules *rules, bool learns_all);

/* Whether the address may be learned at the port. */
bool guard_learns(const struct guard *guard, uint64_t mac);

/*
 * Of a packet that came in, its first PACKET_PULL bytes private, from an
 * address of one device that is not zero (ingress.c has seen to that): a drop
 * reason, or -1 when the guard has nothing against it. The memo is of this
 * burst and guard. Any worker.
 */
int guard_judge_anew(const struct guard *guard, struct guard_memo *memo,
		     struct packet *p);

/* An IPv4 or IPv6 packet of one found good; at: where its header begins. */
__attribute__((always_inline)) static inline bool guard_knows4(
	const struct guard_memo *memo, const struct packet *p, unsigned at)
{
	const uint8_t *ip = p->header + at;
	uint64_t differs;

	memcpy(&differs, ip + 8, sizeof(differs));
	differs = (differs ^ memo->ip4) & memo->mask4;
	/* TCP, or what differs from it by being UDP. */
	if (unlikely(p->header_len < at + 24) ||
	    unlikely(!inspect_is_simple4(ip)))
		return false;
	if (differs == GUARD_UDP)
		return !inspect_is_dhcp(ip + 20);
	if (unlikely(differs))
		return false;
	return true;
}

__attribute__((always_inline)) static inline bool guard_knows6(
	const struct guard_memo *memo, const struct packet *p, unsigned at)
{
	const uint8_t *ip = p->header + at;
	uint64_t src[2];

	memcpy(src, ip + 8, sizeof(src));
	return likely(!(((src[0] ^ memo->ip6[0]) | (src[1] ^ memo->ip6[1])) &
			memo->mask6)) &&
	       likely(p->header_len >= at + 44) && inspect_is_plain6(ip);
}

/* By what types differ from that of a C-tag, as they lie behind an address. */
#define GUARD_TAG4 ((uint64_t)(0x0081 ^ 0x0008) << 48)
#define GUARD_TAG6 ((uint64_t)(0x0081 ^ 0xdd86) << 48)

/* A source address and a type as they lie; and the type behind a tag. */
__attribute__((always_inline)) static inline bool guard_is_from(
	const struct packet *p, bool tagged, uint64_t from, uint16_t type)
{
	const unsigned at = ETH_HEADER_LEN + VLAN_TAG_LEN - 2;

	return likely(!memcmp(p->header + 6, &from, sizeof(from))) &&
	       (!tagged ||
		likely(!memcmp(p->header + at, &type, sizeof(type))));
}

/*
 * The packet is like an IPv4 packet that was found good, and says nothing of
 * addresses or services; its MAC may be learned. tagged: constant, with a tag;
 * false if that is no C-tag. (The room for the header is longer than what is
 * read of it, were the packet that short.)
 */
__attribute__((always_inline)) static inline bool guard_knows_ip4(
	const struct guard_memo *memo, const struct packet *p, bool tagged)
{
	return guard_is_from(p, tagged, memo->from4 ^ (tagged ? GUARD_TAG4 : 0),
			     0x0008) &&
	       guard_knows4(memo, p,
			    ETH_HEADER_LEN + (tagged ? VLAN_TAG_LEN : 0));
}

/* The same of IPv6. */
__attribute__((always_inline)) static inline bool guard_knows_ip6(
	const struct guard_memo *memo, const struct packet *p, bool tagged)
{
	return guard_is_from(p, tagged, memo->from6 ^ (tagged ? GUARD_TAG6 : 0),
			     0xdd86) &&
	       guard_knows6(memo, p,
			    ETH_HEADER_LEN + (tagged ? VLAN_TAG_LEN : 0));
}

/* Nothing but its MAC is looked at, and that is good. */
__attribute__((always_inline)) static inline bool guard_knows_mac(
	const struct guard_memo *memo, const struct packet *p)
{
	uint64_t from;

	memcpy(&from, p->header + 6, sizeof(from));
	return from << 16 == memo->mac;
}

/* One of these. */
__attribute__((always_inline)) static inline bool guard_knows(
	const struct guard_memo *memo, const struct packet *p, bool tagged)
{
	return guard_knows_ip4(memo, p, tagged) ||
	       guard_knows_ip6(memo, p, tagged) || guard_knows_mac(memo, p);
}

#endif
