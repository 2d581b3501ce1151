/*
 * Shaping of a port, from the rows of QoS and Queue or the port's own
 * other_config, to the shaper's terms. Control thread.
 */
#ifndef VSWD_CONFIG_QOS_H
#define VSWD_CONFIG_QOS_H

#include "shape/shaper.h"
#include "vswd/config.h"
#include "vswd/db_port.h"

struct cfg_qos {
	struct shaper_config shaper; /* padding is 0, for comparing */
};

/*
 * Gives the port its cfg_qos, if it has any. port: its row with what its
 * group says filled in. What makes no sense is logged and left out; what
 * contradicts is the port's error (cfg_port_refuse()).
 */
void config_read_qos(struct cfg_port *port, const struct db_columns *columns,
		     const struct ovsdb_client_row *merged,
		     const struct db_port_rows *rows);

#endif
