/*
 * lldp/neighbors and lldp/stats: who is at the other end of ports. All text of
 * neighbours was cleaned when it was decoded.
 */
#include <stdlib.h>
#include <string.h>

#include "discovery/text.h"
#include "vswd/commands.h"
#include "vswd/discovery.h"
#include "vswd/json_field.h"
#include "vswd/neighbor_json.h"
#include "vswd/vbond.h"

typedef unsigned long long ull;

static bool takes_part(const struct vport *v)
{
	return v->discovery && discovery_port_mode(v->discovery);
}

static int compare_names(const void *a_, const void *b_)
{
	const struct vport *a = *(struct vport *const *)a_;
	const struct vport *b = *(struct vport *const *)b_;

	return strcmp(a->interface->name, b->interface->name);
}

/* All, or the members of one bond, by name. */
static struct vport **sorted(const struct vswitch *vs, const struct vbond *bond,
			     size_t *n)
{
	struct vport **list = command_sorted_vports(vs, NULL, n);
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (!bond || list[i]->bond == bond)
			list[kept++] = list[i];
	*n = kept;
	qsort(list, kept, sizeof(*list), compare_names);
	return list;
}

static void fail_off(struct control_request *request, const struct vport *v)
{
	const char *name = v->interface->name;

	if (vdiscovery_is_possible(v))
		command_fail(request,
			     "%s: LLDP is off; \"vsw-ctl set Interface %s "
			     "lldp:enable=true\" turns it on",
			     name, name);
	else
		command_fail(request,
			     "%s: LLDP and CDP are for ports to others; %s "
			     "never takes part",
			     name,
			     vport_is_local(v) ? "a bridge's own port"
					       : "a patch port");
}

/* The named port alone, a bond's members, or all; NULL after the reply. */
static struct vport **wanted(struct control_request *request,
			     struct vswitch *vs, const char *name, size_t *n)
{
	const struct vbond *bond = name ? vswitch_find_bond(vs, name) : NULL;
	struct vport **list, *v;

	if (!name || (bond && !vswitch_find_vport(vs, name)))
		return sorted(vs, bond, n);
	v = command_open_port(request, vs, name);
	if (!v)
		return NULL;
	if (!takes_part(v)) {
		fail_off(request, v);
		return NULL;
	}
	list = xcalloc(1, sizeof(*list));
	list[0] = v;
	*n = 1;
	return list;
}

/* --- lldp/neighbors ------------------------------------------------------- */

static void add_neighbors(json_t *all, const struct vport *v)
{
	const struct neighbor_table *table;
	uint64_t now_ms = vswitch_now_ms();

	if (!v->discovery)
		return;
	table = discovery_port_neighbors(v->discovery);
	for (const struct neighbor_entry *e = table->list; e; e = e->next) {
		json_t *json = neighbor_to_json(e, now_ms);

		json_object_set_new(json, "port",
				    json_string(v->interface->name));
		json_object_set_new(json, "bridge",
				    json_string(v->bridge->name));
		json_array_append_new(all, json);
	}
}

/* The name if it says one, since people know those; else the identifier. */
static const char *who(const json_t *json)
{
	const char *name = field_text(json, "system_name");

	return name[0] ? name : field_text(json, "chassis_id");
}

static void widen(int *width, const char *text)
{
	*width = MAX(*width, MIN(40, (int)strlen(text)));
}

static void table_text(struct text *text, json_t *all)
{
	int port = 4, system = 6, remote = 11;
	json_t *json;
	size_t i;

	json_array_foreach(all, i, json) {
		widen(&port, field_text(json, "port"));
		widen(&system, who(json));
		widen(&remote, field_text(json, "port_id"));
	}
	text_add(text, "%-*s  %-8s  %-*s  %-*s  %4s  %7s  %s\n", port, "port",
		 "protocol", system, "system", remote, "remote port", "VLAN",
		 "age", "TTL left");
	json_array_foreach(all, i, json) {
		char vlan[8] = "-";

		if (field_number(json, "pvid"))
			snprintf(vlan, sizeof(vlan), "%u",
				 (unsigned)field_number(json, "pvid") & 0xffff);
		text_add(text, "%-*s  %-8s  %-*s  %-*s  %4s  %6llus  %llus\n",
			 port, field_text(json, "port"),
			 field_text(json, "protocol"), system, who(json),
			 remote, field_text(json, "port_id"), vlan,
			 field_number(json, "age"),
			 field_number(json, "ttl_left"));
	}
}

static void cmd_neighbors(struct control_request *request, int argc,
			  const char *const argv[], void *aux)
{
	struct text text = { 0 };
	struct vport **list;
	json_t *all, *json;
	size_t n, i;

	list = wanted(request, aux, argc > 1 ? argv[1] : NULL, &n);
	if (!list)
		return;
	all = json_array();
	for (i = 0; i < n; i++)
		add_neighbors(all, list[i]);
	free(list);
	if (control_wants_json(request)) {
		command_reply_json(request, all);
		return;
	}
	table_text(&text, all);
	json_array_foreach(all, i, json)
		if (argc > 1)
			neighbor_details(&text, json);
	json_decref(all);
	command_reply_text(request, &text);
}

/* --- lldp/stats ----------------------------------------------------------- */

static json_t *counters_json(const struct discovery_counters *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "frames_out",
			 (json_int_t)c->frames_out, "length_errors",
			 (json_int_t)c->length_errors, "frames_in",
			 (json_int_t)c->frames_in, "frames_discarded",
			 (json_int_t)c->frames_discarded, "frames_in_errors",
			 (json_int_t)c->frames_in_errors, "tlvs_discarded",
			 (json_int_t)c->tlvs_discarded, "tlvs_unrecognized",
			 (json_int_t)c->tlvs_unrecognized);
}

static json_t *table_json(const struct neighbor_table *t)
{
	uint64_t now_ms = vswitch_now_ms();

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "neighbors",
			 (json_int_t)t->n, "inserts", (json_int_t)t->inserts,
			 "deletes", (json_int_t)t->deletes, "drops",
			 (json_int_t)t->drops, "ageouts",
			 (json_int_t)t->ageouts, "too_many_neighbors",
			 t->too_many_until_ms > now_ms);
}

static json_t *stats_json(const struct vport *v)
{
	unsigned mode = discovery_port_mode(v->discovery);
	json_t *json = table_json(discovery_port_neighbors(v->discovery));

	json_object_set_new(json, "port", json_string(v->interface->name));
	json_object_set_new(json, "bridge", json_string(v->bridge->name));
	json_object_set_new(json, "mode",
			    json_pack("{s:s, s:s}", "LLDP",
				      mode & DISCOVERY_LLDP_TX ? "both" : "off",
				      "CDP",
				      mode & DISCOVERY_CDP_TX	? "both"
				      : mode & DISCOVERY_CDP_RX ? "receive"
								: "off"));
	for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++)
		json_object_set_new(json, discovery_protocol_name(p),
				    counters_json(discovery_port_counters(
					    v->discovery, p)));
	return json;
}

static void stats_text(struct text *text, const json_t *json)
{
	const json_t *mode = json_object_get(json, "mode");

	text_add(text, "%s (bridge %s):\n", field_text(json, "port"),
		 field_text(json, "bridge"));
	text_add(text,
		 "  neighbors: %llu%s; %llu inserted, %llu deleted, %llu aged "
		 "out, %llu refused\n",
		 field_number(json, "neighbors"),
		 json_is_true(json_object_get(json, "too_many_neighbors"))
			 ? " (too many)"
			 : "",
		 field_number(json, "inserts"), field_number(json, "deletes"),
		 field_number(json, "ageouts"), field_number(json, "drops"));
	for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++) {
		const char *name = discovery_protocol_name(p);
		const json_t *c = json_object_get(json, name);

		text_add(text,
			 "  %s (%s): sent %llu (too long %llu), received %llu "
			 "(discarded %llu, with errors %llu); TLVs discarded "
			 "%llu, unknown %llu\n",
			 name, field_text(mode, name),
			 field_number(c, "frames_out"),
			 field_number(c, "length_errors"),
			 field_number(c, "frames_in"),
			 field_number(c, "frames_discarded"),
			 field_number(c, "frames_in_errors"),
			 field_number(c, "tlvs_discarded"),
			 field_number(c, "tlvs_unrecognized"));
	}
}

static void cmd_stats(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct vport **list;
	json_t *all;
	size_t n;

	list = wanted(request, aux, argc > 1 ? argv[1] : NULL, &n);
	if (!list)
		return;
	all = json_array();
	for (size_t i = 0; i < n; i++)
		if (takes_part(list[i]))
			json_array_append_new(all, stats_json(list[i]));
	free(list);
	command_reply_each(request, all, stats_text);
}

void commands_register_lldp(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "lldp/neighbors", "[port]", 0, 1,
			 cmd_neighbors, vs);
	control_register(server, "lldp/stats", "[port]", 0, 1, cmd_stats, vs);
}
