/*
 * The sockets below JSON-RPC: names such as "punix:/run/vsw/db.sock" or
 * "tcp:192.0.2.1:6640" turned into descriptors, all non-blocking and
 * close-on-exec. A Unix socket's path may be longer than a socket address
 * holds.
 */
#ifndef OVSDB_LITE_STREAM_H
#define OVSDB_LITE_STREAM_H

#include <event2/event.h>

#include "base/util.h"

/* The registered port of OVSDB (RFC 7047 section 6). */
#define STREAM_OVSDB_PORT "6640"

/*
 * Listens at path, mode 0660, replacing a socket that nobody listens on, and
 * never any other file. A descriptor, or -errno with a message.
 */
int stream_listen_unix(const char *path, char **errp);
/*
 * Waits until nobody listens at path, for two seconds at most. Before a start:
 * a process that was killed listens until the kernel has taken its memory
 * apart, which takes a second where that is large.
 */
void stream_wait_unix(const char *path);
/* Connects at once. A descriptor, or -errno with a message. */
int stream_connect_unix(const char *path, char **errp);

/* Listens at "[PORT][:ADDRESS]"; port 0 lets the kernel choose. */
int stream_listen_tcp(const char *where, char **errp);
/*
 * Begins to connect to "HOST[:PORT]" (an IPv6 address in brackets): the socket
 * becomes writable when it is through, SO_ERROR tells how. A name that is no
 * address is looked up, and the call waits for that.
 */
int stream_connect_tcp(const char *where, char **errp);

/*
 * Who is at the other end, for logs: "unix (pid 12 uid 0)" by SO_PEERCRED, or
 * "tcp:192.0.2.1:40000". The caller frees it.
 */
char *stream_peer_name(int fd);
/* The port that a listening TCP socket has; 0 when it has none. */
uint16_t stream_local_port(int fd);

/*
 * Accepts on a listening descriptor, which it takes over. When the process has
 * run out of descriptors, one held in reserve is spent on accepting and closing
 * the connection, so that a client hears of it and the loop does not spin.
 */
struct stream_listener;
typedef void stream_accept(int fd, void *aux);
struct stream_listener *stream_listener_create(struct event_base *base, int fd,
					       stream_accept *accepted,
					       void *aux);
/* Closes it; NULL is fine. The name of a Unix socket is the caller's. */
void stream_listener_destroy(struct stream_listener *listener);

#endif
