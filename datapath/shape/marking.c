#include "shape/marking.h"

#include "packet/csum.h"
#include "packet/parse.h"

#define IPV4_HEADER_MIN 20
#define ECN_MASK	3
#define ECN_CE		3

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
static void update_csum(uint8_t *ip, uint16_t old, uint16_t word)
{
	uint16_t csum = ~load_be16(ip + 10);
	uint32_t sum = csum + (uint16_t)~old + word;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, ~sum);
}

/* Those bits of the TOS byte, or of the traffic class, to `bits`. */
static void set_tos(struct packet *p, uint8_t mask, uint8_t bits)
{
	unsigned version, shift;
	uint8_t *ip = find_ip(p, &version);
	uint16_t old, word;

	if (!ip)
		return;
	/* IPv6: version, traffic class, and the flow label's first bits. */
	shift = version == 4 ? 0 : 4;
	old = load_be16(ip);
	word = (old & ~(mask << shift)) | bits << shift;
	store_be16(ip, word);
	if (version == 4)
		update_csum(ip, old, word);
}

void marking_set_dscp(struct packet *p, uint8_t dscp)
{
	set_tos(p, (uint8_t)~ECN_MASK, dscp << 2);
}

void marking_set_congested(struct packet *p)
{
	set_tos(p, ECN_MASK, ECN_CE);
}

int marking_get_dscp(const struct packet *p)
{
	unsigned version;
	const uint8_t *ip = find_ip(p, &version);

	if (!ip)
		return -1;
	return version == 4 ? ip[1] >> 2 : load_be16(ip) >> 6 & 0x3f;
}
