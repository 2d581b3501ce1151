/*
 * Rows of the database to nodes of the configuration tree. A value that makes
 * no sense is logged with what would be right, and its default is used.
 */
#ifndef VSWD_CONFIG_READ_H
#define VSWD_CONFIG_READ_H

#include "vswd/columns.h"
#include "vswd/config.h"

/* One reference, the caller's. interfaces may hold fewer rows than Port does.
 */
struct cfg_port *config_read_port(
	const struct db_columns *columns, const struct ovsdb_client_row *port,
	const struct ovsdb_client_row *const interfaces[], size_t n_interfaces);

/*
 * What a Port row with several interfaces says of its bond; the port's
 * interfaces are read already.
 */
struct cfg_bond *config_read_bond(const struct db_columns *columns,
				  const struct ovsdb_client_row *row,
				  const struct cfg_port *port);
/* Interface:other_config:lacp-... */
struct lacp_port_config config_read_lacp_port(const struct ovsdb_datum *other,
					      const char *where);

/* Without its ports. */
struct cfg_bridge *config_read_bridge(const struct db_columns *columns,
				      const struct ovsdb_client_row *row);

/* Without its bridges. */
struct cfg_switch *config_read_switch(const struct db_columns *columns,
				      const struct ovsdb_client_row *row);

/*
 * other_config:key as a number from min to max. Anything else is logged with
 * the row's name `where`, and gives the fallback.
 */
int64_t config_map_integer(const struct ovsdb_datum *map, const char *where,
			   const char *key, int64_t min, int64_t max,
			   int64_t fallback);
bool config_map_boolean(const struct ovsdb_datum *map, const char *where,
			const char *key, bool fallback);

/*
 * other_config:key as pairs of numbers, "0:2,1:3", from 0 to the maxima;
 * anything else is logged and gives none.
 */
void config_map_pairs(const struct ovsdb_datum *map, const char *where,
		      const char *key, unsigned key_max, unsigned value_max,
		      struct number_pairs *pairs);

/* All of a map from strings to strings; cfg_options_free(). */
struct port_option *config_map_options(const struct ovsdb_datum *map,
				       size_t *n);

/* VLAN ids from 0 to 4095 into the set; NULL when there is none. */
struct vlan_set *config_vlan_set(const struct ovsdb_datum *datum);

/* config_read_private.c: a bridge's private VLANs; how a port is set apart. */
void config_read_private_vlans(struct cfg_bridge *bridge,
			       const struct ovsdb_datum *other);
void config_read_private(struct cfg_port *port,
			 const struct db_columns *columns,
			 const struct ovsdb_client_row *row);
/* config_read_teaming.c: of a port whose bond is read already. */
void config_read_teaming(struct cfg_port *port,
			 const struct db_columns *columns,
			 const struct ovsdb_client_row *row);

/* config_read_group.c: the group that the port's row names must be there. */
void config_read_group(struct cfg_port *port, const struct db_columns *columns,
		       const struct ovsdb_client_row *row,
		       const struct ovsdb_client_row *group);

/* config_read_lldp.c: an interface's, which has its name. */
void config_read_discovery(struct cfg_interface *interface,
			   const struct db_columns *columns,
			   const struct ovsdb_client_row *row);

#endif
