/*
 * Plain outer headers off. Those of one remote and VNI are known by what they
 * have in common with the ones before.
 */
#include "tunnel/tunnel_plain.h"

/* csum_needed and gso of struct packet_offload, as one word. */
#define OFFLOAD_ASKED 0x00ff00ffu

_Static_assert(offsetof(struct packet_offload, gso) == 2, "in that word");

static void want(struct tunnel_demux *d, unsigned at, uint8_t mask,
		 uint8_t value)
{
	d->mask[at] = mask;
	d->match[at] = value & mask;
}

static void want_bytes(struct tunnel_demux *d, unsigned at, const void *bytes,
		       unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		want(d, at + i, 0xff, ((const uint8_t *)bytes)[i]);
}

/* Packets to others, groups mostly, are for the way for all. */
static void want_ipv4(struct tunnel_demux *d)
{
	want_bytes(d, 12, (const uint8_t[]){ 8, 0, 0x45 }, 3);
	want(d, 20, 0x3f, 0);
	want(d, 21, 0xff, 0);
	want(d, 23, 0xff, IPPROTO_UDP);
	if (d->n_locals)
		want_bytes(d, 30, d->locals[0], 4);
}

static void want_ipv6(struct tunnel_demux *d)
{
	want_bytes(d, 12, (const uint8_t[]){ 0x86, 0xdd }, 2);
	want(d, 14, 0xf0, 0x60);
	want(d, 20, 0xff, IPPROTO_UDP);
	if (d->n_locals)
		want_bytes(d, 38, d->locals[0], 16);
}

void tunnel_plain_demux(struct tunnel_demux *d)
{
	const struct vxlan_decap_rules *r = &d->rules;
	uint16_t port = r->udp_port ? r->udp_port : VXLAN_UDP_PORT;
	unsigned version = d->ip_version, vxlan = VXLAN_AT(version);
	uint8_t mac[8], ports[2];

	d->csum_may_be_any = r->csum == VXLAN_CSUM_IGNORE;
	/* It may be without a checksum, which most are. */
	d->plain = d->csum_may_be_any || (r->csum == VXLAN_CSUM_CHECK &&
					  (version == 4 || r->zero_csum6));
	store_be32(mac, d->local_mac >> 16);
	store_be16(mac + 4, d->local_mac);
	store_be16(ports, port);
	if (d->local_mac)
		want_bytes(d, 0, mac, 6);
	if (version == 4)
		want_ipv4(d);
	else
		want_ipv6(d);
	want_bytes(d, UDP_AT(version) + 2, ports, 2);
	want(d, vxlan, r->refuse_reserved ? 0xff : VXLAN_FLAG_VNI,
	     VXLAN_FLAG_VNI);
	if (!r->refuse_reserved)
		return;
	want_bytes(d, vxlan + 1, (const uint8_t[]){ 0, 0, 0 }, 3);
	want(d, vxlan + 7, 0xff, 0);
}

/* A value that was read, and is not to be read again: a guest may write it. */
INLINE uint32_t once(uint32_t v)
{
	__asm__("" : "+r"(v));
	return v;
}

/*
 * Whether an IPv4 header of 20 bytes sums up, with the sum of both addresses.
 * Both halves together are 0xffff. A sum that wraps here, or is of ones alone,
 * is taken for wrong, and the other way knows better.
 */
INLINE bool sum_is_right(const uint8_t *ip, uint64_t addresses)
{
	uint64_t sum = addresses + word32(ip) + word32(ip + 4) + word32(ip + 8);
	uint32_t s = (uint32_t)sum + (uint32_t)(sum >> 32);

	return s + (s << 16 | s >> 16) == UINT32_MAX;
}

INLINE bool lens_agree(const uint8_t *h, uint32_t len, unsigned version)
{
	uint32_t udp_len = __builtin_bswap16(word16(h + UDP_AT(version) + 4));
	uint32_t ip_len;

	if (version == 6)
		return udp_len + UDP_AT(6) == len &&
		       word16(h + 18) == __builtin_bswap16(udp_len);
	ip_len = __builtin_bswap16(word16(h + 16));
	return ip_len + ETH_HEADER_LEN == len && udp_len + IPV4_LEN == ip_len;
}

/* Headers as they are from a remote with a VNI. */
struct memory {
	__m256i match[2], mask[2];
	uint64_t tail_match, tail_mask; /* of IPv6, the last 8 bytes */
	/* As they lie; of IPv4 the rest is 0, and so is vni's last byte. */
	__m128i src, dst;
	uint32_t vni;
	uint32_t unfinished_mtu;
	uint16_t vid;
	uint16_t type;	    /* of the last inner frame; no tag's */
	uint64_t addresses; /* their sum */
};

#define TAIL_AT 62 /* flags to VNI, behind IPv6 */
_Static_assert(VXLAN_AT(6) == TAIL_AT, "all of the VXLAN header");

INLINE bool are_same(const struct memory *m, const uint8_t *h, unsigned version)
{
	if (!same64(load32(h), load32(h + 32), m->match, m->mask))
		return false;
	return version == 4 ||
	       !((word64(h + TAIL_AT) ^ m->tail_match) & m->tail_mask);
}

/* Whether nothing is to be summed up, but for an IPv4 header. */
INLINE bool csum_is_fine(const struct tunnel_demux *d, const struct packet *p,
			 const uint8_t *h, unsigned version)
{
	return likely(!word16(h + UDP_AT(version) + UDP_CSUM_OFFSET)) ||
	       p->offload.csum_valid || d->csum_may_be_any;
}

/* Of the private header, and compared with the frame's before at first. */
INLINE bool is_tagged(const struct packet *inner, struct memory *m)
{
	uint16_t type = word16(inner->room + PACKET_HEADROOM + 12);

	if (likely(type == m->type))
		return false;
	m->type = type;
	if (type != TYPE_VLAN && type != TYPE_SVLAN)
		return false;
	m->type = 0;
	return true;
}

/*
 * Whether tunnel_take_unfinished() is to look at it: of plain IPv4 the checksum
 * is known to be finished, unless it is the sum of the pseudo header.
 */
INLINE bool may_be_unfinished(const uint8_t *h)
{
	unsigned offset = h[23] == IPPROTO_TCP ? 34 + 16 : 34 + 6;
	uint16_t len = __builtin_bswap16(word16(h + 16)) - IPV4_LEN;
	uint64_t sum;

	if (unlikely((word32(h + 12) & 0xffffff) != TYPE_IPV4))
		return true;
	sum = (uint64_t)word32(h + 26) + word32(h + 30) +
	      __builtin_bswap16(len) + ((uint32_t)h[23] << 8);
	return csum_fold(sum) == word16(h + offset);
}

/* One more of the run, or false, part of the one before; as tunnel_accept(). */
INLINE bool put_in(struct tunnel_in *in, struct packet *inner, uint16_t vid,
		   uint32_t unfinished_mtu)
{
	uint8_t *h = inner->room + PACKET_HEADROOM;

	if (unfinished_mtu && unlikely(may_be_unfinished(h)))
		tunnel_take_unfinished(inner, unfinished_mtu);
	if (unlikely(h[20] == IPPROTO_TCP || h[23] == IPPROTO_TCP)) {
		if (coalesce_add_tcp(&in->coalesce, inner))
			return false;
	} else {
		coalesce_end(&in->coalesce);
	}
	if (vid) {
		uint64_t first = vxlan_word(h);
		uint32_t second = word32(h + 8);

		inner->header -= VLAN_TAG_LEN;
		put64(h - VLAN_TAG_LEN, first);
		put32(h - VLAN_TAG_LEN + 8, second);
		put32(h - VLAN_TAG_LEN + 12,
		      TYPE_VLAN | (uint32_t)__builtin_bswap16(vid) << 16);
		inner->header_len += VLAN_TAG_LEN;
		inner->len += VLAN_TAG_LEN;
		inner->offload.csum_start += VLAN_TAG_LEN;
	}
	return true;
}

/*
 * Whether a congestion mark of the outer header changes nothing: the inner one
 * is the same (RFC 6040 4.2).
 */
static AVX2 __attribute__((noinline)) bool mark_is_same(
	const struct packet *inner, uint8_t mark)
{
	const uint8_t *ip = inner->room + PACKET_HEADROOM + ETH_HEADER_LEN;
	uint32_t word = word32(ip - 2);

	if ((word & 0xf0ffff) == (TYPE_IPV4 & 0xf0ffff))
		return (ip[1] & 3) == mark;
	return (word & 0xf0ffff) == TYPE_IPV6 && (ip[1] >> 4 & 3) == mark;
}

/* An address, read once, with zeros behind. */
INLINE __m128i address(const uint8_t *at, unsigned version)
{
	__m128i v;

	if (version == 4)
		return _mm_cvtsi32_si128(once(word32(at)));
	v = load16(at);
	__asm__("" : "+x"(v));
	return v;
}

INLINE bool same_address(__m128i a, __m128i b)
{
	__m128i differ = _mm_xor_si128(a, b);

	return _mm_testz_si128(differ, differ);
}

/* What packets have in common that have these addresses and VNI. */
INLINE void keep(const struct tunnel_demux *d, struct memory *m,
		 unsigned version)
{
	unsigned len = version == 4 ? 4 : 16, dst = UDP_AT(version) - len;
	uint8_t mask[TUNNEL_MATCH_LEN], match[TUNNEL_MATCH_LEN];

	memcpy(mask, d->mask, sizeof(mask));
	memcpy(match, d->match, sizeof(match));
	memset(mask + dst - len, 0xff, 2 * len);
	memcpy(match + dst - len, &m->src, len);
	memcpy(match + dst, &m->dst, len);
	memset(mask + VXLAN_AT(version) + 4, 0xff, 3);
	memcpy(match + VXLAN_AT(version) + 4, &m->vni, 3);
	for (unsigned i = 0; i < 2; i++) {
		m->mask[i] = load32(mask + 32 * i);
		m->match[i] = load32(match + 32 * i);
	}
	m->tail_mask = word64(mask + TAIL_AT);
	m->tail_match = word64(match + TAIL_AT);
	if (version == 4)
		m->addresses = (uint64_t)(uint32_t)_mm_cvtsi128_si32(m->src) +
			       (uint32_t)_mm_cvtsi128_si32(m->dst);
}

/*
 * Another remote or VNI than before, or not plain: false. Addresses and VNI
 * are read once; what else is in the headers is compared anew, with them.
 */
INLINE bool change(const struct tunnel_demux *d, struct tunnel_in *in,
		   const uint8_t *h, struct memory *m, unsigned version)
{
	unsigned len = version == 4 ? 4 : 16, at = UDP_AT(version) - len;
	__m128i src = address(h + at - len, version);
	__m128i dst = address(h + at, version);
	uint32_t vni = once(word32(h + VXLAN_AT(version) + 4)) & 0xffffff;
	struct vxlan_info info = { .ip_version = version,
				   .vni = __builtin_bswap32(vni) >> 8 };
	struct tunnel_owner owner;

	if (same_address(src, m->src) && same_address(dst, m->dst) &&
	    vni == m->vni)
		return false;
	memcpy(info.src_ip, &src, sizeof(info.src_ip));
	if (tunnel_find_owner(d, in, &info, &owner) != N_DROP_REASONS)
		return false;
	/* Another destination than a VXLAN port's may be anyone's affair. */
	if (d->n_locals && memcmp(&dst, d->locals[0], len) != 0)
		return false;
	m->src = src;
	m->dst = dst;
	m->vni = vni;
	m->vid = owner.vid;
	m->unfinished_mtu = owner.unfinished_mtu;
	keep(d, m, version);
	if (!are_same(m, h, version) ||
	    (version == 4 && !sum_is_right(h + ETH_HEADER_LEN, m->addresses)))
		return false;
	if (!tunnel_goes_on(in, &info, &owner)) {
		coalesce_end(&in->coalesce);
		tunnel_begin_run(in, &info, &owner);
	}
	if (info.vni != in->vni)
		coalesce_end(&in->coalesce);
	in->vni = info.vni;
	return true;
}

static AVX2 __attribute__((noinline)) bool change4(const struct tunnel_demux *d,
						   struct tunnel_in *in,
						   const uint8_t *h,
						   struct memory *m)
{
	return change(d, in, h, m, 4);
}

static AVX2 __attribute__((noinline)) bool change6(const struct tunnel_demux *d,
						   struct tunnel_in *in,
						   const uint8_t *h,
						   struct memory *m)
{
	return change(d, in, h, m, 6);
}

/*
 * The first bytes, private or not, or NULL: it may not be plain. Headers are
 * read where they lie: who may write them meanwhile could have sent any others
 * just as well, as long as what they are taken for is read once, as it is.
 */
INLINE const uint8_t *headers_of(struct packet *p, unsigned version)
{
	const uint8_t *h;
	uint32_t asked;

	if (likely(p->state == PACKET_STATE_UNTOUCHED))
		h = p->segments->data;
	else if (p->state == STATE_PULLED &&
		 (version == 4 || packet_pull(p, OUTER_LEN(6))))
		h = p->header;
	else
		return NULL;
	memcpy(&asked, &p->offload, sizeof(asked));
	if (unlikely(asked & OFFLOAD_ASKED ||
		     p->segments->len < OUTER_LEN(version) + PACKET_PULL ||
		     !lens_agree(h, p->segments->len, version)))
		return NULL;
	return h;
}

/* A frame of at least PACKET_PULL bytes, of which so many become private. */
INLINE void make_inner(struct packet *inner, const uint8_t *data, uint32_t len)
{
	uint8_t *h = inner->room + PACKET_HEADROOM;

	/* By 16: none of the stores crosses a cache line. */
	put128(h, load16(data));
	put128(h + 16, load16(data + 16));
	put128(h + 32, load16(data + 32));
	put128(h + 48, load16(data + 48));
	inner->header = h;
	inner->segments = &inner->segment;
	inner->segment.data = data;
	inner->segment.len = len;
	inner->len = len;
	inner->state = STATE_PULLED;
	memset(&inner->offload, 0, sizeof(inner->offload));
}

/* What there is of it is counted; `next` is the place of the next frame. */
static void end_run(struct tunnel_in *in, const struct packet *next)
{
	unsigned n = next - &in->inner[in->n_inner];

	if (n)
		in->runs[in->n_runs - 1].n += n;
	in->n_inner += n;
}

INLINE unsigned decap(const struct tunnel_demux *d, struct tunnel_in *in,
		      struct packet *const packets[], unsigned n,
		      unsigned version)
{
	/* No VNI is that. */
	struct memory m = { .vni = UINT32_MAX };
	struct packet *inner = &in->inner[in->n_inner];
	unsigned i;

	m.mask[0] = m.mask[1] = _mm256_set1_epi8(-1);
	m.match[0] = m.match[1] = _mm256_setzero_si256();
	n = MIN(n, TUNNEL_PACKETS - in->n_inner - in->n_failed - in->n_others);
	for (i = 0; i < n; i++) {
		struct packet *p = packets[i];
		const uint8_t *h = headers_of(p, version);
		uint8_t mark;

		if (unlikely(!h || !csum_is_fine(d, p, h, version)))
			break;
		make_inner(inner, p->segments->data + OUTER_LEN(version),
			   p->segments->len - OUTER_LEN(version));
		if (unlikely(is_tagged(inner, &m)))
			break;
		mark = once(h[ETH_HEADER_LEN + 1]);
		mark = (version == 4 ? mark : mark >> 4) & 3;
		if (unlikely(mark) && !mark_is_same(inner, mark))
			break;
		if (unlikely(!are_same(&m, h, version))) {
			end_run(in, inner);
			if (!(version == 4 ? change4(d, in, h, &m)
					   : change6(d, in, h, &m)))
				break;
		}
		if (version == 4 &&
		    unlikely(!sum_is_right(h + ETH_HEADER_LEN, m.addresses)))
			break;
		inner += put_in(in, inner, m.vid, m.unfinished_mtu);
	}
	end_run(in, inner);
	return i;
}

static AVX2 __attribute__((noinline)) unsigned decap4(
	const struct tunnel_demux *d, struct tunnel_in *in,
	struct packet *const packets[], unsigned n)
{
	return decap(d, in, packets, n, 4);
}

static AVX2 __attribute__((noinline)) unsigned decap6(
	const struct tunnel_demux *d, struct tunnel_in *in,
	struct packet *const packets[], unsigned n)
{
	return decap(d, in, packets, n, 6);
}

unsigned tunnel_plain_decap(const struct tunnel_demux *d, struct tunnel_in *in,
			    struct packet *const packets[], unsigned n)
{
	return d->ip_version == 4 ? decap4(d, in, packets, n)
				  : decap6(d, in, packets, n);
}
