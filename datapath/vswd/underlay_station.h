/*
 * What the files of an underlay's station share; see overlay.h.
 *
 *	underlay_station.c	 life, configuration, frames in and out, time
 *	underlay_station_hops.c	 next hops of all remotes
 *	underlay_station_path.c	 what ICMP errors say of paths
 *	underlay_station_json.c	 for people
 */
#ifndef VSWD_UNDERLAY_STATION_H
#define VSWD_UNDERLAY_STATION_H

#include "gateway/membership.h"
#include "gateway/station.h"
#include "tunnel/vxlan_icmp.h"
#include "vswd/overlay.h"
#include "vswd/segment.h"

/* A neighbor on the underlay's link that remotes are reached by. */
struct underlay_hop {
	struct hmap_node node;
	struct underlay_hop *next, **prev; /* who was looked at last is last */
	struct ip_address ip;
	uint64_t mac; /* 0: not known */
	bool failed;  /* nobody answered */
	unsigned n_targets;
	uint64_t due_ms; /* when it is looked at */
	uint32_t backoff_ms;
};

/* A remote VTEP, or a group; of any number of overlays. */
struct underlay_target {
	struct hmap_node node;
	struct underlay_target *next, **prev;
	struct ip_address ip;
	struct underlay_hop *hop; /* NULL: a group, or there is no way */
	struct underlay_want *wants;
	uint32_t path_mtu; /* that a router told; 0: none did */
	uint64_t path_until_ms;
	/* The last unreachable, for people */
	uint8_t unreachable_type, unreachable_code;
	uint64_t unreachable_ms; /* 0: never */
};

/* One overlay's remote. */
struct underlay_want {
	struct hmap_node node; /* by the remote's address in memory */
	struct underlay_want *next, *prev; /* of the target */
	struct underlay_target *target;
	struct overlay_remote *r;
};

struct underlay_station {
	struct underlay *u;
	struct hash_key key;
	/* As configured */
	struct ip_address local, gateway;
	uint8_t prefix_len;
	uint16_t dst_port, tag;
	uint64_t mac; /* 0: there is no port */

	struct station *station;
	struct membership *membership;
	struct hmap hops, targets, wants;
	struct underlay_hop *hop_list, **hop_end;
	struct underlay_target *target_list;
	uint64_t hops_ms;  /* when hops are looked at next */
	uint64_t paced_ms; /* not sooner than this */
	uint64_t paths_ms; /* when a path MTU is the first to be too old */
	uint64_t n_random;
	uint32_t mtu;

	bool begun; /* it was announced once */
	unsigned n_links, announces_left;
	uint64_t tick_ms, announce_ms;
	char *conflict; /* who claims its address; NULL: nobody of late */
	uint64_t conflict_until_ms;
	char *error; /* underlay_station_error()'s */
	uint64_t icmp_accepted, icmp_refused;

	/* The station's static entry in the FDB */
	struct bridge *entry_bridge; /* NULL: there is none */
	fdb_key entry_key;

	struct event *timer;
	uint64_t armed_ms;
};

/* underlay_station.c: its timer is set by what is due next. */
void underlay_station_arm(struct underlay_station *s);
uint32_t underlay_station_hash(const struct underlay_station *s,
			       const struct ip_address *ip);

/* underlay_station_hops.c */
void underlay_hops_init(struct underlay_station *s);
void underlay_hops_clear(struct underlay_station *s);
/* Address, prefix or gateway are others: every remote's way is found anew. */
void underlay_hops_reroute(struct underlay_station *s);
/* What was found on the former link or by the former gateway is worth nothing.
 */
void underlay_hops_forget(struct underlay_station *s);
/* All are asked for again soon: the link was away. */
void underlay_hops_again(struct underlay_station *s, uint64_t now_ms);
void underlay_hops_run(struct underlay_station *s, uint64_t now_ms);
/* station_ops.resolved and changed */
void underlay_hops_resolved(const struct ip_address *ip, uint64_t mac,
			    void *station);
void underlay_hops_changed(const struct ip_address *ip, uint64_t mac,
			   void *station);
struct underlay_target *underlay_target_find(const struct underlay_station *s,
					     const struct ip_address *ip);

/* underlay_station_path.c */
/* Whether the frame was an ICMP error of VXLAN: nobody else's then. */
bool underlay_path_receive(struct underlay_station *s, const void *frame,
			   size_t len, uint64_t now_ms);
/* Forgets what was told too long ago. */
void underlay_path_run(struct underlay_station *s, uint64_t now_ms);

#endif
