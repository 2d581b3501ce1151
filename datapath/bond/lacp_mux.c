/*
 * The mux machine with independent control (6.4.15, figure 6-21): brings a
 * selected port to collecting and then to distributing, and back. A port
 * distributes only to a partner that collects.
 */
#include "bond/lacp_internal.h"

#include "base/util.h"

/*
 * When a port in WAITING is Ready: when all that wait for the aggregator have
 * waited long enough, so that they come together. One port that begins anew
 * again and again keeps the others waiting only once more.
 */
static uint64_t ready_ms(const struct lacp_port *port)
{
	const struct lacp *lacp = port->lacp;
	uint64_t last_ms = port->wait_while_ms;

	for (unsigned i = 0; i < lacp->n_ports; i++) {
		const struct lacp_port *other = lacp->ports[i];

		if (other->mux == LACP_MUX_WAITING && other->selected)
			last_ms = MAX(last_ms, other->wait_while_ms);
	}
	return MIN(last_ms, port->wait_while_ms + LACP_AGGREGATE_WAIT_MS);
}

/*
 * Whoever is EXPIRED has a partner out of sync (6.4.12) and so does not
 * collect; Open vSwitch says that it does, and drops.
 */
static bool partner_collects(const struct lacp_port *port)
{
	return port->partner.state & LACP_COLLECTING &&
	       !(port->partner.state & LACP_EXPIRED);
}

static enum lacp_mux_state next_state(const struct lacp_port *port,
				      uint64_t now_ms)
{
	bool in_sync =
		port->selected && port->partner.state & LACP_SYNCHRONIZATION;
	bool collects = in_sync && partner_collects(port);

	switch (port->mux) {
	case LACP_MUX_DETACHED:
		return port->selected ? LACP_MUX_WAITING : LACP_MUX_DETACHED;
	case LACP_MUX_WAITING:
		if (!port->selected)
			return LACP_MUX_DETACHED;
		return ready_ms(port) <= now_ms ? LACP_MUX_ATTACHED
						: LACP_MUX_WAITING;
	case LACP_MUX_ATTACHED:
		if (!port->selected)
			return LACP_MUX_DETACHED;
		return in_sync ? LACP_MUX_COLLECTING : LACP_MUX_ATTACHED;
	case LACP_MUX_COLLECTING:
		if (!in_sync)
			return LACP_MUX_ATTACHED;
		return collects ? LACP_MUX_DISTRIBUTING : LACP_MUX_COLLECTING;
	case LACP_MUX_DISTRIBUTING:
		break;
	}
	return collects ? LACP_MUX_DISTRIBUTING : LACP_MUX_COLLECTING;
}

static void enter(struct lacp_port *port, enum lacp_mux_state state,
		  uint64_t now_ms)
{
	uint8_t *actor = &port->actor.state;

	port->mux = state;
	switch (state) {
	case LACP_MUX_DETACHED:
		*actor &= ~(LACP_SYNCHRONIZATION | LACP_COLLECTING |
			    LACP_DISTRIBUTING);
		port->ntt = true;
		break;
	case LACP_MUX_WAITING:
		port->wait_while_ms = now_ms + LACP_AGGREGATE_WAIT_MS;
		break;
	case LACP_MUX_ATTACHED:
		*actor |= LACP_SYNCHRONIZATION;
		*actor &= ~LACP_COLLECTING;
		port->ntt = true;
		break;
	case LACP_MUX_COLLECTING:
		*actor |= LACP_COLLECTING;
		*actor &= ~LACP_DISTRIBUTING;
		port->ntt = true;
		break;
	case LACP_MUX_DISTRIBUTING:
		*actor |= LACP_DISTRIBUTING;
		break;
	}
}

void lacp_mux_begin(struct lacp_port *port)
{
	enter(port, LACP_MUX_DETACHED, 0);
}

bool lacp_mux_run(struct lacp_port *port, uint64_t now_ms)
{
	enum lacp_mux_state before = port->mux, next;

	while ((next = next_state(port, now_ms)) != port->mux)
		enter(port, next, now_ms);
	return port->mux != before;
}

uint64_t lacp_mux_next_ms(const struct lacp_port *port)
{
	return port->mux == LACP_MUX_WAITING ? ready_ms(port) : LACP_NEVER;
}

const char *lacp_mux_state_name(enum lacp_mux_state state)
{
	static const char *const names[] = {
		[LACP_MUX_DETACHED] = "DETACHED",
		[LACP_MUX_WAITING] = "WAITING",
		[LACP_MUX_ATTACHED] = "ATTACHED",
		[LACP_MUX_COLLECTING] = "COLLECTING",
		[LACP_MUX_DISTRIBUTING] = "DISTRIBUTING",
	};

	return names[state];
}
