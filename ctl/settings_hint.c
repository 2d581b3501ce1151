/*
 * What a person may have meant by a setting that is none (settings.h). The
 * database takes any key of other_config, and vswd leaves those alone that it
 * does not know, so that a typing error would pass in silence.
 */
#include <ctype.h>
#include <string.h>

#include "base/suggest.h"
#include "base/util.h"
#include "ctl/settings.h"
#include "ovsdb-lite/schema.h"

/* Other programs' keys may be like ours: only typing errors are told. */
#define MAX_EDITS 2

static const char other_config[] = "other_config";

static int fold(char c)
{
	return c == '_' ? '-' : tolower((unsigned char)c);
}

/* The same but for case, and '_' for '-'. */
static bool is_same(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (fold(*a) != fold(*b))
			return false;
	return *a == *b;
}

/* The key of a setting in this column, or NULL when it is another's. */
static const char *key_in(const struct setting_info *s, const char *column)
{
	const char *colon = strchr(s->key, ':');
	size_t n = strlen(column);

	if (!colon)
		return strcmp(column, other_config) ? NULL : s->key;
	return (size_t)(colon - s->key) == n && !memcmp(s->key, column, n)
		       ? colon + 1
		       : NULL;
}

static bool is_near(const char *typed, const char *name)
{
	unsigned edits = edit_distance(typed, name);

	return is_same(typed, name) ||
	       (edits <= MAX_EDITS && edits <= strlen(typed) / 3);
}

/* The nearest key of table's column, NULL when none is near. */
static const char *nearest(const char *table, const char *column,
			   const char *typed)
{
	unsigned best_edits = 0;
	const char *best = NULL;
	struct setting_info s;

	for (size_t i = 0; i < settings_count(); i++) {
		const char *key;
		unsigned edits;

		settings_get(i, &s);
		key = strcmp(s.table, settings_table(table))
			      ? NULL
			      : key_in(&s, column);
		if (!key || !is_near(typed, key))
			continue;
		edits = edit_distance(typed, key);
		if (best && edits >= best_edits)
			continue;
		best = key;
		best_edits = edits;
	}
	return best;
}

char *settings_doubt(const struct ovsdb_table_schema *table, const char *column,
		     const char *key)
{
	const char *near = nearest(table->name, column, key);

	if (!strcmp(table->name, "Segment") && !strcmp(column, "options"))
		return NULL; /* settings_check() refuses other keys */
	if (near && !strcmp(near, key))
		return NULL;
	for (size_t i = 0; !near && i < table->n_columns; i++)
		if (is_same(table->columns[i].name, key))
			return xasprintf("%s:%s of table %s has no effect; %s "
					 "is a column, set by %s=VALUE",
					 column, key, table->name,
					 table->columns[i].name,
					 table->columns[i].name);
	if (!near)
		return NULL;
	return xasprintf("%s:%s of table %s is nothing that vswd knows; did "
			 "you mean \"%s\"?",
			 column, key, table->name, near);
}

char *settings_find_key(const char *table, const char *name)
{
	const char *column =
		strcmp(table, "Segment") ? other_config : "options";
	const char *key = nearest(table, column, name);

	return key ? xasprintf("%s:%s", column, key) : NULL;
}

char *settings_example(const char *table, const char *column)
{
	struct setting_info s;

	for (size_t i = 0; i < settings_count(); i++) {
		settings_get(i, &s);
		if (strchr(s.key, ':') &&
		    !strcmp(s.table, settings_table(table)) &&
		    key_in(&s, column) && s.words)
			return xasprintf("%s=%.*s", s.key,
					 (int)strcspn(s.words, " "), s.words);
	}
	return xasprintf("%s:KEY=VALUE", column);
}
