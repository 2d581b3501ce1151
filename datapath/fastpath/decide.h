/*
 * The decision of the kernel's fast path about one frame: to which device, and
 * with what tag; or that it is userspace's. It forwards a frame only where the
 * pipeline (forward/) would send it to this one port, as it is here; what is
 * not as simple as that goes to userspace, which knows the reason and counts
 * it.
 *
 * Restricted C, for BPF programs (fastpath.bpf.c) and, to be tested without a
 * kernel, for the host: no loops without a bound, no 128-bit numbers, nothing
 * called but what the including file provides. That defines struct fp_env,
 * where the tables of the frame's bridge are, and the functions declared here
 * with it.
 *
 * Concurrency. Other CPUs run this, workers learn into the same FDB, and the
 * control thread changes states, at the same time. How key and value of a slot
 * are read is told in forward/fdb_inline.h; it relies on loads that are not
 * reordered, as on x86-64, since BPF has no fence to say so.
 */
#ifndef FASTPATH_DECIDE_H
#define FASTPATH_DECIDE_H

#include "fastpath/layout.h"

#define FP_INLINE static inline __attribute__((always_inline))

/* A word that others write, to be read once, here and now. */
#define FP_READ(x) (*(const volatile __typeof__(x) *)&(x))

#define FP_ETH_LEN	 14
#define FP_TAG_LEN	 4
#define FP_TYPE_VLAN	 0x8100
#define FP_TYPE_SVLAN	 0x88a8
#define FP_TYPE_IPV4	 0x0800
#define FP_TYPE_IPV6	 0x86dd
#define FP_VID_MASK	 0x0fff
#define FP_VID_RESERVED	 0x0fff
#define FP_IPV4_LEN	 20
#define FP_IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define FP_IPV6_LEN	 40
#define FP_TCP_LEN	 20
#define FP_PROTOCOL_TCP	 6
#define FP_SEGMENTS_MAX	 1500 /* more are an attack (packet/gso.h) */
#define FP_PROBES	 2    /* buckets of a key that are looked into */

/*
 * A frame without its preamble and FCS. Everything in host byte order;
 * addresses as load_mac() gives them.
 */
struct fp_frame {
	__u64 dst, src;
	__u32 len; /* without the tag beside it */
	__u32 gso_size;
	__u16 type; /* behind the addresses */
	/* The outermost tag is not in the frame, but beside it. */
	__u16 has_tag, tag_type, tci;
};

/* What the frame's bridge has; provided by who includes this. */
struct fp_env;

FP_INLINE const struct fp_port *fp_env_port(const struct fp_env *env,
					    __u32 number);
FP_INLINE const struct fp_state *fp_env_state(const struct fp_env *env,
					      __u32 slot);
FP_INLINE const struct fp_fdb_header *fp_env_fdb(const struct fp_env *env);
FP_INLINE struct fp_bucket *fp_env_bucket(const struct fp_env *env,
					  __u32 index);
/* The device that the frame came in by. */
FP_INLINE __u32 fp_env_ifindex(const struct fp_env *env);
/* Bytes of the frame; whether they are all there. n: a constant. */
FP_INLINE _Bool fp_env_load(const struct fp_env *env, __u32 offset, void *to,
			    __u32 n);

FP_INLINE __u16 fp_be16(const __u8 *p)
{
	return p[0] << 8 | p[1];
}

/* --- the FDB (forward/fdb_inline.h) ---------------------------------------
 */

/* fdb_hash(), whose product of two 64-bit numbers has 128 bits. */
FP_INLINE __u64 fp_hash(const struct fp_fdb_header *fdb, __u64 key)
{
	__u64 a = key ^ fdb->seed[0], b = fdb->seed[1];
	__u64 a_low = (__u32)a, a_high = a >> 32;
	__u64 b_low = (__u32)b, b_high = b >> 32;
	__u64 low = a_low * b_low;
	__u64 cross = a_high * b_low + (low >> 32);
	__u64 other = a_low * b_high + (__u32)cross;
	__u64 high = a_high * b_high + (cross >> 32) + (other >> 32);

	return ((a * b) ^ high) * fdb->seed[2] >> 26;
}

/* Index 0 of the map is the header's. */
FP_INLINE __u32 fp_bucket_index(const struct fp_fdb_header *fdb, __u64 hash,
				__u32 probe)
{
	__u64 nth = (hash >> 6) + probe * (hash >> 20 | 1);

	return (nth & fdb->bucket_mask) + 1;
}

/*
 * The value of a live entry of the key, *whichp where it stands; 0: there is
 * none in the buckets that were looked into.
 */
FP_INLINE __u64 fp_find(const struct fp_env *env,
			const struct fp_fdb_header *fdb, __u64 key,
			__u64 **wherep)
{
	__u64 hash = fp_hash(fdb, key);

#pragma GCC unroll 2
	for (__u32 probe = 0; probe < FP_PROBES; probe++) {
		struct fp_bucket *b =
			fp_env_bucket(env, fp_bucket_index(fdb, hash, probe));

		if (!b)
			return 0;
#pragma GCC unroll 4
		for (int i = 0; i < FP_BUCKET_SLOTS; i++) {
			__u64 v = FP_READ(b->value[i]);

			if (FP_READ(b->key[i]) != key || !(v & FP_VALUE_LIVE))
				continue;
			/* Written this very moment: others are to see to it. */
			if (FP_READ(b->value[i]) != v)
				return 0;
			*wherep = &b->value[i];
			return v;
		}
		if (!(FP_READ(b->value[0]) & FP_VALUE_PASSED))
			return 0;
	}
	return 0;
}

FP_INLINE __u64 fp_key(__u64 mac, __u16 vid)
{
	return mac | (__u64)vid << FP_KEY_FID_SHIFT | FP_KEY_IN_USE;
}

/*
 * The sender is where it is known to be, and was heard now. Another writer that
 * comes first leaves it to the next frame to say so.
 */
FP_INLINE void fp_refresh(const struct fp_fdb_header *fdb, __u64 *where,
			  __u64 value)
{
	__u32 now = FP_READ(fdb->fresh) >> FP_TICK_SHIFT;
	__u32 heard = value >> FP_TICK_SHIFT;

	if ((__s32)(now - heard) <= 0 ||
	    (value & (FP_VALUE_STATIC | FP_VALUE_CONTROLLED)) ==
		    FP_VALUE_STATIC)
		return;
	__sync_val_compare_and_swap(where, value,
				    (__u32)value | (__u64)now << FP_TICK_SHIFT);
}

/* --- the frame -------------------------------------------------------------
 */

FP_INLINE _Bool fp_is_vlan(__u16 type)
{
	return type == FP_TYPE_VLAN || type == FP_TYPE_SVLAN;
}

/* The frame's VLAN, or FP_VID_NONE: it has none here. */
FP_INLINE __u16 fp_classify(const struct fp_port *in, const struct fp_frame *f)
{
	__u16 vid;

	if (!f->has_tag)
		return in->native_vid;
	vid = f->tci & FP_VID_MASK;
	if (f->tag_type != FP_TYPE_VLAN || !vid || vid == FP_VID_RESERVED ||
	    !(in->flags & FP_TAGGED))
		return FP_VID_NONE;
	return vid;
}

FP_INLINE _Bool fp_has_vlan(const struct fp_port *port, __u16 vid)
{
	vid &= FP_VID_MASK;
	return port->vlans[vid >> 6] >> (vid & 63) & 1;
}

/* The IP header's length if TCP follows it, and the datagram is whole. */
FP_INLINE __u32 fp_ip_len(const struct fp_env *env, __u16 type)
{
	__u8 ip[FP_IPV4_LEN];

	if (!fp_env_load(env, FP_ETH_LEN, ip, sizeof(ip)))
		return 0;
	if (type == FP_TYPE_IPV4 && ip[0] >> 4 == 4 &&
	    (ip[0] & 15) * 4 >= FP_IPV4_LEN && ip[9] == FP_PROTOCOL_TCP &&
	    !(fp_be16(ip + 6) & FP_IPV4_FRAGMENT))
		return (ip[0] & 15) * 4;
	if (type == FP_TYPE_IPV6 && ip[0] >> 4 == 6 && ip[6] == FP_PROTOCOL_TCP)
		return FP_IPV6_LEN;
	return 0;
}

/*
 * The longest of what the frame is to be cut up into, of TCP without tunnels;
 * 0: not known. Of what kind it is the kernel does not tell: where UDP is the
 * outermost, it may be segments, fragments or a tunnel's.
 */
FP_INLINE __u32 fp_segment_len(const struct fp_env *env,
			       const struct fp_frame *f)
{
	__u32 ip_len = fp_ip_len(env, f->type);
	__u8 tcp[FP_TCP_LEN];
	__u32 tcp_len;

	if (f->len > f->gso_size * FP_SEGMENTS_MAX)
		return 0;
	if (!ip_len || !fp_env_load(env, FP_ETH_LEN + ip_len, tcp, sizeof(tcp)))
		return 0;
	tcp_len = tcp[12] >> 4 << 2;
	if (tcp_len < FP_TCP_LEN)
		return 0;
	return FP_ETH_LEN + ip_len + tcp_len + f->gso_size;
}

FP_INLINE _Bool fp_fits(const struct fp_env *env, const struct fp_frame *f,
			const struct fp_state *out)
{
	__u32 len = f->len;

	if (f->gso_size)
		len = fp_segment_len(env, f);
	return len && len <= FP_READ(out->frame_max);
}

/* Whether the frame may come in, and has what can be decided here. */
FP_INLINE _Bool fp_admits(const struct fp_env *env, const struct fp_port *in,
			  const struct fp_frame *f)
{
	const struct fp_state *state;

	if (!(in->flags & FP_IN) || !f->src || (f->src | f->dst) >> 40 & 1 ||
	    fp_is_vlan(f->type))
		return 0;
	state = fp_env_state(env, in->slot);
	return state && (f->gso_size || f->len <= FP_READ(state->frame_max));
}

/* The port to which the FDB sends the frame; NULL: it must be asked there. */
FP_INLINE const struct fp_port *fp_look_up(const struct fp_env *env,
					   __u16 in_number,
					   const struct fp_frame *f, __u16 vid)
{
	const struct fp_fdb_header *fdb = fp_env_fdb(env);
	__u64 src, dst, *heard, *where;

	if (!fdb)
		return 0;
	src = fp_find(env, fdb, fp_key(f->src, vid), &heard);
	if (!src || (src & FP_VALUE_PORT) != in_number)
		return 0;
	dst = fp_find(env, fdb, fp_key(f->dst, vid), &where);
	if (!dst || (dst & FP_VALUE_PORT) == in_number)
		return 0;
	fp_refresh(fdb, heard, src);
	return fp_env_port(env, dst & FP_VALUE_PORT);
}

/*
 * Decides about a frame that came in by a device. d: filled in where the
 * verdict is FP_FORWARD, but for whose frame it is about. number: the device's
 * in its bridge.
 */
FP_INLINE enum fp_verdict fp_decide(const struct fp_env *env, __u16 number,
				    const struct fp_frame *f,
				    struct fp_decision *d)
{
	const struct fp_port *in = fp_env_port(env, number), *out;
	const struct fp_state *state;
	__u16 vid;

	/* Two maps that should say the same; this one never changes. */
	if (!in || in->ifindex != fp_env_ifindex(env) || !fp_admits(env, in, f))
		return FP_USERSPACE;
	vid = fp_classify(in, f);
	if (vid == FP_VID_NONE || !fp_has_vlan(in, vid))
		return FP_USERSPACE;
	out = fp_look_up(env, number, f, vid);
	if (!out || !(out->flags & FP_OUT) || !fp_has_vlan(out, vid))
		return FP_USERSPACE;
	state = fp_env_state(env, out->slot);
	if (!state || !FP_READ(state->up) || !fp_fits(env, f, state))
		return FP_USERSPACE;
	d->ifindex = out->ifindex;
	d->in_slot = in->slot;
	d->out_slot = out->slot;
	d->to_host = out->flags & FP_TO_HOST;
	d->tci = vid;
	if (vid == out->untagged_vid)
		d->tag_op = f->has_tag ? FP_TAG_POP : FP_TAG_KEEP;
	else
		d->tag_op = f->has_tag ? FP_TAG_KEEP : FP_TAG_PUSH;
	return FP_FORWARD;
}

#endif
