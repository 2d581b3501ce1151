/*
 * ARP (RFC 826), neighbour discovery (RFC 4861) and RARP (RFC 903): what a
 * station says of its own address, and frames that say it for one.
 */
#include "packet/neighbor.h"

#include "packet/csum.h"
#include "packet/parse.h"
#include "packet/reader.h"
#include "packet/vlan.h"

#define ETH_TYPE_RARP 0x8035

#define ARP_REQUEST  1
#define ARP_REPLY    2
#define RARP_REQUEST 3

#define PROTOCOL_ICMP6	       58
#define ICMP6_SOLICITATION     135
#define ICMP6_ADVERTISEMENT    136
#define OPTION_SOURCE_ADDRESS  1
#define OPTION_TARGET_ADDRESS  2
#define ADVERTISEMENT_OVERRIDE 0x20

#define ARP_LEN	  28
#define FRAME_MIN 60 /* Ethernet's, without FCS */

static bool ip_is_station(const uint8_t *ip, unsigned len)
{
	static const uint8_t zero[16], loopback6[16] = { [15] = 1 };

	if (!memcmp(ip, zero, len))
		return false;
	if (len == 16)
		return ip[0] != 0xff && memcmp(ip, loopback6, 16);
	/* not 0/8, not loopback, not multicast, reserved or broadcast */
	return ip[0] != 0 && ip[0] != 127 && ip[0] < 224;
}

static bool mac_is_station(uint64_t mac)
{
	return mac && !mac_is_multicast(mac);
}

static bool parse_arp(struct reader *r, struct neighbor *n)
{
	uint16_t hardware = reader_be16(r), protocol = reader_be16(r);
	uint8_t hardware_len = reader_u8(r), protocol_len = reader_u8(r);
	uint16_t operation = reader_be16(r);
	uint64_t sender = reader_mac(r);
	const uint8_t *sender_ip = reader_take(r, 4), *target_ip;

	reader_skip(r, 6);
	target_ip = reader_take(r, 4);
	if (r->failed || hardware != 1 || protocol != ETH_TYPE_IPV4 ||
	    hardware_len != 6 || protocol_len != 4 ||
	    (operation != ARP_REQUEST && operation != ARP_REPLY) ||
	    sender != n->mac)
		return false;
	memcpy(n->ip, sender_ip, 4);
	n->ip_len = 4;
	n->gratuitous = !memcmp(sender_ip, target_ip, 4);
	return true;
}

/* The link-layer address of an option, 0 when there is none that can be. */
static uint64_t find_option(struct reader *r, uint8_t wanted)
{
	while (reader_left(r) >= 8) {
		uint8_t type = reader_u8(r), units = reader_u8(r);
		struct reader option;

		if (!units)
			return 0;
		option = reader_sub(r, units * 8u - 2);
		if (type == wanted)
			return reader_mac(&option);
	}
	return 0;
}

/*
 * RFC 4861 7.1.1 and 7.1.2: hop limit 255, code 0, a unicast target. The
 * checksum is not looked at: a sender may have left it to the device.
 */
static bool parse_icmp6(struct reader *r, const uint8_t *source,
			const uint8_t *destination, struct neighbor *n)
{
	uint8_t type = reader_u8(r), code = reader_u8(r);
	bool solicits = type == ICMP6_SOLICITATION;
	const uint8_t *target;
	uint64_t mac;

	reader_skip(r, 6);
	target = reader_take(r, 16);
	if (r->failed || code || (!solicits && type != ICMP6_ADVERTISEMENT))
		return false;
	mac = find_option(r, solicits ? OPTION_SOURCE_ADDRESS
				      : OPTION_TARGET_ADDRESS);
	/* An option may be missing (7.2.4), but not name somebody else. */
	if (r->failed || (mac && mac != n->mac))
		return false;
	/* 7.2.2: a proxy's advertisement names its own MAC, and is believed. */
	memcpy(n->ip, solicits ? source : target, 16);
	n->ip_len = 16;
	n->gratuitous = !solicits && destination[0] == 0xff;
	return true;
}

static bool parse_ipv6(struct reader *r, struct neighbor *n)
{
	uint32_t flow = reader_be32(r);
	uint16_t len = reader_be16(r);
	uint8_t next = reader_u8(r), hops = reader_u8(r);
	const uint8_t *source = reader_take(r, 16);
	const uint8_t *destination = reader_take(r, 16);
	struct reader payload = reader_sub(r, len);

	if (r->failed || flow >> 28 != 6 || next != PROTOCOL_ICMP6 ||
	    hops != 255)
		return false;
	return parse_icmp6(&payload, source, destination, n);
}

bool neighbor_parse(const void *frame, size_t n, struct neighbor *neighbor)
{
	struct reader r;
	uint16_t type;
	bool said = false;

	memset(neighbor, 0, sizeof(*neighbor));
	reader_init(&r, frame, n);
	reader_skip(&r, 6);
	neighbor->mac = reader_mac(&r);
	type = reader_be16(&r);
	for (unsigned tags = 0; tags < 2 && eth_type_is_vlan(type); tags++) {
		reader_skip(&r, 2);
		type = reader_be16(&r);
	}
	if (r.failed || !mac_is_station(neighbor->mac))
		return false;
	if (type == ETH_TYPE_ARP)
		said = parse_arp(&r, neighbor);
	else if (type == ETH_TYPE_IPV6)
		said = parse_ipv6(&r, neighbor);
	return said && ip_is_station(neighbor->ip, neighbor->ip_len);
}

/* --- frames that say it ------------------------------------------------ */

static void store_mac(uint8_t *p, uint64_t mac)
{
	store_be16(p, (uint16_t)(mac >> 32));
	store_be32(p + 2, (uint32_t)mac);
}

static uint8_t *put_ethernet(uint8_t *p, uint64_t to, uint64_t from,
			     uint16_t type)
{
	store_mac(p, to);
	store_mac(p + 6, from);
	store_be16(p + 12, type);
	return p + ETH_HEADER_LEN;
}

static void put_arp(uint8_t *p, uint16_t operation, uint64_t mac,
		    const uint8_t *ip, uint64_t target)
{
	store_be16(p, 1);
	store_be16(p + 2, ETH_TYPE_IPV4);
	p[4] = 6;
	p[5] = 4;
	store_be16(p + 6, operation);
	store_mac(p + 8, mac);
	store_mac(p + 18, target);
	if (ip) {
		memcpy(p + 14, ip, 4);
		memcpy(p + 24, ip, 4);
	}
}

/* RFC 4861 7.2.6, to all nodes, with the override flag. */
static size_t put_advertisement(uint64_t mac, const uint8_t *ip, uint8_t *frame)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	uint8_t *ip6 = put_ethernet(frame, 0x333300000001, mac, ETH_TYPE_IPV6);
	uint8_t *icmp = ip6 + 40;
	const unsigned len = 32;

	ip6[0] = 0x60;
	store_be16(ip6 + 4, len);
	ip6[6] = PROTOCOL_ICMP6;
	ip6[7] = 255;
	memcpy(ip6 + 8, ip, 16);
	memcpy(ip6 + 24, all_nodes, 16);
	icmp[0] = ICMP6_ADVERTISEMENT;
	icmp[4] = ADVERTISEMENT_OVERRIDE;
	memcpy(icmp + 8, ip, 16);
	icmp[24] = OPTION_TARGET_ADDRESS;
	icmp[25] = 1;
	store_mac(icmp + 26, mac);
	csum_store(icmp + 2,
		   csum_add(csum_pseudo6(ip6, PROTOCOL_ICMP6, len), icmp, len));
	return ETH_HEADER_LEN + 40 + len;
}

size_t neighbor_announce(uint64_t mac, const uint8_t *ip, unsigned ip_len,
			 uint8_t frame[NEIGHBOR_FRAME_MAX])
{
	uint8_t *p;

	memset(frame, 0, NEIGHBOR_FRAME_MAX);
	if (ip && ip_len == 16)
		return put_advertisement(mac, ip, frame);
	if (ip && ip_len == 4) {
		/* RFC 5227 2.3: a request with both addresses ours */
		p = put_ethernet(frame, MAC_BROADCAST, mac, ETH_TYPE_ARP);
		put_arp(p, ARP_REQUEST, mac, ip, 0);
		return FRAME_MIN;
	}
	p = put_ethernet(frame, MAC_BROADCAST, mac, ETH_TYPE_RARP);
	put_arp(p, RARP_REQUEST, mac, NULL, mac);
	return FRAME_MIN;
}

/* RFC 4862 5.4.2, to the address's solicited-node group */
static size_t put_solicitation(uint64_t mac, const uint8_t *ip, uint8_t *frame)
{
	static const uint8_t group[13] = { 0xff, 0x02, [11] = 1, 0xff };
	uint64_t to = 0x3333ff000000 | (load_be32(ip + 12) & 0xffffff);
	uint8_t *ip6 = put_ethernet(frame, to, mac, ETH_TYPE_IPV6);
	uint8_t *icmp = ip6 + 40;
	const unsigned len = 24;

	ip6[0] = 0x60;
	store_be16(ip6 + 4, len);
	ip6[6] = PROTOCOL_ICMP6;
	ip6[7] = 255;
	memcpy(ip6 + 24, ip, 16);
	memcpy(ip6 + 24, group, sizeof(group));
	icmp[0] = ICMP6_SOLICITATION;
	memcpy(icmp + 8, ip, 16);
	csum_store(icmp + 2,
		   csum_add(csum_pseudo6(ip6, PROTOCOL_ICMP6, len), icmp, len));
	return ETH_HEADER_LEN + 40 + len;
}

size_t neighbor_probe(uint64_t mac, const uint8_t *ip, unsigned ip_len,
		      uint8_t frame[NEIGHBOR_FRAME_MAX])
{
	uint8_t *p;

	memset(frame, 0, NEIGHBOR_FRAME_MAX);
	if (ip_len == 16)
		return put_solicitation(mac, ip, frame);
	p = put_ethernet(frame, MAC_BROADCAST, mac, ETH_TYPE_ARP);
	put_arp(p, ARP_REQUEST, mac, ip, 0);
	memset(p + 14, 0, 4); /* the sender has none */
	return FRAME_MIN;
}
