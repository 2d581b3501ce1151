/*
 * What the files of a bond's control share. Each event (a link, a frame, a
 * hand, the time) changes what is known and then calls bond_update(), which
 * draws all conclusions in one order:
 *
 *	bond_member.c	 which members are enabled: links, delays, LACP
 *	bond_active.c	 which of those take part, and which is the active one
 *	bond_buckets.c	 which member has which bucket
 *	bond_filter.c	 what each member accepts
 *
 * and tells the caller once if anything came out differently. Beside it:
 *
 *	bond.c		 life, configuration, events
 *	bond_check.c	 settings that contradict each other
 *	bond_rebalance.c buckets by measured load
 *	bond_beacon.c	 members that do not hear each other
 *	bond_lacp.c	 LACP's frames, in time with what workers do
 *	bond_announce.c	 telling neighbours who is where
 *	bond_addresses.c IP addresses of stations, for the above
 *	bond_status.c	 for people
 */
#ifndef BOND_BOND_INTERNAL_H
#define BOND_BOND_INTERNAL_H

#include "bond/bond.h"

#define BOND_NEVER UINT64_MAX

/* A former active member that is up goes on receiving for at least so long. */
#define BOND_GRACE_MS 200
/* ... and so long after the neighbours have been told. */
#define BOND_GRACE_TOLD_MS 100

/*
 * So long after the neighbours have been told it may come back to us: as long
 * as an announcement is known for one of ours (FDB_ANNOUNCED_S).
 */
#define BOND_ECHO_MS 5000

/* With LACP: from being let distribute to doing so, while others do. */
#define BOND_JOIN_MS 100

struct bond_member {
	struct bond *bond;
	char *name;
	unsigned index;
	enum bond_role role;
	unsigned rank;
	struct lacp_port_config lacp_config;
	struct lacp_port *lacp;

	/* the link, as reported */
	bool link;
	uint64_t mac, speed_bps;
	bool full_duplex;

	/* what follows from it */
	bool may_enable;
	bool may_collect; /* receive, before it may send too */
	bool enabled;
	bool disabled_by_hand;
	uint64_t delay_expires; /* BOND_NEVER: no delay runs */
	bool shares;		/* has buckets, or is the active one */
	bool newcomer;		/* it has just begun to */
	unsigned filter;	/* enum bond_filter */
	uint64_t grace_until;	/* 0: none; receives although it is not to */
	bool lets_in;		/* by the snapshot in force */
	bool holds;		/* a frame that waits for that: */
	uint8_t held[124];

	/* beacons */
	bool dead;	  /* the others did not hear it, or it them */
	bool alone;	  /* the same, and another can be used: it is down */
	uint64_t good_ms; /* it was last not dead */
	uint64_t probed_since; /* it has a link, and beacons are sent */
	uint32_t sequence;     /* of the last beacon sent */
	uint64_t heard_by[BOND_MEMBERS_MAX];	   /* when; 0: never */
	uint32_t heard_sequence[BOND_MEMBERS_MAX]; /* the last one then */
};

struct bond_bucket {
	struct bond_member *member;
	uint64_t counted;    /* bytes, when last looked */
	uint64_t recent;     /* bytes in the last interval */
	uint64_t smoothed;   /* the same, of a few intervals */
	uint64_t held_until; /* not moved by load before that */
};

struct bond_announcer;
struct bond_addresses;

struct bond {
	char *name;
	const struct bond_ops *ops;
	void *ops_arg;
	struct bond_config config; /* primary is our own, members is NULL */
	struct bond_member *members[BOND_MEMBERS_MAX];
	unsigned n_members;
	struct lacp *lacp;

	/* what holds now; see bond_update() */
	enum bond_policy policy; /* the configured one, or fallen back */
	bool fallen_back, negotiated;
	bool dirty; /* the caller has to be told */
	struct bond_member *active, *by_hand;
	uint64_t n_failovers;
	uint64_t echo_until; /* 0: what was told does not come back any more */

	/* the active member before a restart, until it is too late */
	uint64_t restore_mac, restore_until;

	struct bond_bucket buckets[BOND_BUCKETS];
	uint64_t rebalance_at; /* BOND_NEVER: nothing to measure */

	/* by thread; what tables refer to is freed with the bond only */
	struct bond_load **loads;
	unsigned n_loads;
	void **retired;
	unsigned n_retired;

	/* beacons */
	uint64_t identity;
	uint64_t beacon_at; /* BOND_NEVER: none are sent */
	uint64_t judge_at;  /* what was heard is too long ago */
	uint64_t n_foreign_beacons;
	bool deaf; /* no member hears any, and that is logged */

	struct bond_announcer *announcer;
	struct bond_addresses *addresses;
};

/* bond.c */
void bond_update(struct bond *bond, uint64_t now_ms);

/* bond_member.c */
void bond_update_members(struct bond *bond, uint64_t now_ms);
uint64_t bond_members_next_ms(const struct bond *bond);
bool bond_member_is_used(const struct bond_member *m);
/* By link and beacons, LACP left out. */
bool bond_member_has_link(const struct bond_member *m);
/* Tells LACP what it is to know of the link. */
void bond_member_tell_lacp(struct bond_member *m, uint64_t now_ms);
/* updelay and downdelay count. */
bool bond_delays(const struct bond *bond);

/* bond_active.c */
void bond_update_active(struct bond *bond, uint64_t now_ms);
/* The member that was active before a restart, as long as that counts. */
struct bond_member *bond_restored(const struct bond *bond, uint64_t now_ms);

/* bond_buckets.c */
bool bond_has_buckets(const struct bond *bond);
void bond_update_buckets(struct bond *bond, uint64_t now_ms);
void bond_move_bucket(struct bond *bond, unsigned bucket,
		      struct bond_member *to);
unsigned bond_n_shares(const struct bond *bond);

/* bond_rebalance.c */
/* Buckets move by load: not where each port is to stay with one member. */
bool bond_rebalances(const struct bond *bond);
void bond_rebalance_schedule(struct bond *bond, uint64_t now_ms);
void bond_rebalance_run(struct bond *bond, uint64_t now_ms);
/* A bucket that has just been moved is left alone by load for a while. */
void bond_rebalance_hold(struct bond *bond, unsigned bucket, uint64_t now_ms);

/* bond_filter.c */
void bond_update_filters(struct bond *bond, uint64_t now_ms);
uint64_t bond_filters_next_ms(const struct bond *bond);

/* bond_lacp.c */
extern const struct lacp_ops bond_lacp_ops;
void bond_lacp_send_held(struct bond *bond);

/* bond_beacon.c */
void bond_beacon_restart(struct bond *bond, uint64_t now_ms);
void bond_beacon_link(struct bond_member *m, uint64_t now_ms);
void bond_beacon_run(struct bond *bond, uint64_t now_ms);
bool bond_beacon_heard(const struct bond_member *m, uint64_t now_ms);

/* bond_announce.c */
struct bond_announcer *bond_announcer_create(void);
void bond_announcer_destroy(struct bond_announcer *a);
/* The network learns where stations are from what they send: tell it. */
bool bond_announces(const struct bond *bond);
void bond_announce_all(struct bond *bond, uint64_t now_ms);
void bond_announce_bucket(struct bond *bond, unsigned bucket, uint64_t now_ms);
void bond_announce_run(struct bond *bond, uint64_t now_ms);
uint64_t bond_announce_next_ms(const struct bond *bond);
/* All stations have not been told once since the last change. */
bool bond_announce_pending(const struct bond *bond);
/* Nor twice, or they are just being told. */
bool bond_announcing(const struct bond *bond);
/* The caller has made a table, to be published. */
void bond_announce_table_made(const struct bond *bond);
uint64_t bond_announced(const struct bond *bond);

/* bond_addresses.c */
struct bond_addresses *bond_addresses_create(void);
void bond_addresses_destroy(struct bond_addresses *t);
void bond_addresses_learn(struct bond_addresses *t, uint64_t mac, uint16_t vid,
			  const uint8_t *ip, unsigned ip_len, uint64_t now_ms);
/* Takes it from whoever has it in the VLAN and is not this station. */
void bond_addresses_disown(struct bond_addresses *t, uint64_t mac, uint16_t vid,
			   const uint8_t *ip, unsigned ip_len);
/* A station's, in all VLANs. */
void bond_addresses_rename(struct bond_addresses *t, uint64_t from,
			   uint64_t to);
#define BOND_STATION_IP4 4
#define BOND_STATION_IP6 8
struct bond_address {
	uint8_t ip[16];
	uint8_t ip_len;
};
/* What is known of a station: returns how many. */
unsigned bond_addresses_find(
	const struct bond_addresses *t, uint64_t mac, uint16_t vid,
	uint64_t now_ms,
	struct bond_address found[BOND_STATION_IP4 + BOND_STATION_IP6]);

#endif
