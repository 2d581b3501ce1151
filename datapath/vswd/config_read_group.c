/* Port:other_config:port-group. What groups say is merged in db_groups.c. */
#include "vswd/config_read.h"

void config_read_group(struct cfg_port *port, const struct db_columns *columns,
		       const struct ovsdb_client_row *row,
		       const struct ovsdb_client_row *group)
{
	const char *name = ovsdb_datum_get_string(
		db_get(columns, row, DB_PORT_OTHER_CONFIG), "port-group");

	if (!name || group)
		return;
	cfg_port_refuse(port,
			xasprintf("there is no port group %s "
				  "(other_config:port-group); the port has its "
				  "own settings only",
				  name));
}
