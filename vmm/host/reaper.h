/*
 * The reaper: a small process that waits for the keeper's end and, when that
 * did not tidy up (it was killed), removes the VM's ports and sockets. It
 * tries for a minute when vswd is down; after that, whoever next starts or
 * removes the VM does.
 */
#ifndef VMM_HOST_REAPER_H
#define VMM_HOST_REAPER_H

#include "vmm/host/wiring.h"

/* A descriptor that the keeper keeps open as long as it lives, or -errno with a
 * message. */
int reaper_start(const struct vm_config *config, char **errp);
/* There is nothing left to do for it. */
void reaper_dismiss(int fd);

/* The VM's part of vswd's database: the VM's own, or the usual one. */
struct wiring *vm_wiring(const struct vm_config *config);
/* Removes a port, or all (NULL); waits for vswd's database for timeout_ms. 0 or
 * -errno with a message. */
int vm_remove_ports(const struct vm_config *config, const char *port,
		    unsigned int timeout_ms, char **errp);

#endif
