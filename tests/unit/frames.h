/*
 * Frames for tests, built field by field from a description, with checksums
 * computed the plain way: a model that shares no code with what is tested.
 */
#ifndef TESTS_FRAMES_H
#define TESTS_FRAMES_H

#include "packet/packet.h"

struct frame_spec {
	unsigned n_tags;    /* 802.1Q tags; outer 0x88a8 when there are two */
	int version;	    /* 4 or 6 */
	unsigned ip_extra;  /* IPv4 options, or IPv6 options, bytes: 4n, 8n */
	uint8_t proto;	    /* IPPROTO_TCP or IPPROTO_UDP */
	unsigned tcp_extra; /* TCP options, bytes: 4n */
	uint16_t ip_id;
	uint32_t seq;
	uint8_t tcp_flags;
	const uint8_t *payload;
	uint32_t payload_len;
	bool partial; /* the checksum field has the pseudo header's sum only */
};

struct frame {
	uint32_t l3, l4, start; /* offsets; start: of the payload */
	uint32_t csum_offset;
	uint32_t len;
	uint8_t data[PACKET_LEN_MAX + 300];
};

void frame_build(struct frame *f, const struct frame_spec *spec);

/* The sum of 16-bit words, folded, not complemented. */
uint16_t plain_sum(const uint8_t *data, size_t len, uint32_t sum);

/*
 * Cuts len bytes into copies of their own, as pieces of at most `piece` bytes
 * (0: one); free with pieces_free(). Each block has exactly its length.
 */
struct packet_segment *pieces_make(const uint8_t *data, uint32_t len,
				   uint32_t piece, unsigned *n);
void pieces_free(struct packet_segment *pieces, unsigned n);

/* p becomes these pieces, as a port would hand them in. */
void packet_of_pieces(struct packet *p, const struct packet_segment *pieces,
		      unsigned n, uint32_t len);

/* A virtio_net_hdr, fields in its order. */
void vnet_make(uint8_t vnet[10], uint8_t flags, uint8_t gso_type,
	       uint16_t hdr_len, uint16_t gso_size, uint16_t csum_start,
	       uint16_t csum_offset);

/* Deterministic bytes and numbers. */
void fill(uint8_t *data, size_t len, uint32_t seed);
uint32_t next_random(uint32_t *state);

#endif
