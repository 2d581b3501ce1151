/*
 * What a host learns of its IPv6 network by router advertisements (RFC 4861
 * 6.3): a router, the MTU, prefixes, of which it makes addresses (RFC 4862)
 * that it looks for on the link before it uses them. It knows no sockets and no
 * clock: frames and the time come in by calls, frames go out by a callback.
 *
 * Of several routers the one with the highest preference is used (RFC 4191),
 * then the one that was heard first. Prefixes count when they have 64 bits and
 * are for autonomous configuration. A prefix that is deprecated is not used
 * while there is one that is not: a network that was renumbered does not answer
 * to its former addresses for long. Bounded: AUTOCONF_ROUTERS_MAX routers and
 * AUTOCONF_PREFIXES_MAX prefixes; what comes when they are full is counted and
 * left alone.
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef GATEWAY_AUTOCONF_H
#define GATEWAY_AUTOCONF_H

#include "gateway/client.h"

#define AUTOCONF_ROUTERS_MAX  4
#define AUTOCONF_PREFIXES_MAX 4
#define AUTOCONF_ASKS	      3	    /* solicitations (RFC 4861 10) */
#define AUTOCONF_ASK_MS	      4000  /* between them; more after they are over */
#define AUTOCONF_ASK_AGAIN_MS 60000 /* while there is no router */
#define AUTOCONF_PROBE_MS     1000  /* RFC 4862 5.1: one, and so long */

struct autoconf;

struct autoconf_address {
	uint8_t ip[16];
	/* 64; 128 when the prefix is not on the link (all goes by the router)
	 */
	uint8_t prefix_len;
};

struct autoconf_ops {
	void (*send)(const void *frame, size_t len, void *arg);
	/* Of what autoconf_get_*() tell, something is another. */
	void (*changed)(void *arg);
	/* Somebody has the address already: it is not used. */
	void (*duplicate)(const uint8_t ip[16], uint64_t mac, void *arg);
};

struct autoconf_counters {
	uint64_t solicitations, advertisements;
	uint64_t bad;	  /* advertisements that cannot be */
	uint64_t refused; /* routers and prefixes beyond what is kept */
	uint64_t duplicates;
};

/*
 * mac: the host's own, of which its addresses' lower halves are made (RFC 4291
 * appendix A). Sends nothing before the first run().
 */
struct autoconf *autoconf_create(uint64_t mac, const struct autoconf_ops *ops,
				 void *ops_arg, uint64_t now_ms);
void autoconf_destroy(struct autoconf *autoconf); /* or NULL */

/*
 * A frame that came in: whole, untagged, its checksums finished. True: it was
 * an advertisement, and nobody else's business.
 */
bool autoconf_receive(struct autoconf *autoconf, const void *frame, size_t len,
		      uint64_t now_ms);
/* The link is there again: asks for routers, and looks for its addresses. */
void autoconf_restart(struct autoconf *autoconf, uint64_t now_ms);

void autoconf_run(struct autoconf *autoconf, uint64_t now_ms);
uint64_t autoconf_next_ms(const struct autoconf *autoconf);

/* Addresses that may be used now; returns how many. */
unsigned autoconf_get_addresses(
	const struct autoconf *autoconf,
	struct autoconf_address addresses[AUTOCONF_PREFIXES_MAX]);
/* The router's link-local address, or NULL: there is none. */
const uint8_t *autoconf_get_router(const struct autoconf *autoconf);
/* 0: not told. */
uint32_t autoconf_get_mtu(const struct autoconf *autoconf);
const struct autoconf_counters *autoconf_counters(
	const struct autoconf *autoconf);

#endif
