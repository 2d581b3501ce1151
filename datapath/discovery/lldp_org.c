/*
 * Receiving: TLVs of IEEE 802.1 (802.1Q annex D) and IEEE 802.3 (clause 79).
 * Those of others, and of these the ones that say nothing to a switch (power,
 * protocol identities), are left alone.
 */
#include "discovery/lldp_pdu.h"
#include "discovery/text.h"
#include "packet/reader.h"

enum { ORG_8021_PVID = 1, ORG_8021_PPVID, ORG_8021_VLAN_NAME };
enum { ORG_8021_AGGREGATION = 7 };
enum { ORG_8023_MAC_PHY = 1, ORG_8023_AGGREGATION = 3, ORG_8023_MAX_FRAME };

static enum tlv_result decode_pvid(struct reader *r,
				   struct discovery_info *info)
{
	if (reader_left(r) != 2 || info->has_pvid)
		return TLV_BAD;
	info->has_pvid = true;
	info->pvid = reader_be16(r);
	return TLV_OK;
}

static enum tlv_result decode_ppvid(struct reader *r,
				    struct discovery_info *info)
{
	struct discovery_ppvid *ppvid;
	uint8_t flags;

	if (reader_left(r) != 3)
		return TLV_BAD;
	if (info->n_ppvids == DISCOVERY_PPVIDS_MAX) {
		info->n_left_out++;
		return TLV_OK;
	}
	ppvid = &info->ppvids[info->n_ppvids++];
	flags = reader_u8(r);
	ppvid->supported = flags & 2;
	ppvid->enabled = flags & 4;
	ppvid->vid = reader_be16(r);
	return TLV_OK;
}

static enum tlv_result decode_vlan_name(struct reader *r,
					struct discovery_info *info)
{
	struct discovery_vlan vlan = { .vid = reader_be16(r) };
	unsigned len = reader_u8(r);
	const uint8_t *name = reader_take(r, len);

	if (r->failed || reader_left(r) || len > DISCOVERY_VLAN_NAME_MAX)
		return TLV_BAD;
	if (info->n_vlans == DISCOVERY_VLANS_MAX) {
		info->n_left_out++;
		return TLV_OK;
	}
	text_clean(vlan.name, sizeof(vlan.name), name, len);
	info->vlans[info->n_vlans++] = vlan;
	return TLV_OK;
}

/* The same in both places. The newer one is believed, wherever it stands. */
static enum tlv_result decode_aggregation(struct reader *r,
					  struct discovery_info *info,
					  bool newer)
{
	uint8_t status;

	if (reader_left(r) != 5)
		return TLV_BAD;
	if (info->has_aggregation && !newer)
		return TLV_OK;
	status = reader_u8(r);
	info->has_aggregation = true;
	info->aggregation_capable = status & 1;
	info->aggregated = status & 2;
	info->aggregation_port = reader_be32(r);
	return TLV_OK;
}

static enum tlv_result decode_mac_phy(struct reader *r,
				      struct discovery_info *info)
{
	uint8_t status;

	if (reader_left(r) != 5 || info->has_mac_phy)
		return TLV_BAD;
	status = reader_u8(r);
	info->has_mac_phy = true;
	info->autoneg_supported = status & 1;
	info->autoneg_enabled = status & 2;
	info->autoneg_advertised = reader_be16(r);
	info->mau_type = reader_be16(r);
	return TLV_OK;
}

static enum tlv_result decode_max_frame(struct reader *r,
					struct discovery_info *info)
{
	if (reader_left(r) != 2 || info->max_frame)
		return TLV_BAD;
	info->max_frame = reader_be16(r);
	return TLV_OK;
}

static enum tlv_result decode_8021(uint8_t subtype, struct reader *r,
				   struct discovery_info *info)
{
	switch (subtype) {
	case ORG_8021_PVID:
		return decode_pvid(r, info);
	case ORG_8021_PPVID:
		return decode_ppvid(r, info);
	case ORG_8021_VLAN_NAME:
		return decode_vlan_name(r, info);
	case ORG_8021_AGGREGATION:
		return decode_aggregation(r, info, true);
	default:
		return TLV_UNKNOWN;
	}
}

static enum tlv_result decode_8023(uint8_t subtype, struct reader *r,
				   struct discovery_info *info)
{
	switch (subtype) {
	case ORG_8023_MAC_PHY:
		return decode_mac_phy(r, info);
	case ORG_8023_AGGREGATION:
		return decode_aggregation(r, info, false);
	case ORG_8023_MAX_FRAME:
		return decode_max_frame(r, info);
	default:
		return TLV_UNKNOWN;
	}
}

enum tlv_result lldp_decode_organization(struct reader *r,
					 struct discovery_info *info)
{
	uint32_t header = reader_be32(r); /* OUI and subtype */

	if (r->failed)
		return TLV_BAD;
	if (header >> 8 == OUI_8021)
		return decode_8021(header, r, info);
	if (header >> 8 == OUI_8023)
		return decode_8023(header, r, info);
	return TLV_UNKNOWN;
}
