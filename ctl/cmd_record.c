/* The record commands that look at or change single records. */
#include "ctl/cmd.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/record.h"
#include "ctl/value.h"

static bool wants_json(const struct ctl_command *cmd)
{
	return cmd->ctl->options.style.format == TABLE_JSON;
}

/* get --id=@NAME: gives a name to a record that is there. */
static void name_record(struct ctl_command *cmd, const struct view_row *row)
{
	const char *id = ctl_option(cmd, "--id");
	struct ovsdb_symbol *symbol;

	if (!id)
		return;
	if (ctl_has_option(cmd, "--if-exists"))
		ctl_fatal("get: --if-exists and --id cannot be used together");
	if (*id != '@' || !id[1])
		ctl_fatal("row id \"%s\" does not begin with \"@\" and a name",
			  id);
	symbol = ovsdb_symbols_get(cmd->ctl->symbols, id);
	if (symbol->created)
		ctl_fatal("row id \"%s\" may only be specified on one --id "
			  "option",
			  id);
	if (symbol->referenced)
		ctl_fatal("row id \"%s\" specified on \"get\" command was used "
			  "before it was defined",
			  id);
	symbol->created = true;
	uuid_from_string(&symbol->uuid, row->uuid);
}

static void get_key(struct ctl_command *cmd, struct view_row *row,
		    const struct record_argument *parts,
		    const struct ovsdb_datum *datum)
{
	const struct ovsdb_type *type = &parts->column->type;
	union ovsdb_atom key;
	char *text;
	int at;

	if (!ovsdb_type_is_map(type))
		ctl_fatal("cannot specify key to get for non-map column %s",
			  parts->column->name);
	record_parse_atom(cmd->ctl, &key, &type->key, parts->column,
			  parts->key);
	at = ovsdb_datum_find_key(datum, &key, type->key.type);
	if (at < 0 && !ctl_has_option(cmd, "--if-exists"))
		ctl_fatal("no key \"%s\" in %s record \"%s\" column %s",
			  parts->key, row->table, cmd->argv[2],
			  parts->column->name);
	if (wants_json(cmd)) {
		json_object_set_new(
			cmd->json, parts->key,
			at < 0 ? json_null()
			       : ovsdb_atom_to_json(&datum->values[at],
						    type->value.type));
	} else {
		text = at < 0 ? xstrdup("")
			      : ovsdb_atom_to_string(&datum->values[at],
						     type->value.type);
		fprintf(cmd->out, "%s\n", text);
		free(text);
	}
	ovsdb_atom_destroy(&key, type->key.type);
}

static void get_column(struct ctl_command *cmd, struct view_row *row,
		       const struct record_argument *parts)
{
	const struct ovsdb_type *type = &parts->column->type;
	struct ovsdb_datum datum;
	char *text;

	record_datum(row, parts->column, &datum);
	if (parts->key) {
		get_key(cmd, row, parts, &datum);
	} else if (wants_json(cmd)) {
		json_object_set_new(cmd->json, parts->column->name,
				    ovsdb_datum_to_json(&datum, type));
	} else {
		text = record_text(&datum, type, TABLE_DATA_STRING);
		fprintf(cmd->out, "%s\n", text);
		free(text);
	}
	ovsdb_datum_destroy(&datum, type);
}

static void cmd_get(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct view_row *row = record_argument(cmd, table);

	if (wants_json(cmd))
		cmd->json = json_object();
	if (!row)
		return;
	name_record(cmd, row);
	for (int i = 3; i < cmd->argc; i++) {
		struct record_argument parts;

		record_split(table, cmd->argv[i], NULL, true, &parts);
		get_column(cmd, row, &parts);
		free(parts.key);
	}
}

static void cmd_set(struct ctl_command *cmd)
{
	struct view_row *row =
		record_argument(cmd, record_table(cmd->ctl, cmd->argv[1]));

	for (int i = 3; row && i < cmd->argc; i++)
		record_set(cmd->ctl, row, cmd->argv[i]);
}

/* Any number of elements: a type for parsing what is added or removed. */
static struct ovsdb_type unlimited(const struct ovsdb_type *type)
{
	struct ovsdb_type t = *type;

	t.min = 0;
	t.max = UINT_MAX;
	return t;
}

static void check_count(const struct ctl_command *cmd,
			const struct ovsdb_column *column,
			const struct ovsdb_datum *datum, const char *table)
{
	const struct ovsdb_type *type = &column->type;
	const char *what = ovsdb_type_is_map(type) ? "pairs" : "values";

	if (datum->n > type->max)
		ctl_fatal("\"%s\" operation would put %u %s in column %s of "
			  "table %s but the maximum number is %u",
			  cmd->argv[0], datum->n, what, column->name, table,
			  type->max);
	if (datum->n < type->min)
		ctl_fatal("\"%s\" operation would put %u %s in column %s of "
			  "table %s but the minimum number is %u",
			  cmd->argv[0], datum->n, what, column->name, table,
			  type->min);
}

/* What to send for a column that went from old to new by one argument. */
static void store(struct view_row *row, const struct ovsdb_column *column,
		  const struct ovsdb_datum *new, const char *mutator,
		  json_t *argument)
{
	if (column->type.max == 1) {
		view_set(row, column->name,
			 ovsdb_datum_to_json(new, &column->type));
		json_decref(argument);
	} else {
		view_mutate(row, column->name, mutator, argument);
	}
}

/* A map's keys whose values an addition replaces go first. */
static void delete_replaced(struct view_row *row,
			    const struct ovsdb_column *column,
			    const struct ovsdb_datum *old,
			    const struct ovsdb_datum *more)
{
	const struct ovsdb_type *type = &column->type;

	for (unsigned int i = 0; i < more->n; i++) {
		int at = ovsdb_datum_find_key(old, &more->keys[i],
					      type->key.type);

		if (at >= 0 &&
		    !ovsdb_atom_equals(&old->values[at], &more->values[i],
				       type->value.type))
			view_mutate(
				row, column->name, "delete",
				json_pack("[s, [o]]", "set",
					  ovsdb_atom_to_json(&more->keys[i],
							     type->key.type)));
	}
}

static void add_value(struct ctl_command *cmd, struct view_row *row,
		      const struct ovsdb_column *column, const char *text)
{
	const struct ovsdb_type *type = &column->type;
	struct ovsdb_type t = unlimited(type);
	struct ovsdb_datum old, new, more;

	record_parse(cmd->ctl, &more, &t, column, text);
	record_check_settings(cmd->ctl, row, column, &more);
	record_datum(row, column, &old);
	ovsdb_datum_clone(&new, &old);
	ovsdb_datum_union(&new, &more, type, true);
	check_count(cmd, column, &new, row->table);
	if (!ovsdb_datum_equals(&old, &new, type)) {
		if (ovsdb_type_is_map(type))
			delete_replaced(row, column, &old, &more);
		store(row, column, &new, "insert",
		      ovsdb_datum_to_json(&more, &t));
	}
	ovsdb_datum_destroy(&old, type);
	ovsdb_datum_destroy(&new, type);
	ovsdb_datum_destroy(&more, &t);
}

static void cmd_add(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	const struct ovsdb_column *column =
		record_column(table, cmd->argv[3], false);
	struct view_row *row = record_argument(cmd, table);

	if (!row)
		return;
	record_check_mutable(row, column);
	for (int i = 4; i < cmd->argc; i++)
		add_value(cmd, row, column, cmd->argv[i]);
}

/* Whether a map's argument has pairs: an '=' outside quotes. */
static bool has_pairs(const char *s)
{
	bool quoted = false;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '=' && !quoted)
			return true;
	}
	return false;
}

static void remove_value(struct ctl_command *cmd, struct view_row *row,
			 const struct ovsdb_column *column, const char *text)
{
	const struct ovsdb_type *type = &column->type;
	struct ovsdb_type t = unlimited(type);
	struct ovsdb_datum old, new, less;

	if (ovsdb_type_is_map(type) && !has_pairs(text))
		ovsdb_base_type_init(&t.value, OVSDB_TYPE_VOID);
	record_parse(cmd->ctl, &less, &t, column, text);
	record_datum(row, column, &old);
	ovsdb_datum_clone(&new, &old);
	ovsdb_datum_subtract(&new, type, &less, &t);
	check_count(cmd, column, &new, row->table);
	if (!ovsdb_datum_equals(&old, &new, type))
		store(row, column, &new, "delete",
		      ovsdb_datum_to_json(&less, &t));
	ovsdb_datum_destroy(&old, type);
	ovsdb_datum_destroy(&new, type);
	ovsdb_datum_destroy(&less, &t);
}

static void cmd_remove(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	const struct ovsdb_column *column =
		record_column(table, cmd->argv[3], false);
	struct view_row *row = record_argument(cmd, table);

	if (!row)
		return;
	record_check_mutable(row, column);
	for (int i = 4; i < cmd->argc; i++)
		remove_value(cmd, row, column, cmd->argv[i]);
}

static void cmd_clear(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct view_row *row = record_argument(cmd, table);

	for (int i = 3; row && i < cmd->argc; i++) {
		const struct ovsdb_column *column =
			record_column(table, cmd->argv[i], false);

		record_check_mutable(row, column);
		if (column->type.min)
			ctl_fatal("\"clear\" operation cannot be applied to "
				  "column %s of table %s, which is not allowed "
				  "to be empty",
				  column->name, table->name);
		view_set(row, column->name,
			 ovsdb_type_is_map(&column->type)
				 ? json_pack("[s, []]", "map")
				 : value_set());
	}
}

/* Inserts the row of "create", which --id may have given a name or UUID. */
static struct view_row *insert_named(struct ctl_command *cmd, const char *table)
{
	const char *id = ctl_option(cmd, "--id");
	struct ovsdb_symbol *symbol;
	struct uuid uuid;

	if (!id)
		return view_insert(cmd->ctl->view, table);
	if (uuid_from_string(&uuid, id)) {
		struct view_row *row =
			view_insert_uuid(cmd->ctl->view, table, &uuid);

		row->named = true;
		return row;
	}
	if (*id != '@' || !id[1])
		ctl_fatal("row id \"%s\" is neither a UUID nor \"@\" and a "
			  "name",
			  id);
	symbol = ovsdb_symbols_get(cmd->ctl->symbols, id);
	if (symbol->created)
		ctl_fatal("row id \"%s\" may only be specified on one --id "
			  "option",
			  id);
	symbol->created = true;
	return view_insert_uuid(cmd->ctl->view, table, &symbol->uuid);
}

static void cmd_create(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct view_row *row;

	if (!table->is_root && !ctl_has_option(cmd, "--id"))
		ctl_warn("applying \"create\" command to table %s without --id "
			 "option will have no effect",
			 table->name);
	row = insert_named(cmd, table->name);
	for (int i = 2; i < cmd->argc; i++)
		record_set(cmd->ctl, row, cmd->argv[i]);
	cmd->row = row;
}

/* The UUID is known only now. */
static void create_committed(struct ctl_command *cmd)
{
	output_string(cmd, cmd->row->uuid);
}

static void cmd_destroy(struct ctl_command *cmd)
{
	const struct ovsdb_table_schema *table =
		record_table(cmd->ctl, cmd->argv[1]);
	struct view_row *row = NULL;

	if (ctl_has_option(cmd, "--all")) {
		if (cmd->argc > 2)
			ctl_fatal("--all and records argument should not be "
				  "specified together");
		if (ctl_has_option(cmd, "--if-exists"))
			ctl_fatal("--all and --if-exists should not be "
				  "specified together");
		view_fetch(cmd->ctl->view, table->name, json_array(),
			   record_columns(table));
		while ((row = view_next(cmd->ctl->view, table->name, row)))
			view_delete(row, table->is_root);
		return;
	}
	for (int i = 2; i < cmd->argc; i++) {
		row = ctl_has_option(cmd, "--if-exists")
			      ? record_find(cmd->ctl, table, cmd->argv[i])
			      : record_get(cmd->ctl, table, cmd->argv[i]);
		if (row)
			view_delete(row, table->is_root);
	}
}

static void cmd_comment(struct ctl_command *cmd)
{
	/* The whole command line is in the transaction's comment. */
}

const struct ctl_command_class record_commands[] = {
	{ "list", "TABLE [RECORD]...", 1, INT_MAX, "--if-exists --columns=",
	  "print records, or all of a table", NULL, cmd_list, NULL },
	{ "find", "TABLE [COLUMN[:KEY]=VALUE]...", 1, INT_MAX,
	  "--columns=", "print the records that fulfil all conditions", NULL,
	  cmd_find, NULL },
	{ "get", "TABLE RECORD [COLUMN[:KEY]]...", 2, INT_MAX,
	  "--if-exists --id=", "print values of a record", NULL, cmd_get,
	  NULL },
	{ "set", "TABLE RECORD COLUMN[:KEY]=VALUE...", 3, INT_MAX,
	  "--if-exists", "set columns, or keys of map columns", NULL, cmd_set,
	  NULL },
	{ "add", "TABLE RECORD COLUMN [KEY=]VALUE...", 4, INT_MAX,
	  "--if-exists", "add values to a set or pairs to a map", NULL, cmd_add,
	  NULL },
	{ "remove", "TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE...", 4, INT_MAX,
	  "--if-exists", "remove values, keys or pairs", NULL, cmd_remove,
	  NULL },
	{ "clear", "TABLE RECORD COLUMN...", 3, INT_MAX, "--if-exists",
	  "make columns empty", NULL, cmd_clear, NULL },
	{ "create", "TABLE COLUMN[:KEY]=VALUE...", 2, INT_MAX,
	  "--id=", "create a record and print its UUID", NULL, cmd_create,
	  create_committed },
	{ "destroy", "TABLE RECORD...", 1, INT_MAX, "--if-exists --all",
	  "delete records (of tables whose rows stand alone)", NULL,
	  cmd_destroy, NULL },
	{ "wait-until", "TABLE RECORD [COLUMN[:KEY]=VALUE]...", 2, INT_MAX, "",
	  "wait until a record exists and fulfils all conditions", NULL,
	  cmd_wait_until, NULL },
	{ "comment", "[WORD]...", 0, INT_MAX, "",
	  "do nothing but appear in the database's log", NULL, cmd_comment,
	  NULL },
};
const size_t n_record_commands = ARRAY_SIZE(record_commands);
