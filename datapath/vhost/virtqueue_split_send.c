/*
 * Sending to split rings, with what virtqueue_split.h has for both ways. Each
 * packet is given a buffer, then all are copied, then published.
 */
#include "vhost/virtqueue_split.h"

/*
 * Puts a packet into as many chains as it needs, of `count` from number `at`
 * on. Returns how many, or SEND_BROKEN, or what else there is: -drop_reason.
 */
static __attribute__((noinline)) int send_chains(struct virtqueue *vq,
						 const struct packet *p,
						 unsigned at, unsigned count)
{
	struct virtqueue_chain chain = { 0 };
	uint64_t need = vq->hdr_len + (uint64_t)p->len, before;
	uint8_t header[VIRTQUEUE_HEADER_MAX];
	unsigned k = 0;
	uint16_t head;

	if (!virtqueue_make_header(vq, p, header))
		return -DROP_TX_OFFLOAD;
	do {
		if (at + k == count)
			return -DROP_TX_FULL;
		head = head_at(vq, at + k);
		before = chain.len;
		if (!virtqueue_walk_split(vq, head, &chain))
			return too_many(&chain, k) ? -DROP_TX_TOO_BIG
						   : SEND_BROKEN;
		set_used(vq, at + k, head,
			 MIN(chain.len - before, need - before));
		k++;
	} while (vq->mergeable && chain.len < need);
	if (chain.len < need)
		return -DROP_TX_TOO_BIG;
	return virtqueue_put_frame(vq, &chain, k, p, header) ? (int)k
							     : SEND_BROKEN;
}

/*
 * One packet into buffers of one descriptor each, from chain number `at` on, of
 * `count`. Returns how many, or 0: it has to go the long way.
 */
static unsigned merge_chains(struct virtqueue *vq, const struct packet *p,
			     unsigned at, unsigned count)
{
	const uint16_t *ring = vq->avail->ring;
	struct vring_used_elem *used = vq->used->ring;
	unsigned mask = vq->size - 1, from = vq->next + at;
	unsigned to = vq->used_next + at;
	struct merge m = merge_begin(vq, p);
	uint8_t header[VIRTQUEUE_HEADER_MAX];
	const struct vring_desc *desc = vq->desc, *d;
	bool mergeable = vq->mergeable;
	uint64_t entry;
	uint16_t head;
	uint32_t len;

	if (unlikely(vq->n_resumed))
		return 0;
	do {
		if (m.n == count - at)
			return 0;
		head = __atomic_load_n(&ring[(from + m.n) & mask],
				       __ATOMIC_RELAXED);
		if (unlikely(head > mask))
			return 0;
		/* Most often the descriptors lie in the order of the heads. */
		d = &desc[head];
		__builtin_prefetch(d + 8);
		/* What is looked at in one place only cannot be two things. */
		if (unlikely(d->flags != VRING_DESC_F_WRITE))
			return 0;
		len = __atomic_load_n(&d->len, __ATOMIC_RELAXED);
		entry = head | MIN(len, m.left) << 32;
		memcpy(&used[(to + m.n) & mask], &entry, sizeof(entry));
		if (!merge_add(&m, __atomic_load_n(&d->addr, __ATOMIC_RELAXED),
			       len))
			return 0;
	} while (mergeable && m.left);
	if (m.left || !virtqueue_make_header(vq, p, header))
		return 0;
	merge_fill(vq, &m, p, header);
	return m.n;
}

/*
 * Gives packets plan->n to `end` a buffer each, as long as they are usual
 * ones. Returns the first that is not. Packet i gets head i, counted from
 * `heads`, and used entry i, counted from `used`; no wrap is among those.
 */
static __attribute__((noinline)) size_t plan_usual(
	struct virtqueue *vq, struct virtqueue_plan *plan,
	struct packet *const packets[], size_t end, const uint16_t *heads,
	struct vring_used_elem *used)
{
	const struct vring_desc *desc = vq->desc, *d;
	uint32_t hdr_len = vq->hdr_len, size = vq->size, need, word;
	const struct reach r = reach_of(vq);
	uint64_t at;
	uint8_t *to;
	size_t i;

	for (i = plan->n; i < end; i++) {
		word = packet_offload_word(packets[i]);
		if (unlikely(word) && !only_csum(vq, packets[i], word))
			break;
		if (unlikely(heads[i] >= size))
			break;
		d = &desc[heads[i]];
		need = packets[i]->len + hdr_len;
		/* What is looked at in one place only cannot be two things. */
		if (unlikely(d->flags != VRING_DESC_F_WRITE) ||
		    unlikely(d->len < need))
			break;
		at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;
		if (unlikely(at >= r.size))
			break;
		to = r.host + at;
		plan->to[i] = to;
		prefetch_write(to);
		prefetch_write(to + CACHE_LINE);
		used[i].id = heads[i];
		used[i].len = need;
	}
	return i;
}

/* How many chains there are now, those of the plan included. */
static unsigned look_again(struct virtqueue *vq)
{
	if (unlikely(vq->n_resumed))
		return vq->n_resumed - vq->resumed_next;
	vq->seen = available_index(vq);
	return (uint16_t)(vq->seen - vq->next);
}

/*
 * Packet plan->n, that the short way is not for, or for which no chain is known
 * yet: *count is all there are, then.
 */
static __attribute__((noinline)) bool plan_long(struct virtqueue *vq,
						struct virtqueue_plan *plan,
						const struct packet *p,
						unsigned *count,
						_Atomic uint64_t *drops)
{
	int k = 0;

	*count = look_again(vq);
	if (unlikely(*count < plan->n_chains || *count > vq->size)) {
		vq->why = "more available than the ring has";
		return plan_tried(plan, p, SEND_BROKEN, drops);
	}
	/* What is logged is written by the longest. */
	if (likely(!vq->log))
		k = merge_chains(vq, p, plan->n_chains, *count);
	if (!k)
		k = send_chains(vq, p, plan->n_chains, *count);
	return plan_tried(plan, p, k, drops);
}

/* The next heads, for n packets at most. */
static inline void plan_heads(struct virtqueue *vq, struct virtqueue_plan *plan,
			      unsigned n, unsigned count)
{
	n = MIN(n, count - plan->n_chains);
	take_heads(vq, plan->heads, plan->n_chains, n);
	plan->heads_at = plan->n_chains;
	plan->heads_end = plan->n_chains + n;
}

/*
 * Gives each of n packets a buffer, or sends it right away when it needs more
 * than one. `count` chains are there.
 */
static inline void make_plan(struct virtqueue *vq, struct virtqueue_plan *plan,
			     struct packet *const packets[], unsigned n,
			     unsigned count, _Atomic uint64_t *drops)
{
	struct vring_used_elem *used;
	unsigned place, run, end;
	const uint16_t *heads;

	while (plan->n < n) {
		if (plan->n_chains >= plan->heads_end)
			plan_heads(vq, plan, n - plan->n, count);
		place = (vq->used_next + plan->n_chains) & (vq->size - 1);
		run = MIN(vq->size - place, plan->heads_end - plan->n_chains);
		run = MIN(run, n - plan->n);
		heads = plan->heads + (plan->n_chains - plan->heads_at) -
			plan->n;
		used = &vq->used->ring[place] - plan->n;
		/* What is logged is written by the long way. */
		end = likely(!vq->log) ? plan->n + run : plan->n;
		run = plan_usual(vq, plan, packets, end, heads, used) - plan->n;
		plan->n += run;
		plan->n_chains += run;
		plan->sent += run;
		if (run && plan->n == end)
			continue;
		if (!plan_long(vq, plan, packets[plan->n], &count, drops))
			break;
	}
}

unsigned virtqueue_send_split(struct virtqueue *vq,
			      struct packet *const packets[], unsigned n,
			      _Atomic uint64_t *drops, uint64_t *bytes)
{
	/*
	 * The guest adds buffers all the time: its index is looked at again
	 * only when those known do not suffice.
	 */
	unsigned count = look(vq, n);
	struct virtqueue_plan plan;

	plan_init(&plan);
	if (likely(count || virtqueue_is_usable(vq)))
		make_plan(vq, &plan, packets, n, count, drops);
	*bytes += plan.bytes + virtqueue_copy_plan(&plan, packets, vq->hdr_len);
	if (likely(plan.n_chains)) {
		heads_taken(vq, plan.n_chains);
		publish(vq, plan.n_chains);
	}
	if (unlikely(plan.n < n))
		plan_cut_short(vq, &plan, n, drops);
	return plan.sent;
}

/* The descriptor is read to know the buffer, which is waited for by nobody. */
void virtqueue_warm_split(struct virtqueue *vq)
{
	const struct reach r = reach_of(vq);
	const struct vring_desc *d;
	uint16_t head;
	uint64_t at;

	if (vq->n_resumed || available_index(vq) == vq->next)
		return;
	head = head_at(vq, 0);
	if (head >= vq->size)
		return;
	d = &vq->desc[head];
	at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;
	if (at >= r.size)
		return;
	prefetch_write(r.host + at);
	prefetch_write(r.host + at + CACHE_LINE);
	prefetch_write(&vq->used->idx);
	prefetch_write(&vq->used->ring[vq->used_next & (vq->size - 1)]);
}
