/* Port groups by name, and rows merged with theirs (db_groups.h). */
#include "vswd/db_groups.h"

#include <stdlib.h>
#include <string.h>

/* --- names -----------------------------------------------------------------
 */

struct named {
	const char *name; /* the row's */
	const struct ovsdb_client_row *row;
};

struct db_groups {
	bool is_read;
	struct named *named; /* sorted */
	size_t n;
};

struct db_groups *db_groups_create(void)
{
	return xcalloc(1, sizeof(struct db_groups));
}

void db_groups_destroy(struct db_groups *groups)
{
	if (!groups)
		return;
	free(groups->named);
	free(groups);
}

void db_groups_forget(struct db_groups *groups)
{
	groups->is_read = false;
}

static int compare_named(const void *a_, const void *b_)
{
	const struct named *a = a_, *b = b_;

	return strcmp(a->name, b->name);
}

static void read_names(struct db_groups *groups,
		       const struct db_columns *columns,
		       const struct ovsdb_client *client)
{
	const char *table = db_table_name(DB_PORT_GROUP);
	const struct ovsdb_client_row *row = NULL;
	size_t room = 0;

	groups->n = 0;
	while ((row = ovsdb_client_next(client, table, row))) {
		if (groups->n == room || !groups->named) {
			room = MAX(2 * room, 16);
			groups->named = xrealloc(groups->named,
						 room * sizeof(*groups->named));
		}
		groups->named[groups->n++] = (struct named){
			db_get_string(columns, row, DB_PORT_GROUP_NAME, ""),
			row,
		};
	}
	if (groups->n)
		qsort(groups->named, groups->n, sizeof(*groups->named),
		      compare_named);
	groups->is_read = true;
}

const struct ovsdb_client_row *db_groups_find(struct db_groups *groups,
					      const struct db_columns *columns,
					      const struct ovsdb_client *client,
					      const char *name)
{
	const struct named key = { .name = name }, *found;

	if (!groups->is_read)
		read_names(groups, columns, client);
	if (!groups->n)
		return NULL;
	found = bsearch(&key, groups->named, groups->n, sizeof(key),
			compare_named);
	return found ? found->row : NULL;
}

/* --- rows with defaults ----------------------------------------------------
 */

/* Its columns are the row's own, or the group's, but for `other`. */
struct merged {
	struct ovsdb_client_row row;
	struct ovsdb_datum other; /* other_config of both */
	struct ovsdb_datum *columns[];
};

static struct merged *merge_begin(const struct ovsdb_client_row *row)
{
	size_t n = row->table->n_columns;
	struct merged *m =
		xcalloc(1, sizeof(*m) + n * sizeof(struct ovsdb_datum *));

	m->row = *row;
	m->row.columns = m->columns;
	memcpy(m->columns, row->columns, n * sizeof(struct ovsdb_datum *));
	return m;
}

/* The row's column is the group's from now on. */
static void take(struct merged *m, const struct db_columns *columns,
		 enum db_column column, const struct ovsdb_client_row *group,
		 enum db_column group_column)
{
	int i = db_column_index(columns, column);
	int from = db_column_index(columns, group_column);

	if (i >= 0 && from >= 0 && group->columns[from])
		m->columns[i] = group->columns[from];
}

/* The same where the row says nothing; 0 is nothing when zero_too. */
static void fill(struct merged *m, const struct db_columns *columns,
		 enum db_column column, const struct ovsdb_client_row *group,
		 enum db_column group_column, bool zero_too)
{
	const struct ovsdb_datum *own = db_get(columns, &m->row, column);

	if (own->n && !(zero_too && !own->keys[0].integer))
		return;
	if (db_get(columns, group, group_column)->n)
		take(m, columns, column, group, group_column);
}

static const char private_vlan[] = "private-vlan";

static void remove_key(struct ovsdb_datum *map, const char *key,
		       const struct ovsdb_type *type)
{
	for (unsigned i = 0; i < map->n; i++)
		if (!strcmp(ovsdb_atom_string(&map->keys[i]), key)) {
			ovsdb_datum_remove_at(map, i, type);
			return;
		}
}

/* port: as it was before merging. */
static void fill_other_config(struct merged *m,
			      const struct db_columns *columns,
			      const struct ovsdb_client_row *port,
			      const struct ovsdb_client_row *group)
{
	int i = db_column_index(columns, DB_PORT_OTHER_CONFIG);
	const struct ovsdb_datum *defaults =
		db_get(columns, group, DB_PORT_GROUP_OTHER_CONFIG);
	struct ovsdb_type type;

	if (i < 0 || !m->columns[i] || !defaults->n)
		return;
	db_column_type(DB_PORT_OTHER_CONFIG, &type);
	ovsdb_datum_clone(&m->other, defaults);
	/* One setting in two places: a port that is protected is isolated. */
	if (db_get_boolean(columns, port, DB_PORT_PROTECTED, false))
		remove_key(&m->other, private_vlan, &type);
	ovsdb_datum_union(&m->other, m->columns[i], &type, true);
	m->columns[i] = &m->other;
}

/* Nor does the group's count where the port says how it is set apart. */
static void fill_protected(struct merged *m, const struct db_columns *columns,
			   const struct ovsdb_client_row *port,
			   const struct ovsdb_client_row *group)
{
	const struct ovsdb_datum *own =
		db_get(columns, port, DB_PORT_OTHER_CONFIG);

	if (db_get_boolean(columns, group, DB_PORT_GROUP_PROTECTED, false) &&
	    !ovsdb_datum_get_string(own, private_vlan))
		take(m, columns, DB_PORT_PROTECTED, group,
		     DB_PORT_GROUP_PROTECTED);
}

/* Whether ports of that mode do something with a tag, or with trunks. */
static bool mode_has(const char *mode, bool tag)
{
	if (!strncmp(mode, "native-", 7))
		return true;
	return tag ? strcmp(mode, "trunk") != 0 : !strcmp(mode, "trunk");
}

/*
 * A tag or trunks of the port's own win: what the group says of its mode counts
 * only when they have a meaning in that.
 */
static void fill_vlans(struct merged *m, const struct db_columns *columns,
		       const struct ovsdb_client_row *group)
{
	const struct ovsdb_client_row *row = &m->row;
	bool tag = db_get(columns, row, DB_PORT_TAG)->n;
	bool trunks = db_get(columns, row, DB_PORT_TRUNKS)->n;
	bool mode = db_get(columns, row, DB_PORT_VLAN_MODE)->n;
	const char *groups = db_get_string(
		columns, group, DB_PORT_GROUP_VLAN_MODE,
		db_get(columns, group, DB_PORT_GROUP_TAG)->n && !tag ? "access"
								     : NULL);
	bool fits = !groups || mode ||
		    ((!tag || mode_has(groups, true)) &&
		     (!trunks || mode_has(groups, false)));

	if (fits) {
		fill(m, columns, DB_PORT_VLAN_MODE, group,
		     DB_PORT_GROUP_VLAN_MODE, false);
		fill(m, columns, DB_PORT_TAG, group, DB_PORT_GROUP_TAG, false);
		fill(m, columns, DB_PORT_TRUNKS, group, DB_PORT_GROUP_TRUNKS,
		     false);
	}
	fill(m, columns, DB_PORT_CVLANS, group, DB_PORT_GROUP_CVLANS, false);
}

/* --- settings that a port opts out of --------------------------------------
 */

/* Where "" and "none" are no value, but the lack of one. */
static const char *const optional[] = {
	"acl-in",
	"acl-out",
	"storm-broadcast",
	"storm-multicast",
	"storm-unknown",
	"storm-burst",
	"egress-average-kbps",
	"egress-peak-kbps",
	"egress-burst-kb",
	"teaming-order",
	"set-pcp",
	"set-dscp",
};

static bool is_none(const struct ovsdb_datum *other, const char *key)
{
	const char *value = ovsdb_datum_get_string(other, key);

	return value && (!*value || !strcmp(value, "none"));
}

static bool has_none(const struct ovsdb_datum *other)
{
	for (size_t i = 0; other->n && i < ARRAY_SIZE(optional); i++)
		if (is_none(other, optional[i]))
			return true;
	return false;
}

/* After the group's settings have come. */
static void leave_out(struct merged *m, const struct db_columns *columns)
{
	int i = db_column_index(columns, DB_PORT_OTHER_CONFIG);
	struct ovsdb_type type;

	if (i < 0 || !m->columns[i])
		return;
	db_column_type(DB_PORT_OTHER_CONFIG, &type);
	if (m->columns[i] != &m->other)
		ovsdb_datum_clone(&m->other, m->columns[i]);
	m->columns[i] = &m->other;
	/* What else is said of shaping needs the average. */
	if (is_none(&m->other, "egress-average-kbps")) {
		remove_key(&m->other, "egress-peak-kbps", &type);
		remove_key(&m->other, "egress-burst-kb", &type);
	}
	for (size_t k = 0; k < ARRAY_SIZE(optional); k++)
		if (is_none(&m->other, optional[k]))
			remove_key(&m->other, optional[k], &type);
}

const struct ovsdb_client_row *db_merge_port(
	const struct db_columns *columns, const struct ovsdb_client_row *port,
	const struct ovsdb_client_row *group)
{
	bool less = has_none(db_get(columns, port, DB_PORT_OTHER_CONFIG)) ||
		    (group && has_none(db_get(columns, group,
					      DB_PORT_GROUP_OTHER_CONFIG)));
	struct merged *m;

	if (!group && !less)
		return port;
	m = merge_begin(port);
	if (group) {
		fill_vlans(m, columns, group);
		fill(m, columns, DB_PORT_QOS, group, DB_PORT_GROUP_QOS, false);
		fill_protected(m, columns, port, group);
		fill_other_config(m, columns, port, group);
	}
	if (less)
		leave_out(m, columns);
	return &m->row;
}

const struct ovsdb_client_row *db_merge_interface(
	const struct db_columns *columns,
	const struct ovsdb_client_row *interface,
	const struct ovsdb_client_row *group)
{
	struct merged *m;

	if (!group)
		return interface;
	m = merge_begin(interface);
	fill(m, columns, DB_INTERFACE_POLICING_RATE, group,
	     DB_PORT_GROUP_POLICING_RATE, true);
	fill(m, columns, DB_INTERFACE_POLICING_BURST, group,
	     DB_PORT_GROUP_POLICING_BURST, true);
	fill(m, columns, DB_INTERFACE_POLICING_KPKTS_RATE, group,
	     DB_PORT_GROUP_POLICING_KPKTS_RATE, true);
	fill(m, columns, DB_INTERFACE_POLICING_KPKTS_BURST, group,
	     DB_PORT_GROUP_POLICING_KPKTS_BURST, true);
	return &m->row;
}

void db_merged_free(const struct ovsdb_client_row *merged,
		    const struct ovsdb_client_row *row)
{
	struct merged *m;
	struct ovsdb_type type;

	if (merged == row)
		return;
	m = CONTAINER_OF(merged, struct merged, row);
	db_column_type(DB_PORT_OTHER_CONFIG, &type);
	ovsdb_datum_destroy(&m->other, &type);
	free(m);
}
