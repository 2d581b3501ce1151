/*
 * Head and tail count bytes and only grow. A record that would cross the end of
 * the memory is preceded by padding, a record of length PADDING, committed
 * together with it.
 */
#include "port/hostnet_ring.h"

#include <stdatomic.h>
#include <stdlib.h>

#define UNIT	 32u /* of places, so that padding always has room for itself */
#define PADDING	 UINT32_MAX
#define SIZE_MIN (256u << 10)

struct hostnet_ring {
	uint8_t *memory;
	uint32_t size;
	struct {
		_Atomic uint64_t head;
		uint64_t reserved; /* head, once committed */
		uint64_t tail;	   /* as seen last */
	} writer CACHE_ALIGNED;
	struct {
		_Atomic uint64_t tail;
		uint64_t taken; /* tail, once released */
		uint64_t head;	/* as seen last */
	} reader CACHE_ALIGNED;
};

_Static_assert(sizeof(struct hostnet_record) == UNIT, "one unit");

struct hostnet_ring *hostnet_ring_create(uint32_t size)
{
	struct hostnet_ring *ring = xcalloc_aligned(1, sizeof(*ring));

	ring->size = round_up_pow2(MAX(size, SIZE_MIN));
	ring->memory = xcalloc_aligned(1, ring->size);
	return ring;
}

void hostnet_ring_destroy(struct hostnet_ring *ring)
{
	if (!ring)
		return;
	free(ring->memory);
	free(ring);
}

static struct hostnet_record *record_at(struct hostnet_ring *ring,
					uint64_t place)
{
	return (void *)(ring->memory + (place & (ring->size - 1)));
}

static bool has_room(struct hostnet_ring *ring, uint64_t head, uint64_t room)
{
	if (head + room - ring->writer.tail <= ring->size)
		return true;
	ring->writer.tail =
		atomic_load_explicit(&ring->reader.tail, memory_order_acquire);
	return head + room - ring->writer.tail <= ring->size;
}

struct hostnet_record *hostnet_ring_reserve(struct hostnet_ring *ring,
					    uint32_t len)
{
	uint64_t head =
		atomic_load_explicit(&ring->writer.head, memory_order_relaxed);
	uint32_t room =
		(sizeof(struct hostnet_record) + len + UNIT - 1) & ~(UNIT - 1);
	uint32_t left = ring->size - (head & (ring->size - 1));
	uint32_t padding = left < room ? left : 0;
	struct hostnet_record *record;

	if (!has_room(ring, head, padding + room))
		return NULL;
	if (padding) {
		record = record_at(ring, head);
		record->len = PADDING;
		record->room = padding;
	}
	record = record_at(ring, head + padding);
	record->len = len;
	record->room = room;
	ring->writer.reserved = head + padding + room;
	return record;
}

void hostnet_ring_commit(struct hostnet_ring *ring)
{
	atomic_store_explicit(&ring->writer.head, ring->writer.reserved,
			      memory_order_release);
}

uint32_t hostnet_ring_room(struct hostnet_ring *ring)
{
	uint64_t head =
		atomic_load_explicit(&ring->writer.head, memory_order_relaxed);

	ring->writer.tail =
		atomic_load_explicit(&ring->reader.tail, memory_order_acquire);
	return ring->size - (head - ring->writer.tail);
}

bool hostnet_ring_empty(struct hostnet_ring *ring)
{
	if (ring->reader.taken != ring->reader.head)
		return false;
	ring->reader.head =
		atomic_load_explicit(&ring->writer.head, memory_order_acquire);
	return ring->reader.taken == ring->reader.head;
}

struct hostnet_record *hostnet_ring_take(struct hostnet_ring *ring)
{
	struct hostnet_record *record;

	while (!hostnet_ring_empty(ring)) {
		record = record_at(ring, ring->reader.taken);
		ring->reader.taken += record->room;
		if (record->len != PADDING)
			return record;
	}
	return NULL;
}

void hostnet_ring_release(struct hostnet_ring *ring)
{
	atomic_store_explicit(&ring->reader.tail, ring->reader.taken,
			      memory_order_release);
}
