/*
 * The gateway as a station of its segment: it answers ARP (RFC 826), neighbour
 * solicitations (RFC 4861) and pings (RFC 792, RFC 4443) for its addresses,
 * defends them (RFC 5227), says by router advertisements what the segment's
 * IPv6 is (RFC 4861, RFC 8106), and keeps the neighbour cache. It knows no
 * sockets and no clock: frames and the time come in by calls, frames go out by
 * a callback.
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef GATEWAY_STATION_H
#define GATEWAY_STATION_H

#include "gateway/neighbor_cache.h"

#define STATION_IP4_MAX	  64
#define STATION_IP6_MAX	  63
#define STATION_RDNSS_MAX 3

struct station;

struct station_ip6 {
	uint8_t ip[16]; /* global or unique local */
	uint8_t prefix_len;
};

struct station_ip4 {
	uint32_t ip;
	uint8_t prefix_len;
};

struct station_ra {
	bool enabled;
	bool default_router; /* else a lifetime of 0: on the link, no way out */
	bool other_config;   /* DHCPv6 has more (the O flag) */
	uint16_t mtu;	     /* 0: not said */
	uint32_t interval_s; /* at most this far apart, 4 to 1800; 0: 600 */
	uint32_t router_lifetime_s;    /* 0: 3 times the interval */
	uint32_t valid_s, preferred_s; /* of prefixes; 0: 1 day and 4 hours */
	uint8_t rdnss[STATION_RDNSS_MAX][16];
	unsigned n_rdnss;
};

struct station_config {
	uint64_t mac;
	uint32_t ip4; /* 0: no IPv4 */
	uint8_t prefix4_len;
	/* More of them (a NAT's pool), which it answers for, too. */
	struct station_ip4 further4[STATION_IP4_MAX - 1];
	unsigned n_further4;
	bool ip6; /* the link-local address is made of the MAC (RFC 4291 A) */
	struct station_ip6 global[STATION_IP6_MAX];
	unsigned n_global;
	struct station_ra ra;
	struct neighbor_limits limits;
};

struct station_ops {
	/* An untagged frame into the segment; to the port if one is known. */
	void (*send)(const void *frame, size_t len, void *arg);
	/* As neighbor_ops; may be NULL, each of them. */
	void (*resolved)(const struct ip_address *ip, uint64_t mac, void *arg);
	bool (*owner)(const struct ip_address *ip, uint64_t *mac, void *arg);
	/* holder may be this station itself. */
	void (*conflict)(const struct ip_address *ip, uint64_t holder,
			 const struct gateway_client *claimant, void *arg);
	void (*changed)(const struct ip_address *ip, uint64_t mac, void *arg);
};

struct station_counters {
	uint64_t arp_answers, nd_answers, echo_answers, advertisements;
	uint64_t bad; /* ARP, ND or ICMP that cannot be */
	uint64_t own_address_claimed;
};

/* The caller's to check: addresses that are unicast, lengths in their range. */
struct station *station_create(const struct station_config *config,
			       const struct hash_key *key,
			       const struct station_ops *ops, void *ops_arg,
			       uint64_t now_ms);
/* Says to nobody that it is gone; station_withdraw() does. Accepts NULL. */
void station_destroy(struct station *station);
/* Another configuration; neighbours stay known, new limits are ignored. */
void station_configure(struct station *station,
		       const struct station_config *config, uint64_t now_ms);
/* The last advertisement: this is no router any more (RFC 4861 6.2.5). */
void station_withdraw(struct station *station);

/*
 * A frame from the client: whole, untagged, its checksums finished. Returns
 * whether it was all for the station: ARP, neighbour discovery, a ping to one
 * of its addresses. False: the caller's to route, or to drop (fragments of
 * pings, too: the caller may come again with them put together).
 */
bool station_receive(struct station *station,
		     const struct gateway_client *client, const void *frame,
		     size_t len, uint64_t now_ms);

/* Is the address one of the station's? Its link-local one is. */
bool station_has(const struct station *station, const struct ip_address *ip);
/* The link-local address. */
const uint8_t *station_link_local(const struct station *station);

/* For routing to the segment, and for status; it lives as the station does. */
struct neighbor_cache *station_neighbors(struct station *station);
const struct station_counters *station_counters(const struct station *station);

/* Does what is due, the neighbour cache's timers included. */
void station_run(struct station *station, uint64_t now_ms);
uint64_t station_next_ms(const struct station *station);

#endif
