/*
 * Listening and connecting for a vhost-user port (vhost_socket.h).
 *
 * Listening: while a front end is connected, another is refused, at once and
 * with a log line: left waiting, its virtual machine would hang at its start
 * without a word. But a front end that has gone and come back is not refused
 * because its end has not been read yet. Who comes too often has to wait.
 *
 * Connecting: soon at first, so that guests do not notice a restart, then less
 * and less often, and at once when the socket's file appears. A connection that
 * ends at once does not count as success.
 */
#include "port/vhost_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "port/vhost_watch.h"

LOG_MODULE(vhost);

#define BACKLOG	       8
#define WAIT_MIN_MS    10
#define WAIT_MAX_MS    2000
#define SETTLED_MS     1000 /* a connection this old was a good one */
#define DESCRIPTORS_MS 1000 /* until more of them are hoped for */
#define ACCEPTS_MAX    500  /* in ACCEPTS_MS; then no more until it is over */
#define ACCEPTS_MS     1000

struct vhost_socket {
	struct vhost_socket_config config;
	int listener; /* -1: none */
	dev_t dev;    /* of the socket that we made */
	ino_t ino;
	struct event *accept; /* listening only */
	struct event *timer;
	struct vhost_watch watch; /* connecting only */
	int front_end;		  /* as it was handed over; -1: none */
	unsigned wait_ms;
	uint64_t since_ms;   /* of the last connection */
	bool told;	     /* that connecting fails */
	unsigned n_accepted; /* since then: */
	uint64_t accepted_ms;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void start_timer(struct vhost_socket *s, unsigned ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000,
				      .tv_usec = ms % 1000 * 1000 };

	event_add(s->timer, &wait);
}

static void fill_address(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, path, strlen(path)); /* vhost_options.c: fits */
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa;
	int fd = new_socket(), error = 0;

	if (fd < 0)
		return fd;
	fill_address(&sa, path);
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	error = -errno;
	if (error == -EACCES) {
		/* A monitor that is another user's. */
		sandbox_files_begin();
		error = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? -errno
									: 0;
		sandbox_files_end();
	}
	if (!error)
		return fd;
	close(fd);
	return error;
}

static void hand_over(struct vhost_socket *s, int fd)
{
	s->front_end = fd;
	s->since_ms = now_ms();
	s->told = false;
	s->config.connected(s->config.arg, fd);
}

/* --- listening -------------------------------------------------------------
 */

static pid_t peer_pid(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return 0;
	return peer.pid;
}

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

static void refuse(struct vhost_socket *s, int fd)
{
	log_warn_limited("%s: refused process %d at %s: process %d is "
			 "connected already; a port has one front end",
			 s->config.name, (int)peer_pid(fd),
			 s->config.options->path, (int)peer_pid(s->front_end));
	close(fd);
}

static void accept_one(struct vhost_socket *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && s->front_end < 0) {
		hand_over(s, fd);
	} else if (fd >= 0) {
		refuse(s, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		   errno == ENOMEM) {
		log_err_limited("%s: cannot accept a front end: %m; trying "
				"again in a second",
				s->config.name);
		event_del(s->accept);
		start_timer(s, DESCRIPTORS_MS);
	}
}

/* One who does nothing but connect: the rest waits in the backlog. */
static bool come_too_often(struct vhost_socket *s)
{
	uint64_t now = now_ms(), past = now - s->accepted_ms;

	if (past >= ACCEPTS_MS) {
		s->accepted_ms = now;
		s->n_accepted = 0;
	} else if (s->n_accepted >= ACCEPTS_MAX) {
		log_warn_limited("%s: more than %d connections to %s in a "
				 "second; the next have to wait",
				 s->config.name, ACCEPTS_MAX,
				 s->config.options->path);
		event_del(s->accept);
		start_timer(s, ACCEPTS_MS - past);
		return true;
	}
	s->n_accepted++;
	return false;
}

static void accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_socket *s = arg;

	/* One that has ended is closed first, in its own event's turn. */
	if (s->front_end >= 0 && has_ended(s->front_end)) {
		event_del(s->accept);
		return;
	}
	if (come_too_often(s))
		return;
	accept_one(s);
}

static int set_access(const struct vhost_options *o)
{
	if (chmod(o->path, o->mode))
		return -errno;
	if (o->owner == (uid_t)-1 && o->group == (gid_t)-1)
		return 0;
	return chown(o->path, o->owner, o->group) ? -errno : 0;
}

int vhost_socket_set_access(struct vhost_socket *s, char **errp)
{
	const struct vhost_options *o = s->config.options;
	int error;

	if (o->client)
		return 0;
	sandbox_files_begin();
	error = set_access(o);
	sandbox_files_end();
	if (!error)
		return 0;
	return set_error(errp, error,
			 "%s: cannot set mode, owner and group of %s: %s",
			 s->config.name, o->path, strerror(-error));
}

/* Makes way for a new socket, when what is there is a dead one. */
static int remove_dead(const char *name, const char *path, char **errp)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return 0; /* nothing there, or bind() says what is wrong */
	if (!S_ISSOCK(st.st_mode))
		return set_error(errp, -EEXIST,
				 "%s: %s is there and no socket; remove it or "
				 "choose another options:vhost-server-path",
				 name, path);
	fd = connect_to(path);
	if (fd == -ECONNREFUSED) {
		unlink(path);
		return 0;
	}
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 && fd != -EAGAIN)
		return set_error(errp, fd, "%s: %s: %s", name, path,
				 strerror(-fd));
	if (fd >= 0)
		close(fd);
	return set_error(errp, -EADDRINUSE,
			 "%s: another process listens on %s; stop it or choose "
			 "another options:vhost-server-path",
			 name, path);
}

/* The mode before bind(), so that it is never wider, not for a moment. */
static int bind_and_listen(struct vhost_socket *s)
{
	const struct vhost_options *o = s->config.options;
	struct sockaddr_un sa;
	struct stat st;
	int error = 0;

	fill_address(&sa, o->path);
	s->listener = new_socket();
	if (s->listener < 0)
		return s->listener;
	if (fchmod(s->listener, o->mode) ||
	    bind(s->listener, (struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	if (!lstat(o->path, &st)) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	error = set_access(o);
	if (!error && listen(s->listener, BACKLOG))
		error = -errno;
	return error;
}

static int start_listening(struct vhost_socket *s, char **errp)
{
	const char *name = s->config.name, *path = s->config.options->path;
	int error;

	sandbox_files_begin();
	error = remove_dead(name, path, errp);
	if (!error) {
		error = bind_and_listen(s);
		if (error)
			set_error(errp, error, "%s: cannot listen on %s: %s",
				  name, path, strerror(-error));
	}
	sandbox_files_end();
	if (error)
		return error;
	s->accept = event_new(s->config.events, s->listener,
			      EV_READ | EV_PERSIST, accept_cb, s);
	event_add(s->accept, NULL);
	return 0;
}

/* Ours, and not one that somebody has put in its place. */
static void remove_own(const struct vhost_socket *s)
{
	const char *path = s->config.options->path;
	struct stat st;

	if (!s->ino)
		return;
	sandbox_files_begin();
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode) && st.st_ino == s->ino &&
	    st.st_dev == s->dev)
		unlink(path);
	sandbox_files_end();
}

/* --- connecting ------------------------------------------------------------
 */

static void try_again(struct vhost_socket *s)
{
	start_timer(s, s->wait_ms);
	s->wait_ms = MIN(2 * s->wait_ms, WAIT_MAX_MS);
}

static void try_to_connect(struct vhost_socket *s)
{
	int fd = connect_to(s->config.options->path);

	if (fd >= 0) {
		hand_over(s, fd);
		return;
	}
	if (!s->told)
		log_info_limited("%s: no front end at %s yet (%s); trying on",
				 s->config.name, s->config.options->path,
				 strerror(-fd));
	s->told = true;
	vhost_watch_start(&s->watch, s->config.events);
	try_again(s);
}

/* It is there, but does not listen yet, or will in a moment. */
static void appeared(void *arg)
{
	struct vhost_socket *s = arg;

	if (s->front_end >= 0)
		return;
	s->wait_ms = WAIT_MIN_MS;
	start_timer(s, 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_socket *s = arg;

	if (!s->config.options->client)
		event_add(s->accept, NULL);
	else if (s->front_end < 0)
		try_to_connect(s);
}

/* --- both ------------------------------------------------------------------
 */

void vhost_socket_ended(struct vhost_socket *s)
{
	s->front_end = -1;
	if (!s->config.options->client) {
		event_add(s->accept, NULL);
		return;
	}
	if (now_ms() - s->since_ms >= SETTLED_MS)
		s->wait_ms = WAIT_MIN_MS;
	try_again(s);
}

struct vhost_socket *vhost_socket_create(
	const struct vhost_socket_config *config, int *error, char **errp)
{
	struct vhost_socket *s = xcalloc(1, sizeof(*s));

	s->config = *config;
	s->listener = -1;
	s->front_end = -1;
	s->wait_ms = WAIT_MIN_MS;
	s->timer = evtimer_new(config->events, timer_cb, s);
	if (config->options->client) {
		s->watch.path = config->options->path;
		s->watch.appeared = appeared;
		s->watch.arg = s;
		start_timer(s, 0);
		return s;
	}
	*error = start_listening(s, errp);
	if (!*error)
		return s;
	vhost_socket_destroy(s);
	return NULL;
}

void vhost_socket_destroy(struct vhost_socket *s)
{
	if (!s)
		return;
	if (s->accept)
		event_free(s->accept);
	event_free(s->timer);
	vhost_watch_stop(&s->watch);
	if (s->listener >= 0) {
		remove_own(s);
		close(s->listener);
	}
	free(s);
}
