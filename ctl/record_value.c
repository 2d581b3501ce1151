/* Values of records: taken from the view, typed by people, shown to them. */
#include "ctl/record.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/settings.h"
#include "ctl/value.h"

/* What ends a bare word in "COLUMN:KEY=VALUE". */
#define DELIMITERS ":=, []{}!<>"
/* The numbers of one range. */
#define MAX_RANGE 4096

void record_datum(struct view_row *row, const struct ovsdb_column *column,
		  struct ovsdb_datum *datum)
{
	json_t *value = strcmp(column->name, "_uuid")
				? json_incref(view_get(row, column->name))
				: value_uuid(row->uuid);
	json_t *error;

	if (!value) {
		ovsdb_datum_init_default(datum, &column->type);
		return;
	}
	error = ovsdb_datum_from_json(datum, &column->type, value, NULL);
	if (error)
		ctl_fatal("the database's value of column %s in table %s is "
			  "none of this program's: %s",
			  column->name, row->table,
			  ovsdb_error_to_string(error));
	json_decref(value);
}

/* --- what people type ------------------------------------------------------
 */

/*
 * The length of one element: up to a space, a comma or the closing bracket,
 * none of which count inside double quotes.
 */
static size_t element_length(const char *s, char close)
{
	size_t n = 0;

	while (s[n] && s[n] != ' ' && s[n] != ',' && s[n] != close) {
		if (s[n++] != '"')
			continue;
		while (s[n] && s[n] != '"')
			n += s[n] == '\\' && s[n + 1] ? 2 : 1;
		n += s[n] == '"';
	}
	return n;
}

/* Writes an element; of integers it may be a range, which is written out. */
static size_t put_element(const char *s, size_t n, bool ranges, FILE *stream)
{
	long long first, last;
	int end = 0;

	if (!ranges || sscanf(s, "%lld-%lld%n", &first, &last, &end) != 2 ||
	    (size_t)end != n) {
		fwrite(s, 1, n, stream);
		return 1;
	}
	if (last < first || last - first >= MAX_RANGE)
		ctl_fatal("%.*s is not a valid range: it goes from a lower to "
			  "a higher number, over at most %d numbers",
			  (int)n, s, MAX_RANGE);
	for (long long i = first; i <= last; i++)
		fprintf(stream, "%lld%s", i, i < last ? "," : "");
	return (size_t)(last - first) + 1;
}

/*
 * A value in one form: elements may be separated by spaces or commas and be in
 * brackets or not. A scalar becomes its only element, anything else a list in
 * brackets. The caller frees it.
 */
static char *canonical(const char *text, const struct ovsdb_type *type)
{
	bool map = ovsdb_type_is_map(type);
	const char *s = text + strspn(text, " ");
	char open = map ? '{' : '[', close = '\0', *result;
	size_t size, n = 0;
	FILE *stream = open_memstream(&result, &size);

	if (*s == open) {
		close = map ? '}' : ']';
		s++;
	}
	if (!ovsdb_type_is_scalar(type))
		putc(open, stream);
	for (s += strspn(s, ", "); *s && *s != close; s += strspn(s, ", ")) {
		size_t len = element_length(s, close);

		if (n)
			putc(',', stream);
		n += put_element(s, len,
				 type->key.type == OVSDB_TYPE_INTEGER && !map,
				 stream);
		s += len;
	}
	if (close && (*s != close || s[1 + strspn(s + 1, " ")]))
		ctl_fatal("%s: \"%c\" has to be the end of what \"%c\" begins",
			  text, close, open);
	if (!ovsdb_type_is_scalar(type))
		putc(map ? '}' : ']', stream);
	fclose(stream);
	if (n > type->max || n < type->min)
		ctl_fatal("%s: %zu value(s) specified but the %s number is %u",
			  text, n, n > type->max ? "maximum" : "minimum",
			  n > type->max ? type->max : type->min);
	return result;
}

void record_parse(struct ctl *ctl, struct ovsdb_datum *datum,
		  const struct ovsdb_type *type,
		  const struct ovsdb_column *column, const char *text)
{
	char *error = NULL, *value = canonical(text, type);

	if (ovsdb_datum_from_string(datum, type, value, ctl->symbols, &error))
		ctl_fatal("column %s: %s", column->name, error);
	free(value);
}

void record_parse_atom(struct ctl *ctl, union ovsdb_atom *atom,
		       const struct ovsdb_base_type *base,
		       const struct ovsdb_column *column, const char *text)
{
	char *error = NULL;

	if (ovsdb_atom_from_string(atom, base, text, ctl->symbols, &error))
		ctl_fatal("column %s: %s", column->name, error);
}

void record_check_mutable(const struct view_row *row,
			  const struct ovsdb_column *column)
{
	if (!column->is_mutable && !row->inserted)
		ctl_fatal("cannot modify read-only column %s in table %s",
			  column->name, row->table);
}

/* The length of a key: quoted, or up to a delimiter. */
static size_t key_length(const char *s)
{
	size_t n = 1;

	if (*s != '"')
		return strcspn(s, DELIMITERS);
	while (s[n] && s[n] != '"')
		n += s[n] == '\\' && s[n + 1] ? 2 : 1;
	return s[n] ? n + 1 : n;
}

static const char *find_operator(const char *const operators[], const char *s)
{
	for (; *operators; operators++)
		if (!strncmp(*operators, s, strlen(*operators)))
			return *operators;
	return NULL;
}

void record_split(const struct ovsdb_table_schema *table, const char *argument,
		  const char *const operators[], bool any,
		  struct record_argument *parts)
{
	size_t n = strcspn(argument, DELIMITERS);
	const char *rest = argument + n;
	char *name = strndup(argument, n);

	if (!n)
		ctl_fatal("%s: missing column name", argument);
	memset(parts, 0, sizeof(*parts));
	parts->column = record_column(table, name, any);
	free(name);
	if (*rest == ':') {
		n = key_length(++rest);
		if (!n)
			ctl_fatal("%s: missing key after \"%s:\"", argument,
				  parts->column->name);
		parts->key = strndup(rest, n);
		rest += n;
	}
	if (!operators) {
		if (*rest)
			ctl_fatal("%s: trailing garbage \"%s\" in argument",
				  argument, rest);
		return;
	}
	parts->operator= find_operator(operators, rest);
	if (!parts->operator|| !rest[strlen(parts->operator)])
		ctl_fatal("%s: argument does not end in \"%s\" followed by a "
			  "value.",
			  argument,
			  operators[1] ? "an operator" : operators[0]);
	parts->value = rest + strlen(parts->operator);
}

static void check_setting(struct ctl *ctl, const struct view_row *row,
			  const struct ovsdb_column *column,
			  const union ovsdb_atom *key,
			  const union ovsdb_atom *value)
{
	char *doubt;

	if (!settings_are_in(row->table, column->name))
		return;
	settings_check(row->table, column->name, ovsdb_atom_string(key),
		       ovsdb_atom_string(value));
	doubt = settings_doubt(record_table(ctl, row->table), column->name,
			       ovsdb_atom_string(key));
	if (doubt)
		ctl_warn_later(ctl, doubt);
}

void record_check_settings(struct ctl *ctl, const struct view_row *row,
			   const struct ovsdb_column *column,
			   const struct ovsdb_datum *datum)
{
	if (!ovsdb_type_is_map(&column->type))
		return;
	for (size_t i = 0; i < datum->n; i++)
		check_setting(ctl, row, column, &datum->keys[i],
			      &datum->values[i]);
}

static void set_key(struct ctl *ctl, struct view_row *row,
		    const struct record_argument *parts)
{
	const struct ovsdb_type *type = &parts->column->type;
	union ovsdb_atom key, value;
	struct ovsdb_datum old;
	int at;

	if (!ovsdb_type_is_map(type))
		ctl_fatal("cannot specify key to set for non-map column %s",
			  parts->column->name);
	record_parse_atom(ctl, &key, &type->key, parts->column, parts->key);
	record_parse_atom(ctl, &value, &type->value, parts->column,
			  parts->value);
	check_setting(ctl, row, parts->column, &key, &value);
	record_datum(row, parts->column, &old);
	at = ovsdb_datum_find_key(&old, &key, type->key.type);
	if (at < 0 ||
	    !ovsdb_atom_equals(&old.values[at], &value, type->value.type)) {
		json_t *k = ovsdb_atom_to_json(&key, type->key.type);
		json_t *v = ovsdb_atom_to_json(&value, type->value.type);

		if (at >= 0)
			view_mutate(row, parts->column->name, "delete",
				    json_pack("[s, [O]]", "set", k));
		view_mutate(row, parts->column->name, "insert",
			    json_pack("[s, [[o, o]]]", "map", k, v));
	}
	ovsdb_datum_destroy(&old, type);
	ovsdb_atom_destroy(&key, type->key.type);
	ovsdb_atom_destroy(&value, type->value.type);
}

/* "lldp=true": a map wants keys. */
static void check_pairs(const struct view_row *row,
			const struct ovsdb_column *column, const char *value)
{
	if (ovsdb_type_is_map(&column->type) && !strchr(value, '=') &&
	    value[strspn(value, " {}")])
		ctl_fatal("column %s of table %s cannot be \"%s\"; it is "
			  "pairs of keys and values, set as %s",
			  column->name, row->table, value,
			  settings_example(row->table, column->name));
}

void record_set(struct ctl *ctl, struct view_row *row, const char *argument)
{
	static const char *const equals[] = { "=", NULL };
	struct record_argument parts;
	struct ovsdb_datum datum;

	record_split(record_table(ctl, row->table), argument, equals, false,
		     &parts);
	record_check_mutable(row, parts.column);
	if (parts.key) {
		set_key(ctl, row, &parts);
	} else {
		check_pairs(row, parts.column, parts.value);
		record_parse(ctl, &datum, &parts.column->type, parts.column,
			     parts.value);
		record_check_settings(ctl, row, parts.column, &datum);
		view_set(row, parts.column->name,
			 ovsdb_datum_to_json(&datum, &parts.column->type));
		ovsdb_datum_destroy(&datum, &parts.column->type);
	}
	free(parts.key);
}

static void print_bare_atom(const union ovsdb_atom *atom,
			    enum ovsdb_atomic_type type, FILE *stream)
{
	char *text;

	if (type == OVSDB_TYPE_STRING) {
		fputs(ovsdb_atom_string(atom), stream);
		return;
	}
	text = ovsdb_atom_to_string(atom, type);
	fputs(text, stream);
	free(text);
}

static char *bare_text(const struct ovsdb_datum *datum,
		       const struct ovsdb_type *type)
{
	char *text;
	size_t len;
	FILE *stream = open_memstream(&text, &len);

	for (unsigned int i = 0; i < datum->n; i++) {
		if (i)
			putc(' ', stream);
		print_bare_atom(&datum->keys[i], type->key.type, stream);
		if (ovsdb_type_is_map(type)) {
			putc('=', stream);
			print_bare_atom(&datum->values[i], type->value.type,
					stream);
		}
	}
	fclose(stream);
	return text;
}

char *record_text(const struct ovsdb_datum *datum,
		  const struct ovsdb_type *type, enum table_data data)
{
	json_t *json;
	char *text;

	switch (data) {
	case TABLE_DATA_BARE:
		return bare_text(datum, type);
	case TABLE_DATA_JSON:
		json = ovsdb_datum_to_json(datum, type);
		text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
		json_decref(json);
		return text;
	default:
		return ovsdb_datum_to_string(datum, type);
	}
}
