/*
 * Atoms and datums as a person types and reads them, in the notation of
 * ovs-vsctl(8).
 */
#include "ovsdb-lite/datum.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/datum_private.h"
#include "ovsdb-lite/schema.h"

/* --- output ------------------------------------------------------------ */

/* Would a bare s be read back as the string s? */
static bool string_needs_quotes(const char *s)
{
	struct uuid uuid;

	if (!isalpha((unsigned char)*s) && *s != '_')
		return true;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-.", *p))
			return true;
	return uuid_from_string(&uuid, s) || !strcmp(s, "true") ||
	       !strcmp(s, "false");
}

static char *string_to_text(const char *s)
{
	json_t *json;
	char *text;

	if (!string_needs_quotes(s))
		return xstrdup(s);
	json = json_string_nocheck(s);
	text = json_dumps(json, JSON_ENCODE_ANY);
	json_decref(json);
	return text ? text : xstrdup("\"\"");
}

char *ovsdb_atom_to_string(const union ovsdb_atom *atom,
			   enum ovsdb_atomic_type type)
{
	char buf[UUID_LEN + 1];

	switch (type) {
	case OVSDB_TYPE_INTEGER:
		return xasprintf("%lld", (long long)atom->integer);
	case OVSDB_TYPE_REAL: {
		char *text = xasprintf("%.15g", atom->real);

		if (strtod(text, NULL) == atom->real)
			return text;
		free(text);
		return xasprintf("%.17g", atom->real);
	}
	case OVSDB_TYPE_BOOLEAN:
		return xstrdup(atom->boolean ? "true" : "false");
	case OVSDB_TYPE_STRING:
		return string_to_text(ovsdb_atom_string(atom));
	case OVSDB_TYPE_UUID:
		return xstrdup(uuid_format(&atom->uuid, buf));
	default:
		return xstrdup("");
	}
}

static void put_atom(FILE *out, const union ovsdb_atom *atom,
		     enum ovsdb_atomic_type type)
{
	char *text = ovsdb_atom_to_string(atom, type);

	fputs(text, out);
	free(text);
}

char *ovsdb_datum_to_string(const struct ovsdb_datum *datum,
			    const struct ovsdb_type *type)
{
	bool map = ovsdb_type_is_map(type);
	bool bare = !map && datum->n == 1 && type->max == 1;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return xstrdup("");
	if (!bare)
		putc(map ? '{' : '[', out);
	for (unsigned int i = 0; i < datum->n; i++) {
		if (i)
			fputs(", ", out);
		put_atom(out, &datum->keys[i], type->key.type);
		if (map) {
			putc('=', out);
			put_atom(out, &datum->values[i], type->value.type);
		}
	}
	if (!bare)
		putc(map ? '}' : ']', out);
	fclose(out);
	return text;
}

/* --- input: atoms ------------------------------------------------------ */

static int parse_integer(int64_t *integer, const char *s, char **errp)
{
	char *end;

	errno = 0;
	*integer = strtoll(s, &end, 10);
	if (end == s || *end || errno)
		return set_error(errp, -EINVAL, "\"%s\" is not an integer", s);
	return 0;
}

static int parse_real(double *real, const char *s, char **errp)
{
	char *end;

	*real = strtod(s, &end);
	if (end == s || *end || !isfinite(*real))
		return set_error(errp, -EINVAL, "\"%s\" is not a number", s);
	return 0;
}

static int parse_boolean(bool *boolean, const char *s, char **errp)
{
	static const char *const words[2][4] = {
		{ "false", "no", "off", "0" },
		{ "true", "yes", "on", "1" },
	};

	for (int i = 0; i < 8; i++) {
		if (!strcmp(s, words[i / 4][i % 4])) {
			*boolean = i / 4;
			return 0;
		}
	}
	return set_error(errp, -EINVAL,
			 "\"%s\" is not a boolean: use true or false", s);
}

static int parse_string(union ovsdb_atom *atom, const char *s, char **errp)
{
	json_t *json;

	if (*s != '"') {
		if (!*s)
			return set_error(errp, -EINVAL,
					 "an empty string is written as \"\"");
		ovsdb_atom_init_string(atom, s);
		return 0;
	}
	json = json_loads(s, JSON_DECODE_ANY, NULL);
	if (!json_is_string(json)) {
		json_decref(json);
		return set_error(errp, -EINVAL,
				 "%s is not a string in double quotes", s);
	}
	ovsdb_atom_init_string(atom, json_string_value(json));
	json_decref(json);
	return 0;
}

static int parse_uuid(struct uuid *uuid, const char *s,
		      struct ovsdb_symbols *symbols, char **errp)
{
	if (symbols && *s == '@') {
		struct ovsdb_symbol *symbol = ovsdb_symbols_get(symbols, s);

		symbol->referenced = true;
		*uuid = symbol->uuid;
		return 0;
	}
	if (!uuid_from_string(uuid, s))
		return set_error(errp, -EINVAL, "\"%s\" is not a UUID%s", s,
				 symbols ? " or @name" : "");
	return 0;
}

int ovsdb_atom_from_string(union ovsdb_atom *atom,
			   const struct ovsdb_base_type *base, const char *s,
			   struct ovsdb_symbols *symbols, char **errp)
{
	json_t *violation;
	char *text;
	int error;

	memset(atom, 0, sizeof(*atom));
	switch (base->type) {
	case OVSDB_TYPE_INTEGER:
		error = parse_integer(&atom->integer, s, errp);
		break;
	case OVSDB_TYPE_REAL:
		error = parse_real(&atom->real, s, errp);
		break;
	case OVSDB_TYPE_BOOLEAN:
		error = parse_boolean(&atom->boolean, s, errp);
		break;
	case OVSDB_TYPE_STRING:
		error = parse_string(atom, s, errp);
		break;
	case OVSDB_TYPE_UUID:
		error = parse_uuid(&atom->uuid, s, symbols, errp);
		break;
	default:
		return set_error(errp, -EINVAL, "no value is allowed here");
	}
	if (error)
		return error;
	violation = ovsdb_atom_check(atom, base);
	if (!violation)
		return 0;
	ovsdb_atom_destroy(atom, base->type);
	text = ovsdb_error_to_string(violation);
	set_error(errp, -EINVAL, "%s", text);
	free(text);
	return -EINVAL;
}

/* --- input: datums ----------------------------------------------------- */

static const char *skip_spaces(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* Cuts the next atom's text, quotes included, out of *pp. */
static char *next_token(const char **pp, const char *stops)
{
	const char *start = skip_spaces(*pp), *p = start, *end;

	if (*p == '"') {
		for (p++; *p && *p != '"'; p++)
			if (*p == '\\' && p[1])
				p++;
		if (*p)
			p++;
		end = p;
	} else {
		while (*p && !strchr(stops, *p))
			p++;
		end = p;
		while (end > start && isspace((unsigned char)end[-1]))
			end--;
	}
	*pp = skip_spaces(p);
	return strndup(start, (size_t)(end - start));
}

static int next_atom(union ovsdb_atom *atom, const struct ovsdb_base_type *base,
		     const char **pp, const char *stops,
		     struct ovsdb_symbols *symbols, char **errp)
{
	char *token = next_token(pp, stops);
	int error;

	error = ovsdb_atom_from_string(atom, base, token ? token : "", symbols,
				       errp);
	free(token);
	return error;
}

static int next_element(struct ovsdb_datum *datum,
			const struct ovsdb_type *type, const char **pp,
			char close, struct ovsdb_symbols *symbols, char **errp)
{
	const char stops[] = { ',', close, '\0' };
	const char key_stops[] = { '=', ',', close, '\0' };
	bool map = ovsdb_type_is_map(type), is_new;
	union ovsdb_atom key, value;
	int error;

	error = next_atom(&key, &type->key, pp, map ? key_stops : stops,
			  symbols, errp);
	if (error)
		return error;
	if (map) {
		if (**pp == '=') {
			++*pp;
			error = next_atom(&value, &type->value, pp, stops,
					  symbols, errp);
		} else {
			error = set_error(errp, -EINVAL,
					  "\"%s\": a map's elements are "
					  "key=value",
					  *pp);
		}
	}
	if (!error) {
		is_new = ovsdb_datum_insert(datum, &key, &value, false, type);
		if (map)
			ovsdb_atom_destroy(&value, type->value.type);
		if (!is_new)
			error = set_error(errp, -EINVAL,
					  "an element is there twice");
	}
	ovsdb_atom_destroy(&key, type->key.type);
	return error;
}

static int parse_elements(struct ovsdb_datum *datum,
			  const struct ovsdb_type *type, const char *s,
			  struct ovsdb_symbols *symbols, char **errp)
{
	const char open = ovsdb_type_is_map(type) ? '{' : '[';
	const char *p = skip_spaces(s);
	char close = '\0';

	if (*p == open) {
		close = open == '{' ? '}' : ']';
		p = skip_spaces(p + 1);
	}
	while (*p && *p != close) {
		int error = next_element(datum, type, &p, close, symbols, errp);

		if (error)
			return error;
		if (*p == ',') {
			p = skip_spaces(p + 1);
			continue;
		}
		if (*p && *p != close)
			return set_error(errp, -EINVAL,
					 "\"%s\": a comma is missing", p);
	}
	if (!close)
		return 0;
	if (*p != close || *skip_spaces(p + 1))
		return set_error(errp, -EINVAL, "\"%s\": the end must be '%c'",
				 s, close);
	return 0;
}

int ovsdb_datum_from_string(struct ovsdb_datum *datum,
			    const struct ovsdb_type *type, const char *s,
			    struct ovsdb_symbols *symbols, char **errp)
{
	union ovsdb_atom atom;
	int error;

	ovsdb_datum_init_empty(datum);
	if (ovsdb_type_is_scalar(type)) {
		error = ovsdb_atom_from_string(&atom, &type->key, s, symbols,
					       errp);
		if (error)
			return error;
		ovsdb_datum_insert(datum, &atom, NULL, false, type);
		ovsdb_atom_destroy(&atom, type->key.type);
		return 0;
	}
	error = parse_elements(datum, type, s, symbols, errp);
	if (!error && (datum->n < type->min || datum->n > type->max))
		error = set_error(
			errp, -EINVAL,
			"\"%s\": %u values where %u to %u are allowed", s,
			datum->n, type->min, type->max);
	if (error)
		ovsdb_datum_destroy(datum, type);
	return error;
}
