/*
 * A segment's gateway as its router sees it: the segment 10.20.0.0/24 and
 * fd20::/64, the outside 198.51.100.0/24 and 2001:db8::/64, and the host.
 * Packets come from nat_fixture.h; they get the MACs that a test gives them.
 */
#ifndef TESTS_ROUTER_FIXTURE_H
#define TESTS_ROUTER_FIXTURE_H

#include "router/neighbor_table.h"
#include "router/router.h"
#include "tests/unit/nat_fixture.h"

#define GW_INSIDE   0x020000000001ull /* the gateway's MACs */
#define GW_OUTSIDE  0x020000000002ull
#define GW_HOST	    0x020000000003ull
#define HOST_MAC    0x525600000002ull
#define VM_MAC	    0x0200000000aaull
#define UPLINK_MAC  0x0200000000bbull
#define UPLINK2_MAC 0x0200000000ccull
#define VM	    "10.20.0.5"
#define VM2	    "10.20.0.6" /* not known at first */
#define GW	    "10.20.0.1"
#define GW_OUT	    OUT_1 /* 198.51.100.1 */
#define UPLINK	    "198.51.100.254"
#define VM6	    "fd20::5"
#define GW6	    "fd20::1"
#define GW6_LOCAL   "fe80::1"
#define REMOTE6	    "2001:db8:9::9"
#define TAKEN_MAX   32

struct gw {
	struct lab lab;
	struct router_config config;
	struct router_ip4 inside4, outside4;
	struct router_ip6 inside6[2], outside6[2];
	struct neighbor_table *inside, *outside;
	struct router *router;
};

struct shot {
	struct router_result r;
	uint8_t data[4096];
	uint32_t len;
	struct packet_offload offload;
	unsigned n_taken;
	struct {
		struct router_result r;
		uint8_t data[2048];
		uint32_t len;
	} taken[TAKEN_MAX];
};

/* The way out is the outside, with NAT for IPv4, or for both. */
struct gw *gw_create(bool nat, bool nat6);
/* After a change of config. */
void gw_renew(struct gw *gw);
void gw_destroy(struct gw *gw);
int gw_teardown(void **state);

void set_macs(struct pkt *k, uint64_t dst, uint64_t src);
/* After a change of an IPv4 header. */
void fix_ip4(struct pkt *k);
/* router_run() on thread 0, with the results of all. */
void run_router(struct gw *gw, enum router_side in,
		struct packet *const packets[], unsigned n,
		struct router_result *results);
/* One packet, alone in its burst, with the MAC of the gateway's on that side
 * unless it has got another; then all that router_take() has. */
struct shot *shoot(struct gw *gw, enum router_side in, struct pkt *k);
struct shot *shoot_as_is(struct gw *gw, enum router_side in,
			 const struct pkt *k);
/* A datagram to port 4000, into k. */
struct shot *shoot_udp(struct pkt *k, struct gw *gw, enum router_side in,
		       const char *src, const char *dst);

/* Of the last shot: */
void assert_sent(const struct shot *s, enum router_side side, uint64_t dst,
		 uint64_t src);
void assert_dropped(const struct shot *s, enum drop_reason reason);
void assert_local(const struct shot *s, enum router_side in);
void assert_refused(const struct shot *s, const struct pkt *k, int type,
		    int code, enum drop_reason reason);
/* What was sent, to look into it. */
void shot_to_pkt(const struct shot *s, struct pkt *k);

#endif
