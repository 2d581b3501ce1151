#include "shape/marking.h"

#include "packet/csum.h"
#include "packet/parse.h"

#define IPV4_HEADER_MIN 20
#define ECN_MASK	3

/* The IP header in the private bytes, or NULL; *version is 4 or 6. */
static uint8_t *find_ip(const struct packet *p, unsigned *version)
{
	uint32_t at = packet_l2_len(p, FLOW_TAGS_MAX);
	uint16_t type;

	if (at + IPV4_HEADER_MIN > p->header_len)
		return NULL;
	type = load_be16(p->header + at - 2);
	*version = p->header[at] >> 4;
	if ((type == ETH_TYPE_IPV4 && *version == 4) ||
	    (type == ETH_TYPE_IPV6 && *version == 6))
		return p->header + at;
	return NULL;
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
static void set_tos(uint8_t *ip, uint8_t tos)
{
	uint16_t old = load_be16(ip), csum = ~load_be16(ip + 10);
	uint32_t sum;

	ip[1] = tos;
	sum = csum + (uint16_t)~old + load_be16(ip);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, ~sum);
}

void marking_set_dscp(struct packet *p, uint8_t dscp)
{
	unsigned version;
	uint8_t *ip = find_ip(p, &version);
	uint16_t word;

	if (!ip)
		return;
	if (version == 4) {
		set_tos(ip, dscp << 2 | (ip[1] & ECN_MASK));
	} else {
		/* Version, traffic class, and the flow label's first bits. */
		word = load_be16(ip);
		store_be16(ip, (word & 0xf03f) | dscp << 6);
	}
}

int marking_get_dscp(const struct packet *p)
{
	unsigned version;
	const uint8_t *ip = find_ip(p, &version);

	if (!ip)
		return -1;
	return version == 4 ? ip[1] >> 2 : load_be16(ip) >> 6 & 0x3f;
}
