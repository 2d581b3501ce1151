/* Rows of table Remote_MAC. */
#include <stdlib.h>

#include "vswd/config_read_overlay.h"

void config_read_overlay_macs(struct cfg_interface *interface,
			      const struct db_columns *columns,
			      const struct ovsdb_client_row *const rows[],
			      size_t n)
{
}
