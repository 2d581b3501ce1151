/* bridge/show, port/stats and drops: what there is, and what passed. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands_bond.h"
#include "vswd/fastpath.h"
#include "vswd/port_rows.h"
#include "vswd/status.h"
#include "vswd/switch.h"

/* --- bridge/show -----------------------------------------------------------
 */

static json_t *port_json(const struct vport *v)
{
	return json_pack("{s:s, s:i, s:s, s:b, s:b}", "name",
			 v->interface->name, "ofport", (int)v->ofport, "type",
			 vport_type(v), "admin_up", (int)v->status.admin_up,
			 "link_up", (int)v->status.link_up);
}

/* What its bond says of a member; false: nothing yet. */
static bool member_status(const struct vport *v, struct bond_member_status *m)
{
	const struct bond_member *member = vport_bond_member(v);

	if (member)
		bond_get_member_status(member, vswitch_now_ms(), m);
	return member;
}

static json_t *member_json(const struct vport *v)
{
	json_t *json = port_json(v);
	struct bond_member_status m;

	if (member_status(v, &m))
		json_object_update_new(json, json_pack("{s:b, s:b}", "enabled",
						       (int)m.enabled, "active",
						       (int)m.active));
	return json;
}

/* Some member can send. */
static bool bond_is_up(const struct vbond *vb)
{
	struct bond_member_status m;

	for (size_t i = 0; i < vb->n_members; i++)
		if (member_status(vb->members[i], &m) && m.enabled)
			return true;
	return false;
}

static const char *bond_mode(const struct vbond *vb)
{
	struct bond_status s;

	bond_get_status(vb->bond, vswitch_now_ms(), &s);
	return bond_policy_word(s.policy);
}

static json_t *bridge_json(const struct bridge *b, const struct port_row *rows,
			   size_t n)
{
	json_t *ports = json_array(), *members = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct port_row *row = &rows[i];

		if (row->vport && row->bond) {
			json_array_append_new(members, member_json(row->vport));
		} else if (row->vport) {
			json_array_append_new(ports, port_json(row->vport));
		} else {
			members = json_array();
			json_array_append_new(
				ports,
				json_pack("{s:s, s:s, s:s, s:b, s:o}", "name",
					  port_row_name(row), "type", "bond",
					  "bond_mode", bond_mode(row->bond),
					  "link_up", (int)bond_is_up(row->bond),
					  "members", members));
		}
	}
	return json_pack("{s:s, s:o}", "name", b->name, "ports", ports);
}

static void bond_text(struct text *text, const struct vbond *vb)
{
	text_add(text, "  %5s  %-15s  %-8s  %s, %s\n", "-", vb->config->name,
		 "bond", bond_is_up(vb) ? "up" : "down", bond_mode(vb));
}

static void port_text(struct text *text, const struct port_row *row)
{
	const struct vport *v = row->vport;
	struct bond_member_status m;
	char ofport[16];

	ofport_format(v->ofport, ofport, sizeof(ofport));
	text_add(text, "  %5s  %s%-*s  %-8s  %s", ofport, row->bond ? "  " : "",
		 row->bond ? 13 : 15, v->interface->name,
		 vport_type(v)[0] ? vport_type(v) : "system",
		 !v->status.admin_up ? "disabled"
		 : v->status.link_up ? "up"
				     : "down");
	if (row->bond && member_status(v, &m))
		text_add(text, "%s%s%s", m.active ? ", active member" : "",
			 m.why_not ? ", not enabled: " : "",
			 m.why_not ? m.why_not : "");
	text_add(text, "\n");
}

static void bridge_text(struct text *text, const struct bridge *b,
			const struct port_row *rows, size_t n)
{
	text_add(text, "%s:\n", b->name);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].vport)
			port_text(text, &rows[i]);
		else
			bond_text(text, rows[i].bond);
	}
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
		struct port_row *rows;
		size_t n;

		if (only && b != only)
			continue;
		rows = port_rows(vs, b, &n);
		json_array_append_new(json, bridge_json(b, rows, n));
		bridge_text(&text, b, rows, n);
		free(rows);
	}
	command_reply(request, &text, json);
}

/* --- port/stats ------------------------------------------------------------
 */

static void value_text(struct text *text, const char *name, const json_t *value)
{
	if (json_is_string(value))
		text_add(text, "  %-22s %s\n", name, json_string_value(value));
	else
		text_add(text, "  %-22s %lld\n", name,
			 (long long)json_integer_value(value));
}

static void stats_text(struct text *text, const struct port_row *row,
		       const json_t *stats)
{
	const char *name;
	json_t *value;

	text_add(text, "%s (bridge %s%s):\n", port_row_name(row),
		 port_row_bridge(row)->name,
		 row->vport ? "" : ", all members of the bond");
	json_object_foreach((json_t *)stats, name, value)
		value_text(text, name, value);
}

/* How many of the frames the kernel has forwarded, and why not all. */
static void add_fastpath(const struct port_row *row, json_t *stats)
{
	struct fp_counters counters;
	char *why = row->vport ? vfastpath_text(row->vport) : NULL;

	if (!why)
		return;
	vfastpath_counters(row->vport, &counters);
	json_object_set_new(stats, "fast_path_rx_packets",
			    json_integer((json_int_t)counters.rx_packets));
	json_object_set_new(stats, "fast_path_tx_packets",
			    json_integer((json_int_t)counters.tx_packets));
	json_object_set_new(stats, "fast_path", json_string(why));
	free(why);
}

/* A bond's: what ended there, and what passed its members. */
static json_t *row_stats(const struct port_row *row)
{
	struct port_counters sum, more;
	json_t *stats;

	port_get_counters(port_row_port(row), &sum);
	for (size_t i = 0; !row->vport && i < row->bond->n_members; i++) {
		struct port *port = row->bond->members[i]->port;

		if (!port)
			continue;
		port_get_counters(port, &more);
		port_counters_add(&sum, &more);
	}
	stats = stats_to_json(&sum);
	add_fastpath(row, stats);
	return stats;
}

static void cmd_port_stats(struct control_request *request, int argc,
			   const char *const argv[], void *aux)
{
	struct text text = { 0 };
	struct port_row *rows;
	json_t *all;
	size_t n;

	rows = port_rows_named(request, aux, argc, argv, &n);
	if (!rows)
		return;
	all = json_object();
	for (size_t i = 0; i < n; i++) {
		json_t *stats = row_stats(&rows[i]);

		stats_text(&text, &rows[i], stats);
		json_object_set_new(all, port_row_name(&rows[i]), stats);
	}
	free(rows);
	command_reply(request, &text, all);
}

/* --- drops -----------------------------------------------------------------
 */

static void add_drops(struct text *text, json_t *rows,
		      const struct port_row *row)
{
	struct port_counters counters;

	port_get_counters(port_row_port(row), &counters);
	for (int i = 0; i < N_DROP_REASONS; i++) {
		unsigned long long n = counters.drops[i];

		if (!n)
			continue;
		if (!text->n)
			text_add(text, "%-15s  %-20s  %12s  %s\n", "port",
				 "reason", "packets", "meaning");
		text_add(text, "%-15s  %-20s  %12llu  %s\n", port_row_name(row),
			 drop_reason_name(i), n, drop_reason_help(i));
		json_array_append_new(
			rows,
			json_pack("{s:s, s:s, s:s, s:I, s:s}", "bridge",
				  port_row_bridge(row)->name, "port",
				  port_row_name(row), "reason",
				  drop_reason_name(i), "packets", (json_int_t)n,
				  "meaning", drop_reason_help(i)));
	}
}

static void cmd_drops(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct bridge *b = argc > 1 ? vswitch_find_bridge(aux, argv[1]) : NULL;
	struct text text = { 0 };
	struct port_row *list;
	json_t *rows;
	size_t n;

	if (argc > 1 && !b)
		list = port_rows_named(request, aux, argc, argv, &n);
	else
		list = port_rows(aux, b, &n);
	if (!list)
		return;
	rows = json_array();
	for (size_t i = 0; i < n; i++)
		add_drops(&text, rows, &list[i]);
	free(list);
	command_reply(request, &text, rows);
}

void commands_register_port(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "bridge/show", "[bridge]", 0, 1,
			 cmd_bridge_show, vs);
	control_register(server, "port/stats", "[port]...", 0, -1,
			 cmd_port_stats, vs);
	control_register(server, "drops", "[bridge|port]", 0, 1, cmd_drops, vs);
}
