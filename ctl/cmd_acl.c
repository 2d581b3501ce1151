/* Commands on access lists: rows of table ACL, which ports refer to by name. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/acl_rule.h"
#include "ctl/acl_check.h"
#include "ctl/cmd.h"
#include "ctl/listing.h"
#include "ctl/value.h"
#include "ctl/view.h"

static const char *const acl_columns[] = { "name", "default_action", "rules",
					   NULL };

static void want_acls(struct ctl_command *cmd)
{
	view_want(cmd->ctl->view, "ACL", json_array(), acl_columns);
}

static struct view_row *find_acl(struct ctl *ctl, const char *name)
{
	return view_by_name(ctl->view, "ACL", "name", name, acl_columns);
}

static struct view_row *get_acl(struct ctl *ctl, const char *name)
{
	struct view_row *row = find_acl(ctl, name);

	if (!row)
		ctl_fatal("access list %s does not exist; \"list-acls\" lists "
			  "those that do, \"add-acl %s allow\" makes it",
			  name, name);
	return row;
}

static json_int_t parse_order(const char *text)
{
	char *end;
	long order;

	errno = 0;
	order = strtol(text, &end, 10);
	if (errno || end == text || *end || order < 1 || order > ACL_ORDER_MAX)
		ctl_fatal("%s: a rule's order is a number from 1 to %d; lower "
			  "ones are asked first",
			  text, ACL_ORDER_MAX);
	return order;
}

static void add_acl(struct ctl_command *cmd)
{
	const char *name = cmd->argv[1], *action = cmd->argv[2];
	struct view_row *row = find_acl(cmd->ctl, name);

	if (strcmp(action, "allow") != 0 && strcmp(action, "deny") != 0)
		ctl_fatal("%s: what a list does when no rule decides is allow "
			  "or deny",
			  action);
	if (!*name || strpbrk(name, ", "))
		ctl_fatal("\"%s\": the name of an access list has neither "
			  "spaces nor commas",
			  name);
	if (!strcmp(name, "none"))
		ctl_fatal("an access list cannot be named none: that is what a "
			  "port says that has none");
	if (row && !ctl_has_option(cmd, "--may-exist"))
		ctl_fatal("access list %s exists already", name);
	if (!row) {
		row = view_insert(cmd->ctl->view, "ACL");
		view_set_string(row, "name", name);
	}
	view_set_string(row, "default_action", action);
}

static bool has_rule(struct view_row *row, json_int_t order)
{
	json_t *pairs = view_get_set(row, "rules"), *pair;
	bool found = false;
	size_t i;

	json_array_foreach(pairs, i, pair)
		found |= json_integer_value(json_array_get(pair, 0)) == order;
	json_decref(pairs);
	return found;
}

static void remove_rule(struct view_row *row, json_int_t order)
{
	view_mutate(row, "rules", "delete",
		    json_pack("[s, [I]]", "set", order));
}

/* The rest of the command line, as one text. */
static char *join(const struct ctl_command *cmd, int from)
{
	char *text = xstrdup(cmd->argv[from]);

	for (int i = from + 1; i < cmd->argc; i++) {
		char *more = xasprintf("%s %s", text, cmd->argv[i]);

		free(text);
		text = more;
	}
	return text;
}

static void set_acl(struct ctl_command *cmd)
{
	struct view_row *row = get_acl(cmd->ctl, cmd->argv[1]);
	json_int_t order = parse_order(cmd->argv[2]);
	char *text = join(cmd, 3), *why;
	struct acl_rule rule;

	why = acl_rule_parse(&rule, text);
	if (why)
		ctl_fatal("rule \"%s\": %s", text, why);
	if (has_rule(row, order))
		remove_rule(row, order);
	view_mutate(row, "rules", "insert",
		    json_pack("[s, [[I, s]]]", "map", order, text));
	free(text);
}

static void del_acl(struct ctl_command *cmd)
{
	bool may_lack = ctl_has_option(cmd, "--if-exists");
	struct view_row *row;
	json_int_t order;

	if (may_lack && !find_acl(cmd->ctl, cmd->argv[1]))
		return;
	row = get_acl(cmd->ctl, cmd->argv[1]);
	if (cmd->argc == 2) {
		view_delete(row, true);
		return;
	}
	order = parse_order(cmd->argv[2]);
	if (has_rule(row, order))
		remove_rule(row, order);
	else if (!may_lack)
		ctl_fatal("access list %s has no rule %lld", cmd->argv[1],
			  (long long)order);
}

static int compare_names(const void *a, const void *b)
{
	return strverscmp(
		view_get_string(*(struct view_row *const *)a, "name"),
		view_get_string(*(struct view_row *const *)b, "name"));
}

static void list_acls(struct ctl_command *cmd)
{
	struct view_row *row = NULL, **rows = NULL;
	size_t n = 0;

	listing_begin(cmd, (const char *const[]){ "name", "rules", "default",
						  "error", NULL });
	view_want(cmd->ctl->view, "ACL", json_array(),
		  (const char *const[]){ "error", NULL });
	while ((row = view_next(cmd->ctl->view, "ACL", row))) {
		rows = xrealloc(rows, (n + 1) * sizeof(*rows));
		rows[n++] = row;
	}
	if (n)
		qsort(rows, n, sizeof(*rows), compare_names);
	for (size_t i = 0; i < n; i++) {
		json_t *rules = view_get_set(rows[i], "rules");
		const char *error = view_get_string(rows[i], "error");

		listing_row(cmd);
		listing_cell(cmd, "name",
			     json_string(view_get_string(rows[i], "name")));
		listing_cell(cmd, "rules",
			     json_integer((json_int_t)json_array_size(rules)));
		listing_cell(cmd, "default",
			     json_string(view_get_string(rows[i],
							 "default_action")));
		listing_cell(cmd, "error", *error ? json_string(error) : NULL);
		json_decref(rules);
	}
	free(rows);
}

const struct ctl_command_class acl_commands[] = {
	{ "add-acl", "NAME ACTION", 2, 2, "--may-exist",
	  "make an access list; ACTION is allow or deny, when no rule decides",
	  want_acls, add_acl, NULL },
	{ "set-acl", "NAME ORDER RULE...", 3, INT_MAX, "",
	  "set a rule: allow|deny|count [FIELD=VALUE]...", want_acls, set_acl,
	  NULL },
	{ "del-acl", "NAME [ORDER]", 1, 2, "--if-exists",
	  "delete an access list, or a rule of it", want_acls, del_acl, NULL },
	{ "list-acls", "", 0, 0, "", "list access lists", want_acls, list_acls,
	  NULL },
};
const size_t n_acl_commands = ARRAY_SIZE(acl_commands);
