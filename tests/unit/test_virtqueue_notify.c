/* Kicks and calls: sent when they are asked for, and only then. */
#include "virtqueue_fixture.h"

#include <sys/eventfd.h>
#include <unistd.h>

static struct bed bed;

static void open_bed(void **state, uint64_t features, unsigned i)
{
	struct bed_config c = { .features = KIND(state) | features,
				.size = 32,
				.buffer = 2000 };

	/* Near the end of the index, to meet its wrapping around. */
	if (!KIND(state))
		c.base = i % 2 ? 65530 : 0;
	else
		c.base = i % 2 ? 0x801e801e : 0;
	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 1600);
	driver_publish(bed.rx);
}

static unsigned send_burst(unsigned n)
{
	struct packet *list[32];

	for (unsigned i = 0; i < n; i++) {
		list[i] = &bed.packets[i];
		packet_init(list[i], bed.memory.ram, 60);
	}
	assert_int_equal(virtqueue_send(bed.to, list, n, bed.drops, &bed.bytes),
			 n);
	return driver_take_calls(bed.rx);
}

static void take_all(unsigned n)
{
	while (n--)
		assert_true(driver_take_frame(bed.rx, &bed.frame));
	assert_false(driver_take_frame(bed.rx, &bed.frame));
	driver_put_buffers(bed.rx, NULL, 1600);
	driver_publish(bed.rx);
}

/* One call for a burst, whatever its size. */
static void calls_for_bursts(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct virtqueue_info info;

		open_bed(state, i & 2 ? EVENT_IDX : 0, i);
		driver_calls_always(bed.rx);
		for (unsigned n = 1; n <= 20; n++) {
			assert_int_equal(send_burst(n), 1);
			take_all(n);
		}
		virtqueue_get_info(bed.to, &info);
		assert_int_equal(info.notifications, 20);
		assert_true(info.started && info.enabled);
		assert_int_equal(info.size, 32);
		assert_int_equal(info.packed, !!KIND(state));
		bed_close(&bed);
	}
}

static void calls_not_wanted(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		open_bed(state, i & 2 ? EVENT_IDX : 0, i);
		driver_calls_never(bed.rx);
		for (unsigned n = 1; n <= 20; n++) {
			assert_int_equal(send_burst(n), 0);
			take_all(n);
			driver_calls_never(bed.rx);
		}
		driver_calls_always(bed.rx);
		assert_int_equal(send_burst(3), 1);
		bed_close(&bed);
	}
}

/* With the event index: when the entry that was named is used. */
static void calls_at_an_entry(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		open_bed(state, EVENT_IDX, i);
		for (unsigned after = 1; after <= 20; after++) {
			driver_calls_after(bed.rx, after);
			for (unsigned n = 1; n <= after + 2; n++)
				assert_int_equal(send_burst(1), n == after);
			take_all(after + 2);
			/* in the middle of a burst */
			driver_calls_after(bed.rx, after);
			assert_int_equal(send_burst(after + 3), 1);
			assert_int_equal(send_burst(1), 0);
			take_all(after + 4);
			/* just behind it */
			driver_calls_after(bed.rx, after);
			if (after > 1)
				assert_int_equal(send_burst(after - 1), 0);
			assert_int_equal(send_burst(2), 1);
			take_all(after + 1);
		}
		bed_close(&bed);
	}
}

/* Nothing sent, nothing to tell. */
static void no_call_for_nothing(void **state)
{
	open_bed(state, 0, 0);
	assert_int_equal(send_burst(32), 1);
	assert_false(bed_send(&bed, 1, 60));
	assert_int_equal(driver_take_calls(bed.rx), 0);
	bed_close(&bed);
}

/* Given back buffers of the guest's sending are told of, too. */
static void calls_when_done(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		open_bed(state, i & 2 ? EVENT_IDX : 0, i);
		for (unsigned mode = 0; mode < 2; mode++)
			for (unsigned n = 0; n < 16; n++)
				bed_put(&bed, NULL, n, 60);
		driver_publish(bed.tx);
		driver_calls_always(bed.tx);
		assert_int_equal(bed_receive(&bed, 8), 8);
		assert_int_equal(driver_take_calls(bed.tx), 0);
		virtqueue_done(bed.from);
		assert_int_equal(driver_take_calls(bed.tx), 1);
		assert_int_equal(driver_reclaim(bed.tx), 8);
		driver_calls_never(bed.tx);
		assert_int_equal(bed_receive(&bed, 8), 8);
		virtqueue_done(bed.from);
		assert_int_equal(driver_take_calls(bed.tx), 0);
		if (i & 2) {
			assert_int_equal(driver_reclaim(bed.tx), 8);
			driver_calls_after(bed.tx, 9);
			assert_int_equal(bed_receive(&bed, 8), 8);
			virtqueue_done(bed.from);
			assert_int_equal(driver_take_calls(bed.tx), 0);
			assert_int_equal(bed_receive(&bed, 8), 8);
			virtqueue_done(bed.from);
			assert_int_equal(driver_take_calls(bed.tx), 1);
		}
		bed_close(&bed);
	}
}

static bool put_and_kick(unsigned i)
{
	bed_put(&bed, NULL, i, 60);
	return driver_kick(bed.tx);
}

static void receive_all(unsigned n)
{
	assert_int_equal(bed_receive(&bed, 32), n);
	virtqueue_done(bed.from);
	assert_int_equal(driver_reclaim(bed.tx), n);
	assert_int_equal(bed_receive(&bed, 32), 0);
}

/* While it polls, the device wants no kick; before it sleeps, it asks. */
static void kicks(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		open_bed(state, i & 2 ? EVENT_IDX : 0, i);
		assert_true(virtqueue_arm(bed.from));
		assert_true(put_and_kick(0));
		receive_all(1);
		for (unsigned n = 0; n < 40; n++) {
			/* polling */
			assert_false(put_and_kick(n));
			receive_all(1);
			assert_false(put_and_kick(n));
			assert_false(put_and_kick(n));
			receive_all(2);
			/* asleep */
			assert_true(virtqueue_arm(bed.from));
			assert_int_equal(driver_take_kicks(bed.tx), 0);
			assert_true(put_and_kick(n));
			receive_all(1);
			/* asleep, and woken by several */
			assert_true(virtqueue_arm(bed.from));
			bed_put(&bed, NULL, n, 60);
			bed_put(&bed, NULL, n, 60);
			assert_true(put_and_kick(n));
			receive_all(3);
		}
		bed_close(&bed);
	}
}

/* Work that came meanwhile keeps the worker awake. */
static void arm_with_work(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		open_bed(state, i & 2 ? EVENT_IDX : 0, i);
		put_and_kick(0);
		assert_false(virtqueue_arm(bed.from));
		receive_all(1);
		assert_true(virtqueue_arm(bed.from));
		/* armed already: again, with nothing between, is the same */
		assert_true(virtqueue_arm(bed.from));
		assert_true(put_and_kick(0));
		assert_false(virtqueue_arm(bed.from));
		receive_all(1);
		/* taken by the control thread: poll on */
		virtqueue_take(bed.from);
		assert_false(virtqueue_arm(bed.from));
		virtqueue_release(bed.from);
		assert_true(virtqueue_arm(bed.from));
		bed_close(&bed);
	}
}

/* No descriptors: nothing is notified, nothing fails. */
static void no_descriptors(void **state)
{
	open_bed(state, 0, 0);
	virtqueue_take(bed.to);
	virtqueue_set_call(bed.to, -1);
	virtqueue_release(bed.to);
	virtqueue_take(bed.from);
	virtqueue_set_kick(bed.from, -1);
	virtqueue_release(bed.from);
	assert_int_equal(send_burst(5), 0);
	take_all(5);
	virtqueue_arm(bed.from);
	bed_put(&bed, NULL, 0, 60);
	driver_publish(bed.tx);
	receive_all(1);
	bed_close(&bed);
}

/* A call descriptor that nobody reads and is full does not stop the worker. */
static void call_descriptor_full(void **state)
{
	uint64_t most = UINT64_MAX - 1;

	open_bed(state, 0, 0);
	assert_int_equal(write(bed.rx->call, &most, sizeof(most)),
			 sizeof(most));
	virtqueue_take(bed.to);
	virtqueue_release(bed.to);
	for (unsigned i = 0; i < 5; i++)
		assert_true(bed_send(&bed, i, 60));
	for (unsigned i = 0; i < 5; i++)
		assert_taken(&bed, i, 60);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(calls_for_bursts),	    BOTH(calls_not_wanted),
		BOTH(calls_at_an_entry),    BOTH(no_call_for_nothing),
		BOTH(calls_when_done),	    BOTH(kicks),
		BOTH(arm_with_work),	    BOTH(no_descriptors),
		BOTH(call_descriptor_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
