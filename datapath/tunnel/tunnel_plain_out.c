/*
 * Plain frames into plain outer headers. The private header of a struct packet
 * has room for both, so the frame's own is moved back and the outer one is
 * written in front of it. What a frame says is remembered as long as the next
 * ones say the same.
 */
#include "tunnel/tunnel_plain.h"

bool tunnel_plain_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

void tunnel_plain_endpoint(struct tunnel_endpoint *e)
{
	const struct vxlan_outer *o = &e->outer;
	uint8_t ip[IPV4_LEN];

	e->plain = o->ip_version == 4 && o->udp_csum == VXLAN_CSUM_ZERO &&
		   !o->inherit_ttl;
	if (!e->plain)
		return;
	e->tos = o->inherit_tos ? 0 : o->tos;
	e->tos_mask = o->inherit_tos ? 0xff : 3;
	e->len_max = UINT16_MAX - IPV4_LEN - UDP_LEN - VXLAN_HEADER_LEN;
	if (e->mtu)
		e->len_max = MIN(e->len_max, e->mtu + ETH_HEADER_LEN);
	/* What the template has not: it is the same in each packet. */
	memcpy(ip, o->header + o->l3, sizeof(ip));
	ip[8] = o->ttl;
	e->ip_sum = csum_fold(csum_add(0, ip, sizeof(ip)));
}

/* What an inner frame says: its flow's hash, and its TOS. */
struct seen {
	uint64_t hash;
	uint32_t tos;
};

INLINE bool has_ports(uint32_t proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_TCP;
}

/* As vxlan_flow_of(). n bytes are private from the type on, maybe none. */
INLINE bool see(const uint8_t *h, const uint8_t *type, int n, uint64_t seed,
		struct seen *seen)
{
	uint64_t first = vxlan_word(h), second = vxlan_word(h + 6), hash;
	uint32_t word = word32(type), proto;

	if (type != h + 12)
		second = second << 16 >> 16 | (uint64_t)word << 48;
	hash = vxlan_hash_ethernet(first, second, seed);
	if (likely((word & 0xffffff) == TYPE_IPV4)) {
		uint32_t flags_proto = word32(type + 8);

		proto = flags_proto >> 24;
		if (unlikely(n < 26 || flags_proto & 0xff3f ||
			     !has_ports(proto)))
			return false;
		seen->tos = word >> 24;
		seen->hash = vxlan_hash_ip(hash, vxlan_word(type + 14),
					   (uint64_t)proto << 32 |
						   word32(type + 22));
		return true;
	}
	proto = type[8];
	if ((word & 0xf0ffff) != TYPE_IPV6 || n < 46 || !has_ports(proto))
		return false;
	seen->tos = __builtin_bswap32(word) >> 4 & 0xff;
	hash = vxlan_hash_ip(hash, vxlan_word(type + 10),
			     vxlan_word(type + 18));
	seen->hash =
		vxlan_hash_ip(hash, vxlan_word(type + 26),
			      vxlan_word(type + 34) ^ ((uint64_t)proto << 32 |
						       word32(type + 42)));
	return true;
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
	__m256i match[2], mask[2]; /* from behind a tag's length on */
	uint32_t first;		   /* of a tagged one, what is in front */
	int n;			   /* private bytes that are looked at */
	uint32_t sum;		   /* of the IP header without its length */
	uint16_t start, port; /* of the IP and the UDP header, as they lie */
	uint32_t vni;
};

/* Ones where a flow's frames are the same: not the length, the IPv4
 * identification and checksum, nor what is behind the ports. */
static const uint8_t mask4[64] CACHE_ALIGNED = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,	  0,	0,    0,
	0xff, 0xff, 0,	  0xff, 0,    0,    0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};
static const uint8_t mask6[64] CACHE_ALIGNED = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0,    0,    0,	  0,	0xff, 0,    0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
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
		     struct memory *m)
{
	const struct tunnel_endpoint *e = w->e;
	const uint8_t *l2 = h + tag, *mask;
	struct seen seen;
	uint32_t tos;

	m->n = INT32_MAX;
	if (n < ETH_HEADER_LEN || (tag && !take_vni(w, h, m)) ||
	    !see(h, l2 + 12, n - 12, w->t->seed, &seen))
		return false;
	mask = word32(l2 + 12) & 0x20 << 16 ? mask6 : mask4;
	m->n = mask == mask4 ? 38 : 58;
	m->mask[0] = load32(mask);
	m->mask[1] = load32(mask + 32);
	m->match[0] = bytes->low;
	m->match[1] = bytes->high;
	m->first = word32(h);
	tos = e->tos | (seen.tos & e->tos_mask);
	m->start = 0x45 | tos << 8;
	m->sum = e->ip_sum + (tos << 8);
	m->port = __builtin_bswap16(vxlan_source_port(seen.hash));
	return true;
}

/* Lengths, marks and port into a template around a frame of len bytes. */
INLINE void put_outer(const struct tunnel_endpoint *e, const struct memory *m,
		      uint8_t *h, uint32_t outer_len, uint32_t len, bool tagged,
		      struct tunnel_out *out)
{
	uint8_t *udp = h + outer_len - VXLAN_HEADER_LEN - UDP_LEN;
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
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	put16(ip + 10, ~sum);
	put16(udp, m->port);
	put16(udp + 4, __builtin_bswap16(udp_len));
	if (tagged)
		put32(udp + UDP_LEN + 4, m->vni);
}

/* tag: bytes of it in the inner frames, which go. */
INLINE unsigned encap(const struct tunnel_way *w,
		      struct packet *const packets[], unsigned n, unsigned tag,
		      unsigned outer_len)
{
	const struct tunnel_endpoint *e = w->e;
	struct memory m = { .n = INT32_MAX };
	struct packet **list = w->out->list + w->out->n_outer;
	uint8_t template[64];
	__m256i t[2];
	unsigned i;

	memcpy(template, e->outer.header, sizeof(template));
	template[e->outer.l3 + 8] = e->outer.ttl;
	store_be32(template + outer_len - 4, w->t->vni << 8);
	t[0] = load32(template);
	t[1] = load32(template + 32);
	for (i = 0; i < n; i++) {
		struct packet *p = packets[i], *outer;
		uint32_t len = p->len - tag;
		struct private bytes;
		uint8_t *h, *to;
		int private;

		if (unlikely(!is_simple(p)) && !simplify(w, p))
			break;
		private = (int)p->header_len - (int)tag;
		if (unlikely(private > (int)PACKET_PULL || len > e->len_max))
			break;
		h = p->header;
		/* All of them, as the new place may be where they are. */
		bytes = load_private(h, tag);
		if (unlikely(private < m.n ||
			     !same64(bytes.low, bytes.high, m.match, m.mask) ||
			     (tag && (uint32_t)bytes.first != m.first)) &&
		    !remember(w, h, private, &bytes, tag, &m))
			break;
		outer = outer_of(w, p, i);
		to = outer->room + sizeof(outer->room) - PACKET_PULL;
		put256(to - outer_len, t[0]);
		put256(to - outer_len + 32, t[1]);
		put_private(to, &bytes, tag);
		put_outer(e, &m, to - outer_len, outer_len, len, tag, w->out);
		outer->header = to - outer_len;
		outer->header_len = private + outer_len;
		outer->len = len + outer_len;
		outer->offload.csum_valid = false;
		list[i] = outer;
	}
	w->out->n_outer += i;
	return i;
}

/* With constant lengths there is less to do; the outer header has a tag, too,
 * or it has not. */
INLINE unsigned encap_any(const struct tunnel_way *w,
			  struct packet *const packets[], unsigned n,
			  unsigned tag)
{
	if (w->e->outer.len == TUNNEL_PLAIN_LEN)
		return encap(w, packets, n, tag, TUNNEL_PLAIN_LEN);
	return encap(w, packets, n, tag, TUNNEL_PLAIN_LEN + VLAN_TAG_LEN);
}

AVX2 unsigned tunnel_plain_encap(const struct tunnel_way *w,
				 struct packet *const packets[], unsigned n)
{
	n = MIN(n, TUNNEL_PACKETS - w->out->n_outer);
	if (w->t->vni != VTEP_NO_VNI)
		return encap_any(w, packets, n, 0);
	return w->t->table ? encap_any(w, packets, n, VLAN_TAG_LEN) : 0;
}
