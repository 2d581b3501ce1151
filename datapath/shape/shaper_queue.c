/*
 * One queue's flows take turns (FQ-CoDel, RFC 8290): those that were idle
 * first, for one quantum, then the others in a round. Each flow is kept short
 * by CoDel on its own, so that none suffers for what another sends.
 *
 * A flow is in one of two lists as long as it has packets, and for one turn
 * more, so that it does not become new by being short.
 */
#include <string.h>

#include "shape/shaper_internal.h"

#define QUANTUM RATE_FRAME_SIZE

/* At most, at once: RFC 8290 4.1 has no number; Linux's. */
#define SHED_MAX 64

#define FRAMES_TO_RECOVER 8
#define TARGET_MAX_NS	  (15 * RATE_NS_PER_MS)

/*
 * A slow link is not late as long as a frame takes (RFC 8289 4.3); and TCP
 * needs some frames on their way to recover from a loss without a timeout, for
 * which one may wait a little longer, as only its own flow does.
 */
static uint64_t target_of(uint64_t frame_ns)
{
	uint64_t some = MIN(FRAMES_TO_RECOVER * frame_ns, TARGET_MAX_NS);

	return MAX(CODEL_TARGET_NS, MAX(some, frame_ns * 3 / 2));
}

void shaper_queue_init(struct shaper_queue *q,
		       const struct shaper_queue_config *config,
		       uint64_t port_bps)
{
	uint64_t bps = config->max_bps ? config->max_bps : port_bps;
	uint64_t frame_ns = bps ? RATE_FRAME_SIZE * RATE_BYTE / bps : 0;

	q->config = *config;
	q->codel.mtu = RATE_FRAME_SIZE;
	q->codel.target_ns = target_of(frame_ns);
	q->codel.interval_ns =
		CODEL_INTERVAL_NS + q->codel.target_ns - CODEL_TARGET_NS;
	q->fresh = q->old = (struct flow_list){ FLOW_NONE, FLOW_NONE };
	for (unsigned i = 0; i < FLOWS; i++)
		q->flows[i].first = q->flows[i].last = BUFFER_NONE;
}

static void list_add(struct shaper_queue *q, struct flow_list *list,
		     uint16_t flow)
{
	q->flows[flow].next = FLOW_NONE;
	if (list->first == FLOW_NONE)
		list->first = flow;
	else
		q->flows[list->last].next = flow;
	list->last = flow;
}

static uint16_t list_take(struct shaper_queue *q, struct flow_list *list)
{
	uint16_t flow = list->first;

	list->first = q->flows[flow].next;
	return flow;
}

static void count_backlog(struct shaper_queue *q, int packets, int64_t bytes)
{
	struct queue_counters *c = &q->counters;

	atomic_store_explicit(&c->backlog_packets,
			      atomic_load_explicit(&c->backlog_packets,
						   memory_order_relaxed) +
				      packets,
			      memory_order_relaxed);
	atomic_store_explicit(
		&c->backlog_bytes,
		atomic_load_explicit(&c->backlog_bytes, memory_order_relaxed) +
			bytes,
		memory_order_relaxed);
}

void shaper_queue_put(struct shaper_queue *q, struct shaper *s, uint32_t first)
{
	struct waiting *w = buffers_waiting(s->buffers, first);
	unsigned i = w->hash % FLOWS;
	struct flow *f = &q->flows[i];

	w->next = BUFFER_NONE;
	if (f->first == BUFFER_NONE)
		f->first = first;
	else
		buffers_waiting(s->buffers, f->last)->next = first;
	f->last = first;
	f->backlog += w->wire_bytes;
	count_backlog(q, 1, w->wire_bytes);
	if (f->listed)
		return;
	f->listed = true;
	f->deficit = QUANTUM;
	list_add(q, &q->fresh, i);
}

static uint32_t pop(struct shaper_queue *q, struct flow *f, struct shaper *s)
{
	uint32_t first = f->first;
	const struct waiting *w = buffers_waiting(s->buffers, first);

	f->first = w->next;
	if (f->first == BUFFER_NONE)
		f->last = BUFFER_NONE;
	f->backlog -= w->wire_bytes;
	count_backlog(q, -1, -(int64_t)w->wire_bytes);
	return first;
}

/*
 * The flow whose turn it is, in the list that it stays in; NULL: there is none
 * with packets. Empty ones lose their place.
 */
static struct flow *next_flow(struct shaper_queue *q)
{
	for (;;) {
		struct flow_list *list =
			q->fresh.first != FLOW_NONE ? &q->fresh : &q->old;
		struct flow *f;

		if (list->first == FLOW_NONE)
			return NULL;
		f = &q->flows[list->first];
		if (f->deficit <= 0) {
			f->deficit += QUANTUM;
			list_add(q, &q->old, list_take(q, list));
		} else if (f->first != BUFFER_NONE) {
			return f;
		} else if (list == &q->fresh && q->old.first != FLOW_NONE) {
			list_add(q, &q->old, list_take(q, list));
		} else {
			list_take(q, list);
			f->listed = false;
			codel_empty(&f->codel);
		}
	}
}

static void count_delay(struct shaper_queue *q, uint64_t delay_ns)
{
	struct queue_counters *c = &q->counters;
	uint64_t average =
		atomic_load_explicit(&c->delay_ns, memory_order_relaxed);

	atomic_store_explicit(&c->delay_ns,
			      average - average / 16 + delay_ns / 16,
			      memory_order_relaxed);
	if (delay_ns >
	    atomic_load_explicit(&c->delay_max_ns, memory_order_relaxed))
		atomic_store_explicit(&c->delay_max_ns, delay_ns,
				      memory_order_relaxed);
}

uint32_t shaper_queue_take(struct shaper_queue *q, struct shaper *s,
			   uint64_t now_ns, bool *dropped, bool *marked)
{
	struct flow *f = next_flow(q);
	const struct waiting *w;
	uint32_t first, backlog;
	uint64_t delay_ns;

	*dropped = *marked = false;
	if (!f)
		return BUFFER_NONE;
	backlog = f->backlog;
	first = pop(q, f, s);
	w = buffers_waiting(s->buffers, first);
	delay_ns = now_ns > w->since_ns ? now_ns - w->since_ns : 0;
	if (codel_drops(&f->codel, &q->codel, delay_ns, backlog, now_ns)) {
		*marked = w->ecn;
		*dropped = !w->ecn;
		queue_count(w->ecn ? &q->counters.marked : &q->counters.codel,
			    1);
	}
	if (*dropped)
		return first;
	f->deficit -= MIN(w->wire_bytes, (uint32_t)INT32_MAX / 2);
	count_delay(q, delay_ns);
	queue_count(&q->counters.packets, 1);
	queue_count(&q->counters.bytes, w->wire_bytes);
	return first;
}

uint32_t shaper_queue_pop(struct shaper_queue *q, struct shaper *s)
{
	struct flow *f = next_flow(q);

	return f ? pop(q, f, s) : BUFFER_NONE;
}

unsigned shaper_queue_shed(struct shaper_queue *q, struct shaper *s)
{
	struct flow *fattest = &q->flows[0];
	uint32_t goal;
	unsigned n = 0;

	for (unsigned i = 1; i < FLOWS; i++)
		if (q->flows[i].backlog > fattest->backlog)
			fattest = &q->flows[i];
	goal = fattest->backlog / 2;
	while (fattest->first != BUFFER_NONE && n < SHED_MAX &&
	       (!n || fattest->backlog > goal)) {
		buffers_free(s->buffers, pop(q, fattest, s));
		n++;
	}
	queue_count(&q->counters.full, n);
	return n;
}
