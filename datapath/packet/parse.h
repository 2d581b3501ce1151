/*
 * Headers from Ethernet to the ports (IEEE 802.1Q, RFC 791, 8200, 9293, 768),
 * as far as a switch looks into a frame: for hashing, for checking what a
 * sender claims, for segmenting. All bounds-checked (reader.h); what is not
 * there or not well-formed is left out of the key, and never an error.
 */
#ifndef PACKET_PARSE_H
#define PACKET_PARSE_H

#include "packet/packet.h"
#include "packet/vlan.h"

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_IPV6 0x86dd
/* Smaller values are a length (IEEE 802.3), followed by LLC. */
#define ETH_TYPE_MIN 0x0600

#define FLOW_TAGS_MAX	 4 /* a third and fourth may be pushed on the way */
#define FLOW_IP6_EXT_MAX 8 /* extension headers walked at most */

enum flow_fragment {
	FLOW_FRAG_NONE,
	FLOW_FRAG_FIRST, /* ports are there */
	FLOW_FRAG_LATER, /* they are not */
};

struct flow_key {
	uint64_t dst_mac, src_mac; /* as load_mac() */
	uint16_t ethertype;	   /* behind the tags */
	uint8_t n_tags;
	uint8_t ip_version;	      /* 4, 6; 0: neither or malformed */
	uint16_t tpid[FLOW_TAGS_MAX]; /* outer first */
	uint16_t tci[FLOW_TAGS_MAX];
	uint8_t src_ip[16], dst_ip[16]; /* IPv4: the first four */
	uint8_t ip_proto; /* behind the extension headers; valid with l4 */
	uint8_t ip_tos, ip_ttl;
	uint8_t fragment;	     /* enum flow_fragment */
	uint16_t src_port, dst_port; /* ICMP: type and code in src_port */
	uint8_t tcp_flags;
	bool has_ports;
	/* offsets from the frame's first byte; 0: not there */
	uint16_t l3, l4;
};

/*
 * Fills the key from the first n bytes of a frame, which may be its headers
 * only: what lies behind them counts as not there. Returns false when there is
 * not even an Ethernet header with its tags; the key is all zeros then.
 */
bool flow_parse(const void *frame, size_t n, struct flow_key *key);

/* The same from the private header; pull first. */
static inline bool flow_parse_packet(const struct packet *p,
				     struct flow_key *key)
{
	return flow_parse(p->header, p->header_len, key);
}

/*
 * Bytes in front of the network header: addresses, up to max tags, type. Only
 * the private header is looked at; a pull of PACKET_PULL is enough.
 */
static inline uint32_t packet_l2_len(const struct packet *p, unsigned max)
{
	uint32_t len = ETH_HEADER_LEN;

	while (max-- && len <= p->header_len &&
	       eth_type_is_vlan(load_be16(p->header + len - 2)))
		len += VLAN_TAG_LEN;
	return len;
}

#endif
