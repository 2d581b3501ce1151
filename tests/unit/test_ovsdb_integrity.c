/*
 * What a commit does for a database's integrity: rows that nothing refers to,
 * weak references to rows that are gone, the most rows of a table.
 */
#include "tests/unit/ovsdb_testing.h"

#include <stdlib.h>

static int setup(void **state)
{
	*state = ovsdb_db_create(parse_schema(small_schema), NULL);
	return 0;
}

static int teardown(void **state)
{
	ovsdb_db_destroy(*state);
	return 0;
}

static size_t count(struct ovsdb_db *db, const char *table)
{
	return ovsdb_table_count(ovsdb_db_table(db, table));
}

static void garbage_collection(void **state)
{
	struct ovsdb_db *db = *state;

	/* Nothing refers to it: gone at once, though its UUID was returned. */
	json_decref(run(db, "[{'op':'insert','table':'B','row':{}}]"));
	assert_int_equal(count(db, "B"), 0);
	/* A chain of three, one in a map, named before they are inserted. */
	json_decref(run(
		db,
		"[{'op':'insert','table':'A','row':{'name':'a',"
		"'strong':['named-uuid','b1'],"
		"'smap':['map',[['k',['named-uuid','b4']]]]}},"
		"{'op':'insert','table':'B','uuid-name':'b1','row':{'x':1,"
		"'next':['named-uuid','b2']}},"
		"{'op':'insert','table':'B','uuid-name':'b2','row':{'x':2,"
		"'next':['named-uuid','b3']}},"
		"{'op':'insert','table':'B','uuid-name':'b3','row':{'x':3}},"
		"{'op':'insert','table':'B','uuid-name':'b4','row':{'x':4}}]"));
	assert_int_equal(count(db, "B"), 4);
	check_run_error(db,
			"[{'op':'delete','table':'B','where':[['x','==',2]]}]",
			"referential integrity violation");
	assert_int_equal(count(db, "B"), 4);
	check_run(db,
		  "[{'op':'update','table':'A','where':[],'row':{"
		  "'strong':['set',[]]}}]",
		  "[{'count':1}]");
	assert_int_equal(count(db, "B"), 1);
	check_run(db,
		  "[{'op':'mutate','table':'A','where':[],'mutations':["
		  "['smap','delete',['set',['k']]]]}]",
		  "[{'count':1}]");
	assert_int_equal(count(db, "B"), 0);
	/* A row does not keep itself. */
	json_decref(run(db, "[{'op':'insert','table':'B','uuid-name':'b',"
			    "'row':{'next':['named-uuid','b']}}]"));
	assert_int_equal(count(db, "B"), 0);
}

static void garbage_before_index(void **state)
{
	static const char schema[] =
		"{'name':'G','tables':{'R':{'isRoot':true,'columns':{"
		"'k':{'type':{'key':{'type':'uuid','refTable':'K'},'min':0}}}},"
		"'K':{'indexes':[['name']],'columns':{'name':{'type':"
		"'string'}}}}}";
	struct ovsdb_db *db = ovsdb_db_create(parse_schema(schema), NULL);

	json_decref(run(db, "[{'op':'insert','table':'R','row':{'k':"
			    "['named-uuid','k']}},{'op':'insert','table':'K',"
			    "'uuid-name':'k','row':{'name':'one'}}]"));
	check_run_error(db,
			"[{'op':'insert','table':'K','uuid-name':'k','row':{"
			"'name':'one'}},{'op':'update','table':'R','where':[],"
			"'row':{'k':['named-uuid','k']}}]",
			"");
	assert_int_equal(count(db, "K"), 1);
	ovsdb_db_destroy(db);
}

static void weak_references(void **state)
{
	struct ovsdb_db *db = *state;
	json_t *json, *row;
	static const char columns[] =
		"[{'op':'select','table':'A','where':[['name','==','w']],"
		"'columns':['weak','wmap']}]";

	json_decref(run(
		db,
		"[{'op':'insert','table':'A','row':{'name':'keep','n':1,"
		"'strong':['set',[['named-uuid','p'],['named-uuid','q']]]}},"
		"{'op':'insert','table':'B','uuid-name':'p','row':{'x':1}},"
		"{'op':'insert','table':'B','uuid-name':'q','row':{'x':2}},"
		"{'op':'insert','table':'A','row':{'name':'w',"
		"'weak':['set',[['named-uuid','p'],['named-uuid','q'],"
		"['named-uuid','none']]],"
		"'wmap':['map',[['a',['named-uuid','p']],"
		"['b',['named-uuid','p']],['c',['named-uuid','q']]]]}}]"));
	/* The one to no row went with the commit. */
	json = run(db, columns);
	row = json_array_get(json_object_get(json_array_get(json, 0), "rows"),
			     0);
	assert_int_equal(json_array_size(json_array_get(
				 json_object_get(row, "weak"), 1)),
			 2);
	assert_int_equal(json_array_size(json_array_get(
				 json_object_get(row, "wmap"), 1)),
			 3);
	json_decref(json);
	check_run(db,
		  "[{'op':'update','table':'A','where':[['name','==','keep']],"
		  "'row':{'strong':['set',[]]}}]",
		  "[{'count':1}]");
	assert_int_equal(count(db, "B"), 0);
	check_run(db, columns,
		  "[{'rows':[{'weak':['set',[]],'wmap':['map',[]]}]}]");
}

static void weak_reference_required(void **state)
{
	struct ovsdb_db *db = *state;

	check_run_error(db, "[{'op':'insert','table':'C','row':{}}]",
			"constraint violation");
	json_decref(run(db, "[{'op':'insert','table':'A','uuid-name':'a',"
			    "'row':{'name':'a'}},{'op':'insert','table':'C',"
			    "'row':{'must':['named-uuid','a']}}]"));
	check_run_error(db, "[{'op':'delete','table':'A','where':[]}]",
			"constraint violation");
	assert_int_equal(count(db, "A"), 1);
	check_run_error(db,
			"[{'op':'delete','table':'A','where':[]},"
			"{'op':'delete','table':'C','where':[]}]",
			"");
	assert_int_equal(count(db, "A") + count(db, "C"), 0);
}

static void max_rows(void **state)
{
	struct ovsdb_db *db = *state;
	static const char row[] = "{'op':'insert','table':'C','row':{'must':"
				  "['named-uuid','a']}}";
	char *ops = xasprintf("[{'op':'insert','table':'A','uuid-name':'a',"
			      "'row':{'name':'a'}},%s,%s,%s]",
			      row, row, row);

	check_run_error(db, ops, "constraint violation");
	assert_int_equal(count(db, "C"), 0);
	free(ops);
	/* Too many for a moment is no error. */
	ops = xasprintf("[{'op':'insert','table':'A','uuid-name':'a',"
			"'row':{'name':'a'}},%s,%s,{'op':'delete','table':'C',"
			"'where':[]},%s,%s]",
			row, row, row, row);
	check_run_error(db, ops, "");
	assert_int_equal(count(db, "C"), 2);
	free(ops);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(garbage_collection), TEST(garbage_before_index),
		TEST(weak_references),	  TEST(weak_reference_required),
		TEST(max_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
