/* A ring of those that were begun last; see hostnet_half_open.h. */
#include "port/hostnet_half_open.h"

#include <netinet/in.h>

#include "packet/csum.h"
#include "port/hostnet_headers.h"

static int find(const struct hostnet_half_open *h,
		const struct hostnet_packet *p)
{
	for (int i = 0; i < HOSTNET_HALF_OPEN_MAX; i++)
		if (h->of[i].ip == load_be32(p->src) &&
		    h->of[i].port == p->src_port)
			return i;
	return -1;
}

/* As if its machine said it; frame: of another, for the MAC addresses. */
static uint32_t put_reset(const struct hostnet_half_open *h, unsigned i,
			  const struct hostnet_net *net, const uint8_t *frame,
			  uint8_t *reset)
{
	uint8_t *ip = reset + L3, *tcp = ip + IP4_LEN;

	memset(reset, 0, HOSTNET_RESET_MAX);
	memcpy(reset, frame, L3);
	ip[0] = 0x45;
	store_be16(ip + 2, IP4_LEN + TCP_LEN);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	store_be32(ip + 12, h->of[i].ip);
	store_be32(ip + 16, hostnet_dns_address(net));
	csum_ipv4_header(ip, IP4_LEN);
	store_be16(tcp, h->of[i].port);
	store_be16(tcp + 2, PORT_DNS);
	store_be32(tcp + 4, h->of[i].seq + 1);
	tcp[12] = TCP_LEN / 4 << 4;
	tcp[13] = TCP_RST;
	csum_store(
		tcp + TCP_CSUM,
		csum_add(csum_pseudo4(ip, IPPROTO_TCP, TCP_LEN), tcp, TCP_LEN));
	return L3 + IP4_LEN + TCP_LEN;
}

uint32_t hostnet_half_open_add(struct hostnet_half_open *h,
			       const struct hostnet_net *net,
			       const uint8_t *frame,
			       const struct hostnet_packet *p,
			       uint8_t reset[HOSTNET_RESET_MAX])
{
	uint32_t seq = load_be32(frame + p->l4 + 4), len = 0;
	int at;

	if (p->kind != HOSTNET_TCP_NEW || p->dst_port != PORT_DNS ||
	    p->version != 4 || load_be32(p->dst) != net->ip4)
		return 0;
	at = find(h, p);
	if (at < 0) {
		at = h->next;
		h->next = (h->next + 1) % HOSTNET_HALF_OPEN_MAX;
	} else if (h->of[at].seq == seq) {
		return 0; /* said again */
	}
	if (h->of[at].ip)
		len = put_reset(h, at, net, frame, reset);
	h->of[at].ip = load_be32(p->src);
	h->of[at].port = p->src_port;
	h->of[at].seq = seq;
	return len;
}

void hostnet_half_open_remove(struct hostnet_half_open *h,
			      const struct hostnet_packet *p)
{
	int at = find(h, p);

	if (at >= 0 && p->dst_port == PORT_DNS && p->version == 4)
		h->of[at].ip = 0;
}
