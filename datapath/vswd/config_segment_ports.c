/*
 * The ports and the bridge of a segment that are in no row: see
 * config_segment.h for what there is.
 */
#include <stdlib.h>
#include <string.h>

#include "vswd/config_read_segment.h"

static struct cfg_port *make_port(const struct cfg_segment *s,
				  const char *suffix, const char *type)
{
	struct cfg_port *port = xcalloc(1, sizeof(*port));
	struct cfg_interface *interface = xcalloc(1, sizeof(*interface));

	port->refs = 1;
	port->made_up = true;
	port->name = xasprintf("%s.%s", s->name, suffix);
	port->interfaces = interface;
	port->n_interfaces = 1;
	port->vlan.mode = VLAN_TRUNK;
	port->vlan.qinq_tpid = ETH_TYPE_SVLAN;
	interface->name = xstrdup(port->name);
	interface->type = xstrdup(type);
	interface->options = xcalloc(1, sizeof(*interface->options));
	return port;
}

/*
 * A MAC that no other segment has, whatever switch it is on: the uplink's
 * network may have several of one name.
 */
static uint64_t mac_of_row(const struct cfg_segment *s, uint8_t side)
{
	uint64_t mac = (s->uuid.hi ^ s->uuid.lo) & 0xfcffffffff00;

	return mac | 0x020000000000 | side;
}

/* Sets the VLAN, for frames that are always untagged here. */
static struct cfg_port *make_gateway(const struct cfg_segment *s,
				     const char *suffix, uint64_t mac,
				     uint16_t tag)
{
	struct cfg_port *port = make_port(s, suffix, "gateway");

	port->interfaces[0].mac = mac;
	port->vlan.mode = VLAN_ACCESS;
	port->vlan.tag = tag;
	return port;
}

/* Takes over the value. */
static void add_option(struct cfg_interface *interface, const char *key,
		       char *value)
{
	size_t n = interface->n_options++;

	interface->options = xrealloc(interface->options,
				      (n + 1) * sizeof(*interface->options));
	interface->options[n].key = xstrdup(key);
	interface->options[n].value = value;
}

static struct cfg_port *make_hostnet(const struct cfg_segment *s,
				     uint64_t router_mac)
{
	struct cfg_port *port = make_port(s, "host", "hostnet");
	struct cfg_interface *interface = &port->interfaces[0];
	char mac[MAC_STRING_SIZE];

	if (s->dns_on) /* a file of the run directory */
		add_option(interface, "dns-socket",
			   xasprintf("%s.dns", s->name));
	if (s->host_loopback)
		add_option(interface, "host-loopback", xstrdup("true"));
	if (s->ip4)
		add_option(interface, "ip4",
			   xasprintf("%s/%u", ip4_text(s->ip4).text,
				     s->prefix4_len));
	if (s->ip6.prefix_len)
		add_option(interface, "ip6",
			   xasprintf("%s/%u", ip6_text(s->ip6.ip).text,
				     s->ip6.prefix_len));
	add_option(interface, "mtu", xasprintf("%u", s->mtu));
	add_option(interface, "router-mac",
		   xstrdup(mac_format(router_mac, mac)));
	if (s->outside != OUTSIDE_HOST)
		add_option(interface, "way-out", xstrdup("false"));
	return port;
}

void config_segment_ports(const struct cfg_segment *s,
			  struct segment_ports *ports)
{
	uint64_t host_side = mac_of_row(s, 1);

	memset(ports, 0, sizeof(*ports));
	if (s->error || (!s->ip4 && !s->ip6.prefix_len))
		return;
	ports->inside = make_gateway(s, "gw", s->mac, 0);
	if (s->outside == OUTSIDE_BRIDGE)
		ports->outside =
			make_gateway(s, "out", mac_of_row(s, 0), s->uplink.tag);
	ports->host_side = make_gateway(s, "hgw", host_side, 0);
	ports->hostnet = make_hostnet(s, host_side);
}

void config_segment_ports_unref(struct segment_ports *ports)
{
	cfg_port_unref(ports->inside);
	cfg_port_unref(ports->outside);
	cfg_port_unref(ports->host_side);
	cfg_port_unref(ports->hostnet);
	memset(ports, 0, sizeof(*ports));
}

struct cfg_bridge *config_segment_bridge(const struct cfg_segment *s,
					 const struct segment_ports *ports)
{
	struct cfg_bridge *bridge = xcalloc(1, sizeof(*bridge));

	bridge->made_up = true;
	bridge->name = xasprintf("%s.host", s->name);
	bridge->mac_age_s = FDB_AGE_DEFAULT;
	bridge->mac_table_size = FDB_SIZE_DEFAULT;
	bridge->ports = xcalloc(2, sizeof(struct cfg_port *));
	bridge->ports[bridge->n_ports++] = cfg_port_ref(ports->host_side);
	bridge->ports[bridge->n_ports++] = cfg_port_ref(ports->hostnet);
	return bridge;
}
