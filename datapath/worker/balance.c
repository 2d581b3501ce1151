/*
 * Balancing: which queues should go to another worker, by the time that each
 * took of its worker's. The rule of when it is worth it is that of Open
 * vSwitch's automatic load balancing: the variance of the workers' loads has to
 * become a quarter smaller.
 *
 * Queues go one by one: between a worker with much to do and one with little,
 * the queue (or the exchange of two) that brings both closest together. So as
 * few as possible move, and those that are pinned, or have hardly any load,
 * never do; nor is anything done about workers that are nearly even.
 *
 * Control thread.
 */
#include <stdlib.h>

#include "base/ticks.h"
#include "worker/thread.h"

#define IMPROVEMENT 0.25  /* of the variance, at least */
#define GAP_MATTERS 0.10  /* from the busiest worker to the idlest */
#define LOAD_MOVES  0.005 /* a queue below that is not worth moving */
#define STEP_PART   0.1	  /* of what two workers differ by; less is no gain */
#define STEPS_MAX   256
#define PERCENT2    10000.0

struct balancing {
	unsigned n_workers;
	double load[WORKERS_MAX];
	unsigned order[WORKERS_MAX]; /* workers, busiest first */
	struct fwd_queue **queues;   /* those that may move */
	unsigned *workers;	     /* where they would be */
	unsigned n;
};

static void measure(struct worker_pool *pool)
{
	const struct fwd_snapshot *s = pool->snapshot;
	uint64_t now = ticks_now(), elapsed = now - pool->balanced_at;

	pool->balanced_at = now;
	for (unsigned i = 0; s && elapsed && i < s->n_rxqs; i++) {
		struct fwd_queue *q = s->rxqs[i].queue;
		uint64_t busy = atomic_load_explicit(&q->counters.busy,
						     memory_order_relaxed);
		double load = (double)(busy - q->busy_before) / elapsed;

		q->busy_before = busy;
		q->load = MIN(load, 1.0);
		q->measured = true;
	}
}

static double variance(const double load[], unsigned n)
{
	double mean = 0, sum = 0;

	for (unsigned i = 0; i < n; i++)
		mean += load[i] / n;
	for (unsigned i = 0; i < n; i++)
		sum += (load[i] - mean) * (load[i] - mean);
	return sum / n;
}

static void begin(struct balancing *b, const struct worker_pool *pool)
{
	const struct fwd_snapshot *s = pool->snapshot;

	*b = (struct balancing){ .n_workers = pool->n };
	b->queues = xcalloc(s->n_rxqs, sizeof(struct fwd_queue *));
	b->workers = xcalloc(s->n_rxqs, sizeof(*b->workers));
	for (unsigned i = 0; i < s->n_rxqs; i++) {
		struct fwd_queue *q = s->rxqs[i].queue;

		b->load[q->worker] += q->load;
		if (q->pinned || q->load < LOAD_MOVES)
			continue;
		b->workers[b->n] = q->worker;
		b->queues[b->n++] = q;
	}
}

static void sort_workers(struct balancing *b)
{
	for (unsigned i = 0; i < b->n_workers; i++) {
		unsigned k = i;

		for (; k && b->load[b->order[k - 1]] < b->load[i]; k--)
			b->order[k] = b->order[k - 1];
		b->order[k] = i;
	}
}

/* A queue to go from `from` to `to`, and one to come back (-1: none). */
struct step {
	unsigned from, to;
	int there, back;
	double carries; /* load */
	double misses;	/* half the difference by so much */
};

static void consider(struct step *best, const struct step *step)
{
	if (step->misses < best->misses)
		*best = *step;
}

static void consider_queue(const struct balancing *b, struct step *best,
			   int there)
{
	double half = (b->load[best->from] - b->load[best->to]) / 2;
	struct step step = *best;

	step.there = there;
	step.back = -1;
	step.carries = b->queues[there]->load;
	step.misses =
		half > step.carries ? half - step.carries : step.carries - half;
	consider(best, &step);
	if (step.carries <= half)
		return;
	/* Too much alone: for one of the other's. */
	for (unsigned i = 0; i < b->n; i++) {
		if (b->workers[i] != best->to)
			continue;
		step.back = i;
		step.carries = b->queues[there]->load - b->queues[i]->load;
		step.misses = half > step.carries ? half - step.carries
						  : step.carries - half;
		consider(best, &step);
	}
}

/* The best step between two workers; false when there is none. */
static bool find_step(const struct balancing *b, struct step *step)
{
	double half = (b->load[step->from] - b->load[step->to]) / 2;

	step->there = -1;
	step->misses = half * (1 - STEP_PART);
	for (unsigned i = 0; i < b->n; i++)
		if (b->workers[i] == step->from)
			consider_queue(b, step, i);
	return step->there >= 0;
}

static bool make_step(struct balancing *b)
{
	sort_workers(b);
	for (unsigned i = 0; i < b->n_workers; i++)
		for (unsigned k = b->n_workers - 1; k > i; k--) {
			struct step step = { .from = b->order[i],
					     .to = b->order[k] };

			if (!find_step(b, &step))
				continue;
			b->workers[step.there] = step.to;
			if (step.back >= 0)
				b->workers[step.back] = step.from;
			b->load[step.from] -= step.carries;
			b->load[step.to] += step.carries;
			return true;
		}
	return false;
}

static unsigned apply(struct balancing *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++) {
		if (b->queues[i]->worker == b->workers[i])
			continue;
		b->queues[i]->worker = b->workers[i];
		fwd_queue_clear(b->queues[i]);
		n++;
	}
	return n;
}

bool worker_pool_balance(struct worker_pool *pool, bool improve,
			 struct worker_balance *balance)
{
	struct worker_balance result = { 0 };
	struct balancing b;

	measure(pool);
	if (!improve || !pool->snapshot || pool->n < 2)
		return false;
	begin(&b, pool);
	sort_workers(&b);
	result.before = variance(b.load, b.n_workers);
	if (b.load[b.order[0]] - b.load[b.order[pool->n - 1]] >= GAP_MATTERS)
		for (unsigned i = 0; i < STEPS_MAX && make_step(&b); i++)
			;
	result.after = variance(b.load, b.n_workers);
	if (result.after <= result.before * (1 - IMPROVEMENT) &&
	    result.before > 0)
		result.n_moved = apply(&b);
	free(b.queues);
	free(b.workers);
	result.before *= PERCENT2;
	result.after *= PERCENT2;
	*balance = result;
	return result.n_moved;
}
