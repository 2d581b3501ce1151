/* TCP clients of the name service; see dns_listener.h. */
#include "vswd/dns_listener.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/stream.h"
#include "vswd/vbond.h"

LOG_MODULE(dns);

/* Answers that a client does not read: two of the longest, and it is closed. */
#define BACKLOG_MAX (2 * (2 + DNS_MESSAGE_MAX))

/* A client's connection. */
struct stream {
	struct dns_listener *listener;
	unsigned slot;	/* in listener.streams */
	uint64_t heard; /* the larger the later */
	struct bufferevent *buffer;
	struct dns_stream *engine;
	bool broken; /* to be closed as soon as nobody calls us */
};

struct dns_listener {
	struct event_base *base;
	struct stream_listener *socket;
	char *path;
	struct dns *dns;
	struct stream *streams[DNS_LISTENER_STREAMS_MAX];
	uint64_t n_heard;
	uint32_t n_accepted;
	struct event *sweep;
	void (*used)(void *arg);
	void *arg;
};

/* --- the path --------------------------------------------------------------
 */

char *dns_listener_path(const char *run_dir, const char *segment)
{
	const size_t size = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	char *path;

	if (strchr(segment, '/'))
		return NULL;
	path = xasprintf("%s/%s.dns", run_dir, segment);
	if (strlen(path) < size)
		return path;
	free(path);
	return NULL;
}

/* --- connections -----------------------------------------------------------
 */

static void discard(struct stream *s)
{
	s->listener->streams[s->slot] = NULL;
	bufferevent_free(s->buffer);
	free(s);
}

/* By us, not by the engine. */
static void hang_up(struct stream *s)
{
	if (s->engine)
		dns_stream_closed(s->engine);
	discard(s);
}

void dns_listener_close(void *stream)
{
	discard(stream);
}

void dns_listener_send(void *stream, const void *data, size_t len)
{
	struct stream *s = stream;

	if (s->broken)
		return;
	bufferevent_write(s->buffer, data, len);
	if (evbuffer_get_length(bufferevent_get_output(s->buffer)) <=
	    BACKLOG_MAX)
		return;
	/* The engine is calling: not now. */
	s->broken = true;
	event_active(s->listener->sweep, 0, 0);
}

static void sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dns_listener *l = arg;

	for (unsigned i = 0; i < ARRAY_SIZE(l->streams); i++)
		if (l->streams[i] && l->streams[i]->broken)
			hang_up(l->streams[i]);
}

static void read_cb(struct bufferevent *buffer, void *arg)
{
	struct stream *s = arg;
	struct dns_listener *l = s->listener;
	uint8_t data[4096];
	bool good = true;
	size_t n;

	s->heard = ++l->n_heard;
	/* not good: it is gone */
	while (good && (n = bufferevent_read(buffer, data, sizeof(data))) > 0)
		good = dns_stream_receive(s->engine, data, n, vswitch_now_ms());
	l->used(l->arg);
}

static void event_cb(struct bufferevent *buffer, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		hang_up(arg);
}

/* A slot that is free, or is freed. */
static unsigned take_slot(struct dns_listener *l)
{
	unsigned last = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(l->streams); i++) {
		if (!l->streams[i])
			return i;
		if (l->streams[i]->heard < l->streams[last]->heard)
			last = i;
	}
	log_dbg_limited("%s: too many connections: the one that has been "
			"silent for longest is closed",
			l->path);
	hang_up(l->streams[last]);
	return last;
}

static void accepted_cb(int fd, void *arg)
{
	struct dns_listener *l = arg;
	struct dns_client client = {
		/* whoever it is: itself, and no address of the segment's */
		.ip = ip_address_v4(++l->n_accepted & 0xffffff),
		.port = DNS_LISTENER_PORT,
	};
	struct stream *s;

	if (!l->dns) {
		close(fd);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->listener = l;
	s->slot = take_slot(l);
	s->heard = ++l->n_heard;
	s->buffer = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!s->buffer) {
		close(fd);
		free(s);
		return;
	}
	l->streams[s->slot] = s;
	s->engine = dns_stream_open(l->dns, &client, s, vswitch_now_ms());
	if (!s->engine) {
		discard(s);
		return;
	}
	bufferevent_setcb(s->buffer, read_cb, NULL, event_cb, s);
	bufferevent_enable(s->buffer, EV_READ | EV_WRITE);
	l->used(l->arg);
}

/* --- the socket ------------------------------------------------------------
 */

struct dns_listener *dns_listener_create(struct event_base *base,
					 const char *path,
					 void (*used)(void *arg), void *arg,
					 char **errp)
{
	int fd = stream_listen_unix(path, errp);
	struct dns_listener *l;

	if (fd < 0)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->base = base;
	l->used = used;
	l->arg = arg;
	l->path = xstrdup(path);
	l->sweep = event_new(base, -1, 0, sweep_cb, l);
	l->socket = stream_listener_create(base, fd, accepted_cb, l);
	return l;
}

void dns_listener_destroy(struct dns_listener *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(l->streams); i++)
		if (l->streams[i])
			hang_up(l->streams[i]);
	stream_listener_destroy(l->socket);
	event_free(l->sweep);
	unlink(l->path);
	free(l->path);
	free(l);
}

void dns_listener_set_engine(struct dns_listener *l, struct dns *dns)
{
	l->dns = dns;
}
