/*
 * struct packet: one frame on its way through the switch.
 *
 * The switch owns no packet buffers. A packet is a view of memory that the
 * port of arrival lends for the time of one burst (`segments`), plus a private
 * copy of the frame's first bytes (`header`). Every decision is made on the
 * private copy, and what is sent is the private copy followed by the borrowed
 * bytes behind it, so a guest that rewrites its frame meanwhile fools nobody.
 *
 *	room:      [ headroom | private header ........ | free ]
 *	                      ^ header, header_len
 *	segments:  [ pulled ......... | rest, sent from where it lies ]
 *
 * Pushing a tag moves `header` towards the front of the room. `pulled` counts
 * the frame's bytes, from the start of the segments, that the private header
 * has replaced. A copy of a struct packet (never of a packet whose header
 * points into another's room: use packet_copy) may be edited on its own; the
 * segments are read only.
 *
 * Packets live in a worker's burst; one thread only.
 */
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H

#include <string.h>
#include <sys/uio.h>

#include "base/util.h"

#define PACKET_BURST_MAX  256 /* packets in a burst, at most */
#define PACKET_HEADROOM	  16  /* for tags pushed in front */
#define PACKET_HEADER_MAX 112 /* private bytes behind the headroom */
#define PACKET_PULL_MAX	  (PACKET_HEADER_MAX - 8)
#define PACKET_PULL	  64	       /* private bytes of an ordinary frame */
#define PACKET_LEN_MAX	  (65535 + 64) /* a GSO frame with its headers */

#define ETH_HEADER_LEN 14
#define VLAN_TAG_LEN   4

struct packet_segment {
	const uint8_t *data;
	uint32_t len;
};

enum packet_gso {
	PACKET_GSO_NONE,
	PACKET_GSO_TCP4,
	PACKET_GSO_TCP6,
	PACKET_GSO_UDP, /* UDP segmentation (USO), IPv4 or IPv6 */
	PACKET_GSO_UFO, /* one UDP datagram, to be IP fragments */
};

/*
 * What the sender left for a later stage to do. Always checked against the
 * frame when a port hands the packet in (offload.h), and kept right by
 * everything that moves bytes. Host byte order.
 */
struct packet_offload {
	bool csum_needed;     /* checksum from csum_start, at csum_offset */
	bool csum_valid;      /* the sender vouches for the checksum */
	uint8_t gso;	      /* enum packet_gso */
	bool gso_ecn;	      /* TCP segments carry CWR in the first only */
	uint16_t gso_size;    /* payload bytes of a segment */
	uint16_t csum_start;  /* from the frame's first byte */
	uint16_t csum_offset; /* from csum_start */
	/* PACKET_GSO_UDP: who cuts it may leave the checksums out (RFC 768) */
	bool csum_optional;
};

struct packet {
	uint8_t *header;
	const struct packet_segment *segments; /* if one: of this packet: */
	struct packet_segment segment;
	uint32_t len; /* of the frame, tags as they are now */
	/* The tag beside the frame, as some devices give it, until parsed. */
	uint16_t vlan_beside_tci;
	uint16_t vlan_beside_tpid;
	union {
		struct {
			uint16_t header_len; /* private bytes */
			uint16_t pulled;     /* bytes that they replace */
			uint16_t n_segments;
			bool vlan_beside;
			uint8_t spare; /* 0 */
		};
		uint64_t state; /* the five above, to compare at once */
	};
	struct packet_offload offload;
	uint32_t
		mirrored; /* forward/mirror.h; nothing unless that has set it */
	uint8_t room[PACKET_HEADROOM + PACKET_HEADER_MAX] CACHE_ALIGNED;
} CACHE_ALIGNED;

/* Nothing private yet, one segment, no tag beside it (little endian). */
#define PACKET_STATE_UNTOUCHED (1ull << 32)

_Static_assert(sizeof(struct packet) == 192, "three cache lines");

/* A frame that lies in one piece at data. Offload fields are cleared. */
static inline void packet_init(struct packet *p, const void *data, uint32_t len)
{
	p->header = p->room + PACKET_HEADROOM;
	p->segment.data = data;
	p->segment.len = len;
	p->segments = &p->segment;
	p->len = len;
	p->state = PACKET_STATE_UNTOUCHED;
	memset(&p->offload, 0, sizeof(p->offload));
}

/* The part of packet_pull() that has something to do. */
bool packet_pull_more(struct packet *p, uint32_t n);

/*
 * Makes the first n bytes of the frame private, or all of a shorter frame.
 * Returns whether n bytes are; more than PACKET_PULL_MAX are only when tags
 * that were pushed have made the private header longer. Calling it again with
 * a larger n is fine as long as only tags were pushed or popped. The first pull
 * also puts the tag beside the frame, if there is one, into it.
 */
static inline bool packet_pull(struct packet *p, uint32_t n)
{
	if (p->header_len >= n)
		return true;
	return packet_pull_more(p, n);
}

/*
 * The same for a packet that may just have been received, with the usual n of
 * PACKET_PULL: an ordinary frame takes a few moves, and no call.
 */
static inline bool packet_pull_first(struct packet *p)
{
	if (unlikely(p->state != PACKET_STATE_UNTOUCHED ||
		     p->segment.len < PACKET_PULL))
		return packet_pull(p, PACKET_PULL);
	memcpy(p->header, p->segment.data, PACKET_PULL);
	p->header_len = PACKET_PULL;
	p->pulled = PACKET_PULL;
	return true;
}

/*
 * An independent copy of the view; lives as long as the original's burst. Not
 * of a packet that came out of gso.h.
 */
void packet_copy(struct packet *to, const struct packet *from);

/*
 * The frame as it would be sent now, as an I/O vector: the private header, then
 * the rest where it lies. Returns the number of elements, or 0 when more than
 * max would be needed.
 */
unsigned packet_iov(const struct packet *p, struct iovec *iov, unsigned max);

/*
 * Copies bytes [offset, offset + n) of the frame as it would be sent now.
 * Returns how many there were.
 */
uint32_t packet_read(const struct packet *p, uint32_t offset, void *to,
		     uint32_t n);

/* The first private bytes; valid after a pull of ETH_HEADER_LEN. */
static inline uint16_t load_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t load_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void store_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void store_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

/* A MAC address as the low 48 bits, first byte highest. Reads 6 bytes. */
static inline uint64_t load_mac(const void *p)
{
	return (uint64_t)load_be16(p) << 32 | load_be32((const uint8_t *)p + 2);
}

#define MAC_BROADCAST 0xffffffffffffull

static inline bool mac_is_multicast(uint64_t mac)
{
	return mac >> 40 & 1;
}

#endif
