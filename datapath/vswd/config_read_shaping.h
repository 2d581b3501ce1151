/* What rows say of rates and marks (config_read.h). */
#ifndef VSWD_CONFIG_READ_SHAPING_H
#define VSWD_CONFIG_READ_SHAPING_H

#include "vswd/columns.h"
#include "vswd/config.h"

/* Interface:ingress_policing_...; the interface has its name. */
void config_read_policing(struct cfg_interface *interface,
			  const struct db_columns *columns,
			  const struct ovsdb_client_row *row);
/* Port:other_config:set-pcp and set-dscp; the port has its name. */
void config_read_marking(struct cfg_port *port,
			 const struct ovsdb_datum *other);

#endif
