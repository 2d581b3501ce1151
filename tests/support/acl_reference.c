#include "tests/support/acl_reference.h"

#include <netinet/in.h>

#include "packet/parse.h"

static bool is_ip(const struct flow_key *k)
{
	return k->ethertype == ETH_TYPE_IPV4 || k->ethertype == ETH_TYPE_IPV6;
}

static bool is_port_proto(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       proto == IPPROTO_UDPLITE || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP;
}

/* How many bytes of its upper header have to be there. */
static unsigned wanted_l4(const struct flow_key *k)
{
	if (k->ip_proto == IPPROTO_TCP)
		return 20;
	if (is_port_proto(k->ip_proto))
		return 4;
	return k->ip_proto == IPPROTO_ICMP || k->ip_proto == IPPROTO_ICMPV6 ? 2
									    : 0;
}

static bool has_l4(const struct flow_key *k, const uint8_t *frame, size_t n)
{
	size_t end = n;
	unsigned len;

	if (!k->l4)
		return false;
	if (k->fragment == FLOW_FRAG_LATER)
		return k->ip_version == 6 || k->ip_proto != IPPROTO_TCP ||
		       (load_be16(frame + k->l3 + 6) & 0x1fff) != 1;
	len = load_be16(frame + k->l3 + (k->ip_version == 4 ? 2 : 4));
	if (len)
		end = MIN(n, k->l3 + len + (k->ip_version == 4 ? 0u : 40u));
	/* What is no fragment was sent so by a host that will not get it. */
	if (k->fragment == FLOW_FRAG_NONE)
		end = n;
	return k->l4 + wanted_l4(k) <= end;
}

static bool prefix_fits(const struct net_prefix *p, const struct flow_key *k,
			const uint8_t *ip)
{
	struct net_addr addr = { .version = k->ip_version };

	memcpy(addr.bytes, ip, 16);
	return k->ip_version == p->addr.version && net_prefix_has(p, &addr);
}

static bool l4_fits(const struct acl_rule *r, const struct flow_key *k,
		    bool has)
{
	bool icmp =
		k->ip_proto == IPPROTO_ICMP || k->ip_proto == IPPROTO_ICMPV6;

	if (!(r->fields & (ACL_SPORT | ACL_DPORT | ACL_TCP_FLAGS)))
		return true;
	if (k->ip_version && k->fragment == FLOW_FRAG_LATER)
		return r->action == ACL_RULE_ALLOW;
	if (!has || !wanted_l4(k))
		return false;
	if (r->fields & ACL_SPORT &&
	    (k->src_port < r->sport_first || k->src_port > r->sport_last))
		return false;
	if (r->fields & ACL_DPORT && (icmp || k->dst_port < r->dport_first ||
				      k->dst_port > r->dport_last))
		return false;
	return !(r->fields & ACL_TCP_FLAGS) ||
	       (k->tcp_flags & r->tcp_flags_mask) == r->tcp_flags;
}

static bool fits(const struct acl_rule *r, const struct flow_key *k, bool has,
		 uint16_t vid)
{
	static const unsigned fragments[] = { ACL_FRAG_NONE, ACL_FRAG_FIRST,
					      ACL_FRAG_LATER };
	const unsigned f = r->fields;
	bool knows_proto = k->ip_version == 4 || k->l4;

	if (f & ACL_SRC_MAC && (k->src_mac & r->src_mac_mask) != r->src_mac)
		return false;
	if (f & ACL_DST_MAC && (k->dst_mac & r->dst_mac_mask) != r->dst_mac)
		return false;
	if (f & ACL_ETHERTYPE && k->ethertype != r->ethertype)
		return false;
	if (f & ACL_VLAN && vid != r->vlan)
		return false;
	if (f & ACL_SRC && !prefix_fits(&r->src, k, k->src_ip))
		return false;
	if (f & ACL_DST && !prefix_fits(&r->dst, k, k->dst_ip))
		return false;
	if (f & ACL_PROTO &&
	    (!k->ip_version || !knows_proto || k->ip_proto != r->proto))
		return false;
	if (f & ACL_FRAGMENT &&
	    (!k->ip_version || !(r->fragments & fragments[k->fragment])))
		return false;
	return l4_fits(r, k, has);
}

enum acl_verdict acl_reference(const struct acl_rule rules[], unsigned n_rules,
			       bool allow, const uint8_t *frame, size_t n,
			       uint16_t vid, unsigned *decided)
{
	unsigned fields = 0;
	struct flow_key k;
	bool denies = !allow, has;

	*decided = n_rules;
	for (unsigned i = 0; i < n_rules; i++) {
		fields |= rules[i].fields;
		denies |= rules[i].action == ACL_RULE_DENY;
	}
	/* Tags that are cut short leave the addresses. */
	if (!flow_parse(frame, n, &k)) {
		k.dst_mac = load_mac(frame);
		k.src_mac = load_mac(frame + 6);
	}
	has = has_l4(&k, frame, n);
	if (denies && is_ip(&k)) {
		if (fields & (ACL_PROTO | ACL_SPORT | ACL_DPORT |
			      ACL_TCP_FLAGS) &&
		    !has)
			return ACL_UNREADABLE;
		if (fields & (ACL_SRC | ACL_DST | ACL_FRAGMENT) &&
		    !k.ip_version)
			return ACL_UNREADABLE;
	}
	for (unsigned i = 0; i < n_rules; i++) {
		if (rules[i].action == ACL_RULE_COUNT ||
		    !fits(&rules[i], &k, has, vid))
			continue;
		*decided = i;
		return rules[i].action == ACL_RULE_ALLOW ? ACL_ALLOWED
							 : ACL_DENIED;
	}
	return allow ? ACL_ALLOWED : ACL_DENIED;
}
