/*
 * What a segment has of the host: ports of the host that lead to its machines
 * (outside=host), and, on a host-only segment, the host's own address there,
 * which the bridge's internal port gets by netlink. The port may be made anew
 * at any time; segment_host_configure() is called then, and sees by its number
 * that this one has no address yet.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "port/netdev.h"
#include "vswd/segment.h"

LOG_MODULE(segment);

/* An address of a device; len 0: none. */
struct host_address {
	uint8_t ip[16];
	uint8_t len, prefix_len;
};

struct segment_host {
	struct segment *seg;
	int ifindex; /* that has the addresses; 0: none */
	struct host_address ip4, ip6;
};

/* --- the host's address ----------------------------------------------------
 */

static int change_address(int type, int ifindex, const struct host_address *a)
{
	char room[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct ifaddrmsg *ifa;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (type == RTM_NEWADDR)
		nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = a->len == 4 ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = a->prefix_len;
	/* The segment's addresses are ours to give: nobody else has it. */
	ifa->ifa_flags = a->len == 4 ? 0 : IFA_F_NODAD;
	ifa->ifa_index = ifindex;
	mnl_attr_put(nlh, IFA_LOCAL, a->len, a->ip);
	mnl_attr_put(nlh, IFA_ADDRESS, a->len, a->ip);
	return netdev_request(nlh, NULL);
}

static void remove_address(struct segment_host *host, struct host_address *a)
{
	/* A device that is gone took it along. */
	if (a->len && host->ifindex)
		change_address(RTM_DELADDR, host->ifindex, a);
	a->len = 0;
}

static void set_address(struct segment_host *host, struct host_address *now,
			const struct host_address *wanted)
{
	int error;

	if (!memcmp(now, wanted, sizeof(*now)))
		return;
	remove_address(host, now);
	memset(now, 0, sizeof(*now));
	if (!wanted->len)
		return;
	error = change_address(RTM_NEWADDR, host->ifindex, wanted);
	if (!error)
		*now = *wanted;
	else
		log_warn("segment %s: could not give the host its IPv%u "
			 "address on %s: %s%s",
			 host->seg->config->name, wanted->len == 4 ? 4 : 6,
			 host->seg->bridge->name, strerror(-error),
			 error == -EPERM ? ": CAP_NET_ADMIN is needed" : "");
}

static void forget_addresses(struct segment_host *host)
{
	remove_address(host, &host->ip4);
	remove_address(host, &host->ip6);
	memset(&host->ip4, 0, sizeof(host->ip4));
	memset(&host->ip6, 0, sizeof(host->ip6));
	host->ifindex = 0;
}

static struct host_address wanted4(const struct cfg_segment *c)
{
	struct host_address a = { .prefix_len = c->prefix4_len };

	if (!c->ip4 || !c->host_ip4)
		return (struct host_address){ 0 };
	a.len = 4;
	store_be32(a.ip, c->host_ip4);
	return a;
}

static struct host_address wanted6(const struct cfg_segment *c)
{
	static const uint8_t zeros[16];
	struct host_address a = { .prefix_len = c->ip6.prefix_len };

	if (!c->ip6.prefix_len || !memcmp(c->host_ip6, zeros, 16))
		return (struct host_address){ 0 };
	a.len = 16;
	memcpy(a.ip, c->host_ip6, 16);
	return a;
}

/* The bridge's own port, if it is there. */
static int local_ifindex(const struct segment *seg)
{
	const struct vport *v = vswitch_find_vport(seg->vs, seg->bridge->name);
	struct netdev_info info;

	if (!v || !v->port || netdev_get(seg->bridge->name, &info))
		return 0;
	if (!(info.flags & IFF_UP) && netdev_set_up(info.ifindex, true))
		log_warn("segment %s: could not set up %s", seg->config->name,
			 seg->bridge->name);
	return info.ifindex;
}

static void configure_addresses(struct segment_host *host)
{
	const struct cfg_segment *c = host->seg->config;
	struct host_address ip4, ip6;
	int ifindex;

	if (c->type != SEGMENT_HOST_ONLY) {
		forget_addresses(host);
		return;
	}
	ifindex = local_ifindex(host->seg);
	if (ifindex != host->ifindex)
		forget_addresses(host);
	host->ifindex = ifindex;
	if (!ifindex)
		return;
	ip4 = wanted4(c);
	ip6 = wanted6(c);
	set_address(host, &host->ip4, &ip4);
	set_address(host, &host->ip6, &ip6);
}

/* --- forwards --------------------------------------------------------------
 */

static struct hostnet_forward forward_of(const struct cfg_forward *row)
{
	struct hostnet_forward f = {
		.udp = row->udp,
		.version = row->version,
		.host_lo = row->outside_lo,
		.host_hi = row->outside_hi,
		.inside_port = row->inside_port,
	};

	memcpy(f.host, row->outside.bytes, row->outside.len);
	memcpy(f.inside, row->inside.bytes, row->inside.len);
	return f;
}

static void tell(struct segment *seg, const struct cfg_forward *row,
		 const char *why)
{
	segment_set_forward_error(seg, &row->uuid, why);
	if (why)
		log_warn("segment %s: a forward is not in force: %s",
			 seg->config->name, why);
}

/* Why the port took none of them at all. */
static const char *whole_error(int error)
{
	return error == -E2BIG ? "the segment's forwards are for more than "
				 "4096 ports together"
			       : "it is not a forward that can be";
}

static void configure_forwards(struct segment_host *host)
{
	struct segment *seg = host->seg;
	const struct cfg_segment *c = seg->config;
	size_t n = c->outside == OUTSIDE_HOST ? c->n_forwards : 0, k = 0;
	struct hostnet_forward *forwards = xcalloc(n + 1, sizeof(*forwards));
	const struct cfg_forward **rows = xcalloc(n + 1, sizeof(*rows));
	char **errors = xcalloc(n + 1, sizeof(*errors));
	int error = 0;

	for (size_t i = 0; i < n; i++) {
		if (c->forwards[i].error)
			continue;
		rows[k] = &c->forwards[i];
		forwards[k++] = forward_of(&c->forwards[i]);
	}
	if (seg->hostnet && seg->hostnet->port)
		error = hostnet_set_forwards(seg->hostnet->port, forwards, k,
					     errors);
	for (size_t i = 0; i < k; i++) {
		tell(seg, rows[i], error ? whole_error(error) : errors[i]);
		free(errors[i]);
	}
	free(errors);
	free(rows);
	free(forwards);
}

/* --- life ------------------------------------------------------------------
 */

struct segment_host *segment_host_create(struct segment *seg)
{
	struct segment_host *host = xcalloc(1, sizeof(*host));

	host->seg = seg;
	segment_host_configure(host);
	return host;
}

void segment_host_destroy(struct segment_host *host)
{
	if (!host)
		return;
	forget_addresses(host);
	free(host);
}

void segment_host_configure(struct segment_host *host)
{
	configure_addresses(host);
	configure_forwards(host);
}
