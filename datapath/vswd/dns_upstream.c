/* Questions to the host's resolvers; see dns_upstream.h. */
#include "vswd/dns_upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/hmap.h"
#include "vswd/vbond.h"

LOG_MODULE(dns);

/* A try's socket. */
struct ask {
	struct hmap_node node; /* by the query's number */
	struct dns_upstream *upstream;
	uint32_t query;
	struct resolver server;
	int fd;
	struct event *readable, *writable; /* writable: TCP, to be sent yet */
	uint8_t *unsent;
	size_t n_unsent, sent;
};

struct dns_upstream {
	struct event_base *base;
	struct dns *dns;
	void (*used)(void *arg);
	void *arg;
	struct hmap asks;
};

static unsigned n_sockets; /* of all segments */

struct dns_upstream *dns_upstream_create(struct event_base *base,
					 void (*used)(void *arg), void *arg)
{
	struct dns_upstream *u = xcalloc(1, sizeof(*u));

	u->base = base;
	u->used = used;
	u->arg = arg;
	hmap_init(&u->asks);
	return u;
}

void dns_upstream_set_engine(struct dns_upstream *u, struct dns *dns)
{
	u->dns = dns;
}

static struct ask *find(const struct dns_upstream *u, uint32_t query)
{
	struct hmap_node *node = hmap_first(&u->asks, query);

	return node ? CONTAINER_OF(node, struct ask, node) : NULL;
}

static void end(struct ask *a)
{
	hmap_remove(&a->upstream->asks, &a->node);
	if (a->readable)
		event_free(a->readable);
	if (a->writable)
		event_free(a->writable);
	if (a->fd >= 0)
		close(a->fd);
	free(a->unsent);
	free(a);
	n_sockets--;
}

void dns_upstream_close(struct dns_upstream *u, uint32_t query)
{
	struct ask *a = find(u, query);

	if (a)
		end(a);
}

void dns_upstream_destroy(struct dns_upstream *u)
{
	struct hmap_node *node, *next;

	if (!u)
		return;
	for (node = hmap_next(&u->asks, NULL); node; node = next) {
		next = hmap_next(&u->asks, node);
		end(CONTAINER_OF(node, struct ask, node));
	}
	hmap_destroy(&u->asks);
	free(u);
}

/* --- answers: the engine may close the query in each call ------------------
 */

static void datagram_cb(evutil_socket_t fd, short what, void *arg)
{
	/* on the control thread only; too large for its stack */
	static uint8_t message[DNS_MESSAGE_MAX + 1];
	struct ask *a = arg;
	struct dns_upstream *u = a->upstream;
	struct resolver from = a->server;
	ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);

	if (n >= 0)
		dns_answer(u->dns, a->query, &from, message, n,
			   vswitch_now_ms());
	else if (errno != EAGAIN && errno != EINTR)
		dns_answer_failed(u->dns, a->query, vswitch_now_ms());
	u->used(u->arg);
}

static void stream_cb(evutil_socket_t fd, short what, void *arg)
{
	uint8_t data[4096];
	struct ask *a = arg;
	struct dns_upstream *u = a->upstream;
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	dns_answer_stream(u->dns, a->query, data, MAX(n, 0), vswitch_now_ms());
	u->used(u->arg);
}

/* --- questions -------------------------------------------------------------
 */

static socklen_t to_sockaddr(const struct resolver *server,
			     struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (server->ip.len == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(server->port);
		memcpy(&v4->sin_addr, server->ip.bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(server->port);
	memcpy(&v6->sin6_addr, server->ip.bytes, 16);
	if (server->scope[0]) {
		v6->sin6_scope_id = if_nametoindex(server->scope);
		if (!v6->sin6_scope_id)
			v6->sin6_scope_id = strtoul(server->scope, NULL, 10);
	}
	return sizeof(*v6);
}

/* 0, also when a part is left for later; or -errno. */
static int send_rest(struct ask *a)
{
	while (a->sent < a->n_unsent) {
		ssize_t n =
			send(a->fd, a->unsent + a->sent, a->n_unsent - a->sent,
			     MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		a->sent += n;
	}
	return 0;
}

static void writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct dns_upstream *u = a->upstream;

	if (send_rest(a)) {
		dns_answer_failed(u->dns, a->query, vswitch_now_ms());
		u->used(u->arg);
	} else if (a->sent < a->n_unsent) {
		event_add(a->writable, NULL);
	}
}

/* The connection is not there yet: the question waits for it. */
static int begin_stream(struct ask *a, const void *message, size_t len)
{
	a->unsent = xmalloc(len);
	memcpy(a->unsent, message, len);
	a->n_unsent = len;
	a->writable =
		event_new(a->upstream->base, a->fd, EV_WRITE, writable_cb, a);
	return event_add(a->writable, NULL) ? -ENOMEM : 0;
}

static int begin(struct ask *a, bool tcp, const void *message, size_t len)
{
	struct sockaddr_storage to;
	socklen_t to_len = to_sockaddr(&a->server, &to);
	int error = 0;

	a->fd = socket(to.ss_family,
		       (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK |
			       SOCK_CLOEXEC,
		       0);
	if (a->fd < 0 || (connect(a->fd, (struct sockaddr *)&to, to_len) &&
			  errno != EINPROGRESS))
		return -errno;
	if (tcp)
		error = begin_stream(a, message, len);
	else if (send(a->fd, message, len, MSG_NOSIGNAL) < 0)
		error = -errno;
	if (error)
		return error;
	a->readable = event_new(a->upstream->base, a->fd, EV_READ | EV_PERSIST,
				tcp ? stream_cb : datagram_cb, a);
	return event_add(a->readable, NULL) ? -ENOMEM : 0;
}

int dns_upstream_ask(struct dns_upstream *u, uint32_t query,
		     const struct resolver *server, bool tcp,
		     const void *message, size_t len)
{
	struct ask *a;
	int error;

	if (n_sockets >= DNS_UPSTREAM_MAX)
		return -EMFILE;
	a = xcalloc(1, sizeof(*a));
	a->upstream = u;
	a->query = query;
	a->server = *server;
	a->fd = -1;
	n_sockets++;
	hmap_insert(&u->asks, &a->node, query);
	error = begin(a, tcp, message, len);
	if (error) {
		log_dbg("a resolver cannot be asked: %s", strerror(-error));
		end(a);
	}
	return error;
}
