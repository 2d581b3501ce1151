/*
 * Policies in a trace: what a port imposes, said before it is imposed, and
 * copies of what they keep count by, so that a traced frame takes nothing out
 * of a bucket.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "forward/mirror.h"
#include "forward/policies.h"
#include "forward/trace_internal.h"
#include "policy/acl.h"
#include "policy/guard.h"
#include "policy/storm.h"
#include "shape/policer.h"

#define LIST_MAX 8 /* addresses that are named */

/* --- guards ----------------------------------------------------------------
 */

static unsigned mask4_len(uint32_t mask)
{
	return __builtin_popcount(mask);
}

static unsigned mask6_len(const uint64_t mask[2])
{
	return __builtin_popcountll(mask[0]) + __builtin_popcountll(mask[1]);
}

static const char *ip_list(struct trace *t, const char *list,
			   const struct allowed_ips *ips)
{
	char text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < MIN(ips->n_ip4, LIST_MAX); i++) {
		uint32_t ip = htonl(ips->ip4[i].address);

		inet_ntop(AF_INET, &ip, text, sizeof(text));
		list = trace_text(t, "%s %s/%u", list, text,
				  mask4_len(ips->ip4[i].mask));
	}
	for (unsigned i = 0; i < MIN(ips->n_ip6, LIST_MAX); i++) {
		inet_ntop(AF_INET6, ips->ip6[i].address, text, sizeof(text));
		list = trace_text(t, "%s %s/%u", list, text,
				  mask6_len(ips->ip6[i].mask));
	}
	if (ips->n_ip4 > LIST_MAX || ips->n_ip6 > LIST_MAX)
		list = trace_text(t, "%s ...", list);
	return list;
}

static const char *leased_list(struct trace *t, const char *list,
			       const struct allowed *a)
{
	const struct allowed_ips *leased;

	if (!a->leased)
		return list;
	leased = atomic_load_explicit(a->leased, memory_order_acquire);
	list = trace_text(t, "%s, leased:", list);
	return leased && leased->n_ip4 + leased->n_ip6
		       ? ip_list(t, list, leased)
		       : trace_text(t, "%s none", list);
}

static void say_guard(struct trace *t, const struct fwd_port *in,
		      const struct guard *guard)
{
	const struct inspect_rules *rules = &guard->rules;
	const struct allowed *a = &rules->allowed;
	const char *text = "MAC addresses:";

	for (unsigned i = 0; i < MIN(a->n_macs, LIST_MAX); i++)
		text = trace_text(t, "%s %s", text, trace_mac(a->macs[i]).text);
	if (!a->guards_macs)
		text = trace_text(t, "%s any", text);
	text = trace_text(t, "%s; IP addresses:", text);
	text = a->guards_ips ? leased_list(t, ip_list(t, text, &a->ips), a)
			     : trace_text(t, "%s any", text);
	trace_say(t, "guard", in, "%s%s%s", text,
		  rules->dhcp_guard ? "; dhcp-guard" : "",
		  rules->router_guard ? "; router-guard" : "");
}

/* --- the port's ------------------------------------------------------------
 */

void trace_policies_in(struct pipeline *pl, const struct stage *s)
{
	const struct fwd_ingress *ingress = s->as->ingress;
	struct trace *t = pl->trace;

	if (!s->n_items)
		return;
	if (ingress->guard)
		say_guard(t, s->as, ingress->guard);
}

void trace_policies_out(struct pipeline *pl, const struct fwd_port *out)
{
	if (trace_port(out)->shaped)
		trace_say(pl->trace, "shaper", out,
			  "%s: it waits in a queue for its turn",
			  out->port->name);
}

void trace_mirror(struct pipeline *pl, const struct fwd_mirror *mirror,
		  unsigned n)
{
	trace_see(pl->trace, "output");
	if (mirror->out)
		trace_say(pl->trace, "mirror", mirror->out,
			  "mirror %s selects it: %u to %s", mirror->name, n,
			  mirror->out->port->name);
	else
		trace_say(pl->trace, "mirror", NULL,
			  "mirror %s selects it: %u into VLAN %u", mirror->name,
			  n, mirror->out_vid);
}

/* --- access lists ----------------------------------------------------------
 */

bool trace_acl(struct pipeline *pl, const struct acl *acl,
	       const struct fwd_port *port, bool leaves, struct packet *p,
	       uint16_t vid)
{
	const char *stage = leaves ? "acl-out" : "acl-in";
	unsigned rule = 0;
	enum acl_verdict verdict = acl_explain(acl, p, vid, &rule);
	const char *what = verdict == ACL_ALLOWED ? "allows" : "denies";

	if (verdict == ACL_UNREADABLE)
		trace_say(pl->trace, stage, port,
			  "list %s: its headers cannot be read as rules need: "
			  "denied",
			  acl_name(acl));
	else if (rule < acl_n_rules(acl))
		trace_say(pl->trace, stage, port, "list %s: rule %u %s it: %s",
			  acl_name(acl), acl_rule_at(acl, rule)->order, what,
			  acl_rule_text(acl, rule));
	else if (*acl_name(acl))
		trace_say(pl->trace, stage, port,
			  "list %s: no rule decides; the default %s it",
			  acl_name(acl), what);
	else
		trace_say(pl->trace, stage, port,
			  "the port's list does not exist: nothing passes");
	return verdict == ACL_ALLOWED;
}

void trace_why_policies(struct trace *t, const struct stage *s)
{
	const struct fwd_ingress *ingress = s->as->ingress;

	if (ingress->guard)
		trace_say(t, "guard", s->as, "it says nothing else");
	if (ingress->storm && s->n_groups)
		trace_say(t, "storm", s->as,
			  "within the limit of such frames at this moment");
	if (s->in->ingress && s->in->ingress->policer)
		trace_say(t, "policer", s->in,
			  "within the rate at this moment");
	if (ingress->marks && ingress->mark_pcp >= 0)
		trace_say(t, "mark", s->as, "PCP %d", ingress->mark_pcp);
	if (ingress->marks && ingress->mark_dscp >= 0)
		trace_say(t, "mark", s->as, "DSCP %d, if it is IP",
			  ingress->mark_dscp);
}

/* --- copies ----------------------------------------------------------------
 */

static void copy_ingress(struct trace *t, struct fwd_port *p)
{
	struct fwd_ingress *to = trace_alloc(t, sizeof(*to));

	*to = *p->ingress;
	if (to->policer) {
		to->policer = policer_copy(to->policer);
		trace_keep(t, to->policer);
	}
	if (to->storm) {
		to->storm = storm_copy(to->storm);
		trace_keep(t, to->storm);
	}
	p->ingress = to;
}

void trace_copy_policies(struct trace *t, struct fwd_port *p)
{
	struct fwd_egress *egress;

	if (p->ingress)
		copy_ingress(t, p);
	if (!p->egress)
		return;
	egress = trace_alloc(t, sizeof(*egress));
	*egress = *p->egress;
	/* What would wait leaves at once. */
	((struct trace_port *)trace_port(p))->shaped = egress->shaper;
	egress->shaper = NULL;
	p->egress = egress;
}
