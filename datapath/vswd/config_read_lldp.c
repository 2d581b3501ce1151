/* Interface:lldp and what else discovery is told there. */
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

static enum cfg_lldp read_enable(const char *name,
				 const struct ovsdb_datum *lldp)
{
	const char *text = ovsdb_datum_get_string(lldp, "enable");

	if (!text)
		return CFG_LLDP_DEFAULT;
	if (!strcasecmp(text, "true"))
		return CFG_LLDP_ON;
	if (strcasecmp(text, "false"))
		log_warn("interface %s: lldp:enable is \"%s\"; it must be "
			 "true or false; false is used",
			 name, text);
	return CFG_LLDP_OFF;
}

static enum cfg_cdp read_cdp(const char *name,
			     const struct ovsdb_datum *other_config)
{
	const char *text = ovsdb_datum_get_string(other_config, "cdp");

	if (!text)
		return CFG_CDP_DEFAULT;
	if (!strcmp(text, "receive"))
		return CFG_CDP_RECEIVE;
	if (!strcmp(text, "both"))
		return CFG_CDP_BOTH;
	if (strcmp(text, "off"))
		log_warn("interface %s: other_config:cdp is \"%s\"; it must "
			 "be off, receive or both; off is used",
			 name, text);
	return CFG_CDP_OFF;
}

void config_read_discovery(struct cfg_interface *interface,
			   const struct db_columns *columns,
			   const struct ovsdb_client_row *row)
{
	interface->lldp = read_enable(interface->name,
				      db_get(columns, row, DB_INTERFACE_LLDP));
	interface->cdp =
		read_cdp(interface->name,
			 db_get(columns, row, DB_INTERFACE_OTHER_CONFIG));
}
