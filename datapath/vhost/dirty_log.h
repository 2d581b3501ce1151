/*
 * The dirty log of a live migration (vhost-user, "Migration"): one bit a page
 * of 4 KiB of guest-physical memory, set here for what a queue writes, read by
 * the front end meanwhile.
 */
#ifndef VHOST_DIRTY_LOG_H
#define VHOST_DIRTY_LOG_H

#include <stdatomic.h>

#include "base/util.h"

#define VHOST_LOG_PAGE 4096

struct vhost_mapping;

struct vhost_log {
	_Atomic uint8_t *bits; /* shared */
	uint64_t size;	       /* bytes of bits */
	struct vhost_mapping *mapping;
};

/*
 * Control thread, into a log that is zeroed or unmapped: maps `size` bytes at
 * offset of fd (the caller's), arithmetic and file size checked. 0 or -errno
 * with a message.
 */
int vhost_log_map(struct vhost_log *log, uint64_t size, uint64_t offset, int fd,
		  char **errp);
/* Leaves a zeroed log. */
void vhost_log_unmap(struct vhost_log *log);
/* Whether its file shrank. Any thread. */
bool vhost_log_is_damaged(const struct vhost_log *log);

/* Marks [guest, guest + len); what is beyond the log is left out. A worker. */
void vhost_log_mark(const struct vhost_log *log, uint64_t guest, uint64_t len);

#endif
