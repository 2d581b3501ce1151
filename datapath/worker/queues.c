/*
 * Which queues a worker serves: the places they have, and taking over a new
 * snapshot's.
 *
 * What stays keeps its place and its state. A queue that has come to sleep on
 * another descriptor is another queue here: the old one is let go of, with its
 * descriptor, which the port keeps open until the snapshot is in force.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/ticks.h"
#include "worker/thread.h"

LOG_MODULE(worker);

bool worker_activate(struct worker *w, unsigned place)
{
	struct served_queue *q = &w->queues[place];

	/*
	 * One that is active may be shown as ready all the time, until it is
	 * armed: that must not keep it from being.
	 */
	if (q->active)
		return false;
	q->active = true;
	q->empty_polls = 0;
	w->active[w->n_active++] = place;
	w->n_in_memory += q->in_memory;
	w->n_resting--;
	return true;
}

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

	*q = (struct served_queue){
		.id = rxq->id,
		.rxq = rxq->rxq,
		.class = rxq->rxq->port->class,
		.in = rxq->in,
		.counters = &rxq->queue->counters,
		.fd = rxq->rxq->fd,
		.in_memory = rxq->rxq->port->class->polls_in_memory,
		.seen = true,
		.last = ticks_now(),
	};
	if (q->fd >= 0 &&
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, q->fd, &event) < 0) {
		log_err("%s: cannot watch its queue, so it is polled without "
			"pause: %m",
			q->in->port->name);
		q->fd = -1;
	}
	w->n_resting++;
	worker_activate(w, place);
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
	w->n_active = w->n_in_memory = w->n_resting = 0;
	for (unsigned i = 0; i < w->n_queues; i++) {
		const struct served_queue *q = &w->queues[i];

		if (!q->id)
			continue;
		if (!q->active) {
			w->n_resting++;
			continue;
		}
		w->active[w->n_active++] = i;
		w->n_in_memory += q->in_memory;
	}
}

void worker_take_over(struct worker *w, const struct fwd_snapshot *s,
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
	worker_take_over_shapers(w, s);
}
