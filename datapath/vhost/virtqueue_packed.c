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
#include "vhost/virtqueue_packed.h"

bool virtqueue_has_work_packed(const struct virtqueue *vq)
{
	uint64_t rest = load_rest(&vq->packed_desc[vq->next]);

	return (rest >> 48 & (AVAIL | USED)) == available_flags(vq->wrap);
}

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
	uint64_t hdr_len = vq->hdr_len, flags = used_flags(vq, c->wrap), len;
	bool in_order = vq->in_order;
	uint64_t last = 0;
	struct packet_form form = packet_form_of(packets);
	uint64_t *word = vq->scratch->words + i;
	const struct reach r = reach_of(vq);
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
			*word++ = (rest & ID_MASK) | flags;
	}
	n = d - first;
	if (in_order && n)
		word[n - 1] = (last & ID_MASK) | flags;
	keep_places(vq, c, i, n);
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
	vq->in_line = true;
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
