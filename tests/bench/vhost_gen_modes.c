/*
 * The generator's runs. A burst is sent and a burst taken in turn for each
 * pair of ports, so that one core does both; windows of WINDOW_MS in which a
 * thread had to wait for its core do not count.
 */
#include "vhost_gen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#define MAX_WINDOWS 4096
#define MAX_SAMPLES 1000000
#define AHEAD	    8 /* headers to prefetch; there may be millions */

static uint32_t samples[MAX_SAMPLES]; /* latencies in TSC ticks */
static unsigned n_samples;

void release(struct rte_mbuf **mbufs, unsigned n)
{
	bool whole = n > 0;

	for (unsigned i = 0; i < n; i++)
		whole &= mbufs[i]->nb_segs == 1 &&
			 mbufs[i]->pool == mbufs[0]->pool;
	/* As the driver made them: no need to look at each. */
	if (whole)
		rte_mempool_put_bulk(mbufs[0]->pool, (void **)mbufs, n);
	else
		rte_pktmbuf_free_bulk(mbufs, n);
}

static inline void fill(struct pair *pair, const struct job *job,
			struct rte_mbuf *m, uint64_t tsc)
{
	unsigned offset = stamp_offset(job);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	const uint8_t *h = pair->headers[pair->station].bytes;

	rte_prefetch0(h + AHEAD * sizeof(struct header));
	rte_mov16(frame, h);
	rte_mov32(frame + 16, h + 16);
	if (job->tso)
		rte_mov16(frame + 48, h + 48);
	*(struct stamp *)(frame + offset) = (struct stamp){ pair->number, tsc };
	if (++pair->station == job->macs)
		pair->station = 0;
}

unsigned send_burst(struct gen *gen, struct pair *pair, const struct job *job,
		    unsigned burst)
{
	unsigned sent;

	if (pair->head == pair->tail) {
		uint64_t tsc = job->stamp ? rte_rdtsc() : 0;

		if (rte_mempool_get_bulk(gen->tx_pool, (void **)pair->pending,
					 burst))
			return 0; /* all are under way */
		pair->head = 0;
		pair->tail = burst;
		for (unsigned i = 0; i < burst; i++, pair->number++)
			if (job->touch)
				fill(pair, job, pair->pending[i], tsc);
	}
	sent = rte_eth_tx_burst(pair->tx, 0, pair->pending + pair->head,
				pair->tail - pair->head);
	pair->head += sent;
	pair->sent += sent;
	return sent;
}

static void take_sample(const struct job *job, struct rte_mbuf *m, uint64_t now)
{
	const struct stamp *stamp;

	if (m->data_len < stamp_offset(job) + sizeof(*stamp))
		return;
	stamp = rte_pktmbuf_mtod_offset(m, void *, stamp_offset(job));
	if (stamp->tsc && n_samples < MAX_SAMPLES)
		samples[n_samples++] = RTE_MIN(now - stamp->tsc, UINT32_MAX);
}

static unsigned receive_some(struct gen *gen, struct pair *pair,
			     const struct job *job, unsigned burst)
{
	struct rte_mbuf *got[MAX_BURST];
	unsigned n = rte_eth_rx_burst(pair->rx, 0, got, burst);
	uint64_t now = job->stamp ? rte_rdtsc() : 0;

	for (unsigned i = 0; i < n; i++) {
		pair->bytes += got[i]->pkt_len;
		if (job->stamp)
			take_sample(job, got[i], now);
		if (job->check)
			frame_check(gen, pair, job, got[i]);
	}
	if (n)
		release(got, n);
	pair->received += n;
	return n;
}

/* The driver gives 32 or 64 at most at a time: the sink has to keep up. */
static unsigned receive_burst(struct gen *gen, struct pair *pair,
			      const struct job *job, unsigned burst)
{
	unsigned n, got = 0;

	do {
		n = receive_some(gen, pair, job, burst);
		got += n;
	} while (n >= 32 && got < 2 * burst);
	return got;
}

void drain(struct gen *gen, unsigned quiet_ms)
{
	uint64_t quiet = gen->tsc_hz * quiet_ms / 1000;
	uint64_t last = rte_rdtsc(), end = last + 2 * gen->tsc_hz;
	static const struct job plain;

	while (rte_rdtsc() - last < quiet && rte_rdtsc() < end)
		for (unsigned p = 0; p < gen->n_pairs; p++) {
			struct pair *pair = &gen->pairs[p], back = *pair;

			back.rx = pair->tx;
			receive_burst(gen, &back, &plain, 32);
			if (receive_burst(gen, pair, &plain, 32))
				last = rte_rdtsc();
		}
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int compare_sample(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_samples(const struct gen *gen)
{
	double ns = 1e9 / gen->tsc_hz;

	if (!n_samples)
		return;
	qsort(samples, n_samples, sizeof(*samples), compare_sample);
	printf(", \"samples\": %u, \"min_ns\": %.0f, \"median_ns\": %.0f, "
	       "\"p90_ns\": %.0f, \"p99_ns\": %.0f, \"max_ns\": %.0f",
	       n_samples, samples[0] * ns, samples[n_samples / 2] * ns,
	       samples[n_samples / 10 * 9] * ns,
	       samples[(unsigned)(n_samples * 0.99)] * ns,
	       samples[n_samples - 1] * ns);
}

/* What is counted from one end of a window to the next. */
struct totals {
	uint64_t tsc, sent, received, bytes;
};

struct meter {
	struct totals last;
	unsigned n_valid, n_void, warm, samples_before;
	double pps[MAX_WINDOWS], sent_pps[MAX_WINDOWS], gbps[MAX_WINDOWS];
	/* Turns, those in which the switch's ring was full, nothing came. */
	uint64_t turns, blocked, empty;
	uint64_t busy_tsc; /* of turns in which a frame went or came */
};

static struct totals totals_now(const struct gen *gen, const struct job *job)
{
	struct totals t = { .tsc = rte_rdtsc() };

	for (unsigned p = 0; p < job->pairs; p++) {
		t.sent += gen->pairs[p].sent;
		t.received += gen->pairs[p].received;
		t.bytes += gen->pairs[p].bytes;
	}
	return t;
}

/* Ends a window: keeps its rates, or throws it away with its samples. */
static void window_end(struct gen *gen, const struct job *job, struct meter *m)
{
	struct totals now = totals_now(gen, job);
	double s = (now.tsc - m->last.tsc) / gen->tsc_hz;
	/* Also without this window's end having been late. */
	bool waited = watch_waited(s) || s > WINDOW_MS / 1e3 * 1.1;
	bool warm = m->warm || now.sent < 2ull * job->macs * job->pairs;

	if (warm || waited) {
		m->n_void += !warm;
		m->warm -= m->warm > 0;
		n_samples = m->samples_before;
	} else {
		m->pps[m->n_valid] = (now.received - m->last.received) / s;
		m->sent_pps[m->n_valid] = (now.sent - m->last.sent) / s;
		m->gbps[m->n_valid] = (now.bytes - m->last.bytes) * 8 / s / 1e9;
		m->n_valid++;
	}
	m->samples_before = n_samples;
	m->last = totals_now(gen, job);
}

static double quantile(double *values, unsigned n, double q)
{
	if (!n)
		return 0;
	qsort(values, n, sizeof(*values), compare_double);
	return values[RTE_MIN(n - 1, (unsigned)(n * q))];
}

static void print_throughput(struct gen *gen, const struct job *job,
			     struct meter *m)
{
	struct totals t = totals_now(gen, job);
	double turns = RTE_MAX(m->turns, 1u);

	printf("{\"mode\": \"throughput\", \"size\": %u, \"macs\": %u, "
	       "\"pairs\": %u, \"windows\": %u, \"void\": %u",
	       job->size, job->macs, job->pairs, m->n_valid, m->n_void);
	printf(", \"pps\": %.0f, \"pps_p10\": %.0f, \"pps_p90\": %.0f, "
	       "\"pps_max\": %.0f, \"sent_pps\": %.0f, \"gbps\": %.3f, \"gbps_max\": %.3f",
	       quantile(m->pps, m->n_valid, 0.5),
	       quantile(m->pps, m->n_valid, 0.1),
	       quantile(m->pps, m->n_valid, 0.9),
	       quantile(m->pps, m->n_valid, 1),
	       quantile(m->sent_pps, m->n_valid, 0.5),
	       quantile(m->gbps, m->n_valid, 0.5),
	       quantile(m->gbps, m->n_valid, 1));
	printf(", \"blocked\": %.3f, \"empty\": %.3f, \"own_cycles\": %.1f, \"sent\": %" PRIu64
	       ", \"received\": %" PRIu64 ", \"lost\": %" PRId64,
	       m->blocked / turns, m->empty / turns,
	       m->busy_tsc / RTE_MAX(t.received, 1.0), t.sent, t.received,
	       (int64_t)(t.sent - t.received));
	printf(", \"checked\": %s, \"wrong\": %" PRIu64
	       ", \"reordered\": %" PRIu64 ", \"truncated\": %" PRIu64,
	       job->check ? "true" : "false", gen->wrong, gen->reordered,
	       gen->truncated);
	print_samples(gen);
	printf("}\n");
}

static void reset(struct gen *gen)
{
	for (unsigned p = 0; p < gen->n_pairs; p++) {
		struct pair *pair = &gen->pairs[p];

		if (pair->tail > pair->head)
			rte_pktmbuf_free_bulk(pair->pending + pair->head,
					      pair->tail - pair->head);
		pair->head = pair->tail = 0;
		pair->station = 0;
		pair->number = pair->expected = 0;
		pair->sent = pair->received = pair->bytes = 0;
	}
	gen->wrong = gen->reordered = gen->truncated = 0;
	n_samples = 0;
}

/* How many frames may go now so that the rate is kept. */
static unsigned allowed(const struct gen *gen, const struct job *job,
			uint64_t sent, uint64_t ticks)
{
	double due;

	if (job->pps == 0)
		return job->burst;
	due = ticks / gen->tsc_hz * job->pps / job->pairs - sent;
	return due < 1 ? 0 : due > job->burst ? job->burst : due;
}

/* One turn over all pairs. */
static void turn(struct gen *gen, const struct job *job, struct meter *meter,
		 uint64_t start, uint64_t now)
{
	unsigned offered = 0, sent = 0, got = 0;

	for (unsigned p = 0; p < job->pairs; p++) {
		struct pair *pair = &gen->pairs[p];
		unsigned n = allowed(gen, job, pair->sent, now - start);

		if (n)
			sent += send_burst(gen, pair, job, n);
		offered += n;
		got += receive_burst(gen, pair, job, job->burst);
	}
	meter->turns++;
	meter->blocked += sent < offered;
	meter->empty += !got;
	if (sent || got)
		meter->busy_tsc += rte_rdtsc() - now;
}

/* Until all that is under way has come, or does not come. */
static void take_rest(struct gen *gen, const struct job *job)
{
	uint64_t last = rte_rdtsc();

	while (rte_rdtsc() - last < 0.02 * gen->tsc_hz)
		for (unsigned p = 0; p < job->pairs; p++)
			if (receive_burst(gen, &gen->pairs[p], job, job->burst))
				last = rte_rdtsc();
}

void mode_throughput(struct gen *gen, const struct job *job)
{
	static struct meter meter;
	uint64_t window = gen->tsc_hz * WINDOW_MS / 1000;
	uint64_t now = rte_rdtsc(), start = now;
	unsigned most = 4 * job->n;

	drain(gen, 5);
	reset(gen);
	meter = (struct meter){ .warm = job->warm };
	watch_waited(1);
	meter.last = totals_now(gen, job);
	start = now = meter.last.tsc;
	while (meter.n_valid < job->n && meter.n_valid + meter.n_void < most &&
	       meter.n_valid < MAX_WINDOWS) {
		turn(gen, job, &meter, start, now);
		now = rte_rdtsc();
		if (now - meter.last.tsc >= window)
			window_end(gen, job, &meter);
	}
	n_samples = meter.samples_before;
	take_rest(gen, job);
	n_samples = RTE_MIN(n_samples, meter.samples_before);
	print_throughput(gen, job, &meter);
	reset(gen);
}

/* Sends a frame and waits for it; false: it did not come within 50 ms. */
static bool ping(struct gen *gen, struct pair *pair, const struct job *job)
{
	uint64_t end, before = pair->received;

	if (!send_burst(gen, pair, job, 1))
		return false;
	end = rte_rdtsc() + gen->tsc_hz / 20;
	while (pair->received == before)
		if (receive_burst(gen, pair, job, 1) == 0 && rte_rdtsc() > end)
			return false;
	return true;
}

static void rest(const struct gen *gen, unsigned us)
{
	if (us >= 1000)
		rte_delay_us_sleep(us);
	else
		rte_delay_us_block(us);
}

void mode_latency(struct gen *gen, const struct job *job)
{
	uint64_t lost = 0, n_void = 0, last;
	unsigned kept = 0, done = 0;

	drain(gen, 5);
	reset(gen);
	for (unsigned i = 0; i < 100 && job->gap_us < 1000; i++)
		ping(gen, &gen->pairs[0], job);
	n_samples = 0;
	watch_waited(1);
	last = rte_rdtsc();
	while (n_samples < job->n && done < 4 * job->n) {
		double s;

		rest(gen, job->gap_us);
		lost += !ping(gen, &gen->pairs[0], job);
		done++;
		s = (rte_rdtsc() - last) / gen->tsc_hz;
		if (s < WINDOW_MS / 1e3)
			continue;
		if (watch_waited(s)) {
			n_void += n_samples - kept;
			n_samples = kept;
		}
		kept = n_samples;
		last = rte_rdtsc();
	}
	printf("{\"mode\": \"latency\", \"size\": %u, \"gap_us\": %u, "
	       "\"lost\": %" PRIu64 ", \"void\": %" PRIu64,
	       job->size, job->gap_us, lost, n_void);
	print_samples(gen);
	printf("}\n");
	reset(gen);
}
