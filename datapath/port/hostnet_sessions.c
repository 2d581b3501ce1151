/*
 * A table by descriptor, and one entry for each machine that has any. libslirp
 * keeps one socket for all that a machine sends from one UDP port, so such a
 * datagram begins something only when that port has none; this is looked up,
 * slowly, for machines at their limit alone.
 */
#include "port/hostnet_sessions.h"

#include <stdatomic.h>
#include <stdlib.h>

#define BUCKETS 1024 /* a power of two */
#define N_KINDS (HOSTNET_PING + 1)

struct client {
	struct client *next;
	uint8_t version;
	uint8_t ip[16];
	unsigned n;
};

struct session {
	bool used;
	uint8_t kind;
	uint16_t port;
	struct client *client; /* NULL: from the other side */
};

struct hostnet_sessions {
	unsigned max, max_of_client, n, size;
	struct session *by_fd;
	struct client *buckets[BUCKETS];
	_Atomic unsigned counts[N_KINDS];
};

struct hostnet_sessions *hostnet_sessions_create(unsigned max,
						 unsigned max_of_client)
{
	struct hostnet_sessions *s = xcalloc(1, sizeof(*s));

	hostnet_sessions_limit(s, max, max_of_client);
	return s;
}

void hostnet_sessions_limit(struct hostnet_sessions *s, unsigned max,
			    unsigned max_of_client)
{
	s->max = max;
	s->max_of_client = max_of_client;
}

void hostnet_sessions_destroy(struct hostnet_sessions *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->size; i++)
		hostnet_sessions_remove(s, i);
	free(s->by_fd);
	free(s);
}

static struct client **bucket_of(struct hostnet_sessions *s, const uint8_t *ip)
{
	uint32_t hash = load_be32(ip) ^ load_be32(ip + 8) ^ load_be32(ip + 12);

	return &s->buckets[(hash ^ hash >> 10 ^ hash >> 20) % BUCKETS];
}

static struct client *find_client(struct hostnet_sessions *s,
				  const struct hostnet_packet *p)
{
	struct client *c = *bucket_of(s, p->src);

	while (c && (c->version != p->version || memcmp(c->ip, p->src, 16)))
		c = c->next;
	return c;
}

static bool has_udp_port(const struct hostnet_sessions *s,
			 const struct client *c, uint16_t port)
{
	for (unsigned i = 0; i < s->size; i++)
		if (s->by_fd[i].used && s->by_fd[i].client == c &&
		    s->by_fd[i].kind == HOSTNET_UDP && s->by_fd[i].port == port)
			return true;
	return false;
}

bool hostnet_sessions_may(struct hostnet_sessions *s,
			  const struct hostnet_packet *p,
			  enum drop_reason *reason)
{
	const struct client *c;

	if (p->kind == HOSTNET_TCP)
		return true;
	c = find_client(s, p);
	if (s->n < s->max && (!c || c->n < s->max_of_client))
		return true;
	*reason = s->n < s->max ? DROP_NAT_LIMIT : DROP_NAT_FULL;
	return c && p->kind == HOSTNET_UDP && has_udp_port(s, c, p->src_port);
}

bool hostnet_sessions_full(const struct hostnet_sessions *s)
{
	return s->n >= s->max;
}

static void make_room(struct hostnet_sessions *s, unsigned fd)
{
	unsigned size = MAX(s->size, 64u);

	if (fd < s->size)
		return;
	while (size <= fd)
		size *= 2;
	s->by_fd = xrealloc(s->by_fd, size * sizeof(*s->by_fd));
	memset(s->by_fd + s->size, 0, (size - s->size) * sizeof(*s->by_fd));
	s->size = size;
}

static struct client *get_client(struct hostnet_sessions *s,
				 const struct hostnet_packet *p)
{
	struct client *c = find_client(s, p), **bucket;

	if (c)
		return c;
	c = xcalloc(1, sizeof(*c));
	c->version = p->version;
	memcpy(c->ip, p->src, sizeof(c->ip));
	bucket = bucket_of(s, p->src);
	c->next = *bucket;
	*bucket = c;
	return c;
}

static void release_client(struct hostnet_sessions *s, struct client *c)
{
	struct client **at;

	if (!c || --c->n)
		return;
	at = bucket_of(s, c->ip);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

void hostnet_sessions_add(struct hostnet_sessions *s, int fd,
			  const struct hostnet_packet *p)
{
	struct session *session;

	if (fd < 0)
		return;
	hostnet_sessions_remove(s, fd);
	make_room(s, fd);
	session = &s->by_fd[fd];
	session->used = true;
	session->kind = HOSTNET_TCP;
	if (p) {
		session->kind =
			p->kind == HOSTNET_TCP_NEW ? HOSTNET_TCP : p->kind;
		session->port = p->src_port;
		session->client = get_client(s, p);
		session->client->n++;
	}
	s->n++;
	atomic_fetch_add_explicit(&s->counts[session->kind], 1,
				  memory_order_relaxed);
}

bool hostnet_sessions_has(const struct hostnet_sessions *s, int fd)
{
	return fd >= 0 && (unsigned)fd < s->size && s->by_fd[fd].used;
}

void hostnet_sessions_remove(struct hostnet_sessions *s, int fd)
{
	struct session *session;

	if (!hostnet_sessions_has(s, fd))
		return;
	session = &s->by_fd[fd];
	release_client(s, session->client);
	atomic_fetch_sub_explicit(&s->counts[session->kind], 1,
				  memory_order_relaxed);
	memset(session, 0, sizeof(*session));
	s->n--;
}

unsigned hostnet_sessions_count(const struct hostnet_sessions *s,
				enum hostnet_kind kind)
{
	return atomic_load_explicit(&s->counts[kind], memory_order_relaxed);
}
