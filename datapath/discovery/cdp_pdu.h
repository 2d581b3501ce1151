/*
 * Cisco Discovery Protocol, versions 1 and 2, to and from bytes. There is no
 * standard; what is here is what devices send, as Wireshark and lldpd know it.
 */
#ifndef DISCOVERY_CDP_PDU_H
#define DISCOVERY_CDP_PDU_H

#include "discovery/info.h"

#define CDP_MAC	      0x01000cccccccull
#define CDP_FRAME_MAX 1514 /* without FCS */
#define CDP_TTL_MAX   255

/* What we send; of what we receive, too. */
#define CDP_CAPABILITY_ROUTER 0x01
#define CDP_CAPABILITY_BRIDGE 0x02
#define CDP_CAPABILITY_SWITCH 0x08
#define CDP_CAPABILITY_HOST   0x10

/*
 * Decodes a frame's bytes behind the two addresses: length, LLC, SNAP, PDU. 0;
 * -EPROTONOSUPPORT for another protocol to the same address (VTP, DTP, UDLD,
 * ...), or -EBADMSG when the checksum is wrong, a TLV is cut short, or there
 * is no device id or port id.
 */
int cdp_decode(const void *data, size_t len, struct discovery_info *info,
	       struct discovery_parse_notes *notes);

/*
 * A frame of the version in info->cdp_version (1 or 2). Its length.
 */
size_t cdp_encode(const struct discovery_info *info, uint64_t source,
		  uint8_t frame[CDP_FRAME_MAX], bool *too_long);

/* The checksum of n bytes in which its own field is 0. */
uint16_t cdp_checksum(const void *pdu, size_t n);

/* --- between the files ----------------------------------------------------
 */

enum cdp_tlv {
	CDP_TLV_DEVICE = 0x0001,
	CDP_TLV_ADDRESSES = 0x0002,
	CDP_TLV_PORT = 0x0003,
	CDP_TLV_CAPABILITIES = 0x0004,
	CDP_TLV_VERSION = 0x0005,
	CDP_TLV_PLATFORM = 0x0006,
	CDP_TLV_VTP_DOMAIN = 0x0009,
	CDP_TLV_NATIVE_VLAN = 0x000a,
	CDP_TLV_DUPLEX = 0x000b,
	CDP_TLV_MTU = 0x0011,
	CDP_TLV_SYSTEM_NAME = 0x0014,
	CDP_TLV_MANAGEMENT = 0x0016,
};

#define CDP_SNAP_HI  0xaaaa0300 /* LLC, and Cisco's OUI with the type CDP */
#define CDP_SNAP_LO  0x000c2000
#define CDP_NLPID_IP 0xcc
/* The protocol of an IPv6 address: LLC, SNAP, ethertype. */
#define CDP_PROTOCOL_IPV6 "\xaa\xaa\x03\x00\x00\x00\x86\xdd"

#endif
