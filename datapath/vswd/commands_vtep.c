/* vtep/show: VXLAN ports and their remote VTEPs. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands.h"
#include "vswd/json_field.h"
#include "vswd/overlay.h"

/* A network, or several whose numbers rise together. */
struct networks {
	long long vni, vlan; /* the first's; vlan -1: none, the VNI is fixed */
	unsigned long long floods_to;
	unsigned n;
};

static void print_networks(struct text *text, const struct networks *n)
{
	const char *many = n->n > 1 ? "s" : "";

	if (!n->n)
		return;
	text_add(text, "  VNI%s %lld", many, n->vni);
	if (n->n > 1)
		text_add(text, "-%lld", n->vni + n->n - 1);
	if (n->vlan >= 0)
		text_add(text, ": VLAN%s %lld", many, n->vlan);
	if (n->vlan >= 0 && n->n > 1)
		text_add(text, "-%lld", n->vlan + n->n - 1);
	text_add(text, "%s floods to %llu\n", n->vlan >= 0 ? "," : ":",
		 n->floods_to);
}

static void networks_text(struct text *text, const json_t *list)
{
	struct networks run = { 0 };
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const json_t *vlan = json_object_get(one, "vlan");
		struct networks next = {
			.vni = field_number(one, "vni"),
			.vlan = vlan ? json_integer_value(vlan) : -1,
			.floods_to = field_number(one, "floods_to"),
			.n = 1,
		};

		if (run.n && next.vni == run.vni + run.n &&
		    next.vlan == run.vlan + run.n &&
		    next.floods_to == run.floods_to) {
			run.n++;
			continue;
		}
		print_networks(text, &run);
		run = next;
	}
	print_networks(text, &run);
}

/* "static,learned" */
static void join(const json_t *words, char *buf, size_t size)
{
	const json_t *word;
	size_t i, n = 0;

	buf[0] = 0;
	json_array_foreach(words, i, word)
		if (n < size)
			n += snprintf(buf + n, size - n, "%s%s", i ? "," : "",
				      json_string_value(word));
}

static void remote_text(struct text *text, const json_t *r)
{
	const char *hop = field_text(r, "next_hop");
	char origins[64], mtu[24] = "-";

	join(json_object_get(r, "origins"), origins, sizeof(origins));
	if (field_number(r, "mtu"))
		snprintf(mtu, sizeof(mtu), "%llu", field_number(r, "mtu"));
	text_add(text,
		 "  %-15s  %-10s  %-17s  %5s  %6llu  %10llu  %12llu  %10llu  "
		 "%12llu  %6llu\n",
		 field_text(r, "address"), origins,
		 !field_is_true(r, "reached") ? "unreached"
		 : hop[0]		      ? hop
					      : "host",
		 mtu, field_number(r, "macs"), field_number(r, "rx_packets"),
		 field_number(r, "rx_bytes"), field_number(r, "tx_packets"),
		 field_number(r, "tx_bytes"), field_number(r, "drops"));
}

static void remotes_text(struct text *text, const json_t *remotes)
{
	const json_t *one;
	size_t i;

	if (!json_array_size(remotes)) {
		text_add(text, "  no remote VTEPs\n");
		return;
	}
	text_add(text,
		 "  %-15s  %-10s  %-17s  %5s  %6s  %10s  %12s  %10s  %12s  "
		 "%6s\n",
		 "VTEP", "origin", "next hop", "MTU", "MACs", "rx packets",
		 "rx bytes", "tx packets", "tx bytes", "drops");
	json_array_foreach(remotes, i, one)
		remote_text(text, one);
}

static void line(struct text *text, const char *word, const char *value)
{
	if (value[0])
		text_add(text, "  %s: %s\n", word, value);
}

/* The first few; all that JSON has would bury the rest. */
#define ANSWERS_SHOWN 16

static void answers_text(struct text *text, const json_t *json)
{
	const json_t *list = json_object_get(json, "answers"), *one;
	unsigned long long n = field_number(json, "suppressed_addresses");
	size_t i;

	if (!list)
		return;
	text_add(text, "  answers ARP and ND for %llu addresses%s\n", n,
		 n ? ":" : "");
	json_array_foreach(list, i, one) {
		if (i == ANSWERS_SHOWN)
			break;
		text_add(text, "    %s is at %s", field_text(one, "address"),
			 field_text(one, "mac"));
		if (field_number(one, "vlan"))
			text_add(text, ", VLAN %llu",
				 field_number(one, "vlan"));
		text_add(text, " (%s)\n", field_text(one, "origin"));
	}
	if (json_array_size(list) > ANSWERS_SHOWN)
		text_add(text, "    and others: --format=json has %d of them\n",
			 (int)json_array_size(list));
}

static void overlay_text(struct text *text, const json_t *json)
{
	const json_t *underlay = json_object_get(json, "underlay");
	const json_t *evpn = json_object_get(json, "evpn");
	const char *local = field_text(json, "local");
	const char *bridge = field_text(underlay, "bridge");

	text_add(text, "%s (bridge %s)\n", field_text(json, "port"),
		 field_text(json, "bridge"));
	line(text, "error", field_text(json, "error"));
	text_add(text, "  local: %s, UDP port %llu, by %s%s\n",
		 local[0] ? local : "any address",
		 field_number(underlay, "udp_port"),
		 bridge[0] ? "bridge " : "the host's sockets", bridge);
	line(text, "group", field_text(json, "group"));
	if (field_number(json, "mtu"))
		text_add(text, "  MTU: %llu\n", field_number(json, "mtu"));
	answers_text(text, json);
	line(text, "EVPN", field_text(evpn, "state"));
	networks_text(text, json_object_get(json, "networks"));
	remotes_text(text, json_object_get(json, "remotes"));
}

static int compare_overlays(const void *a_, const void *b_)
{
	const struct overlay *const *a = a_, *const *b = b_;
	int order = strcmp((*a)->v->bridge->name, (*b)->v->bridge->name);

	return order ? order
		     : strcmp((*a)->v->interface->name,
			      (*b)->v->interface->name);
}

/* Those of a bridge or port of that name, or all; the caller's. */
static struct overlay **sorted(const struct vswitch *vs, const char *name,
			       size_t *n)
{
	struct overlay **list = NULL, *o;

	*n = 0;
	for (o = vs->overlays; o; o = o->next) {
		if (name && strcmp(name, o->v->bridge->name) &&
		    strcmp(name, o->v->interface->name))
			continue;
		list = xrealloc(list, (*n + 1) * sizeof(o));
		list[(*n)++] = o;
	}
	if (list)
		qsort(list, *n, sizeof(o), compare_overlays);
	return list;
}

/* Why a name has nothing to show; false after the reply. */
static bool check_name(struct control_request *request,
		       const struct vswitch *vs, const char *name)
{
	struct vport *v;

	if (vswitch_find_bridge(vs, name))
		return true;
	v = command_open_port(request, (struct vswitch *)vs, name);
	if (v && !v->overlay)
		command_fail(request, "%s: not a VXLAN port", name);
	return v && v->overlay;
}

static void cmd_show(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	json_t *all = json_array();
	struct overlay **list;
	size_t n;

	if (name && !check_name(request, aux, name)) {
		json_decref(all);
		return;
	}
	list = sorted(aux, name, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, overlay_to_json(list[i]));
	free(list);
	command_reply_each(request, all, overlay_text);
}

void commands_register_vtep(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "vtep/show", "[BRIDGE|PORT]", 0, 1, cmd_show,
			 vs);
}
