/*
 * A guest's memory for tests: one file, mapped twice. The guest (the test)
 * has it whole at `ram`; the device sees it as a struct vhost_memory of one or
 * several regions, each a mapping of its own between pages that nobody may
 * touch, so that what goes over a region's end faults, and so that a thread
 * sanitizer does not take the guest for a part of the switch.
 *
 * Guest-physical addresses go from GUEST_BASE on without a hole, over all
 * regions. A test that needs a hole removes a region from `view`.
 */
#ifndef TESTS_GUEST_MEMORY_H
#define TESTS_GUEST_MEMORY_H

#include "vhost/memory.h"

#define GUEST_BASE 0x100000ull
#define GUEST_PAGE 4096ull

struct guest_memory {
	int fd;
	uint64_t size;	      /* bytes, a multiple of the region's */
	uint64_t region_size; /* bytes, a multiple of GUEST_PAGE */
	uint8_t *ram;	      /* the guest's own mapping */
	struct vhost_memory *view;
	void *reserved; /* address space that holds the device's mappings */
	uint64_t reserved_size;
	uint64_t used; /* bytes given out by guest_alloc() */
};

/* Ends the process with a message when there is no memory. */
void guest_memory_init(struct guest_memory *m, uint64_t size,
		       unsigned n_regions);
void guest_memory_fini(struct guest_memory *m);

/*
 * The device's mappings anew, at other addresses, as when a front end sends its
 * memory table again. The old ones are valid until they are dropped.
 */
struct guest_view {
	struct vhost_memory *view;
	void *reserved;
	uint64_t reserved_size;
};
struct guest_view guest_memory_remap(struct guest_memory *m);
void guest_view_drop(struct guest_view old);

/*
 * Bytes, at a multiple of align (a power of two), for good. The first may
 * cross regions, the second does not: rings.
 */
uint64_t guest_alloc(struct guest_memory *m, uint64_t len, uint64_t align);
uint64_t guest_alloc_whole(struct guest_memory *m, uint64_t len,
			   uint64_t align);

/* The guest's own pointer. */
static inline void *guest_at(const struct guest_memory *m, uint64_t guest)
{
	return m->ram + (guest - GUEST_BASE);
}

/* The device's pointer; what follows may lie elsewhere in the next region. */
void *guest_seen_at(const struct guest_memory *m, uint64_t guest);

static inline uint64_t guest_end(const struct guest_memory *m)
{
	return GUEST_BASE + m->size;
}

#endif
