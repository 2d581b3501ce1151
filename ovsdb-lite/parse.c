/* Reading a JSON object's members. */
#include "ovsdb-lite/parse.h"

#include <string.h>

#include "ovsdb-lite/schema.h"

void parser_init(struct parser *parser, const json_t *object, const char *what)
{
	*parser = (struct parser){ .object = object, .what = what };
	if (!json_is_object(object))
		parser->error = ovsdb_syntax_error(
			object, NULL, "%s: a JSON object is needed", what);
}

static int kind_of(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_NULL:
		return PARSE_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return PARSE_BOOLEAN;
	case JSON_INTEGER:
		return PARSE_INTEGER | PARSE_NUMBER;
	case JSON_REAL:
		return PARSE_NUMBER;
	case JSON_STRING:
		return PARSE_STRING |
		       (ovsdb_is_id(json_string_value(json)) ? PARSE_ID : 0);
	case JSON_ARRAY:
		return PARSE_ARRAY;
	case JSON_OBJECT:
		return PARSE_OBJECT;
	}
	return 0;
}

json_t *parser_member(struct parser *parser, const char *name, int kinds)
{
	json_t *member;

	if (!json_is_object(parser->object))
		return NULL;
	if (parser->n_seen < ARRAY_SIZE(parser->seen))
		parser->seen[parser->n_seen++] = name;
	member = json_object_get(parser->object, name);
	if (member && (kind_of(member) & kinds))
		return member;
	if (!parser->error && (member || !(kinds & PARSE_OPTIONAL)))
		parser->error = ovsdb_syntax_error(
			parser->object, NULL,
			member ? "%s: member \"%s\" is of the wrong type"
			       : "%s: member \"%s\" is missing",
			parser->what, name);
	return NULL;
}

static bool was_seen(const struct parser *parser, const char *name)
{
	for (unsigned int i = 0; i < parser->n_seen; i++)
		if (!strcmp(parser->seen[i], name))
			return true;
	return false;
}

json_t *parser_finish(struct parser *parser, bool check_all)
{
	const char *name;
	json_t *member;

	if (parser->error || !check_all)
		return parser->error;
	json_object_foreach((json_t *)parser->object, name, member) {
		if (!was_seen(parser, name)) {
			parser->error = ovsdb_syntax_error(
				parser->object, NULL,
				"%s: no member \"%s\" belongs here",
				parser->what, name);
			break;
		}
	}
	return parser->error;
}
