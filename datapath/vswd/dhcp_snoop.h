/*
 * Which addresses DHCP has leased to the station behind one port, by what it
 * asked for and what it was answered (after RFC 7513). A server's word counts
 * when the station asked for it: an answer that is flooded, or that another
 * station made up, gives it nothing.
 *
 * Bounded: SNOOP_BINDINGS_MAX addresses, SNOOP_ASKED_MAX questions; what comes
 * when they are full takes the place of what ends first. It knows no sockets
 * and no clock. Control thread. Times are milliseconds of a clock that never
 * goes back.
 */
#ifndef VSWD_DHCP_SNOOP_H
#define VSWD_DHCP_SNOOP_H

#include "policy/allowed.h"
#include "vswd/dhcp_snooped.h"

#define SNOOP_BINDINGS_MAX 16
#define SNOOP_ASKED_MAX	   8
#define SNOOP_ASKED_MS	   120000 /* an answer comes in that time */
#define SNOOP_NEVER	   UINT64_MAX

struct dhcp_binding {
	struct net_addr ip;
	uint8_t prefix_len; /* of a delegated prefix; else 32 or 128 */
	uint64_t ends_ms;   /* SNOOP_NEVER: without end */
	/* Whose it is: its MAC, or its DUID. */
	uint8_t client_len;
	uint8_t client[SNOOPED_CLIENT_MAX];
};

struct dhcp_snoop_counters {
	uint64_t asked, granted;
	uint64_t unasked; /* answers to what it did not ask */
	uint64_t evicted; /* bindings that made room for others */
	uint64_t expired;
};

struct dhcp_snoop;

struct dhcp_snoop *dhcp_snoop_create(void);
void dhcp_snoop_destroy(struct dhcp_snoop *snoop); /* accepts NULL */

/* A frame that the station sent, or was sent. Whether the bindings changed. */
bool dhcp_snoop_frame(struct dhcp_snoop *snoop, const void *frame, size_t len,
		      bool from_station, uint64_t now_ms);
/* Ends what has ended. Whether the bindings changed. */
bool dhcp_snoop_run(struct dhcp_snoop *snoop, uint64_t now_ms);
uint64_t dhcp_snoop_next_ms(const struct dhcp_snoop *snoop);

/* In the order in which they came; returns how many. */
unsigned dhcp_snoop_bindings(const struct dhcp_snoop *snoop,
			     const struct dhcp_binding **bindings);
/* One that was there before, and is still good. */
void dhcp_snoop_restore(struct dhcp_snoop *snoop,
			const struct dhcp_binding *binding);
const struct dhcp_snoop_counters *dhcp_snoop_counters(
	const struct dhcp_snoop *snoop);

/* The same for guards: one piece of memory, the caller's; NULL: none. */
struct allowed_ips *dhcp_snoop_allowed(const struct dhcp_snoop *snoop);

#endif
