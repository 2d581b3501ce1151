/* vsw-ctl's tables in all formats, and values as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/value.h"

static void add(struct table *t, const char *text)
{
	table_add_cell(t, xstrdup(text), json_string(text));
}

/* Two columns; the second row needs every kind of quoting. */
static struct table *example(void)
{
	struct table *t = table_create();

	table_add_column(t, "name");
	table_add_column(t, "a");
	table_add_row(t);
	add(t, "x");
	add(t, "1");
	table_add_row(t);
	add(t, "long, <&\"");
	add(t, "\xc3\xa9t\xc3\xa9");
	return t;
}

static void prints(const struct table *t, const struct table_style *style,
		   const char *expected)
{
	bool first = true;
	char *text;
	size_t len;
	FILE *stream = open_memstream(&text, &len);

	table_print(t, style, &first, stream);
	fclose(stream);
	assert_string_equal(text, expected);
	free(text);
}

static void test_formats(void **state)
{
	struct table_style style;
	struct table *t = example();

	table_style_init(&style);
	prints(t, &style,
	       "name                : x\na                   : 1\n\n"
	       "name                : long, <&\"\n"
	       "a                   : \xc3\xa9t\xc3\xa9\n");
	style.headings = false;
	prints(t, &style, "x\n1\n\nlong, <&\"\n\xc3\xa9t\xc3\xa9\n");
	style.headings = true;
	style.format = TABLE_TABLE;
	prints(t, &style,
	       "name      a\n--------- ---\nx         1\n"
	       "long, <&\" \xc3\xa9t\xc3\xa9\n");
	style.max_width = 2;
	prints(t, &style, "name a\n---- --\nx    1\nlong \xc3\xa9t\n");
	style.format = TABLE_CSV;
	prints(t, &style, "name,a\nx,1\n\"long, <&\"\"\",\xc3\xa9t\xc3\xa9\n");
	style.format = TABLE_HTML;
	style.headings = false;
	prints(t, &style,
	       "<table border=1>\n  <tr>\n    <td>x</td>\n    <td>1</td>\n"
	       "  </tr>\n  <tr>\n    <td>long, &lt;&amp;&quot;</td>\n"
	       "    <td>\xc3\xa9t\xc3\xa9</td>\n  </tr>\n</table>\n");
	style.format = TABLE_JSON;
	prints(t, &style,
	       "{\"data\":[[\"x\",\"1\"],[\"long, <&\\\"\",\""
	       "\xc3\xa9t\xc3\xa9\"]],\"headings\":[\"name\",\"a\"]}\n");
	table_destroy(t);
}

static void test_empty(void **state)
{
	struct table *t = table_create();
	struct table_style style;

	table_style_init(&style);
	table_add_column(t, "name");
	prints(t, &style, "");
	style.format = TABLE_TABLE;
	prints(t, &style, "name\n----\n");
	style.format = TABLE_CSV;
	prints(t, &style, "name\n");
	style.format = TABLE_JSON;
	prints(t, &style, "{\"data\":[],\"headings\":[\"name\"]}\n");
	table_destroy(t);
}

static void test_blank_between(void **state)
{
	struct table *t = example();
	struct table_style style;
	bool first = true;
	char *text;
	size_t len;
	FILE *stream = open_memstream(&text, &len);

	table_style_init(&style);
	style.format = TABLE_CSV;
	table_print(t, &style, &first, stream);
	assert_false(first);
	table_print(t, &style, &first, stream);
	fclose(stream);
	assert_non_null(strstr(text, "\n\nname,a\n"));
	free(text);
	table_destroy(t);
}

/* --- values --------------------------------------------------------------- */

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	return json;
}

static void mutates(const char *value, const char *mutator,
		    const char *argument, const char *expected)
{
	json_t *v = value ? parse(value) : NULL, *a = parse(argument);
	json_t *e = parse(expected), *r = value_mutate(v, mutator, a);

	if (!value_equals(r, e))
		fail_msg("%s %s %s gives %s", value, mutator, argument,
			 json_dumps(r, JSON_COMPACT));
	json_decref(v);
	json_decref(a);
	json_decref(e);
	json_decref(r);
}

static void test_mutate(void **state)
{
	mutates("[\"set\",[1,2]]", "insert", "[\"set\",[2,3]]",
		"[\"set\",[1,2,3]]");
	mutates("1", "insert", "2", "[\"set\",[1,2]]");
	mutates(NULL, "insert", "[\"set\",[2]]", "2");
	mutates("[\"set\",[1,2]]", "delete", "2", "1");
	mutates("[\"set\",[]]", "delete", "2", "[\"set\",[]]");
	mutates("[\"map\",[[\"a\",1]]]", "insert",
		"[\"map\",[[\"a\",2],[\"b\",3]]]",
		"[\"map\",[[\"a\",1],[\"b\",3]]]");
	mutates("[\"map\",[[\"a\",1],[\"b\",3]]]", "delete",
		"[\"set\",[\"a\"]]", "[\"map\",[[\"b\",3]]]");
	mutates("[\"map\",[[\"a\",1],[\"b\",3]]]", "delete",
		"[\"map\",[[\"a\",9],[\"b\",3]]]", "[\"map\",[[\"a\",1]]]");
	mutates(NULL, "insert", "[\"map\",[[\"a\",1]]]",
		"[\"map\",[[\"a\",1]]]");
}

static void same(const char *a, const char *b, bool expected)
{
	json_t *x = parse(a), *y = parse(b);

	assert_int_equal(value_equals(x, y), expected);
	json_decref(x);
	json_decref(y);
}

static void test_equals(void **state)
{
	same("[\"set\",[1,2]]", "[\"set\",[2,1]]", true);
	same("[\"set\",[1]]", "1", true);
	same("[\"set\",[1,2]]", "[\"set\",[1]]", false);
	same("[\"set\",[]]", "[\"map\",[]]", false);
	same("[\"uuid\",\"x\"]", "[\"set\",[[\"uuid\",\"x\"]]]", true);
	same("[\"map\",[[1,2],[3,4]]]", "[\"map\",[[3,4],[1,2]]]", true);
	same("[\"map\",[[1,2],[3,4]]]", "[\"map\",[[3,4],[1,5]]]", false);
}

static void test_refers(void **state)
{
	json_t *map = parse("[\"map\",[[1,[\"uuid\",\"x\"]]]]");
	json_t *set = parse("[\"set\",[[\"uuid\",\"x\"],[\"uuid\",\"y\"]]]");

	assert_true(value_refers(map, "x"));
	assert_false(value_refers(map, "y"));
	assert_true(value_refers(set, "y"));
	assert_false(value_refers(set, "z"));
	assert_false(value_refers(NULL, "z"));
	json_decref(map);
	json_decref(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_blank_between),
		cmocka_unit_test(test_mutate),
		cmocka_unit_test(test_equals),
		cmocka_unit_test(test_refers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
