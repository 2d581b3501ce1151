/*
 * Overlays: what runs of each interface of type "vxlan", and the underlays that
 * carry them. Parts are files of their own and know each other by this header
 * only. Control thread.
 *
 *	overlay.c	    life: with their vports
 *	overlay_snapshot.c  in the snapshot
 *	overlay_remotes.c   remote VTEPs: numbers, ports, who says so
 *	overlay_flood.c	    which VNIs' floods they get
 *	overlay_macs.c	    MACs behind remotes: rows, a control plane
 *	overlay_pairs.c	    whose MAC an IP address is: suppression
 *	overlay_learn.c	    VTEPs that packets taught, and their end
 *	overlay_events.c    what workers and the FDB tell
 *	overlay_mtu.c	    what fits, who is told, frames that were too big
 *	bridge_mtu.c	    the same for a bridge's machines
 *	overlay_json.c	    vtep/show
 *	overlay_evpn.c	    FRR, by the kernel's tables
 *	underlay.c	    life of the underlays, common to both kinds
 *	underlay_station.c  an address on an uplink's bridge: ARP, ND, next hops
 */
#ifndef VSWD_OVERLAY_H
#define VSWD_OVERLAY_H

#include <jansson.h>

#include "forward/punt.h"
#include "gateway/client.h"
#include "tunnel/suppress.h"
#include "tunnel/tunnel.h"
#include "vswd/config_overlay.h"
#include "vswd/switch.h"

struct overlay_evpn;
struct underlay;
struct underlay_station;

/* A remote VTEP of one VXLAN port; or a group, which none is behind. */
struct overlay_remote {
	struct overlay_remote *next; /* of the overlay, in no order */
	struct hmap_node node;	     /* of overlay.by_ip */
	struct overlay *overlay;
	struct ip_address ip;
	struct port *port; /* vxlan_remote_open(); single: the vport's own */
	uint16_t number;   /* in the bridge's FDB */
	uint32_t index;	   /* in tunnels of snapshots, and in flood lists */
	unsigned origins;  /* enum vtep_origin, who says that it is one */
	bool is_group;	   /* what is flooded goes there, nothing comes from it
			    */
	uint8_t wanted;	   /* overlay_remotes_configure()'s */
	uint32_t mtu;	   /* of inner frames; 0: not known */
	bool resolved;	   /* next hop: always, with sockets */
	uint64_t next_hop; /* its MAC */
	uint64_t heard_s;  /* vs->now_s */
	uint64_t rx_seen;  /* overlay_learn.c's */
};

/* An interface of type vxlan whose port is open and whose options are right. */
struct overlay {
	struct overlay *next; /* of vswitch.overlays */
	struct vswitch *vs;
	struct vport *v;
	struct cfg_port *port_config; /* a reference: that config is in */
	const struct cfg_overlay *config;
	uint32_t id; /* of punts; never given twice */
	struct underlay *underlay;
	struct overlay_remote *remotes;
	unsigned n_remotes;
	unsigned n_learned; /* of them, whoever else says so */
	struct hmap by_ip;
	struct overlay_remote **by_index; /* NULL: nobody has that */
	uint32_t n_indices;
	struct vtep_map *map;		 /* with flood lists: remote->index */
	struct hmap macs;		 /* overlay_macs.c's: those of rows */
	struct suppress_table *suppress; /* NULL: off */
	struct hmap pairs;		 /* overlay_pairs.c's */
	unsigned n_pairs_heard;		 /* of them, by packets */
	bool look_at_pairs;		 /* the FDB has lost some entries */
	struct overlay_evpn *evpn;	 /* NULL: off */
	uint64_t seed;			 /* of flow hashes */
	uint32_t mtu; /* of inner frames, the smallest remote's; 0: any */
	char *error;  /* what does not work, in one line; NULL: all does */
	char *underlay_error;	   /* the underlay's, likewise */
	char *self_error;	   /* a remote is the host itself, likewise */
	struct overlay_mtu *sizes; /* overlay_mtu.c's, or NULL */
	struct fwd_tunnel *fwd;	   /* in the snapshot in force, or NULL */
	uint64_t mac_refused;	   /* remote MACs that did not fit */
	uint64_t remote_refused;   /* learned VTEPs, likewise */
};

/* Outer packets' way; one for all overlays with the same. */
struct underlay {
	struct underlay *next; /* of vswitch.underlays */
	struct vswitch *vs;
	char *name;	 /* of the made-up port */
	struct vport *v; /* that; NULL: not there (yet) */
	uint32_t id;	 /* of punts; shares its numbers with segments */
	struct underlay_station *station; /* NULL: sockets */
	struct fwd_underlay *fwd; /* in the snapshot in force, or NULL */
	bool seen;		  /* by overlays_reconcile() */
	/* underlay_is_self()'s: the host's addresses, as they were then. */
	struct ip_address *host_ips; /* NULL: never asked */
	unsigned n_host_ips;
	uint64_t host_ips_s; /* vs->now_s */
};

/* --- overlay.c --------------------------------------------------------------
 */

/*
 * When ports were opened, before a snapshot is built: makes, configures and
 * ends overlays, so that there is one for each open vport of type vxlan.
 */
void overlays_reconcile(struct vswitch *vs);
/* A vport is about to be closed: its overlay ends, its underlay is without. */
void overlays_port_gone(struct vswitch *vs, struct vport *v);
/* Of ports that stay open while no worker runs: port_set_threads(). */
void overlays_set_threads(struct vswitch *vs, unsigned n);
void overlays_end(struct vswitch *vs);	/* all, and the underlays */
void overlays_tick(struct vswitch *vs); /* once a second */
/* The snapshot is to be made anew, soon (coalesced). */
void overlay_changed(struct overlay *o);
/* Takes the text; NULL: all is well. */
void overlay_set_error(struct overlay *o, char *error);
/* What does not work, of all parts; NULL: nothing. */
const char *overlay_fault(const struct overlay *o);
struct overlay *overlay_find(const struct vswitch *vs, uint32_t id);
/*
 * The VLAN of the overlay (0 when its VNI is fixed) and the filtering id of the
 * bridge's FDB, which are the same otherwise. -1: it has nothing to do with it.
 */
int overlay_fid(const struct overlay *o, uint16_t vid);
int overlay_vid(const struct overlay *o, uint16_t fid);

/* --- overlay_snapshot.c -----------------------------------------------------
 */

/*
 * While a snapshot is built, after all ports were added: underlays, tunnels,
 * remotes.
 */
void overlays_attach(struct vswitch *vs, struct fwd_snapshot *snapshot);

/* --- overlay_events.c -------------------------------------------------------
 */

/* PUNT_TUNNEL and PUNT_UNDERLAY. */
void overlays_receive(struct vswitch *vs, struct vport *v,
		      const struct punt_record *record);
/* PUNT_NEIGHBOR of a port of a bridge: who has which address. */
void overlays_neighbor(struct vswitch *vs, struct vport *v, uint16_t vid,
		       uint64_t mac, const uint8_t *ip, unsigned len);
/* Which kinds (bits) a port of that bridge is to punt for overlays. */
unsigned overlays_punts(const struct vswitch *vs, const struct vport *v);
/* The bridge's FDB has changed, as its listeners are told. */
void overlays_fdb_change(struct bridge *b, enum fdb_change change, uint64_t mac,
			 uint16_t fid, uint16_t port, uint16_t old_port);

/* --- overlay_remotes.c ------------------------------------------------------
 */

/*
 * `origin` (one bit) says that ip is a remote VTEP. NULL and *errp when it
 * cannot be: ourselves, too many. The snapshot follows.
 */
struct overlay_remote *overlay_remote_add(struct overlay *o,
					  const struct ip_address *ip,
					  enum vtep_origin origin, char **errp);
/*
 * And does not say so any more: it goes with the last who did, and so do flood
 * lists' entries of that origin.
 */
void overlay_remote_drop(struct overlay *o, struct overlay_remote *r,
			 enum vtep_origin origin);
struct overlay_remote *overlay_remote_find(const struct overlay *o,
					   const struct ip_address *ip);
/* That of any overlay of the bridge; NULL: none has the number. */
struct overlay_remote *bridge_remote_by_number(const struct bridge *b,
					       uint16_t number);
/* Those of the configuration, and of its Remote_MAC rows. */
void overlay_remotes_configure(struct overlay *o);
/* All end. */
void overlay_remotes_clear(struct overlay *o);
/* What was learned behind any of them; how many. */
unsigned overlay_flush(struct overlay *o, int fid);
/* Next hop or MTU is another (underlay_*.c, overlay_mtu.c). */
void overlay_remote_set_hop(struct overlay_remote *r, bool resolved,
			    uint64_t mac);
void overlay_remote_set_mtu(struct overlay_remote *r, uint32_t inner_mtu);

/* --- overlay_flood.c --------------------------------------------------------
 */

/* overlay.map as the configuration has it; VNIs that stay keep their lists. */
void overlay_map_configure(struct overlay *o);
/* vni: VTEP_NO_VNI for each that the overlay has. 0 or -errno. */
int overlay_flood_add(struct overlay *o, uint32_t vni, struct overlay_remote *r,
		      enum vtep_origin origin);
void overlay_flood_drop(struct overlay *o, uint32_t vni,
			struct overlay_remote *r, enum vtep_origin origin);

/* --- overlay_macs.c ---------------------------------------------------------
 */

/*
 * A MAC is behind a remote, says a control plane or a row; the FDB has it until
 * it is taken away, or moves because it is heard elsewhere (sticky: never).
 * -ENOSPC: no room in the FDB; -EEXIST: it has a static entry; -EINVAL: the
 * overlay has not that VLAN.
 */
int overlay_mac_add(struct overlay *o, uint16_t vid, uint64_t mac,
		    struct overlay_remote *r, bool sticky,
		    enum vtep_origin origin);
void overlay_mac_drop(struct overlay *o, uint16_t vid, uint64_t mac,
		      enum vtep_origin origin);
/* The rows of config->macs. */
void overlay_macs_configure(struct overlay *o);
void overlay_macs_clear(struct overlay *o); /* none of them any more */

/* --- overlay_pairs.c --------------------------------------------------------
 */

/* Suppression begins or ends, as the configuration says. */
void overlay_pairs_configure(struct overlay *o);
/*
 * A control plane or a row says so; mac 0: it does not any more. Beside a MAC:
 * SUPPRESS_ROUTER, if it is a router's.
 */
void overlay_pair_set(struct overlay *o, uint16_t vid,
		      const struct ip_address *ip, uint64_t mac);
/* A station behind a remote (or not: local) said so itself. */
void overlay_pair_heard(struct overlay *o, uint16_t vid,
			const struct ip_address *ip, uint64_t mac, bool local);
/* Forgets those that stations said which the FDB has behind no remote now. */
void overlay_pairs_look(struct overlay *o);
void overlay_pairs_tick(struct overlay *o);
/* Some of them, in no order; learned says that a station said it itself. */
#define OVERLAY_PAIRS_SHOWN 256
json_t *overlay_pairs_to_json(const struct overlay *o);
void overlay_pairs_clear(struct overlay *o);

/* --- overlay_learn.c --------------------------------------------------------
 */

/* A packet of an unknown remote came in (TUNNEL_NEW_REMOTE). */
void overlay_learn_remote(struct overlay *o, uint32_t vni,
			  const struct ip_address *ip);
/* A station was heard behind a remote: it has that VLAN's VNI. */
void overlay_learn_station(struct overlay_remote *r, uint16_t fid);
void overlay_learn_tick(struct overlay *o);

/* --- overlay_mtu.c ----------------------------------------------------------
 */

/* Asks underlays' MTUs from time to time, and tells remotes. */
void overlay_mtu_tick(struct overlay *o);
/* Its configuration, its remotes or its underlay's MTU are others: all anew. */
void overlay_mtu_refresh(struct overlay *o);
/* The path to one remote may take another size now. */
void overlay_mtu_update(struct overlay_remote *r);
/* The overlay ends: what is kept of it is freed, its bridge's MTU is another.
 */
void overlay_mtu_end(struct overlay *o);
/* TUNNEL_TOO_BIG: the sender is told, at a bounded rate. */
void overlay_too_big(struct overlay *o, struct vport *in, uint16_t vid,
		     uint32_t mtu, const void *frame, size_t len);
/* The MTU of a bridge's machines by its overlays; 0: it has none. */
uint32_t bridge_overlay_mtu(const struct vswitch *vs, const struct bridge *b);

/* --- underlay.c, underlay_station.c -----------------------------------------
 */

/* That of these settings, made if it is new. */
struct underlay *underlay_get(struct vswitch *vs, const struct cfg_overlay *c);
struct underlay *underlay_find(const struct vswitch *vs, uint32_t id);
/* Which ports they have now; those that no overlay has got end. */
void underlays_reconcile(struct vswitch *vs);
void underlays_port_gone(struct vswitch *vs, const struct vport *v);
void underlays_tick(struct vswitch *vs);
/* Why it does not carry anything; the caller's; NULL: it does. */
char *underlay_fault(const struct underlay *u);
/*
 * ip is an address of our own there. Those of the host are asked for once a
 * second at most: packets of invented VTEPs ask this, too.
 */
bool underlay_is_self(struct underlay *u, const struct cfg_overlay *c,
		      const struct ip_address *ip);
/* There is a way to the address, or the host may have one. */
bool underlay_reaches(const struct underlay *u, const struct ip_address *ip);
/* A remote is there, or is about to go. */
void underlay_remote_added(struct underlay *u, struct overlay_remote *r);
void underlay_remote_gone(struct underlay *u, struct overlay_remote *r);
struct underlay_station *underlay_station_create(struct underlay *u,
						 const struct cfg_overlay *c);
void underlay_station_destroy(struct underlay_station *station);
/* Its port is about to be closed: it says goodbye, and waits for another. */
void underlay_station_port_gone(struct underlay_station *station);
void underlay_station_configure(struct underlay_station *station,
				const struct cfg_overlay *c);
/* ARP, ND, pings, IGMP and MLD queries, what else came to the station. */
void underlay_station_receive(struct underlay_station *station,
			      struct vport *in,
			      const struct punt_record *record);
/* A remote is wanted, or not any more: its next hop is looked for, and told by
   overlay_remote_set_hop(). A group is joined, and left with the last. */
void underlay_station_want(struct underlay_station *station,
			   struct overlay_remote *r);
void underlay_station_forget(struct underlay_station *station,
			     struct overlay_remote *r);
/* It is on the link, or there is a gateway. */
bool underlay_station_reaches(const struct underlay_station *station,
			      const struct ip_address *ip);
uint32_t underlay_station_mtu(const struct underlay_station *station);
/* That of the path to a remote: what ICMP errors told, if less. */
uint32_t underlay_station_path_mtu(const struct underlay_station *station,
				   const struct ip_address *remote);
/* What is wrong, in one line; NULL: nothing. Until the next call. */
const char *underlay_station_error(const struct underlay_station *station);
uint64_t underlay_station_mac(const struct underlay_station *station);
json_t *underlay_station_to_json(const struct underlay_station *station);

/* --- overlay_evpn.c ---------------------------------------------------------
 */

struct overlay_evpn *overlay_evpn_create(struct overlay *o);
void overlay_evpn_destroy(struct overlay_evpn *evpn);
void overlay_evpn_configure(struct overlay_evpn *evpn);
/* The FDB of the bridge says that a station is local now, or is not. */
void overlay_evpn_station(struct overlay_evpn *evpn, uint16_t vid, uint64_t mac,
			  bool local);
/* Its listeners must read it anew. */
void overlay_evpn_resync(struct overlay_evpn *evpn);
void overlay_evpn_pair(struct overlay_evpn *evpn, uint16_t vid, uint64_t mac,
		       const struct ip_address *ip);
/* What is wrong, in one line; NULL: nothing. */
const char *overlay_evpn_error(const struct overlay_evpn *evpn);
/* Is FRR there: "present", "gone" or "unknown". */
const char *overlay_evpn_state(const struct overlay_evpn *evpn);
json_t *overlay_evpn_to_json(const struct overlay_evpn *evpn);

/* --- overlay_json.c ---------------------------------------------------------
 */

/* What vtep/show shows; the caller's. */
json_t *overlay_to_json(const struct overlay *o);
/* For Interface:status. */
void overlay_describe(const struct overlay *o,
		      void (*add)(void *arg, const char *key,
				  const char *value),
		      void *arg);

#endif
