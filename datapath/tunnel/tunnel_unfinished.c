/*
 * What senders of this host leave undone and no socket tells of. Between
 * network namespaces of one host the kernel's own VXLAN device sends inner
 * checksums that are only begun (the field is the sum of the pseudo header),
 * and much TCP as one datagram; a network card would have finished both, and
 * other ports are told of it beside the frame (offload.h).
 *
 * A right checksum is such a sum once in 65,536 frames. Taking that for begun
 * makes it anew, and the same, if the frame is whole.
 */
#include "tunnel/tunnel_internal.h"

#include <netinet/in.h>

#include "packet/parse.h"

#define TCP_LEN		20u
#define TCP_CSUM_OFFSET 16u
#define UDP_CSUM_OFFSET 6u
#define TCP_NOT_DATA	0x26 /* URG, RST, SYN */

/* Where a whole transport packet is. */
struct transport {
	uint32_t at, len, ip_len;
	uint8_t protocol, version;
	uint64_t pseudo;
};

static bool find_ipv4(const uint8_t *ip, uint32_t room, struct transport *t)
{
	uint32_t header_len = (ip[0] & 15) * 4, total = load_be16(ip + 2);

	if (ip[0] >> 4 != 4 || header_len < IPV4_LEN || total <= header_len ||
	    total > room || load_be16(ip + 6) & 0x3fff)
		return false;
	t->version = 4;
	t->protocol = ip[9];
	t->ip_len = header_len;
	t->at += header_len;
	t->len = total - header_len;
	t->pseudo = csum_pseudo4(ip, t->protocol, t->len);
	return true;
}

/* Without extension headers, as GRO has it. */
static bool find_ipv6(const uint8_t *ip, uint32_t room, struct transport *t)
{
	if (ip[0] >> 4 != 6 || load_be16(ip + 4) > room - IPV6_LEN)
		return false;
	t->version = 6;
	t->protocol = ip[6];
	t->ip_len = IPV6_LEN;
	t->at += IPV6_LEN;
	t->len = load_be16(ip + 4);
	t->pseudo = csum_pseudo6(ip, t->protocol, t->len);
	return true;
}

static bool find(const struct packet *p, struct transport *t)
{
	uint32_t l3 = packet_l2_len(p, FLOW_TAGS_MAX);
	uint16_t type;

	if (l3 > p->header_len || p->header_len < l3 + IPV4_LEN)
		return false;
	type = load_be16(p->header + l3 - 2);
	t->at = l3;
	if (type == ETH_TYPE_IPV4)
		return find_ipv4(p->header + l3, p->len - l3, t);
	return type == ETH_TYPE_IPV6 && p->header_len >= l3 + IPV6_LEN &&
	       find_ipv6(p->header + l3, p->len - l3, t);
}

static void cut(struct packet *p, const struct transport *t, uint32_t mtu)
{
	const uint8_t *tcp = p->header + t->at;
	uint32_t header_len = (tcp[12] >> 4) * 4, mss;

	if (header_len < TCP_LEN || header_len > t->len ||
	    tcp[13] & TCP_NOT_DATA || mtu <= t->ip_len + header_len)
		return;
	mss = mtu - t->ip_len - header_len;
	if (t->len - header_len <= mss)
		return;
	p->offload.gso = t->version == 4 ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6;
	p->offload.gso_size = mss;
}

void tunnel_take_unfinished(struct packet *p, uint32_t mtu)
{
	struct transport t;
	uint32_t offset;
	uint16_t field, begun;

	packet_pull(p, PACKET_PULL_MAX);
	if (p->offload.csum_needed || !find(p, &t))
		return;
	if (t.protocol == IPPROTO_TCP && t.len >= TCP_LEN)
		offset = TCP_CSUM_OFFSET;
	else if (t.protocol == IPPROTO_UDP && t.len >= UDP_LEN)
		offset = UDP_CSUM_OFFSET;
	else
		return;
	if (!packet_pull(
		    p, t.at + (offset == TCP_CSUM_OFFSET ? TCP_LEN : UDP_LEN)))
		return;
	memcpy(&field, p->header + t.at + offset, sizeof(field));
	begun = csum_fold(t.pseudo);
	if (field != begun)
		return;
	p->offload.csum_needed = true;
	p->offload.csum_start = t.at;
	p->offload.csum_offset = offset;
	if (t.protocol == IPPROTO_TCP)
		cut(p, &t, mtu);
}
