/* Sockets by name, and the loop that accepts on them: see stream.h. */
#include "ovsdb-lite/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(stream);

#define UNIX_MODE 0660
#define BACKLOG	  64

#define WAIT_MS	     2000
#define WAIT_EACH_MS 20

/*
 * Fills in the address of path. One that is too long for it is reached through
 * its directory: *dir_fd must then be kept open while the address is in use.
 */
static int unix_address(const char *path, struct sockaddr_un *sa, int *dir_fd,
			char **errp)
{
	const char *name = strrchr(path, '/');
	char dir[PATH_MAX];
	int n;

	*dir_fd = -1;
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(sa->sun_path)) {
		memcpy(sa->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!name || name - path >= (ptrdiff_t)sizeof(dir))
		return set_error(errp, -ENAMETOOLONG,
				 "%s: the name of the "
				 "socket is too long",
				 path);
	memcpy(dir, path, name - path);
	dir[name - path] = '\0';
	*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir_fd < 0)
		return set_error(errp, -errno, "%s: %s", dir, strerror(errno));
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d%s",
		     *dir_fd, name);
	if (n < (int)sizeof(sa->sun_path))
		return 0;
	close(*dir_fd);
	*dir_fd = -1;
	return set_error(errp, -ENAMETOOLONG,
			 "%s: the name of the socket is "
			 "too long",
			 path);
}

static int unix_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int connect_unix(const char *path, char **errp)
{
	struct sockaddr_un sa;
	int dir_fd, fd, error;

	error = unix_address(path, &sa, &dir_fd, errp);
	if (error)
		return error;
	fd = unix_socket();
	if (fd < 0)
		error = set_error(errp, fd, "socket: %s", strerror(-fd));
	else if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		error = set_error(errp, -errno, "%s: connecting failed: %s",
				  path, strerror(errno));
	if (dir_fd >= 0)
		close(dir_fd);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

int stream_connect_unix(const char *path, char **errp)
{
	return connect_unix(path, errp);
}

void stream_wait_unix(const char *path)
{
	const struct timespec each = { .tv_nsec = WAIT_EACH_MS * 1000000L };

	for (int ms = 0; ms < WAIT_MS; ms += WAIT_EACH_MS) {
		int fd = connect_unix(path, NULL);

		if (fd < 0 && fd != -EAGAIN)
			return;
		if (fd >= 0)
			close(fd);
		nanosleep(&each, NULL);
	}
}

/* Makes way for a new socket at path, when what is there is a dead one. */
static int remove_dead_socket(const char *path, char **errp)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return 0; /* nothing there, or bind() says what is wrong */
	if (!S_ISSOCK(st.st_mode))
		return set_error(errp, -EEXIST,
				 "%s: there is a file of that "
				 "name which is no socket; remove it or choose "
				 "another name",
				 path);
	fd = connect_unix(path, NULL);
	if (fd == -ECONNREFUSED) {
		unlink(path);
		return 0;
	}
	if (fd >= 0)
		close(fd);
	else if (fd != -EAGAIN)
		return 0;
	return set_error(errp, -EADDRINUSE,
			 "%s: another process listens "
			 "there; stop it or choose another name",
			 path);
}

int stream_listen_unix(const char *path, char **errp)
{
	struct sockaddr_un sa;
	int dir_fd, fd, error;

	error = remove_dead_socket(path, errp);
	if (!error)
		error = unix_address(path, &sa, &dir_fd, errp);
	if (error)
		return error;
	fd = unix_socket();
	/* The mode before bind(), so that it is never wider, not for a moment.
	 */
	if (fd < 0)
		error = set_error(errp, fd, "socket: %s", strerror(-fd));
	else if (fchmod(fd, UNIX_MODE) < 0 ||
		 bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		 chmod(path, UNIX_MODE) < 0 || listen(fd, BACKLOG) < 0)
		error = set_error(errp, -errno, "%s: listening failed: %s",
				  path, strerror(errno));
	if (dir_fd >= 0)
		close(dir_fd);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

/*
 * Splits "A[:B]" in place, A perhaps an IPv6 address in brackets; *b is NULL
 * when there is none. False when it is neither.
 */
static bool split(char *s, char **a, char **b)
{
	char *end;

	*a = s;
	if (*s == '[') {
		*a = s + 1;
		end = strchr(s, ']');
		if (!end)
			return false;
		*end++ = '\0';
	} else {
		end = s + strcspn(s, ":");
	}
	*b = NULL;
	if (*end == ':') {
		*end = '\0';
		*b = end + 1;
		/* The second may be an address in brackets: "6640:[::1]". */
		if (**b == '[') {
			(*b)++;
			end = strchr(*b, ']');
			if (!end || end[1])
				return false;
			*end = '\0';
		}
	}
	return *end == '\0';
}

static struct addrinfo *resolve(const char *host, const char *port, int flags,
				char **errp)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = flags | AI_NUMERICSERV };
	struct addrinfo *ai = NULL;
	int error = getaddrinfo(host, port, &hints, &ai);

	if (!error)
		return ai;
	set_error(errp, -EINVAL, "%s port %s: %s", host ? host : "any address",
		  port, gai_strerror(error));
	return NULL;
}

static int tcp_socket(const struct addrinfo *ai, bool listens, char **errp)
{
	int on = 1, error = 0;
	int fd = socket(ai->ai_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return set_error(errp, -errno, "socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (listens) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
		    listen(fd, BACKLOG) < 0)
			error = -errno;
	} else if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 &&
		   errno != EINPROGRESS) {
		error = -errno;
	}
	if (!error)
		return fd;
	close(fd);
	return set_error(errp, error, "%s failed: %s",
			 listens ? "listening" : "connecting",
			 strerror(-error));
}

static int open_tcp(const char *where, bool listens, char **errp)
{
	char *copy = xstrdup(where), *a, *b, *why = NULL;
	const char *host, *port;
	struct addrinfo *ai = NULL;
	int fd = -EINVAL;

	if (!split(copy, &a, &b)) {
		set_error(&why, -EINVAL, "use %s",
			  listens ? "PORT[:ADDRESS]" : "HOST[:PORT]");
		goto out;
	}
	host = listens ? b : a;
	port = listens ? a : b;
	if (!port || !*port)
		port = STREAM_OVSDB_PORT;
	if (host && !*host)
		host = NULL;
	if (!listens && !host) {
		set_error(&why, -EINVAL, "an address is missing");
		goto out;
	}
	/* As its other servers do, on IPv4 unless told an address. */
	ai = resolve(listens && !host ? "0.0.0.0" : host, port,
		     listens ? AI_PASSIVE | AI_NUMERICHOST : 0, &why);
	if (ai)
		fd = tcp_socket(ai, listens, &why);
out:
	if (fd < 0) {
		set_error(errp, fd, "%s: %s", where, why ? why : "failed");
		free(why);
	}
	if (ai)
		freeaddrinfo(ai);
	free(copy);
	return fd;
}

int stream_listen_tcp(const char *where, char **errp)
{
	return open_tcp(where, true, errp);
}

int stream_connect_tcp(const char *where, char **errp)
{
	return open_tcp(where, false, errp);
}

char *stream_peer_name(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss), cred_len = sizeof(struct ucred);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct ucred cred;

	if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return xstrdup("unknown");
	if (ss.ss_family == AF_UNIX) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) <
		    0)
			return xstrdup("unix");
		return xasprintf("unix (pid %ld uid %lu)", (long)cred.pid,
				 (unsigned long)cred.uid);
	}
	if (getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return xstrdup("unknown");
	if (ss.ss_family == AF_INET6)
		return xasprintf("tcp:[%s]:%s", host, port);
	return xasprintf("tcp:%s:%s", host, port);
}

uint16_t stream_local_port(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&ss)->sin_port);
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	return 0;
}

struct stream_listener {
	int fd;
	int reserve; /* a descriptor to spend when there are none left */
	struct event *ev;
	stream_accept *accepted;
	void *aux;
};

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Tells a waiting client that there is no room, by closing on it. */
static void refuse_one(struct stream_listener *l)
{
	int fd;

	log_warn_limited("no more file descriptors: a connection was refused; "
			 "raise the limit of open files");
	if (l->reserve < 0)
		l->reserve = open_reserve(); /* one may be free again */
	if (l->reserve < 0)
		return;
	close(l->reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->reserve = open_reserve();
}

static void accept_cb(evutil_socket_t listen_fd, short what, void *aux)
{
	struct stream_listener *l = aux;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		l->accepted(fd, l->aux);
	else if (errno == EMFILE || errno == ENFILE)
		refuse_one(l);
}

struct stream_listener *stream_listener_create(struct event_base *base, int fd,
					       stream_accept *accepted,
					       void *aux)
{
	struct stream_listener *l = xcalloc(1, sizeof(*l));

	l->fd = fd;
	l->reserve = open_reserve();
	l->accepted = accepted;
	l->aux = aux;
	/* One connection a turn: whoever is connected keeps being served. */
	l->ev = event_new(base, fd, EV_READ | EV_PERSIST, accept_cb, l);
	event_add(l->ev, NULL);
	return l;
}

void stream_listener_destroy(struct stream_listener *l)
{
	if (!l)
		return;
	event_free(l->ev);
	close(l->fd);
	if (l->reserve >= 0)
		close(l->reserve);
	free(l);
}
