/* Which options of a VXLAN port do not go together (overlay_rules.h). */
#include "ctl/overlay_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/overlay_settings.h"
#include "ctl/settings.h"

/* Of a switch. */
#define EVPN_VNIS_MAX 1024U

const char *overlay_plan_option(const struct overlay_plan *plan,
				const char *key)
{
	for (size_t i = 0; i < plan->n_options; i++)
		if (!strcmp(plan->options[i].key, key))
			return plan->options[i].value;
	return NULL;
}

static const char *option(const struct overlay_plan *p, const char *key)
{
	return overlay_plan_option(p, key);
}

static bool is_on(const struct overlay_plan *p, const char *key)
{
	const char *value = option(p, key);

	return value && !strcasecmp(value, "true");
}

static char *check_values(const struct overlay_plan *p)
{
	for (size_t i = 0; i < p->n_options; i++) {
		char *why = overlay_setting_check(p->options[i].key,
						  p->options[i].key,
						  p->options[i].value);

		if (why)
			return why;
	}
	return NULL;
}

/* --- remotes -------------------------------------------------------------- */

static bool is_single(const struct overlay_plan *p)
{
	const char *remote = option(p, "remote_ip");

	return remote && strcmp(remote, "flow");
}

static char *check_remotes(const struct overlay_plan *p)
{
	static const char *const others[] = { "remotes", "group" };
	const char *remote = option(p, "remote_ip");

	if (!remote)
		return xasprintf("VXLAN port %s has no remote_ip; set "
				 "options:remote_ip to the other VTEP's "
				 "address, or to flow for several",
				 p->name);
	for (size_t i = 0; i < ARRAY_SIZE(others) && is_single(p); i++)
		if (option(p, others[i]))
			return xasprintf("VXLAN port %s has remote_ip=%s, its "
					 "only remote, and %s=%s; set "
					 "options:remote_ip=flow, or remove %s",
					 p->name, remote, others[i],
					 option(p, others[i]), others[i]);
	if (is_single(p) && is_on(p, "evpn"))
		return xasprintf("VXLAN port %s has remote_ip=%s, its only "
				 "remote, and evpn=true; set "
				 "options:remote_ip=flow, or remove evpn",
				 p->name, remote);
	if (option(p, "group-dev") && !option(p, "group"))
		return xasprintf("VXLAN port %s has group-dev=%s and no "
				 "group; set options:group to a multicast "
				 "address",
				 p->name, option(p, "group-dev"));
	return NULL;
}

/* Words of EVPN without it; with evpn=false they wait for it. */
static char *check_no_evpn(const struct overlay_plan *p)
{
	static const char *const keys[] = { "evpn-hold", "evpn-frr-dir" };

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !option(p, "evpn"); i++)
		if (option(p, keys[i]))
			return xasprintf("VXLAN port %s has %s=%s and no evpn; "
					 "set options:evpn=true, or remove %s",
					 p->name, keys[i], option(p, keys[i]),
					 keys[i]);
	return NULL;
}

/* What FRR takes: IPv4 and no VNI 0. */
static char *check_frr(const struct overlay_plan *p)
{
	const char *key = option(p, "key"), *map = option(p, "vni-map");
	const char *local = option(p, "local_ip");

	if (!local)
		return xasprintf("VXLAN port %s has evpn and no local_ip, "
				 "which is what FRR tells others to send to; "
				 "set options:local_ip",
				 p->name);
	if (strchr(local, ':'))
		return xasprintf("VXLAN port %s has evpn and local_ip=%s; FRR "
				 "has VTEPs of IPv4 only: set an IPv4 address",
				 p->name, local);
	key = key ? key : option(p, "in_key");
	if (!map && key && !strcmp(key, "flow"))
		return xasprintf("VXLAN port %s has evpn and key=flow without "
				 "a vni-map, which is 4094 VNIs; at most %u go "
				 "with EVPN: name them in options:vni-map",
				 p->name, EVPN_VNIS_MAX);
	if (!map && (!key || !strtoul(key, NULL, 0)))
		return xasprintf("VXLAN port %s has evpn and VNI 0, which FRR "
				 "does not take; set options:key to another",
				 p->name);
	return NULL;
}

static char *check_evpn(const struct overlay_plan *p)
{
	if (!is_on(p, "evpn"))
		return check_no_evpn(p);
	if (option(p, "group"))
		return xasprintf("VXLAN port %s has evpn and a group; with "
				 "EVPN broadcasts go to each VTEP that FRR "
				 "names: remove group",
				 p->name);
	if (is_on(p, "learning"))
		return xasprintf("VXLAN port %s has evpn and learning; with "
				 "EVPN, FRR says where MACs are: remove "
				 "learning",
				 p->name);
	return check_frr(p);
}

/* --- VNIs ----------------------------------------------------------------- */

static char *check_keys(const struct overlay_plan *p)
{
	const char *key = option(p, "key"), *map = option(p, "vni-map");
	const char *in = option(p, "in_key"), *out = option(p, "out_key");

	in = in ? in : key;
	out = out ? out : key;
	if ((in || out) && strcmp(in ? in : "0", out ? out : "0"))
		return xasprintf("VXLAN port %s has in_key %s and out_key %s; "
				 "it has one VNI for both ways: set "
				 "options:key alone",
				 p->name, in ? in : "0", out ? out : "0");
	if (map && in && strcmp(in, "flow"))
		return xasprintf("VXLAN port %s has key=%s, one VNI, and a "
				 "vni-map, VNIs by VLANs; set "
				 "options:key=flow, or remove vni-map",
				 p->name, in);
	return NULL;
}

struct overlay_range overlay_range_parse(char *part)
{
	struct overlay_range r = { .n = 1 };
	char *equals = strchr(part, '='), *dash;

	*equals = '\0';
	dash = strchr(part, '-');
	r.vlan = strtoul(part, NULL, 0);
	if (dash)
		r.n = strtoul(dash + 1, NULL, 0) - r.vlan + 1;
	r.vni = strtoul(equals + 1, NULL, 0);
	return r;
}

/* The first number that both have; false: none. */
static bool meet(unsigned long a, unsigned long n_a, unsigned long b,
		 unsigned long n_b, unsigned long *at)
{
	*at = MAX(a, b);
	return a < b + n_b && b < a + n_a;
}

/* Its values are right, each alone. */
static char *check_map(const struct overlay_plan *p)
{
	const char *rest = option(p, "vni-map");
	struct overlay_range *all = NULL;
	char part[NET_TEXT_MAX], *why = NULL;
	unsigned long at, total = 0;

	for (size_t n = 0; !why && overlay_list_next(&rest, part); n++) {
		all = xrealloc(all, (n + 1) * sizeof(*all));
		all[n] = overlay_range_parse(part);
		total += all[n].n;
		if (is_on(p, "evpn") && !all[n].vni)
			why = xasprintf("VXLAN port %s has evpn and VNI 0 in "
					"its vni-map, which FRR does not take",
					p->name);
		for (size_t i = 0; i < n && !why; i++)
			if (meet(all[i].vlan, all[i].n, all[n].vlan, all[n].n,
				 &at))
				why = xasprintf("VXLAN port %s has VLAN %lu "
						"twice in its vni-map",
						p->name, at);
			else if (meet(all[i].vni, all[i].n, all[n].vni,
				      all[n].n, &at))
				why = xasprintf("VXLAN port %s has VNI %lu "
						"twice in its vni-map",
						p->name, at);
	}
	free(all);
	if (!why && is_on(p, "evpn") && total > EVPN_VNIS_MAX)
		why = xasprintf("VXLAN port %s has evpn and %lu VNIs in its "
				"vni-map; at most %u go with EVPN",
				p->name, total, EVPN_VNIS_MAX);
	return why;
}

/* --- addresses ------------------------------------------------------------ */

/* local_ip without its length; version 0: it is not set. */
static struct net_addr local_of(const struct overlay_plan *p, unsigned *len)
{
	const char *text = option(p, "local_ip");
	struct net_addr addr = { 0 };
	struct net_prefix prefix;

	*len = 0;
	if (text && net_prefix_parse(&prefix, text, 0)) {
		*len = prefix.len;
		return prefix.addr;
	}
	if (text)
		net_addr_parse(&addr, text, 0);
	return addr;
}

static char *check_remote(const struct overlay_plan *p, const char *text,
			  const struct net_addr *local, struct net_addr *first)
{
	struct net_addr addr;

	net_addr_parse(&addr, text, 0);
	if (!first->version)
		*first = addr;
	if (addr.version != first->version)
		return xasprintf("VXLAN port %s has addresses of IPv4 and "
				 "IPv6, such as %s; make a port for each",
				 p->name, text);
	if (!net_addr_compare(&addr, local))
		return xasprintf("VXLAN port %s has itself, %s, as a remote; "
				 "it is local_ip",
				 p->name, text);
	return NULL;
}

static char *check_addresses(const struct overlay_plan *p)
{
	static const char *const keys[] = { "remote_ip", "remotes", "group",
					    "gateway" };
	unsigned len;
	struct net_addr local = local_of(p, &len), first = local;
	char part[NET_TEXT_MAX], *why = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *rest = option(p, keys[i]);

		if (rest && !strcmp(rest, "flow"))
			continue;
		while (!why && overlay_list_next(&rest, part))
			why = check_remote(p, part, &local, &first);
	}
	return why;
}

static char *check_twice(const struct overlay_plan *p)
{
	const char *rest = option(p, "remotes"), *others;
	char part[NET_TEXT_MAX], other[NET_TEXT_MAX];
	struct net_addr a, b;

	while (overlay_list_next(&rest, part)) {
		net_addr_parse(&a, part, 0);
		for (others = rest; overlay_list_next(&others, other);)
			if (net_addr_parse(&b, other, 0) &&
			    !net_addr_compare(&a, &b))
				return xasprintf("VXLAN port %s has remote %s "
						 "twice",
						 p->name, part);
	}
	return NULL;
}

/* --- underlays ------------------------------------------------------------ */

static char *check_sockets(const struct overlay_plan *p)
{
	static const char *const keys[] = { "gateway", "underlay-tag" };
	const char *local = option(p, "local_ip");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (option(p, keys[i]))
			return xasprintf("VXLAN port %s has %s=%s and no "
					 "underlay; its packets go by the "
					 "host's routes: remove %s, or set "
					 "options:underlay to a bridge",
					 p->name, keys[i], option(p, keys[i]),
					 keys[i]);
	if (local && strchr(local, '/'))
		return xasprintf("VXLAN port %s has local_ip=%s and no "
				 "underlay; give an address of the host alone, "
				 "without a length",
				 p->name, local);
	return NULL;
}

static char *check_reach(const struct overlay_plan *p,
			 const struct net_prefix *net)
{
	static const char *const keys[] = { "remote_ip", "remotes" };
	char part[NET_TEXT_MAX];
	struct net_addr addr;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *rest = option(p, keys[i]);

		if (rest && !strcmp(rest, "flow"))
			continue;
		while (overlay_list_next(&rest, part))
			if (net_addr_parse(&addr, part, 0) &&
			    !net_prefix_has(net, &addr))
				return xasprintf("VXLAN port %s has remote %s, "
						 "which is not in its network, "
						 "%s; set options:gateway to "
						 "the router that leads there",
						 p->name, part,
						 option(p, "local_ip"));
	}
	return NULL;
}

/* A router is on the link; in IPv6 often by its link-local address. */
static char *check_gateway(const struct overlay_plan *p,
			   const struct net_prefix *net)
{
	const char *text = option(p, "gateway");
	struct net_addr addr, first, last;

	if (!text)
		return check_reach(p, net);
	net_addr_parse(&addr, text, 0);
	net_prefix_ends(net, &first, &last);
	if ((addr.version == 6 && addr.bytes[0] == 0xfe &&
	     (addr.bytes[1] & 0xc0) == 0x80) ||
	    (net_prefix_has(net, &addr) &&
	     (addr.version == 6 || net->len > 30 ||
	      (net_addr_compare(&addr, &first) &&
	       net_addr_compare(&addr, &last)))))
		return NULL;
	return xasprintf("VXLAN port %s has gateway=%s, which is no machine "
			 "of its network, %s; a gateway is on the link",
			 p->name, text, option(p, "local_ip"));
}

static char *check_station(const struct overlay_plan *p)
{
	const char *local = option(p, "local_ip");
	struct net_addr first, last;
	struct net_prefix net;

	if (option(p, "group-dev"))
		return xasprintf("VXLAN port %s has group-dev=%s, but its "
				 "group is joined on the underlay; remove "
				 "group-dev",
				 p->name, option(p, "group-dev"));
	if (!local || !net_prefix_parse(&net, local, 0))
		return xasprintf("VXLAN port %s has an underlay, so it needs "
				 "options:local_ip as an address with its "
				 "network's length, such as 192.0.2.5/24",
				 p->name);
	net_prefix_ends(&net, &first, &last);
	if (net.addr.version == 4 && net.len <= 30 &&
	    (!net_addr_compare(&net.addr, &first) ||
	     !net_addr_compare(&net.addr, &last)))
		return xasprintf("VXLAN port %s cannot have local_ip=%s; that "
				 "is the network's own address, or for all of "
				 "it",
				 p->name, local);
	return check_gateway(p, &net);
}

/* --- all ------------------------------------------------------------------ */

char *overlay_plan_check(const struct overlay_plan *p)
{
	static char *(*const rules[])(const struct overlay_plan *) = {
		check_values, check_remotes,   check_evpn,  check_keys,
		check_map,    check_addresses, check_twice,
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		char *why = rules[i](p);

		if (why)
			return why;
	}
	return option(p, "underlay") ? check_station(p) : check_sockets(p);
}

static char *check_mac_remote(const struct overlay_mac *m,
			      const struct overlay_plan *p)
{
	struct net_addr addr, single;
	unsigned len;
	struct net_addr local = local_of(p, &len);

	net_addr_parse(&addr, m->remote, 0);
	if (local.version && !net_addr_compare(&addr, &local))
		return xasprintf("remote MAC %s cannot be at %s, which is "
				 "VXLAN port %s's local_ip; give the other "
				 "VTEP's address",
				 m->mac, m->remote, p->name);
	if (is_single(p) &&
	    net_addr_parse(&single, option(p, "remote_ip"), 0) &&
	    net_addr_compare(&addr, &single))
		return xasprintf("remote MAC %s cannot be at %s: VXLAN port "
				 "%s has one remote only, %s",
				 m->mac, m->remote, p->name,
				 option(p, "remote_ip"));
	return NULL;
}

char *overlay_mac_check(const struct overlay_mac *m,
			const struct overlay_plan *p)
{
	struct net_addr addr;

	if (!settings_is_address(m->mac))
		return xasprintf("a remote MAC cannot be \"%s\"; it is the MAC "
				 "address of one device, such as "
				 "02:00:00:00:00:01",
				 m->mac);
	if (overlay_address_fault(m->remote))
		return xasprintf("remote MAC %s cannot be at \"%s\": %s",
				 m->mac, m->remote,
				 overlay_address_fault(m->remote));
	for (size_t i = 0; i < m->n_ips; i++)
		if (!net_addr_parse(&addr, m->ips[i], 0) ||
		    (addr.version == 4 ? addr.bytes[0] >> 4 == 0xe
				       : addr.bytes[0] == 0xff))
			return xasprintf("remote MAC %s cannot have ip \"%s\"; "
					 "it is an IP address of that machine",
					 m->mac, m->ips[i]);
	return p ? check_mac_remote(m, p) : NULL;
}
