/*
 * Only what an ordinary stack asks is answered; all else is left to those who
 * are asked. Options of discovery are read as far as they tell who asks; with
 * SEND (RFC 3971) the answer would have to be signed, so that is not answered.
 */
#include "tunnel/suppress_question.h"

#include <netinet/in.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "packet/reader.h"
#include "packet/vlan.h"

#define ARP_LEN	     28
#define ARP_REQUEST  1
#define ARP_REPLY    2
#define ARP_ETHERNET 1

#define IP6_LEN	     40
#define ND_HOPS	     255
#define ND_NS	     135
#define ND_NA	     136
#define NS_LEN	     24
#define NA_LEN	     32 /* with its option */
#define ND_OPTIONS   64 /* that are read, at most */
#define OPT_SOURCE   1
#define OPT_TARGET   2
#define OPT_CGA	     11 /* RFC 3971 5.1 */
#define OPT_RSA	     12
#define NA_ROUTER    0x80
#define NA_SOLICITED 0x40
#define NA_OVERRIDE  0x20

static bool is_zero(const uint8_t *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

/* RFC 826; a probe has no sender (RFC 5227 2.1.1), an announcement is its own
 * target (2.3). */
static bool parse_arp(const struct packet *p, unsigned at,
		      struct suppress_question *q)
{
	uint8_t arp[ARP_LEN];

	if (packet_read(p, at, arp, sizeof(arp)) != sizeof(arp) ||
	    load_be16(arp) != ARP_ETHERNET ||
	    load_be16(arp + 2) != ETH_TYPE_IPV4 || arp[4] != 6 || arp[5] != 4 ||
	    load_be16(arp + 6) != ARP_REQUEST || load_mac(arp + 8) != q->mac)
		return false;
	q->ip_len = 4;
	memcpy(q->sender, arp + 14, 4);
	memcpy(q->target, arp + 24, 4);
	return !is_zero(q->sender, 4) && memcmp(q->sender, q->target, 4) != 0;
}

/* Of a solicitation: nobody else's address, nothing that must be signed. */
static bool options_fit(struct reader *r, uint64_t mac)
{
	while (reader_left(r)) {
		uint8_t type = reader_u8(r), units = reader_u8(r);
		struct reader option;

		if (r->failed || !units)
			return false;
		option = reader_sub(r, units * 8u - 2);
		if (option.failed || type == OPT_CGA || type == OPT_RSA)
			return false;
		if (type == OPT_SOURCE && reader_mac(&option) != mac)
			return false;
	}
	return true;
}

/* RFC 4861 7.1.1 */
static bool parse_message(const uint8_t *ip, const uint8_t *icmp, uint32_t len,
			  bool check, struct suppress_question *q)
{
	struct reader options;

	if (check &&
	    csum_fold(csum_combine(csum_pseudo6(ip, IPPROTO_ICMPV6, len),
				   csum_add(0, icmp, len))) != 0xffff)
		return false;
	if (icmp[0] != ND_NS || icmp[1] || icmp[8] == 0xff)
		return false;
	reader_init(&options, icmp + NS_LEN, len - NS_LEN);
	if (!options_fit(&options, q->mac))
		return false;
	q->ip_len = 16;
	memcpy(q->sender, ip + 8, 16);
	memcpy(q->target, icmp + 8, 16);
	/* From nowhere: whether an address is free (RFC 4862 5.4.2). */
	return q->sender[0] != 0xff && !is_zero(q->sender, 16) &&
	       memcmp(q->sender, q->target, 16) != 0;
}

static bool parse_nd(const struct packet *p, unsigned at,
		     struct suppress_question *q)
{
	uint8_t ip[IP6_LEN + NS_LEN + ND_OPTIONS];
	uint32_t n = packet_read(p, at, ip, sizeof(ip)), len;

	if (n < IP6_LEN + NS_LEN || ip[0] >> 4 != 6 ||
	    ip[6] != IPPROTO_ICMPV6 || ip[7] != ND_HOPS)
		return false;
	len = load_be16(ip + 4);
	if (len < NS_LEN || len > n - IP6_LEN)
		return false;
	return parse_message(ip, ip + IP6_LEN, len,
			     !p->offload.csum_needed && !p->offload.csum_valid,
			     q);
}

bool suppress_parse(const struct packet *p, struct suppress_question *question)
{
	unsigned at = 12;

	if (p->header_len < ETH_HEADER_LEN + VLAN_TAG_LEN)
		return false;
	if (eth_type_is_vlan(load_be16(p->header + at)))
		at += VLAN_TAG_LEN;
	question->mac = load_mac(p->header + 6);
	switch (load_be16(p->header + at)) {
	case ETH_TYPE_ARP:
		return parse_arp(p, at + 2, question);
	case ETH_TYPE_IPV6:
		return parse_nd(p, at + 2, question);
	default:
		return false;
	}
}

static unsigned write_arp(const struct suppress_question *q, uint64_t mac,
			  uint8_t *arp)
{
	store_be16(arp, ARP_ETHERNET);
	store_be16(arp + 2, ETH_TYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	store_be16(arp + 6, ARP_REPLY);
	put_mac(arp + 8, mac);
	memcpy(arp + 14, q->target, 4);
	put_mac(arp + 18, q->mac);
	memcpy(arp + 24, q->sender, 4);
	return ARP_LEN;
}

/* RFC 4861 4.4, 7.2.4 */
static unsigned write_nd(const struct suppress_question *q, uint64_t mac,
			 bool router, uint8_t *ip)
{
	uint8_t *icmp = ip + IP6_LEN;

	memset(ip, 0, IP6_LEN + NA_LEN);
	store_be32(ip, 6u << 28);
	store_be16(ip + 4, NA_LEN);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = ND_HOPS;
	memcpy(ip + 8, q->target, 16);
	memcpy(ip + 24, q->sender, 16);
	icmp[0] = ND_NA;
	icmp[4] = NA_SOLICITED | NA_OVERRIDE | (router ? NA_ROUTER : 0);
	memcpy(icmp + 8, q->target, 16);
	icmp[24] = OPT_TARGET;
	icmp[25] = 1;
	put_mac(icmp + 26, mac);
	csum_store(icmp + 2,
		   csum_combine(csum_pseudo6(ip, IPPROTO_ICMPV6, NA_LEN),
				csum_add(0, icmp, NA_LEN)));
	return IP6_LEN + NA_LEN;
}

unsigned suppress_write(const struct suppress_question *question, uint64_t mac,
			bool router, uint8_t *room)
{
	bool v6 = question->ip_len == 16;

	put_mac(room, question->mac);
	put_mac(room + 6, mac);
	store_be16(room + 12, v6 ? ETH_TYPE_IPV6 : ETH_TYPE_ARP);
	return ETH_HEADER_LEN +
	       (v6 ? write_nd(question, mac, router, room + ETH_HEADER_LEN)
		   : write_arp(question, mac, room + ETH_HEADER_LEN));
}
