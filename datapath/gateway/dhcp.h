/*
 * The DHCPv4 server of a segment (RFC 2131, RFC 2132), its only one. It knows
 * no sockets, no database and no clock: messages and the time come in by calls,
 * answers and changes of leases go out by callbacks.
 *
 * A client is its client identifier (option 61, RFC 4361) and its MAC together:
 * cloned VMs that have one identifier are two clients. A static lease belongs
 * to a MAC, whatever the identifier. A client gets the address that it had,
 * else the one it asks for, else one that its identifier hashes to, so that it
 * is the same again even if all leases were forgotten. Addresses of leases that
 * are over are kept for their clients until no other is free; a live lease is
 * never taken. When there is no address the client is not answered.
 *
 * What strangers can grow is bounded: leases in total, for each port and for
 * each MAC; offers that are not taken for each port (the port's oldest gives
 * way); declined addresses for each port. A message's chaddr must be the
 * frame's source, and relayed messages (giaddr) are not served.
 *
 * Options sent: subnet mask, router, DNS, domain, search list (RFC 3397), NTP,
 * MTU, broadcast, classless routes (RFC 3442), lease times, TFTP server and
 * boot file (also in their fields, RFC 2132 9.4, 9.5), host name, client FQDN
 * (RFC 4702), client identifier (RFC 6842); what does not fit into the client's
 * message size goes to the fields of file and sname (option overload).
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 * IPv4 addresses are in host byte order.
 */
#ifndef GATEWAY_DHCP_H
#define GATEWAY_DHCP_H

#include "gateway/client.h"
#include "gateway/keyed_hash.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

#define DHCP_ADDRESSES_MAX     8   /* in a list of servers */
#define DHCP_CLIENT_ID_MAX     255 /* bytes */
#define DHCP_HOSTNAME_MAX      63  /* one DNS label */
#define DHCP_BOOT_FILE_MAX     127
#define DHCP_OFFER_MS	       30000  /* an offer is kept for its client */
#define DHCP_QUARANTINE_MS     600000 /* a declined address is not given out */
#define DHCP_OFFERS_PER_PORT   16
#define DHCP_DECLINES_PER_PORT 8
/* Leases of one port, where the configuration does not say: half the range. */
#define DHCP_LEASES_PER_PORT_MIN 8u
#define DHCP_LEASES_PER_PORT_MAX 1024u

struct dhcp;

struct dhcp_reservation { /* a static lease */
	uint64_t mac;
	uint32_t ip;
	const char *hostname; /* NULL: as the client says */
};

struct dhcp_route {
	uint32_t network;
	uint8_t prefix_len;
	uint32_t gateway;
};

struct dhcp_boot {
	int arch; /* of option 93 (RFC 4578); -1: any other */
	const char *file;
};

struct dhcp_config {
	uint32_t server; /* the gateway's address, and the server identifier */
	uint8_t prefix_len;   /* 1 to 30 */
	uint32_t first, last; /* the range, in the subnet */
	const struct dhcp_reservation *reservations;
	unsigned n_reservations;
	uint32_t lease_s; /* at least 60 */
	uint32_t router;  /* 0: none is told (host-only) */
	uint32_t dns[DHCP_ADDRESSES_MAX], ntp[DHCP_ADDRESSES_MAX];
	unsigned n_dns, n_ntp;
	const char *domain; /* "lab"; NULL: none */
	const char *const *search;
	unsigned n_search;
	uint16_t mtu; /* 0: not told */
	const struct dhcp_route *routes;
	unsigned n_routes;
	/* PXE; the file that fits the client's architecture */
	uint32_t next_server;	 /* 0: none */
	const char *tftp_server; /* option 66; NULL: next_server's address */
	const struct dhcp_boot *boot;
	unsigned n_boot;
	/*
	 * Also answers clients that it has no record of: an address that is
	 * free is theirs, any other is refused at once, instead of leaving them
	 * to time out (RFC 2131 4.3.2 for several servers on a segment).
	 */
	bool authoritative;
	/* 0: the default */
	unsigned leases_max;	  /* 65536 */
	unsigned leases_per_port; /* half the range, but see above */
	unsigned leases_per_mac;  /* 4 */
};

enum dhcp_lease_state {
	DHCP_OFFERED, /* not told about by changed() */
	DHCP_BOUND,
	DHCP_OVER,     /* expired or released; kept in mind */
	DHCP_DECLINED, /* somebody else has the address: quarantined */
};

struct dhcp_lease {
	uint32_t ip;
	enum dhcp_lease_state state;
	uint64_t mac;
	uint32_t port;
	uint8_t client_id[DHCP_CLIENT_ID_MAX]; /* option 61 */
	uint8_t client_id_len;		       /* 0: it sent none */
	char hostname[DHCP_HOSTNAME_MAX + 1];  /* "": none. Unique. */
	uint64_t expires_ms;		       /* DHCP_OVER: when it was over */
};

/* Where an answer goes, from port 67 of the server's address. */
struct dhcp_destination {
	uint64_t mac; /* may be the broadcast address */
	uint32_t ip, port;
	uint32_t bridge_port; /* of the client */
};

struct dhcp_ops {
	void (*send)(const struct dhcp_destination *to, const void *message,
		     size_t len, void *arg);
	/*
	 * A lease is new, renewed, over, declined, or (gone) forgotten since
	 * its address went to another client. Called before the client is
	 * answered, so that it can be kept first. May be NULL.
	 */
	void (*changed)(const struct dhcp_lease *lease, bool gone, void *arg);
};

struct dhcp_counters {
	uint64_t discovers, offers, requests, acks, naks, declines, releases,
		informs;
	uint64_t bad;	    /* messages that cannot be */
	uint64_t foreign;   /* relayed, another's chaddr, another server's */
	uint64_t exhausted; /* no address was free */
	uint64_t limited;   /* refused by a limit of port or MAC */
	uint64_t expired;
	uint64_t name_taken; /* another lease has the host name */
};

/*
 * NULL, or what is wrong with a configuration, in one line; freed by the
 * caller.
 */
char *dhcp_config_check(const struct dhcp_config *config);
/* Frees what a configuration points to, all of it from malloc(). */
void dhcp_config_fini(struct dhcp_config *config);
/* The configuration must have passed the check; it is copied. key: random. */
struct dhcp *dhcp_create(const struct dhcp_config *config,
			 const struct hash_key *key, const struct dhcp_ops *ops,
			 void *ops_arg);
void dhcp_destroy(struct dhcp *dhcp); /* or NULL */
/*
 * Takes over another configuration. Leases stay, also those outside of a new
 * range, which are not renewed. Limits of leases_max stay as they were.
 */
void dhcp_configure(struct dhcp *dhcp, const struct dhcp_config *config);

/*
 * A lease as changed() told it, at start. 0; -EINVAL: not in the subnet, or no
 * lease; -EEXIST: the address or the client has one; -ENOSPC: too many.
 */
int dhcp_restore(struct dhcp *dhcp, const struct dhcp_lease *lease,
		 uint64_t now_ms);

/* The payload of a datagram to port 67, any bytes. */
void dhcp_receive(struct dhcp *dhcp, const struct gateway_client *client,
		  const void *message, size_t len, uint64_t now_ms);

/* Ends a lease by hand, and forgets it; -ENOENT: there is none. */
int dhcp_forget(struct dhcp *dhcp, uint32_t ip);

/* Does what is due: leases run out. */
void dhcp_run(struct dhcp *dhcp, uint64_t now_ms);
uint64_t dhcp_next_ms(const struct dhcp *dhcp);

/* The leases that are told about; in no order. */
void dhcp_list(const struct dhcp *dhcp,
	       void (*cb)(const struct dhcp_lease *lease, void *arg),
	       void *arg);
/* A live lease (DHCP_BOUND), or NULL; until the next call. */
const struct dhcp_lease *dhcp_find_ip(const struct dhcp *dhcp, uint32_t ip);
/* By host name: lower case, one label. */
const struct dhcp_lease *dhcp_find_name(const struct dhcp *dhcp,
					const char *hostname);
const struct dhcp_counters *dhcp_counters(const struct dhcp *dhcp);

#endif
