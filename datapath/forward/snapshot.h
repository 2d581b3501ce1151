/*
 * The forwarding snapshot: everything that a worker needs to know, immutable
 * from its publication until every worker has let it go; but for the filters of
 * bonds' members (fwd_snapshot_loosen()).
 *
 * The reconciler builds one from the database for each change: bridges, their
 * ports with VLAN settings worked out to bitmaps, and which worker serves which
 * receive queue. What lives longer than a snapshot (struct port, struct fdb,
 * struct capture) is only pointed to.
 *
 * Building: control thread. Reading: workers, see worker_pool_publish().
 */
#ifndef FORWARD_SNAPSHOT_H
#define FORWARD_SNAPSHOT_H

#include <stdatomic.h>

#include "base/number_pairs.h"
#include "base/util.h"
#include "forward/fdb.h"
#include "packet/vlan.h"
#include "port/port.h"

struct bond_table; /* bond/bond_table.h; bond_out.c looks into it */
struct capture;
struct fwd_bond;
struct fwd_bridge;
struct fwd_egress; /* forward/policies.h */
struct fwd_gateway;
struct fwd_ingress; /* forward/policies.h */
struct fwd_mirror;  /* forward/mirror.h */
struct fwd_snapshot;
struct fwd_tunnel;
struct fwd_underlay;
struct punt;
struct suppress_table; /* tunnel/suppress.h; likewise */
struct shaper;	       /* shape/shaper.h */
struct router;	       /* router/router.h; pipeline.c alone looks into it */
struct tunnel;	       /* tunnel/tunnel.h; likewise */
struct tunnel_demux;

/* Port:vlan_mode */
enum vlan_mode {
	VLAN_ACCESS,
	VLAN_TRUNK,
	VLAN_NATIVE_TAGGED,
	VLAN_NATIVE_UNTAGGED,
	VLAN_DOT1Q_TUNNEL,
};

/* Port:other_config:priority-tags */
enum priority_tags {
	PRIORITY_TAGS_NEVER,
	PRIORITY_TAGS_IF_NONZERO,
	PRIORITY_TAGS_ALWAYS,
};

/* MAC addresses, as load_mac(). */
struct fwd_stations {
	unsigned n;
	uint64_t macs[];
};

struct vlan_set {
	uint64_t bits[VLAN_N / 64];
};

static inline bool vlan_set_has(const struct vlan_set *set, uint16_t vid)
{
	return set->bits[vid >> 6] >> (vid & 63) & 1;
}

static inline void vlan_set_add(struct vlan_set *set, uint16_t vid)
{
	set->bits[vid >> 6] |= 1ull << (vid & 63);
}

static inline void vlan_set_remove(struct vlan_set *set, uint16_t vid)
{
	set->bits[vid >> 6] &= ~(1ull << (vid & 63));
}

/* What the database says of a port's VLANs. */
struct vlan_config {
	enum vlan_mode mode;
	uint16_t tag;		       /* access, native, dot1q-tunnel */
	const struct vlan_set *trunks; /* NULL: all */
	const struct vlan_set *cvlans; /* dot1q-tunnel; NULL: all */
	uint16_t qinq_tpid;	       /* ETH_TYPE_SVLAN or ETH_TYPE_VLAN */
	enum priority_tags priority_tags;
};

/* A VLAN tag in a header as a number: 0 is none. */
#define TAG(tci) ((uint32_t)(tci) | 0x10000)

/* Which VLAN a packet belongs to, and what tag it bears. */
struct vlan_state {
	union {
		struct {
			uint32_t tag;  /* in the header now: TAG() */
			uint16_t vid;  /* that it belongs to */
			uint16_t prio; /* PCP and DEI, in their places */
		};
		uint64_t word; /* all of it, to compare at once */
	};
};

#define VLAN_VID_NONE 0xffff /* no VLAN, where one may be named */

/*
 * What a bond's member keeps from the bridge of what comes in by it; the same
 * bits as enum bond_filter.
 */
enum fwd_filter {
	FWD_FILTER_ALL = 1 << 0,
	FWD_FILTER_MULTICAST = 1 << 1, /* groups and broadcast */
	FWD_FILTER_MOVED = 1 << 2, /* senders that are known at other ports */
};

/*
 * A port of a bridge, as the pipeline sees it; or a member of a bond, which is
 * none of the bridge's ports but belongs to one: it has that one's number and
 * VLANs, and is where its frames come in and go out.
 */
struct fwd_port {
	struct port *port; /* of a bond: has no queues, but counters */
	struct fwd_bridge *bridge;
	const struct fwd_port *as; /* itself; of a member: its bond */
	struct fwd_bond *bond;	   /* a bond's members, or NULL */
	struct punt *punt;	   /* where control frames go; NULL: nowhere */
	uint16_t punts; /* bit 1 << enum punt_kind: which do; PUNT_ANSWERS */
	_Atomic uint8_t filter;	     /* enum fwd_filter; see below */
	struct fwd_port *patch_peer; /* a port of another bridge, or NULL */
	struct fwd_gateway *gateway; /* it is a port of this one's, or NULL */
	/* It is this VXLAN port, or a remote VTEP of it; or NULL. */
	struct fwd_tunnel *tunnel;
	uint32_t remote; /* of the tunnel; TUNNEL_NO_REMOTE: the port itself */
	/* Outer packets come in and leave by it; or NULL. */
	struct fwd_underlay *underlay;
	struct capture *capture; /* NULL: nobody is listening */
	/* Policies, the snapshot's own; NULL: there are none. Of `as` only. */
	struct fwd_ingress *ingress;
	struct fwd_egress *egress;
	/*
	 * Whom frames to unknown stations may be for if it is to get them, the
	 * snapshot's own; NULL: anybody. Of `as` only.
	 */
	struct fwd_stations *stations;
	uint64_t beacons;      /* PUNT_BEACON: the identity of those it takes */
	uint16_t number;       /* in the FDB; 1 and up, kept over snapshots */
	uint16_t slot;	       /* place in bridge->ports */
	uint16_t untagged_vid; /* leaves without a tag, or none */
	uint16_t native_vid;   /* of untagged frames, or none */
	/* What leaves just as it is, the usual case; word ~0: nothing does. */
	struct vlan_state plain;
	uint16_t tpid;		/* of tags that it pushes */
	bool accepts_tagged;	/* frames with a VLAN id */
	bool is_tunnel;		/* dot1q-tunnel: what comes in is payload */
	bool filters_customers; /* dot1q-tunnel: by cvlans, both ways */
	bool vni_by_vlan;	/* a remote, whose frames' VLANs say the VNI */
	bool as_primary;	/* secondary VLANs leave as their primary */
	bool odd_tags;	/* one of the last two, or priority_tags is not "never"
			 */
	uint16_t apart; /* fwd_are_apart() */
	uint8_t gateway_side;  /* enum router_side */
	uint8_t priority_tags; /* enum priority_tags */
	bool learns;
	bool floods;		/* takes part in flooding */
	struct vlan_set vlans;	/* which it is a member of, both ways */
	struct vlan_set cvlans; /* dot1q-tunnel: inner VLANs let through */
	uint32_t ofport;	/* Interface:ofport, for people */
	/*
	 * Which worker each receive queue is to have, by its index; NULL: any.
	 * Set while the snapshot is built and read until it is finished.
	 */
	const struct number_pairs *pins;
};

static inline uint8_t fwd_port_filter(const struct fwd_port *port)
{
	return atomic_load_explicit(&port->filter, memory_order_relaxed);
}

/*
 * fwd_port.apart: a community's number is above these. Ports of one community
 * exchange frames, isolated ones with no other that is set apart.
 */
#define FWD_TOGETHER 0 /* "promiscuous": with all */
#define FWD_ISOLATED 1

/* Nothing goes from one to the other. Of one isolated port with itself: true.
 */
static inline bool fwd_are_apart(const struct fwd_port *a,
				 const struct fwd_port *b)
{
	return a->apart && b->apart &&
	       (a->apart != b->apart || a->apart == FWD_ISOLATED);
}

#define FWD_MEMBER_ANY 0xff

struct fwd_bond {
	const struct bond_table *table; /* freed with the snapshot */
	/* LACP is its own: frames of it that others sent do not leave. */
	bool stops_slow;
	unsigned n_members;
	struct fwd_port **members; /* by index of the table; NULL: not open */
	/*
	 * The member by which what comes from a port of the bridge leaves, by
	 * that one's number; FWD_MEMBER_ANY: the table's. NULL: for all ports.
	 */
	uint8_t *chosen;
	unsigned n_chosen;
};

#define FWD_GATEWAY_SIDES 3 /* ROUTER_N_SIDES */

/* A segment's gateway: ports of up to three bridges, joined by a router. */
struct fwd_gateway {
	struct router *router;			   /* freed with the snapshot */
	struct fwd_port *ports[FWD_GATEWAY_SIDES]; /* NULL: not there */
	struct fwd_gateway *next;		   /* of the snapshot's */
};

/*
 * A VXLAN port of a bridge. Frames to all go to `port`, which is one of the
 * bridge's; its remotes are not, but have a number each, by which the FDB knows
 * them (fwd_bridge.by_number), and their parent's VLANs. With one remote only
 * (options:remote_ip is an address) `port` is that remote, too.
 */
struct fwd_tunnel {
	struct tunnel *tunnel; /* freed with the snapshot */
	struct fwd_port *port;
	unsigned n_remotes;
	struct fwd_port **remotes; /* by index */
	struct fwd_underlay *underlay;
	/* What answers for remote stations (ARP, ND); NULL: nothing does. */
	struct suppress_table *suppress; /* lives longer */
	uint32_t id;			 /* of punts; struct overlay's */
	bool split_horizon;	 /* nothing from it to another such one */
	struct fwd_tunnel *next; /* of the snapshot's */
};

/* Where outer packets leave and come in, for all VXLAN ports that use it. */
struct fwd_underlay {
	struct tunnel_demux *demux; /* freed with the snapshot */
	struct fwd_port *port;
	/*
	 * A station of a bridge: what is sent comes into that bridge by `port`,
	 * as from a gateway. Otherwise `port` sends it itself.
	 */
	bool bridged;
	uint32_t id; /* of punts; struct underlay's */
	unsigned n_tunnels;
	struct fwd_tunnel **tunnels; /* by the demux's index */
	struct fwd_underlay *next;
};

struct fwd_bridge {
	const char *name; /* lives as long as the snapshot */
	struct fdb *fdb;
	/* A bond's member has FWD_FILTER_MOVED (filter.c). */
	bool notes_announced;
	bool forward_bpdu;
	bool no_learn_vlans; /* flood_vlans has any */
	bool has_tunnels;    /* a port is a VXLAN port */
	bool traced;	     /* a trace's copy: teaches the FDB nothing */
	struct vlan_set flood_vlans;
	unsigned n_mirrors;
	struct fwd_mirror **mirrors; /* each one piece of memory */
	/*
	 * Of each VLAN the one whose addresses it shares: a private VLAN's
	 * primary, of all others itself. NULL: none is private.
	 */
	uint16_t *primaries;
	unsigned n_ports;
	struct fwd_port **ports; /* by slot */
	unsigned n_numbers;
	struct fwd_port **by_number; /* NULL where no port has it */
};

/* Written by the queue's worker alone, once a burst; relaxed. */
struct fwd_queue_counters {
	_Atomic uint64_t packets, bursts;
	_Atomic uint64_t busy; /* ticks (base/ticks.h) */
} CACHE_ALIGNED;

/*
 * What is known of a receive queue as long as there is a snapshot that has it.
 * All but the counters is the control thread's.
 */
struct fwd_queue {
	struct fwd_queue_counters counters;
	unsigned refs;	      /* snapshots */
	unsigned worker;      /* that is to serve it */
	bool mispinned;	      /* to a worker that there is not: was said */
	bool pinned;	      /* by the configuration: nothing else moves it */
	bool measured;	      /* load says something */
	float load;	      /* share of its worker's time, lately; 0 to 1 */
	uint64_t busy_before; /* when the load was last looked at */
	/* Counters as they were at `since` (ticks): what is shown began then */
	uint64_t since, packets_since, bursts_since, busy_since;
};

/* A receive queue, its port, and the worker that serves it. */
struct fwd_rxq {
	uint64_t id; /* of this queue and no other, ever; the sort order */
	struct port_rxq *rxq;
	const struct fwd_port *in;
	struct fwd_queue *queue;
	unsigned worker; /* from 0 */
};

/* The same of a queue whose descriptor was exchanged for another. */
static inline uint64_t fwd_rxq_key(const struct fwd_rxq *rxq)
{
	return rxq->id >> 16;
}

struct fwd_snapshot {
	uint64_t generation;
	unsigned n_bridges;
	struct fwd_bridge **bridges;
	unsigned n_rxqs;
	struct fwd_rxq *rxqs;
	unsigned n_shaped;
	const struct fwd_port **shaped; /* ports with a shaper */
	struct fwd_gateway *gateways;
	struct fwd_tunnel *tunnels;
	struct fwd_underlay *underlays;
};

/* Control thread. */
struct fwd_snapshot *fwd_snapshot_create(uint64_t generation);
/*
 * Before `next` is published in the place of `now`: members of bonds let in at
 * once what they let in by either of both. This is the one thing of a snapshot
 * that changes while workers read it (filter.c says why). now: may be NULL.
 */
void fwd_snapshot_loosen(const struct fwd_snapshot *now,
			 const struct fwd_snapshot *next);
/* When no worker reads it any more. */
void fwd_snapshot_destroy(struct fwd_snapshot *snapshot);

/* name is copied. */
struct fwd_bridge *fwd_snapshot_add_bridge(struct fwd_snapshot *snapshot,
					   const char *name, struct fdb *fdb);
/* number: 1 to FDB_PORT_MAX, unique in the bridge. */
struct fwd_port *fwd_bridge_add_port(struct fwd_bridge *bridge,
				     struct port *port, uint16_t number,
				     const struct vlan_config *vlan);
/*
 * Makes a port of the bridge a bond. table was allocated and is freed with the
 * snapshot. Members are added in the order of the table: port NULL where the
 * interface is not open (NULL is returned then). A member begins with the
 * bond's settings as they are then, but those of its own interface: punts,
 * captures, pins.
 */
void fwd_port_make_bond(struct fwd_port *port, struct bond_table *table);
struct fwd_port *fwd_bond_add_member(struct fwd_port *bond, struct port *port,
				     unsigned filter);
/* router: one piece of memory, the snapshot's from now on (free()). */
struct fwd_gateway *fwd_snapshot_add_gateway(struct fwd_snapshot *snapshot,
					     struct router *router);
/* Its port of that side: what is sent to it is routed (pipeline.c). */
void fwd_port_set_gateway(struct fwd_port *port, struct fwd_gateway *gateway,
			  unsigned side);
/*
 * demux: the snapshot's from now on. port: of the bridge of a station, or one
 * that sends by itself.
 */
struct fwd_underlay *fwd_snapshot_add_underlay(struct fwd_snapshot *snapshot,
					       struct fwd_port *port,
					       struct tunnel_demux *demux,
					       bool bridged);
/*
 * Makes a port of the bridge a VXLAN port with room for n_remotes; tunnel: the
 * snapshot's from now on. To be called in the order of the demux's indices of
 * that underlay. single: the port itself is remote 0.
 */
/*
 * With many remotes the port learns nothing, its remotes do: what comes in by
 * it itself is from an unknown one.
 */
struct fwd_tunnel *fwd_port_make_tunnel(struct fwd_snapshot *snapshot,
					struct fwd_port *port,
					struct fwd_underlay *underlay,
					struct tunnel *tunnel,
					unsigned n_remotes, bool single);
/*
 * number: unique in the bridge, and none of a port's. The remote begins with
 * the VXLAN port's settings as they are then: VLANs, punts, captures.
 */
struct fwd_port *fwd_tunnel_add_remote(struct fwd_tunnel *tunnel,
				       unsigned index, struct port *port,
				       uint16_t number);
/*
 * What is imposed on a port of a bridge, made with the first call: all zeros,
 * to be filled while the snapshot is built.
 */
struct fwd_ingress *fwd_port_ingress(struct fwd_port *port);
struct fwd_egress *fwd_port_egress(struct fwd_port *port);
/* Of one of fwd_snapshot.shaped. */
struct shaper *fwd_port_shaper(const struct fwd_port *port);
/* Frames to unknown stations go to the port only if they are for one of these.
 */
void fwd_port_set_stations(struct fwd_port *port, const uint64_t *macs,
			   unsigned n);
/*
 * snapshot_private.c: private VLANs (RFC 5517). Addresses of a secondary VLAN
 * are known in its primary (IEEE 802.1Q clause 8.8.8, shared learning).
 */
void fwd_bridge_add_secondary(struct fwd_bridge *bridge, uint16_t primary,
			      uint16_t secondary);
/*
 * An access port of the primary sends in a secondary VLAN; of a community it
 * receives in it, too. When all of the bridge's are added.
 */
void fwd_port_make_host(struct fwd_port *port, uint16_t secondary,
			bool community);
/* It receives in all secondary VLANs of the primaries that it is a member of.
 */
void fwd_port_make_promiscuous(struct fwd_port *port);
/*
 * What comes by port `number` of the bridge leaves the bond by that member; to
 * be called when all ports of the bridge are added.
 */
void fwd_bond_choose(struct fwd_port *bond, uint16_t number, uint8_t member);
/* Joins two patch ports; both directions. */
void fwd_port_connect(struct fwd_port *a, struct fwd_port *b);
/*
 * Gives each receive queue of each port a worker, and ends the building: the
 * one that it is pinned to, else the one it had in `previous` (may be NULL),
 * else the least loaded. After ticks_init().
 */
void fwd_snapshot_finish(struct fwd_snapshot *snapshot,
			 const struct fwd_snapshot *previous,
			 unsigned n_workers);

/* What is shown of a queue begins now. */
void fwd_queue_clear(struct fwd_queue *queue);

/* The VLAN by which the FDB knows addresses of this one. */
static inline uint16_t fwd_bridge_fid(const struct fwd_bridge *bridge,
				      uint16_t vid)
{
	return likely(!bridge->primaries) ? vid
					  : bridge->primaries[vid % VLAN_N];
}

struct fwd_bridge *fwd_snapshot_find_bridge(const struct fwd_snapshot *snapshot,
					    const char *name);

#endif
