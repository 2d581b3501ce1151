/*
 * Overlays: what runs of each interface of type "vxlan", and the underlays that
 * carry them. Parts are files of their own and know each other by this header
 * only. Control thread.
 *
 *	overlay.c	    life: with their vports, and in the snapshot
 *	overlay_remotes.c   remote VTEPs: numbers, ports, flood lists, origins
 *	overlay_macs.c	    MACs behind remotes: rows, a control plane
 *	overlay_learn.c	    VTEPs that packets taught, and their end
 *	overlay_mtu.c	    what fits, who is told, frames that were too big
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
struct overlay_learned;
struct underlay;
struct underlay_station;

/* A remote VTEP of one VXLAN port. */
struct overlay_remote {
	struct overlay_remote *next; /* of the overlay, in no order */
	struct overlay *overlay;
	struct ip_address ip;
	struct port *port; /* vxlan_remote_open(); single: the vport's own */
	uint16_t number;   /* in the bridge's FDB */
	uint32_t index;	   /* in the snapshot in force; UINT32_MAX: in none */
	unsigned origins;  /* enum vtep_origin, who says that it is one */
	unsigned n_macs;   /* that a control plane or rows have put behind it */
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
	const struct cfg_overlay *config; /* v->interface->overlay */
	uint32_t id;			  /* of punts; never given twice */
	struct underlay *underlay;
	struct overlay_remote *remotes;
	unsigned n_remotes;
	struct vtep_map *map;		 /* with flood lists: remote->number */
	struct suppress_table *suppress; /* NULL: off */
	struct overlay_evpn *evpn;	 /* NULL: off */
	struct overlay_learned *learned; /* overlay_learn.c's, or NULL */
	uint32_t mtu; /* of inner frames, the smallest remote's; 0: any */
	char *error;  /* what does not work, in one line; NULL: all does */
	struct overlay_mtu *sizes; /* overlay_mtu.c's, or NULL */
	struct fwd_tunnel *fwd;	   /* in the snapshot in force, or NULL */
	uint64_t mac_refused;	   /* remote MACs that did not fit */
};

/* Outer packets' way; one for all overlays with the same. */
struct underlay {
	struct underlay *next; /* of vswitch.underlays */
	struct vswitch *vs;
	struct vport *v; /* the made-up port; NULL: not there (yet) */
	uint32_t id;	 /* of punts; shares its numbers with segments */
	struct underlay_station *station; /* NULL: sockets */
	struct fwd_underlay *fwd;
	uint64_t generation; /* of the snapshot that has fwd */
};

/* --- overlay.c --------------------------------------------------------------
 */

/*
 * After vswitch_reconcile() has opened ports: makes, configures and ends
 * overlays, so that there is one for each open vport of type vxlan.
 */
void overlays_reconcile(struct vswitch *vs);
/* A vport is about to be closed: its overlay ends (segments do the same). */
void overlays_port_gone(struct vswitch *vs, const struct vport *v);
/*
 * While a snapshot is built, after all ports were added: underlays, tunnels,
 * remotes.
 */
void overlays_attach(struct vswitch *vs, struct fwd_snapshot *snapshot);
/* The snapshot is in force: what only the former needed is freed. */
void overlays_published(struct vswitch *vs);
void overlays_tick(struct vswitch *vs); /* once a second */
/* PUNT_TUNNEL and PUNT_UNDERLAY. */
void overlays_receive(struct vswitch *vs, struct vport *v,
		      const struct punt_record *record);
/* PUNT_NEIGHBOR of a port of a bridge: who has which address. */
void overlays_neighbor(struct vswitch *vs, struct vport *v, uint16_t vid,
		       uint64_t mac, const uint8_t *ip, unsigned len);
/* Which kinds (bits) a port of that bridge is to punt for overlays. */
unsigned overlays_punts(const struct vswitch *vs, const struct vport *v);
/* The snapshot is to be made anew, soon (coalesced). */
void overlay_changed(struct overlay *o);
void overlay_set_error(struct overlay *o,
		       char *error); /* takes it; NULL: none */
struct overlay *overlay_find(const struct vswitch *vs, uint32_t id);
struct overlay *overlay_of_vport(const struct vswitch *vs,
				 const struct vport *v);

/* --- overlay_remotes.c ------------------------------------------------------
 */

/*
 * `origin` (one bit) says that ip is a remote VTEP. NULL and *errp when it
 * cannot be: ourselves, too many. The snapshot follows.
 */
struct overlay_remote *overlay_remote_add(struct overlay *o,
					  const struct ip_address *ip,
					  enum vtep_origin origin, char **errp);
/* And does not say so any more: it goes with the last who did. */
void overlay_remote_drop(struct overlay *o, struct overlay_remote *r,
			 enum vtep_origin origin);
struct overlay_remote *overlay_remote_find(const struct overlay *o,
					   const struct ip_address *ip);
struct overlay_remote *overlay_remote_by_number(const struct overlay *o,
						uint16_t number);
/* That of any overlay of the bridge, for fdb/show; NULL: none has the number.
 */
struct overlay_remote *bridge_remote_by_number(const struct vswitch *vs,
					       const struct bridge *b,
					       uint16_t number);
/* vni: VTEP_NO_VNI for each that the overlay has. 0 or -errno. */
int overlay_flood_add(struct overlay *o, uint32_t vni, struct overlay_remote *r,
		      enum vtep_origin origin);
void overlay_flood_drop(struct overlay *o, uint32_t vni,
			struct overlay_remote *r, enum vtep_origin origin);
/* Next hop or MTU is another (underlay_*.c, overlay_mtu.c). */
void overlay_remote_set_hop(struct overlay_remote *r, bool resolved,
			    uint64_t mac);
void overlay_remote_set_mtu(struct overlay_remote *r, uint32_t inner_mtu);

/* --- overlay_macs.c ---------------------------------------------------------
 */

/*
 * A MAC is behind a remote, says a control plane or a row; the FDB has it until
 * it is taken away, or moves because it is heard elsewhere (sticky: never).
 * -ENOSPC: no room in the FDB.
 */
int overlay_mac_add(struct overlay *o, uint16_t vid, uint64_t mac,
		    struct overlay_remote *r, bool sticky,
		    enum vtep_origin origin);
void overlay_mac_drop(struct overlay *o, uint16_t vid, uint64_t mac,
		      enum vtep_origin origin);
/* For suppression; mac 0: not known any more. */
void overlay_pair_set(struct overlay *o, uint16_t vid,
		      const struct ip_address *ip, uint64_t mac);
/* The rows of config->macs. */
void overlay_macs_configure(struct overlay *o);

/* --- overlay_learn.c --------------------------------------------------------
 */

/* A packet of an unknown remote came in (TUNNEL_NEW_REMOTE). */
void overlay_learn_remote(struct overlay *o, uint32_t vni,
			  const struct ip_address *ip);
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
/* It may be another: segments and ports of the bridge follow (bridge_mtu.c). */
void bridge_overlay_mtu_changed(struct vswitch *vs, struct bridge *b);

/* --- underlay.c, underlay_station.c -----------------------------------------
 */

struct underlay *underlay_get(struct vswitch *vs, const struct cfg_overlay *c);
struct underlay *underlay_find(const struct vswitch *vs, uint32_t id);
void underlays_tick(struct vswitch *vs);
struct underlay_station *underlay_station_create(struct underlay *u,
						 const struct cfg_overlay *c);
void underlay_station_destroy(struct underlay_station *station);
void underlay_station_configure(struct underlay_station *station,
				const struct cfg_overlay *c);
/* ARP, ND, pings, IGMP and MLD queries, what else came to the station. */
void underlay_station_receive(struct underlay_station *station,
			      struct vport *in,
			      const struct punt_record *record);
/* A remote is wanted, or not any more: its next hop is looked for, and told by
   overlay_remote_set_hop(). */
void underlay_station_want(struct underlay_station *station,
			   struct overlay_remote *r);
void underlay_station_forget(struct underlay_station *station,
			     struct overlay_remote *r);
/* A group is joined (reports by IGMP or MLD). */
void underlay_station_join(struct underlay_station *station,
			   const struct ip_address *group);
/* And left; what underlay_station_want() has a remote of stays joined. */
void underlay_station_leave(struct underlay_station *station,
			    const struct ip_address *group);
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
void overlay_evpn_pair(struct overlay_evpn *evpn, uint16_t vid, uint64_t mac,
		       const struct ip_address *ip);
/* What is wrong, in one line; NULL: nothing. */
const char *overlay_evpn_error(const struct overlay_evpn *evpn);
json_t *overlay_evpn_to_json(const struct overlay_evpn *evpn);

/* --- overlay_json.c ---------------------------------------------------------
 */

/* What vtep/show shows; the caller's. */
json_t *overlay_to_json(const struct overlay *o);

#endif
