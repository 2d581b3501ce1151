/*
 * A VM's memory in a file, and back. The file is as large as the memory; pages
 * of zeroes are holes. It is only ever read, so a saved VM can be restored
 * again and again.
 *
 * Restoring starts at once where userfaultfd is to be had: pages are copied
 * when the guest or one of our threads first touches them, and the rest behind
 * their backs. Back ends in other processes map the same memfd and would see
 * holes: they are connected when snapshot_restore_wait() has returned.
 */
#ifndef VMM_MACHINE_SNAPSHOT_H
#define VMM_MACHINE_SNAPSHOT_H

#include <jansson.h>

#include "vmm/machine/memory.h"

int snapshot_save_memory(const struct guest_memory *memory, int fd,
			 char **errp);

struct snapshot_restore;
/*
 * Begins to fill the memory, which nobody has used yet, of the calling process.
 * userfault: /dev/userfaultfd, open (what it makes belongs to the process that
 * asks it, so it cannot be made by the keeper); -1, or a kernel that refuses:
 * all is read before returning. Both descriptors stay the caller's, `fd` must
 * be open until the wait. *restore is NULL when nothing is left to wait for;
 * else `done` (may be NULL) is called when all memory is there or cannot be
 * had, in the filling thread.
 */
int snapshot_restore_memory(struct guest_memory *memory, int fd, int userfault,
			    void (*done)(void *aux), void *aux,
			    struct snapshot_restore **restore, char **errp);
/* Waits for the filling, and frees. NULL is fine. After an error pages are
 * missing, whoever touches them waits for ever: the process has to end. */
int snapshot_restore_wait(struct snapshot_restore *restore, char **errp);

/* Bytes in JSON: hexadecimal. -EINVAL when it is no such string of `length`
 * bytes.
 */
json_t *snapshot_bytes(const void *data, size_t length);
int snapshot_from_bytes(const json_t *json, void *data, size_t length);

#endif
