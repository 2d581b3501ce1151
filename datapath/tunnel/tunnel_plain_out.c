/*
 * Plain frames into plain outer headers. The private header of a struct packet
 * has room for those of IPv4 and the frame's own, so that is moved back and the
 * outer one is written in front of it. Those of IPv6 get a packet of their own,
 * which borrows the frame's private header and the rest as two segments. What a
 * frame says is remembered as long as the next ones say the same.
 */
#include "tunnel/tunnel_plain_flow.h"

bool tunnel_plain_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

void tunnel_plain_endpoint(struct tunnel_endpoint *e)
{
	const struct vxlan_outer *o = &e->outer;
	uint8_t ip[IPV4_LEN];

	e->plain = o->udp_csum != VXLAN_CSUM_FULL && !o->inherit_ttl;
	if (!e->plain)
		return;
	e->csum_left = o->udp_csum == VXLAN_CSUM_LEFT;
	if (e->csum_left) {
		e->offload.csum_needed = true;
		e->offload.csum_start = o->udp;
		e->offload.csum_offset = UDP_CSUM_OFFSET;
	}
	e->tos = o->inherit_tos ? 0 : o->tos;
	e->tos_mask = o->inherit_tos ? 0xff : 3;
	e->len_max = UINT16_MAX - UDP_LEN - VXLAN_HEADER_LEN;
	if (o->ip_version == 4)
		e->len_max -= IPV4_LEN;
	if (e->mtu)
		e->len_max = MIN(e->len_max, e->mtu + ETH_HEADER_LEN);
	if (o->ip_version == 6) {
		e->udp_sum = csum_fold(
			csum_pseudo6(o->header + o->l3, IPPROTO_UDP, 0));
		return;
	}
	e->udp_sum = csum_fold(csum_pseudo4(o->header + o->l3, IPPROTO_UDP, 0));
	/* What the template has not: it is the same in each packet. */
	memcpy(ip, o->header + o->l3, sizeof(ip));
	ip[8] = o->ttl;
	e->ip_sum = csum_fold(csum_add(0, ip, sizeof(ip)));
}

/* csum_needed, gso and gso_ecn of struct packet_offload, as one word. */
#define OFFLOAD_ASKED 0xffff00ffu

_Static_assert(offsetof(struct packet_offload, csum_valid) == 1, "not that");

/* Nothing is left to offload, and the header is where there is room for it. */
INLINE bool is_simple(const struct packet *p)
{
	uint32_t asked;

	memcpy(&asked, &p->offload, sizeof(asked));
	return !(asked & OFFLOAD_ASKED) &&
	       (uintptr_t)p->header - (uintptr_t)p->room <=
		       sizeof(p->room) - PACKET_PULL - VLAN_TAG_LEN;
}

/* Whether it is now that its checksum was finished. */
static AVX2 __attribute__((noinline)) bool simplify(const struct tunnel_way *w,
						    struct packet *p)
{
	return !w->shared && !w->e->outer.leave_inner_csum && !p->offload.gso &&
	       p->offload.csum_needed && packet_finish_csum(p) && is_simple(p);
}

/* The place of the outer packet: the inner's own, unless that is shared. */
INLINE struct packet *outer_of(const struct tunnel_way *w, struct packet *p,
			       unsigned i)
{
	struct packet *outer;

	if (!w->shared)
		return p;
	outer = &w->out->outer[w->out->n_outer + i];
	memcpy(outer, p, offsetof(struct packet, room));
	if (p->segments == &p->segment)
		outer->segments = &outer->segment;
	return outer;
}

/* An inner frame's private bytes, of which a tag is left out. */
struct private
{
	__m256i low, high; /* from a tag's length on */
	uint64_t first;
	uint32_t second;
};

INLINE struct private load_private(const uint8_t *h, unsigned tag)
{
	return (struct private){ .low = load32(h + tag),
				 .high = load32(h + tag + 32),
				 .first = vxlan_word(h),
				 .second = word32(h + 8) };
}

INLINE void put_private(uint8_t *to, const struct private *b, unsigned tag)
{
	put256(to, b->low);
	put256(to + 32, b->high);
	if (!tag)
		return;
	put64(to, b->first);
	put32(to + 8, b->second);
}

/* The frame before, where it says what the outer headers are. */
struct memory {
	__m256i match[2];    /* from behind a tag's length on, ... */
	const uint8_t *mask; /* where there are ones */
	uint32_t first;	     /* of a tagged one, what is in front */
	int n;		     /* private bytes that are looked at */
	uint32_t sum;	     /* of the IPv4 header without its length */
	uint32_t start;	     /* of the IP header, and */
	uint16_t port;	     /* of the UDP header, as they lie */
	uint32_t len;	     /* of frames that the template is just right for */
	uint32_t vni;
};

/* The VNI by the tag; false: it is not one that says it. */
static bool take_vni(const struct tunnel_way *w, const uint8_t *h,
		     struct memory *m)
{
	uint32_t vni;

	if (load_be16(h + 12) != ETH_TYPE_VLAN)
		return false;
	vni = vtep_table_vni(w->t->table, VLAN_VID(load_be16(h + 14)));
	m->vni = __builtin_bswap32(vni << 8);
	return vni != VTEP_NO_VNI;
}

/* Another flow than before. False: not plain, and nothing is remembered. */
INLINE bool remember(const struct tunnel_way *w, const uint8_t *h, int n,
		     const struct private *bytes, unsigned tag,
		     unsigned version, struct memory *m)
{
	const struct tunnel_endpoint *e = w->e;
	const uint8_t *l2 = h + tag;
	struct seen seen;
	uint32_t tos;

	m->n = INT32_MAX;
	if (n < ETH_HEADER_LEN || (tag && !take_vni(w, h, m)) ||
	    !see(h, l2 + 12, n - 12, w->t->seed, &seen))
		return false;
	m->n = seen.n;
	m->mask = seen.mask;
	m->len = 0;
	m->match[0] = bytes->low;
	m->match[1] = bytes->high;
	m->first = word32(h);
	tos = e->tos | (seen.tos & e->tos_mask);
	if (version == 4)
		m->start = 0x45 | tos << 8;
	else
		m->start = __builtin_bswap32(6u << 28 | tos << 20 |
					     (seen.hash >> 32 & 0xfffff));
	m->sum = e->ip_sum + (tos << 8);
	m->port = __builtin_bswap16(vxlan_source_port(seen.hash));
	return true;
}

/* Ones where sums of 16 bits, not too many, are folded into one. */
INLINE uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* The length, as it lies, and the port; the sum of the pseudo header where the
 * checksum is another's to make; and the VNI, by a tag. */
INLINE void put_udp(const struct tunnel_endpoint *e, const struct memory *m,
		    uint8_t *udp, uint16_t len, bool tagged)
{
	put16(udp, m->port);
	put16(udp + 4, len);
	if (unlikely(e->csum_left))
		put16(udp + UDP_CSUM_OFFSET, fold(e->udp_sum + len));
	if (tagged)
		put32(udp + UDP_LEN + 4, m->vni);
}

/* Lengths, marks and port into a template in front of len bytes. */
INLINE void put_outer4(const struct tunnel_endpoint *e, const struct memory *m,
		       uint8_t *udp, uint32_t len, bool tagged,
		       struct tunnel_out *out)
{
	uint8_t *ip = udp - IPV4_LEN;
	uint32_t udp_len = len + UDP_LEN + VXLAN_HEADER_LEN;
	uint16_t ip_len = __builtin_bswap16(udp_len + IPV4_LEN);
	uint32_t sum = m->sum + ip_len;

	put32(ip, m->start | (uint32_t)ip_len << 16);
	if (unlikely(!e->outer.dont_fragment)) {
		uint16_t id = __builtin_bswap16(out->ip_id++);

		put16(ip + 4, id);
		sum += id;
	}
	put16(ip + 10, ~fold(sum));
	put_udp(e, m, udp, __builtin_bswap16(udp_len), tagged);
}

INLINE void put_outer6(const struct tunnel_endpoint *e, const struct memory *m,
		       uint8_t *udp, uint32_t len, bool tagged)
{
	uint8_t *ip = udp - IPV6_LEN;
	uint16_t udp_len = __builtin_bswap16(len + UDP_LEN + VXLAN_HEADER_LEN);

	put32(ip, m->start);
	put16(ip + 4, udp_len);
	put_udp(e, m, udp, udp_len, tagged);
}

/* All headers of a remote. The VNI is 0 where tags say it. */
struct template
{
	uint8_t bytes[96];
	__m256i low, high;
	__m128i last; /* of IPv6 */
};

static AVX2 void make_template(const struct tunnel_way *w, struct template *t)
{
	const struct vxlan_outer *o = &w->e->outer;

	memcpy(t->bytes, o->header, sizeof(o->header));
	t->bytes[o->l3 + (o->ip_version == 4 ? 8 : 7)] = o->ttl;
	store_be32(t->bytes + o->len - 4, w->vni << 8);
	t->low = load32(t->bytes);
	t->high = load32(t->bytes + 32);
	t->last = load16(t->bytes + 64);
}

/* In front of the frame, in its own private header or the outer packet's. */
INLINE struct packet *surround4(const struct tunnel_way *w, struct packet *p,
				unsigned i, const struct private *bytes,
				unsigned tag, const struct template *t,
				unsigned outer_len)
{
	struct packet *outer = outer_of(w, p, i);
	uint8_t *to = outer->room + sizeof(outer->room) - PACKET_PULL;

	put256(to - outer_len, t->low);
	put256(to - outer_len + 32, t->high);
	put_private(to, bytes, tag);
	outer->header_len += outer_len - tag;
	outer->header = to - outer_len;
	return outer;
}

/*
 * In another packet, which borrows the frame: the private bytes, and the rest
 * if there is any. A tag goes; what it leaves of the frame is not p any more.
 */
INLINE struct packet *surround6(const struct tunnel_way *w, struct packet *p,
				unsigned i, const struct private *bytes,
				unsigned tag, const struct template *t,
				unsigned outer_len)
{
	struct packet *outer = &w->out->outer[w->out->n_outer + i];
	struct packet_segment *pieces = &w->out->pieces[w->out->n_pieces];
	uint32_t rest = p->segments->len - p->pulled;
	uint8_t *to = outer->room + PACKET_HEADROOM, *h = p->header + tag;

	put256(to, t->low);
	put256(to + 32, t->high);
	put128(to + 64, t->last);
	if (tag) {
		put64(h, bytes->first);
		put32(h + 8, bytes->second);
	}
	pieces[0].data = h;
	pieces[0].len = p->header_len - tag;
	pieces[1].data = p->segments->data + p->pulled;
	pieces[1].len = rest;
	w->out->n_pieces += 2;
	outer->header = to;
	outer->segments = pieces;
	outer->state = outer_len | (rest ? 2ull << 32 : 1ull << 32);
	return outer;
}

/* One segment, no tag beside it, and whoever else has it keeps his tag. */
INLINE bool may_be_borrowed(const struct tunnel_way *w, const struct packet *p,
			    unsigned tag)
{
	return p->state >> 32 == 1 && !(tag && w->shared);
}

/* What differs in the headers of outer. */
INLINE void put_outer(const struct tunnel_way *w, const struct memory *m,
		      struct packet *outer, uint32_t len, unsigned tag,
		      unsigned version, unsigned outer_len)
{
	uint8_t *udp = outer->header + outer_len - UDP_LEN - VXLAN_HEADER_LEN;

	if (version == 4)
		put_outer4(w->e, m, udp, len, tag, w->out);
	else
		put_outer6(w->e, m, udp, len, tag);
}

/*
 * From a flow's second frame on the template has it all, for frames of that
 * length; not where each has an identification.
 */
INLINE void keep_outer(const struct tunnel_way *w, struct memory *m,
		       struct template *t, const struct packet *outer,
		       uint32_t len, unsigned version)
{
	if (version == 4 && !w->e->outer.dont_fragment)
		return;
	t->low = load32(outer->header);
	t->high = load32(outer->header + 32);
	if (version == 6)
		t->last = load16(outer->header + 64);
	m->len = len;
}

INLINE struct packet *surround(const struct tunnel_way *w, struct packet *p,
			       unsigned i, const struct private *bytes,
			       unsigned tag, const struct template *t,
			       unsigned version, unsigned outer_len)
{
	if (version == 4)
		return surround4(w, p, i, bytes, tag, t, outer_len);
	return surround6(w, p, i, bytes, tag, t, outer_len);
}

/* Whether it is another flow's than the frame before. */
INLINE bool differs(const struct memory *m, const struct private *bytes,
		    int private, unsigned tag)
{
	const __m256i mask[2] = { load32(m->mask), load32(m->mask + 32) };

	return private < m->n ||
	       !same64(bytes->low, bytes->high, m->match, mask) ||
	       (tag && (uint32_t)bytes->first != m->first);
}

/* tag: bytes of it in the inner frames, which go. */
INLINE unsigned encap(const struct tunnel_way *w,
		      struct packet *const packets[], unsigned n, unsigned tag,
		      unsigned version, unsigned outer_len)
{
	const struct tunnel_endpoint *e = w->e;
	struct memory m = { .n = INT32_MAX, .mask = mask4 };
	struct packet **list = w->out->list + w->out->n_outer;
	struct template t;
	unsigned i;

	make_template(w, &t);
	for (i = 0; i < n; i++) {
		struct packet *p = packets[i], *outer;
		uint32_t len = p->len - tag;
		struct private bytes;
		const uint8_t *h;
		int private;

		if (unlikely(!is_simple(p)) && !simplify(w, p))
			break;
		private = (int)p->header_len - (int)tag;
		if (unlikely(version == 4 ? private > (int)PACKET_PULL
					  : !may_be_borrowed(w, p, tag)) ||
		    unlikely(len > e->len_max))
			break;
		h = p->header;
		/* All of them, as the new place may be where they are. */
		bytes = load_private(h, tag);
		if (unlikely(differs(&m, &bytes, private, tag))) {
			if (!remember(w, h, private, &bytes, tag, version, &m))
				break;
			outer = surround(w, p, i, &bytes, tag, &t, version,
					 outer_len);
			put_outer(w, &m, outer, len, tag, version, outer_len);
		} else {
			outer = surround(w, p, i, &bytes, tag, &t, version,
					 outer_len);
			if (unlikely(len != m.len)) {
				put_outer(w, &m, outer, len, tag, version,
					  outer_len);
				keep_outer(w, &m, &t, outer, len, version);
			}
		}
		outer->len = len + outer_len;
		if (version == 6 || unlikely(e->csum_left))
			outer->offload = e->offload;
		else
			outer->offload.csum_valid = false;
		list[i] = outer;
	}
	w->out->n_outer += i;
	return i;
}

/*
 * With constant lengths there is less to do: a tag inside or none, a version,
 * and a tag outside or none.
 */
#define ENCAP(TAG, VERSION, OUTER_TAG)                                         \
	static AVX2 __attribute__((noinline)) unsigned                         \
		encap_##TAG##_##VERSION##_##OUTER_TAG(                         \
			const struct tunnel_way *w,                            \
			struct packet *const packets[], unsigned n)            \
	{                                                                      \
		return encap(w, packets, n, TAG, VERSION,                      \
			     OUTER_LEN(VERSION) + (OUTER_TAG));                \
	}
ENCAP(0, 4, 0)
ENCAP(0, 4, 4)
ENCAP(0, 6, 0)
ENCAP(0, 6, 4)
ENCAP(4, 4, 0)
ENCAP(4, 4, 4)
ENCAP(4, 6, 0)
ENCAP(4, 6, 4)

unsigned tunnel_plain_encap(const struct tunnel_way *w,
			    struct packet *const packets[], unsigned n)
{
	static unsigned (*const ways[2][2][2])(const struct tunnel_way *w,
					       struct packet *const packets[],
					       unsigned n) = {
		{ { encap_0_4_0, encap_0_4_4 }, { encap_0_6_0, encap_0_6_4 } },
		{ { encap_4_4_0, encap_4_4_4 }, { encap_4_6_0, encap_4_6_4 } },
	};
	const struct vxlan_outer *o = &w->e->outer;
	bool is_6 = o->ip_version == 6, tagged = o->l3 != ETH_HEADER_LEN;

	if (w->by_tag ? !w->t->table : w->vni == VTEP_NO_VNI)
		return 0;
	n = MIN(n, TUNNEL_PACKETS - w->out->n_outer);
	if (is_6)
		n = MIN(n, (TUNNEL_PIECES - w->out->n_pieces) / 2);
	return ways[w->by_tag][is_6][tagged](w, packets, n);
}
