/*
 * Speed of the FDB at several numbers of addresses, as the pipeline uses it:
 * for a burst of frames between random stations the buckets of all sources and
 * destinations are prefetched, then each source is found fresh and each
 * destination looked up.
 *
 * Prints a line of JSON for each number of addresses:
 *
 *	{"addresses":1000,"lookups_per_s":...,"learns_per_s":...}
 *
 * lookups_per_s counts frames, each with its fdb_is_fresh() and its
 * fdb_lookup(); learns_per_s counts addresses entered into an empty table.
 * Both are the median of windows of about WINDOW_MS; numbers in the arguments
 * replace the built-in ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "forward/fdb.h"

#define BURST	  32
#define N_WINDOWS 31
#define WINDOW_MS 50

struct frame {
	fdb_key source, destination;
	uint16_t source_port, destination_port;
};

static uint64_t random_state = 88172645463325252;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Below n, which is below 2^32. */
static uint32_t random_below(uint32_t n)
{
	return (random64() >> 32) * n >> 32;
}

static fdb_key station_key(uint32_t i)
{
	/* Locally administered, scattered over the address space. */
	return fdb_make_key(0x020000000000 | (i * 2654435761ull & 0xffffffff),
			    1 + i % 16);
}

static uint16_t station_port(uint32_t i)
{
	return 1 + i % 200;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *rates, unsigned n)
{
	qsort(rates, n, sizeof(*rates), compare);
	return rates[n / 2];
}

static void make_burst(struct frame *frames, uint32_t n)
{
	for (int i = 0; i < BURST; i++) {
		uint32_t from = random_below(n), to = random_below(n);

		frames[i] =
			(struct frame){ station_key(from), station_key(to),
					station_port(from), station_port(to) };
	}
}

/* How many came out as they should. */
static unsigned forward_burst(const struct fdb *fdb, const struct frame *frames)
{
	unsigned right = 0;

	for (int i = 0; i < BURST; i++) {
		fdb_prefetch(fdb, frames[i].source);
		fdb_prefetch(fdb, frames[i].destination);
	}
	for (int i = 0; i < BURST; i++)
		right += fdb_is_fresh(fdb, frames[i].source,
				      frames[i].source_port) &&
			 fdb_lookup(fdb, frames[i].destination) ==
				 frames[i].destination_port;
	return right;
}

static double measure_lookups(const struct fdb *fdb, uint32_t n)
{
	double rates[N_WINDOWS];

	for (int w = 0; w < N_WINDOWS; w++) {
		struct frame burst[BURST];
		uint64_t frames = 0, right = 0;
		double spent = 0;

		/* The clock stands while a burst is made up. */
		while (spent < WINDOW_MS / 1e3) {
			double start;

			make_burst(burst, n);
			start = now_s();
			right += forward_burst(fdb, burst);
			spent += now_s() - start;
			frames += BURST;
		}
		if (right != frames) {
			fprintf(stderr, "%ju of %ju frames went wrong\n",
				(uintmax_t)(frames - right), (uintmax_t)frames);
			exit(1);
		}
		rates[w] = frames / spent;
	}
	return median(rates, N_WINDOWS);
}

static void learn_all(struct fdb *fdb, const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += BURST) {
		uint32_t end = MIN(i + BURST, n);

		for (uint32_t j = i; j < end; j++)
			fdb_prefetch(fdb, station_key(order[j]));
		for (uint32_t j = i; j < end; j++)
			fdb_learn(fdb, station_key(order[j]),
				  station_port(order[j]));
	}
}

static double measure_learns(struct fdb *fdb, const uint32_t *order, uint32_t n)
{
	double rates[N_WINDOWS];

	for (int w = 0; w < N_WINDOWS; w++) {
		double spent = 0;
		uint64_t learned = 0;

		do {
			double start;

			fdb_flush(fdb, 0, -1);
			start = now_s();
			learn_all(fdb, order, n);
			spent += now_s() - start;
			learned += n;
		} while (spent < WINDOW_MS / 1e3);
		rates[w] = learned / spent;
	}
	return median(rates, N_WINDOWS);
}

static void bench(uint32_t n)
{
	struct fdb_config config = { .max_entries = n, .age_s = 300 };
	struct fdb *fdb = fdb_create(&config);
	uint32_t *order = xmalloc(n * sizeof(*order));
	double lookups, learns;
	struct fdb_stats stats;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = random_below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	learns = measure_learns(fdb, order, n);
	fdb_get_stats(fdb, &stats);
	if (stats.entries != n || stats.refused || stats.evicted)
		fprintf(stderr, "%u of %u entered\n", stats.entries, n);
	lookups = measure_lookups(fdb, n);
	printf("{\"addresses\":%u,\"lookups_per_s\":%.0f,\"learns_per_s\":"
	       "%.0f}\n",
	       n, lookups, learns);
	fflush(stdout);
	free(order);
	fdb_destroy(fdb);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 1000, 100000, 1000000 };

	for (int i = 1; i < argc; i++) {
		long n = strtol(argv[i], NULL, 10);

		if (n < 1 || n > FDB_SIZE_MAX) {
			fprintf(stderr, "usage: %s [ADDRESSES]...\n", argv[0]);
			return 2;
		}
		bench(n);
	}
	for (unsigned i = 0; argc == 1 && i < ARRAY_SIZE(sizes); i++)
		bench(sizes[i]);
	return 0;
}
