/*
 * Offload metadata at the edge: struct virtio_net_hdr (virtio 1.2, 5.1.6) as
 * taps, packet sockets and guests speak it, to struct packet_offload and back.
 *
 * What comes in is checked against the frame it came with; what goes out is
 * built anew from the checked values, never passed through. The ten bytes that
 * all variants of the header begin with are read and written here; num_buffers,
 * in the variant of twelve, is the port's own business. Fields are
 * little-endian, as virtio 1 has them.
 */
#ifndef PACKET_OFFLOAD_H
#define PACKET_OFFLOAD_H

#include "packet/packet.h"

/* Of the header's beginning; with num_buffers it is 12. */
#define VNET_HDR_LEN	 10
#define VNET_HDR_MRG_LEN 12

/*
 * What the two ends agreed on: on receipt what the sender may leave undone, on
 * sending what the receiver finishes. The first five are enum port_offload.
 */
enum offload {
	OFFLOAD_CSUM = 1 << 0,
	OFFLOAD_TSO4 = 1 << 1,
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_TSO_ECN = 1 << 3,
	OFFLOAD_USO = 1 << 4,
	/*
	 * On receipt only: the sender's word that a checksum is valid counts.
	 * True of a kernel; a guest has no say in it.
	 */
	OFFLOAD_TRUSTED = 1 << 5,
	/*
	 * One UDP datagram to be sent as IP fragments; old guests only. It is
	 * not among the next, what kernels do: they have given it up.
	 */
	OFFLOAD_UFO = 1 << 6,
	OFFLOAD_ALL = OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 |
		      OFFLOAD_TSO_ECN | OFFLOAD_USO,
};

/*
 * The part of the two functions below that an ordinary frame never needs. On
 * receipt there are two: all there is to know, and the same with a shorter way
 * for what most senders ask for, which the first would say yes to, too.
 */
bool offload_receive_slow(struct packet *p, const void *vnet,
			  unsigned agreed) MUST_CHECK;
bool offload_receive_asked(struct packet *p, const void *vnet,
			   unsigned agreed) MUST_CHECK;
bool offload_send_slow(const struct packet *p, void *vnet) MUST_CHECK;

/*
 * Takes over the header `vnet` (VNET_HDR_LEN bytes that nobody else can write,
 * any alignment) that came with p. p is as packet_init() left it, with its
 * segments and, where there is one, the tag beside the frame; the header's
 * offsets count from the first byte of the segments. `agreed` is a set of enum
 * offload. May pull.
 *
 * Returns false when the header contradicts the frame or the agreement: drop
 * with DROP_BAD_OFFLOAD. A worker.
 */
static inline MUST_CHECK bool offload_receive(struct packet *p,
					      const void *vnet, unsigned agreed)
{
	uint32_t flags_type_hdr_len;

	memcpy(&flags_type_hdr_len, vnet, sizeof(flags_type_hdr_len));
	if (likely(!flags_type_hdr_len))
		return true;
	return offload_receive_asked(p, vnet, agreed);
}

/*
 * Writes VNET_HDR_LEN bytes to vnet, any alignment, for p as it would be sent
 * now. Returns false when what p asks for is not within the frame (which no
 * checked packet does): drop with DROP_TX_OFFLOAD.
 */
static inline MUST_CHECK bool offload_send(const struct packet *p, void *vnet)
{
	const struct packet_offload *o = &p->offload;

	memset(vnet, 0, VNET_HDR_LEN);
	if (likely(!(o->csum_needed | o->csum_valid | o->gso)))
		return true;
	return offload_send_slow(p, vnet);
}

#endif
