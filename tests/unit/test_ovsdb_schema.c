/* Schemas: what is accepted, what is refused, and back to JSON. */
#include "tests/unit/ovsdb_testing.h"

#include <stdlib.h>
#include <string.h>

static void small(void **state)
{
	struct ovsdb_schema *schema = parse_schema(small_schema), *clone;
	const struct ovsdb_table_schema *a = ovsdb_schema_table(schema, "A");
	const struct ovsdb_column *column;

	assert_string_equal(schema->name, "T");
	assert_string_equal(schema->version, "1.0.0");
	assert_int_equal(schema->n_tables, 3);
	assert_null(ovsdb_schema_table(schema, "D"));
	assert_true(a->is_root);
	assert_false(ovsdb_schema_table(schema, "B")->is_root);
	assert_int_equal(a->max_rows, UINT_MAX);
	assert_int_equal(ovsdb_schema_table(schema, "C")->max_rows, 2);
	assert_int_equal(a->n_indexes, 2);
	assert_int_equal(a->indexes[1].n_columns, 2);
	assert_string_equal(a->indexes[1].columns[0]->name, "n");
	column = ovsdb_table_schema_column(a, "weak");
	assert_ptr_equal(&a->columns[column->index], column);
	assert_true(ovsdb_base_type_is_weak_ref(&column->type.key));
	assert_ptr_equal(column->type.key.uuid.ref_table,
			 ovsdb_schema_table(schema, "B"));
	assert_false(ovsdb_table_schema_column(a, "im")->is_mutable);
	assert_true(ovsdb_table_schema_column(a, "ep")->ephemeral);
	assert_null(ovsdb_table_schema_column(a, "zz"));
	clone = ovsdb_schema_clone(schema);
	ovsdb_schema_destroy(schema);
	assert_json(ovsdb_schema_to_json(clone), small_schema);
	ovsdb_schema_destroy(clone);
}

/* Each table made afresh means the same. */
static void round_trip(void **state)
{
	struct ovsdb_schema *schema = parse_schema(small_schema), *again;
	json_t *json = ovsdb_schema_to_json(schema);
	json_t *copy = json_deep_copy(json);
	json_t *tables = json_object();

	for (size_t i = 0; i < schema->n_tables; i++)
		json_object_set_new(
			tables, schema->tables[i].name,
			ovsdb_table_schema_to_json(&schema->tables[i], false));
	json_object_set_new(copy, "tables", tables);
	assert_null(ovsdb_schema_from_json(&again, copy));
	for (size_t i = 0; i < schema->n_tables; i++) {
		json_t *a =
			ovsdb_table_schema_to_json(&schema->tables[i], false);
		json_t *b =
			ovsdb_table_schema_to_json(&again->tables[i], false);

		assert_true(json_equal(a, b));
		json_decref(a);
		json_decref(b);
	}
	json_decref(json);
	json_decref(copy);
	ovsdb_schema_destroy(schema);
	ovsdb_schema_destroy(again);
}

/* Without any isRoot, all are; a strong reference is never ephemeral. */
static void old_schemas(void **state)
{
	struct ovsdb_schema *schema = parse_schema(
		"{'name':'O','tables':{'A':{'columns':{'b':{'ephemeral':true,"
		"'type':{'key':{'type':'uuid','refTable':'B'}}}}},"
		"'B':{'columns':{'x':{'type':'integer'}}}}}");

	assert_true(schema->tables[0].is_root);
	assert_true(schema->tables[1].is_root);
	assert_false(schema->tables[0].columns[0].ephemeral);
	assert_null(schema->version);
	ovsdb_schema_destroy(schema);
}

static void refused(void **state)
{
	static const char *const columns[] = {
		"{}",
		"{'type':'foo'}",
		"{'type':1}",
		"{'type':'integer','x':1}",
		"{'type':'integer','mutable':1}",
		"{'type':{}}",
		"{'type':{'key':'integer','min':2}}",
		"{'type':{'key':'integer','min':-1}}",
		"{'type':{'key':'integer','max':0}}",
		"{'type':{'key':'integer','max':'many'}}",
		"{'type':{'key':'integer','max':4294967296}}",
		"{'type':{'key':'integer','foo':1}}",
		"{'type':{'key':'integer','value':'foo'}}",
		"{'type':{'key':{'type':'integer','minInteger':3,"
		"'maxInteger':2}}}",
		"{'type':{'key':{'type':'integer','minLength':3}}}",
		"{'type':{'key':{'type':'integer','enum':'x'}}}",
		"{'type':{'key':{'type':'string','enum':['set',['x','x']]}}}",
		"{'type':{'key':{'type':'string','enum':['set',[]]}}}",
		"{'type':{'key':{'type':'string','minLength':-1}}}",
		"{'type':{'key':{'type':'string','minLength':3,'maxLength':1}}"
		"}",
		"{'type':{'key':{'type':'real','minReal':3,'maxReal':1}}}",
		"{'type':{'key':{'type':'uuid','refTable':'Z'}}}",
		"{'type':{'key':{'type':'uuid','refTable':'A','refType':'x'}}"
		"}",
		"{'type':{'key':{'type':'uuid','refTable':1}}}",
	};
	static const char *const schemas[] = {
		"1",
		"{}",
		"{'name':'1x','tables':{}}",
		"{'name':'x'}",
		"{'name':'x','tables':[]}",
		"{'name':'x','tables':{},'foo':1}",
		"{'name':'x','version':'1','tables':{}}",
		"{'name':'x','version':'1.2.3.4','tables':{}}",
		"{'name':'x','tables':{'_a':{'columns':{'c':{'type':'real'}}}"
		"}}",
		"{'name':'x','tables':{'a':{'columns':{'_c':{'type':'real'}}}"
		"}}",
		"{'name':'x','tables':{'a':{'columns':{}}}}",
		"{'name':'x','tables':{'a':1}}",
		"{'name':'x','tables':{'a':{'columns':{'c':{'type':'real'}},"
		"'maxRows':0}}}",
		"{'name':'x','tables':{'a':{'columns':{'c':{'type':'real'}},"
		"'indexes':[[]]}}}",
		"{'name':'x','tables':{'a':{'columns':{'c':{'type':'real'}},"
		"'indexes':[['d']]}}}",
		"{'name':'x','tables':{'a':{'columns':{'c':{'type':'real'}},"
		"'indexes':[['c','c']]}}}",
		"{'name':'x','tables':{'a':{'columns':{'c':{'type':'real',"
		"'ephemeral':true}},'indexes':[['c']]}}}",
	};
	struct ovsdb_schema *schema;
	json_t *json, *error;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		char *text = xasprintf("{'name':'x','tables':{'A':{'columns':"
				       "{'c':%s}}}}",
				       columns[i]);

		json = parse_json(text);
		error = ovsdb_schema_from_json(&schema, json);
		if (!error)
			fail_msg("%s", columns[i]);
		json_decref(error);
		assert_null(schema);
		json_decref(json);
		free(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		json = parse_json(schemas[i]);
		assert_error(ovsdb_schema_from_json(&schema, json),
			     "syntax error");
		assert_null(schema);
		json_decref(json);
	}
}

static void names(void **state)
{
	assert_true(ovsdb_is_id("a"));
	assert_true(ovsdb_is_id("_a9"));
	assert_false(ovsdb_is_id(""));
	assert_false(ovsdb_is_id("9a"));
	assert_false(ovsdb_is_id("a-b"));
	assert_true(ovsdb_is_version("0.10.200"));
	assert_false(ovsdb_is_version("1.2"));
	assert_false(ovsdb_is_version("1.2.3 "));
	assert_false(ovsdb_is_version("1..3"));
}

static void vswitch(void **state)
{
	size_t len, columns = 0;
	const char *text = ovsdb_vswitch_schema(&len);
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct ovsdb_schema *schema;

	assert_non_null(json);
	assert_int_equal(text[len], 0);
	assert_null(ovsdb_schema_from_json(&schema, json));
	assert_string_equal(schema->name, "Open_vSwitch");
	assert_int_equal(schema->n_tables, 25);
	for (size_t i = 0; i < schema->n_tables; i++)
		columns += schema->tables[i].n_columns;
	assert_int_equal(columns, 242);
	ovsdb_schema_destroy(schema);
	json_decref(json);
}

static void files(void **state)
{
	char *dir = make_directory(), *path = xasprintf("%s/s", dir);
	struct ovsdb_schema *schema;
	json_t *json = parse_json(small_schema);
	char *why = NULL;

	assert_int_equal(ovsdb_schema_load(&schema, path, &why), -2);
	assert_non_null(strstr(why, path));
	assert_int_equal(json_dump_file(json, path, 0), 0);
	assert_int_equal(ovsdb_schema_load(&schema, path, &why), 0);
	ovsdb_schema_destroy(schema);
	assert_int_equal(
		json_dump_file(json_object_get(json, "tables"), path, 0), 0);
	assert_int_equal(ovsdb_schema_load(&schema, path, &why), -22);
	assert_non_null(strstr(why, "name"));
	free(why);
	free(path);
	json_decref(json);
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small),       cmocka_unit_test(round_trip),
		cmocka_unit_test(old_schemas), cmocka_unit_test(refused),
		cmocka_unit_test(names),       cmocka_unit_test(vswitch),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
