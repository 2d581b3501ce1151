/*
 * Theory: head and tail count bytes and only grow; a record begins with a
 * header word, which is zero until its writer commits. A writer takes its place
 * by moving head with compare-and-swap, after it has seen that tail leaves the
 * room. The reader zeroes what it gives back before it moves tail, so that the
 * header of a new record at any place reads as uncommitted until it is. A
 * record that would cross the end of the memory is preceded by padding, which
 * is reserved in the same step.
 */
#include "base/byte_ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define RING_SIZE_MIN (4u << 10)
#define RING_SIZE_MAX (1u << 30)
#define ALIGN_UP(n)   (((n) + 7) & ~(uint64_t)7)

struct header {
	/* room << 32 | length << 1 | committed; zero before a reservation */
	_Atomic uint64_t word;
};

struct byte_ring {
	uint64_t size;
	uint8_t *memory;
	_Atomic uint64_t head CACHE_ALIGNED;
	_Atomic uint64_t tail CACHE_ALIGNED;
	uint32_t peeked; /* room of the record that peek returned */
};

struct byte_ring *byte_ring_create(size_t size)
{
	struct byte_ring *ring = xcalloc_aligned(1, sizeof(*ring));

	ring->size =
		round_up_pow2(MIN(MAX(size, RING_SIZE_MIN), RING_SIZE_MAX));
	ring->memory = xcalloc_aligned(1, ring->size);
	return ring;
}

void byte_ring_destroy(struct byte_ring *ring)
{
	if (!ring)
		return;
	free(ring->memory);
	free(ring);
}

static struct header *header_at(struct byte_ring *ring, uint64_t position)
{
	return (void *)(ring->memory + (position & (ring->size - 1)));
}

static void publish(struct header *h, uint64_t room, uint32_t len)
{
	atomic_store_explicit(&h->word, room << 32 | (uint64_t)len << 1 | 1,
			      memory_order_release);
}

void *byte_ring_reserve(struct byte_ring *ring, uint32_t len)
{
	uint64_t room = ALIGN_UP((uint64_t)len + sizeof(struct header));
	uint64_t head, tail, padding, left;
	struct header *h;

	if (room > ring->size / 2)
		return NULL;
	head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	do {
		left = ring->size - (head & (ring->size - 1));
		padding = left < room ? left : 0;
		/* Acquire: the reader's zeroes are seen before we write. */
		tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head + padding + room - tail > ring->size)
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(
		&ring->head, &head, head + padding + room, memory_order_acq_rel,
		memory_order_relaxed));
	if (padding)
		publish(header_at(ring, head), padding, 0);
	h = header_at(ring, head + padding);
	atomic_store_explicit(&h->word, room << 32, memory_order_relaxed);
	return h + 1;
}

size_t byte_ring_room(const struct byte_ring *ring)
{
	/* In this order: tail never passes a head that was read after it. */
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint64_t used =
		atomic_load_explicit(&ring->head, memory_order_relaxed) - tail;

	return used < ring->size ? ring->size - used : 0;
}

void byte_ring_commit(void *record, uint32_t len)
{
	struct header *h = (struct header *)record - 1;
	uint64_t word = atomic_load_explicit(&h->word, memory_order_relaxed);

	publish(h, word >> 32, len);
}

void *byte_ring_peek(struct byte_ring *ring, uint32_t *len)
{
	for (;;) {
		uint64_t tail =
			atomic_load_explicit(&ring->tail, memory_order_relaxed);
		struct header *h = header_at(ring, tail);
		uint64_t word;

		if (tail ==
		    atomic_load_explicit(&ring->head, memory_order_acquire))
			return NULL;
		word = atomic_load_explicit(&h->word, memory_order_acquire);
		if (!(word & 1))
			return NULL;
		ring->peeked = word >> 32;
		*len = (uint32_t)word >> 1;
		if (*len)
			return h + 1;
		byte_ring_release(ring);
	}
}

void byte_ring_release(struct byte_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	memset(header_at(ring, tail), 0, ring->peeked);
	atomic_store_explicit(&ring->tail, tail + ring->peeked,
			      memory_order_release);
}
