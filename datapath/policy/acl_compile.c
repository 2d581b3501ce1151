/* From rules to what acl_match.c looks at (acl_internal.h). Control thread. */
#include <errno.h>
#include <stdlib.h>

#include "policy/acl_compile.h"

/* False: that is one too many. */
static bool want_mask(struct acl *acl, bool is_src, uint64_t mask)
{
	for (unsigned i = 0; i < acl->n_macs; i++)
		if (acl->macs[i].is_src == is_src && acl->macs[i].mask == mask)
			return true;
	if (acl->n_macs == ACL_MAC_MASKS_MAX)
		return false;
	acl->macs[acl->n_macs++] =
		(struct acl_macs){ .is_src = is_src, .mask = mask };
	return true;
}

static bool want_masks(struct acl *acl)
{
	for (unsigned i = 0; i < acl->n_rules; i++) {
		const struct acl_rule *r = &acl->rules[i];

		if (r->fields & ACL_SRC_MAC &&
		    !want_mask(acl, true, r->src_mac_mask))
			return false;
		if (r->fields & ACL_DST_MAC &&
		    !want_mask(acl, false, r->dst_mac_mask))
			return false;
	}
	return true;
}

static int compare_orders(const void *a, const void *b)
{
	return (int)((const struct acl_rule *)a)->order -
	       (int)((const struct acl_rule *)b)->order;
}

static void compile(struct acl_compiler *c)
{
	struct acl *acl = c->acl;
	const unsigned fields = acl->fields;

	acl->by_kind = fields & (ACL_ETHERTYPE | ACL_PROTO);
	acl->by_more = fields & (ACL_TCP_FLAGS | ACL_FRAGMENT | ACL_VLAN |
				 ACL_SRC_MAC | ACL_DST_MAC);
	if (acl->by_kind)
		acl_make_kinds(c);
	if (fields & ACL_SRC)
		acl_make_addresses(c, ACL_SRC, &acl->src);
	if (fields & ACL_DST)
		acl_make_addresses(c, ACL_DST, &acl->dst);
	if (fields & ACL_SPORT)
		acl_make_ports(c, ACL_SPORT, &acl->sport);
	if (fields & ACL_DPORT)
		acl_make_ports(c, ACL_DPORT, &acl->dport);
	if (fields & ACL_TCP_FLAGS)
		acl_make_flags(c);
	if (fields & ACL_FRAGMENT)
		acl_make_fragments(c);
	if (fields & ACL_VLAN)
		acl_make_vlans(c);
	for (unsigned i = 0; i < acl->n_macs; i++)
		acl_make_macs(c, &acl->macs[i]);
	/* All rules, where none asks for anything. */
	acl_class_without(c, 0);
}

/* What a list that denies something has to know of a packet. */
static void note_wants(struct acl *acl)
{
	const unsigned l4 = ACL_PROTO | ACL_SPORT | ACL_DPORT | ACL_TCP_FLAGS;
	bool denies = !acl->allow_by_default;

	for (unsigned i = 0; i < acl->n_rules; i++)
		denies |= acl->rules[i].action == ACL_RULE_DENY;
	acl->wants_l4 = denies && acl->fields & l4;
	acl->wants_ip =
		acl->wants_l4 ||
		(denies && acl->fields & (ACL_SRC | ACL_DST | ACL_FRAGMENT));
}

static void take_rules(struct acl *acl, const struct acl_rule rules[],
		       unsigned n)
{
	acl->rules = xcalloc(n ? n : 1, sizeof(*acl->rules));
	acl->n_rules = n;
	if (n) {
		memcpy(acl->rules, rules, n * sizeof(*rules));
		qsort(acl->rules, n, sizeof(*rules), compare_orders);
	}
	acl->actions = xcalloc(n ? n : 1, 1);
	for (unsigned i = 0; i < n; i++) {
		acl->actions[i] = acl->rules[i].action;
		acl->fields |= acl->rules[i].fields;
	}
}

static void make_counters(struct acl *acl, unsigned threads)
{
	const size_t line = CACHE_LINE / sizeof(*acl->hits);
	size_t n = acl->n_rules + ACL_N_COUNTED;

	/* Threads write no line that another writes. */
	acl->n_threads = threads;
	acl->hits_stride = (n + 2 * line - 1) / line * line;
	acl->hits = xcalloc(acl->hits_stride * threads, sizeof(*acl->hits));
}

struct acl *acl_create(const struct acl_rule rules[], unsigned n,
		       bool allow_by_default, unsigned threads, char **errp)
{
	struct acl_compiler c = { 0 };
	struct acl *acl;
	unsigned words;

	if (n > ACL_RULES_MAX) {
		set_error(errp, -E2BIG, "%u rules; a list has at most %u", n,
			  ACL_RULES_MAX);
		return NULL;
	}
	acl = xcalloc(1, sizeof(*acl));
	acl->allow_by_default = allow_by_default;
	take_rules(acl, rules, n);
	if (!want_masks(acl)) {
		set_error(errp, -E2BIG,
			  "more than %u different masks of MAC addresses",
			  ACL_MAC_MASKS_MAX);
		acl_destroy(acl);
		return NULL;
	}
	note_wants(acl);
	acl->has_avx2 = acl_has_avx2();
	/* One block of AVX2, or whole strips. */
	words = n <= 256 ? 4
			 : round_up_pow2(DIV_ROUND_UP(n, 64 * ACL_STRIP)) *
				   ACL_STRIP;
	acl->row_shift = __builtin_ctz(words);
	c.acl = acl;
	c.sets.words = words;
	c.classes = xcalloc(65536, sizeof(*c.classes));
	compile(&c);
	free(c.classes);
	free(c.sets.buckets);
	acl->rows = c.sets.rows;
	acl->nodes = c.trie.nodes;
	acl->pages = c.pages.pages;
	make_counters(acl, threads);
	if (c.sets.n <= ACL_NODE && c.trie.n <= ACL_NODE)
		return acl;
	set_error(errp, -E2BIG, "too many different values in its rules");
	acl_destroy(acl);
	return NULL;
}

static void free_texts(struct acl *acl)
{
	for (unsigned i = 0; acl->texts && i < acl->n_rules; i++)
		free(acl->texts[i]);
	free(acl->texts);
	free(acl->name);
}

void acl_set_texts(struct acl *acl, const char *name, char *const texts[])
{
	free_texts(acl);
	acl->name = xstrdup(name);
	acl->texts = xcalloc(acl->n_rules + 1, sizeof(*acl->texts));
	for (unsigned i = 0; i < acl->n_rules; i++)
		acl->texts[i] = xstrdup(texts[i]);
}

const char *acl_name(const struct acl *acl)
{
	return acl->name ? acl->name : "";
}

const char *acl_rule_text(const struct acl *acl, unsigned i)
{
	return acl->texts && i < acl->n_rules ? acl->texts[i] : "";
}

void acl_destroy(struct acl *acl)
{
	if (!acl)
		return;
	free_texts(acl);
	for (unsigned i = 0; i < acl->n_macs; i++) {
		free(acl->macs[i].keys);
		free(acl->macs[i].classes);
	}
	free(acl->rules);
	free(acl->actions);
	free(acl->rows);
	free(acl->nodes);
	free(acl->pages);
	free(acl->hits);
	free(acl);
}
