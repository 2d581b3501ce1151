/*
 * Tables on demand. The schema's text is only scanned for where each table
 * begins and ends; a table that is asked for is parsed as a schema of its own,
 * in which the other tables are there by name only.
 */
#include "ctl/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct table_text {
	char *name;
	const char *text; /* the <table-schema> */
	size_t n;
	struct ovsdb_schema *schema; /* NULL until asked for */
};

struct tables {
	struct table_text *list;
	size_t n;
};

/* What is left of the text. */
struct scan {
	const char *p, *end;
};

static char peek(const struct scan *s)
{
	return s->p < s->end ? *s->p : '\0';
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p))
		s->p++;
}

/* Past a string; *s is at its opening quote. */
static void skip_string(struct scan *s)
{
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
		if (*s->p == '\\')
			s->p++;
	s->p++;
}

/* Past a value of any kind, up to the comma or bracket behind it. */
static void skip_value(struct scan *s)
{
	int depth = 0;

	for (; s->p < s->end; s->p++) {
		switch (*s->p) {
		case '"':
			skip_string(s);
			s->p--;
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (!depth--)
				return;
			break;
		case ',':
			if (!depth)
				return;
			break;
		}
	}
}

/*
 * The next member of an object, *s being behind its '{' or a value. Returns
 * the name (free it) with *s at the value, or NULL at the end.
 */
static char *next_member(struct scan *s)
{
	const char *start;
	size_t n;

	skip_space(s);
	if (peek(s) == ',')
		s->p++;
	skip_space(s);
	if (peek(s) != '"')
		return NULL;
	start = s->p + 1;
	skip_string(s);
	if (s->p > s->end)
		return NULL;
	n = (size_t)(s->p - 1 - start);
	skip_space(s);
	if (peek(s) != ':')
		return NULL;
	s->p++;
	skip_space(s);
	return strndup(start, n);
}

/* Enters the schema's member "tables". */
static bool find_tables(struct scan *s)
{
	char *name;
	bool found;

	skip_space(s);
	if (peek(s) != '{')
		return false;
	s->p++;
	while ((name = next_member(s))) {
		found = !strcmp(name, "tables") && peek(s) == '{';
		free(name);
		if (found) {
			s->p++;
			return true;
		}
		skip_value(s);
	}
	return false;
}

struct tables *tables_create(const char *text, size_t n, char **errp)
{
	struct scan s = { text, text + n };
	struct tables *t;
	char *name;

	if (!find_tables(&s)) {
		set_error(errp, -EINVAL, "the schema has no tables");
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	while ((name = next_member(&s))) {
		struct table_text *table;

		t->list = xrealloc(t->list, (t->n + 1) * sizeof(*t->list));
		table = &t->list[t->n++];
		memset(table, 0, sizeof(*table));
		table->name = name;
		table->text = s.p;
		skip_value(&s);
		table->n = (size_t)(MIN(s.p, s.end) - table->text);
	}
	return t;
}

void tables_destroy(struct tables *t)
{
	for (size_t i = 0; t && i < t->n; i++) {
		free(t->list[i].name);
		ovsdb_schema_destroy(t->list[i].schema);
	}
	if (t)
		free(t->list);
	free(t);
}

size_t tables_count(const struct tables *t)
{
	return t->n;
}

const char *tables_name(const struct tables *t, size_t i)
{
	return t->list[i].name;
}

/*
 * The table and, for its references, all others with one column of no meaning
 * and a mark as roots: without any mark every table would count as one.
 */
static json_t *schema_of_one(const struct tables *t, size_t wanted,
			     json_t *table)
{
	json_t *all = json_object();
	json_t *other = json_pack("{s:b, s:{s:{s:s}}}", "isRoot", true,
				  "columns", "unknown", "type", "integer");

	for (size_t i = 0; i < t->n; i++)
		json_object_set(all, t->list[i].name,
				i == wanted ? table : other);
	json_decref(other);
	return json_pack("{s:s, s:s, s:o}", "name", "one", "version", "0.0.0",
			 "tables", all);
}

const struct ovsdb_table_schema *tables_get(struct tables *t, size_t i,
					    char **errp)
{
	struct table_text *table = &t->list[i];
	json_t *json, *schema, *error;
	char *text;

	if (table->schema)
		return ovsdb_schema_table(table->schema, table->name);
	json = json_loadb(table->text, table->n, 0, NULL);
	if (!json) {
		set_error(errp, -EINVAL, "the schema of table %s is no JSON",
			  table->name);
		return NULL;
	}
	schema = schema_of_one(t, i, json);
	error = ovsdb_schema_from_json(&table->schema, schema);
	json_decref(schema);
	json_decref(json);
	if (error) {
		text = ovsdb_error_to_string(error);
		set_error(errp, -EINVAL, "table %s: %s", table->name, text);
		free(text);
		return NULL;
	}
	return ovsdb_schema_table(table->schema, table->name);
}
