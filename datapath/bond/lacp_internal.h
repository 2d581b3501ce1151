/*
 * What the machines of LACP share. Clauses and figures are those of IEEE
 * 802.1AX-2014; names of states and variables are the standard's.
 *
 * A machine is a function that makes all transitions that are possible at
 * `now_ms`. lacp.c runs them in order after everything that may have changed
 * one of their inputs.
 */
#ifndef BOND_LACP_INTERNAL_H
#define BOND_LACP_INTERNAL_H

#include "bond/lacp_pdu.h"

/* 6.4.4, in milliseconds. */
#define LACP_FAST_PERIODIC_MS	1000
#define LACP_SLOW_PERIODIC_MS	30000
#define LACP_SHORT_TIMEOUT_MS	3000
#define LACP_LONG_TIMEOUT_MS	90000
#define LACP_CHURN_DETECTION_MS 60000
#define LACP_AGGREGATE_WAIT_MS	2000
/* 6.4.16: LACPDUs in any LACP_FAST_PERIODIC_MS. */
#define LACP_TX_MAX 3
/* Marker responses in any second, as for a slow protocol (57A.3). */
#define LACP_MARKER_MAX 5
/* Ours: a partner that is not in sync for as long does not want the link. */
#define LACP_HELD_OUT_MS 3000
#define LACP_NEVER	 UINT64_MAX

enum lacp_receive_state {
	LACP_RX_INITIALIZE,
	LACP_RX_PORT_DISABLED,
	LACP_RX_LACP_DISABLED,
	LACP_RX_EXPIRED,
	LACP_RX_DEFAULTED,
	LACP_RX_CURRENT,
};

enum lacp_periodic_state {
	LACP_NO_PERIODIC,
	LACP_FAST_PERIODIC,
	LACP_SLOW_PERIODIC,
	LACP_PERIODIC_TX,
};

/* In the order in which a port goes through them. */
enum lacp_mux_state {
	LACP_MUX_DETACHED,
	LACP_MUX_WAITING,
	LACP_MUX_ATTACHED,
	LACP_MUX_COLLECTING,
	LACP_MUX_DISTRIBUTING,
};

enum lacp_churn_state {
	LACP_NO_CHURN,
	LACP_CHURN_MONITOR,
	LACP_CHURN,
};

struct lacp_churn {
	enum lacp_churn_state state;
	uint64_t timer_ms;
	uint64_t count;
};

struct lacp_port {
	struct lacp *lacp;
	void *owner;
	struct lacp_port_config config;

	bool link, usable;
	bool up; /* port_enabled: both */
	bool full_duplex;
	uint64_t mac;
	uint64_t speed_bps; /* of when it was up last */

	/* Actor_Oper and Partner_Oper */
	struct lacp_info actor, partner;
	bool ntt;	 /* need to transmit */
	bool goodbye;	 /* the same, once stopped: the last word */
	bool selected;	 /* SELECTED or UNSELECTED */
	bool port_moved; /* its partner's port has been heard by another */

	/* Each timer is the time at which it expires; LACP_NEVER: stopped. */
	enum lacp_receive_state receive;
	uint64_t current_while_ms;
	enum lacp_periodic_state periodic;
	uint64_t periodic_ms;
	enum lacp_mux_state mux;
	uint64_t wait_while_ms;
	bool held_out; /* attached, and its partner did not follow */
	uint64_t held_out_ms;
	struct lacp_churn actor_churn, partner_churn;

	/* When the next frame may go: rings of times, the oldest at next. */
	uint64_t tx_free_ms[LACP_TX_MAX];
	unsigned tx_next;
	uint64_t goodbye_free_ms;
	uint64_t marker_free_ms[LACP_MARKER_MAX];
	unsigned marker_next;

	/* What was true when the owner was last told of a change. */
	bool told_collect, told_distribute, told_current;

	uint64_t sent, received, bad, markers, marker_responses;
	uint64_t link_expired, link_defaulted, carrier_changes;
	uint64_t last_received_ms;
};

struct lacp {
	struct lacp_ops ops;
	void *ops_arg;
	struct lacp_config config;
	struct lacp_port **ports;
	unsigned n_ports;
	enum lacp_status told_status;
	bool untold; /* of a change that cannot be seen in the ports */
};

/* LACP_Enabled (6.4.8): half duplex links are not point to point links. */
bool lacp_port_lacp_enabled(const struct lacp_port *port);

/* --- lacp_receive.c: the receive machine, figure 6-18 --- */
void lacp_receive_begin(struct lacp_port *port, uint64_t now_ms);
void lacp_receive_run(struct lacp_port *port, uint64_t now_ms);
void lacp_receive_pdu(struct lacp_port *port, const struct lacp_pdu *pdu,
		      uint64_t now_ms);
const char *lacp_receive_state_name(enum lacp_receive_state state);

/* --- lacp_periodic.c: the periodic transmission machine, figure 6-19 --- */
void lacp_periodic_run(struct lacp_port *port, uint64_t now_ms);
const char *lacp_periodic_state_name(enum lacp_periodic_state state);

/* --- lacp_select.c: the selection logic, 6.4.14 --- */
/* The port's partner is one that it could aggregate with. */
bool lacp_port_has_partner(const struct lacp_port *port);
bool lacp_port_is_individual(const struct lacp_port *port);
/* For people: why it is individual, not attached; NULL: it is not, it is. */
const char *lacp_port_why_individual(const struct lacp_port *port);
const char *lacp_port_why_detached(const struct lacp_port *port);
/* Returns whether a port was selected or unselected. */
bool lacp_select_run(struct lacp *lacp, uint64_t now_ms);

/* --- lacp_mux.c: the mux machine with independent control, figure 6-21 --- */
void lacp_mux_begin(struct lacp_port *port);
/* Returns whether it went to another state. */
bool lacp_mux_run(struct lacp_port *port, uint64_t now_ms);
/* When it does something unless an input changes; LACP_NEVER: not at all. */
uint64_t lacp_mux_next_ms(const struct lacp_port *port);
const char *lacp_mux_state_name(enum lacp_mux_state state);

/* --- lacp_transmit.c: 6.4.16 --- */
void lacp_transmit_run(struct lacp_port *port, uint64_t now_ms);
uint64_t lacp_transmit_next_ms(const struct lacp_port *port);
/* The last frame of a port that stops: it is nobody's member any more. */
void lacp_transmit_goodbye(struct lacp_port *port, uint64_t now_ms);
/* The same of a port that nothing can be sent by afterwards: at once. */
void lacp_transmit_last(struct lacp_port *port, uint64_t now_ms);

/* --- lacp_marker.c: the marker responder, figure 6-26 --- */
void lacp_marker_receive(struct lacp_port *port,
			 const struct lacp_marker *marker, uint64_t now_ms);

/* --- lacp_churn.c: figures 6-23 and 6-24 --- */
void lacp_churn_begin(struct lacp_port *port);
void lacp_churn_run(struct lacp_port *port, uint64_t now_ms);
uint64_t lacp_churn_next_ms(const struct lacp_port *port);

#endif
