/* The control socket, by its own client and by bytes of all kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ovsdb-lite/control.h"
#include "ovsdb-lite/control_client.h"
#include "ovsdb-lite/stream.h"
#include "scratch.h"

/* A server that runs in a thread of its own while the test calls it. */
struct fixture {
	char dir[32], path[64];
	struct event_base *base;
	struct control_server *server;
	struct control_request *waiting;
	pthread_t thread;
	int wake[2];
};

static void cmd_add(struct control_request *r, int argc,
		    const char *const argv[], void *aux)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%d\n",
		 control_wants_json(r) ? "json " : "",
		 atoi(argv[1]) + atoi(argv[2]));
	control_reply(r, text);
}

static void cmd_fail(struct control_request *r, int argc,
		     const char *const argv[], void *aux)
{
	control_reply_error(r, "no such bridge");
}

/* "wait" is answered by "release". */
static void cmd_wait(struct control_request *r, int argc,
		     const char *const argv[], void *aux)
{
	struct fixture *f = aux;

	f->waiting = r;
}

static void cmd_release(struct control_request *r, int argc,
			const char *const argv[], void *aux)
{
	struct fixture *f = aux;

	control_reply(r, f->waiting ? "released" : "nothing");
	if (f->waiting)
		control_reply(f->waiting, "at last");
	f->waiting = NULL;
}

static void cmd_stream(struct control_request *r, int argc,
		       const char *const argv[], void *aux)
{
	int fd = control_reply_and_take_socket(r, "stream follows");

	if (fd < 0)
		return;
	if (write(fd, "raw bytes", 9) != 9)
		abort();
	close(fd);
}

static void stop_cb(evutil_socket_t fd, short what, void *aux)
{
	event_base_loopbreak(aux);
}

static void *run(void *aux)
{
	struct fixture *f = aux;
	struct event *stop =
		event_new(f->base, f->wake[0], EV_READ, stop_cb, f->base);

	event_add(stop, NULL);
	event_base_dispatch(f->base);
	event_free(stop);
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_make(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/x.ctl", f->dir);
	f->base = event_base_new();
	f->server = control_server_create(f->base, f->path, NULL);
	assert_non_null(f->server);
	control_register(f->server, "add", "A B", 2, 2, cmd_add, f);
	control_register(f->server, "fail", "", 0, -1, cmd_fail, f);
	control_register(f->server, "wait", "", 0, 0, cmd_wait, f);
	control_register(f->server, "release", "", 0, 0, cmd_release, f);
	control_register(f->server, "stream", "", 0, 0, cmd_stream, f);
	assert_int_equal(pipe(f->wake), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->wake[1]);
	pthread_join(f->thread, NULL);
	control_server_destroy(f->server);
	event_base_free(f->base);
	close(f->wake[0]);
	assert_int_equal(access(f->path, F_OK), -1);
	rmdir(f->dir);
	free(f);
	return 0;
}

#define CALL(f, text, ...)                                                     \
	({                                                                     \
		const char *argv__[] = { __VA_ARGS__ };                        \
		control_call((f)->path, ARRAY_SIZE(argv__), argv__, 10000,     \
			     text, NULL, NULL, NULL);                          \
	})

static void test_commands(void **state)
{
	struct fixture *f = *state;
	char *text;

	assert_int_equal(CALL(f, &text, "add", "2", "3"), 0);
	assert_string_equal(text, "5\n");
	free(text);
	assert_int_equal(CALL(f, &text, "add", "--format=json", "2", "3"), 0);
	assert_string_equal(text, "json 5\n");
	free(text);
	assert_int_equal(CALL(f, &text, "fail", "x"), -EREMOTEIO);
	assert_string_equal(text, "no such bridge");
	free(text);
	assert_int_equal(CALL(f, &text, "list-commands"), 0);
	assert_non_null(strstr(text, "add                     A B\n"));
	assert_non_null(strstr(text, "vlog/set"));
	free(text);
	assert_int_equal(CALL(f, &text, "list-commands", "--format=json"), 0);
	assert_non_null(strstr(text, "{\"name\":\"add\",\"usage\":\"A B\"}"));
	free(text);
	assert_int_equal(CALL(f, &text, "log/list", "--format=json"), 0);
	assert_non_null(strstr(text, "\"module\":\"control\",\"console\":\""));
	free(text);
	assert_int_equal(CALL(f, &text, "version"), 0);
	assert_non_null(strstr(text, VSW_VERSION));
	free(text);
}

static void test_wrong_use(void **state)
{
	struct fixture *f = *state;
	char *text;

	assert_int_equal(CALL(f, &text, "add", "2"), -EREMOTEIO);
	assert_string_equal(text, "\"add\" command requires at least 2 "
				  "arguments");
	free(text);
	assert_int_equal(CALL(f, &text, "add", "2", "3", "4"), -EREMOTEIO);
	assert_string_equal(text, "\"add\" command takes at most 2 arguments");
	free(text);
	assert_int_equal(CALL(f, &text, "nope"), -EREMOTEIO);
	assert_string_equal(text, "\"nope\" is not a valid command (use "
				  "\"list-commands\" to see a list of valid "
				  "commands)");
	free(text);
	assert_int_equal(CALL(f, &text, "vlog/set", "no:such:thing"),
			 -EREMOTEIO);
	free(text);
}

static int send_raw(struct fixture *f, const char *bytes)
{
	int fd = stream_connect_unix(f->path, NULL);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
	return fd;
}

static char *read_all(int fd, char *buf, size_t size)
{
	struct timeval tv = { 10, 0 };
	size_t n = 0;
	ssize_t got;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	while (n + 1 < size && (got = read(fd, buf + n, size - 1 - n)) > 0)
		n += got;
	buf[n] = '\0';
	close(fd);
	return buf;
}

/* What is no request ends that connection; the others go on. */
static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.0\r\n\r\n",
		"[]",
		"{}",
		"{\"id\":1}",
		"{\"id\":1,\"method\":2,\"params\":[]}",
		"{\"id\":1,\"method\":\"add\",\"params\":{}}",
		"{\"id\":null,\"method\":\"add\",\"params\":[]}",
		"{\"id\":1,\"result\":1,\"error\":null}",
		"{\"id\":1,\"method\":\"\\ud800\",\"params\":[]}",
		"{\"id\":1 \"method\":\"add\",\"params\":[]}",
	};
	struct fixture *f = *state;
	char buf[1000], *text;

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		assert_string_equal(
			read_all(send_raw(f, garbage[i]), buf, sizeof(buf)),
			"");
	assert_int_equal(CALL(f, &text, "add", "2", "3"), 0);
	free(text);
}

/* Replies leave although the peer has shut down, or then sent garbage. */
static void test_not_strings(void **state)
{
	struct fixture *f = *state;
	char buf[500];
	int fd = send_raw(f, "{\"id\":7,\"method\":\"add\",\"params\":[1,2]}");

	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	read_all(fd, buf, sizeof(buf));
	assert_non_null(strstr(buf, "the arguments must be strings"));
	fd = send_raw(f, "{\"id\":8,\"method\":\"add\",\"params\":[\"1\","
			 "\"2\"]}x");
	read_all(fd, buf, sizeof(buf));
	assert_non_null(strstr(buf, "\"3\\n\""));
}

static void *call_wait(void *aux)
{
	char *text;

	assert_int_equal(CALL((struct fixture *)aux, &text, "wait"), 0);
	return text;
}

static void test_late_reply(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	char *text;
	void *late;
	bool done = false;

	assert_int_equal(pthread_create(&thread, NULL, call_wait, f), 0);
	while (!done) {
		assert_int_equal(CALL(f, &text, "release"), 0);
		done = !strcmp(text, "released");
		free(text);
	}
	pthread_join(thread, &late);
	assert_string_equal(late, "at last");
	free(late);
}

/* The one who waits goes away; the late reply goes nowhere. */
static void test_late_reply_to_nobody(void **state)
{
	struct fixture *f = *state;
	bool done = false;
	char *text;

	close(send_raw(f, "{\"id\":1,\"method\":\"wait\",\"params\":[]}"));
	while (!done) {
		assert_int_equal(CALL(f, &text, "release"), 0);
		done = !strcmp(text, "released");
		free(text);
	}
}

static void test_stream(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = { "stream" };
	char *text, buf[100] = "", rest[100];
	size_t more;
	int fd;

	assert_int_equal(
		control_call(f->path, 1, argv, 10000, &text, &fd, &more, NULL),
		0);
	assert_string_equal(text, "stream follows");
	memcpy(buf, text + strlen(text) + 1, more);
	strcat(buf, read_all(fd, rest, sizeof(rest)));
	assert_string_equal(buf, "raw bytes");
	free(text);
}

static void *close_late(void *fd)
{
	usleep(100000);
	close(*(int *)fd);
	return NULL;
}

/* One that was killed goes on listening for a moment. */
static void test_wait(void **state)
{
	struct fixture *f = *state;
	char *path = xasprintf("%s.late", f->path), *why = NULL;
	int old = stream_listen_unix(path, NULL), fd;
	pthread_t thread;

	assert_true(old >= 0);
	assert_int_equal(stream_listen_unix(path, &why), -EADDRINUSE);
	free(why);
	assert_int_equal(pthread_create(&thread, NULL, close_late, &old), 0);
	stream_wait_unix(path);
	fd = stream_listen_unix(path, NULL);
	assert_true(fd >= 0);
	pthread_join(thread, NULL);
	close(fd);
	unlink(path);
	free(path);
}

static void test_socket_file(void **state)
{
	struct fixture *f = *state;
	struct event_base *base = event_base_new();
	char *why = NULL;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* It is in use: another server is told so. */
	assert_null(control_server_create(base, f->path, &why));
	assert_non_null(strstr(why, "another process listens"));
	free(why);
	event_base_free(base);
}

static void test_nobody_there(void **state)
{
	struct fixture f = { .path = "/tmp/vsw-control-none/x.ctl" };
	const char *argv[] = { "version" };
	char *text, *why = NULL;

	assert_int_equal(
		control_call(f.path, 1, argv, 100, &text, NULL, NULL, &why),
		-ENOENT);
	assert_non_null(strstr(why, f.path));
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_use, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_strings, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_late_reply, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_late_reply_to_nobody,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup,
						teardown),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
