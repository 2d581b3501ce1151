/*
 * Packed rings (virtio 1.2, 2.8): one ring of descriptors, four in a cache
 * line, that the device overwrites with used ones. As in virtqueue_split.c a
 * burst is gone over in passes.
 *
 * A descriptor is available, or used, by two of its flags and a counter of the
 * laps; there is no index to look at. The driver looks at them in order, so a
 * burst becomes visible at once when the flags of its first descriptor are
 * written last. All are written from the last to the first: so after a crash it
 * can be told how far this had come (virtqueue_inflight.c).
 */
#include "vhost/virtqueue_internal.h"

#include "vhost/virtqueue_fast.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

#if defined(__SANITIZE_THREAD__)
#define ONE_ACCESS 0
#elif defined(__has_feature)
#define ONE_ACCESS !__has_feature(thread_sanitizer)
#else
#define ONE_ACCESS 1
#endif

/*
 * Length, id and flags of a descriptor, read once, together. A thread sanitizer
 * only knows that flags order the rest when they are accessed as the driver
 * accesses them.
 */
static inline uint64_t load_rest(const struct vring_packed_desc *d)
{
	uint64_t flags;

	if (ONE_ACCESS)
		return __atomic_load_n((const uint64_t *)&d->len,
				       __ATOMIC_ACQUIRE);
	flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
	return flags << 48 | (uint64_t)d->id << 32 | d->len;
}

/* The word that load_rest() would read. */
static inline void store_used(struct vring_packed_desc *d, uint64_t word)
{
	if (ONE_ACCESS) {
		__atomic_store_n((uint64_t *)&d->len, word, __ATOMIC_RELEASE);
		return;
	}
	d->len = word;
	d->id = word >> 32;
	__atomic_store_n(&d->flags, word >> 48, __ATOMIC_RELEASE);
}

#define ID_MASK (0xffffull << 32)

/* Of a descriptor that is available in this lap. */
static inline unsigned available_flags(bool wrap)
{
	return wrap ? AVAIL : USED;
}

/* Of one that is used, from the side's other end. */
static inline uint64_t used_flags(const struct virtqueue *vq, bool wrap)
{
	uint64_t flags = wrap ? AVAIL | USED : 0;

	if (!vq->from_guest)
		flags |= VRING_DESC_F_WRITE;
	return flags << 48;
}

bool virtqueue_has_work_packed(const struct virtqueue *vq)
{
	uint64_t rest = load_rest(&vq->packed_desc[vq->next]);

	return (rest >> 48 & (AVAIL | USED)) == available_flags(vq->wrap);
}

/* --- where in the ring ---------------------------------------------------- */

/* A place that goes round; kept apart from the queue while a burst is read. */
struct cursor_packed {
	unsigned place, size;
	bool wrap;
	unsigned left; /* places that are not in this burst */
};

static inline struct cursor_packed begin(const struct virtqueue *vq)
{
	return (struct cursor_packed){ vq->next, vq->size, vq->wrap, vq->size };
}

static inline void step(struct cursor_packed *c, unsigned n)
{
	c->place += n;
	c->left -= n;
	if (unlikely(c->place >= c->size)) {
		c->place -= c->size;
		c->wrap = !c->wrap;
	}
}

/* Whether there is one, by its flags. */
static inline bool at_available(const struct cursor_packed *c, uint64_t rest)
{
	return (rest >> 48 & (AVAIL | USED)) == available_flags(c->wrap);
}

/* The flags that are to tell a whole buffer that is available, in their place.
 */
#define SIMPLE_MASK                                                            \
	((uint64_t)(AVAIL | USED | VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | \
		    VRING_DESC_F_WRITE)                                        \
	 << 48)

static inline uint64_t simple_flags(bool wrap, unsigned direction)
{
	return (uint64_t)(available_flags(wrap) | direction) << 48;
}

/* How many places there are before the next wrap, at most max. */
static inline unsigned straight(const struct cursor_packed *c, unsigned max)
{
	return MIN(MIN(c->size - c->place, c->left), max);
}

/* A chain, as number i of the burst; nothing is written to it yet. */
static bool walk(struct virtqueue *vq, struct cursor_packed *c,
		 struct virtqueue_chain *chain, unsigned i)
{
	uint16_t n_places, id;

	if (!virtqueue_walk_packed(vq, c->place, chain, &n_places, &id))
		return false;
	if (n_places > c->left) {
		vq->why = "more available than the ring has";
		return false;
	}
	vq->scratch->places[i] = c->place;
	vq->scratch->words[i] = (uint64_t)id << 32 | used_flags(vq, c->wrap);
	step(c, n_places);
	return true;
}

/* --- giving back ---------------------------------------------------------- */

static void log_burst(const struct virtqueue *vq, unsigned n, bool as_one,
		      uint16_t start)
{
	if (as_one)
		virtqueue_log_used(vq, 16ull * start, 16);
	for (unsigned i = 0; i < n; i++)
		virtqueue_log_used(vq, 16ull * vq->scratch->places[i], 16);
}

/*
 * n buffers, in the scratch; those behind them begin at `next`. As one: the
 * last of them stands for all.
 */
static inline void publish(struct virtqueue *vq, unsigned n, uint16_t next,
			   bool wrap, bool as_one)
{
	const uint16_t *places = vq->scratch->places;
	const uint64_t *words = vq->scratch->words;
	struct vring_packed_desc *ring = vq->packed_desc;
	uint16_t start = vq->used_next, n_places;
	bool start_wrap = vq->used_wrap;
	uint32_t mark = virtqueue_mark(start, start_wrap);

	if (vq->inflight)
		virtqueue_inflight_begin(vq, next, wrap);
	if (as_one) {
		store_used(&ring[start], (words[n - 1] & ID_MASK) |
						 used_flags(vq, start_wrap));
		n = 0;
	} else {
		mark = virtqueue_mark(places[n - 1], words[n - 1] >> 63);
	}
	for (unsigned i = n; i--;)
		store_used(&ring[places[i]], words[i]);
	n_places = next - start;
	if (wrap != start_wrap)
		n_places += vq->size;
	vq->used_next = next;
	vq->used_wrap = wrap;
	if (vq->inflight)
		virtqueue_inflight_end(vq, mark);
	if (unlikely(vq->log))
		log_burst(vq, n, as_one, start);
	virtqueue_notify_packed(vq, start, start_wrap, n_places);
}

/* --- receiving ------------------------------------------------------------ */

static __attribute__((noinline)) enum virtqueue_frame receive_chain(
	struct virtqueue *vq, struct cursor_packed *c, struct packet *p,
	unsigned i, struct virtqueue_headers *headers)
{
	struct virtqueue_chain chain = { 0 };
	struct cursor_packed next = *c;
	enum virtqueue_frame result;

	if (!walk(vq, &next, &chain, i))
		return VIRTQUEUE_BROKEN;
	result = virtqueue_map_frame(vq, &chain, p, i, headers);
	if (result == VIRTQUEUE_FRAME)
		*c = next;
	return result;
}

/* Makes n words that were read, from number i on, those to give back. */
static inline void finish_words(struct virtqueue *vq,
				const struct cursor_packed *c, unsigned i,
				unsigned n)
{
	uint64_t flags = used_flags(vq, c->wrap);
	uint64_t *words = vq->scratch->words + i;
	uint16_t *places = vq->scratch->places + i;

	for (unsigned k = 0; k < n; k++) {
		words[k] = (words[k] & ID_MASK) | flags;
		places[k] = c->place + k;
	}
}

/*
 * At most n packets, from the place that c is at on, as long as they are usual
 * ones; no wrap is among them. Returns how many.
 */
static inline unsigned map_usual(struct virtqueue *vq,
				 const struct cursor_packed *c,
				 struct packet *packets, unsigned n, unsigned i)
{
	const struct vring_packed_desc *first = &vq->packed_desc[c->place];
	const struct vring_packed_desc *d = first, *end = first + n;
	uint64_t simple = simple_flags(c->wrap, 0), rest, at;
	uint64_t hdr_len = vq->hdr_len, last = 0, len;
	struct packet_form form = packet_form_of(packets);
	uint64_t *word = vq->scratch->words + i;
	const struct reach r = reach_of(vq);
	bool in_order = vq->in_order;
	const uint8_t *vnet;

	for (; d != end; d++, packets++) {
		rest = load_rest(d);
		if ((rest & SIMPLE_MASK) != simple)
			break;
		len = (uint32_t)rest - hdr_len;
		at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;
		if (unlikely(len - 1 >= PACKET_LEN_MAX) ||
		    unlikely(at >= r.size))
			break;
		vnet = r.host + at;
		__builtin_prefetch(vnet);
		__builtin_prefetch(vnet + CACHE_LINE);
		init_packet(packets, &form, vnet + hdr_len, len);
		last = rest;
		if (!in_order) /* else the last is all there is to know */
			word[d - first] = rest;
	}
	n = d - first;
	if (in_order && n)
		word[n - 1] = last & ID_MASK;
	else
		finish_words(vq, c, i, n);
	return n;
}

/* As in virtqueue_split.c, but that the first not available one ends it. */
static inline unsigned map_frames(struct virtqueue *vq, struct packet *packets,
				  unsigned max,
				  struct virtqueue_headers *headers)
{
	struct cursor_packed c = begin(vq);
	unsigned i = 0, k, n;

	vq->why = NULL;
	while (i < max && c.left) {
		n = straight(&c, max - i);
		k = map_usual(vq, &c, packets + i, n, i);
		i += k;
		step(&c, k);
		if (k == n)
			continue;
		if (!at_available(&c, load_rest(&vq->packed_desc[c.place])) ||
		    receive_chain(vq, &c, &packets[i], i, headers) !=
			    VIRTQUEUE_FRAME)
			break;
		i++;
	}
	vq->next = c.place;
	vq->wrap = c.wrap;
	return i;
}

unsigned virtqueue_receive_packed(struct virtqueue *vq, struct packet *packets,
				  unsigned max, _Atomic uint64_t *drops)
{
	struct virtqueue_headers headers;
	unsigned n, kept;

	vq->n_pieces = 0;
	headers.any = false;
	n = map_frames(vq, packets, MIN(max, PACKET_BURST_MAX), &headers);
	if (!n) {
		if (unlikely(vq->why))
			virtqueue_break(vq, vq->why);
		return 0;
	}
	vq->n_taken = n;
	kept = virtqueue_check_headers(vq, packets, &headers, n, drops);
	if (unlikely(!kept))
		virtqueue_done_packed(vq);
	return kept;
}

void virtqueue_done_packed(struct virtqueue *vq)
{
	unsigned n = vq->n_taken;

	vq->n_taken = 0;
	publish(vq, n, vq->next, vq->wrap, vq->in_order);
}

/* --- sending -------------------------------------------------------------- */

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

/* As map_usual(), for packets plan->n on that are each given a buffer. */
static __attribute__((noinline)) unsigned plan_usual(
	struct virtqueue *vq, const struct cursor_packed *c,
	struct virtqueue_plan *plan, struct packet *const packets[], size_t n)
{
	const struct vring_packed_desc *d = &vq->packed_desc[c->place];
	uint64_t simple = simple_flags(c->wrap, VRING_DESC_F_WRITE);
	uint64_t flags = used_flags(vq, c->wrap), rest, at;
	uint64_t *words = vq->scratch->words + plan->n_chains;
	uint16_t *places = vq->scratch->places + plan->n_chains;
	uint32_t hdr_len = vq->hdr_len, need;
	const struct reach r = reach_of(vq);
	uint8_t **to = plan->to + plan->n;
	size_t i;

	for (i = 0; i < n; i++, d++) {
		rest = load_rest(d);
		need = packets[i]->len + hdr_len;
		if ((rest & SIMPLE_MASK) != simple ||
		    unlikely((uint32_t)rest < need) ||
		    unlikely(packet_offload_word(packets[i])))
			break;
		at = __atomic_load_n(&d->addr, __ATOMIC_RELAXED) - r.guest;
		if (unlikely(at >= r.size))
			break;
		to[i] = r.host + at;
		prefetch_write(r.host + at);
		prefetch_write(r.host + at + CACHE_LINE);
		words[i] = (rest & ID_MASK) | flags | need;
	}
	for (size_t k = 0; k < i; k++)
		places[k] = c->place + k;
	return i;
}

static inline void make_plan(struct virtqueue *vq, struct virtqueue_plan *plan,
			     struct packet *const packets[], unsigned n,
			     _Atomic uint64_t *drops)
{
	struct cursor_packed c = begin(vq);
	unsigned k, max;

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
		if (!plan_tried(plan, packets[plan->n],
				send_chains(vq, packets[plan->n],
					    plan->n_chains, &c),
				drops))
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
