/*
 * Frames of flows, and tables of members that take turns, for the tests of
 * bond_table.h.
 */
#ifndef TESTS_UNIT_BOND_FRAMES_H
#define TESTS_UNIT_BOND_FRAMES_H

#include <netinet/in.h>

#include "bond/bond_table.h"
#include "packet/parse.h"
#include "tests/unit/frames.h"

struct flow {
	uint64_t src, dst;
	unsigned n_tags;
	uint16_t vid;
	int version; /* 0: not IP */
	unsigned ip_extra;
	uint8_t proto;
	uint32_t src_ip, dst_ip;
	uint16_t src_port, dst_port;
	uint16_t fragment; /* IPv4: flags and offset; IPv6: offset, more */
	bool has_fragment_header;
};

static inline uint8_t *put_tags(uint8_t *at, const struct flow *f)
{
	for (unsigned i = 0; i < f->n_tags; i++, at += 4) {
		store_be16(at, i + 1 < f->n_tags ? 0x88a8 : 0x8100);
		store_be16(at + 2, 0xe000 | (f->vid + i));
	}
	return at;
}

static inline uint8_t *put_ip4(uint8_t *at, const struct flow *f)
{
	store_be16(at, ETH_TYPE_IPV4);
	at += 2;
	at[0] = 0x40 | (5 + f->ip_extra / 4);
	store_be16(at + 6, f->fragment);
	at[8] = 64;
	at[9] = f->proto;
	store_be32(at + 12, f->src_ip);
	store_be32(at + 16, f->dst_ip);
	return at + 20 + f->ip_extra;
}

static inline uint8_t *put_ip6(uint8_t *at, const struct flow *f)
{
	store_be16(at, ETH_TYPE_IPV6);
	at += 2;
	at[0] = 0x60;
	at[6] = f->proto;
	store_be32(at + 8, 0xfd000000);
	store_be32(at + 20, f->src_ip);
	store_be32(at + 24, 0xfd000000);
	store_be32(at + 36, f->dst_ip);
	if (!f->has_fragment_header)
		return at + 40;
	at[6] = IPPROTO_FRAGMENT;
	at[40] = f->proto;
	store_be16(at + 42, f->fragment);
	return at + 48;
}

/* A frame of 128 bytes. */
static inline void build(uint8_t frame[128], const struct flow *f)
{
	uint8_t *at = frame + 12;

	memset(frame, 0, 128);
	store_be16(frame, f->dst >> 32);
	store_be32(frame + 2, f->dst);
	store_be16(frame + 6, f->src >> 32);
	store_be32(frame + 8, f->src);
	at = put_tags(at, f);
	if (!f->version) {
		store_be16(at, 0x0806);
		return;
	}
	at = f->version == 4 ? put_ip4(at, f) : put_ip6(at, f);
	store_be16(at, f->src_port);
	store_be16(at + 2, f->dst_port);
}

__attribute__((unused)) static const struct flow usual = {
	.src = 0x020000000001,
	.dst = 0x020000000002,
	.version = 4,
	.proto = IPPROTO_UDP,
	.src_ip = 0x0a000001,
	.dst_ip = 0x0a000002,
	.src_port = 1000,
	.dst_port = 53,
};

static inline struct bond_table table_of(enum bond_hash hash,
					 unsigned n_members)
{
	struct bond_table t = { .hash = hash, .basis = 7 };

	for (unsigned i = 0; i < BOND_BUCKETS; i++)
		t.member[i] = i % n_members;
	bond_table_finish(&t);
	return t;
}

#endif
