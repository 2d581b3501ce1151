/*
 * The reader says that it waits, then looks once more; a writer makes its
 * record visible, then looks whether somebody waits. One of the two sees the
 * other, so no record is slept through.
 */
#include "base/wake_ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/byte_ring.h"

struct wake_ring {
	struct byte_ring *ring;
	int fd;
	_Atomic bool reader_waits;
};

struct wake_ring *wake_ring_create(size_t size)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct wake_ring *r;

	if (fd < 0)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->fd = fd;
	r->ring = byte_ring_create(size);
	atomic_init(&r->reader_waits, true);
	return r;
}

void wake_ring_destroy(struct wake_ring *ring)
{
	if (!ring)
		return;
	close(ring->fd);
	byte_ring_destroy(ring->ring);
	free(ring);
}

int wake_ring_fd(const struct wake_ring *ring)
{
	return ring->fd;
}

static void wake_reader(struct wake_ring *ring)
{
	uint64_t one = 1;

	/* The record is visible before we look whether somebody waits. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load(&ring->reader_waits) ||
	    !atomic_exchange(&ring->reader_waits, false))
		return;
	if (write(ring->fd, &one, sizeof(one)) < 0)
		atomic_store(&ring->reader_waits, true);
}

void *wake_ring_reserve(struct wake_ring *ring, uint32_t len, size_t keep)
{
	void *record = NULL;

	if (!keep || byte_ring_room(ring->ring) >= len + keep)
		record = byte_ring_reserve(ring->ring, len);
	if (!record)
		wake_reader(ring);
	return record;
}

void wake_ring_commit(struct wake_ring *ring, void *record, uint32_t len)
{
	byte_ring_commit(record, len);
	wake_reader(ring);
}

static unsigned read_records(struct wake_ring *ring, unsigned max,
			     void (*cb)(const void *, uint32_t, void *),
			     void *aux)
{
	unsigned n;

	for (n = 0; n < max; n++) {
		const void *record;
		uint32_t len;

		record = byte_ring_peek(ring->ring, &len);
		if (!record)
			break;
		cb(record, len, aux);
		byte_ring_release(ring->ring);
	}
	return n;
}

unsigned wake_ring_read(struct wake_ring *ring, unsigned max,
			void (*cb)(const void *record, uint32_t len, void *aux),
			void *aux)
{
	uint64_t count;
	unsigned n;

	n = read_records(ring, max, cb, aux);
	if (n == max)
		return n; /* the descriptor stays readable */
	if (read(ring->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return n;
	/* Look again after saying that we wait: nothing is slept through. */
	atomic_store(&ring->reader_waits, true);
	n += read_records(ring, max - n, cb, aux);
	if (n == max)
		wake_reader(ring);
	return n;
}
