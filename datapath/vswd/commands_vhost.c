/* vhost/show: the front ends of vhost-user ports, and their rings. */
#include <stdlib.h>
#include <string.h>

#include "port/vhost_user.h"
#include "vhost/feature_names.h"
#include "vswd/commands.h"
#include "vswd/json_field.h"
#include "vswd/switch.h"

typedef unsigned long long ull;

/* The names of the bits; a bit without a name goes by its number. */
static json_t *names_of(uint64_t bits, const char *(*name_of)(unsigned bit))
{
	json_t *names = json_array();

	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name = name_of(bit);

		if (!(bits >> bit & 1))
			continue;
		if (name)
			json_array_append_new(names, json_string(name));
		else
			json_array_append_new(names,
					      json_sprintf("bit%u", bit));
	}
	return names;
}

/* What is started, by its index in the device: rx0, tx0, rx1, tx1, ... */
static json_t *ring_json(const struct vhost_user_info *port, unsigned index)
{
	struct virtqueue *vq = vhost_session_queue(port->session, index);
	const char *broken = virtqueue_broken(vq);
	struct virtqueue_info info;

	virtqueue_get_info(vq, &info);
	if (!info.started && !broken)
		return NULL;
	return json_pack("{s:i, s:s, s:i, s:s, s:b, s:b, s:s?, s:I, s:I}",
			 "index", (int)index, "direction",
			 index % 2 ? "from-guest" : "to-guest", "size",
			 (int)info.size, "format",
			 info.packed ? "packed" : "split", "started",
			 (int)info.started, "enabled", (int)info.enabled,
			 "broken", broken, "kicks", (json_int_t)info.kicks,
			 "notifications", (json_int_t)info.notifications);
}

static json_t *rings_json(const struct vhost_user_info *port)
{
	json_t *rings = json_array();

	for (unsigned i = 0; i < 2 * port->n_pairs; i++) {
		json_t *ring = ring_json(port, i);

		if (ring)
			json_array_append_new(rings, ring);
	}
	return rings;
}

static json_t *port_json(const struct vport *v,
			 const struct vhost_user_info *port)
{
	struct vhost_session_info s;
	json_t *json;

	vhost_session_get_info(port->session, &s);
	json = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:s?}", "port",
			 v->interface->name, "bridge", v->bridge->name, "mode",
			 port->client ? "client" : "server", "socket",
			 port->path, "connected", (int)port->connected,
			 "link_up", (int)s.link_up, "connections",
			 (json_int_t)port->connections, "last_error",
			 port->trouble);
	json_object_set_new(json, "pid", json_integer(port->peer_pid));
	json_object_set_new(json, "queue_pairs", json_integer(s.n_pairs));
	json_object_set_new(json, "queue_pairs_max",
			    json_integer(port->n_pairs));
	json_object_set_new(json, "mtu", json_integer(s.mtu));
	json_object_set_new(json, "features",
			    names_of(s.features, vhost_feature_name));
	json_object_set_new(
		json, "protocol_features",
		names_of(s.protocol_features, vhost_protocol_feature_name));
	json_object_set_new(json, "regions", json_integer(s.n_regions));
	json_object_set_new(json, "memory", json_integer(s.memory_size));
	json_object_set_new(json, "rings", rings_json(port));
	return json;
}

/* --- as text ---------------------------------------------------------------
 */

static void list_text(struct text *text, const char *title, const json_t *names)
{
	const json_t *name;
	size_t i;

	text_add(text, "  %s:", title);
	json_array_foreach((json_t *)names, i, name)
		text_add(text, " %s", json_string_value(name));
	text_add(text, "%s\n", json_array_size(names) ? "" : " none");
}

static void ring_text(struct text *text, const json_t *ring)
{
	const char *broken = field_text(ring, "broken");

	text_add(text,
		 "  ring %llu (%s): %s, size %llu, %s; kicks %llu, "
		 "notifications %llu\n",
		 field_number(ring, "index"), field_text(ring, "direction"),
		 field_text(ring, "format"), field_number(ring, "size"),
		 broken[0]			  ? "broken"
		 : field_is_true(ring, "enabled") ? "enabled"
						  : "disabled",
		 field_number(ring, "kicks"),
		 field_number(ring, "notifications"));
	if (broken[0])
		text_add(text, "    broken: %s\n", broken);
}

static void port_text(struct text *text, const json_t *json)
{
	const json_t *ring;
	size_t i;

	text_add(text, "%s (bridge %s):\n", field_text(json, "port"),
		 field_text(json, "bridge"));
	text_add(text, "  %s at %s\n", field_text(json, "mode"),
		 field_text(json, "socket"));
	if (field_text(json, "last_error")[0])
		text_add(text, "  last error: %s\n",
			 field_text(json, "last_error"));
	if (!field_is_true(json, "connected")) {
		text_add(text, "  front end: not connected (%llu so far)\n",
			 field_number(json, "connections"));
		return;
	}
	text_add(text,
		 "  front end: process %llu, link %s, %llu of %llu queue "
		 "pairs",
		 field_number(json, "pid"),
		 field_is_true(json, "link_up") ? "up" : "down",
		 field_number(json, "queue_pairs"),
		 field_number(json, "queue_pairs_max"));
	if (field_number(json, "mtu"))
		text_add(text, ", MTU %llu", field_number(json, "mtu"));
	text_add(text, "\n");
	list_text(text, "features", json_object_get(json, "features"));
	list_text(text, "protocol features",
		  json_object_get(json, "protocol_features"));
	text_add(text, "  memory: %llu regions, %llu MiB\n",
		 field_number(json, "regions"),
		 field_number(json, "memory") >> 20);
	json_array_foreach(json_object_get(json, "rings"), i, ring)
		ring_text(text, ring);
}

/* The named port alone, or all; NULL after the reply. */
static struct vport **wanted(struct control_request *request,
			     struct vswitch *vs, const char *name, size_t *n)
{
	struct vhost_user_info info;
	struct vport **list, *v;

	if (!name)
		return command_sorted_vports(vs, NULL, n);
	v = command_open_port(request, vs, name);
	if (!v)
		return NULL;
	if (!vhost_user_get_info(v->port, &info)) {
		command_fail(request, "%s: no vhost-user port", name);
		return NULL;
	}
	list = xcalloc(1, sizeof(*list));
	list[0] = v;
	*n = 1;
	return list;
}

static void cmd_vhost_show(struct control_request *request, int argc,
			   const char *const argv[], void *aux)
{
	struct vhost_user_info info;
	struct vport **list;
	json_t *all;
	size_t n;

	list = wanted(request, aux, argc > 1 ? argv[1] : NULL, &n);
	if (!list)
		return;
	all = json_array();
	for (size_t i = 0; i < n; i++)
		if (vhost_user_get_info(list[i]->port, &info))
			json_array_append_new(all, port_json(list[i], &info));
	free(list);
	command_reply_each(request, all, port_text);
}

void commands_register_vhost(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "vhost/show", "[port]", 0, 1, cmd_vhost_show,
			 vs);
}
