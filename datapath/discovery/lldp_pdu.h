/*
 * LLDPDUs (IEEE 802.1AB-2016 clause 8) to and from bytes, with the
 * organizationally specific TLVs of IEEE 802.1 (802.1Q annex D) and IEEE 802.3
 * (clause 79) that a switch has use for.
 */
#ifndef DISCOVERY_LLDP_PDU_H
#define DISCOVERY_LLDP_PDU_H

#include "discovery/info.h"

#define ETH_TYPE_LLDP	 0x88cc
#define LLDP_NEAREST_MAC 0x0180c200000eull
#define LLDP_FRAME_MAX	 1514 /* without FCS; the PDU is up to 1500 */

/*
 * Decodes an LLDPDU: what follows the ethertype. 0, or -EBADMSG when all of it
 * is to be discarded (9.2.7.7: the first three TLVs, and no second one of
 * them, and no TLV beyond the end). Of a shutdown LLDPDU only the identifiers
 * and ttl_s 0 are set. notes are of what was read, in any case.
 */
int lldp_decode(const void *pdu, size_t len, struct discovery_info *info,
		struct discovery_parse_notes *notes);

/*
 * A frame that says it all, or with ttl_s 0 a shutdown LLDPDU, to the nearest
 * bridge. Returns its length. What does not fit is left out, and
 * *too_long (may be NULL) is set. Texts that are empty are not said.
 */
size_t lldp_encode(const struct discovery_info *info, uint64_t source,
		   uint8_t frame[LLDP_FRAME_MAX], bool *too_long);

/* --- between the files ----------------------------------------------------
 */

enum lldp_tlv {
	LLDP_TLV_END,
	LLDP_TLV_CHASSIS,
	LLDP_TLV_PORT,
	LLDP_TLV_TTL,
	LLDP_TLV_PORT_DESCRIPTION,
	LLDP_TLV_SYSTEM_NAME,
	LLDP_TLV_SYSTEM_DESCRIPTION,
	LLDP_TLV_CAPABILITIES,
	LLDP_TLV_MANAGEMENT,
	LLDP_TLV_ORGANIZATION = 127,
};

#define OUI_8021 0x0080c2
#define OUI_8023 0x00120f

struct reader;
/* lldp_org.c: the information string of an organization's TLV. */
enum tlv_result lldp_decode_organization(struct reader *r,
					 struct discovery_info *info);

#endif
