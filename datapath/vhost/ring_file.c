/*
 * The file of ring_file.h: a head, and a slot of two cache lines for each ring.
 *
 * It lies where only this user can write. All the same it is taken for a
 * stranger's: of fixed size, each number checked where it is used.
 */
#include "vhost/ring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"

#define MAGIC	     "vsw ring"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

/* A version changes with the meaning of anything in the file. */
struct head {
	char magic[8];
	uint32_t version;
	uint32_t slot_size;
	char boot[40];
};

struct slot {
	struct virtqueue_kept kept;
	struct ring_identity identity CACHE_ALIGNED;
};

struct content {
	struct head head CACHE_ALIGNED;
	struct slot slots[];
};

_Static_assert(sizeof(struct ring_identity) == 48, "compared as bytes");
_Static_assert(sizeof(struct slot) == 2 * CACHE_LINE,
	       "a worker writes to the first line only");

struct ring_file {
	struct content *content;
	size_t size;
	unsigned n_rings;
};

static size_t size_for(unsigned n_rings)
{
	return sizeof(struct content) + n_rings * sizeof(struct slot);
}

/* Addresses and inodes of before say nothing after the machine's start. */
static void make_head(struct head *head)
{
	int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);

	memset(head, 0, sizeof(*head));
	memcpy(head->magic, MAGIC, sizeof(head->magic));
	head->version = 1;
	head->slot_size = sizeof(struct slot);
	if (fd < 0)
		return;
	if (read(fd, head->boot, sizeof(head->boot) - 1) < 0)
		head->boot[0] = '\0';
	close(fd);
}

/* Another's, or one that others could have written to, is not for us. */
static bool is_own(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       st.st_uid == geteuid() && !(st.st_mode & 077);
}

static int open_own(const char *path)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int error = directory_make_for(path), fd = open(path, flags);

	if (fd >= 0 && is_own(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	else if (errno != ENOENT && errno != ELOOP)
		return -errno; /* a socket, say */
	if (error)
		return error;
	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? -errno : fd;
}

/* There are blocks for all of it: a store to it never fails. */
static int map(struct ring_file *file, int fd)
{
	void *at;
	int error;

	if (ftruncate(fd, file->size))
		return -errno;
	error = -posix_fallocate(fd, 0, file->size);
	if (error)
		return error;
	at = mmap(NULL, file->size, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	file->content = at;
	return 0;
}

static void check_head(struct ring_file *file)
{
	struct content *c = file->content;
	struct head head;

	make_head(&head);
	if (head.boot[0] && !memcmp(&c->head, &head, sizeof(head)))
		return;
	memset(c, 0, file->size);
	c->head = head;
}

struct ring_file *ring_file_open(const char *path, unsigned n_rings,
				 char **errp)
{
	struct ring_file *file = xcalloc(1, sizeof(*file));
	int fd = open_own(path), error = fd;

	file->n_rings = n_rings;
	file->size = size_for(n_rings);
	if (fd >= 0) {
		error = map(file, fd);
		close(fd);
	}
	if (error < 0) {
		set_error(errp, error, "cannot use %s: %s", path,
			  strerror(-error));
		free(file);
		return NULL;
	}
	check_head(file);
	return file;
}

void ring_file_close(struct ring_file *file)
{
	if (!file)
		return;
	munmap(file->content, file->size);
	free(file);
}

struct virtqueue_kept *ring_file_ring(struct ring_file *file, unsigned i,
				      const struct ring_identity *now)
{
	struct slot *slot;

	if (i >= file->n_rings)
		return NULL;
	slot = &file->content->slots[i];
	if (memcmp(&slot->identity, now, sizeof(*now))) {
		/* In this order, wherever a crash may come. */
		virtqueue_kept_clear(&slot->kept);
		slot->identity = *now;
	}
	return &slot->kept;
}

void ring_file_forget(struct ring_file *file, unsigned i)
{
	if (file && i < file->n_rings)
		virtqueue_kept_clear(&file->content->slots[i].kept);
}
