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
	uint64_t ip4, mask4; /* the 8 bytes that end with it */
	uint64_t ip6[2], mask6;
};

struct guard {
	struct inspect_rules rules;
	bool learns_all; /* also MACs that are not the port's */
	bool reads_on;	 /* MACs are not all that is to be looked at */
	struct guard_memo seed;
};

/*
 * rules are copied, lists and all, but for allowed.leased, which goes on to be
 * read. learns_all: whether any MAC may be learned, or the named ones only.
 * Returns one piece of memory, the caller's: free().
 */
struct guard *guard_create(const struct inspect_rules *rules, bool learns_all);

/* A burst begins with this. */
static inline struct guard_memo guard_start(const struct guard *guard)
{
	return guard->seed;
}

/* Whether the address may be learned at the port. */
bool guard_learns(const struct guard *guard, uint64_t mac);

/*
 * Of a packet that came in, its first PACKET_PULL bytes private: a drop
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
	uint64_t src;

	memcpy(&src, ip + 8, sizeof(src));
	return likely(!((src ^ memo->ip4) & memo->mask4)) &&
	       likely(p->header_len >= at + 24) && inspect_is_plain4(ip);
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

/* As guard_knows(), with one tag in front of the type. */
bool guard_knows_tagged(const struct guard_memo *memo, const struct packet *p);

/*
 * The packet is like one that was found good, and says nothing of addresses or
 * services; its MAC may be learned. (The room for the header is longer than
 * what is read of it, were the packet that short.)
 */
__attribute__((always_inline)) static inline bool guard_knows(
	const struct guard_memo *memo, const struct packet *p)
{
	uint64_t from;

	memcpy(&from, p->header + 6, sizeof(from));
	if (likely(from == memo->from4))
		return guard_knows4(memo, p, ETH_HEADER_LEN);
	if (likely(from == memo->from6))
		return guard_knows6(memo, p, ETH_HEADER_LEN);
	if (from << 16 == memo->mac)
		return true;
	return eth_type_is_vlan(__builtin_bswap16(from >> 48)) &&
	       guard_knows_tagged(memo, p);
}

static inline int guard_judge(const struct guard *guard,
			      struct guard_memo *memo, struct packet *p)
{
	return likely(guard_knows(memo, p)) ? -1
					    : guard_judge_anew(guard, memo, p);
}

#endif
