/* The end of a JSON object in a stream that is cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb-lite/json_scan.h"

static const struct json_scan_limits limits = {
	.bytes = 1000,
	.depth = 5,
	.values = 100,
};

static enum json_scan_status scan_one(const char *text, size_t *start,
				      size_t *end)
{
	struct json_scan scan = { 0 };

	return json_scan(&scan, &limits, text, strlen(text), start, end);
}

static void test_whole_objects(void **state)
{
	static const struct {
		const char *text;
		size_t start, end;
	} cases[] = {
		{ "{}", 0, 2 },
		{ "{}{}", 0, 2 },
		{ " \t\r\n{\"a\":1} ", 4, 11 },
		{ "{\"}\":\"{\"}x", 0, 9 },
		{ "{\"a\":\"\\\"}\"}", 0, 11 },
		{ "{\"a\":\"\\\\\"}", 0, 10 },
		{ "{\"a\":[[{}],[]]}", 0, 15 },
	};
	size_t start, end;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(scan_one(cases[i].text, &start, &end),
				 JSON_SCAN_COMPLETE);
		assert_int_equal(start, cases[i].start);
		assert_int_equal(end, cases[i].end);
	}
}

static void test_more_to_come(void **state)
{
	static const char *const texts[] = { "",    "  ",     "{",
					     "{\"", "{\"a\\", "{\"a\":\"}",
					     "{[}" };
	size_t start, end;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(scan_one(texts[i], &start, &end),
				 JSON_SCAN_MORE);
		assert_int_equal(end, strlen(texts[i]));
	}
}

static void test_not_an_object(void **state)
{
	static const char *const texts[] = { "[", "1",	 "\"a\"",
					     "}", "x{}", " null" };
	size_t start, end;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(scan_one(texts[i], &start, &end),
				 JSON_SCAN_NO_OBJECT);
}

/* The same objects are found however the stream is cut in two. */
static void test_any_cut(void **state)
{
	static const char text[] =
		"{\"a\":\"\\\"{\\\\\"} {\"b\":[{},{\"c\":2}]}"
		"\n{}";
	const size_t n = sizeof(text) - 1;

	for (size_t cut = 0; cut <= n; cut++) {
		struct json_scan scan = { 0 };
		size_t at = 0, start, end, found = 0;

		while (at < n) {
			size_t to = at < cut ? cut : n;

			if (json_scan(&scan, &limits, text + at, to - at,
				      &start, &end) == JSON_SCAN_COMPLETE)
				found++;
			at += end;
		}
		assert_int_equal(found, 3);
	}
}

static void test_too_deep(void **state)
{
	size_t start, end;

	assert_int_equal(scan_one("{\"a\":[[[[]]]]}", &start, &end),
			 JSON_SCAN_COMPLETE);
	assert_int_equal(scan_one("{\"a\":[[[[[]]]]]}", &start, &end),
			 JSON_SCAN_TOO_DEEP);
}

static void test_too_large(void **state)
{
	struct json_scan scan = { 0 };
	enum json_scan_status status = JSON_SCAN_MORE;
	size_t start, end, n = 0;

	assert_int_equal(json_scan(&scan, &limits, "{\"", 2, &start, &end),
			 JSON_SCAN_MORE);
	for (; status == JSON_SCAN_MORE && n < 2000; n++)
		status = json_scan(&scan, &limits, "x", 1, &start, &end);
	assert_int_equal(status, JSON_SCAN_TOO_LARGE);
	assert_int_equal(n + 2, limits.bytes + 1);
}

static void test_too_many_values(void **state)
{
	char text[400] = "{\"a\":[";
	size_t start, end;

	for (size_t i = 0; i < 120; i++)
		strcat(text, "1,");
	assert_int_equal(scan_one(text, &start, &end), JSON_SCAN_TOO_MANY);
}

/* White space before an object counts for nothing and is never kept. */
static void test_space_is_free(void **state)
{
	struct json_scan scan = { 0 };
	char spaces[500];
	size_t start, end;

	memset(spaces, ' ', sizeof(spaces));
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(json_scan(&scan, &limits, spaces,
					   sizeof(spaces), &start, &end),
				 JSON_SCAN_MORE);
		assert_int_equal(start, sizeof(spaces));
	}
	assert_int_equal(json_scan(&scan, &limits, "{}", 2, &start, &end),
			 JSON_SCAN_COMPLETE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_objects),
		cmocka_unit_test(test_more_to_come),
		cmocka_unit_test(test_not_an_object),
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_space_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
