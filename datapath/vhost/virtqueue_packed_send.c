/*
 * Sending to packed rings, with what virtqueue_packed.h has for both ways. A
 * frame's buffers are overwritten when all of its burst is copied.
 */
#include "vhost/virtqueue_packed.h"

/* As in virtqueue_split.c; the chains are those from c on, that it moves. */
static __attribute__((noinline)) int send_chains(struct virtqueue *vq,
						 const struct packet *p,
						 unsigned at,
						 struct cursor_packed *c)
{
	uint64_t *words = vq->scratch->words + at;
	struct virtqueue_chain chain = { 0 };
	uint64_t need = vq->hdr_len + (uint64_t)p->len, before;
	uint8_t header[VIRTQUEUE_HEADER_MAX];
	struct cursor_packed next = *c;
	int k = 0;

	if (!virtqueue_make_header(vq, p, header))
		return -DROP_TX_OFFLOAD;
	do {
		if (!next.left ||
		    !at_available(&next,
				  load_rest(&vq->packed_desc[next.place])))
			return -DROP_TX_FULL;
		before = chain.len;
		if (!walk(vq, &next, &chain, at + k))
			return too_many(&chain, k) ? -DROP_TX_TOO_BIG
						   : SEND_BROKEN;
		words[k++] |= MIN(chain.len - before, need - before);
	} while (vq->mergeable && chain.len < need);
	if (chain.len < need)
		return -DROP_TX_TOO_BIG;
	if (!virtqueue_put_frame(vq, &chain, k, p, header))
		return SEND_BROKEN;
	*c = next;
	return k;
}

/* As in virtqueue_split.c; the places are those from c on, that it moves. */
static unsigned merge_chains(struct virtqueue *vq, const struct packet *p,
			     unsigned at, struct cursor_packed *c)
{
	const struct vring_packed_desc *ring = vq->packed_desc, *d;
	uint64_t *words = vq->scratch->words + at;
	uint8_t header[VIRTQUEUE_HEADER_MAX];
	struct merge m = merge_begin(vq, p);
	struct cursor_packed next = *c;
	bool mergeable = vq->mergeable;
	uint64_t rest;
	uint32_t len;

	do {
		if (unlikely(!next.left))
			return 0;
		d = &ring[next.place];
		rest = load_rest(d);
		len = rest;
		if (unlikely((rest & SIMPLE_MASK) !=
			     simple_flags(next.wrap, VRING_DESC_F_WRITE)))
			return 0;
		__builtin_prefetch(d + 8);
		keep_places(vq, &next, at + m.n, 1);
		words[m.n] = (rest & ID_MASK) | used_flags(vq, next.wrap) |
			     MIN(len, m.left);
		if (!merge_add(&m, __atomic_load_n(&d->addr, __ATOMIC_RELAXED),
			       len))
			return 0;
		step(&next, 1);
	} while (mergeable && m.left);
	if (m.left || !virtqueue_make_header(vq, p, header))
		return 0;
	merge_fill(vq, &m, p, header);
	*c = next;
	return m.n;
}

/* As map_usual(), for packets plan->n on that are each given a buffer. */
static __attribute__((noinline)) unsigned plan_usual(
	struct virtqueue *vq, const struct cursor_packed *c,
	struct virtqueue_plan *plan, struct packet *const packets[], size_t n)
{
	const struct vring_packed_desc *d = &vq->packed_desc[c->place];
	uint64_t simple = simple_flags(c->wrap, VRING_DESC_F_WRITE);
	uint64_t flags = used_flags(vq, c->wrap), rest, at;
	uint64_t *words = vq->scratch->words + plan->n_chains;
	uint32_t hdr_len = vq->hdr_len, need, word;
	const struct reach r = reach_of(vq);
	uint8_t **to = plan->to + plan->n;
	size_t i;

	for (i = 0; i < n; i++, d++) {
		rest = load_rest(d);
		need = packets[i]->len + hdr_len;
		word = packet_offload_word(packets[i]);
		if ((rest & SIMPLE_MASK) != simple ||
		    unlikely((uint32_t)rest < need) ||
		    (unlikely(word) && !only_csum(vq, packets[i], word)))
			break;
		at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;
		if (unlikely(at >= r.size))
			break;
		to[i] = r.host + at;
		prefetch_write(r.host + at);
		prefetch_write(r.host + at + CACHE_LINE);
		words[i] = (rest & ID_MASK) | flags | need;
	}
	keep_places(vq, c, plan->n_chains, i);
	return i;
}

/* Packet plan->n, that the short way is not for. */
static __attribute__((noinline)) bool plan_long(struct virtqueue *vq,
						struct virtqueue_plan *plan,
						const struct packet *p,
						struct cursor_packed *c,
						_Atomic uint64_t *drops)
{
	int k = 0;

	/* What is logged is written by the longest. */
	if (likely(!vq->log))
		k = merge_chains(vq, p, plan->n_chains, c);
	if (!k)
		k = send_chains(vq, p, plan->n_chains, c);
	return plan_tried(plan, p, k, drops);
}

static inline void make_plan(struct virtqueue *vq, struct virtqueue_plan *plan,
			     struct packet *const packets[], unsigned n,
			     _Atomic uint64_t *drops)
{
	struct cursor_packed c = begin(vq);
	unsigned k, max;

	vq->in_line = true;
	while (plan->n < n) {
		/* What is logged is written by the long way. */
		max = unlikely(vq->log) ? 0 : straight(&c, n - plan->n);
		k = plan_usual(vq, &c, plan, packets + plan->n, max);
		step(&c, k);
		plan->n += k;
		plan->n_chains += k;
		plan->sent += k;
		if (k && k == max)
			continue;
		if (!plan_long(vq, plan, packets[plan->n], &c, drops))
			break;
	}
	vq->next = c.place;
	vq->wrap = c.wrap;
}

unsigned virtqueue_send_packed(struct virtqueue *vq,
			       struct packet *const packets[], unsigned n,
			       _Atomic uint64_t *drops, uint64_t *bytes)
{
	struct virtqueue_plan plan;

	plan_init(&plan);
	make_plan(vq, &plan, packets, n, drops);
	*bytes += plan.bytes + virtqueue_copy_plan(&plan, packets, vq->hdr_len);
	if (likely(plan.n_chains))
		publish(vq, plan.n_chains, vq->next, vq->wrap, false);
	if (unlikely(plan.n < n))
		plan_cut_short(vq, &plan, n, drops);
	return plan.sent;
}

/* If it is not available yet, what it says is of no harm. */
void virtqueue_warm_packed(struct virtqueue *vq)
{
	const struct vring_packed_desc *d = &vq->packed_desc[vq->next];
	const struct reach r = reach_of(vq);
	uint64_t at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;

	if (at >= r.size)
		return;
	prefetch_write(r.host + at);
	prefetch_write(r.host + at + CACHE_LINE);
	prefetch_write(d);
}
