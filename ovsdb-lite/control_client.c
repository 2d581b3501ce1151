/* A client of the control socket: see control_client.h. */
#include "ovsdb-lite/control_client.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ovsdb-lite/json_scan.h"
#include "ovsdb-lite/jsonrpc.h"
#include "ovsdb-lite/stream.h"

static const struct json_scan_limits limits = {
	.bytes = JSONRPC_MAX_MESSAGE,
	.depth = JSONRPC_MAX_DEPTH,
	.values = JSONRPC_MAX_VALUES,
};

/* What has arrived of the reply, and of what follows it. */
struct reply {
	char *data;
	size_t n, allocated;
	size_t start, end; /* of the object in it, when complete */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* Waits for the socket until `deadline` (0: for ever). 0 or -errno. */
static int wait_fd(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int64_t left;
	int n;

	for (;;) {
		left = deadline ? deadline - now_ms() : -1;
		if (deadline && left <= 0)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const char *data, size_t n, int64_t deadline)
{
	ssize_t done;
	int error;

	while (n) {
		done = send(fd, data, n, MSG_NOSIGNAL);
		if (done >= 0) {
			data += done;
			n -= done;
			continue;
		}
		error = errno == EAGAIN	 ? wait_fd(fd, POLLOUT, deadline)
			: errno == EINTR ? 0
					 : -errno;
		if (error)
			return error;
	}
	return 0;
}

static int send_command(int fd, int argc, const char *const argv[],
			int64_t deadline)
{
	json_t *params = json_array(), *msg;
	char *text;
	int error;

	for (int i = 1; i < argc; i++)
		if (json_array_append_new(params, json_string(argv[i]))) {
			json_decref(params);
			return -EILSEQ;
		}
	msg = json_pack("{s:i, s:s, s:o}", "id", 0, "method", argv[0], "params",
			params);
	text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	json_decref(msg);
	if (!text)
		return -EILSEQ;
	error = send_all(fd, text, strlen(text), deadline);
	free(text);
	return error;
}

/* Reads until one whole object is there. */
static int read_reply(int fd, struct reply *r, int64_t deadline)
{
	struct json_scan scan = { 0 };
	enum json_scan_status status = JSON_SCAN_MORE;
	size_t start, end, scanned = 0;
	bool begun = false;
	ssize_t n;
	int error;

	while (status == JSON_SCAN_MORE) {
		error = wait_fd(fd, POLLIN, deadline);
		if (error)
			return error;
		if (r->n == r->allocated) {
			r->allocated = MAX(4096, 2 * r->allocated);
			r->data = xrealloc(r->data, r->allocated);
		}
		n = read(fd, r->data + r->n, r->allocated - r->n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		r->n += n;
		status = json_scan(&scan, &limits, r->data + scanned,
				   r->n - scanned, &start, &end);
		if (!begun && start < r->n - scanned) {
			r->start = scanned + start;
			begun = true;
		}
		scanned += end;
	}
	r->end = scanned;
	return status == JSON_SCAN_COMPLETE ? 0 : -EPROTO;
}

/* The text of the reply, with what came behind it. */
static int take_reply(struct reply *r, char **text, size_t *n_more)
{
	json_t *msg =
		json_loadb(r->data + r->start, r->end - r->start, 0, NULL);
	json_t *result = json_object_get(msg, "result");
	json_t *error = json_object_get(msg, "error");
	bool failed = error && !json_is_null(error);
	json_t *said = failed ? error : result;
	size_t more = r->n - r->end, len;
	char *s;

	/* Some say more than text: then it is for a program to read. */
	if (json_is_string(said))
		s = xstrdup(json_string_value(said));
	else
		s = said ? json_dumps(said, JSON_COMPACT | JSON_ENCODE_ANY)
			 : NULL;
	json_decref(msg);
	if (!s)
		return -EPROTO;
	len = strlen(s);
	if (failed && len && s[len - 1] == '\n')
		s[len - 1] = '\0';
	if (n_more && !failed) {
		s = xrealloc(s, len + 1 + more);
		memcpy(s + len + 1, r->data + r->end, more);
		*n_more = more;
	}
	*text = s;
	return failed ? -EREMOTEIO : 0;
}

int control_call(const char *path, int argc, const char *const argv[],
		 int timeout_ms, char **text, int *fdp, size_t *n_more,
		 char **errp)
{
	int64_t deadline = timeout_ms ? now_ms() + timeout_ms : 0;
	struct reply r = { 0 };
	int fd, error;

	*text = NULL;
	fd = stream_connect_unix(path, errp);
	if (fd < 0)
		return fd;
	error = send_command(fd, argc, argv, deadline);
	if (!error)
		error = read_reply(fd, &r, deadline);
	if (error)
		set_error(errp, error, "%s: no reply to \"%s\": %s", path,
			  argv[0], strerror(-error));
	else
		error = take_reply(&r, text, n_more);
	if (error == -EPROTO)
		set_error(errp, error, "%s: the reply to \"%s\" is malformed",
			  path, argv[0]);
	free(r.data);
	if (fdp && !error)
		*fdp = fd;
	else
		close(fd);
	return error;
}

/* The process id in a pid file, or 0. */
static long read_pid(const char *path)
{
	FILE *f = fopen(path, "re");
	long pid = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%ld", &pid) != 1 || pid < 0)
		pid = 0;
	fclose(f);
	return pid;
}

char *control_find(const char *run_dir, const char *target, char **errp)
{
	char *pid_file, *path = NULL;
	long pid;

	if (target[0] == '/')
		return xstrdup(target);
	pid_file = xasprintf("%s/%s.pid", run_dir, target);
	pid = read_pid(pid_file);
	if (pid) {
		path = xasprintf("%s/%s.%ld.ctl", run_dir, target, pid);
		if (access(path, F_OK) < 0) {
			free(path);
			path = NULL;
		}
	}
	if (!path) {
		path = xasprintf("%s/%s.ctl", run_dir, target);
		if (access(path, F_OK) < 0) {
			set_error(errp, -ENOENT,
				  "no control socket of %s in "
				  "%s: is it running?",
				  target, run_dir);
			free(path);
			path = NULL;
		}
	}
	free(pid_file);
	return path;
}
