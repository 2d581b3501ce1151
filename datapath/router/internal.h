/*
 * The parts of the router, for each other. Internal to router/; all on a
 * worker, between router_enter() and router_leave().
 */
#ifndef ROUTER_INTERNAL_H
#define ROUTER_INTERNAL_H

#include "nat/plain.h"
#include "packet/cursor.h"
#include "router/neighbor_table.h"
#include "router/router.h"

#define L3	       ETH_HEADER_LEN
#define IP4_HEADER_LEN 20
#define IP6_HEADER_LEN 40
#define IP4_FRAGMENT   0x3fff /* more fragments, or an offset */
#define IP4_DF	       0x4000
#define IP4_MF	       0x2000

/* A network on a link; host byte order. */
struct net4 {
	uint32_t ip, mask; /* ip: the own address in it */
};

struct link {
	uint64_t mac, mac_word; /* the latter as it lies in a frame */
	uint64_t fixed_mac;
	struct neighbor_table *neighbors;
	const struct net4 *ip4;
	const struct router_ip6 *ip6;
	unsigned n_ip4, n_ip6;
	uint32_t mtu;
	uint32_t gateway4;
	uint8_t gateway6[16];
	bool has_gateway6;
	bool up;
};

/*
 * What tells the usual packet of a side, where there is one network each, and
 * the packets between them are translated.
 */
struct quick {
	bool usable;
	uint32_t frame_max; /* bytes that fit on the other side */
	struct net4 inside, outside;
	uint32_t first, n_hosts; /* that the inside can have */
};

struct router {
	uint32_t id;
	enum router_side way_out;
	struct nat *nat;
	bool nat6;
	bool tcp_dns_to_host, local_to_host, isolated;
	bool has_lanes; /* this machine can look at eight packets at once */
	struct link links[ROUTER_N_SIDES];
	struct quick quick[ROUTER_N_SIDES];
	struct lane *lanes; /* by thread */
};

/* --- scratch memory (fragment.c) ----------------------------------------- */

#define LANE_FRAGMENTS 64  /* handed out at once */
#define LANE_PIECES    320 /* of their payloads */
#define LANE_CUTS      (PACKET_BURST_MAX + NAT_RELEASED_MAX)

/* A packet that is to leave in fragments, ready but for that. */
struct cut {
	struct packet *packet;
	struct router_result result; /* of each fragment */
	uint32_t mtu;
};

/* Both addresses of a frame as they lie: the first eight bytes, and four. */
struct macs {
	uint64_t first;
	uint32_t rest;
};

/*
 * A machine of the segment that had a packet lately. key: its address as it
 * lies, and above that the version of the neighbors that this is from.
 */
struct hop {
	uint64_t key;
	struct macs macs;
};

#define LANE_HOP_BITS 8

/* What a thread needs for a burst, and what it remembers. */
struct lane {
	struct hop hops[1 << LANE_HOP_BITS];
	struct cut cuts[LANE_CUTS];
	unsigned n_cuts, at_cut;
	/* of the packet that is being cut */
	struct cursor payload;
	uint32_t done, left; /* bytes of it */
	struct packet fragments[LANE_FRAGMENTS];
	struct packet_segment pieces[LANE_PIECES];
	/* of packets whose header was longer than they have room for */
	struct packet_segment settled[LANE_PIECES];
	unsigned n_settled;
};

static inline void lane_clear(struct lane *lane)
{
	lane->n_cuts = lane->at_cut = lane->left = 0;
	lane->n_settled = 0;
}

/* --- way.c: where a destination is ---------------------------------------- */

enum way {
	WAY_INSIDE = ROUTER_INSIDE, /* the three sides */
	WAY_OUTSIDE = ROUTER_OUTSIDE,
	WAY_HOST = ROUTER_HOST,
	WAY_LOCAL,   /* the gateway itself */
	WAY_MARTIAN, /* nobody, or a group */
	WAY_NONE,
};

enum way router_way4(const struct router *r, enum router_side in, uint32_t dst);
enum way router_way6(const struct router *r, enum router_side in,
		     const uint8_t *dst);
/* Whether a packet that came by that side may have that source. */
bool router_source4(const struct router *r, enum router_side in, uint32_t src);
bool router_source6(const struct router *r, enum router_side in,
		    const uint8_t *src);
bool router_is_own4(const struct link *link, uint32_t ip);
bool router_is_own6(const struct link *link, const uint8_t *ip);
/* The next hop; false: there is none. */
bool router_hop4(const struct link *link, uint32_t dst, uint32_t *hop);
bool router_hop6(const struct link *link, const uint8_t *dst, uint8_t hop[16]);

/* What no packet may have as its source or destination on its way. */
static inline bool ip4_is_martian(uint32_t ip)
{
	/* 0/8, and 224/4 and up; 127/8; 169.254/16 */
	return ip - 0x01000000 >= 0xdf000000 || ip >> 24 == 127 ||
	       ip >> 16 == 0xa9fe;
}

static inline bool ip6_is_link_local(const uint8_t *ip)
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

/* --- a burst -------------------------------------------------------------- */

struct burst {
	const struct router *r;
	struct lane *lane;
	enum router_side in;
	unsigned thread;
	/* What was found of the packet before. */
	uint64_t src; /* no address at first */
	uint32_t dst;
	enum way way;
	struct {
		uint32_t ip;
		uint64_t mac;
	} hop[ROUTER_N_SIDES];
	/* What most packets get, and whether others had to be told apart. */
	struct router_result usual;
	bool wrote_results;
	unsigned n_results;
	struct router_result *all_results;
	/* Packets to be translated together: plain ones, and others. */
	struct nat_plain plain;
	uint8_t index[NAT_PLAIN_MAX + NAT_PLAIN_LANES]; /* in the burst */
	unsigned n_others;
	struct packet *packets[PACKET_BURST_MAX];
	struct router_result *results[PACKET_BURST_MAX];
};

_Static_assert(PACKET_BURST_MAX <= 256, "an index of 8 bits");

static inline void burst_begin(struct burst *b, const struct router *router,
			       enum router_side in, unsigned thread)
{
	b->r = router;
	b->lane = &router->lanes[thread];
	b->in = in;
	b->thread = thread;
	b->wrote_results = false;
	b->plain.n = b->n_others = 0;
	b->src = UINT64_MAX;
	b->dst = 0; /* 0.0.0.0 */
	b->way = WAY_MARTIAN;
	for (unsigned i = 0; i < ROUTER_N_SIDES; i++)
		b->hop[i].ip = 0;
}

/* The destination's address, as it lies. */
static inline uint64_t router_mac_word(const struct packet *p)
{
	uint64_t word;

	memcpy(&word, p->header, sizeof(word));
	return word & 0xffffffffffffull;
}

/* Whether its header is not in its own room. */
static inline bool packet_is_far(const struct packet *p)
{
	return (size_t)(p->header - p->room) >= sizeof(p->room);
}

static inline void router_nat(const struct burst *b,
			      struct packet *const packets[], unsigned n,
			      struct nat_result *results)
{
	(b->in == ROUTER_INSIDE ? nat_outbound : nat_inbound)(
		b->r->nat, b->thread, packets, n, results);
}

static inline void drop_it(struct router_result *result, uint8_t reason)
{
	*result = (struct router_result){ .verdict = ROUTER_DROP,
					  .reason = reason };
}

static inline void punt_local(const struct burst *b,
			      struct router_result *result)
{
	*result = (struct router_result){
		.verdict = ROUTER_PUNT,
		.reason = DROP_PUNT_FULL,
		.note = { .what = ROUTER_LOCAL, .in = b->in, .side = b->in },
	};
}

/* The sender is told by an ICMP error, if such a packet may be answered. */
void router_refuse(const struct burst *b, const struct packet *p,
		   enum drop_reason reason, uint8_t type, uint8_t code,
		   uint16_t mtu, struct router_result *result);

/* --- local.c: what may be for the gateway itself -------------------------- */

/* A frame to a group. */
void router_group(const struct burst *b, struct packet *p,
		  struct router_result *result);
/*
 * From outside, to none of the NAT's addresses: whether it is for the outside
 * link's own (an address that is not the NAT's, or DHCP, before there is one).
 */
bool router_is_uplinks(const struct burst *b, const struct packet *p);
/*
 * An IP packet to one of the gateway's addresses: true, if it goes to the host.
 */
bool router_local_to_host(const struct burst *b, struct packet *p,
			  unsigned version);

/* --- decide.c: the general way ---------------------------------------------
 */

/* Any frame. */
void router_decide(struct burst *b, struct packet *p,
		   struct router_result *result);
/* IPv4 to our MAC, whose header is good. */
void router_decide4(struct burst *b, struct packet *p,
		    struct router_result *result);
/* What the NAT has said of it: goes on, or does not. */
void router_finish_translated(struct burst *b, struct packet *p,
			      const struct nat_result *n,
			      struct router_result *result);

/* --- send.c: the last steps ------------------------------------------------
 */

enum fit { FIT, FIT_CUT, FIT_REFUSED };
/*
 * Whether it may leave by that side: TTL and MTU. FIT_CUT: as fragments;
 * FIT_REFUSED: *result is set. May lower the size of segments.
 */
enum fit router_fit(const struct burst *b, struct packet *p,
		    enum router_side side, struct router_result *result);
/* TTL, Ethernet addresses, next hop. */
void router_finish4(struct burst *b, struct packet *p, enum router_side side,
		    bool cut, struct router_result *result);
void router_finish6(struct burst *b, struct packet *p, enum router_side side,
		    struct router_result *result);
/* Whichever it is. */
void router_finish(struct burst *b, struct packet *p, enum router_side side,
		   bool cut, struct router_result *result);

/* --- fragment.c ---------------------------------------------------------- */

/* The packet is ready to leave with *result, and waits for router_take(). */
void router_cut(struct burst *b, struct packet *p, enum router_side side,
		struct router_result *result);
/* Takes fragments, at most max. */
unsigned router_take_fragments(struct lane *lane, struct packet *packets[],
			       struct router_result *results, unsigned max);
/*
 * A header that the NAT has put elsewhere comes back into the packet's own
 * room, as far as it goes. False: too many of them.
 */
bool router_settle(struct lane *lane, struct packet *p);

#endif
