/*
 * What the kinds of ports that stand on a network device (device.c, tap.c) do
 * alike: setting it as the database wants, and following it. Control thread.
 */
#ifndef PORT_NETDEV_PORT_H
#define PORT_NETDEV_PORT_H

#include "port/netdev.h"
#include "port/port.h"

/*
 * Sets MTU and MAC where the configuration names others than info. 0 or -errno
 * with a message; info stays as it was.
 */
int netdev_port_apply(const struct netdev_info *info,
		      const struct port_config *config, char **errp);

/*
 * Whether the device can be a port, and nobody else's: *lock_fd is to be kept
 * open, -1 where there can be no lock. 0 or -errno with a message.
 */
int netdev_port_claim(const struct netdev_info *info, int *lock_fd,
		      char **errp);

/*
 * The lock alone, of a device that may be a port whatever it is, and may come
 * and go: ifindex 0 is no device. Control thread.
 */
struct netdev_lock {
	int fd; /* -1: none */
	int ifindex;
};

#define NETDEV_LOCK_NONE ((struct netdev_lock){ .fd = -1 })

/* Sets *lock; 0 or -errno with a message, as netdev_port_claim(). */
int netdev_lock(const struct netdev_info *info, struct netdev_lock *lock,
		char **errp);
/*
 * The device is this one now, or not here (NULL), where its number may be
 * another's. While somebody else has it, says so and tries again when called.
 */
void netdev_lock_follow(struct netdev_lock *lock,
			const struct netdev_info *info);
void netdev_unlock(struct netdev_lock *lock);

/* The device is to be used by AF_XDP (port/xdp.c). */
static inline bool port_config_uses_xdp(const struct port_config *config)
{
	return !strcmp(config->type, "afxdp") ||
	       port_config_option(config, "xdp-mode");
}

/* Takes over the MTU, and whether the device can send. */
void netdev_port_follow(struct port *port, bool present,
			const struct netdev_info *info);

/* What the database shows; asks for speed and driver. */
void netdev_port_status(const struct netdev_info *info,
			uint32_t first_carrier_changes,
			struct port_status *status);

/* What the kernel's fast path has forwarded for the port counts as the rest. */
struct fp_counters; /* fastpath/layout.h */
void netdev_port_add_forwarded(const struct fp_counters *forwarded,
			       struct port_counters *total);

/* As many receive queues as a port opens for a configuration: 1 to max. */
static inline unsigned netdev_port_n_rxqs(const struct port_config *config,
					  unsigned max)
{
	return MIN(MAX(config->n_rxqs, 1u), max);
}

#endif
