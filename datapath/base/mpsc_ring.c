/*
 * Each cell carries a turn, which tells whose it is. With `position` counting
 * all records ever pushed, and the cell being position modulo capacity:
 *
 *	turn == position		free for the writer of that position
 *	turn == position + 1		filled; the reader's
 *	turn == position + capacity	free for the writer one lap later
 *
 * A writer owns the cell from the compare-and-swap of `tail` that took the
 * position to its store of the turn; both stores of the turn are releases and
 * both loads acquires, so the record's bytes are read and written in turn.
 * The positions are 64 bits wide and do not come round.
 */
#include "base/mpsc_ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	_Atomic(uint64_t) turn;
	unsigned char record[];
};

struct mpsc_ring {
	unsigned char *cells;
	uint32_t mask;
	uint32_t record_size;
	uint32_t cell_size;
	CACHE_ALIGNED _Atomic(uint64_t) tail; /* next position to push to */
	CACHE_ALIGNED uint64_t head;	      /* next to pop; the reader's */
};

static struct cell *cell_at(const struct mpsc_ring *ring, uint64_t position)
{
	size_t i = position & ring->mask;

	return (struct cell *)(void *)(ring->cells + i * ring->cell_size);
}

struct mpsc_ring *mpsc_ring_create(uint32_t capacity, uint32_t record_size)
{
	struct mpsc_ring *ring = xcalloc_aligned(1, sizeof(*ring));

	ring->mask = capacity - 1;
	ring->record_size = record_size;
	ring->cell_size = (sizeof(struct cell) + record_size + 7) & ~7u;
	ring->cells = xcalloc_aligned(capacity, ring->cell_size);
	for (uint32_t i = 0; i < capacity; i++)
		atomic_init(&cell_at(ring, i)->turn, i);
	return ring;
}

void mpsc_ring_destroy(struct mpsc_ring *ring)
{
	if (!ring)
		return;
	free(ring->cells);
	free(ring);
}

bool mpsc_ring_push(struct mpsc_ring *ring, const void *record)
{
	uint64_t position, turn;
	struct cell *cell;

	position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	for (;;) {
		cell = cell_at(ring, position);
		turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
		if (turn < position)
			return false; /* the reader is a lap behind */
		if (turn > position)
			position = atomic_load_explicit(&ring->tail,
							memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(
				 &ring->tail, &position, position + 1,
				 memory_order_relaxed, memory_order_relaxed))
			break;
	}
	memcpy(cell->record, record, ring->record_size);
	atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
	return true;
}

bool mpsc_ring_pop(struct mpsc_ring *ring, void *record)
{
	struct cell *cell = cell_at(ring, ring->head);
	uint64_t turn;

	turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
	if (turn != ring->head + 1)
		return false;
	memcpy(record, cell->record, ring->record_size);
	atomic_store_explicit(&cell->turn, ring->head + ring->mask + 1,
			      memory_order_release);
	ring->head++;
	return true;
}
