/*
 * Network devices of the host as the kernel tells of them (rtnetlink through
 * libmnl) and as we set them: what the kinds of ports that stand on a device
 * share. Control thread; every call asks the kernel anew and waits for it.
 *
 * A device is the pair of name and ifindex: a device that was removed and made
 * again has the name but another ifindex.
 */
#ifndef PORT_NETDEV_H
#define PORT_NETDEV_H

#include <net/if.h>

#include "base/util.h"

struct nlmsghdr;

#define NETDEV_ALIAS_BYTES 256 /* IFALIASZ, with the end */

struct netdev_info {
	char name[IFNAMSIZ];
	char kind[16]; /* IFLA_INFO_KIND: "veth", "tun", ...; "": hardware */
	char alias[NETDEV_ALIAS_BYTES]; /* what somebody has noted */
	char qdisc[16];
	int ifindex;
	int master;	   /* ifindex of the bridge or bond it is in; 0: none */
	unsigned flags;	   /* IFF_UP, ... */
	unsigned arp_type; /* ARPHRD_ETHER, ... */
	bool carrier;
	uint32_t mtu;
	uint32_t carrier_changes;
	uint64_t mac; /* 0 when it has none of six bytes */
	uint64_t tx_dropped;
};

struct netdev_link {
	uint64_t speed_bps; /* 0: unknown */
	bool full_duplex;
	char driver[32];
};

/* 0, or -errno: -ENODEV when there is no such device. */
int netdev_get(const char *name, struct netdev_info *info);
int netdev_get_by_ifindex(int ifindex, struct netdev_info *info);

/* By ethtool; what the driver does not tell stays zero. */
void netdev_get_link(const char *name, struct netdev_link *link);

/* 0 or -errno as the kernel has it (-EINVAL: out of the device's range). */
int netdev_set_mtu(int ifindex, uint32_t mtu);
int netdev_set_mac(int ifindex, uint64_t mac);
/* A text of up to NETDEV_ALIAS_BYTES - 1 bytes, as ip(8) shows; "": none. */
int netdev_set_alias(int ifindex, const char *alias);
int netdev_set_up(int ifindex, bool up);

/*
 * Takes apart an RTM_NEWLINK or RTM_DELLINK message whose length the caller
 * has checked (mnl_nlmsg_ok). Returns false when it is not a whole link
 * message; what a message does not say is zero.
 */
bool netdev_parse(const struct nlmsghdr *nlh, struct netdev_info *info);

/*
 * One request to the kernel on a socket of its own, with its answer: nlh is
 * the request, with room for its sequence number. `info` may be NULL; else it
 * takes the first link message. 0 or -errno.
 */
int netdev_request(struct nlmsghdr *nlh, struct netdev_info *info);

/* "could not open network device NAME (No such device)" and the like. */
int netdev_open_error(const char *name, int error, char **errp);

#endif
