/*
 * What the rows Segment, Forward and Lease say of a bridge's segment: plain
 * values, checked, with defaults filled in.
 *
 * config_read_segment.c makes it. A segment's ports do not stand in the
 * database: the reader adds them to the tree as ports like others, whose rows
 * have the zero UUID (cfg_port.made_up):
 *
 *	NAME.gw	  type "gateway", the gateway's port of the segment's bridge
 *	NAME.out  type "gateway", its port of the uplink's bridge; with
 *		  outside=BRIDGE only
 *	NAME.host a bridge that is in no row, with
 *	    NAME.hgw  type "gateway", the gateway's port of it
 *	    NAME.host type "hostnet", the way to the host's sockets
 *		  for all segments that have an IPv4 or IPv6 subnet
 */
#ifndef VSWD_CONFIG_SEGMENT_H
#define VSWD_CONFIG_SEGMENT_H

#include "gateway/dhcp.h"
#include "gateway/dhcpv6.h"
#include "gateway/dns.h"
#include "gateway/station.h"
#include "nat/nat.h"
#include "ovsdb-lite/uuid.h"
#include "port/hostnet_port.h"
#include "router/router.h"

enum segment_type {
	SEGMENT_NAT,
	SEGMENT_HOST_ONLY,
	SEGMENT_INTERNAL,
	SEGMENT_BRIDGED,
};

enum segment_outside {
	OUTSIDE_NONE,	/* host-only, internal, bridged */
	OUTSIDE_HOST,	/* the host's own sockets */
	OUTSIDE_BRIDGE, /* a bridge with an uplink */
};

struct cfg_forward {
	struct uuid uuid;
	bool udp;
	uint8_t version;	   /* 4 or 6; of the inside address */
	struct ip_address outside; /* len 0: any */
	uint16_t outside_lo, outside_hi;
	struct ip_address inside;
	uint16_t inside_port; /* of outside_lo */
	char *error;	      /* the row makes no sense; NULL: it does */
};

struct cfg_lease {
	struct uuid uuid;
	struct dhcp_lease lease; /* expires_ms, port: not set */
	int64_t expires_s;	 /* since 1970 */
	char *interface;	 /* or NULL */
};

/* Addresses on the uplink. */
struct cfg_uplink {
	char *bridge;
	uint16_t tag; /* the VLAN of the uplink; 0: untagged */
	bool dhcp;    /* IPv4 by a DHCP client; else: */
	struct router_ip4
		*ip4; /* the first is its own, all are the NAT's pool */
	unsigned n_ip4;
	uint32_t gateway4;
	bool slaac; /* IPv6 by router advertisements; else: */
	struct router_ip6 *ip6;
	unsigned n_ip6;
	uint8_t gateway6[16];
	uint16_t mtu; /* 0: the bridge's smallest port's */
};

struct cfg_segment {
	unsigned refs; /* immutable, as cfg_port */
	struct uuid uuid;
	char *name; /* the bridge's */
	enum segment_type type;
	enum segment_outside outside;
	bool isolated; /* its machines do not see each other */
	uint64_t mac;  /* the gateway's on the segment; made of the name */

	uint32_t ip4; /* the gateway's; 0: no IPv4, no services for it */
	uint8_t prefix4_len;
	uint32_t host_ip4;	/* host-only: the host's own address */
	struct station_ip6 ip6; /* prefix_len 0: no IPv6 */
	uint8_t host_ip6[16];
	bool nat6; /* IPv6 is translated (NAT66); else routed */
	uint16_t mtu;
	struct station_ra ra;

	bool dhcp_on, dhcpv6_on, dns_on;
	struct dhcp_config dhcp; /* all that it points to is owned */
	struct dhcpv6_config dhcpv6;
	struct dns_config dns;
	/* Path; "/etc/resolv.conf". NULL: nobody outside is asked. */
	char *resolv_conf;
	struct resolver *dns_servers; /* instead of resolv_conf; n 0: not */
	unsigned n_dns_servers;

	bool host_loopback;
	struct cfg_uplink uplink; /* OUTSIDE_BRIDGE */
	struct nat_config nat;
	struct nat_options nat_options;

	struct cfg_forward *forwards;
	size_t n_forwards;
	/* Read once, when the segment is made; see segment_leases.h. */
	struct cfg_lease *leases;
	size_t n_leases;

	char *error; /* it cannot be, in one line: no gateway is made */
	/* Its rows cannot be, in one line: this is what they said before. */
	char *refused;
	/* Owns all but errors and forwards, when not NULL; config_segment.c. */
	struct cfg_segment *base;
};

struct cfg_segment *cfg_segment_ref(const struct cfg_segment *segment);
void cfg_segment_unref(struct cfg_segment *segment); /* accepts NULL */
/* The same with other errors; forward_errors has one or NULL for each. */
struct cfg_segment *cfg_segment_derive(const struct cfg_segment *segment,
				       const char *error,
				       char *const forward_errors[]);
/*
 * The former with the forwards that `now` has: one that it does not have is
 * gone, and one that it has more is an error.
 */
struct cfg_segment *cfg_segment_keep(const struct cfg_segment *former,
				     const struct cfg_segment *now);
/* The same but for leases? */
bool cfg_segment_equals(const struct cfg_segment *a,
			const struct cfg_segment *b);

#endif
