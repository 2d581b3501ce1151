/* The entropy device, the balloon and the console (vmm/virtio). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_balloon.h>

#include "vmm_device_fixture.h"

#define PACKED VMM_FEATURE(VIRTIO_F_RING_PACKED)
#define EVENTS VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX)

static struct device_fixture f;

static int setup(void **state)
{
	device_fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	device_fixture_uninit(&f);
	return 0;
}

static uint64_t features(void **state)
{
	return *state ? *(const uint64_t *)*state : 0;
}

static uint8_t *at(uint64_t addr)
{
	return vmm_driver_at(&f.driver, addr);
}

/* --- rng ------------------------------------------------------------------ */

static void random_bytes(void **state)
{
	static const uint8_t zeroes[4096];
	uint64_t addr;

	device_fixture_start(&f, virtio_rng_create(f.loop, &f.memory, NULL),
			     features(state));
	addr = device_offer(&f, 0, 64);
	assert_int_equal(device_wait_used(&f, 0), 64);
	assert_memory_not_equal(at(addr), zeroes, 64);
	/* A lot is answered with some. */
	addr = device_offer(&f, 0, 1 << 20);
	assert_int_equal(device_wait_used(&f, 0), 4096);
	assert_memory_not_equal(at(addr), zeroes, 4096);
	assert_memory_equal(at(addr + 4096), zeroes, 4096);
	/* A buffer that cannot be written comes back, too. */
	device_send(&f, 0, zeroes, 16);
	assert_int_equal(device_wait_used(&f, 0), 0);
	assert_true(f.device->n_kicks >= 3);
}

static void random_after_reset(void **state)
{
	device_fixture_start(&f, virtio_rng_create(f.loop, &f.memory, NULL),
			     features(state));
	for (int i = 0; i < 3; i++) {
		device_offer(&f, 0, 16);
		assert_int_equal(device_wait_used(&f, 0), 16);
		vmm_driver_reset(&f.driver);
		device_run(&f);
		assert_int_equal(f.device->status, 0);
		assert_true(vmm_driver_start(&f.driver));
	}
	/* More than its turn's worth. */
	for (int i = 0; i < 64; i++) {
		struct vmm_part part = { DEVICE_MEMORY - 4096, 16 };

		assert_true(vmm_ring_add(&f.driver.rings[0], &part, 0, 1,
					 false) >= 0);
	}
	vmm_ring_kick(&f.driver.rings[0]);
	for (int i = 0; i < 64; i++)
		assert_int_equal(device_wait_used(&f, 0), 16);
}

/* --- balloon -------------------------------------------------------------- */

enum { INFLATE, DEFLATE, REPORT };

static void make_balloon(void **state)
{
	device_fixture_start(
		&f, virtio_balloon_create(f.loop, &f.memory, NULL),
		features(state) | VMM_FEATURE(VIRTIO_BALLOON_F_REPORTING) |
			VMM_FEATURE(VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
}

static uint64_t blocks(void)
{
	struct stat s;

	assert_int_equal(fstat(f.memory.fd, &s), 0);
	return s.st_blocks;
}

/* The pages from `first` on: which of them are gone. */
static void fill(uint64_t addr, size_t length)
{
	memset(at(addr), 0x5a, length);
}

static void check(uint64_t addr, size_t length, uint8_t value)
{
	for (size_t i = 0; i < length; i++)
		if (at(addr)[i] != value)
			fail_msg("byte %zu is %02x", i, at(addr)[i]);
}

static void inflate(void **state)
{
	const uint64_t place = 0x400000;
	uint32_t pfns[] = { 0x401, 0x402, 0x404, 0xffffffff, 0x800, 0x403 };
	uint64_t before;

	make_balloon(state);
	fill(place, 16 * 4096);
	/* Half a number is none; the ring's pages are there then. */
	device_send(&f, INFLATE, "\x05\x04\0", 3);
	assert_int_equal(device_wait_used(&f, INFLATE), 0);
	before = blocks();
	device_send(&f, INFLATE, pfns, sizeof pfns);
	assert_int_equal(device_wait_used(&f, INFLATE), 0);
	assert_int_equal(before - blocks(), 4 * 8 - 0);
	check(place, 4096, 0x5a);
	check(place + 4096, 4 * 4096, 0);
	check(place + 5 * 4096, 11 * 4096, 0x5a);
	/* They come back by being used. */
	device_send(&f, DEFLATE, pfns, 8);
	assert_int_equal(device_wait_used(&f, DEFLATE), 0);
	check(place + 5 * 4096, 4096, 0x5a);
}

static void report_free_pages(void **state)
{
	const uint64_t place = 0x400000;
	struct vmm_part parts[] = { { place + 4096, 2 * 4096 },
				    { place + 5 * 4096 - 1, 4098 },
				    { place + 8 * 4096 + 1, 4094 } };

	make_balloon(state);
	fill(place, 16 * 4096);
	assert_true(vmm_ring_add(&f.driver.rings[REPORT], parts, 0, 3, false) >=
		    0);
	vmm_ring_kick(&f.driver.rings[REPORT]);
	device_wait_used(&f, REPORT);
	check(place, 4096, 0x5a);
	check(place + 4096, 2 * 4096, 0);
	check(place + 3 * 4096, 2 * 4096, 0x5a);
	check(place + 5 * 4096, 4096, 0);
	check(place + 6 * 4096, 10 * 4096, 0x5a);
}

static void balloon_target(void **state)
{
	struct virtio_balloon_config config;
	uint32_t pages = 512;
	json_t *saved;

	make_balloon(state);
	virtio_balloon_set_target(f.device, 3);
	memcpy(&config, f.device->config, sizeof config);
	assert_int_equal(config.num_pages, 3 * 256);
	f.device->ops->config_write(f.device, 4, &pages, 4);
	f.device->ops->config_write(f.device, 0, &pages, 4);
	f.device->ops->config_write(f.device, 3, &pages, 2);
	assert_int_equal(virtio_balloon_actual(f.device), 2);
	saved = f.device->ops->save(f.device);
	virtio_balloon_set_target(f.device, 1ull << 60);
	memcpy(&config, f.device->config, sizeof config);
	assert_int_equal(config.num_pages, DEVICE_MEMORY / 4096);
	assert_int_equal(f.device->ops->restore(f.device, saved, NULL), 0);
	memcpy(&config, f.device->config, sizeof config);
	assert_int_equal(config.num_pages, 3 * 256);
	json_string_set(saved, "00");
	assert_int_equal(f.device->ops->restore(f.device, saved, NULL),
			 -EINVAL);
	json_decref(saved);
}

/* --- console -------------------------------------------------------------- */

enum { INPUT, OUTPUT };

static int terminal; /* the other end */

static void make_console(void **state)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	terminal = pair[0];
	device_fixture_start(
		&f, virtio_console_create(f.loop, &f.memory, pair[1], NULL),
		features(state));
}

static void console_both_ways(void **state)
{
	char text[64] = { 0 };
	uint32_t length;
	uint64_t addr;

	make_console(state);
	device_send(&f, OUTPUT, "login: ", 7);
	assert_int_equal(device_wait_used(&f, OUTPUT), 0);
	assert_int_equal(read(terminal, text, sizeof text), 7);
	assert_string_equal(text, "login: ");
	/* Input before there is room, and after. */
	assert_int_equal(write(terminal, "root\n", 5), 5);
	device_run(&f);
	addr = device_offer(&f, INPUT, 3);
	assert_int_equal(device_wait_used(&f, INPUT), 3);
	assert_memory_equal(at(addr), "roo", 3);
	addr = device_offer(&f, INPUT, 100);
	assert_int_equal(device_wait_used(&f, INPUT), 2);
	assert_memory_equal(at(addr), "t\n", 2);
	addr = device_offer(&f, INPUT, 100);
	assert_false(device_is_used(&f, INPUT, &length));
	assert_int_equal(write(terminal, "x", 1), 1);
	assert_int_equal(device_wait_used(&f, INPUT), 1);
	assert_int_equal(*at(addr), 'x');
	close(terminal);
}

/* A guest that writes what nobody reads goes on, and costs a bounded amount. */
static void console_flood(void **state)
{
	size_t sent = 0, received = 0;
	static uint8_t bytes[65536];
	ssize_t n;

	make_console(state);
	for (int i = 0; i < 32; i++) {
		struct vmm_part part = { 0x400000, sizeof bytes };

		vmm_ring_add(&f.driver.rings[OUTPUT], &part, 1, 0, false);
		vmm_ring_kick(&f.driver.rings[OUTPUT]);
		device_wait_used(&f, OUTPUT);
		sent += sizeof bytes;
	}
	while (device_run(&f),
	       n = recv(terminal, bytes, sizeof bytes, MSG_DONTWAIT), n > 0)
		received += n;
	assert_true(received >= 64 << 10);
	assert_true(received < sent);
	/* And is heard again. */
	device_send(&f, OUTPUT, "ok", 2);
	assert_int_equal(recv(terminal, bytes, sizeof bytes, MSG_DONTWAIT), 2);
	/* Nobody there at all. */
	close(terminal);
	device_offer(&f, INPUT, 100);
	for (int i = 0; i < 3; i++) {
		device_send(&f, OUTPUT, "ok", 2);
		device_wait_used(&f, OUTPUT);
	}
}

static void *io_thread(void *aux)
{
	event_base_loop(f.loop, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static void leave(evutil_socket_t fd, short what, void *aux)
{
	event_base_loopbreak(f.loop);
}

/* The loop in a thread of its own, as in a VM, while the guest resets. */
static void console_threads(void **state)
{
	struct vmm_part part = { 0x400000, 100 };
	struct timeval now = { 0 };
	char bytes[4096] = { 0 };
	pthread_t thread;

	make_console(state);
	assert_int_equal(pthread_create(&thread, NULL, io_thread, NULL), 0);
	for (int i = 0; i < 300; i++) {
		(void)!send(terminal, bytes, 100, MSG_DONTWAIT);
		vmm_ring_add(&f.driver.rings[INPUT], &part, 0, 1, false);
		vmm_ring_kick(&f.driver.rings[INPUT]);
		vmm_ring_add(&f.driver.rings[OUTPUT], &part, 1, 0, false);
		vmm_ring_kick(&f.driver.rings[OUTPUT]);
		(void)!recv(terminal, bytes, sizeof bytes, MSG_DONTWAIT);
		vmm_driver_reset(&f.driver);
		assert_true(vmm_driver_start(&f.driver));
	}
	/* In the loop: it may not have begun, and forgets a break then. */
	event_base_once(f.loop, -1, EV_TIMEOUT, leave, NULL, &now);
	pthread_join(thread, NULL);
	close(terminal);
}

static void *split_then_packed[] = { NULL, &(uint64_t){ PACKED },
				     &(uint64_t){ PACKED | EVENTS },
				     &(uint64_t){ EVENTS } };

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(split_then_packed); i++) {
		void *with = split_then_packed[i];
		const struct CMUnitTest tests[] = {
			{ "random_bytes", random_bytes, setup, teardown, with },
			{ "random_after_reset", random_after_reset, setup,
			  teardown, with },
			{ "inflate", inflate, setup, teardown, with },
			{ "report_free_pages", report_free_pages, setup,
			  teardown, with },
			{ "balloon_target", balloon_target, setup, teardown,
			  with },
			{ "console_both_ways", console_both_ways, setup,
			  teardown, with },
			{ "console_flood", console_flood, setup, teardown,
			  with },
			{ "console_threads", console_threads, setup, teardown,
			  with },
		};

		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed;
}
