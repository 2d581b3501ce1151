/*
 * What a packet is on the wire: a large one, which somebody cuts up later
 * (packet/gso.h), is as many frames as its segments, each with headers of its
 * own. Rates and buckets count these, so that a sender gains nothing by leaving
 * the cutting to others.
 *
 * Frames are counted as everywhere in the switch, without preamble, padding,
 * FCS and gap.
 */
#ifndef SHAPE_WIRE_BYTES_H
#define SHAPE_WIRE_BYTES_H

#include "packet/gso.h"

struct wire_size {
	uint32_t bytes;
	uint32_t frames;
};

/* The part that looks into the headers of a GSO packet. */
static inline struct wire_size wire_size_of_segments(const struct packet *p)
{
	uint32_t size = p->offload.gso_size, each, header, n;

	if (p->offload.gso == PACKET_GSO_UFO) {
		/* The UDP header is of the payload, and comes once. */
		size &= ~7u;
		header = p->offload.csum_start;
	} else {
		header = packet_gso_header_len(p);
	}
	if (unlikely(!size || header >= p->len))
		return (struct wire_size){ .bytes = p->len, .frames = 1 };
	each = p->offload.gso == PACKET_GSO_UFO
		       ? packet_gso_segment_len(p) - p->offload.gso_size
		       : header;
	n = DIV_ROUND_UP(p->len - header, size);
	return (struct wire_size){
		.bytes = p->len - header + n * each,
		.frames = n,
	};
}

/*
 * Bytes and frames of the packet, tags as they are now. Of a packet whose
 * offload was checked as it came in, and which was pulled. A worker.
 */
static inline struct wire_size wire_size(const struct packet *p)
{
	if (likely(p->offload.gso == PACKET_GSO_NONE))
		return (struct wire_size){ .bytes = p->len, .frames = 1 };
	return wire_size_of_segments(p);
}

static inline uint32_t wire_bytes(const struct packet *p)
{
	return wire_size(p).bytes;
}

#endif
