/*
 * A queue's life: stopped and started where it was, disabled, taken, its memory
 * replaced, its writes logged, and taken up again after a crash.
 */
#include "virtqueue_fixture.h"

static struct bed bed;

static void open_bed(void **state, uint64_t features)
{
	struct bed_config c = { .features = KIND(state) | features,
				.size = 16,
				.buffer = 2000 };

	bed_open(&bed, &c);
}

static void receive_frames(unsigned first, unsigned n)
{
	unsigned got = 0, now;

	while (got < n && (now = bed_receive(&bed, n - got))) {
		for (unsigned i = 0; i < now; i++)
			assert_packet(&bed, i, first + got + i, 60);
		virtqueue_done(bed.from);
		got += now;
	}
	assert_int_equal(got, n);
}

/* As a front end that was paused: from the base that stopping gave. */
static void go_on(struct driver_queue *q, struct virtqueue *vq, uint32_t base)
{
	q->config.base = base;
	driver_join(q, vq);
}

static void stop_and_resume(void **state)
{
	for (unsigned features = 0; features < N_COMBINATIONS; features++) {
		unsigned put = 0, got = 0, sent = 0, taken = 0;

		open_bed(state, combination(features));
		for (unsigned round = 0; round < 40; round++) {
			uint32_t base;

			for (unsigned i = 0; i < 5; i++)
				bed_put(&bed, NULL, put++, 60);
			driver_publish(bed.tx);
			receive_frames(got, 3);
			got += 3;
			driver_put_buffers(bed.rx, NULL, 1600);
			driver_publish(bed.rx);
			for (unsigned i = 0; i < 3; i++)
				assert_true(bed_send(&bed, sent++, 60));

			base = stop_queue(bed.from);
			assert_false(virtqueue_is_started(bed.from));
			if (!KIND(state))
				assert_int_equal(base, got % 65536);
			assert_int_equal(bed_receive(&bed, 32), 0);
			/* nothing will come: sleep */
			assert_true(virtqueue_arm(bed.from));
			go_on(bed.tx, bed.from, base);
			base = stop_queue(bed.to);
			bed_clear_drops(&bed);
			assert_false(bed_send(&bed, sent, 60));
			assert_int_equal(bed.drops[DROP_TX_DOWN], 1);
			go_on(bed.rx, bed.to, base);

			receive_frames(got, 2);
			got += 2;
			assert_int_equal(driver_reclaim(bed.tx), 5);
			for (unsigned i = 0; i < 3; i++)
				assert_taken(&bed, taken++, 60);
		}
		bed_close(&bed);
	}
}

/* Disabled: as if the ring was empty; nothing is lost. */
static void disabled(void **state)
{
	open_bed(state, 0);
	bed_put(&bed, NULL, 1, 60);
	driver_put_buffers(bed.rx, NULL, 1600);
	driver_publish(bed.tx);
	driver_publish(bed.rx);
	for (unsigned i = 0; i < 2; i++) {
		struct virtqueue *vq = i ? bed.to : bed.from;

		virtqueue_take(vq);
		virtqueue_enable(vq, false);
		virtqueue_release(vq);
	}
	assert_int_equal(bed_receive(&bed, 32), 0);
	assert_false(bed_send(&bed, 1, 60));
	assert_int_equal(bed_drops(&bed), 1);
	assert_false(driver_has_used(bed.rx));
	for (unsigned i = 0; i < 2; i++) {
		struct virtqueue *vq = i ? bed.to : bed.from;

		virtqueue_take(vq);
		virtqueue_enable(vq, true);
		virtqueue_release(vq);
	}
	receive_frames(1, 1);
	assert_true(bed_send(&bed, 1, 60));
	assert_taken(&bed, 1, 60);
	bed_close(&bed);
}

/* Taken by another: nothing is received, what is sent is dropped as busy. */
static void taken(void **state)
{
	open_bed(state, 0);
	bed_put(&bed, NULL, 1, 60);
	driver_put_buffers(bed.rx, NULL, 1600);
	driver_publish(bed.tx);
	driver_publish(bed.rx);
	virtqueue_take(bed.from);
	virtqueue_take(bed.to);
	assert_int_equal(bed_receive(&bed, 32), 0);
	assert_false(bed_send(&bed, 1, 60));
	assert_int_equal(bed.drops[DROP_TX_BUSY], 1);
	virtqueue_release(bed.from);
	virtqueue_release(bed.to);
	receive_frames(1, 1);
	assert_true(bed_send(&bed, 1, 60));
	bed_close(&bed);
}

/* A burst that is out keeps its queue. */
static void a_burst_keeps_its_queue(void **state)
{
	struct packet other[4];

	open_bed(state, 0);
	for (unsigned i = 0; i < 8; i++)
		bed_put(&bed, NULL, i, 60);
	driver_publish(bed.tx);
	assert_int_equal(bed_receive(&bed, 4), 4);
	assert_int_equal(virtqueue_receive(bed.from, other, 4, bed.drops), 0);
	virtqueue_done(bed.from);
	receive_frames(4, 4);
	bed_close(&bed);
}

static void contradicting_setups(void **state)
{
	struct virtqueue_setup good, bad;

	open_bed(state, 0);
	driver_setup(bed.tx, &good);
	stop_queue(bed.from);
	virtqueue_take(bed.from);
	for (unsigned i = 0; i < 6; i++) {
		char *error = NULL;

		bad = good;
		if (i == 0)
			bad.size = 0;
		else if (i == 1)
			bad.size = VIRTQUEUE_SIZE_MAX + 1;
		else if (i == 2)
			bad.desc = NULL;
		else if (i == 3)
			bad.driver = NULL;
		else if (i == 4)
			bad.device = NULL;
		else if (!KIND(state))
			bad.size = 15;
		else
			bad.base = 16 | 16 << 16; /* not in the ring */
		assert_int_equal(virtqueue_start(bed.from, &bad, &error), -22);
		assert_non_null(error);
		assert_false(virtqueue_is_started(bed.from));
		free(error);
	}
	virtqueue_release(bed.from);
	go_on(bed.tx, bed.from, good.base);
	bed_put(&bed, NULL, 1, 60);
	driver_publish(bed.tx);
	receive_frames(1, 1);
	bed_close(&bed);
}

/* --- dirty log --------------------------------------------------------------
 */

#define LOG_BYTES 4096
static _Atomic uint8_t log_bits[LOG_BYTES];
static uint8_t expected[LOG_BYTES], allowed[LOG_BYTES];

static void mark(uint8_t *bits, uint64_t guest, uint64_t len)
{
	for (uint64_t page = guest / 4096; page <= (guest + len - 1) / 4096;
	     page++)
		bits[page / 8] |= 1 << page % 8;
}

static void set_log(const struct vhost_log *log)
{
	virtqueue_take(bed.to);
	virtqueue_set_log(bed.to, log);
	virtqueue_release(bed.to);
	virtqueue_take(bed.from);
	virtqueue_set_log(bed.from, log);
	virtqueue_release(bed.from);
}

static void assert_log(void)
{
	for (unsigned i = 0; i < LOG_BYTES; i++) {
		assert_int_equal(log_bits[i] & expected[i], expected[i]);
		assert_int_equal(log_bits[i] & ~(expected[i] | allowed[i]), 0);
	}
}

/* Where the used entries of n buffers from place `at` on are. */
static void expect_used(const struct driver_queue *q, unsigned at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned place = (at + i) % q->config.size;

		if (q->packed)
			mark(expected, q->desc_at + place * 16, 16);
		else
			mark(expected, q->device_at + 4 + place * 8, 8);
	}
	if (!q->packed)
		mark(expected, q->device_at + 2, 2);
	/* flags and events, if it changes them */
	mark(allowed, q->device_at, 4);
	if (!q->packed)
		mark(allowed, q->device_at + 4 + 8 * q->config.size, 2);
}

static void dirty_log(void **state)
{
	struct vhost_log log = { .bits = log_bits, .size = LOG_BYTES };
	struct bed_config c = { .features = KIND(state) | MERGEABLE |
					    FEATURE(26 /* VHOST_F_LOG_ALL */),
				.size = 1024,
				.buffer = 5000,
				.regions = 7 };
	struct driver_layout layout = { .own_header = true, .piece = 1500 };
	unsigned at = 0;

	if (!KIND(state)) /* the index in another page than the entries */
		at = c.base = 600;
	for (unsigned len = 14; len < 20000; len += 1777) {
		unsigned places = 0;

		bed_open(&bed, &c);
		set_log(&log);
		for (unsigned i = 0; i < LOG_BYTES; i++)
			log_bits[i] = expected[i] = allowed[i] = 0;
		for (unsigned i = 0; i < 8; i++)
			driver_put_buffer(bed.rx, &layout, 4512);
		driver_publish(bed.rx);
		assert_true(bed_send(&bed, 1, len));
		for (unsigned left = len + 12, i = 0; left; i++) {
			/* slots are given out in order */
			uint64_t guest =
				bed.rx->buffers_at + i * (2 * c.buffer + 64ull);

			mark(expected, guest, MIN(left, 4512));
			left -= MIN(left, 4512);
			places = i + 1;
		}
		if (KIND(state))
			for (unsigned i = 0; i < places; i++)
				expect_used(bed.rx, at + i * 4, 1);
		else
			expect_used(bed.rx, at, places);
		assert_log();
		/* what the guest sends is only read */
		bed_put(&bed, NULL, 1, 1000);
		driver_publish(bed.tx);
		assert_int_equal(bed_receive(&bed, 32), 1);
		virtqueue_done(bed.from);
		expect_used(bed.tx, at, 1);
		assert_log();
		/* none from now on */
		set_log(NULL);
		for (unsigned i = 0; i < LOG_BYTES; i++)
			log_bits[i] = expected[i] = allowed[i] = 0;
		bed_send(&bed, 1, 100);
		assert_log();
		bed_close(&bed);
	}
}

/* --- in-flight region -------------------------------------------------------
 */

static _Alignas(64) uint8_t inflight[64 + 32 * 64];

static void start_with_inflight(struct driver_queue *q, struct virtqueue *vq,
				uint32_t base)
{
	struct virtqueue_setup setup;
	char *error = NULL;

	driver_setup(q, &setup);
	setup.inflight = inflight;
	setup.base = base;
	virtqueue_take(vq);
	virtqueue_set_memory(vq, bed.memory.view);
	virtqueue_set_kick(vq, q->kick);
	virtqueue_set_call(vq, q->call);
	if (virtqueue_start(vq, &setup, &error))
		fail_msg("%s", error);
	virtqueue_enable(vq, true);
	virtqueue_release(vq);
}

/*
 * Where a front end that lost its back end says to go on. Of a packed ring it
 * cannot know: it says where it began.
 */
static uint32_t base_after_crash(const struct driver_queue *q)
{
	return q->packed ? DRIVER_PACKED_BEGIN : q->used->idx;
}

/*
 * The device dies with a burst in its hands, before or after others were given
 * back: the next one gets just those frames that were not.
 */
static void crash_with_a_burst_out(void **state)
{
	for (unsigned features = 0; features < N_COMBINATIONS; features++) {
		unsigned put = 0, got = 0;
		struct virtqueue *dead[20];

		open_bed(state, combination(features));
		memset(inflight, 0, sizeof(inflight));
		stop_queue(bed.from);
		start_with_inflight(bed.tx, bed.from,
				    KIND(state) ? DRIVER_PACKED_BEGIN : 0);
		for (unsigned round = 0; round < 20; round++) {
			for (unsigned i = 0; i < 10; i++)
				bed_put(&bed, NULL, put++, 60);
			driver_publish(bed.tx);
			receive_frames(got, 4);
			got += 4;
			assert_int_equal(bed_receive(&bed, 3), 3);
			assert_packet(&bed, 0, got, 60);
			dead[round] = bed.from;
			assert_int_equal(driver_reclaim(bed.tx), 4);

			bed.from = virtqueue_create("again", 1);
			start_with_inflight(bed.tx, bed.from,
					    base_after_crash(bed.tx));
			receive_frames(got, 6);
			got += 6;
			assert_int_equal(driver_reclaim(bed.tx), 6);
			assert_int_equal(bed_receive(&bed, 32), 0);
		}
		for (unsigned round = 0; round < 20; round++) {
			virtqueue_done(dead[round]);
			virtqueue_destroy(dead[round]);
		}
		bed.broken_on_purpose = true; /* by those that were dead */
		bed_close(&bed);
	}
}

/* A region full of rubbish: refused or made anew, and nothing else happens. */
static void inflight_rubbish(void **state)
{
	for (unsigned seed = 0; seed < 200; seed++) {
		struct virtqueue_setup setup;
		char *error = NULL;
		unsigned n = 0;

		open_bed(state, 0);
		bed.broken_on_purpose = true;
		fill(inflight, sizeof(inflight), seed);
		if (seed & 1) { /* a header that is right */
			memset(inflight, 0, 16);
			inflight[8] = 1;
			inflight[10] = 16;
		}
		stop_queue(bed.from);
		for (unsigned i = 0; i < 10; i++)
			bed_put(&bed, NULL, i, 60);
		driver_publish(bed.tx);
		driver_setup(bed.tx, &setup);
		setup.inflight = inflight;
		virtqueue_take(bed.from);
		if (virtqueue_start(bed.from, &setup, &error))
			free(error);
		virtqueue_release(bed.from);
		for (unsigned i = 0; i < 8; i++) {
			if (!bed_receive(&bed, 32))
				continue;
			virtqueue_done(bed.from);
			n++;
		}
		assert_true(n <= 8);
		bed_close(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(stop_and_resume),
		BOTH(disabled),
		BOTH(taken),
		BOTH(a_burst_keeps_its_queue),
		BOTH(contradicting_setups),
		BOTH(dirty_log),
		BOTH(crash_with_a_burst_out),
		BOTH(inflight_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
