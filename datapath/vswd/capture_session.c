#include "vswd/capture_session.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vswd/pcapng.h"
#include "vswd/switch.h"

LOG_MODULE(capture);

#define RING_BYTES   (4u << 20) /* what workers may be ahead of us */
#define UNSENT_BYTES (1u << 20) /* what we may be ahead of the client */
#define READ_AT_ONCE 64		/* records between two looks at other events */

struct capture_session {
	struct vswitch *vs;
	struct capture_ring *ring;
	char *bridge, *port, *filter;
	uint32_t snaplen;
	int fd;
	struct evbuffer *out;
	struct event *readable; /* the ring has records */
	struct event *writable; /* the client takes more */
	struct event *hangup;	/* the client said something: its end */
	char **names;		/* interfaces by the stream's number */
	uint32_t n_names, n_described, hint;
	uint64_t received;
	bool ending; /* the client wants no more than what there is */
	bool told;   /* the statistics, which come last */
	bool ended;
	struct capture_session *next;
};

struct capture_node {
	struct capture capture;
	struct capture_node *next;
};

/* --- at the snapshot -------------------------------------------------------
 */

static bool listens_to(const struct capture_session *s, const struct vport *v)
{
	if (s->ending || s->ended)
		return false;
	/* A bond's name: all its members. */
	if (s->port)
		return !strcmp(s->port, v->interface->name) ||
		       (v->bond && !strcmp(s->port, v->config->name));
	return !strcmp(s->bridge, v->bridge->name);
}

/*
 * The stream's number of an interface; a new one gets the next. The ports of a
 * bridge come in about the same order each time.
 */
static uint32_t interface_number(struct capture_session *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_names; i++) {
		uint32_t at = (s->hint + i) % s->n_names;

		if (!strcmp(s->names[at], name)) {
			s->hint = at + 1;
			return at;
		}
	}
	s->names = xrealloc(s->names, (s->n_names + 1) * sizeof(*s->names));
	s->names[s->n_names] = xstrdup(name);
	return s->n_names++;
}

const struct capture *capture_sessions_attach(struct vswitch *vs,
					      const struct vport *v,
					      struct capture_node **nodes)
{
	struct capture *list = NULL;

	for (struct capture_session *s = vs->captures; s; s = s->next) {
		struct capture_node *node;

		if (!listens_to(s, v))
			continue;
		node = xcalloc(1, sizeof(*node));
		node->capture.ring = s->ring;
		node->capture.port_id = interface_number(s, v->interface->name);
		node->capture.next = list;
		list = &node->capture;
		node->next = *nodes;
		*nodes = node;
	}
	return list;
}

void capture_nodes_free(struct capture_node *nodes)
{
	struct capture_node *node;

	while ((node = nodes)) {
		nodes = node->next;
		free(node);
	}
}

/* --- the stream ------------------------------------------------------------
 */

static void describe_interfaces(struct capture_session *s)
{
	for (; s->n_described < s->n_names; s->n_described++)
		pcapng_interface(s->out, s->names[s->n_described], s->filter,
				 s->snaplen);
}

static void record_cb(const struct capture_record *record, void *aux)
{
	struct capture_session *s = aux;
	char comment[64];
	struct pcapng_packet packet = {
		.interface = record->port_id,
		.time_ns = record->time_ns,
		.data = record->data,
		.captured_len = record->captured_len,
		.len = record->len,
		.direction = record->direction == CAPTURE_IN ? PCAPNG_INBOUND
							     : PCAPNG_OUTBOUND,
	};

	if (record->dropped) {
		snprintf(comment, sizeof(comment), "drop: %s",
			 drop_reason_name(record->reason));
		packet.comment = comment;
	}
	describe_interfaces(s);
	pcapng_packet(s->out, &packet);
	s->received++;
}

static void put_statistics(struct capture_session *s)
{
	uint64_t lost = capture_ring_lost(s->ring);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	describe_interfaces(s);
	for (uint32_t i = 0; i < s->n_described; i++)
		pcapng_statistics(s->out, i,
				  now.tv_sec * 1000000000ull + now.tv_nsec,
				  s->received + lost, lost);
}

/* The workers let go of it with the next snapshot, which frees it. */
static void end_session(struct capture_session *s)
{
	struct vswitch *vs = s->vs;

	s->ended = true;
	event_del(s->readable);
	event_del(s->writable);
	event_del(s->hangup);
	vswitch_publish(vs);
}

/* Sends what it can. False when the client is gone. */
static bool flush_out(struct capture_session *s)
{
	while (evbuffer_get_length(s->out))
		if (evbuffer_write(s->out, s->fd) < 0)
			return errno == EAGAIN || errno == EINTR;
	return true;
}

static void arm(struct capture_session *s)
{
	size_t unsent = evbuffer_get_length(s->out);

	if (unsent)
		event_add(s->writable, NULL);
	if (unsent < UNSENT_BYTES)
		event_add(s->readable, NULL);
	else
		event_del(s->readable);
}

/* Takes some records out of the ring; false: there are no more. */
static bool take_some(struct capture_session *s)
{
	if (evbuffer_get_length(s->out) >= UNSENT_BYTES)
		return true;
	return capture_ring_read(s->ring, READ_AT_ONCE, record_cb, s) ==
	       READ_AT_ONCE;
}

static void move(struct capture_session *s)
{
	bool more = take_some(s);

	describe_interfaces(s);
	if (s->ending && !more && !s->told) {
		put_statistics(s);
		s->told = true;
	}
	if (flush_out(s) && !(s->told && !evbuffer_get_length(s->out)))
		arm(s);
	else
		end_session(s);
}

static void readable_cb(evutil_socket_t fd, short what, void *aux)
{
	move(aux);
}

static void writable_cb(evutil_socket_t fd, short what, void *aux)
{
	move(aux);
}

/* The rest of what was captured, and how much was lost on the way. */
static void finish(struct capture_session *s)
{
	capture_ring_read(s->ring, READ_AT_ONCE, record_cb, s);
	put_statistics(s);
	flush_out(s);
}

static void hangup_cb(evutil_socket_t fd, short what, void *aux)
{
	struct capture_session *s = aux;
	char rest[256];
	ssize_t n = read(fd, rest, sizeof(rest));

	/* A client has nothing to say; whatever it sends is let go. */
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n) {
		end_session(s);
		return;
	}
	/* It reads on until it has all that was captured until now. */
	event_del(s->hangup);
	s->ending = true;
	vswitch_publish(s->vs);
	move(s);
}

/* --- life ------------------------------------------------------------------
 */

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void capture_session_start(struct vswitch *vs, int fd,
			   const struct capture_request *request)
{
	struct capture_ring *ring = capture_ring_create(
		request->snaplen, request->program, RING_BYTES);
	struct capture_session *s;

	if (!ring) {
		log_warn("capture: no event descriptor: %s", strerror(errno));
		close(fd);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->vs = vs;
	s->fd = fd;
	s->bridge = copy(request->bridge);
	s->port = copy(request->port);
	s->filter = copy(request->filter);
	s->snaplen = request->snaplen;
	s->ring = ring;
	s->out = evbuffer_new();
	s->readable = event_new(vs->base, capture_ring_fd(s->ring),
				EV_READ | EV_PERSIST, readable_cb, s);
	s->writable = event_new(vs->base, fd, EV_WRITE, writable_cb, s);
	s->hangup = event_new(vs->base, fd, EV_READ | EV_PERSIST, hangup_cb, s);
	event_add(s->hangup, NULL);
	s->next = vs->captures;
	vs->captures = s;
	log_info("capture at %s begins", s->port ? s->port : s->bridge);
	vswitch_publish(vs);
	pcapng_section(s->out, "vsw " VSW_VERSION);
	move(s);
}

unsigned capture_sessions_count(const struct vswitch *vs)
{
	unsigned n = 0;

	for (const struct capture_session *s = vs->captures; s; s = s->next)
		n++;
	return n;
}

static void session_free(struct capture_session *s)
{
	log_info("capture at %s ends: %llu frames, %llu lost",
		 s->port ? s->port : s->bridge, (unsigned long long)s->received,
		 (unsigned long long)capture_ring_lost(s->ring));
	event_free(s->readable);
	event_free(s->writable);
	event_free(s->hangup);
	capture_ring_destroy(s->ring);
	evbuffer_free(s->out);
	close(s->fd);
	for (uint32_t i = 0; i < s->n_names; i++)
		free(s->names[i]);
	free(s->names);
	free(s->bridge);
	free(s->port);
	free(s->filter);
	free(s);
}

void capture_sessions_reap(struct vswitch *vs)
{
	struct capture_session **p = &vs->captures, *s;

	while ((s = *p)) {
		if (!s->ended) {
			p = &s->next;
			continue;
		}
		*p = s->next;
		session_free(s);
	}
}

void capture_sessions_stop(struct vswitch *vs)
{
	if (!vs->captures)
		return;
	for (struct capture_session *s = vs->captures; s; s = s->next) {
		finish(s);
		s->ended = true;
	}
	vswitch_publish(vs);
}
