/* bridge/show, port/stats and drops: what there is, and what passed. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands.h"
#include "vswd/status.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

/* --- bridge/show -----------------------------------------------------------
 */

static json_t *bridge_json(const struct vswitch *vs, const struct bridge *b)
{
	json_t *ports = json_array(), *port;
	struct vport **list;
	size_t n;

	list = command_sorted_vports(vs, b, &n);
	for (size_t i = 0; i < n; i++) {
		port = json_pack("{s:s, s:i, s:s, s:b, s:b}", "name",
				 list[i]->interface->name, "ofport",
				 (int)list[i]->ofport, "type",
				 vport_type(list[i]), "admin_up",
				 (int)list[i]->status.admin_up, "link_up",
				 (int)list[i]->status.link_up);
		if (list[i]->bond)
			json_object_set_new(port, "bond",
					    json_string(list[i]->config->name));
		json_array_append_new(ports, port);
	}
	free(list);
	return json_pack("{s:s, s:o}", "name", b->name, "ports", ports);
}

static void bridge_text(struct text *text, const struct vswitch *vs,
			const struct bridge *b)
{
	struct vport **list;
	size_t n;

	text_add(text, "%s:\n", b->name);
	list = command_sorted_vports(vs, b, &n);
	for (size_t i = 0; i < n; i++) {
		const struct vport *v = list[i];
		char ofport[16];

		ofport_format(v->ofport, ofport, sizeof(ofport));
		text_add(text, "  %5s  %-15s  %-8s  %s%s%s\n", ofport,
			 v->interface->name,
			 vport_type(v)[0] ? vport_type(v) : "system",
			 !v->status.admin_up ? "disabled"
			 : v->status.link_up ? "up"
					     : "down",
			 v->bond ? "  in bond " : "",
			 v->bond ? v->config->name : "");
	}
	free(list);
	for (size_t i = 0; i < b->n_vports; i++)
		if (b->vports[i]->error)
			text_add(text, "      -  %-15s  error: %s\n",
				 b->vports[i]->interface->name,
				 b->vports[i]->error);
}

static void cmd_bridge_show(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	struct bridge *only = NULL;
	struct text text = { 0 };
	json_t *json;

	if (argc > 1) {
		only = command_bridge(request, vs, argv[1]);
		if (!only)
			return;
	}
	json = json_array();
	for (struct bridge *b = vs->bridges; b; b = b->next) {
		if (only && b != only)
			continue;
		json_array_append_new(json, bridge_json(vs, b));
		bridge_text(&text, vs, b);
	}
	if (control_wants_json(request)) {
		free(text.s);
		command_reply_json(request, json);
	} else {
		json_decref(json);
		command_reply_text(request, &text);
	}
}

/* --- port/stats ------------------------------------------------------------
 */

static void stats_text(struct text *text, const struct vport *v,
		       const json_t *stats)
{
	const char *name;
	json_t *value;

	text_add(text, "%s (bridge %s):\n", v->interface->name,
		 v->bridge->name);
	json_object_foreach((json_t *)stats, name, value)
		text_add(text, "  %-22s %lld\n", name,
			 (long long)json_integer_value(value));
}

/* The open ports that are named, or all; NULL after the reply. */
static struct vport **named_vports(struct control_request *request,
				   struct vswitch *vs, int argc,
				   const char *const argv[], size_t *n)
{
	struct vport **list;

	if (argc == 1)
		return command_sorted_vports(vs, NULL, n);
	list = xcalloc(argc, sizeof(*list));
	*n = 0;
	for (int i = 1; i < argc; i++) {
		struct vport *v = vswitch_find_vport(vs, argv[i]);

		if (!v || !v->port) {
			command_fail(request, "%s: %s", argv[i],
				     v ? v->error ? v->error : "not open"
				       : "no such port");
			free(list);
			*n = 0;
			return NULL;
		}
		list[(*n)++] = v;
	}
	return list;
}

static void cmd_port_stats(struct control_request *request, int argc,
			   const char *const argv[], void *aux)
{
	struct text text = { 0 };
	struct vport **list;
	json_t *all;
	size_t n;

	list = named_vports(request, aux, argc, argv, &n);
	if (!list)
		return;
	all = json_object();
	for (size_t i = 0; i < n; i++) {
		struct port_counters counters;
		json_t *stats;

		port_get_counters(list[i]->port, &counters);
		stats = stats_to_json(&counters);
		stats_text(&text, list[i], stats);
		json_object_set_new(all, list[i]->interface->name, stats);
	}
	free(list);
	if (control_wants_json(request)) {
		free(text.s);
		command_reply_json(request, all);
	} else {
		json_decref(all);
		command_reply_text(request, &text);
	}
}

/* --- drops -----------------------------------------------------------------
 */

struct drop_list {
	struct text text;
	json_t *rows;
};

static void add_drops(struct drop_list *list, const struct bridge *b,
		      const char *name, struct port *port)
{
	struct text *text = &list->text;
	struct port_counters counters;

	port_get_counters(port, &counters);
	for (int i = 0; i < N_DROP_REASONS; i++) {
		unsigned long long n = counters.drops[i];

		if (!n)
			continue;
		if (!text->n)
			text_add(text, "%-15s  %-20s  %12s  %s\n", "port",
				 "reason", "packets", "meaning");
		text_add(text, "%-15s  %-20s  %12llu  %s\n", name,
			 drop_reason_name(i), n, drop_reason_help(i));
		json_array_append_new(
			list->rows,
			json_pack("{s:s, s:s, s:s, s:I, s:s}", "bridge",
				  b->name, "port", name, "reason",
				  drop_reason_name(i), "packets", (json_int_t)n,
				  "meaning", drop_reason_help(i)));
	}
}

static void add_vport_drops(struct drop_list *list, const struct vport *v)
{
	if (v->port)
		add_drops(list, v->bridge, v->interface->name, v->port);
}

/* What ended at the bond itself, and at none of its members. */
static void add_bond_drops(struct drop_list *list, const struct vbond *vb)
{
	add_drops(list, vb->bridge, vb->config->name, vb->port);
}

/* Of a bridge, or of all with NULL. */
static void list_drops(struct drop_list *list, struct vswitch *vs,
		       const struct bridge *only)
{
	size_t n;
	struct vport **vports = command_sorted_vports(vs, only, &n);

	for (size_t i = 0; i < n; i++)
		add_vport_drops(list, vports[i]);
	free(vports);
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			if (!only || b == only)
				add_bond_drops(list, vb);
}

/* Of a port; of a bond with its members. False after the reply. */
static bool list_named_drops(struct control_request *request,
			     struct drop_list *list, struct vswitch *vs,
			     int argc, const char *const argv[])
{
	const struct vbond *vb = vswitch_find_bond(vs, argv[1]);
	struct vport **vports;
	size_t n = 0;
	bool ok;

	if (vb) {
		add_bond_drops(list, vb);
		for (size_t i = 0; i < vb->n_members; i++)
			add_vport_drops(list, vb->members[i]);
		return true;
	}
	vports = named_vports(request, vs, argc, argv, &n);
	ok = vports;
	for (size_t i = 0; i < n; i++)
		add_vport_drops(list, vports[i]);
	free(vports);
	return ok;
}

static void cmd_drops(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct bridge *b = argc > 1 ? vswitch_find_bridge(aux, argv[1]) : NULL;
	struct drop_list list = { .rows = json_array() };
	bool ok = true;

	if (argc > 1 && !b)
		ok = list_named_drops(request, &list, aux, argc, argv);
	else
		list_drops(&list, aux, b);
	if (ok && !control_wants_json(request)) {
		command_reply_text(request, &list.text);
		list.text.s = NULL;
	} else if (ok) {
		command_reply_json(request, json_incref(list.rows));
	}
	free(list.text.s);
	json_decref(list.rows);
}

void commands_register_port(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "bridge/show", "[bridge]", 0, 1,
			 cmd_bridge_show, vs);
	control_register(server, "port/stats", "[port]...", 0, -1,
			 cmd_port_stats, vs);
	control_register(server, "drops", "[bridge|port]", 0, 1, cmd_drops, vs);
}
