/* What ports on a network device do alike (netdev_port.h). */
#include "port/netdev_port.h"

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
