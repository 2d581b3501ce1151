/*
 * Split rings (virtio 1.2, 2.7): a table of descriptors, a ring of the heads of
 * available chains, a ring of used ones.
 *
 * A burst goes over them in passes, so that the cache lines that the guest's
 * processor has written come over side by side instead of one after the other:
 * all heads; all descriptors, checked and translated, whose frames or buffers
 * are asked for; then what is in them. Shared memory is written at the end of
 * it, once: used entries, the index, and a notification if there must be one.
 *
 * The usual frame is in one buffer with its header. All others take a turn
 * through virtqueue_chain.c.
 *
 * Bursts are given back whole and in the order of the available ring. So after
 * a crash everything from the used index on is still in the available ring, to
 * be taken again (virtqueue_inflight.c).
 */
#include "vhost/virtqueue_internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "vhost/virtqueue_copy.h"

/* A descriptor as two words, each read once. */
struct desc {
	uint64_t guest;
	uint64_t rest; /* length, flags, next */
};

static inline struct desc load_desc(const struct vring_desc *d)
{
	return (struct desc){
		__atomic_load_n(&d->addr, __ATOMIC_RELAXED),
		__atomic_load_n((const uint64_t *)&d->len, __ATOMIC_RELAXED),
	};
}

static inline uint16_t desc_flags(struct desc d)
{
	return d.rest >> 32;
}

static inline uint16_t available_index(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE);
}

/* --- heads ---------------------------------------------------------------- */

/* How many heads there are to take, at most max. Breaks the queue. */
static inline unsigned look(struct virtqueue *vq, unsigned max)
{
	uint16_t n = vq->seen - vq->next;

	if (unlikely(vq->n_resumed))
		return MIN((unsigned)(vq->n_resumed - vq->resumed_next), max);
	if (n < max) {
		vq->seen = available_index(vq);
		n = vq->seen - vq->next;
		if (unlikely(n > vq->size)) {
			virtqueue_break(vq, "more available than the ring has");
			return 0;
		}
	}
	return MIN(n, max);
}

static inline uint16_t head_at(const struct virtqueue *vq, unsigned i)
{
	if (unlikely(vq->n_resumed))
		return vq->scratch->used[vq->resumed_next + i].id;
	return __atomic_load_n(
		&vq->avail->ring[(vq->next + i) & (vq->size - 1)],
		__ATOMIC_RELAXED);
}

/* The next n heads to vq->heads, and their descriptors asked for. */
static inline void take_heads(struct virtqueue *vq, unsigned n)
{
	unsigned at = vq->next & (vq->size - 1), first = vq->size - at;

	if (unlikely(vq->n_resumed)) {
		for (unsigned i = 0; i < n; i++)
			vq->heads[i] = head_at(vq, i);
		return;
	}
	if (first > n)
		first = n;
	memcpy(vq->heads, &vq->avail->ring[at], first * sizeof(uint16_t));
	memcpy(vq->heads + first, vq->avail->ring,
	       (n - first) * sizeof(uint16_t));
	__asm__ volatile("" : : : "memory"); /* no second look */
	/* Mostly the next ones are in the same line. */
	for (unsigned i = 0; i < n; i += 4)
		__builtin_prefetch(&vq->desc[vq->heads[i]]);
}

static inline void heads_taken(struct virtqueue *vq, unsigned n)
{
	if (unlikely(vq->n_resumed))
		vq->resumed_next += n;
	else
		vq->next += n;
}

bool virtqueue_has_work_split(const struct virtqueue *vq)
{
	return vq->n_resumed || available_index(vq) != vq->next;
}

/* --- used entries --------------------------------------------------------- */

static inline void set_used(struct virtqueue *vq, unsigned i, uint16_t head,
			    uint32_t len)
{
	uint64_t entry = head | (uint64_t)len << 32;

	memcpy(&vq->used->ring[(vq->used_next + i) & (vq->size - 1)], &entry,
	       sizeof(entry));
}

static __attribute__((noinline)) void publish_slow(struct virtqueue *vq,
						   unsigned n)
{
	for (unsigned i = 0; vq->n_resumed && i < n; i++)
		virtqueue_inflight_resumed(
			vq, vq->scratch->used[vq->resumed_next - n + i].id);
	if (vq->resumed_next == vq->n_resumed)
		vq->n_resumed = vq->resumed_next = 0;
	if (vq->inflight)
		virtqueue_inflight_split(vq, vq->used_next);
	if (!vq->log)
		return;
	virtqueue_log_used(vq, 2, 2);
	for (unsigned i = 1; i <= n; i++)
		virtqueue_log_used(vq,
				   4 + 8ull * ((uint16_t)(vq->used_next - i) &
					       (vq->size - 1)),
				   8);
}

/* n entries are written. */
static inline void publish(struct virtqueue *vq, unsigned n)
{
	uint16_t old = vq->used_next;

	vq->used_next = old + n;
	__atomic_store_n(&vq->used->idx, vq->used_next, __ATOMIC_RELEASE);
	if (unlikely((vq->log != NULL) | (vq->inflight != NULL) |
		     vq->n_resumed))
		publish_slow(vq, n);
	virtqueue_notify_split(vq, old, vq->used_next);
}

/* --- receiving ------------------------------------------------------------ */

static __attribute__((noinline)) enum virtqueue_frame receive_chain(
	struct virtqueue *vq, struct packet *p, unsigned i,
	const uint8_t **vnet)
{
	struct virtqueue_chain chain = { 0 };

	if (!virtqueue_walk_split(vq, vq->heads[i], &chain))
		return VIRTQUEUE_BROKEN;
	return virtqueue_map_frame(vq, &chain, p, i, vnet);
}

/*
 * Packets of n heads. Returns for how many; less than n when one is not right,
 * or has no room: it begins the next burst then. 0: it is the first.
 */
static inline unsigned map_frames(struct virtqueue *vq, struct packet *packets,
				  unsigned n, const uint8_t **vnet)
{
	uint32_t hdr_len = vq->hdr_len;
	struct vhost_window w = vq->window;
	uint64_t reach = reach_of(&w);
	enum virtqueue_frame result;
	struct desc d;
	uint8_t *at;

	for (unsigned i = 0; i < n; i++) {
		if (unlikely(vq->heads[i] >= vq->size))
			goto slow;
		d = load_desc(&vq->desc[vq->heads[i]]);
		if (unlikely(desc_flags(d)) ||
		    unlikely((uint32_t)d.rest - hdr_len - 1 >=
			     PACKET_LEN_MAX) ||
		    unlikely(d.guest - w.guest >= reach))
			goto slow;
		at = w.host + (d.guest - w.guest);
		vnet[i] = at;
		__builtin_prefetch(at);
		__builtin_prefetch(at + CACHE_LINE);
		packet_init(&packets[i], at + hdr_len,
			    (uint32_t)d.rest - hdr_len);
		continue;
	slow:
		result = receive_chain(vq, &packets[i], i, &vnet[i]);
		if (result != VIRTQUEUE_FRAME)
			return i;
		w = vq->window;
		reach = reach_of(&w);
	}
	return n;
}

unsigned virtqueue_receive_split(struct virtqueue *vq, struct packet *packets,
				 unsigned max, _Atomic uint64_t *drops)
{
	unsigned n = look(vq, MIN(max, PACKET_BURST_MAX)), kept;
	const uint8_t *vnet[PACKET_BURST_MAX];

	if (!n)
		return 0;
	vq->n_pieces = 0;
	take_heads(vq, n);
	n = map_frames(vq, packets, n, vnet);
	if (unlikely(!n)) {
		virtqueue_break(vq, vq->why);
		return 0;
	}
	heads_taken(vq, n);
	vq->n_taken = n;
	kept = virtqueue_check_headers(vq, packets, vnet, n, drops);
	if (unlikely(!kept))
		virtqueue_done_split(vq);
	return kept;
}

/* Entries of n heads, with a length of 0, where no wrap is between them. */
static inline void set_used_run(struct vring_used_elem *to,
				const uint16_t *heads, unsigned n)
{
	unsigned i = 0;

#if defined(__SSE2__)
	const __m128i zero = _mm_setzero_si128();

	for (; i + 4 <= n; i += 4) {
		__m128i h = _mm_loadl_epi64((const void *)(heads + i));

		h = _mm_unpacklo_epi16(h, zero);
		_mm_storeu_si128((void *)(to + i), _mm_unpacklo_epi32(h, zero));
		_mm_storeu_si128((void *)(to + i + 2),
				 _mm_unpackhi_epi32(h, zero));
	}
#endif
	for (; i < n; i++) {
		to[i].id = heads[i];
		to[i].len = 0;
	}
}

void virtqueue_done_split(struct virtqueue *vq)
{
	unsigned at = vq->used_next & (vq->size - 1), n = vq->n_taken;
	unsigned first = MIN(n, vq->size - at);

	vq->n_taken = 0;
	if (vq->in_order) {
		/* One entry, of the last, stands for all before it. */
		set_used(vq, 0, vq->heads[n - 1], 0);
	} else {
		set_used_run(vq->used->ring + at, vq->heads, first);
		set_used_run(vq->used->ring, vq->heads + first, n - first);
	}
	publish(vq, n);
}

/* --- sending -------------------------------------------------------------- */

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
			return SEND_BROKEN;
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
 * Gives each of n packets a buffer, or sends it right away when it needs more
 * than one. `count` chains are there, `have` of them in vq->heads.
 */
static inline void make_plan(struct virtqueue *vq, struct plan *plan,
			     struct packet *const packets[], unsigned n,
			     unsigned count, unsigned have,
			     _Atomic uint64_t *drops)
{
	uint32_t hdr_len = vq->hdr_len, need;
	struct vhost_window w = vq->window;
	uint64_t reach = reach_of(&w);
	unsigned i, at = 0;
	struct desc d;
	uint8_t *to;

	if (unlikely(vq->log))
		have = 0;
	for (i = 0; i < n; i++) {
		const struct packet *p = packets[i];

		if (unlikely(at >= have) || unlikely(packet_offload_word(p)) ||
		    unlikely(vq->heads[at] >= vq->size))
			goto slow;
		d = load_desc(&vq->desc[vq->heads[at]]);
		need = p->len + hdr_len;
		if (unlikely(desc_flags(d) != VRING_DESC_F_WRITE) ||
		    unlikely((uint32_t)d.rest < need) ||
		    unlikely(d.guest - w.guest >= reach))
			goto slow;
		to = w.host + (d.guest - w.guest);
		__builtin_prefetch(to, 1);
		__builtin_prefetch(to + CACHE_LINE, 1);
		plan->to[i] = to;
		set_used(vq, at, vq->heads[at], need);
		plan->bytes += p->len;
		plan->sent++;
		at++;
		continue;
	slow:
		plan->n = i;
		plan->n_chains = at;
		if (!plan_slow(plan, p, send_chains(vq, p, at, count), drops))
			return;
		at = plan->n_chains;
		w = vq->window;
		reach = reach_of(&w);
	}
	plan->n = n;
	plan->n_chains = at;
}

unsigned virtqueue_send_split(struct virtqueue *vq,
			      struct packet *const packets[], unsigned n,
			      _Atomic uint64_t *drops, uint64_t *bytes)
{
	unsigned count = look(vq, vq->size), have = MIN(count, n);
	struct plan plan;

	plan_init(&plan);
	take_heads(vq, have);
	make_plan(vq, &plan, packets, n, count, have, drops);
	copy_plan(&plan, packets, vq->hdr_len);
	if (likely(plan.n_chains)) {
		heads_taken(vq, plan.n_chains);
		publish(vq, plan.n_chains);
	}
	if (unlikely(plan.n < n))
		plan_cut_short(vq, &plan, n, drops);
	*bytes += plan.bytes;
	return plan.sent;
}
