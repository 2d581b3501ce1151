/*
 * The segments of a configuration as the client's replica has it: reads them
 * when their rows change, looks for those that cannot be together
 * (db_segments_compare.c), and adds to the tree what they make up. A part of
 * db_view.c.
 */
#ifndef VSWD_DB_SEGMENTS_H
#define VSWD_DB_SEGMENTS_H

#include "ovsdb-lite/client.h"
#include "vswd/columns.h"
#include "vswd/config.h"

struct db_segments;

struct db_segments *db_segments_create(void);
void db_segments_destroy(struct db_segments *segments);
/* The columns are others now: all is to be read anew. */
void db_segments_forget(struct db_segments *segments);

/* Reads the segment of the bridge, whose row this is, if it has one. */
void db_segments_read(struct db_segments *segments,
		      const struct db_columns *columns,
		      const struct ovsdb_client *client,
		      const struct ovsdb_client_row *row,
		      const struct cfg_bridge *bridge);
/*
 * All bridges were read: each gets its segment, and the tree the ports and
 * bridges that those make up. Segments that were not met are forgotten.
 */
void db_segments_finish(struct db_segments *segments,
			struct cfg_switch *config);
/* One is refused that makes sense taken alone. */
bool db_segments_have_refused(const struct db_segments *segments);

#endif
