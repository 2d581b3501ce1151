#include "vswd/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/fastpath.h"
#include "vswd/switch.h"

/* --- what they share -------------------------------------------------------
 */

void text_add(struct text *text, const char *fmt, ...)
{
	va_list args;
	char *more;
	int n;

	va_start(args, fmt);
	n = vasprintf(&more, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	text->s = xrealloc(text->s, text->n + n + 1);
	memcpy(text->s + text->n, more, n + 1);
	text->n += n;
	free(more);
}

void command_reply_text(struct control_request *request, struct text *text)
{
	control_reply(request, text->s ? text->s : "");
	free(text->s);
}

void command_reply_json(struct control_request *request, json_t *json)
{
	char *dump = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	struct text text = { 0 };

	text_add(&text, "%s\n", dump ? dump : "null");
	free(dump);
	json_decref(json);
	command_reply_text(request, &text);
}

void command_reply(struct control_request *request, struct text *text,
		   json_t *json)
{
	if (control_wants_json(request)) {
		free(text->s);
		command_reply_json(request, json);
	} else {
		json_decref(json);
		command_reply_text(request, text);
	}
}

void command_reply_each(struct control_request *request, json_t *all,
			void (*to_text)(struct text *text, const json_t *json))
{
	struct text text = { 0 };
	json_t *json;
	size_t i;

	json_array_foreach(all, i, json)
		to_text(&text, json);
	command_reply(request, &text, all);
}

void command_fail(struct control_request *request, const char *fmt, ...)
{
	va_list args;
	char *why;
	int n;

	va_start(args, fmt);
	n = vasprintf(&why, fmt, args);
	va_end(args);
	control_reply_error(request, n < 0 ? "out of memory" : why);
	if (n >= 0)
		free(why);
}

struct bridge *command_bridge(struct control_request *request,
			      struct vswitch *vs, const char *name)
{
	struct bridge *b = vswitch_find_bridge(vs, name);

	if (!b)
		command_fail(request, "%s: no such bridge", name);
	return b;
}

struct vport *command_open_port(struct control_request *request,
				struct vswitch *vs, const char *name)
{
	struct vport *v = vswitch_find_vport(vs, name);
	const char *why;

	if (v && v->port)
		return v;
	why = v ? vport_error(v) : "no such port";
	command_fail(request, "%s: %s", name, why ? why : "not open");
	return NULL;
}

struct vport *command_port(struct control_request *request, struct bridge *b,
			   const char *name)
{
	struct vport *v = NULL;
	char *end;
	long n;

	for (size_t i = 0; i < b->n_vports && !v; i++)
		if (!strcmp(b->vports[i]->interface->name, name))
			v = b->vports[i];
	/* A bond: any of its members stands for it. */
	for (size_t i = 0; i < b->n_vports && !v; i++)
		if (b->vports[i]->bond &&
		    !strcmp(b->vports[i]->config->name, name))
			v = b->vports[i];
	n = strtol(name, &end, 10);
	if (!v && !strcmp(name, "LOCAL"))
		v = bridge_find_ofport(b, OFPORT_LOCAL);
	if (!v && *name && !*end && n > 0 && n <= UINT16_MAX)
		v = bridge_find_ofport(b, n);
	if (!v)
		command_fail(request, "%s: bridge %s has no such port", name,
			     b->name);
	return v;
}

int command_vlan(struct control_request *request, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text && !*end && n >= 0 && n < VLAN_N - 1)
		return n;
	command_fail(request, "bad VLAN \"%s\": it must be from 0 to %d", text,
		     VLAN_N - 2);
	return -1;
}

void ofport_format(uint16_t ofport, char *buf, size_t size)
{
	if (ofport == OFPORT_LOCAL)
		snprintf(buf, size, "LOCAL");
	else
		snprintf(buf, size, "%u", ofport);
}

static int compare_vports(const void *a_, const void *b_)
{
	const struct vport *a = *(struct vport *const *)a_;
	const struct vport *b = *(struct vport *const *)b_;
	int order = strcmp(a->bridge->name, b->bridge->name);

	return order ? order : (int)a->ofport - (int)b->ofport;
}

struct vport **command_sorted_vports(const struct vswitch *vs,
				     const struct bridge *bridge, size_t *n)
{
	struct vport **list = xcalloc(vs->vports.n, sizeof(*list));
	struct hmap_node *node;

	*n = 0;
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (v->port && (!bridge || v->bridge == bridge))
			list[(*n)++] = v;
	}
	qsort(list, *n, sizeof(*list), compare_vports);
	return list;
}

/* --- the daemon's own ------------------------------------------------------
 */

/* --cleanup is what ovs-appctl's users say, and what happens anyway. */
static void cmd_exit(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	/* The reply is on its way when the loop has turned once more. */
	const struct timeval soon = { .tv_usec = 10000 };
	struct vswitch *vs = aux;
	bool keep = argc > 1 && !strcmp(argv[1], "--keep");

	if (argc > 1 && !keep && strcmp(argv[1], "--cleanup") != 0) {
		command_fail(request,
			     "%s is neither --cleanup nor --keep",
			     argv[1]);
		return;
	}
	if (keep)
		vfastpath_keep(vs);
	control_reply(request, "");
	event_base_loopexit(vs->base, &soon);
}

static void cmd_log_set(struct control_request *request, int argc,
			const char *const argv[], void *aux)
{
	char *why = NULL;

	for (int i = 1; i < argc; i++) {
		if (log_set(argv[i], &why)) {
			control_reply_error(request, why);
			free(why);
			return;
		}
	}
	control_reply(request, "");
}

void commands_register(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "exit", "[--cleanup|--keep]", 0, 1, cmd_exit,
			 vs);
	control_register(server, "log/set", "{spec}...", 1, -1, cmd_log_set,
			 NULL);
	commands_register_fdb(server, vs);
	commands_register_port(server, vs);
	commands_register_fastpath(server, vs);
	commands_register_worker(server, vs);
	commands_register_vhost(server, vs);
	commands_register_qos(server, vs);
	commands_register_bond(server, vs);
	commands_register_lacp(server, vs);
	commands_register_lldp(server, vs);
	commands_register_segment(server, vs);
	commands_register_nat(server, vs);
	commands_register_acl(server, vs);
	commands_register_vtep(server, vs);
	commands_register_trace(server, vs);
	commands_register_mirror(server, vs);
	commands_register_capture(server, vs);
	commands_register_events(server, vs);
	commands_register_guard(server, vs);
}
