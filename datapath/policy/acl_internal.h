/*
 * A compiled access list. A set of rules is a row: a bit a rule, 2^row_shift
 * words. Sets are kept once and known by number (a class). Internal to acl*.c.
 */
#ifndef POLICY_ACL_INTERNAL_H
#define POLICY_ACL_INTERNAL_H

#include "policy/acl.h"

#define ACL_NODE	0x8000 /* in an entry of a trie: a node, no class */
#define ACL_STRIP_SHIFT 4
#define ACL_STRIP	(1 << ACL_STRIP_SHIFT) /* words looked at together */
#define ACL_DIMS_MAX	(8 + ACL_MAC_MASKS_MAX)
#define ACL_N_COUNTED	2 /* counters behind the rules' own */
#define ACL_MAC_HASH	0x9e3779b97f4a7c15ull
#define ACL_MAC_FREE	(~0ull) /* no address */

_Static_assert(ACL_RULES_MAX % (64 * ACL_STRIP) == 0, "whole strips");

/*
 * Of a trie of prefixes, a byte a step. Bytes that are the same in all of a
 * subtree are skipped, and compared all at once.
 */
struct acl_node {
	uint64_t prefix[2], mask[2]; /* as they lie: the bytes before `at` */
	uint16_t miss;		     /* class of what has another prefix */
	uint16_t at;		     /* the byte that says which entry */
	uint16_t entries[256];
};

/* From 16 bits to a class, by pages of 256 that many have in common. */
struct acl_map {
	uint16_t pages[256];
};

/* What is in the first fragment only. */
struct acl_l4_map {
	struct acl_map map;
	uint16_t none;	/* class of packets that have no such thing */
	uint16_t later; /* of later fragments */
};

/* Roots of tries, and the class of packets without an IP address. */
struct acl_addresses {
	uint16_t root4, root6, none;
};

/* Addresses under one mask. */
struct acl_macs {
	uint64_t mask;
	bool is_src;
	uint16_t none; /* class of those that are not in the table */
	unsigned shift;
	uint64_t *keys; /* ACL_MAC_FREE, or an address */
	uint16_t *classes;
};

struct acl {
	unsigned n_rules;
	unsigned fields; /* that any rule asks for (enum acl_field) */
	unsigned row_shift;
	bool by_kind; /* some rule asks for an ethertype or a protocol */
	/* Or for what lists seldom do: flags, fragments, VLANs, MACs */
	bool by_more;
	bool allow_by_default;
	bool wants_ip; /* what cannot be read up to that is dropped */
	bool wants_l4;
	bool has_avx2;
	uint8_t n_macs;
	uint8_t *actions; /* enum acl_action */
	uint64_t *rows;
	struct acl_node *nodes;
	uint16_t (*pages)[256];
	struct acl_addresses src, dst;
	struct acl_l4_map sport, dport;
	struct acl_map vlan, type;
	uint16_t kind4[256], kind6[256]; /* by protocol */
	uint16_t flags[256], flags_none, flags_later;
	uint16_t fragment[3], fragment_none; /* by enum flow_fragment */
	struct acl_macs macs[ACL_MAC_MASKS_MAX];

	struct acl_rule *rules;
	char *name, **texts; /* for people, or NULL */
	unsigned n_threads;
	size_t hits_stride; /* of a thread's counters */
	_Atomic uint64_t *hits;
};

/* What is asked of a packet (acl_usual.h, acl_key.c). */
struct acl_key {
	const uint8_t *src, *dst; /* IP addresses where they lie */
	uint64_t src_mac, dst_mac;
	uint16_t ethertype;
	uint16_t vlan;
	uint16_t sport, dport;
	uint8_t ip_version; /* 0: none */
	uint8_t proto;
	uint8_t fragment; /* enum flow_fragment */
	uint8_t tcp_flags;
	bool has_proto, has_sport, has_dport, has_flags;
	uint8_t addresses[32]; /* room for src and dst */
};

/* False: what the list needs cannot be read. p is not changed in any other way
 * than by making more of it private. */
bool acl_key_fill(const struct acl *acl, struct packet *p, struct acl_key *key);

/*
 * The first rule of those that all rows have that does not just count, or -1.
 * hits: of the thread; NULL: nothing is counted. Words of a row: 4, or whole
 * strips.
 */
int acl_first_avx2(const struct acl *acl, const uint64_t *const rows[],
		   unsigned n, _Atomic uint64_t *hits);
int acl_first_plain(const struct acl *acl, const uint64_t *const rows[],
		    unsigned n, _Atomic uint64_t *hits);
bool acl_has_avx2(void);
/* All rows that the packet's fields lead to; returns how many. */
unsigned acl_collect(const struct acl *acl, const struct acl_key *key,
		     const uint64_t *rows[ACL_DIMS_MAX]);

/* --- while a list is compiled -------------------------------------------- */

struct acl_sets {
	unsigned words; /* of a row */
	unsigned n, room;
	uint64_t *rows;
	unsigned n_buckets;
	uint16_t *buckets; /* class + 1, by what the row says */
};

/* The class of that set, which is copied when it is new. */
uint16_t acl_sets_add(struct acl_sets *sets, const uint64_t row[]);

struct acl_trie {
	unsigned n, room;
	struct acl_node *nodes; /* of several tries */
};

/*
 * Addresses of a prefix (host bits 0) are of that class from now on. Prefixes
 * come in the order of their length.
 */
void acl_trie_insert(struct acl_trie *trie, uint16_t *root,
		     const uint8_t prefix[16], unsigned len, uint16_t class);
/* The class of an address, of which 16 bytes can be read. */
uint16_t acl_trie_find(const struct acl_node *nodes, uint16_t root,
		       const uint8_t address[16]);

struct acl_pages {
	unsigned n, room;
	uint16_t (*pages)[256];
};

void acl_pages_make(struct acl_pages *pages, struct acl_map *map,
		    const uint16_t classes[65536]);

static inline void acl_bit_set(uint64_t row[], unsigned i)
{
	row[i / 64] |= 1ull << (i % 64);
}

#endif
