/*
 * TCP clients of a segment's name service. Their connections end at the host
 * port (libslirp), which makes each a connection to a unix socket of the
 * gateway's: who is at the other end is not told, so what one of them may use
 * up is counted by connection, and when there are too many the one that has
 * been silent for longest gives way. Control thread.
 */
#ifndef VSWD_DNS_LISTENER_H
#define VSWD_DNS_LISTENER_H

#include <event2/event.h>

#include "gateway/dns.h"

#define DNS_LISTENER_STREAMS_MAX 128
#define DNS_LISTENER_PORT	 UINT32_MAX /* dns_client.port of all of them */

struct dns_listener;

/*
 * The socket's path, SEGMENT.dns in run_dir; NULL when it is too long for a
 * socket address, or is none. To be freed.
 */
char *dns_listener_path(const char *run_dir, const char *segment);
/*
 * NULL, and why, when it cannot listen there. used(arg): the engine was called,
 * and may have something to do later.
 */
struct dns_listener *dns_listener_create(struct event_base *base,
					 const char *path,
					 void (*used)(void *arg), void *arg,
					 char **errp);
/* When the engine has no streams any more. Unlinks the path. Accepts NULL. */
void dns_listener_destroy(struct dns_listener *listener);
/* Who the questions are for; NULL: nobody, connections are refused. */
void dns_listener_set_engine(struct dns_listener *listener, struct dns *dns);

/* As dns_ops.stream_send and stream_close. */
void dns_listener_send(void *stream, const void *data, size_t len);
void dns_listener_close(void *stream);

#endif
