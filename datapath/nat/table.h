/*
 * Inside of the NAT: its tables, and how they are shared.
 *
 * Cells (sessions, mappings, clients) lie in arrays set aside at creation and
 * are named by their index. A session is found by two hashes: inside key
 * (inside and remote address and port) and outside key (outside and remote). A
 * mapping is found from the inside by a chain, from the outside by the slot of
 * its port in the outside address's own array of 65,536: a port is taken by
 * one compare-and-swap on its slot, so no two mappings can ever share it.
 *
 * Who writes what:
 *  - Readers of sessions take no lock. A session's keys are written before its
 *    entries in the hashes are, and never again. Its state word (last use and
 *    flags) is changed by compare-and-swap.
 *  - A mapping, its chain and the sessions at it are changed under the lock of
 *    its chain (one of NAT_LOCKS). Two workers meet only in opening sessions of
 *    the same or a neighbouring mapping.
 *  - Only the control thread ends things. What it has taken out of a hash or a
 *    chain is used again when each worker has been outside of nat_enter() ..
 *    nat_leave() since (epochs).
 *
 * All addresses and ports in here are as they lie in the packet.
 */
#ifndef NAT_TABLE_H
#define NAT_TABLE_H

#include <stdatomic.h>
#include <stdlib.h>

#include "nat/nat.h"
#include "nat/random.h"

#define NAT_LOCKS	 1024
#define NAT_PROBES	 12
#define NAT_BUCKET_SLOTS 8
#define NAT_CACHE	 32 /* free cells that a thread keeps */
#define NAT_NONE	 UINT32_MAX
#define NAT_SYN_SLOTS	 1024
#define NAT_SYN_S	 6 /* RFC 5382 REQ-4 */

/* Protocol and IP version in 3 bits. */
#define NAT_CODE_V6		4
#define NAT_CODE_PROTOCOL(code) ((code)&3)
/* What of a session's ports the two keys have; kind: code, outside << 3. */
#define NAT_KEY_IN	     0x00070000ffffffffull
#define NAT_KEY_OUT	     0xffffffffffff0000ull
#define NAT_KIND(code, oidx) ((uint16_t)((code) | (oidx) << 3))

/* A session's state: the second of its last use, and these. */
#define NAT_S_LIVE    (1ull << 32)
#define NAT_S_SETTLED (1ull << 33) /* a plain packet changes nothing */
#define NAT_S_HAIRPIN (1ull << 34) /* the remote address is one of ours */
#define NAT_S_IN_ONLY (1ull << 35) /* nothing has left through it */
#define NAT_S_SYN_OUT (1ull << 36)
#define NAT_S_SYN_IN  (1ull << 37)
#define NAT_S_FIN_OUT (1ull << 38)
#define NAT_S_FIN_IN  (1ull << 39)
#define NAT_S_RST     (1ull << 40)
#define NAT_S_TIME    0xffffffffull
#define NAT_S_FLAGS   (~NAT_S_TIME)

struct nat_session {
	uint64_t addrs; /* inside | remote << 32; IPv6: digests */
	uint64_t ports; /* inside | remote << 16 | outside << 32 | kind << 48 */
	_Atomic(uint64_t) state;
	uint32_t mapping;
	uint16_t l3_delta; /* of sums, outbound: the addresses' */
	uint16_t l4_delta; /* of the transport checksum */
	/* The ring of a mapping's sessions with one remote address; only with
	   NAT_FILTER_ADDRESS. */
	uint32_t group_next, group_prev;
	union {
		uint8_t remote6[16];
		uint32_t outside4;
	};
	uint32_t link;
	uint32_t spare;
};

struct nat_bucket {
	_Atomic(uint64_t) tags[2];		 /* 16 bits a slot, 0: free */
	_Atomic(uint32_t) ids[NAT_BUCKET_SLOTS]; /* + 1; 0: free */
	_Atomic(uint32_t) passed; /* entries that lie in a later bucket */
	uint32_t spare[3];
} CACHE_ALIGNED;

struct nat_hash {
	struct nat_bucket *buckets;
	uint32_t n;
	uint32_t step_mask; /* so that an entry's buckets all differ */
	uint64_t seed[2];
};

#define NAT_M_STATIC 1 /* of a port forward */
#define NAT_M_GONE   2 /* of one that is being removed */

struct nat_mapping {
	uint32_t client;
	uint16_t iport, oport;
	uint16_t kind;
	uint16_t flags;
	uint32_t next;	  /* in its chain */
	uint32_t chain;	  /* whose lock guards it */
	uint32_t refs;	  /* sessions, and 1 of a forward */
	uint32_t holding; /* those that keep it; 0: it has ended */
	uint32_t link;
};

#define NAT_CLIENT_DEAD UINT32_MAX

struct nat_client {
	uint8_t ip[16];
	uint32_t word;
	uint8_t version;
	_Atomic(uint32_t) next;
	_Atomic(uint32_t) refs; /* mappings, and workers that are at it */
	_Atomic(uint32_t) sessions, in_only;
	_Atomic(uint32_t) ports[NAT_N_PROTOCOLS];
	_Atomic(uint32_t) pool; /* outside address + 1 */
	_Atomic(uint32_t) rate; /* second << 20 | sessions opened in it */
	uint32_t link;
};

_Static_assert(sizeof(struct nat_session) == 64, "a cache line");
_Static_assert(sizeof(struct nat_bucket) == 64, "a cache line");
_Static_assert(sizeof(struct nat_mapping) == 32, "half a cache line");
_Static_assert(sizeof(struct nat_client) == 64, "a cache line");

/* A port's slot: 0 free, a mapping + 1, or one of: */
#define NAT_SLOT_LOCAL	    0x40000000u /* the gateway's own */
#define NAT_SLOT_QUARANTINE 0x80000000u

struct nat_outside {
	struct nat_addr addr;
	uint32_t word;
	_Atomic(bool) leaving;			   /* no new mappings */
	unsigned unused_for;			   /* epochs, when leaving */
	_Atomic(uint32_t) *slots[NAT_N_PROTOCOLS]; /* by port, host order */
	/* Slots in use by protocol, class (below 1024) and parity. */
	_Atomic(uint32_t) used[NAT_N_PROTOCOLS][2][2];
};

struct nat_pool {
	char *cells;
	size_t cell_size, bytes;
	uint32_t max, capacity; /* capacity: and what threads keep */
	unsigned link;		/* offset of the cell's link */
	_Atomic(uint32_t) used, high;
	_Atomic(uint8_t) lock; /* of free */
	uint32_t free;
	uint32_t limbo, waiting; /* control thread: ended, by epoch */
};

struct nat_cache {
	unsigned n;
	uint32_t ids[NAT_CACHE];
};

/* What workers read of the options and the pool; replaced as a whole. */
struct nat_view {
	struct nat_options options;
	struct nat_exclusion *exclusions;
	/* Outside addresses by their word: index + 1, open addressing. */
	uint16_t *by_word;
	uint32_t by_word_mask;
	uint16_t *outsides[2]; /* indices of IPv4, IPv6 */
	unsigned n_outsides[2];
	struct nat_view *next; /* in the control thread's limbo */
};

struct nat_counters {
	_Atomic(uint64_t) created, translated_out, translated_in, hairpinned;
	_Atomic(uint64_t) icmp_errors, fragments_held;
	_Atomic(uint64_t) dropped[N_DROP_REASONS];
};

struct nat_far; /* room for longer headers (icmp.c) */
struct nat_fragments;

struct nat_thread {
	_Atomic(uint64_t) epoch; /* 0: outside */
	uint32_t now_s;
	uint64_t now_ms;
	const struct nat_view *view;
	/* The outside address that an inbound packet had last, IPv4. */
	uint32_t last_word;
	int last_outside;
	struct nat_cache session_cache, mapping_cache, client_cache;
	struct nat_random random;
	uint16_t ip_id, ip_id_left;
	unsigned n_far;
	struct nat_far *far;
	unsigned n_released, n_taken;
	struct nat_held_packet *released;
	struct nat_counters counters;
} CACHE_ALIGNED;

/* An unsolicited SYN that waits (RFC 5382 REQ-4). */
struct nat_syn {
	uint64_t addr_key, port_key; /* outside key; 0, 0: none */
	uint32_t at_s;
	struct nat_unreachable quoted;
};

struct nat_quarantined {
	uint16_t outside, port;
	uint8_t protocol;
	uint32_t until_s;
};

struct nat {
	struct nat_config config;
	uint64_t digest_seed[2];
	struct nat_hash in, out;
	struct nat_pool sessions, mappings, clients;
	uint32_t *mapping_chains;
	uint32_t mapping_mask;
	_Atomic(uint32_t) *client_chains;
	uint32_t client_mask;
	_Atomic(struct nat_outside *) *outside; /* NAT_ADDRESSES_MAX */
	_Atomic(struct nat_view *) view;
	struct nat_thread *threads; /* and one more: the control thread's */
	bool avx2;		    /* this machine has it */
	struct nat_fragments *fragments;

	/* Control thread. */
	struct nat_view *old_views, *waiting_views;
	struct nat_addr *inside_nets;
	uint8_t *inside_lens;
	unsigned n_inside_nets;
	struct nat_forward *forwards;
	unsigned n_forwards;
	uint32_t n_forward_ports;
	uint32_t age_at;
	uint64_t waiting_epoch;
	uint64_t ended;
	struct nat_quarantined *quarantine;
	uint32_t quarantine_head, quarantine_n;

	CACHE_ALIGNED _Atomic(uint64_t) epoch;
	CACHE_ALIGNED _Atomic(uint32_t) in_only;
	_Atomic(uint16_t) ip_id;
	_Atomic(uint8_t) client_lock, syn_lock;
	_Atomic(uint32_t) n_syns;
	struct nat_syn *syns;
	CACHE_ALIGNED _Atomic(uint8_t) locks[NAT_LOCKS];
};

/* ------------------------------------------------------------- pool.c */

/* Memory that is zero, and there when touched; NULL when there is none. */
void *nat_map(size_t bytes);
void nat_unmap(void *p, size_t bytes);

int nat_pool_init(struct nat_pool *pool, uint32_t max, unsigned n_threads,
		  size_t cell_size, unsigned link);
void nat_pool_fini(struct nat_pool *pool);
/* A cell's index, or NAT_NONE when all are in use; cache: the thread's. */
uint32_t nat_pool_take(struct nat_pool *pool, struct nat_cache *cache);
/* One that nobody else has seen. */
void nat_pool_give(struct nat_pool *pool, struct nat_cache *cache, uint32_t id);
/* One that was to be seen: control thread, reused after an epoch. */
void nat_pool_end(struct nat_pool *pool, uint32_t id);
/* An epoch has passed; control thread. */
void nat_pool_turn(struct nat_pool *pool);

static inline struct nat_session *nat_session_at(const struct nat *nat,
						 uint32_t id)
{
	return (struct nat_session *)(void *)nat->sessions.cells + id;
}

static inline struct nat_mapping *nat_mapping_at(const struct nat *nat,
						 uint32_t id)
{
	return (struct nat_mapping *)(void *)nat->mappings.cells + id;
}

static inline struct nat_client *nat_client_at(const struct nat *nat,
					       uint32_t id)
{
	return (struct nat_client *)(void *)nat->clients.cells + id;
}

static inline struct nat_outside *nat_outside_at(const struct nat *nat,
						 unsigned oidx)
{
	return atomic_load_explicit(&nat->outside[oidx], memory_order_acquire);
}

/* A worker's try, bounded; false: it is held too long. */
static inline MUST_CHECK bool nat_lock(_Atomic(uint8_t) *lock)
{
	for (unsigned i = 0; i < 50000; i++) {
		if (!atomic_load_explicit(lock, memory_order_relaxed) &&
		    !atomic_exchange_explicit(lock, 1, memory_order_acquire))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/* The control thread's, which may wait. */
void nat_lock_wait(_Atomic(uint8_t) *lock);

static inline void nat_unlock(_Atomic(uint8_t) *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

/* A thread's own counter: one writer. */
static inline void nat_count_n(_Atomic(uint64_t) *counter, uint64_t n)
{
	atomic_store_explicit(
		counter,
		atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline void nat_count(_Atomic(uint64_t) *counter)
{
	nat_count_n(counter, 1);
}

/* Keyed, since strangers choose what is hashed. */
static inline uint64_t nat_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* An address in 32 bits: itself, or a digest. */
static inline uint32_t nat_word(const struct nat *nat, unsigned version,
				const uint8_t *ip)
{
	uint64_t a, b;
	uint32_t word;

	if (likely(version == 4)) {
		memcpy(&word, ip, 4);
		return word;
	}
	memcpy(&a, ip, 8);
	memcpy(&b, ip + 8, 8);
	a = nat_mix(a ^ nat->digest_seed[0], b ^ nat->digest_seed[1]);
	return nat_mix(a ^ nat->digest_seed[1], 0x9e3779b97f4a7c15ull) >> 32;
}

/* The outside address that this is, or -1. */
int nat_find_outside(const struct nat *nat, const struct nat_view *view,
		     unsigned version, const uint8_t *ip, uint32_t word);

/* An epoch has passed; control thread. */
void nat_outside_turn(struct nat *nat);
void nat_outside_destroy(struct nat *nat);
/* A view with the pool as it is and those options, not yet in force. */
struct nat_view *nat_view_create(const struct nat *nat,
				 const struct nat_options *options);

/* ------------------------------------------------------------ epoch.c */

/* Moves the epoch on when no worker is in an older one; control thread. */
void nat_turn(struct nat *nat);
/* Puts a view in force; the old one is freed in time. Control thread. */
void nat_publish(struct nat *nat, struct nat_view *view);

#endif
