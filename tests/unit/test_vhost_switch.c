/*
 * vhost-user ports in a whole switch, workers and database included: frames
 * from one front end to another, and front ends that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon_fixture.h"
#include "port/vhost_user.h"
#include "vhost_front_end.h"

static struct test_daemon f;

static int setup(void **state)
{
	test_daemon_setup(&f);
	db_add_bridge(&f, "br-vhost");
	db_add_port(&f, "br-vhost", "a", "vhostuser", NULL, NULL);
	db_add_port(&f, "br-vhost", "b", "dpdkvhostuser", NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&f);
	return 0;
}

static void start(struct front_end *end, const char *port)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f.dir, port);
	fd = front_end_connect(path);
	assert_true(fd >= 0);
	front_end_init(end, f.base, fd);
	front_end_start(end, DRIVER_MODERN, 1);
}

struct column {
	const char *port, *column, *part;
};

static bool has_part(struct test_daemon *d, void *aux)
{
	const struct column *c = aux;

	return strstr(db_get_text(d, "Interface", c->port, c->column), c->part);
}

static void wait_column(const char *port, const char *column, const char *part)
{
	struct column c = { port, column, part };

	test_daemon_wait(&f, has_part, &c);
}

static struct driver_frame got;

static bool has_frame(void *end)
{
	return driver_take_frame(((struct front_end *)end)->to_guest[0], &got);
}

/* A broadcast: it needs no learning. */
static void pass_frame(struct front_end *from, struct front_end *to,
		       uint8_t mark)
{
	static const struct driver_layout layout;
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 };

	frame[11] = frame[59] = mark;
	assert_int_equal(driver_put_frame(from->from_guest[0], &layout, NULL,
					  frame, sizeof(frame)),
			 0);
	driver_kick(from->from_guest[0]);
	front_end_wait(f.base, has_frame, to);
	assert_int_equal(got.len, sizeof(frame));
	assert_memory_equal(got.data, frame, sizeof(frame));
}

static void test_frames_between_guests(void **state)
{
	struct front_end a, b;

	wait_column("a", "link_state", "down");
	start(&a, "a");
	start(&b, "b");
	wait_column("a", "link_state", "up");
	wait_column("b", "link_state", "up");
	for (uint8_t i = 1; i < 20; i++) {
		pass_frame(&a, &b, i);
		pass_frame(&b, &a, i + 100);
	}
	/* Another front end takes the place of one. */
	front_end_fini(&b);
	wait_column("b", "link_state", "down");
	start(&b, "b");
	wait_column("b", "link_state", "up");
	pass_frame(&a, &b, 50);
	front_end_fini(&a);
	front_end_fini(&b);
}

#define N_FLAPS 100

/*
 * A front end that comes and goes without end costs a snapshot every 10 ms and
 * a few rows a second, and in the end the database knows how things are.
 */
static void test_flapping_costs_little(void **state)
{
	uint64_t before = f.vs->generation, most;
	struct front_end a, b;
	struct timespec from, to;

	start(&b, "b");
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < N_FLAPS; i++) {
		start(&a, "a");
		front_end_fini(&a);
		event_base_loop(f.base, EVLOOP_NONBLOCK);
		assert_true(vswitch_find_vport(f.vs, "a")->n_tells <= 4);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	most = (to.tv_sec - from.tv_sec) * 100 +
	       (to.tv_nsec - from.tv_nsec) / 10000000 + 4;
	assert_true(f.vs->generation - before <= most);
	start(&a, "a");
	wait_column("a", "link_state", "up");
	pass_frame(&b, &a, 7);
	front_end_fini(&a);
	wait_column("a", "link_state", "down");
	front_end_fini(&b);
}

/* The switch ends, or the port goes, while frames are on their way. */
static void test_port_is_deleted_under_load(void **state)
{
	static const struct driver_layout layout;
	static const uint8_t frame[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2
	};
	struct front_end a, b;

	start(&a, "a");
	start(&b, "b");
	wait_column("b", "link_state", "up");
	for (unsigned i = 0; i < 32; i++)
		driver_put_frame(a.from_guest[0], &layout, NULL, frame,
				 sizeof(frame));
	driver_kick(a.from_guest[0]);
	db_del_port(&f, "br-vhost", "b");
	db_del_port(&f, "br-vhost", "a");
	assert_true(front_end_is_refused(f.base, a.socket));
	front_end_fini(&a);
	front_end_fini(&b);
}

static void test_wrong_option_is_an_error(void **state)
{
	db_set_row(&f, "Interface", "a",
		   "{\"options\": [\"map\", [[\"queus\", \"2\"]]]}");
	wait_column("a", "error", "there is no option 'queus'");
	db_set_row(&f, "Interface", "a",
		   "{\"options\": [\"map\", [[\"queues\", \"2\"]]]}");
	wait_column("a", "error", "[]");
	assert_int_equal(db_find_fwd_port(&f, "br-vhost", "a")->port->n_rxqs,
			 2);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_frames_between_guests),
		T(test_flapping_costs_little),
		T(test_port_is_deleted_under_load),
		T(test_wrong_option_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
