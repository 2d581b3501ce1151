/*
 * The columns of the Open_vSwitch database that vswd reads, found once in the
 * server's schema and then by index; and copies of rows, which tell whether a
 * row has changed at the price of a pointer comparison a column.
 *
 * A column that the server's schema lacks, or has with another type, reads as
 * empty. Control thread.
 */
#ifndef VSWD_COLUMNS_H
#define VSWD_COLUMNS_H

#include "ovsdb-lite/client.h"

enum db_table {
	DB_SWITCH,
	DB_BRIDGE,
	DB_PORT,
	DB_INTERFACE,
	DB_MIRROR,
	DB_QOS,
	DB_QUEUE,
	/* Our own: a server with Open vSwitch's schema does not have them. */
	DB_SEGMENT,
	DB_FORWARD,
	DB_LEASE,
	DB_REMOTE_MAC,
	DB_ACL,
	DB_PORT_GROUP,
	N_DB_TABLES
};

#define DB_COLUMNS(X)                                                          \
	X(SWITCH, BRIDGES, "bridges", UUID, VOID)                              \
	X(SWITCH, NEXT_CFG, "next_cfg", INTEGER, VOID)                         \
	X(SWITCH, CUR_CFG, "cur_cfg", INTEGER, VOID)                           \
	X(SWITCH, OTHER_CONFIG, "other_config", STRING, STRING)                \
	X(BRIDGE, NAME, "name", STRING, VOID)                                  \
	X(BRIDGE, PORTS, "ports", UUID, VOID)                                  \
	X(BRIDGE, FLOOD_VLANS, "flood_vlans", INTEGER, VOID)                   \
	X(BRIDGE, OTHER_CONFIG, "other_config", STRING, STRING)                \
	X(BRIDGE, SEGMENT, "segment", UUID, VOID)                              \
	X(BRIDGE, MIRRORS, "mirrors", UUID, VOID)                              \
	X(PORT, NAME, "name", STRING, VOID)                                    \
	X(PORT, INTERFACES, "interfaces", UUID, VOID)                          \
	X(PORT, VLAN_MODE, "vlan_mode", STRING, VOID)                          \
	X(PORT, TAG, "tag", INTEGER, VOID)                                     \
	X(PORT, TRUNKS, "trunks", INTEGER, VOID)                               \
	X(PORT, CVLANS, "cvlans", INTEGER, VOID)                               \
	X(PORT, OTHER_CONFIG, "other_config", STRING, STRING)                  \
	X(PORT, BOND_MODE, "bond_mode", STRING, VOID)                          \
	X(PORT, BOND_UPDELAY, "bond_updelay", INTEGER, VOID)                   \
	X(PORT, BOND_DOWNDELAY, "bond_downdelay", INTEGER, VOID)               \
	X(PORT, LACP, "lacp", STRING, VOID)                                    \
	X(PORT, BOND_ACTIVE_SLAVE, "bond_active_slave", STRING, VOID)          \
	X(PORT, PROTECTED, "protected", BOOLEAN, VOID)                         \
	X(PORT, QOS, "qos", UUID, VOID)                                        \
	X(INTERFACE, NAME, "name", STRING, VOID)                               \
	X(INTERFACE, TYPE, "type", STRING, VOID)                               \
	X(INTERFACE, OPTIONS, "options", STRING, STRING)                       \
	X(INTERFACE, MAC, "mac", STRING, VOID)                                 \
	X(INTERFACE, MTU_REQUEST, "mtu_request", INTEGER, VOID)                \
	X(INTERFACE, OFPORT_REQUEST, "ofport_request", INTEGER, VOID)          \
	X(INTERFACE, OTHER_CONFIG, "other_config", STRING, STRING)             \
	X(INTERFACE, EXTERNAL_IDS, "external_ids", STRING, STRING)             \
	X(INTERFACE, POLICING_RATE, "ingress_policing_rate", INTEGER, VOID)    \
	X(INTERFACE, POLICING_BURST, "ingress_policing_burst", INTEGER, VOID)  \
	X(INTERFACE, POLICING_KPKTS_RATE, "ingress_policing_kpkts_rate",       \
	  INTEGER, VOID)                                                       \
	X(INTERFACE, POLICING_KPKTS_BURST, "ingress_policing_kpkts_burst",     \
	  INTEGER, VOID)                                                       \
	X(INTERFACE, LLDP, "lldp", STRING, STRING)                             \
	X(INTERFACE, OFPORT, "ofport", INTEGER, VOID)                          \
	X(INTERFACE, REMOTE_MACS, "remote_macs", UUID, VOID)                   \
	X(MIRROR, NAME, "name", STRING, VOID)                                  \
	X(MIRROR, SELECT_ALL, "select_all", BOOLEAN, VOID)                     \
	X(MIRROR, SELECT_SRC_PORT, "select_src_port", UUID, VOID)              \
	X(MIRROR, SELECT_DST_PORT, "select_dst_port", UUID, VOID)              \
	X(MIRROR, SELECT_VLAN, "select_vlan", INTEGER, VOID)                   \
	X(MIRROR, OUTPUT_PORT, "output_port", UUID, VOID)                      \
	X(MIRROR, OUTPUT_VLAN, "output_vlan", INTEGER, VOID)                   \
	X(MIRROR, SNAPLEN, "snaplen", INTEGER, VOID)                           \
	X(QOS, TYPE, "type", STRING, VOID)                                     \
	X(QOS, QUEUES, "queues", INTEGER, UUID)                                \
	X(QOS, OTHER_CONFIG, "other_config", STRING, STRING)                   \
	X(QUEUE, DSCP, "dscp", INTEGER, VOID)                                  \
	X(QUEUE, OTHER_CONFIG, "other_config", STRING, STRING)                 \
	X(SEGMENT, NAME, "name", STRING, VOID)                                 \
	X(SEGMENT, TYPE, "type", STRING, VOID)                                 \
	X(SEGMENT, SUBNET, "subnet", STRING, VOID)                             \
	X(SEGMENT, SUBNET6, "subnet6", STRING, VOID)                           \
	X(SEGMENT, OUTSIDE, "outside", STRING, VOID)                           \
	X(SEGMENT, ISOLATED, "isolated", BOOLEAN, VOID)                        \
	X(SEGMENT, FORWARDS, "forwards", UUID, VOID)                           \
	X(SEGMENT, LEASES, "leases", UUID, VOID)                               \
	X(SEGMENT, STATIC_LEASES, "static_leases", STRING, STRING)             \
	X(SEGMENT, OPTIONS, "options", STRING, STRING)                         \
	X(FORWARD, PROTOCOL, "protocol", STRING, VOID)                         \
	X(FORWARD, OUTSIDE_ADDRESS, "outside_address", STRING, VOID)           \
	X(FORWARD, OUTSIDE_PORT, "outside_port", INTEGER, VOID)                \
	X(FORWARD, OUTSIDE_PORT_LAST, "outside_port_last", INTEGER, VOID)      \
	X(FORWARD, INSIDE_ADDRESS, "inside_address", STRING, VOID)             \
	X(FORWARD, INSIDE_PORT, "inside_port", INTEGER, VOID)                  \
	X(LEASE, ADDRESS, "address", STRING, VOID)                             \
	X(LEASE, MAC, "mac", STRING, VOID)                                     \
	X(LEASE, CLIENT_ID, "client_id", STRING, VOID)                         \
	X(LEASE, HOSTNAME, "hostname", STRING, VOID)                           \
	X(LEASE, INTERFACE, "interface", STRING, VOID)                         \
	X(LEASE, STATE, "state", STRING, VOID)                                 \
	X(LEASE, EXPIRES, "expires", INTEGER, VOID)                            \
	X(REMOTE_MAC, MAC, "mac", STRING, VOID)                                \
	X(REMOTE_MAC, VLAN, "vlan", INTEGER, VOID)                             \
	X(REMOTE_MAC, REMOTE_IP, "remote_ip", STRING, VOID)                    \
	X(REMOTE_MAC, IPS, "ips", STRING, VOID)                                \
	X(REMOTE_MAC, STICKY, "sticky", BOOLEAN, VOID)                         \
	X(ACL, NAME, "name", STRING, VOID)                                     \
	X(ACL, DEFAULT_ACTION, "default_action", STRING, VOID)                 \
	X(ACL, RULES, "rules", INTEGER, STRING)                                \
	X(PORT_GROUP, NAME, "name", STRING, VOID)                              \
	X(PORT_GROUP, VLAN_MODE, "vlan_mode", STRING, VOID)                    \
	X(PORT_GROUP, TAG, "tag", INTEGER, VOID)                               \
	X(PORT_GROUP, TRUNKS, "trunks", INTEGER, VOID)                         \
	X(PORT_GROUP, CVLANS, "cvlans", INTEGER, VOID)                         \
	X(PORT_GROUP, PROTECTED, "protected", BOOLEAN, VOID)                   \
	X(PORT_GROUP, QOS, "qos", UUID, VOID)                                  \
	X(PORT_GROUP, OTHER_CONFIG, "other_config", STRING, STRING)            \
	X(PORT_GROUP, POLICING_RATE, "ingress_policing_rate", INTEGER, VOID)   \
	X(PORT_GROUP, POLICING_BURST, "ingress_policing_burst", INTEGER, VOID) \
	X(PORT_GROUP, POLICING_KPKTS_RATE, "ingress_policing_kpkts_rate",      \
	  INTEGER, VOID)                                                       \
	X(PORT_GROUP, POLICING_KPKTS_BURST, "ingress_policing_kpkts_burst",    \
	  INTEGER, VOID)

enum db_column {
#define X(TABLE, ID, NAME, KEY, VALUE) DB_##TABLE##_##ID,
	DB_COLUMNS(X)
#undef X
		N_DB_COLUMNS
};

struct db_columns; /* where the columns are in one schema */

/* Tells the client what to replicate. */
void db_columns_monitor(struct ovsdb_client *client);
struct db_columns *db_columns_create(const struct ovsdb_schema *schema);
void db_columns_destroy(struct db_columns *columns); /* accepts NULL */
/* Made for this very schema? */
bool db_columns_fit(const struct db_columns *columns,
		    const struct ovsdb_schema *schema);

const char *db_table_name(enum db_table table);

/* Where rows of this schema have it (ovsdb_client_row.columns); -1: nowhere. */
int db_column_index(const struct db_columns *columns, enum db_column column);
/* What its atoms are; any number of them. */
void db_column_type(enum db_column column, struct ovsdb_type *type);

/* A value; never NULL. Valid until the replica changes. */
const struct ovsdb_datum *db_get(const struct db_columns *columns,
				 const struct ovsdb_client_row *row,
				 enum db_column column);
/* The first (or only) element; fallback when there is none. */
const char *db_get_string(const struct db_columns *columns,
			  const struct ovsdb_client_row *row,
			  enum db_column column, const char *fallback);
int64_t db_get_integer(const struct db_columns *columns,
		       const struct ovsdb_client_row *row,
		       enum db_column column, int64_t fallback);

bool db_get_boolean(const struct db_columns *columns,
		    const struct ovsdb_client_row *row, enum db_column column,
		    bool fallback);

/*
 * A copy of a row's columns, those that people set: not ofport and the like,
 * which are ours, and not the references to rows below a bridge, which are
 * followed each time.
 */
struct db_row_copy;
struct db_row_copy *db_row_copy(const struct db_columns *columns,
				const struct ovsdb_client_row *row,
				enum db_table table);
void db_row_copy_free(struct db_row_copy *copy); /* accepts NULL */
/* Costs next to nothing for a row that no update has touched since. */
bool db_row_copy_equals(const struct db_columns *columns,
			struct db_row_copy *copy,
			const struct ovsdb_client_row *row);

#endif
