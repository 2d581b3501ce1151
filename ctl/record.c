/* Tables, columns and records by name. */
#include "ctl/record.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/settings.h"
#include "ctl/tables.h"
#include "ctl/value.h"

/* Every table has it, no schema lists it. */
static const struct ovsdb_column uuid_column = {
	.name = (char *)"_uuid",
	.type = { .key = { .type = OVSDB_TYPE_UUID },
		  .value = { .type = OVSDB_TYPE_VOID },
		  .min = 1,
		  .max = 1 },
};

/* --- names ---------------------------------------------------------------- */

static int fold_case(char c)
{
	return c == '-' ? '_' : tolower((unsigned char)c);
}

/* Better ones are greater. */
enum match {
	MATCH_NONE,
	MATCH_OURS, /* as BEGINS, but gives way to a name of Open vSwitch's */
	MATCH_BEGINS,
	MATCH_SAME,
};

/* Tables that Open vSwitch does not have. */
static const char *const our_tables[] = {
	"ACL", "Forward", "Lease", "Port_Group", "Remote_MAC", "Segment",
};

static enum match match(const char *full, const char *typed)
{
	while (*typed && fold_case(*full) == fold_case(*typed)) {
		full++;
		typed++;
	}
	return *typed ? MATCH_NONE : *full ? MATCH_BEGINS : MATCH_SAME;
}

/*
 * As match(). What is short for one of Open vSwitch's tables ("p" for Port) is
 * so here, too, whatever tables are ours.
 */
static enum match match_table(const char *full, const char *typed)
{
	enum match level = match(full, typed);

	for (size_t i = 0; i < ARRAY_SIZE(our_tables); i++)
		if (level == MATCH_BEGINS && !strcmp(full, our_tables[i]))
			return MATCH_OURS;
	return level;
}

/* Collects matches of one name among many. */
struct matcher {
	const char *typed;
	size_t found;	  /* its position */
	enum match level; /* of what is found */
	int n;		  /* how many match as well */
	char *names;
	struct suggestion suggestion;
};

static void matcher_init(struct matcher *m, const char *typed)
{
	memset(m, 0, sizeof(*m));
	m->typed = typed;
	suggestion_init(&m->suggestion, typed);
}

static void matcher_offer(struct matcher *m, const char *name, size_t position,
			  enum match level)
{
	char *names;

	suggestion_offer(&m->suggestion, name);
	if (level == MATCH_NONE || level < m->level)
		return;
	if (level > m->level) {
		free(m->names);
		m->names = NULL;
		m->n = 0;
	}
	names = m->names ? xasprintf("%s, %s", m->names, name) : xstrdup(name);
	free(m->names);
	m->names = names;
	m->level = level;
	m->found = position;
	m->n++;
}

const struct ovsdb_table_schema *record_table(struct ctl *ctl, const char *name)
{
	struct tables *tables = ctl_tables(ctl);
	const struct ovsdb_table_schema *table;
	char hint[128], *error = NULL;
	struct matcher m;

	matcher_init(&m, name);
	for (size_t i = 0; i < tables_count(tables); i++)
		matcher_offer(&m, tables_name(tables, i), i,
			      match_table(tables_name(tables, i), name));
	if (m.n > 1)
		ctl_fatal("more than one table name matches \"%s\": %s", name,
			  m.names);
	if (!m.n)
		ctl_fatal("unknown table \"%s\"%s", name,
			  suggestion_phrase(&m.suggestion, hint, sizeof(hint)));
	free(m.names);
	table = tables_get(tables, m.found, &error);
	if (!table)
		ctl_fatal_error(error);
	return table;
}

static void __attribute__((noreturn))
no_such_column(const struct ovsdb_table_schema *table, const char *name,
	       struct suggestion *suggestion)
{
	/* A key of other_config, as it is in the manual. */
	char *key = settings_find_key(table->name, name), hint[128];

	if (key)
		snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", key);
	else
		suggestion_phrase(suggestion, hint, sizeof(hint));
	ctl_fatal("%s does not contain a column whose name matches \"%s\"%s",
		  table->name, name, hint);
}

const struct ovsdb_column *record_column(const struct ovsdb_table_schema *table,
					 const char *name, bool any)
{
	struct matcher m;

	matcher_init(&m, name);
	for (size_t i = 0; i < table->n_columns; i++)
		matcher_offer(&m, table->columns[i].name, i,
			      match(table->columns[i].name, name));
	if (any)
		matcher_offer(&m, uuid_column.name, table->n_columns,
			      match(uuid_column.name, name));
	if (m.n > 1)
		ctl_fatal("%s contains more than one column whose name matches "
			  "\"%s\": %s",
			  table->name, name, m.names);
	if (!m.n)
		no_such_column(table, name, &m.suggestion);
	free(m.names);
	return m.found < table->n_columns ? &table->columns[m.found]
					  : &uuid_column;
}

/* --- records -------------------------------------------------------------- */

/* Tables whose records go by another's name: "list QoS eth0". */
static const struct by_reference {
	const char *table, *from, *column;
} by_reference[] = {
	{ "AutoAttach", "Bridge", "auto_attach" },
	{ "Controller", "Bridge", "controller" },
	{ "Forward", "Segment", "forwards" },
	{ "IPFIX", "Bridge", "ipfix" },
	{ "Lease", "Segment", "leases" },
	{ "NetFlow", "Bridge", "netflow" },
	{ "QoS", "Port", "qos" },
	{ "Remote_MAC", "Interface", "remote_macs" },
	{ "sFlow", "Bridge", "sflow" },
};

/* Tables with at most one row, whose name is ".". */
static const char *const single_row[] = { "Open_vSwitch", "SSL" };

/* The column that is a record's name: "name" unless listed here. */
static const struct {
	const char *table, *column;
} name_columns[] = {
	{ "Manager", "target" },
	{ "Flow_Sample_Collector_Set", "id" },
};

const char *const *record_columns(const struct ovsdb_table_schema *table)
{
	static const char *const name_only[] = { "name", NULL };

	/* A bridge's ports may be thousands. */
	return !strcmp(table->name, "Bridge") ? name_only : NULL;
}

static const struct ovsdb_column *name_column(
	const struct ovsdb_table_schema *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(name_columns); i++)
		if (!strcmp(name_columns[i].table, table->name))
			return ovsdb_table_schema_column(
				table, name_columns[i].column);
	return ovsdb_table_schema_column(table, "name");
}

static struct view_row *find_single(struct ctl *ctl,
				    const struct ovsdb_table_schema *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(single_row); i++) {
		if (strcmp(table->name, single_row[i]))
			continue;
		view_root(ctl->view);
		view_fetch(ctl->view, table->name, json_array(), NULL);
		return view_next(ctl->view, table->name, NULL);
	}
	return NULL;
}

static struct view_row *find_by_name(struct ctl *ctl,
				     const struct ovsdb_table_schema *table,
				     const char *name)
{
	const struct ovsdb_column *column = name_column(table);
	struct view_row *row = NULL, *found = NULL;
	json_t *value;

	if (!column)
		return NULL;
	if (column->type.key.type == OVSDB_TYPE_INTEGER)
		value = json_integer(strtoll(name, NULL, 10));
	else
		value = json_string(name);
	if (json_is_string(value))
		found = view_by_name(ctl->view, table->name, column->name, name,
				     record_columns(table));
	else
		view_fetch(ctl->view, table->name,
			   view_where(column->name, "==", json_incref(value)),
			   record_columns(table));
	while ((row = view_next(ctl->view, table->name, row))) {
		json_t *v = view_peek(row, column->name);

		if (row == found || !v || !value_equals(v, value))
			continue;
		if (found)
			ctl_fatal("multiple rows in %s match \"%s\"; give a "
				  "UUID",
				  table->name, name);
		found = row;
	}
	json_decref(value);
	return found;
}

static struct view_row *find_by_reference(
	struct ctl *ctl, const struct ovsdb_table_schema *table,
	const char *name)
{
	const struct by_reference *by = NULL;
	struct view_row *from, *row = NULL;
	json_t *uuids;

	for (size_t i = 0; i < ARRAY_SIZE(by_reference); i++)
		if (!strcmp(by_reference[i].table, table->name))
			by = &by_reference[i];
	if (!by)
		return NULL;
	from = find_by_name(ctl, record_table(ctl, by->from), name);
	if (!from)
		return NULL;
	uuids = view_get_set(from, by->column);
	if (json_array_size(uuids) > 1)
		ctl_fatal("%s \"%s\" has more than one %s; give a UUID",
			  by->from, name, by->column);
	if (json_array_size(uuids))
		row = view_by_uuid(ctl->view, table->name,
				   json_string_value(json_array_get(
					   json_array_get(uuids, 0), 1)),
				   NULL);
	json_decref(uuids);
	return row;
}

/* By the first digits of its UUID, at least four. */
static struct view_row *find_by_digits(struct ctl *ctl,
				       const struct ovsdb_table_schema *table,
				       const char *digits)
{
	size_t len = strlen(digits);
	struct view_row *row = NULL, *found = NULL;

	if (len < 4 || len > UUID_LEN ||
	    strspn(digits, "0123456789abcdefABCDEF-") != len)
		return NULL;
	view_fetch(ctl->view, table->name, json_array(), record_columns(table));
	while ((row = view_next(ctl->view, table->name, row))) {
		if (strncasecmp(row->uuid, digits, len))
			continue;
		if (found)
			ctl_fatal("multiple rows in %s have a UUID that begins "
				  "with \"%s\"",
				  table->name, digits);
		found = row;
	}
	return found;
}

struct view_row *record_find(struct ctl *ctl,
			     const struct ovsdb_table_schema *table,
			     const char *name)
{
	const struct ovsdb_symbol *symbol;
	char text[UUID_LEN + 1];
	struct view_row *row;
	struct uuid uuid;

	if (uuid_from_string(&uuid, name))
		return view_by_uuid(ctl->view, table->name,
				    uuid_format(&uuid, text),
				    record_columns(table));
	if (*name == '@') {
		symbol = ovsdb_symbols_find(ctl->symbols, name);
		if (!symbol || !symbol->created)
			ctl_fatal("row id \"%s\" is used before it is created",
				  name);
		return view_by_uuid(ctl->view, table->name,
				    uuid_format(&symbol->uuid, text),
				    record_columns(table));
	}
	row = strcmp(name, ".") ? NULL : find_single(ctl, table);
	if (!row)
		row = find_by_name(ctl, table, name);
	if (!row)
		row = find_by_reference(ctl, table, name);
	if (!row)
		row = find_by_digits(ctl, table, name);
	return row;
}

static void __attribute__((noreturn))
no_row(struct ctl *ctl, const struct ovsdb_table_schema *table,
       const char *name)
{
	const struct ovsdb_column *column = name_column(table);
	struct view_row *row = NULL;
	struct suggestion s;
	char hint[256];

	suggestion_init(&s, name);
	if (column && column->type.key.type == OVSDB_TYPE_STRING) {
		view_fetch(ctl->view, table->name, json_array(),
			   (const char *const[]){ column->name, NULL });
		while ((row = view_next(ctl->view, table->name, row)))
			suggestion_offer(&s,
					 view_get_string(row, column->name));
	}
	ctl_fatal("no row \"%s\" in table %s%s", name, table->name,
		  suggestion_phrase(&s, hint, sizeof(hint)));
}

struct view_row *record_get(struct ctl *ctl,
			    const struct ovsdb_table_schema *table,
			    const char *name)
{
	struct view_row *row = record_find(ctl, table, name);

	if (!row)
		no_row(ctl, table, name);
	return row;
}

struct view_row *record_argument(struct ctl_command *cmd,
				 const struct ovsdb_table_schema *table)
{
	if (ctl_has_option(cmd, "--if-exists"))
		return record_find(cmd->ctl, table, cmd->argv[2]);
	return record_get(cmd->ctl, table, cmd->argv[2]);
}

/* --- symbols -------------------------------------------------------------- */

static const struct view_row *inserted_row(struct ctl *ctl,
					   const struct uuid *uuid)
{
	char text[UUID_LEN + 1];
	const struct view_row *row = view_first(ctl->view);

	uuid_format(uuid, text);
	while (row && (!row->inserted || strcmp(row->uuid, text)))
		row = row->next;
	return row;
}

void record_check_symbols(struct ctl *ctl)
{
	const struct ovsdb_symbol *s;

	for (size_t i = 0; (s = ovsdb_symbols_at(ctl->symbols, i)); i++) {
		const struct view_row *row;

		if (!s->created)
			ctl_fatal("row id \"%s\" is referenced but never "
				  "created (e.g. with \"-- --id=%s create "
				  "...\")",
				  s->name, s->name);
		row = s->referenced ? NULL : inserted_row(ctl, &s->uuid);
		if (row && !record_table(ctl, row->table)->is_root)
			ctl_warn("row id \"%s\" was created but no reference "
				 "to it was inserted, so it will not actually "
				 "appear in the database",
				 s->name);
	}
}
