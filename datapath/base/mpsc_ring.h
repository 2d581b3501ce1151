/*
 * A bounded queue of fixed-size records from many threads to one.
 *
 * No thread waits: a push into a full ring fails, and a writer preempted in
 * the middle of a push holds up only what was pushed after it, until it goes
 * on; the reader finds the ring empty as long.
 */
#ifndef BASE_MPSC_RING_H
#define BASE_MPSC_RING_H

#include "base/util.h"

struct mpsc_ring;

/* capacity: a power of two, at least 2; record_size in bytes. Never NULL. */
struct mpsc_ring *mpsc_ring_create(uint32_t capacity, uint32_t record_size);
/* Nobody may push or pop any more. Accepts NULL. */
void mpsc_ring_destroy(struct mpsc_ring *ring);

/* Any thread. Copies the record in; false when the ring is full. */
bool mpsc_ring_push(struct mpsc_ring *ring, const void *record);
/* One thread. Copies the oldest record out; false when there is none. */
bool mpsc_ring_pop(struct mpsc_ring *ring, void *record);

#endif
