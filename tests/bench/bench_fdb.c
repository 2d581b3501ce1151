/*
 * Speed of the FDB at several numbers of addresses, as the pipeline uses it:
 * for a burst of frames between random stations the buckets of all sources and
 * destinations are prefetched, then each source is found fresh and each
 * destination looked up.
 *
 * Prints a line of JSON for each number of addresses; numbers in the arguments
 * replace the built-in ones. With -k, which needs root, each has a second line,
 * of a table in the kernel's memory (fastpath/), which is in no huge pages:
 *
 *	{"addresses":1000,"in_kernel":false,"lookups_per_s":...,
 *	"learns_per_s":...}
 *
 * lookups_per_s counts frames, each with its fdb_is_fresh() and its
 * fdb_lookup(); learns_per_s counts addresses entered into an empty table.
 * Both are the median of N_WINDOWS windows of WINDOW_MS, in which the numbers
 * of addresses take turns, so that they can be compared on a machine whose
 * speed drifts. Time is that which the thread had its core.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fastpath/fastpath.h"
#include "forward/fdb.h"

#define BURST	  32
#define N_BURSTS  16 /* made up at a time, while the clock stands */
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

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
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

static void make_frames(struct frame *frames, uint32_t n)
{
	for (int i = 0; i < N_BURSTS * BURST; i++) {
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

/* One number of addresses. */
struct subject {
	struct fdb *fdb;
	uint32_t n;
	uint32_t *order; /* in which they are learned */
	double lookups_per_s[N_WINDOWS], learns_per_s[N_WINDOWS];
};

static double measure_lookups(const struct subject *s)
{
	struct frame frames[N_BURSTS * BURST];
	uint64_t done = 0, right = 0;
	double spent = 0;

	while (spent < WINDOW_MS / 1e3) {
		double start;

		make_frames(frames, s->n);
		start = now_s();
		for (int i = 0; i < N_BURSTS; i++)
			right += forward_burst(s->fdb, frames + i * BURST);
		spent += now_s() - start;
		done += N_BURSTS * BURST;
	}
	if (right != done) {
		fprintf(stderr, "%ju of %ju frames went wrong\n",
			(uintmax_t)(done - right), (uintmax_t)done);
		exit(1);
	}
	return done / spent;
}

static void learn_all(const struct subject *s)
{
	for (uint32_t i = 0; i < s->n; i += BURST) {
		uint32_t end = MIN(i + BURST, s->n);

		for (uint32_t j = i; j < end; j++)
			fdb_prefetch(s->fdb, station_key(s->order[j]));
		for (uint32_t j = i; j < end; j++)
			fdb_learn(s->fdb, station_key(s->order[j]),
				  station_port(s->order[j]));
	}
}

/* Leaves all of them learned. */
static double measure_learns(const struct subject *s)
{
	uint64_t learned = 0;
	double spent = 0;

	while (spent < WINDOW_MS / 1e3) {
		double start;

		fdb_flush(s->fdb, 0, -1);
		start = now_s();
		learn_all(s);
		spent += now_s() - start;
		learned += s->n;
	}
	return learned / spent;
}

static void set_up(struct subject *s, uint32_t n, struct fastpath *fastpath)
{
	struct fdb_config config = { .max_entries = n,
				     .age_s = 300,
				     .fastpath = fastpath };

	s->n = n;
	s->fdb = fdb_create(&config);
	s->order = xmalloc(n * sizeof(*s->order));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = random_below(i + 1);

		s->order[i] = s->order[j];
		s->order[j] = i;
	}
}

static void report(struct subject *s)
{
	struct fdb_stats stats;

	fdb_get_stats(s->fdb, &stats);
	if (stats.entries != s->n || stats.refused || stats.evicted)
		fprintf(stderr, "%u of %u addresses entered\n", stats.entries,
			s->n);
	printf("{\"addresses\":%u,\"in_kernel\":%s,\"lookups_per_s\":%.0f,"
	       "\"learns_per_s\":%.0f}\n",
	       s->n, fdb_fastpath_table(s->fdb) ? "true" : "false",
	       median(s->lookups_per_s, N_WINDOWS),
	       median(s->learns_per_s, N_WINDOWS));
	free(s->order);
	fdb_destroy(s->fdb);
}

static void bench(const uint32_t *sizes, int n, struct fastpath *fastpath)
{
	int n_places = fastpath ? 2 : 1;
	struct subject *subjects = xcalloc(n * n_places, sizeof(*subjects));

	for (int i = 0; i < n * n_places; i++)
		set_up(&subjects[i], sizes[i / n_places],
		       i % n_places ? fastpath : NULL);
	for (int w = 0; w < N_WINDOWS; w++)
		for (int i = 0; i < n * n_places; i++) {
			struct subject *s = &subjects[i];

			s->learns_per_s[w] = measure_learns(s);
			s->lookups_per_s[w] = measure_lookups(s);
		}
	for (int i = 0; i < n * n_places; i++)
		report(&subjects[i]);
	free(subjects);
}

static struct fastpath *make_fastpath(void)
{
	char *why;
	struct fastpath *fastpath = fastpath_create("/", &why);

	if (!fastpath) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return fastpath;
}

int main(int argc, char **argv)
{
	uint32_t sizes[16] = { 1000, 100000, 1000000 };
	struct fastpath *fastpath = NULL;
	int n;

	if (argc > 1 && !strcmp(argv[1], "-k")) {
		fastpath = make_fastpath();
		argc--;
		argv++;
	}
	n = argc > 1 ? argc - 1 : 3;
	for (int i = 1; i < argc; i++) {
		long size = strtol(argv[i], NULL, 10);

		if (argc > 17 || size < 1 || size > FDB_SIZE_MAX) {
			fprintf(stderr, "usage: bench_fdb [-k] [ADDRESSES]..."
					" (up to 16)\n");
			return 2;
		}
		sizes[i - 1] = size;
	}
	bench(sizes, n, fastpath);
	fastpath_destroy(fastpath);
	return 0;
}
