/*
 * What the machine's memory allows: the time of a copy from a buffer that is
 * in the first, second or third cache or in memory, once and by way of a
 * buffer in between (as a switch does that owns its packets), from one that
 * another core has just written, and of a cache line's way from core to core.
 *
 * Prints one object of JSON; with the argument "line" only the latter, which
 * also shows how near the cores are: a virtual machine's may move. Each figure
 * is the best of N_WINDOWS windows: what else runs on the machine can only make
 * a copy slower.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/util.h"

#define N_WINDOWS 25
#define WINDOW_NS 4000000
#define SLACK	  64
#define N_PASSES  5000
#define BATCH	  64ul /* copies between two looks at the clock */

enum core { MEASURING = 1, OTHER = 0 };

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void run_on(enum core core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	/* On one core alone the figures are what they are. */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* Copies among areas of so many bytes in all, so that they come from there. */
struct area {
	const char *name;
	size_t bytes;
};

static const size_t sizes[] = { 64, 1500, 65536 };

static const struct area areas[] = {
	{ "first cache", 24 << 10 },
	{ "second cache", 600 << 10 },
	{ "third cache", 12 << 20 },
	{ "memory", 384 << 20 },
};

struct copies {
	uint8_t *from, *to, *between;
	size_t size, stride, n;
	const uint32_t *order; /* not one a prefetcher foresees */
};

static void copy_all(const struct copies *c, size_t first, size_t n, bool two)
{
	for (size_t i = first; i < first + n; i++) {
		size_t at = c->order[i] * c->stride;

		if (two) {
			memcpy(c->between, c->from + at, c->size);
			__asm__ volatile("" : : "r"(c->between) : "memory");
			memcpy(c->to + at, c->between, c->size);
		} else {
			memcpy(c->to + at, c->from + at, c->size);
		}
	}
}

static double best_ns(const struct copies *c, bool two)
{
	double best = 1e18;
	size_t at = 0;

	for (int w = 0; w < N_WINDOWS; w++) {
		double start = now_ns(), spent;
		size_t done = 0;

		do {
			size_t n = MIN(c->n - at, BATCH);

			copy_all(c, at, n, two);
			at = at + n == c->n ? 0 : at + n;
			done += n;
			spent = now_ns() - start;
		} while (spent < WINDOW_NS);
		best = MIN(best, spent / done);
	}
	return best;
}

static uint32_t *random_order(size_t n)
{
	uint32_t *order = calloc(n, sizeof(*order));

	if (!order)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		size_t j = (size_t)rand() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

static uint8_t *buffer(size_t bytes)
{
	uint8_t *b = aligned_alloc(2 << 20, (bytes + (2 << 20)) &
						    ~(size_t)((2 << 20) - 1));

	if (!b)
		exit(1);
	/* As guests' memory is; without, a page's address costs more. */
	(void)madvise(b, bytes, MADV_HUGEPAGE);
	memset(b, 1, bytes);
	return b;
}

static void measure_area(const struct area *area, size_t size, bool first)
{
	struct copies c = { .size = size, .stride = (size + SLACK) & ~63ul };
	uint32_t *order;

	c.n = area->bytes / 2 / c.stride;
	if (!c.n)
		c.n = 1; /* larger than the cache: then from beyond it */
	c.from = buffer(c.n * c.stride);
	c.to = buffer(c.n * c.stride);
	c.between = buffer(size);
	c.order = order = random_order(c.n);
	copy_all(&c, 0, c.n, true);
	printf("%s\n  {\"from\": \"%s\", \"bytes\": %zu, ", first ? "" : ",",
	       area->name, size);
	printf("\"one_ns\": %.2f, ", best_ns(&c, false));
	printf("\"two_ns\": %.2f}", best_ns(&c, true));
	free(c.from);
	free(c.to);
	free(c.between);
	free(order);
}

/* --- between two cores --------------------------------------------------- */

static struct {
	CACHE_ALIGNED _Atomic uint32_t turn;
	CACHE_ALIGNED _Atomic bool stop;
	uint8_t *buffers;
	size_t bytes;
} shared;

/* Writes all buffers at each odd turn and makes it even. */
static void *writer(void *arg)
{
	uint32_t seen = 0;

	run_on(OTHER);
	while (!shared.stop) {
		uint32_t turn = atomic_load_explicit(&shared.turn,
						     memory_order_acquire);

		if (turn == seen || !(turn & 1))
			continue;
		if (shared.buffers)
			memset(shared.buffers, turn, shared.bytes);
		seen = turn + 1;
		atomic_store_explicit(&shared.turn, seen, memory_order_release);
	}
	return NULL;
}

static void take_turn(uint32_t turn)
{
	atomic_store_explicit(&shared.turn, turn, memory_order_release);
	while (atomic_load_explicit(&shared.turn, memory_order_acquire) == turn)
		;
}

/* A line goes there and comes back in each pass. */
static double line_ns(uint32_t *turn)
{
	double best = 1e18;

	for (int w = 0; w < N_WINDOWS; w++) {
		double start = now_ns();

		for (int i = 0; i < N_PASSES; i++, *turn += 2)
			take_turn(*turn);
		best = MIN(best, (now_ns() - start) / N_PASSES / 2);
	}
	return best;
}

static double foreign_copy_ns(uint32_t *turn, size_t size)
{
	size_t stride = (size + SLACK) & ~63ul, n = (256 << 10) / stride;
	uint8_t *to = buffer(n * stride);
	double best = 1e18;

	shared.bytes = n * stride;
	shared.buffers = buffer(shared.bytes);
	for (int w = 0; w < N_WINDOWS * 8; w++, *turn += 2) {
		double start;

		take_turn(*turn);
		start = now_ns();
		for (size_t i = 0; i < n; i++)
			memcpy(to + i * stride, shared.buffers + i * stride,
			       size);
		best = MIN(best, (now_ns() - start) / n);
	}
	free(shared.buffers);
	shared.buffers = NULL;
	free(to);
	return best;
}

static void measure_areas(uint32_t *turn)
{
	bool first = true;

	printf("\"copies\": [");
	for (size_t a = 0; a < ARRAY_SIZE(areas); a++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			if (sizes[s] * 2 > areas[a].bytes)
				continue;
			measure_area(&areas[a], sizes[s], first);
			first = false;
		}
	printf("],\n \"other_core\": {");
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
		printf("%s\"%zu\": %.1f", s ? ", " : "", sizes[s],
		       foreign_copy_ns(turn, sizes[s]));
	printf("}");
}

int main(int argc, char *argv[])
{
	bool all = argc < 2 || strcmp(argv[1], "line") != 0;
	uint32_t turn = 1;
	pthread_t thread;

	run_on(MEASURING);
	if (pthread_create(&thread, NULL, writer, NULL))
		return 1;
	printf("{\"line_transfer_ns\": %.1f", line_ns(&turn));
	if (all) {
		printf(",\n ");
		measure_areas(&turn);
	}
	printf("}\n");
	shared.stop = true;
	pthread_join(thread, NULL);
	return 0;
}
