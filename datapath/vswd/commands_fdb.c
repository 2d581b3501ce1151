/* fdb/...: what is known of stations, and changing it by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/commands.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"
#include "vswd/private_vlan.h"
#include "vswd/switch.h"

struct entry_list {
	struct fdb_entry *entries;
	size_t n, room;
};

static bool collect_cb(const struct fdb_entry *entry, void *aux)
{
	struct entry_list *list = aux;

	if (list->n == list->room) {
		list->room = MAX(2 * list->room, 64);
		list->entries =
			xrealloc(list->entries, list->room * sizeof(*entry));
	}
	list->entries[list->n++] = *entry;
	return true;
}

static int compare_entries(const void *a_, const void *b_)
{
	const struct fdb_entry *a = a_, *b = b_;

	if (a->fid != b->fid)
		return (int)a->fid - (int)b->fid;
	return a->mac < b->mac ? -1 : a->mac > b->mac;
}

static void format_port(const struct bridge *b, uint16_t number, char *buf,
			size_t size)
{
	const struct vport *v = bridge_find_number(b, number);

	if (v)
		ofport_format(v->ofport, buf, size);
	else
		snprintf(buf, size, "-");
}

/* The VTEP that the station is behind, and who says so, to the line's end. */
static void add_vtep(struct text *text, const struct bridge *b,
		     const struct fdb_entry *e)
{
	const struct overlay_remote *r = bridge_remote_by_number(b, e->port);

	if (r)
		text_add(text, "  vtep=%s", ip_text(&r->ip).text);
	if (e->is_controlled)
		text_add(text, e->is_sticky ? "  sticky" : "  controlled");
	text_add(text, "\n");
}

static void show_text(struct control_request *request, const struct bridge *b,
		      const struct entry_list *list)
{
	struct text text = { 0 };

	text_add(&text, " port  VLAN  MAC                Age\n");
	for (size_t i = 0; i < list->n; i++) {
		const struct fdb_entry *e = &list->entries[i];
		char port[16], mac[MAC_STRING_SIZE];

		format_port(b, e->port, port, sizeof(port));
		text_add(&text, "%5s  %4u  %s  ", port, e->fid,
			 mac_format(e->mac, mac));
		if (e->is_static)
			text_add(&text, "static");
		else
			text_add(&text, "%3u", e->age_s);
		add_vtep(&text, b, e);
	}
	command_reply_text(request, &text);
}

static void show_json(struct control_request *request, const struct bridge *b,
		      const struct entry_list *list)
{
	json_t *json = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct fdb_entry *e = &list->entries[i];
		const struct vport *v = bridge_find_number(b, e->port);
		const struct overlay_remote *r =
			bridge_remote_by_number(b, e->port);
		char mac[MAC_STRING_SIZE];
		json_t *row = json_pack("{s:i, s:s, s:b}", "vlan", (int)e->fid,
					"mac", mac_format(e->mac, mac),
					"static", (int)e->is_static);

		if (v)
			json_object_update_new(
				row,
				json_pack("{s:s, s:i}", "port", v->config->name,
					  "ofport", (int)v->ofport));
		if (e->is_controlled)
			json_object_update_new(
				row, json_pack("{s:b, s:b}", "controlled", 1,
					       "sticky", (int)e->is_sticky));
		if (r)
			json_object_set_new(row, "vtep",
					    json_string(ip_text(&r->ip).text));
		if (!e->is_static)
			json_object_set_new(row, "age", json_integer(e->age_s));
		json_array_append_new(json, row);
	}
	command_reply_json(request, json);
}

static void cmd_show(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	struct bridge *b = command_bridge(request, aux, argv[1]);
	struct entry_list list = { 0 };

	if (!b)
		return;
	fdb_for_each(b->fdb, collect_cb, &list);
	if (list.n)
		qsort(list.entries, list.n, sizeof(*list.entries),
		      compare_entries);
	if (control_wants_json(request))
		show_json(request, b, &list);
	else
		show_text(request, b, &list);
	free(list.entries);
}

/* An address of one station; false after the reply. */
static bool parse_mac(struct control_request *request, const char *text,
		      uint64_t *mac)
{
	if (mac_from_string(text, mac) && *mac && !mac_is_multicast(*mac))
		return true;
	command_fail(request,
		     "bad MAC address \"%s\": it must be a unicast address as "
		     "02:00:00:00:00:01",
		     text);
	return false;
}

static void cmd_add(struct control_request *request, int argc,
		    const char *const argv[], void *aux)
{
	struct bridge *b = command_bridge(request, aux, argv[1]);
	struct vport *v = b ? command_port(request, b, argv[2]) : NULL;
	int vlan = v ? command_vlan(request, argv[3]) : -1, error;
	uint64_t mac;

	if (vlan < 0 || !parse_mac(request, argv[4], &mac))
		return;
	error = fdb_add_static(b->fdb,
			       fdb_make_key(mac, private_vlan_fid(b, vlan)),
			       v->number);
	if (error)
		command_fail(request, "cannot add the entry: %s",
			     strerror(-error));
	else
		control_reply(request, "");
}

/* What stations said of their addresses goes with their entries, at once. */
static void entries_gone(const struct bridge *b)
{
	for (struct overlay *o = b->vs->overlays; o; o = o->next)
		if (o->v->bridge == b)
			overlay_pairs_look(o);
}

static void cmd_del(struct control_request *request, int argc,
		    const char *const argv[], void *aux)
{
	struct bridge *b = command_bridge(request, aux, argv[1]);
	int vlan = b ? command_vlan(request, argv[2]) : -1;
	uint64_t mac;

	if (vlan < 0 || !parse_mac(request, argv[3], &mac))
		return;
	if (fdb_delete(b->fdb, fdb_make_key(mac, private_vlan_fid(b, vlan)))) {
		control_reply_error(request, "no such entry");
		return;
	}
	entries_gone(b);
	control_reply(request, "");
}

/* port=P and vlan=V, in any order; false after the reply. */
static bool parse_flush(struct control_request *request, struct bridge *b,
			int argc, const char *const argv[], uint16_t *number,
			int *vlan)
{
	struct vport *v;

	*number = 0;
	*vlan = -1;
	for (int i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "port=", 5)) {
			v = command_port(request, b, argv[i] + 5);
			if (!v)
				return false;
			*number = v->number;
		} else if (!strncmp(argv[i], "vlan=", 5)) {
			*vlan = command_vlan(request, argv[i] + 5);
			if (*vlan < 0)
				return false;
		} else {
			command_fail(request,
				     "\"%s\" is not port=PORT or vlan=VLAN",
				     argv[i]);
			return false;
		}
	}
	return true;
}

static void flush(struct bridge *b, uint16_t number, int vlan)
{
	const struct vport *v = bridge_find_number(b, number);

	fdb_flush(b->fdb, number, vlan);
	if (number && v && v->overlay)
		overlay_flush(v->overlay, vlan);
	entries_gone(b);
}

static void cmd_flush(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	struct bridge *b;
	uint16_t number;
	int vlan;

	if (argc == 1) {
		for (b = vs->bridges; b; b = b->next)
			flush(b, 0, -1);
	} else {
		b = command_bridge(request, vs, argv[1]);
		if (!b || !parse_flush(request, b, argc, argv, &number, &vlan))
			return;
		flush(b, number, vlan);
	}
	control_reply(request, "table successfully flushed\n");
}

static void cmd_stats(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct bridge *b = command_bridge(request, aux, argv[1]);
	struct text text = { 0 };
	struct fdb_stats s;

	if (!b)
		return;
	fdb_get_stats(b->fdb, &s);
	if (control_wants_json(request)) {
		command_reply_json(
			request,
			json_pack("{s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I}",
				  "entries", (int)s.entries, "max_entries",
				  (int)s.max_entries, "static_entries",
				  (int)s.static_entries, "controlled_entries",
				  (int)s.controlled_entries, "learned",
				  (json_int_t)s.learned, "expired",
				  (json_int_t)s.aged, "evicted",
				  (json_int_t)s.evicted, "moved",
				  (json_int_t)s.moved, "refused",
				  (json_int_t)s.refused, "flushed",
				  (json_int_t)s.flushed));
		return;
	}
	text_add(&text, "Statistics for bridge \"%s\":\n", b->name);
	text_add(&text, "  Current/maximum MAC entries in the table: %u/%u\n",
		 s.entries, s.max_entries);
	text_add(&text, "  Current static MAC entries in the table : %u\n",
		 s.static_entries);
	if (s.controlled_entries)
		text_add(
			&text,
			"  Current controlled MAC entries               : %u\n",
			s.controlled_entries);
#define LINE(WHAT, VALUE)                                                      \
	text_add(&text, "  %-40s: %llu\n", WHAT, (unsigned long long)(VALUE))
	LINE("Total number of learned MAC entries", s.learned);
	LINE("Total number of expired MAC entries", s.aged);
	LINE("Total number of evicted MAC entries", s.evicted);
	LINE("Total number of port moved MAC entries", s.moved);
	LINE("Total number of refused MAC entries", s.refused);
	LINE("Total number of flushed MAC entries", s.flushed);
#undef LINE
	command_reply_text(request, &text);
}

void commands_register_fdb(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "fdb/show", "bridge", 1, 1, cmd_show, vs);
	control_register(server, "fdb/add", "bridge port vlan mac", 4, 4,
			 cmd_add, vs);
	control_register(server, "fdb/del", "bridge vlan mac", 3, 3, cmd_del,
			 vs);
	control_register(server, "fdb/flush", "[bridge [port=P] [vlan=V]]", 0,
			 3, cmd_flush, vs);
	control_register(server, "fdb/stats-show", "bridge", 1, 1, cmd_stats,
			 vs);
}
