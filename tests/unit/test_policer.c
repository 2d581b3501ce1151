/* The policer by a virtual clock, and marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/ticks.h"
#include "frames.h"
#include "packet/csum.h"
#include "shape/marking.h"
#include "shape/policer.h"

static uint8_t bytes[70000];
static struct frame frame;

static int setup(void **state)
{
	ticks_init();
	fill(bytes, sizeof(bytes), 3);
	return 0;
}

/* A UDP frame of so many bytes. */
static void make(struct packet *p, uint32_t len)
{
	const struct frame_spec spec = {
		.version = 4,
		.proto = IPPROTO_UDP,
		.payload = bytes,
		.payload_len = len - 42,
	};

	frame_build(&frame, &spec);
	packet_init(p, frame.data, frame.len);
	packet_pull(p, PACKET_PULL);
	assert_int_equal(p->len, len);
}

/* Offers frames evenly at twice the rate; returns how many pass in n. */
static unsigned offer(struct policer *policer, struct packet *p, uint64_t *now,
		      uint64_t every_ticks, unsigned n)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++) {
		bool pass;

		policer_take_at(policer, &p, 1, &pass, *now);
		passed += pass;
		*now += every_ticks;
	}
	return passed;
}

static void rate_is_kept(void **state)
{
	static const uint64_t rates_kbps[] = { 1, 64, 10000, 1000000,
					       400000000 };
	struct packet p;

	make(&p, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(rates_kbps); i++) {
		const struct policer_config config = {
			.rate_kbps = rates_kbps[i],
			.burst_kb = 80, /* ten frames */
		};
		struct policer *policer = policer_create(&config);
		uint64_t now = ticks_now() + 1000;
		/* as long as half a frame takes */
		uint64_t every = ticks_per_second() * 4 / rates_kbps[i];
		unsigned passed;

		every = MAX(every, 1u);
		passed = offer(policer, &p, &now, every, 10000);
		if (every == ticks_per_second() * 4 / rates_kbps[i] &&
		    every > 100)
			assert_in_range(passed, 5009, 5011);
		policer_destroy(policer);
	}
}

/* Debts of another rate would last as long as they took to make. */
static void another_rate_begins_anew(void **state)
{
	const struct policer_config slow = { .rate_kbps = 1, .burst_kb = 80 };
	const struct policer_config fast = { .rate_kbps = 1000000,
					     .burst_kb = 80 };
	struct policer *policer = policer_create(&slow);
	uint64_t now = ticks_now() + 1000;
	struct packet p;

	make(&p, 1000);
	assert_int_equal(offer(policer, &p, &now, 0, 20), 10);
	policer_configure(policer, &slow); /* no other */
	assert_int_equal(offer(policer, &p, &now, 0, 20), 0);
	policer_configure(policer, &fast);
	assert_int_equal(offer(policer, &p, &now, 0, 20), 10);
	policer_destroy(policer);
}

/* Parts of ticks go round after years; frames go on passing. */
static void clock_goes_round(void **state)
{
	const struct policer_config config = { .rate_kbps = 1000 };
	struct policer *policer = policer_create(&config);
	uint64_t day = ticks_per_second() * 86400, now = ticks_now();
	struct packet p;

	make(&p, 1000);
	assert_int_equal(offer(policer, &p, &now, day, 4000), 4000);
	policer_destroy(policer);
}

static void packets_are_counted(void **state)
{
	const struct policer_config config = { .rate_kpps = 1,
					       .burst_kpkts = 1 };
	struct policer *policer = policer_create(&config);
	uint64_t now = ticks_now() + 1000;
	struct policer_stats stats;
	struct packet p;

	make(&p, 100);
	assert_int_equal(offer(policer, &p, &now, 0, 3000), 1000);
	now += ticks_per_second() / 2;
	assert_in_range(offer(policer, &p, &now, 0, 3000), 499, 501);
	policer_get_stats(policer, &stats);
	assert_in_range(stats.passed_frames, 1499, 1501);
	assert_int_equal(stats.passed_frames + stats.dropped_frames, 6000);
	assert_int_equal(stats.passed_bytes, stats.passed_frames * 100);
	policer_destroy(policer);
}

/* What bytes refuse costs no frames: both limits are what is said. */
static void limits_go_together(void **state)
{
	const struct policer_config config = {
		.rate_kbps = 80, /* ten frames a second */
		.burst_kb = 80,
		.rate_kpps = 1,
		.burst_kpkts = 1,
	};
	struct policer *policer = policer_create(&config);
	uint64_t now = ticks_now() + 1000;
	struct packet large, small;

	make(&large, 1000);
	assert_int_equal(offer(policer, &large, &now, 0, 500), 10);
	/* The bytes are used up, frames are not: those of a second, less ten */
	now += ticks_per_second();
	assert_int_equal(offer(policer, &large, &now, 0, 5000), 10);
	make(&small, 60);
	assert_int_equal(offer(policer, &small, &now, 0, 10), 0);
	policer_destroy(policer);
}

/* Longer than all of the burst: it passes, and is paid off. */
static void large_packets_pass(void **state)
{
	const struct policer_config config = {
		.rate_kbps = 8000, .burst_kb = 8, /* a frame */
	};
	struct policer *policer = policer_create(&config);
	uint64_t now = ticks_now() + 1000, second = ticks_per_second();
	struct packet p;

	make(&p, 60000);
	assert_int_equal(offer(policer, &p, &now, 0, 2), 1);
	now += second / 1000 * 58; /* 58,000 bytes later: still in debt */
	assert_int_equal(offer(policer, &p, &now, 0, 2), 0);
	now += second / 1000 * 2;
	assert_int_equal(offer(policer, &p, &now, 0, 2), 1);
	policer_destroy(policer);
}

/* A GSO packet is all of its segments, each with its headers. */
static void segments_count(void **state)
{
	const struct policer_config config = { .rate_kpps = 1,
					       .burst_kpkts = 1 };
	const struct frame_spec spec = {
		.version = 4,
		.proto = IPPROTO_TCP,
		.payload = bytes,
		.payload_len = 14480,
		.partial = true,
	};
	struct policer *policer = policer_create(&config);
	struct policer_stats stats;
	struct packet p, *list = &p;
	bool pass;

	frame_build(&frame, &spec);
	packet_init(&p, frame.data, frame.len);
	p.offload.gso = PACKET_GSO_TCP4;
	p.offload.gso_size = 1448;
	p.offload.csum_needed = true;
	p.offload.csum_start = frame.l4;
	p.offload.csum_offset = frame.csum_offset;
	packet_pull(&p, PACKET_PULL);
	policer_take(policer, &list, 1, &pass);
	assert_true(pass);
	policer_get_stats(policer, &stats);
	assert_int_equal(stats.passed_frames, 10);
	assert_int_equal(stats.passed_bytes, 14480 + 10 * 54);
	policer_destroy(policer);
}

/* Another rate takes effect with the next packet. */
static void another_rate(void **state)
{
	struct policer_config config = { .rate_kpps = 1, .burst_kpkts = 1 };
	struct policer *policer = policer_create(&config);
	uint64_t now = ticks_now() + 1000;
	struct packet p;

	make(&p, 100);
	assert_int_equal(offer(policer, &p, &now, 0, 2000), 1000);
	config.rate_kpps = 0;
	policer_configure(policer, &config);
	assert_int_equal(offer(policer, &p, &now, 0, 2000), 2000);
	policer_destroy(policer);
}

#define THREADS	 4
#define ATTEMPTS 20000

struct crowd {
	struct policer *policer;
	uint64_t now;
	_Atomic unsigned passed;
};

static void *attempt(void *crowd_)
{
	struct crowd *crowd = crowd_;
	struct packet p, *list[16];
	bool pass[16];

	packet_init(&p, frame.data, frame.len);
	packet_pull(&p, PACKET_PULL);
	for (unsigned i = 0; i < 16; i++)
		list[i] = &p;
	for (unsigned k = 0; k < ATTEMPTS / 16; k++) {
		policer_take_at(crowd->policer, list, 16, pass, crowd->now);
		for (unsigned i = 0; i < 16; i++)
			crowd->passed += pass[i];
	}
	return NULL;
}

/* Threads that take at once get together what one would. */
static void threads_share(void **state)
{
	const struct policer_config config = { .rate_kpps = 1,
					       .burst_kpkts = 3 };
	struct crowd crowd = { .policer = policer_create(&config),
			       .now = ticks_now() + 1000 };
	pthread_t threads[THREADS];
	struct packet p;

	make(&p, 100);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, attempt, &crowd), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.passed, 3000);
	policer_destroy(crowd.policer);
}

/* --- marks -----------------------------------------------------------------
 */

static void dscp_is_written(void **state)
{
	for (int version = 4; version <= 6; version += 2)
		for (unsigned tags = 0; tags < 3; tags++)
			for (int dscp = 0; dscp < 64; dscp++) {
				const struct frame_spec spec = {
					.n_tags = tags,
					.version = version,
					.proto = IPPROTO_UDP,
					.ip_id = (uint16_t)(dscp * 977),
					.payload = bytes,
					.payload_len = 100,
				};
				struct packet p;
				uint8_t *ip;

				frame_build(&frame, &spec);
				packet_init(&p, frame.data, frame.len);
				packet_pull(&p, PACKET_PULL);
				marking_set_dscp(&p, dscp);
				assert_int_equal(marking_get_dscp(&p), dscp);
				ip = p.header + frame.l3;
				assert_int_equal(ip[0] >> 4, version);
				if (version == 4)
					assert_int_equal(plain_sum(ip, 20, 0),
							 0xffff);
				/* all but the traffic class is as it was */
				marking_set_dscp(&p, 0);
				assert_memory_equal(p.header, frame.data,
						    p.header_len);
			}
}

static void others_are_left_alone(void **state)
{
	uint8_t arp[64] = { 0 };
	struct packet p;

	arp[12] = 0x08;
	arp[13] = 0x06;
	packet_init(&p, arp, sizeof(arp));
	packet_pull(&p, PACKET_PULL);
	marking_set_dscp(&p, 46);
	assert_memory_equal(p.header, arp, sizeof(arp));
	assert_int_equal(marking_get_dscp(&p), -1);
	/* An IPv4 header that is cut short. */
	arp[13] = 0x00;
	arp[14] = 0x45;
	packet_init(&p, arp, 30);
	packet_pull(&p, PACKET_PULL);
	marking_set_dscp(&p, 46);
	assert_memory_equal(p.header, arp, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_is_kept),
		cmocka_unit_test(another_rate_begins_anew),
		cmocka_unit_test(clock_goes_round),
		cmocka_unit_test(packets_are_counted),
		cmocka_unit_test(limits_go_together),
		cmocka_unit_test(large_packets_pass),
		cmocka_unit_test(segments_count),
		cmocka_unit_test(another_rate),
		cmocka_unit_test(threads_share),
		cmocka_unit_test(dscp_is_written),
		cmocka_unit_test(others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
