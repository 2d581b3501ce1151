/*
 * Ports and bonds as people see them listed: by bridge and OpenFlow number, a
 * bond before its members. Control thread.
 */
#ifndef VSWD_PORT_ROWS_H
#define VSWD_PORT_ROWS_H

#include "vswd/commands.h"
#include "vswd/vbond.h"

struct port_row {
	struct vbond *bond;  /* the bond, or the member's; NULL: neither */
	struct vport *vport; /* an open port; NULL: the bond itself */
};

/* Of a bridge, or of all with NULL; freed by the caller. */
struct port_row *port_rows(const struct vswitch *vs,
			   const struct bridge *bridge, size_t *n);
/*
 * Those that argv[1], argv[2] ... name, a bond with its members, or all without
 * any; freed by the caller. NULL after the reply that one is not there.
 */
struct port_row *port_rows_named(struct control_request *request,
				 struct vswitch *vs, int argc,
				 const char *const argv[], size_t *n);

const char *port_row_name(const struct port_row *row);
const struct bridge *port_row_bridge(const struct port_row *row);
/* What is counted there. */
struct port *port_row_port(const struct port_row *row);

#endif
