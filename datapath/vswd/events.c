/* The events that are kept (events.h), and who follows them. */
#include "vswd/events.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vswd/token_bucket.h"

#define UNSENT_MAX (1u << 20) /* bytes that a follower may owe */

static const char *const kind_names[] = {
#define X(id, name) [EVENT_##id] = (name),
	EVENT_KINDS(X)
#undef X
};

struct ring {
	json_t *kept[EVENTS_KEPT]; /* by count % EVENTS_KEPT */
	uint64_t count;
	struct token_bucket pace;
	uint64_t missing; /* since the last that was noted */
};

struct follower {
	struct follower *next;
	struct events *events;
	int fd;
	bool json;
	struct events_filter filter; /* its port is the follower's */
	struct evbuffer *out;
	struct event *writable, *hangup;
	uint64_t lost; /* since the last that was sent */
};

struct events {
	struct event_base *base;
	uint64_t last_id;
	struct ring rings[N_EVENT_KINDS];
	struct follower *followers;
	unsigned n_followers;
};

struct events *events_create(struct event_base *base)
{
	struct events *events = xcalloc(1, sizeof(*events));

	events->base = base;
	return events;
}

int event_kind_find(const char *name)
{
	for (int i = 0; i < N_EVENT_KINDS; i++)
		if (!strcmp(kind_names[i], name))
			return i;
	return -1;
}

/* --- text ------------------------------------------------------------------
 */

static const char *string_of(const json_t *event, const char *key)
{
	const char *s = json_string_value(json_object_get(event, key));

	return s ? s : "";
}

char *event_to_text(const json_t *event)
{
	uint64_t ms = json_integer_value(json_object_get(event, "time_ms"));
	json_int_t missing =
		json_integer_value(json_object_get(event, "missing"));
	const char *bridge = string_of(event, "bridge");
	const char *port = string_of(event, "port");
	const time_t seconds = ms / 1000;
	char clock[32] = "", lost[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", &tm);
	if (missing)
		snprintf(lost, sizeof(lost), " (%lld before it were not kept)",
			 (long long)missing);
	return xasprintf("%s.%03u %-10s %s%s%s: %s%s\n", clock,
			 (unsigned)(ms % 1000), string_of(event, "kind"),
			 bridge, *bridge && *port ? " " : "", port,
			 string_of(event, "text"), lost);
}

/* --- followers -------------------------------------------------------------
 */

static bool is_wanted(const struct events_filter *filter, const json_t *event)
{
	uint64_t id = json_integer_value(json_object_get(event, "id"));
	int kind = event_kind_find(string_of(event, "kind"));

	return id > filter->after && filter->kinds >> kind & 1 &&
	       (!filter->port ||
		!strcmp(filter->port, string_of(event, "port")) ||
		!strcmp(filter->port, string_of(event, "bridge")));
}

static void follower_free(struct follower *f)
{
	struct follower **p = &f->events->followers;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	f->events->n_followers--;
	event_free(f->writable);
	event_free(f->hangup);
	evbuffer_free(f->out);
	close(f->fd);
	free((char *)f->filter.port);
	free(f);
}

/* Sends what it can; the follower may be gone afterwards. */
static void flush(struct follower *f)
{
	while (evbuffer_get_length(f->out)) {
		if (evbuffer_write(f->out, f->fd) >= 0)
			continue;
		if (errno == EAGAIN || errno == EINTR)
			event_add(f->writable, NULL);
		else
			follower_free(f);
		return;
	}
}

static void writable_cb(evutil_socket_t fd, short what, void *aux)
{
	flush(aux);
}

static void hangup_cb(evutil_socket_t fd, short what, void *aux)
{
	char rest[256];
	ssize_t n = read(fd, rest, sizeof(rest));

	/* It has nothing to say; whatever it sends is let go. */
	if (n <= 0 && !(n < 0 && (errno == EAGAIN || errno == EINTR)))
		follower_free(aux);
}

static void add_line(const struct follower *f, const json_t *event)
{
	char *line = f->json ? json_dumps(event, JSON_COMPACT)
			     : event_to_text(event);

	evbuffer_add_printf(f->out, "%s%s", line, f->json ? "\n" : "");
	free(line);
}

static void tell(struct follower *f, const json_t *event)
{
	json_int_t missing =
		json_integer_value(json_object_get(event, "missing"));
	json_t *copy;

	if (!is_wanted(&f->filter, event))
		return;
	if (evbuffer_get_length(f->out) > UNSENT_MAX) {
		f->lost += 1 + missing;
		return;
	}
	if (!f->lost) {
		add_line(f, event);
		return;
	}
	copy = json_copy((json_t *)event);
	json_object_set_new(copy, "missing", json_integer(f->lost + missing));
	add_line(f, copy);
	json_decref(copy);
	f->lost = 0;
}

static void tell_all(struct events *events, const json_t *event)
{
	struct follower *f, *next;

	for (f = events->followers; f; f = next) {
		next = f->next;
		tell(f, event);
		flush(f);
	}
}

bool events_may_follow(const struct events *events)
{
	return events->n_followers < EVENTS_FOLLOWERS_MAX;
}

bool events_follow(struct events *events, int fd,
		   const struct events_filter *filter, bool json)
{
	struct follower *f;
	json_t *kept, *event;
	size_t i;

	if (!events_may_follow(events)) {
		close(fd);
		return false;
	}
	f = xcalloc(1, sizeof(*f));
	f->events = events;
	f->fd = fd;
	f->json = json;
	f->filter = *filter;
	if (filter->port)
		f->filter.port = xstrdup(filter->port);
	f->out = evbuffer_new();
	f->writable = event_new(events->base, fd, EV_WRITE, writable_cb, f);
	f->hangup =
		event_new(events->base, fd, EV_READ | EV_PERSIST, hangup_cb, f);
	event_add(f->hangup, NULL);
	f->next = events->followers;
	events->followers = f;
	events->n_followers++;
	kept = events_read(events, filter);
	json_array_foreach(kept, i, event)
		tell(f, event);
	json_decref(kept);
	flush(f);
	return true;
}

/* --- what is kept ----------------------------------------------------------
 */

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void keep(struct ring *ring, json_t *event)
{
	json_t **place = &ring->kept[ring->count++ % EVENTS_KEPT];

	json_decref(*place);
	*place = event;
}

void events_note(struct events *events, enum event_kind kind,
		 const char *bridge, const char *port, json_t *fields,
		 const char *fmt, ...)
{
	struct ring *ring = &events->rings[kind];
	char *text = NULL;
	json_t *event;
	va_list args;

	if (!token_bucket_take(&ring->pace, EVENTS_RATE, EVENTS_BURST,
			       clock_ms(CLOCK_MONOTONIC))) {
		ring->missing++;
		json_decref(fields);
		return;
	}
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	event = json_pack("{s:I, s:I, s:s, s:s*, s:s*, s:s*}", "id",
			  (json_int_t)++events->last_id, "time_ms",
			  (json_int_t)clock_ms(CLOCK_REALTIME), "kind",
			  kind_names[kind], "bridge", bridge, "port", port,
			  "text", text);
	free(text);
	if (ring->missing)
		json_object_set_new(event, "missing",
				    json_integer(ring->missing));
	ring->missing = 0;
	if (fields)
		json_object_update_missing(event, fields);
	json_decref(fields);
	keep(ring, event);
	tell_all(events, event);
}

static int compare_ids(const void *a_, const void *b_)
{
	json_t *const *a = a_, *const *b = b_;
	json_int_t x = json_integer_value(json_object_get(*a, "id"));
	json_int_t y = json_integer_value(json_object_get(*b, "id"));

	return (x > y) - (x < y);
}

json_t *events_read(const struct events *events,
		    const struct events_filter *filter)
{
	json_t **found = xcalloc(N_EVENT_KINDS * EVENTS_KEPT, sizeof(*found));
	json_t *all = json_array();
	size_t n = 0;

	for (int k = 0; k < N_EVENT_KINDS; k++)
		for (int i = 0; i < EVENTS_KEPT; i++) {
			json_t *event = events->rings[k].kept[i];

			if (event && is_wanted(filter, event))
				found[n++] = event;
		}
	qsort(found, n, sizeof(*found), compare_ids);
	for (size_t i = 0; i < n; i++)
		json_array_append(all, found[i]);
	free(found);
	return all;
}

void events_destroy(struct events *events)
{
	struct follower *f, *next;

	if (!events)
		return;
	for (f = events->followers; f; f = next) {
		next = f->next;
		follower_free(f);
	}
	for (int k = 0; k < N_EVENT_KINDS; k++)
		for (int i = 0; i < EVENTS_KEPT; i++)
			json_decref(events->rings[k].kept[i]);
	free(events);
}
