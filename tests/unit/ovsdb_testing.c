/* What the tests of the database share. */
#include "tests/unit/ovsdb_testing.h"
#include "tests/unit/scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char small_schema[] =
	"{'name':'T','version':'1.0.0','tables':{"
	" 'A':{'isRoot':true,'indexes':[['name'],['n','b']],'columns':{"
	"  'name':{'type':'string'},"
	"  'n':{'type':'integer'},"
	"  'r':{'type':'real'},"
	"  'b':{'type':'boolean'},"
	"  'o':{'type':{'key':'integer','min':0,'max':1}},"
	"  'is':{'type':{'key':{'type':'integer','minInteger':0,"
	"        'maxInteger':10},'min':0,'max':3}},"
	"  'e':{'type':{'key':{'type':'string','enum':['set',['x','y']]},"
	"       'min':0,'max':1}},"
	"  'm':{'type':{'key':'string','value':'string','min':0,"
	"       'max':'unlimited'}},"
	"  'im':{'type':'string','mutable':false},"
	"  'ep':{'type':'integer','ephemeral':true},"
	"  'strong':{'type':{'key':{'type':'uuid','refTable':'B'},'min':0,"
	"            'max':'unlimited'}},"
	"  'smap':{'type':{'key':'string','value':{'type':'uuid',"
	"          'refTable':'B'},'min':0,'max':'unlimited'}},"
	"  'weak':{'type':{'key':{'type':'uuid','refTable':'B',"
	"          'refType':'weak'},'min':0,'max':'unlimited'}},"
	"  'wmap':{'type':{'key':'string','value':{'type':'uuid',"
	"          'refTable':'B','refType':'weak'},'min':0,"
	"          'max':'unlimited'}}}},"
	" 'B':{'columns':{"
	"  'x':{'type':'integer'},"
	"  'next':{'type':{'key':{'type':'uuid','refTable':'B'},'min':0,"
	"          'max':1}}}},"
	" 'C':{'isRoot':true,'maxRows':2,'columns':{"
	"  'must':{'type':{'key':{'type':'uuid','refTable':'A',"
	"          'refType':'weak'},'min':1,'max':1}}}}}}";

json_t *parse_json(const char *text)
{
	char *copy = strdup(text);
	json_error_t where;
	json_t *json;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	json = json_loads(copy, JSON_DECODE_ANY, &where);
	if (!json)
		fail_msg("%s: %s", copy, where.text);
	free(copy);
	return json;
}

static char *dump(const json_t *json)
{
	return json ? json_dumps(json, JSON_ENCODE_ANY | JSON_SORT_KEYS)
		    : strdup("(null)");
}

void assert_json(json_t *actual, const char *expected)
{
	json_t *json = parse_json(expected);

	if (!json_equal(actual, json)) {
		char *a = dump(actual), *b = dump(json);

		print_error("got      %s\nexpected %s\n", a, b);
		free(a);
		free(b);
		fail();
	}
	json_decref(json);
	json_decref(actual);
}

void assert_error(json_t *error, const char *tag)
{
	assert_non_null(error);
	assert_string_equal(json_string_value(json_object_get(error, "error")),
			    tag);
	json_decref(error);
}

struct ovsdb_schema *parse_schema(const char *text)
{
	json_t *json = parse_json(text);
	struct ovsdb_schema *schema;
	json_t *error = ovsdb_schema_from_json(&schema, json);

	if (error)
		fail_msg("%s", ovsdb_error_to_string(error));
	json_decref(json);
	return schema;
}

json_t *run(struct ovsdb_db *db, const char *operations)
{
	json_t *params = parse_json(operations), *result, *error;
	uint32_t timeout_ms;
	bool waiting;

	json_array_insert_new(params, 0,
			      json_string(ovsdb_db_schema(db)->name));
	result = ovsdb_db_transact(db, NULL, params, 0, &waiting, &timeout_ms,
				   &error);
	json_decref(params);
	assert_false(waiting);
	assert_null(error);
	assert_non_null(result);
	return result;
}

void check_run(struct ovsdb_db *db, const char *operations,
	       const char *expected)
{
	assert_json(run(db, operations), expected);
}

void check_run_error(struct ovsdb_db *db, const char *operations,
		     const char *tag)
{
	json_t *result = run(db, operations), *element;
	const char *got = "";
	size_t i;

	json_array_foreach(result, i, element) {
		json_t *error = json_object_get(element, "error");

		if (error)
			got = json_string_value(error);
	}
	if (strcmp(got, tag)) {
		char *text = dump(result);

		print_error("%s\n-> %s\n", operations, text);
		free(text);
	}
	assert_string_equal(got, tag);
	json_decref(result);
}

char *make_directory(void)
{
	char *path = xmalloc(SCRATCH_SIZE);

	scratch_make(path);
	return path;
}

void remove_directory(char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		char *file;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		file = xasprintf("%s/%s", path, entry->d_name);
		unlink(file);
		free(file);
	}
	closedir(dir);
	assert_int_equal(rmdir(path), 0);
	free(path);
}
