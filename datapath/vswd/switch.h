/*
 * The running switch: its bridges, their ports, the workers, and the snapshot
 * that they work by.
 *
 * reconcile.c makes it what a configuration tree says; snapshot_build.c turns
 * it into what the workers read; status.c and stats.c tell the database of it.
 * Control thread.
 */
#ifndef VSWD_SWITCH_H
#define VSWD_SWITCH_H

#include <event2/event.h>
#include <jansson.h>

#include "forward/snapshot.h"
#include "vswd/config.h"
#include "ovsdb-lite/hmap.h"
#include "worker/worker.h"

#define OFPORT_LOCAL 65534 /* OpenFlow's number for the bridge's own port */

struct acl;
struct capture_session;
struct doomed_acl;
struct discovery_port;
struct events;
struct evpn_host;
struct flaps;
struct frames;
struct frames_tap;
struct mirror;
struct overlay;
struct overlay_remote;
struct port_policy;
struct segment;
struct snoops;
struct suppress_table;
struct underlay;
struct vacl;
struct vbond;
struct vdiscovery;
struct vfastpath;
struct violations;

/* One interface of the database, whether its port could be opened or not. */
struct vport {
	struct hmap_node node; /* in vswitch.vports, by the interface's name */
	struct vswitch *vs;
	struct bridge *bridge;
	struct cfg_port *config;	       /* a reference */
	const struct cfg_interface *interface; /* in config */
	struct port *port;		       /* NULL: not open */
	char *error;	 /* why not, or what is wrong with it; NULL: nothing */
	char *conflict;	 /* another bridge that wants it; NULL: none */
	char *acl_error; /* its access list is not there (acls.c); or NULL */
	bool conflict_seen;
	bool to_open;	/* at the next chance */
	bool wait_link; /* its device is not to be had: try when it changes */
	bool wait_gone; /* its name is taken: try when that is gone */
	bool wait_busy; /* another has its device, maybe: try now and then */
	bool seen;	/* by the reconciliation under way */
	bool to_flush;	/* its addresses, with the next snapshot */
	struct vbond *bond;   /* that it is a member of, or NULL */
	bool was_full;	      /* at its limit of addresses, when noted last */
	bool bond_enabled;    /* as it was noted last (event_sources.c) */
	uint16_t number;      /* in the FDB; its own, or its bond's */
	uint16_t ofport;      /* 0: none yet */
	uint64_t mac;	      /* that the port was given */
	uint32_t overlay_mtu; /* that it was given because of overlays; or 0 */
	struct port_status status; /* last seen; zero while not open */
	struct fwd_port *fwd;	   /* in the snapshot in force, or NULL */
	struct frames_tap *tap;	   /* what it punts by (frames.c), or NULL */
	struct discovery_port *discovery; /* LLDP and CDP, or NULL: neither */
	struct overlay *overlay;	  /* of a VXLAN port, or NULL */
	struct port_policy *policy;	  /* port_policy.h, or NULL */
	struct violations *violations;	  /* event_violations.c, or NULL */
	/* Of the last publication, for fastpath.c, which shows more. */
	const char *off_fast_in, *off_fast_out;

	/* Of a port that changes by itself (port_events.c). */
	bool has_event;	  /* that is not taken over yet */
	bool tell_later;  /* with the next tick */
	unsigned n_tells; /* since the last */

	/* What the database has been told (status.c and stats.c). */
	struct vport *dirty_next;
	bool dirty;
	json_t *told;
	json_t *told_macs; /* remote_mac_rows.c */
	struct port_counters *told_stats;
};

/* Whose a number in the FDB is; both NULL: nobody's any more. */
struct number_holder {
	struct vport *vport;
	struct vbond *bond;
	struct overlay_remote *remote; /* of the VXLAN port `vport`, or NULL */
};

struct bridge {
	struct bridge *next;
	struct vswitch *vs;
	char *name;
	struct uuid uuid;
	struct cfg_bridge *config;
	struct fdb *fdb;
	struct fdb_listener listener;
	struct vport **vports; /* in no order */
	size_t n_vports;
	struct vbond *bonds;
	struct mirror *mirrors; /* mirror.h; by name */
	uint64_t *numbers;	/* bit a number that is in use */
	struct number_holder *by_number;
	unsigned n_by_number;
	uint64_t mac;	      /* of its own port */
	uint32_t overlay_mtu; /* that machines were told; 0: no overlay */
	uint64_t lacp_system; /* its bonds'; kept, see vbond.c; 0: not yet */
	bool seen;
	bool dirty; /* the database is to be told */
	uint64_t told_mac;
	struct flaps *flaps; /* event_sources.c, or NULL */
	uint64_t noted_full; /* what the FDB had to refuse until then */
	unsigned fast_index; /* in the kernel's fast path (fastpath.h) */
	bool was_full;
};

/* What becomes of the addresses that were learned by a port's number. */
enum doomed_number {
	NUMBER_KEPT,	/* they stay: others of its bond are there */
	NUMBER_FLUSHED, /* they go, the number stays */
	NUMBER_FREED,	/* all go, and somebody else may have the number */
};

/* A port, or a bond, that no worker will see in the next snapshot. */
struct doomed_port {
	struct port *port; /* NULL: it was not open */
	struct bond *bond; /* NULL: none */
	struct frames_tap *tap;
	struct suppress_table *suppress; /* NULL: none */
	struct port_policy *policy;	 /* NULL: none */
	struct bridge *bridge;
	uint16_t number;
	bool no_static; /* entries of the FDB have that number */
	enum doomed_number fate;
	struct doomed_port *next;
};

struct vswitch {
	struct event_base *base; /* the control thread's loop */
	struct worker_pool *pool;
	struct events *log; /* events.h */
	struct fwd_snapshot *snapshot;
	void *snapshot_captures; /* what hangs at its ports */
	uint64_t generation;
	struct bridge *bridges; /* sorted by name */
	struct hmap vports;
	struct vport *dirty;
	struct cfg_switch *config;   /* without bridges; NULL: none yet */
	struct numbering *numbering; /* ofport.c's workspace, or NULL */

	/* Gone with the next snapshot. */
	struct doomed_port *doomed_ports, **doomed_end;
	struct bridge *doomed_bridges;
	struct mirror *doomed_mirrors;
	struct fdb **doomed_fdbs;
	size_t n_doomed_fdbs;
	bool changed;  /* the snapshot is not what it should be */
	bool to_flush; /* some vport is */

	uint32_t balanced_s; /* when workers' loads were last compared */
	struct capture_session *captures;
	struct frames *frames;	      /* frames.c */
	struct vdiscovery *discovery; /* discovery.c */
	struct vacl *acls;	      /* acls.c; in no order */
	struct doomed_acl *doomed_acls;
	struct acl *no_acl; /* for ports whose list is not there, or NULL */
	struct segment *segments; /* segment.c; in no order */
	struct segment *doomed_segments;
	uint32_t last_segment_id;
	struct overlay *overlays; /* overlay.c; in no order */
	struct underlay *underlays;
	struct evpn_host *evpn;	    /* overlay_evpn.c, or NULL */
	struct snoops *snoops;	    /* port_snoop.c, or NULL */
	struct vfastpath *fastpath; /* fastpath.c, or NULL; lives longer */
	uint32_t now_s; /* as of the last vswitch_tick(), CLOCK_MONOTONIC */
	const char *run_dir; /* lives longer */
	/* Of the configuration that is, or is just put, in force. */
	const struct port_option *settings;
	size_t n_settings;

	/* Ports that change by themselves (port_events.c). */
	struct event *events;
	uint64_t events_ms;	 /* when they were taken over last */
	bool commit_soon;	 /* vswitch_commit_soon() was called */
	void (*wake)(void *arg); /* there is something to commit; or NULL */
	void *wake_arg;
};

struct vswitch *vswitch_create(struct event_base *base);
/* Closes everything. Accepts NULL. */
void vswitch_destroy(struct vswitch *vs);

/*
 * Makes the switch what config says, which it takes over; NULL: nothing at all.
 * What cannot be carried out gets its reason in vport.error. Returns when the
 * workers have the new snapshot. All vports that the database should be told
 * of are marked dirty.
 */
void vswitch_reconcile(struct vswitch *vs, struct cfg_switch *config);
/* Opens what waits to be opened, and publishes if anything has changed. */
void vswitch_commit(struct vswitch *vs);
/* As many worker threads as are wanted, and how they wait (workers.c). */
void vswitch_configure_workers(struct vswitch *vs,
			       const struct cfg_switch *config);

/* The host's device of this name appeared or changed, or is not there now. */
void vswitch_link_changed(struct vswitch *vs, const char *name, bool there);

/*
 * Once a second: ages FDBs, logs stations that moved, looks after devices that
 * netlink says nothing of, balances the workers. True when there is something
 * to commit.
 */
bool vswitch_tick(struct vswitch *vs, uint32_t now_s);

struct bridge *vswitch_find_bridge(const struct vswitch *vs, const char *name);
struct vport *vswitch_find_vport(const struct vswitch *vs, const char *name);
/*
 * NULL when no port of the bridge has that number (or ofport). For a bond, one
 * of its members stands for it: the open one with the lowest ofport.
 */
struct vport *bridge_find_number(const struct bridge *bridge, uint16_t number);
struct vport *bridge_find_ofport(const struct bridge *bridge, uint16_t ofport);

bool vport_is_local(const struct vport *v);
/* A device of the host's, which is there by itself. */
bool vport_is_host_device(const struct vport *v);
/* Its device is one of ours that someone moved out of our sight. */
bool vport_is_elsewhere(const struct vport *v);
/* The type in effect: the bridge's own port is "internal" unless it says. */
const char *vport_type(const struct vport *v);
void vport_mark_dirty(struct vswitch *vs, struct vport *v);
/* Takes fmt's text as the reason; NULL: nothing is wrong. */
void vport_set_error(struct vport *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Why it does not work, its bond's reasons included; or NULL. */
const char *vport_error(const struct vport *v);

/* --- between the files of the running switch ------------------------------ */

/* bridge.c */
struct bridge *bridge_create(struct vswitch *vs,
			     const struct cfg_bridge *config);
void bridge_destroy(struct bridge *bridge);
/* Takes over the settings that need no snapshot, and notes those that do. */
void bridge_configure(struct vswitch *vs, struct bridge *bridge,
		      struct cfg_bridge *config);
/*
 * Room in the MAC table for twice as many controlled entries as before; b->fdb
 * is another table then, and the caller sees that a snapshot follows. False:
 * it is as large as it can be.
 */
bool bridge_grow_controlled(struct vswitch *vs, struct bridge *b);
/*
 * The MAC table where the kernel's fast path (NULL: it is off) reads it, too,
 * or in memory of ours; if it is another then, a snapshot follows.
 */
void bridge_place_fdb(struct vswitch *vs, struct bridge *bridge,
		      struct fastpath *fastpath);
/*
 * A number for the FDB: 0 when none is free. It is orphaned when its vport goes
 * and freed when no worker can learn on it any more.
 */
uint16_t bridge_take_number(struct bridge *bridge);
void bridge_hold_number(struct bridge *bridge, uint16_t number, struct vport *v,
			struct vbond *vb);
void bridge_orphan_number(struct bridge *bridge, uint16_t number);
void bridge_free_number(struct bridge *bridge, uint16_t number);
/*
 * A station behind that port has another address now: the FDB, and what bonds
 * tell neighbours, follow.
 */
void bridge_rename_station(struct bridge *b, uint64_t from, uint64_t to,
			   uint16_t port);
/* ofport.c: gives every port of the bridge its OpenFlow number. */
void bridge_assign_ofports(struct vswitch *vs, struct bridge *bridge);

/* vport.c, vport_status.c */
struct vport *vport_create(struct vswitch *vs, struct bridge *bridge,
			   const struct cfg_port *config, size_t i);
/* Its port is doomed, if it has one. */
void vport_destroy(struct vswitch *vs, struct vport *v);
/* Tries to open it; says so in vport.error when that fails. */
void vport_open(struct vswitch *vs, struct vport *v);
/* Says in vport.error why it cannot be opened; NULL: it can. */
const char *vport_refusal(const struct vport *v);
/* Hands the device what is new about it; it is opened anew when it must. */
void vport_reconfigure(struct vswitch *vs, struct vport *v);
/* Dooms the port; the vport stays. */
void vport_close(struct vswitch *vs, struct vport *v);
/* Another configuration of the same device. */
void vport_configure(struct vswitch *vs, struct vport *v,
		     const struct cfg_port *config, size_t i);
/* Reads the port's status; what follows from a change is done. */
void vport_update_status(struct vswitch *vs, struct vport *v);
/* A locally administered one, the same after every restart. */
uint64_t vport_made_up_mac(const struct vport *v);
/* The address that the port is to have; 0: as its device has it. */
uint64_t vport_wanted_mac(const struct vport *v);
/* The address that the bridge has now, with or without a port of its own. */
uint64_t bridge_address(const struct bridge *bridge);
/*
 * The bridge's own port takes the address that the bridge has now; what was
 * known of it by the one before it is known by this.
 */
void vport_apply_mac(struct vswitch *vs, struct vport *v);
/* Patch ports say whether they have their peer. */
void vport_check_patch(struct vswitch *vs, struct vport *v);
/* The port that v is joined to, NULL when v is no patch port or has none. */
struct vport *vport_patch_peer(const struct vswitch *vs, const struct vport *v);
/* As vport_update_status(), but without a word to the database. */
void vport_take_status(struct vswitch *vs, struct vport *v);

/* bridge_mtu.c */
/* As Interface:mtu_request, or what overlays of its bridge take. */
uint32_t vport_wanted_mtu(struct vport *v);
/* Ports and segments of bridges whose overlays take another MTU follow. */
void bridges_apply_overlay_mtu(struct vswitch *vs);

/* port_events.c */
void vswitch_start_events(struct vswitch *vs);
/* For port_config.changed; arg is the vport. */
void vport_changed(struct port *port, void *arg);
/* Another snapshot is needed: not at once, but as soon as there may be one. */
void vswitch_commit_soon(struct vswitch *vs);
/* Once a second. */
void vport_tick(struct vswitch *vs, struct vport *v);

/* balance.c: every few seconds, gives queues to workers by their load. */
void vswitch_balance(struct vswitch *vs, uint32_t now_s);

/* snapshot_build.c: builds, publishes, and frees what only the old one had. */
void vswitch_publish(struct vswitch *vs);
/* To be closed or freed then, in the order of the calls; to be filled. */
struct doomed_port *vswitch_doom(struct vswitch *vs, struct bridge *bridge);

#endif
