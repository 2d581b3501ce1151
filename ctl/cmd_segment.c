/* Commands on segments: add-segment, del-segment, set-segment, list-segments.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/bridge.h"
#include "ctl/cmd.h"
#include "ctl/listing.h"
#include "ctl/segment_check.h"
#include "ctl/segment_outside.h"
#include "ctl/segment_set.h"
#include "ctl/value.h"

static const char *const types[] = { "nat", "host-only", "internal",
				     "bridged" };

/* add-segment's arguments. */
struct segment_words {
	const char *name, *type;
	const char *device;	      /* bridged */
	const char *subnet, *subnet6; /* or NULL */
	char **settings;	      /* KEY=VALUE; free() the array */
	int n_settings;
};

static void want_tables(struct ctl *ctl)
{
	view_want(ctl->view, "Segment", json_array(), segment_columns);
	view_want(ctl->view, "Forward", json_array(), forward_columns);
	view_want(ctl->view, "Bridge", json_array(),
		  (const char *const[]){ "name", "segment", NULL });
}

static void want_new_segment(struct ctl_command *cmd)
{
	want_tables(cmd->ctl);
	port_want(cmd->ctl, cmd->argv[1]);
	if (!strcmp(cmd->argv[2], "bridged") && cmd->argc > 3)
		port_want(cmd->ctl, cmd->argv[3]);
}

void segment_want(struct ctl_command *cmd)
{
	want_tables(cmd->ctl);
}

/* --- words ---------------------------------------------------------------- */

static void check_type(const char *type)
{
	struct suggestion s;
	char hint[64];

	suggestion_init(&s, type);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i], type))
			return;
		suggestion_offer(&s, types[i]);
	}
	ctl_fatal("a segment is nat, host-only, internal or bridged, not "
		  "\"%s\"%s",
		  type, suggestion_phrase(&s, hint, sizeof(hint)));
}

static void take_subnet(struct segment_words *w, const char *text)
{
	const char **into = strchr(text, ':') ? &w->subnet6 : &w->subnet;

	if (*into)
		ctl_fatal("segment %s has one IPv4 and one IPv6 subnet at "
			  "most, not %s and %s",
			  w->name, *into, text);
	*into = text;
}

static void take_word(struct segment_words *w, char *word)
{
	if (strchr(word, '='))
		w->settings[w->n_settings++] = word;
	else if (strcmp(w->type, "bridged"))
		take_subnet(w, word);
	else if (w->device)
		ctl_fatal("add-segment %s bridged takes one device, not %s "
			  "and %s; for two, make them a bond: \"vsw-ctl "
			  "add-bond\"",
			  w->name, w->device, word);
	else
		w->device = word;
}

static struct segment_words parse_words(struct ctl_command *cmd)
{
	struct segment_words w = { .name = cmd->argv[1], .type = cmd->argv[2] };

	check_type(w.type);
	w.settings = xcalloc((size_t)cmd->argc, sizeof(*w.settings));
	for (int i = 3; i < cmd->argc; i++)
		take_word(&w, cmd->argv[i]);
	if (!strcmp(w.type, "bridged") && !w.device)
		ctl_fatal("add-segment %s bridged needs the device of the "
			  "LAN: add-segment %s bridged IFACE",
			  w.name, w.name);
	return w;
}

/* --- add-segment ---------------------------------------------------------- */

/* --may-exist: the segment is there; is it the one that is wanted? */
static void check_same(struct ctl *ctl, const struct bridge *bridge,
		       const struct segment_words *w)
{
	struct view_row *row =
		bridge->port ? NULL : segment_of_bridge(ctl, bridge->row);
	const char *type = row ? view_get_string(row, "type") : NULL;

	if (!row)
		ctl_fatal("\"--may-exist add-segment %s %s\" but %s is a "
			  "bridge without a segment",
			  w->name, w->type, w->name);
	if (strcmp(type, w->type))
		ctl_fatal("\"--may-exist add-segment %s %s\" but %s is %s",
			  w->name, w->type, w->name, type);
	if (w->subnet && strcmp(view_get_string(row, "subnet"), w->subnet))
		ctl_fatal("\"--may-exist add-segment %s %s %s\" but %s has "
			  "subnet %s",
			  w->name, w->type, w->subnet, w->name,
			  view_get_string(row, "subnet"));
	if (w->subnet6 && strcmp(view_get_string(row, "subnet6"), w->subnet6))
		ctl_fatal("\"--may-exist add-segment %s %s %s\" but %s has "
			  "subnet6 %s",
			  w->name, w->type, w->subnet6, w->name,
			  view_get_string(row, "subnet6"));
}

static void add_device(struct ctl_command *cmd, struct view_row *bridge,
		       const struct segment_words *w)
{
	struct view_row *port, *iface;
	char *what = xasprintf("cannot bridge %s to %s, a device is in one "
			       "bridge only,",
			       w->device, w->name);

	port_check_conflict(cmd->ctl, w->device, what);
	free(what);
	segment_check_device(cmd, w->device);
	port = view_insert(cmd->ctl->view, "Port");
	iface = view_insert(cmd->ctl->view, "Interface");
	view_set_string(iface, "name", w->device);
	view_set_string(port, "name", w->device);
	view_mutate_uuid(port, "interfaces", "insert", iface->uuid);
	view_mutate_uuid(bridge, "ports", "insert", port->uuid);
	ctl_expect_iface(cmd->ctl, iface, w->name, w->device);
}

static void create(struct ctl_command *cmd, const struct segment_words *w)
{
	/* The host has a device in it, to which vswd gives its address. */
	bool local = !strcmp(w->type, "host-only");
	struct view_row *bridge, *row;

	if (local)
		segment_check_new_device(cmd, w->name);
	bridge = bridge_create(cmd->ctl, w->name, local);
	row = view_insert(cmd->ctl->view, "Segment");
	view_set_string(row, "name", w->name);
	view_set_string(row, "type", w->type);
	if (w->subnet)
		view_set_string(row, "subnet", w->subnet);
	if (w->subnet6)
		view_set_string(row, "subnet6", w->subnet6);
	view_mutate_uuid(bridge, "segment", "insert", row->uuid);
	if (w->device)
		add_device(cmd, bridge, w);
	segment_set_all(cmd, row, w->settings, w->n_settings);
	segment_check_routes(cmd, row, "subnet");
	segment_check_routes(cmd, row, "subnet6");
}

static void add_segment(struct ctl_command *cmd)
{
	struct segment_words w = parse_words(cmd);
	struct bridge bridge;
	char *what;

	bridge_check_name(w.name);
	if (ctl_has_option(cmd, "--may-exist") &&
	    bridge_find(cmd->ctl, w.name, &bridge)) {
		check_same(cmd->ctl, &bridge, &w);
	} else {
		what = xasprintf("cannot create a segment named %s", w.name);
		port_check_conflict(cmd->ctl, w.name, what);
		free(what);
		create(cmd, &w);
	}
	free(w.settings);
}

/* --- the others ----------------------------------------------------------- */

static void __attribute__((noreturn))
no_segment(struct ctl *ctl, const char *name)
{
	struct bridge bridge;

	if (bridge_find(ctl, name, &bridge))
		ctl_fatal("%s is a bridge without a segment; \"del-br\" and "
			  "\"set Bridge\" are for bridges",
			  name);
	no_such(ctl, "Segment", "segment", name);
}

struct view_row *segment_find(struct ctl *ctl, const char *name,
			      struct view_row **bridge)
{
	struct view_row *row = NULL;
	struct bridge b;

	*bridge = NULL;
	want_tables(ctl);
	if (bridge_find(ctl, name, &b) && !b.port)
		row = segment_of_bridge(ctl, b.row);
	if (row)
		*bridge = b.row;
	return row;
}

struct view_row *segment_get(struct ctl *ctl, const char *name)
{
	struct view_row *bridge, *row = segment_find(ctl, name, &bridge);

	if (!row)
		no_segment(ctl, name);
	return row;
}

static void del_segment(struct ctl_command *cmd)
{
	const char *name = cmd->argv[1];
	struct view_row *bridge, *row = segment_find(cmd->ctl, name, &bridge);
	struct bridge plain;

	if (!row && ctl_has_option(cmd, "--if-exists") &&
	    !bridge_find(cmd->ctl, name, &plain))
		return;
	if (!row)
		no_segment(cmd->ctl, name);
	bridge_delete(cmd->ctl, bridge);
	view_delete(row, false);
}

static void set_segment(struct ctl_command *cmd)
{
	struct view_row *row = segment_get(cmd->ctl, cmd->argv[1]);

	segment_set_all(cmd, row, cmd->argv + 2, cmd->argc - 2);
	if (json_object_get(row->set, "subnet"))
		segment_check_routes(cmd, row, "subnet");
	if (json_object_get(row->set, "subnet6"))
		segment_check_routes(cmd, row, "subnet6");
}

static json_t *text_or_none(struct view_row *row, const char *column)
{
	return json_is_string(view_get(row, column))
		       ? json_incref(view_get(row, column))
		       : NULL;
}

static void list_one(struct ctl_command *cmd, struct view_row *row)
{
	const char *outside = view_get_string(row, "outside");
	bool nat = !strcmp(view_get_string(row, "type"), "nat");
	json_t *forwards = view_get_set(row, "forwards");

	listing_row(cmd);
	listing_cell(cmd, "name", text_or_none(row, "name"));
	listing_cell(cmd, "type", text_or_none(row, "type"));
	listing_cell(cmd, "subnet", text_or_none(row, "subnet"));
	listing_cell(cmd, "subnet6", text_or_none(row, "subnet6"));
	listing_cell(cmd, "outside",
		     nat ? json_string(*outside ? outside : "host") : NULL);
	listing_cell(cmd, "isolated",
		     view_get_bool(row, "isolated") ? json_true() : NULL);
	listing_cell(
		cmd, "forwards",
		json_array_size(forwards)
			? json_integer((json_int_t)json_array_size(forwards))
			: NULL);
	listing_cell(cmd, "error", text_or_none(row, "error"));
	json_decref(forwards);
}

static void list_segments(struct ctl_command *cmd)
{
	struct bridge *list;
	size_t n;

	listing_begin(cmd,
		      (const char *const[]){ "name", "type", "subnet",
					     "subnet6", "outside", "isolated",
					     "forwards", "error", NULL });
	want_tables(cmd->ctl);
	view_want(cmd->ctl->view, "Segment", json_array(),
		  (const char *const[]){ "error", NULL });
	list = bridge_list(cmd->ctl, &n);
	for (size_t i = 0; i < n; i++) {
		struct view_row *row =
			list[i].port ? NULL
				     : segment_of_bridge(cmd->ctl, list[i].row);

		if (row)
			list_one(cmd, row);
	}
	free(list);
}

const struct ctl_command_class segment_commands[] = {
	{ "add-segment", "SEGMENT TYPE [SUBNET|IFACE]... [KEY=VALUE]...", 2,
	  INT_MAX, "--may-exist --force",
	  "create a bridge with a gateway: nat SUBNET [SUBNET6], host-only "
	  "SUBNET [SUBNET6], internal [SUBNET [SUBNET6]], or bridged IFACE; "
	  "--force: also if the device has an address of the host's, or the "
	  "host a route to the subnet (which vswd refuses until it is gone)",
	  want_new_segment, add_segment, NULL },
	{ "del-segment", "SEGMENT", 1, 1, "--if-exists",
	  "delete a segment, its bridge and all of its ports", segment_want,
	  del_segment, NULL },
	{ "set-segment", "SEGMENT KEY=VALUE...", 2, INT_MAX, "--force",
	  "change settings of a segment; an empty VALUE takes one away; "
	  "--force: as of add-segment",
	  segment_want, set_segment, NULL },
	{ "list-segments", "", 0, 0, "", "print all segments", segment_want,
	  list_segments, NULL },
};
const size_t n_segment_commands = ARRAY_SIZE(segment_commands);
