/*
 * A DHCPv4 client (RFC 2131 4.4) for the gateway's address on an uplink. It
 * knows no sockets and no clock: messages and the time come in by calls, its
 * own messages, probes and what it was given go out by callbacks.
 *
 * It begins with the address that it had before, if one is remembered
 * (INIT-REBOOT), else it looks for a server and takes the first offer that can
 * be. An address is looked for by ARP before it is used (RFC 5227; the caller
 * sends and hears): who has it already makes this decline it. It is renewed,
 * then asked of any server, then given up, as RFC 2131 4.4.5 says. Messages are
 * repeated after 4, 8, 16, 32 and then each 64 seconds, give or take one.
 *
 * Believed are answers to its own transaction and hardware address from the
 * server that it asked, with a lease time, a mask and an address that a host
 * can have; all else is counted and left alone. Of routes it takes the default
 * and at most DHCP_CLIENT_ROUTES_MAX others (RFC 3442: with option 121 the
 * router option does not count).
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 * IPv4 addresses are in host byte order.
 */
#ifndef GATEWAY_DHCP_CLIENT_H
#define GATEWAY_DHCP_CLIENT_H

#include "gateway/dhcp.h"

#define DHCP_CLIENT_ROUTERS_MAX 4
#define DHCP_CLIENT_ROUTES_MAX	32
#define DHCP_CLIENT_MESSAGE_LEN 300 /* of each that it sends (RFC 1542 2.1) */
/* Three probes, so far apart: an uplink should not be long in coming up. */
#define DHCP_CLIENT_PROBE_MS	400
#define DHCP_CLIENT_PROBES	3
#define DHCP_CLIENT_LEASE_MIN_S 10 /* shorter offers are refused */

struct dhcp_client;

enum dhcp_client_state {
	DHCP_CLIENT_INIT,      /* waits to begin (again) */
	DHCP_CLIENT_SELECTING, /* has asked for offers */
	DHCP_CLIENT_REQUESTING,
	DHCP_CLIENT_REBOOTING, /* has asked for what it had */
	DHCP_CLIENT_PROBING,   /* has a lease; does anybody have the address? */
	DHCP_CLIENT_BOUND,
	DHCP_CLIENT_RENEWING,
	DHCP_CLIENT_REBINDING,
	DHCP_CLIENT_STOPPED, /* released */
};

struct dhcp_client_config {
	uint64_t mac;
	uint32_t remembered; /* an address to ask for first; 0: none */
	uint64_t seed;	     /* random */
};

struct dhcp_client_lease {
	uint32_t ip;
	uint8_t prefix_len; /* 8 to 32 */
	uint32_t server;
	uint32_t gateway; /* the default route's; 0: there is none */
	uint32_t routers[DHCP_CLIENT_ROUTERS_MAX]; /* option 3 */
	unsigned n_routers;
	/* Of option 121, without the default route */
	struct dhcp_route routes[DHCP_CLIENT_ROUTES_MAX];
	unsigned n_routes;
	uint16_t mtu;			/* 0: not told */
	uint32_t lease_s, t1_s, t2_s;	/* UINT32_MAX: for ever */
	uint64_t t1_ms, t2_ms, over_ms; /* UINT64_MAX: never */
};

struct dhcp_client_ops {
	/*
	 * From port 68 of `from` (0: has none yet) to port 67 of `to`, which
	 * may be 255.255.255.255.
	 */
	void (*send)(uint32_t from, uint32_t to, const void *message,
		     size_t len, void *arg);
	/*
	 * Does anybody have the address? An ARP probe (RFC 5227 2.1.1); if so,
	 * dhcp_client_conflict() is called.
	 */
	void (*probe)(uint32_t ip, void *arg);
	/*
	 * The address may be used from now on, or something of the lease has
	 * changed; NULL: it may not be used any more. Until the next call.
	 */
	void (*changed)(const struct dhcp_client_lease *lease, void *arg);
};

struct dhcp_client_counters {
	uint64_t discovers, requests, offers, acks, naks, declines, releases;
	uint64_t bad;	  /* messages that cannot be */
	uint64_t foreign; /* of another transaction, client or server */
	uint64_t refused; /* leases that no host can use */
	uint64_t expired;
};

/* Begins at once. */
struct dhcp_client *dhcp_client_create(const struct dhcp_client_config *config,
				       const struct dhcp_client_ops *ops,
				       void *ops_arg, uint64_t now_ms);
/* Says nothing to the server. Accepts NULL. */
void dhcp_client_destroy(struct dhcp_client *client);

/* The payload of a datagram from port 67 to port 68, any bytes. */
void dhcp_client_receive(struct dhcp_client *client, const void *message,
			 size_t len, uint64_t now_ms);
/* Somebody else has the address: said by an answer to a probe, or ARP of its
   own. Has effect while it is probed for only; false otherwise. */
bool dhcp_client_conflict(struct dhcp_client *client, uint32_t ip,
			  uint64_t now_ms);
/*
 * The link is there again, or may lead elsewhere now: the address is asked for
 * once more (RFC 2131 3.7), and used meanwhile.
 */
void dhcp_client_restart(struct dhcp_client *client, uint64_t now_ms);
/* Gives the address back, and does nothing any more. */
void dhcp_client_release(struct dhcp_client *client);

/* Does what is due. */
void dhcp_client_run(struct dhcp_client *client, uint64_t now_ms);
uint64_t dhcp_client_next_ms(const struct dhcp_client *client);

enum dhcp_client_state dhcp_client_state(const struct dhcp_client *client);
const char *dhcp_client_state_name(enum dhcp_client_state state);
/* What may be used now, or NULL; until the next call. */
const struct dhcp_client_lease *dhcp_client_lease(
	const struct dhcp_client *client);
const struct dhcp_client_counters *dhcp_client_counters(
	const struct dhcp_client *client);

#endif
