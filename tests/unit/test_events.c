/* The switch's events (vswd/events.h): what is kept, and who follows. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vswd/events.h"

#define ALL ((1u << N_EVENT_KINDS) - 1)

/* The clock stands still, but for what a test adds. */
static uint64_t now_ms;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	ts->tv_sec = 1000 + now_ms / 1000;
	ts->tv_nsec = now_ms % 1000 * 1000000;
	return 0;
}

static struct event_base *base;
static struct events *events;

static int setup(void **state)
{
	base = event_base_new();
	events = events_create(base);
	return 0;
}

static int teardown(void **state)
{
	events_destroy(events);
	event_base_free(base);
	return 0;
}

/* So many of a kind, each of them long after the one before. */
static void note_slowly(enum event_kind kind, const char *port, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		now_ms += 1000;
		events_note(events, kind, "br0", port,
			    json_pack("{s:i}", "number", (int)i), "number %u",
			    i);
	}
}

static json_t *read_all(void)
{
	return events_read(events, &(struct events_filter){ .kinds = ALL });
}

static json_int_t number(const json_t *array, size_t i, const char *key)
{
	return json_integer_value(
		json_object_get(json_array_get(array, i), key));
}

static void each_kind_has_a_bounded_ring(void **state)
{
	json_t *all;

	note_slowly(EVENT_LINK, "p0", 2);
	note_slowly(EVENT_VIOLATION, "p1", EVENTS_KEPT + 10);
	all = read_all();
	assert_int_equal(json_array_size(all), EVENTS_KEPT + 2);
	/* The other kind is there still, and in its place. */
	assert_int_equal(number(all, 0, "id"), 1);
	assert_int_equal(number(all, 1, "id"), 2);
	assert_int_equal(number(all, 2, "number"), 10);
	for (size_t i = 1; i < json_array_size(all); i++)
		assert_true(number(all, i - 1, "id") < number(all, i, "id"));
	json_decref(all);
}

static void what_comes_too_fast_is_counted(void **state)
{
	json_t *all;

	for (unsigned i = 0; i < EVENTS_BURST + 77; i++)
		events_note(events, EVENT_VIOLATION, "br0", "p1", NULL, "x");
	events_note(events, EVENT_LINK, "br0", "p1", NULL, "another kind");
	all = read_all();
	assert_int_equal(json_array_size(all), EVENTS_BURST + 1);
	json_decref(all);
	now_ms += 1000;
	for (unsigned i = 0; i < EVENTS_RATE + 5; i++)
		events_note(events, EVENT_VIOLATION, "br0", "p1", NULL, "y");
	all = read_all();
	assert_int_equal(json_array_size(all), EVENTS_BURST + 1 + EVENTS_RATE);
	assert_int_equal(number(all, EVENTS_BURST - 1, "missing"), 0);
	assert_int_equal(number(all, EVENTS_BURST, "missing"), 0);
	assert_int_equal(number(all, EVENTS_BURST + 1, "missing"), 77);
	assert_int_equal(number(all, EVENTS_BURST + 2, "missing"), 0);
	json_decref(all);
}

static size_t found(uint32_t kinds, const char *port, uint64_t after)
{
	json_t *all = events_read(
		events, &(struct events_filter){
				.kinds = kinds, .port = port, .after = after });
	size_t n = json_array_size(all);

	json_decref(all);
	return n;
}

static void filters(void **state)
{
	events_note(events, EVENT_LINK, "br0", "p1", NULL, "1");
	events_note(events, EVENT_LINK, "br0", "p2", NULL, "2");
	events_note(events, EVENT_BOND, "br1", "p1", NULL, "3");
	events_note(events, EVENT_TABLE_FULL, "br1", NULL, NULL, "4");
	assert_int_equal(found(ALL, NULL, 0), 4);
	assert_int_equal(found(1u << EVENT_LINK, NULL, 0), 2);
	assert_int_equal(found(1u << EVENT_LINK | 1u << EVENT_BOND, NULL, 0),
			 3);
	assert_int_equal(found(ALL, "p1", 0), 2);
	assert_int_equal(found(ALL, "br1", 0), 2);
	assert_int_equal(found(ALL, "p3", 0), 0);
	assert_int_equal(found(ALL, NULL, 3), 1);
	assert_int_equal(found(ALL, NULL, 4), 0);
	assert_int_equal(event_kind_find("table-full"), EVENT_TABLE_FULL);
	assert_int_equal(event_kind_find("tables"), -1);
}

static void text_is_one_line(void **state)
{
	json_t *all;
	char *text;

	events_note(events, EVENT_LINK, "br0", "p1",
		    json_pack("{s:b}", "up", true), "link %s", "up");
	all = read_all();
	text = event_to_text(json_array_get(all, 0));
	assert_non_null(strstr(text, " link       br0 p1: link up\n"));
	free(text);
	assert_true(
		json_is_true(json_object_get(json_array_get(all, 0), "up")));
	json_decref(all);
}

/* --- followers -------------------------------------------------------------
 */

struct peer {
	int fd;
	char text[1 << 16]; /* what was read last */
};

static bool follow(struct peer *peer, const struct events_filter *filter,
		   bool json)
{
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	peer->fd = fds[0];
	return events_follow(events, fds[1], filter, json);
}

static const char *heard(struct peer *peer)
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(peer->fd, peer->text + have,
			 sizeof(peer->text) - 1 - have)) > 0)
		have += n;
	peer->text[have] = '\0';
	return peer->text;
}

static bool is_ended(const struct peer *peer)
{
	char c;

	return read(peer->fd, &c, 1) == 0;
}

static void followers_are_told(void **state)
{
	static struct peer text, json;
	json_t *event;
	const char *line;

	events_note(events, EVENT_LINK, "br0", "p1", NULL, "before");
	events_note(events, EVENT_LINK, "br0", "p2", NULL, "another");
	assert_true(follow(&text,
			   &(struct events_filter){ .kinds = ALL, .after = 1 },
			   false));
	assert_true(follow(&json,
			   &(struct events_filter){ .kinds = 1u << EVENT_LINK,
						    .port = "p1" },
			   true));
	assert_non_null(strstr(heard(&text), "br0 p2: another\n"));
	assert_null(strstr(text.text, "before"));
	assert_non_null(strstr(heard(&json), "before"));
	assert_null(strstr(json.text, "another"));
	events_note(events, EVENT_BOND, "br0", "p1", NULL, "no link");
	assert_non_null(strstr(heard(&text), " bond       br0 p1: no link\n"));
	assert_string_equal(heard(&json), "");
	events_note(events, EVENT_LINK, "br0", "p1",
		    json_pack("{s:b}", "up", false), "link down");
	line = heard(&json);
	assert_int_equal(strcspn(line, "\n"), strlen(line) - 1);
	event = json_loads(line, 0, NULL);
	assert_non_null(event);
	assert_int_equal(json_integer_value(json_object_get(event, "id")), 4);
	assert_true(json_is_false(json_object_get(event, "up")));
	json_decref(event);
	close(text.fd);
	close(json.fd);
	/* It is noticed, and nothing is sent to who is gone. */
	event_base_loop(base, EVLOOP_NONBLOCK);
	events_note(events, EVENT_LINK, "br0", "p1", NULL, "link up");
}

/* Reads all that the follower is owed: its lines, and the missing they tell. */
static unsigned count_lines(struct peer *peer, json_int_t *missing)
{
	const size_t size = 8u << 20;
	char *all = xcalloc(1, size + 1), *save = NULL;
	size_t have = 0, before;
	unsigned n = 0;
	ssize_t got;

	do {
		before = have;
		while ((got = read(peer->fd, all + have, size - have)) > 0)
			have += got;
		event_base_loop(base, EVLOOP_NONBLOCK);
	} while (have > before);
	*missing = 0;
	for (char *line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		json_t *event = json_loads(line, 0, NULL);

		assert_non_null(event);
		*missing +=
			json_integer_value(json_object_get(event, "missing"));
		json_decref(event);
		n++;
	}
	free(all);
	return n;
}

static void who_does_not_read_loses_events(void **state)
{
	static struct peer peer;
	const unsigned n_noted = 3000;
	json_int_t missing;
	unsigned n_heard;
	char padding[1000];

	assert_true(
		follow(&peer, &(struct events_filter){ .kinds = ALL }, true));
	memset(padding, 'x', sizeof(padding) - 1);
	padding[sizeof(padding) - 1] = '\0';
	for (unsigned i = 0; i < n_noted; i++) {
		now_ms += 1000;
		events_note(events, EVENT_LINK, "br0", "p1", NULL, "%s",
			    padding);
	}
	n_heard = count_lines(&peer, &missing);
	assert_in_range(n_heard, 500, n_noted - 500);
	assert_int_equal(missing, 0);
	now_ms += 10000;
	for (unsigned i = 0; i < EVENTS_BURST + 5; i++)
		events_note(events, EVENT_LINK, "br0", "p1", NULL, "again");
	assert_int_equal(count_lines(&peer, &missing), EVENTS_BURST);
	assert_int_equal(missing, n_noted - n_heard);
	/* What was not even kept is missing, too. */
	now_ms += 1000;
	events_note(events, EVENT_LINK, "br0", "p1", NULL, "and again");
	assert_int_equal(count_lines(&peer, &missing), 1);
	assert_int_equal(missing, 5);
	close(peer.fd);
}

static void there_are_so_many_followers_at_most(void **state)
{
	static struct peer peers[EVENTS_FOLLOWERS_MAX + 1];
	const struct events_filter all = { .kinds = ALL };

	for (unsigned i = 0; i < EVENTS_FOLLOWERS_MAX; i++) {
		assert_true(events_may_follow(events));
		assert_true(follow(&peers[i], &all, false));
	}
	assert_false(events_may_follow(events));
	assert_false(follow(&peers[EVENTS_FOLLOWERS_MAX], &all, false));
	assert_true(is_ended(&peers[EVENTS_FOLLOWERS_MAX]));
	close(peers[EVENTS_FOLLOWERS_MAX].fd);
	/* What a follower says is let go; when it ends, there is room. */
	assert_int_equal(write(peers[3].fd, "hello", 5), 5);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_false(events_may_follow(events));
	close(peers[3].fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(events_may_follow(events));
	assert_true(follow(&peers[3], &all, false));
	events_note(events, EVENT_LINK, "br0", "p1", NULL, "link up");
	for (unsigned i = 0; i < EVENTS_FOLLOWERS_MAX; i++)
		assert_non_null(strstr(heard(&peers[i]), "link up\n"));
	/* Its end ends them all. */
	events_destroy(events);
	events = events_create(base);
	for (unsigned i = 0; i < EVENTS_FOLLOWERS_MAX; i++) {
		assert_true(is_ended(&peers[i]));
		close(peers[i].fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(each_kind_has_a_bounded_ring),
		TEST(what_comes_too_fast_is_counted),
		TEST(filters),
		TEST(text_is_one_line),
		TEST(followers_are_told),
		TEST(who_does_not_read_loses_events),
		TEST(there_are_so_many_followers_at_most),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
