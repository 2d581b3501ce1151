/* Receiving CDP, and its checksum. */
#include "discovery/cdp_pdu.h"

#include <errno.h>

#include "discovery/text.h"
#include "packet/reader.h"

/*
 * RFC 1071, with a difference for an odd length, which goes back to the first
 * senders: the last byte is the low half of a word, not the high one; it is
 * added as a signed number, and when it is negative the result is one less.
 */
uint16_t cdp_checksum(const void *pdu, size_t n)
{
	const uint8_t *bytes = pdu;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += load_be16(bytes + i);
	if (n & 1) {
		uint8_t last = bytes[n - 1];

		sum += last & 0x80 ? 0xff00 | (last - 1) : last;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* As RFC 1071 has it, which some senders follow. */
static uint16_t plain_checksum(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += load_be16(bytes + i);
	if (n & 1)
		sum += bytes[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Both with the checksum in its place; that must come out as if it were 0. */
static bool checksum_is_right(const uint8_t *pdu, size_t n)
{
	uint8_t copy[CDP_FRAME_MAX];
	uint16_t sum;

	if (n < 4 || n > sizeof(copy))
		return false;
	memcpy(copy, pdu, n);
	sum = load_be16(copy + 2);
	store_be16(copy + 2, 0);
	return sum == cdp_checksum(copy, n) || sum == plain_checksum(copy, n);
}

static bool decode_id(struct reader *r, struct discovery_id *id,
		      uint8_t subtype)
{
	size_t n = MIN(reader_left(r), (size_t)DISCOVERY_ID_MAX);

	if (!n)
		return false;
	id->subtype = subtype;
	id->len = n;
	reader_copy(r, id->bytes, n);
	return true;
}

static void decode_text(struct reader *r, char *to, size_t size)
{
	size_t n = reader_left(r);

	text_clean(to, size, reader_take(r, n), n);
}

static void add_address(struct discovery_info *info, uint8_t family,
			const uint8_t *bytes, uint8_t len)
{
	struct discovery_address *a = info->addresses;
	unsigned i;

	for (i = 0; i < info->n_addresses; i++)
		if (a[i].family == family && !memcmp(a[i].bytes, bytes, len))
			return; /* management addresses are often both */
	if (i == DISCOVERY_ADDRESSES_MAX) {
		info->n_left_out++;
		return;
	}
	a[i].family = family;
	a[i].len = len;
	memcpy(a[i].bytes, bytes, len);
	info->n_addresses++;
}

static bool decode_addresses(struct reader *r, struct discovery_info *info)
{
	uint32_t n = reader_be32(r);

	for (; n && reader_left(r); n--) {
		uint8_t type = reader_u8(r), protocol_len = reader_u8(r);
		const uint8_t *protocol = reader_take(r, protocol_len), *bytes;
		uint16_t len = reader_be16(r);

		bytes = reader_take(r, len);
		if (r->failed)
			break;
		if (type == 1 && protocol_len == 1 &&
		    protocol[0] == CDP_NLPID_IP && len == 4)
			add_address(info, FAMILY_IPV4, bytes, len);
		else if (type == 2 && protocol_len == 8 && len == 16 &&
			 !memcmp(protocol, CDP_PROTOCOL_IPV6, 8))
			add_address(info, FAMILY_IPV6, bytes, len);
	}
	return !r->failed;
}

/* As LLDP would say it. */
static uint16_t common_capabilities(uint32_t cdp)
{
	static const uint16_t bits[] = {
		CAPABILITY_ROUTER,   CAPABILITY_BRIDGE,	   CAPABILITY_BRIDGE,
		CAPABILITY_BRIDGE,   CAPABILITY_STATION,   CAPABILITY_OTHER,
		CAPABILITY_REPEATER, CAPABILITY_TELEPHONE, CAPABILITY_OTHER,
		CAPABILITY_OTHER,    CAPABILITY_TPMR,
	};
	uint16_t common = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		if (cdp >> i & 1)
			common |= bits[i];
	if (common != CAPABILITY_OTHER)
		common &= ~CAPABILITY_OTHER;
	return common;
}

static bool decode_numbers(unsigned type, struct reader *r,
			   struct discovery_info *info)
{
	switch (type) {
	case CDP_TLV_CAPABILITIES:
		info->cdp_capabilities = reader_be32(r);
		info->has_capabilities = !r->failed;
		info->capabilities = info->enabled =
			common_capabilities(info->cdp_capabilities);
		break;
	case CDP_TLV_NATIVE_VLAN:
		info->pvid = reader_be16(r);
		info->has_pvid = !r->failed;
		break;
	case CDP_TLV_DUPLEX:
		info->full_duplex = reader_u8(r);
		info->has_duplex = !r->failed;
		break;
	case CDP_TLV_MTU:
		info->mtu = reader_be32(r);
		break;
	}
	return !r->failed;
}

static enum tlv_result decode_tlv(unsigned type, struct reader *r,
				  struct discovery_info *info)
{
	bool ok = true;

	switch (type) {
	case CDP_TLV_DEVICE:
		ok = decode_id(r, &info->chassis, CHASSIS_LOCAL);
		break;
	case CDP_TLV_PORT:
		ok = decode_id(r, &info->port, PORT_ID_INTERFACE_NAME);
		break;
	case CDP_TLV_ADDRESSES:
	case CDP_TLV_MANAGEMENT:
		ok = decode_addresses(r, info);
		break;
	case CDP_TLV_VERSION:
		decode_text(r, info->system_description,
			    sizeof(info->system_description));
		break;
	case CDP_TLV_PLATFORM:
		decode_text(r, info->platform, sizeof(info->platform));
		break;
	case CDP_TLV_VTP_DOMAIN:
		decode_text(r, info->vtp_domain, sizeof(info->vtp_domain));
		break;
	case CDP_TLV_SYSTEM_NAME:
		decode_text(r, info->system_name, sizeof(info->system_name));
		break;
	case CDP_TLV_CAPABILITIES:
	case CDP_TLV_NATIVE_VLAN:
	case CDP_TLV_DUPLEX:
	case CDP_TLV_MTU:
		ok = decode_numbers(type, r, info);
		break;
	default:
		return TLV_UNKNOWN;
	}
	return ok ? TLV_OK : TLV_BAD;
}

static int decode_tlvs(struct reader *r, struct discovery_info *info,
		       struct discovery_parse_notes *notes)
{
	while (reader_left(r)) {
		unsigned type = reader_be16(r), len = reader_be16(r);
		struct reader tlv;
		enum tlv_result result;

		if (r->failed || len < 4)
			return -EBADMSG;
		tlv = reader_sub(r, len - 4);
		if (tlv.failed)
			return -EBADMSG;
		result = decode_tlv(type, &tlv, info);
		notes->tlvs_discarded += result == TLV_BAD;
		notes->tlvs_unrecognized += result == TLV_UNKNOWN;
	}
	return info->chassis.len && info->port.len ? 0 : -EBADMSG;
}

int cdp_decode(const void *data, size_t len, struct discovery_info *info,
	       struct discovery_parse_notes *notes)
{
	struct reader frame, r;
	const uint8_t *pdu;
	uint32_t hi, lo;
	size_t n;

	memset(info, 0, sizeof(*info));
	memset(notes, 0, sizeof(*notes));
	info->protocol = DISCOVERY_CDP;
	reader_init(&frame, data, len);
	/* Padding of a short frame is not the PDU's. */
	r = reader_sub(&frame, reader_be16(&frame));
	hi = reader_be32(&r);
	lo = reader_be32(&r);
	if (r.failed)
		return -EBADMSG;
	if (hi != CDP_SNAP_HI || lo != CDP_SNAP_LO)
		return -EPROTONOSUPPORT;
	n = reader_left(&r);
	pdu = r.at;
	info->cdp_version = reader_u8(&r);
	info->ttl_s = reader_u8(&r);
	reader_be16(&r);
	if (r.failed || !checksum_is_right(pdu, n))
		return -EBADMSG;
	if (info->cdp_version != 1 && info->cdp_version != 2)
		return -EBADMSG;
	return decode_tlvs(&r, info, notes);
}
