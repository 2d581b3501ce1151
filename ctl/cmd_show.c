/*
 * show: the configuration at a glance. Each table shows a few columns of its
 * rows, and those that refer to another such table show its rows below.
 */
#include "ctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/record.h"
#include "ctl/show.h"
#include "ctl/value.h"

#define MAX_COLUMNS 8
#define MAX_HIDDEN  3

static const struct show_table {
	const char *table;
	const char *name;  /* the column that is a row's name, or NULL */
	const char *label; /* of the list of its rows, in JSON */
	const char *columns[MAX_COLUMNS];
	const char *hidden[MAX_HIDDEN]; /* looked at, but not shown */
} show_tables[] = {
	{ .table = "Open_vSwitch",
	  .label = "switch",
	  .columns = { "manager_options", "bridges", "ovs_version" } },
	{ .table = "Bridge",
	  .name = "name",
	  .label = "bridges",
	  .columns = { "controller", "fail_mode", "datapath_type", "ports" } },
	{ .table = "Port",
	  .name = "name",
	  .label = "ports",
	  .columns = { "tag", "trunks", "bond_mode", "lacp", "interfaces" },
	  .hidden = { "other_config", "bond_active_slave" } },
	{ .table = "Interface",
	  .name = "name",
	  .label = "interfaces",
	  .columns = { "type", "options", "error" },
	  .hidden = { "mac_in_use", "link_state", "lacp_current" } },
	{ .table = "Controller",
	  .name = "target",
	  .label = "controllers",
	  .columns = { "is_connected" } },
	{ .table = "Manager",
	  .name = "target",
	  .label = "managers",
	  .columns = { "is_connected" } },
};

static const struct show_table *find_table(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(show_tables); i++)
		if (!strcmp(show_tables[i].table, name))
			return &show_tables[i];
	return NULL;
}

/* The columns to fetch of a table: those shown, and the name. */
static void want_table(struct ctl *ctl, const struct show_table *t)
{
	const char *columns[MAX_COLUMNS + MAX_HIDDEN + 2];
	size_t n = 0;

	/* By name, a column that a server lacks would be an error. */
	if (!strcmp(t->table, "Bridge")) {
		view_want(ctl->view, t->table, json_array(), NULL);
		return;
	}
	while (n < MAX_COLUMNS && t->columns[n]) {
		columns[n] = t->columns[n];
		n++;
	}
	for (size_t i = 0; i < MAX_HIDDEN && t->hidden[i]; i++)
		columns[n++] = t->hidden[i];
	if (t->name)
		columns[n++] = t->name;
	columns[n] = NULL;
	view_want(ctl->view, t->table, json_array(), columns);
}

void cmd_show_prefetch(struct ctl_command *cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(show_tables); i++)
		want_table(cmd->ctl, &show_tables[i]);
}

static void show_row(struct ctl_command *cmd, const struct show_table *t,
		     struct view_row *row, struct view_row *parent, int depth,
		     json_t *into);

static int compare_by_name(const void *a, const void *b)
{
	struct view_row *x = *(struct view_row *const *)a;
	struct view_row *y = *(struct view_row *const *)b;
	const char *column = find_table(x->table)->name;

	return strcmp(view_get_string(x, column), view_get_string(y, column));
}

/* The rows that a column refers to, sorted by name. */
static void show_references(struct ctl_command *cmd, const struct show_table *t,
			    struct view_row *row, const char *column, int depth,
			    json_t *into)
{
	json_t *uuids = view_get_set(row, column), *u;
	struct view_row **rows;
	size_t i, n = 0;

	rows = xcalloc(json_array_size(uuids), sizeof(*rows));
	json_array_foreach(uuids, i, u) {
		struct view_row *r = view_by_uuid(
			cmd->ctl->view, t->table,
			json_string_value(json_array_get(u, 1)), NULL);

		if (r)
			rows[n++] = r;
	}
	if (n)
		qsort(rows, n, sizeof(*rows), compare_by_name);
	if (into)
		json_object_set_new(into, t->label, json_array());
	for (i = 0; i < n; i++)
		show_row(cmd, t, rows[i], row, depth, into);
	json_decref(uuids);
	free(rows);
}

static json_t *plain_json(const json_t *value)
{
	json_t *elements = value_elements(value), *object, *pair;
	size_t i;

	if (!value_is_map(value)) {
		if (json_is_array(value))
			return elements;
		json_decref(elements);
		return json_incref((json_t *)value);
	}
	object = json_object();
	json_array_foreach(elements, i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));

		if (key)
			json_object_set(object, key, json_array_get(pair, 1));
	}
	json_decref(elements);
	return object;
}

void show_value(struct ctl_command *cmd, struct view_row *row,
		const struct ovsdb_column *column, int depth, json_t *into)
{
	struct ovsdb_datum datum;
	char *text;

	record_datum(row, column, &datum);
	if (!ovsdb_datum_is_default(&datum, &column->type)) {
		if (into)
			json_object_set_new(
				into, column->name,
				plain_json(view_get(row, column->name)));
		text = record_text(&datum, &column->type, TABLE_DATA_STRING);
		fprintf(cmd->out, "%*s%s: %s\n", depth * 4, "", column->name,
			text);
		free(text);
	}
	ovsdb_datum_destroy(&datum, &column->type);
}

void show_text(struct ctl_command *cmd, int depth, json_t *into,
	       const char *name, const char *value)
{
	fprintf(cmd->out, "%*s%s: %s\n", depth * 4, "", name, value);
	if (into)
		json_object_set_new(into, name, json_string(value));
}

/* Of a bond: how it shares, when that is no column, and who is active. */
static void show_bond(struct ctl_command *cmd, struct view_row *port, int depth,
		      json_t *into)
{
	const char *policy = view_get_key(port, "other_config", "bond-policy");
	const char *active = view_get_string(port, "bond_active_slave");
	json_t *uuids = view_get_set(port, "interfaces"), *u;
	size_t i;

	if (policy && json_array_size(uuids) > 1)
		show_text(cmd, depth, into, "bond-policy", policy);
	json_array_foreach(uuids, i, u) {
		struct view_row *iface = view_by_uuid(
			cmd->ctl->view, "Interface",
			json_string_value(json_array_get(u, 1)), NULL);

		if (!iface || !*active || json_array_size(uuids) < 2 ||
		    strcmp(view_get_string(iface, "mac_in_use"), active))
			continue;
		show_text(cmd, depth, into, "active_member",
			  view_get_string(iface, "name"));
		break;
	}
	json_decref(uuids);
}

/* One member is used at a time, by the mode that is set. */
static bool is_active_backup(struct view_row *port)
{
	const char *mode = view_get_string(port, "bond_mode");

	return !view_get_key(port, "other_config", "bond-policy") &&
	       (!*mode || !strcmp(mode, "active-backup"));
}

/*
 * Why a bond's member carries nothing, as far as the database knows; NULL when
 * it does or may.
 */
static const char *member_state(struct view_row *port, struct view_row *iface)
{
	const char *active = view_get_string(port, "bond_active_slave");
	const char *lacp = view_get_string(port, "lacp");
	const char *fallback =
		view_get_key(port, "other_config", "lacp-fallback-ab");

	if (!strcmp(view_get_string(iface, "link_state"), "down"))
		return "down";
	if (*lacp && strcmp(lacp, "off") &&
	    json_is_false(view_get(iface, "lacp_current")) &&
	    (!fallback || strcmp(fallback, "true")))
		return "kept out by LACP";
	if (is_active_backup(port) && *active &&
	    strcmp(active, view_get_string(iface, "mac_in_use")))
		return "standby";
	return NULL;
}

static void show_member(struct ctl_command *cmd, struct view_row *port,
			struct view_row *iface, int depth, json_t *into)
{
	json_t *uuids = view_get_set(port, "interfaces");
	const char *state =
		json_array_size(uuids) > 1 ? member_state(port, iface) : NULL;

	if (state)
		show_text(cmd, depth, into, "state", state);
	json_decref(uuids);
}

static void show_columns(struct ctl_command *cmd, const struct show_table *t,
			 struct view_row *row, int depth, json_t *into)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, t->table);

	for (size_t i = 0; i < MAX_COLUMNS && t->columns[i]; i++) {
		const struct ovsdb_column *column =
			record_column(table, t->columns[i], false);
		const struct ovsdb_base_type *key = &column->type.key;
		const struct show_table *target = NULL;

		if (key->type == OVSDB_TYPE_UUID)
			target = find_table(key->uuid.ref_table_name);
		if (!strcmp(column->name, "interfaces"))
			show_bond(cmd, row, depth, into);
		if (target)
			show_references(cmd, target, row, column->name, depth,
					into);
		else
			show_value(cmd, row, column, depth, into);
	}
}

/* parent: the row that refers to it; NULL for the first. */
static void show_row(struct ctl_command *cmd, const struct show_table *t,
		     struct view_row *row, struct view_row *parent, int depth,
		     json_t *into)
{
	json_t *object = into ? json_object() : NULL;
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, t->table);
	struct ovsdb_datum name;
	char *text;

	if (t->name) {
		const struct ovsdb_column *column =
			record_column(table, t->name, false);

		record_datum(row, column, &name);
		text = record_text(&name, &column->type, TABLE_DATA_STRING);
		fprintf(cmd->out, "%*s%s %s\n", depth * 4, "", t->table, text);
		free(text);
		ovsdb_datum_destroy(&name, &column->type);
		if (into)
			json_object_set(object, t->name,
					view_get(row, t->name));
	} else {
		fprintf(cmd->out, "%*s%s\n", depth * 4, "", row->uuid);
		if (into)
			json_object_set_new(object, "_uuid",
					    json_string(row->uuid));
	}
	if (parent && !strcmp(t->table, "Interface"))
		show_member(cmd, parent, row, depth + 1, object);
	if (!strcmp(t->table, "Bridge"))
		show_segment(cmd, row, depth + 1, object);
	show_columns(cmd, t, row, depth + 1, object);
	if (!strcmp(t->table, "Interface"))
		show_remote_macs(cmd, row, depth + 1, object);
	if (into)
		json_array_append_new(json_object_get(into, t->label), object);
}

void cmd_show(struct ctl_command *cmd)
{
	bool json = cmd->ctl->options.style.format == TABLE_JSON;
	json_t *top = json ? json_pack("{s:[]}", show_tables[0].label) : NULL;

	show_row(cmd, &show_tables[0], view_root(cmd->ctl->view), NULL, 0, top);
	if (json)
		cmd->json = json_incref(json_array_get(
			json_object_get(top, show_tables[0].label), 0));
	json_decref(top);
}
