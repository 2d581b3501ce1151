/* The segmentation of gso.h: a template of headers, edited per segment. */
#include "packet/gso.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "packet/csum.h"
#include "packet/parse.h"

#define TCP_HEADER_LEN	20u
#define TCP_CSUM_OFFSET 16
#define TCP_FLAGS	13 /* offset of the flags' byte */
#define TCP_FIN		0x01
#define TCP_PSH		0x08
#define TCP_CWR		0x80
#define UDP_HEADER_LEN	8u
#define UDP_CSUM_OFFSET 6
#define IPV6_HEADER_LEN 40
#define IPV6_NEXT	6 /* offset of the next header's number */
#define IP_DONT		0x4000
#define IP_MORE		0x2000

static bool tcp_layout(const uint8_t *header, uint32_t n, struct gso_layout *l)
{
	unsigned len;

	if (l->ip_proto != IPPROTO_TCP || l->l4 + TCP_HEADER_LEN > n)
		return false;
	len = (header[l->l4 + 12] >> 4) * 4;
	if (len < TCP_HEADER_LEN || l->l4 + len > n)
		return false;
	l->payload = l->l4 + len;
	l->csum_offset = TCP_CSUM_OFFSET;
	return true;
}

static bool udp_layout(uint32_t n, struct gso_layout *l)
{
	if (l->ip_proto != IPPROTO_UDP || l->l4 + UDP_HEADER_LEN > n)
		return false;
	l->payload = l->l4 + UDP_HEADER_LEN;
	l->csum_offset = UDP_CSUM_OFFSET;
	return true;
}

/* Of IPv6 extension headers, some would have to be in each fragment. */
static bool ufo_layout(uint32_t n, struct gso_layout *l)
{
	if (l->ip_version == 6 && l->l4 != l->l3 + IPV6_HEADER_LEN)
		return false;
	if (!udp_layout(n, l))
		return false;
	l->payload = l->l4;
	return true;
}

bool gso_layout(const uint8_t *header, uint32_t n, enum packet_gso type,
		struct gso_layout *l)
{
	struct flow_key key;

	if (!flow_parse(header, n, &key) || !key.l4 ||
	    key.fragment != FLOW_FRAG_NONE)
		return false;
	l->l3 = key.l3;
	l->l4 = key.l4;
	l->ip_version = key.ip_version;
	l->ip_proto = key.ip_proto;
	switch (type) {
	case PACKET_GSO_TCP4:
		return key.ip_version == 4 && tcp_layout(header, n, l);
	case PACKET_GSO_TCP6:
		return key.ip_version == 6 && tcp_layout(header, n, l);
	case PACKET_GSO_UDP:
		return udp_layout(n, l);
	case PACKET_GSO_UFO:
		return ufo_layout(n, l);
	case PACKET_GSO_NONE:
		break;
	}
	return false;
}

/*
 * The usual case at a glance: TCP right behind an IP header without options or
 * extensions, no tag, no fragment, and all of it private.
 */
static bool plain_layout(const struct packet *p, enum packet_gso type,
			 struct gso_layout *l)
{
	const uint8_t *ip = p->header + ETH_HEADER_LEN;
	bool v4 = type == PACKET_GSO_TCP4;
	uint32_t l4 = ETH_HEADER_LEN + (v4 ? 20 : IPV6_HEADER_LEN);

	if ((!v4 && type != PACKET_GSO_TCP6) ||
	    p->header_len < l4 + TCP_HEADER_LEN)
		return false;
	if (v4 ? load_be16(ip - 2) != ETH_TYPE_IPV4 || ip[0] != 0x45 ||
			    load_be16(ip + 6) & 0x3fff || ip[9] != IPPROTO_TCP
	       : load_be16(ip - 2) != ETH_TYPE_IPV6 || ip[0] >> 4 != 6 ||
			    ip[IPV6_NEXT] != IPPROTO_TCP)
		return false;
	*l = (struct gso_layout){ .l3 = ETH_HEADER_LEN,
				  .l4 = l4,
				  .ip_version = v4 ? 4 : 6,
				  .ip_proto = IPPROTO_TCP };
	return tcp_layout(p->header, p->header_len, l);
}

bool gso_layout_packet(const struct packet *p, enum packet_gso type,
		       struct gso_layout *l)
{
	uint8_t header[GSO_HEADER_MAX];
	uint32_t n;

	if (likely(plain_layout(p, type, l)))
		return true;
	n = packet_read(p, 0, header, sizeof(header));
	return gso_layout(header, n, type, l);
}

uint32_t packet_gso_header_len(const struct packet *p)
{
	uint32_t start = p->offload.csum_start, len;
	uint8_t data_offset;

	if (p->offload.gso == PACKET_GSO_UDP ||
	    p->offload.gso == PACKET_GSO_UFO)
		len = start + UDP_HEADER_LEN;
	else if (likely(start + 12 < p->header_len))
		len = start + (p->header[start + 12] >> 4) * 4;
	else if (packet_read(p, start + 12, &data_offset, 1) == 1)
		len = start + (data_offset >> 4) * 4;
	else
		return 0;
	return len <= p->len ? len : 0;
}

uint32_t packet_gso_segment_len(const struct packet *p)
{
	if (p->offload.gso != PACKET_GSO_UFO)
		return packet_gso_header_len(p) + p->offload.gso_size;
	/* IPv6 has a header for it. */
	if (load_be16(p->header + packet_l2_len(p, FLOW_TAGS_MAX) - 2) !=
	    ETH_TYPE_IPV6)
		return p->offload.csum_start + p->offload.gso_size;
	return p->offload.csum_start + GSO_FRAGMENT_LEN + p->offload.gso_size;
}

static uint16_t pseudo_sum(const struct gso_layout *l, const uint8_t *header,
			   uint32_t len)
{
	uint64_t (*pseudo)(const uint8_t *, uint8_t, uint32_t) =
		l->ip_version == 4 ? csum_pseudo4 : csum_pseudo6;

	return csum_fold(pseudo(header + l->l3, l->ip_proto, len - l->l4));
}

/* Of the whole datagram, before it is in pieces; whatever the field holds. */
static void finish_datagram(struct gso *g, const struct packet *p)
{
	const struct gso_layout *l = &g->layout;
	uint8_t *field = g->header + l->l4 + l->csum_offset;
	uint16_t old;

	memcpy(&old, field, sizeof(old));
	csum_store(field, csum_packet(p, l->l4) + (uint16_t)~old +
				  pseudo_sum(l, g->header, p->len));
}

/* The UDP header is private, and goes with the first. */
static bool start_fragments(struct gso *g, const struct packet *p)
{
	static _Atomic uint32_t last_id;

	g->size = p->offload.gso_size & ~7;
	/* The multiplier only spreads them. */
	g->id = 0x9e3779b1u *
		atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed);
	g->offload.csum_needed = false;
	finish_datagram(g, p);
	return cursor_skip(&g->payload, UDP_HEADER_LEN);
}

int gso_start(struct gso *g, const struct packet *p, bool finish_csum)
{
	uint32_t n = packet_read(p, 0, g->header,
				 MIN(p->len, (uint32_t)GSO_HEADER_MAX));

	if (p->offload.gso_size < gso_size_min(p->offload.gso) ||
	    !gso_layout(g->header, n, p->offload.gso, &g->layout) ||
	    !gso_fits(&g->layout, p->len, p->offload.gso_size))
		return -EINVAL;
	cursor_init(&g->payload, p);
	if (!cursor_skip(&g->payload, g->layout.payload))
		return -EINVAL;
	g->left = p->len - g->layout.payload;
	g->size = p->offload.gso_size;
	g->index = 0;
	memset(&g->offload, 0, sizeof(g->offload));
	g->no_csum =
		p->offload.gso == PACKET_GSO_UDP && p->offload.csum_optional;
	g->offload.csum_needed = !finish_csum && !g->no_csum;
	g->offload.csum_start = g->layout.l4;
	g->offload.csum_offset = g->layout.csum_offset;
	g->fragments = p->offload.gso == PACKET_GSO_UFO;
	if (g->fragments && !start_fragments(g, p))
		return -EINVAL;
	return 0;
}

/*
 * Gives the segment its n bytes of payload, where they lie. On failure the
 * cursor is where it was.
 */
static int borrow(struct gso *g, struct gso_scratch *s, struct packet *p,
		  uint32_t n)
{
	struct packet_segment *pieces = &s->pieces[s->n_pieces];
	unsigned max = GSO_PIECES - s->n_pieces, i = 0;
	struct cursor c = g->payload;

	for (; n; n -= pieces[i++].len) {
		if (i == max)
			return -ENOSPC;
		pieces[i].len = cursor_take(&c, n, &pieces[i].data);
		if (!pieces[i].len)
			return -EINVAL;
	}
	p->segments = pieces;
	p->n_segments = i;
	s->n_pieces += i;
	g->payload = c;
	return 0;
}

static void edit_ip(const struct gso *g, uint8_t *ip, uint32_t ip_len)
{
	if (g->layout.ip_version == 6) {
		store_be16(ip + 4, ip_len - IPV6_HEADER_LEN);
		return;
	}
	store_be16(ip + 2, ip_len);
	store_be16(ip + 4, load_be16(ip + 4) + g->index);
	csum_ipv4_header(ip, g->layout.l4 - g->layout.l3);
}

/* What comes once only is in the first segment, or in the last. */
static void edit_tcp(const struct gso *g, uint8_t *tcp, bool last)
{
	store_be32(tcp + 4, load_be32(tcp + 4) + g->index * g->size);
	if (g->index)
		tcp[TCP_FLAGS] &= ~TCP_CWR;
	if (!last)
		tcp[TCP_FLAGS] &= ~(TCP_FIN | TCP_PSH);
}

static void edit_csum(const struct gso *g, struct packet *p, uint8_t *header)
{
	const struct gso_layout *l = &g->layout;
	uint8_t *field = header + l->l4 + l->csum_offset;
	uint16_t seed;

	if (g->no_csum) {
		memset(field, 0, sizeof(seed));
		return;
	}
	seed = pseudo_sum(l, header, p->len);
	/* The rest is summed, now or later, with this in the field. */
	memcpy(field, &seed, sizeof(seed));
	if (!p->offload.csum_needed)
		csum_store(field, csum_packet(p, l->l4));
}

/*
 * Makes the template's copy the headers of a fragment of n bytes; returns their
 * length.
 */
static uint32_t edit_fragment(const struct gso *g, uint8_t *header, uint32_t n)
{
	const struct gso_layout *l = &g->layout;
	uint32_t at = g->index * g->size, len = l->l4;
	uint8_t *ip = header + l->l3, *fragment = header + l->l4;
	bool more = g->left > n;

	if (l->ip_version == 4) {
		store_be16(ip + 2, l->l4 - l->l3 + n);
		store_be16(ip + 6, (load_be16(ip + 6) & IP_DONT) |
					   (more ? IP_MORE : 0) | at / 8);
		csum_ipv4_header(ip, l->l4 - l->l3);
	} else {
		store_be16(ip + 4, GSO_FRAGMENT_LEN + n);
		ip[IPV6_NEXT] = IPPROTO_FRAGMENT;
		fragment[0] = IPPROTO_UDP;
		fragment[1] = 0;
		store_be16(fragment + 2, at | more);
		store_be32(fragment + 4, g->id);
		len += GSO_FRAGMENT_LEN;
	}
	if (g->index)
		return len;
	memcpy(header + len, g->header + l->l4, UDP_HEADER_LEN);
	return len + UDP_HEADER_LEN;
}

/* The headers of a segment of n bytes; returns their length. */
static uint32_t edit_segment(const struct gso *g, uint8_t *header, uint32_t n)
{
	const struct gso_layout *l = &g->layout;
	uint32_t len = l->payload + n;

	edit_ip(g, header + l->l3, len - l->l3);
	if (l->ip_proto == IPPROTO_TCP)
		edit_tcp(g, header + l->l4, g->left == n);
	else
		store_be16(header + l->l4 + 4, len - l->l4);
	return l->payload;
}

int gso_next(struct gso *g, struct gso_scratch *s, struct packet **segmentp)
{
	uint32_t n = MIN(g->left, (uint32_t)g->size);
	const struct gso_layout *l = &g->layout;
	uint32_t private = g->fragments && !g->index ? UDP_HEADER_LEN : 0;
	struct packet *p;
	uint8_t *header;
	int error;

	if (!n)
		return 0;
	if (s->n_packets == GSO_BATCH)
		return -ENOSPC;
	p = &s->packets[s->n_packets];
	packet_init(p, NULL, 0);
	error = borrow(g, s, p, n - private);
	if (error)
		return error;
	header = s->headers[s->n_packets++] + PACKET_HEADROOM;
	memcpy(header, g->header, l->payload);
	p->header = header;
	p->header_len = g->fragments ? edit_fragment(g, header, n)
				     : edit_segment(g, header, n);
	p->len = p->header_len + n - private;
	p->offload = g->offload;
	if (!g->fragments)
		edit_csum(g, p, header);
	g->left -= n;
	g->index++;
	*segmentp = p;
	return 1;
}
