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
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "vhost/virtqueue_split.h"

bool virtqueue_has_work_split(const struct virtqueue *vq)
{
	return vq->n_resumed || available_index(vq) != vq->next;
}

void virtqueue_published_split(struct virtqueue *vq, unsigned n)
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
