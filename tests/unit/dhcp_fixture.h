/*
 * A DHCPv4 server of 10.20.0.1/24 with ten addresses from 10.20.0.10 on, in
 * virtual time, and a client that says anything.
 */
#ifndef TESTS_UNIT_DHCP_FIXTURE_H
#define TESTS_UNIT_DHCP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>

#include <cmocka.h>

#include "gateway/dhcp.h"
#include "gateway/dhcp_message.h"
#include "gateway/writer.h"

#define SERVER	  0x0a140001
#define FIRST	  0x0a14000a
#define BROADCAST 0xffffffff
#define MAC(n)	  (0x525400000000 + (n))

extern struct dhcp *dhcp;
extern struct dhcp_config config; /* as it was given last */
extern uint64_t now;
/* The last answer, and where it went. */
extern uint8_t sent[2048];
extern size_t sent_len;
extern struct dhcp_destination sent_to;
/* The last change of a lease that was told; how many, and of those, gone. */
extern struct dhcp_lease changed;
extern unsigned n_changed, n_gone;

int dhcp_setup(void **state);
int dhcp_teardown(void **state);
/* Takes config over, which must be right. */
void reconfigure(void);
/* A new server that knows no leases. */
void dhcp_restart(uint64_t key);

struct message {
	uint64_t mac;
	uint32_t port;
	enum dhcp_type type;
	uint32_t ciaddr, requested, server, giaddr;
	uint16_t flags, max_size;
	const char *id, *name, *parameters;
	unsigned arch;
};

/* Sends it; returns the type of the answer, 0: none. */
unsigned say(const struct message *m);
/* DISCOVER and REQUEST; the address, 0: there was no offer. */
uint32_t get_lease(const struct message *as);
/* The option's length in the last answer's options field, 0: none. */
unsigned answer_option(uint8_t code, const uint8_t **data);
uint32_t answer32(uint8_t code);
uint32_t your_address(void);

#endif
