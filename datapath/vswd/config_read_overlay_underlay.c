/* What carries the outer packets: sockets of the host, or an uplink's bridge.
 */
#include <stdlib.h>
#include <string.h>

#include "vswd/config_read_overlay.h"

static const char station_rule[] =
	"an address with its network's length as 192.0.2.5/24, as underlay is "
	"set";

/* --- a station's address ---------------------------------------------------
 */

static bool in_network(const struct cfg_overlay *o, const struct ip_address *ip)
{
	if (ip->len != o->local.len)
		return false;
	if (ip->len == 16)
		return ip6_in_prefix(ip->bytes, o->local.bytes, o->prefix_len);
	return !((ip_address_to_v4(ip) ^ ip_address_to_v4(&o->local)) &
		 ip4_mask(o->prefix_len));
}

/* Neither the network's own address nor, in IPv4, that for all of it. */
static bool is_host(const struct cfg_overlay *o, const struct ip_address *ip)
{
	uint32_t beyond, host;

	if (ip->len != 4 || o->local.len != 4 || o->prefix_len > 30)
		return true;
	beyond = ~ip4_mask(o->prefix_len);
	host = ip_address_to_v4(ip) & beyond;
	return host && host != beyond;
}

static void read_station_local(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "local_ip"), *slash;
	struct cfg_overlay *o = r->overlay;
	struct net_prefix prefix;
	char *address;

	if (!text) {
		overlay_refuse(o,
			       "options:underlay is \"%s\", and local_ip is "
			       "missing; set it to the VTEP's address on that "
			       "network, with the network's length, as "
			       "192.0.2.5/24",
			       o->underlay);
		return;
	}
	slash = strchr(text, '/');
	if (!slash || !net_prefix_parse(&prefix, text, 0) || !prefix.len) {
		overlay_refuse_option(r, "local_ip", station_rule);
		return;
	}
	address = strndup(text, slash - text);
	if (overlay_address(r, "local_ip", address, station_rule, &o->local)) {
		o->prefix_len = prefix.len;
		if (!is_host(o, &o->local))
			overlay_refuse_option(r, "local_ip",
					      "the address of a machine, not "
					      "that of the network or for all "
					      "of it");
	}
	free(address);
}

static void read_gateway(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "gateway");
	struct cfg_overlay *o = r->overlay;
	struct ip_address *ip = &o->gateway;
	bool link_local;

	if (!text)
		return;
	if (!net_text_ip(text, ip) || overlay_ip_is_multicast(ip)) {
		*ip = (struct ip_address){ 0 };
		overlay_refuse_option(r, "gateway", "the address of a router");
		return;
	}
	overlay_same_version(r, "gateway", ip);
	link_local = ip->len == 16 && ip->bytes[0] == 0xfe &&
		     (ip->bytes[1] & 0xc0) == 0x80;
	if (ip_address_equal(ip, &o->local))
		overlay_refuse(o,
			       "options:gateway is %s, which is local_ip; it "
			       "must be a router's address",
			       text);
	else if (o->local.len && !link_local &&
		 (!in_network(o, ip) || !is_host(o, ip)))
		overlay_refuse(o,
			       "options:gateway is %s, which is no machine of "
			       "local_ip's network, %s; a gateway must be on "
			       "the link",
			       text, overlay_option(r, "local_ip"));
}

/* Without a gateway, only the link is reached. */
static void check_reach(struct overlay_reader *r)
{
	struct cfg_overlay *o = r->overlay;

	for (size_t i = 0; i < o->n_remotes && !o->gateway.len; i++)
		if (o->local.len && !in_network(o, &o->remotes[i]))
			overlay_refuse(
				o,
				"remote %s is not in local_ip's network, "
				"%s; set options:gateway to the router "
				"that leads there",
				ip_text(&o->remotes[i]).text,
				overlay_option(r, "local_ip"));
}

static void read_station(struct overlay_reader *r)
{
	struct cfg_overlay *o = r->overlay;

	if (!o->underlay[0] || strchr(o->underlay, '/'))
		overlay_refuse_option(r, "underlay", "the name of a bridge");
	if (o->group_dev)
		overlay_refuse(o,
			       "options:group-dev is \"%s\", but the group is "
			       "joined on the underlay, bridge %s; remove "
			       "group-dev",
			       o->group_dev, o->underlay);
	o->underlay_tag = overlay_number(r, "underlay-tag", 1, 4094, 0);
	read_station_local(r);
	overlay_same_version(r, "local_ip", &o->local);
	read_gateway(r);
	check_reach(r);
	if (o->local.len)
		o->underlay_port = xasprintf("%s.vtep.%s", o->underlay,
					     ip_text(&o->local).text);
}

/* --- sockets of the host ---------------------------------------------------
 */

static void refuse_without_underlay(struct overlay_reader *r)
{
	static const char *const keys[] = { "underlay-tag", "gateway" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (overlay_option(r, keys[i]))
			overlay_refuse(r->overlay,
				       "options:%s is \"%s\", but no underlay "
				       "is set: outer packets go by the host's "
				       "sockets, routes and devices; remove "
				       "it, or set underlay to a bridge",
				       keys[i], overlay_option(r, keys[i]));
}

static void read_sockets(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "local_ip");
	struct cfg_overlay *o = r->overlay;
	const char *any = o->ip_version == 6 ? ".::" : "";

	refuse_without_underlay(r);
	if (text && !strcmp(text, "flow"))
		overlay_refuse_option(r, "local_ip",
				      "an address of the host: there are no "
				      "flows that could choose one");
	else if (text && strchr(text, '/'))
		overlay_refuse_option(r, "local_ip",
				      "an address of the host, without a "
				      "length: that is for an underlay only");
	else if (text && overlay_address(r, "local_ip", text,
					 "an address of the host", &o->local))
		overlay_same_version(r, "local_ip", &o->local);
	if (o->evpn && !o->local.len)
		overlay_refuse(o, "options:evpn is true, and local_ip is "
				  "missing; it is what FRR tells others to "
				  "send to");
	if (o->local.len)
		o->underlay_port = xasprintf("vxlan.%u.%s", o->dst_port,
					     ip_text(&o->local).text);
	else
		o->underlay_port = xasprintf("vxlan.%u%s", o->dst_port, any);
}

/* Packets would come back in, or never leave. */
static void check_self(struct cfg_overlay *o)
{
	for (size_t i = 0; i < o->n_remotes; i++)
		if (o->local.len && ip_address_equal(&o->remotes[i], &o->local))
			overlay_refuse(o,
				       "remote %s is local_ip; a VTEP is not "
				       "its own remote",
				       ip_text(&o->local).text);
}

void config_read_overlay_underlay(struct overlay_reader *r)
{
	const char *underlay = overlay_option(r, "underlay");
	struct cfg_overlay *o = r->overlay;

	o->dst_port =
		overlay_number(r, "dst_port", 1, UINT16_MAX, VXLAN_UDP_PORT);
	if (underlay) {
		o->underlay = xstrdup(underlay);
		read_station(r);
	} else {
		read_sockets(r);
	}
	check_self(o);
}
