/* Network devices by rtnetlink and ethtool (netdev.h). */
#include "port/netdev.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rtnetlink.h"

static void copy_name(char *to, size_t size, const struct nlattr *attr)
{
	size_t n = MIN(size - 1, mnl_attr_get_payload_len(attr));

	memcpy(to, mnl_attr_get_payload(attr), n);
	to[n] = '\0';
}

static uint32_t get_u32(const struct nlattr *attr)
{
	uint32_t v = 0;

	memcpy(&v, mnl_attr_get_payload(attr),
	       MIN(sizeof(v), mnl_attr_get_payload_len(attr)));
	return v;
}

static uint64_t get_tx_dropped(const struct nlattr *attr)
{
	struct rtnl_link_stats64 stats = { 0 };

	memcpy(&stats, mnl_attr_get_payload(attr),
	       MIN(sizeof(stats), mnl_attr_get_payload_len(attr)));
	return stats.tx_dropped;
}

static uint64_t get_mac(const struct nlattr *attr)
{
	const uint8_t *b = mnl_attr_get_payload(attr);
	uint64_t mac = 0;

	if (mnl_attr_get_payload_len(attr) != 6)
		return 0;
	for (int i = 0; i < 6; i++)
		mac = mac << 8 | b[i];
	return mac;
}

static int parse_linkinfo(const struct nlattr *attr, void *arg)
{
	struct netdev_info *info = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		copy_name(info->kind, sizeof(info->kind), attr);
	return MNL_CB_OK;
}

static int parse_attr(const struct nlattr *attr, void *arg)
{
	struct netdev_info *info = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		copy_name(info->name, sizeof(info->name), attr);
		break;
	case IFLA_IFALIAS:
		copy_name(info->alias, sizeof(info->alias), attr);
		break;
	case IFLA_QDISC:
		copy_name(info->qdisc, sizeof(info->qdisc), attr);
		break;
	case IFLA_MTU:
		info->mtu = get_u32(attr);
		break;
	case IFLA_MASTER:
		info->master = get_u32(attr);
		break;
	case IFLA_CARRIER:
		if (mnl_attr_get_payload_len(attr) >= 1)
			info->carrier = mnl_attr_get_u8(attr);
		break;
	case IFLA_CARRIER_CHANGES:
		info->carrier_changes = get_u32(attr);
		break;
	case IFLA_ADDRESS:
		info->mac = get_mac(attr);
		break;
	case IFLA_STATS64:
		info->tx_dropped = get_tx_dropped(attr);
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, parse_linkinfo, info);
		break;
	}
	return MNL_CB_OK;
}

bool netdev_parse(const struct nlmsghdr *nlh, struct netdev_info *info)
{
	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);

	memset(info, 0, sizeof(*info));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifm))
		return false;
	info->ifindex = ifm->ifi_index;
	info->flags = ifm->ifi_flags;
	info->arp_type = ifm->ifi_type;
	mnl_attr_parse(nlh, sizeof(*ifm), parse_attr, info);
	return info->ifindex > 0 && info->name[0];
}

static int take_link(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWLINK && arg && !netdev_parse(nlh, arg))
		return MNL_CB_ERROR;
	return MNL_CB_STOP;
}

int netdev_request(struct nlmsghdr *nlh, struct netdev_info *info)
{
	return rtnetlink_request(nlh, take_link, info);
}

static struct nlmsghdr *link_request(void *room, int type, int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct ifinfomsg *ifm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	if (type != RTM_GETLINK)
		nlh->nlmsg_flags |= NLM_F_ACK;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	ifm->ifi_index = ifindex;
	return nlh;
}

int netdev_get(const char *name, struct netdev_info *info)
{
	char room[256];
	struct nlmsghdr *nlh = link_request(room, RTM_GETLINK, 0);

	memset(info, 0, sizeof(*info));
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return netdev_request(nlh, info);
}

int netdev_get_by_ifindex(int ifindex, struct netdev_info *info)
{
	char room[256];

	memset(info, 0, sizeof(*info));
	return netdev_request(link_request(room, RTM_GETLINK, ifindex), info);
}

int netdev_set_mtu(int ifindex, uint32_t mtu)
{
	char room[256];
	struct nlmsghdr *nlh = link_request(room, RTM_SETLINK, ifindex);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return netdev_request(nlh, NULL);
}

int netdev_set_mac(int ifindex, uint64_t mac)
{
	char room[256];
	struct nlmsghdr *nlh = link_request(room, RTM_SETLINK, ifindex);
	uint8_t bytes[6];

	for (int i = 0; i < 6; i++)
		bytes[i] = mac >> (40 - 8 * i);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(bytes), bytes);
	return netdev_request(nlh, NULL);
}

int netdev_set_alias(int ifindex, const char *alias)
{
	char room[256 + NETDEV_ALIAS_BYTES];
	struct nlmsghdr *nlh = link_request(room, RTM_SETLINK, ifindex);

	mnl_attr_put_str(nlh, IFLA_IFALIAS, alias);
	return netdev_request(nlh, NULL);
}

int netdev_set_up(int ifindex, bool up)
{
	char room[256];
	struct nlmsghdr *nlh = link_request(room, RTM_SETLINK, ifindex);
	struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);

	ifm->ifi_flags = up ? IFF_UP : 0;
	ifm->ifi_change = IFF_UP;
	return netdev_request(nlh, NULL);
}

void netdev_get_link(const char *name, struct netdev_link *link)
{
	struct ethtool_drvinfo drvinfo = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
	struct ifreq ifr = { 0 };
	uint32_t mbps;
	int fd;

	memset(link, 0, sizeof(*link));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || strlen(name) >= IFNAMSIZ)
		goto out;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ifr.ifr_data = (void *)&drvinfo;
	if (!ioctl(fd, SIOCETHTOOL, &ifr))
		memcpy(link->driver, drvinfo.driver, sizeof(link->driver) - 1);
	ifr.ifr_data = (void *)&cmd;
	if (!ioctl(fd, SIOCETHTOOL, &ifr)) {
		mbps = ethtool_cmd_speed(&cmd);
		if (mbps != (uint32_t)SPEED_UNKNOWN)
			link->speed_bps = mbps * UINT64_C(1000000);
		/* Unknown is not half: hubs are gone, and cards that are. */
		link->full_duplex = cmd.duplex != DUPLEX_HALF;
	}
out:
	if (fd >= 0)
		close(fd);
}

int netdev_open_error(const char *name, int error, char **errp)
{
	return set_error(errp, error, "could not open network device %s (%s)",
			 name, strerror(-error));
}
