/*
 * One rule of an access list as people write it: vsw-ctl and vswd read it
 * alike. A rule is an action and the fields that a packet must have, all of
 * them; a field that is not named may be anything:
 *
 *	allow src=10.0.0.0/8 proto=tcp dport=80-443
 *
 * What it says of packets, fragments among them, is in vswd(8).
 */
#ifndef BASE_ACL_RULE_H
#define BASE_ACL_RULE_H

#include "base/net_text.h"

#define ACL_ORDER_MAX 65535
#define ACL_RULES_MAX 2048 /* in one list */

enum acl_action {
	ACL_RULE_ALLOW,
	ACL_RULE_DENY,
	ACL_RULE_COUNT, /* counts the packet; later rules decide */
};

/* Which of a rule's fields are asked for. */
enum acl_field {
	ACL_SRC_MAC = 1 << 0,
	ACL_DST_MAC = 1 << 1,
	ACL_ETHERTYPE = 1 << 2,
	ACL_VLAN = 1 << 3,
	ACL_SRC = 1 << 4,
	ACL_DST = 1 << 5,
	ACL_PROTO = 1 << 6,
	ACL_SPORT = 1 << 7, /* ICMP: type and code, as in struct flow_key */
	ACL_DPORT = 1 << 8,
	ACL_TCP_FLAGS = 1 << 9,
	ACL_FRAGMENT = 1 << 10,
};

/* Bits of acl_rule.fragments. */
enum acl_fragment {
	ACL_FRAG_NONE = 1 << 0,
	ACL_FRAG_FIRST = 1 << 1,
	ACL_FRAG_LATER = 1 << 2,
};

struct acl_rule {
	uint16_t order; /* the caller's: lower ones are asked first */
	uint8_t action; /* enum acl_action */
	uint8_t proto;
	unsigned fields;		/* enum acl_field */
	uint64_t src_mac, src_mac_mask; /* the first byte highest */
	uint64_t dst_mac, dst_mac_mask;
	struct net_prefix src, dst;
	/* 4 or 6: what an ethertype of IP, an address or ICMP means; 0: both */
	uint8_t ip_version;
	uint8_t tcp_flags, tcp_flags_mask;
	uint8_t fragments; /* enum acl_fragment */
	uint16_t ethertype;
	uint16_t vlan; /* that the packet belongs to; 0: none */
	uint16_t sport_first, sport_last;
	uint16_t dport_first, dport_last;
};

/*
 * Reads a rule; order is left alone. NULL, or in a few words what is wrong and
 * what would be right, which the caller frees; *rule is undefined then.
 */
char *acl_rule_parse(struct acl_rule *rule, const char *text);

#endif
