/* Commands on port groups: settings by name, that many ports refer to. */
#include "ctl/cmd.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/bridge.h"
#include "ctl/group_check.h"
#include "ctl/record.h"
#include "ctl/settings.h"
#include "ctl/table.h"
#include "ctl/value.h"

static void want_group(struct ctl_command *cmd)
{
	view_want(cmd->ctl->view, "Port_Group",
		  cmd->argc > 1
			  ? view_where("name", "==", json_string(cmd->argv[1]))
			  : json_array(),
		  NULL);
}

static struct view_row *get_group(struct ctl_command *cmd, const char *name)
{
	struct view_row *row = group_find(cmd->ctl, name);

	if (!row)
		no_such(cmd->ctl, "Port_Group", "port group", name);
	return row;
}

/* --- settings --------------------------------------------------------------
 */

static bool is_column(const struct ovsdb_table_schema *table, const char *name)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (!strcmp(table->columns[i].name, name))
			return strcmp(name, "name") != 0;
	return false;
}

/* A key of a Port's other_config, but for the group that it is in itself. */
static bool is_key(const struct setting_info *s)
{
	return !strcmp(s->table, "Port") && !strchr(s->key, ':') &&
	       strcmp(s->key, "port-group");
}

static bool is_known_key(const char *key)
{
	struct setting_info s;

	for (size_t i = 0; i < settings_count(); i++) {
		settings_get(i, &s);
		if (is_key(&s) && !strcmp(s.key, key))
			return true;
	}
	return false;
}

static void __attribute__((noreturn))
no_such_setting(const struct ovsdb_table_schema *table, const char *key)
{
	struct setting_info info;
	struct suggestion s;
	char hint[128];

	suggestion_init(&s, key);
	for (size_t i = 0; i < table->n_columns; i++)
		if (is_column(table, table->columns[i].name))
			suggestion_offer(&s, table->columns[i].name);
	for (size_t i = 0; i < settings_count(); i++) {
		settings_get(i, &info);
		if (is_key(&info))
			suggestion_offer(&s, info.key);
	}
	ctl_fatal("a port group has no setting \"%s\"%s (vswd(8) lists them; "
		  "other_config:%s=VALUE sets any key)",
		  key, suggestion_phrase(&s, hint, sizeof(hint)), key);
}

/* A column, or a key of other_config; an empty value takes it away. */
static void set_one(struct ctl *ctl, struct view_row *row, const char *word)
{
	const struct ovsdb_table_schema *table = record_table(ctl, row->table);
	size_t n = strcspn(word, "=:");
	char *key = strndup(word, n);
	const char *value = word + n + 1;

	if (!word[n])
		ctl_fatal("\"%s\" is no setting; settings are KEY=VALUE, such "
			  "as tag=10 or private-vlan=isolated",
			  word);
	if (word[n] == ':') {
		record_set(ctl, row, word);
	} else if (is_column(table, key)) {
		if (*value)
			record_set(ctl, row, word);
		else
			view_set(row, record_column(table, key, false)->name,
				 json_pack("[s, []]",
					   !strcmp(key, "other_config")
						   ? "map"
						   : "set"));
	} else if (is_known_key(key)) {
		if (*value)
			settings_check(row->table, "other_config", key, value);
		view_set_key(row, "other_config", key, *value ? value : NULL);
	} else {
		no_such_setting(table, key);
	}
	free(key);
}

static void set_all(struct ctl_command *cmd, struct view_row *row)
{
	for (int i = 2; i < cmd->argc; i++)
		set_one(cmd->ctl, row, cmd->argv[i]);
}

static void add_group(struct ctl_command *cmd)
{
	const char *name = cmd->argv[1];
	struct view_row *row = group_find(cmd->ctl, name);

	if (!*name || strpbrk(name, " ,="))
		ctl_fatal("a port group cannot be named \"%s\": names have "
			  "no space, comma or \"=\"",
			  name);
	if (row && !ctl_has_option(cmd, "--may-exist"))
		ctl_fatal("cannot create port group %s because there is one "
			  "already; \"set-group %s\" changes it",
			  name, name);
	if (!row) {
		row = view_insert(cmd->ctl->view, "Port_Group");
		view_set_string(row, "name", name);
	}
	set_all(cmd, row);
}

static void set_group(struct ctl_command *cmd)
{
	set_all(cmd, get_group(cmd, cmd->argv[1]));
}

static void del_group(struct ctl_command *cmd)
{
	struct view_row *row = group_find(cmd->ctl, cmd->argv[1]);

	if (!row && ctl_has_option(cmd, "--if-exists"))
		return;
	/* group_check() looks for ports that still refer to it. */
	view_delete(row ? row : get_group(cmd, cmd->argv[1]), true);
}

/* --- what there is ---------------------------------------------------------
 */

static int compare_rows(const void *a, const void *b)
{
	return strverscmp(
		view_get_string(*(struct view_row *const *)a, "name"),
		view_get_string(*(struct view_row *const *)b, "name"));
}

/* Rows sorted by name; free() the array. group: NULL, or Ports that are in it.
 */
static struct view_row **rows_of(struct ctl *ctl, const char *table,
				 const char *group, size_t *n)
{
	struct view_row **rows = NULL, *row = NULL;

	*n = 0;
	while ((row = view_next(ctl->view, table, row))) {
		const char *of = group ? group_of_port(row) : NULL;

		if (group && (!of || strcmp(of, group)))
			continue;
		rows = xrealloc(rows, (*n + 1) * sizeof(struct view_row *));
		rows[(*n)++] = row;
	}
	if (*n)
		qsort(rows, *n, sizeof(*rows), compare_rows);
	return rows;
}

static void list_groups(struct ctl_command *cmd)
{
	size_t n;
	struct view_row **rows = rows_of(cmd->ctl, "Port_Group", NULL, &n);
	const char **names = xcalloc(n, sizeof(*names));

	for (size_t i = 0; i < n; i++)
		names[i] = view_get_string(rows[i], "name");
	output_names(cmd, names, n);
	free(names);
	free(rows);
}

static const char *const settings_columns[] = {
	"vlan_mode",
	"tag",
	"trunks",
	"cvlans",
	"protected",
	"qos",
	"ingress_policing_rate",
	"ingress_policing_burst",
	"ingress_policing_kpkts_rate",
	"ingress_policing_kpkts_burst",
};

/* An empty set, as an optional column without a value is. */
static bool is_empty(const json_t *value)
{
	return !value || (json_is_array(value) &&
			  !json_array_size(json_array_get(value, 1)) &&
			  json_is_array(json_array_get(value, 1)));
}

/* What the port says itself of that which its group says, too. */
static json_t *own_settings(struct view_row *port, struct view_row *group)
{
	json_t *own = json_array(), *pairs, *pair;
	size_t i;

	for (i = 0; i < 4; i++)
		if (!is_empty(view_get(port, settings_columns[i])) &&
		    !is_empty(view_get(group, settings_columns[i])))
			json_array_append_new(own,
					      json_string(settings_columns[i]));
	pairs = view_get_set(group, "other_config");
	json_array_foreach(pairs, i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));

		if (view_get_key(port, "other_config", key))
			json_array_append_new(own, json_string(key));
	}
	json_decref(pairs);
	return own;
}

/* {"name": ..., COLUMN: ..., "other_config": {...}, "ports": [...]} */
static json_t *describe(struct ctl *ctl, struct view_row *group)
{
	const struct ovsdb_table_schema *table =
		record_table(ctl, group->table);
	const char *name = view_get_string(group, "name");
	json_t *all = json_pack("{s:s}", "name", name), *keys = json_object(),
	       *ports = json_array(), *pairs, *pair;
	struct view_row **rows;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(settings_columns); i++) {
		const char *column = settings_columns[i];
		struct ovsdb_datum datum;
		const struct ovsdb_column *c =
			record_column(table, column, false);
		char *text;

		if (is_empty(view_get(group, column)))
			continue;
		record_datum(group, c, &datum);
		text = record_text(&datum, &c->type, TABLE_DATA_BARE);
		json_object_set_new(all, column, json_string(text));
		free(text);
		ovsdb_datum_destroy(&datum, &c->type);
	}
	pairs = view_get_set(group, "other_config");
	json_array_foreach(pairs, i, pair)
		json_object_set(keys,
				json_string_value(json_array_get(pair, 0)),
				json_array_get(pair, 1));
	json_decref(pairs);
	json_object_set_new(all, "other_config", keys);
	rows = rows_of(ctl, "Port", name, &n);
	for (i = 0; i < n; i++)
		json_array_append_new(
			ports, json_pack("{s:s, s:o}", "name",
					 view_get_string(rows[i], "name"),
					 "own", own_settings(rows[i], group)));
	free(rows);
	json_object_set_new(all, "ports", ports);
	return all;
}

static void print_ports(struct ctl_command *cmd, const json_t *ports)
{
	const json_t *port, *word;
	size_t i, k;

	fprintf(cmd->out, "    ports: %zu\n", json_array_size(ports));
	json_array_foreach(ports, i, port) {
		const json_t *own = json_object_get(port, "own");

		fprintf(cmd->out, "        %s",
			json_string_value(json_object_get(port, "name")));
		json_array_foreach(own, k, word)
			fprintf(cmd->out, "%s%s", k ? ", " : " (its own: ",
				json_string_value(word));
		fprintf(cmd->out, "%s\n", k ? ")" : "");
	}
}

static void print_group(struct ctl_command *cmd, json_t *all)
{
	const char *key;
	json_t *value;

	fprintf(cmd->out, "group %s\n",
		json_string_value(json_object_get(all, "name")));
	json_object_foreach(all, key, value)
		if (json_is_string(value) && strcmp(key, "name"))
			fprintf(cmd->out, "    %s: %s\n", key,
				json_string_value(value));
	json_object_foreach(json_object_get(all, "other_config"), key, value)
		fprintf(cmd->out, "    %s: %s\n", key,
			json_string_value(value));
	print_ports(cmd, json_object_get(all, "ports"));
}

static void want_show(struct ctl_command *cmd)
{
	want_group(cmd);
	view_want(cmd->ctl->view, "Port", json_array(), group_port_columns);
}

static void show_groups(struct ctl_command *cmd)
{
	bool as_json = cmd->ctl->options.style.format == TABLE_JSON;
	struct view_row **rows, *one = NULL;
	size_t n = 1;

	if (cmd->argc > 1)
		one = get_group(cmd, cmd->argv[1]);
	rows = one ? NULL : rows_of(cmd->ctl, "Port_Group", NULL, &n);
	if (as_json)
		cmd->json = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *all = describe(cmd->ctl, one ? one : rows[i]);

		if (as_json)
			json_array_append(cmd->json, all);
		else
			print_group(cmd, all);
		json_decref(all);
	}
	free(rows);
}

const struct ctl_command_class group_commands[] = {
	{ "add-group", "GROUP [KEY=VALUE]...", 1, INT_MAX, "--may-exist",
	  "add a port group: defaults for the ports that refer to it by "
	  "other_config:port-group=GROUP",
	  want_group, add_group, NULL },
	{ "set-group", "GROUP KEY=VALUE...", 2, INT_MAX, "",
	  "change a port group, and all its ports; KEY= takes a setting away",
	  want_group, set_group, NULL },
	{ "del-group", "GROUP", 1, 1, "--if-exists",
	  "delete a port group that no port refers to", want_group, del_group,
	  NULL },
	{ "list-groups", "", 0, 0, "", "print the port groups", want_group,
	  list_groups, NULL },
	{ "group/show", "[GROUP]", 0, 1, "",
	  "print port groups: settings, ports, and what those have of their "
	  "own",
	  want_show, show_groups, NULL },
};
const size_t n_group_commands = ARRAY_SIZE(group_commands);
