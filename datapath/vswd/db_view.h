/*
 * The configuration as the client's replica has it now: walks from the row of
 * table Open_vSwitch over bridges, ports and interfaces, and keeps each port's
 * node until its rows change. Reading again after a change of one port in a
 * thousand costs a lookup and a few pointer comparisons a port.
 */
#ifndef VSWD_DB_VIEW_H
#define VSWD_DB_VIEW_H

#include "ovsdb-lite/client.h"
#include "vswd/config.h"

struct db_view;

struct db_view *db_view_create(void);
void db_view_destroy(struct db_view *view); /* accepts NULL */
/*
 * The tree that was read last is in force no more: the next is read anew, also
 * what is read once only (leases).
 */
void db_view_forget(struct db_view *view);

/*
 * The tree, which the caller frees; NULL when the database has no row in table
 * Open_vSwitch, or was never reached. Rows that are referred to and not there
 * are left out.
 */
struct cfg_switch *db_view_read(struct db_view *view,
				const struct ovsdb_client *client);
/*
 * Another reading may give another tree though no row changes: a segment is
 * refused, perhaps for a route of the host's that goes away, or a VXLAN port,
 * perhaps for one of its addresses.
 */
bool db_view_is_waiting(const struct db_view *view);

#endif
