/* Receiving: the TLVs of IEEE 802.1AB 8.5, by the rules of 9.2.7.7. */
#include "discovery/lldp_pdu.h"

#include <errno.h>

#include "discovery/text.h"
#include "packet/reader.h"

/* 8.5.2.3, 8.5.3.3 */
static bool decode_id(struct reader *r, struct discovery_id *id)
{
	size_t n = reader_left(r);

	if (n < 2 || n > 1 + DISCOVERY_ID_MAX)
		return false;
	id->subtype = reader_u8(r);
	id->len = n - 1;
	reader_copy(r, id->bytes, id->len);
	return true;
}

/* The mandatory TLVs: type, and that there is one. */
static struct reader next_tlv(struct reader *r, unsigned *type)
{
	uint16_t header = reader_be16(r);

	*type = header >> 9;
	return reader_sub(r, header & 0x1ff);
}

static bool decode_mandatory(struct reader *r, struct discovery_info *info)
{
	struct reader tlv;
	unsigned type;

	tlv = next_tlv(r, &type);
	if (type != LLDP_TLV_CHASSIS || !decode_id(&tlv, &info->chassis))
		return false;
	tlv = next_tlv(r, &type);
	if (type != LLDP_TLV_PORT || !decode_id(&tlv, &info->port))
		return false;
	tlv = next_tlv(r, &type);
	if (type != LLDP_TLV_TTL || reader_left(&tlv) < 2)
		return false;
	info->ttl_s = reader_be16(&tlv);
	return !r->failed;
}

static enum tlv_result decode_text(struct reader *r, char *to, size_t size)
{
	size_t n = reader_left(r);

	if (n > DISCOVERY_TEXT_MAX)
		return TLV_BAD;
	text_clean(to, size, reader_take(r, n), n);
	return TLV_OK;
}

static enum tlv_result decode_capabilities(struct reader *r,
					   struct discovery_info *info)
{
	if (reader_left(r) != 4)
		return TLV_BAD;
	info->has_capabilities = true;
	info->capabilities = reader_be16(r);
	info->enabled = reader_be16(r);
	return TLV_OK;
}

/* 8.5.9 */
static enum tlv_result decode_management(struct reader *r,
					 struct discovery_info *info)
{
	struct discovery_address address = { 0 };
	unsigned len = reader_u8(r);

	if (len < 2 || len > 1 + sizeof(address.bytes))
		return TLV_BAD;
	address.family = reader_u8(r);
	address.len = len - 1;
	reader_copy(r, address.bytes, address.len);
	address.numbering = reader_u8(r);
	address.interface = reader_be32(r);
	reader_skip(r, reader_u8(r)); /* an object identifier */
	if (r->failed)
		return TLV_BAD;
	if (info->n_addresses == DISCOVERY_ADDRESSES_MAX) {
		info->n_left_out++;
		return TLV_OK;
	}
	info->addresses[info->n_addresses++] = address;
	return TLV_OK;
}

static enum tlv_result decode_tlv(unsigned type, struct reader *r,
				  struct discovery_info *info)
{
	switch (type) {
	case LLDP_TLV_PORT_DESCRIPTION:
		return decode_text(r, info->port_description,
				   sizeof(info->port_description));
	case LLDP_TLV_SYSTEM_NAME:
		return decode_text(r, info->system_name,
				   sizeof(info->system_name));
	case LLDP_TLV_SYSTEM_DESCRIPTION:
		return decode_text(r, info->system_description,
				   sizeof(info->system_description));
	case LLDP_TLV_CAPABILITIES:
		return decode_capabilities(r, info);
	case LLDP_TLV_MANAGEMENT:
		return decode_management(r, info);
	case LLDP_TLV_ORGANIZATION:
		return lldp_decode_organization(r, info);
	default:
		return TLV_UNKNOWN;
	}
}

static bool may_repeat(unsigned type)
{
	return type >= LLDP_TLV_MANAGEMENT;
}

/* All behind the mandatory ones. A second of those spoils the whole. */
static int decode_optional(struct reader *r, struct discovery_info *info,
			   struct discovery_parse_notes *notes)
{
	unsigned seen = 0, type;

	while (reader_left(r)) {
		struct reader tlv = next_tlv(r, &type);
		enum tlv_result result;

		if (r->failed)
			return -EBADMSG;
		if (type == LLDP_TLV_END)
			return 0;
		if (type <= LLDP_TLV_TTL)
			return -EBADMSG;
		if (!may_repeat(type) && seen >> type & 1) {
			notes->tlvs_discarded++;
			continue;
		}
		if (!may_repeat(type))
			seen |= 1u << type;
		result = decode_tlv(type, &tlv, info);
		notes->tlvs_discarded += result == TLV_BAD;
		notes->tlvs_unrecognized += result == TLV_UNKNOWN;
	}
	return 0;
}

int lldp_decode(const void *pdu, size_t len, struct discovery_info *info,
		struct discovery_parse_notes *notes)
{
	struct reader r;

	memset(info, 0, sizeof(*info));
	memset(notes, 0, sizeof(*notes));
	info->protocol = DISCOVERY_LLDP;
	reader_init(&r, pdu, len);
	if (!decode_mandatory(&r, info))
		return -EBADMSG;
	if (!info->ttl_s)
		return 0;
	return decode_optional(&r, info, notes);
}
