/* Atoms and datums: JSON, texts, order, sets, differences, sharing. */
#include "tests/unit/ovsdb_testing.h"

#include <stdlib.h>
#include <string.h>

static struct ovsdb_type type_of(const char *text)
{
	json_t *json = parse_json(text), *error;
	struct ovsdb_type type;

	error = ovsdb_type_from_json(&type, json);
	assert_null(error);
	json_decref(json);
	return type;
}

static struct ovsdb_datum datum_of(const struct ovsdb_type *type,
				   const char *text)
{
	json_t *json = parse_json(text), *error;
	struct ovsdb_datum datum;

	error = ovsdb_datum_from_json(&datum, type, json, NULL);
	if (error)
		fail_msg("%s: %s", text, ovsdb_error_to_string(error));
	json_decref(json);
	return datum;
}

#define SET(KEY) "{'key':'" KEY "','min':0,'max':'unlimited'}"
#define MAP	 "{'key':'string','value':'integer','min':0,'max':'unlimited'}"
#define OPTIONAL "{'key':'integer','min':0,'max':1}"

static void uuids(void **state)
{
	static const char text[] = "01234567-89ab-cdef-0123-456789abcdef";
	char buf[UUID_LEN + 1];
	struct uuid a, b;

	assert_true(uuid_from_string(&a, text));
	assert_string_equal(uuid_format(&a, buf), text);
	assert_true(
		uuid_from_string(&b, "01234567-89AB-CDEF-0123-456789ABCDEF"));
	assert_true(uuid_equals(&a, &b));
	assert_true(
		uuid_from_string(&b, "01234567-89ab-cdef-0123-456789abcdf0"));
	assert_true(uuid_compare(&a, &b) < 0);
	assert_true(uuid_compare(&b, &a) > 0);
	assert_false(uuid_from_string(&b, ""));
	assert_true(uuid_is_zero(&b));
	for (size_t i = 0; i < UUID_LEN; i++) {
		char bad[] = "01234567-89ab-cdef-0123-456789abcdef";

		bad[i] = 'g';
		assert_false(uuid_from_string(&b, bad));
		bad[i] = '\0';
		assert_false(uuid_from_string(&b, bad));
	}
	assert_false(
		uuid_from_string(&b, "01234567-89ab-cdef-0123-456789abcdef0"));
	uuid_generate(&a);
	uuid_generate(&b);
	assert_false(uuid_equals(&a, &b));
	uuid_format(&a, buf);
	assert_int_equal(buf[14], '4');
	assert_non_null(strchr("89ab", buf[19]));
}

static void json_forms(void **state)
{
	static const struct {
		const char *type, *in, *out;
	} cases[] = {
		{ "'integer'", "5", "5" },
		{ "'integer'", "['set',[5]]", "5" },
		{ "'integer'", "5.0", "5" },
		{ "'integer'", "-9223372036854775808", "-9223372036854775808" },
		{ "'real'", "5", "5" },
		{ "'real'", "5.25", "5.25" },
		{ "'real'", "1e300", "1e300" },
		{ "'boolean'", "true", "true" },
		{ "'string'", "'caf\\u00e9'", "'caf\\u00e9'" },
		{ "'uuid'", "['uuid','01234567-89AB-cdef-0123-456789abcdef']",
		  "['uuid','01234567-89ab-cdef-0123-456789abcdef']" },
		{ OPTIONAL, "['set',[]]", "['set',[]]" },
		{ OPTIONAL, "7", "7" },
		{ SET("integer"), "['set',[3,1,2]]", "['set',[1,2,3]]" },
		{ SET("string"), "['set',['b','','a']]",
		  "['set',['','a','b']]" },
		{ SET("string"), "'b'", "'b'" },
		{ SET("boolean"), "['set',[true,false]]",
		  "['set',[false,true]]" },
		{ MAP, "['map',[]]", "['map',[]]" },
		{ MAP, "['map',[['b',1],['a',2]]]",
		  "['map',[['a',2],['b',1]]]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ovsdb_type type = type_of(cases[i].type);
		struct ovsdb_datum datum = datum_of(&type, cases[i].in);

		assert_json(ovsdb_datum_to_json(&datum, &type), cases[i].out);
		assert_null(ovsdb_datum_check(&datum, &type));
		ovsdb_datum_destroy(&datum, &type);
		ovsdb_type_destroy(&type);
	}
}

static void json_errors(void **state)
{
	static const struct {
		const char *type, *in, *tag;
	} cases[] = {
		{ "'integer'", "'5'", "syntax error" },
		{ "'integer'", "5.5", "syntax error" },
		{ "'integer'", "1e19", "syntax error" },
		{ "'integer'", "null", "syntax error" },
		{ "'integer'", "['set',[]]", "syntax error" },
		{ "'integer'", "['set',[1,2]]", "syntax error" },
		{ "'integer'", "['set',1]", "syntax error" },
		{ "'integer'", "['set',[1],2]", "syntax error" },
		{ "'integer'", "['map',[]]", "syntax error" },
		{ "'real'", "true", "syntax error" },
		{ "'boolean'", "1", "syntax error" },
		{ "'string'", "1", "syntax error" },
		{ "'uuid'", "'x'", "syntax error" },
		{ "'uuid'", "['uuid','x']", "syntax error" },
		{ "'uuid'", "['named-uuid','x']", "syntax error" },
		{ SET("integer"), "['set',[1,1]]", "ovsdb error" },
		{ SET("integer"), "['set',[1,'a']]", "syntax error" },
		{ MAP, "['map',[['a',1],['a',2]]]", "ovsdb error" },
		{ MAP, "['map',[['a']]]", "syntax error" },
		{ MAP, "['map',['a']]", "syntax error" },
		{ MAP, "['map',[['a','b']]]", "syntax error" },
		{ MAP, "['set',[]]", "syntax error" },
		{ MAP, "1", "syntax error" },
		{ "{'key':{'type':'integer','minInteger':2,'maxInteger':4}}",
		  "5", "constraint violation" },
		{ "{'key':{'type':'integer','minInteger':2,'maxInteger':4}}",
		  "1", "constraint violation" },
		{ "{'key':{'type':'real','minReal':2,'maxReal':4}}", "4.5",
		  "constraint violation" },
		{ "{'key':{'type':'string','minLength':2,'maxLength':3}}",
		  "'a'", "constraint violation" },
		{ "{'key':{'type':'string','minLength':2,'maxLength':3}}",
		  "'abcd'", "constraint violation" },
		{ "{'key':{'type':'string','enum':['set',['x','y']]}}", "'z'",
		  "constraint violation" },
		{ "{'key':{'type':'integer','enum':3}}", "4",
		  "constraint violation" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ovsdb_type type = type_of(cases[i].type);
		json_t *json = parse_json(cases[i].in);
		struct ovsdb_datum datum;

		assert_error(ovsdb_datum_from_json(&datum, &type, json, NULL),
			     cases[i].tag);
		assert_int_equal(datum.n, 0);
		json_decref(json);
		ovsdb_type_destroy(&type);
	}
}

/* Three characters of two bytes each are three, not six. */
static void length_in_characters(void **state)
{
	struct ovsdb_type type =
		type_of("{'key':{'type':'string','maxLength':3}}");
	struct ovsdb_datum datum = datum_of(&type, "'\\u00e9\\u00e9\\u00e9'");

	ovsdb_datum_destroy(&datum, &type);
	ovsdb_type_destroy(&type);
}

static void named_uuids(void **state)
{
	struct ovsdb_type type = type_of(SET("uuid"));
	struct ovsdb_symbols *symbols = ovsdb_symbols_create();
	json_t *json = parse_json("['set',[['named-uuid','a'],"
				  "['named-uuid','b']]]");
	struct ovsdb_datum datum;

	assert_null(ovsdb_datum_from_json(&datum, &type, json, symbols));
	assert_int_equal(datum.n, 2);
	assert_true(ovsdb_symbols_find(symbols, "a")->referenced);
	assert_false(ovsdb_symbols_find(symbols, "a")->created);
	assert_null(ovsdb_symbols_find(symbols, "c"));
	assert_ptr_equal(ovsdb_symbols_at(symbols, 1),
			 ovsdb_symbols_get(symbols, "b"));
	assert_null(ovsdb_symbols_at(symbols, 2));
	ovsdb_datum_destroy(&datum, &type);
	assert_null(ovsdb_datum_from_json(
		&datum, &type, json_array_get(json_array_get(json, 1), 0),
		symbols));
	assert_json(ovsdb_datum_to_json_named(&datum, &type, symbols),
		    "['named-uuid','a']");
	ovsdb_datum_destroy(&datum, &type);
	ovsdb_symbols_destroy(symbols);
	ovsdb_type_destroy(&type);
	json_decref(json);
}

/* A clone shares its arrays until one of the two is changed. */
static void copy_on_write(void **state)
{
	struct ovsdb_type type = type_of(MAP);
	struct ovsdb_datum a = datum_of(&type, "['map',[['a',1],['c',3]]]"), b;
	union ovsdb_atom key, value = { .integer = 2 };

	ovsdb_datum_clone(&b, &a);
	assert_ptr_equal(a.keys, b.keys);
	ovsdb_atom_init_string(&key, "b");
	assert_true(ovsdb_datum_insert(&b, &key, &value, false, &type));
	assert_ptr_not_equal(a.keys, b.keys);
	assert_json(ovsdb_datum_to_json(&a, &type),
		    "['map',[['a',1],['c',3]]]");
	assert_json(ovsdb_datum_to_json(&b, &type),
		    "['map',[['a',1],['b',2],['c',3]]]");
	value.integer = 9;
	assert_false(ovsdb_datum_insert(&b, &key, &value, false, &type));
	assert_int_equal(b.values[1].integer, 2);
	assert_false(ovsdb_datum_insert(&b, &key, &value, true, &type));
	assert_int_equal(b.values[1].integer, 9);
	assert_int_equal(ovsdb_datum_find_key(&b, &key, OVSDB_TYPE_STRING), 1);
	assert_int_equal(ovsdb_datum_find_key(&a, &key, OVSDB_TYPE_STRING), -1);
	ovsdb_datum_remove_at(&a, 0, &type);
	assert_json(ovsdb_datum_to_json(&a, &type), "['map',[['c',3]]]");
	ovsdb_datum_remove_at(&a, 0, &type);
	assert_int_equal(a.n, 0);
	assert_null(a.keys);
	ovsdb_atom_destroy(&key, OVSDB_TYPE_STRING);
	ovsdb_datum_destroy(&b, &type);
	ovsdb_type_destroy(&type);
}

static void check_algebra(const struct ovsdb_type *type, const char *a_text,
			  const char *b_text, const char *union_text,
			  const char *minus_text, const char *diff_text)
{
	struct ovsdb_datum a = datum_of(type, a_text);
	struct ovsdb_datum b = datum_of(type, b_text), c, diff;

	ovsdb_datum_clone(&c, &a);
	ovsdb_datum_union(&c, &b, type, false);
	assert_json(ovsdb_datum_to_json(&c, type), union_text);
	ovsdb_datum_destroy(&c, type);
	ovsdb_datum_clone(&c, &a);
	ovsdb_datum_subtract(&c, type, &b, type);
	assert_json(ovsdb_datum_to_json(&c, type), minus_text);
	ovsdb_datum_destroy(&c, type);
	assert_int_equal(ovsdb_datum_diff(&diff, &a, &b, type),
			 !ovsdb_datum_equals(&a, &b, type));
	assert_json(ovsdb_datum_to_json(&diff, type), diff_text);
	ovsdb_datum_clone(&c, &a);
	if (diff.n) {
		assert_null(ovsdb_datum_apply_diff(&c, &diff, type));
		assert_true(ovsdb_datum_equals(&c, &b, type));
	}
	ovsdb_datum_destroy(&c, type);
	ovsdb_datum_destroy(&diff, type);
	ovsdb_datum_destroy(&a, type);
	ovsdb_datum_destroy(&b, type);
}

static void algebra(void **state)
{
	struct ovsdb_type set = type_of(SET("integer")), map = type_of(MAP);

	check_algebra(&set, "['set',[1,2,3]]", "['set',[2,4]]",
		      "['set',[1,2,3,4]]", "['set',[1,3]]", "['set',[1,3,4]]");
	check_algebra(&set, "['set',[1,2]]", "2", "['set',[1,2]]", "1", "1");
	check_algebra(&set, "['set',[]]", "['set',[2,3]]", "['set',[2,3]]",
		      "['set',[]]", "['set',[2,3]]");
	check_algebra(&set, "5", "5", "5", "['set',[]]", "['set',[]]");
	check_algebra(&map, "['map',[['a',1],['b',2],['c',3]]]",
		      "['map',[['b',9],['c',3],['d',4]]]",
		      "['map',[['a',1],['b',2],['c',3],['d',4]]]",
		      "['map',[['a',1],['b',2]]]",
		      "['map',[['a',1],['b',9],['d',4]]]");
	check_algebra(&map, "['map',[['a',1]]]", "['map',[['a',2]]]",
		      "['map',[['a',1]]]", "['map',[['a',1]]]",
		      "['map',[['a',2]]]");
	ovsdb_type_destroy(&set);
	ovsdb_type_destroy(&map);
}

/* Random sets against a table of bits. */
static void random_sets(void **state)
{
	struct ovsdb_type type = type_of(SET("integer"));
	uint64_t bits[2] = { 0, 0 };
	struct ovsdb_datum sets[2];
	uint32_t x = 1;

	ovsdb_datum_init_empty(&sets[0]);
	ovsdb_datum_init_empty(&sets[1]);
	for (int round = 0; round < 20000; round++) {
		struct ovsdb_datum *set;
		union ovsdb_atom atom;
		int i, at;

		x = x * 1664525 + 1013904223;
		i = x >> 31;
		set = &sets[i];
		atom.integer = x >> 8 & 63;
		at = ovsdb_datum_find_key(set, &atom, OVSDB_TYPE_INTEGER);
		assert_int_equal(at >= 0, bits[i] >> atom.integer & 1);
		switch (x >> 20 & 7) {
		case 0:
			ovsdb_datum_union(set, &sets[!i], &type, false);
			bits[i] |= bits[!i];
			break;
		case 1:
			ovsdb_datum_subtract(set, &type, &sets[!i], &type);
			bits[i] &= ~bits[!i];
			break;
		case 2:
			ovsdb_datum_destroy(set, &type);
			ovsdb_datum_clone(set, &sets[!i]);
			bits[i] = bits[!i];
			break;
		case 3:
		case 4:
			if (at >= 0)
				ovsdb_datum_remove_at(set, (unsigned int)at,
						      &type);
			bits[i] &= ~(1ull << atom.integer);
			break;
		default:
			assert_int_equal(ovsdb_datum_insert(set, &atom, NULL,
							    false, &type),
					 at < 0);
			bits[i] |= 1ull << atom.integer;
			break;
		}
		assert_int_equal(set->n, __builtin_popcountll(bits[i]));
		assert_int_equal(ovsdb_datum_equals(&sets[0], &sets[1], &type),
				 bits[0] == bits[1]);
		assert_int_equal(
			ovsdb_datum_includes_all(&sets[0], &sets[1], &type),
			!(bits[0] & ~bits[1]));
		assert_int_equal(
			ovsdb_datum_excludes_all(&sets[0], &sets[1], &type),
			!(bits[0] & bits[1]));
		if (bits[0] == bits[1])
			assert_int_equal(ovsdb_datum_hash(&sets[0], &type, 7),
					 ovsdb_datum_hash(&sets[1], &type, 7));
	}
	ovsdb_datum_destroy(&sets[0], &type);
	ovsdb_datum_destroy(&sets[1], &type);
	ovsdb_type_destroy(&type);
}

static void defaults(void **state)
{
	static const struct {
		const char *type, *value;
	} cases[] = {
		{ "'integer'", "0" },
		{ "'real'", "0" },
		{ "'boolean'", "false" },
		{ "'string'", "''" },
		{ "'uuid'", "['uuid','00000000-0000-0000-0000-000000000000']" },
		{ OPTIONAL, "['set',[]]" },
		{ MAP, "['map',[]]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ovsdb_type type = type_of(cases[i].type);
		struct ovsdb_datum datum;

		ovsdb_datum_init_default(&datum, &type);
		assert_true(ovsdb_datum_is_default(&datum, &type));
		assert_json(ovsdb_datum_to_json(&datum, &type), cases[i].value);
		ovsdb_datum_destroy(&datum, &type);
		ovsdb_type_destroy(&type);
	}
}

static void texts(void **state)
{
	static const struct {
		const char *type, *in, *out; /* out NULL: an error */
	} cases[] = {
		{ "'integer'", "5", "5" },
		{ "'integer'", "5x", NULL },
		{ "'integer'", "", NULL },
		{ "'integer'", "99999999999999999999", NULL },
		{ "'real'", "2.50", "2.5" },
		{ "'real'", "inf", NULL },
		{ "'boolean'", "yes", "true" },
		{ "'boolean'", "off", "false" },
		{ "'boolean'", "maybe", NULL },
		{ "'string'", "br0", "br0" },
		{ "'string'", "\"a b\"", "\"a b\"" },
		{ "'string'", "00:11", "\"00:11\"" },
		{ "'string'", "true", "\"true\"" },
		{ "'string'", "\"open", NULL },
		{ "'string'", "", NULL },
		{ "'string'", "\"\"", "\"\"" },
		{ "'uuid'", "@x", NULL },
		{ SET("integer"), "[3, 1,2]", "[1, 2, 3]" },
		{ SET("integer"), "3,1", "[1, 3]" },
		{ SET("integer"), "7", "[7]" },
		{ SET("integer"), "[]", "[]" },
		{ SET("integer"), "[1", NULL },
		{ SET("integer"), "[1] x", NULL },
		{ SET("integer"), "1 2", NULL },
		{ SET("integer"), "1,1", NULL },
		{ SET("string"), "\"a,b\",c", "[\"a,b\", c]" },
		{ OPTIONAL, "[]", "[]" },
		{ OPTIONAL, "4", "4" },
		{ OPTIONAL, "4,5", NULL },
		{ MAP, "b=2,a=1", "{a=1, b=2}" },
		{ MAP, "{\"x y\"=2}", "{\"x y\"=2}" },
		{ MAP, "{}", "{}" },
		{ MAP, "a", NULL },
		{ MAP, "a=", NULL },
		{ MAP, "a=1,a=2", NULL },
		{ "{'key':{'type':'integer','maxInteger':3}}", "4", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ovsdb_type type = type_of(cases[i].type);
		struct ovsdb_datum datum;
		char *why = NULL, *text;
		int error;

		error = ovsdb_datum_from_string(&datum, &type, cases[i].in,
						NULL, &why);
		if (!error != (cases[i].out != NULL))
			fail_msg("\"%s\": %s", cases[i].in, why ? why : "ok");
		if (error) {
			assert_non_null(why);
			free(why);
		} else {
			text = ovsdb_datum_to_string(&datum, &type);
			assert_string_equal(text, cases[i].out);
			free(text);
		}
		ovsdb_datum_destroy(&datum, &type);
		ovsdb_type_destroy(&type);
	}
}

static void string_maps(void **state)
{
	struct ovsdb_type type = type_of("{'key':'string','value':'string',"
					 "'min':0,'max':'unlimited'}");
	struct ovsdb_datum datum =
		datum_of(&type, "['map',[['a','1'],['b','2'],['c','3']]]");

	assert_string_equal(ovsdb_datum_get_string(&datum, "a"), "1");
	assert_string_equal(ovsdb_datum_get_string(&datum, "c"), "3");
	assert_null(ovsdb_datum_get_string(&datum, "bb"));
	assert_null(ovsdb_datum_get_string(&datum, ""));
	ovsdb_datum_destroy(&datum, &type);
	ovsdb_type_destroy(&type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuids),
		cmocka_unit_test(json_forms),
		cmocka_unit_test(json_errors),
		cmocka_unit_test(length_in_characters),
		cmocka_unit_test(named_uuids),
		cmocka_unit_test(copy_on_write),
		cmocka_unit_test(algebra),
		cmocka_unit_test(random_sets),
		cmocka_unit_test(defaults),
		cmocka_unit_test(texts),
		cmocka_unit_test(string_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
