/*
 * Frames of the slow protocols (IEEE 802.3 annex 57A) that an aggregator
 * understands, to and from bytes: LACPDUs (IEEE 802.1AX-2014 clause 6.4.2.3)
 * and marker PDUs (6.5.3.3).
 */
#ifndef BOND_LACP_PDU_H
#define BOND_LACP_PDU_H

#include "bond/lacp.h"

#define SLOW_PROTOCOLS_MAC  0x0180c2000002ull
#define SLOW_PROTOCOLS_TYPE 0x8809
/* Both kinds: Ethernet header and 110 octets, without FCS. */
#define LACP_FRAME_LEN 124

struct lacp_pdu {
	uint8_t version;
	struct lacp_info actor, partner; /* as the sender of the PDU sees it */
	uint16_t collector_max_delay;	 /* tens of microseconds */
};

struct lacp_marker {
	uint16_t requester_port;
	uint64_t requester_system;
	uint32_t transaction_id;
};

enum lacp_frame_kind {
	LACP_FRAME_BAD,	  /* says that it is one of ours, and is broken */
	LACP_FRAME_OTHER, /* another slow protocol, or none that we answer */
	LACP_FRAME_PDU,
	LACP_FRAME_MARKER,
	LACP_FRAME_MARKER_RESPONSE,
};

struct lacp_frame {
	uint64_t src_mac;
	union {
		struct lacp_pdu pdu;
		struct lacp_marker marker;
	};
};

/*
 * Any bytes. Versions, TLV types and reserved octets are not looked at
 * (6.4.12), lengths of TLVs are.
 */
enum lacp_frame_kind lacp_frame_decode(const void *bytes, size_t len,
				       struct lacp_frame *frame);

void lacp_pdu_encode(const struct lacp_pdu *pdu, uint64_t src_mac,
		     uint8_t frame[LACP_FRAME_LEN]);
/* A marker, or the response to it. */
void lacp_marker_encode(const struct lacp_marker *marker, bool response,
			uint64_t src_mac, uint8_t frame[LACP_FRAME_LEN]);

#endif
