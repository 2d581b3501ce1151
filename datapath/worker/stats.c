/*
 * What workers and queues did, for people. Their counters only grow; clearing
 * remembers what they were. Control thread.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ticks.h"
#include "worker/thread.h"

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_counters(const struct worker *w, struct worker_stats *stats)
{
	const struct worker_counters *c = &w->counters;

	*stats = (struct worker_stats){
		.packets = get(&c->packets),
		.bursts = get(&c->bursts),
		.busy = get(&c->busy),
		.asleep = get(&c->asleep),
		.idle_polls = get(&c->idle_polls),
		.sleeps = get(&c->sleeps),
	};
}

/*
 * Field 39 of proc(5)'s stat. The name before it may have anything in it but
 * ends with the last parenthesis; field 3 follows.
 */
static int last_core(int tid)
{
	char path[64], line[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[MAX(n, 0)] = '\0';
	at = strrchr(line, ')');
	for (int field = 2; at && field < 39; field++)
		at = strchr(at + 1, ' ');
	return at ? atoi(at) : -1;
}

void worker_pool_get_stats(const struct worker_pool *pool, unsigned worker,
			   struct worker_stats *stats)
{
	const struct worker *w = &pool->workers[worker];
	const struct worker_stats *c = &w->cleared;

	read_counters(w, stats);
	stats->packets -= c->packets;
	stats->bursts -= c->bursts;
	stats->busy -= c->busy;
	stats->asleep -= c->asleep;
	stats->idle_polls -= c->idle_polls;
	stats->sleeps -= c->sleeps;
	stats->elapsed = ticks_now() - w->cleared_at;
	stats->bound = w->core >= 0;
	stats->core = stats->bound ? w->core
				   : last_core(atomic_load(&w->counters.tid));
}

void worker_get_queue_stats(const struct fwd_queue *queue,
			    struct worker_queue_stats *stats)
{
	*stats = (struct worker_queue_stats){
		.packets = get(&queue->counters.packets) - queue->packets_since,
		.bursts = get(&queue->counters.bursts) - queue->bursts_since,
		.busy = get(&queue->counters.busy) - queue->busy_since,
		.elapsed = ticks_now() - queue->since,
	};
}

void worker_pool_clear_stats(struct worker_pool *pool)
{
	const struct fwd_snapshot *s = pool->snapshot;

	for (unsigned i = 0; i < pool->n; i++) {
		read_counters(&pool->workers[i], &pool->workers[i].cleared);
		pool->workers[i].cleared_at = ticks_now();
	}
	for (unsigned i = 0; s && i < s->n_rxqs; i++)
		fwd_queue_clear(s->rxqs[i].queue);
}
