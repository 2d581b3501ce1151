/* Commands on mirrors: add-mirror, del-mirror, list-mirrors. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/bridge.h"
#include "ctl/cmd.h"
#include "ctl/listing.h"
#include "ctl/mirror_check.h"
#include "ctl/value.h"

static void want_mirrors(struct ctl_command *cmd)
{
	view_want(cmd->ctl->view, "Mirror", json_array(), mirror_columns);
	view_want(cmd->ctl->view, "Bridge", json_array(),
		  (const char *const[]){ "name", "mirrors", NULL });
	if (cmd->argc > 1)
		bridge_want(cmd->ctl, cmd->argv[1]);
}

/* --- words ---------------------------------------------------------------- */

static long parse_number(const char *key, const char *text, long min, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max)
		ctl_fatal("a mirror's %s cannot be \"%s\"; it is a number from "
			  "%ld to %ld",
			  key, text, min, max);
	return n;
}

/* A Port of the mirror's bridge. */
static struct view_row *parse_port(struct ctl *ctl, const struct bridge *bridge,
				   const char *key, const char *name)
{
	struct view_row *port;
	struct bridge own;

	port_want(ctl, name);
	port = port_find(ctl, name);
	/* A bridge's own port is one, too. */
	if (!port)
		port = view_by_name(ctl->view, "Port", "name", name, NULL);
	if (!port)
		no_such(ctl, "Port", "port", name);
	if (!strcmp(name, bridge->name))
		return port;
	if (!port_bridge(ctl, port, &own))
		ctl_fatal("port %s is on no bridge", name);
	if (own.row != bridge->row)
		ctl_fatal("a mirror's %s is a port of its own bridge %s; port "
			  "%s is on bridge %s",
			  key, bridge->name, name, own.name);
	return port;
}

/* add-mirror's arguments on their way into the row. */
struct words {
	struct ctl *ctl;
	struct bridge bridge;
	struct view_row *row;
};

static void take_ports(struct words *w, const char *key, const char *text,
		       bool in, bool out)
{
	char *copy = xstrdup(text), *save, *name;

	for (name = strtok_r(copy, ", ", &save); name;
	     name = strtok_r(NULL, ", ", &save)) {
		struct view_row *port =
			parse_port(w->ctl, &w->bridge, key, name);

		if (in)
			view_mutate_uuid(w->row, "select_src_port", "insert",
					 port->uuid);
		if (out)
			view_mutate_uuid(w->row, "select_dst_port", "insert",
					 port->uuid);
	}
	free(copy);
}

static void take_src(struct words *w, const char *key, const char *text)
{
	take_ports(w, key, text, true, false);
}

static void take_dst(struct words *w, const char *key, const char *text)
{
	take_ports(w, key, text, false, true);
}

static void take_both(struct words *w, const char *key, const char *text)
{
	take_ports(w, key, text, true, true);
}

static void take_vlans(struct words *w, const char *key, const char *text)
{
	json_t *vlans = json_array();
	char *copy = xstrdup(text), *save, *one;

	for (one = strtok_r(copy, ", ", &save); one;
	     one = strtok_r(NULL, ", ", &save))
		json_array_append_new(
			vlans, json_integer(parse_number(key, one, 0, 4094)));
	view_set(w->row, "select_vlan", json_pack("[s,o]", "set", vlans));
	free(copy);
}

static void take_all(struct words *w, const char *key, const char *text)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		ctl_fatal("a mirror's %s cannot be \"%s\"; it is true or false",
			  key, text);
	view_set(w->row, "select_all", json_boolean(!strcmp(text, "true")));
}

static void take_output_port(struct words *w, const char *key, const char *text)
{
	struct view_row *port = parse_port(w->ctl, &w->bridge, key, text);

	view_set(w->row, "output_port", value_uuid(port->uuid));
}

static void take_output_vlan(struct words *w, const char *key, const char *text)
{
	view_set(w->row, "output_vlan",
		 json_integer(parse_number(key, text, 1, 4094)));
}

static void take_snaplen(struct words *w, const char *key, const char *text)
{
	view_set(w->row, "snaplen",
		 json_integer(parse_number(key, text, 14, 65535)));
}

/* As the columns are called, or shorter. */
static const struct word {
	const char *key, *column;
	void (*take)(struct words *w, const char *key, const char *text);
} words[] = {
	{ "all", "select_all", take_all },
	{ "src", "select_src_port", take_src },
	{ "dst", "select_dst_port", take_dst },
	{ "port", "select_port", take_both },
	{ "vlan", "select_vlan", take_vlans },
	{ "output-port", "output_port", take_output_port },
	{ "output-vlan", "output_vlan", take_output_vlan },
	{ "snaplen", "snaplen", take_snaplen },
};

static void take_word(struct words *w, const char *word)
{
	size_t n = strcspn(word, "=");
	struct suggestion s;
	char hint[64], *key;

	key = xasprintf("%.*s", (int)n, word);
	suggestion_init(&s, key);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		suggestion_offer(&s, words[i].key);
		if (strcmp(key, words[i].key) != 0 &&
		    strcmp(key, words[i].column) != 0)
			continue;
		free(key);
		if (word[n])
			words[i].take(w, words[i].key, word + n + 1);
		else if (words[i].take == take_all)
			take_all(w, words[i].key, "true");
		else
			ctl_fatal("\"%s\" lacks a value: %s=...", word, word);
		return;
	}
	ctl_fatal("a mirror has no \"%s\"; it has all, src=PORT, dst=PORT, "
		  "port=PORT, vlan=N, output-port=PORT, output-vlan=N and "
		  "snaplen=N%s",
		  key, suggestion_phrase(&s, hint, sizeof(hint)));
}

/* --- rows ----------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b)
{
	return strverscmp(
		view_get_string(*(struct view_row *const *)a, "name"),
		view_get_string(*(struct view_row *const *)b, "name"));
}

/* The Mirrors of a Bridge, by name; free() the array. */
static struct view_row **mirrors_of(struct view_row *bridge, size_t *n)
{
	json_t *uuids = view_get_set(bridge, "mirrors"), *u;
	struct view_row **rows =
		xcalloc(json_array_size(uuids) + 1, sizeof(struct view_row *));
	size_t i;

	*n = 0;
	json_array_foreach(uuids, i, u) {
		struct view_row *row =
			view_by_uuid(bridge->view, "Mirror",
				     json_string_value(json_array_get(u, 1)),
				     mirror_columns);

		if (row)
			rows[(*n)++] = row;
	}
	json_decref(uuids);
	qsort(rows, *n, sizeof(struct view_row *), compare_rows);
	return rows;
}

/* The only one of that name; NULL: there is none. */
static struct view_row *find_mirror(const struct bridge *bridge,
				    const char *name)
{
	struct view_row **rows, *found = NULL;
	size_t n;

	rows = mirrors_of(bridge->row, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(view_get_string(rows[i], "name"), name) != 0)
			continue;
		if (found)
			ctl_fatal("bridge %s has several mirrors %s; \"clear "
				  "Bridge %s mirrors\" deletes all of its "
				  "mirrors",
				  bridge->name, name, bridge->name);
		found = rows[i];
	}
	free(rows);
	return found;
}

/* --- commands ------------------------------------------------------------- */

static void clear_row(struct view_row *row)
{
	static const char *const sets[] = {
		"select_src_port", "select_dst_port", "select_vlan",
		"output_port",	   "output_vlan",     "snaplen"
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		view_set(row, sets[i], value_set());
	view_set(row, "select_all", json_false());
}

static bool has_any(struct view_row *row, const char *column)
{
	json_t *elements = view_get_set(row, column);
	bool any = json_array_size(elements);

	json_decref(elements);
	return any;
}

/* VLANs of no port in particular are those of all. */
static void complete(const struct words *w)
{
	const char *name = view_get_string(w->row, "name");

	if (!has_any(w->row, "output_port") && !has_any(w->row, "output_vlan"))
		ctl_fatal("mirror %s lacks output-port=PORT or output-vlan=N: "
			  "where its copies go",
			  name);
	if (has_any(w->row, "select_src_port") ||
	    has_any(w->row, "select_dst_port") ||
	    view_get_bool(w->row, "select_all"))
		return;
	if (!has_any(w->row, "select_vlan"))
		ctl_fatal("mirror %s lacks what it selects: all, src=PORT, "
			  "dst=PORT, port=PORT or vlan=N",
			  name);
	view_set(w->row, "select_all", json_true());
}

static void add_mirror(struct ctl_command *cmd)
{
	const char *name = cmd->argv[2];
	struct words w = { .ctl = cmd->ctl };

	w.bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	if (!*name)
		ctl_fatal("a mirror must have a name");
	w.row = find_mirror(&w.bridge, name);
	if (w.row && !ctl_has_option(cmd, "--may-exist"))
		ctl_fatal("bridge %s has a mirror %s already; \"--may-exist "
			  "add-mirror\" makes it another",
			  w.bridge.name, name);
	if (w.row) {
		clear_row(w.row);
	} else {
		w.row = view_insert(cmd->ctl->view, "Mirror");
		view_set_string(w.row, "name", name);
		view_mutate_uuid(w.bridge.row, "mirrors", "insert",
				 w.row->uuid);
	}
	for (int i = 3; i < cmd->argc; i++)
		take_word(&w, cmd->argv[i]);
	complete(&w);
	ctl_expect_row(cmd->ctl, w.row, xasprintf("mirror %s", name),
		       xasprintf("del-mirror %s %s", w.bridge.name, name));
}

static void del_mirror(struct ctl_command *cmd)
{
	bool may_lack = ctl_has_option(cmd, "--if-exists");
	struct view_row *row;
	struct bridge bridge;

	if (may_lack && !bridge_find(cmd->ctl, cmd->argv[1], &bridge))
		return;
	bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	row = find_mirror(&bridge, cmd->argv[2]);
	if (!row && may_lack)
		return;
	if (!row)
		ctl_fatal("bridge %s has no mirror %s (\"vsw-ctl list-mirrors "
			  "%s\" lists what it has)",
			  bridge.name, cmd->argv[2], bridge.name);
	view_mutate_uuid(bridge.row, "mirrors", "delete", row->uuid);
	view_delete(row, false);
}

/* Names of Ports, or numbers, with commas between them; NULL: none. */
static json_t *list_text(struct view_row *row, const char *column)
{
	json_t *all = view_get_set(row, column), *one, *text = NULL;
	char *joined = xstrdup(""), *more;
	size_t i;

	json_array_foreach(all, i, one) {
		char *word;

		if (json_is_integer(one)) {
			word = xasprintf("%lld",
					 (long long)json_integer_value(one));
		} else {
			struct view_row *port = view_by_uuid(
				row->view, "Port",
				json_string_value(json_array_get(one, 1)),
				(const char *const[]){ "name", NULL });

			word = xstrdup(port ? view_get_string(port, "name")
					    : "?");
		}
		more = xasprintf("%s%s%s", joined, i ? "," : "", word);
		free(joined);
		free(word);
		joined = more;
	}
	if (json_array_size(all))
		text = json_string(joined);
	free(joined);
	json_decref(all);
	return text;
}

static json_t *number(struct view_row *row, const char *column)
{
	json_int_t n;

	return view_get_integer(row, column, &n) ? json_integer(n) : NULL;
}

static void list_one(struct ctl_command *cmd, struct view_row *row)
{
	const char *error = view_get_string(row, "error");

	listing_row(cmd);
	listing_cell(cmd, "mirror", json_string(view_get_string(row, "name")));
	listing_cell(cmd, "all",
		     view_get_bool(row, "select_all") ? json_true() : NULL);
	listing_cell(cmd, "src", list_text(row, "select_src_port"));
	listing_cell(cmd, "dst", list_text(row, "select_dst_port"));
	listing_cell(cmd, "vlans", list_text(row, "select_vlan"));
	listing_cell(cmd, "output_port", list_text(row, "output_port"));
	listing_cell(cmd, "output_vlan", number(row, "output_vlan"));
	listing_cell(cmd, "snaplen", number(row, "snaplen"));
	listing_cell(cmd, "error", *error ? json_string(error) : NULL);
}

static void list_mirrors(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	struct view_row **rows;
	size_t n;

	listing_begin(cmd, (const char *const[]){ "mirror", "all", "src", "dst",
						  "vlans", "output_port",
						  "output_vlan", "snaplen",
						  "error", NULL });
	view_want(cmd->ctl->view, "Mirror", json_array(),
		  (const char *const[]){ "error", NULL });
	rows = mirrors_of(bridge.row, &n);
	for (size_t i = 0; i < n; i++)
		list_one(cmd, rows[i]);
	free(rows);
}

const struct ctl_command_class mirror_commands[] = {
	{ "add-mirror", "BRIDGE MIRROR [all] [KEY=VALUE]...", 3, INT_MAX,
	  "--may-exist",
	  "copy packets of ports (src=, dst=, port=, vlan=, all) to "
	  "output-port= or output-vlan=",
	  want_mirrors, add_mirror, NULL },
	{ "del-mirror", "BRIDGE MIRROR", 2, 2, "--if-exists",
	  "copy them no more", want_mirrors, del_mirror, NULL },
	{ "list-mirrors", "BRIDGE", 1, 1, "", "print the mirrors of a bridge",
	  want_mirrors, list_mirrors, NULL },
};
const size_t n_mirror_commands = ARRAY_SIZE(mirror_commands);
