/*
 * The NAT alone: UDP flows of 64-byte frames between many clients and remotes.
 *
 *	bench_nat                    the table below
 *	bench_nat CASE BURSTS SIZE   for callgrind: out or in, tcp-out or tcp-in
 *
 * Prints a line of JSON for each number of flows (1, 10,000, 1,000,000):
 *
 *	{"flows":N,"out_per_s":..,"in_per_s":..,"new_per_s":..,
 *	 "bytes_per_connection":..}
 *
 * out and in are packets of established flows in random order, medians of
 * windows in which the numbers of flows take turns; frames are made while the
 * clock stands. Time is that which the thread had its core. Bytes are what the
 * process's resident memory grew by, without its frames. new_per_s: sessions
 * opened, each with a mapping of its own.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "nat/nat.h"
#include "packet/csum.h"

#define BURST	  32
#define N_BURSTS  64
#define FRAME_LEN 64
#define WINDOWS	  15
#define WINDOW_S  0.05
#define OUTSIDES  32

struct flow {
	uint32_t client, outside;
	uint16_t iport, oport;
};

struct subject {
	uint32_t n;
	struct nat *nat;
	struct flow *flows;
	double out[WINDOWS], in[WINDOWS], opened, bytes;
};

static uint8_t frames[N_BURSTS * BURST][FRAME_LEN];
static struct packet packets[BURST];
static struct packet *pointers[BURST];
static struct nat_result results[BURST];
static uint64_t random_state = 88172645463325252;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) * n >> 32;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double resident(void)
{
	long pages = 0, all = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2)
		exit(1);
	fclose(f);
	return (double)pages * sysconf(_SC_PAGESIZE);
}

static void make_frame(uint8_t *f, uint32_t src, uint16_t sport, uint32_t dst,
		       uint16_t dport, bool tcp, uint8_t flags)
{
	memset(f, 0, FRAME_LEN);
	memset(f, 2, 12);
	store_be16(f + 12, 0x0800);
	f[14] = 0x45;
	store_be16(f + 16, FRAME_LEN - 14);
	f[20] = 0x40;
	f[22] = 64;
	f[23] = tcp ? 6 : 17;
	store_be32(f + 26, src);
	store_be32(f + 30, dst);
	csum_ipv4_header(f + 14, 20);
	store_be16(f + 34, sport);
	store_be16(f + 36, dport);
	if (tcp) {
		f[46] = 0x50;
		f[47] = flags;
	} else {
		store_be16(f + 38, FRAME_LEN - 34);
	}
	csum_store(f + (tcp ? 50 : 40),
		   csum_add(csum_pseudo4(f + 14, f[23], FRAME_LEN - 34), f + 34,
			    FRAME_LEN - 34));
}

static uint32_t remote_of(uint32_t i)
{
	return 0xcb007100 + i % 199;
}

static void frame_of(const struct subject *s, uint32_t i, bool outbound,
		     uint8_t *f, bool tcp, uint8_t flags)
{
	const struct flow *w = &s->flows[i];

	if (outbound)
		make_frame(f, w->client, w->iport, remote_of(i), 53, tcp,
			   flags);
	else
		make_frame(f, remote_of(i), 53, w->outside, w->oport, tcp,
			   flags);
}

static void burst(struct nat *nat, uint8_t (*from)[FRAME_LEN], unsigned n,
		  bool outbound)
{
	for (unsigned i = 0; i < n; i++)
		packet_init(&packets[i], from[i], FRAME_LEN);
	nat_enter(nat, 0, 1000);
	(outbound ? nat_outbound : nat_inbound)(nat, 0, pointers, n, results);
	nat_leave(nat, 0);
}

static void must_pass(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (results[i].verdict != NAT_FORWARD) {
			fprintf(stderr, "verdict %u, %s\n", results[i].verdict,
				drop_reason_name(results[i].reason));
			exit(1);
		}
}

/* Opens all flows; remembers where they went. */
static void open_flows(struct subject *s, bool tcp)
{
	double spent = 0, start;

	for (uint32_t i = 0; i < s->n; i += BURST) {
		unsigned n = MIN(s->n - i, (uint32_t)BURST);

		for (unsigned j = 0; j < n; j++) {
			struct flow *w = &s->flows[i + j];

			w->client = 0x0a000001 + (i + j) / 250;
			w->iport = 1024 + (i + j) % 250 * 257;
			frame_of(s, i + j, true, frames[j], tcp, 2);
		}
		start = now_s();
		burst(s->nat, frames, n, true);
		spent += now_s() - start;
		must_pass(n);
		for (unsigned j = 0; j < n; j++) {
			s->flows[i + j].outside =
				load_be32(packets[j].header + 26);
			s->flows[i + j].oport =
				load_be16(packets[j].header + 34);
		}
	}
	s->opened = s->n / spent;
}

static void set_up(struct subject *s, uint32_t n, bool tcp, uint64_t seed)
{
	struct nat_addr outside[OUTSIDES] = { 0 };
	struct nat_config config;
	double before;

	s->n = n;
	s->flows = xcalloc(n, sizeof(*s->flows));
	for (uint32_t i = 0; i < n; i++)
		s->flows[i].iport = 1; /* to be in memory */
	nat_config_init(&config);
	config.seed = seed;
	config.max_sessions = MAX(n, 1024u);
	config.max_clients = MAX(n / 200, 1024u);
	before = resident();
	if (nat_create(&config, &s->nat, NULL))
		exit(1);
	for (int i = 0; i < OUTSIDES; i++) {
		outside[i].version = 4;
		store_be32(outside[i].ip, 0xc6336401 + i);
	}
	if (nat_set_outside(s->nat, outside, n > 10000 ? OUTSIDES : 1, NULL))
		exit(1);
	open_flows(s, tcp);
	s->bytes = (resident() - before) / n;
}

static double measure(const struct subject *s, bool outbound)
{
	double spent = 0, start;
	uint64_t done = 0;

	while (spent < WINDOW_S) {
		for (int i = 0; i < N_BURSTS * BURST; i++)
			frame_of(s, random_below(s->n), outbound, frames[i],
				 false, 0);
		start = now_s();
		for (int i = 0; i < N_BURSTS; i++)
			burst(s->nat, frames + i * BURST, BURST, outbound);
		spent += now_s() - start;
		must_pass(BURST);
		done += N_BURSTS * BURST;
	}
	return done / spent;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, WINDOWS, sizeof(*values), compare);
	return values[WINDOWS / 2];
}

static void table(void)
{
	static const uint32_t sizes[] = { 1, 10000, 1000000 };
	struct subject subjects[ARRAY_SIZE(sizes)] = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		set_up(&subjects[i], sizes[i], false, 0);
	for (int w = 0; w < WINDOWS; w++)
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			subjects[i].out[w] = measure(&subjects[i], true);
			subjects[i].in[w] = measure(&subjects[i], false);
		}
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct subject *s = &subjects[i];

		printf("{\"flows\":%u,\"out_per_s\":%.0f,\"in_per_s\":%.0f,"
		       "\"new_per_s\":%.0f,\"bytes_per_connection\":%.0f}\n",
		       s->n, median(s->out), median(s->in), s->opened,
		       s->bytes);
		nat_destroy(s->nat);
		free(s->flows);
	}
}

/* What callgrind counts. */
static __attribute__((noinline)) void established(struct nat *nat, unsigned n,
						  bool outbound)
{
	nat_enter(nat, 0, 1000);
	if (outbound)
		nat_outbound(nat, 0, pointers, n, results);
	else
		nat_inbound(nat, 0, pointers, n, results);
	nat_leave(nat, 0);
}

/* Established flows, for counting the instructions of nat_outbound() or
 * nat_inbound(). */
static void one_case(const char *name, unsigned bursts, unsigned size)
{
	bool tcp = name[0] == 't', outbound = strstr(name, "out");
	struct subject s = { 0 };

	/* how many searches need a second bucket is the seed's affair */
	set_up(&s, 1000, tcp, 1);
	for (uint32_t i = 0; i < s.n && tcp; i++) {
		frame_of(&s, i, false, frames[0], true, 0x12);
		burst(s.nat, frames, 1, false);
		must_pass(1);
	}
	for (unsigned i = 0; i < bursts; i++) {
		for (unsigned j = 0; j < size; j++)
			frame_of(&s, random_below(s.n), outbound, frames[j],
				 tcp, 0x10);
		for (unsigned j = 0; j < size; j++)
			packet_init(&packets[j], frames[j], FRAME_LEN);
		established(s.nat, size, outbound);
		must_pass(size);
	}
	nat_destroy(s.nat);
	free(s.flows);
}

int main(int argc, char **argv)
{
	for (int i = 0; i < BURST; i++)
		pointers[i] = &packets[i];
	if (argc == 4)
		one_case(argv[1], atoi(argv[2]), MIN(atoi(argv[3]), BURST));
	else
		table();
	return 0;
}
