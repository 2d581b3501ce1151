/*
 * The Internet checksum (RFC 1071): the ones' complement sum of 16-bit words.
 *
 * A sum is kept in 64 bits in the machine's own byte order, which RFC 1071
 * section 2(B) allows: bytes are swapped by how the result is stored. Sums of
 * pieces that start at even offsets may be added in any order.
 */
#ifndef PACKET_CSUM_H
#define PACKET_CSUM_H

#include "packet/packet.h"

/* Any length and alignment; an odd last byte counts as followed by a zero. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* Adds two sums; the carry goes round. */
static inline uint64_t csum_combine(uint64_t a, uint64_t b)
{
	return __builtin_add_overflow(a, b, &a) ? a + 1 : a;
}

/* Down to 16 bits, not complemented; store it with memcpy(). */
static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/*
 * The pseudo header (RFC 9293 3.1, RFC 8200 8.1) of the IP header at ip: 20 or
 * 40 bytes are read. len is that of the transport header with its payload.
 */
uint64_t csum_pseudo4(const uint8_t *ip, uint8_t proto, uint32_t len);
uint64_t csum_pseudo6(const uint8_t *ip, uint8_t proto, uint32_t len);

/* Writes the checksum of an IPv4 header with its options. */
void csum_ipv4_header(uint8_t *ip, unsigned header_len);

/* A sum over pieces of any lengths, each following the one before. */
struct csum {
	uint64_t sum;
	bool odd; /* an odd number of bytes so far */
};

void csum_piece(struct csum *c, const void *data, size_t len);

/* The sum of a packet's bytes from offset to its end. */
uint64_t csum_packet(const struct packet *p, uint32_t offset);

/* The field as it is stored: complemented, and never zero, which in UDP
 * means "none" (RFC 768) and is the same number anyway. */
static inline void csum_store(void *field, uint64_t sum)
{
	uint16_t v = ~csum_fold(sum);

	if (!v)
		v = 0xffff;
	memcpy(field, &v, sizeof(v));
}

/*
 * Completes the checksum that p->offload asks for, in the private header, and
 * clears csum_needed. False, and the frame as it was, when the field lies
 * outside of the frame or of what can be private. A worker.
 */
bool packet_finish_csum(struct packet *p) MUST_CHECK;

/* Where a frame's checksum field ends at most; offload.h refuses others. */
#define CSUM_END_MAX 1024

/*
 * For a field that the private header cannot reach: a copy of the packet with
 * a longer header. far->packet lives as long as far and p. False when the field
 * is outside of the frame.
 */
struct csum_far {
	struct packet packet;
	uint8_t room[PACKET_HEADROOM + CSUM_END_MAX + PACKET_HEADROOM];
};

bool packet_finish_csum_far(const struct packet *p,
			    struct csum_far *far) MUST_CHECK;

#endif
