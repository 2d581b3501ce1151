#include "vswd/config_read_shaping.h"

#include <stdlib.h>

#include "base/log.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

/* A terabit a second, or as many frames, is no limit of anything. */
#define RATE_MAX 1000000000

static uint64_t read_number(const struct cfg_interface *interface,
			    const struct db_columns *columns,
			    const struct ovsdb_client_row *row,
			    enum db_column column, const char *name)
{
	int64_t n = db_get_integer(columns, row, column, 0);

	if (n >= 0 && n <= RATE_MAX)
		return n;
	log_warn("interface %s: %s is %lld; it must be from 0 (no limit, or "
		 "the default) to %d; 0 is used",
		 interface->name, name, (long long)n, RATE_MAX);
	return 0;
}

void config_read_policing(struct cfg_interface *interface,
			  const struct db_columns *columns,
			  const struct ovsdb_client_row *row)
{
	struct policer_config *c = &interface->policing;

	c->rate_kbps =
		read_number(interface, columns, row, DB_INTERFACE_POLICING_RATE,
			    "ingress_policing_rate");
	c->burst_kb = read_number(interface, columns, row,
				  DB_INTERFACE_POLICING_BURST,
				  "ingress_policing_burst");
	c->rate_kpps = read_number(interface, columns, row,
				   DB_INTERFACE_POLICING_KPKTS_RATE,
				   "ingress_policing_kpkts_rate");
	c->burst_kpkts = read_number(interface, columns, row,
				     DB_INTERFACE_POLICING_KPKTS_BURST,
				     "ingress_policing_kpkts_burst");
}

void config_read_marking(struct cfg_port *port, const struct ovsdb_datum *other)
{
	char *where = xasprintf("port %s: other_config", port->name);

	port->mark_pcp = config_map_integer(other, where, "set-pcp", 0, 7, -1);
	port->mark_dscp =
		config_map_integer(other, where, "set-dscp", 0, 63, -1);
	port->marks = port->mark_pcp >= 0 || port->mark_dscp >= 0;
	free(where);
}
