/* What ports on a network device do alike (netdev_port.h). */
#include "port/netdev_port.h"

#include <errno.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "fastpath/layout.h"
#include "port/device_lock.h"

LOG_MODULE(device);

int netdev_port_apply(const struct netdev_info *info,
		      const struct port_config *config, char **errp)
{
	int error = 0;

	if (config->mtu_request && config->mtu_request != info->mtu)
		error = netdev_set_mtu(info->ifindex, config->mtu_request);
	if (error)
		return set_error(
			errp, error, "%s: cannot set the MTU to %u: %s",
			config->name, config->mtu_request, strerror(-error));
	if (config->mac && config->mac != info->mac)
		error = netdev_set_mac(info->ifindex, config->mac);
	if (error)
		return set_error(errp, error,
				 "%s: cannot set the MAC address: %s",
				 config->name, strerror(-error));
	return 0;
}

void netdev_port_follow(struct port *port, bool present,
			const struct netdev_info *info)
{
	if (present && info->mtu)
		atomic_store_explicit(&port->mtu, info->mtu,
				      memory_order_relaxed);
	/* Without a carrier the kernel would lose the packets silently. */
	atomic_store_explicit(&port->tx_enabled,
			      present && info->flags & IFF_UP && info->carrier,
			      memory_order_relaxed);
}

void netdev_port_status(const struct netdev_info *info,
			uint32_t first_carrier_changes,
			struct port_status *status)
{
	struct netdev_link link;

	netdev_get_link(info->name, &link);
	status->present = true;
	status->admin_up = info->flags & IFF_UP;
	status->link_up = info->flags & IFF_UP && info->carrier;
	status->mac = info->mac;
	status->mtu = info->mtu;
	status->ifindex = info->ifindex;
	status->link_resets = info->carrier_changes - first_carrier_changes;
	status->speed_bps = link.speed_bps;
	status->full_duplex = link.full_duplex;
	memcpy(status->driver, link.driver, sizeof(status->driver));
}

void netdev_port_add_forwarded(const struct fp_counters *forwarded,
			       struct port_counters *total)
{
	counter_add(&total->rx_packets, forwarded->rx_packets);
	counter_add(&total->rx_bytes, forwarded->rx_bytes);
	counter_add(&total->tx_packets, forwarded->tx_packets);
	counter_add(&total->tx_bytes, forwarded->tx_bytes);
}

static int check_kind(const struct netdev_info *info, char **errp)
{
	if (info->arp_type != ARPHRD_ETHER)
		return set_error(errp, -EINVAL,
				 "%s: not an Ethernet device, so it cannot be "
				 "a port",
				 info->name);
	if (info->master)
		return set_error(errp, -EBUSY,
				 "%s: is a member of another bridge or bond of "
				 "the host; remove it there first (ip link set "
				 "%s nomaster)",
				 info->name, info->name);
	return 0;
}

static int lock_device(const struct netdev_info *info, int *lock_fd,
		       char **errp)
{
	pid_t holder;
	char *who;
	int error;

	*lock_fd = device_lock(info->ifindex, &holder);
	if (*lock_fd >= 0)
		return 0;
	error = *lock_fd;
	*lock_fd = -1;
	if (error != -EBUSY) {
		log_warn("%s: cannot make sure that no other switch uses it: "
			 "%s",
			 info->name, strerror(-error));
		return 0;
	}
	who = holder ? xasprintf(" (process %d)", (int)holder) : xstrdup("");
	set_error(errp, -EBUSY,
		  "could not open network device %s (Device or resource "
		  "busy): it is a port of another bridge or switch%s",
		  info->name, who);
	free(who);
	return -EBUSY;
}

int netdev_port_claim(const struct netdev_info *info, int *lock_fd, char **errp)
{
	int error = check_kind(info, errp);

	*lock_fd = -1;
	return error ? error : lock_device(info, lock_fd, errp);
}

int netdev_lock(const struct netdev_info *info, struct netdev_lock *lock,
		char **errp)
{
	int error = lock_device(info, &lock->fd, errp);

	lock->ifindex = error ? 0 : info->ifindex;
	return error;
}

void netdev_unlock(struct netdev_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	*lock = NETDEV_LOCK_NONE;
}

void netdev_lock_follow(struct netdev_lock *lock,
			const struct netdev_info *info)
{
	char *why = NULL;

	if (info && info->ifindex == lock->ifindex)
		return;
	netdev_unlock(lock);
	/* Who waited for a device of that name may have been faster. */
	if (info && netdev_lock(info, lock, &why))
		log_warn_limited("%s", why);
	free(why);
}
