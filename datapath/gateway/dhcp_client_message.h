/*
 * What a DHCPv4 client sends, and what servers answer it (RFC 2131 2, RFC 2132,
 * RFC 3396, RFC 3442). See dhcp_client.h.
 */
#ifndef GATEWAY_DHCP_CLIENT_MESSAGE_H
#define GATEWAY_DHCP_CLIENT_MESSAGE_H

#include "gateway/dhcp_client.h"
#include "gateway/dhcp_message.h"

struct dhcp_client_query {
	enum dhcp_type type;
	uint32_t xid;
	uint16_t secs;
	bool broadcast; /* the answer is to be */
	uint64_t mac;
	uint32_t ciaddr, requested_ip, server_id; /* 0: left out */
};

void dhcp_client_write(const struct dhcp_client_query *query,
		       uint8_t message[DHCP_CLIENT_MESSAGE_LEN]);

struct dhcp_answer {
	enum dhcp_type type; /* DHCP_OFFER, DHCP_ACK or DHCP_NAK */
	uint32_t xid;
	uint64_t mac;
	uint32_t server_id; /* 0: none */
	/* Without the times that end in _ms; ip 0: it offers nothing usable. */
	struct dhcp_client_lease lease;
};

/* Any bytes. False when they are no server's message to an Ethernet client. */
bool dhcp_answer_parse(struct dhcp_answer *answer, const void *data,
		       size_t len);

#endif
