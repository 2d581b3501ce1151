/*
 * What the parts of overlay_evpn*.c share. An overlay has a network for each of
 * its VNIs: devices of the host, and their mirror (tunnel/evpn_mirror.h). All
 * networks of the switch have one netlink socket, the host's (struct
 * evpn_host). Control thread.
 */
#ifndef VSWD_OVERLAY_EVPN_INTERNAL_H
#define VSWD_OVERLAY_EVPN_INTERNAL_H

#include "ovsdb-lite/hmap.h"
#include "tunnel/evpn_mirror.h"
#include "vswd/overlay.h"

/* Of a switch; each takes four devices of the host. */
#define EVPN_NETWORKS_MAX 1024
/* The idle vxlan devices' own: below the ports that hosts give away. */
#define EVPN_UDP_PORT 24789
/* Of a network; of MACs, local and remote ones. */
#define EVPN_MACS_MAX	 1048576
#define EVPN_IPS_MAX	 1048576
#define EVPN_IPS_A_MAC	 64
#define EVPN_RETRY_MS	 1000
#define EVPN_KEEP_MS	 3600000
#define EVPN_WITHDRAW_MS 2000

/* A receive of netlink; a dump's datagrams are half of it. */
#define EVPN_DATAGRAM_BYTES 65536
/* Of a request's number on the wire, below the network's slot. */
#define EVPN_SEQ_BITS 20
#define EVPN_SEQ_MASK ((1u << EVPN_SEQ_BITS) - 1)

struct mnl_socket;

struct evpn_host {
	struct vswitch *vs;
	unsigned refs;
	struct mnl_socket *events; /* and requests of mirrors; NULL: none */
	struct mnl_socket *sync;   /* evpn_host_ask()'s; NULL: none */
	uint32_t last_ask;	   /* the number of its last request */
	struct event *readable, *work;
	char *error;	/* why there are no sockets, or NULL */
	uint32_t group; /* of the devices that it makes (IFLA_GROUP) */
	struct evpn_network *networks[EVPN_NETWORKS_MAX]; /* NULL: free */
	unsigned turn; /* the slot that is served first */
	struct evpn_network *dumping;
	uint32_t dump_seq;	/* on the wire */
	struct hmap by_ifindex; /* struct evpn_link */
	struct evpn_frr *frrs;
	int *doomed; /* devices to be removed, by their numbers */
	unsigned n_doomed;
	uint8_t datagram[EVPN_DATAGRAM_BYTES] __attribute__((aligned(8)));
};

/* A network's devices, in the order of their names' endings. */
enum evpn_device { EVPN_BRIDGE, EVPN_MEMBER, EVPN_PEER, EVPN_VXLAN };
#define EVPN_N_DEVICES 4

struct evpn_link {
	struct hmap_node node; /* of evpn_host.by_ifindex, if ifindex */
	struct evpn_network *network;
	char name[16];
	int ifindex; /* 0: not there */
};

/* A pair whose MAC the FDB did not know yet. */
struct evpn_early_pair {
	uint64_t mac; /* 0: none */
	struct evpn_ip ip;
};
#define EVPN_N_EARLY 32

struct evpn_network {
	struct evpn_network *next; /* of its overlay */
	struct overlay_evpn *evpn;
	struct evpn_host *host;
	uint32_t vni;
	uint16_t vid;  /* 0: untagged, or the VNI is fixed */
	bool fixed;    /* the overlay has this VNI only, by no map */
	unsigned slot; /* in evpn_host.networks */
	struct evpn_link links[EVPN_N_DEVICES];
	struct evpn_mirror *mirror; /* NULL: it never had devices */
	char *error;		    /* of the devices; NULL: they are there */
	uint32_t last_seq;	    /* that the mirror has given out */
	uint64_t make_ms;    /* (again) devices; UINT64_MAX: they are there */
	uint64_t due_ms;     /* the mirror has something to do */
	uint64_t flush_ms;   /* what a zebra has left is removed; UINT64_MAX */
	bool fresh;	     /* there was no resync yet */
	bool told_gone;	     /* the mirror knows that FRR is gone */
	bool told_held;	     /* and it holds what FRR had said */
	uint32_t zebra_ends; /* of evpn_frr, seen */
	struct evpn_early_pair early[EVPN_N_EARLY]; /* a ring */
	unsigned n_early;			    /* ever */
};

enum evpn_frr_state { EVPN_FRR_UNKNOWN, EVPN_FRR_GONE, EVPN_FRR_PRESENT };

struct evpn_vtep;

struct overlay_evpn {
	struct overlay *overlay;
	struct evpn_host *host;
	struct evpn_frr *frr;
	struct evpn_network *networks;
	struct evpn_network *by_vid[VTEP_VLAN_MAX + 1];
	void *vteps; /* struct evpn_vtep, a tsearch() tree */
	struct ip_address local;
	uint32_t hold_s;
	enum evpn_frr_state said; /* to the log and the database */
	bool told_held;		  /* to the log: something is held */
	char *error;		  /* of the configuration; NULL: none */
	char *text; /* that overlay_evpn_error() has returned last */
};

/* --- overlay_evpn.c ---------------------------------------------------------
 */

/* overlay_evpn_error() may be another now. */
void overlay_evpn_error_changed(struct overlay_evpn *evpn);
/* The devices are there, or are others: the mirror is made, or told. */
void evpn_network_ready(struct evpn_network *n, uint64_t now);

/* --- overlay_evpn_json.c ----------------------------------------------------
 */

struct evpn_absence {
	const char *missing;   /* the program */
	const char *directory; /* where its socket would be */
	bool seen;	       /* FRR was there once */
	uint32_t left_s;       /* what it had said is held; 0: nothing is */
	int64_t clock_s;       /* now, since 1970 */
};

/* When the last of what is held ends, by evpn_clock_ms(); 0: nothing is. */
uint64_t evpn_held_until(const struct overlay_evpn *evpn);
/* How it is with FRR, for a person, in a line that is the caller's. */
char *evpn_describe(const struct overlay_evpn *evpn);
/* Its part for an FRR that is not there. */
char *evpn_describe_gone(const struct evpn_absence *absence);

/* --- overlay_evpn_news.c ----------------------------------------------------
 */

/* A mirror's config.tell, of the network `arg`. */
void evpn_take_news(const struct evpn_news *news, void *arg);

/* --- overlay_evpn_host.c ----------------------------------------------------
 */

/* The switch's, made for the first who asks; each get has its put. */
struct evpn_host *evpn_host_get(struct vswitch *vs);
void evpn_host_put(struct evpn_host *host);
uint64_t evpn_clock_ms(void);
/*
 * -ENOSPC: there are EVPN_NETWORKS_MAX already; -EEXIST: another has the VNI,
 * which names devices, and is one network to FRR.
 */
int evpn_host_add(struct evpn_host *host, struct evpn_network *n);
void evpn_host_remove(struct evpn_network *n);
void evpn_host_add_link(struct evpn_host *host, struct evpn_link *link);
void evpn_host_remove_link(struct evpn_host *host, struct evpn_link *link);
/* The network has something to do. */
void evpn_host_wake(struct evpn_network *n);
void evpn_host_wake_all(struct evpn_host *host);
/* Looks after all networks in that time. */
void evpn_host_work_in(struct evpn_host *host, uint64_t ms);
/*
 * A request of one message on a socket of its own, and its answer: 0 or -errno;
 * -ETIMEDOUT: none came. The request gets a number of its own.
 */
int evpn_host_ask(struct evpn_host *host, struct evpn_request *r,
		  struct evpn_event *link);

/* --- overlay_evpn_serve.c ---------------------------------------------------
 */

/* What is due: devices, requests, FRR's coming and going. */
void evpn_serve(struct evpn_host *host);

/* --- overlay_evpn_devices.c -------------------------------------------------
 */

void evpn_devices_name(struct evpn_network *n);
/*
 * Makes the network's devices, or takes over those that a former vswd has left
 * (`adopt`). False, and network.error says why: not done.
 */
bool evpn_devices_make(struct evpn_network *n, bool adopt);
/* Soon: with the next sweeps. */
void evpn_devices_remove(struct evpn_network *n);
/* Removes some of the devices that are to go, or all. */
void evpn_devices_sweep(struct evpn_host *host, bool all);

/* --- overlay_evpn_frr.c -----------------------------------------------------
 */

/* FRR whose sockets are in that directory; each get has its put. */
struct evpn_frr *evpn_frr_get(struct evpn_host *host, const char *directory);
void evpn_frr_put(struct evpn_frr *frr);
enum evpn_frr_state evpn_frr_state(const struct evpn_frr *frr);
/* "zebra", "bgpd" or NULL: which is missing. */
const char *evpn_frr_missing(const struct evpn_frr *frr);
const char *evpn_frr_directory(const struct evpn_frr *frr);
/* It was there since vswd began to look. */
bool evpn_frr_seen(const struct evpn_frr *frr);
bool evpn_frr_zebra_gone(const struct evpn_frr *frr);
/* How often a zebra was seen to end. */
uint32_t evpn_frr_zebra_ends(const struct evpn_frr *frr);

#endif
