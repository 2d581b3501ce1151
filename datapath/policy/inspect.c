/* Where a frame's network header is, and which decoder judges it. */
#include "policy/inspect_internal.h"

#define LLC_SNAP_LEN	  8
#define IP6_HOP_LIMIT	  7
#define IP6_SOURCE	  8
#define HOP_LIMIT_OF_LINK 255 /* RFC 4861 3.1: it was on this link only */

/* RFC 1042, and IEEE 802.1H's bridge tunnels. */
static const uint8_t snap_ethernet[] = { 0xaa, 0xaa, 0x03, 0, 0, 0 };
static const uint8_t snap_tunnel[] = { 0xaa, 0xaa, 0x03, 0, 0, 0xf8 };

/* The type of a frame of IEEE 802.3, by its LLC header; 0: none. */
static void enter_llc(const struct packet *p, struct inspect_place *place)
{
	const uint8_t *llc = p->header + place->at;

	place->type = 0;
	if (place->at + LLC_SNAP_LEN > p->header_len)
		return;
	if (memcmp(llc, snap_ethernet, sizeof(snap_ethernet)) &&
	    memcmp(llc, snap_tunnel, sizeof(snap_tunnel)))
		return;
	place->type = load_be16(llc + 6);
	place->at += LLC_SNAP_LEN;
}

int inspect_locate(struct packet *p, struct inspect_place *place)
{
	packet_pull(p, PACKET_PULL_MAX);
	place->at = (uint16_t)packet_l2_len(p, FLOW_TAGS_MAX);
	if (place->at > p->header_len) {
		place->type = 0; /* cut in its tags: no receiver takes it */
		return -1;
	}
	place->type = load_be16(p->header + place->at - 2);
	if (place->type < ETH_TYPE_MIN)
		enter_llc(p, place);
	return eth_type_is_vlan(place->type) ? DROP_UNINSPECTED : -1;
}

static int inspect_ip4(const struct inspect_rules *rules, const uint8_t *ip,
		       size_t n, size_t frame_len)
{
	struct inspect_upper upper = inspect_upper4(ip, n, frame_len);

	if (upper.state == UPPER_NONE)
		return -1;
	if (rules->dhcp_guard && upper.protocol == PROTOCOL_UDP)
		return upper.state == UPPER_THERE ? dhcp_guard4(upper.data)
						  : DROP_UNINSPECTED;
	if (rules->router_guard && upper.protocol == PROTOCOL_ICMP)
		return upper.state == UPPER_THERE ? ra_guard4(upper.data)
						  : DROP_UNINSPECTED;
	return -1;
}

static int inspect_icmp6(const struct inspect_rules *rules, uint64_t src_mac,
			 const uint8_t *source,
			 const struct inspect_upper *upper)
{
	const struct allowed *a = &rules->allowed;

	if (rules->router_guard && ra_guard6(upper->data) >= 0)
		return DROP_ROUTER;
	return a->guards_macs || a->guards_ips
		       ? nd_inspect(a, src_mac, source, upper)
		       : -1;
}

static int inspect_ip6(const struct inspect_rules *rules, uint64_t src_mac,
		       const uint8_t *ip, size_t n, size_t frame_len)
{
	struct inspect_upper upper = inspect_upper6(ip, n, frame_len);

	if (upper.state == UPPER_NONE)
		return -1;
	/* Of routers and neighbors only what has not come by a router. */
	if (upper.state == UPPER_HIDDEN)
		return rules->dhcp_guard ||
				       ip[IP6_HOP_LIMIT] == HOP_LIMIT_OF_LINK
			       ? DROP_UNINSPECTED
			       : -1;
	if (upper.protocol == PROTOCOL_ICMP6)
		return inspect_icmp6(rules, src_mac, ip + IP6_SOURCE, &upper);
	if (rules->dhcp_guard && upper.protocol == PROTOCOL_UDP)
		return dhcp_guard6(upper.data);
	return -1;
}

int inspect_packet(const struct inspect_rules *rules, const struct packet *p,
		   const struct inspect_place *place)
{
	const struct allowed *a = &rules->allowed;
	const uint8_t *at = p->header + place->at;
	size_t n = p->header_len - place->at, frame_len = p->len - place->at;
	uint64_t src_mac = load_mac(p->header + 6);

	switch (place->type) {
	case ETH_TYPE_ARP:
	case ETH_TYPE_RARP:
		if (!a->guards_macs && !a->guards_ips)
			return -1;
		return arp_inspect(a, src_mac, at, n,
				   place->type == ETH_TYPE_RARP);
	case ETH_TYPE_IPV4:
		return inspect_ip4(rules, at, n, frame_len);
	case ETH_TYPE_IPV6:
		return inspect_ip6(rules, src_mac, at, n, frame_len);
	default:
		return -1;
	}
}
