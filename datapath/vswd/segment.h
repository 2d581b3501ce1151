/*
 * Segments: a bridge with a gateway. segment.c makes the gateway of each bridge
 * that has one and joins its parts, each a file of its own, which know each
 * other by this header only. Control thread, but for what workers do by the
 * struct router (router/router.h).
 *
 *	segment_packets.c   between workers and the parts
 *	segment_upkeep.c    once a second: neighbors in use, own FDB entries
 *	segment_services.c  ARP, neighbor discovery, pings, DHCP, DHCPv6
 *	segment_leases.c    leases in the database
 *	segment_rows.c	    what else the database is told
 *	segment_dns.c	    sockets of the name service
 *	segment_uplink.c    the outside on a bridge: addresses, next hops, ARP
 *	segment_nat.c	    the NAT, its forwards, its state over a restart
 *	segment_host.c	    the host's sockets, the host's address (host-only)
 *	segment_error.c	    ICMP errors
 *	segment_hold.c	    packets that wait for a next hop's MAC
 */
#ifndef VSWD_SEGMENT_H
#define VSWD_SEGMENT_H

#include <jansson.h>

#include "forward/punt.h"
#include "gateway/keyed_hash.h"
#include "router/neighbor_table.h"
#include "router/router.h"
#include "vswd/config_segment.h"
#include "vswd/switch.h"

struct segment_dns;
struct segment_errors;
struct segment_holds;
struct segment_host;
struct segment_leases;
struct segment_nat;
struct segment_services;
struct segment_uplink;

struct segment {
	struct segment *next;
	struct vswitch *vs;
	uint32_t id;		    /* router_config.id */
	struct cfg_segment *config; /* a reference */
	struct bridge *bridge;
	/* Its gateway ports by side, and the hostnet port; NULL: none. */
	struct vport *ports[ROUTER_N_SIDES];
	struct vport *hostnet;
	struct hash_key key; /* random */
	struct neighbor_table *neighbors[ROUTER_N_SIDES];
	struct router *router; /* of the snapshot in force, or NULL */

	/* NULL where the segment has no such part. */
	struct segment_services *services;
	struct segment_leases *leases;
	struct segment_dns *dns;
	struct segment_uplink *uplink;
	struct segment_nat *nat;
	struct segment_host *host;

	struct segment_holds *holds;   /* segment_hold.c; NULL: none yet */
	struct segment_errors *errors; /* segment_error.c; NULL: none yet */

	struct event *timer;
	uint64_t armed_ms; /* when it is due; UINT64_MAX: not armed */
	char *error;	   /* what does not work, in one line; NULL: all does */
	bool dirty;	   /* the database is to be told */

	/* segment_rows.c's own */
	json_t *told, *told_stats; /* what the database has, by row */
	json_t *forward_errors;	   /* by row */
	int ping_error;		   /* that the database has been told of */

	/* segment.c's own */
	bool configured;
	struct fwd_gateway *gateway; /* of the snapshot under construction */
	uint64_t generation;	     /* of that snapshot, which has `router` */
	struct segment_nat *doomed_nat; /* no snapshot to come has it */
	bool save_nat;			/* when it is destroyed */
	struct segment_station {
		struct bridge *bridge; /* NULL: there is no entry */
		uint64_t key;	       /* in the FDB */
		uint16_t number;
	} stations[ROUTER_N_SIDES];	  /* static FDB entries of its MACs */
	uint64_t traffic[ROUTER_N_SIDES]; /* packets, when last looked at */
	uint64_t host_ports; /* which ports segment_host was configured for */
};

/* A packet from a worker. */
struct segment_packet {
	struct router_note note;
	struct gateway_client client; /* source MAC, number of the port */
	const uint8_t *frame;	      /* untagged */
	size_t len;		      /* cut at PUNT_BYTES_MAX */
};

/* --- segment.c ------------------------------------------------------------ */

/*
 * Before the ports that another configuration does not have are closed: what it
 * has no more of segments ends (NULL: all), while it can still say so to its
 * neighbors.
 */
void segments_release(struct vswitch *vs, const struct cfg_switch *config);
/* The bridges are as the configuration says: so are segments now. */
void segments_reconcile(struct vswitch *vs);
/* vswd ends: all are released, and their states saved. */
void segments_end(struct vswitch *vs);
struct segment *segment_find(const struct vswitch *vs, const char *name);
/* Is there one that routes? */
bool segments_have_gateway(const struct vswitch *vs);
/* A gateway's port of a snapshot under construction. */
void segments_attach(struct vswitch *vs, struct fwd_snapshot *snapshot,
		     struct vport *v, struct fwd_port *p);
/* PUNT_GATEWAY of any port: v is where the packet came into the switch. */
void segments_receive(struct vswitch *vs, struct vport *v,
		      const struct punt_record *record);
/* The snapshot is in force: what only the former needed may be freed. */
void segments_published(struct vswitch *vs);
/* A port of a bridge goes. */
void segments_port_gone(struct vswitch *vs, const struct vport *v);
/* Once a second, while there are segments. */
void segments_tick(struct vswitch *vs);

/*
 * The parts are made, in the order in which they stand below, from seg->config,
 * and configured when that is another. Ports may not be open then: what is to
 * be sent first is sent when the part's run() is called, at once if it says so.
 * A part that ends may still send.
 */

/* What does not work now, in one line; NULL: all does. Until the next call. */
const char *segment_fault(const struct segment *seg);

/* What the segment's machines are to send at most: as options:mtu says, else
   what the overlays of its bridge take, else 1500 (bridge_mtu.c). */
uint32_t segment_mtu(const struct segment *seg);

/* For the parts: a frame of the gateway's own, into the bridge of that side. */
void segment_send(struct segment *seg, enum router_side side, const void *frame,
		  size_t len);
/*
 * An IP packet of the gateway's own (from an Ethernet header, whose addresses
 * are filled in): by the way that the router knows; waits for the MAC.
 */
void segment_send_ip(struct segment *seg, void *frame, size_t len);
/*
 * The MAC of a next hop on that side: as segment_services_resolve().
 */
int segment_resolve(struct segment *seg, enum router_side side,
		    const struct ip_address *next_hop, uint32_t asker,
		    uint64_t *mac);
/* The destination in an IP packet behind an Ethernet header; NULL: none. */
const uint8_t *segment_destination(const uint8_t *frame, size_t len,
				   unsigned *ip_len);
/* Its timer is set by what the parts have to do next. After any call of them.
 */
void segment_arm(struct segment *seg);
/* The router is to be made anew, with the next snapshot, which this asks for.
 */
void segment_changed(struct segment *seg);
/* "10.20.0.1" or "fd20::1"; "none" of length 0. Returns buf. */
#define IP_TEXT_SIZE 46
const char *segment_ip_format(const struct ip_address *ip,
			      char buf[IP_TEXT_SIZE]);
/* Status columns are to be written. */
void segment_mark_dirty(struct segment *seg);
/*
 * Why a forward of the configuration is not in force, for its row (which says
 * itself what cfg_forward.error says); NULL: it is.
 */
void segment_set_forward_error(struct segment *seg, const struct uuid *forward,
			       const char *why);
/* Why it is not in force, whoever says so; NULL: it is. */
const char *segment_forward_error(const struct segment *seg,
				  const struct cfg_forward *f);

/* --- segment_services.c --------------------------------------------------- */

struct segment_services *segment_services_create(struct segment *seg);
/* Says goodbye. */
void segment_services_destroy(struct segment_services *services);
void segment_services_configure(struct segment_services *services);
/* ROUTER_LOCAL of the inside. */
void segment_services_receive(struct segment_services *services,
			      const struct segment_packet *packet);
/* 0 and *mac, or -EAGAIN (segment_hold_resolved() follows), -EHOSTUNREACH,
   -ENOBUFS: of an address of the segment */
int segment_services_resolve(struct segment_services *services,
			     const struct ip_address *ip, uint32_t asker,
			     uint64_t *mac);
/* Two machines claim an address: which, who; NULL: nothing of late. */
const char *segment_services_conflict(const struct segment_services *services);
struct dhcp *segment_services_dhcp(struct segment_services *services);
struct station *segment_services_station(struct segment_services *services);
/* The port of the segment's bridge goes: so does who was behind it. */
void segment_services_port_gone(struct segment_services *services,
				uint16_t number);
void segment_services_run(struct segment_services *services, uint64_t now_ms);
uint64_t segment_services_next_ms(const struct segment_services *services);

/* --- segment_leases.c ----------------------------------------------------- */

struct segment_leases *segment_leases_create(struct segment *seg);
void segment_leases_destroy(struct segment_leases *leases);
/* Gives the server the leases that the database has; before any message. */
void segment_leases_restore(struct segment_leases *leases, struct dhcp *dhcp);
/* dhcp_ops.changed: the row follows with the next transaction. */
void segment_leases_changed(struct segment_leases *leases,
			    const struct dhcp_lease *lease, bool gone);

/* --- segment_dns.c -------------------------------------------------------- */

struct segment_dns *segment_dns_create(struct segment *seg);
void segment_dns_destroy(struct segment_dns *dns);
void segment_dns_configure(struct segment_dns *dns);
/* A datagram to port 53 of the gateway. */
void segment_dns_receive(struct segment_dns *dns,
			 const struct gateway_client *client,
			 const struct ip_address *from, uint16_t from_port,
			 const struct ip_address *to, const void *message,
			 size_t len);
/* The socket that hostnet's option dns-socket names. */
const char *segment_dns_socket(const struct segment_dns *dns);
void segment_dns_run(struct segment_dns *dns, uint64_t now_ms);
uint64_t segment_dns_next_ms(const struct segment_dns *dns);
const struct dns_counters *segment_dns_counters(const struct segment_dns *dns);
/* The resolvers that are asked: how many, and in *serversp which. */
unsigned segment_dns_servers(const struct segment_dns *dns,
			     const struct resolver **serversp);

/* --- segment_uplink.c ----------------------------------------------------- */

struct segment_uplink *segment_uplink_create(struct segment *seg);
/* A leased address is given back, unless `keep`: the next start asks for it. */
void segment_uplink_destroy(struct segment_uplink *uplink, bool keep);
void segment_uplink_configure(struct segment_uplink *uplink);
/* ROUTER_LOCAL of the outside: ARP, ND, pings, the DHCP client's answers. */
void segment_uplink_receive(struct segment_uplink *uplink,
			    const struct segment_packet *packet);
int segment_uplink_resolve(struct segment_uplink *uplink,
			   const struct ip_address *ip, uint32_t asker,
			   uint64_t *mac);
/* Fills in the link of ROUTER_OUTSIDE: what it points to lives until the next
   segment_changed(). */
void segment_uplink_fill(const struct segment_uplink *uplink,
			 struct router_link *link);
void segment_uplink_run(struct segment_uplink *uplink, uint64_t now_ms);
uint64_t segment_uplink_next_ms(const struct segment_uplink *uplink);
/* What is wrong, in one line; NULL: nothing. */
const char *segment_uplink_error(const struct segment_uplink *uplink);
/* Addresses, lease, routers, as segment/show has them; the caller's. */
json_t *segment_uplink_to_json(const struct segment_uplink *uplink);

/* What its DHCP client does, in a word that stays; NULL: there is none. */
const char *segment_uplink_dhcp_state(const struct segment_uplink *uplink);

/* --- segment_nat.c -------------------------------------------------------- */

struct segment_nat *segment_nat_create(struct segment *seg);
/* Saves the sessions when `save`. */
void segment_nat_destroy(struct segment_nat *nat, bool save);
void segment_nat_configure(struct segment_nat *nat);
/* The outside has these addresses now. */
void segment_nat_set_outside(struct segment_nat *nat,
			     const struct nat_addr *addrs, unsigned n);
/*
 * The engine that snapshots to come are to have; NULL: there is no memory for
 * one, and nothing may go outside.
 */
struct nat *segment_nat_engine(struct segment_nat *nat);
/* Of segments_published(): an engine that was replaced may go. */
void segment_nat_published(struct segment_nat *nat);
/* What is wrong, in one line; NULL: nothing. */
const char *segment_nat_error(const struct segment_nat *nat);
void segment_nat_run(struct segment_nat *nat, uint64_t now_ms);
uint64_t segment_nat_next_ms(const struct segment_nat *nat);

/* --- segment_host.c ------------------------------------------------------- */

struct segment_host *segment_host_create(struct segment *seg);
void segment_host_destroy(struct segment_host *host);
/* Forwards of outside=host; the host's address of host-only. */
void segment_host_configure(struct segment_host *host);

/* --- segment_error.c, segment_hold.c -------------------------------------- */

/* ROUTER_ERROR; at most so many a second (RFC 1812 4.3.2.8, RFC 4443 2.4 f). */
void segment_error_send(struct segment *seg,
			const struct segment_packet *packet);

/* The same of one that ROUTER_RESOLVE was said of, and nobody answers. */
void segment_error_unreached(struct segment *seg,
			     const struct segment_packet *packet);
/* May one more be sent to that port now? Then it counts as sent. */
bool segment_error_allowed(struct segment *seg, uint32_t port);
void segment_error_clear(struct segment *seg);
/*
 * What segment_error_send() would send, into room (SEGMENT_ERROR_MAX bytes):
 * its length, 0 when nothing may be sent. from: the sender of the error, of the
 * packet's IP version; MACs are those of the frame, exchanged.
 */
#define SEGMENT_ERROR_MAX (14 + 1280)
size_t segment_error_build(const struct segment_packet *packet,
			   const struct ip_address *from, uint8_t *room);

/* ROUTER_RESOLVE: keeps it until the MAC is known, a few for each next hop. */
void segment_hold(struct segment *seg, const struct segment_packet *packet);
/* The same to a next hop that is known. */
void segment_hold_for(struct segment *seg, const struct segment_packet *packet,
		      const struct ip_address *next_hop);
/* mac 0: nobody has the address; those who sent are told (host unreachable). */
void segment_hold_resolved(struct segment *seg, enum router_side side,
			   const struct ip_address *next_hop, uint64_t mac);
void segment_hold_clear(struct segment *seg);
void segment_hold_run(struct segment *seg, uint64_t now_ms);
uint64_t segment_hold_next_ms(const struct segment *seg);

/* --- segment_status.c ------------------------------------------------------
 */

/* Segment:status, as the database has maps; the caller's. */
json_t *segment_status(const struct segment *seg);
/* From time to time: marks it dirty when what nobody tells of has changed. */
void segment_status_look(struct segment *seg);

/* --- for the daemon's commands -------------------------------------------- */

/* What segment/show shows; the caller's. */
json_t *segment_to_json(const struct segment *seg);
/* Its counters as Segment:statistics has them: [key, number] each. */
json_t *segment_statistics(const struct segment *seg);
/* What segment/neighbors shows. */
json_t *segment_neighbors_json(const struct segment *seg);

#endif
