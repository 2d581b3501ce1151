/*
 * Plain outer headers off. Those of one remote and VNI are known by what they
 * have in common with the ones before, also of bursts before.
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
 * Both halves together are 0xffff. A sum of ones alone is taken for wrong, and
 * the other way knows better.
 */
INLINE bool sum_is_right(const uint8_t *ip, uint64_t addresses)
{
	/* No carry is lost: of a plain header byte 7 is 0. */
	uint64_t sum = word64(ip) + word32(ip + 8) + addresses;
	uint32_t s = (sum + (sum << 32 | sum >> 32)) >> 32;

	return s + (s << 16 | s >> 16) == UINT32_MAX;
}

/* Of len no more than an IP packet can have; its lengths say just that. */
INLINE bool lens_agree(const uint8_t *h, uint32_t len, unsigned version)
{
	uint16_t udp_len = __builtin_bswap16(len - UDP_AT(version));

	if (word16(h + UDP_AT(version) + 4) != udp_len)
		return false;
	if (version == 6)
		return word16(h + ETH_HEADER_LEN + 4) == udp_len;
	return word16(h + ETH_HEADER_LEN + 2) ==
	       __builtin_bswap16(len - ETH_HEADER_LEN);
}

#define TAIL_AT 62 /* flags to VNI, behind IPv6 */
_Static_assert(VXLAN_AT(6) == TAIL_AT, "all of the VXLAN header");

INLINE bool are_same(const struct tunnel_memory *m, const uint8_t *h,
		     unsigned version)
{
	const __m256i match[2] = { load32(m->match), load32(m->match + 32) };
	const __m256i mask[2] = { load32(m->mask), load32(m->mask + 32) };

	if (!same64(load32(h), load32(h + 32), match, mask))
		return false;
	return version == 4 ||
	       !((word64(h + TAIL_AT) ^ word64(m->match + TAIL_AT)) &
		 word64(m->mask + TAIL_AT));
}

/* Whether nothing is to be summed up, but for an IPv4 header. */
INLINE bool csum_is_fine(const struct tunnel_demux *d, const struct packet *p,
			 const uint8_t *h, unsigned version)
{
	return likely(!word16(h + UDP_AT(version) + UDP_CSUM_OFFSET)) ||
	       p->offload.csum_valid || d->csum_may_be_any;
}

/* Of the private header, and compared with the frame's before at first. */
INLINE bool is_tagged(const struct packet *inner, struct tunnel_memory *m)
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

static AVX2 __attribute__((noinline)) void put_tag(struct packet *inner,
						   uint16_t vid)
{
	uint8_t *h = inner->room + PACKET_HEADROOM;
	uint64_t first = word64(h);
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

/*
 * One more of the run, or false, part of the one before; as tunnel_accept().
 * special: the owner wants more done than with most.
 */
INLINE bool put_in(struct tunnel_in *in, struct packet *inner,
		   const struct tunnel_owner *owner, bool special)
{
	uint8_t *h = inner->room + PACKET_HEADROOM;

	if (unlikely(special) && owner->unfinished_mtu && may_be_unfinished(h))
		tunnel_take_unfinished(inner, owner->unfinished_mtu);
	if (unlikely(h[20] == IPPROTO_TCP || h[23] == IPPROTO_TCP)) {
		if (coalesce_add_tcp(&in->coalesce, inner))
			return false;
	} else {
		coalesce_end(&in->coalesce);
	}
	if (unlikely(special) && owner->vid)
		put_tag(inner, owner->vid);
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
INLINE void keep(const struct tunnel_demux *d, struct tunnel_memory *m,
		 unsigned version)
{
	unsigned len = version == 4 ? 4 : 16, dst = UDP_AT(version) - len;

	memcpy(m->mask, d->mask, sizeof(m->mask));
	memcpy(m->match, d->match, sizeof(m->match));
	memset(m->mask + dst - len, 0xff, 2 * len);
	memcpy(m->match + dst - len, m->src, len);
	memcpy(m->match + dst, m->dst, len);
	memset(m->mask + VXLAN_AT(version) + 4, 0xff, 3);
	memcpy(m->match + VXLAN_AT(version) + 4, &m->vni, 3);
	m->addresses = (uint64_t)word32(m->src) + word32(m->dst);
}

/* No headers match. */
static AVX2 void forget(struct tunnel_memory *m)
{
	memset(m->mask, 0xff, sizeof(m->mask));
	memset(m->match, 0, sizeof(m->match));
	m->vni = UINT32_MAX; /* no VNI is that */
	m->demux = 0;
	m->type = 0;
}

/* What is remembered is of the frames from here on. */
static AVX2 __attribute__((noinline)) void enter_run(struct tunnel_in *in)
{
	const struct tunnel_memory *m = &in->memory;
	struct vxlan_info info = { .vni = __builtin_bswap32(m->vni) >> 8 };

	memcpy(info.src_ip, m->src, sizeof(info.src_ip));
	if (!tunnel_goes_on(in, &info, &m->owner)) {
		coalesce_end(&in->coalesce);
		tunnel_begin_run(in, &info, &m->owner);
	}
	if (info.vni != in->vni)
		coalesce_end(&in->coalesce);
	in->vni = info.vni;
}

/*
 * Another remote or VNI than before, or not plain: false. Addresses and VNI
 * are read once; what else is in the headers is compared anew, with them.
 */
INLINE bool change(const struct tunnel_demux *d, struct tunnel_in *in,
		   const uint8_t *h, unsigned version)
{
	struct tunnel_memory *m = &in->memory;
	unsigned len = version == 4 ? 4 : 16, at = UDP_AT(version) - len;
	__m128i src = address(h + at - len, version);
	__m128i dst = address(h + at, version);
	uint32_t vni = once(word32(h + VXLAN_AT(version) + 4)) & 0xffffff;
	struct vxlan_info info = { .ip_version = version,
				   .vni = __builtin_bswap32(vni) >> 8 };
	struct tunnel_owner owner;

	if (same_address(src, load16(m->src)) &&
	    same_address(dst, load16(m->dst)) && vni == m->vni)
		return false;
	memcpy(info.src_ip, &src, sizeof(info.src_ip));
	if (tunnel_find_owner(d, in, &info, &owner) != N_DROP_REASONS)
		return false;
	/* Another destination than a VXLAN port's may be anyone's affair. */
	if (d->n_locals && memcmp(&dst, d->locals[0], len) != 0)
		return false;
	put128(m->src, src);
	put128(m->dst, dst);
	m->vni = vni;
	m->owner = owner;
	m->demux = d->id;
	keep(d, m, version);
	return are_same(m, h, version) &&
	       (version == 6 || sum_is_right(h + ETH_HEADER_LEN, m->addresses));
}

static AVX2 __attribute__((noinline)) bool change4(const struct tunnel_demux *d,
						   struct tunnel_in *in,
						   const uint8_t *h)
{
	return change(d, in, h, 4);
}

static AVX2 __attribute__((noinline)) bool change6(const struct tunnel_demux *d,
						   struct tunnel_in *in,
						   const uint8_t *h)
{
	return change(d, in, h, 6);
}

/*
 * The first bytes, private or not, or NULL: it may not be plain. Headers are
 * read where they lie: who may write them meanwhile could have sent any others
 * just as well, as long as what they are taken for is read once, as it is.
 */
INLINE const uint8_t *headers_of(struct packet *p, unsigned version)
{
	const struct packet_segment *segment = p->segments;
	const uint32_t min = OUTER_LEN(version) + PACKET_PULL;
	const uint32_t max =
		UINT16_MAX + (version == 4 ? ETH_HEADER_LEN : UDP_AT(6));
	const uint8_t *h;
	uint32_t asked;

	if (likely(p->state == PACKET_STATE_UNTOUCHED))
		h = segment->data;
	else if (p->state == STATE_PULLED &&
		 (version == 4 || packet_pull(p, OUTER_LEN(6))))
		h = p->header;
	else
		return NULL;
	memcpy(&asked, &p->offload, sizeof(asked));
	if (unlikely(asked & OFFLOAD_ASKED) ||
	    unlikely(segment->len - min > max - min) ||
	    unlikely(!lens_agree(h, segment->len, version)))
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
	struct tunnel_memory *m = &in->memory;
	struct packet *inner = &in->inner[in->n_inner];
	bool entered = false, special = true;
	unsigned i;

	if (!d->id || m->demux != d->id)
		forget(m);
	n = MIN(n, TUNNEL_PACKETS - in->n_inner - in->n_failed - in->n_others);
	for (i = 0; i < n; i++) {
		struct packet *p = packets[i];
		const uint8_t *h = headers_of(p, version);
		uint8_t mark;

		if (unlikely(!h || !csum_is_fine(d, p, h, version)))
			break;
		make_inner(inner, p->segments->data + OUTER_LEN(version),
			   p->segments->len - OUTER_LEN(version));
		if (unlikely(is_tagged(inner, m)))
			break;
		mark = once(h[ETH_HEADER_LEN + 1]);
		mark = (version == 4 ? mark : mark >> 4) & 3;
		if (unlikely(mark) && !mark_is_same(inner, mark))
			break;
		if (unlikely(!are_same(m, h, version))) {
			end_run(in, inner);
			if (!(version == 4 ? change4(d, in, h)
					   : change6(d, in, h)))
				break;
			entered = false;
			special = true;
		} else if (version == 4 &&
			   unlikely(!sum_is_right(h + ETH_HEADER_LEN,
						  m->addresses))) {
			break;
		}
		if (unlikely(special) && !entered) {
			enter_run(in);
			entered = true;
			special = m->owner.vid || m->owner.unfinished_mtu;
		}
		inner += put_in(in, inner, &m->owner, special);
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
