/*
 * Which queue goes next, and when: a tree of two levels, the port and its
 * queues, each with buckets (rate.h).
 *
 * Nothing leaves while the port's own buckets are overdrawn. Of the queues that
 * have something and are within their maximum, those within their minimum come
 * first, then the others; among these the one of the lowest priority value,
 * and among equals the one that has had least, by weight. Minimums are
 * charged only with what leaves by them.
 */
#include <stdlib.h>

#include "shape/marking.h"
#include "shape/shaper_internal.h"

/* Where nothing is said: what a busy machine may be late by. */
#define BURST_NS	(10 * RATE_NS_PER_MS)
#define BURST_MIN_NS	RATE_NS_PER_MS
#define PEAK_BURST_NS	(5 * RATE_NS_PER_MS)
#define BURST_MIN_BYTES (2 * RATE_FRAME_SIZE)
/* A wake-up for each packet of a fast link would be a system call for each. */
#define PATIENCE_NS 200000u
/* What may wait: so long at the rate, in full-sized frames. */
#define MEMORY_NS   (250 * RATE_NS_PER_MS)
#define BUFFERS_MIN 512
#define BUFFERS_MAX 8192
/* Longer than this, and a packet is cut into its segments. */
#define CUT_NS RATE_NS_PER_MS
/* From the queue's weight that is highest. */
#define TURN_UNIT 256u
#define TURN_MAX  (4096u * TURN_UNIT)

static uint64_t burst_of(uint64_t bps, uint64_t wanted, uint64_t usual_ns)
{
	uint64_t bytes = wanted ? MAX(wanted, rate_bytes_in(bps, BURST_MIN_NS))
				: rate_bytes_in(bps, usual_ns);

	return MAX(bytes, (uint64_t)BURST_MIN_BYTES);
}

/* The rate that the port's packets leave at most; 0: not known. */
static uint64_t port_bps(const struct shaper_config *config)
{
	uint64_t sum = 0;

	if (config->average_bps)
		return config->average_bps;
	for (unsigned i = 0; i < config->n_queues; i++) {
		if (!config->queues[i].max_bps)
			return 0;
		sum += config->queues[i].max_bps;
	}
	return sum;
}

uint32_t shaper_buffers_for(const struct shaper_config *config)
{
	uint64_t bps = port_bps(config), n = BUFFERS_MAX;

	if (bps)
		n = rate_bytes_in(bps, MEMORY_NS) / RATE_FRAME_SIZE;
	return round_up_pow2(MIN(MAX(n, BUFFERS_MIN), BUFFERS_MAX));
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

uint32_t shaper_cut_bytes(const struct shaper_config *config)
{
	uint64_t bps = config->average_bps, bytes;

	for (unsigned i = 0; i < config->n_queues; i++)
		bps = least(bps, config->queues[i].max_bps);
	if (!bps)
		return 0;
	bytes = rate_bytes_in(bps, CUT_NS);
	return MIN(MAX(bytes, RATE_FRAME_SIZE), PACKET_LEN_MAX);
}

/* Half of what is forgiven: a home that is late by that loses nothing. */
static void be_patient(struct shaper_tree *t, const struct rate *r)
{
	uint64_t ns;

	if (!r->bps)
		return;
	ns = (uint64_t)r->max / r->bps / 2;
	t->patience_ns = MIN(t->patience_ns, ns);
}

static uint64_t weight_of(const struct shaper_config *config, unsigned i)
{
	uint64_t bps = port_bps(config);
	uint64_t base = bps ? bps / 100 : 1000000;

	return MAX(config->queues[i].min_bps, MAX(base, 1u));
}

static void init_queue(struct shaper_tree *t, unsigned i, uint64_t heaviest)
{
	const struct shaper_queue_config *c = &t->config.queues[i];
	struct shaper_queue *q = &t->queues[i];

	shaper_queue_init(q, c, t->config.average_bps);
	rate_init(&q->min, c->min_bps,
		  burst_of(c->min_bps, c->burst_bytes, BURST_NS));
	rate_init(&q->max, c->max_bps,
		  burst_of(c->max_bps, c->burst_bytes, BURST_NS));
	be_patient(t, &q->max);
	q->weight = heaviest * TURN_UNIT / weight_of(&t->config, i);
	q->weight = MIN(q->weight, (uint64_t)TURN_MAX);
	for (unsigned value = 0; value < 64; value++)
		if (c->match >> value & 1)
			t->by_field[value] = i;
}

struct shaper_tree *shaper_tree_create(const struct shaper_config *config,
				       uint32_t n_buffers)
{
	struct shaper_tree *t = xcalloc_aligned(1, sizeof(*t));
	uint64_t heaviest = 0;

	t->config = *config;
	/* The rest is for what no home has seen yet. */
	t->limit = n_buffers - n_buffers / 4;
	t->patience_ns = PATIENCE_NS;
	t->queues = xcalloc_aligned(config->n_queues, sizeof(*t->queues));
	rate_init(&t->average, config->average_bps,
		  burst_of(config->average_bps, config->burst_bytes, BURST_NS));
	rate_init(&t->peak, config->peak_bps,
		  burst_of(config->peak_bps, 0, PEAK_BURST_NS));
	be_patient(t, &t->average);
	be_patient(t, &t->peak);
	for (unsigned i = 0; i < config->n_queues; i++)
		heaviest = MAX(heaviest, weight_of(config, i));
	for (unsigned i = 0; i < config->n_queues; i++)
		init_queue(t, i, heaviest);
	return t;
}

void shaper_tree_free(struct shaper_tree *t)
{
	if (!t)
		return;
	free(t->queues);
	free(t);
}

/* --- arriving --------------------------------------------------------------
 */

static unsigned queue_of(const struct shaper_tree *t, const struct waiting *w)
{
	switch (t->config.select) {
	case SHAPER_BY_PCP:
		return t->by_field[w->pcp & 7];
	case SHAPER_BY_DSCP:
		return w->dscp < 64 ? t->by_field[w->dscp] : 0;
	case SHAPER_BY_NOTHING:
		break;
	}
	return 0;
}

/* Who begins to send has no claim on what it did not send before. */
static void begin_turns(struct shaper_tree *t, struct shaper_queue *q)
{
	bool any = false;
	uint64_t turn = 0;

	for (uint64_t bits = t->busy; bits; bits &= bits - 1) {
		const struct shaper_queue *other =
			&t->queues[__builtin_ctzll(bits)];

		if (other == q || other->config.priority != q->config.priority)
			continue;
		if (!any || (int64_t)(other->turn - turn) < 0)
			turn = other->turn;
		any = true;
	}
	if (any && (int64_t)(q->turn - turn) < 0)
		q->turn = turn;
}

static void put(struct shaper *s, struct shaper_tree *t, uint32_t first)
{
	unsigned i = queue_of(t, buffers_waiting(s->buffers, first));

	if (!(t->busy >> i & 1)) {
		begin_turns(t, &t->queues[i]);
		t->busy |= 1ull << i;
	}
	shaper_queue_put(&t->queues[i], s, first);
}

static uint32_t backlog_of(const struct shaper_queue *q)
{
	return atomic_load_explicit(&q->counters.backlog_bytes,
				    memory_order_relaxed);
}

/* Takes from the queue that has most. */
static unsigned shed(struct shaper *s, struct shaper_tree *t)
{
	struct shaper_queue *most = &t->queues[0];

	for (unsigned i = 1; i < t->config.n_queues; i++)
		if (backlog_of(&t->queues[i]) > backlog_of(most))
			most = &t->queues[i];
	return shaper_queue_shed(most, s);
}

unsigned shaper_arrive(struct shaper *s)
{
	struct shaper_tree *t = s->tree;
	unsigned n_full = 0;
	uint32_t first;

	/* No more than there is room for: others may go on putting. */
	for (uint32_t n = 0; n < s->n_buffers; n++) {
		if (!mpsc_ring_pop(s->arrivals, &first))
			break;
		put(s, t, first);
		if (buffers_used(s->buffers) > t->limit)
			n_full += shed(s, t);
	}
	return n_full;
}

/* --- leaving ---------------------------------------------------------------
 */

/* Whether a goes before b; both may go. */
static bool is_before(const struct shaper_queue *a, bool a_own,
		      const struct shaper_queue *b, bool b_own)
{
	if (a_own != b_own)
		return a_own;
	if (a->config.priority != b->config.priority)
		return a->config.priority < b->config.priority;
	return (int64_t)(a->turn - b->turn) < 0;
}

/*
 * NULL: none may, for *wait_ns. held: queues whose maximum they waited for.
 * *own: it is within its minimum.
 */
static struct shaper_queue *choose(struct shaper_tree *t, uint64_t now_ns,
				   uint64_t held, uint64_t *wait_ns, bool *own)
{
	struct shaper_queue *best = NULL;

	*wait_ns = UINT64_MAX;
	for (uint64_t bits = t->busy; bits; bits &= bits - 1) {
		struct shaper_queue *q = &t->queues[__builtin_ctzll(bits)];
		bool q_own;

		rate_refill(&q->max, now_ns, held & bits & -bits);
		rate_refill(&q->min, now_ns, false);
		if (!rate_has(&q->max)) {
			t->held |= bits & -bits;
			*wait_ns = MIN(*wait_ns, rate_wait_ns(&q->max));
			continue;
		}
		q_own = q->min.bps && rate_has(&q->min);
		if (best && !is_before(q, q_own, best, *own))
			continue;
		best = q;
		*own = q_own;
	}
	return best;
}

static void charge(struct shaper_tree *t, struct shaper_queue *q, bool own,
		   uint32_t bytes)
{
	rate_take(&t->average, bytes);
	rate_take(&t->peak, bytes);
	rate_take(&q->max, bytes);
	if (own)
		rate_take(&q->min, bytes);
	q->turn += bytes * q->weight;
}

static struct packet *add(struct shaper *s, struct shaper_batch *batch,
			  uint32_t first)
{
	const struct waiting *w = buffers_waiting(s->buffers, first);
	struct packet *p = &batch->packets[batch->n];

	buffers_view(s->buffers, first, p, &batch->segments[batch->n_segments]);
	batch->n_segments += w->n_buffers;
	batch->first[batch->n] = first;
	batch->sent[batch->n] = (struct shaper_sent){
		.via = w->via,
		.depth = w->depth,
	};
	batch->n++;
	return p;
}

static bool is_full(const struct shaper_batch *batch)
{
	return batch->n == SHAPER_SENT_MAX ||
	       batch->n_segments + BUFFERS_PER_PACKET > SHAPER_BATCH;
}

static void leave(struct shaper *s, struct shaper_batch *batch,
		  struct shaper_queue *q, bool own, uint64_t now_ns)
{
	struct shaper_tree *t = s->tree;
	bool dropped, marked;
	uint32_t first = shaper_queue_take(q, s, now_ns, &dropped, &marked);
	struct shaper_sent *sent;
	struct packet *p;

	if (!q->counters.backlog_packets)
		t->busy &= ~(1ull << (q - t->queues));
	if (first == BUFFER_NONE)
		return;
	p = add(s, batch, first);
	sent = &batch->sent[batch->n - 1];
	if (dropped) {
		sent->dropped = true;
		sent->reason = DROP_CODEL;
		return;
	}
	if (q->config.dscp != SHAPER_DSCP_KEPT)
		marking_set_dscp(p, q->config.dscp);
	if (marked)
		marking_set_congested(p);
	charge(t, q, own, buffers_waiting(s->buffers, first)->wire_bytes);
}

uint64_t shaper_leave(struct shaper *s, struct shaper_batch *batch,
		      uint64_t now_ns)
{
	struct shaper_tree *t = s->tree;
	uint64_t wait_ns = 0, held = t->held;

	rate_refill(&t->average, now_ns, t->port_held);
	rate_refill(&t->peak, now_ns, t->port_held);
	t->held = 0;
	t->port_held = true;
	while (t->busy && !is_full(batch)) {
		struct shaper_queue *q;
		bool own = false;

		if (!rate_has(&t->average) || !rate_has(&t->peak)) {
			wait_ns = MAX(rate_wait_ns(&t->average),
				      rate_wait_ns(&t->peak));
			break;
		}
		q = choose(t, now_ns, held, &wait_ns, &own);
		if (!q) {
			t->port_held = false;
			break;
		}
		wait_ns = 0;
		leave(s, batch, q, own, now_ns);
	}
	if (!t->busy) {
		t->port_held = false;
		return UINT64_MAX;
	}
	return wait_ns ? now_ns + MAX(wait_ns, t->patience_ns) : now_ns;
}

/* The next packet of the tree, in no particular order. */
static uint32_t pop(struct shaper *s, struct shaper_tree *t)
{
	while (t->busy) {
		unsigned i = __builtin_ctzll(t->busy);
		uint32_t first = shaper_queue_pop(&t->queues[i], s);

		if (first != BUFFER_NONE)
			return first;
		t->busy &= ~(1ull << i);
	}
	return BUFFER_NONE;
}

bool shaper_empty(struct shaper *s, struct shaper_batch *batch)
{
	while (!is_full(batch)) {
		uint32_t first = pop(s, s->tree);

		if (first == BUFFER_NONE && !mpsc_ring_pop(s->arrivals, &first))
			return false;
		add(s, batch, first);
		batch->sent[batch->n - 1].dropped = true;
		batch->sent[batch->n - 1].reason = DROP_SHAPER_GONE;
	}
	return true;
}

void shaper_batch_free(struct shaper *s, struct shaper_batch *batch)
{
	for (unsigned i = 0; i < batch->n; i++)
		buffers_free(s->buffers, batch->first[i]);
	batch->n = batch->n_segments = batch->n_full = 0;
}

/* --- other settings --------------------------------------------------------
 */

static void keep_tokens(struct rate *to, const struct rate *from)
{
	if (!to->bps || !from->bps)
		return;
	to->tokens = MIN(to->max, from->tokens);
	to->at_ns = from->at_ns;
}

static void keep_counters(struct shaper_queue *to,
			  const struct shaper_queue *from)
{
	queue_count(&to->counters.packets, from->counters.packets);
	queue_count(&to->counters.bytes, from->counters.bytes);
	queue_count(&to->counters.codel, from->counters.codel);
	queue_count(&to->counters.marked, from->counters.marked);
	queue_count(&to->counters.full, from->counters.full);
	queue_count(&to->counters.delay_ns, from->counters.delay_ns);
	queue_count(&to->counters.delay_max_ns, from->counters.delay_max_ns);
}

void shaper_renew(struct shaper *s)
{
	struct shaper_tree *from = s->tree, *to = s->wanted;
	uint32_t first;

	if (from == to)
		return;
	keep_tokens(&to->average, &from->average);
	keep_tokens(&to->peak, &from->peak);
	for (unsigned i = 0; i < to->config.n_queues; i++)
		for (unsigned k = 0; k < from->config.n_queues; k++)
			if (to->config.queues[i].id ==
			    from->config.queues[k].id)
				keep_counters(&to->queues[i], &from->queues[k]);
	while ((first = pop(s, from)) != BUFFER_NONE)
		put(s, to, first);
	s->tree = to;
}
