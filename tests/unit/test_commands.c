/* The control socket's commands, and a capture from port to stream. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "command_calls.h"
#include "port/null.h"

#define TIMEOUT_MS CALL_TIMEOUT_MS

static struct test_daemon f;

static int setup(void **state)
{
	test_daemon_setup(&f);
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", "{\"tag\": 5}", NULL);
	db_add_port(&f, "br0", "p2", "null", "{\"tag\": 5}", NULL);
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&f);
	return 0;
}

#define OK(...)		     answer(&f, 0, __VA_ARGS__, NULL)
#define FAILS(...)	     answer(&f, -EREMOTEIO, __VA_ARGS__, NULL)
#define contains(TEXT, PART) assert_non_null(strstr(TEXT, PART))

static void test_fdb(void **state)
{
	assert_string_equal(OK("fdb/show", "br0"),
			    " port  VLAN  MAC                Age\n");
	assert_string_equal(
		OK("fdb/add", "br0", "p2", "5", "02:00:00:00:00:77"), "");
	assert_string_equal(OK("fdb/show", "br0"),
			    " port  VLAN  MAC                Age\n"
			    "    2     5  02:00:00:00:00:77  static\n");
	fdb_learn(vswitch_find_bridge(f.vs, "br0")->fdb,
		  fdb_make_key(0x020000000001, 5),
		  vswitch_find_vport(f.vs, "p1")->number);
	contains(OK("fdb/show", "br0"), "    1     5  02:00:00:00:00:01    ");
	contains(OK("fdb/stats-show", "br0"), "table: 1/8192\n");
	contains(OK("fdb/flush", "br0", "port=p1"), "successfully flushed");
	assert_null(strstr(OK("fdb/show", "br0"), "00:01"));
	OK("fdb/del", "br0", "5", "02:00:00:00:00:77");
	contains(FAILS("fdb/del", "br0", "5", "02:00:00:00:00:77"),
		 "no such entry");
}

static void test_fdb_json(void **state)
{
	json_t *json, *row;

	OK("fdb/add", "br0", "p2", "5", "02:00:00:00:00:77");
	json = json_loads(OK("fdb/show", "br0", "--format=json"), 0, NULL);
	assert_int_equal(json_array_size(json), 1);
	row = json_array_get(json, 0);
	assert_string_equal(json_string_value(json_object_get(row, "port")),
			    "p2");
	assert_int_equal(json_integer_value(json_object_get(row, "vlan")), 5);
	json_decref(json);
}

static void test_mistakes(void **state)
{
	contains(FAILS("fdb/show", "br9"), "no such bridge");
	contains(FAILS("fdb/show"), "requires at least 1 arguments");
	contains(FAILS("fdb/add", "br0", "p9", "5", "02:00:00:00:00:77"),
		 "no such port");
	contains(FAILS("fdb/add", "br0", "p1", "4095", "02:00:00:00:00:77"),
		 "4095");
	contains(FAILS("fdb/add", "br0", "p1", "5", "01:00:00:00:00:77"),
		 "unicast");
	contains(FAILS("fdb/flush", "br0", "colour=red"), "colour=red");
	contains(FAILS("port/stats", "p9"), "no such port");
	contains(FAILS("drops", "p9"), "no such port");
	contains(FAILS("log/set", "no-such-module:dbg"), "no-such-module");
	contains(FAILS("capture", "p9"), "no such bridge or port");
	contains(FAILS("capture", "p1", "tcp", "and", "and"), "filter");
	contains(FAILS("capture", "p1", "snaplen=0"), "snaplen");
	contains(FAILS("nonsense"), "is not a valid command");
	assert_null(f.vs->captures);
}

static void test_shows(void **state)
{
	contains(OK("bridge/show"), "br0:\n      1  p1 ");
	contains(OK("port/stats", "p1"), "rx_packets ");
	assert_string_equal(OK("drops"), "");
	contains(OK("worker/show"), "port: p1 ");
	contains(OK("worker/show"), "busy cycles per packet: ");
	contains(OK("worker/show", "--format=json"), "\"usage_percent\":");
	assert_string_equal(OK("worker/clear"), "");
	contains(OK("memory/show"), "bridges:1 ports:2 ");
	contains(OK("coverage/show"), "snapshot_published");
	contains(OK("log/list"), "bridge");
	json_decref(json_loads(OK("port/stats", "--format=json"), 0, NULL));
}

/* --- capture ---------------------------------------------------------------
 */

/* Reads the stream to its end, while the loop turns. */
struct reader {
	pthread_t thread;
	int fd;
	FILE *file;
	_Atomic bool done;
};

static void *reader_main(void *aux)
{
	struct reader *r = aux;
	char buffer[4096];
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		poll(&p, 1, TIMEOUT_MS);
		n = read(r->fd, buffer, sizeof(buffer));
		if (n <= 0 && !(n < 0 && errno == EAGAIN))
			break;
		if (n > 0)
			fwrite(buffer, 1, n, r->file);
	}
	r->done = true;
	return NULL;
}

static bool frames_passed(struct test_daemon *d, void *aux)
{
	const struct timeval soon = { .tv_usec = 1000 };
	struct port_counters c;

	port_get_counters(vswitch_find_vport(d->vs, "p1")->port, &c);
	if (c.rx_packets >= *(uint64_t *)aux)
		return true;
	event_base_loopexit(d->base, &soon);
	return false;
}

static void inject(const char *port, uint8_t first, uint8_t source)
{
	uint8_t frame[60] = { first, 0xff, 0xff, 0xff, 0xff, 0xff, source,
			      0,     0,	   0,	 0,    1,    0x08, 0x00 };

	assert_int_equal(null_inject(vswitch_find_vport(f.vs, port)->port,
				     frame, sizeof(frame), NULL),
			 0);
}

/* Starts a capture on what the arguments say; then two frames come in. */
static void capture(FILE *file, ...)
{
	struct reader r = { .file = file, .fd = -1 };
	struct call c = { .fd = &r.fd };
	uint64_t two = 2;
	va_list args;

	va_start(args, file);
	assert_int_equal(vcall(&f, &c, args), 0);
	va_end(args);
	assert_true(r.fd >= 0);
	fwrite(c.text + strlen(c.text) + 1, 1, c.n_more, file);
	free(c.text);
	inject("p1", 0xff, 0x02);
	inject("p1", 0xff, 0x03); /* from a group: dropped */
	/* Received is not yet sent: that is, when no worker is in a burst. */
	test_daemon_wait(&f, frames_passed, &two);
	vswitch_publish(f.vs);
	assert_int_equal(pthread_create(&r.thread, NULL, reader_main, &r), 0);
	/* Our end says that it is enough; the rest comes, and the end. */
	shutdown(r.fd, SHUT_WR);
	test_daemon_wait(&f, turn_until, &r.done);
	pthread_join(r.thread, NULL);
	close(r.fd);
	fflush(file);
}

static unsigned count_packets(char *bytes, size_t n)
{
	FILE *file = fmemopen(bytes, n, "r");
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *pcap = pcap_fopen_offline(file, why);
	unsigned packets = 0;

	if (!pcap)
		fail_msg("%s", why);
	while (pcap_next_ex(pcap, &head, &data) == 1)
		packets++;
	pcap_close(pcap);
	return packets;
}

static void test_capture_bridge(void **state)
{
	char *bytes = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&bytes, &n);

	capture(file, "capture", "br0", NULL);
	/* In at p1, out at p2, and the one that was dropped at p1. */
	assert_int_equal(count_packets(bytes, n), 3);
	assert_non_null(memmem(bytes, n, "drop: bad-source", 16));
	assert_non_null(memmem(bytes, n, "p2", 2));
	fclose(file);
	free(bytes);
	assert_null(f.vs->captures);
	assert_null(db_find_fwd_port(&f, "br0", "p1")->capture);
}

static void test_capture_filter(void **state)
{
	char *bytes = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&bytes, &n);

	capture(file, "capture", "p1", "ether", "src", "03:00:00:00:00:01",
		NULL);
	assert_int_equal(count_packets(bytes, n), 1);
	fclose(file);
	free(bytes);
}

/* The client vanishes without a word. */
static bool no_capture(struct test_daemon *d, void *aux)
{
	return !d->vs->captures;
}

static void start(struct call *c, ...)
{
	va_list args;

	va_start(args, c);
	assert_int_equal(vcall(&f, c, args), 0);
	va_end(args);
}

static void test_capture_client_gone(void **state)
{
	int fd = -1;
	struct call c = { .fd = &fd };

	start(&c, "capture", "p1", NULL);
	free(c.text);
	assert_non_null(f.vs->captures);
	close(fd);
	test_daemon_wait(&f, no_capture, NULL);
	assert_null(db_find_fwd_port(&f, "br0", "p1")->capture);
}

/* The daemon ends while a capture runs. */
static void test_capture_at_the_end(void **state)
{
	int fd = -1;
	struct call c = { .fd = &fd };
	char buffer[4096];

	start(&c, "capture", "br0", NULL);
	free(c.text);
	test_daemon_stop(&f);
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
	test_daemon_start(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(test_fdb),
		T(test_fdb_json),
		T(test_mistakes),
		T(test_shows),
		T(test_capture_bridge),
		T(test_capture_filter),
		T(test_capture_client_gone),
		T(test_capture_at_the_end),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	answer_done();
	return failed;
}
