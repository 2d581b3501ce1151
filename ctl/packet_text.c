/*
 * Frames as text. Each layer takes its header from a view that cannot be read
 * past its end, and prints what it found; a header that is cut short ends the
 * line with "[truncated]".
 */
#include "ctl/packet_text.h"

#include <arpa/inet.h>
#include <string.h>

#define ETH_LEN	  14
#define ETH_IPV4  0x0800
#define ETH_ARP	  0x0806
#define ETH_RARP  0x8035
#define ETH_VLAN  0x8100
#define ETH_QINQ  0x88a8
#define ETH_IPV6  0x86dd
#define ETH_MPLS  0x8847
#define ETH_EAPOL 0x888e
#define ETH_LLDP  0x88cc
#define ETH_SLOW  0x8809
#define MAX_TAGS  4
#define MAX_EXT	  8 /* IPv6 extension headers */

struct view {
	const uint8_t *p;
	size_t n;
	FILE *out;
};

/* The next n bytes, taken off; NULL when they are not there. */
static const uint8_t *pull(struct view *v, size_t n)
{
	const uint8_t *p = v->p;

	if (v->n < n) {
		fputs(" [truncated]", v->out);
		return NULL;
	}
	v->p += n;
	v->n -= n;
	return p;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void print_mac(const uint8_t *p, FILE *out)
{
	fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3],
		p[4], p[5]);
}

static void print_address(int family, const uint8_t *p, int port, FILE *out)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, p, text, sizeof(text));
	if (port < 0)
		fputs(text, out);
	else
		fprintf(out, family == AF_INET6 ? "[%s]:%d" : "%s:%d", text,
			port);
}

/* An IP packet's ends and what is in it. */
struct ip {
	int family;
	const uint8_t *source, *destination;
	uint8_t protocol;
	bool later_fragment; /* there is no transport header */
};

static void print_ends(const struct ip *ip, int from, int to, FILE *out)
{
	putc(' ', out);
	print_address(ip->family, ip->source, from, out);
	fputs(" > ", out);
	print_address(ip->family, ip->destination, to, out);
}

static void print_tcp(struct view *v, const struct ip *ip)
{
	static const char letters[] = "FSRP.UEW";
	size_t payload, header;
	const uint8_t *p;

	p = pull(v, 20);
	if (!p) {
		print_ends(ip, -1, -1, v->out);
		return;
	}
	fputs(" TCP", v->out);
	print_ends(ip, be16(p), be16(p + 2), v->out);
	fputs(" [", v->out);
	for (int bit = 0; bit < 8; bit++)
		if (p[13] & 1 << bit)
			putc(letters[bit], v->out);
	header = (p[12] >> 4) * (size_t)4;
	payload =
		header >= 20 && v->n >= header - 20 ? v->n - (header - 20) : 0;
	fprintf(v->out, "] seq %u ack %u win %u data %zu", be32(p + 4),
		be32(p + 8), be16(p + 14), payload);
}

static void print_udp(struct view *v, const struct ip *ip)
{
	const uint8_t *p = pull(v, 8);

	if (!p) {
		print_ends(ip, -1, -1, v->out);
		return;
	}
	fputs(" UDP", v->out);
	print_ends(ip, be16(p), be16(p + 2), v->out);
	fprintf(v->out, " data %d", be16(p + 4) - 8);
}

static const char *icmp_name(int family, uint8_t type)
{
	switch (family == AF_INET ? type : type + 256) {
	case 0:
	case 129 + 256:
		return "echo reply";
	case 8:
	case 128 + 256:
		return "echo request";
	case 3:
	case 1 + 256:
		return "unreachable";
	case 2 + 256:
		return "packet too big";
	case 11:
	case 3 + 256:
		return "time exceeded";
	case 133 + 256:
		return "router solicitation";
	case 134 + 256:
		return "router advertisement";
	case 135 + 256:
		return "neighbor solicitation";
	case 136 + 256:
		return "neighbor advertisement";
	case 130 + 256:
		return "multicast query";
	case 143 + 256:
		return "multicast report";
	default:
		return NULL;
	}
}

static void print_icmp(struct view *v, const struct ip *ip)
{
	const uint8_t *p = pull(v, 8);
	const char *name, *protocol = ip->family == AF_INET ? "ICMP" : "ICMPv6";

	fprintf(v->out, " %s", protocol);
	print_ends(ip, -1, -1, v->out);
	if (!p)
		return;
	name = icmp_name(ip->family, p[0]);
	if (!name)
		fprintf(v->out, " type %u code %u", p[0], p[1]);
	else if (!strncmp(name, "echo", 4))
		fprintf(v->out, " %s id %u seq %u", name, be16(p + 4),
			be16(p + 6));
	else if (p[1])
		fprintf(v->out, " %s code %u", name, p[1]);
	else
		fprintf(v->out, " %s", name);
	if (ip->family == AF_INET6 && (p[0] == 135 || p[0] == 136) &&
	    v->n >= 16) {
		fputs(" target ", v->out);
		print_address(AF_INET6, v->p, -1, v->out);
	}
}

static void print_transport(struct view *v, const struct ip *ip)
{
	if (ip->later_fragment) {
		print_ends(ip, -1, -1, v->out);
		fprintf(v->out, " fragment of protocol %u", ip->protocol);
		return;
	}
	switch (ip->protocol) {
	case 1:
	case 58:
		print_icmp(v, ip);
		return;
	case 6:
		print_tcp(v, ip);
		return;
	case 17:
		print_udp(v, ip);
		return;
	default:
		print_ends(ip, -1, -1, v->out);
		fprintf(v->out, " protocol %u", ip->protocol);
	}
}

static void print_ipv4(struct view *v)
{
	const uint8_t *p = pull(v, 20);
	size_t header, total;
	struct ip ip;

	fputs(" IPv4", v->out);
	if (!p)
		return;
	header = (p[0] & 15) * (size_t)4;
	total = be16(p + 2);
	if (p[0] >> 4 != 4 || header < 20) {
		fputs(" [bad header]", v->out);
		return;
	}
	ip = (struct ip){ .family = AF_INET,
			  .source = p + 12,
			  .destination = p + 16,
			  .protocol = p[9],
			  .later_fragment = be16(p + 6) & 0x1fff };
	if (!pull(v, header - 20))
		return;
	/* What follows the datagram is padding of the frame. */
	if (total >= header)
		v->n = MIN(v->n, total - header);
	print_transport(v, &ip);
	if (be16(p + 6) & 0x3fff)
		fprintf(v->out, " frag id %u offset %u%s", be16(p + 4),
			(be16(p + 6) & 0x1fff) * 8u,
			p[6] & 0x20 ? " more" : "");
}

/* Hop-by-hop, routing, destination options, fragment. */
static bool is_extension(uint8_t protocol)
{
	return protocol == 0 || protocol == 43 || protocol == 44 ||
	       protocol == 60;
}

static void print_ipv6(struct view *v)
{
	const uint8_t *p = pull(v, 40), *e;
	struct ip ip;

	fputs(" IPv6", v->out);
	if (!p)
		return;
	if (p[0] >> 4 != 6) {
		fputs(" [bad header]", v->out);
		return;
	}
	ip = (struct ip){ .family = AF_INET6,
			  .source = p + 8,
			  .destination = p + 24,
			  .protocol = p[6] };
	/* A payload length of zero is a jumbogram or an offloaded packet. */
	if (be16(p + 4))
		v->n = MIN(v->n, be16(p + 4));
	for (int i = 0;
	     i < MAX_EXT && is_extension(ip.protocol) && !ip.later_fragment;
	     i++) {
		bool fragment = ip.protocol == 44;

		e = pull(v, 8);
		if (!e)
			return;
		ip.protocol = e[0];
		if (fragment)
			ip.later_fragment = be16(e + 2) & 0xfff8;
		else if (!pull(v, e[1] * (size_t)8))
			return;
	}
	print_transport(v, &ip);
}

static void print_arp(struct view *v)
{
	const uint8_t *p = pull(v, 28);

	fputs(" ARP", v->out);
	if (!p)
		return;
	if (be16(p) != 1 || be16(p + 2) != ETH_IPV4 || p[4] != 6 || p[5] != 4) {
		fputs(" [not Ethernet and IPv4]", v->out);
		return;
	}
	switch (be16(p + 6)) {
	case 1:
		fputs(" who has ", v->out);
		print_address(AF_INET, p + 24, -1, v->out);
		fputs(" tell ", v->out);
		print_address(AF_INET, p + 14, -1, v->out);
		break;
	case 2:
		putc(' ', v->out);
		print_address(AF_INET, p + 14, -1, v->out);
		fputs(" is at ", v->out);
		print_mac(p + 8, v->out);
		break;
	default:
		fprintf(v->out, " operation %u", be16(p + 6));
	}
}

static void print_payload(struct view *v, uint16_t type)
{
	switch (type) {
	case ETH_IPV4:
		print_ipv4(v);
		break;
	case ETH_IPV6:
		print_ipv6(v);
		break;
	case ETH_ARP:
	case ETH_RARP:
		print_arp(v);
		break;
	case ETH_LLDP:
		fputs(" LLDP", v->out);
		break;
	case ETH_SLOW:
		fputs(v->n && v->p[0] == 1 ? " LACP" : " slow protocol",
		      v->out);
		break;
	case ETH_EAPOL:
		fputs(" EAPOL", v->out);
		break;
	case ETH_MPLS:
		fputs(" MPLS", v->out);
		break;
	default:
		if (type >= 0x600)
			fprintf(v->out, " ethertype 0x%04x", type);
		else
			fprintf(v->out, " LLC length %u", type);
	}
}

void packet_text(const uint8_t *data, size_t captured, size_t length, FILE *out)
{
	struct view v = { data, captured, out };
	const uint8_t *p = pull(&v, ETH_LEN);
	uint16_t type;

	if (!p) {
		fprintf(out, " length %zu", length);
		return;
	}
	print_mac(p + 6, out);
	fputs(" > ", out);
	print_mac(p, out);
	type = be16(p + 12);
	for (int i = 0; i < MAX_TAGS && (type == ETH_VLAN || type == ETH_QINQ);
	     i++) {
		p = pull(&v, 4);
		if (!p)
			break;
		fprintf(out, " %s %u", type == ETH_VLAN ? "vlan" : "s-vlan",
			be16(p) & 0xfff);
		if (p[0] >> 5)
			fprintf(out, " prio %u", p[0] >> 5);
		type = be16(p + 2);
	}
	print_payload(&v, type);
	fprintf(out, ", length %zu", length);
}
