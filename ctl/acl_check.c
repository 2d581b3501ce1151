#include "ctl/acl_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/acl_rule.h"
#include "ctl/ctl.h"
#include "ctl/effective.h"
#include "ctl/value.h"
#include "ctl/view.h"

static const char *const keys[] = { "acl-in", "acl-out" };
static const char *const name_column[] = { "name", NULL };
static const char *const other_columns[] = { "name", "other_config", NULL };

static bool has_others(const struct view_row *row)
{
	return !strcmp(row->table, "Port") || !strcmp(row->table, "Port_Group");
}

/* A port, or a group of them. */
static void check_references(struct ctl *ctl, struct view_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *name = view_get_key(row, "other_config", keys[i]);

		if (!name || effective_is_none(name) ||
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

	if (json_array_size(pairs) > ACL_RULES_MAX)
		ctl_fatal("access list %s would have %zu rules; at most %d are "
			  "taken",
			  view_get_string(row, "name"), json_array_size(pairs),
			  ACL_RULES_MAX);
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

static void check_deleted(struct ctl *ctl, struct view_row *row)
{
	if (strcmp(row->table, "ACL") != 0)
		return;
	check_users(ctl, "Port", view_get_string(row, "name"));
	check_users(ctl, "Port_Group", view_get_string(row, "name"));
}

static bool is_set(struct ctl *ctl, struct view_row *port, const char *key)
{
	const char *value = effective_get(ctl, port, key);

	return value && !effective_is_none(value);
}

/* What limits nothing by itself. */
static void check_limits(struct ctl *ctl, struct view_row *port)
{
	const char *name = view_get_string(port, "name");

	if (is_set(ctl, port, "storm-burst") &&
	    !is_set(ctl, port, "storm-broadcast") &&
	    !is_set(ctl, port, "storm-multicast") &&
	    !is_set(ctl, port, "storm-unknown"))
		ctl_fatal("port %s: other_config:storm-burst%s has no effect "
			  "without other_config:storm-broadcast, "
			  "storm-multicast or storm-unknown",
			  name, effective_origin(port, "storm-burst"));
	if (effective_get(ctl, port, "mac-limit-action") &&
	    !effective_get(ctl, port, "mac-table-limit"))
		ctl_fatal("port %s: other_config:mac-limit-action=%s%s has no "
			  "effect without other_config:mac-table-limit",
			  name, effective_get(ctl, port, "mac-limit-action"),
			  effective_origin(port, "mac-limit-action"));
}

void acl_check(struct ctl *ctl)
{
	effective_each_port(ctl, "other_config", check_limits);
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (row->deleted) {
			check_deleted(ctl, row);
			continue;
		}
		if (has_others(row) && view_is_changed(row, "other_config"))
			check_references(ctl, row);
		if (!strcmp(row->table, "ACL") && view_is_changed(row, "rules"))
			check_rules(row);
	}
}
