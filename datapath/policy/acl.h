/*
 * Stateless access lists: the first rule, by its order, that a packet fits
 * decides; rules that only count are passed by. When none decides, the list's
 * default does.
 *
 * What a packet costs does not depend on how many rules there are. A list is
 * compiled: for each field that a rule asks for there is a way to find the set
 * of rules that a value fits (tries, tables), as a row of bits, and the rules
 * that fit in all fields are the bits that all rows have (T. V. Lakshman and
 * D. Stiliadis, SIGCOMM 1998). acl_match.c is the packet's part, acl_compile.c
 * the control thread's.
 *
 * Fragments (RFC 791, 8200). Ports, flags and ICMP types are in the first
 * fragment alone. A later one fits a rule that allows and asks for them if it
 * fits the rest of it; a rule that denies or counts and asks for them it does
 * not fit: without its first fragment, which was denied, it is of no use.
 *
 * Headers that cannot be read. Where a list denies anything and asks for what
 * is in an IP header or behind it, a packet that claims to be IP and does not
 * have it where it belongs, within the first PACKET_PULL_MAX bytes, is dropped:
 * extension headers without end, headers in a later fragment only (RFC 7112),
 * fragments that write over the TCP flags (RFC 3128).
 */
#ifndef POLICY_ACL_H
#define POLICY_ACL_H

#include <stdatomic.h>

#include "base/acl_rule.h"
#include "packet/packet.h"

/* Different masks of MAC addresses in a list; no mask is one of them. */
#define ACL_MAC_MASKS_MAX 8

enum acl_verdict {
	ACL_ALLOWED,
	ACL_DENIED,
	ACL_UNREADABLE, /* denied because it cannot be read */
};

struct acl;

/*
 * Compiles rules, which are copied; they are sorted by order. threads: that
 * may judge, from 0. NULL: why not is in *errp, for a person. Control thread.
 */
struct acl *acl_create(const struct acl_rule rules[], unsigned n,
		       bool allow_by_default, unsigned threads, char **errp);
/* When no worker uses it any more. Accepts NULL. */
void acl_destroy(struct acl *acl);

/*
 * Judges a packet of VLAN vid (0: of none), and counts it at what has decided.
 * May make more of the packet private. thread: the caller's.
 */
enum acl_verdict acl_judge(const struct acl *acl, struct packet *p,
			   uint16_t vid, unsigned thread);
/*
 * The same without counting: *rule is the index of the rule that has decided,
 * acl_n_rules() when none has.
 */
enum acl_verdict acl_explain(const struct acl *acl, struct packet *p,
			     uint16_t vid, unsigned *rule);

/*
 * What a person calls the list, and its rules as they were written, in the
 * order that they were given in; copied. Before it is used.
 */
void acl_set_texts(struct acl *acl, const char *name, char *const texts[]);
/* "" where nothing was said. */
const char *acl_name(const struct acl *acl);
const char *acl_rule_text(const struct acl *acl, unsigned i);
unsigned acl_n_rules(const struct acl *acl);
const struct acl_rule *acl_rule_at(const struct acl *acl, unsigned i);
bool acl_allows_by_default(const struct acl *acl);
/*
 * Packets that rule i has decided on, or counted; i == acl_n_rules(): those on
 * which none has, and the next one: those that could not be read. Any thread.
 */
uint64_t acl_hits(const struct acl *acl, unsigned i);

#endif
