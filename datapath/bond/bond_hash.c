/*
 * One packet's hash. The common frames are recognised by a few comparisons;
 * for all others flow_parse() finds what is to be hashed, with the same result.
 */
#include "bond/bond_hash.h"

#include <netinet/in.h>

#include "packet/parse.h"

static inline uint32_t load_word(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint16_t load_half(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* --- addresses --------------------------------------------------------- */

/* The end of an address, and the VLAN as in a tag without priority. */
static inline uint32_t mac_end(const uint8_t *mac, uint16_t vid)
{
	return load_half(mac + 4) | (uint32_t)__builtin_bswap16(vid) << 16;
}

/* mac: 6 bytes of a header. */
static unsigned hash_mac(uint32_t basis, const uint8_t *mac, uint16_t vid)
{
	return bond_mix_last(bond_mix_first(basis, load_word(mac)),
			     mac_end(mac, vid));
}

unsigned bond_hash_slb(uint64_t mac, uint16_t vid, uint32_t basis)
{
	uint8_t bytes[6];

	store_be16(bytes, mac >> 32);
	store_be32(bytes + 2, mac);
	return hash_mac(basis, bytes, vid);
}

static uint16_t outer_vid(const struct packet *p)
{
	if (!eth_type_is_vlan(load_be16(p->header + 12)) ||
	    p->header_len < ETH_HEADER_LEN + VLAN_TAG_LEN)
		return 0;
	return VLAN_VID(load_be16(p->header + 14));
}

static unsigned hash_macs(uint32_t basis, const struct packet *p)
{
	const uint8_t *dst = p->header, *src = dst + 6;
	uint32_t h = bond_mix_first(basis, load_word(src));

	h = bond_mix(h, mac_end(src, outer_vid(p)));
	h = bond_mix(h, load_word(dst));
	return bond_mix_last(h, mac_end(dst, 0));
}

/* What is hashed of a frame with IP; addresses are n bytes long. */
struct flow_words {
	const uint8_t *src, *dst;
	unsigned n;
	uint32_t last; /* what comes after the addresses, of L4 */
};

/* Half of two addresses of IPv6. */
static inline uint32_t fold_half(const uint8_t *src, const uint8_t *dst)
{
	return bond_swap_halves(load_word(src)) ^ load_word(src + 4) ^
	       bond_swap_pairs(load_word(dst)) ^ bond_turn(load_word(dst + 4));
}

static inline unsigned hash_words(enum bond_hash hash, uint32_t basis,
				  const struct flow_words *w)
{
	uint32_t h, second;

	if (w->n == 4) {
		h = load_word(w->src) ^ bond_turn(load_word(w->dst));
		if (hash == BOND_HASH_IP)
			return bond_mix_only(basis, h);
		return bond_mix_last(bond_mix_first(basis, h), w->last);
	}
	h = bond_mix_first(basis, fold_half(w->src, w->dst));
	second = fold_half(w->src + 8, w->dst + 8);
	if (hash == BOND_HASH_IP)
		return bond_mix_last(h, second);
	return bond_mix_last(bond_mix(h, second), w->last);
}

/* --- flows ------------------------------------------------------------- */

/* ports: as they lie in the header, or 0. */
static inline uint32_t ports_word(uint32_t ports, uint8_t proto)
{
	return ports ^ (uint32_t)proto << 24;
}

/* Any frame. */
static unsigned hash_parsed(enum bond_hash hash, uint32_t basis,
			    const struct packet *p)
{
	struct flow_words words = { 0 };
	struct flow_key key;
	uint32_t ports = 0;

	if (!flow_parse_packet(p, &key) || !key.ip_version)
		return hash_macs(basis, p);
	words.src = key.src_ip;
	words.dst = key.dst_ip;
	words.n = key.ip_version == 4 ? 4 : 16;
	if (key.has_ports)
		ports = htobe32((uint32_t)key.src_port << 16 | key.dst_port);
	if (!key.fragment)
		words.last = ports_word(ports, key.ip_proto);
	return hash_words(hash, basis, &words);
}

static inline bool has_plain_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/*
 * The frame's type is at h[0], and n bytes are there from it on, ports too: it
 * is IP without options, and has ports or needs none.
 */
static inline bool is_plain_ip4(enum bond_hash hash, const uint8_t *h,
				unsigned n)
{
	return n >= 26 &&
	       (load_word(h) & htobe32(0xffffff00)) == htobe32(0x08004500) &&
	       (hash == BOND_HASH_IP ||
		(!(load_half(h + 8) & htobe16(0x3fff)) &&
		 has_plain_ports(h[11])));
}

static inline bool is_plain_ip6(enum bond_hash hash, const uint8_t *h,
				unsigned n)
{
	return n >= 46 &&
	       (load_word(h) & htobe32(0xfffff000)) == htobe32(0x86dd6000) &&
	       (hash == BOND_HASH_IP || has_plain_ports(h[8]));
}

static unsigned hash_flow(enum bond_hash hash, uint32_t basis,
			  const struct packet *p)
{
	unsigned at = 12, n = p->header_len;
	const uint8_t *h = p->header;
	struct flow_words words;

	if (n >= ETH_HEADER_LEN + VLAN_TAG_LEN &&
	    eth_type_is_vlan(load_be16(h + 12)))
		at += VLAN_TAG_LEN;
	h += at;
	n -= at;
	if (likely(is_plain_ip4(hash, h, n))) {
		words.last = ports_word(load_word(h + 22), h[11]);
		words.src = h + 14;
		words.dst = h + 18;
		words.n = 4;
		return hash_words(hash, basis, &words);
	}
	if (likely(is_plain_ip6(hash, h, n))) {
		words.last = ports_word(load_word(h + 42), h[8]);
		words.src = h + 10;
		words.dst = h + 26;
		words.n = 16;
		return hash_words(hash, basis, &words);
	}
	return hash_parsed(hash, basis, p);
}

unsigned bond_hash_packet(enum bond_hash hash, uint32_t basis,
			  const struct packet *p)
{
	if (hash == BOND_HASH_SLB)
		return hash_mac(basis, p->header + 6, outer_vid(p));
	return hash_flow(hash, basis, p);
}
