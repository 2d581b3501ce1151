/* Port:other_config:teaming-order. */
#include <string.h>

#include "vswd/config_read.h"

void config_read_teaming(struct cfg_port *port,
			 const struct db_columns *columns,
			 const struct ovsdb_client_row *row)
{
	const char *text = ovsdb_datum_get_string(
		db_get(columns, row, DB_PORT_OTHER_CONFIG), "teaming-order");

	if (!text || !text[strspn(text, ", ")])
		return;
	if (port->bond)
		cfg_port_refuse(port,
				xasprintf("other_config:teaming-order=%s is "
					  "for ports whose frames leave by a "
					  "bond, but this is one; set "
					  "other_config:bond-active-members",
					  text));
	else
		port->teaming_order = xstrdup(text);
}
