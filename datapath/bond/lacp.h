/*
 * LACP (IEEE 802.1AX-2014 clause 6.4) for one aggregator, a bond's: the
 * standard's machines, a file each.
 *
 *	lacp_pdu.c	LACPDUs and marker PDUs to and from bytes
 *	lacp_receive.c	6.4.12, what the partner says and how long it holds
 *	lacp_periodic.c	6.4.13, how often we say something
 *	lacp_select.c	6.4.14, which ports belong together
 *	lacp_mux.c	6.4.15, collecting and distributing
 *	lacp_transmit.c	6.4.16, at most three in a second, and a last word
 *	lacp_marker.c	6.5, the answer to a marker
 *	lacp_churn.c	6.4.17, links that do not come into sync
 *	lacp.c		ports, configuration, the order of the machines
 *
 * Control thread; time in milliseconds comes in with each call.
 */
#ifndef BOND_LACP_H
#define BOND_LACP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lacp;
struct lacp_port;

enum lacp_mode { LACP_OFF, LACP_PASSIVE, LACP_ACTIVE };

/* Open vSwitch's words for how far a bond has come. */
enum lacp_status {
	LACP_DISABLED,
	LACP_CONFIGURED, /* no partner yet */
	LACP_NEGOTIATED,
};

/* 6.4.2.3: bits of a state octet. */
enum lacp_state {
	LACP_ACTIVITY = 1 << 0,
	LACP_TIMEOUT = 1 << 1, /* short */
	LACP_AGGREGATION = 1 << 2,
	LACP_SYNCHRONIZATION = 1 << 3,
	LACP_COLLECTING = 1 << 4,
	LACP_DISTRIBUTING = 1 << 5,
	LACP_DEFAULTED = 1 << 6,
	LACP_EXPIRED = 1 << 7,
};

/* What is said of one end of a link. MACs as load_mac() gives them. */
struct lacp_info {
	uint16_t system_priority;
	uint64_t system_id;
	uint16_t key;
	uint16_t port_priority;
	uint16_t port_id;
	uint8_t state;
};

struct lacp_config {
	enum lacp_mode mode;
	bool fast; /* other_config:lacp-time: short timeout */
	uint16_t system_priority;
	uint64_t system_id; /* not 0 */
	uint16_t key;	    /* of ports that have none of their own; not 0 */
};

struct lacp_port_config {
	uint16_t id;	   /* not 0, unique in the system */
	uint16_t priority; /* Open vSwitch's default: 65535 */
	uint16_t key;	   /* 0: the bond's */
};

struct lacp_ops {
	/* A whole frame, Ethernet header included, without FCS. */
	void (*send)(struct lacp_port *port, const void *frame, size_t len,
		     void *arg);
	/*
	 * lacp_port_may_collect() and the like may have changed. Both are
	 * called from within the functions below, and may only ask.
	 */
	void (*changed)(void *arg);
};

struct lacp *lacp_create(const struct lacp_ops *ops, void *ops_arg);
void lacp_destroy(struct lacp *lacp); /* and its ports; accepts NULL */
/*
 * What stays the same is not disturbed. mode may be LACP_OFF: all stop. A port
 * that stops says so to its partner: within a second here and by
 * lacp_port_set_usable(), at once by lacp_port_leave() and lacp_remove_port().
 */
void lacp_configure(struct lacp *lacp, const struct lacp_config *config,
		    uint64_t now_ms);

/* owner is the caller's. */
struct lacp_port *lacp_add_port(struct lacp *lacp,
				const struct lacp_port_config *config,
				void *owner, uint64_t now_ms);
/* The port may be asked for, in changed(), until this returns. */
void lacp_remove_port(struct lacp_port *port, uint64_t now_ms);
void *lacp_port_owner(const struct lacp_port *port);
void lacp_configure_port(struct lacp_port *port,
			 const struct lacp_port_config *config,
			 uint64_t now_ms);
/*
 * port_enabled of the standard: the link is up. mac: the interface's, the
 * source of frames. Half duplex, or a speed unlike the others', makes a link
 * individual.
 */
void lacp_port_set_link(struct lacp_port *port, bool up, uint64_t mac,
			uint64_t speed_bps, bool full_duplex, uint64_t now_ms);

/*
 * Takes a port out of use by hand, or back in: as if it had no link, but the
 * partner is told, which would otherwise go on sending to it.
 */
void lacp_port_set_usable(struct lacp_port *port, bool usable, uint64_t now_ms);
/*
 * Out of use, since it is about to be closed: whatever was sent in this second,
 * the partner is told before this returns.
 */
void lacp_port_leave(struct lacp_port *port, uint64_t now_ms);

/* A frame to 01:80:c2:00:00:02 that came in by the port; any bytes. */
void lacp_receive(struct lacp_port *port, const void *frame, size_t len,
		  uint64_t now_ms);
void lacp_run(struct lacp *lacp, uint64_t now_ms);
/* When to run next, at the latest; UINT64_MAX: never. */
uint64_t lacp_next_ms(const struct lacp *lacp);

enum lacp_status lacp_get_status(const struct lacp *lacp);
/* Traffic may be received, or sent, by the port: 6.4.15. */
bool lacp_port_may_collect(const struct lacp_port *port);
bool lacp_port_may_distribute(const struct lacp_port *port);
/* A partner answers: neither defaulted nor expired. */
bool lacp_port_is_current(const struct lacp_port *port);

struct lacp_port_status {
	bool current, expired, defaulted; /* the receive machine */
	bool selected, attached;	  /* to the aggregator */
	bool individual;
	/* Why it is individual, or not attached; for people. NULL: it is not */
	const char *why_individual, *why_detached;
	struct lacp_info actor, partner;
	const char *receive_state, *mux_state, *periodic_state;
	/* PDUs */
	uint64_t sent, received, bad, markers, marker_responses;
	uint64_t link_expired, link_defaulted, carrier_changes;
	uint64_t last_received_ms; /* 0: never */
	/* 6.4.17: for a minute or more not in sync, and how often that was. */
	bool actor_churn, partner_churn;
	uint64_t actor_churns, partner_churns;
};
void lacp_port_get_status(const struct lacp_port *port,
			  struct lacp_port_status *status);
void lacp_get_config(const struct lacp *lacp, struct lacp_config *config);

#endif
