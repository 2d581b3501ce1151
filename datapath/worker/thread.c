/*
 * A worker's life: take over a new snapshot, poll the active queues, look which
 * others have become ready, sleep when none has.
 *
 * A queue is active from the moment epoll shows it ready until it was found
 * empty a few times in a row, so a busy port is polled without asking epoll,
 * and an idle one costs nothing.
 *
 * Between two bursts the worker looks whether there is a new snapshot, takes it
 * over and says so; the control thread waits for that before it frees anything
 * of the old one. So all that a worker holds is alive while it holds it.
 */
#include <sys/epoll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "forward/pipeline.h"
#include "worker/thread.h"

LOG_MODULE(worker);

#define BURST		64 /* packets taken from a queue in one turn */
#define EMPTY_POLLS_MAX 4
/*
 * Between two looks at epoll: so many rounds, or so many packets, whichever is
 * first. A port that floods keeps the others waiting for a burst, not for many,
 * and where bursts are small a look is not made for each packet.
 */
#define ROUNDS_PER_LOOK	 8
#define PACKETS_PER_LOOK BURST
#define EVENTS		 64
#define WAKE_EVENT	 UINT32_MAX

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void activate(struct worker *w, unsigned place)
{
	struct served_queue *q = &w->queues[place];

	q->empty_polls = 0;
	if (q->active)
		return;
	q->active = true;
	w->active[w->n_active++] = place;
}

/* --- taking over a snapshot ------------------------------------------- */

static void forget_queue(struct worker *w, unsigned place)
{
	struct served_queue *q = &w->queues[place];

	/* Fails when the port is closed already: then epoll has forgotten it.
	 */
	if (q->fd >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, q->fd, NULL);
	memset(q, 0, sizeof(*q));
}

static unsigned free_place(struct worker *w)
{
	unsigned i, n = w->n_queues ? 2 * w->n_queues : 8;

	for (i = 0; i < w->n_queues; i++)
		if (!w->queues[i].id)
			return i;
	w->queues = xrealloc(w->queues, n * sizeof(*w->queues));
	memset(w->queues + i, 0, (n - i) * sizeof(*w->queues));
	w->active = xrealloc(w->active, n * sizeof(*w->active));
	w->n_queues = n;
	return i;
}

static void serve_queue(struct worker *w, const struct fwd_rxq *rxq)
{
	unsigned place = free_place(w);
	struct served_queue *q = &w->queues[place];
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = place };

	q->id = rxq->id;
	q->rxq = rxq->rxq;
	q->in = rxq->in;
	q->fd = rxq->rxq->fd;
	q->seen = true;
	if (q->fd >= 0 &&
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, q->fd, &event) < 0) {
		log_err("%s: cannot watch its queue, so it is polled without "
			"pause: %m",
			q->in->port->name);
		q->fd = -1;
	}
	activate(w, place);
}

/* Both in order of id, so that one pass finds what stayed. */
static int compare_places(const void *a, const void *b, void *queues_)
{
	const struct served_queue *queues = queues_;
	uint64_t x = queues[*(const unsigned *)a].id;
	uint64_t y = queues[*(const unsigned *)b].id;

	return x < y ? -1 : x > y;
}

static unsigned *sorted_places(struct worker *w)
{
	unsigned *places = xmalloc((w->n_queues + 1) * sizeof(*places));

	for (unsigned i = 0; i < w->n_queues; i++)
		places[i] = i;
	qsort_r(places, w->n_queues, sizeof(*places), compare_places,
		w->queues);
	return places;
}

static void rebuild_active(struct worker *w)
{
	w->n_active = 0;
	for (unsigned i = 0; i < w->n_queues; i++)
		if (w->queues[i].id && w->queues[i].active)
			w->active[w->n_active++] = i;
}

static void take_over(struct worker *w, const struct fwd_snapshot *s,
		      bool only_letting_go)
{
	unsigned *places = sorted_places(w), n_places = w->n_queues, at = 0;
	bool *stayed = xcalloc(s ? s->n_rxqs : 0, sizeof(*stayed));

	for (unsigned i = 0; i < n_places; i++)
		w->queues[i].seen = false;
	for (unsigned i = 0; s && i < s->n_rxqs; i++) {
		const struct fwd_rxq *rxq = &s->rxqs[i];

		if (rxq->worker != w->index)
			continue;
		while (at < n_places && w->queues[places[at]].id < rxq->id)
			at++;
		if (at < n_places && w->queues[places[at]].id == rxq->id) {
			w->queues[places[at]].in = rxq->in;
			w->queues[places[at]].seen = true;
			stayed[i] = true;
		}
	}
	for (unsigned i = 0; i < n_places; i++)
		if (w->queues[i].id && !w->queues[i].seen)
			forget_queue(w, i);
	rebuild_active(w);
	for (unsigned i = 0; s && !only_letting_go && i < s->n_rxqs; i++)
		if (s->rxqs[i].worker == w->index && !stayed[i])
			serve_queue(w, &s->rxqs[i]);
	free(stayed);
	free(places);
}

static void say_taken(struct worker *w, uint64_t generation)
{
	uint64_t one = 1;

	atomic_store_explicit(&w->taken, generation, memory_order_release);
	if (write(w->pool->taken_fd, &one, sizeof(one)) < 0)
		log_err("cannot report that a snapshot was taken over: %m");
}

/* Between two bursts: the newest snapshot. */
static void renew(struct worker *w)
{
	uint64_t generation = atomic_load_explicit(&w->pool->generation,
						   memory_order_acquire);

	if (likely(generation == w->generation))
		return;
	w->generation = generation;
	take_over(w, w->pool->snapshot, w->pool->only_letting_go);
	say_taken(w, generation);
}

/* --- polling ---------------------------------------------------------- */

static unsigned poll_queue(struct worker *w, struct served_queue *q)
{
	const struct port_class *class = q->rxq->port->class;
	unsigned n;

	n = class->receive(q->rxq, w->burst, BURST, w->index + 1);
	if (!n)
		return 0;
	pipeline_run(w->pipeline, q->in, w->burst, n);
	class->done(q->rxq);
	counter_add(&w->counters.packets, n);
	counter_add(&w->counters.bursts, 1);
	return n;
}

/* An empty queue with a descriptor leaves the active ones; arm() may object. */
static bool may_rest(struct served_queue *q)
{
	const struct port_class *class = q->rxq->port->class;

	if (q->fd < 0 || ++q->empty_polls < EMPTY_POLLS_MAX)
		return false;
	return !class->arm || class->arm(q->rxq);
}

static unsigned poll_active(struct worker *w)
{
	unsigned total = 0, kept = 0;

	for (unsigned i = 0; i < w->n_active; i++) {
		unsigned place = w->active[i];
		struct served_queue *q = &w->queues[place];
		unsigned n = poll_queue(w, q);

		total += n;
		if (n) {
			q->empty_polls = 0;
		} else if (may_rest(q)) {
			q->active = false;
			continue;
		}
		w->active[kept++] = place;
	}
	w->n_active = kept;
	return total;
}

static void drain_wake_fd(struct worker *w)
{
	uint64_t count;

	if (read(w->wake_fd, &count, sizeof(count)) < 0)
		return; /* somebody else's wake-up; nothing to drain */
}

static void activate_ready(struct worker *w, const struct epoll_event *events,
			   int n)
{
	for (int i = 0; i < n; i++) {
		uint32_t place = events[i].data.u32;

		if (place == WAKE_EVENT)
			drain_wake_fd(w);
		else if (place < w->n_queues && w->queues[place].id)
			activate(w, place);
	}
}

static bool look_for_ready(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(w->epoll_fd, events, EVENTS, 0);

	activate_ready(w, events, n);
	return n > 0;
}

static void sleep_until_ready(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int n;

	counter_add(&w->counters.sleeps, 1);
	n = epoll_wait(w->epoll_fd, events, EVENTS, -1);
	activate_ready(w, events, n);
}

/* Adds the time since it became busy, or since the last addition. */
static void add_busy_time(struct worker *w, uint64_t now)
{
	if (w->busy_since_ns)
		counter_add(&w->counters.busy_ns, now - w->busy_since_ns);
}

/* Every few rounds: whether others have become ready, and what time it is. */
static void look_around(struct worker *w)
{
	uint64_t now;

	look_for_ready(w);
	if (!w->busy_since_ns)
		return;
	now = now_ns();
	add_busy_time(w, now);
	w->busy_since_ns = now;
}

/* Nothing is active: poll by epoll for the set time, then sleep. */
static void idle(struct worker *w)
{
	uint64_t start = now_ns(), limit;

	add_busy_time(w, start);
	w->busy_since_ns = 0;
	limit = start + 1000ull * atomic_load_explicit(&w->pool->poll_idle_us,
						       memory_order_relaxed);
	do {
		counter_add(&w->counters.idle_polls, 1);
		if (look_for_ready(w))
			return;
		renew(w);
		if (w->n_active || atomic_load(&w->stop))
			return;
	} while (now_ns() < limit);
	sleep_until_ready(w);
}

void *worker_main(void *worker_)
{
	struct worker *w = worker_;
	unsigned rounds = 0, packets = 0, n;

	sandbox_enter_worker();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		renew(w);
		if (!w->n_active) {
			idle(w);
			continue;
		}
		n = poll_active(w);
		if (n && !w->busy_since_ns)
			w->busy_since_ns = now_ns();
		packets += n;
		if (++rounds < ROUNDS_PER_LOOK && packets < PACKETS_PER_LOOK)
			continue;
		look_around(w);
		rounds = packets = 0;
	}
	return NULL;
}
