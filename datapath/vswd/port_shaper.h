/*
 * A port's shaper over snapshots: it is kept as long as the port is shaped, and
 * takes over other settings with what waits in it. Control thread.
 */
#ifndef VSWD_PORT_SHAPER_H
#define VSWD_PORT_SHAPER_H

#include "vswd/config_qos.h"
#include "vswd/switch.h"

struct port_shaper;

/*
 * While a snapshot is built; each call belongs to another snapshot, which was
 * published before the next. *shaper is made when there is something to shape.
 */
void port_shaper_attach(struct fwd_port *port, const struct cfg_qos *qos,
			struct port_shaper **shaper);
/* When no snapshot has it. Accepts NULL. */
void port_shaper_free(struct port_shaper *shaper);

/* NULL: the port is not shaped now. */
const struct shaper *port_shaper_get(const struct port_shaper *shaper);
const struct shaper_config *port_shaper_config(
	const struct port_shaper *shaper);

#endif
