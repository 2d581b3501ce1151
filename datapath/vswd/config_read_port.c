/* Tables Port and Interface. The VLAN defaults are Open vSwitch's. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "vswd/config_acl.h"
#include "vswd/config_read.h"
#include "vswd/config_read_shaping.h"
#include "vswd/config_read_overlay.h"
#include "vswd/config_security.h"
#include "worker/worker.h"

LOG_MODULE(config);

#define MTU_MIN 68 /* RFC 791: what every link must carry */
#define MTU_MAX 65535

static const char *const mode_names[] = {
	[VLAN_ACCESS] = "access",
	[VLAN_TRUNK] = "trunk",
	[VLAN_NATIVE_TAGGED] = "native-tagged",
	[VLAN_NATIVE_UNTAGGED] = "native-untagged",
	[VLAN_DOT1Q_TUNNEL] = "dot1q-tunnel",
};

static void read_vlan_mode(struct cfg_port *port, const char *mode,
			   bool has_tag, bool has_trunks)
{
	if (!mode) {
		port->vlan.mode = has_tag ? VLAN_ACCESS : VLAN_TRUNK;
		if (has_tag && has_trunks)
			log_warn("port %s: with a tag and no vlan_mode it is "
				 "an access port, and its trunks are ignored; "
				 "set vlan_mode to native-tagged or "
				 "native-untagged to have both",
				 port->name);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++) {
		if (!strcmp(mode, mode_names[i])) {
			port->vlan.mode = i;
			return;
		}
	}
	port->vlan.mode = VLAN_TRUNK;
	log_warn("port %s: vlan_mode \"%s\" is not known; trunk is used",
		 port->name, mode);
}

static enum priority_tags read_priority_tags(const struct cfg_port *port,
					     const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "priority-tags");

	if (!text || !strcmp(text, "no") || !strcmp(text, "never") ||
	    !strcmp(text, "false"))
		return PRIORITY_TAGS_NEVER;
	if (!strcmp(text, "if-nonzero") || !strcmp(text, "true"))
		return PRIORITY_TAGS_IF_NONZERO;
	if (!strcmp(text, "always"))
		return PRIORITY_TAGS_ALWAYS;
	log_warn("port %s: other_config:priority-tags is \"%s\"; it must be "
		 "no, if-nonzero or always; no is used",
		 port->name, text);
	return PRIORITY_TAGS_NEVER;
}

static uint16_t read_qinq_tpid(const struct cfg_port *port,
			       const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "qinq-ethtype");

	if (!text || !strcmp(text, "802.1ad"))
		return ETH_TYPE_SVLAN;
	if (!strcmp(text, "802.1q"))
		return ETH_TYPE_VLAN;
	log_warn("port %s: other_config:qinq-ethtype is \"%s\"; it must be "
		 "802.1ad or 802.1q; 802.1ad is used",
		 port->name, text);
	return ETH_TYPE_SVLAN;
}

static void read_vlans(struct cfg_port *port, const struct db_columns *columns,
		       const struct ovsdb_client_row *row)
{
	const struct ovsdb_datum *other =
		db_get(columns, row, DB_PORT_OTHER_CONFIG);
	int64_t tag = db_get_integer(columns, row, DB_PORT_TAG, -1);
	bool has_tag = tag >= 0 && tag < VLAN_N;

	port->trunks = config_vlan_set(db_get(columns, row, DB_PORT_TRUNKS));
	port->cvlans = config_vlan_set(db_get(columns, row, DB_PORT_CVLANS));
	read_vlan_mode(port,
		       db_get_string(columns, row, DB_PORT_VLAN_MODE, NULL),
		       has_tag, port->trunks);
	if (has_tag && tag == VLAN_N - 1)
		log_warn("port %s: tag 4095 is reserved (IEEE 802.1Q); no "
			 "frame will pass; use 1 to 4094",
			 port->name);
	port->vlan.tag = has_tag ? tag : 0;
	port->vlan.trunks = port->trunks;
	port->vlan.cvlans = port->cvlans;
	port->vlan.qinq_tpid = read_qinq_tpid(port, other);
	port->vlan.priority_tags = read_priority_tags(port, other);
}

static uint64_t read_mac(const char *name, const char *text)
{
	uint64_t mac;

	if (!text)
		return 0;
	if (mac_from_string(text, &mac) && mac && !mac_is_multicast(mac))
		return mac;
	log_warn("interface %s: mac is \"%s\"; it must be a unicast address "
		 "as 02:00:00:00:00:01; it is ignored",
		 name, text);
	return 0;
}

static void read_interface(struct cfg_interface *interface,
			   const struct db_columns *columns,
			   const struct ovsdb_client_row *row)
{
	const char *name = db_get_string(columns, row, DB_INTERFACE_NAME, "");
	char *where;
	int64_t n;

	interface->uuid = row->uuid;
	interface->name = xstrdup(name);
	interface->type =
		xstrdup(db_get_string(columns, row, DB_INTERFACE_TYPE, ""));
	interface->options =
		config_map_options(db_get(columns, row, DB_INTERFACE_OPTIONS),
				   &interface->n_options);
	interface->ofport =
		db_get_integer(columns, row, DB_INTERFACE_OFPORT, 0);
	n = db_get_integer(columns, row, DB_INTERFACE_OFPORT_REQUEST, 0);
	if (n < 0 || n > CONFIG_OFPORT_MAX) {
		log_warn("interface %s: ofport_request is %lld; it must be "
			 "from 1 to %d; it is ignored",
			 name, (long long)n, CONFIG_OFPORT_MAX);
		n = 0;
	}
	interface->ofport_request = n;
	n = db_get_integer(columns, row, DB_INTERFACE_MTU_REQUEST, 0);
	if (n && (n < MTU_MIN || n > MTU_MAX)) {
		log_warn("interface %s: mtu_request is %lld; it must be from "
			 "%d to %d; it is ignored",
			 name, (long long)n, MTU_MIN, MTU_MAX);
		n = 0;
	}
	interface->mtu_request = n;
	where = xasprintf("interface %s: other_config", name);
	config_map_pairs(db_get(columns, row, DB_INTERFACE_OTHER_CONFIG), where,
			 "worker-affinity", CONFIG_QUEUE_MAX, WORKERS_MAX - 1,
			 &interface->worker_affinity);
	interface->lacp = config_read_lacp_port(
		db_get(columns, row, DB_INTERFACE_OTHER_CONFIG), where);
	free(where);
	interface->mac = read_mac(
		name, db_get_string(columns, row, DB_INTERFACE_MAC, NULL));
	config_read_policing(interface, columns, row);
	config_read_discovery(interface, columns, row);
	if (!strcmp(interface->type, "vxlan"))
		interface->overlay = config_read_overlay(interface);
}

/*
 * One interface with LACP is a bond of one, for the benefit of the switch at
 * the other end. What leads to no other switch has nobody to speak to, and a
 * bridge's own port must not wait for a partner.
 */
static bool is_lacp_port(const struct cfg_port *port,
			 const struct db_columns *columns,
			 const struct ovsdb_client_row *row)
{
	const char *mode = db_get_string(columns, row, DB_PORT_LACP, "off");
	const char *type;

	if (port->n_interfaces != 1 ||
	    (strcmp(mode, "active") && strcmp(mode, "passive")))
		return false;
	type = port->interfaces[0].type;
	if (strcmp(type, "internal") && strcmp(type, "patch"))
		return true;
	log_warn("port %s: lacp=%s is ignored: its interface is of type %s, "
		 "which has no LACP partner",
		 port->name, mode, type);
	return false;
}

struct cfg_port *config_read_port(
	const struct db_columns *columns, const struct ovsdb_client_row *row,
	const struct ovsdb_client_row *const interfaces[], size_t n_interfaces)
{
	struct cfg_port *port = xcalloc(1, sizeof(*port));
	char *where;

	port->refs = 1;
	port->uuid = row->uuid;
	port->name = xstrdup(db_get_string(columns, row, DB_PORT_NAME, ""));
	read_vlans(port, columns, row);
	where = xasprintf("port %s: other_config", port->name);
	port->mac_limit = config_map_integer(
		db_get(columns, row, DB_PORT_OTHER_CONFIG), where,
		"mac-table-limit", 1, FDB_SIZE_MAX, 0);
	free(where);
	config_read_filters(port, db_get(columns, row, DB_PORT_OTHER_CONFIG));
	config_read_marking(port, db_get(columns, row, DB_PORT_OTHER_CONFIG));
	port->n_interfaces = n_interfaces;
	port->interfaces = xcalloc(n_interfaces, sizeof(*port->interfaces));
	for (size_t i = 0; i < n_interfaces; i++)
		read_interface(&port->interfaces[i], columns, interfaces[i]);
	if (n_interfaces > 1 || is_lacp_port(port, columns, row))
		port->bond = config_read_bond(columns, row, port);
	port->security = config_read_security(port, columns, row, interfaces,
					      n_interfaces);
	config_read_private(port, columns, row);
	config_read_teaming(port, columns, row);
	config_read_overlay_vlans(port);
	return port;
}
