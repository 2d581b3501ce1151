/*
 * A vhost-user port that is closed and opened again under a guest with packed
 * rings, whose monitor tells of them what it did at first; and the file that is
 * kept for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "port/vhost_user.h"
#include "vhost_front_end.h"

#define PACKED	 FEATURE(VIRTIO_F_RING_PACKED)
#define IN_ORDER FEATURE(VIRTIO_F_IN_ORDER)
#define BUFFER	 2048

static char dir[32];
static struct event_base *base;
static struct port *port;
static struct front_end f;
static uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };

static const char *path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void open_port(void)
{
	const struct port_config config = {
		.name = "p0",
		.type = "vhostuser",
		.n_threads = 2,
		.n_rxqs = 1,
		.events = base,
		.run_dir = dir,
		.state_dir = dir,
	};

	assert_int_equal(port_open(&config, &port, NULL), 0);
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/vsw-resume-XXXXXX");
	assert_non_null(mkdtemp(dir));
	log_set("ANY:console:off", NULL);
	base = event_base_new();
	open_port();
	return 0;
}

static int teardown(void **state)
{
	char *command = xasprintf("rm -rf %s", dir);

	port_close(port);
	event_base_free(base);
	assert_int_equal(system(command), 0);
	free(command);
	return 0;
}

static int connection(void)
{
	int fd = front_end_connect(path_of("p0"));

	assert_true(fd >= 0);
	return fd;
}

static void start(uint64_t features)
{
	front_end_init(&f, base, connection());
	front_end_start(&f, features | DRIVER_MODERN, 1);
	assert_int_equal(f.features & features, features);
}

static void open_again(void)
{
	port_close(port);
	open_port();
}

static bool is_gone(void *aux)
{
	struct vhost_user_info info;

	assert_true(vhost_user_get_info(port, &info));
	return !info.connected;
}

static void start_again(void)
{
	front_end_hang_up(&f);
	front_end_wait(base, is_gone, NULL);
	front_end_start_again(&f, connection());
}

/* One frame each way. */
static bool frames_pass(void)
{
	static struct driver_frame got;
	static const struct driver_layout layout;
	struct packet packet, *p = &packet;
	uint64_t n;

	if (driver_put_frame(f.from_guest[0], &layout, NULL, frame,
			     sizeof(frame)))
		return false;
	driver_publish(f.from_guest[0]);
	if (port->class->receive(port->rxqs[0], p, 1, 1) != 1)
		return false;
	port->class->done(port->rxqs[0]);
	n = driver_reclaim(f.from_guest[0]);
	packet_init(p, frame, sizeof(frame));
	port_send(port, &p, 1, 1);
	if (n != 1 || !driver_take_frame(f.to_guest[0], &got))
		return false;
	driver_put_buffers(f.to_guest[0], &layout, BUFFER);
	driver_publish(f.to_guest[0]);
	return !memcmp(got.data, frame, sizeof(frame)) && !got.spilt;
}

static void pass(unsigned n)
{
	while (n--)
		assert_true(frames_pass());
}

/* --- going on ------------------------------------------------------------- */

static void try_going_on(uint64_t features)
{
	start(features);
	for (unsigned i = 0; i < 40; i++) {
		pass(i % 7 * 5);
		if (i & 1)
			open_again();
		start_again();
	}
	pass(100);
	front_end_fini(&f);
	front_end_wait(base, is_gone, NULL);
}

static void it_goes_on(void **state)
{
	try_going_on(0);
	try_going_on(PACKED);
	try_going_on(PACKED | IN_ORDER);
}

/* Buffers may have been used whose guest was not told of it any more. */
static void the_guest_looks_once(void **state)
{
	start(PACKED | FEATURE(VIRTIO_RING_F_EVENT_IDX));
	pass(5);
	for (unsigned i = 0; i < 3; i++) {
		driver_take_calls(f.to_guest[0]);
		driver_take_calls(f.from_guest[0]);
		open_again();
		start_again();
		assert_int_equal(driver_take_calls(f.to_guest[0]), 1);
		assert_int_equal(driver_take_calls(f.from_guest[0]), 1);
	}
	front_end_fini(&f);
}

/* A guest in other memory is not taken for the one before. */
static void another_guest_begins(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		start(PACKED);
		pass(37 * i + 5);
		front_end_fini(&f);
		open_again();
	}
}

/* A monitor that was told the place knows it better. */
static void what_was_told_counts(void **state)
{
	struct driver_queue **queues[] = { f.to_guest, f.from_guest };

	start(PACKED);
	pass(70);
	for (unsigned i = 0; i < 2; i++)
		queues[i][0]->config.base = front_end_stop_queue(&f, i);
	open_again();
	start_again();
	pass(10);
	/* what it tells stays the same from here on */
	open_again();
	start_again();
	pass(10);
	front_end_fini(&f);
}

/* The file is nothing but a help: without it the front end is believed. */
static void a_removed_port_is_forgotten(void **state)
{
	struct stat st;

	start(PACKED);
	pass(5);
	assert_int_equal(stat(path_of("vhost/p0.rings"), &st), 0);
	vhost_user_forget(dir, "p0");
	assert_int_not_equal(stat(path_of("vhost/p0.rings"), &st), 0);
	vhost_user_forget(dir, "p0");
	open_again();
	start_again();
	assert_false(frames_pass());
	front_end_fini(&f);
}

/* --- the file ------------------------------------------------------------- */

static void assert_file_is_right(void)
{
	struct stat st;

	assert_int_equal(lstat(path_of("vhost/p0.rings"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(stat(path_of("vhost"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void begins_anew(void)
{
	open_port();
	assert_file_is_right();
	start(PACKED);
	pass(70);
	open_again();
	start_again();
	pass(70);
	front_end_fini(&f);
	port_close(port);
}

static void write_file(const char *name, unsigned seed, size_t size, int mode)
{
	int fd = open(path_of(name), O_CREAT | O_TRUNC | O_WRONLY, mode);

	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (i + seed) * 2654435761u >> 24;

		assert_int_equal(write(fd, &byte, 1), 1);
	}
	close(fd);
}

static void a_file_that_is_not_right_is_made_anew(void **state)
{
	char target[64];
	struct stat st;

	port_close(port);
	for (unsigned seed = 0; seed < 5; seed++) {
		write_file("vhost/p0.rings", seed, seed * 150, 0600);
		begins_anew();
	}
	/* others may have written to it */
	assert_int_equal(chmod(path_of("vhost/p0.rings"), 0620), 0);
	begins_anew();
	/* it would be another file */
	write_file("other", 1, 100, 0600);
	strcpy(target, path_of("other"));
	assert_int_equal(unlink(path_of("vhost/p0.rings")), 0);
	assert_int_equal(symlink(target, path_of("vhost/p0.rings")), 0);
	begins_anew();
	assert_int_equal(unlink(path_of("vhost/p0.rings")), 0);
	assert_int_equal(link(target, path_of("vhost/p0.rings")), 0);
	begins_anew();
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 100);
	port = NULL;
	open_port();
}

/* What is in the place of the file, or of its directory, is left alone. */
static void without_a_file_all_else_works(void **state)
{
	struct stat st;

	port_close(port);
	assert_int_equal(unlink(path_of("vhost/p0.rings")), 0);
	assert_int_equal(mkdir(path_of("vhost/p0.rings"), 0700), 0);
	open_port();
	start(PACKED);
	pass(70);
	front_end_fini(&f);
	assert_int_equal(stat(path_of("vhost/p0.rings"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_on),
		TEST(the_guest_looks_once),
		TEST(another_guest_begins),
		TEST(what_was_told_counts),
		TEST(a_removed_port_is_forgotten),
		TEST(a_file_that_is_not_right_is_made_anew),
		TEST(without_a_file_all_else_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
