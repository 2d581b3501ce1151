/* The limits of the API socket: what a client may send, and leave unread. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ovsdb-lite/stream.h"
#include "tests/unit/scratch.h"
#include "vmm/host/api.h"

static char scratch[SCRATCH_SIZE], *path;
static struct event_base *base;
static struct api *api;
static struct api_request *kept[32]; /* not answered yet */
static size_t n_kept;

static void command(struct api_request *request, const char *name,
		    const json_t *message, void *aux)
{
	if (!strcmp(name, "wait"))
		kept[n_kept++] = request;
	else
		api_reply(request, json_pack("{s:s}", "was", name), NULL);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static int connect_client(void)
{
	int fd = stream_connect_unix(path, NULL);

	assert_true(fd >= 0);
	turn();
	return fd;
}

static void request(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
	turn();
}

static const char *reply(int fd)
{
	static char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static bool is_open(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK);

	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void test_replies(void **state)
{
	int fd = connect_client();
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, geteuid() ? 0600 : 0660);
	request(fd, "{\"id\": [1], \"cmd\"");
	request(fd, ": \"a\"}\n{\"cmd\": \"b\"}");
	assert_string_equal(reply(fd), "{\"id\":[1],\"result\":{\"was\":"
				       "\"a\"}}\n{\"id\":null,\"result\":"
				       "{\"was\":\"b\"}}\n");
	request(fd, "{}\n\n");
	assert_string_equal(reply(fd), "{\"id\":null,\"error\":\"a request "
				       "needs \\\"cmd\\\", a string\"}\n");
	assert_true(is_open(fd));
	close(fd);
}

static void test_too_much(void **state)
{
	static const char *const bad[] = { "[1]\n", "{\"cmd\": nonsense}\n",
					   "{{{{{{{{{" };
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fd = connect_client();
		request(fd, bad[i]);
		assert_false(is_open(fd));
		close(fd);
	}
	fd = connect_client();
	request(fd, "{\"cmd\": \"");
	for (int i = 0; i < 80 && is_open(fd); i++) {
		char text[1024];

		memset(text, 'x', sizeof(text));
		send(fd, text, sizeof(text), MSG_NOSIGNAL);
		turn();
	}
	assert_false(is_open(fd));
	close(fd);
}

/* A few at a time, the others wait; also of who has closed its side. */
static void test_waiting(void **state)
{
	int fd = connect_client();

	for (int i = 0; i < 20; i++)
		request(fd, "{\"cmd\": \"wait\"}");
	assert_int_equal(n_kept, 16);
	api_reply(kept[--n_kept], NULL, NULL);
	turn();
	assert_int_equal(n_kept, 16);
	shutdown(fd, SHUT_WR);
	turn();
	for (int i = 1; i < 20; i++) {
		assert_true(is_open(fd) && n_kept);
		api_reply(kept[--n_kept], NULL, NULL);
		turn();
	}
	assert_int_equal(n_kept, 0);
	assert_int_equal(strlen(reply(fd)), 20 * 24);
	assert_false(is_open(fd));
	close(fd);
}

static void test_gone(void **state)
{
	int fd = connect_client();

	signal(SIGPIPE, SIG_IGN); /* as the keeper does */
	for (int i = 0; i < 20; i++)
		request(fd, "{\"cmd\": \"wait\"}");
	close(fd);
	turn();
	while (n_kept) {
		api_reply(kept[--n_kept], NULL, NULL);
		turn();
	}
}

static void test_unread(void **state)
{
	json_t *event = json_pack("{s:s}", "event", "any");
	int fd = connect_client(), other = connect_client();
	char buf[65536];

	request(fd, "{\"cmd\": \"events\"}");
	for (int i = 0; i < 200000; i++) {
		api_event(api, event);
		if (i % 1000 == 0)
			turn();
	}
	turn();
	for (ssize_t n = 1; n > 0;)
		n = read(fd, buf, sizeof(buf));
	assert_false(is_open(fd));
	assert_true(is_open(other));
	json_decref(event);
	close(fd);
	close(other);
}

static int set_up(void **state)
{
	scratch_make(scratch);
	path = xasprintf("%s/api.sock", scratch);
	base = event_base_new();
	api = api_create(base, path, command, NULL, NULL);
	return api ? 0 : -1;
}

static int tear_down(void **state)
{
	api_destroy(api);
	event_base_free(base);
	unlink(path);
	rmdir(scratch);
	free(path);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replies), TEST(test_too_much), TEST(test_waiting),
		TEST(test_gone),    TEST(test_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
