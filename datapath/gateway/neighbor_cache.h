/*
 * Which MAC an IP address of the segment is at: the ARP cache (RFC 826, RFC
 * 1122 2.3.2) and the neighbour cache (RFC 4861 7.3) in one.
 *
 * An entry is kept by what stations say; it is asked for when it is wanted and
 * not there or was not heard of for a while. When a second station claims an
 * address, the first is asked: if it still answers it keeps the address and the
 * claim is reported, otherwise the second one has it. An address that has an
 * owner (a lease) is its owner's at once, and nobody else's.
 *
 * Bounded in total, for each port, for each MAC, and in the addresses that are
 * being asked for. Full means: an entry that nobody has heard of for
 * NEIGHBOR_STALE_MS gives way, the port's own if the port is full; if there is
 * none, the new one is refused and counted.
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef GATEWAY_NEIGHBOR_CACHE_H
#define GATEWAY_NEIGHBOR_CACHE_H

#include "gateway/client.h"
#include "gateway/keyed_hash.h"

#define NEIGHBOR_REACHABLE_MS 30000   /* used without asking (RFC 4861 10) */
#define NEIGHBOR_STALE_MS     60000   /* may give way */
#define NEIGHBOR_FORGET_MS    1200000 /* forgotten: 20 minutes */
#define NEIGHBOR_ASK_MS	      1000    /* between questions; 3 of them */
#define NEIGHBOR_ASKS	      3
#define NEIGHBOR_FAILED_MS    3000  /* an address that nobody has stays so */
#define NEIGHBOR_CONFLICT_MS  10000 /* an address is reported this often */

struct neighbor_cache;

struct neighbor_limits {
	/* 0 of any: the default */
	unsigned total;		 /* 4096 */
	unsigned per_port;	 /* 1024 */
	unsigned per_mac;	 /* 16 */
	unsigned asked;		 /* not known yet: 256 */
	unsigned asked_per_port; /* for one port: 64 */
};

struct neighbor_ops {
	/* Asks for an address: those who have it at mac, 0: everybody. */
	void (*ask)(const struct ip_address *ip, uint64_t mac, void *arg);
	/* resolve() had said -EAGAIN: it is known now, or nobody has it (0). */
	void (*resolved)(const struct ip_address *ip, uint64_t mac, void *arg);
	/* Whose the address is by a lease; false: anybody's. NULL: no leases */
	bool (*owner)(const struct ip_address *ip, uint64_t *mac, void *arg);
	/* Two stations claim it: who keeps it, and who does not get it. */
	void (*conflict)(const struct ip_address *ip, uint64_t holder,
			 const struct gateway_client *claimant, void *arg);
	/*
	 * For a mirror: the address is at that MAC now, 0: not known any more.
	 * Not told at the end of the cache.
	 */
	void (*changed)(const struct ip_address *ip, uint64_t mac, void *arg);
};

struct neighbor_counters {
	uint64_t conflicts; /* claims that were refused, reported or not */
	uint64_t moved;	    /* addresses that are at another MAC now */
	uint64_t refused;   /* for lack of room */
	uint64_t evicted;   /* gave way */
	uint64_t failed;    /* nobody answered */
};

/* key: random. The functions of ops may be NULL, except ask. */
struct neighbor_cache *neighbor_cache_create(const struct neighbor_limits *,
					     const struct hash_key *key,
					     const struct neighbor_ops *ops,
					     void *ops_arg);
void neighbor_cache_destroy(struct neighbor_cache *cache); /* or NULL */

enum neighbor_learned {
	NEIGHBOR_KNOWN,	  /* or known now */
	NEIGHBOR_REFUSED, /* no room, or another station's address */
	NEIGHBOR_ASKING,  /* the former holder is asked */
	NEIGHBOR_IGNORED, /* nobody wants to know */
};
/*
 * A station said that the address is its own. create: also when there is no
 * entry yet (RFC 826: it speaks to us; RFC 4861 7.2.3, 7.2.5).
 */
enum neighbor_learned neighbor_cache_learn(struct neighbor_cache *cache,
					   const struct ip_address *ip,
					   const struct gateway_client *client,
					   bool create, uint64_t now_ms);

/*
 * Where to send to. 0 and *mac; -EAGAIN: being asked for, ops.resolved follows
 * unless it is destroyed before; -EHOSTUNREACH: nobody has it; -ENOBUFS: too
 * many are being asked for already. asker: the port that wants to send there,
 * or any number of its own for what comes from elsewhere.
 */
int neighbor_cache_resolve(struct neighbor_cache *cache,
			   const struct ip_address *ip, uint32_t asker,
			   uint64_t now_ms, uint64_t *mac);

/* The port is gone: so are its entries. */
void neighbor_cache_forget_port(struct neighbor_cache *cache, uint32_t port);

void neighbor_cache_run(struct neighbor_cache *cache, uint64_t now_ms);
/* When run() is to be called next, at the latest; UINT64_MAX: never. */
uint64_t neighbor_cache_next_ms(const struct neighbor_cache *cache);

struct neighbor_info {
	struct ip_address ip;
	struct gateway_client client; /* mac 0: being asked for, or failed */
	const char *state; /* "reachable", "stale", "asking", "failed" */
	uint64_t heard_ms;
};
/* Every entry, in no order; the cache must not be changed meanwhile. */
void neighbor_cache_list(const struct neighbor_cache *cache, uint64_t now_ms,
			 void (*cb)(const struct neighbor_info *, void *arg),
			 void *arg);
const struct neighbor_counters *neighbor_cache_counters(
	const struct neighbor_cache *cache);

#endif
