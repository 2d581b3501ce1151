/*
 * Saving: what of the memfd is there is read with pread(), which unlike a touch
 * of the mapping allocates nothing, and pages that are not all zeroes are
 * written.
 *
 * Restoring: one thread serves the faults and between them fills one block
 * after the other. Of a block only pages that are not zeroes are made; the
 * others stay missing until the end, when userfaultfd lets go of the memory and
 * they are as new ones are. A page that is touched before, or was given back by
 * the balloon and is touched again, is made of zeroes on its fault.
 */
#include "vmm/machine/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/host/sandbox.h"

enum { PAGE = 4096, HUGE = 2 << 20, BLOCK = 256 << 10 };

/* What pread() or pwrite() of a file says: less than all is its end, or a full
 * disk. */
static int all_of(ssize_t n, size_t length, int error)
{
	return n == (ssize_t)length ? 0 : n < 0 ? -errno : error;
}

static bool is_zero(const uint8_t *page, size_t length)
{
	return !page[0] && !memcmp(page, page + 1, length - 1);
}

/* Where after `offset` a file has data, or its `size`. */
static uint64_t next_data(int fd, uint64_t offset, uint64_t size)
{
	off_t found = lseek(fd, offset, SEEK_DATA);

	if (found < 0)
		return errno == ENXIO ? size : offset;
	return MIN((uint64_t)found, size);
}

typedef int put_pages(void *aux, uint64_t offset, const uint8_t *data,
		      size_t length);

/* Calls put() for all pages of a block that are not zeroes. */
static int copy_block(int fd, uint64_t offset, size_t length, size_t page,
		      uint8_t *buffer, put_pages *put, void *aux)
{
	int error = all_of(pread(fd, buffer, length, offset), length, -ENODATA);

	for (size_t start = 0, end; start < length && !error; start = end) {
		bool zero = is_zero(buffer + start, page);

		for (end = start + page;
		     end < length && is_zero(buffer + end, page) == zero;)
			end += page;
		if (!zero)
			error = put(aux, offset + start, buffer + start,
				    end - start);
	}
	return error;
}

/* The same for all of a file that is no hole. */
static int copy_file(int fd, uint64_t size, put_pages *put, void *aux)
{
	uint8_t *buffer = xmalloc(BLOCK);
	uint64_t offset = 0;
	int error = 0;

	while (!error) {
		offset = next_data(fd, offset, size) / BLOCK * BLOCK;
		if (offset >= size)
			break;
		error = copy_block(fd, offset, MIN(BLOCK, size - offset), PAGE,
				   buffer, put, aux);
		offset += BLOCK;
	}
	free(buffer);
	return error;
}

/* --- save ----------------------------------------------------------------- */

static int put_in_file(void *aux, uint64_t offset, const uint8_t *data,
		       size_t length)
{
	return all_of(pwrite(*(int *)aux, data, length, offset), length,
		      -ENOSPC);
}

int snapshot_save_memory(const struct guest_memory *memory, int fd, char **errp)
{
	int error = 0;

	if (ftruncate(fd, 0) || ftruncate(fd, memory->size))
		error = -errno;
	if (!error)
		error = copy_file(memory->fd, memory->size, put_in_file, &fd);
	if (!error && fdatasync(fd))
		error = -errno;
	if (error)
		return set_error(errp, error,
				 "cannot write the VM's memory to its file: %s",
				 strerror(-error));
	return 0;
}

/* --- restore -------------------------------------------------------------- */

struct snapshot_restore {
	struct guest_memory *memory;
	int fd, faults;
	size_t page, block;
	uint8_t *buffer; /* of a block */
	bool *filled;	 /* by block */
	pthread_t thread;
	int error; /* of the thread, when it has ended */
	void (*done)(void *aux);
	void *aux;
};

static int no_file(int error, char **errp)
{
	return set_error(errp, error,
			 "cannot read the saved VM's memory: %s; is its file "
			 "damaged?",
			 strerror(-error));
}

/* Makes pages. Some may be there: they are what the guest has written. */
static int make_pages(struct snapshot_restore *r, uint64_t offset,
		      const uint8_t *data, size_t length)
{
	while (length) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)r->memory->base + offset,
			.src = (uintptr_t)data,
			.len = length,
		};
		size_t n = length;

		if (ioctl(r->faults, UFFDIO_COPY, &copy)) {
			if (errno == EEXIST)
				n = r->page;
			else if (errno != EAGAIN)
				return -errno;
			else
				n = copy.copy > 0 ? copy.copy : 0;
		}
		data += n;
		offset += n;
		length -= n;
	}
	return 0;
}

static int put_missing(void *aux, uint64_t offset, const uint8_t *data,
		       size_t length)
{
	return make_pages(aux, offset, data, length);
}

static int fill_block(struct snapshot_restore *r, uint64_t block)
{
	uint64_t offset = block * r->block;

	if (r->filled[block])
		return 0;
	r->filled[block] = true;
	return copy_block(r->fd, offset,
			  MIN(r->block, r->memory->size - offset), r->page,
			  r->buffer, put_missing, r);
}

/* The page that was touched is there in any case afterwards. */
static int serve_fault(struct snapshot_restore *r, uint64_t addr)
{
	uint64_t offset =
		(addr - (uintptr_t)r->memory->base) / r->page * r->page;
	struct uffdio_range range = {
		.start = (uintptr_t)r->memory->base + offset,
		.len = r->page,
	};
	int error;

	if (offset >= r->memory->size)
		return 0;
	error = fill_block(r, offset / r->block);
	if (error)
		return error;
	memset(r->buffer, 0, r->page);
	error = make_pages(r, offset, r->buffer, r->page);
	ioctl(r->faults, UFFDIO_WAKE, &range);
	return error;
}

static int serve_faults(struct snapshot_restore *r)
{
	struct uffd_msg message;
	int error = 0;

	while (!error &&
	       read(r->faults, &message, sizeof(message)) == sizeof(message))
		if (message.event == UFFD_EVENT_PAGEFAULT)
			error = serve_fault(r, message.arg.pagefault.address);
	return error;
}

static int fill_all(struct snapshot_restore *r)
{
	struct uffdio_range all = { (uintptr_t)r->memory->base,
				    r->memory->size };
	uint64_t offset = 0;
	int error = 0;

	while (!error) {
		error = serve_faults(r);
		offset = next_data(r->fd, offset, r->memory->size);
		if (error || offset >= r->memory->size)
			break;
		error = fill_block(r, offset / r->block);
		offset = (offset / r->block + 1) * r->block;
	}
	if (!error && ioctl(r->faults, UFFDIO_UNREGISTER, &all))
		error = -errno;
	return error;
}

static void *fill_thread(void *aux)
{
	struct snapshot_restore *r = aux;

	r->error = vm_sandbox_thread(VM_THREAD_CONTROL, NULL);
	if (!r->error)
		r->error = fill_all(r);
	if (r->done)
		r->done(r->aux);
	return NULL;
}

/* A descriptor that tells of all the memory's faults; < 0: not to be had. */
static int watch_faults(const struct guest_memory *memory, int userfault)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register all = {
		.range = { (uintptr_t)memory->base, memory->size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = ioctl(userfault, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &all))
		return fd;
	close(fd);
	return -ENOTSUP;
}

static size_t page_size(const struct guest_memory *memory)
{
	struct statfs fs;

	return !fstatfs(memory->fd, &fs) && fs.f_type == HUGETLBFS_MAGIC ? HUGE
									 : PAGE;
}

static int put_in_memory(void *aux, uint64_t offset, const uint8_t *data,
			 size_t length)
{
	const struct guest_memory *memory = aux;

	memcpy(memory->base + offset, data, length);
	return 0;
}

static void restore_free(struct snapshot_restore *r)
{
	close(r->faults);
	free(r->filled);
	free(r->buffer);
	free(r);
}

static int start_filling(struct snapshot_restore init,
			 struct snapshot_restore **restore, char **errp)
{
	struct snapshot_restore *r = xmalloc(sizeof(*r));
	struct guest_memory *memory = init.memory;
	int error;

	*r = init;
	r->page = page_size(memory);
	r->block = MAX((size_t)BLOCK, r->page);
	r->buffer = xmalloc(r->block);
	r->filled = xcalloc(DIV_ROUND_UP(memory->size, r->block), 1);
	error = -pthread_create(&r->thread, NULL, fill_thread, r);
	if (error) {
		restore_free(r);
		return set_error(errp, error, "cannot start a thread: %s",
				 strerror(-error));
	}
	*restore = r;
	return 0;
}

int snapshot_restore_memory(struct guest_memory *memory, int fd, int userfault,
			    void (*done)(void *aux), void *aux,
			    struct snapshot_restore **restore, char **errp)
{
	struct stat st;
	int faults, error;

	*restore = NULL;
	if (fstat(fd, &st))
		return no_file(-errno, errp);
	if ((uint64_t)st.st_size != memory->size)
		return set_error(errp, -EINVAL,
				 "the saved VM's memory has %lld bytes, it is "
				 "to have %llu; is its file damaged?",
				 (long long)st.st_size,
				 (unsigned long long)memory->size);
	faults = userfault < 0 ? -1 : watch_faults(memory, userfault);
	if (faults >= 0)
		return start_filling(
			(struct snapshot_restore){ .memory = memory,
						   .fd = fd,
						   .faults = faults,
						   .done = done,
						   .aux = aux },
			restore, errp);
	error = copy_file(fd, memory->size, put_in_memory, memory);
	return error ? no_file(error, errp) : 0;
}

int snapshot_restore_wait(struct snapshot_restore *r, char **errp)
{
	int error;

	if (!r)
		return 0;
	pthread_join(r->thread, NULL);
	error = r->error;
	if (error)
		r->faults = -1; /* closed, it would let everybody go on */
	restore_free(r);
	return error ? no_file(error, errp) : 0;
}
