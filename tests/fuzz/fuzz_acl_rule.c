/* Rules of access lists from any text, and what is made of them. */
#include "base/acl_rule.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct acl_rule *r)
{
	MUST(r->action <= ACL_RULE_COUNT && r->order == 7);
	MUST(r->ip_version == 0 || r->ip_version == 4 || r->ip_version == 6);
	MUST(!(r->fields & ACL_SRC) ||
	     r->src.len <= (r->src.addr.version == 4 ? 32u : 128u));
	MUST(!(r->fields & ACL_DST) ||
	     r->dst.len <= (r->dst.addr.version == 4 ? 32u : 128u));
	MUST(r->sport_first <= r->sport_last);
	MUST(r->dport_first <= r->dport_last);
	MUST(!(r->src_mac & ~r->src_mac_mask));
	MUST(!(r->tcp_flags & ~r->tcp_flags_mask));
	MUST(r->vlan < 4095 && !(r->fragments & ~7u));
	MUST(!(r->fields & ACL_SPORT) || r->fields & ACL_PROTO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *why;
	struct acl_rule rule = { .order = 7 };

	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	why = acl_rule_parse(&rule, text);
	if (!why)
		check_rule(&rule);
	free(why);
	free(text);
	return 0;
}
