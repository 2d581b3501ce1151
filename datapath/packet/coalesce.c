/* Joining of TCP segments: the rules of the kernel's tcp_gro_receive(). */
#include "packet/coalesce.h"

#include <netinet/in.h>

#include "packet/csum.h"
#include "packet/cursor.h"
#include "packet/parse.h"

#define L3		ETH_HEADER_LEN
#define IPV4_LEN	20u
#define IPV6_LEN	40u
#define TCP_LEN		20u
#define TCP_CSUM_OFFSET 16
#define TCP_FIN		0x01
#define TCP_SYN		0x02
#define TCP_RST		0x04
#define TCP_PSH		0x08
#define TCP_ACK		0x10
#define TCP_URG		0x20
#define TCP_CWR		0x80

/* What is known of a frame that may be joined. */
struct found {
	uint8_t l4, payload;
	uint16_t len; /* of the payload */
	uint8_t flags;
};

/* The transport header's offset; 0: not TCP, or not just as it is written. */
static uint8_t find_tcp(const struct packet *p)
{
	const uint8_t *ip = p->header + L3;

	if (load_be16(ip - 2) == ETH_TYPE_IPV4 && ip[0] == 0x45)
		return ip[9] == IPPROTO_TCP && !(load_be16(ip + 6) & 0xbfff) &&
				       load_be16(ip + 2) == p->len - L3
			       ? L3 + IPV4_LEN
			       : 0;
	if (load_be16(ip - 2) == ETH_TYPE_IPV6 && ip[0] >> 4 == 6)
		return ip[6] == IPPROTO_TCP && load_be16(ip + 4) + IPV6_LEN ==
						       p->len - L3
			       ? L3 + IPV6_LEN
			       : 0;
	return 0;
}

static bool find(struct packet *p, struct found *f)
{
	const struct packet_offload *o = &p->offload;
	const uint8_t *tcp;

	f->l4 = find_tcp(p);
	if (!f->l4 || o->gso || !packet_pull(p, f->l4 + TCP_LEN))
		return false;
	f->payload = f->l4 + (p->header[f->l4 + 12] >> 4) * 4;
	if (f->payload < f->l4 + TCP_LEN || f->payload >= p->len ||
	    !packet_pull(p, f->payload))
		return false;
	if (o->csum_needed &&
	    (o->csum_start != f->l4 || o->csum_offset != TCP_CSUM_OFFSET))
		return false;
	tcp = p->header + f->l4;
	f->len = p->len - f->payload;
	f->flags = tcp[13];
	return (f->flags & (TCP_SYN | TCP_RST | TCP_URG | TCP_ACK)) == TCP_ACK;
}

/* tag: bytes that were pushed in front. */
static bool csums_are_right(const struct packet *p, unsigned l4, unsigned tag)
{
	const uint8_t *ip = p->header + tag + L3;
	uint32_t len = p->len - tag - l4;
	bool v4 = l4 == L3 + IPV4_LEN;
	uint64_t sum;

	if (v4 && csum_fold(csum_add(0, ip, IPV4_LEN)) != 0xffff)
		return false;
	if (p->offload.csum_needed || p->offload.csum_valid)
		return true;
	sum = v4 ? csum_pseudo4(ip, IPPROTO_TCP, len)
		 : csum_pseudo6(ip, IPPROTO_TCP, len);
	sum = csum_combine(sum, csum_packet(p, tag + l4));
	return csum_fold(sum) == 0xffff;
}

static void start(struct coalesce *c, struct packet *p, const struct found *f)
{
	c->head = p;
	c->count = 1;
	c->checked = false;
	c->header_len = p->header_len;
	c->l4 = f->l4;
	c->payload = f->payload;
	c->late_flags = 0;
	c->mss = f->len;
	c->next_seq = load_be32(p->header + f->l4 + 4) + f->len;
	c->closed = f->flags & (TCP_FIN | TCP_PSH);
}

/* What was pushed in front of the head meanwhile. */
static unsigned tag_len(const struct coalesce *c)
{
	return c->head->header_len - c->header_len;
}

/* By an offset without that. */
static uint8_t *head_at(const struct coalesce *c, unsigned offset)
{
	return c->head->header + tag_len(c) + offset;
}

/*
 * The IP header; of the identification of packets that may not be fragmented
 * nothing is said anywhere (RFC 6864), others must be counted up.
 */
static bool same_ip(const struct coalesce *c, const uint8_t *ip)
{
	const uint8_t *h = head_at(c, L3);

	if (c->l4 == L3 + IPV6_LEN)
		return !memcmp(h, ip, 4) && !memcmp(h + 6, ip + 6, 34);
	if (!(ip[6] & 0x40) &&
	    load_be16(ip + 4) != (uint16_t)(load_be16(h + 4) + c->count))
		return false;
	return !memcmp(h, ip, 2) && !memcmp(h + 6, ip + 6, 4) &&
	       !memcmp(h + 12, ip + 12, 8);
}

/* Ports, acknowledgment, flags, window, urgent pointer, options. */
static bool same_tcp(const struct coalesce *c, const uint8_t *tcp,
		     const struct found *f)
{
	const uint8_t *h = head_at(c, c->l4);

	return !memcmp(h, tcp, 4) && !memcmp(h + 8, tcp + 8, 5) &&
	       !((h[13] ^ f->flags) & ~(TCP_CWR | TCP_FIN | TCP_PSH)) &&
	       !memcmp(h + 14, tcp + 14, 2) &&
	       !memcmp(h + 18, tcp + 18, c->payload - c->l4 - 18);
}

static bool follows(const struct coalesce *c, const struct packet *p,
		    const struct found *f)
{
	return !c->closed && f->l4 == c->l4 && f->payload == c->payload &&
	       f->len <= c->mss && !(f->flags & TCP_CWR) &&
	       load_be32(p->header + f->l4 + 4) == c->next_seq &&
	       c->count < COALESCE_MAX &&
	       c->payload - L3 + c->count * c->mss + f->len <= UINT16_MAX &&
	       !memcmp(c->head->header, p->header, 12) &&
	       same_ip(c, p->header + L3) && same_tcp(c, p->header + f->l4, f);
}

static bool head_is_right(struct coalesce *c)
{
	if (!c->checked)
		c->checked = csums_are_right(c->head, c->l4, tag_len(c));
	c->closed |= !c->checked;
	return c->checked;
}

/* Its pieces behind those that there are; false: no room. */
static bool borrow(struct coalesce *c, const struct packet *p, uint32_t payload)
{
	unsigned needed = p->n_segments;
	struct packet *head = c->head;
	struct cursor from;

	if (c->count == 1)
		needed += head->n_segments;
	if (needed > c->max_pieces - c->n_pieces)
		return false;
	if (c->count == 1) {
		memcpy(c->pieces + c->n_pieces, head->segments,
		       head->n_segments * sizeof(*head->segments));
		head->segments = c->pieces + c->n_pieces;
		c->n_pieces += head->n_segments;
	}
	cursor_init(&from, p);
	from.len = 0;
	from.skip = payload + p->pulled - p->header_len;
	while ((c->pieces[c->n_pieces].len = cursor_take(
			&from, UINT32_MAX, &c->pieces[c->n_pieces].data))) {
		c->n_pieces++;
		head->n_segments++;
		if (from.next == from.end && !from.len)
			break;
	}
	return true;
}

static bool join(struct coalesce *c, const struct packet *p,
		 const struct found *f)
{
	if (!csums_are_right(p, f->l4, 0) || !head_is_right(c) ||
	    !borrow(c, p, f->payload))
		return false;
	c->head->len += f->len;
	c->count++;
	c->next_seq += f->len;
	c->late_flags |= f->flags & (TCP_FIN | TCP_PSH);
	c->closed = f->len < c->mss || c->late_flags;
	return true;
}

bool coalesce_add_tcp(struct coalesce *c, struct packet *p)
{
	struct found f;
	bool fits = find(p, &f);

	if (fits && c->head && follows(c, p, &f) && join(c, p, &f))
		return true;
	coalesce_end(c);
	if (fits)
		start(c, p, &f);
	return false;
}

/* The headers of one large packet, and what is left to do with it. */
void coalesce_end_more(struct coalesce *c)
{
	struct packet *p = c->head;
	uint8_t *ip = head_at(c, L3), *tcp = head_at(c, c->l4);
	struct packet_offload *o = &p->offload;
	uint32_t l3_len = p->len - (ip - p->header);
	uint16_t seed;

	c->head = NULL;
	if (c->count == 1)
		return;
	tcp[13] |= c->late_flags;
	if (c->l4 == L3 + IPV4_LEN) {
		store_be16(ip + 2, l3_len);
		csum_ipv4_header(ip, IPV4_LEN);
		seed = csum_fold(
			csum_pseudo4(ip, IPPROTO_TCP, l3_len - IPV4_LEN));
	} else {
		store_be16(ip + 4, l3_len - IPV6_LEN);
		seed = csum_fold(
			csum_pseudo6(ip, IPPROTO_TCP, l3_len - IPV6_LEN));
	}
	memcpy(tcp + TCP_CSUM_OFFSET, &seed, sizeof(seed));
	o->csum_needed = true;
	o->csum_valid = false;
	o->csum_start = tcp - p->header;
	o->csum_offset = TCP_CSUM_OFFSET;
	o->gso = c->l4 == L3 + IPV4_LEN ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6;
	o->gso_size = c->mss;
	o->gso_ecn = tcp[13] & TCP_CWR;
}
