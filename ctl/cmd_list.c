/* The record commands that print tables or wait for a record. */
#include "ctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/condition.h"
#include "ctl/record.h"
#include "ctl/table.h"

/* The columns to print: all, "_uuid" first, or those of --columns. */
struct columns {
	const struct ovsdb_column **list;
	size_t n;
};

static void add_column(struct columns *c, const struct ovsdb_column *column)
{
	c->list = xrealloc(c->list, (c->n + 1) * sizeof(*c->list));
	c->list[c->n++] = column;
}

static struct columns parse_columns(const struct ctl_command *cmd,
				    const struct ovsdb_table_schema *table)
{
	const char *spec = ctl_option(cmd, "--columns");
	struct columns c = { NULL, 0 };
	char *copy, *name, *save = NULL;

	if (!spec) {
		add_column(&c, record_column(table, "_uuid", true));
		for (size_t i = 0; i < table->n_columns; i++)
			add_column(&c, &table->columns[i]);
		return c;
	}
	copy = xstrdup(spec);
	for (name = strtok_r(copy, ", ", &save); name;
	     name = strtok_r(NULL, ", ", &save))
		add_column(&c, record_column(table, name, true));
	free(copy);
	if (!c.n)
		ctl_fatal("must specify at least one column name in "
			  "--columns=%s",
			  spec);
	return c;
}

static void add_row(struct ctl_command *cmd, struct view_row *row,
		    const struct columns *columns)
{
	enum table_data data = cmd->ctl->options.style.data;

	table_add_row(cmd->table);
	for (size_t i = 0; i < columns->n; i++) {
		const struct ovsdb_column *column = columns->list[i];
		struct ovsdb_datum datum;

		record_datum(row, column, &datum);
		table_add_cell(cmd->table,
			       record_text(&datum, &column->type, data),
			       ovsdb_datum_to_json(&datum, &column->type));
		ovsdb_datum_destroy(&datum, &column->type);
	}
}

static void start_table(struct ctl_command *cmd, const struct columns *columns)
{
	cmd->table = table_create();
	for (size_t i = 0; i < columns->n; i++)
		table_add_column(cmd->table, columns->list[i]->name);
}

static int compare_rows(const void *a, const void *b)
{
	struct view_row *x = *(struct view_row *const *)a;
	struct view_row *y = *(struct view_row *const *)b;
	const char *name_x = json_string_value(view_peek(x, "name"));
	const char *name_y = json_string_value(view_peek(y, "name"));
	int order = name_x && name_y ? strcmp(name_x, name_y) : 0;

	return order ? order : strcmp(x->uuid, y->uuid);
}

static void add_name(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(names[i], name))
			return;
	if (strcmp(name, "_uuid"))
		names[(*n)++] = name;
}

/*
 * All rows of a table with the columns fetched that are needed, by name where
 * they have one. free() it.
 */
static struct view_row **all_rows(struct ctl_command *cmd,
				  const struct ovsdb_table_schema *table,
				  const struct columns *needed, size_t *n)
{
	const char **names = xcalloc(needed->n + 2, sizeof(*names));
	struct view_row *row = NULL, **rows = NULL;
	size_t n_names = 0;

	for (size_t i = 0; i < needed->n; i++)
		add_name(names, &n_names, needed->list[i]->name);
	if (ovsdb_table_schema_column(table, "name"))
		add_name(names, &n_names, "name");
	/*
	 * All columns are not asked for by name: a server of another version
	 * may lack one of ours.
	 */
	view_fetch(cmd->ctl->view, table->name, json_array(),
		   n_names == table->n_columns ? NULL : names);
	free(names);
	*n = 0;
	while ((row = view_next(cmd->ctl->view, table->name, row))) {
		rows = xrealloc(rows, (*n + 1) * sizeof(*rows));
		rows[(*n)++] = row;
	}
	if (*n)
		qsort(rows, *n, sizeof(*rows), compare_rows);
	return rows;
}

void cmd_list(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct columns columns = parse_columns(cmd, table);
	struct view_row **rows;
	size_t n = 0;

	start_table(cmd, &columns);
	rows = cmd->argc > 2 ? NULL : all_rows(cmd, table, &columns, &n);
	for (size_t i = 0; i < n; i++)
		add_row(cmd, rows[i], &columns);
	for (int i = 2; i < cmd->argc; i++) {
		struct view_row *row =
			ctl_has_option(cmd, "--if-exists")
				? record_find(cmd->ctl, table, cmd->argv[i])
				: record_get(cmd->ctl, table, cmd->argv[i]);

		if (row)
			add_row(cmd, row, &columns);
	}
	free(rows);
	free(columns.list);
}

static bool all_hold(struct condition *const conditions[], size_t n,
		     struct view_row *row)
{
	for (size_t i = 0; i < n; i++)
		if (!condition_holds(conditions[i], row))
			return false;
	return true;
}

static struct condition **parse_conditions(
	struct ctl_command *cmd, const struct ovsdb_table_schema *table,
	int from, size_t *n)
{
	struct condition **list = xcalloc(cmd->argc, sizeof(*list));

	*n = 0;
	for (int i = from; i < cmd->argc; i++)
		list[(*n)++] = condition_parse(cmd->ctl, table, cmd->argv[i]);
	return list;
}

static void free_conditions(struct condition **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		condition_destroy(list[i]);
	free(list);
}

void cmd_find(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct columns columns = parse_columns(cmd, table);
	struct columns needed = { NULL, 0 };
	struct condition **conditions;
	struct view_row **rows;
	size_t n, n_conditions;

	conditions = parse_conditions(cmd, table, 2, &n_conditions);
	for (size_t i = 0; i < columns.n; i++)
		add_column(&needed, columns.list[i]);
	for (size_t i = 0; i < n_conditions; i++)
		add_column(&needed, condition_column(conditions[i]));
	start_table(cmd, &columns);
	rows = all_rows(cmd, table, &needed, &n);
	for (size_t i = 0; i < n; i++)
		if (all_hold(conditions, n_conditions, rows[i]))
			add_row(cmd, rows[i], &columns);
	free_conditions(conditions, n_conditions);
	free(rows);
	free(needed.list);
	free(columns.list);
}

void cmd_wait_until(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct condition **conditions;
	struct view_row *row;
	size_t n;

	conditions = parse_conditions(cmd, table, 3, &n);
	row = record_find(cmd->ctl, table, cmd->argv[2]);
	if (!row || !all_hold(conditions, n, row))
		cmd->ctl->waiting_for = table->name;
	free_conditions(conditions, n);
}
