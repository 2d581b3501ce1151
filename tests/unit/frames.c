/* See frames.h. */
#include "frames.h"

#include <netinet/in.h>
#include <stdlib.h>

uint16_t plain_sum(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? data[i] : data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static uint32_t put_ethernet(uint8_t *d, const struct frame_spec *s)
{
	static const uint8_t macs[12] = { 0x02, 0, 0, 0, 0, 2,
					  0x02, 0, 0, 0, 0, 1 };
	uint32_t at = 12;

	memcpy(d, macs, 12);
	for (unsigned i = 0; i < s->n_tags; i++, at += 4) {
		store_be16(d + at, s->n_tags == 2 && !i ? 0x88a8 : 0x8100);
		store_be16(d + at + 2, 0x2000 + 10 + i);
	}
	store_be16(d + at, s->version == 4 ? 0x0800 : 0x86dd);
	return at + 2;
}

static uint32_t put_ipv4(uint8_t *ip, const struct frame_spec *s, uint32_t rest)
{
	uint32_t len = 20 + s->ip_extra;

	memset(ip, 0, 20);
	memset(ip + 20, 1, s->ip_extra); /* no-operation */
	ip[0] = 0x40 | len / 4;
	ip[1] = 0x02; /* ECT(0) */
	store_be16(ip + 2, len + rest);
	store_be16(ip + 4, s->ip_id);
	ip[8] = 64;
	ip[9] = s->proto;
	store_be32(ip + 12, 0xc0a80001);
	store_be32(ip + 16, 0xc0a800fe);
	store_be16(ip + 10, ~plain_sum(ip, len, 0));
	return len;
}

static uint32_t put_ipv6(uint8_t *ip, const struct frame_spec *s, uint32_t rest)
{
	uint8_t *ext = ip + 40;

	memset(ip, 0, 40 + s->ip_extra);
	store_be32(ip, 0x60200000);
	store_be16(ip + 4, s->ip_extra + rest);
	ip[6] = s->proto;
	ip[7] = 64;
	for (int i = 0; i < 32; i++)
		ip[8 + i] = i * 7 + 1;
	if (s->ip_extra) { /* one destination options header of PadN */
		ip[6] = IPPROTO_DSTOPTS;
		ext[0] = s->proto;
		ext[1] = s->ip_extra / 8 - 1;
		ext[2] = 1;
		ext[3] = s->ip_extra - 4;
	}
	return 40 + s->ip_extra;
}

static uint32_t put_tcp(uint8_t *l4, const struct frame_spec *s)
{
	uint32_t len = 20 + s->tcp_extra;

	memset(l4, 0, 20);
	memset(l4 + 20, 1, s->tcp_extra);
	store_be16(l4, 40000);
	store_be16(l4 + 2, 443);
	store_be32(l4 + 4, s->seq);
	store_be32(l4 + 8, 0x01020304);
	l4[12] = len / 4 << 4;
	l4[13] = s->tcp_flags;
	store_be16(l4 + 14, 8192);
	return len;
}

static uint32_t put_udp(uint8_t *l4, const struct frame_spec *s)
{
	store_be16(l4, 5000);
	store_be16(l4 + 2, 4433);
	store_be16(l4 + 4, 8 + s->payload_len);
	store_be16(l4 + 6, 0);
	return 8;
}

void frame_build(struct frame *f, const struct frame_spec *s)
{
	bool tcp = s->proto == IPPROTO_TCP;
	uint32_t rest = (tcp ? 20 + s->tcp_extra : 8) + s->payload_len;
	uint16_t sum;
	uint8_t *ip;

	f->l3 = put_ethernet(f->data, s);
	ip = f->data + f->l3;
	if (s->version == 4)
		f->l4 = f->l3 + put_ipv4(ip, s, rest);
	else
		f->l4 = f->l3 + put_ipv6(ip, s, rest);
	f->start = f->l4 + (tcp ? put_tcp(f->data + f->l4, s)
				: put_udp(f->data + f->l4, s));
	f->len = f->start + s->payload_len;
	if (s->payload_len)
		memcpy(f->data + f->start, s->payload, s->payload_len);
	f->csum_offset = tcp ? 16 : 6;
	if (s->version == 4)
		sum = plain_sum(ip + 12, 8, s->proto);
	else
		sum = plain_sum(ip + 8, 32, s->proto);
	sum = plain_sum((uint8_t[]){ rest >> 8, rest }, 2, sum);
	if (!s->partial) {
		sum = ~plain_sum(f->data + f->l4, rest, sum);
		if (!sum)
			sum = 0xffff;
	}
	store_be16(f->data + f->l4 + f->csum_offset, sum);
}

struct packet_segment *pieces_make(const uint8_t *data, uint32_t len,
				   uint32_t piece, unsigned *n)
{
	struct packet_segment *pieces;
	uint8_t *copy;

	if (!piece || piece > len)
		piece = len ? len : 1;
	*n = len ? DIV_ROUND_UP(len, piece) : 1;
	pieces = xcalloc(*n, sizeof(*pieces));
	for (unsigned i = 0; i < *n; i++) {
		pieces[i].len = MIN(piece, len - i * piece);
		copy = xmalloc(pieces[i].len);
		memcpy(copy, data + i * piece, pieces[i].len);
		pieces[i].data = copy;
	}
	return pieces;
}

void pieces_free(struct packet_segment *pieces, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free((void *)pieces[i].data);
	free(pieces);
}

void packet_of_pieces(struct packet *p, const struct packet_segment *pieces,
		      unsigned n, uint32_t len)
{
	packet_init(p, pieces[0].data, len);
	if (n == 1)
		return;
	p->segments = pieces;
	p->n_segments = n;
}

void vnet_make(uint8_t vnet[10], uint8_t flags, uint8_t gso_type,
	       uint16_t hdr_len, uint16_t gso_size, uint16_t csum_start,
	       uint16_t csum_offset)
{
	uint16_t v[4] = { hdr_len, gso_size, csum_start, csum_offset };

	vnet[0] = flags;
	vnet[1] = gso_type;
	for (int i = 0; i < 4; i++) {
		vnet[2 + 2 * i] = v[i];
		vnet[3 + 2 * i] = v[i] >> 8;
	}
}

uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

void fill(uint8_t *data, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = next_random(&seed);
}
