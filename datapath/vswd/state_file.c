/* Files that outlive the daemon; see state_file.h. */
#include "vswd/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/directory.h"
#include "packet/crc32c.h"

#define VERSION 1
#define BUFFER	65536

/* Of this machine: it is not carried to another. */
struct head {
	char kind[STATE_KIND_LEN];
	uint32_t version;
	uint32_t crc;	   /* of all that follows */
	uint64_t saved_ms; /* since 1970 */
	uint64_t len;	   /* of what follows the head */
};

_Static_assert(sizeof(struct head) == 32, "no padding");

struct state_writer {
	char *path, *beside;
	int fd, error;
	struct head head;
	uint32_t crc; /* of the content */
	size_t n;     /* in the buffer */
	uint8_t buffer[BUFFER];
};

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

int state_file_create(const char *path, const char *kind,
		      struct state_writer **writerp, char **errp)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char *beside = xasprintf("%s.new", path);
	int error = directory_make_for(path), fd;
	struct state_writer *w;

	unlink(beside); /* of a stop that was cut short */
	fd = open(beside, flags, 0600);
	if (fd < 0) {
		error = error ? error : -errno;
		set_error(errp, error, "cannot write %s: %s", beside,
			  strerror(-error));
		free(beside);
		return error;
	}
	w = xcalloc(1, sizeof(*w));
	w->path = xstrdup(path);
	w->beside = beside;
	w->fd = fd;
	memcpy(w->head.kind, kind, strnlen(kind, STATE_KIND_LEN));
	w->head.version = VERSION;
	w->head.saved_ms = wall_ms();
	w->crc = ~0u;
	w->error = write_all(fd, (uint8_t *)&w->head, sizeof(w->head));
	*writerp = w;
	return 0;
}

static void flush(struct state_writer *w)
{
	if (!w->error)
		w->error = write_all(w->fd, w->buffer, w->n);
	w->n = 0;
}

int state_file_write(struct state_writer *w, const void *data_, size_t len)
{
	const uint8_t *data = data_;

	w->crc = crc32c_add(w->crc, data, len);
	w->head.len += len;
	while (len && !w->error) {
		size_t n = MIN(len, sizeof(w->buffer) - w->n);

		memcpy(w->buffer + w->n, data, n);
		w->n += n;
		data += n;
		len -= n;
		if (w->n == sizeof(w->buffer))
			flush(w);
	}
	return w->error;
}

/* The content's sum, then the head's from saved_ms on. */
static uint32_t sum_of(const struct head *head, uint32_t content)
{
	return ~crc32c_add(content, &head->saved_ms,
			   sizeof(*head) - offsetof(struct head, saved_ms));
}

int state_file_finish(struct state_writer *w, bool keep, char **errp)
{
	int error;

	flush(w);
	w->head.crc = sum_of(&w->head, w->crc);
	if (!w->error && keep &&
	    (pwrite(w->fd, &w->head, sizeof(w->head), 0) != sizeof(w->head) ||
	     fsync(w->fd)))
		w->error = -errno;
	close(w->fd);
	if (!w->error && keep && rename(w->beside, w->path))
		w->error = -errno;
	error = w->error;
	if (error)
		set_error(errp, error, "cannot write %s: %s", w->path,
			  strerror(-error));
	if (error || !keep)
		unlink(w->beside);
	free(w->path);
	free(w->beside);
	free(w);
	return error;
}

static int read_all(int fd, uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = read(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		data += n;
		len -= n;
	}
	return 0;
}

/* Nobody else's, and as long as it says. */
static int read_head(int fd, const char *kind, size_t max, struct head *head)
{
	char wanted[STATE_KIND_LEN] = { 0 };
	struct stat st;
	int error;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	error = read_all(fd, (uint8_t *)head, sizeof(*head));
	if (error)
		return error;
	memcpy(wanted, kind, strnlen(kind, STATE_KIND_LEN));
	if (memcmp(head->kind, wanted, STATE_KIND_LEN) != 0 ||
	    head->version != VERSION || head->len > max ||
	    head->len != (uint64_t)st.st_size - sizeof(*head))
		return -EBADMSG;
	return 0;
}

static int read_file(int fd, const char *kind, size_t max, struct head *head,
		     uint8_t **datap)
{
	int error = read_head(fd, kind, max, head);
	uint8_t *data;

	if (error)
		return error;
	data = malloc(MAX(head->len, 1u)); /* a long one may be too long */
	if (!data)
		return -ENOMEM;
	error = read_all(fd, data, head->len);
	if (!error &&
	    sum_of(head, crc32c_add(~0u, data, head->len)) != head->crc)
		error = -EBADMSG;
	if (error)
		free(data);
	else
		*datap = data;
	return error;
}

int state_file_read(const char *path, const char *kind, size_t max,
		    uint8_t **datap, size_t *lenp, uint64_t *age_ms,
		    char **errp)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint64_t now = wall_ms();
	struct head head = { 0 };
	int error;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	error = fd < 0 ? -errno : read_file(fd, kind, max, &head, datap);
	if (fd >= 0)
		close(fd);
	if (error)
		return set_error(
			errp, error, "cannot use %s: %s", path,
			error == -EBADMSG
				? "it is damaged, or of another version"
				: strerror(-error));
	*lenp = head.len;
	*age_ms = now > head.saved_ms ? now - head.saved_ms : 0;
	return 0;
}
