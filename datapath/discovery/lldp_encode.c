/* Sending: what we say of ourselves as an LLDPDU. */
#include "discovery/lldp_pdu.h"

#include "discovery/writer.h"

/*
 * Each TLV is written behind room for its header, which is filled in when its
 * length is known. One that does not fit, with the two bytes that end the
 * LLDPDU, is taken back as a whole.
 */
static uint8_t *begin(struct writer *w)
{
	uint8_t *start = w->at;

	put_be16(w, 0);
	return start;
}

static void end(struct writer *w, uint8_t *start, unsigned type, bool *too_long)
{
	size_t len = w->at - start - 2;

	if (w->failed || len > 511) {
		w->at = start;
		w->failed = false;
		if (too_long)
			*too_long = true;
		return;
	}
	store_be16(start, type << 9 | len);
}

static void put_id(struct writer *w, unsigned type,
		   const struct discovery_id *id)
{
	uint8_t *start = begin(w);

	put_u8(w, id->subtype);
	put_bytes(w, id->bytes, id->len);
	end(w, start, type, NULL);
}

static void put_text(struct writer *w, unsigned type, const char *text,
		     bool *too_long)
{
	size_t n = strlen(text);
	uint8_t *start;

	if (!n)
		return;
	start = begin(w);
	put_bytes(w, text, MIN(n, (size_t)DISCOVERY_TEXT_MAX));
	end(w, start, type, too_long);
}

static void put_capabilities(struct writer *w,
			     const struct discovery_info *info, bool *too_long)
{
	uint8_t *start;

	if (!info->has_capabilities)
		return;
	start = begin(w);
	put_be16(w, info->capabilities);
	put_be16(w, info->enabled);
	end(w, start, LLDP_TLV_CAPABILITIES, too_long);
}

static void put_address(struct writer *w, const struct discovery_address *a,
			bool *too_long)
{
	uint8_t *start = begin(w);

	put_u8(w, a->len + 1);
	put_u8(w, a->family);
	put_bytes(w, a->bytes, a->len);
	put_u8(w, a->numbering);
	put_be32(w, a->interface);
	put_u8(w, 0); /* no object identifier */
	end(w, start, LLDP_TLV_MANAGEMENT, too_long);
}

static uint8_t *begin_organization(struct writer *w, uint32_t oui,
				   uint8_t subtype)
{
	uint8_t *start = begin(w);

	put_be32(w, oui << 8 | subtype);
	return start;
}

static void put_vlans(struct writer *w, const struct discovery_info *info,
		      bool *too_long)
{
	uint8_t *start;

	if (info->has_pvid) {
		start = begin_organization(w, OUI_8021, 1);
		put_be16(w, info->pvid);
		end(w, start, LLDP_TLV_ORGANIZATION, too_long);
	}
	for (unsigned i = 0; i < info->n_ppvids; i++) {
		const struct discovery_ppvid *p = &info->ppvids[i];

		start = begin_organization(w, OUI_8021, 2);
		put_u8(w, p->supported * 2 + p->enabled * 4);
		put_be16(w, p->vid);
		end(w, start, LLDP_TLV_ORGANIZATION, too_long);
	}
	for (unsigned i = 0; i < info->n_vlans; i++) {
		size_t n = strlen(info->vlans[i].name);

		start = begin_organization(w, OUI_8021, 3);
		put_be16(w, info->vlans[i].vid);
		put_u8(w, n);
		put_bytes(w, info->vlans[i].name, n);
		end(w, start, LLDP_TLV_ORGANIZATION, too_long);
	}
}

/* In its place of today; the one that IEEE 802.3 gave it is deprecated. */
static void put_aggregation(struct writer *w, const struct discovery_info *info,
			    bool *too_long)
{
	uint8_t *start = begin_organization(w, OUI_8021, 7);

	put_u8(w, info->aggregation_capable + info->aggregated * 2);
	put_be32(w, info->aggregation_port);
	end(w, start, LLDP_TLV_ORGANIZATION, too_long);
}

static void put_link(struct writer *w, const struct discovery_info *info,
		     bool *too_long)
{
	uint8_t *start;

	if (info->has_aggregation)
		put_aggregation(w, info, too_long);
	if (info->has_mac_phy) {
		start = begin_organization(w, OUI_8023, 1);
		put_u8(w, info->autoneg_supported + info->autoneg_enabled * 2);
		put_be16(w, info->autoneg_advertised);
		put_be16(w, info->mau_type);
		end(w, start, LLDP_TLV_ORGANIZATION, too_long);
	}
	if (info->max_frame) {
		start = begin_organization(w, OUI_8023, 4);
		put_be16(w, info->max_frame);
		end(w, start, LLDP_TLV_ORGANIZATION, too_long);
	}
}

static void put_optional(struct writer *w, const struct discovery_info *info,
			 bool *too_long)
{
	put_text(w, LLDP_TLV_PORT_DESCRIPTION, info->port_description,
		 too_long);
	put_text(w, LLDP_TLV_SYSTEM_NAME, info->system_name, too_long);
	put_text(w, LLDP_TLV_SYSTEM_DESCRIPTION, info->system_description,
		 too_long);
	put_capabilities(w, info, too_long);
	for (unsigned i = 0; i < info->n_addresses; i++)
		put_address(w, &info->addresses[i], too_long);
	put_vlans(w, info, too_long);
	put_link(w, info, too_long);
}

size_t lldp_encode(const struct discovery_info *info, uint64_t source,
		   uint8_t frame[LLDP_FRAME_MAX], bool *too_long)
{
	struct writer w;
	uint8_t *start;

	if (too_long)
		*too_long = false;
	writer_init(&w, frame, LLDP_FRAME_MAX - 2);
	put_mac(&w, LLDP_NEAREST_MAC);
	put_mac(&w, source);
	put_be16(&w, ETH_TYPE_LLDP);
	put_id(&w, LLDP_TLV_CHASSIS, &info->chassis);
	put_id(&w, LLDP_TLV_PORT, &info->port);
	start = begin(&w);
	put_be16(&w, info->ttl_s);
	end(&w, start, LLDP_TLV_TTL, NULL);
	if (info->ttl_s)
		put_optional(&w, info, too_long);
	w.end += 2;
	put_be16(&w, LLDP_TLV_END);
	return writer_len(&w);
}
