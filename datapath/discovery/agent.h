/*
 * The agent that speaks LLDP (IEEE 802.1AB) and CDP with the neighbours of a
 * switch's ports. It knows no sockets and no clock: frames, links and the time
 * come in by calls, frames go out by a callback.
 *
 *	lldp_pdu.c, lldp_org.c, lldp_encode.c	LLDPDUs from and to bytes
 *	cdp_pdu.c, cdp_encode.c			the same for CDP
 *	transmit.c	9.2.8, 9.2.10: when to send
 *	neighbors.c	9.2.7, 9.2.9: who was heard, and until when
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef DISCOVERY_AGENT_H
#define DISCOVERY_AGENT_H

#include "discovery/info.h"
#include "discovery/neighbors.h"

struct discovery;
struct discovery_port;

/* What a port does: adminStatus of each protocol. */
enum discovery_mode {
	DISCOVERY_LLDP_RX = 1 << 0,
	DISCOVERY_LLDP_TX = 1 << 1,
	DISCOVERY_CDP_RX = 1 << 2,
	DISCOVERY_CDP_TX = 1 << 3,
};

struct discovery_ops {
	/*
	 * Fills in what the port says of itself by a protocol, of which info
	 * has set the protocol and ttl_s alone, and the frame's source address.
	 * False: nothing can be said now.
	 */
	bool (*describe)(void *owner, struct discovery_info *info,
			 uint64_t *source, void *arg);
	/* Sends a frame by the port, as it is. */
	void (*send)(void *owner, const void *frame, size_t len, void *arg);
};

/* Of one protocol at one port: 9.2.6. */
struct discovery_counters {
	uint64_t frames_out, length_errors;
	uint64_t frames_in, frames_discarded, frames_in_errors;
	uint64_t tlvs_discarded, tlvs_unrecognized;
};

struct discovery *discovery_create(const struct discovery_ops *ops,
				   void *ops_arg);
/* And its ports, silently; accepts NULL. */
void discovery_destroy(struct discovery *d);

/*
 * A port with its link down, and nothing on. name is copied, for the log.
 */
struct discovery_port *discovery_add_port(struct discovery *d, const char *name,
					  void *owner);
/*
 * Tells the neighbours that we go, where we have told them that we are there,
 * and forgets the port.
 */
void discovery_remove_port(struct discovery_port *port, uint64_t now_ms);

/*
 * Turns protocols on and off; mode: enum discovery_mode. What is not received
 * any more is forgotten, and where we go silent the neighbours are told.
 */
void discovery_port_configure(struct discovery_port *port, unsigned mode,
			      uint64_t now_ms);
unsigned discovery_port_mode(const struct discovery_port *port);
/* Link down: its neighbours are forgotten. */
void discovery_port_set_link(struct discovery_port *port, bool up,
			     uint64_t now_ms);
/* Looks whether the port has something else to say than it last said. */
void discovery_port_refresh(struct discovery_port *port, uint64_t now_ms);

/*
 * A frame that came in by the port; any bytes, the Ethernet header first.
 * Ignored when the port does not receive this protocol.
 */
void discovery_receive(struct discovery_port *port,
		       enum discovery_protocol protocol, const void *frame,
		       size_t len, uint64_t now_ms);

/* Does what is due. */
void discovery_run(struct discovery *d, uint64_t now_ms);
/* When to run next, at the latest; UINT64_MAX: never. */
uint64_t discovery_next_ms(const struct discovery *d);

/* --- for people -----------------------------------------------------------
 */

const struct neighbor_table *discovery_port_neighbors(
	const struct discovery_port *port);
const struct discovery_counters *discovery_port_counters(
	const struct discovery_port *port, enum discovery_protocol protocol);
/* "LLDP", "CDP" */
const char *discovery_protocol_name(enum discovery_protocol protocol);

#endif
