/*
 * trace: the way that a frame would take (forward/trace.h). With --commit it
 * takes it as well, as if it had come in by the port.
 */
#include <stdlib.h>
#include <string.h>

#include "forward/pipeline.h"
#include "vswd/frames.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"
#include "vswd/trace_frame.h"
#include "vswd/trace_json.h"
#include "vswd/vbond.h"

struct tracing {
	struct control_request *request;
	struct vswitch *vs;
	struct bridge *bridge;
	struct vport *v;
	const struct fwd_port *in;
	bool commit;
	struct trace_frame frame;
};

/* Of a bond by its name: the first member that lets anything in. */
static struct vport *usual_member(struct vport *v, const char *name)
{
	if (!v->bond || strcmp(v->config->name, name) != 0)
		return v;
	for (size_t i = 0; i < v->bond->n_members; i++) {
		struct vport *m = v->bond->members[i];

		if (m->fwd && !(fwd_port_filter(m->fwd) & FWD_FILTER_ALL))
			return m;
	}
	return v;
}

/* Frames of a VXLAN port come from a remote VTEP of it. */
static bool find_remote(struct tracing *c)
{
	const struct fwd_tunnel *t = c->v->overlay ? c->v->overlay->fwd : NULL;
	const struct overlay_remote *r;
	const char *src = c->frame.tun_src;

	if (!*src)
		return true;
	for (r = t ? c->v->overlay->remotes : NULL; r; r = r->next) {
		if (strcmp(ip_text(&r->ip).text, src) != 0 ||
		    r->index >= t->n_remotes)
			continue;
		c->in = t->remotes[r->index];
		return c->in != NULL;
	}
	command_fail(c->request, "tun_src=%s: %s has no such remote VTEP", src,
		     c->frame.in_port);
	return false;
}

static bool find_port(struct tracing *c)
{
	const char *name = c->frame.in_port;
	const char *why;

	c->v = command_port(c->request, c->bridge, name);
	if (!c->v)
		return false;
	c->v = usual_member(c->v, name);
	c->in = c->v->fwd;
	if (c->in)
		return find_remote(c);
	why = vport_error(c->v);
	command_fail(c->request, "%s: nothing comes in there: %s", name,
		     why ? why : "not open");
	return false;
}

/* --commit is taken out; false after the reply. */
static bool parse(struct tracing *c, int argc, const char *const argv[])
{
	const char **words = xcalloc(argc, sizeof(*words));
	unsigned n = 0;
	char *why = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--commit"))
			c->commit = true;
		else
			words[n++] = argv[i];
	}
	if (n)
		c->bridge = command_bridge(c->request, c->vs, words[0]);
	else
		command_fail(c->request, "whose bridge? usage: trace BRIDGE "
					 "in_port=PORT[,FIELD=...] [FRAME]");
	if (c->bridge && trace_frame_parse(&c->frame, n - 1, words + 1, &why)) {
		command_fail(c->request, "%s", why);
		free(why);
		c->bridge = NULL;
	}
	free(words);
	return c->bridge;
}

static json_t *run(const struct tracing *c)
{
	struct trace *trace = trace_create(c->vs->snapshot);
	json_t *json;

	(void)trace_run(trace, c->in, c->frame.data, c->frame.len);
	json = trace_to_json(trace);
	trace_destroy(trace);
	return json;
}

static void cmd_trace(struct control_request *request, int argc,
		      const char *const argv[], void *aux)
{
	struct tracing *c = xcalloc(1, sizeof(*c));
	struct text text = { 0 };
	json_t *json;

	c->request = request;
	c->vs = aux;
	if (!parse(c, argc, argv) || !find_port(c))
		goto out;
	json = run(c);
	if (c->commit)
		frames_inject_at(c->vs, c->in, c->frame.data, c->frame.len);
	json_object_set_new(json, "committed", json_boolean(c->commit));
	trace_json_to_text(&text, json);
	command_reply(request, &text, json);
out:
	free(c);
}

void commands_register_trace(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "trace",
			 "[--commit] bridge in_port=port[,field=value]... "
			 "[frame]",
			 2, -1, cmd_trace, vs);
}
