/*
 * A bounded ring of records of any length: many threads write, one reads, and
 * none ever waits. When it is full a record is refused, and the writer counts.
 *
 * A writer reserves, fills and commits; the reader sees records in the order of
 * reservation, and stops at one that is not committed yet.
 */
#ifndef BASE_BYTE_RING_H
#define BASE_BYTE_RING_H

#include "base/util.h"

struct byte_ring;

/* size: rounded up to a power of two, from 4 KiB to 1 GiB. Any thread. */
struct byte_ring *byte_ring_create(size_t size);
void byte_ring_destroy(struct byte_ring *ring);

/* Writers. 8-byte aligned room for len bytes, or NULL: full or too long. */
void *byte_ring_reserve(struct byte_ring *ring, uint32_t len);
/*
 * Bytes that are free now; others may take them. A record takes 8 more than its
 * length, rounded up to 8, and may be preceded by padding.
 */
size_t byte_ring_room(const struct byte_ring *ring);
/* Hands a reserved record to the reader, shortened to len bytes; 0: skip it. */
void byte_ring_commit(void *record, uint32_t len);

/* The reader. The oldest record, or NULL: none that is committed. */
void *byte_ring_peek(struct byte_ring *ring, uint32_t *len);
/* Gives back the record that the last peek returned. */
void byte_ring_release(struct byte_ring *ring);

#endif
