/*
 * A worker's life: take over a new snapshot, poll the active queues, look which
 * others have become ready, sleep when none has.
 *
 * A queue is active from the moment epoll shows it ready until it was found
 * empty a few times in a row, so a busy port is polled without asking epoll,
 * and an idle one costs nothing. Where an empty queue costs a system call to
 * poll (a tap, a device) that is all. Where it costs a look into memory (a
 * virtqueue), it stays active while its window is open (window.h), so that the
 * next packet of a conversation is found without a notification.
 *
 * Between two bursts the worker looks whether there is a new snapshot, takes it
 * over and says so; the control thread waits for that before it frees anything
 * of the old one. So all that a worker holds is alive while it holds it.
 *
 * Between two rounds it also sends what its ports' shapers let go (shaping.c).
 *
 * Time is read once a poll, from base/ticks.h; what a burst took is its queue's
 * and the worker's busy time, everything else is idleness.
 */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/ticks.h"
#include "forward/pipeline.h"
#include "worker/thread.h"
#include "worker/window.h"

LOG_MODULE(worker);

#define EMPTY_POLLS_MAX 4
/*
 * Between two looks at epoll while only kernel's descriptors are polled: so
 * many rounds, or a burst of packets, whichever is first. A port that floods
 * keeps the others waiting for a burst, not for many, and where bursts are
 * small a look is not made for each packet. While virtqueues are polled, a
 * look would cost more than a burst: then time decides, pool->look_min to
 * look_max, more often where the last one found something. It is made when a
 * burst has just been sent on, since the next packet, then, is the least likely
 * to come meanwhile and to wait for its end; where none comes, later.
 */
#define ROUNDS_PER_LOOK 8
#define LOOK_PATIENCE	2 /* times the interval, where no packets come */
/*
 * Rounds without packets (about 13 ns each) from one time that the cache is
 * prepared for the next packet to another, and how often that is done.
 */
#define ROUNDS_PER_WARM 128
#define WARMS_MAX	8
#define EVENTS		64
#define WAKE_EVENT	UINT32_MAX

static uint64_t poll_limit(const struct worker *w)
{
	return atomic_load_explicit(&w->pool->poll_limit, memory_order_relaxed);
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
	pipeline_forget(w->pipeline);
	worker_take_over(w, w->pool->snapshot, w->pool->only_letting_go);
	say_taken(w, generation);
	w->now = ticks_now();
}

/* --- polling ---------------------------------------------------------- */

/* Packets came: what waiting for them teaches. */
static void learn_windows(struct worker *w, struct served_queue *q)
{
	if (q->was_empty && q->in_memory)
		window_learn(&q->window, w->now - q->last, poll_limit(w));
	q->was_empty = false;
	if (w->was_idle)
		window_learn(&w->window, w->now - w->last, poll_limit(w));
	w->was_idle = false;
}

static void count_burst(struct worker *w, struct served_queue *q, unsigned n,
			uint64_t ticks)
{
	counter_add(&q->counters->packets, n);
	counter_add(&q->counters->bursts, 1);
	counter_add(&q->counters->busy, ticks);
	counter_add(&w->counters.packets, n);
	counter_add(&w->counters.bursts, 1);
	counter_add(&w->counters.busy, ticks);
}

static unsigned poll_queue(struct worker *w, struct served_queue *q,
			   unsigned burst)
{
	uint64_t start = w->now;
	unsigned n;

	n = q->class->receive(q->rxq, w->burst, burst, w->index + 1);
	if (!n) {
		w->now = ticks_now();
		return 0;
	}
	pipeline_run(w->pipeline, q->in, w->burst, n);
	q->class->done(q->rxq);
	learn_windows(w, q);
	w->now = ticks_now();
	q->last = w->last = w->now;
	count_burst(w, q, n, w->now - start);
	return n;
}

/* Whether an empty queue leaves the active ones; arm() may object. */
static bool may_rest(const struct worker *w, struct served_queue *q)
{
	q->was_empty = true;
	if (q->fd < 0 || ++q->empty_polls < EMPTY_POLLS_MAX)
		return false;
	q->empty_polls = EMPTY_POLLS_MAX;
	if (q->in_memory &&
	    window_open(&q->window, w->now - q->last, poll_limit(w)))
		return false;
	return !q->class->arm || q->class->arm(q->rxq);
}

static void rest(struct worker *w, struct served_queue *q)
{
	q->active = false;
	w->n_in_memory -= q->in_memory;
	w->n_resting++;
}

/* A turn for each active queue; how many packets there were. */
static unsigned poll_active(struct worker *w)
{
	unsigned burst =
		atomic_load_explicit(&w->pool->burst, memory_order_relaxed);
	unsigned total = 0, kept = 0;

	for (unsigned i = 0; i < w->n_active; i++) {
		unsigned place = w->active[i];
		struct served_queue *q = &w->queues[place];
		unsigned n = poll_queue(w, q, burst);

		total += n;
		if (n) {
			q->empty_polls = 0;
		} else if (may_rest(w, q)) {
			rest(w, q);
			continue;
		}
		w->active[kept++] = place;
	}
	w->n_active = kept;
	return total;
}

/* --- epoll ------------------------------------------------------------ */

static void drain_wake_fd(struct worker *w)
{
	uint64_t count;

	if (read(w->wake_fd, &count, sizeof(count)) < 0)
		return; /* somebody else's wake-up; nothing to drain */
}

/* How many have become active. */
static unsigned activate_ready(struct worker *w,
			       const struct epoll_event *events, int n)
{
	unsigned activated = 0;

	for (int i = 0; i < n; i++) {
		uint32_t place = events[i].data.u32;

		if (place == WAKE_EVENT)
			drain_wake_fd(w);
		else if (place < w->n_queues && w->queues[place].id)
			activated += worker_activate(w, place);
	}
	return activated;
}

static unsigned look_for_ready(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(w->epoll_fd, events, EVENTS, 0);

	return activate_ready(w, events, n);
}

/* After a round that brought n packets. */
static bool look_is_due(const struct worker *w, unsigned n)
{
	if (!w->n_resting)
		return false;
	if (w->n_in_memory)
		return w->now - w->looked_at >=
		       w->look_interval * (n ? 1 : LOOK_PATIENCE);
	return w->rounds >= ROUNDS_PER_LOOK ||
	       w->packets >= atomic_load_explicit(&w->pool->burst,
						  memory_order_relaxed);
}

/* Whether others have become ready. */
static void look_around(struct worker *w)
{
	if (look_for_ready(w))
		w->look_interval = w->pool->look_min;
	else
		w->look_interval = MIN(2 * w->look_interval, w->pool->look_max);
	w->now = w->looked_at = ticks_now();
	w->rounds = w->packets = 0;
}

static void sleep_until_ready(struct worker *w)
{
	struct epoll_event events[EVENTS];
	uint64_t start = w->now;
	int n;

	counter_add(&w->counters.sleeps, 1);
	n = worker_sleep(w, events, EVENTS);
	w->now = ticks_now();
	counter_add(&w->counters.asleep, w->now - start);
	activate_ready(w, events, n);
}

/* Nothing is active: poll by epoll while that may pay, then sleep. */
static void idle(struct worker *w)
{
	w->was_idle = true;
	w->now = ticks_now();
	while (window_open(&w->window, w->now - w->last, poll_limit(w))) {
		counter_add(&w->counters.idle_polls, 1);
		look_for_ready(w);
		renew(w);
		w->now = ticks_now();
		if (w->n_active || atomic_load(&w->stop) ||
		    worker_shaping_is_due(w))
			return;
	}
	sleep_until_ready(w);
}

/*
 * A round without packets. When some came a moment ago more may come: then the
 * guest that they went to has just taken them, and given new buffers, which are
 * brought over in this pause instead of with the next packet.
 */
static void count_silent(struct worker *w)
{
	counter_add(&w->counters.idle_polls, 1);
	if (++w->silent % ROUNDS_PER_WARM == 0 &&
	    w->silent <= ROUNDS_PER_WARM * WARMS_MAX)
		pipeline_warm(w->pipeline);
}

void *worker_main(void *worker_)
{
	struct worker *w = worker_;
	unsigned n;

	atomic_store(&w->counters.tid, gettid());
	sandbox_enter_worker();
	w->now = w->last = w->looked_at = ticks_now();
	w->look_interval = w->pool->look_min;
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		renew(w);
		if (unlikely(w->shapes))
			worker_shape(w);
		if (!w->n_active) {
			idle(w);
			continue;
		}
		n = poll_active(w);
		if (n)
			w->silent = 0;
		else
			count_silent(w);
		w->packets += n;
		w->rounds++;
		if (look_is_due(w, n))
			look_around(w);
	}
	return NULL;
}
