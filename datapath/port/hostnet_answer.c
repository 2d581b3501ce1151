/*
 * What is answered on the spot: connections that may not be, and libslirp's
 * questions for MAC addresses.
 */
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "port/hostnet_headers.h"

/* RFC 9293 3.10.7.1: to a SYN that carries no ACK. */
uint32_t hostnet_frame_reset(const uint8_t *frame,
			     const struct hostnet_packet *p,
			     uint8_t reset[HOSTNET_RESET_MAX])
{
	unsigned n = address_len(p->version), at = p->version == 4 ? 12 : 8;
	uint32_t header_len = (frame[p->l4 + 12] >> 4) * 4;
	uint32_t data = p->end - p->l4 - header_len;
	uint8_t *ip = reset + L3, *tcp;
	uint64_t sum;

	memset(reset, 0, HOSTNET_RESET_MAX);
	memcpy(reset + 12, frame + 12, 2);
	memcpy(ip + at, p->dst, n);
	memcpy(ip + at + n, p->src, n);
	tcp = ip + at + 2 * n;
	store_be16(tcp, p->dst_port);
	store_be16(tcp + 2, p->src_port);
	store_be32(tcp + 8, load_be32(frame + p->l4 + 4) + 1 + data);
	tcp[12] = TCP_LEN / 4 << 4;
	tcp[13] = TCP_RST | TCP_ACK;
	if (p->version == 4) {
		ip[0] = 0x45;
		store_be16(ip + 2, IP4_LEN + TCP_LEN);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		csum_ipv4_header(ip, IP4_LEN);
		sum = csum_pseudo4(ip, IPPROTO_TCP, TCP_LEN);
	} else {
		ip[0] = 0x60;
		store_be16(ip + 4, TCP_LEN);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		sum = csum_pseudo6(ip, IPPROTO_TCP, TCP_LEN);
	}
	csum_store(tcp + TCP_CSUM, csum_add(sum, tcp, TCP_LEN));
	return tcp + TCP_LEN - reset;
}

static void put_mac(uint8_t *to, uint64_t mac)
{
	store_be16(to, mac >> 32);
	store_be32(to + 2, mac);
}

static uint32_t answer_arp(const struct hostnet_net *net, const uint8_t *frame,
			   uint8_t *answer)
{
	const uint8_t *asked = frame + 14;

	if (load_be16(asked + 6) != 1)
		return 0;
	memcpy(answer, frame + 6, 6);
	put_mac(answer + 6, net->router_mac);
	store_be16(answer + 12, ETH_TYPE_ARP);
	memcpy(answer + 14, asked, 6);
	store_be16(answer + 20, 2);
	put_mac(answer + 22, net->router_mac);
	memcpy(answer + 28, asked + 24, 4);
	memcpy(answer + 32, asked + 8, 10);
	return 42;
}

/* RFC 4861 4.4: advertised, from the address itself, solicited. */
static uint32_t answer_nd(const struct hostnet_net *net, const uint8_t *frame,
			  uint8_t *answer)
{
	const uint8_t *ip = frame + L3, *target = ip + IP6_LEN + 8;
	uint8_t *to = answer + L3, *icmp = to + IP6_LEN;
	uint64_t sum;

	memset(answer, 0, HOSTNET_ANSWER_MAX);
	memcpy(answer, frame + 6, 6);
	put_mac(answer + 6, net->router_mac);
	store_be16(answer + 12, ETH_TYPE_IPV6);
	to[0] = 0x60;
	store_be16(to + 4, 32);
	to[6] = IPPROTO_ICMPV6;
	to[7] = 255;
	memcpy(to + 8, target, 16);
	memcpy(to + 24, ip + 8, 16);
	icmp[0] = ND_NEIGHBOR_ADVERT;
	icmp[4] = 0x60; /* solicited, override */
	memcpy(icmp + 8, target, 16);
	icmp[24] = ND_OPT_TARGET_LINKADDR;
	icmp[25] = 1;
	put_mac(icmp + 26, net->router_mac);
	sum = csum_pseudo6(to, IPPROTO_ICMPV6, 32);
	csum_store(icmp + 2, csum_add(sum, icmp, 32));
	return L3 + IP6_LEN + 32;
}

uint32_t hostnet_frame_answer(const struct hostnet_net *net,
			      const uint8_t *frame, uint32_t len,
			      uint8_t answer[HOSTNET_ANSWER_MAX])
{
	if (len >= 42 && load_be16(frame + 12) == ETH_TYPE_ARP)
		return answer_arp(net, frame, answer);
	if (len >= L3 + IP6_LEN + 24 &&
	    load_be16(frame + 12) == ETH_TYPE_IPV6 &&
	    frame[L3 + 6] == IPPROTO_ICMPV6 &&
	    frame[L3 + IP6_LEN] == ND_NEIGHBOR_SOLICIT)
		return answer_nd(net, frame, answer);
	return 0;
}
