/*
 * The fast path's programs, and one more that tells what was decided: for
 * BPF_PROG_TEST_RUN, which can hand over no tag beside a frame. What there is
 * comes by the context's cb[]: 0 or TAG() in the first, its type in the second.
 */
#include "fastpath/fastpath.bpf.c"
#include "tests/unit/bpf/fastpath_probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_result);
} probe_results SEC(".maps");

static __always_inline void look(const struct __sk_buff *skb,
				 struct probe_result *r)
{
	r->len = skb->len;
	r->has_tag = skb->vlan_present;
	r->tag_type = bpf_ntohs(skb->vlan_proto);
	r->tci = skb->vlan_tci;
}

SEC("tc")
int probe(struct __sk_buff *skb)
{
	__u32 index = 0;
	struct probe_result *r = bpf_map_lookup_elem(&probe_results, &index);

	if (!r)
		return TC_ACT_SHOT;
	if (skb->cb[0] &&
	    bpf_skb_vlan_push(skb, bpf_htons(skb->cb[1]), skb->cb[0] & 0xffff))
		return TC_ACT_SHOT;
	r->verdict = decide(skb, &r->decision);
	r->action = TC_ACT_OK;
	if (r->verdict == FP_FORWARD)
		r->action = forward(skb, &r->decision);
	look(skb, r);
	r->mark = skb->mark;
	r->priority = skb->priority;
	return TC_ACT_OK;
}
