/*
 * A byte_ring whose reader sleeps on a descriptor while there is nothing:
 * records from many threads to the one that runs an event loop. Writers never
 * wait, and wake the reader by a system call only when it said that it sleeps.
 */
#ifndef BASE_WAKE_RING_H
#define BASE_WAKE_RING_H

#include "base/util.h"

struct wake_ring;

/* size: as byte_ring_create(). NULL when there are no more descriptors. */
struct wake_ring *wake_ring_create(size_t size);
/* When nobody writes any more. Accepts NULL. */
void wake_ring_destroy(struct wake_ring *ring);

/*
 * Any thread. Room for len bytes, or NULL: there is none, or `keep` bytes would
 * not be left beside it (for records that matter more).
 */
void *wake_ring_reserve(struct wake_ring *ring, uint32_t len, size_t keep);
/* Hands the record to the reader, shortened to len bytes. */
void wake_ring_commit(struct wake_ring *ring, void *record, uint32_t len);

/* The reader's. Readable when there are records. */
int wake_ring_fd(const struct wake_ring *ring);
/* Hands over what is there, at most max records; returns how many. */
unsigned wake_ring_read(struct wake_ring *ring, unsigned max,
			void (*cb)(const void *record, uint32_t len, void *aux),
			void *aux);

#endif
