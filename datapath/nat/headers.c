/*
 * IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), TCP, UDP, ICMP
 * (RFC 792, 950) and ICMPv6 (RFC 4443) as far as the NAT looks. All reads are
 * bounded by the reader.
 */
#include <netinet/in.h>

#include "nat/headers.h"
#include "packet/parse.h"
#include "packet/reader.h"

#define TAGS_MAX     2
#define EXTENSIONS   8
#define QUOTED_PORTS 8 /* of a transport header, what an error has at least */

static void icmp4(struct reader *r, struct nat_headers *h)
{
	uint8_t type = reader_u8(r);
	uint16_t id;

	reader_skip(r, 3);
	id = __builtin_bswap16(reader_be16(r));
	h->code = NAT_ICMP;
	switch (type) {
	case 8: /* echo, timestamp, information, address mask: requests */
	case 13:
	case 15:
	case 17:
		h->query = NAT_QUERY;
		h->sport = id;
		break;
	case 0:
	case 14:
	case 16:
	case 18:
		h->dport = id;
		break;
	case 3: /* unreachable, quench, time exceeded, parameter problem */
	case 4:
	case 11:
	case 12:
		h->look = NAT_LOOK_ERROR;
		break;
	default:
		h->look = NAT_LOOK_OTHER;
	}
}

static void icmp6(struct reader *r, struct nat_headers *h)
{
	uint8_t type = reader_u8(r);
	uint16_t id;

	reader_skip(r, 3);
	id = __builtin_bswap16(reader_be16(r));
	h->code = NAT_ICMP | NAT_CODE_V6;
	if (type == 128) {
		h->query = NAT_QUERY;
		h->sport = id;
	} else if (type == 129) {
		h->dport = id;
	} else if (type >= 1 && type <= 4) {
		h->look = NAT_LOOK_ERROR;
	} else {
		h->look = NAT_LOOK_OTHER;
	}
}

/* The reader stands at the transport header; quoted: 8 bytes will do. */
static void transport(struct reader *r, struct nat_headers *h, bool quoted)
{
	bool v6 = h->version == 6;
	const uint8_t *tcp;

	h->look = NAT_LOOK_FLOW;
	switch (h->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		h->code = (h->proto == IPPROTO_TCP ? NAT_TCP : NAT_UDP) |
			  (v6 ? NAT_CODE_V6 : 0);
		h->sport = __builtin_bswap16(reader_be16(r));
		h->dport = __builtin_bswap16(reader_be16(r));
		if (quoted) {
			break;
		}
		if (h->proto == IPPROTO_UDP) {
			reader_skip(r, 4);
			break;
		}
		tcp = reader_take(r, 16);
		h->tcp_flags = tcp ? tcp[9] : 0;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (v6 == (h->proto == IPPROTO_ICMPV6)) {
			(v6 ? icmp6 : icmp4)(r, h);
			reader_skip(r, quoted ? 0 : 2);
			break;
		}
		/* fall through */
	default:
		h->look = NAT_LOOK_PROTOCOL;
	}
	if (r->failed)
		h->look = NAT_LOOK_MALFORMED;
}

/* Returns whether the transport header follows. */
static bool ipv4(struct reader *r, const uint8_t *start, struct nat_headers *h,
		 uint32_t *total)
{
	const uint8_t *ip = reader_take(r, 20);
	unsigned len;
	uint16_t frag;

	if (!ip || ip[0] >> 4 != 4 || (len = (ip[0] & 15) * 4) < 20 ||
	    !reader_skip(r, len - 20))
		return false;
	*total = load_be16(ip + 2);
	if (*total < len)
		return false;
	frag = load_be16(ip + 6);
	h->more = frag & 0x2000;
	h->fragment_offset = (frag & 0x1fff) * 8;
	h->fragment = h->more || h->fragment_offset;
	h->fragment_id = load_be16(ip + 4);
	h->proto = ip[9];
	h->l4 += r->at - start;
	return true;
}

static bool fragment6(struct reader *r, struct nat_headers *h, uint8_t *next)
{
	uint16_t frag;

	if (h->fragment)
		return false; /* twice */
	*next = reader_u8(r);
	reader_skip(r, 1);
	frag = reader_be16(r);
	h->fragment_id = reader_be32(r);
	h->fragment_offset = frag & 0xfff8;
	h->more = frag & 1;
	h->fragment = true;
	return !r->failed;
}

static bool ipv6(struct reader *r, const uint8_t *start, struct nat_headers *h,
		 uint32_t *total)
{
	const uint8_t *ip = reader_take(r, 40);
	uint8_t next;

	if (!ip || ip[0] >> 4 != 6)
		return false;
	*total = 40 + load_be16(ip + 4);
	next = ip[6];
	for (unsigned i = 0; i < EXTENSIONS; i++) {
		if (h->fragment && h->fragment_offset)
			break;
		if (next == IPPROTO_FRAGMENT) {
			if (!fragment6(r, h, &next))
				return false;
		} else if (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS ||
			   next == IPPROTO_ROUTING) {
			next = reader_u8(r);
			reader_skip(r, reader_u8(r) * 8 + 6);
			if (r->failed)
				return false;
		} else {
			break;
		}
	}
	h->proto = next;
	h->l4 += r->at - start;
	return true;
}

static void parse(struct reader *r, unsigned version, struct nat_headers *h,
		  uint32_t *total, bool quoted)
{
	const uint8_t *start = r->at;

	h->version = version;
	h->look = NAT_LOOK_MALFORMED;
	h->l4 = h->l3;
	if (!(version == 4 ? ipv4 : ipv6)(r, start, h, total))
		return;
	if (h->fragment && h->fragment_offset) {
		/* RFC 1858, RFC 3128: ports would be overwritten */
		if (h->fragment_offset >= QUOTED_PORTS &&
		    !(h->proto == IPPROTO_TCP && h->fragment_offset < 20))
			h->look = NAT_LOOK_LATER;
		return;
	}
	transport(r, h, quoted);
}

static bool lengths_are_right(const struct packet *p, struct nat_headers *h,
			      uint32_t total)
{
	uint32_t end = h->l3 + total;

	/* a GSO frame may be longer than IPv6 (or IPv4) can say */
	if (p->offload.gso && (total == 40 || !total))
		end = p->len;
	h->ip_end = end;
	if (end > p->len)
		return false;
	if (h->look == NAT_LOOK_FLOW || h->look == NAT_LOOK_ERROR)
		return end >= h->l4 + (NAT_CODE_PROTOCOL(h->code) == NAT_TCP
					       ? 20u
					       : 8u);
	return end >= h->l4;
}

void nat_headers_parse(struct packet *p, struct nat_headers *h)
{
	uint32_t l3, total = 0;
	struct reader r;
	uint16_t type;

	memset(h, 0, sizeof(*h));
	h->look = NAT_LOOK_MALFORMED;
	if (!packet_pull_first(p) && p->header_len < ETH_HEADER_LEN + 20)
		return;
	l3 = packet_l2_len(p, TAGS_MAX);
	if (l3 >= p->header_len)
		return;
	type = load_be16(p->header + l3 - 2);
	if (type != ETH_TYPE_IPV4 && type != ETH_TYPE_IPV6) {
		h->look = NAT_LOOK_OTHER;
		return;
	}
	/* options, extension headers or IPv6: more than the usual may be looked
	   at, all that there is if it is not so long */
	if (type == ETH_TYPE_IPV6 || (p->header[l3] & 15) != 5 ||
	    p->header_len < l3 + 40)
		packet_pull(p, MIN(p->len, (uint32_t)PACKET_PULL_MAX));
	h->l3 = l3;
	reader_init(&r, p->header + l3, p->header_len - l3);
	parse(&r, type == ETH_TYPE_IPV4 ? 4 : 6, h, &total, false);
	if (h->look != NAT_LOOK_MALFORMED && !lengths_are_right(p, h, total))
		h->look = NAT_LOOK_MALFORMED;
}

void nat_headers_quoted(const uint8_t *at, size_t n, unsigned version,
			struct nat_headers *h)
{
	uint32_t total = 0;
	struct reader r;

	memset(h, 0, sizeof(*h));
	reader_init(&r, at, n);
	parse(&r, version, h, &total, true);
	h->ip_end = total;
}
