/* fastpath/show: which ports' frames the kernel forwards, and why not others'.
 */
#include <stdlib.h>

#include "vswd/fastpath.h"
#include "vswd/port_rows.h"

/* NULL: an empty set, as JSON has it. */
static json_t *text_or_null(const char *text)
{
	json_t *json = text ? json_string(text) : NULL;

	return json ? json : json_null();
}

static const char *why_closed(const struct vport *v)
{
	const char *error = vport_error(v);

	return error ? error : "it is not open";
}

static json_t *row_json(const struct vport *v, const struct fp_counters *c)
{
	const char *in = v->port ? vfastpath_why_not_in(v) : why_closed(v);
	const char *out = v->port ? vfastpath_why_not_out(v) : why_closed(v);

	return json_pack(
		"{s:s, s:s, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I}", "bridge",
		v->bridge->name, "port", v->interface->name, "in", !in, "out",
		!out, "why_not_in", text_or_null(in), "why_not_out",
		text_or_null(out), "rx_packets", (json_int_t)c->rx_packets,
		"rx_bytes", (json_int_t)c->rx_bytes, "tx_packets",
		(json_int_t)c->tx_packets, "tx_bytes", (json_int_t)c->tx_bytes);
}

static void row_text(struct text *text, const struct vport *v,
		     const struct fp_counters *c)
{
	char *why = v->port ? vfastpath_text(v)
			    : xasprintf("no: %s", why_closed(v));

	text_add(text, "%-15s  %-15s  %14llu  %14llu  %s\n", v->bridge->name,
		 v->interface->name, (unsigned long long)c->rx_packets,
		 (unsigned long long)c->tx_packets, why ? why : "no");
	free(why);
}

static void add_row(struct text *text, json_t *ports, const struct vport *v)
{
	struct fp_counters counters;

	vfastpath_counters(v, &counters);
	row_text(text, v, &counters);
	json_array_append_new(ports, row_json(v, &counters));
}

/* Those that could not be opened, behind the others. */
static void add_closed(struct text *text, json_t *ports,
		       const struct vswitch *vs, const struct bridge *only)
{
	for (const struct bridge *b = vs->bridges; b; b = b->next)
		for (size_t i = 0; i < b->n_vports; i++)
			if (!b->vports[i]->port && (!only || only == b))
				add_row(text, ports, b->vports[i]);
}

static void cmd_show(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	const char *off = vfastpath_why_off(vs);
	struct bridge *only = NULL;
	struct text text = { 0 };
	struct port_row *rows;
	json_t *ports;
	size_t n;

	if (argc > 1) {
		only = command_bridge(request, vs, argv[1]);
		if (!only)
			return;
	}
	rows = port_rows(vs, only, &n);
	ports = json_array();
	text_add(&text, "%s%s\n", off ? "off: " : "on", off ? off : "");
	text_add(&text, "%-15s  %-15s  %14s  %14s  %s\n", "bridge", "port",
		 "frames in", "frames out", "forwarded in the kernel");
	for (size_t i = 0; i < n; i++)
		if (rows[i].vport)
			add_row(&text, ports, rows[i].vport);
	free(rows);
	add_closed(&text, ports, vs, only);
	command_reply(request, &text,
		      json_pack("{s:b, s:o, s:o}", "on", !off, "why_not",
				text_or_null(off), "ports", ports));
}

void commands_register_fastpath(struct control_server *server,
				struct vswitch *vs)
{
	control_register(server, "fastpath/show", "[bridge]", 0, 1, cmd_show,
			 vs);
}
