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
	uint32_t ip4, mask4;
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

/*
 * The packet is like one that was found good, and says nothing of addresses or
 * services; its MAC may be learned. at: where the network header is if there is
 * not more than one tag: ETH_HEADER_LEN, and VLAN_TAG_LEN more with one.
 */
static inline bool guard_knows(const struct guard_memo *memo,
			       const struct packet *p, unsigned at)
{
	const uint8_t *h = p->header;
	uint64_t from, ip[2];
	uint32_t ip4;
	uint16_t type;

	memcpy(&from, h + 6, sizeof(from));
	if (at != ETH_HEADER_LEN) {
		memcpy(&type, h + at - 2, sizeof(type));
		from = (from & 0xffffffffffff) | (uint64_t)type << 48;
	}
	if (likely(from == memo->from4)) {
		memcpy(&ip4, h + at + 12, sizeof(ip4));
		return !((ip4 ^ memo->ip4) & memo->mask4) &&
		       p->header_len >= at + 24 && inspect_is_plain4(h + at);
	}
	if (from == memo->from6) {
		memcpy(ip, h + at + 8, sizeof(ip));
		return !(((ip[0] ^ memo->ip6[0]) | (ip[1] ^ memo->ip6[1])) &
			 memo->mask6) &&
		       p->header_len >= at + 44 && inspect_is_plain6(h + at);
	}
	return from << 16 == memo->mac;
}

static inline int guard_judge(const struct guard *guard,
			      struct guard_memo *memo, struct packet *p,
			      unsigned at)
{
	return likely(guard_knows(memo, p, at))
		       ? -1
		       : guard_judge_anew(guard, memo, p);
}

#endif
