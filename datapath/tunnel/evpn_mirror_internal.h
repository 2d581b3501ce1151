/* What the parts of the mirror share (evpn_mirror.h). */
#ifndef TUNNEL_EVPN_MIRROR_INTERNAL_H
#define TUNNEL_EVPN_MIRROR_INTERNAL_H

#include "tunnel/evpn_mirror.h"

/* Deadlines are rounded up to this, so that many are one pass. */
#define TICK_MS 100

/* Something that FRR installed: is it in the kernel, and do we go by it? */
struct held {
	bool there;	   /* in the kernel */
	bool expired;	   /* there, but FRR is gone for too long */
	uint64_t deadline; /* not 0: we go by it until then */
	bool by_hold;	   /* config.hold_ms has set it, not withdraw_ms */
	uint32_t seen;	   /* generation of the last resync that saw it */
	uint32_t gone;	   /* of the one during which news came of it */
};

/* The last request for an entry that no event has answered yet. */
enum asked { ASKED_NOTHING, ASKED_PUT, ASKED_REMOVE };

/* Where the kernel's bridge has a MAC. */
enum place { NOWHERE, AT_MEMBER, AT_VXLAN };

enum record_type { RECORD_MAC, RECORD_NEIGHBOR, RECORD_FLOOD };

/* What the three kinds of records have in front. */
struct record {
	enum record_type type;
	bool queued;
	struct record *next; /* with something to ask; or dead */
	struct held held;    /* what FRR has of it */
	enum asked asked;
};

struct neighbor;

struct mac {
	struct record record;
	uint64_t mac;
	struct neighbor *ips; /* local ones */
	uint32_t n_ips;
	uint64_t forget_at; /* not 0: not wanted; its ips are remembered */
	bool wanted;	    /* the switch says it is local */
	bool confirmed;	    /* since it reads its table anew */
	bool displaced;	    /* but FRR came later */
	bool stale;	    /* the VTEP is older than our own announcement */
	enum place place;
	uint32_t place_seen, place_gone; /* as in struct held */
	struct evpn_ip vtep;
	bool sticky;
	bool told, told_sticky;
	struct evpn_ip told_vtep;
};

struct neighbor {
	struct record record;
	struct evpn_ip ip;
	struct mac *owner; /* local; NULL: not wanted */
	struct neighbor *next_ip;
	bool displaced;
	uint64_t remote;    /* FRR's MAC for it */
	uint64_t ours;	    /* the MAC in our own entry in the kernel, or 0 */
	uint64_t asked_mac; /* in ASKED_PUT */
	uint64_t told;	    /* 0: nothing */
	bool router;	    /* FRR says so of that one */
	bool told_router;
};

struct flood {
	struct record record;
	struct evpn_ip vtep;
	bool told;
};

enum resync { SYNCED, RESYNC_WANTED, DUMP_FDB, DUMP_IPV4, DUMP_IPV6 };

struct evpn_mirror {
	struct evpn_mirror_config config;
	struct evpn_mirror_counters counters;
	void *macs, *neighbors, *floods; /* tsearch() trees */
	struct record *first, **last;	 /* those with something to ask */
	struct record *dead;
	uint64_t now;
	uint64_t next_deadline;
	uint64_t resync_at; /* begin, or when the dump has failed */
	enum resync resync;
	bool again; /* the dump under way is not sound */
	bool frr_gone;
	bool missed; /* something did not fit */
	uint32_t generation;
	uint32_t seq, dump_seq;
};

static inline bool mirror_dumping(const struct evpn_mirror *m)
{
	return m->resync >= DUMP_FDB;
}

static inline bool held_live(const struct held *h)
{
	return (h->there && !h->expired) || h->deadline;
}

/* False: it is a dump's, and older than news that we have heard. */
bool held_new(const struct evpn_mirror *m, struct held *h, bool dump);
void held_gone(struct evpn_mirror *m, struct held *h);
/* In that time, rounded up, is mirror_run()'s next pass at the latest. */
uint64_t deadline_in(struct evpn_mirror *m, uint32_t ms);
void mirror_tell(struct evpn_mirror *m, const struct evpn_news *news);
void mirror_queue(struct evpn_mirror *m, struct record *r);
/* Resync, not before `delay` ms are over. */
void mirror_resync(struct evpn_mirror *m, uint32_t delay);

/* Each kind: what an event says; what the dump did not have; what follows. */
void mac_event(struct evpn_mirror *m, const struct evpn_event *e);
void mac_sweep(struct evpn_mirror *m, struct mac *mac);
void mac_update(struct evpn_mirror *m, struct mac *mac);
bool mac_request(struct evpn_mirror *m, struct mac *mac,
		 struct evpn_request *r);
bool mac_idle(const struct mac *mac);
/* It is not local any more; the caller settles the record. */
void mac_unwant(struct evpn_mirror *m, struct mac *mac);
/* What is remembered of it, for long enough. */
void mac_expire(struct evpn_mirror *m, struct mac *mac);
/* No place is known; with nothing held it is not remote then. */
void mac_forget(struct mac *mac);
struct mac *mac_find(const struct evpn_mirror *m, uint64_t mac);
void mac_unlink(struct evpn_mirror *m, struct mac *mac);

void neighbor_event(struct evpn_mirror *m, const struct evpn_event *e);
void neighbor_sweep(struct evpn_mirror *m, struct neighbor *n);
void neighbor_update(struct evpn_mirror *m, struct neighbor *n);
bool neighbor_request(struct evpn_mirror *m, struct neighbor *n,
		      struct evpn_request *r);
bool neighbor_idle(const struct neighbor *n);
void neighbor_unlink(struct evpn_mirror *m, struct neighbor *n);
/* The MAC was displaced, reclaimed or is not local any more. */
void neighbors_update_of(struct evpn_mirror *m, struct mac *mac);
void neighbors_release_of(struct evpn_mirror *m, struct mac *mac);

void flood_event(struct evpn_mirror *m, const struct evpn_event *e);
void flood_update(struct evpn_mirror *m, struct flood *f);
void flood_unlink(struct evpn_mirror *m, struct flood *f);

/* Updates a record, and frees it when nothing is left of it. */
void record_settle(struct evpn_mirror *m, struct record *r);

#endif
