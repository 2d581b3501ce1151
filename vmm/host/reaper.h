/*
 * The reaper: a small process that waits for the keeper's end and, when that
 * did not tidy up (it was killed), removes the VM's ports and sockets. It
 * tries for a minute when vswd is down; after that, whoever next starts or
 * removes the VM does.
 */
#ifndef VMM_HOST_REAPER_H
#define VMM_HOST_REAPER_H

#include "vmm/host/config.h"

/* A descriptor that the keeper keeps open as long as it lives, or -errno with a
 * message. */
int reaper_start(const struct vm_config *config, char **errp);
/* There is nothing left to do for it. */
void reaper_dismiss(int fd);

/* Removes the ports of a VM that does not run; waits for vswd's database for
 * timeout_ms. 0 or -errno with a message. */
int reaper_remove_ports(const struct vm_config *config, unsigned int timeout_ms,
			char **errp);
/* The database of vswd: the VM's own, or the usual one; freed by the caller. */
char *vm_database(const struct vm_config *config);

#endif
