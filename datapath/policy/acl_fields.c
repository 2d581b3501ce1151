/*
 * For each field that rules ask for, the table or the trie that leads from a
 * packet's value to the set of rules that it fits. Control thread.
 */
#include <stdlib.h>

#include "packet/parse.h"
#include "policy/acl_compile.h"

#define ROW_WORDS_MAX (ACL_RULES_MAX / 64)

/* The class of the rules that are for such packets. */
static uint16_t class_of(struct acl_compiler *c, fits_fn *fits,
			 const void *value)
{
	uint64_t row[ROW_WORDS_MAX] = { 0 };

	for (unsigned i = 0; i < c->acl->n_rules; i++)
		if (fits(&c->acl->rules[i], value))
			acl_bit_set(row, i);
	return acl_sets_add(&c->sets, row);
}

/* value: the fields that packets do not have */
static bool fits_without(const struct acl_rule *rule, const void *value)
{
	return !(rule->fields & *(const unsigned *)value);
}

uint16_t acl_class_without(struct acl_compiler *c, unsigned fields)
{
	return class_of(c, fits_without, &fields);
}

/* Of later fragments, as acl.h has it. */
static bool fits_later(const struct acl_rule *rule, const void *value)
{
	return fits_without(rule, value) || rule->action == ACL_RULE_ALLOW;
}

static uint16_t class_later(struct acl_compiler *c, unsigned fields)
{
	return class_of(c, fits_later, &fields);
}

/* --- ethertype and protocol ---------------------------------------------- */

struct kind {
	uint16_t ethertype;
	int proto; /* -1: none */
};

static bool fits_kind(const struct acl_rule *rule, const void *value)
{
	const struct kind *kind = value;

	if (rule->fields & ACL_ETHERTYPE && rule->ethertype != kind->ethertype)
		return false;
	return !(rule->fields & ACL_PROTO) || rule->proto == kind->proto;
}

void acl_make_kinds(struct acl_compiler *c)
{
	struct acl *acl = c->acl;
	struct kind kind = { .proto = -1 }; /* a type that no rule has */
	uint16_t other = class_of(c, fits_kind, &kind);

	for (unsigned i = 0; i < 65536; i++)
		c->classes[i] = other;
	for (unsigned i = 0; i < acl->n_rules; i++) {
		if (!(acl->rules[i].fields & ACL_ETHERTYPE))
			continue;
		kind.ethertype = acl->rules[i].ethertype;
		c->classes[kind.ethertype] = class_of(c, fits_kind, &kind);
	}
	acl_pages_make(&c->pages, &acl->type, c->classes);
	for (kind.proto = 0; kind.proto < 256; kind.proto++) {
		kind.ethertype = ETH_TYPE_IPV4;
		acl->kind4[kind.proto] = class_of(c, fits_kind, &kind);
		kind.ethertype = ETH_TYPE_IPV6;
		acl->kind6[kind.proto] = class_of(c, fits_kind, &kind);
	}
}

/* --- addresses ----------------------------------------------------------- */

static const struct net_prefix *prefix_of(const struct acl_rule *rule,
					  unsigned field)
{
	return field == ACL_SRC ? &rule->src : &rule->dst;
}

static void network_of(const struct net_prefix *prefix, uint8_t network[16])
{
	memset(network, 0, 16);
	memcpy(network, prefix->addr.bytes, prefix->len / 8);
	if (prefix->len % 8)
		network[prefix->len / 8] = prefix->addr.bytes[prefix->len / 8] &
					   (uint8_t)(0xff00 >> prefix->len % 8);
}

struct sorted_prefix {
	uint8_t network[16];
	unsigned len, rule;
};

static int compare_prefixes(const void *a_, const void *b_)
{
	const struct sorted_prefix *a = a_, *b = b_;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->network, b->network, sizeof(a->network));
}

/* Sorted by length; free(). */
static struct sorted_prefix *sort_prefixes(const struct acl *acl,
					   unsigned field, unsigned version,
					   unsigned *n)
{
	struct sorted_prefix *sorted = xcalloc(acl->n_rules, sizeof(*sorted));

	*n = 0;
	for (unsigned i = 0; i < acl->n_rules; i++) {
		const struct acl_rule *rule = &acl->rules[i];
		const struct net_prefix *prefix = prefix_of(rule, field);

		if (!(rule->fields & field) || prefix->addr.version != version)
			continue;
		network_of(prefix, sorted[*n].network);
		sorted[*n].len = prefix->len;
		sorted[(*n)++].rule = i;
	}
	if (*n)
		qsort(sorted, *n, sizeof(*sorted), compare_prefixes);
	return sorted;
}

/*
 * Each prefix has the rules of those that it is in, and its own. Longer ones
 * come later: all of its addresses have one class when it comes.
 */
static uint16_t make_trie(struct acl_compiler *c, unsigned field,
			  unsigned version)
{
	struct sorted_prefix *sorted;
	uint16_t root = acl_class_without(c, field);
	uint64_t row[ROW_WORDS_MAX];
	unsigned n, next;

	sorted = sort_prefixes(c->acl, field, version, &n);
	for (unsigned i = 0; i < n; i = next) {
		const struct sorted_prefix *p = &sorted[i];
		uint16_t class = acl_trie_find(c->trie.nodes, root, p->network);

		memcpy(row, c->sets.rows + (size_t) class * c->sets.words,
		       c->sets.words * sizeof(*row));
		for (next = i; next < n && !compare_prefixes(&sorted[next], p);
		     next++)
			acl_bit_set(row, sorted[next].rule);
		acl_trie_insert(&c->trie, &root, p->network, p->len,
				acl_sets_add(&c->sets, row));
	}
	free(sorted);
	return root;
}

void acl_make_addresses(struct acl_compiler *c, unsigned field,
			struct acl_addresses *addresses)
{
	addresses->root4 = make_trie(c, field, 4);
	addresses->root6 = make_trie(c, field, 6);
	addresses->none = acl_class_without(c, field);
}

/* --- ports, flags, fragments, VLANs -------------------------------------- */

struct port_value {
	unsigned field;
	unsigned port;
};

static bool fits_port(const struct acl_rule *rule, const void *value_)
{
	const struct port_value *value = value_;
	bool is_src = value->field == ACL_SPORT;

	return !(rule->fields & value->field) ||
	       (value->port >=
			(is_src ? rule->sport_first : rule->dport_first) &&
		value->port <= (is_src ? rule->sport_last : rule->dport_last));
}

void acl_make_ports(struct acl_compiler *c, unsigned field,
		    struct acl_l4_map *map)
{
	struct port_value value = { .field = field };
	uint8_t *begins = xcalloc(65537, 1); /* a stretch of one class */
	uint16_t class = 0;

	begins[0] = 1;
	for (unsigned i = 0; i < c->acl->n_rules; i++) {
		const struct acl_rule *r = &c->acl->rules[i];

		if (!(r->fields & field))
			continue;
		begins[field == ACL_SPORT ? r->sport_first : r->dport_first] =
			1;
		begins[(field == ACL_SPORT ? r->sport_last : r->dport_last) +
		       1] = 1;
	}
	for (value.port = 0; value.port < 65536; value.port++) {
		if (begins[value.port])
			class = class_of(c, fits_port, &value);
		c->classes[value.port] = class;
	}
	free(begins);
	acl_pages_make(&c->pages, &map->map, c->classes);
	map->none = acl_class_without(c, field);
	map->later = class_later(c, field);
}

static bool fits_flags(const struct acl_rule *rule, const void *value)
{
	return !(rule->fields & ACL_TCP_FLAGS) ||
	       (*(const unsigned *)value & rule->tcp_flags_mask) ==
		       rule->tcp_flags;
}

void acl_make_flags(struct acl_compiler *c)
{
	for (unsigned flags = 0; flags < 256; flags++)
		c->acl->flags[flags] = class_of(c, fits_flags, &flags);
	c->acl->flags_none = acl_class_without(c, ACL_TCP_FLAGS);
	c->acl->flags_later = class_later(c, ACL_TCP_FLAGS);
}

static bool fits_fragment(const struct acl_rule *rule, const void *value)
{
	return !(rule->fields & ACL_FRAGMENT) ||
	       rule->fragments & *(const unsigned *)value;
}

void acl_make_fragments(struct acl_compiler *c)
{
	static const unsigned bits[] = {
		[FLOW_FRAG_NONE] = ACL_FRAG_NONE,
		[FLOW_FRAG_FIRST] = ACL_FRAG_FIRST,
		[FLOW_FRAG_LATER] = ACL_FRAG_LATER,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		c->acl->fragment[i] = class_of(c, fits_fragment, &bits[i]);
	c->acl->fragment_none = acl_class_without(c, ACL_FRAGMENT);
}

static bool fits_vlan(const struct acl_rule *rule, const void *value)
{
	return !(rule->fields & ACL_VLAN) ||
	       rule->vlan == *(const uint16_t *)value;
}

void acl_make_vlans(struct acl_compiler *c)
{
	uint16_t other = acl_class_without(c, ACL_VLAN);

	for (unsigned i = 0; i < 65536; i++)
		c->classes[i] = other;
	for (unsigned i = 0; i < c->acl->n_rules; i++) {
		uint16_t vlan = c->acl->rules[i].vlan;

		if (c->acl->rules[i].fields & ACL_VLAN)
			c->classes[vlan] = class_of(c, fits_vlan, &vlan);
	}
	acl_pages_make(&c->pages, &c->acl->vlan, c->classes);
}

/* --- MAC addresses ------------------------------------------------------- */

struct mac_value {
	const struct acl_macs *macs;
	uint64_t mac;
};

/* Whether the rule asks for an address under that mask. */
static bool is_under(const struct acl_rule *rule, const struct acl_macs *macs)
{
	if (!(rule->fields & (macs->is_src ? ACL_SRC_MAC : ACL_DST_MAC)))
		return false;
	return macs->mask ==
	       (macs->is_src ? rule->src_mac_mask : rule->dst_mac_mask);
}

static uint64_t mac_of(const struct acl_rule *rule, const struct acl_macs *macs)
{
	return macs->is_src ? rule->src_mac : rule->dst_mac;
}

static bool fits_mac(const struct acl_rule *rule, const void *value_)
{
	const struct mac_value *value = value_;

	return !is_under(rule, value->macs) ||
	       mac_of(rule, value->macs) == value->mac;
}

static void put_mac(struct acl_compiler *c, struct acl_macs *macs, uint64_t mac)
{
	struct mac_value value = { .macs = macs, .mac = mac };
	unsigned size = 1u << (64 - macs->shift);
	unsigned at = mac * ACL_MAC_HASH >> macs->shift;

	while (macs->keys[at] != ACL_MAC_FREE && macs->keys[at] != mac)
		at = (at + 1) & (size - 1);
	macs->keys[at] = mac;
	macs->classes[at] = class_of(c, fits_mac, &value);
}

void acl_make_macs(struct acl_compiler *c, struct acl_macs *macs)
{
	const struct acl *acl = c->acl;
	struct mac_value none = { .macs = macs, .mac = ACL_MAC_FREE };
	unsigned n = 0, size;

	for (unsigned i = 0; i < acl->n_rules; i++)
		n += is_under(&acl->rules[i], macs);
	size = round_up_pow2(n * 2 + 2);
	macs->shift = 64 - __builtin_ctz(size);
	macs->keys = xmalloc(size * sizeof(*macs->keys));
	macs->classes = xcalloc(size, sizeof(*macs->classes));
	for (unsigned i = 0; i < size; i++)
		macs->keys[i] = ACL_MAC_FREE;
	macs->none = class_of(c, fits_mac, &none);
	for (unsigned i = 0; i < acl->n_rules; i++)
		if (is_under(&acl->rules[i], macs))
			put_mac(c, macs, mac_of(&acl->rules[i], macs));
}
