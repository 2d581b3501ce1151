/*
 * What the database is told of rows of table Remote_MAC: why one is not in
 * force. Control thread.
 */
#ifndef VSWD_REMOTE_MAC_ROWS_H
#define VSWD_REMOTE_MAC_ROWS_H

#include "ovsdb-lite/schema.h"
#include "vswd/switch.h"

/* Adds to operations what has changed of the vport's rows. */
void remote_mac_rows_collect(struct vport *v, const struct ovsdb_schema *schema,
			     json_t *operations);
/* The database has to be told anew. */
void remote_mac_rows_forget(struct vport *v);

#endif
