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

#include "vhost/virtqueue_fast.h"

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
		return vq->scratch->places[vq->resumed_next + i];
	return __atomic_load_n(
		&vq->avail->ring[(vq->next + i) & (vq->size - 1)],
		__ATOMIC_RELAXED);
}

/*
 * n heads from the ring, each read once. Their descriptors are asked for, that
 * mostly lie four in a line, one after the other.
 */
static inline void read_heads(uint16_t *to, const uint16_t *from, unsigned n,
			      const struct vring_desc *desc)
{
	unsigned i = 0;

	for (; i + 8 <= n; i += 8) {
		memcpy(to + i, from + i, 8 * sizeof(*to));
		__asm__ volatile("" : : : "memory"); /* no second look */
		__builtin_prefetch(&desc[to[i]]);
		__builtin_prefetch(&desc[to[i + 4]]);
	}
	for (; i < n; i++) {
		to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
		__builtin_prefetch(&desc[to[i]]);
	}
}

/*
 * The heads of n chains, from number `from` on. The used entries that will be
 * written are asked for, too.
 */
static inline void take_heads(struct virtqueue *vq, uint16_t *heads,
			      unsigned from, unsigned n)
{
	unsigned mask = vq->size - 1, at = (vq->next + from) & mask;
	unsigned used = (vq->used_next + from) & mask;
	unsigned first = MIN(n, vq->size - at);
	const uint16_t *ring = vq->avail->ring;

	if (unlikely(vq->n_resumed)) {
		for (unsigned i = 0; i < n; i++)
			heads[i] = head_at(vq, from + i);
		return;
	}
	read_heads(heads, ring + at, first, vq->desc);
	if (unlikely(first < n))
		read_heads(heads + first, ring, n - first, vq->desc);
	prefetch_write(&vq->used->idx);
	/* Those past a wrap come as they may. */
	for (unsigned i = 0; i < n; i += 8)
		prefetch_write(&vq->used->ring[used + i]);
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
			vq, vq->scratch->places[vq->resumed_next - n + i]);
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
	struct virtqueue_headers *headers)
{
	struct virtqueue_chain chain = { 0 };

	if (!virtqueue_walk_split(vq, vq->heads[i], &chain))
		return VIRTQUEUE_BROKEN;
	return virtqueue_map_frame(vq, &chain, p, i, headers);
}

/* At most n packets, as long as they are usual ones. Returns how many. */
static inline unsigned map_usual(struct virtqueue *vq, struct packet *packets,
				 const uint16_t *heads, unsigned n)
{
	const uint16_t *head = heads, *end = heads + n;
	const struct vring_desc *desc = vq->desc, *d;
	struct packet_form form = packet_form_of(packets);
	uint64_t hdr_len = vq->hdr_len, at, len;
	const struct reach r = reach_of(vq);
	uint32_t size = vq->size;
	const uint8_t *vnet;

	for (; head != end; head++, packets++) {
		if (unlikely(*head >= size))
			break;
		d = &desc[*head];
		/* What is looked at in one place only cannot be two things. */
		if (unlikely(d->flags))
			break;
		len = __atomic_load_n(&d->len, __ATOMIC_RELAXED) - hdr_len;
		at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;
		if (unlikely(len - 1 >= PACKET_LEN_MAX) ||
		    unlikely(at >= r.size))
			break;
		vnet = r.host + at;
		__builtin_prefetch(vnet);
		__builtin_prefetch(vnet + CACHE_LINE);
		init_packet(packets, &form, vnet + hdr_len, len);
	}
	return head - heads;
}

/*
 * Packets of n heads. Returns for how many; less than n when one is not right,
 * or has no room: it begins the next burst then. 0: it is the first.
 */
static inline unsigned map_frames(struct virtqueue *vq, struct packet *packets,
				  unsigned n, struct virtqueue_headers *headers)
{
	unsigned i = 0;

	for (;; i++) {
		i += map_usual(vq, packets + i, vq->heads + i, n - i);
		if (likely(i == n))
			break;
		if (receive_chain(vq, &packets[i], i, headers) !=
		    VIRTQUEUE_FRAME)
			break;
	}
	return i;
}

unsigned virtqueue_receive_split(struct virtqueue *vq, struct packet *packets,
				 unsigned max, _Atomic uint64_t *drops)
{
	unsigned n = look(vq, MIN(max, PACKET_BURST_MAX)), kept;
	struct virtqueue_headers headers;

	if (!n)
		return 0;
	vq->n_pieces = 0;
	headers.any = false;
	take_heads(vq, vq->heads, 0, n);
	n = map_frames(vq, packets, n, &headers);
	if (unlikely(!n)) {
		virtqueue_break(vq, vq->why);
		return 0;
	}
	heads_taken(vq, n);
	vq->n_taken = n;
	kept = virtqueue_check_headers(vq, packets, &headers, n, drops);
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

/* Packet plan->n, that the short way is not for. */
static __attribute__((noinline)) bool plan_long(struct virtqueue *vq,
						struct virtqueue_plan *plan,
						const struct packet *p,
						unsigned count,
						_Atomic uint64_t *drops)
{
	int k = 0;

	/* What is logged is written by the longest. */
	if (likely(!vq->log))
		k = merge_chains(vq, p, plan->n_chains, count);
	if (!k)
		k = send_chains(vq, p, plan->n_chains, count);
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
		if (!plan_long(vq, plan, packets[plan->n], count, drops))
			break;
	}
}

unsigned virtqueue_send_split(struct virtqueue *vq,
			      struct packet *const packets[], unsigned n,
			      _Atomic uint64_t *drops, uint64_t *bytes)
{
	unsigned count = look(vq, vq->size);
	struct virtqueue_plan plan;

	plan_init(&plan);
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
