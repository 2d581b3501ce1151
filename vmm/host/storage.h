/*
 * Disks: a qemu-storage-daemon a VM, which serves each of its disks of kind
 * VM_DISK_STORAGE_DAEMON as a vhost-user-blk device, and raw files that we
 * serve ourselves. Both take the locks that QEMU's programs take, so nobody
 * else of ours or theirs writes to an image in use. Formats are as stated,
 * never probed, those of backing files too.
 *
 * Belongs to the keeper. Its calls wait for the daemon, 10 s at most.
 */
#ifndef VMM_HOST_STORAGE_H
#define VMM_HOST_STORAGE_H

#include <sys/types.h>

#include "vmm/host/config.h"

struct storage;

/*
 * Starts the daemon for the disks of its kind, and opens a connection to each
 * (its socket is in `directory` only meanwhile); sets disks[i] of the VM's disk
 * i, which is the caller's; those of other kinds are not touched. *storage is
 * NULL when there is no such disk. The daemon dies when the calling thread's
 * process does. Returns 0 or -errno with a message of one line.
 */
int storage_start(const struct vm_config *config, const char *directory,
		  int disks[VM_MAX_DISKS], struct storage **storage,
		  char **errp);
/* To watch for its end: whoever waits for it must call storage_ended(). */
pid_t storage_pid(const struct storage *storage);
void storage_ended(struct storage *storage);
/* Ends the daemon if it has not ended, waits for it, and frees. The disks are
 * written out. NULL is fine. */
void storage_stop(struct storage *storage);

/* A disk of kind VM_DISK_RAW: its open file (a regular one or a block device),
 * locked as long as it is open. The descriptor or -errno with a message. */
int storage_open_raw(const struct vm_disk *disk, char **errp);

#endif
