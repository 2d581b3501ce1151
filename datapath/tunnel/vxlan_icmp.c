/* See vxlan_icmp.h. */
#include "tunnel/vxlan_icmp.h"

#include <string.h>

#include "packet/csum.h"
#include "packet/reader.h"
#include "tunnel/vxlan.h"

#define ETHERTYPE_IP4  0x0800
#define ETHERTYPE_IP6  0x86dd
#define PROTOCOL_ICMP  1
#define PROTOCOL_UDP   17
#define PROTOCOL_ICMP6 58
#define IP4_LEN	       20
#define IP6_LEN	       40
#define FLAG_VNI       0x08 /* RFC 7348 5 */

enum icmp {
	ICMP4_UNREACHABLE = 3,
	ICMP4_FRAG_NEEDED = 4, /* its code */
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
};

/* The UDP header, and what is there of VXLAN's. */
static bool read_quoted_udp(struct reader *r, struct vxlan_icmp *icmp)
{
	const uint8_t *vxlan;

	icmp->src_port = reader_be16(r);
	icmp->dst_port = reader_be16(r);
	reader_skip(r, 4);
	if (r->failed)
		return false;
	if (reader_left(r) < VXLAN_HEADER_LEN)
		return true;
	vxlan = reader_take(r, VXLAN_HEADER_LEN);
	icmp->has_vni = true;
	icmp->vni = load_be32(vxlan + 4) >> 8;
	return vxlan[0] & FLAG_VNI;
}

static bool read_quoted4(struct reader *r, struct vxlan_icmp *icmp)
{
	const uint8_t *ip = reader_take(r, IP4_LEN);

	if (!ip || ip[0] >> 4 != 4 || (ip[0] & 15) < 5 ||
	    ip[9] != PROTOCOL_UDP || load_be16(ip + 6) & 0x1fff)
		return false;
	icmp->packet_len = load_be16(ip + 2);
	memcpy(icmp->src_ip, ip + 12, 4);
	memcpy(icmp->dst_ip, ip + 16, 4);
	reader_skip(r, (ip[0] & 15) * 4u - IP4_LEN);
	return read_quoted_udp(r, icmp);
}

/* We send no extension headers. */
static bool read_quoted6(struct reader *r, struct vxlan_icmp *icmp)
{
	const uint8_t *ip = reader_take(r, IP6_LEN);

	if (!ip || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_UDP)
		return false;
	icmp->packet_len = IP6_LEN + load_be16(ip + 4);
	memcpy(icmp->src_ip, ip + 8, 16);
	memcpy(icmp->dst_ip, ip + 24, 16);
	return read_quoted_udp(r, icmp);
}

static bool read_icmp4(struct reader *r, struct vxlan_icmp *icmp)
{
	size_t len = reader_left(r);
	const uint8_t *message = reader_take(r, 8);

	if (!message || csum_fold(csum_add(0, message, len)) != 0xffff)
		return false;
	icmp->type = message[0];
	icmp->code = message[1];
	icmp->too_big = icmp->code == ICMP4_FRAG_NEEDED;
	icmp->mtu = icmp->too_big ? load_be16(message + 6) : 0;
	return icmp->type == ICMP4_UNREACHABLE && read_quoted4(r, icmp);
}

static bool read4(struct reader *r, struct vxlan_icmp *icmp)
{
	const uint8_t *ip = reader_take(r, IP4_LEN);
	unsigned header_len, total;
	struct reader payload;

	if (!ip || ip[0] >> 4 != 4 || ip[9] != PROTOCOL_ICMP)
		return false;
	header_len = (ip[0] & 15) * 4u;
	total = load_be16(ip + 2);
	if (header_len < IP4_LEN || total < header_len ||
	    load_be16(ip + 6) & 0x3fff ||
	    !reader_skip(r, header_len - IP4_LEN) ||
	    csum_fold(csum_add(0, ip, header_len)) != 0xffff)
		return false;
	icmp->ip_version = 4;
	memcpy(icmp->to, ip + 16, 4);
	payload = reader_sub(r, total - header_len);
	return read_icmp4(&payload, icmp);
}

static bool read6(struct reader *r, struct vxlan_icmp *icmp)
{
	const uint8_t *ip = reader_take(r, IP6_LEN), *message;
	struct reader payload;
	size_t len;

	if (!ip || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_ICMP6)
		return false;
	icmp->ip_version = 6;
	memcpy(icmp->to, ip + 24, 16);
	payload = reader_sub(r, load_be16(ip + 4));
	len = reader_left(&payload);
	message = reader_take(&payload, 8);
	if (!message ||
	    csum_fold(csum_combine(csum_pseudo6(ip, PROTOCOL_ICMP6, len),
				   csum_add(0, message, len))) != 0xffff)
		return false;
	icmp->type = message[0];
	icmp->code = message[1];
	icmp->too_big = icmp->type == ICMP6_TOO_BIG;
	icmp->mtu = icmp->too_big ? load_be32(message + 4) : 0;
	return (icmp->too_big || icmp->type == ICMP6_UNREACHABLE) &&
	       read_quoted6(&payload, icmp);
}

bool vxlan_icmp_parse(struct vxlan_icmp *icmp, const void *frame, size_t len)
{
	struct reader r;
	uint16_t type;

	memset(icmp, 0, sizeof(*icmp));
	reader_init(&r, frame, len);
	reader_skip(&r, 12);
	type = reader_be16(&r);
	if (type == ETHERTYPE_IP4)
		return read4(&r, icmp);
	return type == ETHERTYPE_IP6 && read6(&r, icmp);
}

/* RFC 1191 7.1, as far as it is above the least. */
static uint32_t lower_plateau(uint32_t len)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352,
					     2002,  1492,  1006 };

	for (unsigned i = 0; i < ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return VXLAN_PATH_MTU_MIN4;
}

/* The least that an error like this is believed. */
static uint32_t believed(const struct vxlan_icmp *icmp)
{
	if (icmp->has_vni)
		return 0;
	return icmp->ip_version == 4 ? VXLAN_PATH_MTU_BLIND4
				     : VXLAN_PATH_MTU_BLIND6;
}

uint32_t vxlan_icmp_mtu(const struct vxlan_icmp *icmp)
{
	uint32_t mtu = icmp->mtu;

	if (!icmp->too_big)
		return 0;
	if (icmp->ip_version == 6 && mtu < VXLAN_PATH_MTU_MIN6)
		return 0;
	if (icmp->ip_version == 4) {
		mtu = mtu ? mtu : lower_plateau(icmp->packet_len);
		mtu = MAX(mtu, (uint32_t)VXLAN_PATH_MTU_MIN4);
	}
	return mtu < icmp->packet_len && mtu >= believed(icmp) ? mtu : 0;
}
