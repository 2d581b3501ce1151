/* Transactions on a small schema: each operation, errors, who is told. */
#include "tests/unit/ovsdb_testing.h"

#include <stdlib.h>
#include <string.h>

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

static void insert_and_select(void **state)
{
	struct ovsdb_db *db = *state;
	json_t *row,
		*result = run(
			db,
			"[{'op':'insert','table':'A','row':{'name':'a','n':1}},"
			"{'op':'insert','table':'A','row':{'name':'b','n':2,"
			"'o':3,'is':['set',[3,1]],'m':['map',[['k','v']]]}}]");

	assert_int_equal(json_array_size(result), 2);
	assert_non_null(json_object_get(json_array_get(result, 0), "uuid"));
	json_decref(result);
	check_run(db,
		  "[{'op':'select','table':'A','where':[['name','==','b']],"
		  "'columns':['name','n','o','is','m','e','r','b']}]",
		  "[{'rows':[{'name':'b','n':2,'o':3,'is':['set',[1,3]],"
		  "'m':['map',[['k','v']]],'e':['set',[]],'r':0,'b':false}]}]");
	/* Rows that look the same in the columns asked for are one. */
	check_run(db,
		  "[{'op':'select','table':'A','where':[],'columns':['b']}]",
		  "[{'rows':[{'b':false}]}]");
	check_run(db,
		  "[{'op':'select','table':'A','where':[],'columns':['name'],"
		  "'sort':['name']}]",
		  "[{'rows':[{'name':'a'},{'name':'b'}]}]");
	result = run(db, "[{'op':'select','table':'A','where':[]}]");
	row = json_array_get(json_object_get(json_array_get(result, 0), "rows"),
			     0);
	assert_non_null(json_object_get(row, "_uuid"));
	assert_non_null(json_object_get(row, "_version"));
	assert_int_equal(json_object_size(row), 16);
	json_decref(result);
}

static void select_where(struct ovsdb_db *db, const char *where,
			 const char *names)
{
	char *op = xasprintf("[{'op':'select','table':'A','where':[%s],"
			     "'columns':['name'],'sort':['name']}]",
			     where);
	json_t *result = run(db, op), *row;
	char got[64] = "";
	size_t i;

	json_array_foreach(json_object_get(json_array_get(result, 0), "rows"),
			   i, row)
		strcat(got, json_string_value(json_object_get(row, "name")));
	if (strcmp(got, names))
		print_error("where %s\n", where);
	assert_string_equal(got, names);
	json_decref(result);
	free(op);
}

static void conditions(void **state)
{
	struct ovsdb_db *db = *state;

	json_decref(run(
		db, "[{'op':'insert','table':'A','row':{'name':'a','n':1}},"
		    "{'op':'insert','table':'A','row':{'name':'b','n':2,'o':3,"
		    "'is':['set',[1,2]],'m':['map',[['k','v'],['l','w']]]}},"
		    "{'op':'insert','table':'A','row':{'name':'c','n':3,'o':5,"
		    "'r':2.5,'is':2,'m':['map',[['k','w']]]}}]"));
	select_where(db, "", "abc");
	select_where(db, "true", "abc");
	select_where(db, "false", "");
	select_where(db, "['n','<',2]", "a");
	select_where(db, "['n','<=',2]", "ab");
	select_where(db, "['n','>',2]", "c");
	select_where(db, "['n','>=',2]", "bc");
	select_where(db, "['n','!=',2]", "ac");
	select_where(db, "['n','includes',2]", "b");
	select_where(db, "['n','excludes',2]", "ac");
	select_where(db, "['r','<',2.6],['r','>',2.4]", "c");
	/* An empty optional is in no order. */
	select_where(db, "['o','<',4]", "b");
	select_where(db, "['o','>=',0]", "bc");
	select_where(db, "['o','==',['set',[]]]", "a");
	select_where(db, "['o','!=',['set',[]]]", "bc");
	select_where(db, "['o','!=',3]", "ac");
	select_where(db, "['is','==',2]", "c");
	select_where(db, "['is','includes',2]", "bc");
	select_where(db, "['is','includes',['set',[]]]", "abc");
	select_where(db, "['is','excludes',['set',[1,5]]]", "ac");
	select_where(db, "['m','includes',['map',[['k','v']]]]", "b");
	select_where(db, "['m','excludes',['map',[['k','v']]]]", "ac");
	select_where(db, "['n','==',2],['b','==',false]", "b");
	select_where(db, "['n','==',2],['b','==',true]", "");
	select_where(db, "['name','includes','c'],['n','==',3]", "c");
	select_where(db,
		     "['_uuid','==',['uuid',"
		     "'00000000-0000-0000-0000-000000000000']]",
		     "");
}

static void errors(void **state)
{
	static const struct {
		const char *op, *tag;
	} cases[] = {
		{ "{'op':'foo'}", "syntax error" },
		{ "1", "syntax error" },
		{ "{'op':'select','table':'Z','where':[]}", "syntax error" },
		{ "{'op':'select','table':'A'}", "syntax error" },
		{ "{'op':'select','table':'A','where':1}", "syntax error" },
		{ "{'op':'select','table':'A','where':[],'x':1}",
		  "syntax error" },
		{ "{'op':'select','table':'A','where':[['zz','==',1]]}",
		  "unknown column" },
		{ "{'op':'select','table':'A','where':[['n','foo',1]]}",
		  "unknown function" },
		{ "{'op':'select','table':'A','where':[['n','==',1,2]]}",
		  "syntax error" },
		{ "{'op':'select','table':'A','where':[['name','<','x']]}",
		  "syntax error" },
		{ "{'op':'select','table':'A','where':[['o','<',['set',[]]]]}",
		  "syntax error" },
		{ "{'op':'select','table':'A','where':[],'columns':['zz']}",
		  "syntax error" },
		{ "{'op':'select','table':'A','where':[],'columns':['n','n']}",
		  "syntax error" },
		{ "{'op':'insert','table':'A','row':{'zz':1}}",
		  "unknown column" },
		{ "{'op':'insert','table':'A','row':{'_uuid':1}}",
		  "syntax error" },
		{ "{'op':'insert','table':'A','row':{'is':['set',[1,1]]}}",
		  "ovsdb error" },
		{ "{'op':'insert','table':'A','row':{'m':['map',[['a','b'],"
		  "['a','c']]]}}",
		  "ovsdb error" },
		{ "{'op':'insert','table':'A','row':{'is':['set',[1,2,3,4]]}}",
		  "syntax error" },
		{ "{'op':'insert','table':'A','row':{'is':11}}",
		  "constraint violation" },
		{ "{'op':'insert','table':'A','row':{'e':'z'}}",
		  "constraint violation" },
		{ "{'op':'insert','table':'A','row':{'n':1.5}}",
		  "syntax error" },
		{ "{'op':'insert','table':'A','uuid':'x','row':{}}",
		  "syntax error" },
		{ "{'op':'insert','table':'A','uuid-name':'1','row':{}}",
		  "syntax error" },
		{ "{'op':'update','table':'A','where':[],'row':{'im':'q'}}",
		  "constraint violation" },
		{ "{'op':'update','table':'A','where':[],'row':{'_uuid':"
		  "['uuid','00000000-0000-0000-0000-000000000000']}}",
		  "constraint violation" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['im','+=',1]]}",
		  "constraint violation" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['_uuid','insert',1]]}",
		  "constraint violation" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['n','foo',1]]}",
		  "unknown mutator" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['name','+=',1]]}",
		  "syntax error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['r','%=',1]]}",
		  "syntax error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['n','insert',1]]}",
		  "syntax error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['n','/=',0]]}",
		  "domain error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['n','%=',0]]}",
		  "domain error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['n','+=',9223372036854775807]]}",
		  "range error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['r','+=',1e308],['r','*=',10]]}",
		  "range error" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['is','insert',['set',[1,2]]],['is','insert',"
		  "['set',[3,4]]]]}",
		  "constraint violation" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['is','insert',['set',[1,2]]],['is','*=',0]]}",
		  "constraint violation" },
		{ "{'op':'mutate','table':'A','where':[],'mutations':"
		  "[['is','insert',['set',[1,2]]],['is','+=',20]]}",
		  "constraint violation" },
		{ "{'op':'wait','table':'A','timeout':0,'where':[],"
		  "'until':'==','columns':['n'],'rows':[]}",
		  "timed out" },
		{ "{'op':'wait','table':'A','timeout':-1,'where':[],"
		  "'until':'==','columns':['n'],'rows':[]}",
		  "syntax error" },
		{ "{'op':'wait','table':'A','timeout':0,'where':[],"
		  "'until':'<','columns':['n'],'rows':[]}",
		  "syntax error" },
		{ "{'op':'insert','table':'A','row':{'name':'dup','n':9,"
		  "'strong':['uuid','11111111-1111-1111-1111-111111111111']}}",
		  "referential integrity violation" },
		{ "{'op':'insert','table':'A','row':{'name':'dup','n':9,"
		  "'strong':['named-uuid','nobody']}}",
		  "referential integrity violation" },
		{ "{'op':'insert','table':'A','row':{'name':'a','n':7}}",
		  "constraint violation" },
		{ "{'op':'insert','table':'A','row':{'name':'new','n':1}}",
		  "constraint violation" },
		{ "{'op':'abort'}", "aborted" },
		{ "{'op':'commit','durable':1}", "syntax error" },
		{ "{'op':'commit'}", "syntax error" },
		{ "{'op':'comment'}", "syntax error" },
		{ "{'op':'assert','lock':'x'}", "not owner" },
	};
	struct ovsdb_db *db = *state;

	json_decref(run(db, "[{'op':'insert','table':'A','row':{'name':'a',"
			    "'n':1,'is':5}}]"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *ops = xasprintf(
			"[{'op':'insert','table':'A','row':{'name':'x','n':4}},"
			"%s,{'op':'comment','comment':'never'}]",
			cases[i].op);

		check_run_error(db, ops, cases[i].tag);
		free(ops);
		/* Nothing of a failed transaction stays. */
		assert_int_equal(count(db, "A"), 1);
		select_where(db, "['name','==','x']", "");
		select_where(db, "['name','==','a'],['is','==',5]", "a");
	}
}

/* The places of an error: of an operation, and at the end for a commit's. */
static void result_shape(void **state)
{
	struct ovsdb_db *db = *state;
	json_t *result;

	check_run(db, "[]", "[]");
	check_run(db,
		  "[{'op':'comment','comment':'x'},"
		  "{'op':'commit','durable':true}]",
		  "[{},{}]");
	result = run(db, "[{'op':'comment','comment':'x'},{'op':'abort'},"
			 "{'op':'comment','comment':'x'}]");
	assert_int_equal(json_array_size(result), 3);
	assert_true(json_is_null(json_array_get(result, 2)));
	json_decref(result);
	result = run(db,
		     "[{'op':'insert','table':'A','row':{'name':'a'}},"
		     "{'op':'insert','table':'A','row':{'name':'a','n':1}}]");
	assert_int_equal(json_array_size(result), 3);
	assert_non_null(json_object_get(json_array_get(result, 1), "uuid"));
	assert_non_null(json_object_get(json_array_get(result, 2), "error"));
	json_decref(result);
}

static void check_bad_params(struct ovsdb_db *db, const char *text)
{
	json_t *params = parse_json(text), *error;
	uint32_t timeout_ms;
	bool waiting;

	assert_null(ovsdb_db_transact(db, NULL, params, 0, &waiting,
				      &timeout_ms, &error));
	assert_false(waiting);
	assert_error(error, "syntax error");
	json_decref(params);
}

static void bad_params(void **state)
{
	check_bad_params(*state, "{}");
	check_bad_params(*state, "[]");
	check_bad_params(*state, "[1]");
	check_bad_params(*state, "['Z']");
	check_bad_params(*state, "'T'");
}

static void mutations(void **state)
{
	struct ovsdb_db *db = *state;

	json_decref(run(db, "[{'op':'insert','table':'A','row':{'name':'a',"
			    "'n':7,'r':1.5,'is':['set',[1,2]],"
			    "'m':['map',[['a','1'],['b','2'],['c','3']]]}}]"));
	check_run(db,
		  "[{'op':'mutate','table':'A','where':[],'mutations':["
		  "['n','+=',5],['n','-=',2],['n','*=',3],['n','/=',4],"
		  "['n','%=',5],['r','*=',4],['r','/=',2],['is','+=',2],"
		  "['is','insert',['set',[3,9]]],['is','delete',4],"
		  "['m','insert',['map',[['a','no'],['d','4']]]],"
		  "['m','delete',['set',['c']]],"
		  "['m','delete',['map',[['a','no'],['b','2']]]]]},"
		  "{'op':'select','table':'A','where':[],"
		  "'columns':['n','r','is','m']}]",
		  "[{'count':1},{'rows':[{'n':2,'r':3,'is':['set',[3,9]],"
		  "'m':['map',[['a','1'],['d','4']]]}]}]");
}

static void update_and_delete(void **state)
{
	struct ovsdb_db *db = *state;

	check_run(db,
		  "[{'op':'update','table':'A','where':[],'row':{'n':1}},"
		  "{'op':'delete','table':'A','where':[]}]",
		  "[{'count':0},{'count':0}]");
	json_decref(run(
		db, "[{'op':'insert','table':'A','row':{'name':'a','n':1}},"
		    "{'op':'insert','table':'A','row':{'name':'b','n':2}}]"));
	check_run(db,
		  "[{'op':'update','table':'A','where':[['name','==','a']],"
		  "'row':{'name':'z','e':'x'}},"
		  "{'op':'select','table':'A','where':[['name','==','z']],"
		  "'columns':['n','e']},"
		  "{'op':'delete','table':'A','where':[['n','==',2]]}]",
		  "[{'count':1},{'rows':[{'n':1,'e':'x'}]},{'count':1}]");
	select_where(db, "", "z");
	/* Keys may be exchanged within a transaction. */
	check_run(db,
		  "[{'op':'insert','table':'A','uuid':"
		  "'11111111-1111-1111-1111-111111111111','row':{'name':'y'}},"
		  "{'op':'update','table':'A','where':[['n','==',1]],"
		  "'row':{'name':'y'}},"
		  "{'op':'update','table':'A','where':[['n','==',0]],"
		  "'row':{'name':'z'}}]",
		  "[{'uuid':['uuid','11111111-1111-1111-1111-111111111111']},"
		  "{'count':1},{'count':1}]");
	select_where(db, "", "yz");
	check_run_error(db,
			"[{'op':'delete','table':'A','where':[['name','==',"
			"'z']]},{'op':'insert','table':'A','uuid':"
			"'11111111-1111-1111-1111-111111111111','row':{}}]",
			"duplicate uuid");
}

struct spy {
	struct ovsdb_listener listener;
	unsigned int calls;
	size_t n;
	unsigned long changed;
};

static void spy_commit(struct ovsdb_listener *l, struct ovsdb_db *db,
		       const struct ovsdb_change *changes, size_t n)
{
	struct spy *spy = (struct spy *)l;

	spy->calls++;
	spy->n = n;
	spy->changed = n ? changes[0].changed[0] : 0;
	for (size_t i = 0; i < n; i++)
		if (changes[i].old && changes[i].new)
			assert_false(uuid_equals(&changes[i].old->version,
						 &changes[i].new->version));
}

static void listeners(void **state)
{
	struct ovsdb_db *db = *state;
	struct spy spy = { .listener.commit = spy_commit };
	const struct ovsdb_column *column;

	ovsdb_db_add_listener(db, &spy.listener);
	json_decref(run(db, "[{'op':'insert','table':'A','row':{}},"
			    "{'op':'insert','table':'B','row':{}}]"));
	assert_int_equal(spy.calls, 1);
	assert_int_equal(spy.n, 1); /* the B is garbage */
	json_decref(run(db, "[{'op':'update','table':'A','where':[],"
			    "'row':{'n':0}}]"));
	assert_int_equal(spy.calls, 1); /* nothing changed */
	json_decref(run(db, "[{'op':'update','table':'A','where':[],"
			    "'row':{'n':5,'name':''}}]"));
	assert_int_equal(spy.calls, 2);
	column = ovsdb_table_schema_column(
		ovsdb_table_schema(ovsdb_db_table(db, "A")), "n");
	assert_int_equal(spy.changed, 1ul << column->index);
	ovsdb_db_remove_listener(db, &spy.listener);
	json_decref(run(db, "[{'op':'delete','table':'A','where':[]}]"));
	assert_int_equal(spy.calls, 2);
}

/* "wait" that waits, is fulfilled, and times out. */
static void waiting(void **state)
{
	struct ovsdb_db *db = *state;
	json_t *params = parse_json(
		"['T',{'op':'insert','table':'A','row':{'name':'x','n':1}},"
		"{'op':'wait','table':'A','timeout':50,'where':[['name','==',"
		"'go']],'columns':['n'],'until':'==','rows':[{'n':3}]},"
		"{'op':'comment','comment':'done'}]");
	json_t *error, *result;
	uint32_t timeout_ms;
	bool waits;

	assert_null(ovsdb_db_transact(db, NULL, params, 0, &waits, &timeout_ms,
				      &error));
	assert_true(waits);
	assert_null(error);
	assert_int_equal(timeout_ms, 50);
	assert_int_equal(count(db, "A"), 0);
	result = ovsdb_db_transact(db, NULL, params, 50, &waits, &timeout_ms,
				   &error);
	assert_false(waits);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(result, 1), "error")),
			    "timed out");
	assert_true(json_is_null(json_array_get(result, 2)));
	json_decref(result);
	json_decref(run(db, "[{'op':'insert','table':'A','row':{'name':'go',"
			    "'n':3}}]"));
	result = ovsdb_db_transact(db, NULL, params, 20, &waits, &timeout_ms,
				   &error);
	assert_false(waits);
	assert_int_equal(json_array_size(result), 3);
	assert_int_equal(count(db, "A"), 2);
	json_decref(result);
	json_decref(params);
}

static bool has_lock_x(const struct ovsdb_session *session, const char *lock)
{
	return !strcmp(lock, "x");
}

static void sessions(void **state)
{
	struct ovsdb_session session = { .has_lock = has_lock_x };
	json_t *params = parse_json("['T',{'op':'assert','lock':'x'},"
				    "{'op':'delete','table':'A','where':[]}]");
	json_t *error, *result;
	uint32_t timeout_ms;
	bool waits;

	result = ovsdb_db_transact(*state, &session, params, 0, &waits,
				   &timeout_ms, &error);
	assert_json(result, "[{},{'count':0}]");
	session.read_only = true;
	result = ovsdb_db_transact(*state, &session, params, 0, &waits,
				   &timeout_ms, &error);
	assert_error(json_incref(json_array_get(result, 1)), "not allowed");
	json_decref(result);
	json_decref(params);
}

/* A store that refuses: then nothing has changed. */
static int refuse(struct ovsdb_storage *storage, const json_t *record,
		  bool durable, char **errp)
{
	return set_error(errp, -28, "no space");
}

static void storage_fails(void **state)
{
	struct ovsdb_storage storage = { .append = refuse };
	struct ovsdb_db *db = *state;

	json_decref(run(db, "[{'op':'insert','table':'A','row':{'name':'a',"
			    "'strong':['named-uuid','b']}},{'op':'insert',"
			    "'table':'B','uuid-name':'b','row':{}}]"));
	ovsdb_db_set_storage(db, &storage);
	check_run_error(db, "[{'op':'delete','table':'A','where':[]}]",
			"I/O error");
	assert_int_equal(count(db, "A"), 1);
	assert_int_equal(count(db, "B"), 1);
	select_where(db, "['name','==','a']", "a");
	/* What is not kept in the file needs no file. */
	check_run_error(db,
			"[{'op':'update','table':'A','where':[],"
			"'row':{'ep':3}}]",
			"");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(insert_and_select), TEST(conditions),    TEST(errors),
		TEST(result_shape),	 TEST(bad_params),    TEST(mutations),
		TEST(update_and_delete), TEST(listeners),     TEST(waiting),
		TEST(sessions),		 TEST(storage_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
