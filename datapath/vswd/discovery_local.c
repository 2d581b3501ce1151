/* What the switch says of itself and of a port, by LLDP and CDP. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "discovery/cdp_pdu.h"
#include "vswd/discovery.h"
#include "vswd/vbond.h"

#define FRAME_OVERHEAD 22 /* Ethernet header, a tag, FCS */
#define ADDRESSES_SAID 8

static void set_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static void set_id(struct discovery_id *id, uint8_t subtype, const void *bytes,
		   size_t n)
{
	id->subtype = subtype;
	id->len = MIN(n, (size_t)DISCOVERY_ID_MAX);
	memcpy(id->bytes, bytes, id->len);
}

static void mac_bytes(uint64_t mac, uint8_t bytes[6])
{
	store_be16(bytes, mac >> 32);
	store_be32(bytes + 2, mac);
}

static void add_address(struct discovery_info *info, uint8_t family,
			const void *bytes, uint8_t len, uint32_t ifindex)
{
	struct discovery_address *a = &info->addresses[info->n_addresses];

	if (info->n_addresses == ADDRESSES_SAID)
		return;
	info->n_addresses++;
	a->family = family;
	a->len = len;
	memcpy(a->bytes, bytes, len);
	a->numbering = ifindex ? 2 : 1; /* ifIndex; unknown */
	a->interface = ifindex;
}

static void add_host_address(struct discovery_info *info,
			     const struct sockaddr *address, bool link_local,
			     uint32_t ifindex)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;

	if (!address)
		return;
	if (address->sa_family == AF_INET && !link_local)
		add_address(info, FAMILY_IPV4, &in->sin_addr, 4, ifindex);
	if (address->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) == link_local)
		add_address(info, FAMILY_IPV6, &in6->sin6_addr, 16, ifindex);
}

/*
 * The host's addresses on the bridge's own port. Without any, one that is good
 * on this link alone; without that, the bridge's MAC (8.5.9: one at least).
 */
static void add_addresses(struct discovery_info *info, const struct vport *v,
			  const struct ifaddrs *addresses)
{
	const struct vport *local = bridge_find_ofport(v->bridge, OFPORT_LOCAL);
	uint32_t ifindex = local && local->port ? local->status.ifindex : 0;
	uint8_t mac[6];

	for (int pass = 0; pass < 2 && !info->n_addresses; pass++)
		for (const struct ifaddrs *a = addresses; a; a = a->ifa_next)
			if (ifindex && !strcmp(a->ifa_name, v->bridge->name))
				add_host_address(info, a->ifa_addr, pass,
						 ifindex);
	mac_bytes(bridge_address(v->bridge), mac);
	if (!info->n_addresses)
		add_address(info, FAMILY_MAC, mac, sizeof(mac), ifindex);
}

static void describe_vlan(struct discovery_info *info,
			  const struct vlan_config *vlan)
{
	info->has_pvid = vlan->mode == VLAN_ACCESS ||
			 vlan->mode == VLAN_NATIVE_TAGGED ||
			 vlan->mode == VLAN_NATIVE_UNTAGGED;
	if (info->has_pvid)
		info->pvid = vlan->tag;
}

/* All members of a bond name the same port: its number. */
static void describe_bond(struct discovery_info *info, const struct vport *v)
{
	const struct bond_member *m = v->bond ? vport_bond_member(v) : NULL;
	struct bond_member_status status;

	if (!m)
		return;
	bond_get_member_status(m, vswitch_now_ms(), &status);
	info->has_aggregation = true;
	info->aggregation_capable = true;
	info->aggregated = status.enabled;
	info->aggregation_port = v->number;
}

static void describe_lldp(struct discovery_info *info, const struct vport *v)
{
	uint64_t mac = bridge_address(v->bridge);
	uint8_t bytes[6];

	mac_bytes(mac, bytes);
	set_id(&info->chassis, CHASSIS_MAC, bytes, sizeof(bytes));
	snprintf(info->port_description, sizeof(info->port_description),
		 "bridge %s, port %s", v->bridge->name, v->config->name);
	info->capabilities = CAPABILITY_BRIDGE;
	info->enabled = CAPABILITY_BRIDGE;
	describe_bond(info, v);
	if (v->status.mtu)
		info->max_frame = MIN(v->status.mtu + FRAME_OVERHEAD,
				      (uint32_t)UINT16_MAX);
}

static void describe_cdp(struct discovery_info *info, const struct vport *v,
			 const struct utsname *host)
{
	set_id(&info->chassis, CHASSIS_LOCAL, host->nodename,
	       strlen(host->nodename));
	info->cdp_version = 2;
	info->cdp_capabilities = CDP_CAPABILITY_SWITCH;
	snprintf(info->platform, sizeof(info->platform), "%s %s", host->sysname,
		 host->machine);
	info->has_duplex = v->status.speed_bps;
	info->full_duplex = v->status.full_duplex;
	info->mtu = v->status.mtu;
}

bool vdiscovery_describe(const struct vport *v, const struct ifaddrs *addresses,
			 struct discovery_info *info, uint64_t *source)
{
	struct utsname host;

	*source = v->status.mac ? v->status.mac : bridge_address(v->bridge);
	if (mac_is_multicast(*source) || uname(&host))
		return false;
	set_id(&info->port, PORT_ID_INTERFACE_NAME, v->interface->name,
	       strlen(v->interface->name));
	set_text(info->system_name, sizeof(info->system_name), host.nodename);
	snprintf(info->system_description, sizeof(info->system_description),
		 "vsw %s on %s %s", VSW_VERSION, host.sysname, host.release);
	info->has_capabilities = true;
	describe_vlan(info, &v->config->vlan);
	add_addresses(info, v, addresses);
	if (info->protocol == DISCOVERY_LLDP)
		describe_lldp(info, v);
	else
		describe_cdp(info, v, &host);
	return true;
}
