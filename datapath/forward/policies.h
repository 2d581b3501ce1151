/*
 * What is imposed on a port beyond its VLANs: on what comes in by it
 * (fwd_port.ingress) and on what leaves by it (fwd_port.egress). Most ports
 * have neither: that costs a test a burst.
 *
 * Both belong to a port of a bridge, a bond's to the bond and not to its
 * members, and to the snapshot, with which they are freed; as all of a
 * snapshot, they are immutable. What they point to lives longer, but where the
 * comment says otherwise: buckets, queues and counters go on when another
 * snapshot comes (vswd/port_policy.h).
 *
 * The steps and their order are policy_in.c's and policy_out.c's.
 */
#ifndef FORWARD_POLICIES_H
#define FORWARD_POLICIES_H

#include "base/util.h"

struct acl;	/* policy/acl.h */
struct guard;	/* policy/guard.h */
struct policer; /* shape/policer.h */
struct shaper;	/* shape/shaper.h */
struct storm;	/* policy/storm.h */
struct fwd_port;

/* A mirror is a bit, by its index in fwd_bridge.mirrors. */
#define FWD_MIRRORS_MAX 32

struct fwd_ingress {
	bool reserved;	  /* kept for mirrors: nothing may come in */
	uint32_t mirrors; /* that want what comes in by this port */
	/* Who may say what, freed with the snapshot; NULL: anybody, anything */
	const struct guard *guard;
	const struct acl *acl; /* NULL: none */
	/* Of senders that are not learned, as the port's limit is reached */
	bool drops_unlearned;
	struct storm *storm;	    /* NULL: no limits */
	struct policer *policer;    /* NULL: none */
	bool marks;		    /* priorities are put on: */
	int8_t mark_pcp, mark_dscp; /* -1: as it is */
	bool snoops; /* what is asked of DHCP is for the control thread, too */
};

struct fwd_egress {
	bool reserved;	  /* kept for mirrors: nothing else may leave */
	uint32_t mirrors; /* that want what leaves by this port */
	const struct acl *acl;
	struct shaper *shaper; /* holds packets and sends them later */
	bool snoops;	       /* the same of what DHCP answers */
};

#endif
