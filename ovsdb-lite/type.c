/* Types of columns: parsing and printing. */
#include "ovsdb-lite/type.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/datum.h"
#include "ovsdb-lite/parse.h"
#include "ovsdb-lite/schema.h"

static const char *const names[OVSDB_N_TYPES] = {
	[OVSDB_TYPE_VOID] = "void",	[OVSDB_TYPE_INTEGER] = "integer",
	[OVSDB_TYPE_REAL] = "real",	[OVSDB_TYPE_BOOLEAN] = "boolean",
	[OVSDB_TYPE_STRING] = "string", [OVSDB_TYPE_UUID] = "uuid",
};

const char *ovsdb_atomic_type_name(enum ovsdb_atomic_type type)
{
	return names[type];
}

bool ovsdb_atomic_type_from_name(const char *name, enum ovsdb_atomic_type *type)
{
	for (int i = OVSDB_TYPE_INTEGER; i < OVSDB_N_TYPES; i++) {
		if (!strcmp(name, names[i])) {
			*type = (enum ovsdb_atomic_type)i;
			return true;
		}
	}
	return false;
}

void ovsdb_base_type_init(struct ovsdb_base_type *base,
			  enum ovsdb_atomic_type type)
{
	*base = (struct ovsdb_base_type){ .type = type };
	switch (type) {
	case OVSDB_TYPE_INTEGER:
		base->integer.min = INT64_MIN;
		base->integer.max = INT64_MAX;
		break;
	case OVSDB_TYPE_REAL:
		base->real.min = -DBL_MAX;
		base->real.max = DBL_MAX;
		break;
	case OVSDB_TYPE_STRING:
		base->string.max_len = UINT_MAX;
		break;
	default:
		break;
	}
}

/* The type of an enumeration: a set of the base's atomic type. */
static void enum_type(struct ovsdb_type *type, enum ovsdb_atomic_type atomic)
{
	ovsdb_type_init_scalar(type, atomic);
	type->max = UINT_MAX;
}

/* Shares nothing with src, whose strings may be another thread's to count. */
static struct ovsdb_datum *clone_enum(const struct ovsdb_base_type *src)
{
	struct ovsdb_datum *copy = xcalloc(1, sizeof(*copy));
	struct ovsdb_type type;

	enum_type(&type, src->type);
	for (unsigned int i = 0; i < src->enumeration->n; i++) {
		union ovsdb_atom atom = src->enumeration->keys[i];

		if (src->type == OVSDB_TYPE_STRING)
			ovsdb_atom_init_string(&atom, ovsdb_atom_string(&atom));
		ovsdb_datum_insert(copy, &atom, NULL, false, &type);
		ovsdb_atom_destroy(&atom, src->type);
	}
	return copy;
}

void ovsdb_base_type_clone(struct ovsdb_base_type *dst,
			   const struct ovsdb_base_type *src)
{
	*dst = *src;
	if (src->enumeration)
		dst->enumeration = clone_enum(src);
	if (src->type == OVSDB_TYPE_UUID && src->uuid.ref_table_name)
		dst->uuid.ref_table_name = xstrdup(src->uuid.ref_table_name);
}

void ovsdb_base_type_destroy(struct ovsdb_base_type *base)
{
	if (base->enumeration) {
		struct ovsdb_type type;

		enum_type(&type, base->type);
		ovsdb_datum_destroy(base->enumeration, &type);
		free(base->enumeration);
	}
	if (base->type == OVSDB_TYPE_UUID)
		free(base->uuid.ref_table_name);
	ovsdb_base_type_init(base, OVSDB_TYPE_VOID);
}

static json_t *parse_integer_range(struct ovsdb_base_type *base,
				   struct parser *parser, const json_t *json)
{
	json_t *min = parser_member(parser, "minInteger",
				    PARSE_INTEGER | PARSE_OPTIONAL);
	json_t *max = parser_member(parser, "maxInteger",
				    PARSE_INTEGER | PARSE_OPTIONAL);

	if (min)
		base->integer.min = json_integer_value(min);
	if (max)
		base->integer.max = json_integer_value(max);
	if (base->integer.min > base->integer.max)
		return ovsdb_syntax_error(json, NULL,
					  "minInteger exceeds maxInteger");
	return NULL;
}

static json_t *parse_real_range(struct ovsdb_base_type *base,
				struct parser *parser, const json_t *json)
{
	json_t *min =
		parser_member(parser, "minReal", PARSE_NUMBER | PARSE_OPTIONAL);
	json_t *max =
		parser_member(parser, "maxReal", PARSE_NUMBER | PARSE_OPTIONAL);

	if (min)
		base->real.min = json_number_value(min);
	if (max)
		base->real.max = json_number_value(max);
	if (base->real.min > base->real.max)
		return ovsdb_syntax_error(json, NULL,
					  "minReal exceeds maxReal");
	return NULL;
}

static json_t *parse_length(unsigned int *length, const json_t *json,
			    const char *name)
{
	if (!json)
		return NULL;
	if (json_integer_value(json) < 0 || json_integer_value(json) > UINT_MAX)
		return ovsdb_syntax_error(json, NULL, "%s is out of range",
					  name);
	*length = (unsigned int)json_integer_value(json);
	return NULL;
}

static json_t *parse_length_range(struct ovsdb_base_type *base,
				  struct parser *parser, const json_t *json)
{
	json_t *error;

	error = parse_length(&base->string.min_len,
			     parser_member(parser, "minLength",
					   PARSE_INTEGER | PARSE_OPTIONAL),
			     "minLength");
	if (error)
		return error;
	error = parse_length(&base->string.max_len,
			     parser_member(parser, "maxLength",
					   PARSE_INTEGER | PARSE_OPTIONAL),
			     "maxLength");
	if (error)
		return error;
	if (base->string.min_len > base->string.max_len)
		return ovsdb_syntax_error(json, NULL,
					  "minLength exceeds maxLength");
	return NULL;
}

static json_t *parse_ref(struct ovsdb_base_type *base, struct parser *parser)
{
	json_t *table =
		parser_member(parser, "refTable", PARSE_ID | PARSE_OPTIONAL);
	json_t *kind;

	if (!table)
		return NULL;
	base->uuid.ref_table_name = xstrdup(json_string_value(table));
	kind = parser_member(parser, "refType", PARSE_ID | PARSE_OPTIONAL);
	if (!kind || !strcmp(json_string_value(kind), "strong"))
		return NULL;
	if (strcmp(json_string_value(kind), "weak"))
		return ovsdb_syntax_error(kind, NULL,
					  "refType is \"strong\" or \"weak\"");
	base->uuid.weak = true;
	return NULL;
}

static json_t *parse_enum(struct ovsdb_base_type *base, struct parser *parser)
{
	json_t *values =
		parser_member(parser, "enum", PARSE_ANY | PARSE_OPTIONAL);
	struct ovsdb_type type;

	if (!values)
		return NULL;
	enum_type(&type, base->type);
	base->enumeration = xcalloc(1, sizeof(*base->enumeration));
	return ovsdb_datum_from_json(base->enumeration, &type, values, NULL);
}

static json_t *parse_constraints(struct ovsdb_base_type *base,
				 struct parser *parser, const json_t *json)
{
	json_t *error = parse_enum(base, parser);

	if (error)
		return error;
	switch (base->type) {
	case OVSDB_TYPE_INTEGER:
		return parse_integer_range(base, parser, json);
	case OVSDB_TYPE_REAL:
		return parse_real_range(base, parser, json);
	case OVSDB_TYPE_STRING:
		return parse_length_range(base, parser, json);
	case OVSDB_TYPE_UUID:
		return parse_ref(base, parser);
	default:
		return NULL;
	}
}

static json_t *parse_atomic_type(enum ovsdb_atomic_type *type,
				 const json_t *json)
{
	if (json_is_string(json) &&
	    ovsdb_atomic_type_from_name(json_string_value(json), type))
		return NULL;
	return ovsdb_syntax_error(json, NULL,
				  "not an atomic type: integer, real, boolean, "
				  "string and uuid are");
}

json_t *ovsdb_base_type_from_json(struct ovsdb_base_type *base,
				  const json_t *json)
{
	enum ovsdb_atomic_type atomic = OVSDB_TYPE_VOID;
	struct parser parser;
	json_t *error, *type;

	ovsdb_base_type_init(base, OVSDB_TYPE_VOID);
	if (json_is_string(json)) {
		error = parse_atomic_type(&atomic, json);
		if (!error)
			ovsdb_base_type_init(base, atomic);
		return error;
	}
	parser_init(&parser, json, "base type");
	type = parser_member(&parser, "type", PARSE_STRING);
	error = parser_finish(&parser, false);
	if (!error)
		error = parse_atomic_type(&atomic, type);
	if (error)
		return error;
	ovsdb_base_type_init(base, atomic);
	error = parse_constraints(base, &parser, json);
	if (error)
		json_decref(parser.error);
	else
		error = parser_finish(&parser, true);
	if (error)
		ovsdb_base_type_destroy(base);
	return error;
}

static bool is_plain(const struct ovsdb_base_type *base)
{
	struct ovsdb_base_type plain;

	if (base->enumeration)
		return false;
	ovsdb_base_type_init(&plain, base->type);
	switch (base->type) {
	case OVSDB_TYPE_INTEGER:
		return base->integer.min == plain.integer.min &&
		       base->integer.max == plain.integer.max;
	case OVSDB_TYPE_REAL:
		return base->real.min == plain.real.min &&
		       base->real.max == plain.real.max;
	case OVSDB_TYPE_STRING:
		return !base->string.min_len &&
		       base->string.max_len == UINT_MAX;
	case OVSDB_TYPE_UUID:
		return !base->uuid.ref_table_name;
	default:
		return true;
	}
}

static void constraints_to_json(const struct ovsdb_base_type *base,
				json_t *json)
{
	switch (base->type) {
	case OVSDB_TYPE_INTEGER:
		if (base->integer.min != INT64_MIN)
			json_object_set_new(json, "minInteger",
					    json_integer(base->integer.min));
		if (base->integer.max != INT64_MAX)
			json_object_set_new(json, "maxInteger",
					    json_integer(base->integer.max));
		break;
	case OVSDB_TYPE_REAL:
		if (base->real.min != -DBL_MAX)
			json_object_set_new(json, "minReal",
					    json_real(base->real.min));
		if (base->real.max != DBL_MAX)
			json_object_set_new(json, "maxReal",
					    json_real(base->real.max));
		break;
	case OVSDB_TYPE_STRING:
		if (base->string.min_len)
			json_object_set_new(json, "minLength",
					    json_integer(base->string.min_len));
		if (base->string.max_len != UINT_MAX)
			json_object_set_new(json, "maxLength",
					    json_integer(base->string.max_len));
		break;
	case OVSDB_TYPE_UUID:
		if (base->uuid.ref_table_name)
			json_object_set_new(
				json, "refTable",
				json_string(base->uuid.ref_table_name));
		if (base->uuid.weak)
			json_object_set_new(json, "refType",
					    json_string("weak"));
		break;
	default:
		break;
	}
}

json_t *ovsdb_base_type_to_json(const struct ovsdb_base_type *base)
{
	json_t *json;

	if (is_plain(base))
		return json_string(names[base->type]);
	json = json_object();
	json_object_set_new(json, "type", json_string(names[base->type]));
	if (base->enumeration) {
		struct ovsdb_type type;

		enum_type(&type, base->type);
		json_object_set_new(
			json, "enum",
			ovsdb_datum_to_json(base->enumeration, &type));
	}
	constraints_to_json(base, json);
	return json;
}

void ovsdb_type_init_scalar(struct ovsdb_type *type,
			    enum ovsdb_atomic_type atomic)
{
	ovsdb_base_type_init(&type->key, atomic);
	ovsdb_base_type_init(&type->value, OVSDB_TYPE_VOID);
	type->min = type->max = 1;
}

void ovsdb_type_clone(struct ovsdb_type *dst, const struct ovsdb_type *src)
{
	ovsdb_base_type_clone(&dst->key, &src->key);
	ovsdb_base_type_clone(&dst->value, &src->value);
	dst->min = src->min;
	dst->max = src->max;
}

void ovsdb_type_destroy(struct ovsdb_type *type)
{
	ovsdb_base_type_destroy(&type->key);
	ovsdb_base_type_destroy(&type->value);
}

static json_t *parse_count(unsigned int *count, const json_t *json)
{
	if (!json)
		return NULL;
	if (json_is_string(json)) {
		if (strcmp(json_string_value(json), "unlimited"))
			return ovsdb_syntax_error(
				json, NULL, "max is a number or \"unlimited\"");
		*count = UINT_MAX;
		return NULL;
	}
	if (json_integer_value(json) < 0 || json_integer_value(json) > UINT_MAX)
		return ovsdb_syntax_error(json, NULL,
					  "number of elements out of range");
	*count = (unsigned int)json_integer_value(json);
	return NULL;
}

static json_t *parse_members(struct ovsdb_type *type, struct parser *parser,
			     const json_t *json)
{
	json_t *key = parser_member(parser, "key", PARSE_STRING | PARSE_OBJECT);
	json_t *value = parser_member(
		parser, "value", PARSE_STRING | PARSE_OBJECT | PARSE_OPTIONAL);
	json_t *min =
		parser_member(parser, "min", PARSE_INTEGER | PARSE_OPTIONAL);
	json_t *max = parser_member(
		parser, "max", PARSE_INTEGER | PARSE_STRING | PARSE_OPTIONAL);
	json_t *error = parser_finish(parser, true);

	if (!error)
		error = ovsdb_base_type_from_json(&type->key, key);
	if (!error && value)
		error = ovsdb_base_type_from_json(&type->value, value);
	if (!error)
		error = parse_count(&type->min, min);
	if (!error)
		error = parse_count(&type->max, max);
	if (!error && (type->min > 1 || type->max < 1 || type->max < type->min))
		error = ovsdb_syntax_error(json, NULL,
					   "min is 0 or 1, max is at least 1");
	return error;
}

json_t *ovsdb_type_from_json(struct ovsdb_type *type, const json_t *json)
{
	struct parser parser;
	json_t *error;

	ovsdb_type_init_scalar(type, OVSDB_TYPE_VOID);
	if (json_is_string(json))
		return ovsdb_base_type_from_json(&type->key, json);
	parser_init(&parser, json, "type");
	error = parse_members(type, &parser, json);
	if (error)
		ovsdb_type_destroy(type);
	return error;
}

json_t *ovsdb_type_to_json(const struct ovsdb_type *type)
{
	json_t *json;

	if (ovsdb_type_is_scalar(type) && is_plain(&type->key))
		return ovsdb_base_type_to_json(&type->key);
	json = json_object();
	json_object_set_new(json, "key", ovsdb_base_type_to_json(&type->key));
	if (ovsdb_type_is_map(type))
		json_object_set_new(json, "value",
				    ovsdb_base_type_to_json(&type->value));
	if (type->min != 1)
		json_object_set_new(json, "min", json_integer(type->min));
	if (type->max == UINT_MAX)
		json_object_set_new(json, "max", json_string("unlimited"));
	else if (type->max != 1)
		json_object_set_new(json, "max", json_integer(type->max));
	return json;
}
