/* Making bytes private, and looking at a frame as it would be sent. */
#include "packet/packet.h"

#include "packet/cursor.h"
#include "packet/vlan.h"

/*
 * A constant size becomes a few moves, where memcpy() of a variable size is a
 * call: an ordinary frame is copied by two overlapping halves.
 */
static inline void copy_header(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (likely(n >= 32 && n <= 64)) {
		memcpy(to, from, 32);
		memcpy(to + n - 32, from + n - 32, 32);
	} else {
		memcpy(to, from, n);
	}
}

/* Tags were popped: there is more room in front than there need be. */
static void make_room(struct packet *p, uint32_t n)
{
	uint8_t *start = p->room + PACKET_HEADROOM;
	uint8_t *end = p->room + sizeof(p->room);

	if (p->header >= p->room && p->header <= end &&
	    (size_t)(end - p->header) >= n)
		return;
	memmove(start, p->header, p->header_len);
	p->header = start;
}

static void push_beside(struct packet *p)
{
	uint16_t tpid = p->vlan_beside_tpid;

	if (p->header_len < 12)
		return;
	if (packet_vlan_push(p, tpid ? tpid : ETH_TYPE_VLAN,
			     p->vlan_beside_tci))
		p->vlan_beside = false;
}

static __attribute__((noinline)) bool pull_pieces(struct packet *p, uint32_t n)
{
	const uint8_t *data;
	struct cursor c;
	uint32_t got;

	make_room(p, n);
	cursor_init(&c, p);
	c.len = 0; /* what is private already */
	while (p->header_len < n) {
		got = cursor_take(&c, n - p->header_len, &data);
		if (!got)
			break;
		copy_header(p->header + p->header_len, data, got);
		p->header_len += got;
		p->pulled += got;
	}
	if (p->vlan_beside)
		push_beside(p);
	return p->header_len >= n;
}

bool packet_pull_more(struct packet *p, uint32_t n)
{
	const struct packet_segment *s = p->segments;
	uint32_t len;

	if (unlikely(n > PACKET_PULL_MAX))
		return false;
	if (unlikely(p->header_len | p->vlan_beside) ||
	    unlikely(s != &p->segment && (!p->n_segments || s->len < n)))
		return pull_pieces(p, n);
	len = MIN(s->len, n);
	copy_header(p->header, s->data, len);
	p->header_len = len;
	p->pulled = len;
	return len >= n;
}

void packet_copy(struct packet *to, const struct packet *from)
{
	memcpy(to, from, offsetof(struct packet, room));
	if (from->segments == &from->segment)
		to->segments = &to->segment;
	if (from->header >= from->room &&
	    from->header <= from->room + sizeof(from->room))
		to->header = to->room + (from->header - from->room);
	else if (from->header_len <= PACKET_HEADER_MAX)
		to->header = to->room + PACKET_HEADROOM;
	else
		return; /* shares a header that no room has room for */
	memcpy(to->header, from->header, from->header_len);
}

unsigned packet_iov(const struct packet *p, struct iovec *iov, unsigned max)
{
	const uint8_t *data;
	struct cursor c;
	unsigned i = 0;
	uint32_t n;

	cursor_init(&c, p);
	while ((n = cursor_take(&c, UINT32_MAX, &data))) {
		if (i == max)
			return 0;
		iov[i].iov_base = (void *)data;
		iov[i].iov_len = n;
		i++;
	}
	return i;
}

uint32_t packet_read(const struct packet *p, uint32_t offset, void *to,
		     uint32_t n)
{
	uint32_t done = 0, got;
	const uint8_t *data;
	struct cursor c;

	cursor_init(&c, p);
	if (!cursor_skip(&c, offset))
		return 0;
	while (done < n && (got = cursor_take(&c, n - done, &data))) {
		memcpy((uint8_t *)to + done, data, got);
		done += got;
	}
	return done;
}
