/*
 * vhost-user ports from their socket to their queues, with a front end in the
 * same process: listening, connecting, being left, and what the options say.
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
#include "scratch.h"
#include "vhost_front_end.h"

#define SEND_RARP 19
#define THREADS	  3

static struct event_base *base;
static char dir[32];
static struct port *port;
static unsigned n_changes;

static void changed(struct port *p, void *arg)
{
	assert_ptr_equal(p, port);
	n_changes++;
}

static int setup(void **state)
{
	scratch_make(dir);
	log_set("ANY:console:off", NULL);
	base = event_base_new();
	port = NULL;
	n_changes = 0;
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

/* options: "key", "value", ..., NULL */
static int open_port(const char *type, char **errp, ...)
{
	struct port_option options[8];
	struct port_config config = {
		.name = "p0",
		.type = type,
		.options = options,
		.n_threads = THREADS,
		.n_rxqs = THREADS - 1,
		.events = base,
		.changed = changed,
		.run_dir = dir,
	};
	va_list args;
	const char *key;

	va_start(args, errp);
	while ((key = va_arg(args, const char *))) {
		options[config.n_options].key = key;
		options[config.n_options++].value = va_arg(args, const char *);
	}
	va_end(args);
	return port_open(&config, &port, errp);
}

#define must_open(...)                                                         \
	do {                                                                   \
		char *why_ = NULL;                                             \
		if (open_port(__VA_ARGS__))                                    \
			fail_msg("it cannot be opened");                       \
		free(why_);                                                    \
	} while (0)

#define must_refuse(PART, TYPE, ...)                                           \
	do {                                                                   \
		char *why_ = NULL;                                             \
		assert_int_not_equal(open_port(TYPE, &why_, __VA_ARGS__), 0);  \
		assert_non_null(why_);                                         \
		if (!strstr(why_, PART))                                       \
			fail_msg("\"%s\" does not say \"%s\"", why_, PART);    \
		free(why_);                                                    \
		port = NULL;                                                   \
	} while (0)

static const char *path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool is_connected(void *aux)
{
	struct vhost_user_info info;

	assert_true(vhost_user_get_info(port, &info));
	return info.connected == *(bool *)aux;
}

static void wait_connected(bool connected)
{
	front_end_wait(base, is_connected, &connected);
}

/* A front end that has connected and set one queue pair up. */
static void start(struct front_end *f, uint64_t features, unsigned n_pairs)
{
	int fd = front_end_connect(path_of("p0"));

	assert_true(fd >= 0);
	front_end_init(f, base, fd);
	front_end_start(f, features | DRIVER_MODERN, n_pairs);
}

struct described {
	const char *key;
	char value[256];
};

static void note(void *arg, const char *key, const char *value)
{
	struct described *d = arg;

	if (!strcmp(d->key, key))
		snprintf(d->value, sizeof(d->value), "%s", value);
}

static const char *status_of(const char *key)
{
	static struct described d;

	d.key = key;
	d.value[0] = '\0';
	port->class->describe(port, note, &d);
	return d.value;
}

static bool link_is_up(void)
{
	struct port_status status;

	port_get_status(port, &status);
	return status.link_up;
}

/* --- sockets ---------------------------------------------------------------
 */

static void test_socket_is_made_and_removed(void **state)
{
	struct stat st;

	must_open("vhostuser", NULL, "socket-mode", "0606", NULL);
	assert_int_equal(lstat(path_of("p0"), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0606);
	assert_string_equal(status_of("mode"), "server");
	assert_string_equal(status_of("status"), "disconnected");
	assert_string_equal(status_of("socket"), path_of("p0"));
	port_close(port);
	port = NULL;
	assert_int_equal(lstat(path_of("p0"), &st), -1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(sa.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void test_only_a_dead_socket_is_replaced(void **state)
{
	int fd = listen_at(path_of("p0"));

	must_refuse("another process listens", "dpdkvhostuser", NULL);
	close(fd);
	must_open("dpdkvhostuser", NULL, NULL);
	port_close(port);
	port = NULL;
	fd = open(path_of("p0"), O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	must_refuse("no socket", "vhostuser", NULL);
	assert_int_equal(access(path_of("p0"), F_OK), 0);
}

static void test_another_s_socket_is_left(void **state)
{
	int fd;

	must_open("vhostuser", NULL, NULL);
	assert_int_equal(unlink(path_of("p0")), 0);
	fd = listen_at(path_of("p0"));
	port_close(port);
	port = NULL;
	assert_int_equal(access(path_of("p0"), F_OK), 0);
	close(fd);
}

static void test_one_front_end_at_a_time(void **state)
{
	struct front_end f;
	int second;

	must_open("vhostuser", NULL, NULL);
	start(&f, 0, 1);
	second = front_end_connect(path_of("p0"));
	assert_true(second >= 0);
	assert_true(front_end_is_refused(base, second));
	close(second);
	assert_true(link_is_up());
	/* One that comes when the first has just gone is not refused. */
	front_end_hang_up(&f);
	front_end_fini(&f);
	start(&f, 0, 1);
	assert_true(link_is_up());
	front_end_fini(&f);
}

static int try_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static int listener, accepted;

static bool has_accepted(void *aux)
{
	accepted = try_accept(listener);
	return accepted >= 0;
}

static void test_client_connects_again(void **state)
{
	struct front_end f;

	must_open("dpdkvhostuserclient", NULL, "vhost-server-path",
		  path_of("monitor"), NULL);
	assert_string_equal(status_of("mode"), "client");
	event_base_loop(base, EVLOOP_NONBLOCK);
	listener = listen_at(path_of("monitor"));
	for (int i = 0; i < 3; i++) {
		front_end_wait(base, has_accepted, NULL);
		front_end_init(&f, base, accepted);
		front_end_start(&f, DRIVER_MODERN, 1);
		assert_true(link_is_up());
		front_end_fini(&f);
		wait_connected(false);
		assert_false(link_is_up());
	}
	close(listener);
}

/* --- queues ----------------------------------------------------------------
 */

static void test_queues_follow_the_front_end(void **state)
{
	struct port_status status;
	struct front_end f;
	uint16_t epoch;

	must_open("vhostuser", NULL, "queues", "3", NULL);
	assert_int_equal(port->n_rxqs, 3);
	assert_true(port->rxqs[0]->idle);
	assert_false(port->tx_enabled);
	start(&f, FEATURE(VIRTIO_NET_F_MQ), 2);
	assert_true(n_changes > 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(port->rxqs[i]->idle, i == 2);
	assert_true(port->rxqs[1]->fd >= 0);
	assert_true(port->tx_enabled);
	assert_string_equal(status_of("status"), "connected");
	assert_string_equal(status_of("num_of_vrings"), "4");
	assert_string_equal(status_of("vring_3_size"), "64");
	port->class->settled(port);
	epoch = port->rxqs[0]->epoch;
	front_end_fini(&f);
	wait_connected(false);
	assert_true(port->rxqs[0]->idle);
	assert_int_not_equal(port->rxqs[0]->epoch, epoch);
	assert_false(port->tx_enabled);
	port_get_status(port, &status);
	assert_int_equal(status.link_resets, 2);
	assert_string_equal(status_of("last_error"), "");
	port->class->settled(port);
}

static uint8_t frame[60];

static void fill_frame(void)
{
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = i * 7;
	frame[0] = frame[6] = 2;
}

static void test_frames_pass(void **state)
{
	static struct driver_frame got;
	static struct packet packets[4];
	static const struct driver_layout layout;
	struct packet *one = packets;
	struct port_counters counters;
	struct front_end f;
	uint8_t bytes[sizeof(frame)];

	fill_frame();
	must_open("vhostuser", NULL, NULL);
	start(&f, FEATURE(VIRTIO_NET_F_MQ), 2);
	assert_int_equal(driver_put_frame(f.from_guest[1], &layout, NULL, frame,
					  sizeof(frame)),
			 0);
	driver_publish(f.from_guest[1]);
	assert_int_equal(port->class->receive(port->rxqs[0], packets, 4, 1), 0);
	assert_int_equal(port->class->receive(port->rxqs[1], packets, 4, 1), 1);
	assert_int_equal(packets[0].len, sizeof(frame));
	assert_true(packet_pull(&packets[0], ETH_HEADER_LEN));
	assert_int_equal(packet_read(&packets[0], 0, bytes, sizeof(bytes)),
			 sizeof(frame));
	assert_memory_equal(bytes, frame, sizeof(frame));
	/* Threads 1 and 2 send on the second and the first queue. */
	port_send(port, &one, 1, 1);
	port_send(port, &one, 1, 2);
	port->class->done(port->rxqs[1]);
	assert_int_equal(driver_reclaim(f.from_guest[1]), 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(driver_take_frame(f.to_guest[i], &got));
		assert_int_equal(got.len, sizeof(frame));
		assert_memory_equal(got.data, frame, sizeof(frame));
		assert_false(driver_take_frame(f.to_guest[i], &got));
	}
	front_end_fini(&f);
	wait_connected(false);
	port_send(port, &one, 1, 1);
	port_get_counters(port, &counters);
	assert_int_equal(counters.tx_packets, 2);
	assert_int_equal(counters.drops[DROP_TX_DOWN], 1);
}

static void test_guest_is_announced(void **state)
{
	const uint8_t mac[8] = { 2, 0, 0, 0, 0xab, 0xcd };
	struct packet packets[2];
	struct front_end f;
	uint8_t bytes[60];
	unsigned changes;
	uint16_t epoch;

	must_open("vhostuser", NULL, NULL);
	start(&f, 0, 1);
	epoch = port->rxqs[0]->epoch;
	changes = n_changes;
	front_end_say(&f, SEND_RARP, mac, sizeof(mac), NULL, 0);
	front_end_ask(&f, 1);
	/* Its worker is woken by the next snapshot. */
	assert_int_not_equal(port->rxqs[0]->epoch, epoch);
	assert_true(n_changes > changes);
	assert_false(port->class->arm(port->rxqs[0]));
	assert_int_equal(port->class->receive(port->rxqs[0], packets, 2, 1), 1);
	assert_int_equal(packet_read(&packets[0], 0, bytes, sizeof(bytes)), 60);
	assert_int_equal(bytes[0], 0xff);
	assert_memory_equal(bytes + 6, mac, 6);
	assert_int_equal(load_be16(bytes + 12), 0x8035);
	assert_memory_equal(bytes + 32, mac, 6);
	port->class->done(port->rxqs[0]);
	assert_int_equal(port->class->receive(port->rxqs[0], packets, 2, 1), 0);
	front_end_fini(&f);
}

static void test_nonsense_ends_the_connection(void **state)
{
	struct front_end f;
	uint8_t nonsense[12];

	must_open("vhostuser", NULL, NULL);
	start(&f, 0, 1);
	memset(nonsense, 0xff, sizeof(nonsense));
	assert_int_equal(write(f.socket, nonsense, sizeof(nonsense)),
			 sizeof(nonsense));
	wait_connected(false);
	assert_string_not_equal(status_of("last_error"), "");
	assert_true(front_end_is_refused(base, f.socket));
	front_end_fini(&f);
	start(&f, 0, 1);
	assert_true(link_is_up());
	assert_string_equal(status_of("last_error"), "");
	front_end_fini(&f);
}

static void test_memory_that_goes_away(void **state)
{
	static const struct driver_layout layout;
	struct packet packets[2];
	struct front_end f;

	vhost_memory_guard();
	fill_frame();
	must_open("vhostuser", NULL, NULL);
	start(&f, 0, 1);
	assert_int_equal(driver_put_frame(f.from_guest[0], &layout, NULL, frame,
					  sizeof(frame)),
			 0);
	driver_publish(f.from_guest[0]);
	assert_int_equal(ftruncate(f.memory.fd, 0), 0);
	port->class->receive(port->rxqs[0], packets, 2, 1);
	wait_connected(false);
	assert_non_null(strstr(status_of("last_error"), "memory"));
	front_end_fini(&f);
}

/* --- options ---------------------------------------------------------------
 */

static void test_wrong_options(void **state)
{
	char longer[200];

	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	must_refuse("needs the front end's socket", "vhostuserclient", NULL);
	must_refuse("there is no option 'pakced'", "vhostuser", "pakced",
		    "false", NULL);
	must_refuse("from 1 to 128", "vhostuser", "queues", "0", NULL);
	must_refuse("from 1 to 128", "vhostuser", "queues", "129", NULL);
	must_refuse("octal", "vhostuser", "socket-mode", "rw-rw----", NULL);
	must_refuse("no such user", "vhostuser", "socket-owner",
		    "nobody-of-that-name", NULL);
	must_refuse("no such group", "vhostuser", "socket-group",
		    "nobody-of-that-name", NULL);
	must_refuse("true or false", "vhostuser", "packed", "off", NULL);
	must_refuse("at most", "vhostuser", "vhost-server-path", longer, NULL);
	must_refuse("cannot listen", "vhostuser", "vhost-server-path",
		    "no/such/directory", NULL);
}

static void test_features_are_switched_off(void **state)
{
	struct front_end f;

	must_open("vhostuser", NULL, "mrg_rxbuf", "false", "tx-retries-max",
		  "3", NULL);
	start(&f, FEATURE(VIRTIO_NET_F_MRG_RXBUF) | FEATURE(VIRTIO_NET_F_CSUM),
	      1);
	assert_int_equal(f.features & FEATURE(VIRTIO_NET_F_MRG_RXBUF), 0);
	assert_int_not_equal(f.features & FEATURE(VIRTIO_NET_F_CSUM), 0);
	front_end_fini(&f);
}

static int reconfigure(const char *key, const char *value, unsigned mtu)
{
	const struct port_option option = { key, value };
	const struct port_config config = {
		.name = "p0",
		.type = "vhostuser",
		.options = &option,
		.n_options = key ? 1 : 0,
		.n_threads = THREADS,
		.run_dir = dir,
		.mtu_request = mtu,
	};

	return port->class->reconfigure(port, &config, NULL);
}

static void test_what_changes_without_a_reconnect(void **state)
{
	struct front_end f;
	struct stat st;

	must_open("vhostuser", NULL, NULL);
	start(&f, 0, 1);
	assert_int_equal(reconfigure("socket-mode", "0666", 0), 0);
	assert_int_equal(lstat(path_of("p0"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(reconfigure("socket-mode", "0666", 9000), 0);
	assert_int_equal(port->mtu, 9000);
	assert_true(link_is_up());
	assert_int_equal(reconfigure("queues", "2", 0), -EOPNOTSUPP);
	assert_int_equal(reconfigure("quues", "2", 0), -EINVAL);
	front_end_fini(&f);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_socket_is_made_and_removed),
		T(test_only_a_dead_socket_is_replaced),
		T(test_another_s_socket_is_left),
		T(test_one_front_end_at_a_time),
		T(test_client_connects_again),
		T(test_queues_follow_the_front_end),
		T(test_frames_pass),
		T(test_guest_is_announced),
		T(test_nonsense_ends_the_connection),
		T(test_memory_that_goes_away),
		T(test_wrong_options),
		T(test_features_are_switched_off),
		T(test_what_changes_without_a_reconnect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
