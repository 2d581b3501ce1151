/*
 * The guest's memory: one memfd, mapped whole, seen by the guest in at most two
 * pieces (below the 32-bit device window and from 4 GiB on). vhost-user back
 * ends get the same memfd.
 *
 * What a guest names is an address of its own, so all use goes through
 * guest_memory_at(), which checks the whole range (shared by all threads, no
 * lock: the pieces never change after the start).
 */
#ifndef VMM_MACHINE_MEMORY_H
#define VMM_MACHINE_MEMORY_H

#include "base/util.h"

enum { GUEST_MEMORY_MAX_REGIONS = 2 };

struct guest_memory_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t offset; /* in the memfd */
};

struct guest_memory {
	int fd;
	uint8_t *base; /* all of the memfd */
	uint64_t size;
	unsigned int n_regions;
	struct guest_memory_region regions[GUEST_MEMORY_MAX_REGIONS];
};

/*
 * Makes `size` bytes (a multiple of 2 MiB), sealed against shrinking; with
 * `hugepages` of 2 MiB pages. Returns 0 or -errno with a message.
 */
int guest_memory_create(struct guest_memory *memory, uint64_t size,
			bool hugepages, char **errp);
void guest_memory_destroy(struct guest_memory *memory);

/*
 * The place of `length` bytes at a guest address, or NULL when not all of them
 * are memory of one region. Length 0 is fine at any mapped address.
 */
void *guest_memory_at(const struct guest_memory *memory, uint64_t guest_addr,
		      uint64_t length);

#endif
