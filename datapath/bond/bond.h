/*
 * A bond (link aggregation, NIC teaming): several interfaces that are one port
 * of a bridge. This is its control: which members may be used, which is the
 * active one, which has which bucket. It knows no sockets, no database and no
 * clock: link state, frames and the time come in by calls, frames and changes
 * go out by callbacks; so a test plays hours in milliseconds.
 *
 * A member is *up* when its link is (carrier, MII polling, or beacons), for at
 * least updelay, or not down for longer than downdelay; it is *enabled* when
 * it is up, nobody disabled it by hand, and LACP, if there is any, lets it
 * collect and distribute. Only enabled members send; which of them receive what
 * is bond_member_filter().
 *
 * Control thread, all of it. Times are milliseconds of a clock that never goes
 * back.
 */
#ifndef BOND_BOND_H
#define BOND_BOND_H

#include "bond/bond_table.h"
#include "bond/lacp.h"

struct bond;
struct bond_member;

enum bond_policy {
	BOND_ACTIVE_BACKUP,
	BOND_BALANCE_SLB,
	BOND_BALANCE_TCP,
	BOND_PORT_ID, /* other_config:bond-policy=port-id */
	BOND_IP_HASH, /* other_config:bond-policy=ip-hash */
};

enum bond_detect {
	BOND_DETECT_CARRIER,
	BOND_DETECT_MIIMON, /* the caller polls, and reports as for carrier */
	BOND_DETECT_BEACON, /* carrier, and the members hear each other */
};

/* other_config:bond-active-members and bond-standby-members */
enum bond_role { BOND_ROLE_ACTIVE, BOND_ROLE_STANDBY, BOND_ROLE_UNUSED };

#define BOND_RANK_UNNAMED 0x10000

struct bond_member_config {
	const char *name; /* Interface:name; the member's identity */
	enum bond_role role;
	/*
	 * Among its role: the least is preferred first. From BOND_RANK_UNNAMED
	 * on: no list names it, and all of those are alike.
	 */
	unsigned rank;
	struct lacp_port_config lacp;
};

struct bond_config {
	enum bond_policy policy;
	enum bond_detect detect;
	uint32_t updelay_ms, downdelay_ms;
	uint32_t rebalance_ms; /* 0: buckets stay where they are */
	uint32_t beacon_ms;
	uint32_t hash_basis;
	const char *primary; /* a member's name, though it may be none yet */
	bool failback;	     /* a better member that is back is active again */
	bool lacp_fallback_ab;
	struct lacp_config lacp; /* mode LACP_OFF: none */
	const struct bond_member_config *members;
	unsigned n_members; /* at most BOND_MEMBERS_MAX */
};

/* What a member's frames are filtered by on their way in. */
enum bond_filter {
	BOND_RX_NOTHING = 1 << 0,      /* not enabled: nothing at all */
	BOND_RX_NO_MULTICAST = 1 << 1, /* another member takes those */
	BOND_RX_NO_MOVED = 1 << 2,     /* not what we sent: known elsewhere */
};

struct bond_ops {
	/* Sends a frame by one member, untagged, whatever its state. */
	void (*send)(struct bond_member *member, const void *frame, size_t len,
		     void *arg);
	/*
	 * Sends a frame by the bond, as if it came from a port of the bridge,
	 * in the VLAN; it goes by the member that the table gives it.
	 */
	void (*announce)(const void *frame, size_t len, uint16_t vid,
			 void *arg);
	/*
	 * The stations behind the bridge's other ports: calls back for each.
	 * Asked when neighbours are to be told where they are now.
	 */
	void (*stations)(void (*cb)(void *cb_arg, uint64_t mac, uint16_t vid),
			 void *cb_arg, void *arg);
	/*
	 * The table, a filter, the active member or a state have changed: make
	 * and publish a new table soon. Neighbours are told after it was made.
	 */
	void (*changed)(void *arg);
};

/* n_threads: threads that forward, the control thread included. */
struct bond *bond_create(const char *name, unsigned n_threads,
			 const struct bond_ops *ops, void *ops_arg,
			 uint64_t now_ms);
/* When no snapshot has a table of it any more. Accepts NULL. */
void bond_destroy(struct bond *bond);
const char *bond_name(const struct bond *bond);
/* When no worker runs. */
void bond_set_threads(struct bond *bond, unsigned n_threads);

/*
 * Takes over a configuration while the bond carries traffic: what is not
 * changed is not disturbed. NULL, or what contradicts what, in one line that
 * names both (freed by the caller); the bond is as it was then.
 */
char *bond_configure(struct bond *bond, const struct bond_config *config,
		     uint64_t now_ms);
/* The same check alone. */
char *bond_config_check(const struct bond_config *config);

/* NULL when there is none. Members stay the same object while configured. */
struct bond_member *bond_find_member(const struct bond *bond, const char *name);
/* In the order of the configuration: index i is that of the table. */
struct bond_member *bond_member_at(const struct bond *bond, unsigned i);
unsigned bond_n_members(const struct bond *bond);
const char *bond_member_name(const struct bond_member *member);
/* NULL while LACP is off. */
struct lacp *bond_lacp(const struct bond *bond);

/* The interface's link, its address, and what LACP makes keys of. */
void bond_member_set_link(struct bond_member *member, bool up, uint64_t mac,
			  uint64_t speed_bps, bool full_duplex,
			  uint64_t now_ms);

/*
 * The member's interface is about to be closed: LACP's partner is told, while
 * that can still be sent. What follows is its link down, or another
 * configuration.
 */
void bond_member_leaves(struct bond_member *member, uint64_t now_ms);

/*
 * Once, before the first link is reported: the active member before a restart,
 * by its MAC (0: not known). It is taken again if it comes up within the first
 * moments (BOND_SETTLE_MS).
 */
#define BOND_SETTLE_MS 500
void bond_restore_active(struct bond *bond, uint64_t mac, uint64_t now_ms);

/* A control frame that came in by the member; any bytes. */
void bond_receive_slow(struct bond_member *member, const void *frame,
		       size_t len, uint64_t now_ms); /* slow protocols: LACP */
void bond_receive_beacon(struct bond_member *member, const void *frame,
			 size_t len, uint64_t now_ms);
/*
 * A station behind another port said its IP address (neighbor.h): known when
 * neighbours are told. ip: 4 or 16 bytes.
 */
void bond_learn_address(struct bond *bond, uint64_t mac, uint16_t vid,
			const uint8_t *ip, unsigned ip_len, uint64_t now_ms);

/* Does what is due; at any time, too. */
void bond_run(struct bond *bond, uint64_t now_ms);
/* When bond_run() is to be called next, at the latest; UINT64_MAX: never. */
uint64_t bond_next_ms(const struct bond *bond);

/* --- for the snapshot -------------------------------------------------- */

/* A table of how it is now, allocated, to be published; freed by free(). */
struct bond_table *bond_make_table(const struct bond *bond);
unsigned bond_member_filter(const struct bond_member *member);
/*
 * A snapshot with the bond's last table and filters is in force. Until then the
 * partner is not told that a member collects.
 */
void bond_published(struct bond *bond);
bool bond_wants_beacons(const struct bond *bond);
/* What its beacons are known by; a random number, the same while it lives. */
uint64_t bond_identity(const struct bond *bond);
bool bond_wants_addresses(const struct bond *bond);

/* --- by hand ----------------------------------------------------------- */

/*
 * 0, or -errno: -EINVAL when the member is not enabled, for the first. The
 * choice holds until that member goes down, against failback and the order too.
 */
int bond_set_active(struct bond *bond, struct bond_member *member,
		    uint64_t now_ms);
void bond_member_enable(struct bond_member *member, bool enable,
			uint64_t now_ms);
/* -EOPNOTSUPP when the policy has no buckets, -EINVAL when not enabled. */
int bond_migrate(struct bond *bond, unsigned bucket, struct bond_member *member,
		 uint64_t now_ms);

/* --- for people -------------------------------------------------------- */

struct bond_status {
	enum bond_policy policy; /* configured */
	bool fallen_back; /* to active-backup, since no partner answers */
	uint32_t updelay_ms, downdelay_ms;
	uint32_t hash_basis;
	bool rebalances;
	uint64_t next_rebalance_ms; /* from now */
	enum lacp_status lacp;
	bool lacp_fallback_ab;
	const char *primary;		  /* NULL: none */
	const struct bond_member *active; /* NULL: none */
	uint64_t n_failovers, n_announced;
	uint64_t n_foreign_beacons; /* not believed */
};
void bond_get_status(const struct bond *bond, uint64_t now_ms,
		     struct bond_status *status);

struct bond_member_status {
	const char *name;
	uint64_t mac;
	bool link_up;	 /* as reported */
	bool may_enable; /* by link and LACP; the delays may still run */
	bool enabled;
	bool active;
	bool disabled_by_hand;
	enum bond_role role;
	uint64_t updelay_left_ms, downdelay_left_ms; /* 0: does not run */
	bool beacons_heard; /* BOND_DETECT_BEACON: somebody heard it */
	/* Why it is not enabled, for people: "link is down"; NULL when it is.
	 */
	const char *why_not;
	/* LACP's view; NULL without. */
	const struct lacp_port *lacp;
};
void bond_get_member_status(const struct bond_member *member, uint64_t now_ms,
			    struct bond_member_status *status);

struct bond_bucket_status {
	const struct bond_member *member; /* NULL: none */
	uint64_t bytes_recently;	  /* in the last rebalancing interval */
};
void bond_get_bucket_status(const struct bond *bond, unsigned bucket,
			    struct bond_bucket_status *status);

#endif
