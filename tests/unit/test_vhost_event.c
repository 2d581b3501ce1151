/* Eventfds of a front end that cheats. What waits for it would never end. */
#include "virtqueue_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vhost/event.h"

#define FULL 0xfffffffffffffffeull

static struct bed bed;

/* Nothing fits any more, and who writes waits. */
static void make_hostile(int fd)
{
	static const uint64_t full = FULL;
	uint64_t count;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	if (read(fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void takes_without_waiting(void **state)
{
	static const uint64_t three = 3;
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t count;

	vhost_event_init();
	assert_int_equal(vhost_event_take(fd, &count), VHOST_EVENT_NOT);
	assert_int_equal(write(fd, &three, sizeof(three)), sizeof(three));
	assert_int_equal(vhost_event_take(fd, &count), VHOST_EVENT_DONE);
	assert_int_equal(count, 3);
	assert_int_equal(vhost_event_take(fd, &count), VHOST_EVENT_NOT);
	close(fd);
}

/* A guest that is full: its card loses a call, the sender nothing. */
static void a_call_that_blocks(void **state)
{
	const struct bed_config c = { .size = 32, .buffer = 2000 };
	struct packet *p = &bed.packets[0];

	bed_open(&bed, &c);
	driver_put_buffers(bed.rx, NULL, 1600);
	driver_publish(bed.rx);
	driver_calls_always(bed.rx);
	make_hostile(bed.rx->call);
	/* So long that who watches has most likely fallen asleep. */
	usleep(1500000);
	for (unsigned i = 0; i < 8; i++) {
		packet_init(p, bed.memory.ram, 60);
		assert_int_equal(
			virtqueue_send(bed.to, &p, 1, bed.drops, &bed.bytes),
			1);
	}
	assert_null(virtqueue_broken(bed.to));
	bed_close(&bed);
}

/* After the first, they are signalled in the other way: it has to work. */
static void signals_on(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), full;
	uint64_t count;

	full = eventfd(0, EFD_CLOEXEC);
	make_hostile(full);
	vhost_event_init();
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(vhost_event_signal(fd), VHOST_EVENT_DONE);
	assert_int_equal(vhost_event_take(fd, &count), VHOST_EVENT_DONE);
	assert_int_equal(count, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(vhost_event_signal(full), VHOST_EVENT_DONE);
	close(full);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_without_waiting),
		cmocka_unit_test(a_call_that_blocks),
		cmocka_unit_test(signals_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
