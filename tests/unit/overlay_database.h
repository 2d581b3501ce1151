/* VXLAN ports in a database of segment_database.h. */
#ifndef TESTS_OVERLAY_DATABASE_H
#define TESTS_OVERLAY_DATABASE_H

#include "segment_database.h"

/*
 * Adds a port with an interface of type vxlan to the bridge, or changes all of
 * its options ("KEY=VALUE KEY=VALUE"); and reads.
 */
void overlay_database_add_vxlan(struct segment_database *f, const char *bridge,
				const char *name, const char *options);
void overlay_database_set_vxlan(struct segment_database *f, const char *name,
				const char *options);
void overlay_database_del_port(struct segment_database *f, const char *bridge,
			       const char *name);
/* A row Remote_MAC of the interface, with these columns (JSON); and reads. */
void overlay_database_add_mac(struct segment_database *f, const char *name,
			      const char *columns);
/* NULL: the bridge has none of that name. */
const struct cfg_port *overlay_database_find_port(
	const struct segment_database *f, const char *bridge, const char *name);

#endif
