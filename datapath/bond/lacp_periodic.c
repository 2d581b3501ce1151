/*
 * The periodic transmission machine (6.4.13, figure 6-19): a frame each second
 * or each 30, as the partner's timeout asks for; none while both are passive.
 */
#include "bond/lacp_internal.h"

/* What holds the machine in NO_PERIODIC from any state. */
static bool stopped(const struct lacp_port *port)
{
	return !port->up || !lacp_port_lacp_enabled(port) ||
	       !((port->actor.state | port->partner.state) & LACP_ACTIVITY);
}

static enum lacp_periodic_state next_state(const struct lacp_port *port,
					   uint64_t now_ms)
{
	bool shortly = port->partner.state & LACP_TIMEOUT;
	bool expired = port->periodic_ms <= now_ms;

	if (stopped(port))
		return LACP_NO_PERIODIC;
	switch (port->periodic) {
	case LACP_NO_PERIODIC:
		return LACP_FAST_PERIODIC;
	case LACP_FAST_PERIODIC:
		if (expired)
			return LACP_PERIODIC_TX;
		return shortly ? LACP_FAST_PERIODIC : LACP_SLOW_PERIODIC;
	case LACP_SLOW_PERIODIC:
		return shortly || expired ? LACP_PERIODIC_TX
					  : LACP_SLOW_PERIODIC;
	case LACP_PERIODIC_TX:
		break;
	}
	return shortly ? LACP_FAST_PERIODIC : LACP_SLOW_PERIODIC;
}

static void enter(struct lacp_port *port, enum lacp_periodic_state state,
		  uint64_t now_ms)
{
	switch (state) {
	case LACP_NO_PERIODIC:
		port->periodic_ms = LACP_NEVER;
		break;
	case LACP_FAST_PERIODIC:
		port->periodic_ms = now_ms + LACP_FAST_PERIODIC_MS;
		break;
	case LACP_SLOW_PERIODIC:
		port->periodic_ms = now_ms + LACP_SLOW_PERIODIC_MS;
		break;
	case LACP_PERIODIC_TX:
		port->ntt = true;
		break;
	}
	port->periodic = state;
}

void lacp_periodic_run(struct lacp_port *port, uint64_t now_ms)
{
	enum lacp_periodic_state next;

	while ((next = next_state(port, now_ms)) != port->periodic)
		enter(port, next, now_ms);
}

const char *lacp_periodic_state_name(enum lacp_periodic_state state)
{
	static const char *const names[] = {
		[LACP_NO_PERIODIC] = "NO_PERIODIC",
		[LACP_FAST_PERIODIC] = "FAST_PERIODIC",
		[LACP_SLOW_PERIODIC] = "SLOW_PERIODIC",
		[LACP_PERIODIC_TX] = "PERIODIC_TX",
	};

	return names[state];
}
