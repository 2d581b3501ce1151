/*
 * The table of leases of a DHCPv4 server: by address, by client and by name.
 * Bounded in total; what belongs to whom is counted for the limits.
 */
#ifndef GATEWAY_DHCP_LEASES_H
#define GATEWAY_DHCP_LEASES_H

#include "gateway/dhcp.h"
#include "gateway/quota.h"

struct lease {
	struct hash_node by_ip, by_client, by_name;
	struct lease *next, **prev; /* in a list of all */
	bool named;		    /* it is in by_name */
	bool was_bound;	  /* an offer of what was the client's before */
	uint64_t over_ms; /* since when it was over then */
	struct dhcp_lease public;
};

struct lease_table {
	struct hash_key key;
	struct hash_index ips, clients, names;
	struct lease *all;
	unsigned n, max;
	struct quota ports, macs;      /* OFFERED, BOUND and OVER */
	struct quota offers, declines; /* of ports */
	uint64_t next_ms;	       /* no lease ends before */
};

void lease_table_init(struct lease_table *table, const struct hash_key *key,
		      unsigned max);
void lease_table_fini(struct lease_table *table);

struct lease *lease_find_ip(const struct lease_table *table, uint32_t ip);
struct lease *lease_find_client(const struct lease_table *table, uint64_t mac,
				const uint8_t *client_id, unsigned len);
struct lease *lease_find_name(const struct lease_table *table,
			      const char *name);

/* The lease as `from` says it. NULL: the table is full. Not to be there yet. */
struct lease *lease_add(struct lease_table *table,
			const struct dhcp_lease *from);
void lease_remove(struct lease_table *table, struct lease *lease);
/* Changes what the limits count. */
void lease_set_state(struct lease_table *table, struct lease *lease,
		     enum dhcp_lease_state state, uint64_t expires_ms);
void lease_set_port(struct lease_table *table, struct lease *lease,
		    uint32_t port);
/* "": none. False: another lease has the name; then it has none. */
bool lease_set_name(struct lease_table *table, struct lease *lease,
		    const char *name);

#endif
