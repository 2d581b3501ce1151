/*
 * Congestion marks at the tunnel's end (RFC 6040): what routers on the outer
 * packet's way have marked, the inner packet's receiver must learn.
 */
#include "tunnel/vxlan_internal.h"

#include "packet/parse.h"

enum ecn { NOT_ECT, ECT_1, ECT_0, CE };

/* RFC 6040, figure 4: by inner, then by outer mark. */
static const struct {
	uint8_t mark;
	bool alarm, drop;
} ecn_out[4][4] = {
	[NOT_ECT] = { [NOT_ECT] = { NOT_ECT, false, false },
		      [ECT_0] = { NOT_ECT, true, false },
		      [ECT_1] = { NOT_ECT, true, false },
		      [CE] = { NOT_ECT, true, true } },
	[ECT_0] = { [NOT_ECT] = { ECT_0, false, false },
		    [ECT_0] = { ECT_0, false, false },
		    [ECT_1] = { ECT_1, false, false },
		    [CE] = { CE, false, false } },
	[ECT_1] = { [NOT_ECT] = { ECT_1, false, false },
		    [ECT_0] = { ECT_1, true, false },
		    [ECT_1] = { ECT_1, false, false },
		    [CE] = { CE, false, false } },
	[CE] = { [NOT_ECT] = { CE, false, false },
		 [ECT_0] = { CE, false, false },
		 [ECT_1] = { CE, true, false },
		 [CE] = { CE, false, false } },
};

/* The header checksum of what it was, right or not, by RFC 1624. */
static void mark_ipv4(uint8_t *ip, uint8_t mark)
{
	uint16_t before, after, sum;
	uint32_t s;

	memcpy(&before, ip, 2);
	ip[1] = (ip[1] & 0xfc) | mark;
	memcpy(&after, ip, 2);
	memcpy(&sum, ip + 10, 2);
	s = (uint16_t)~sum + (uint32_t)(uint16_t)~before + after;
	sum = ~csum_fold(s);
	memcpy(ip + 10, &sum, 2);
}

static void mark_ipv6(uint8_t *ip, uint8_t mark)
{
	ip[1] = (ip[1] & 0xcf) | mark << 4;
}

enum vxlan_fault vxlan_take_ecn(struct packet *inner, struct vxlan_info *info)
{
	unsigned outer = info->tos & 3, mark, was;
	uint8_t *ip;
	uint32_t l3;
	uint16_t type;

	if (likely(!outer))
		return VXLAN_OK; /* all of them stay as they are */
	packet_pull(inner, PACKET_PULL);
	l3 = packet_l2_len(inner, FLOW_TAGS_MAX);
	if (l3 + IPV4_LEN > inner->header_len)
		return VXLAN_OK;
	type = load_be16(inner->header + l3 - 2);
	ip = inner->header + l3;
	if (type == ETH_TYPE_IPV4 && ip[0] >> 4 == 4)
		was = ip[1] & 3;
	else if (type == ETH_TYPE_IPV6 && ip[0] >> 4 == 6)
		was = ip[1] >> 4 & 3;
	else
		return VXLAN_OK;
	info->ecn_alarm = ecn_out[was][outer].alarm;
	if (ecn_out[was][outer].drop)
		return VXLAN_ECN;
	mark = ecn_out[was][outer].mark;
	if (mark == was)
		return VXLAN_OK;
	if (type == ETH_TYPE_IPV4)
		mark_ipv4(ip, mark);
	else
		mark_ipv6(ip, mark);
	return VXLAN_OK;
}
