/*
 * What a station says of itself by LLDP or CDP: what the decoders make of a
 * frame, and what the encoders make one of. No pointers, nothing that grows:
 * of what may come several times so many are kept, and more is counted.
 *
 * All text is clean: UTF-8 that a terminal, a log or JSON may have (text.h).
 */
#ifndef DISCOVERY_INFO_H
#define DISCOVERY_INFO_H

#include "base/util.h"

#define DISCOVERY_ID_MAX	255 /* IEEE 802.1AB 8.5.2.3 */
#define DISCOVERY_TEXT_MAX	255 /* 8.5.5 to 8.5.7 */
#define DISCOVERY_VERSION_MAX	511 /* CDP's software version; cut there */
#define DISCOVERY_VLAN_NAME_MAX 32  /* IEEE 802.1Q D.2.3 */
#define DISCOVERY_ADDRESSES_MAX 16
#define DISCOVERY_VLANS_MAX	32
#define DISCOVERY_PPVIDS_MAX	16

enum discovery_protocol {
	DISCOVERY_LLDP,
	DISCOVERY_CDP,
	N_DISCOVERY_PROTOCOLS
};

/* 8.5.2.2 */
enum discovery_chassis {
	CHASSIS_COMPONENT = 1,
	CHASSIS_INTERFACE_ALIAS,
	CHASSIS_PORT_COMPONENT,
	CHASSIS_MAC,
	CHASSIS_NETWORK_ADDRESS,
	CHASSIS_INTERFACE_NAME,
	CHASSIS_LOCAL,
};

/* 8.5.3.2 */
enum discovery_port_id {
	PORT_ID_INTERFACE_ALIAS = 1,
	PORT_ID_COMPONENT,
	PORT_ID_MAC,
	PORT_ID_NETWORK_ADDRESS,
	PORT_ID_INTERFACE_NAME,
	PORT_ID_AGENT_CIRCUIT,
	PORT_ID_LOCAL,
};

/* 8.5.8.1; bits of capabilities */
enum discovery_capability {
	CAPABILITY_OTHER = 1 << 0,
	CAPABILITY_REPEATER = 1 << 1,
	CAPABILITY_BRIDGE = 1 << 2,
	CAPABILITY_WLAN_AP = 1 << 3,
	CAPABILITY_ROUTER = 1 << 4,
	CAPABILITY_TELEPHONE = 1 << 5,
	CAPABILITY_DOCSIS = 1 << 6,
	CAPABILITY_STATION = 1 << 7,
	CAPABILITY_C_VLAN = 1 << 8,
	CAPABILITY_S_VLAN = 1 << 9,
	CAPABILITY_TPMR = 1 << 10,
};

/* An identifier as it is on the wire. */
struct discovery_id {
	uint8_t subtype;
	uint8_t len;
	uint8_t bytes[DISCOVERY_ID_MAX];
};

/* IANA address family numbers. */
enum discovery_family { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, FAMILY_MAC = 6 };

struct discovery_address {
	uint8_t family; /* enum discovery_family, or any other */
	uint8_t len;	/* 1 to 31 */
	uint8_t bytes[31];
	uint8_t numbering; /* 8.5.9.5: 1 unknown, 2 ifIndex, 3 port number */
	uint32_t interface;
};

struct discovery_vlan {
	uint16_t vid;
	char name[DISCOVERY_VLAN_NAME_MAX + 1];
};

struct discovery_ppvid {
	uint16_t vid;
	bool supported, enabled;
};

struct discovery_info {
	enum discovery_protocol protocol;
	uint16_t ttl_s;			   /* 0: it goes */
	struct discovery_id chassis, port; /* CDP: a name each */
	char port_description[DISCOVERY_TEXT_MAX + 1];
	char system_name[DISCOVERY_TEXT_MAX + 1];
	char system_description[DISCOVERY_VERSION_MAX + 1];

	bool has_capabilities;
	uint16_t capabilities, enabled; /* LLDP's bits; CDP's made of them */
	uint32_t cdp_capabilities;

	unsigned n_addresses;
	struct discovery_address addresses[DISCOVERY_ADDRESSES_MAX];

	bool has_pvid;
	uint16_t pvid; /* 0: there is none; CDP: the native VLAN */
	unsigned n_ppvids;
	struct discovery_ppvid ppvids[DISCOVERY_PPVIDS_MAX];
	unsigned n_vlans;
	struct discovery_vlan vlans[DISCOVERY_VLANS_MAX];
	unsigned n_left_out; /* addresses, VLANs, that there is no room for */

	bool has_aggregation;
	bool aggregation_capable, aggregated;
	uint32_t aggregation_port;

	bool has_mac_phy; /* IEEE 802.3 79.3.1 */
	bool autoneg_supported, autoneg_enabled;
	uint16_t autoneg_advertised, mau_type;
	uint16_t max_frame; /* 0: not said */

	/* CDP alone */
	uint8_t cdp_version;
	char platform[DISCOVERY_TEXT_MAX + 1];
	char vtp_domain[DISCOVERY_TEXT_MAX + 1];
	bool has_duplex, full_duplex;
	uint32_t mtu; /* 0: not said */
};

/* What a decoder found on the way: counters of IEEE 802.1AB 9.2.6. */
struct discovery_parse_notes {
	unsigned tlvs_discarded;    /* malformed, or too many of a kind */
	unsigned tlvs_unrecognized; /* of a type that we do not know */
};

/* What a TLV is to its decoder. */
enum tlv_result { TLV_OK, TLV_UNKNOWN, TLV_BAD };

#endif
