/*
 * One overlay (VNI) between the switch and FRR: the switch says which MACs and
 * addresses are local, the kernel tells what FRR installed, and the mirror says
 * what to ask of the kernel and what to tell the switch. It has neither socket
 * nor clock; see evpn_netlink.h for the devices.
 *
 * Who has a MAC is what the kernel's bridge says, in the order in which it says
 * it. Local and then FRR's: the announcement is off (EVPN_DISPLACED) until the
 * switch says anew that the MAC is local, which takes the entry from FRR's. A
 * VTEP that the vxlan device still has for a MAC taken so is stale: it counts
 * again only when FRR installs it again.
 *
 * Whatever is lost or refused (EVPN_OVERRUN, ENOBUFS, an error, a restart) is
 * mended by a resync: a dump of the tables; what it does not have is gone, what
 * it has of ours and is not wanted is removed, what is wanted and missing is
 * put. No other request is made meanwhile, so the two cannot overtake.
 *
 * A withdrawal takes effect after withdraw_ms, unless FRR turns out to be gone
 * by then: then, as all else that FRR had installed, it is kept for hold_ms.
 *
 * Everything is bounded: what does not fit is counted, and asked for again when
 * there is room. Events, requests and news are in an order that depends on the
 * calls only. One thread. Callbacks must not call the mirror.
 */
#ifndef TUNNEL_EVPN_MIRROR_H
#define TUNNEL_EVPN_MIRROR_H

#include "tunnel/evpn_netlink.h"

enum evpn_news_type {
	EVPN_REMOTE,	  /* mac is at vtep, now or from now on; sticky */
	EVPN_REMOTE_GONE, /* mac is not behind the overlay any more */
	EVPN_DISPLACED,	  /* the local mac went behind the overlay */
	EVPN_RECLAIMED,	  /* that was older than our own announcement */
	EVPN_FLOOD,	  /* vtep is in the flood list */
	EVPN_FLOOD_GONE,
	EVPN_PAIR, /* ip is at the remote mac, for answers to ARP and ND */
	EVPN_PAIR_GONE,
};

struct evpn_news {
	enum evpn_news_type type;
	uint64_t mac;
	struct evpn_ip vtep;
	struct evpn_ip old_vtep; /* where the remote mac was said to be */
	struct evpn_ip ip;
	bool sticky; /* FRR does not let it move */
	bool router; /* EVPN_PAIR: an IPv6 router (RFC 9047), told anew when it
			is none any more */
};

struct evpn_mirror_config {
	int bridge, member, vxlan; /* the devices' numbers */
	uint16_t vlan;		   /* of the entries in the bridge; 0: none */
	struct evpn_ip local;	   /* our VTEP: never a remote one */
	/* Limits: of MACs and IPs local and remote ones together. */
	uint32_t macs_max, ips_max, vteps_max;
	uint32_t ips_a_mac_max; /* local ones */
	/* Milliseconds; hold_ms not 0. */
	uint32_t withdraw_ms, hold_ms, retry_ms;
	/* Addresses of a MAC that is not local any more are remembered: it may
	 * be heard again, and has no reason to tell them again. */
	uint32_t keep_ms;
	void (*tell)(const struct evpn_news *news, void *arg);
	void *arg;
};

struct evpn_mirror_counters {
	uint32_t macs, ips, vteps;		  /* there are now */
	uint64_t mac_limit, ip_limit, vtep_limit; /* did not fit */
	uint64_t moves;	      /* of remote MACs between VTEPs */
	uint64_t displaced;   /* local MACs that went remote */
	uint64_t held;	      /* withdrawals that waited */
	uint64_t own_vtep;    /* entries that named ourselves */
	uint64_t unsupported; /* nexthop groups, another VNI */
	uint64_t bad;	      /* messages that evpn_parse() passed over */
	uint64_t refused;     /* requests */
	uint64_t resyncs, overruns;
};

struct evpn_mirror;

/* The mirror begins with a resync, and knows nothing before that. */
struct evpn_mirror *evpn_mirror_create(const struct evpn_mirror_config *config);
/* Asks and tells nothing. NULL is fine. */
void evpn_mirror_destroy(struct evpn_mirror *m);

/*
 * From the switch. A MAC is local, for the first time or again after it was
 * displaced; says EVPN_REMOTE_GONE if it was remote. 0, -ENOSPC, or -EINVAL for
 * what is no station's MAC.
 */
int evpn_mirror_local(struct evpn_mirror *m, uint64_t mac);
/* And is not, and so none of its addresses is. */
void evpn_mirror_local_gone(struct evpn_mirror *m, uint64_t mac);
/*
 * The switch reads its whole table anew: what it does not call local between
 * these two is not.
 */
void evpn_mirror_local_begin(struct evpn_mirror *m);
void evpn_mirror_local_end(struct evpn_mirror *m);
/*
 * A local MAC has an address; it is taken from any other. 0, -ENOSPC, -EINVAL,
 * or -ENOENT: the MAC is not local.
 */
int evpn_mirror_local_ip(struct evpn_mirror *m, uint64_t mac,
			 const struct evpn_ip *ip);
void evpn_mirror_local_ip_gone(struct evpn_mirror *m, const struct evpn_ip *ip);

/*
 * From the kernel: what one recv() gave (see evpn_parse()), or that recv()
 * failed with ENOBUFS. `now` is the caller's clock in milliseconds.
 */
void evpn_mirror_take(struct evpn_mirror *m, const void *bytes, size_t len,
		      uint64_t now);
void evpn_mirror_overrun(struct evpn_mirror *m);
/*
 * The same, one event at a time, for who has several mirrors on one socket and
 * knows by the event's device, or by `seq`, whose it is.
 */
void evpn_mirror_event(struct evpn_mirror *m, const struct evpn_event *event,
		       uint64_t now);
/*
 * The devices are others, as the former are gone: what is local is put there;
 * what FRR had installed counts as withdrawn until it does so anew.
 */
void evpn_mirror_rebind(struct evpn_mirror *m, int bridge, int member,
			int vxlan, uint64_t now);
/* No resync is wanted or under way: what the kernel has is known. */
bool evpn_mirror_synced(const struct evpn_mirror *m);
/* The kernel has something that FRR installed. */
bool evpn_mirror_has_installed(const struct evpn_mirror *m);
/* Takes back all that was told, as a mirror that ends does. */
void evpn_mirror_forget(struct evpn_mirror *m);

/*
 * FRR went (zebra's end, BGP's end) or is there again. A zebra that was killed
 * leaves its entries, the next one does not look after those, and the kernel
 * tells nothing of one that is installed again as it was. So whoever calls this
 * makes the devices anew when evpn_mirror_has_installed(), and what is held
 * comes from memory.
 */
void evpn_mirror_frr_gone(struct evpn_mirror *m, uint64_t now);
void evpn_mirror_frr_back(struct evpn_mirror *m, uint64_t now);
/*
 * Another config.hold_ms (not 0): what is held ends by as much later or sooner,
 * and nothing else changes; what has ended does not come back.
 */
void evpn_mirror_set_hold(struct evpn_mirror *m, uint32_t hold_ms,
			  uint64_t now);
/*
 * When the last that is held for hold_ms ends, by the caller's clock; 0: none
 * is. Walks the tables: for what people ask, not for packets.
 */
uint64_t evpn_mirror_held_until(const struct evpn_mirror *m);

/*
 * Does what is due, and says when to call next: UINT64_MAX for not before an
 * event.
 */
uint64_t evpn_mirror_run(struct evpn_mirror *m, uint64_t now);

/*
 * The next request for the kernel, false when there is none. One that is given
 * out must be sent, or evpn_mirror_overrun() called.
 */
bool evpn_mirror_next_request(struct evpn_mirror *m, struct evpn_request *r,
			      uint64_t now);

const struct evpn_mirror_counters *evpn_mirror_counters(
	const struct evpn_mirror *m);

#endif
