#include "forward/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forward/pipeline.h"
#include "forward/stage.h"
#include "forward/trace_internal.h"

/* --- steps -----------------------------------------------------------------
 */

static char *take_text(struct trace *t, const char *fmt, va_list args)
{
	char *text = NULL, *kept;

	if (vasprintf(&text, fmt, args) < 0)
		return NULL;
	kept = trace_alloc(t, strlen(text) + 1);
	strcpy(kept, text);
	free(text);
	return kept;
}

char *trace_text(struct trace *t, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = take_text(t, fmt, args);
	va_end(args);
	return text;
}

struct trace_step *trace_add(struct trace *t, enum trace_kind kind,
			     const char *stage, const struct fwd_port *port)
{
	struct trace_step *step;

	if (!(t->n_steps & (t->n_steps - 1)))
		t->steps = xrealloc(t->steps,
				    MAX(2 * (size_t)t->n_steps, (size_t)1) *
					    sizeof(t->steps[0]));
	step = &t->steps[t->n_steps++];
	*step = (struct trace_step){ .kind = kind,
				     .level = t->level,
				     .stage = stage };
	if (!port)
		return step;
	step->port = port->port->name;
	step->bridge = port->bridge ? port->bridge->name : NULL;
	if (port->as != port)
		step->bond = port->as->port->name;
	return step;
}

void trace_say(struct trace *trace, const char *stage,
	       const struct fwd_port *port, const char *fmt, ...)
{
	struct trace_step *step = trace_add(trace, TRACE_STEP, stage, port);
	va_list args;

	va_start(args, fmt);
	step->text = take_text(trace, fmt, args);
	va_end(args);
}

const struct trace_step *trace_steps(const struct trace *trace, unsigned *n)
{
	*n = trace->n_steps;
	return trace->steps;
}

static void keep_frame(struct trace *t, struct trace_step *step,
		       const struct packet *p)
{
	uint8_t *frame = trace_alloc(t, p->len);

	step->frame = frame;
	step->frame_len = packet_read(p, 0, frame, p->len);
}

/* --- what becomes visible by itself ----------------------------------------
 */

static void see_drops_of(struct trace *t, struct trace_port *tp,
			 const char *stage)
{
	const struct port_counters *c = tp->up.counters[0];

	for (unsigned i = 0; i < N_DROP_REASONS; i++) {
		uint64_t n = atomic_load_explicit(&c->drops[i],
						  memory_order_relaxed);
		struct trace_step *step;

		if (n == tp->seen[i])
			continue;
		step = trace_add(t, TRACE_DROP, stage, tp->fwd);
		step->reason = i;
		step->n = n - tp->seen[i];
		step->text = drop_reason_help(i);
		tp->seen[i] = n;
	}
}

static void see_punt(const struct punt_record *record, void *t_)
{
	static const char *const what[N_PUNT_KINDS] = {
		[PUNT_SLOW] = "LACP or a marker, for the bond's control",
		[PUNT_LLDP] = "LLDP, for discovery",
		[PUNT_CDP] = "CDP, for discovery",
		[PUNT_BEACON] = "a bond's own beacon",
		[PUNT_NEIGHBOR] = "a copy of ARP or neighbor discovery: it "
				  "tells a station's IP address",
		[PUNT_GATEWAY] = "for the gateway's own services, or its "
				 "answer",
		[PUNT_GATEWAY_LINK] = "for the gateway itself: ARP, neighbor "
				      "discovery or a group",
		[PUNT_TUNNEL] = "what a tunnel leaves to the control thread: "
				"too big, or an unknown remote",
		[PUNT_UNDERLAY] = "for the underlay's station itself",
	};
	struct trace *t = t_;
	struct trace_step *step;

	if (record->kind >= N_PUNT_KINDS || !what[record->kind])
		return;
	step = trace_add(t, TRACE_PUNT, "control", NULL);
	step->text = what[record->kind];
}

void trace_see(struct trace *t, const char *stage)
{
	if (t->ring)
		(void)punt_ring_read(t->ring, UINT32_MAX, see_punt, t);
	for (struct trace_port *tp = t->ports; tp; tp = tp->next)
		see_drops_of(t, tp, stage);
}

/* --- hooks -----------------------------------------------------------------
 */

void trace_enters(struct pipeline *pl, const struct stage *s,
		  const struct packet *packets, unsigned n)
{
	struct trace *t = pl->trace;

	trace_see(t, "output");
	if (pl->depth)
		t->level++;
	for (unsigned i = 0; i < n; i++)
		keep_frame(t, trace_add(t, TRACE_ENTERS, "input", s->in),
			   &packets[i]);
}

static const char *const stages[] = {
	[TRACE_AT_INGRESS] = "ingress", [TRACE_AT_BOND] = "bond",
	[TRACE_AT_POLICY] = "policy",	[TRACE_AT_LOOKUP] = "lookup",
	[TRACE_AT_FOUND] = "policy",	[TRACE_AT_OUTPUT] = "output",
};

static void say_why(struct trace *t, const struct stage *s,
		    const struct item *item, enum trace_at at)
{
	switch (at) {
	case TRACE_AT_INGRESS:
		trace_why_ingress(t, s, item);
		break;
	case TRACE_AT_BOND:
		trace_say(t, "bond", s->in, "this member lets it in");
		break;
	case TRACE_AT_LOOKUP:
		trace_why_learn(t, s, item);
		trace_why_lookup(t, s, item);
		break;
	case TRACE_AT_FOUND:
		trace_why_output(t, s, item);
		break;
	default:
		break;
	}
}

void trace_took(struct pipeline *pl, const struct stage *s, enum trace_at at)
{
	struct trace *t = pl->trace;

	trace_see(t, stages[at]);
	if (at == TRACE_AT_POLICY && s->n_items)
		trace_why_policies(t, s);
	for (unsigned i = 0; at != TRACE_AT_OUTPUT && i < s->n_items; i++)
		say_why(t, s, &s->items[i], at);
	if (at == TRACE_AT_OUTPUT && pl->depth)
		t->level--;
}

void trace_routed(struct pipeline *pl, const struct stage *s)
{
	struct trace *t = pl->trace;

	trace_see(t, "gateway");
	t->level++;
	for (unsigned i = 0; i < s->n_items; i++) {
		const struct item *item = &s->items[i];

		keep_frame(t, trace_add(t, TRACE_ENTERS, "input", s->in),
			   item->packet);
		trace_why_lookup(t, s, item);
		trace_why_output(t, s, item);
	}
}

void trace_bond(struct pipeline *pl, const struct fwd_port *bond,
		struct packet *const packets[], unsigned n)
{
	const struct fwd_port *from = pl->stages[pl->depth]->as;

	trace_see(pl->trace, "output");
	for (unsigned i = 0; i < n; i++)
		trace_why_member(pl->trace, bond, from ? from->number : 0,
				 packets[i]);
}

void trace_special(struct pipeline *pl, const struct fwd_port *out,
		   const char *stage, unsigned n)
{
	trace_see(pl->trace, "output");
	trace_say(pl->trace, stage, out, "%u frame%s go%s that way", n,
		  n == 1 ? "" : "s", n == 1 ? "es" : "");
}

/* --- ports that keep what they are sent ------------------------------------
 */

/* What would keep the real one from sending, as far as can be known. */
static bool is_down(const struct trace_port *tp)
{
	struct port_status status;

	/* Joined to nothing, or it would not have been asked. */
	if (!strcmp(tp->original->class->type, "patch"))
		return true;
	port_get_status(tp->original, &status);
	return !status.present || !status.admin_up;
}

static unsigned keep(struct port_txq *txq, struct packet *const packets[],
		     unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct trace_port *tp = CONTAINER_OF(txq->port, struct trace_port, up);

	if (is_down(tp)) {
		port_drop(&tp->up, thread, DROP_TX_DOWN, n);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		keep_frame(
			tp->trace,
			trace_add(tp->trace, TRACE_OUTPUT, "output", tp->fwd),
			packets[i]);
		*sent_bytes += packets[i]->len;
	}
	return n;
}

const struct port_class trace_port_class = {
	.type = "trace",
	.send = keep,
};

/* --- life ------------------------------------------------------------------
 */

struct trace *trace_create(const struct fwd_snapshot *snapshot)
{
	struct trace *t = xcalloc_aligned(1, sizeof(*t));

	t->pipeline = pipeline_create(0);
	t->pipeline->trace = t;
	t->ring = punt_ring_create();
	trace_copy_snapshot(t, snapshot);
	return t;
}

void trace_destroy(struct trace *trace)
{
	if (!trace)
		return;
	pipeline_destroy(trace->pipeline);
	punt_ring_destroy(trace->ring);
	trace_free_gateways(trace);
	trace_free_copy(trace);
	free(trace->steps);
	free(trace);
}

int trace_run(struct trace *trace, const struct fwd_port *in, const void *frame,
	      uint32_t len)
{
	const struct fwd_port *copy = trace_copy_of(trace, in);
	struct packet *p;

	if (!copy)
		return -ENOENT;
	p = trace_alloc(trace, sizeof(*p));
	packet_init(p, frame, len);
	trace->level = 0;
	pipeline_run(trace->pipeline, copy, p, 1);
	trace_see(trace, "output");
	return 0;
}
