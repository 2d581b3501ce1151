/*
 * What all packets to a remote VTEP have in common: the headers as a template,
 * and what an inner frame says about the outer one.
 */
#include "tunnel/vxlan_internal.h"

#include <errno.h>
#include <netinet/in.h>

#include "packet/parse.h"

#define IPV4_DF 0x4000

static uint8_t put_ethernet(uint8_t *h, const struct vxlan_outer_config *c)
{
	uint8_t len = 12;

	store_be16(h, c->dst_mac >> 32);
	store_be32(h + 2, c->dst_mac);
	store_be16(h + 6, c->src_mac >> 32);
	store_be32(h + 8, c->src_mac);
	if (c->tagged) {
		store_be16(h + len, ETH_TYPE_VLAN);
		store_be16(h + len + 2, c->vlan_tci);
		len += VLAN_TAG_LEN;
	}
	store_be16(h + len, c->ip_version == 4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	return len + 2;
}

static uint8_t put_ip(uint8_t *ip, const struct vxlan_outer_config *c)
{
	if (c->ip_version == 4) {
		ip[0] = 0x45;
		store_be16(ip + 6, c->dont_fragment ? IPV4_DF : 0);
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, c->src_ip, 4);
		memcpy(ip + 16, c->dst_ip, 4);
		return IPV4_LEN;
	}
	ip[6] = IPPROTO_UDP;
	memcpy(ip + 8, c->src_ip, 16);
	memcpy(ip + 24, c->dst_ip, 16);
	return IPV6_LEN;
}

static int check_frame(const struct vxlan_outer_config *c, char **errp)
{
	if (c->ip_version != 4 && c->ip_version != 6)
		return set_error(errp, -EINVAL,
				 "VXLAN: IP version %u; give 4 or 6",
				 c->ip_version);
	if (c->leave_inner_csum && c->udp_csum != VXLAN_CSUM_ZERO)
		return set_error(errp, -EINVAL,
				 "VXLAN: inner checksums cannot be left to "
				 "offload under an outer UDP checksum, which "
				 "covers them; turn one of them off");
	return 0;
}

static int check(const struct vxlan_outer_config *c, char **errp)
{
	if (!c->ttl)
		return set_error(errp, -EINVAL,
				 "VXLAN: TTL 0 reaches nobody; give 1 to 255");
	if (c->tos & 3)
		return set_error(errp, -EINVAL,
				 "VXLAN: TOS %#x sets ECN bits, which follow "
				 "the inner packet; clear the lowest two",
				 c->tos);
	if (c->form == VXLAN_FRAME)
		return check_frame(c, errp);
	if (c->leave_inner_csum)
		return set_error(errp, -EINVAL,
				 "VXLAN: a UDP socket takes no inner checksum "
				 "that is left to offload; have it finished");
	return 0;
}

int vxlan_outer_init(struct vxlan_outer *outer,
		     const struct vxlan_outer_config *c, char **errp)
{
	struct vxlan_outer o = { .form = c->form };
	int r = check(c, errp);

	if (r)
		return r;
	o.ttl = c->ttl;
	o.tos = c->tos;
	o.inherit_ttl = c->inherit_ttl;
	o.inherit_tos = c->inherit_tos;
	if (c->form == VXLAN_FRAME) {
		o.ip_version = c->ip_version;
		o.udp_csum = c->udp_csum;
		o.dont_fragment = c->dont_fragment;
		o.leave_inner_csum = c->leave_inner_csum;
		o.l3 = put_ethernet(o.header, c);
		o.udp = o.l3 + put_ip(o.header + o.l3, c);
		store_be16(o.header + o.udp + 2,
			   c->dst_port ? c->dst_port : VXLAN_UDP_PORT);
		o.len = o.udp + UDP_LEN;
	}
	o.header[o.len] = VXLAN_FLAG_VNI;
	o.len += VXLAN_HEADER_LEN;
	*outer = o;
	return 0;
}

/* As vxlan_flow_plain() has the words, however the frame was written. */
static uint64_t hash_flow(const struct flow_key *k, uint64_t seed)
{
	uint8_t ethernet[ETH_HEADER_LEN];
	uint64_t h, transport = 0;

	store_be16(ethernet, k->dst_mac >> 32);
	store_be32(ethernet + 2, k->dst_mac);
	store_be16(ethernet + 6, k->src_mac >> 32);
	store_be32(ethernet + 8, k->src_mac);
	store_be16(ethernet + 12, k->ethertype);
	h = vxlan_hash_ethernet(vxlan_word(ethernet), vxlan_word(ethernet + 6),
				seed);
	/* The VLAN, not the priority, which a flow may change. */
	for (unsigned i = 0; i < k->n_tags; i++)
		h = vxlan_mix(h ^ VLAN_VID(k->tci[i]), VXLAN_MIX_TAG);
	if (!k->ip_version)
		return vxlan_mix(h, VXLAN_MIX_LAST);
	transport = (uint64_t)k->ip_proto << 32;
	/* Only a first fragment has ports, and it is to go with the others. */
	if (k->has_ports && k->fragment == FLOW_FRAG_NONE)
		transport |= __builtin_bswap32((uint32_t)k->src_port << 16 |
					       k->dst_port);
	if (k->ip_version == 4) {
		uint8_t both[8];

		memcpy(both, k->src_ip, 4);
		memcpy(both + 4, k->dst_ip, 4);
		return vxlan_hash_ip(h, vxlan_word(both), transport);
	}
	return vxlan_hash_ip(vxlan_hash_ip(h, vxlan_word(k->src_ip),
					   vxlan_word(k->src_ip + 8)),
			     vxlan_word(k->dst_ip),
			     vxlan_word(k->dst_ip + 8) ^ transport);
}

/*
 * How many bytes are private depends on who looked at the frame before, so
 * the key is always made of as many as the frame itself asks for: a flow must
 * not have two ports.
 */
static bool parse(struct packet *inner, struct flow_key *key)
{
	packet_pull_first(inner);
	if (!flow_parse(inner->header, MIN(inner->header_len, PACKET_PULL),
			key))
		return false;
	if (key->ip_version && !key->has_ports) {
		packet_pull(inner, MIN(inner->len, PACKET_PULL_MAX));
		return flow_parse(inner->header,
				  MIN(inner->header_len, PACKET_PULL_MAX), key);
	}
	return true;
}

void vxlan_flow_of(struct packet *inner, uint64_t seed, struct vxlan_flow *flow)
{
	struct flow_key key;
	uint64_t h;

	/* A key of zeros is a flow as well. */
	(void)parse(inner, &key);
	h = hash_flow(&key, seed);
	flow->src_port = vxlan_source_port(h);
	flow->label = h >> 32 & 0xfffff;
	flow->is_ip = key.ip_version;
	flow->tos = key.ip_tos;
	flow->ttl = key.ip_ttl;
}

uint8_t vxlan_outer_tos(const struct vxlan_outer *o,
			const struct vxlan_flow *flow)
{
	uint8_t tos = o->tos;

	if (!flow->is_ip)
		return tos;
	if (o->inherit_tos)
		tos = flow->tos;
	return (tos & 0xfc) | (flow->tos & 3);
}

uint8_t vxlan_outer_ttl(const struct vxlan_outer *o,
			const struct vxlan_flow *flow)
{
	/* An inner 0 is its receiver's affair; the outer packet must arrive. */
	if (o->inherit_ttl && flow->is_ip)
		return MAX(flow->ttl, 1);
	return o->ttl;
}
