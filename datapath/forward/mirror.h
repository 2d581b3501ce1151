/*
 * Mirrors of a bridge (table Mirror): copies of the packets that come in or
 * leave by some of its ports, in some of its VLANs, to one of its ports or into
 * one of its VLANs (RSPAN). The meanings are Open vSwitch's: a packet is copied
 * once by a mirror however many of its ports it passes, and once to the same
 * place however many mirrors want it there. A port that mirrors send to is kept
 * for that: nothing else leaves by it, and what comes in by it ends.
 *
 * A copy has the bytes of the packet as it is when it is selected: what comes
 * in as it came, before any policy, what leaves as it leaves; with the tag that
 * the port wants that it is sent by. Copies are not selected again by mirrors
 * of the same bridge, wherever they lead.
 *
 * A mirror is part of the snapshot; its counters live longer.
 */
#ifndef FORWARD_MIRROR_H
#define FORWARD_MIRROR_H

#include "forward/policies.h"
#include "forward/snapshot.h"

/* Of one thread; written by that alone (counter_add()). */
struct mirror_counters {
	_Atomic uint64_t packets, bytes;
} CACHE_ALIGNED;

struct fwd_mirror {
	/* Where copies go: a port of the bridge, or (NULL) a VLAN of it. */
	struct fwd_port *out;
	uint16_t out_vid;
	uint16_t snaplen; /* bytes of a copy, at most; 0: all */
	bool by_vlan;	  /* only packets of `vlans` */
	struct vlan_set vlans;
	struct mirror_counters *counters; /* PORT_THREADS_MAX of them */
	/* Set when it is added. */
	uint32_t bit;	/* its own, in masks of the bridge's mirrors */
	uint32_t twins; /* those that send to the same place, itself included */
	char name[64];	/* for people; may be cut */
};

/*
 * Building a snapshot (control thread), once the bridge has its ports: a copy
 * of *mirror joins the bridge. Its port is kept for mirrors from now on; its
 * VLAN is not learned in, so that what others mirror there is flooded. NULL
 * when the bridge has FWD_MIRRORS_MAX already.
 */
struct fwd_mirror *fwd_bridge_add_mirror(struct fwd_bridge *bridge,
					 const struct fwd_mirror *mirror);
/* What comes in by the port, what leaves by it, or both, is selected. */
void fwd_mirror_select(const struct fwd_mirror *mirror, struct fwd_port *port,
		       bool in, bool out);

struct pipeline;
struct stage;

/*
 * Workers. Packets that begin their turn in a bridge with mirrors: none has
 * seen them.
 */
static inline void mirror_begin(struct packet *packets, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		packets[i].mirrored = 0;
}

/* The stage's packets came in by a port whose ingress has mirrors. */
void mirror_received(struct pipeline *pl, const struct stage *s);
/* Packets leave, just so, by a port whose egress has mirrors. */
void mirror_sent(struct pipeline *pl, const struct fwd_port *out,
		 struct packet *const packets[], unsigned n);
/*
 * Packets that leave by a port that is kept for mirrors: whether they may, as
 * copies or frames of the switch's own (LACP, LLDP); if not, they are dropped.
 */
bool mirror_may_leave(const struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n);
void mirror_free_scratches(struct pipeline *pl);

#endif
