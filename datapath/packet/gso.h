/*
 * Segmentation in software: a large packet that its sender left for the device
 * to cut up (TCP over IPv4 and IPv6, UDP datagrams of one size) becomes the
 * ordinary packets that it stands for, with their lengths, IPv4 identifications
 * (RFC 6864), TCP sequence numbers, flags and checksums. A UDP datagram that is
 * to be sent in IP fragments (UFO; RFC 791, RFC 8200 4.5) becomes these; its
 * checksum is always finished. Datagrams whose checksums are optional have
 *none.
 *
 * Nothing is allocated and no payload is copied: each segment has its headers
 * in the caller's scratch memory and borrows its part of the large packet's
 * payload. Segments live until the scratch is used again, the large packet
 * changes or its burst ends. They must not be copied by packet_copy().
 *
 *	gso_start(&gso, packet, finish);
 *	gso_scratch_clear(&scratch);
 *	while ((r = gso_next(&gso, &scratch, &segment)) > 0)
 *		...
 *
 * One thread.
 */
#ifndef PACKET_GSO_H
#define PACKET_GSO_H

#include "packet/cursor.h"
#include "packet/packet.h"

#define GSO_HEADER_MAX 256 /* from Ethernet to TCP with all options */
#define GSO_BATCH      64  /* segments in a scratch */
#define GSO_PIECES     512 /* their pieces of payload together */
/* More segments of one packet than this are an attack: an MSS below 48. */
#define GSO_SEGMENTS_MAX 1500

#define GSO_FRAGMENT_LEN 8 /* of the header that IPv6 has for a fragment */

/* Of a fragment, the payload that is not the last must be eights of bytes. */
static inline uint16_t gso_size_min(enum packet_gso type)
{
	return type == PACKET_GSO_UFO ? 8 : 1;
}

/*
 * Where the headers of a packet to be segmented are, from its first byte. The
 * payload of what becomes fragments begins with the UDP header.
 */
struct gso_layout {
	uint16_t l3, l4, payload;
	uint8_t ip_version, ip_proto;
	uint16_t csum_offset; /* of the transport header's field, from l4 */
};

/*
 * Finds the headers in the first n bytes of a frame. False when the frame is
 * not whole, unfragmented and of the kind that `type` says, or its headers are
 * longer than n.
 */
bool gso_layout(const uint8_t *header, uint32_t n, enum packet_gso type,
		struct gso_layout *layout) MUST_CHECK;

/* The same of a packet as it would be sent now. */
bool gso_layout_packet(const struct packet *p, enum packet_gso type,
		       struct gso_layout *layout) MUST_CHECK;

/* Whether a packet of len bytes makes a bearable number of segments that are
 * not longer than IP can say. size is not 0. */
static inline bool gso_fits(const struct gso_layout *l, uint32_t len,
			    uint16_t size)
{
	return len > l->payload &&
	       len - l->payload <= (uint32_t)size * GSO_SEGMENTS_MAX &&
	       (uint32_t)(l->payload - l->l3) + size <= UINT16_MAX;
}

/*
 * From the first byte to the payload of a packet whose offload was checked and
 * has gso set; 0 when that is not all there.
 */
uint32_t packet_gso_header_len(const struct packet *p);
/* The length of its longest segment, tags included. */
uint32_t packet_gso_segment_len(const struct packet *p);

struct gso_scratch {
	struct packet packets[GSO_BATCH];
	uint8_t headers[GSO_BATCH]
		       [PACKET_HEADROOM + GSO_HEADER_MAX + GSO_FRAGMENT_LEN];
	struct packet_segment pieces[GSO_PIECES];
	unsigned n_packets, n_pieces;
};

static inline void gso_scratch_clear(struct gso_scratch *s)
{
	s->n_packets = 0;
	s->n_pieces = 0;
}

/* A segmentation on its way; its fields are gso.c's own. */
struct gso {
	struct gso_layout layout;
	struct packet_offload offload; /* of a segment */
	struct cursor payload;	       /* what is still to be cut */
	uint32_t left;
	uint32_t index; /* of the next segment */
	uint16_t size;
	bool fragments; /* of one datagram */
	bool no_csum;	/* 0 in its place */
	uint32_t id;	/* theirs, in IPv6 */
	uint8_t header[GSO_HEADER_MAX];
};

/*
 * Begins with a packet whose offload.gso is set. finish_csum: segments get
 * their checksums; otherwise these stay to be completed by the receiver.
 * 0, or -EINVAL when the packet cannot be segmented.
 */
int gso_start(struct gso *gso, const struct packet *packet, bool finish_csum);

/*
 * The next segment: 1 and *segmentp; 0 when there are no more; -ENOSPC when
 * the scratch is full: use its segments, clear it and go on (when it was clear
 * already, the payload is in too many pieces); -EINVAL when the packet's memory
 * is shorter than the packet.
 */
int gso_next(struct gso *gso, struct gso_scratch *scratch,
	     struct packet **segmentp);

#endif
