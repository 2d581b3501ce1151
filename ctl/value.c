/*
 * <value>s of RFC 7047 section 5.1 as JSON: their elements, and mutations on
 * them as the server would make them.
 */
#include "ctl/value.h"

#include <stdlib.h>
#include <string.h>

static bool is_tagged(const json_t *value, const char *tag)
{
	const char *s = json_string_value(json_array_get(value, 0));

	return s && !strcmp(s, tag) && json_array_size(value) == 2 &&
	       json_is_array(json_array_get(value, 1));
}

bool value_is_map(const json_t *value)
{
	return is_tagged(value, "map");
}

json_t *value_set(void)
{
	return json_pack("[s, []]", "set");
}

json_t *value_uuid(const char *uuid)
{
	return json_pack("[s, s]", "uuid", uuid);
}

json_t *value_elements(const json_t *value)
{
	json_t *array;

	if (is_tagged(value, "set") || is_tagged(value, "map"))
		return json_incref(json_array_get(value, 1));
	array = json_array();
	if (value)
		json_array_append(array, (json_t *)value);
	return array;
}

static int compare_keys(const void *a, const void *b)
{
	const char *x =
		json_string_value(json_array_get(*(json_t *const *)a, 0));
	const char *y =
		json_string_value(json_array_get(*(json_t *const *)b, 0));

	return strcmp(x ? x : "", y ? y : "");
}

json_t *value_sorted_pairs(const json_t *value)
{
	json_t *elements = value_elements(value), *sorted = json_array(), *e;
	json_t **pairs = xcalloc(json_array_size(elements), sizeof(*pairs));
	size_t i;

	json_array_foreach(elements, i, e) {
		pairs[i] = e;
	}
	qsort(pairs, json_array_size(elements), sizeof(*pairs), compare_keys);
	for (i = 0; i < json_array_size(elements); i++)
		json_array_append(sorted, pairs[i]);
	free(pairs);
	json_decref(elements);
	return sorted;
}

static int find(const json_t *elements, const json_t *element, bool by_key)
{
	size_t i;
	json_t *e;

	json_array_foreach(elements, i, e) {
		if (by_key ? json_equal(json_array_get(e, 0), element)
			   : json_equal(e, element))
			return i;
	}
	return -1;
}

bool value_contains(const json_t *value, const json_t *element)
{
	json_t *elements = value_elements(value);
	bool found = find(elements, element, false) >= 0;

	json_decref(elements);
	return found;
}

static bool refers(const json_t *atom, const char *uuid)
{
	const char *tag = json_string_value(json_array_get(atom, 0));
	const char *s = json_string_value(json_array_get(atom, 1));

	return tag && s && !strcmp(tag, "uuid") && !strcmp(s, uuid);
}

bool value_refers(const json_t *value, const char *uuid)
{
	bool map = value_is_map(value), found = false;
	json_t *elements = value_elements(value), *e;
	size_t i;

	json_array_foreach(elements, i, e) {
		found |= map ? refers(json_array_get(e, 0), uuid) ||
					 refers(json_array_get(e, 1), uuid)
			     : refers(e, uuid);
	}
	json_decref(elements);
	return found;
}

static void insert_elements(json_t *to, const json_t *what, bool map)
{
	json_t *e;
	size_t i;

	json_array_foreach(what, i, e) {
		if (find(to, map ? json_array_get(e, 0) : e, map) < 0)
			json_array_append(to, e);
	}
}

static void delete_elements(json_t *from, const json_t *what, bool by_key)
{
	json_t *e;
	size_t i;

	json_array_foreach(what, i, e) {
		int at = find(from, e, by_key);

		if (at >= 0)
			json_array_remove(from, at);
	}
}

json_t *value_mutate(const json_t *value, const char *mutator,
		     const json_t *argument)
{
	bool map = value_is_map(value) || (!value && value_is_map(argument));
	json_t *old = value_elements(value), *what = value_elements(argument);
	json_t *elements = json_copy(old);

	if (!strcmp(mutator, "insert"))
		insert_elements(elements, what, map);
	else
		delete_elements(elements, what, map && !value_is_map(argument));
	json_decref(old);
	json_decref(what);
	return json_pack("[s, o]", map ? "map" : "set", elements);
}

/* A set of one is its element. */
static json_t *normal(const json_t *value)
{
	if (is_tagged(value, "set") &&
	    json_array_size(json_array_get(value, 1)) == 1)
		return json_array_get(json_array_get(value, 1), 0);
	return (json_t *)value;
}

bool value_equals(const json_t *a, const json_t *b)
{
	json_t *x, *y, *e;
	bool equal;
	size_t i;

	a = normal(a);
	b = normal(b);
	if (json_equal(a, b))
		return true;
	if (value_is_map(a) != value_is_map(b) || !a || !b)
		return false;
	x = value_elements(a);
	y = value_elements(b);
	equal = json_array_size(x) == json_array_size(y);
	json_array_foreach(x, i, e) {
		if (!equal)
			break;
		equal = find(y, e, false) >= 0;
	}
	json_decref(x);
	json_decref(y);
	return equal;
}
