/*
 * An aggregator and its ports: their life, their configuration, and the order
 * in which the machines run. The machines are in the files that lacp.h lists.
 */
#include "bond/lacp_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* --- the machines -------------------------------------------------------- */

/*
 * Selection needs a port to be DETACHED first, and a port that is selected
 * may go on: until nothing moves.
 */
static void run_select_and_mux(struct lacp *lacp, uint64_t now_ms)
{
	bool moved;

	do {
		moved = false;
		for (unsigned i = 0; i < lacp->n_ports; i++)
			moved |= lacp_mux_run(lacp->ports[i], now_ms);
		moved |= lacp_select_run(lacp, now_ms);
	} while (moved);
}

/* Whether something of the port is not as the owner was told last. */
static bool note_port(struct lacp_port *port)
{
	bool collect = lacp_port_may_collect(port);
	bool distribute = lacp_port_may_distribute(port);
	bool current = lacp_port_is_current(port);
	bool changed = collect != port->told_collect ||
		       distribute != port->told_distribute ||
		       current != port->told_current;

	port->told_collect = collect;
	port->told_distribute = distribute;
	port->told_current = current;
	return changed;
}

static void tell_changes(struct lacp *lacp)
{
	enum lacp_status status = lacp_get_status(lacp);
	bool changed = lacp->untold || status != lacp->told_status;

	lacp->untold = false;
	lacp->told_status = status;
	for (unsigned i = 0; i < lacp->n_ports; i++)
		changed |= note_port(lacp->ports[i]);
	if (changed)
		lacp->ops.changed(lacp->ops_arg);
}

void lacp_run(struct lacp *lacp, uint64_t now_ms)
{
	for (unsigned i = 0; i < lacp->n_ports; i++)
		lacp_receive_run(lacp->ports[i], now_ms);
	run_select_and_mux(lacp, now_ms);
	for (unsigned i = 0; i < lacp->n_ports; i++) {
		lacp_churn_run(lacp->ports[i], now_ms);
		lacp_periodic_run(lacp->ports[i], now_ms);
		lacp_transmit_run(lacp->ports[i], now_ms);
	}
	tell_changes(lacp);
}

static uint64_t port_next_ms(const struct lacp_port *port)
{
	uint64_t next_ms = MIN(port->current_while_ms, port->periodic_ms);

	next_ms = MIN(next_ms, lacp_mux_next_ms(port));
	next_ms = MIN(next_ms, port->held_out_ms);
	next_ms = MIN(next_ms, lacp_churn_next_ms(port));
	return MIN(next_ms, lacp_transmit_next_ms(port));
}

uint64_t lacp_next_ms(const struct lacp *lacp)
{
	uint64_t next_ms = LACP_NEVER;

	for (unsigned i = 0; i < lacp->n_ports; i++)
		next_ms = MIN(next_ms, port_next_ms(lacp->ports[i]));
	return next_ms;
}

/* --- configuration ------------------------------------------------------- */

struct lacp *lacp_create(const struct lacp_ops *ops, void *ops_arg)
{
	struct lacp *lacp = xcalloc(1, sizeof(*lacp));

	lacp->ops = *ops;
	lacp->ops_arg = ops_arg;
	lacp->config.mode = LACP_OFF;
	lacp->told_status = LACP_DISABLED;
	return lacp;
}

void lacp_destroy(struct lacp *lacp)
{
	if (!lacp)
		return;
	for (unsigned i = 0; i < lacp->n_ports; i++)
		free(lacp->ports[i]);
	free(lacp->ports);
	free(lacp);
}

/* Actor_Admin, and of the state what is configured. */
static struct lacp_info actor_admin(const struct lacp_port *port)
{
	const struct lacp_config *config = &port->lacp->config;
	const struct lacp_port_config *own = &port->config;
	struct lacp_info info = {
		.system_priority = config->system_priority,
		.system_id = config->system_id,
		.key = own->key ? own->key : config->key,
		.port_priority = own->priority,
		.port_id = own->id,
	};

	if (config->mode == LACP_ACTIVE)
		info.state |= LACP_ACTIVITY;
	if (config->fast)
		info.state |= LACP_TIMEOUT;
	if (lacp_port_lacp_enabled(port))
		info.state |= LACP_AGGREGATION;
	return info;
}

/*
 * Makes Actor_Oper what is configured. A port that is somebody else now leaves
 * its LAG, and has no partner in sync before that has said so anew.
 */
static void update_actor(struct lacp_port *port)
{
	const uint8_t admin_state =
		LACP_ACTIVITY | LACP_TIMEOUT | LACP_AGGREGATION;
	struct lacp_info old = port->actor, now = actor_admin(port);
	bool moved = old.system_priority != now.system_priority ||
		     old.system_id != now.system_id || old.key != now.key ||
		     old.port_priority != now.port_priority ||
		     old.port_id != now.port_id ||
		     (old.state ^ now.state) & LACP_AGGREGATION;

	if (moved) {
		port->selected = false;
		port->partner.state &= ~LACP_SYNCHRONIZATION;
	}
	if (moved || (old.state ^ now.state) & admin_state)
		port->ntt = true;
	now.state |= old.state & ~admin_state;
	port->actor = now;
}

void lacp_configure(struct lacp *lacp, const struct lacp_config *config,
		    uint64_t now_ms)
{
	bool stops = config->mode == LACP_OFF && lacp->config.mode != LACP_OFF;

	for (unsigned i = 0; stops && i < lacp->n_ports; i++)
		lacp_transmit_goodbye(lacp->ports[i], now_ms);
	lacp->config = *config;
	for (unsigned i = 0; i < lacp->n_ports; i++)
		update_actor(lacp->ports[i]);
	lacp_run(lacp, now_ms);
}

void lacp_get_config(const struct lacp *lacp, struct lacp_config *config)
{
	*config = lacp->config;
}

struct lacp_port *lacp_add_port(struct lacp *lacp,
				const struct lacp_port_config *config,
				void *owner, uint64_t now_ms)
{
	struct lacp_port *port = xcalloc(1, sizeof(*port));

	port->lacp = lacp;
	port->owner = owner;
	port->config = *config;
	port->full_duplex = true;
	port->usable = true;
	port->periodic_ms = LACP_NEVER;
	port->held_out_ms = LACP_NEVER;
	lacp->ports = xrealloc(lacp->ports,
			       (lacp->n_ports + 1) * sizeof(*lacp->ports));
	lacp->ports[lacp->n_ports++] = port;
	lacp_receive_begin(port, now_ms);
	lacp_mux_begin(port);
	lacp_churn_begin(port);
	update_actor(port);
	lacp_run(lacp, now_ms);
	return port;
}

void lacp_remove_port(struct lacp_port *port, uint64_t now_ms)
{
	struct lacp *lacp = port->lacp;
	unsigned i = 0;

	lacp_transmit_last(port, now_ms);
	while (lacp->ports[i] != port)
		i++;
	lacp->n_ports--;
	memmove(lacp->ports + i, lacp->ports + i + 1,
		(lacp->n_ports - i) * sizeof(*lacp->ports));
	/* The owner may still ask for it when told what changed by this. */
	port->up = false;
	lacp_receive_run(port, now_ms);
	port->selected = false;
	lacp_mux_run(port, now_ms);
	lacp->untold = note_port(port);
	lacp_run(lacp, now_ms);
	free(port);
}

void *lacp_port_owner(const struct lacp_port *port)
{
	return port->owner;
}

void lacp_configure_port(struct lacp_port *port,
			 const struct lacp_port_config *config, uint64_t now_ms)
{
	port->config = *config;
	update_actor(port);
	lacp_run(port->lacp, now_ms);
}

void lacp_port_set_link(struct lacp_port *port, bool up, uint64_t mac,
			uint64_t speed_bps, bool full_duplex, uint64_t now_ms)
{
	if (up != port->link)
		port->carrier_changes++;
	port->link = up;
	port->up = up && port->usable;
	port->mac = mac;
	/* Without a link there is neither; it is expected back as it was. */
	if (up) {
		port->speed_bps = speed_bps;
		port->full_duplex = full_duplex;
	}
	update_actor(port);
	lacp_run(port->lacp, now_ms);
}

static void set_usable(struct lacp_port *port, bool usable, uint64_t now_ms)
{
	port->usable = usable;
	port->up = port->link && usable;
	lacp_run(port->lacp, now_ms);
}

void lacp_port_set_usable(struct lacp_port *port, bool usable, uint64_t now_ms)
{
	if (usable == port->usable)
		return;
	if (!usable)
		lacp_transmit_goodbye(port, now_ms);
	set_usable(port, usable, now_ms);
}

void lacp_port_leave(struct lacp_port *port, uint64_t now_ms)
{
	lacp_transmit_last(port, now_ms);
	set_usable(port, false, now_ms);
}

/* --- frames -------------------------------------------------------------- */

void lacp_receive(struct lacp_port *port, const void *bytes, size_t len,
		  uint64_t now_ms)
{
	struct lacp_frame frame;

	if (!port->up || port->lacp->config.mode == LACP_OFF)
		return;
	/*
	 * Before the timers: when this thread was held up, the frame may have
	 * been in time.
	 */
	switch (lacp_frame_decode(bytes, len, &frame)) {
	case LACP_FRAME_PDU:
		port->received++;
		port->last_received_ms = now_ms;
		if (!lacp_port_lacp_enabled(port))
			break;
		lacp_receive_pdu(port, &frame.pdu, now_ms);
		lacp_run(port->lacp, now_ms);
		break;
	case LACP_FRAME_MARKER:
		lacp_marker_receive(port, &frame.marker, now_ms);
		break;
	case LACP_FRAME_BAD:
		port->bad++;
		break;
	case LACP_FRAME_MARKER_RESPONSE: /* we ask nobody */
	case LACP_FRAME_OTHER:
		break;
	}
}

/* --- what is asked ------------------------------------------------------- */

enum lacp_status lacp_get_status(const struct lacp *lacp)
{
	if (lacp->config.mode == LACP_OFF)
		return LACP_DISABLED;
	for (unsigned i = 0; i < lacp->n_ports; i++)
		if (lacp->ports[i]->up && lacp_port_has_partner(lacp->ports[i]))
			return LACP_NEGOTIATED;
	return LACP_CONFIGURED;
}

bool lacp_port_may_collect(const struct lacp_port *port)
{
	return port->mux >= LACP_MUX_COLLECTING;
}

bool lacp_port_may_distribute(const struct lacp_port *port)
{
	return port->mux == LACP_MUX_DISTRIBUTING;
}

bool lacp_port_is_current(const struct lacp_port *port)
{
	return port->receive == LACP_RX_CURRENT;
}

void lacp_port_get_status(const struct lacp_port *port,
			  struct lacp_port_status *status)
{
	*status = (struct lacp_port_status){
		.current = lacp_port_is_current(port),
		.expired = port->receive == LACP_RX_EXPIRED,
		.defaulted = !!(port->actor.state & LACP_DEFAULTED),
		.selected = port->selected,
		.attached = port->mux >= LACP_MUX_ATTACHED,
		.individual = lacp_port_is_individual(port),
		.why_individual = lacp_port_why_individual(port),
		.why_detached = lacp_port_why_detached(port),
		.actor = port->actor,
		.partner = port->partner,
		.receive_state = lacp_receive_state_name(port->receive),
		.mux_state = lacp_mux_state_name(port->mux),
		.periodic_state = lacp_periodic_state_name(port->periodic),
		.sent = port->sent,
		.received = port->received,
		.bad = port->bad,
		.markers = port->markers,
		.marker_responses = port->marker_responses,
		.link_expired = port->link_expired,
		.link_defaulted = port->link_defaulted,
		.carrier_changes = port->carrier_changes,
		.last_received_ms = port->last_received_ms,
		.actor_churn = port->actor_churn.state == LACP_CHURN,
		.partner_churn = port->partner_churn.state == LACP_CHURN,
		.actor_churns = port->actor_churn.count,
		.partner_churns = port->partner_churn.count,
	};
}
