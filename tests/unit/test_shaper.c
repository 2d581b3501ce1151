/* The shaper by a virtual clock: rates, bursts, queues, priorities, delay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frames.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "shape/marking.h"
#include "shape/shaper_home.h"

#define MS 1000000ull
#define S  1000000000ull

static uint8_t bytes[70000];
static struct frame frame;
static int wake_fd;

struct lab {
	struct shaper_home *home;
	struct shaper *shaper;
	uint64_t now_ns;
	/* what has left */
	uint64_t packets, bytes, dropped, full;
	uint64_t by_via[8]; /* bytes */
	uint32_t last_via;
	uint8_t last_tos;
	bool in_order;
	void (*look)(const struct packet *p);
};

static int setup(void **state)
{
	fill(bytes, sizeof(bytes), 3);
	wake_fd = eventfd(0, EFD_NONBLOCK);
	return wake_fd < 0;
}

static void sent(void *arg, const void *out, const struct shaper_batch *batch)
{
	struct lab *lab = arg;

	assert_ptr_equal(out, lab);
	lab->full += batch->n_full;
	for (unsigned i = 0; i < batch->n; i++) {
		const struct packet *p = &batch->packets[i];

		if (batch->sent[i].dropped) {
			lab->dropped++;
			continue;
		}
		lab->packets++;
		lab->bytes += p->len;
		lab->last_via = batch->sent[i].via;
		lab->by_via[batch->sent[i].via % 8] += p->len;
		lab->last_tos = p->header[15];
		if (lab->look)
			lab->look(p);
	}
}

static void serve(struct lab *lab)
{
	shaper_home_begin(lab->home);
	if (lab->shaper)
		shaper_home_serve(lab->home, lab->shaper, lab);
	shaper_home_end(lab->home, sent, lab);
}

static void start(struct lab *lab, const struct shaper_config *config)
{
	*lab = (struct lab){ .now_ns = S };
	lab->home = shaper_home_create(wake_fd);
	lab->shaper = shaper_create(config);
	assert_true(shaper_home_adopt(lab->home, lab->shaper));
	serve(lab);
}

static void stop(struct lab *lab)
{
	shaper_destroy(lab->shaper);
	lab->shaper = NULL;
	shaper_home_destroy(lab->home);
}

static void run(struct lab *lab)
{
	shaper_home_run(lab->home, lab->now_ns, sent, lab);
}

/* As a worker does: sleeps until the next is due, or the time has come. */
static void run_until(struct lab *lab, uint64_t end_ns)
{
	for (;;) {
		uint64_t ns;

		run(lab);
		ns = shaper_home_sleep(lab->home, lab->now_ns);
		shaper_home_awake(lab->home);
		if (ns > end_ns - lab->now_ns)
			break;
		lab->now_ns += ns;
	}
	lab->now_ns = end_ns;
}

/* A UDP frame of so many bytes, of a flow, with a TOS byte and a tag. */
static void make(struct packet *p, uint32_t len, uint16_t flow, uint8_t tos)
{
	const struct frame_spec spec = {
		.version = 4,
		.proto = IPPROTO_UDP,
		.payload = bytes,
		.payload_len = len - 42,
	};

	frame_build(&frame, &spec);
	frame.data[15] = tos;
	store_be16(frame.data + 34, flow);
	csum_ipv4_header(frame.data + 14, 20);
	packet_init(p, frame.data, frame.len);
	packet_pull(p, PACKET_PULL);
	assert_int_equal(p->len, len);
}

static unsigned put(struct lab *lab, uint32_t len, uint16_t flow, uint8_t tos,
		    uint32_t via)
{
	struct packet p;
	unsigned refused;

	make(&p, len, flow, tos);
	refused = shaper_put(lab->shaper, &p, via, 0, lab->now_ns);
	shaper_wake(lab->shaper);
	return refused;
}

/* Full-sized frames of a flow at a rate, for a time. */
static void offer(struct lab *lab, uint64_t bps, uint64_t for_ns, uint8_t tos,
		  uint32_t via)
{
	uint64_t every = 1514 * 8 * S / bps, end = lab->now_ns + for_ns;

	while (lab->now_ns < end) {
		put(lab, 1514, via + 100, tos, via);
		run_until(lab, lab->now_ns + every);
	}
}

static void expect_near(uint64_t value, uint64_t want, unsigned percent)
{
	if (value * 100 < want * (100 - percent) ||
	    value * 100 > want * (100 + percent))
		fail_msg("%llu is not within %u %% of %llu",
			 (unsigned long long)value, percent,
			 (unsigned long long)want);
}

/* Twice the rate is offered; the rate leaves. */
static void keeps_rate(void **state)
{
	static const uint64_t rates[] = { 200000,    1000000,	 10000000,
					  100000000, 1000000000, 40000000000 };

	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct shaper_config config = {
			.average_bps = rates[i],
			.n_queues = 1,
			.queues[0].dscp = SHAPER_DSCP_KEPT,
		};
		uint64_t time = MAX(200000 * S / rates[i] * 100, 50 * MS);
		struct lab lab;

		start(&lab, &config);
		offer(&lab, 2 * rates[i], time, 0, 0); /* spends the burst */
		lab.bytes = 0;
		offer(&lab, 2 * rates[i], time, 0, 0);
		expect_near(lab.bytes * 8, rates[i] * time / S, 1);
		stop(&lab);
	}
}

/* An average that is saved up, spent at the peak. */
static void burst_at_peak(void **state)
{
	const struct shaper_config config = {
		.average_bps = 10000000,
		.peak_bps = 80000000,
		.burst_bytes = 1000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	struct lab lab;

	start(&lab, &config);
	/* A megabyte at 80 Mbit/s against 10 lasts 114 ms. */
	offer(&lab, 200000000, 100 * MS, 0, 0);
	expect_near(lab.bytes, 1000000 + 50000 /* the peak's */, 3);
	offer(&lab, 200000000, 100 * MS, 0, 0);
	lab.bytes = 0;
	offer(&lab, 200000000, 500 * MS, 0, 0);
	expect_near(lab.bytes, 625000, 2);
	run_until(&lab, lab.now_ns + 2 * S); /* saves it up again */
	lab.bytes = 0;
	offer(&lab, 200000000, 100 * MS, 0, 0);
	expect_near(lab.bytes, 1050000, 3);
	stop(&lab);
}

static const struct shaper_config three_queues = {
	.average_bps = 100000000,
	.select = SHAPER_BY_DSCP,
	.n_queues = 3,
	.queues = {
		{ .id = 0, .priority = 5, .dscp = SHAPER_DSCP_KEPT },
		{ .id = 7, .min_bps = 20000000, .priority = 9,
		  .match = 1ull << 10, .dscp = SHAPER_DSCP_KEPT },
		{ .id = 9, .max_bps = 30000000, .priority = 1,
		  .match = 1ull << 46, .dscp = 12 },
	},
};

/* All three offer 100 Mbit/s, in small steps. */
static void offer_three(struct lab *lab, uint64_t for_ns)
{
	uint64_t every = 1514 * 8 * S / 100000000, end = lab->now_ns + for_ns;

	while (lab->now_ns < end) {
		put(lab, 1514, 1, 0, 0);
		put(lab, 1514, 2, 10 << 2, 1);
		put(lab, 1514, 3, 46 << 2, 2);
		run_until(lab, lab->now_ns + every);
	}
}

static void queues_get_theirs(void **state)
{
	struct shaper_stats stats[4];
	struct lab lab;

	start(&lab, &three_queues);
	offer_three(&lab, 300 * MS);
	memset(lab.by_via, 0, sizeof(lab.by_via));
	offer_three(&lab, S);
	/* Its maximum; what is left; its minimum. */
	expect_near(lab.by_via[2] * 8, 30000000, 1);
	expect_near(lab.by_via[0] * 8, 50000000, 1);
	expect_near(lab.by_via[1] * 8, 20000000, 1);
	assert_int_equal(shaper_get_stats(lab.shaper, stats, 4), 3);
	assert_int_equal(stats[1].id, 7);
	assert_true(stats[1].packets > 0 && stats[0].codel > 0);
	stop(&lab);
}

/* Equals share what is left by their minimums. */
static void equals_share(void **state)
{
	struct shaper_config config = three_queues;
	struct lab lab;

	config.queues[2].max_bps = 0;
	config.queues[1].min_bps = 10000000;
	config.queues[2].min_bps = 30000000;
	for (unsigned i = 0; i < 3; i++)
		config.queues[i].priority = 1;
	start(&lab, &config);
	offer_three(&lab, 300 * MS);
	memset(lab.by_via, 0, sizeof(lab.by_via));
	offer_three(&lab, S);
	/* 40 of their own; the other 60 by 1 : 10 : 30 */
	expect_near(lab.by_via[1] * 8, 10000000 + 60000000 / 41 * 10, 3);
	expect_near(lab.by_via[2] * 8, 30000000 + 60000000 / 41 * 30, 3);
	stop(&lab);
}

/* A queue's DSCP, and IPv4's checksum with it. */
static void look_at_mark(const struct packet *p)
{
	assert_int_equal(p->header[15], 12 << 2);
	assert_int_equal(plain_sum(p->header + 14, 20, 0), 0xffff);
}

static void queue_marks(void **state)
{
	struct lab lab;

	start(&lab, &three_queues);
	lab.look = look_at_mark;
	put(&lab, 200, 3, 46 << 2, 2);
	run(&lab);
	assert_int_equal(lab.packets, 1);
	stop(&lab);
}

/* One that sends more than there is keeps another, small one, waiting little.
 */
static void flows_are_fair(void **state)
{
	const struct shaper_config config = {
		.average_bps = 10000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	uint64_t worst = 0;
	struct lab lab;

	start(&lab, &config);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t before, since;

		offer(&lab, 50000000, 10 * MS, 0, 0);
		before = lab.by_via[1];
		put(&lab, 98, 7, 0, 1);
		since = lab.now_ns;
		while (lab.by_via[1] == before && lab.now_ns < since + S)
			run_until(&lab, lab.now_ns + 100000);
		worst = MAX(worst, lab.now_ns - since);
	}
	/* A frame of the other takes 1.2 ms. */
	assert_true(worst < 4 * MS);
	assert_true(lab.full > 0); /* it does not slow down */
	stop(&lab);
}

/* What answers drops by half its rate waits no longer than it has to. */
static void codel_holds_delay(void **state)
{
	const struct shaper_config config = {
		.average_bps = 10000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	struct shaper_stats stats;
	uint64_t bps = 20000000;
	struct lab lab;

	start(&lab, &config);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t dropped = lab.dropped + lab.full;

		offer(&lab, bps, 10 * MS, 0, 0);
		if (lab.dropped + lab.full > dropped)
			bps = MAX(bps * 7 / 10, 1000000);
		else
			bps += 200000;
	}
	shaper_get_stats(lab.shaper, &stats, 1);
	assert_true(stats.delay_ns < 20 * MS);
	assert_true(stats.codel > 5);
	expect_near(stats.bytes * 8, 100000000, 10);
	stop(&lab);
}

/* Those that take marks are marked instead. */
static void ecn_is_marked(void **state)
{
	const struct shaper_config config = {
		.average_bps = 10000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	struct shaper_stats stats;
	struct lab lab;

	start(&lab, &config);
	offer(&lab, 11000000, S, 2, 0);
	shaper_get_stats(lab.shaper, &stats, 1);
	assert_true(stats.marked > 0);
	assert_int_equal(stats.codel, 0);
	stop(&lab);
}

/* The bytes that leave are those that came, whatever their pieces. */
static struct frame whole;
static uint64_t n_whole;

static void look_at_whole(const struct packet *p)
{
	static uint8_t copy[PACKET_LEN_MAX];

	assert_int_equal(p->len, whole.len);
	assert_int_equal(packet_read(p, 0, copy, p->len), p->len);
	assert_memory_equal(copy, whole.data, p->len);
	n_whole++;
}

static void bytes_are_kept(void **state)
{
	const struct shaper_config config = {
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	static const uint32_t lens[] = { 60, 1514, 1984, 1985, 9014, 65000 };
	struct lab lab;

	start(&lab, &config);
	lab.look = look_at_whole;
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		const struct frame_spec spec = {
			.version = 6,
			.proto = IPPROTO_UDP,
			.payload = bytes,
			.payload_len = lens[i] - 62 + (i ? 0 : 10),
		};
		struct packet_segment *pieces;
		struct packet p;
		unsigned n;

		frame_build(&whole, &spec);
		pieces = pieces_make(whole.data, whole.len, 700, &n);
		packet_of_pieces(&p, pieces, n, whole.len);
		packet_pull(&p, PACKET_PULL);
		assert_int_equal(shaper_put(lab.shaper, &p, 0, 0, lab.now_ns),
				 0);
		shaper_wake(lab.shaper);
		pieces_free(pieces, n);
		run(&lab);
		assert_int_equal(n_whole, i + 1);
	}
	stop(&lab);
}

/* A large packet on a slow link leaves in its segments, on a fast one whole. */
static void large_is_cut(void **state)
{
	const struct frame_spec spec = {
		.version = 4,
		.proto = IPPROTO_TCP,
		.payload = bytes,
		.payload_len = 14480,
		.partial = true,
	};
	static const uint64_t rates[] = { 10000000, 10000000000 };

	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct shaper_config config = {
			.average_bps = rates[i],
			.n_queues = 1,
			.queues[0].dscp = SHAPER_DSCP_KEPT,
		};
		struct shaper_stats stats;
		struct packet p;
		struct lab lab;

		start(&lab, &config);
		frame_build(&frame, &spec);
		packet_init(&p, frame.data, frame.len);
		p.offload.gso = PACKET_GSO_TCP4;
		p.offload.gso_size = 1448;
		p.offload.csum_needed = true;
		p.offload.csum_start = frame.l4;
		p.offload.csum_offset = frame.csum_offset;
		packet_pull(&p, PACKET_PULL);
		shaper_put(lab.shaper, &p, 0, 0, lab.now_ns);
		shaper_wake(lab.shaper);
		run_until(&lab, lab.now_ns + S);
		assert_int_equal(lab.packets, i ? 1 : 10);
		shaper_get_stats(lab.shaper, &stats, 1);
		assert_int_equal(stats.bytes, 14480 + 10 * 54);
		stop(&lab);
	}
}

/* Other settings keep what waits; a shaper that is no more lets nothing leak.
 */
static void settings_change(void **state)
{
	struct shaper_config config = three_queues;
	struct shaper_stats stats[4];
	struct lab lab;

	config.average_bps = 1000000;
	start(&lab, &config);
	for (unsigned i = 0; i < 40; i++)
		put(&lab, 1514, i, i % 2 ? 10 << 2 : 0, 0);
	run(&lab);
	config.average_bps = 2000000;
	config.n_queues = 2;
	assert_true(shaper_configure(lab.shaper, &config));
	config.average_bps = 10000000;
	assert_true(shaper_configure(lab.shaper, &config)); /* not yet seen */
	serve(&lab);
	shaper_get_stats(lab.shaper, stats, 4);
	assert_int_equal(stats[0].backlog_packets + stats[1].backlog_packets,
			 40 - lab.packets);
	run_until(&lab, lab.now_ns + S);
	assert_int_equal(lab.packets, 40);
	for (unsigned i = 0; i < 20; i++)
		put(&lab, 1514, i, 0, 0);
	run(&lab);
	/* Much more memory is another shaper's. */
	config.average_bps = 0;
	assert_false(shaper_configure(lab.shaper, &config));
	shaper_home_begin(lab.home);
	shaper_home_end(lab.home, sent, &lab);
	assert_int_equal(lab.packets + lab.dropped, 60);
	assert_false(shaper_home_serves(lab.home));
	/* Late, by who has not heard yet. */
	put(&lab, 1514, 1, 0, 0);
	run(&lab);
	assert_int_equal(shaper_destroy(lab.shaper), 1);
	lab.shaper = NULL;
	run(&lab);
	shaper_home_destroy(lab.home);
}

/* No room: the sender hears of it, and nothing is lost that was kept. */
static void memory_is_bounded(void **state)
{
	const struct shaper_config config = {
		.average_bps = 1000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	unsigned refused = 0, n = 5000;
	struct lab lab;

	start(&lab, &config);
	for (unsigned i = 0; i < n; i++)
		refused += put(&lab, 1514, i, 0, 0);
	assert_int_equal(shaper_refused(lab.shaper), refused);
	assert_true(refused > 4000);
	run_until(&lab, lab.now_ns + 100 * S);
	assert_int_equal(lab.packets + lab.dropped + lab.full + refused, n);
	assert_int_equal(put(&lab, 1514, 1, 0, 0), 0);
	stop(&lab);
}

/* A shaper with nothing to do is not looked at; who puts wakes. */
static void home_sleeps(void **state)
{
	const struct shaper_config config = {
		.average_bps = 1000000,
		.n_queues = 1,
		.queues[0].dscp = SHAPER_DSCP_KEPT,
	};
	uint64_t count;
	struct lab lab;

	start(&lab, &config);
	run(&lab);
	assert_true(shaper_home_sleep(lab.home, lab.now_ns) == UINT64_MAX);
	put(&lab, 1514, 1, 0, 0);
	put(&lab, 1514, 1, 0, 0);
	put(&lab, 1514, 1, 0, 0);
	assert_int_equal(read(wake_fd, &count, 8), 8);
	assert_int_equal(count, 1);
	assert_true(shaper_home_is_due(lab.home, lab.now_ns));
	assert_true(shaper_home_sleep(lab.home, lab.now_ns) == 0);
	run(&lab);
	assert_int_equal(lab.packets, 3); /* two in the burst, and the debt */
	put(&lab, 1514, 1, 0, 0);
	run(&lab);
	assert_int_equal(lab.packets, 3);
	assert_in_range(shaper_home_sleep(lab.home, lab.now_ns), 1, 20 * MS);
	assert_int_equal(read(wake_fd, &count, 8), -1);
	stop(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_rate),
		cmocka_unit_test(burst_at_peak),
		cmocka_unit_test(queues_get_theirs),
		cmocka_unit_test(equals_share),
		cmocka_unit_test(queue_marks),
		cmocka_unit_test(flows_are_fair),
		cmocka_unit_test(codel_holds_delay),
		cmocka_unit_test(ecn_is_marked),
		cmocka_unit_test(bytes_are_kept),
		cmocka_unit_test(large_is_cut),
		cmocka_unit_test(settings_change),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(home_sleeps),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
