/*
 * What was saved of a VM is its processors, devices and memory, which go with
 * its disks as they were then: their sizes and times of change are remembered,
 * and nothing is restored on top of others.
 */
#ifndef VMM_HOST_SAVED_H
#define VMM_HOST_SAVED_H

#include "vmm/host/directory.h"

/* Remembers the disks, once nobody writes to them any more. 0 or -errno with a
 * message. */
int saved_store(const struct vm_directory *dir, const struct vm_config *config,
		char **errp);
/* 0, or -ESTALE with a message when a disk has changed since. */
int saved_check(const struct vm_directory *dir, const struct vm_config *config,
		char **errp);
/* Removes what was saved; whether there was something. */
bool saved_discard(const struct vm_directory *dir);

#endif
