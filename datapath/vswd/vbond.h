/*
 * A bond of the running switch: a Port row with several interfaces. It ties a
 * `struct bond`, which decides, to what it decides about: vports (its members),
 * the snapshot, the clock and the database.
 *
 * Members are ordinary vports: opened, closed and configured each on its own.
 * They share the bond's number in the FDB. Settings that contradict each other
 * are refused: a bond that worked goes on by its last good ones, one that never
 * did is not there, and its members stay closed.
 *
 * Control thread.
 */
#ifndef VSWD_VBOND_H
#define VSWD_VBOND_H

#include "bond/bond.h"
#include "vswd/switch.h"

/* What LACP calls the members, where the configuration does not say. */
struct vbond_ids {
	uint64_t system;
	uint16_t key;
	uint16_t port[BOND_MEMBERS_MAX]; /* by the member's index */
};

struct vbond {
	struct vbond *next; /* of the bridge, in the order of creation */
	struct vswitch *vs;
	struct bridge *bridge;
	struct cfg_port *config; /* a reference: what is wanted */
	struct cfg_port *good; /* the last that is no contradiction, or NULL */
	struct cfg_port *applied; /* that `bond` works by; NULL: none */
	char *error;	      /* why config is not what counts; NULL: it is */
	struct vbond_ids ids; /* as applied */
	struct bond *bond;
	struct port *port;	/* counts; has no queues */
	struct fwd_port *fwd;	/* in the snapshot in force, or NULL */
	struct vport **members; /* in no order */
	size_t n_members;
	struct port_policy *policy; /* port_policy.h, or NULL */
	uint16_t number;	    /* in the FDB; 0: not yet */
	uint16_t lacp_key; /* the bond's own, of the bridge's bonds; 0: none */
	bool seen;	   /* by the reconciliation under way */
	bool dirty;	   /* the database is to be told, ... */
	bool tell_later;   /* ... with the next tick */
	unsigned n_tells;  /* since the last */
	uint64_t told_active;	     /* MAC that it was told */
	char noted_active[IFNAMSIZ]; /* the active member (event_sources.c) */
	struct event *timer;	     /* bond_run() */
	struct event *miimon; /* looks at members' links; NULL: no need */
};

/* The bond of a Port row, or by its name; NULL when there is none. */
struct vbond *bridge_find_bond(const struct bridge *bridge,
			       const struct uuid *port);
struct vbond *vswitch_find_bond(const struct vswitch *vs, const char *name);

/* The vport of a member of vb->bond, or NULL when there is none (any more). */
struct vport *vbond_find_vport(const struct vbond *vb,
			       const struct bond_member *member);
/* The member of `bond` that the vport is, or NULL. */
struct bond_member *vport_bond_member(const struct vport *v);
/* The open member with the lowest ofport, else any member, else NULL. */
struct vport *vbond_first_member(const struct vbond *vb);

/* --- for the reconciler (vbond.c) -------------------------------------- */

/* The bond of this row, made if it is new, with a configuration to take over.
 */
struct vbond *vbond_want(struct vswitch *vs, struct bridge *bridge,
			 const struct cfg_port *config);
/* Without members; what workers still see is doomed. */
void vbond_destroy(struct vbond *vb);
/*
 * Gives `bond` its configuration, once members have their ofports, if there is
 * anything new about it.
 */
void vbond_apply(struct vbond *vb);
/* A snapshot is in force: members that are in it may be used, and send. */
void vbond_published(struct vbond *vb);

/* A vport is a member from now on: it gets the bond's number. */
void vbond_join(struct vbond *vb, struct vport *v);
/*
 * It is none any more. With keep_number it takes the bond's number along, as
 * the port that the bond's row is now.
 */
void vbond_leave(struct vport *v, bool keep_number);

/* Another member of v's bond is open, or has a link. */
bool vbond_has_other_open(const struct vport *v);
bool vbond_has_other_link(const struct vport *v);

/* --- what the bond is told, and tells (vbond_run.c) --------------------- */

/* bond_create() with callbacks to here, and the timers. */
void vbond_start(struct vbond *vb);
void vbond_stop(struct vbond *vb); /* the timers */
/* Another configuration is in force: miimon's timer follows it. */
void vbond_watch(struct vbond *vb);
/* What is shown, or in the snapshot, has changed. */
void vbond_changed(struct vbond *vb);
/* Once a second. */
void vbond_tick(struct vbond *vb);
/* v's port was opened or closed, or its status changed; v may be no member. */
void vbond_member_changed(struct vport *v);
/* v is about to be closed, or to leave its bond, and can still send. */
void vbond_member_leaves(struct vport *v);
/* After any call into vb->bond: its timer is set to what it wants next. */
void vbond_arm(struct vbond *vb);
/* The clock of bonds. */
uint64_t vswitch_now_ms(void);

/*
 * Why a member is not enabled, for people; NULL: it is. Where it has no link,
 * this is what is wrong with its interface, if that is known.
 */
const char *vbond_why_not(const struct vbond *vb,
			  const struct bond_member_status *member);
/* The same for the link alone; NULL: it is up. */
const char *vbond_why_no_link(const struct vbond *vb,
			      const struct bond_member_status *member);

#endif
