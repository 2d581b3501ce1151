/*
 * What a DHCP message says of a client's addresses, in an Ethernet frame of
 * IPv4 or IPv6 with any tags: a decoder (RFC 2131, RFC 8415), fed by
 * dhcp_snoop.h. Checksums are not looked at: the kernel that made the frame may
 * have left them to the device.
 */
#ifndef VSWD_DHCP_SNOOPED_H
#define VSWD_DHCP_SNOOPED_H

#include "base/net_text.h"

#define SNOOPED_ADDRESSES_MAX 8
#define SNOOPED_CLIENT_MAX    130 /* of a DUID (RFC 8415 11.1), with its type */
#define SNOOPED_FOREVER	      UINT32_MAX

enum snooped_what {
	SNOOPED_ASKS,	  /* a client, for addresses */
	SNOOPED_GIVES_UP, /* it has done with those that are named */
	SNOOPED_GRANTS,	  /* a server; lease_s 0: no longer */
	SNOOPED_REFUSES,  /* a server: none of the client's is good */
};

struct snooped_address {
	struct net_addr ip;
	uint8_t prefix_len; /* of a delegated prefix; else 32 or 128 */
	uint32_t lease_s;   /* SNOOPED_FOREVER: without end */
};

struct snooped {
	enum snooped_what what;
	unsigned version; /* 4 or 6 */
	uint32_t xid;
	/* Who asks: its MAC, or its DUID. */
	uint8_t client_len;
	uint8_t client[SNOOPED_CLIENT_MAX];
	unsigned n; /* those beyond the room are left out */
	struct snooped_address addresses[SNOOPED_ADDRESSES_MAX];
};

/*
 * False: it is no such message. from_client: the way that it went; else only
 * servers' messages count. A client of IPv4 is to name its own MAC, that of the
 * frame: a server would give it what is another's.
 */
bool dhcp_snooped_parse(struct snooped *s, const void *frame, size_t len,
			bool from_client);

#endif
