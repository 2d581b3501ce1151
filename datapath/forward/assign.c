/*
 * The end of a snapshot's building: its receive queues, and which worker has
 * each. A queue stays where it is, so that a change elsewhere disturbs nobody;
 * moving queues for balance is worker/balance.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/ticks.h"
#include "forward/stage.h"

LOG_MODULE(worker);

#define UNASSIGNED (~0u)
#define LOAD_LEAST 0.01f /* what a queue counts for that has hardly any */

/* Calls back for each port that may have queues: members of bonds, too. */
static void for_each_port(struct fwd_snapshot *s,
			  void (*cb)(struct fwd_snapshot *s,
				     struct fwd_port *p))
{
	for (unsigned b = 0; b < s->n_bridges; b++) {
		for (unsigned i = 0; i < s->bridges[b]->n_ports; i++) {
			struct fwd_port *p = s->bridges[b]->ports[i];

			cb(s, p);
			for (unsigned m = 0; p->bond && m < p->bond->n_members;
			     m++)
				if (p->bond->members[m])
					cb(s, p->bond->members[m]);
		}
	}
}

/* At most: those that are idle have no place in the snapshot. */
static void count_rxqs(struct fwd_snapshot *s, struct fwd_port *p)
{
	s->n_rxqs += p->port->n_rxqs;
}

static uint64_t rxq_id(const struct port *port, unsigned index)
{
	return port->serial << 32 | index << 16 | port->rxqs[index]->epoch;
}

static void add_rxqs(struct fwd_snapshot *s, struct fwd_port *p)
{
	for (unsigned i = 0; i < p->port->n_rxqs; i++) {
		struct port_rxq *rxq = p->port->rxqs[i];

		if (rxq->idle)
			continue;
		s->rxqs[s->n_rxqs++] = (struct fwd_rxq){
			.id = rxq_id(p->port, i),
			.rxq = rxq,
			.in = p,
		};
	}
}

static int compare_rxqs(const void *a_, const void *b_)
{
	const struct fwd_rxq *a = a_, *b = b_;

	return a->id < b->id ? -1 : a->id > b->id;
}

static void sort_rxqs(struct fwd_snapshot *s)
{
	unsigned i = 1;

	/* Ports come in the order of their making: mostly there is nothing. */
	while (i < s->n_rxqs && s->rxqs[i - 1].id < s->rxqs[i].id)
		i++;
	if (i < s->n_rxqs)
		qsort(s->rxqs, s->n_rxqs, sizeof(*s->rxqs), compare_rxqs);
}

/* --- what is known of queues ------------------------------------------- */

void fwd_queue_clear(struct fwd_queue *q)
{
	q->since = ticks_now();
	q->packets_since = atomic_load(&q->counters.packets);
	q->bursts_since = atomic_load(&q->counters.bursts);
	q->busy_since = atomic_load(&q->counters.busy);
}

static struct fwd_queue *new_queue(void)
{
	struct fwd_queue *q = xcalloc_aligned(1, sizeof(*q));

	q->worker = UNASSIGNED;
	fwd_queue_clear(q);
	return q;
}

/* Both are sorted, so one pass finds what was there before. */
static void find_queues(struct fwd_snapshot *s,
			const struct fwd_snapshot *previous)
{
	unsigned at = 0, n = previous ? previous->n_rxqs : 0;

	for (unsigned i = 0; i < s->n_rxqs; i++) {
		struct fwd_rxq *q = &s->rxqs[i];
		uint64_t key = fwd_rxq_key(q);

		while (at < n && fwd_rxq_key(&previous->rxqs[at]) < key)
			at++;
		if (at < n && fwd_rxq_key(&previous->rxqs[at]) == key)
			q->queue = previous->rxqs[at].queue;
		else
			q->queue = new_queue();
		q->queue->refs++;
	}
}

/* --- workers ----------------------------------------------------------- */

static void move(struct fwd_queue *q, unsigned worker)
{
	if (q->worker != UNASSIGNED && q->worker != worker)
		fwd_queue_clear(q);
	q->worker = worker;
}

/* The worker that the queue is pinned to, or -1. */
static int find_pin(const struct fwd_rxq *rxq, unsigned n)
{
	const struct number_pairs *pins = rxq->in->pins;
	int pin = pins ? number_pairs_get(pins, rxq->rxq->index) : -1;
	bool wrong = pin >= (int)n;

	if (wrong && !rxq->queue->mispinned)
		log_warn("%s: queue %u cannot have worker %d, as its "
			 "worker-affinity wants: there are workers 0 to %u; it "
			 "gets any",
			 rxq->rxq->port->name, rxq->rxq->index, pin, n - 1);
	rxq->queue->mispinned = wrong;
	return wrong ? -1 : pin;
}

/* Those that are pinned, and those that stay. */
static void keep_workers(struct fwd_snapshot *s, unsigned n)
{
	for (unsigned i = 0; i < s->n_rxqs; i++) {
		struct fwd_queue *q = s->rxqs[i].queue;
		int pin = find_pin(&s->rxqs[i], n);

		q->pinned = pin >= 0;
		if (q->pinned)
			move(q, pin);
		else if (q->worker >= n)
			q->worker = UNASSIGNED;
	}
}

/* What a queue counts for of which nothing is known: as much as the others. */
static float mean_load(const struct fwd_snapshot *s)
{
	float sum = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_rxqs; i++) {
		if (!s->rxqs[i].queue->measured)
			continue;
		sum += s->rxqs[i].queue->load;
		n++;
	}
	return n ? sum / n : 0;
}

static unsigned least_loaded(const float load[], unsigned n)
{
	unsigned best = 0;

	for (unsigned w = 1; w < n; w++)
		if (load[w] < load[best])
			best = w;
	return best;
}

static float load_of(const struct fwd_queue *q, float mean)
{
	float load = q->measured ? q->load : mean;

	return MAX(load, LOAD_LEAST);
}

static void assign_workers(struct fwd_snapshot *s, unsigned n)
{
	float load[PORT_THREADS_MAX] = { 0 }, mean = mean_load(s);

	keep_workers(s, n);
	for (unsigned i = 0; i < s->n_rxqs; i++) {
		const struct fwd_queue *q = s->rxqs[i].queue;

		if (q->worker != UNASSIGNED)
			load[q->worker] += load_of(q, mean);
	}
	for (unsigned i = 0; i < s->n_rxqs; i++) {
		struct fwd_queue *q = s->rxqs[i].queue;

		if (q->worker == UNASSIGNED) {
			q->worker = least_loaded(load, n);
			load[q->worker] += load_of(q, mean);
		}
		s->rxqs[i].worker = q->worker;
	}
}

static void forget_pins(struct fwd_snapshot *s, struct fwd_port *p)
{
	(void)s;
	p->pins = NULL;
}

void fwd_snapshot_finish(struct fwd_snapshot *snapshot,
			 const struct fwd_snapshot *previous,
			 unsigned n_workers)
{
	for_each_port(snapshot, count_rxqs);
	snapshot->rxqs = xcalloc(snapshot->n_rxqs, sizeof(*snapshot->rxqs));
	snapshot->n_rxqs = 0;
	for_each_port(snapshot, add_rxqs);
	sort_rxqs(snapshot);
	find_queues(snapshot, previous);
	assign_workers(snapshot, n_workers);
	for_each_port(snapshot, forget_pins);
	snapshot_find_shaped(snapshot);
}
