/*
 * What a Mirror row says (config_read_mirror.c): immutable, the same object as
 * long as the row does not change. Control thread.
 */
#ifndef VSWD_CONFIG_MIRROR_H
#define VSWD_CONFIG_MIRROR_H

#include "forward/snapshot.h"
#include "ovsdb-lite/uuid.h"
#include "vswd/columns.h"

struct cfg_mirror {
	unsigned refs;
	struct uuid uuid;
	char *name;
	bool select_all;
	struct uuid *sources, *destinations; /* Port rows */
	size_t n_sources, n_destinations;
	struct vlan_set *vlans; /* NULL: all */
	bool has_output_port;
	struct uuid output_port;
	uint16_t output_vlan; /* 0: none */
	uint16_t snaplen;     /* 0: all of a packet */
	char *error;	      /* why it cannot be carried out, or NULL */
};

/* One reference, the caller's. Logs what makes no sense. */
struct cfg_mirror *config_read_mirror(const struct db_columns *columns,
				      const struct ovsdb_client_row *row);
struct cfg_mirror *cfg_mirror_ref(const struct cfg_mirror *mirror);
void cfg_mirror_unref(struct cfg_mirror *mirror); /* accepts NULL */

#endif
