/*
 * What vsw and FRR tell each other by the kernel's tables (rtnetlink), as
 * bytes: requests that make an overlay's devices and fill their tables, and
 * what the kernel tells of those. Pure: no socket, no clock, no state.
 *
 * An overlay is mirrored into three devices that carry no traffic. zebra takes
 * the members of a bridge for what they are:
 *
 *	bridge	BR	     neighbor entries: IP to MAC
 *	veth	in the bridge: static FDB entries on it are local MACs
 *	vxlan	in the bridge: FRR's entries on it are remote MACs
 *
 * zebra passes over FDB entries of the bridge itself and permanent ones, hence
 * the veth device, whose peer is idle, and NUD_NOARP. For each remote MAC FRR
 *installs two entries, both on the vxlan device: one in the bridge's table
 *(NTF_MASTER) says that the MAC is behind the overlay, one in the device's own
 *(NTF_SELF) at which VTEP.
 *
 * Any thread.
 */
#ifndef TUNNEL_EVPN_NETLINK_H
#define TUNNEL_EVPN_NETLINK_H

#include "base/util.h"

#define EVPN_REQUEST_MAX 512

/* A station's or a VTEP's address; in what we make, unused bytes are zero. */
struct evpn_ip {
	uint8_t len; /* 4 or 16; 0: none */
	uint8_t bytes[16];
};

/* A request for the kernel: `len` bytes, one whole message or two. */
struct evpn_request {
	size_t len;
	uint8_t bytes[EVPN_REQUEST_MAX] __attribute__((aligned(8)));
};

/* What an entry is put or removed as; the kernel's errors in brackets. */
enum evpn_op {
	EVPN_ADD,     /* it is new (EEXIST) */
	EVPN_REPLACE, /* whatever was there */
	EVPN_APPEND,  /* one VTEP more of a flood list (EEXIST) */
	EVPN_DELETE,  /* (ENOENT) */
};

struct evpn_fdb {
	uint64_t mac;	     /* 0: flood list */
	int ifindex;	     /* of the bridge's member */
	struct evpn_ip vtep; /* none: the bridge's table, else the device's */
	uint16_t vlan;	     /* 0: none */
	bool ages;	     /* the kernel may age it: else static */
	bool extern_learn;
	bool sticky;
};

/*
 * Devices. Names are shorter than IFNAMSIZ, or are cut. Each asks for an
 * acknowledgement with the number `seq`. In the order of their use: make all
 * three, learn their numbers from the events, still all three, enslave two, set
 * those two's options, bring all three up.
 */
void evpn_make_bridge(struct evpn_request *r, uint32_t seq, const char *name,
		      bool vlan_filtering);
/* A pair; the first goes into the bridge, both must be up. */
void evpn_make_member(struct evpn_request *r, uint32_t seq, const char *name,
		      const char *peer);
/* The port is of UDP, in host order, and not that of vsw's own tunnels. */
void evpn_make_vxlan(struct evpn_request *r, uint32_t seq, const char *name,
		     uint32_t vni, const struct evpn_ip *local, uint16_t port);
/*
 * For one of the three above: the device's group (IFLA_GROUP), by which it is
 * known again after a restart, from its first moment on.
 */
void evpn_group_link(struct evpn_request *r, uint32_t group);
/* A device by its name; answered by a link, or EVPN_ERROR. */
void evpn_get_link(struct evpn_request *r, uint32_t seq, const char *name);
/* A device goes to another group; and all devices of one are removed, in the
 * time that it takes to remove one. */
void evpn_regroup_link(struct evpn_request *r, uint32_t seq, int ifindex,
		       uint32_t group);
void evpn_remove_group(struct evpn_request *r, uint32_t seq, uint32_t group);
void evpn_remove_link(struct evpn_request *r, uint32_t seq, int ifindex);
/* No IPv6 of its own, so that it sends nothing when it comes up. */
void evpn_still_link(struct evpn_request *r, uint32_t seq, int ifindex);
void evpn_enslave(struct evpn_request *r, uint32_t seq, int ifindex,
		  int bridge);
/* Learns nothing; suppress: the kernel would answer ARP (neigh_suppress). */
void evpn_member_options(struct evpn_request *r, uint32_t seq, int ifindex,
			 bool suppress);
void evpn_bring_up(struct evpn_request *r, uint32_t seq, int ifindex);

/* Entries of the tables. */
void evpn_put_fdb(struct evpn_request *r, uint32_t seq, enum evpn_op op,
		  const struct evpn_fdb *entry);
/*
 * A local MAC, put on a member: static, whoever had it before. Two messages, as
 * the kernel leaves the mark of FRR's entries (extern_learn) on one that is
 * replaced, and zebra passes over marked ones when it reads the table anew: a
 * MAC that has come from elsewhere would be lost at the next restart of FRR.
 * What the bridge learns (NTF_USE) clears the mark; it is made static then.
 */
void evpn_take_fdb(struct evpn_request *r, uint32_t seq, int ifindex,
		   uint64_t mac, uint16_t vlan);
/*
 * The pair of an address and a MAC on the bridge. Permanent, as the kernel
 * forgets any other after a minute without use. Not EVPN_APPEND.
 */
void evpn_put_neighbor(struct evpn_request *r, uint32_t seq, enum evpn_op op,
		       int bridge, const struct evpn_ip *ip, uint64_t mac);

/*
 * Dumps. The bridge's are of all its members' entries of both kinds. A socket
 * with NETLINK_GET_STRICT_CHK gets these only, any other all there are, which
 * does no harm but for the work. Ask on the socket that hears the events (their
 * order is what makes the answer sound), one at a time.
 */
void evpn_dump_fdb(struct evpn_request *r, uint32_t seq, int bridge);
/* Family AF_INET or AF_INET6. */
void evpn_dump_neighbors(struct evpn_request *r, uint32_t seq, int bridge,
			 int family);
void evpn_dump_links(struct evpn_request *r, uint32_t seq);

enum evpn_event_type {
	EVPN_FDB,	    /* an entry is there; fdb */
	EVPN_FDB_GONE,	    /* fdb */
	EVPN_NEIGHBOR,	    /* neighbor */
	EVPN_NEIGHBOR_GONE, /* neighbor */
	EVPN_LINK,	    /* link */
	EVPN_LINK_GONE,	    /* link */
	EVPN_ERROR,	    /* error: of request `seq`; 0: it was done */
	EVPN_DONE,    /* dump `seq` has ended; error: what it failed with */
	EVPN_OVERRUN, /* the kernel had to leave out messages */
};

/* Fields that the type does not name are zero. */
struct evpn_event {
	enum evpn_event_type type;
	uint32_t seq;	  /* of the request that it is of, if any */
	bool dump;	  /* it is part of a dump */
	bool interrupted; /* the dump is not sound: ask anew */
	int error;	  /* 0 or -errno */
	union {
		struct {
			uint64_t mac; /* 0: flood list */
			int ifindex;
			int master;	     /* bridge; 0: not said */
			struct evpn_ip vtep; /* none: the bridge's table */
			uint32_t vni;	     /* 0: the device's own */
			uint32_t source_vni; /* 0: not said */
			uint16_t vlan;
			bool own_table; /* the device's, not the bridge's */
			bool extern_learn, sticky, permanent;
			bool nexthop_group; /* multihoming: no VTEP here */
		} fdb;
		struct {
			struct evpn_ip ip;
			uint64_t mac; /* 0: none */
			int ifindex;
			bool extern_learn, router;
			bool valid; /* its state is one to go by */
		} neighbor;
		struct {
			char name[16];
			char kind[16];
			int ifindex;
			int master; /* 0: none */
			uint32_t group;
			bool up;
			uint32_t vni;	      /* of a vxlan device */
			struct evpn_ip local; /* of a vxlan device */
			uint16_t udp_port;    /* of a vxlan device */
		} link;
	};
};

typedef void evpn_event_callback(const struct evpn_event *event, void *arg);

/*
 * Takes apart what one recv() of a netlink socket gave; `bytes` aligned to 4.
 * Calls back for each message of meaning here. Messages whose fields are not
 * of the right size are passed over and counted in *badp (may be NULL). Returns
 * 0, or -EBADMSG when the messages' lengths do not add up: what was before that
 * was told; treat it as an overrun.
 */
int evpn_parse(const void *bytes, size_t len, evpn_event_callback *callback,
	       void *arg, uint64_t *badp);

bool evpn_ip_equal(const struct evpn_ip *a, const struct evpn_ip *b);

#endif
