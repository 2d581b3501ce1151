/*
 * Frames that are for the control thread: those of link-local protocols, which
 * end here, and copies of what tells a station's IP address. All of them have
 * group addresses, so other frames are not even looked at; but for answers that
 * tell an address, at ports that want those (PUNT_ANSWERS).
 */
#include "forward/punt.h"
#include "forward/stage.h"
#include "packet/parse.h"

#define MAC_LLDP_TOP  0x0180c2000000ull /* IEEE 802.1AB clause 7.1 */
#define MAC_CDP	      0x01000cccccccull
#define MAC_ALL_NODES 0x333300000001ull /* RFC 2464 clause 7 */

#define ETH_TYPE_SLOW 0x8809
#define ETH_TYPE_LLDP 0x88cc

/* LLC and SNAP of CDP: its neighbours VTP, DTP and UDLD differ at the end. */
static const uint8_t cdp_snap[] = { 0xaa, 0xaa, 0x03, 0x00,
				    0x00, 0x0c, 0x20, 0x00 };

#define ICMP6_NS	135
#define ICMP6_NA	136
#define NA_SOLICITED	0x40
#define NEXT_ICMP6	58
#define IPV6_HEADER_LEN 40

/*
 * Where the frame's type is, 0: it is not for protocols, which know no VLANs (a
 * priority tag alone is none: IEEE 802.1Q clause 6.13).
 */
static unsigned find_type(const struct packet *p)
{
	if (!eth_type_is_vlan(load_be16(p->header + 12)))
		return 12;
	if (p->header_len < ETH_HEADER_LEN + VLAN_TAG_LEN ||
	    VLAN_VID(load_be16(p->header + 14)))
		return 0;
	return 12 + VLAN_TAG_LEN;
}

static bool is_cdp(const struct packet *p, unsigned at)
{
	return load_be16(p->header + at) < ETH_TYPE_MIN &&
	       p->header_len >= at + 2 + sizeof(cdp_snap) &&
	       !memcmp(p->header + at + 2, cdp_snap, sizeof(cdp_snap));
}

static bool is_lldp_address(uint64_t dst)
{
	return dst == MAC_LLDP_TOP || dst == (MAC_LLDP_TOP | 3) ||
	       dst == (MAC_LLDP_TOP | 0xe);
}

/*
 * Those of other bonds are frames like others: they have to reach those, the
 * type is anybody's for experiments, and a hundred switches' would leave no
 * room in the port's rate for its own.
 */
static bool is_own_beacon(const struct fwd_port *in, const struct packet *p)
{
	struct beacon beacon;

	return in->punts >> PUNT_BEACON & 1 &&
	       beacon_parse(p->header, p->header_len, &beacon) &&
	       beacon.identity == in->beacons;
}

/* The protocol that a frame to a group address belongs to, or N_PUNT_KINDS. */
static enum punt_kind protocol_of(const struct fwd_port *in,
				  const struct packet *p, uint64_t dst)
{
	unsigned at = find_type(p);
	uint16_t type;

	if (!at)
		return N_PUNT_KINDS;
	type = load_be16(p->header + at);
	if (type == BEACON_ETHERTYPE && is_own_beacon(in, p))
		return PUNT_BEACON;
	if (type == ETH_TYPE_SLOW && dst == MAC_SLOW)
		return PUNT_SLOW;
	if (type == ETH_TYPE_LLDP && is_lldp_address(dst))
		return PUNT_LLDP;
	if (dst == MAC_CDP && is_cdp(p, at))
		return PUNT_CDP;
	return N_PUNT_KINDS;
}

int protocol_punt(const struct fwd_port *in, const struct packet *p,
		  uint64_t dst)
{
	enum punt_kind kind = protocol_of(in, p, dst);

	if (kind == N_PUNT_KINDS || !(in->punts >> kind & 1) || !in->punt)
		return -1;
	switch (punt_packet(in->punt, p, kind, 0)) {
	case PUNT_LIMITED:
		return DROP_PUNT_LIMITED;
	case PUNT_FULL:
		return DROP_PUNT_FULL;
	default:
		break;
	}
	if (unlikely(in->capture))
		capture_packet(in->capture, p, CAPTURE_IN);
	return INGRESS_PUNTED;
}

/* A solicitation, or an advertisement that nobody asked for (RFC 4861). */
static bool is_neighbor_discovery(const struct packet *p, unsigned at)
{
	const uint8_t *icmp = p->header + at + 2 + IPV6_HEADER_LEN;

	if (p->header_len < at + 2 + IPV6_HEADER_LEN + 5 ||
	    p->header[at + 8] != NEXT_ICMP6)
		return false;
	return icmp[0] == ICMP6_NS ||
	       (icmp[0] == ICMP6_NA && !(icmp[4] & NA_SOLICITED));
}

/* The type behind the packet's own VLAN's tag, which an admitted frame has. */
static unsigned type_at(const struct item *item)
{
	return item->vlan.tag ? 12 + VLAN_TAG_LEN : 12;
}

void protocol_copy_neighbors(const struct stage *s)
{
	const struct fwd_port *in = s->in;

	for (unsigned i = 0; i < s->n_items; i++) {
		const struct item *item = &s->items[i];
		const struct packet *p = item->packet;
		unsigned at = type_at(item);
		uint16_t type;

		if (!(p->header[0] & 1))
			continue;
		type = load_be16(p->header + at);
		if (type == ETH_TYPE_ARP ||
		    (type == ETH_TYPE_IPV6 && is_neighbor_discovery(p, at)))
			(void)punt_packet(in->punt, p, PUNT_NEIGHBOR,
					  item->vlan.vid);
	}
}

#define ETH_TYPE_RARP 0x8035 /* RFC 903 */
#define ARP_REQUEST   1
#define ARP_REPLY     2
#define ARP_LEN	      28

#define ANSWER_LEN (2 + IPV6_HEADER_LEN + 1) /* from the type to ICMP's */

/* ANSWER_LEN bytes from the type on: an ARP reply, or an advertisement. */
static inline bool is_answer(const uint8_t *from)
{
	uint16_t type = load_be16(from);

	if (unlikely(type == ETH_TYPE_ARP))
		return load_be16(from + 2 + 6) == ARP_REPLY;
	return type == ETH_TYPE_IPV6 && from[2 + 6] == NEXT_ICMP6 &&
	       from[2 + IPV6_HEADER_LEN] == ICMP6_NA;
}

void protocol_copy_answers(const struct stage *s)
{
	const struct fwd_port *in = s->in;

	for (unsigned i = 0; in->punt && i < s->n_items; i++) {
		const struct item *item = &s->items[i];
		const struct packet *p = item->packet;
		unsigned at = type_at(item);

		/* Those to groups are protocol_copy_neighbors()'. */
		if (p->header[0] & 1 || p->header_len < at + ANSWER_LEN ||
		    !is_answer(p->header + at))
			continue;
		(void)punt_packet(in->punt, p, PUNT_NEIGHBOR, item->vlan.vid);
	}
}

bool protocol_has_answers(const struct packet *packets, unsigned n)
{
	_Static_assert(12 + ANSWER_LEN <= PACKET_PULL, "at hand");

	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = &packets[i];
		const uint8_t *frame = at_hand(p);

		if (unlikely(!frame || (p->state != PACKET_STATE_UNTOUCHED &&
					p->header_len < 12 + ANSWER_LEN)))
			return true;
		if (unlikely(is_answer(frame + 12)))
			return true;
	}
	return false;
}

/*
 * An ARP packet that asks nobody: a reply to all, or a request of one's own
 * address (RFC 5227 clause 3); the operation and addresses are those of
 * Ethernet and IPv4.
 */
static bool is_gratuitous_arp(const struct packet *p, unsigned at)
{
	const uint8_t *arp = p->header + at + 2;

	if (p->header_len < at + 2 + ARP_LEN ||
	    load_mac(p->header) != MAC_BROADCAST)
		return false;
	switch (load_be16(arp + 6)) {
	case ARP_REPLY:
		return true;
	case ARP_REQUEST:
		return !memcmp(arp + 14, arp + 24, 4);
	default:
		return false;
	}
}

/* Its solicitations ask; an advertisement to all does not. */
static bool is_gratuitous_na(const struct packet *p, unsigned at)
{
	return is_neighbor_discovery(p, at) &&
	       p->header[at + 2 + IPV6_HEADER_LEN] == ICMP6_NA &&
	       load_mac(p->header) == MAC_ALL_NODES;
}

bool protocol_is_announcement(const struct item *item)
{
	const struct packet *p = item->packet;
	unsigned at = type_at(item);

	switch (load_be16(p->header + at)) {
	case ETH_TYPE_ARP:
		return is_gratuitous_arp(p, at);
	case ETH_TYPE_RARP:
		return load_mac(p->header) == MAC_BROADCAST;
	case ETH_TYPE_IPV6:
		return is_gratuitous_na(p, at);
	default:
		return false;
	}
}
