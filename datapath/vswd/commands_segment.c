/* segment/...: what segments are, and who is on them. */
#include <stdlib.h>
#include <string.h>

#include "vswd/commands.h"
#include "vswd/segment.h"

/* --- segment/show ----------------------------------------------------------
 */

static const char *member(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static long long number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

/* A line, unless there is nothing to say. */
static void line(struct text *text, const char *word, const char *value)
{
	if (value)
		text_add(text, "  %s: %s\n", word, value);
}

static void forward_text(struct text *text, const json_t *f)
{
	const char *outside = member(f, "outside_address");
	const char *inside = member(f, "inside_address");
	const char *error = member(f, "error");
	long long lo = number(f, "outside_port");
	long long hi = number(f, "outside_port_last");

	text_add(text, "  forward: %s ", member(f, "protocol"));
	if (outside)
		text_add(text, strchr(outside, ':') ? "[%s]:" : "%s:", outside);
	text_add(text, "%lld", lo);
	if (hi > lo)
		text_add(text, "-%lld", hi);
	text_add(text, inside && strchr(inside, ':') ? " to [%s]:" : " to %s:",
		 inside ? inside : "none");
	text_add(text, "%lld", number(f, "inside_port"));
	if (hi > lo)
		text_add(text, "-%lld", number(f, "inside_port") + hi - lo);
	text_add(text, "%s%s\n", error ? ": not in force: " : "",
		 error ? error : "");
}

static void lease_text(struct text *text, const json_t *l)
{
	const char *name = member(l, "name"), *port = member(l, "port");

	text_add(text, "  lease: %s %s%s%s, %lld s left%s%s\n",
		 member(l, "address"), member(l, "mac"), name ? " " : "",
		 name ? name : "", number(l, "seconds_left"),
		 port ? ", port " : "", port ? port : "");
}

static void uplink_text(struct text *text, const json_t *uplink)
{
	const json_t *dhcp = json_object_get(uplink, "dhcp"), *ip;
	size_t i;

	if (!json_is_true(json_object_get(uplink, "link")))
		line(text, "outside link", "down");
	json_array_foreach(json_object_get(uplink, "addresses"), i, ip)
		line(text, "outside address", json_string_value(ip));
	line(text, "outside gateway", member(uplink, "gateway"));
	line(text, "outside IPv6 gateway", member(uplink, "gateway6"));
	line(text, "outside DHCP", member(dhcp, "state"));
	line(text, "outside DHCP server", member(dhcp, "server"));
}

static void outside_text(struct text *text, const json_t *json)
{
	const json_t *uplink = json_object_get(json, "uplink");

	line(text, "outside", member(json, "outside"));
	if (uplink)
		uplink_text(text, uplink);
	if (json_object_get(json, "nat_sessions"))
		text_add(text, "  sessions: %lld of at most %lld\n",
			 number(json, "nat_sessions"),
			 number(json, "nat_sessions_max"));
}

/* Those that have counted anything. */
static void statistics_text(struct text *text, const json_t *statistics)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)statistics, key, value)
		if (json_integer_value(value))
			text_add(text, "  %s: %lld\n", key,
				 (long long)json_integer_value(value));
}

/* "DHCP of 10.20.0.2-10.20.0.254, DNS"; nothing without a gateway. */
static void services_text(struct text *text, const json_t *json)
{
	static const struct {
		const char *key, *word;
	} services[] = {
		{ "dns", "DNS" },
		{ "ra", "router advertisements" },
		{ "dhcpv6", "DHCPv6" },
	};
	const char *range = member(json, "dhcp_range"), *comma = "";

	if (!json_object_get(json, "dhcp"))
		return;
	text_add(text, "  services:");
	if (range) {
		text_add(text, " DHCP of %s", range);
		comma = ",";
	}
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		if (!json_is_true(json_object_get(json, services[i].key)))
			continue;
		text_add(text, "%s %s", comma, services[i].word);
		comma = ",";
	}
	text_add(text, "%s\n", *comma ? "" : " none");
}

static void segment_text(struct text *text, const json_t *json)
{
	const json_t *item;
	size_t i;

	text_add(text, "segment %s: %s%s\n", member(json, "segment"),
		 member(json, "type"),
		 json_is_true(json_object_get(json, "isolated")) ? ", isolated"
								 : "");
	line(text, "error", member(json, "error"));
	line(text, "conflict", member(json, "conflict"));
	line(text, "subnet", member(json, "subnet"));
	line(text, "gateway", member(json, "gateway"));
	line(text, "IPv6 subnet", member(json, "subnet6"));
	line(text, "IPv6 gateway", member(json, "gateway6"));
	line(text, "host", member(json, "host"));
	line(text, "IPv6 of the host", member(json, "host6"));
	line(text, "gateway's MAC", member(json, "mac"));
	if (number(json, "mtu"))
		text_add(text, "  MTU of machines: %lld\n",
			 number(json, "mtu"));
	services_text(text, json);
	json_array_foreach(json_object_get(json, "devices"), i, item)
		line(text, "device", json_string_value(item));
	json_array_foreach(json_object_get(json, "resolvers"), i, item)
		line(text, "resolver", json_string_value(item));
	outside_text(text, json);
	if (json_object_get(json, "neighbors"))
		text_add(text, "  neighbors: %lld\n",
			 number(json, "neighbors"));
	json_array_foreach(json_object_get(json, "forwards"), i, item)
		forward_text(text, item);
	json_array_foreach(json_object_get(json, "leases"), i, item)
		lease_text(text, item);
	statistics_text(text, json_object_get(json, "statistics"));
}

static int compare_names(const void *a_, const void *b_)
{
	const struct segment *const *a = a_, *const *b = b_;

	return strcmp((*a)->config->name, (*b)->config->name);
}

/* All, by name; the caller's. */
static struct segment **sorted(const struct vswitch *vs, size_t *n)
{
	struct segment **list = NULL, *seg;

	*n = 0;
	for (seg = vs->segments; seg; seg = seg->next) {
		list = xrealloc(list, (*n + 1) * sizeof(seg));
		list[(*n)++] = seg;
	}
	if (list)
		qsort(list, *n, sizeof(seg), compare_names);
	return list;
}

static struct segment *named(struct control_request *request,
			     const struct vswitch *vs, const char *name)
{
	struct segment *seg = segment_find(vs, name);

	if (!seg)
		command_fail(request, "%s: no such segment", name);
	return seg;
}

static void cmd_show(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	struct segment **list, *seg;
	json_t *all;
	size_t n;

	if (argc > 1) {
		seg = named(request, aux, argv[1]);
		if (seg)
			command_reply_each(
				request, json_pack("[o]", segment_to_json(seg)),
				segment_text);
		return;
	}
	all = json_array();
	list = sorted(aux, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, segment_to_json(list[i]));
	free(list);
	command_reply_each(request, all, segment_text);
}

/* --- segment/neighbors -----------------------------------------------------
 */

static void neighbor_text(struct text *text, const json_t *json)
{
	const char *mac = member(json, "mac"), *port = member(json, "port");

	text_add(text, "%-7s  %-39s  %-17s  %-9s  %s\n", member(json, "side"),
		 member(json, "address"), mac ? mac : "-",
		 member(json, "state"), port ? port : "-");
}

static void cmd_neighbors(struct control_request *request, int argc,
			  const char *const argv[], void *aux)
{
	struct segment *seg = named(request, aux, argv[1]);

	if (seg)
		command_reply_each(request, segment_neighbors_json(seg),
				   neighbor_text);
}

void commands_register_segment(struct control_server *server,
			       struct vswitch *vs)
{
	control_register(server, "segment/show", "[SEGMENT]", 0, 1, cmd_show,
			 vs);
	control_register(server, "segment/neighbors", "SEGMENT", 1, 1,
			 cmd_neighbors, vs);
}
