/*
 * Frames of a network card (virtio 1.2, 5.1.6) in chains of buffers, and the
 * checking and making of their headers. The ordinary frame, in one buffer with
 * its header, does not come here but for the look at its header.
 */
#include "vhost/virtqueue_internal.h"

#include "packet/cursor.h"
#include "packet/offload.h"

/* Room that is left for a buffer that crosses regions of memory. */
#define PIECES_SPARE 16

/* --- receiving ------------------------------------------------------------ */

/* In place of the header of what is to be dropped; known by their addresses. */
static const uint8_t runt_header[VIRTQUEUE_HEADER_MAX] = { 0xff };
static const uint8_t giant_header[VIRTQUEUE_HEADER_MAX] = { 0xff };

/*
 * Pieces of a buffer that is not in the queue's window: the window moves, or it
 * crosses regions. 0: it is not all mapped, or there is no room.
 */
static __attribute__((noinline)) unsigned map_far(struct virtqueue *vq,
						  struct virtqueue_buffer b,
						  struct packet_segment *pieces,
						  unsigned room)
{
	void *at = vhost_translate(&vq->window, vq->memory, b.guest, b.len);

	if (!room)
		return 0;
	if (!at)
		return vhost_memory_pieces(vq->memory, b.guest, b.len, pieces,
					   room);
	*pieces = (struct packet_segment){ at, b.len };
	return 1;
}

/* The pieces of the chain. Returns how many, or UINT_MAX: not all mapped. */
static unsigned map_pieces(struct virtqueue *vq,
			   const struct virtqueue_chain *chain,
			   struct packet_segment *pieces, unsigned room)
{
	const struct virtqueue_buffer *b = vq->scratch->buffers;
	const struct virtqueue_buffer *end = b + chain->n;
	struct vhost_window w = vq->window;
	unsigned n = 0, got;
	uint64_t at;

	for (; b != end; b++) {
		at = b->guest - w.guest;
		if (likely(at < w.size && b->len <= w.size - at && n < room)) {
			pieces[n].data = w.host + at;
			pieces[n].len = b->len;
			n += b->len != 0;
			continue;
		}
		got = map_far(vq, *b, pieces + n, room - n);
		if (!got)
			return UINT32_MAX;
		/* Of no length, it was only to be looked up. */
		n += b->len ? got : 0;
		w = vq->window;
	}
	return n;
}

/* Takes the header out of the pieces' front; it is all there. */
static const uint8_t *take_header(struct virtqueue *vq,
				  struct packet_segment **pieces, unsigned *n,
				  unsigned i)
{
	uint8_t *copy = vq->scratch->headers[i];
	const uint8_t *header = (*pieces)->data;
	unsigned left = vq->hdr_len, take;

	if (likely((*pieces)->len > left)) {
		(*pieces)->data += left;
		(*pieces)->len -= left;
		return header;
	}
	if ((*pieces)->len < left)
		header = copy;
	while (left) {
		take = MIN(left, (*pieces)->len);
		if (header == copy)
			memcpy(copy + vq->hdr_len - left, (*pieces)->data,
			       take);
		(*pieces)->data += take;
		(*pieces)->len -= take;
		left -= take;
		if (!(*pieces)->len) {
			(*pieces)++;
			(*n)--;
		}
	}
	return header;
}

static void init_frame(struct packet *p, const struct packet_segment *pieces,
		       unsigned n, uint32_t len)
{
	packet_init(p, pieces->data, pieces->len);
	if (n == 1)
		return;
	p->segments = pieces;
	p->n_segments = n;
	p->len = len;
}

enum virtqueue_frame virtqueue_map_frame(struct virtqueue *vq,
					 const struct virtqueue_chain *chain,
					 struct packet *p, unsigned i,
					 struct virtqueue_headers *headers)
{
	struct packet_segment *pieces = vq->scratch->pieces + vq->n_pieces;
	unsigned room = VIRTQUEUE_PIECES_MAX - vq->n_pieces, n;
	const struct packet_segment *end;

	if (room < chain->n + PIECES_SPARE)
		return VIRTQUEUE_LATER;
	n = map_pieces(vq, chain, pieces, room);
	if (n == UINT32_MAX) {
		if (vq->n_pieces) /* maybe it was for want of room */
			return VIRTQUEUE_LATER;
		vq->why = "a buffer outside its memory";
		return VIRTQUEUE_BROKEN;
	}
	if (!headers->any)
		memset(headers->set, 0, sizeof(headers->set));
	headers->any = true;
	headers->set[i / 64] |= 1ull << i % 64;
	if (chain->len <= vq->hdr_len ||
	    chain->len - vq->hdr_len > PACKET_LEN_MAX) {
		packet_init(p, NULL, 0);
		headers->at[i] =
			chain->len <= vq->hdr_len ? runt_header : giant_header;
		return VIRTQUEUE_FRAME;
	}
	end = pieces + n;
	headers->at[i] = take_header(vq, &pieces, &n, i);
	__builtin_prefetch(headers->at[i]);
	__builtin_prefetch(pieces->data);
	init_frame(p, pieces, n, chain->len - vq->hdr_len);
	if (n > 1)
		vq->n_pieces = end - vq->scratch->pieces;
	return VIRTQUEUE_FRAME;
}

/* Whether the packet stays. */
static bool check_header(const struct virtqueue *vq, struct packet *p,
			 const uint8_t *vnet, _Atomic uint64_t *drops)
{
	uint8_t header[VNET_HDR_LEN];

	if (vnet == runt_header || vnet == giant_header) {
		virtqueue_count(
			&drops[vnet == runt_header ? DROP_RUNT : DROP_GIANT],
			1);
		return false;
	}
	memcpy(header, vnet, sizeof(header));
	__asm__ volatile("" : : : "memory"); /* no second look */
	if (likely(offload_receive(p, header, vq->agreed)))
		return true;
	virtqueue_count(&drops[DROP_BAD_OFFLOAD], 1);
	return false;
}

static __attribute__((noinline)) unsigned check_headers_slow(
	const struct virtqueue *vq, struct packet *packets,
	const struct virtqueue_headers *headers, unsigned n,
	_Atomic uint64_t *drops)
{
	const uint8_t *vnet;
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		if (headers->any && headers->set[i / 64] >> i % 64 & 1)
			vnet = headers->at[i];
		else
			vnet = packets[i].segment.data - vq->hdr_len;
		if (!check_header(vq, &packets[i], vnet, drops))
			continue;
		if (out != i)
			packet_copy(&packets[out], &packets[i]);
		out++;
	}
	return out;
}

/* The first four bytes of what lies right before the frame. */
static inline uint32_t header_word(const struct packet *p, size_t hdr_len)
{
	uint32_t word;

	memcpy(&word, p->segment.data - hdr_len, sizeof(word));
	return word;
}

unsigned virtqueue_check_headers(struct virtqueue *vq, struct packet *packets,
				 const struct virtqueue_headers *headers,
				 unsigned n, _Atomic uint64_t *drops)
{
	const struct packet *p = packets, *end = packets + n;
	size_t hdr_len = vq->hdr_len;
	uint32_t any = 0;

	if (unlikely(headers->any))
		return check_headers_slow(vq, packets, headers, n, drops);
	for (; p + 4 <= end; p += 4)
		any |= header_word(p, hdr_len) | header_word(p + 1, hdr_len) |
		       header_word(p + 2, hdr_len) |
		       header_word(p + 3, hdr_len);
	for (; p != end; p++)
		any |= header_word(p, hdr_len);
	if (unlikely(any))
		return check_headers_slow(vq, packets, headers, n, drops);
	return n;
}

/* --- sending -------------------------------------------------------------- */

static const uint32_t gso_needs[] = {
	[PACKET_GSO_NONE] = 0,
	[PACKET_GSO_TCP4] = OFFLOAD_CSUM | OFFLOAD_TSO4,
	[PACKET_GSO_TCP6] = OFFLOAD_CSUM | OFFLOAD_TSO6,
	[PACKET_GSO_UDP] = OFFLOAD_CSUM | OFFLOAD_USO,
	[PACKET_GSO_UFO] = OFFLOAD_CSUM | OFFLOAD_UFO,
};

/*
 * What the port finishes is decided before the queue was taken, and the guest
 * may have agreed on something else meanwhile.
 */
bool virtqueue_make_header(const struct virtqueue *vq, const struct packet *p,
			   uint8_t header[VIRTQUEUE_HEADER_MAX])
{
	const struct packet_offload *o = &p->offload;
	uint32_t needs = gso_needs[o->gso];

	if (o->csum_needed)
		needs |= OFFLOAD_CSUM;
	if (o->gso_ecn)
		needs |= OFFLOAD_TSO_ECN;
	if ((needs & ~vq->agreed) || !offload_send(p, header))
		return false;
	if (!(vq->agreed & OFFLOAD_CSUM))
		header[0] = 0; /* nor does it know "valid" */
	return true;
}

/* Where in the buffers of the chain the next byte goes. */
struct sink {
	struct virtqueue *vq;
	const struct virtqueue_buffer *next, *end;
	uint64_t guest; /* of the next byte */
	unsigned n_pieces, i;
	uint32_t left; /* in piece i */
	struct packet_segment *pieces;
};

static bool next_buffer(struct sink *s)
{
	struct virtqueue *vq = s->vq;
	struct virtqueue_buffer b = *s->next++;
	void *at = vhost_translate(&vq->window, vq->memory, b.guest, b.len);

	s->i = 0;
	s->guest = b.guest;
	s->n_pieces = 1;
	s->pieces[0] = (struct packet_segment){ at, b.len };
	if (!at)
		s->n_pieces =
			vhost_memory_pieces(vq->memory, b.guest, b.len,
					    s->pieces, VIRTQUEUE_PIECES_MAX);
	s->left = s->pieces[0].len;
	return s->n_pieces;
}

static bool next_piece(struct sink *s)
{
	while (!s->left) {
		if (++s->i < s->n_pieces)
			s->left = s->pieces[s->i].len;
		else if (s->next == s->end || !next_buffer(s))
			return false;
	}
	return true;
}

static bool put(struct sink *s, const uint8_t *data, uint32_t len)
{
	const struct packet_segment *piece;
	uint32_t n;

	while (len) {
		if (!next_piece(s))
			return false;
		piece = &s->pieces[s->i];
		n = MIN(len, s->left);
		memmove((uint8_t *)piece->data + piece->len - s->left, data, n);
		if (unlikely(s->vq->log))
			vhost_log_mark(s->vq->log, s->guest, n);
		s->guest += n;
		s->left -= n;
		data += n;
		len -= n;
	}
	return true;
}

bool virtqueue_put_frame(struct virtqueue *vq,
			 const struct virtqueue_chain *chain, unsigned n_chains,
			 const struct packet *p, const uint8_t *header)
{
	const struct virtqueue_buffer *buffers = vq->scratch->buffers;
	struct sink s = { .vq = vq,
			  .next = buffers,
			  .end = buffers + chain->n,
			  .pieces = vq->scratch->pieces };
	uint8_t whole[VIRTQUEUE_HEADER_MAX];
	uint16_t number = n_chains;
	const uint8_t *data;
	struct cursor c;
	uint32_t n;

	memcpy(whole, header, VNET_HDR_LEN);
	memcpy(whole + VNET_HDR_LEN, &number, sizeof(number));
	if (!put(&s, whole, vq->hdr_len))
		goto unmapped;
	cursor_init(&c, p);
	while ((n = cursor_take(&c, UINT32_MAX, &data)))
		if (!put(&s, data, n))
			goto unmapped;
	return true;
unmapped:
	vq->why = "a buffer outside its memory";
	return false;
}

void virtqueue_log_used(const struct virtqueue *vq, uint64_t offset, uint64_t n)
{
	if (unlikely(vq->log))
		vhost_log_mark(vq->log, vq->used_guest + offset, n);
}
