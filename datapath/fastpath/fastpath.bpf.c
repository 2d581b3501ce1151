/*
 * The programs of the kernel's fast path (fastpath.h has the whole of it). What
 * becomes of a frame is decide.h's; here are the maps, what the kernel says of
 * a frame, and what is done with it.
 *
 * For Linux 6.1 and later, with CAP_BPF and CAP_NET_ADMIN only: so no access to
 * the packet's memory but by helpers, and no kfuncs.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "fastpath/decide.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fp_owner);
} fp_owner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FP_SLOTS);
	__type(key, __u32);
	__type(value, struct fp_device);
} fp_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FP_PLACES);
	__type(key, __u32);
	__type(value, __u64);
} fp_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FP_SLOTS);
	__type(key, __u32);
	__type(value, struct fp_state);
} fp_states SEC(".maps");

/* As many as FP_SLOTS for each possible CPU, when it is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FP_SLOTS);
	__type(key, __u32);
	__type(value, struct fp_counters);
} fp_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fp_decision);
} fp_notes SEC(".maps");

/* Of any size: BPF_F_INNER_MAP. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, FP_BRIDGES);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_INNER_MAP);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(__u32));
			__uint(value_size, sizeof(struct fp_port));
		});
} fp_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, FP_BRIDGES);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(__u32));
			__uint(value_size, sizeof(struct fp_bucket));
		});
} fp_fdbs SEC(".maps");

char fp_license[] SEC("license") = "Dual BSD/GPL";

/* A program that knows a map keeps it, used or not: each keeps all of them. */
#define HOLD(map) asm volatile("" : : "r"(&(map)))
#define HOLD_ALL()                                                             \
	do {                                                                   \
		HOLD(fp_owner);                                                \
		HOLD(fp_devices);                                              \
		HOLD(fp_counters);                                             \
		HOLD(fp_notes);                                                \
	} while (0)

/*
 * A key of 32 bits, and four bytes that nobody reads. From who may not look
 * into the kernel (CAP_PERFMON), the verifier of 6.1 takes no part of eight
 * bytes of the stack to be written, where a number or a pointer has been kept
 * before. Little endian, as all of this.
 */
typedef __u64 fp_map_key;

/* --- what decide.h asks for ------------------------------------------------
 */

struct fp_env {
	struct __sk_buff *skb;
	void *ports, *fdb; /* the bridge's maps */
};

FP_INLINE const struct fp_port *fp_env_port(const struct fp_env *env,
					    __u32 number)
{
	fp_map_key key = number;

	return bpf_map_lookup_elem(env->ports, &key);
}

FP_INLINE const struct fp_state *fp_env_state(const struct fp_env *env,
					      __u32 slot)
{
	fp_map_key key = slot;

	return bpf_map_lookup_elem(&fp_states, &key);
}

FP_INLINE const struct fp_fdb_header *fp_env_fdb(const struct fp_env *env)
{
	fp_map_key key = 0;

	return bpf_map_lookup_elem(env->fdb, &key);
}

FP_INLINE struct fp_bucket *fp_env_bucket(const struct fp_env *env, __u32 index)
{
	fp_map_key key = index;

	return bpf_map_lookup_elem(env->fdb, &key);
}

FP_INLINE __u32 fp_env_ifindex(const struct fp_env *env)
{
	return env->skb->ifindex;
}

FP_INLINE _Bool fp_env_load(const struct fp_env *env, __u32 offset, void *to,
			    __u32 n)
{
	return !bpf_skb_load_bytes(env->skb, offset, to, n);
}

/* --- a frame of a device ---------------------------------------------------
 */

/* False: shorter than a header. */
FP_INLINE _Bool read_frame(struct __sk_buff *skb, struct fp_frame *f)
{
	struct {
		union {
			__be64 dst_first;
			__be16 halves[4];
		};
		__be32 src_last;
		__be16 type;
	} h;

	if (bpf_skb_load_bytes(skb, 0, &h, FP_ETH_LEN))
		return 0;
	f->dst = bpf_be64_to_cpu(h.dst_first) >> 16;
	f->src = (__u64)bpf_ntohs(h.halves[3]) << 32 | bpf_ntohl(h.src_last);
	f->type = bpf_ntohs(h.type);
	f->len = skb->len;
	f->gso_size = skb->gso_size;
	f->has_tag = skb->vlan_present;
	f->tag_type = bpf_ntohs(skb->vlan_proto);
	f->tci = skb->vlan_tci;
	return 1;
}

/* FP_NONE: the device is none of ours. */
FP_INLINE enum fp_verdict decide(struct __sk_buff *skb, struct fp_decision *d)
{
	__u32 ifindex = skb->ifindex;
	fp_map_key index = ifindex % FP_PLACES, bridge;
	const __u64 *word = bpf_map_lookup_elem(&fp_places, &index);
	struct fp_env env = { .skb = skb };
	struct fp_frame frame;
	__u64 place;

	if (!word)
		return FP_NONE;
	place = FP_READ(*word);
	if ((__u32)place != ifindex)
		return FP_NONE;
	bridge = (__u16)(place >> FP_PLACE_BRIDGE_SHIFT);
	env.ports = bpf_map_lookup_elem(&fp_ports, &bridge);
	env.fdb = bpf_map_lookup_elem(&fp_fdbs, &bridge);
	if (!env.ports || !env.fdb || !read_frame(skb, &frame))
		return FP_USERSPACE;
	return fp_decide(&env, place >> FP_PLACE_NUMBER_SHIFT, &frame, d);
}

FP_INLINE struct fp_counters *counters_of(__u32 slot)
{
	fp_map_key index = bpf_get_smp_processor_id() * FP_SLOTS + slot;

	return bpf_map_lookup_elem(&fp_counters, &index);
}

/* Its tag counts, too: pipeline and ports do it so. */
FP_INLINE __u32 frame_len(const struct __sk_buff *skb)
{
	return skb->len + (skb->vlan_present ? FP_TAG_LEN : 0);
}

/* What is beside the frame is done at no cost. */
FP_INLINE long retag(struct __sk_buff *skb, const struct fp_decision *d)
{
	if (d->tag_op == FP_TAG_POP)
		return bpf_skb_vlan_pop(skb);
	if (d->tag_op == FP_TAG_PUSH)
		return bpf_skb_vlan_push(skb, bpf_htons(FP_TYPE_VLAN), d->tci);
	return 0;
}

FP_INLINE int forward(struct __sk_buff *skb, const struct fp_decision *d)
{
	struct fp_counters *in = counters_of(d->in_slot);
	struct fp_counters *out = counters_of(d->out_slot);

	if (!in || !out)
		return TC_ACT_SHOT;
	in->rx_packets++;
	in->rx_bytes += frame_len(skb);
	if (retag(skb, d))
		return TC_ACT_SHOT;
	out->tx_packets++;
	out->tx_bytes += frame_len(skb);
	/* The sender's, of which a frame of userspace's has nothing either. */
	skb->mark = 0;
	skb->priority = 0;
	return bpf_redirect(d->ifindex, d->to_host ? BPF_F_INGRESS : 0);
}

/* --- the programs ----------------------------------------------------------
 */

FP_INLINE struct fp_decision *note_here(void)
{
	fp_map_key index = 0;

	return bpf_map_lookup_elem(&fp_notes, &index);
}

/*
 * Of a packet socket: userspace gets what it is to decide. The ingress program
 * is next, on this CPU, with this frame.
 */
SEC("socket")
int fp_filter(struct __sk_buff *skb)
{
	struct fp_decision *note = note_here();

	HOLD_ALL();
	if (!note || skb->pkt_type == PACKET_OUTGOING)
		return 0;
	note->in_ifindex = skb->ifindex;
	note->len = skb->len;
	note->verdict = decide(skb, note);
	return note->verdict == FP_FORWARD ? 0 : -1;
}

/*
 * Of a device: the host's stack never sees its frames, unless the device is
 * none of ours any more.
 */
SEC("tc")
int fp_ingress(struct __sk_buff *skb)
{
	struct fp_decision *note = note_here(), decision;
	__u32 verdict;

	HOLD_ALL();
	if (!note)
		return TC_ACT_SHOT;
	verdict = note->verdict;
	note->verdict = FP_NONE;
	if (verdict != FP_NONE && note->in_ifindex == skb->ifindex &&
	    note->len == skb->len) {
		if (verdict != FP_FORWARD)
			return TC_ACT_SHOT;
		return forward(skb, note);
	}
	verdict = decide(skb, &decision);
	if (verdict == FP_NONE)
		return TC_ACT_UNSPEC;
	if (verdict != FP_FORWARD)
		return TC_ACT_SHOT;
	return forward(skb, &decision);
}

/*
 * Of a tap's own way out, which ends with the tap's reader. Others' programs
 * there have their say about what is not forwarded here.
 */
SEC("tc")
int fp_egress(struct __sk_buff *skb)
{
	struct fp_decision decision;

	HOLD_ALL();
	if (decide(skb, &decision) != FP_FORWARD)
		return TC_ACT_UNSPEC;
	return forward(skb, &decision);
}
