/* A segment as segment/show has it. */
#include <stdlib.h>
#include <string.h>

#include "port/netdev.h"
#include "vswd/segment.h"
#include "vswd/segment_uplink.h"
#include "vswd/vbond.h"

static const char *type_word(const struct cfg_segment *c)
{
	static const char *const words[] = {
		[SEGMENT_NAT] = "nat",
		[SEGMENT_HOST_ONLY] = "host-only",
		[SEGMENT_INTERNAL] = "internal",
		[SEGMENT_BRIDGED] = "bridged",
	};

	return words[c->type];
}

static const char *outside_word(const struct cfg_segment *c)
{
	return c->outside == OUTSIDE_HOST     ? "host"
	       : c->outside == OUTSIDE_BRIDGE ? c->uplink.bridge
					      : NULL;
}

/* "10.20.0.1/24"; null without an address. */
static json_t *net_json(const struct ip_address *ip, unsigned prefix_len)
{
	char text[IP_TEXT_SIZE], *both;
	json_t *json;

	if (!prefix_len)
		return json_null();
	both = xasprintf("%s/%u", segment_ip_format(ip, text), prefix_len);
	json = json_string(both);
	free(both);
	return json;
}

static json_t *ip_json(const struct ip_address *ip)
{
	char text[IP_TEXT_SIZE];

	return ip->len ? json_string(segment_ip_format(ip, text)) : json_null();
}

static struct ip_address network6(const struct station_ip6 *own)
{
	struct ip_address ip = ip_address_of(own->ip, 16);

	for (unsigned bit = own->prefix_len; bit < 128; bit++)
		ip.bytes[bit / 8] &= ~(0x80 >> bit % 8);
	return ip;
}

static void set_addresses(json_t *json, const struct segment *seg)
{
	const struct cfg_segment *c = seg->config;
	struct ip_address ip = ip_address_v4(c->ip4), net6 = network6(&c->ip6);
	struct ip_address net =
		ip_address_v4(c->ip4 & ip4_mask(c->prefix4_len));
	struct ip_address ip6 = ip_address_of(c->ip6.ip, 16);
	char mac[MAC_STRING_SIZE];

	ip.len = c->ip4 ? 4 : 0;
	ip6.len = c->ip6.prefix_len ? 16 : 0;
	json_object_set_new(json, "subnet",
			    net_json(&net, c->ip4 ? c->prefix4_len : 0));
	json_object_set_new(json, "subnet6",
			    net_json(&net6, c->ip6.prefix_len));
	json_object_set_new(json, "gateway", ip_json(&ip));
	json_object_set_new(json, "gateway6", ip_json(&ip6));
	if (c->type == SEGMENT_HOST_ONLY) {
		ip = ip_address_v4(c->host_ip4);
		ip.len = c->host_ip4 ? 4 : 0;
		ip6 = ip_address_of(c->host_ip6, c->ip6.prefix_len ? 16 : 0);
		json_object_set_new(json, "host", ip_json(&ip));
		json_object_set_new(json, "host6", ip_json(&ip6));
	}
	json_object_set_new(json, "mac", json_string(mac_format(c->mac, mac)));
	json_object_set_new(json, "mtu", json_integer(segment_mtu(seg)));
}

static void set_sessions(json_t *json, const struct segment *seg)
{
	const struct nat *nat = seg->nat ? segment_nat_engine(seg->nat) : NULL;
	struct nat_stats s;

	if (!nat)
		return;
	nat_get_stats(nat, &s);
	json_object_set_new(json, "nat_sessions", json_integer(s.sessions));
	json_object_set_new(json, "nat_sessions_max",
			    json_integer(s.max_sessions));
}

/* --- forwards, leases, neighbors -------------------------------------------
 */

static json_t *forwards_json(const struct segment *seg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < seg->config->n_forwards; i++) {
		const struct cfg_forward *f = &seg->config->forwards[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:o, s:i, s:i, s:o, s:i, s:s?}",
				  "protocol", f->udp ? "udp" : "tcp",
				  "outside_address", ip_json(&f->outside),
				  "outside_port", (int)f->outside_lo,
				  "outside_port_last", (int)f->outside_hi,
				  "inside_address", ip_json(&f->inside),
				  "inside_port", (int)f->inside_port, "error",
				  segment_forward_error(seg, f)));
	}
	return list;
}

/* A list under construction. */
struct listing {
	const struct bridge *bridge; /* whose ports are named */
	const char *side;
	json_t *json;
};

static void add_lease(const struct dhcp_lease *lease, void *arg)
{
	struct ip_address ip = ip_address_v4(lease->ip);
	uint64_t now = vswitch_now_ms();
	struct listing *list = arg;
	const struct vport *v =
		bridge_find_number(list->bridge, (uint16_t)lease->port);
	char mac[MAC_STRING_SIZE];

	if (lease->state != DHCP_BOUND)
		return;
	json_array_append_new(
		list->json,
		json_pack(
			"{s:o, s:s, s:s?, s:s?, s:I}", "address", ip_json(&ip),
			"mac", mac_format(lease->mac, mac), "name",
			lease->hostname[0] ? lease->hostname : NULL, "port",
			v ? v->config->name : NULL, "seconds_left",
			(json_int_t)(lease->expires_ms > now
					     ? (lease->expires_ms - now) / 1000
					     : 0)));
}

static json_t *leases_json(const struct segment *seg)
{
	struct dhcp *dhcp = segment_services_dhcp(seg->services);
	struct listing list = { seg->bridge, NULL, json_array() };

	if (dhcp)
		dhcp_list(dhcp, add_lease, &list);
	return list.json;
}

static void add_neighbor(const struct neighbor_info *info, void *arg)
{
	struct listing *list = arg;
	uint64_t ms = vswitch_now_ms() - info->heard_ms;
	const struct vport *v = NULL;
	char mac[MAC_STRING_SIZE];

	if (info->client.mac && info->client.port <= UINT16_MAX)
		v = bridge_find_number(list->bridge, info->client.port);
	json_array_append_new(
		list->json,
		json_pack("{s:s, s:o, s:s?, s:s?, s:s, s:I}", "side",
			  list->side, "address", ip_json(&info->ip), "mac",
			  info->client.mac ? mac_format(info->client.mac, mac)
					   : NULL,
			  "port", v ? v->config->name : NULL, "state",
			  info->state, "heard_seconds_ago",
			  (json_int_t)(info->client.mac ? ms / 1000 : 0)));
}

json_t *segment_neighbors_json(const struct segment *seg)
{
	struct listing list = { seg->bridge, "inside", json_array() };
	const struct vport *out = seg->ports[ROUTER_OUTSIDE];
	uint64_t now = vswitch_now_ms();

	if (seg->services)
		neighbor_cache_list(station_neighbors(segment_services_station(
					    seg->services)),
				    now, add_neighbor, &list);
	list.side = "outside";
	if (seg->uplink && seg->uplink->station && out) {
		list.bridge = out->bridge;
		neighbor_cache_list(station_neighbors(seg->uplink->station),
				    now, add_neighbor, &list);
	}
	return list.json;
}

static json_t *statistics_json(const struct segment *seg)
{
	json_t *pairs = segment_statistics(seg), *json = json_object(), *pair;
	size_t i;

	json_array_foreach(pairs, i, pair)
		json_object_set(json,
				json_string_value(json_array_get(pair, 0)),
				json_array_get(pair, 1));
	json_decref(pairs);
	return json;
}

static json_t *resolvers_json(const struct segment *seg)
{
	const struct resolver *servers;
	unsigned n = segment_dns_servers(seg->dns, &servers);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, ip_json(&servers[i].ip));
	return list;
}

/* "10.20.0.2-10.20.0.254"; null without a server. */
static json_t *range_json(const struct cfg_segment *c)
{
	struct ip_address first = ip_address_v4(c->dhcp.first);
	struct ip_address last = ip_address_v4(c->dhcp.last);
	char text[2][IP_TEXT_SIZE];

	if (!c->dhcp_on)
		return json_null();
	return json_sprintf("%s-%s", segment_ip_format(&first, text[0]),
			    segment_ip_format(&last, text[1]));
}

/* The LAN's, and no machine's: those are TAP devices, or none of the host's. */
static json_t *devices_json(const struct segment *seg)
{
	const struct bridge *b = seg->bridge;
	json_t *list = json_array();
	struct netdev_info info;

	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];

		if (!vport_is_host_device(v) ||
		    (!netdev_get(v->interface->name, &info) &&
		     !strcmp(info.kind, "tun")))
			continue;
		json_array_append_new(list, json_string(v->interface->name));
	}
	return list;
}

/* --- all of it -------------------------------------------------------------
 */

static void set_services(json_t *json, const struct segment *seg)
{
	json_t *neighbors = segment_neighbors_json(seg);
	const char *conflict = segment_services_conflict(seg->services);

	json_object_set_new(json, "dhcp", json_boolean(seg->config->dhcp_on));
	json_object_set_new(json, "dhcp_range", range_json(seg->config));
	json_object_set_new(json, "dhcpv6",
			    json_boolean(seg->config->dhcpv6_on));
	json_object_set_new(json, "ra", json_boolean(seg->config->ra.enabled));
	json_object_set_new(json, "dns", json_boolean(seg->config->dns_on));
	json_object_set_new(json, "leases", leases_json(seg));
	json_object_set_new(json, "neighbors",
			    json_integer(json_array_size(neighbors)));
	json_object_set_new(json, "conflict",
			    conflict ? json_string(conflict) : json_null());
	json_decref(neighbors);
	if (seg->dns)
		json_object_set_new(json, "resolvers", resolvers_json(seg));
	json_object_set_new(json, "statistics", statistics_json(seg));
}

json_t *segment_to_json(const struct segment *seg)
{
	const struct cfg_segment *c = seg->config;
	json_t *json =
		json_pack("{s:s, s:s, s:b, s:s?, s:s?, s:o}", "segment",
			  c->name, "type", type_word(c), "isolated",
			  (int)c->isolated, "outside", outside_word(c), "error",
			  segment_fault(seg), "forwards", forwards_json(seg));

	if (c->type == SEGMENT_BRIDGED)
		json_object_set_new(json, "devices", devices_json(seg));
	if (!seg->services)
		return json;
	set_addresses(json, seg);
	set_services(json, seg);
	if (seg->uplink)
		json_object_set_new(json, "uplink",
				    segment_uplink_to_json(seg->uplink));
	set_sessions(json, seg);
	return json;
}
