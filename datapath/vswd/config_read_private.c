/*
 * Private VLANs: Bridge:other_config:private-vlans, and of a port
 * other_config:private-vlan and the column protected.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

static const char community[] = "community:";

void config_read_private_vlans(struct cfg_bridge *bridge,
			       const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "private-vlans");
	char *why =
		private_vlans_parse(text ? text : "", &bridge->private_vlans);

	if (why)
		log_warn("bridge %s: other_config:private-vlans is \"%s\": %s; "
			 "it must be such as "
			 "100:isolated=101,community:web=102; it is ignored",
			 bridge->name, text, why);
	free(why);
}

/* False: it makes no sense. */
static bool read_word(struct cfg_port *port, const char *text)
{
	if (!strcmp(text, "promiscuous")) {
		port->apart = CFG_PROMISCUOUS;
	} else if (!strcmp(text, "isolated")) {
		port->apart = CFG_ISOLATED;
	} else if (!strncmp(text, community, strlen(community)) &&
		   private_vlan_is_name(text + strlen(community))) {
		port->apart = CFG_COMMUNITY;
		port->community = xstrdup(text + strlen(community));
	} else {
		return false;
	}
	return true;
}

void config_read_private(struct cfg_port *port,
			 const struct db_columns *columns,
			 const struct ovsdb_client_row *row)
{
	const char *text = ovsdb_datum_get_string(
		db_get(columns, row, DB_PORT_OTHER_CONFIG), "private-vlan");
	bool protected = db_get_boolean(columns, row, DB_PORT_PROTECTED, false);

	if (text && !read_word(port, text)) {
		/* It was to be kept apart, from all in case of doubt. */
		port->apart = CFG_ISOLATED;
		cfg_port_refuse(port,
				xasprintf("other_config:private-vlan is "
					  "\"%s\"; it must be isolated, "
					  "community:NAME or promiscuous; "
					  "isolated is used",
					  text));
	}
	if (protected &&
	    (port->apart == CFG_PROMISCUOUS || port->apart == CFG_COMMUNITY))
		cfg_port_refuse(port,
				xasprintf("protected=true and "
					  "other_config:private-vlan=%s "
					  "contradict each other; the port is "
					  "isolated until one of them goes",
					  text));
	if (protected)
		port->apart = CFG_ISOLATED;
}
