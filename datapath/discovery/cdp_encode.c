/* Sending: what we say of ourselves by CDP. */
#include "discovery/cdp_pdu.h"

#include "discovery/writer.h"

static uint8_t *begin(struct writer *w, unsigned type)
{
	uint8_t *start = w->at;

	put_be16(w, type);
	put_be16(w, 0); /* the length */
	return start;
}

/* What does not fit is taken back as a whole. */
static void end(struct writer *w, uint8_t *start, bool *too_long)
{
	if (w->failed) {
		w->at = start;
		w->failed = false;
		if (too_long)
			*too_long = true;
		return;
	}
	store_be16(start + 2, w->at - start);
}

static void put_tlv(struct writer *w, unsigned type, const void *bytes,
		    size_t n, bool *too_long)
{
	uint8_t *start;

	if (!n)
		return;
	start = begin(w, type);
	put_bytes(w, bytes, n);
	end(w, start, too_long);
}

static void put_text(struct writer *w, unsigned type, const char *text,
		     bool *too_long)
{
	put_tlv(w, type, text, strlen(text), too_long);
}

static bool is_ip(const struct discovery_address *a)
{
	return (a->family == FAMILY_IPV4 && a->len == 4) ||
	       (a->family == FAMILY_IPV6 && a->len == 16);
}

static void put_addresses(struct writer *w, unsigned type,
			  const struct discovery_info *info, bool *too_long)
{
	unsigned n = 0;
	uint8_t *start;

	for (unsigned i = 0; i < info->n_addresses; i++)
		n += is_ip(&info->addresses[i]);
	if (!n)
		return;
	start = begin(w, type);
	put_be32(w, n);
	for (unsigned i = 0; i < info->n_addresses; i++) {
		const struct discovery_address *a = &info->addresses[i];

		if (!is_ip(a))
			continue;
		if (a->len == 4) {
			put_u8(w, 1); /* an NLPID follows */
			put_u8(w, 1);
			put_u8(w, CDP_NLPID_IP);
		} else {
			put_u8(w, 2); /* an LLC header */
			put_u8(w, 8);
			put_bytes(w, CDP_PROTOCOL_IPV6, 8);
		}
		put_be16(w, a->len);
		put_bytes(w, a->bytes, a->len);
	}
	end(w, start, too_long);
}

static void put_number(struct writer *w, unsigned type, uint32_t value,
		       unsigned size)
{
	uint8_t bytes[4];

	store_be32(bytes, value);
	put_tlv(w, type, bytes + 4 - size, size, NULL);
}

/* Version 2 brought what is from the VTP domain on. */
static void put_version_2(struct writer *w, const struct discovery_info *info,
			  bool *too_long)
{
	put_text(w, CDP_TLV_VTP_DOMAIN, info->vtp_domain, too_long);
	if (info->has_pvid && info->pvid)
		put_number(w, CDP_TLV_NATIVE_VLAN, info->pvid, 2);
	if (info->has_duplex)
		put_number(w, CDP_TLV_DUPLEX, info->full_duplex, 1);
	if (info->mtu)
		put_number(w, CDP_TLV_MTU, info->mtu, 4);
	put_text(w, CDP_TLV_SYSTEM_NAME, info->system_name, too_long);
	put_addresses(w, CDP_TLV_MANAGEMENT, info, too_long);
}

static void put_pdu(struct writer *w, const struct discovery_info *info,
		    bool *too_long)
{
	uint8_t *pdu = w->at;

	put_u8(w, info->cdp_version);
	put_u8(w, MIN(info->ttl_s, CDP_TTL_MAX));
	put_be16(w, 0);
	put_tlv(w, CDP_TLV_DEVICE, info->chassis.bytes, info->chassis.len,
		too_long);
	put_tlv(w, CDP_TLV_PORT, info->port.bytes, info->port.len, too_long);
	put_number(w, CDP_TLV_CAPABILITIES, info->cdp_capabilities, 4);
	put_text(w, CDP_TLV_VERSION, info->system_description, too_long);
	put_text(w, CDP_TLV_PLATFORM, info->platform, too_long);
	put_addresses(w, CDP_TLV_ADDRESSES, info, too_long);
	if (info->cdp_version > 1)
		put_version_2(w, info, too_long);
	store_be16(pdu + 2, cdp_checksum(pdu, w->at - pdu));
}

size_t cdp_encode(const struct discovery_info *info, uint64_t source,
		  uint8_t frame[CDP_FRAME_MAX], bool *too_long)
{
	struct writer w;
	uint8_t *length;

	if (too_long)
		*too_long = false;
	writer_init(&w, frame, CDP_FRAME_MAX);
	put_mac(&w, CDP_MAC);
	put_mac(&w, source);
	length = w.at;
	put_be16(&w, 0);
	put_be32(&w, CDP_SNAP_HI);
	put_be32(&w, CDP_SNAP_LO);
	put_pdu(&w, info, too_long);
	store_be16(length, w.at - length - 2);
	return writer_len(&w);
}
