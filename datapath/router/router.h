/*
 * The router of a segment's gateway: what workers do with packets that the
 * segment's machines send to the gateway, and with what comes back.
 *
 * It stands between up to three links ("sides"), each a gateway port of some
 * bridge: the segment itself, the outside (an uplink's bridge, with address
 * translation), and the host (a port to the host's own sockets, which is also
 * where TCP connections to the gateway itself end). Packets come in by one side
 * and leave by another with new Ethernet addresses; all that takes more than
 * forwarding (ARP, DHCP, pings to the gateway, ICMP errors, a next hop whose
 * MAC is not known) goes to the control thread.
 *
 * A struct router is immutable and belongs to a snapshot; the NAT and the
 * neighbor tables that it points to live longer. Built by the control thread,
 * run by workers.
 *
 * RFC 1812 (routers), RFC 4443, RFC 8200; RFC 2827 (a segment's machines may
 * send from its own network only).
 */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "packet/drop.h"
#include "packet/packet.h"

struct nat;
struct neighbor_table;
struct router;

#define ROUTER_ADDRESSES_MAX 64 /* of a side, of each IP version */

enum router_side {
	ROUTER_INSIDE,	/* the segment */
	ROUTER_OUTSIDE, /* an uplink */
	ROUTER_HOST,	/* the host's sockets */
	ROUTER_N_SIDES,
};

/* An own address with the network that is on the link; host byte order. */
struct router_ip4 {
	uint32_t ip;
	uint8_t prefix_len;
};

struct router_ip6 {
	uint8_t ip[16];
	uint8_t prefix_len;
};

struct router_link {
	bool up; /* false: nothing can be sent there */
	uint64_t mac;
	uint32_t mtu; /* IP bytes */
	unsigned n_ip4, n_ip6;
	const struct router_ip4 *ip4; /* copied */
	const struct router_ip6 *ip6; /* copied; link-local ones included */
	uint32_t gateway4;	      /* next hop of all else; 0: none */
	uint8_t gateway6[16];	      /* zero: none */
	/* All goes to this MAC (the host's sockets); 0: see neighbors. */
	uint64_t fixed_mac;
	struct neighbor_table *neighbors; /* may be NULL with a fixed MAC */
};

struct router_config {
	uint32_t id; /* the segment's, by which it is found again (punts) */
	struct router_link links[ROUTER_N_SIDES];
	/* Where the way out of the segment is; ROUTER_INSIDE: there is none. */
	enum router_side way_out;
	struct nat *nat; /* between INSIDE and OUTSIDE; NULL: routed */
	bool nat6;	 /* IPv6 is translated, too (NAT66); else routed */
	/*
	 * TCP port 53 of the gateway's own IPv4 addresses goes to ROUTER_HOST,
	 * that of its IPv6 addresses is LOCAL: nothing there serves it. With
	 * local_to_host so do all other TCP and UDP to its own addresses but
	 * the services' (UDP 53, 67, 547), as that is how the host's loopback
	 * is reached.
	 */
	bool tcp_dns_to_host;
	bool local_to_host;
	/* The segment's machines do not reach each other by the gateway, but
	   for what the NAT turns round (forwards). */
	bool isolated;
};

/* One piece of memory; free() ends it, which the snapshot does. */
struct router *router_create(const struct router_config *config);
/*
 * The same router with another NAT, for one thread, number 0, only. It refers
 * to the first one, which is to stay. free() ends it.
 */
struct router *router_copy(const struct router *router, struct nat *nat);
/* Its NAT, or NULL. */
struct nat *router_get_nat(const struct router *router);
/* router_config.id */
uint32_t router_id(const struct router *router);

enum router_verdict {
	ROUTER_SEND, /* by `side`; its Ethernet addresses are written */
	ROUTER_PUNT, /* for the control thread, see struct router_note */
	/* Kept by the NAT (a fragment), or to be cut: see router_take() */
	ROUTER_HELD,
	ROUTER_DROP, /* with `reason` */
	/* A copy of a group frame that is not for the gateway; no drop. */
	ROUTER_IGNORE,
};

enum router_what {
	ROUTER_LOCAL, /* for the gateway itself, as it came */
	/*
	 * Ready to leave by `side` but for the destination's MAC (zero): the
	 * next hop is not known yet. TTL and addresses are done.
	 */
	ROUTER_RESOLVE,
	/* The packet, as it came by `in`, is to be answered by an ICMP error */
	ROUTER_ERROR,
};

/* What the control thread is told beside the packet; goes as one word. */
struct router_note {
	uint8_t what; /* enum router_what */
	uint8_t in, side;
	uint8_t icmp_type, icmp_code; /* of the packet's IP version */
	uint8_t zero;
	uint16_t mtu; /* with "too big" */
};

struct router_result {
	uint8_t verdict; /* enum router_verdict */
	uint8_t side;	 /* ROUTER_SEND */
	/*
	 * ROUTER_DROP; and of ROUTER_PUNT: with ROUTER_ERROR why it goes no
	 * further, else what to count if it cannot be punted
	 */
	uint8_t reason;
	struct router_note note; /* ROUTER_PUNT */
};

/*
 * A burst that came by side `in` is between enter and leave; what its packets
 * refer to stays valid until router_leave(). now_ms as in nat_enter().
 */
void router_enter(const struct router *router, unsigned thread,
		  uint64_t now_ms);
void router_leave(const struct router *router, unsigned thread);

/*
 * Decides on n (1 to PACKET_BURST_MAX) untagged frames. Packets that do not
 * leave by ROUTER_SEND or ROUTER_RESOLVE are as they came. True: all of them
 * have the first one's result, ROUTER_SEND, others' are not written, and
 * router_take() has nothing.
 */
bool router_run(const struct router *router, enum router_side in,
		unsigned thread, struct packet *const packets[], unsigned n,
		struct router_result *results);

/*
 * After router_run(), until it returns 0: packets that were held or made by it
 * (IP fragments), with their results (ROUTER_SEND, ROUTER_PUNT, ROUTER_DROP).
 * Fragments that it made are valid until the next call.
 */
unsigned router_take(const struct router *router, unsigned thread,
		     struct packet *packets[], struct router_result *results,
		     unsigned max);

/*
 * Control thread: what a packet of its own to `ip` leaves by, and whom to ask
 * for the MAC (the destination itself or a gateway). False: no way there. ip:
 * 4 or 16 bytes in network order; next_hop gets as many.
 */
bool router_find_way(const struct router *router, const uint8_t *ip,
		     unsigned ip_len, enum router_side *side,
		     uint8_t next_hop[16]);

#endif
