/*
 * A large EVPN fabric, in this process (tests/support/fabric.h): what it takes
 * to know it, to hear of it and of its failures, and to forward in it.
 *
 *	bench_fabric [VTEPS VNIS MACS SPREAD]
 *
 * of which a VNI is at SPREAD VTEPs; by default 1000 4000 1000000 50. Prints a
 * line of JSON. Memory is what the process has of the machine's (RSS), by
 * differences between fabrics of different sizes, each in a process of its own.
 * Times are of the CPU. Rates are medians of windows.
 */
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "packet/vlan.h"
#include "tests/support/fabric.h"

#define BURST	  32
#define FRAME_LEN 64
#define N_WINDOWS 15
#define WINDOW_MS 50
#define N_PICKED  65536 /* random stations, made up while no clock runs */

static uint64_t random_state = 88172645463325252;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) * n >> 32;
}

static double rss_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long size, resident;

	malloc_trim(0);
	if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) {
		fprintf(stderr, "/proc/self/statm cannot be read\n");
		exit(1);
	}
	fclose(file);
	return (double)resident * sysconf(_SC_PAGESIZE);
}

/* --- memory ----------------------------------------------------------------
 */

static double grown_bytes(const struct fabric_config *config)
{
	double before = rss_bytes();
	struct fabric *f = fabric_create(config);

	fabric_begin(f);
	fabric_announce(f, 0, config->n_vteps);
	fabric_publish(f);
	return rss_bytes() - before;
}

/* In a process of its own, as memory that was freed would be used again. */
static double memory_of(struct fabric_config config)
{
	double bytes = -1;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) || (pid = fork()) < 0) {
		perror("bench_fabric");
		exit(1);
	}
	if (!pid) {
		bytes = grown_bytes(&config);
		_exit(write(fds[1], &bytes, sizeof(bytes)) != sizeof(bytes));
	}
	close(fds[1]);
	if (read(fds[0], &bytes, sizeof(bytes)) != sizeof(bytes))
		exit(1);
	close(fds[0]);
	waitpid(pid, &status, 0);
	return bytes;
}

static void report_memory(const struct fabric_config *config)
{
	struct fabric_config half = *config;
	double whole = memory_of(*config);

	printf("\"rss_mb\":%.1f", whole / 1e6);
	half.n_macs /= 2;
	printf(",\"bytes_per_mac\":%.0f",
	       (whole - memory_of(half)) / (config->n_macs - half.n_macs));
	half = *config;
	half.n_vteps /= 2;
	printf(",\"bytes_per_vtep\":%.0f",
	       (whole - memory_of(half)) / (config->n_vteps - half.n_vteps));
	half = *config;
	half.n_vnis /= 2;
	printf(",\"bytes_per_vni\":%.0f",
	       (whole - memory_of(half)) / (config->n_vnis - half.n_vnis));
	half = *config;
	half.spread /= 2;
	printf(",\"bytes_per_flood\":%.1f",
	       (whole - memory_of(half)) / ((double)config->n_vnis *
					    (config->spread - half.spread)));
}

/* --- convergence -----------------------------------------------------------
 */

static void expect_known(const struct fabric *f, uint32_t gone)
{
	for (uint32_t i = 0; i < f->config.n_macs; i++) {
		uint32_t vtep = fabric_vtep(f, i);
		unsigned want = vtep < gone ? FDB_NONE : fabric_number(vtep);

		if (fdb_lookup(f->fdb, fabric_key(f, i)) != want) {
			fprintf(stderr, "station %u is not where it is\n", i);
			exit(1);
		}
	}
}

static double take_time(struct fabric *f)
{
	double spent = f->spent_s;

	f->spent_s = 0;
	return spent;
}

static double publish_time(struct fabric *f)
{
	double start = fabric_clock();

	fabric_publish(f);
	return fabric_clock() - start;
}

static void report_withdrawal(struct fabric *f, const char *name, uint32_t n)
{
	uint64_t messages = f->n_messages;
	double spent, publish;

	fabric_withdraw(f, 0, n);
	publish = publish_time(f);
	spent = take_time(f);
	messages = f->n_messages - messages;
	expect_known(f, n);
	printf(",\"%s_messages\":%ju,\"%s_ms\":%.2f,\"%s_publish_ms\":%.2f",
	       name, (uintmax_t)messages, name, spent * 1e3, name,
	       publish * 1e3);
	fabric_announce(f, 0, n);
	printf(",\"%s_back_ms\":%.2f", name, take_time(f) * 1e3);
	fabric_publish(f);
	expect_known(f, 0);
}

static void report_convergence(struct fabric *f)
{
	double spent, publish;

	fabric_begin(f);
	fabric_announce(f, 0, f->config.n_vteps);
	spent = take_time(f);
	publish = publish_time(f);
	expect_known(f, 0);
	printf(",\"messages\":%ju,\"take_in_s\":%.2f,\"publish_ms\":%.2f",
	       (uintmax_t)f->n_messages, spent, publish * 1e3);
	report_withdrawal(f, "one", 1);
	report_withdrawal(f, "half", f->config.n_vteps / 2);
	if (f->n_refused) {
		fprintf(stderr, "%ju of what was told was refused\n",
			(uintmax_t)f->n_refused);
		exit(1);
	}
}

/* --- forwarding ------------------------------------------------------------
 */

struct traffic {
	const struct fabric *fabric;
	struct tunnel_scratch *scratch;
	fdb_key keys[N_PICKED];
	uint32_t vteps[N_PICKED];
	uint8_t frames[BURST][FRAME_LEN + VLAN_TAG_LEN];
	uint8_t wire[N_PICKED][FRAME_LEN + VXLAN_OUTER_MAX];
	uint32_t wire_len;
	struct packet packets[BURST];
};

static void make_frame(uint8_t *f)
{
	memset(f, 0, FRAME_LEN + VLAN_TAG_LEN);
	f[6] = 2;
	store_be16(f + 12, ETH_TYPE_VLAN);
	store_be16(f + 16, 0x0800);
	f[18] = 0x45;
	store_be16(f + 20, FRAME_LEN - ETH_HEADER_LEN);
	f[26] = 64;
	f[27] = IPPROTO_UDP;
	store_be16(f + 42, FRAME_LEN - ETH_HEADER_LEN - 20);
}

static void pick(struct traffic *t)
{
	for (unsigned i = 0; i < N_PICKED; i++) {
		uint32_t s = random_below(t->fabric->config.n_macs);

		t->keys[i] = fabric_key(t->fabric, s);
		t->vteps[i] = fabric_vtep(t->fabric, s);
	}
}

static void look_up(struct traffic *t, unsigned at)
{
	const struct fdb *fdb = t->fabric->fdb;
	const struct fdb_bucket *buckets[BURST];

	for (unsigned i = 0; i < BURST; i++)
		buckets[i] = fdb_prefetch(fdb, t->keys[at + i]);
	for (unsigned i = 0; i < BURST; i++)
		if (fdb_lookup_in(fdb, buckets[i], t->keys[at + i]) !=
		    fabric_number(t->vteps[at + i]))
			abort();
}

/* Of random stations hardly two are at one VTEP: bursts of one each. */
static void encapsulate(struct traffic *t, unsigned at)
{
	const struct fdb *fdb = t->fabric->fdb;
	const struct fdb_bucket *buckets[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		struct packet *p = &t->packets[i];

		buckets[i] = fdb_prefetch(fdb, t->keys[at + i]);
		packet_init(p, t->frames[i], sizeof(t->frames[i]));
		packet_pull_first(p);
		store_be16(p->header, t->keys[at + i] >> 32);
		store_be32(p->header + 2, t->keys[at + i]);
		store_be16(p->header + 14, t->keys[at + i] >> 48 & 0xfff);
	}
	for (unsigned i = 0; i < BURST; i++) {
		struct packet *p = &t->packets[i];
		uint32_t vtep =
			fdb_lookup_in(fdb, buckets[i], t->keys[at + i]) -
			fabric_number(0);
		struct tunnel_sent sent;

		tunnel_encap(t->fabric->tunnel, vtep, &p, 1, false, t->scratch,
			     &sent);
		if (sent.n_outer != 1)
			abort();
	}
}

/* What random stations send to us, as it would be on the wire. */
static void make_wire(struct traffic *t)
{
	uint8_t ip[16];

	for (unsigned i = 0; i < N_PICKED; i++) {
		struct packet *p = &t->packets[0];
		struct tunnel_sent sent;
		uint8_t *f = t->frames[0];

		store_be16(f + 6, t->keys[i] >> 32);
		store_be32(f + 8, t->keys[i]);
		store_be16(f + 14, t->keys[i] >> 48 & 0xfff);
		packet_init(p, f, sizeof(t->frames[0]));
		packet_pull_first(p);
		tunnel_encap(t->fabric->tunnel, t->vteps[i], &p, 1, false,
			     t->scratch, &sent);
		t->wire_len = packet_read(sent.outer[0], 0, t->wire[i],
					  sizeof(t->wire[i]));
		/* From there to us: the checksum is the same. */
		fabric_ip(t->vteps[i], ip);
		memcpy(t->wire[i] + 30, t->wire[i] + 26, 4);
		memcpy(t->wire[i] + 26, ip, 4);
		memset(t->wire[i], 0, 6);
	}
}

/* That the senders are where they came from, as the pipeline looks it up. */
static unsigned check_senders(const struct fdb *fdb,
			      const struct tunnel_received *r, fdb_key *keys)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_runs; i++)
		for (unsigned k = 0; k < r->runs[i].n; k++)
			fdb_prefetch(fdb, keys[n++]);
	n = 0;
	for (unsigned i = 0; i < r->n_runs; i++)
		for (unsigned k = 0; k < r->runs[i].n; k++)
			if (!fdb_is_fresh(fdb, keys[n++],
					  fabric_number(r->runs[i].remote)))
				abort();
	return n;
}

static void decapsulate(struct traffic *t, unsigned at)
{
	struct packet *list[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		list[i] = &t->packets[i];
		packet_init(list[i], t->wire[at + i], t->wire_len);
	}
	for (unsigned done = 0; done < BURST;) {
		struct tunnel_received r;

		tunnel_decap(t->fabric->demux, list + done, BURST - done, false,
			     t->scratch, &r);
		if (r.n_failed || r.n_others ||
		    check_senders(t->fabric->fdb, &r, t->keys + at + done) !=
			    r.n_taken)
			abort();
		done += r.n_taken;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Millions of packets a second. */
static double rate(struct traffic *t, void (*burst)(struct traffic *, unsigned))
{
	double rates[N_WINDOWS];
	unsigned at = 0;

	for (unsigned w = 0; w < N_WINDOWS; w++) {
		double start = fabric_clock(), spent;
		uint64_t n = 0;

		do {
			for (unsigned i = 0; i < 64; i++) {
				burst(t, at);
				at = (at + BURST) % N_PICKED;
			}
			n += 64 * BURST;
			spent = fabric_clock() - start;
		} while (spent < WINDOW_MS / 1e3);
		rates[w] = n / spent / 1e6;
	}
	qsort(rates, N_WINDOWS, sizeof(rates[0]), compare);
	return rates[N_WINDOWS / 2];
}

static void report_rates(const struct fabric *f)
{
	struct traffic *t = xcalloc_aligned(1, sizeof(*t));

	t->fabric = f;
	t->scratch = tunnel_scratch_create();
	for (unsigned i = 0; i < BURST; i++)
		make_frame(t->frames[i]);
	pick(t);
	make_wire(t);
	printf(",\"lookup_mpps\":%.2f,\"encap_mpps\":%.2f,\"decap_mpps\":%.2f",
	       rate(t, look_up), rate(t, encapsulate), rate(t, decapsulate));
	tunnel_scratch_destroy(t->scratch);
	free(t);
}

int main(int argc, char **argv)
{
	struct fabric_config config = { 1000, 4000, 1000000, 50 };
	struct fabric *f;

	if (argc == 5) {
		config.n_vteps = strtoul(argv[1], NULL, 10);
		config.n_vnis = strtoul(argv[2], NULL, 10);
		config.n_macs = strtoul(argv[3], NULL, 10);
		config.spread = strtoul(argv[4], NULL, 10);
	}
	if ((argc != 1 && argc != 5) || config.n_vteps < 2 ||
	    config.n_vteps > VTEP_FLOOD_MAX * 16 || config.n_vnis < 2 ||
	    config.n_vnis > VTEP_VLAN_MAX || config.n_macs < config.n_vnis ||
	    config.n_macs > FDB_SIZE_MAX / 2 || config.spread < 2 ||
	    config.spread > MIN(config.n_vteps / 2, VTEP_FLOOD_MAX)) {
		fprintf(stderr, "usage: bench_fabric [VTEPS VNIS MACS SPREAD]; "
				"see the source for what can be\n");
		return 2;
	}
	printf("{\"vteps\":%u,\"vnis\":%u,\"macs\":%u,\"spread\":%u,",
	       config.n_vteps, config.n_vnis, config.n_macs, config.spread);
	fflush(stdout);
	report_memory(&config);
	f = fabric_create(&config);
	report_convergence(f);
	report_rates(f);
	printf("}\n");
	fabric_destroy(f);
	return 0;
}
