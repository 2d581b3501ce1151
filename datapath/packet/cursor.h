/*
 * A walk over the bytes of a packet as it would be sent now, piece by piece:
 * the private header, then the borrowed memory behind it. It cannot pass the
 * frame's end. The packet must not change meanwhile. One thread.
 */
#ifndef PACKET_CURSOR_H
#define PACKET_CURSOR_H

#include "packet/packet.h"

struct cursor {
	const uint8_t *data; /* the rest of the piece that is at hand */
	uint32_t len;
	uint32_t skip; /* bytes of the segments that the header replaced */
	const struct packet_segment *next, *end;
};

static inline void cursor_init(struct cursor *c, const struct packet *p)
{
	c->data = p->header;
	c->len = p->header_len;
	c->skip = p->pulled;
	c->next = p->segments;
	c->end = p->segments + p->n_segments;
}

/*
 * The next bytes that lie together, at most max (not 0), and steps over them.
 * Returns how many, 0 only at the frame's end.
 */
static inline uint32_t cursor_take(struct cursor *c, uint32_t max,
				   const uint8_t **data)
{
	uint32_t n;

	while (!c->len) {
		if (c->next == c->end)
			return 0;
		n = MIN(c->skip, c->next->len);
		c->skip -= n;
		c->data = c->next->data + n;
		c->len = c->next->len - n;
		c->next++;
	}
	n = MIN(max, c->len);
	*data = c->data;
	c->data += n;
	c->len -= n;
	return n;
}

/* Steps over n bytes; returns whether they were there. */
static inline bool cursor_skip(struct cursor *c, uint32_t n)
{
	const uint8_t *data;
	uint32_t got;

	for (; n; n -= got) {
		got = cursor_take(c, n, &data);
		if (!got)
			return false;
	}
	return true;
}

#endif
