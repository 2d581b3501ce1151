/* An overlay's mirror in the kernel: the requests (evpn_netlink.h). */
#include "tunnel/evpn_netlink.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* All that is put into a request is of bounded size, and so all fits. */

bool evpn_ip_equal(const struct evpn_ip *a, const struct evpn_ip *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static struct nlmsghdr *begin(struct evpn_request *r, uint32_t seq, int type,
			      int flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(r->bytes);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	return nlh;
}

static void end(struct evpn_request *r, const struct nlmsghdr *nlh)
{
	r->len = nlh->nlmsg_len;
}

static struct ifinfomsg *put_link(struct nlmsghdr *nlh, int ifindex)
{
	struct ifinfomsg *ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));

	ifm->ifi_family = AF_UNSPEC;
	ifm->ifi_index = ifindex;
	return ifm;
}

/* A new device; its description is open: end_new() closes it. */
static struct nlmsghdr *begin_new(struct evpn_request *r, uint32_t seq,
				  const char *name, const char *kind,
				  struct nlattr **infop)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_NEWLINK,
				     NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	char cut[IFNAMSIZ] = "";

	strncpy(cut, name, sizeof(cut) - 1);
	put_link(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, cut);
	*infop = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	return nlh;
}

static void end_new(struct evpn_request *r, struct nlmsghdr *nlh,
		    struct nlattr *info)
{
	mnl_attr_nest_end(nlh, info);
	end(r, nlh);
}

void evpn_make_bridge(struct evpn_request *r, uint32_t seq, const char *name,
		      bool vlan_filtering)
{
	struct nlattr *info, *data;
	struct nlmsghdr *nlh = begin_new(r, seq, name, "bridge", &info);

	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, 0);
	/* A kernel without VLANs in bridges refuses even a 0. */
	if (vlan_filtering)
		mnl_attr_put_u8(nlh, IFLA_BR_VLAN_FILTERING, 1);
	mnl_attr_put_u8(nlh, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(nlh, data);
	end_new(r, nlh, info);
}

void evpn_make_member(struct evpn_request *r, uint32_t seq, const char *name,
		      const char *peer)
{
	struct nlattr *info, *data, *other;
	struct nlmsghdr *nlh = begin_new(r, seq, name, "veth", &info);
	char cut[IFNAMSIZ] = "";

	strncpy(cut, peer, sizeof(cut) - 1);
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	put_link(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, cut);
	mnl_attr_nest_end(nlh, other);
	mnl_attr_nest_end(nlh, data);
	end_new(r, nlh, info);
}

void evpn_make_vxlan(struct evpn_request *r, uint32_t seq, const char *name,
		     uint32_t vni, const struct evpn_ip *local, uint16_t port)
{
	struct nlattr *info, *data;
	struct nlmsghdr *nlh = begin_new(r, seq, name, "vxlan", &info);

	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_VXLAN_ID, vni);
	mnl_attr_put_u8(nlh, IFLA_VXLAN_LEARNING, 0);
	mnl_attr_put_u16(nlh, IFLA_VXLAN_PORT, htons(port));
	if (local->len == 4)
		mnl_attr_put(nlh, IFLA_VXLAN_LOCAL, 4, local->bytes);
	else if (local->len == 16)
		mnl_attr_put(nlh, IFLA_VXLAN_LOCAL6, 16, local->bytes);
	mnl_attr_nest_end(nlh, data);
	end_new(r, nlh, info);
}

void evpn_group_link(struct evpn_request *r, uint32_t group)
{
	struct nlmsghdr *nlh = (void *)r->bytes;

	mnl_attr_put_u32(nlh, IFLA_GROUP, group);
	end(r, nlh);
}

void evpn_get_link(struct evpn_request *r, uint32_t seq, const char *name)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_GETLINK, NLM_F_ACK);
	char cut[IFNAMSIZ] = "";

	strncpy(cut, name, sizeof(cut) - 1);
	put_link(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, cut);
	end(r, nlh);
}

void evpn_regroup_link(struct evpn_request *r, uint32_t seq, int ifindex,
		       uint32_t group)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_NEWLINK, NLM_F_ACK);

	put_link(nlh, ifindex);
	mnl_attr_put_u32(nlh, IFLA_GROUP, group);
	end(r, nlh);
}

void evpn_remove_group(struct evpn_request *r, uint32_t seq, uint32_t group)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_DELLINK, NLM_F_ACK);

	put_link(nlh, 0);
	mnl_attr_put_u32(nlh, IFLA_GROUP, group);
	end(r, nlh);
}

void evpn_remove_link(struct evpn_request *r, uint32_t seq, int ifindex)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_DELLINK, NLM_F_ACK);

	put_link(nlh, ifindex);
	end(r, nlh);
}

void evpn_still_link(struct evpn_request *r, uint32_t seq, int ifindex)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_NEWLINK, NLM_F_ACK);
	struct nlattr *spec, *family;

	put_link(nlh, ifindex);
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, family);
	mnl_attr_nest_end(nlh, spec);
	end(r, nlh);
}

void evpn_enslave(struct evpn_request *r, uint32_t seq, int ifindex, int bridge)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_NEWLINK, NLM_F_ACK);

	put_link(nlh, ifindex);
	mnl_attr_put_u32(nlh, IFLA_MASTER, bridge);
	end(r, nlh);
}

/* Apart from evpn_enslave(): the kernel reads them for the master it had. */
void evpn_member_options(struct evpn_request *r, uint32_t seq, int ifindex,
			 bool suppress)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_NEWLINK, NLM_F_ACK);
	struct nlattr *info, *data;

	put_link(nlh, ifindex);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_LEARNING, 0);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_NEIGH_SUPPRESS, suppress);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	end(r, nlh);
}

void evpn_bring_up(struct evpn_request *r, uint32_t seq, int ifindex)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifm = put_link(nlh, ifindex);

	ifm->ifi_flags = IFF_UP;
	ifm->ifi_change = IFF_UP;
	end(r, nlh);
}

static struct nlmsghdr *begin_entry(struct evpn_request *r, uint32_t seq,
				    enum evpn_op op)
{
	static const int flags[] = {
		[EVPN_ADD] = NLM_F_CREATE | NLM_F_EXCL,
		[EVPN_REPLACE] = NLM_F_CREATE | NLM_F_REPLACE,
		[EVPN_APPEND] = NLM_F_CREATE | NLM_F_APPEND,
		[EVPN_DELETE] = 0,
	};

	return begin(r, seq, op == EVPN_DELETE ? RTM_DELNEIGH : RTM_NEWNEIGH,
		     NLM_F_ACK | flags[op]);
}

static struct ndmsg *put_entry(struct nlmsghdr *nlh, int family, int ifindex)
{
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = family;
	ndm->ndm_ifindex = ifindex;
	return ndm;
}

static void put_mac(struct nlmsghdr *nlh, uint64_t mac)
{
	uint8_t bytes[6];

	for (int i = 5; i >= 0; i--, mac >>= 8)
		bytes[i] = mac;
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(bytes), bytes);
}

void evpn_put_fdb(struct evpn_request *r, uint32_t seq, enum evpn_op op,
		  const struct evpn_fdb *entry)
{
	struct nlmsghdr *nlh = begin_entry(r, seq, op);
	struct ndmsg *ndm = put_entry(nlh, AF_BRIDGE, entry->ifindex);

	ndm->ndm_state = entry->ages ? NUD_REACHABLE : NUD_NOARP;
	ndm->ndm_flags = entry->vtep.len ? NTF_SELF : NTF_MASTER;
	if (entry->extern_learn)
		ndm->ndm_flags |= NTF_EXT_LEARNED;
	if (entry->sticky)
		ndm->ndm_flags |= NTF_STICKY;
	/* The vxlan device takes permanent ones, which it does not age. */
	if (entry->vtep.len && !entry->ages)
		ndm->ndm_state |= NUD_PERMANENT;
	put_mac(nlh, entry->mac);
	if (entry->vlan)
		mnl_attr_put_u16(nlh, NDA_VLAN, entry->vlan);
	if (entry->vtep.len == 4 || entry->vtep.len == 16)
		mnl_attr_put(nlh, NDA_DST, entry->vtep.len, entry->vtep.bytes);
	end(r, nlh);
}

void evpn_take_fdb(struct evpn_request *r, uint32_t seq, int ifindex,
		   uint64_t mac, uint16_t vlan)
{
	struct evpn_fdb entry = { .mac = mac,
				  .ifindex = ifindex,
				  .vlan = vlan };
	struct evpn_request learn;
	struct nlmsghdr nlh;
	struct ndmsg ndm;

	entry.ages = true;
	evpn_put_fdb(&learn, seq, EVPN_REPLACE, &entry);
	entry.ages = false;
	evpn_put_fdb(r, seq, EVPN_REPLACE, &entry);
	memcpy(&nlh, learn.bytes, sizeof(nlh));
	memcpy(&ndm, learn.bytes + NLMSG_HDRLEN, sizeof(ndm));
	/* An error is told all the same. */
	nlh.nlmsg_flags &= ~NLM_F_ACK;
	ndm.ndm_flags |= NTF_USE;
	memcpy(learn.bytes, &nlh, sizeof(nlh));
	memcpy(learn.bytes + NLMSG_HDRLEN, &ndm, sizeof(ndm));
	memmove(r->bytes + learn.len, r->bytes, r->len);
	memcpy(r->bytes, learn.bytes, learn.len);
	r->len += learn.len;
}

void evpn_put_neighbor(struct evpn_request *r, uint32_t seq, enum evpn_op op,
		       int bridge, const struct evpn_ip *ip, uint64_t mac)
{
	struct nlmsghdr *nlh = begin_entry(r, seq, op);
	struct ndmsg *ndm =
		put_entry(nlh, ip->len == 4 ? AF_INET : AF_INET6, bridge);

	ndm->ndm_state = NUD_PERMANENT;
	mnl_attr_put(nlh, NDA_DST, ip->len == 4 ? 4 : 16, ip->bytes);
	if (op != EVPN_DELETE)
		put_mac(nlh, mac);
	end(r, nlh);
}

/*
 * A strict kernel wants the bridge in NDA_MASTER; any other takes no filter
 * from a message of this length.
 */
void evpn_dump_fdb(struct evpn_request *r, uint32_t seq, int bridge)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_GETNEIGH, NLM_F_DUMP);

	put_entry(nlh, AF_BRIDGE, 0);
	mnl_attr_put_u32(nlh, NDA_MASTER, bridge);
	end(r, nlh);
}

void evpn_dump_neighbors(struct evpn_request *r, uint32_t seq, int bridge,
			 int family)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_GETNEIGH, NLM_F_DUMP);

	put_entry(nlh, family, 0);
	mnl_attr_put_u32(nlh, NDA_IFINDEX, bridge);
	end(r, nlh);
}

void evpn_dump_links(struct evpn_request *r, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(r, seq, RTM_GETLINK, NLM_F_DUMP);

	put_link(nlh, 0);
	end(r, nlh);
}
