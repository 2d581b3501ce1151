/*
 * TCP segments that came in a row made one large packet again, as the kernel's
 * GRO does: same addresses, ports and marks, the same acknowledgment, window
 * and options, each with the bytes that follow those of the one before, all of
 * one length but the last. Their checksums must be right. What comes out is
 * what a sender would have left to segmentation (offload.gso), and gso.h makes
 * of it the segments that there were.
 *
 * One thread. No payload is copied.
 */
#ifndef PACKET_COALESCE_H
#define PACKET_COALESCE_H

#include "packet/packet.h"

#define COALESCE_MAX 64 /* segments in one */

/* Fields are coalesce.c's own, but for the room. */
struct coalesce {
	struct packet_segment *pieces; /* the caller's, who may look at n */
	unsigned n_pieces, max_pieces;
	struct packet *head; /* the packet that others may be joined to */
	unsigned count;	     /* segments in it */
	bool checked;	     /* its checksums are right */
	bool closed;	     /* nothing may follow */
	uint16_t header_len; /* it had of private bytes; tags may be pushed */
	uint8_t l4, payload; /* offsets without these */
	uint8_t late_flags;  /* those of the joined ones */
	uint16_t mss;
	uint32_t next_seq;
};

/* Segments may have `max` pieces of payload. */
static inline void coalesce_init(struct coalesce *c,
				 struct packet_segment *pieces, unsigned max)
{
	c->pieces = pieces;
	c->n_pieces = 0;
	c->max_pieces = max;
	c->head = NULL;
}

bool coalesce_add_tcp(struct coalesce *c, struct packet *p);
void coalesce_end_more(struct coalesce *c);

/*
 * The packet before is complete: none that follows is joined to it. Nobody may
 * have changed it but by pushing tags.
 */
static inline void coalesce_end(struct coalesce *c)
{
	if (unlikely(c->head != NULL))
		coalesce_end_more(c);
}

/*
 * The next frame, untagged to be of interest, as it came in; pulls. True: it
 * is joined to the one before, which borrows what it has borrowed, and p is no
 * more needed. False: it is one of its own, and others may be joined to it;
 * coalesce_end() was called for the one before. It stays where it is until
 * coalesce_end().
 */
static inline bool coalesce_add(struct coalesce *c, struct packet *p)
{
	packet_pull_first(p);
	/* Whichever IP: the protocol is here, or there. */
	if (likely(p->header_len < ETH_HEADER_LEN + 20 ||
		   (p->header[ETH_HEADER_LEN + 9] != 6 &&
		    p->header[ETH_HEADER_LEN + 6] != 6))) {
		coalesce_end(c);
		return false;
	}
	return coalesce_add_tcp(c, p);
}

#endif
