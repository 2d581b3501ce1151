/* What the files of the DHCPv4 server share. */
#ifndef GATEWAY_DHCP_INTERNAL_H
#define GATEWAY_DHCP_INTERNAL_H

#include "gateway/dhcp_leases.h"
#include "gateway/dhcp_message.h"

struct dhcp {
	struct dhcp_config config; /* a copy, reservations ordered by address */
	struct dhcp_ops ops;
	void *ops_arg;
	struct lease_table leases;
	struct dhcp_counters counters;
	uint64_t scan_ms; /* a large table is not looked through before */
};

/* dhcp_config.c */
void dhcp_config_copy(struct dhcp_config *to, const struct dhcp_config *from);
/* NULL: none. */
const struct dhcp_reservation *dhcp_reservation_of_mac(
	const struct dhcp_config *config, uint64_t mac);
const struct dhcp_reservation *dhcp_reservation_of_ip(
	const struct dhcp_config *config, uint32_t ip);

/* dhcp_pool.c */
/* May that client have that address, were it free? */
bool dhcp_pool_usable(const struct dhcp *d, uint32_t ip, uint64_t mac);
/* The client's lease in any state but declined, or NULL. */
struct lease *dhcp_pool_own(const struct dhcp *d, const struct dhcp_message *m);
/*
 * A lease for a client that has none, OFFERED, counted; what gave way for it
 * has been told about. NULL: none to be had, and counted why.
 */
struct lease *dhcp_pool_choose(struct dhcp *d, const struct dhcp_message *m,
			       uint32_t port, uint64_t now_ms);
/* That address, if nobody has it. */
struct lease *dhcp_pool_take(struct dhcp *d, const struct dhcp_message *m,
			     uint32_t ip, uint32_t port, uint64_t now_ms);
/* Forgets a lease, and tells of it if it was told about. */
void dhcp_pool_drop(struct dhcp *d, struct lease *l);

/* dhcp_reply.c */
#define DHCP_REPLY_MAX 1472 /* UDP payload in an Ethernet frame */
/*
 * Builds the answer to a message; lease NULL: NAK, or ACK to INFORM. Returns
 * its length.
 */
size_t dhcp_reply_build(const struct dhcp_config *config,
			const struct dhcp_message *m, enum dhcp_type type,
			const struct dhcp_lease *lease,
			uint8_t room[DHCP_REPLY_MAX]);

#endif
