/*
 * One mmap of a file that a front end sent, counted, and guarded against the
 * file's shrinking. What regions, dirty log and in-flight region stand on.
 * Control thread, but for what says otherwise.
 */
#ifndef VHOST_MAPPING_H
#define VHOST_MAPPING_H

#include "base/util.h"

struct vhost_mapping;

/*
 * Maps `size` bytes, above 0, at `offset` of fd, which stays the caller's,
 * shared and writable, and sets *host to the first of them. NULL with *error
 * and a message: -EINVAL when the sum wraps, the file is too short or of a kind
 * that could make whoever reads it wait; -ENOSPC when there are too many
 * mappings; else what mmap says.
 */
struct vhost_mapping *vhost_mapping_create(uint64_t size, uint64_t offset,
					   int fd, uint8_t **host, int *error,
					   char **errp);
struct vhost_mapping *vhost_mapping_ref(struct vhost_mapping *mapping);
/* Accepts NULL. The last one unmaps. */
void vhost_mapping_unref(struct vhost_mapping *mapping);
/* Which byte of which file: the same for all who map the same memory. */
struct vhost_mapping_place {
	uint64_t dev, ino;
	uint64_t born_ns; /* of the inode, which numbers may return; 0: unknown
			   */
	uint64_t offset;
};
/* Of a byte of the mapping. */
void vhost_mapping_find(const struct vhost_mapping *mapping, const void *host,
			struct vhost_mapping_place *place);
/* Whether zero pages have taken its place. Any thread that may use it. */
bool vhost_mapping_is_damaged(const struct vhost_mapping *mapping);

/* Mappings that there are in the process; for tests. */
unsigned vhost_mapping_count(void);

#endif
