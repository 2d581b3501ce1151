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
static unsigned hash_mac(uint32_t h, const uint8_t *mac, uint16_t vid)
{
	return bond_mix_last(bond_mix(h, load_word(mac)), mac_end(mac, vid));
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

static unsigned hash_macs(uint32_t h, const struct packet *p)
{
	h = bond_mix(h, load_word(p->header + 6));
	h = bond_mix(h, mac_end(p->header + 6, outer_vid(p)));
	return hash_mac(h, p->header, 0);
}

static inline uint32_t mix_words(uint32_t h, const uint8_t *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		h = bond_mix(h, load_word(at + 4 * i));
	return h;
}

/* --- flows ------------------------------------------------------------- */

/* ports: as they lie in the header, or 0. The last word. */
static inline uint32_t ports_word(enum bond_hash hash, uint32_t ports,
				  uint8_t proto)
{
	return hash == BOND_HASH_L4 ? ports ^ (uint32_t)proto << 24 : 0;
}

/* Any frame. */
static unsigned hash_parsed(enum bond_hash hash, uint32_t h,
			    const struct packet *p)
{
	struct flow_key key;
	uint32_t ports = 0;
	unsigned n;

	if (!flow_parse_packet(p, &key) || !key.ip_version)
		return hash_macs(h, p);
	n = key.ip_version == 4 ? 1 : 4;
	h = mix_words(h, key.src_ip, n);
	h = mix_words(h, key.dst_ip, n);
	if (key.fragment)
		return bond_mix_last(h, 0);
	if (key.has_ports)
		ports = htobe32((uint32_t)key.src_port << 16 | key.dst_port);
	return bond_mix_last(h, ports_word(hash, ports, key.ip_proto));
}

static inline bool has_plain_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/* The frame's type is at h[0], and n bytes are there from it on. */
static inline bool is_plain_ip4(const uint8_t *h, unsigned n)
{
	return n >= 26 &&
	       (load_word(h) & htobe32(0xffffff00)) == htobe32(0x08004500) &&
	       !(load_half(h + 8) & htobe16(0x3fff)) && has_plain_ports(h[11]);
}

static inline bool is_plain_ip6(const uint8_t *h, unsigned n)
{
	return n >= 46 &&
	       (load_word(h) & htobe32(0xfffff000)) == htobe32(0x86dd6000) &&
	       has_plain_ports(h[8]);
}

static unsigned hash_flow(enum bond_hash hash, uint32_t basis,
			  const struct packet *p)
{
	unsigned at = 12, n = p->header_len;
	const uint8_t *h = p->header;
	uint32_t last;

	if (n >= ETH_HEADER_LEN + VLAN_TAG_LEN &&
	    eth_type_is_vlan(load_be16(h + 12)))
		at += VLAN_TAG_LEN;
	h += at;
	n -= at;
	if (likely(is_plain_ip4(h, n))) {
		last = ports_word(hash, load_word(h + 22), h[11]);
		return bond_mix_last(mix_words(basis, h + 14, 2), last);
	}
	if (likely(is_plain_ip6(h, n))) {
		last = ports_word(hash, load_word(h + 42), h[8]);
		return bond_mix_last(mix_words(basis, h + 10, 8), last);
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
