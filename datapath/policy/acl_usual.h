/*
 * What a list asks of a usual packet, read where it lies: TCP and UDP in IP
 * without options, extension headers or fragments, with a tag at most. Internal
 * to acl*.c.
 */
#ifndef POLICY_ACL_USUAL_H
#define POLICY_ACL_USUAL_H

#include <netinet/in.h>

#include "packet/parse.h"
#include "policy/acl_internal.h"

#define TCP_HEADER_LEN	20
#define TCP_FLAGS_AT	13
#define IPV4_HEADER_LEN 20
#define IPV6_HEADER_LEN 40

/* The header behind IP's; false: it is another, or not all there. */
__attribute__((always_inline)) static inline bool acl_take_l4(
	const struct packet *p, struct acl_key *key, const uint8_t *l4)
{
	key->has_flags = key->proto == IPPROTO_TCP;
	if (key->has_flags) {
		if (unlikely(l4 + TCP_HEADER_LEN > p->header + p->header_len))
			return false;
		key->tcp_flags = l4[TCP_FLAGS_AT];
	} else if (unlikely(key->proto != IPPROTO_UDP)) {
		return false;
	}
	key->sport = load_be16(l4);
	key->dport = load_be16(l4 + 2);
	key->has_sport = key->has_dport = key->has_proto = true;
	key->fragment = FLOW_FRAG_NONE;
	return true;
}

__attribute__((always_inline)) static inline bool acl_take_ip4(
	const struct packet *p, struct acl_key *key, const uint8_t *ip)
{
	/* Neither options nor a fragment. */
	if (unlikely(ip[0] != 0x45 || load_be16(ip + 6) & 0x3fff))
		return false;
	key->ethertype = ETH_TYPE_IPV4;
	key->ip_version = 4;
	key->proto = ip[9];
	key->src = ip + 12;
	key->dst = ip + 16;
	return acl_take_l4(p, key, ip + IPV4_HEADER_LEN);
}

__attribute__((always_inline)) static inline bool acl_take_ip6(
	const struct packet *p, struct acl_key *key, const uint8_t *ip)
{
	if (unlikely(ip[0] >> 4 != 6))
		return false;
	key->ethertype = ETH_TYPE_IPV6;
	key->ip_version = 6;
	key->proto = ip[6];
	key->src = ip + 8;
	key->dst = ip + 24;
	return acl_take_l4(p, key, ip + IPV6_HEADER_LEN);
}

#endif
