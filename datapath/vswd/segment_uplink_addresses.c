/*
 * The gateway's addresses on an uplink, whatever they come from: rows, a DHCP
 * lease, router advertisements.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/segment_uplink.h"
#include "vswd/uplink_bridge.h"

#define MTU_DEFAULT 1500
#define MTU_LEAST   1280 /* of what a network says; IPv6 needs it */

static uint32_t bridge_mtu(const struct segment_uplink *uplink)
{
	const struct vport *out = uplink->seg->ports[ROUTER_OUTSIDE];
	uint32_t mtu = out ? bridge_ports_mtu(out->bridge) : 0;

	return mtu ? MAX(mtu, (uint32_t)MTU_LEAST) : MTU_DEFAULT;
}

static void find_mtu(const struct segment_uplink *uplink,
		     struct uplink_addresses *a)
{
	const struct dhcp_client_lease *lease =
		uplink->dhcp ? dhcp_client_lease(uplink->dhcp) : NULL;
	uint32_t told =
		uplink->autoconf ? autoconf_get_mtu(uplink->autoconf) : 0;

	a->mtu = uplink->seg->config->uplink.mtu;
	if (a->mtu)
		return;
	a->mtu = bridge_mtu(uplink);
	if (lease && lease->mtu)
		a->mtu = MIN(a->mtu, MAX(lease->mtu, (uint32_t)MTU_LEAST));
	if (told)
		a->mtu = MIN(a->mtu, told);
}

/* A network that is the segment's own, too, leads to nobody. */
static char *check_lease(const struct segment_uplink *uplink,
			 const struct dhcp_client_lease *lease)
{
	const struct cfg_segment *c = uplink->seg->config;
	unsigned len = MIN(lease->prefix_len, c->prefix4_len);
	char text[INET_ADDRSTRLEN];
	uint32_t ip = htonl(lease->ip);

	if (!c->ip4 || (lease->ip ^ c->ip4) & ip4_mask(len))
		return NULL;
	inet_ntop(AF_INET, &ip, text, sizeof(text));
	return xasprintf("%s/%u, which DHCP gave it on bridge %s, overlaps the "
			 "segment's own subnet: choose another subnet",
			 text, lease->prefix_len, c->uplink.bridge);
}

static char *find_ip4(const struct segment_uplink *uplink,
		      struct uplink_addresses *a)
{
	const struct cfg_uplink *c = &uplink->seg->config->uplink;
	const struct dhcp_client_lease *lease;
	char *problem;

	if (!c->dhcp) {
		a->n_ip4 = MIN(c->n_ip4, (unsigned)STATION_IP4_MAX);
		for (unsigned i = 0; i < a->n_ip4; i++) {
			a->ip4[i].ip = c->ip4[i].ip;
			a->ip4[i].prefix_len = c->ip4[i].prefix_len;
		}
		a->gateway4 = c->gateway4;
		if (c->n_ip4 <= STATION_IP4_MAX)
			return NULL;
		return xasprintf("outside-address has %u addresses, of which "
				 "the first %d are used",
				 c->n_ip4, STATION_IP4_MAX);
	}
	lease = uplink->dhcp ? dhcp_client_lease(uplink->dhcp) : NULL;
	if (!lease)
		return NULL;
	problem = check_lease(uplink, lease);
	if (problem)
		return problem;
	a->ip4[0].ip = lease->ip;
	a->ip4[0].prefix_len = lease->prefix_len;
	a->n_ip4 = 1;
	a->gateway4 = c->gateway4 ? c->gateway4 : lease->gateway;
	return NULL;
}

static void make_link_local(struct router_ip6 *ip6, uint64_t mac)
{
	ip6->ip[0] = 0xfe;
	ip6->ip[1] = 0x80;
	store_be32(ip6->ip + 8, (mac >> 16) ^ 0x02000000);
	ip6->ip[11] = 0xff;
	ip6->ip[12] = 0xfe;
	ip6->ip[13] = mac >> 16;
	store_be16(ip6->ip + 14, mac);
	ip6->prefix_len = 64;
}

static bool has_ip6(const struct segment_uplink *uplink)
{
	const struct cfg_segment *c = uplink->seg->config;

	return c->ip6.prefix_len && (c->uplink.slaac || c->uplink.n_ip6);
}

/* Would what comes to the segment's network go back to it? */
static bool overlaps_own6(const struct segment_uplink *uplink,
			  const struct router_ip6 *ip6)
{
	const struct station_ip6 *own = &uplink->seg->config->ip6;

	return ip6_in_prefix(ip6->ip, own->ip,
			     MIN(own->prefix_len, ip6->prefix_len));
}

static char *find_ip6(const struct segment_uplink *uplink,
		      struct uplink_addresses *a)
{
	const struct cfg_uplink *c = &uplink->seg->config->uplink;
	struct autoconf_address found[AUTOCONF_PREFIXES_MAX];
	const uint8_t *router;
	unsigned n = 0;

	_Static_assert(AUTOCONF_PREFIXES_MAX <= STATION_IP6_MAX,
		       "a station has all of them");
	if (!has_ip6(uplink))
		return NULL;
	memcpy(a->gateway6, c->gateway6, 16);
	if (c->slaac && uplink->autoconf) {
		n = autoconf_get_addresses(uplink->autoconf, found);
		router = autoconf_get_router(uplink->autoconf);
		if (router)
			memcpy(a->gateway6, router, 16);
	}
	for (unsigned i = 0; i < n; i++) {
		struct router_ip6 *ip6 = &a->ip6[a->n_ip6];

		memcpy(ip6->ip, found[i].ip, 16);
		ip6->prefix_len = found[i].prefix_len;
		a->n_ip6 += !overlaps_own6(uplink, ip6);
	}
	for (unsigned i = 0; !c->slaac && i < c->n_ip6; i++)
		if (a->n_ip6 < STATION_IP6_MAX)
			a->ip6[a->n_ip6++] = c->ip6[i];
	memset(&a->ip6[a->n_ip6], 0, sizeof(a->ip6[0]));
	make_link_local(&a->ip6[a->n_ip6++], uplink->mac);
	if (n && a->n_ip6 == 1)
		return xasprintf("the IPv6 network of bridge %s is the "
				 "segment's own: choose another subnet6",
				 c->bridge);
	if (!c->slaac && c->n_ip6 > STATION_IP6_MAX)
		return xasprintf("outside-address6 has %u addresses, of which "
				 "the first %d are used",
				 c->n_ip6, STATION_IP6_MAX);
	return NULL;
}

char *uplink_find_addresses(const struct segment_uplink *uplink,
			    struct uplink_addresses *a)
{
	char *problem = NULL, *problem6 = NULL;

	memset(a, 0, sizeof(*a));
	if (!uplink->mac)
		return NULL;
	problem = find_ip4(uplink, a);
	problem6 = find_ip6(uplink, a);
	find_mtu(uplink, a);
	if (!problem)
		return problem6;
	free(problem6);
	return problem;
}

void uplink_station_config(const struct segment_uplink *uplink,
			   struct station_config *config)
{
	const struct uplink_addresses *a = &uplink->now;

	*config = (struct station_config){
		.mac = uplink->mac,
		.ip6 = a->n_ip6,
		/* one port and a few routers, which may answer for many */
		.limits = { .per_port = 4096,
			    .per_mac = 1024,
			    .asked_per_port = 256 },
	};
	if (a->n_ip4) {
		config->ip4 = a->ip4[0].ip;
		config->prefix4_len = a->ip4[0].prefix_len;
	}
	for (unsigned i = 1; i < a->n_ip4; i++) {
		struct station_ip4 *ip4 =
			&config->further4[config->n_further4++];

		ip4->ip = a->ip4[i].ip;
		ip4->prefix_len = a->ip4[i].prefix_len;
	}
	for (unsigned i = 0; i + 1 < a->n_ip6; i++) {
		struct station_ip6 *ip6 = &config->global[config->n_global++];

		memcpy(ip6->ip, a->ip6[i].ip, 16);
		ip6->prefix_len = a->ip6[i].prefix_len;
	}
}

unsigned uplink_nat_addresses(const struct segment_uplink *uplink,
			      struct nat_addr *addrs, unsigned max)
{
	const struct cfg_segment *c = uplink->seg->config;
	const struct uplink_addresses *a = &uplink->now;
	unsigned n = 0;

	memset(addrs, 0, max * sizeof(*addrs));
	for (unsigned i = 0; c->ip4 && i < a->n_ip4 && n < max; i++) {
		addrs[n].version = 4;
		store_be32(addrs[n++].ip, a->ip4[i].ip);
	}
	for (unsigned i = 0; c->nat6 && i + 1 < a->n_ip6 && n < max; i++) {
		addrs[n].version = 6;
		memcpy(addrs[n++].ip, a->ip6[i].ip, 16);
	}
	return n;
}
