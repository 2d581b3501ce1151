/*
 * The VXLAN ports of a configuration as db_view.c has read it: looks for those
 * that cannot be together (config_check_overlays.h), which get an error, and
 * adds to the tree the underlays of the others. A part of db_view.c.
 */
#ifndef VSWD_DB_OVERLAYS_H
#define VSWD_DB_OVERLAYS_H

#include "vswd/config.h"

struct db_overlays;

struct db_overlays *db_overlays_create(void);
void db_overlays_destroy(struct db_overlays *overlays);
/* What was found is not in force any more. */
void db_overlays_forget(struct db_overlays *overlays);
/* All bridges were read, and have what segments make up. */
void db_overlays_finish(struct db_overlays *overlays,
			struct cfg_switch *config);
/* One is refused that makes sense taken alone. */
bool db_overlays_have_refused(const struct db_overlays *overlays);

#endif
