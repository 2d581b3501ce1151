/*
 * An overlay's mirror in the kernel: what the kernel tells (evpn_netlink.h).
 * Attributes are walked here rather than by libmnl's helpers for whole
 * datagrams, which trust lengths of 2^31 and more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "tunnel/evpn_netlink.h"

#define NUD_VALID                                                              \
	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE |   \
	 NUD_DELAY)

struct attributes {
	const uint8_t *at;
	size_t left;
};

/* The next attribute, whole, or NULL; *malformed: not at an end. */
static const struct nlattr *next(struct attributes *as, bool *malformed)
{
	const struct nlattr *attr = (const void *)as->at;
	size_t step;

	if (as->left < sizeof(*attr)) {
		*malformed |= as->left > 0;
		return NULL;
	}
	if (attr->nla_len < sizeof(*attr) || attr->nla_len > as->left) {
		*malformed = true;
		return NULL;
	}
	step = MIN((size_t)NLA_ALIGN(attr->nla_len), as->left);
	as->at += step;
	as->left -= step;
	return attr;
}

static struct attributes inside(const struct nlattr *attr)
{
	return (struct attributes){ mnl_attr_get_payload(attr),
				    attr->nla_len - sizeof(*attr) };
}

/* Behind the message's own header of n bytes; the caller has checked those. */
static struct attributes behind(const struct nlmsghdr *nlh, size_t n)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(n);

	if (skip > nlh->nlmsg_len)
		skip = nlh->nlmsg_len;
	return (struct attributes){ (const uint8_t *)nlh + skip,
				    nlh->nlmsg_len - skip };
}

static bool take(const struct nlattr *attr, void *to, size_t n)
{
	if (mnl_attr_get_payload_len(attr) != n)
		return false;
	memcpy(to, mnl_attr_get_payload(attr), n);
	return true;
}

static bool take_mac(const struct nlattr *attr, uint64_t *macp)
{
	uint8_t b[6];

	if (!take(attr, b, sizeof(b)))
		return false;
	*macp = 0;
	for (int i = 0; i < 6; i++)
		*macp = *macp << 8 | b[i];
	return true;
}

static bool take_ip(const struct nlattr *attr, struct evpn_ip *ip)
{
	size_t n = mnl_attr_get_payload_len(attr);

	if (n != 4 && n != 16)
		return false;
	ip->len = n;
	return take(attr, ip->bytes, n);
}

/* A string with its end in the attribute and room for it here. */
static bool take_text(const struct nlattr *attr, char *to, size_t size)
{
	size_t n = mnl_attr_get_payload_len(attr);
	const char *from = mnl_attr_get_payload(attr);

	if (!n || !memchr(from, 0, n) || strlen(from) >= size)
		return false;
	strcpy(to, from);
	return true;
}

static bool parse_fdb_attribute(const struct nlattr *attr, struct evpn_event *e)
{
	switch (mnl_attr_get_type(attr)) {
	case NDA_LLADDR:
		return take_mac(attr, &e->fdb.mac);
	case NDA_DST:
		return take_ip(attr, &e->fdb.vtep);
	case NDA_VLAN:
		return take(attr, &e->fdb.vlan, 2);
	case NDA_MASTER:
		return take(attr, &e->fdb.master, 4);
	case NDA_VNI:
		return take(attr, &e->fdb.vni, 4);
	case NDA_SRC_VNI:
		return take(attr, &e->fdb.source_vni, 4);
	case NDA_NH_ID:
		e->fdb.nexthop_group = true;
		break;
	}
	return true;
}

static bool parse_fdb(const struct nlmsghdr *nlh, const struct ndmsg *ndm,
		      struct evpn_event *e)
{
	struct attributes as = behind(nlh, sizeof(*ndm));
	bool malformed = false, mac = false;
	const struct nlattr *attr;

	e->type = nlh->nlmsg_type == RTM_NEWNEIGH ? EVPN_FDB : EVPN_FDB_GONE;
	e->fdb.ifindex = ndm->ndm_ifindex;
	e->fdb.extern_learn = ndm->ndm_flags & NTF_EXT_LEARNED;
	e->fdb.sticky = ndm->ndm_flags & NTF_STICKY;
	e->fdb.permanent = ndm->ndm_state & NUD_PERMANENT;
	while ((attr = next(&as, &malformed))) {
		if (!parse_fdb_attribute(attr, e))
			return false;
		mac |= mnl_attr_get_type(attr) == NDA_LLADDR;
	}
	e->fdb.own_table = ndm->ndm_flags & NTF_SELF;
	return mac && !malformed && ndm->ndm_ifindex > 0;
}

static bool parse_neighbor(const struct nlmsghdr *nlh, const struct ndmsg *ndm,
			   struct evpn_event *e)
{
	struct attributes as = behind(nlh, sizeof(*ndm));
	unsigned len = ndm->ndm_family == AF_INET ? 4 : 16;
	bool malformed = false;
	const struct nlattr *attr;

	e->type = nlh->nlmsg_type == RTM_NEWNEIGH ? EVPN_NEIGHBOR
						  : EVPN_NEIGHBOR_GONE;
	e->neighbor.ifindex = ndm->ndm_ifindex;
	e->neighbor.extern_learn = ndm->ndm_flags & NTF_EXT_LEARNED;
	e->neighbor.router = ndm->ndm_flags & NTF_ROUTER;
	while ((attr = next(&as, &malformed))) {
		unsigned type = mnl_attr_get_type(attr);

		if (type == NDA_DST && !take_ip(attr, &e->neighbor.ip))
			return false;
		/* Of a device that is no Ethernet: none of ours. */
		if (type == NDA_LLADDR && !take_mac(attr, &e->neighbor.mac))
			return false;
	}
	e->neighbor.valid = (ndm->ndm_state & NUD_VALID) && e->neighbor.mac;
	return e->neighbor.ip.len == len && !malformed && ndm->ndm_ifindex > 0;
}

static bool parse_neigh_message(const struct nlmsghdr *nlh,
				struct evpn_event *e)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm))
		return false;
	if (ndm->ndm_family == AF_BRIDGE)
		return parse_fdb(nlh, ndm, e);
	if (ndm->ndm_family == AF_INET || ndm->ndm_family == AF_INET6)
		return parse_neighbor(nlh, ndm, e);
	return false;
}

static bool parse_vxlan_attribute(const struct nlattr *attr,
				  struct evpn_event *e)
{
	uint16_t port;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_VXLAN_ID:
		return take(attr, &e->link.vni, 4);
	case IFLA_VXLAN_LOCAL:
	case IFLA_VXLAN_LOCAL6:
		return take_ip(attr, &e->link.local);
	case IFLA_VXLAN_PORT:
		if (!take(attr, &port, 2))
			return false;
		e->link.udp_port = ntohs(port);
	}
	return true;
}

static bool parse_vxlan(const struct nlattr *data, struct evpn_event *e)
{
	struct attributes as = inside(data);
	const struct nlattr *attr;
	bool malformed = false;

	while ((attr = next(&as, &malformed)))
		if (!parse_vxlan_attribute(attr, e))
			return false;
	return !malformed;
}

static bool parse_linkinfo(const struct nlattr *info, struct evpn_event *e)
{
	struct attributes as = inside(info);
	const struct nlattr *attr, *data = NULL;
	bool malformed = false;

	while ((attr = next(&as, &malformed))) {
		if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
		    !take_text(attr, e->link.kind, sizeof(e->link.kind)))
			return false;
	}
	if (data && !strcmp(e->link.kind, "vxlan") && !parse_vxlan(data, e))
		return false;
	return !malformed;
}

static bool parse_link_attribute(const struct nlattr *attr,
				 struct evpn_event *e)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		return take_text(attr, e->link.name, sizeof(e->link.name));
	case IFLA_MASTER:
		return take(attr, &e->link.master, 4);
	case IFLA_GROUP:
		return take(attr, &e->link.group, 4);
	case IFLA_LINKINFO:
		return parse_linkinfo(attr, e);
	}
	return true;
}

static bool parse_link_message(const struct nlmsghdr *nlh, struct evpn_event *e)
{
	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);
	bool malformed = false;
	const struct nlattr *attr;
	struct attributes as;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifm) ||
	    ifm->ifi_family != AF_UNSPEC)
		return false;
	e->type = nlh->nlmsg_type == RTM_NEWLINK ? EVPN_LINK : EVPN_LINK_GONE;
	e->link.ifindex = ifm->ifi_index;
	e->link.up = ifm->ifi_flags & IFF_UP;
	as = behind(nlh, sizeof(*ifm));
	while ((attr = next(&as, &malformed)))
		if (!parse_link_attribute(attr, e))
			return false;
	return !malformed && ifm->ifi_index > 0 && e->link.name[0];
}

static bool parse_error(const struct nlmsghdr *nlh, struct evpn_event *e)
{
	bool done = nlh->nlmsg_type == NLMSG_DONE;

	e->type = done ? EVPN_DONE : EVPN_ERROR;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(e->error))
		return done;
	memcpy(&e->error, mnl_nlmsg_get_payload(nlh), sizeof(e->error));
	return e->error <= 0 && e->error > -4096;
}

static bool parse_message(const struct nlmsghdr *nlh, struct evpn_event *e)
{
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
	case NLMSG_DONE:
		return parse_error(nlh, e);
	case NLMSG_OVERRUN:
		e->type = EVPN_OVERRUN;
		return true;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return parse_neigh_message(nlh, e);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return parse_link_message(nlh, e);
	}
	return false;
}

/*
 * Bridges tell of their members in link messages of AF_BRIDGE, routes' proxies
 * have neighbors of other families: nothing is wrong with those.
 */
static bool is_of_others(const struct nlmsghdr *nlh)
{
	const uint8_t *family = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
		return nlh->nlmsg_type == NLMSG_NOOP;
	if (mnl_nlmsg_get_payload_len(nlh) < 1)
		return false;
	if (nlh->nlmsg_type == RTM_NEWLINK || nlh->nlmsg_type == RTM_DELLINK)
		return *family != AF_UNSPEC;
	return *family != AF_BRIDGE && *family != AF_INET &&
	       *family != AF_INET6;
}

int evpn_parse(const void *bytes, size_t len, evpn_event_callback *callback,
	       void *arg, uint64_t *badp)
{
	const uint8_t *at = bytes;

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *nlh = (const void *)at;
		struct evpn_event e;
		size_t step;

		if (nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > len)
			return -EBADMSG;
		memset(&e, 0, sizeof(e));
		e.seq = nlh->nlmsg_seq;
		e.dump = nlh->nlmsg_flags & NLM_F_MULTI;
		e.interrupted = nlh->nlmsg_flags & NLM_F_DUMP_INTR;
		if (parse_message(nlh, &e))
			callback(&e, arg);
		else if (badp && !is_of_others(nlh))
			++*badp;
		step = MIN((size_t)NLMSG_ALIGN(nlh->nlmsg_len), len);
		at += step;
		len -= step;
	}
	return len ? -EBADMSG : 0;
}
