/*
 * LACPDUs and marker PDUs to and from bytes. What comes in is a stranger's: it
 * is read front to back by a reader that cannot pass the end.
 */
#include "bond/lacp_pdu.h"

#include "packet/reader.h"

enum { SUBTYPE_LACP = 1, SUBTYPE_MARKER = 2 };
enum { VERSION = 1 };
enum {
	TLV_TERMINATOR = 0,
	TLV_ACTOR = 1,
	TLV_PARTNER = 2,
	TLV_COLLECTOR = 3,
};
enum { TLV_MARKER = 1, TLV_MARKER_RESPONSE = 2 };
enum { INFO_LEN = 20, COLLECTOR_LEN = 16, MARKER_LEN = 16 };

/* An actor's or a partner's TLV; its type is given by its place. */
static bool read_info(struct reader *r, struct lacp_info *info)
{
	uint8_t len;

	reader_u8(r);
	len = reader_u8(r);
	info->system_priority = reader_be16(r);
	info->system_id = reader_mac(r);
	info->key = reader_be16(r);
	info->port_priority = reader_be16(r);
	info->port_id = reader_be16(r);
	info->state = reader_u8(r);
	reader_skip(r, 3);
	return len == INFO_LEN;
}

/*
 * The TLVs behind the partner's are read for nothing but their being there:
 * a higher version may have others in the place of the reserved octets, and
 * its frame may be of another length.
 */
static enum lacp_frame_kind read_pdu(struct reader *r, struct lacp_pdu *pdu)
{
	bool good;
	uint8_t len;

	pdu->version = reader_u8(r);
	good = read_info(r, &pdu->actor);
	good &= read_info(r, &pdu->partner);
	reader_u8(r);
	len = reader_u8(r);
	pdu->collector_max_delay = reader_be16(r);
	reader_skip(r, COLLECTOR_LEN - 4);
	good &= len == COLLECTOR_LEN;
	return good && !r->failed ? LACP_FRAME_PDU : LACP_FRAME_BAD;
}

static enum lacp_frame_kind read_marker(struct reader *r,
					struct lacp_marker *marker)
{
	uint8_t type, len;

	reader_u8(r); /* version */
	type = reader_u8(r);
	len = reader_u8(r);
	marker->requester_port = reader_be16(r);
	marker->requester_system = reader_mac(r);
	marker->transaction_id = reader_be32(r);
	reader_skip(r, 2);
	if (r->failed || len != MARKER_LEN)
		return LACP_FRAME_BAD;
	if (type == TLV_MARKER)
		return LACP_FRAME_MARKER;
	/* Here the type alone tells a question from an answer. */
	return type == TLV_MARKER_RESPONSE ? LACP_FRAME_MARKER_RESPONSE
					   : LACP_FRAME_OTHER;
}

enum lacp_frame_kind lacp_frame_decode(const void *bytes, size_t len,
				       struct lacp_frame *frame)
{
	uint64_t dst_mac;
	uint16_t type;
	uint8_t subtype;
	struct reader r;

	memset(frame, 0, sizeof(*frame));
	reader_init(&r, bytes, len);
	dst_mac = reader_mac(&r);
	frame->src_mac = reader_mac(&r);
	type = reader_be16(&r);
	subtype = reader_u8(&r);
	if (r.failed)
		return LACP_FRAME_BAD;
	if (dst_mac != SLOW_PROTOCOLS_MAC || type != SLOW_PROTOCOLS_TYPE)
		return LACP_FRAME_OTHER;
	if (subtype == SUBTYPE_LACP)
		return read_pdu(&r, &frame->pdu);
	if (subtype == SUBTYPE_MARKER)
		return read_marker(&r, &frame->marker);
	return LACP_FRAME_OTHER;
}

/* --- to bytes ------------------------------------------------------------ */

static uint8_t *put_u8(uint8_t *at, uint8_t v)
{
	*at = v;
	return at + 1;
}

static uint8_t *put_be16(uint8_t *at, uint16_t v)
{
	store_be16(at, v);
	return at + 2;
}

static uint8_t *put_be32(uint8_t *at, uint32_t v)
{
	store_be32(at, v);
	return at + 4;
}

static uint8_t *put_mac(uint8_t *at, uint64_t mac)
{
	return put_be32(put_be16(at, mac >> 32), mac);
}

/* Everything zero but the header and the first two octets of the PDU. */
static uint8_t *put_header(uint8_t frame[LACP_FRAME_LEN], uint64_t src_mac,
			   uint8_t subtype)
{
	uint8_t *at = frame;

	memset(frame, 0, LACP_FRAME_LEN);
	at = put_mac(at, SLOW_PROTOCOLS_MAC);
	at = put_mac(at, src_mac);
	at = put_be16(at, SLOW_PROTOCOLS_TYPE);
	at = put_u8(at, subtype);
	return put_u8(at, VERSION);
}

static uint8_t *put_info(uint8_t *at, uint8_t type,
			 const struct lacp_info *info)
{
	at = put_u8(at, type);
	at = put_u8(at, INFO_LEN);
	at = put_be16(at, info->system_priority);
	at = put_mac(at, info->system_id);
	at = put_be16(at, info->key);
	at = put_be16(at, info->port_priority);
	at = put_be16(at, info->port_id);
	at = put_u8(at, info->state);
	return at + 3;
}

void lacp_pdu_encode(const struct lacp_pdu *pdu, uint64_t src_mac,
		     uint8_t frame[LACP_FRAME_LEN])
{
	uint8_t *at = put_header(frame, src_mac, SUBTYPE_LACP);

	at = put_info(at, TLV_ACTOR, &pdu->actor);
	at = put_info(at, TLV_PARTNER, &pdu->partner);
	at = put_u8(at, TLV_COLLECTOR);
	at = put_u8(at, COLLECTOR_LEN);
	at = put_be16(at, pdu->collector_max_delay) + COLLECTOR_LEN - 4;
	at = put_u8(at, TLV_TERMINATOR);
	put_u8(at, 0);
}

void lacp_marker_encode(const struct lacp_marker *marker, bool response,
			uint64_t src_mac, uint8_t frame[LACP_FRAME_LEN])
{
	uint8_t *at = put_header(frame, src_mac, SUBTYPE_MARKER);

	at = put_u8(at, response ? TLV_MARKER_RESPONSE : TLV_MARKER);
	at = put_u8(at, MARKER_LEN);
	at = put_be16(at, marker->requester_port);
	at = put_mac(at, marker->requester_system);
	at = put_be32(at, marker->transaction_id);
	at = put_be16(at, 0);
	at = put_u8(at, TLV_TERMINATOR);
	put_u8(at, 0);
}
