/* The parser of acl_rule.h: a table of fields, each with a reader of its value.
 */
#include "base/acl_rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_IPV6 0x86dd

#define PROTO_ICMP    1
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_DCCP    33
#define PROTO_ICMP6   58
#define PROTO_SCTP    132
#define PROTO_UDPLITE 136

#define WORD_MAX 96

/* Decimal, or hexadecimal behind 0x where that is allowed; up to max. */
static bool parse_number(const char *text, unsigned long max, bool hex,
			 unsigned long *value)
{
	bool is_hex = hex && text[0] == '0' && tolower(text[1]) == 'x';
	char *end;

	if (!isxdigit((unsigned char)text[is_hex ? 2 : 0]))
		return false;
	errno = 0;
	*value = strtoul(text, &end, is_hex ? 16 : 10);
	return !errno && !*end && *value <= max;
}

/* --- values: false, what is wrong is said by the table ------------------- */

static bool parse_mac(const char *text, uint64_t *mac)
{
	*mac = 0;
	for (unsigned i = 0; i < 6; i++, text += 3) {
		char digits[3] = { text[0], 0, 0 };

		if (!isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]))
			return false;
		digits[1] = text[1];
		*mac = *mac << 8 | strtoul(digits, NULL, 16);
		if (text[2] != (i < 5 ? ':' : 0))
			return false;
	}
	return true;
}

static bool parse_masked_mac(const char *text, uint64_t *mac, uint64_t *mask)
{
	const char *slash = strchr(text, '/');
	char address[18];

	*mask = 0xffffffffffff;
	if (!slash)
		return parse_mac(text, mac);
	if (slash - text != 17)
		return false;
	memcpy(address, text, 17);
	address[17] = 0;
	if (!parse_mac(address, mac) || !parse_mac(slash + 1, mask))
		return false;
	*mac &= *mask;
	return true;
}

static bool read_src_mac(struct acl_rule *r, const char *text)
{
	return parse_masked_mac(text, &r->src_mac, &r->src_mac_mask);
}

static bool read_dst_mac(struct acl_rule *r, const char *text)
{
	return parse_masked_mac(text, &r->dst_mac, &r->dst_mac_mask);
}

static bool read_ethertype(struct acl_rule *r, const char *text)
{
	static const struct {
		const char *name;
		uint16_t type;
	} names[] = { { "ip", TYPE_IPV4 },
		      { "ipv6", TYPE_IPV6 },
		      { "arp", TYPE_ARP } };
	unsigned long n;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i].name)) {
			r->ethertype = names[i].type;
			return true;
		}
	/* Tags have been looked through: the type is the one behind them. */
	if (!parse_number(text, 0xffff, true, &n) || n < 0x600 || n == 0x8100 ||
	    n == 0x88a8)
		return false;
	r->ethertype = n;
	return true;
}

static bool read_prefix(struct net_prefix *prefix, const char *text)
{
	if (strchr(text, '/'))
		return net_prefix_parse(prefix, text, 0);
	if (!net_addr_parse(&prefix->addr, text, 0))
		return false;
	prefix->len = prefix->addr.version == 4 ? 32 : 128;
	return true;
}

static bool read_src(struct acl_rule *r, const char *text)
{
	return read_prefix(&r->src, text);
}

static bool read_dst(struct acl_rule *r, const char *text)
{
	return read_prefix(&r->dst, text);
}

static bool read_proto(struct acl_rule *r, const char *text)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} names[] = { { "tcp", PROTO_TCP },
		      { "udp", PROTO_UDP },
		      { "icmp", PROTO_ICMP },
		      { "icmp6", PROTO_ICMP6 },
		      { "sctp", PROTO_SCTP } };
	unsigned long n;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i].name)) {
			r->proto = names[i].proto;
			return true;
		}
	if (!parse_number(text, 255, false, &n))
		return false;
	r->proto = n;
	return true;
}

static bool parse_range(const char *text, uint16_t *first, uint16_t *last)
{
	const char *dash = strchr(text, '-');
	unsigned long a, b;
	char word[8];

	if (!dash) {
		if (!parse_number(text, 0xffff, false, &a))
			return false;
		*first = *last = a;
		return true;
	}
	if ((size_t)(dash - text) >= sizeof(word))
		return false;
	memcpy(word, text, dash - text);
	word[dash - text] = 0;
	if (!parse_number(word, 0xffff, false, &a) ||
	    !parse_number(dash + 1, 0xffff, false, &b) || a > b)
		return false;
	*first = a;
	*last = b;
	return true;
}

static bool read_sport(struct acl_rule *r, const char *text)
{
	return parse_range(text, &r->sport_first, &r->sport_last);
}

static bool read_dport(struct acl_rule *r, const char *text)
{
	return parse_range(text, &r->dport_first, &r->dport_last);
}

/* TYPE, or TYPE/CODE: the first two bytes of the message. */
static bool read_icmp_type(struct acl_rule *r, const char *text)
{
	const char *slash = strchr(text, '/');
	unsigned long type, code;
	char word[8];
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(word))
		return false;
	memcpy(word, text, n);
	word[n] = 0;
	if (!parse_number(word, 255, false, &type))
		return false;
	if (slash && !parse_number(slash + 1, 255, false, &code))
		return false;
	r->sport_first = type << 8 | (slash ? code : 0);
	r->sport_last = type << 8 | (slash ? code : 255);
	return true;
}

static bool read_vlan(struct acl_rule *r, const char *text)
{
	unsigned long n;

	if (!parse_number(text, 4094, false, &n))
		return false;
	r->vlan = n;
	return true;
}

/* "syn,!ack": those that are set, and behind '!' those that are not. */
static bool read_tcp_flags(struct acl_rule *r, const char *text)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh",
					     "ack", "urg", "ece", "cwr" };

	r->tcp_flags = 0;
	r->tcp_flags_mask = 0;
	for (;;) {
		bool no = *text == '!';
		size_t n = strcspn(text += no, ",");
		unsigned i = 0;

		while (i < 8 && (strlen(names[i]) != n ||
				 strncmp(names[i], text, n) != 0))
			i++;
		if (i == 8 || r->tcp_flags_mask >> i & 1)
			return false;
		r->tcp_flags_mask |= 1u << i;
		r->tcp_flags |= (unsigned)!no << i;
		text += n;
		if (!*text++)
			return true;
	}
}

static bool read_fragment(struct acl_rule *r, const char *text)
{
	static const struct {
		const char *name;
		uint8_t fragments;
	} names[] = { { "no", ACL_FRAG_NONE },
		      { "yes", ACL_FRAG_FIRST | ACL_FRAG_LATER },
		      { "first", ACL_FRAG_FIRST },
		      { "later", ACL_FRAG_LATER } };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i].name)) {
			r->fragments = names[i].fragments;
			return true;
		}
	return false;
}

static const struct field {
	const char *name;
	unsigned bit;
	bool (*read)(struct acl_rule *rule, const char *text);
	const char *what;
} fields[] = {
	{ "src-mac", ACL_SRC_MAC, read_src_mac,
	  "a MAC address, or one with a mask: "
	  "02:00:00:00:00:00/ff:00:00:00:00:00" },
	{ "dst-mac", ACL_DST_MAC, read_dst_mac,
	  "a MAC address, or one with a mask: "
	  "01:00:00:00:00:00/01:00:00:00:00:00" },
	{ "ethertype", ACL_ETHERTYPE, read_ethertype,
	  "ip, ipv6, arp, or a number from 0x600 to 0xffff that is no VLAN "
	  "tag's (that is vlan)" },
	{ "src", ACL_SRC, read_src,
	  "an IPv4 or IPv6 address or prefix, such as 10.0.0.0/8" },
	{ "dst", ACL_DST, read_dst,
	  "an IPv4 or IPv6 address or prefix, such as 2001:db8::/32" },
	{ "proto", ACL_PROTO, read_proto,
	  "tcp, udp, icmp, icmp6, sctp, or a number from 0 to 255" },
	{ "sport", ACL_SPORT, read_sport,
	  "a port or a range of them, such as 1024-65535" },
	{ "dport", ACL_DPORT, read_dport,
	  "a port or a range of them, such as 80-443" },
	{ "icmp-type", ACL_SPORT, read_icmp_type,
	  "a type, or a type and a code, such as 3/4" },
	{ "vlan", ACL_VLAN, read_vlan,
	  "a number from 1 to 4094, or 0 for none" },
	{ "tcp-flags", ACL_TCP_FLAGS, read_tcp_flags,
	  "flags that are set or, behind '!', are not, such as syn,!ack" },
	{ "fragment", ACL_FRAGMENT, read_fragment, "no, yes, first or later" },
};

/* --- a rule -------------------------------------------------------------- */

static char *read_field(struct acl_rule *r, const char *word, unsigned *seen)
{
	const char *value = strchr(word, '=');
	size_t n = value ? (size_t)(value - word) : strlen(word);

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *f = &fields[i];

		if (strlen(f->name) != n || strncmp(f->name, word, n) != 0)
			continue;
		if (*seen >> i & 1)
			return xasprintf("%s is there twice", f->name);
		*seen |= 1u << i;
		if (!value || !f->read(r, value + 1))
			return xasprintf("%s cannot be \"%s\"; it is %s",
					 f->name, value ? value + 1 : "",
					 f->what);
		r->fields |= f->bit;
		return NULL;
	}
	return xasprintf("\"%s\" is no field; those are src-mac, dst-mac, "
			 "ethertype, vlan, src, dst, proto, sport, dport, "
			 "icmp-type, tcp-flags and fragment, each =VALUE",
			 word);
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP ||
	       proto == PROTO_SCTP || proto == PROTO_DCCP ||
	       proto == PROTO_UDPLITE;
}

/* One field says that it is of this version of IP, named by `word`. */
static char *take_version(struct acl_rule *r, uint8_t version, const char *word,
			  const char **from)
{
	if (!version)
		return NULL;
	if (r->ip_version && r->ip_version != version)
		return xasprintf("%s and %s contradict each other: one is of "
				 "IPv%u, the other of IPv%u",
				 *from, word, r->ip_version, version);
	r->ip_version = version;
	*from = word;
	return NULL;
}

static char *check_versions(struct acl_rule *r)
{
	const char *from = NULL;
	unsigned f = r->fields;
	char *why = NULL;

	r->ip_version = 0;
	if (f & ACL_ETHERTYPE)
		why = take_version(r,
				   r->ethertype == TYPE_IPV4   ? 4
				   : r->ethertype == TYPE_IPV6 ? 6
							       : 0,
				   "ethertype", &from);
	if (!why && f & ACL_SRC)
		why = take_version(r, r->src.addr.version, "src", &from);
	if (!why && f & ACL_DST)
		why = take_version(r, r->dst.addr.version, "dst", &from);
	if (!why && f & ACL_PROTO)
		why = take_version(r,
				   r->proto == PROTO_ICMP    ? 4
				   : r->proto == PROTO_ICMP6 ? 6
							     : 0,
				   "proto", &from);
	return why;
}

/* What one field says leaves nothing that another could mean. */
static char *check_rule(struct acl_rule *r, unsigned seen)
{
	const unsigned of_ip = ACL_SRC | ACL_DST | ACL_PROTO | ACL_FRAGMENT;
	unsigned f = r->fields;
	bool icmp_type = false, sport = f & ACL_DPORT;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		icmp_type |= seen >> i & 1 && fields[i].read == read_icmp_type;
		sport |= seen >> i & 1 && fields[i].read == read_sport;
	}
	if (f & ACL_ETHERTYPE && r->ethertype != TYPE_IPV4 &&
	    r->ethertype != TYPE_IPV6 && f & of_ip)
		return xasprintf("%s needs an ethertype of ip or ipv6, not "
				 "0x%04x",
				 f & ACL_SRC	 ? "src"
				 : f & ACL_DST	 ? "dst"
				 : f & ACL_PROTO ? "proto"
						 : "fragment",
				 r->ethertype);
	if (sport && !(f & ACL_PROTO && has_ports(r->proto)))
		return xstrdup("sport and dport need proto=tcp, udp or sctp");
	if (icmp_type && !(f & ACL_PROTO &&
			   (r->proto == PROTO_ICMP || r->proto == PROTO_ICMP6)))
		return xstrdup("icmp-type needs proto=icmp or icmp6");
	if (f & ACL_TCP_FLAGS && !(f & ACL_PROTO && r->proto == PROTO_TCP))
		return xstrdup("tcp-flags needs proto=tcp");
	return check_versions(r);
}

static char *read_action(struct acl_rule *r, const char *word)
{
	static const char *const names[] = { [ACL_RULE_ALLOW] = "allow",
					     [ACL_RULE_DENY] = "deny",
					     [ACL_RULE_COUNT] = "count" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(word, names[i])) {
			r->action = i;
			return NULL;
		}
	return xasprintf("it begins with \"%s\"; a rule begins with allow, "
			 "deny or count",
			 word);
}

char *acl_rule_parse(struct acl_rule *rule, const char *text)
{
	uint16_t order = rule->order;
	unsigned seen = 0, n_words = 0;
	char word[WORD_MAX], *why = NULL;

	memset(rule, 0, sizeof(*rule));
	rule->order = order;
	for (text += strspn(text, " \t"); *text && !why;
	     text += strspn(text, " \t")) {
		size_t n = strcspn(text, " \t");

		if (n >= sizeof(word))
			return xasprintf("a word of it is longer than %d "
					 "characters",
					 WORD_MAX - 1);
		memcpy(word, text, n);
		word[n] = 0;
		text += n;
		why = n_words++ ? read_field(rule, word, &seen)
				: read_action(rule, word);
	}
	if (!why && !n_words)
		return xstrdup("it is empty; a rule begins with allow, deny or "
			       "count");
	return why ? why : check_rule(rule, seen);
}
