/*
 * DPDK's run-time environment (EAL), started with the first dpdk port, and its
 * devices. Control thread, except dpdk_register_thread().
 */
#ifndef PORT_DPDK_EAL_H
#define PORT_DPDK_EAL_H

#include <rte_ethdev.h>

#include "port/port.h"

/*
 * Starts it once, by the settings dpdk-extra (arguments, separated by white
 * space), dpdk-socket-mem and dpdk-hugepage-dir; later calls tell what became
 * of it. No PCI device is probed but those that ports name. 0 or -errno with a
 * message.
 */
int dpdk_eal_start(const struct port_config *config, char **errp);

/*
 * Probes the device and finds its number; `name` is the port's, for messages.
 * -EINVAL: no driver takes devargs; -EBUSY: a port has it.
 */
int dpdk_attach(const char *name, const char *devargs, uint16_t *id,
		char **errp);
void dpdk_detach(uint16_t id);

/* Once a thread, before it touches mbufs: gives it a cache of each pool. */
void dpdk_register_thread(void);

#endif
