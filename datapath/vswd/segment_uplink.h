/* What the files of a segment's uplink share; see segment.h. */
#ifndef VSWD_SEGMENT_UPLINK_H
#define VSWD_SEGMENT_UPLINK_H

#include <netinet/in.h>

#include "gateway/autoconf.h"
#include "gateway/dhcp_client.h"
#include "gateway/station.h"
#include "vswd/segment.h"

/* What the gateway is on the uplink: addresses, and the way on. */
struct uplink_addresses {
	struct router_ip4 ip4[STATION_IP4_MAX];	    /* the first is its own */
	struct router_ip6 ip6[STATION_IP6_MAX + 1]; /* the last: link-local */
	unsigned n_ip4, n_ip6;
	uint32_t gateway4;
	uint8_t gateway6[16];
	uint32_t mtu;
};

struct segment_uplink {
	struct segment *seg;
	uint64_t mac; /* 0: there is no port */
	struct station *station;
	struct dhcp_client *dhcp;
	struct autoconf *autoconf;
	struct uplink_addresses now;
	uint32_t probed;	/* by the DHCP client */
	const char *dhcp_state; /* that the database has been told of */

	bool begun;	  /* run() was called once */
	unsigned n_links; /* ports of the bridge that have one */
	uint64_t tick_ms, resolve_ms;
	uint64_t announce_ms;
	unsigned announces_left;
	char *error;	/* in one line; NULL: nothing is wrong */
	char *conflict; /* who claims its address; kept for a while */
	uint64_t conflict_until_ms;
};

/* --- segment_uplink_addresses.c ------------------------------------------- */

/*
 * What the gateway's addresses are by the configuration, the lease and the
 * advertisements. Returns what speaks against some of them, or NULL; the
 * caller's.
 */
char *uplink_find_addresses(const struct segment_uplink *uplink,
			    struct uplink_addresses *addresses);
void uplink_station_config(const struct segment_uplink *uplink,
			   struct station_config *config);
/* Those that are the NAT's; returns how many. */
unsigned uplink_nat_addresses(const struct segment_uplink *uplink,
			      struct nat_addr *addrs, unsigned max);

/* --- segment_uplink_dhcp.c ------------------------------------------------ */

/* Begins, with the address of before if one is remembered. */
void uplink_dhcp_start(struct segment_uplink *uplink, uint64_t now_ms);
void uplink_dhcp_stop(struct segment_uplink *uplink, bool keep);
/* Whether the frame was an answer for it. */
bool uplink_dhcp_receive(struct segment_uplink *uplink,
			 const struct segment_packet *packet, uint64_t now_ms);

/* --- segment_uplink_json.c ------------------------------------------------ */

const char *uplink_format_ip(const struct ip_address *ip,
			     char text[INET6_ADDRSTRLEN]);

/* --- segment_uplink.c ----------------------------------------------------- */

/* Something of what uplink_find_addresses() tells may be another. */
void uplink_refresh(struct segment_uplink *uplink);

#endif
