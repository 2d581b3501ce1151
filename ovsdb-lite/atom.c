/* Atoms: life, order, hash, constraints, JSON. */
#include "ovsdb-lite/datum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/hash.h"

/*
 * Strings are shared by counting. The empty string is the same everywhere,
 * also in other threads, and so not counted.
 */
struct ovsdb_string {
	uint32_t references;
	uint32_t length;
	char text[];
};

static struct ovsdb_string empty_string = { .text = "" };

void ovsdb_atom_init_string(union ovsdb_atom *atom, const char *text)
{
	size_t length = strlen(text);
	struct ovsdb_string *string;

	if (!length) {
		atom->string = &empty_string;
		return;
	}
	string = xmalloc(sizeof(*string) + length + 1);
	string->references = 1;
	string->length = (uint32_t)length;
	memcpy(string->text, text, length + 1);
	atom->string = string;
}

void ovsdb_atom_init_default(union ovsdb_atom *atom,
			     enum ovsdb_atomic_type type)
{
	memset(atom, 0, sizeof(*atom));
	if (type == OVSDB_TYPE_STRING)
		atom->string = &empty_string;
}

void ovsdb_atom_clone(union ovsdb_atom *dst, const union ovsdb_atom *src,
		      enum ovsdb_atomic_type type)
{
	*dst = *src;
	if (type == OVSDB_TYPE_STRING && dst->string != &empty_string)
		dst->string->references++;
}

void ovsdb_atom_destroy(union ovsdb_atom *atom, enum ovsdb_atomic_type type)
{
	if (type == OVSDB_TYPE_STRING && atom->string != &empty_string &&
	    !--atom->string->references)
		free(atom->string);
}

const char *ovsdb_atom_string(const union ovsdb_atom *atom)
{
	return atom->string->text;
}

int ovsdb_atom_compare(const union ovsdb_atom *a, const union ovsdb_atom *b,
		       enum ovsdb_atomic_type type)
{
	switch (type) {
	case OVSDB_TYPE_INTEGER:
		return (a->integer > b->integer) - (a->integer < b->integer);
	case OVSDB_TYPE_REAL:
		return (a->real > b->real) - (a->real < b->real);
	case OVSDB_TYPE_BOOLEAN:
		return a->boolean - b->boolean;
	case OVSDB_TYPE_STRING:
		if (a->string == b->string)
			return 0;
		return strcmp(a->string->text, b->string->text);
	case OVSDB_TYPE_UUID:
		return uuid_compare(&a->uuid, &b->uuid);
	default:
		return 0;
	}
}

bool ovsdb_atom_equals(const union ovsdb_atom *a, const union ovsdb_atom *b,
		       enum ovsdb_atomic_type type)
{
	if (type == OVSDB_TYPE_STRING && a->string->length != b->string->length)
		return false;
	return !ovsdb_atom_compare(a, b, type);
}

uint32_t ovsdb_atom_hash(const union ovsdb_atom *atom,
			 enum ovsdb_atomic_type type, uint32_t basis)
{
	uint64_t word;
	double real;

	switch (type) {
	case OVSDB_TYPE_INTEGER:
		return hash_add(basis, (uint64_t)atom->integer);
	case OVSDB_TYPE_REAL:
		real = atom->real == 0 ? 0 : atom->real; /* -0.0 equals 0.0 */
		memcpy(&word, &real, sizeof(word));
		return hash_add(basis, word);
	case OVSDB_TYPE_BOOLEAN:
		return hash_add(basis, atom->boolean);
	case OVSDB_TYPE_STRING:
		return hash_bytes(atom->string->text, atom->string->length,
				  basis);
	case OVSDB_TYPE_UUID:
		return hash_add(hash_add(basis, atom->uuid.hi), atom->uuid.lo);
	default:
		return basis;
	}
}

/* --- JSON -------------------------------------------------------------- */

/* 1.0 is an integer too: JSON has one kind of number only. */
static json_t *integer_from_json(int64_t *integer, const json_t *json)
{
	if (json_is_integer(json)) {
		*integer = json_integer_value(json);
		return NULL;
	}
	if (json_is_real(json)) {
		double real = json_real_value(json);

		if (real >= -0x1p63 && real < 0x1p63 && real == trunc(real)) {
			*integer = (int64_t)real;
			return NULL;
		}
	}
	return ovsdb_syntax_error(json, NULL, "an integer is needed");
}

static json_t *uuid_from_json(struct uuid *uuid, const json_t *json,
			      struct ovsdb_symbols *symbols)
{
	const char *kind = json_string_value(json_array_get(json, 0));
	const char *text = json_string_value(json_array_get(json, 1));

	if (json_array_size(json) == 2 && kind && text) {
		if (!strcmp(kind, "uuid")) {
			if (uuid_from_string(uuid, text))
				return NULL;
			return ovsdb_syntax_error(json, NULL,
						  "\"%s\" is not a UUID", text);
		}
		if (symbols && !strcmp(kind, "named-uuid")) {
			struct ovsdb_symbol *symbol =
				ovsdb_symbols_get(symbols, text);

			symbol->referenced = true;
			*uuid = symbol->uuid;
			return NULL;
		}
	}
	return ovsdb_syntax_error(json, NULL, "[\"uuid\", <string>] is needed");
}

static json_t *parse_atom(union ovsdb_atom *atom, enum ovsdb_atomic_type type,
			  const json_t *json, struct ovsdb_symbols *symbols)
{
	switch (type) {
	case OVSDB_TYPE_INTEGER:
		return integer_from_json(&atom->integer, json);
	case OVSDB_TYPE_REAL:
		if (!json_is_number(json))
			return ovsdb_syntax_error(json, NULL,
						  "a number is needed");
		atom->real = json_number_value(json);
		return NULL;
	case OVSDB_TYPE_BOOLEAN:
		if (!json_is_boolean(json))
			return ovsdb_syntax_error(json, NULL,
						  "true or false is needed");
		atom->boolean = json_is_true(json);
		return NULL;
	case OVSDB_TYPE_STRING:
		if (!json_is_string(json) ||
		    strlen(json_string_value(json)) != json_string_length(json))
			return ovsdb_syntax_error(
				json, NULL, "a string without NUL is needed");
		ovsdb_atom_init_string(atom, json_string_value(json));
		return NULL;
	case OVSDB_TYPE_UUID:
		return uuid_from_json(&atom->uuid, json, symbols);
	default:
		return ovsdb_syntax_error(json, NULL, "no value is allowed");
	}
}

json_t *ovsdb_atom_from_json(union ovsdb_atom *atom,
			     const struct ovsdb_base_type *base,
			     const json_t *json, struct ovsdb_symbols *symbols)
{
	json_t *error;

	memset(atom, 0, sizeof(*atom));
	error = parse_atom(atom, base->type, json, symbols);
	if (error)
		return error;
	error = ovsdb_atom_check(atom, base);
	if (error)
		ovsdb_atom_destroy(atom, base->type);
	return error;
}

static json_t *uuid_to_json(const char *text)
{
	json_t *array = json_array();

	json_array_append_new(array, json_string_nocheck("uuid"));
	json_array_append_new(array, json_string_nocheck(text));
	return array;
}

json_t *ovsdb_atom_to_json(const union ovsdb_atom *atom,
			   enum ovsdb_atomic_type type)
{
	char buf[UUID_LEN + 1];

	switch (type) {
	case OVSDB_TYPE_INTEGER:
		return json_integer(atom->integer);
	case OVSDB_TYPE_REAL:
		/* As ovsdb-server writes them: 1, not 1.0. */
		if (fabs(atom->real) < 0x1p53 &&
		    atom->real == trunc(atom->real))
			return json_integer((json_int_t)atom->real);
		return json_real(atom->real);
	case OVSDB_TYPE_BOOLEAN:
		return json_boolean(atom->boolean);
	case OVSDB_TYPE_STRING:
		return json_stringn_nocheck(atom->string->text,
					    atom->string->length);
	case OVSDB_TYPE_UUID:
		uuid_format(&atom->uuid, buf);
		return uuid_to_json(buf);
	default:
		return json_null();
	}
}

/* --- constraints ------------------------------------------------------- */

static unsigned int utf8_length(const char *s)
{
	unsigned int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static json_t *check_enumeration(const union ovsdb_atom *atom,
				 const struct ovsdb_base_type *base)
{
	struct ovsdb_type type = { .key = *base, .max = UINT_MAX };
	char *value, *allowed;
	json_t *error;

	if (ovsdb_datum_find_key(base->enumeration, atom, base->type) >= 0)
		return NULL;
	value = ovsdb_atom_to_string(atom, base->type);
	allowed = ovsdb_datum_to_string(base->enumeration, &type);
	error = ovsdb_error("constraint violation",
			    "%s is not one of the allowed values %s", value,
			    allowed);
	free(value);
	free(allowed);
	return error;
}

static json_t *check_string(const char *s, const struct ovsdb_base_type *base)
{
	unsigned int length;

	if (!base->string.min_len && base->string.max_len == UINT_MAX)
		return NULL;
	length = utf8_length(s);
	if (length < base->string.min_len)
		return ovsdb_error("constraint violation",
				   "\"%s\" has %u characters, at least %u are "
				   "needed",
				   s, length, base->string.min_len);
	if (length > base->string.max_len)
		return ovsdb_error("constraint violation",
				   "\"%s\" has %u characters, at most %u are "
				   "allowed",
				   s, length, base->string.max_len);
	return NULL;
}

json_t *ovsdb_atom_check(const union ovsdb_atom *atom,
			 const struct ovsdb_base_type *base)
{
	if (base->enumeration)
		return check_enumeration(atom, base);
	switch (base->type) {
	case OVSDB_TYPE_INTEGER:
		if (atom->integer >= base->integer.min &&
		    atom->integer <= base->integer.max)
			return NULL;
		return ovsdb_error("constraint violation",
				   "%lld is out of range: %lld to %lld",
				   (long long)atom->integer,
				   (long long)base->integer.min,
				   (long long)base->integer.max);
	case OVSDB_TYPE_REAL:
		if (atom->real >= base->real.min &&
		    atom->real <= base->real.max)
			return NULL;
		return ovsdb_error("constraint violation",
				   "%g is out of range: %g to %g", atom->real,
				   base->real.min, base->real.max);
	case OVSDB_TYPE_STRING:
		return check_string(atom->string->text, base);
	default:
		return NULL;
	}
}
