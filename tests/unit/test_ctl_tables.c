/* Tables of a schema, parsed on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/tables.h"

static struct tables *create(const char *text, char **errp)
{
	return tables_create(text, strlen(text), errp);
}

/* All of the built-in schema must be as if it were parsed at once. */
static void test_whole_schema(void **state)
{
	struct ovsdb_schema *whole;
	struct tables *t;
	const char *text;
	json_t *json;
	size_t len;

	text = ovsdb_vswitch_schema(&len);
	json = json_loadb(text, len, 0, NULL);
	assert_null(ovsdb_schema_from_json(&whole, json));
	t = tables_create(text, len, NULL);
	assert_non_null(t);
	assert_int_equal(tables_count(t), whole->n_tables);
	for (size_t i = 0; i < tables_count(t); i++) {
		const struct ovsdb_table_schema *a, *b;
		json_t *x, *y;

		a = tables_get(t, i, NULL);
		assert_non_null(a);
		assert_ptr_equal(tables_get(t, i, NULL), a);
		assert_string_equal(a->name, tables_name(t, i));
		b = ovsdb_schema_table(whole, a->name);
		assert_non_null(b);
		assert_int_equal(a->is_root, b->is_root);
		x = ovsdb_table_schema_to_json(a, false);
		y = ovsdb_table_schema_to_json(b, false);
		assert_true(json_equal(x, y));
		json_decref(x);
		json_decref(y);
	}
	tables_destroy(t);
	ovsdb_schema_destroy(whole);
	json_decref(json);
}

static void test_odd_text(void **state)
{
	char *error = NULL;
	struct tables *t;

	/* Braces and quotes in strings; white space; members around. */
	t = create(
		" { \"a\" : [1, {\"tables\": {}}, \"}\\\"{\"],\n\"tables\": {"
		"\"T\" : {\"columns\": {\"c\": {\"type\": \"string\"}}} ,"
		"\"U\":{\"columns\":{\"d\":{\"type\":{\"key\":{\"type\":"
		"\"uuid\",\"refTable\":\"T\"}}}}}}, \"b\": 1}",
		&error);
	assert_non_null(t);
	assert_int_equal(tables_count(t), 2);
	assert_string_equal(tables_name(t, 0), "T");
	assert_non_null(tables_get(t, 1, &error));
	assert_null(error);
	tables_destroy(t);
}

static void test_wrong(void **state)
{
	static const char *const none[] = { "",		 "[]",
					    "{}",	 "{\"tables\":1}",
					    "{\"tables", "{\"tables\":" };
	char *error = NULL;
	struct tables *t;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_null(create(none[i], &error));
		assert_non_null(error);
		free(error);
		error = NULL;
	}
	t = create("{\"tables\":{\"T\":{\"columns\":7}}}", NULL);
	assert_null(tables_get(t, 0, &error));
	assert_non_null(strstr(error, "table T"));
	tables_destroy(t);
	/* Cut off anywhere, it must not be read past its end. */
	for (size_t n = 0; n < 40; n++) {
		char *copy = xmalloc(n);

		memcpy(copy,
		       "{\"tables\":{\"T\":{\"columns\":{\"c\\\"\":7}}}}    ",
		       n);
		tables_destroy(tables_create(copy, n, NULL));
		free(copy);
	}
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_schema),
		cmocka_unit_test(test_odd_text),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
