#include "ctl/acl_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/acl_rule.h"
#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/view.h"

static const char *const keys[] = { "acl-in", "acl-out" };
static const char *const name_column[] = { "name", NULL };
static const char *const other_columns[] = { "name", "other_config", NULL };

static bool is_changed(const struct view_row *row, const char *column)
{
	return !row->deleted && view_is_changed(row, column);
}

static bool has_others(const struct view_row *row)
{
	return !strcmp(row->table, "Port") || !strcmp(row->table, "Port_Group");
}

/* A port, or a group of them. */
static void check_references(struct ctl *ctl, struct view_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *name = view_get_key(row, "other_config", keys[i]);

		if (!name ||
		    view_by_name(ctl->view, "ACL", "name", name, name_column))
			continue;
		ctl_fatal("%s %s: other_config:%s names access list %s, which "
			  "does not exist; \"add-acl %s allow\" makes it",
			  strcmp(row->table, "Port") ? "group" : "port",
			  view_get_string(row, "name"), keys[i], name, name);
	}
}

static void check_users(struct ctl *ctl, const char *table, const char *name)
{
	struct view_row *row = NULL;

	view_fetch(ctl->view, table, json_array(), other_columns);
	while ((row = view_next(ctl->view, table, row)))
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			const char *uses =
				view_get_key(row, "other_config", keys[i]);

			if (!uses || strcmp(uses, name) != 0)
				continue;
			ctl_fatal("access list %s cannot be deleted: "
				  "other_config:%s of %s %s names it",
				  name, keys[i],
				  strcmp(table, "Port") ? "group" : "port",
				  view_get_string(row, "name"));
		}
}

static void check_rules(struct view_row *row)
{
	json_t *pairs = view_get_set(row, "rules"), *pair;
	struct acl_rule rule;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		const char *text = json_string_value(json_array_get(pair, 1));
		char *why = acl_rule_parse(&rule, text ? text : "");

		if (why)
			ctl_fatal("access list %s: rule %lld \"%s\": %s",
				  view_get_string(row, "name"),
				  (long long)json_integer_value(
					  json_array_get(pair, 0)),
				  text, why);
	}
	json_decref(pairs);
}

void acl_check(struct ctl *ctl)
{
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (has_others(row) && is_changed(row, "other_config"))
			check_references(ctl, row);
		if (strcmp(row->table, "ACL") != 0)
			continue;
		if (is_changed(row, "rules"))
			check_rules(row);
		if (row->deleted) {
			check_users(ctl, "Port", view_get_string(row, "name"));
			check_users(ctl, "Port_Group",
				    view_get_string(row, "name"));
		}
	}
}
