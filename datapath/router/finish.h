/*
 * The last steps of a packet that leaves, for the two places that take them:
 * TTL, next hop, Ethernet addresses. Internal to router/.
 */
#ifndef ROUTER_FINISH_H
#define ROUTER_FINISH_H

#include "router/internal.h"

static inline struct macs macs_of(const struct link *link, uint64_t dst)
{
	return (struct macs){ __builtin_bswap64(dst) >> 16 | link->mac_word
								     << 48,
			      link->mac_word >> 16 };
}

/* The type is left as it is. */
static inline void write_macs(struct packet *p, struct macs macs)
{
	memcpy(p->header, &macs.first, 8);
	memcpy(p->header + 8, &macs.rest, 4);
}

static inline void router_write_link(const struct burst *b, struct packet *p,
				     enum router_side side, uint64_t mac,
				     struct router_result *result)
{
	write_macs(p, macs_of(&b->r->links[side], mac));
	if (likely(mac)) {
		*result = (struct router_result){ .verdict = ROUTER_SEND,
						  .side = side };
		return;
	}
	*result = (struct router_result){
		.verdict = ROUTER_PUNT,
		.reason = DROP_PUNT_FULL,
		.note = { .what = ROUTER_RESOLVE, .in = b->in, .side = side },
	};
}

/* One hop less; the header's checksum changes by as much (RFC 1624). */
static inline void router_decrement4(uint8_t *ip)
{
	uint16_t csum;
	uint32_t sum;

	memcpy(&csum, ip + 10, 2);
	/* The TTL is the first byte of its word, so the low one as it lies. */
	sum = csum + 1u;
	csum = sum + (sum >> 16);
	memcpy(ip + 10, &csum, 2);
	ip[8]--;
}

/* The MAC of the next hop, known since the packet before or looked up. */
static inline uint64_t router_mac_of(struct burst *b, const struct link *link,
				     enum router_side side, uint32_t hop)
{
	if (unlikely(hop != b->hop[side].ip)) {
		b->hop[side].ip = hop;
		b->hop[side].mac = neighbor_table_find4(link->neighbors, hop);
	}
	return b->hop[side].mac;
}

#endif
