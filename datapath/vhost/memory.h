/*
 * The memory that a front end shares: regions of guest-physical addresses, each
 * mapped here from a file descriptor (vhost-user, "Memory regions
 * description").
 *
 * A struct vhost_memory does not change once queues use it. A changed table is
 * a new one, put into the queues while they are taken (virtqueue.h); mappings
 * that both have are shared and counted. So a worker that has taken a queue
 * may use what it translated until it releases the queue.
 *
 * The file may shrink under the mapping. The fault then is turned into zero
 * pages (vhost_memory_guard), and the memory is damaged: its owner gives the
 * front end up, the others never notice.
 */
#ifndef VHOST_MEMORY_H
#define VHOST_MEMORY_H

#include <stdatomic.h>

#include "packet/packet.h"

#define VHOST_REGIONS_MAX 509 /* with SET_MEM_TABLE and ADD_MEM_REG */

struct vhost_mapping; /* one mmap, counted */

struct vhost_region {
	uint64_t guest; /* guest-physical address of its first byte */
	uint64_t size;	/* above 0; guest + size does not wrap */
	uint64_t user;	/* the front end's own address of the first byte */
	uint8_t *host;	/* ours */
	struct vhost_mapping *mapping;
};

struct vhost_memory {
	unsigned n;
	struct vhost_region regions[VHOST_REGIONS_MAX]; /* by guest address */
};

/* A queue's last region: most translations need no more. */
struct vhost_window {
	uint64_t guest, size; /* size 0: nothing yet */
	uint8_t *host;
};

/* Control thread. An empty table, or one with the regions of `from`. */
struct vhost_memory *vhost_memory_create(const struct vhost_memory *from);
/* Accepts NULL. Unmaps what no other table has. */
void vhost_memory_destroy(struct vhost_memory *memory);

/*
 * Control thread. Maps size bytes at `offset` of fd, which stays the caller's.
 * -EINVAL when sums wrap, when the region overlaps another, in guest or user
 * addresses, does not lie within the file, or the file is not kept in this
 * machine's memory or disk (FUSE and NFS could make a worker wait); -ENOSPC
 * when there are too many; else what mmap says. A message tells which.
 */
int vhost_memory_add(struct vhost_memory *memory, uint64_t guest, uint64_t size,
		     uint64_t user, uint64_t offset, int fd, char **errp);
/* -ENOENT: there is no such region. */
int vhost_memory_remove(struct vhost_memory *memory, uint64_t guest,
			uint64_t size, uint64_t user);

/*
 * len bytes at a guest-physical address, or at one of the front end's own, when
 * they lie in one piece here (neighbouring regions may); NULL: they do not, or
 * are not all mapped. len may be 0: the address must be within a region or at
 * the end of one. Any thread that may use the memory.
 */
void *vhost_memory_at(const struct vhost_memory *memory, uint64_t guest,
		      uint64_t len);
void *vhost_memory_at_user(const struct vhost_memory *memory, uint64_t user,
			   uint64_t len);

/*
 * The same in pieces, when the range crosses regions that lie apart here.
 * Returns their number, 0 when some byte is not mapped, len is 2^32 or more, or
 * max is too small. A len of 0 gives one empty piece.
 */
unsigned vhost_memory_pieces(const struct vhost_memory *memory, uint64_t guest,
			     uint64_t len, struct packet_segment pieces[],
			     unsigned max);

/* The part of vhost_translate() that looks around, and moves the window. */
void *vhost_translate_slow(struct vhost_window *window,
			   const struct vhost_memory *memory, uint64_t guest,
			   uint64_t len);

/* As vhost_memory_at(), by the queue's last region. A worker. */
static inline void *vhost_translate(struct vhost_window *window,
				    const struct vhost_memory *memory,
				    uint64_t guest, uint64_t len)
{
	uint64_t at = guest - window->guest;

	if (likely(at < window->size && len <= window->size - at))
		return window->host + at;
	return vhost_translate_slow(window, memory, guest, len);
}

/*
 * Process-wide, once, before the first mapping: a SIGBUS in a region maps
 * zero pages over the mapping and marks it damaged; any other SIGBUS is as it
 * would have been. Calling it again does no harm.
 */
void vhost_memory_guard(void);
/* Whether a mapping of the table was damaged. Any thread. */
bool vhost_memory_is_damaged(const struct vhost_memory *memory);

#endif
