/* The ports of underlays, which are in no row: see config_overlay.h. */
#include <stdlib.h>
#include <string.h>

#include "vswd/config_read_overlay.h"

static struct cfg_port *make_port(const char *name, const char *type)
{
	struct cfg_port *port = xcalloc(1, sizeof(*port));
	struct cfg_interface *interface = xcalloc(1, sizeof(*interface));

	port->refs = 1;
	port->made_up = true;
	port->name = xstrdup(name);
	port->interfaces = interface;
	port->n_interfaces = 1;
	port->vlan.mode = VLAN_TRUNK;
	port->vlan.qinq_tpid = ETH_TYPE_SVLAN;
	interface->name = xstrdup(name);
	interface->type = xstrdup(type);
	interface->options = xcalloc(1, sizeof(*interface->options));
	return port;
}

/* FNV-1a */
static uint64_t hash_bytes_on(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	while (n--)
		hash = (hash ^ *b++) * 0x100000001b3;
	return hash;
}

/*
 * Locally administered; the same after a restart, as the bridge's row and the
 * address are, and another one on another switch of the same network.
 */
static uint64_t station_mac(const struct cfg_overlay *o,
			    const struct cfg_bridge *bridge)
{
	uint64_t hash = 0xcbf29ce484222325;

	hash = hash_bytes_on(hash, &bridge->uuid, sizeof(bridge->uuid));
	hash = hash_bytes_on(hash, o->local.bytes, o->local.len);
	hash = hash_bytes_on(hash, &o->underlay_tag, sizeof(o->underlay_tag));
	return ((hash ^ hash >> 48) & 0xfcffffffffff) | 0x020000000000;
}

static struct cfg_port *make_station(const struct cfg_overlay *o,
				     const struct cfg_bridge *bridge)
{
	struct cfg_port *port = make_port(o->underlay_port, "vxlan-station");

	port->interfaces[0].mac = station_mac(o, bridge);
	port->vlan.mode = VLAN_ACCESS;
	port->vlan.tag = o->underlay_tag;
	return port;
}

/* Takes over the value; to be called in the order of keys. */
static void add_option(struct cfg_interface *interface, const char *key,
		       char *value)
{
	size_t n = interface->n_options++;

	interface->options = xrealloc(interface->options,
				      (n + 1) * sizeof(*interface->options));
	interface->options[n].key = xstrdup(key);
	interface->options[n].value = value;
}

/* --- groups of all overlays ------------------------------------------------
 */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* With commas, each once, in an order; the caller's. NULL: there is none. */
static char *list_groups(const struct cfg_overlay *const overlays[], size_t n)
{
	char **texts = xcalloc(n, sizeof(*texts)), *list = NULL, *more;
	size_t n_texts = 0;

	for (size_t i = 0; i < n; i++)
		if (overlays[i]->group.len)
			texts[n_texts++] =
				xstrdup(ip_text(&overlays[i]->group).text);
	qsort(texts, n_texts, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < n_texts; i++) {
		if (i && !strcmp(texts[i], texts[i - 1]))
			continue;
		more = list ? xasprintf("%s,%s", list, texts[i])
			    : xstrdup(texts[i]);
		free(list);
		list = more;
	}
	for (size_t i = 0; i < n_texts; i++)
		free(texts[i]);
	free(texts);
	return list;
}

static const char *group_device(const struct cfg_overlay *const overlays[],
				size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (overlays[i]->group_dev)
			return overlays[i]->group_dev;
	return NULL;
}

static struct cfg_port *make_sockets(const struct cfg_overlay *const overlays[],
				     size_t n)
{
	const struct cfg_overlay *o = overlays[0];
	struct cfg_port *port = make_port(o->underlay_port, "vxlan-udp");
	struct cfg_interface *interface = &port->interfaces[0];
	const char *device = group_device(overlays, n);
	char *groups = list_groups(overlays, n);

	add_option(interface, "csum", xstrdup(o->csum ? "true" : "false"));
	add_option(interface, "df",
		   xstrdup(o->dont_fragment ? "true" : "false"));
	add_option(interface, "dst_port", xasprintf("%u", o->dst_port));
	if (device)
		add_option(interface, "group_dev", xstrdup(device));
	if (groups)
		add_option(interface, "groups", groups);
	add_option(interface, "ip_version", xasprintf("%u", o->ip_version));
	if (o->local.len)
		add_option(interface, "local_ip",
			   xstrdup(ip_text(&o->local).text));
	return port;
}

struct cfg_port *config_overlay_port(const struct cfg_overlay *const overlays[],
				     size_t n, const struct cfg_bridge *bridge)
{
	return bridge ? make_station(overlays[0], bridge)
		      : make_sockets(overlays, n);
}

bool config_overlay_port_equals(const struct cfg_port *a,
				const struct cfg_port *b)
{
	return a->interfaces[0].mac == b->interfaces[0].mac &&
	       cfg_vlan_equals(a, b) &&
	       cfg_interface_same_device(&a->interfaces[0], &b->interfaces[0]);
}

struct cfg_bridge *config_overlay_bridge(void)
{
	struct cfg_bridge *bridge = xcalloc(1, sizeof(*bridge));

	bridge->made_up = true;
	bridge->name = xstrdup(OVERLAY_HOST_BRIDGE);
	bridge->mac_age_s = FDB_AGE_DEFAULT;
	bridge->mac_table_size = FDB_SIZE_DEFAULT;
	return bridge;
}
