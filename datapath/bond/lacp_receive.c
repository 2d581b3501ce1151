/*
 * The receive machine (6.4.12, figure 6-18): what the partner says of itself
 * and of us, and for how long that holds.
 *
 *	INITIALIZE	at the start, and when the partner went to another port
 *	PORT_DISABLED	no link; what the partner said is remembered
 *	LACP_DISABLED	no LACP here
 *	EXPIRED		nothing heard lately; last chance, at the fast rate
 *	DEFAULTED	no partner
 *	CURRENT		the partner is heard
 */
#include "bond/lacp_internal.h"

#include "base/util.h"

#define IDENTITY_STATE LACP_AGGREGATION
#define NTT_STATE                                                              \
	(LACP_ACTIVITY | LACP_TIMEOUT | LACP_SYNCHRONIZATION | LACP_AGGREGATION)

/* The same end of a link, and as to the bits of `state` in the same state. */
static bool same_end(const struct lacp_info *a, const struct lacp_info *b,
		     unsigned state)
{
	return a->port_id == b->port_id &&
	       a->port_priority == b->port_priority &&
	       a->system_id == b->system_id &&
	       a->system_priority == b->system_priority && a->key == b->key &&
	       !((a->state ^ b->state) & state);
}

/*
 * Partner_Admin: who is on the other side when nobody says so. Nobody is, and
 * a port does not work without a partner, as in Open vSwitch: so it is not in
 * sync. Its timeout is ours, so that lacp-time=fast also looks for a partner
 * each second.
 */
static struct lacp_info partner_admin(const struct lacp_port *port)
{
	struct lacp_info none = {
		.state = port->lacp->config.fast ? LACP_TIMEOUT : 0,
	};

	return none;
}

/* 6.4.9 */
static void record_default(struct lacp_port *port)
{
	port->partner = partner_admin(port);
	port->actor.state |= LACP_DEFAULTED;
}

static void update_default_selected(struct lacp_port *port)
{
	struct lacp_info admin = partner_admin(port);

	if (!same_end(&port->partner, &admin, IDENTITY_STATE))
		port->selected = false;
}

static void update_selected(struct lacp_port *port, const struct lacp_pdu *pdu)
{
	if (!same_end(&port->partner, &pdu->actor, IDENTITY_STATE))
		port->selected = false;
}

static void update_ntt(struct lacp_port *port, const struct lacp_pdu *pdu)
{
	if (!same_end(&port->actor, &pdu->partner, NTT_STATE))
		port->ntt = true;
}

/*
 * The partner means this port as it is (or is an individual link, which needs
 * no agreement), and somebody keeps the link alive by speaking unasked.
 */
static bool choose_matched(const struct lacp_port *port,
			   const struct lacp_pdu *pdu)
{
	bool individual = !(pdu->actor.state & LACP_AGGREGATION);
	bool maintained = pdu->actor.state & LACP_ACTIVITY ||
			  (port->actor.state & LACP_ACTIVITY &&
			   pdu->partner.state & LACP_ACTIVITY);

	return maintained &&
	       (individual ||
		same_end(&port->actor, &pdu->partner, IDENTITY_STATE));
}

static void record_pdu(struct lacp_port *port, const struct lacp_pdu *pdu)
{
	port->partner = pdu->actor;
	port->actor.state &= ~LACP_DEFAULTED;
	if (!choose_matched(port, pdu))
		port->partner.state &= ~LACP_SYNCHRONIZATION;
}

/* --- states -------------------------------------------------------------- */

static void enter_initialize(struct lacp_port *port)
{
	port->selected = false;
	record_default(port);
	port->actor.state &= ~LACP_EXPIRED;
	port->port_moved = false;
	port->current_while_ms = LACP_NEVER;
}

static void enter_port_disabled(struct lacp_port *port)
{
	port->partner.state &= ~LACP_SYNCHRONIZATION;
	port->current_while_ms = LACP_NEVER;
}

static void enter_lacp_disabled(struct lacp_port *port)
{
	port->selected = false;
	record_default(port);
	port->partner.state &= ~LACP_AGGREGATION;
	port->actor.state &= ~LACP_EXPIRED;
}

static void enter_expired(struct lacp_port *port, uint64_t now_ms)
{
	/* A link that comes up is used sooner when it says so at once. */
	if (port->receive == LACP_RX_PORT_DISABLED)
		port->ntt = true;
	else
		port->link_expired++;
	port->partner.state &= ~LACP_SYNCHRONIZATION;
	port->partner.state |= LACP_TIMEOUT;
	port->current_while_ms = now_ms + LACP_SHORT_TIMEOUT_MS;
	port->actor.state |= LACP_EXPIRED;
}

static void enter_defaulted(struct lacp_port *port)
{
	update_default_selected(port);
	record_default(port);
	port->actor.state &= ~LACP_EXPIRED;
	port->current_while_ms = LACP_NEVER;
	port->link_defaulted++;
}

static void enter(struct lacp_port *port, enum lacp_receive_state state,
		  uint64_t now_ms)
{
	switch (state) {
	case LACP_RX_INITIALIZE:
		enter_initialize(port);
		break;
	case LACP_RX_PORT_DISABLED:
		enter_port_disabled(port);
		break;
	case LACP_RX_LACP_DISABLED:
		enter_lacp_disabled(port);
		break;
	case LACP_RX_EXPIRED:
		enter_expired(port, now_ms);
		break;
	case LACP_RX_DEFAULTED:
		enter_defaulted(port);
		break;
	case LACP_RX_CURRENT:
		break; /* only with a PDU: lacp_receive_pdu() */
	}
	port->receive = state;
}

/* The state that follows without a PDU; the present one when none does. */
static enum lacp_receive_state next_state(const struct lacp_port *port,
					  uint64_t now_ms)
{
	bool enabled = lacp_port_lacp_enabled(port);

	if (port->receive == LACP_RX_INITIALIZE)
		return LACP_RX_PORT_DISABLED;
	if (port->receive == LACP_RX_PORT_DISABLED) {
		if (port->port_moved)
			return LACP_RX_INITIALIZE;
		if (!port->up)
			return LACP_RX_PORT_DISABLED;
		return enabled ? LACP_RX_EXPIRED : LACP_RX_LACP_DISABLED;
	}
	if (!port->up)
		return LACP_RX_PORT_DISABLED;
	/* By PORT_DISABLED to where it belongs now. */
	if (enabled == (port->receive == LACP_RX_LACP_DISABLED))
		return LACP_RX_PORT_DISABLED;
	if (port->current_while_ms > now_ms)
		return port->receive;
	return port->receive == LACP_RX_CURRENT ? LACP_RX_EXPIRED
						: LACP_RX_DEFAULTED;
}

void lacp_receive_begin(struct lacp_port *port, uint64_t now_ms)
{
	enter(port, LACP_RX_INITIALIZE, now_ms);
}

void lacp_receive_run(struct lacp_port *port, uint64_t now_ms)
{
	enum lacp_receive_state next;

	while ((next = next_state(port, now_ms)) != port->receive)
		enter(port, next, now_ms);
}

/*
 * port_moved (6.4.7): a port without a link whose partner's port is heard by
 * another one has lost it for good.
 */
static void note_moved(const struct lacp_port *port, const struct lacp_pdu *pdu)
{
	const struct lacp *lacp = port->lacp;

	for (unsigned i = 0; i < lacp->n_ports; i++) {
		struct lacp_port *other = lacp->ports[i];

		if (other != port && other->receive == LACP_RX_PORT_DISABLED &&
		    !(other->actor.state & LACP_DEFAULTED) &&
		    other->partner.system_id == pdu->actor.system_id &&
		    other->partner.port_id == pdu->actor.port_id)
			other->port_moved = true;
	}
}

void lacp_receive_pdu(struct lacp_port *port, const struct lacp_pdu *pdu,
		      uint64_t now_ms)
{
	note_moved(port, pdu);
	update_selected(port, pdu);
	update_ntt(port, pdu);
	record_pdu(port, pdu);
	port->current_while_ms = now_ms + (port->actor.state & LACP_TIMEOUT
						   ? LACP_SHORT_TIMEOUT_MS
						   : LACP_LONG_TIMEOUT_MS);
	port->actor.state &= ~LACP_EXPIRED;
	port->receive = LACP_RX_CURRENT;
}

const char *lacp_receive_state_name(enum lacp_receive_state state)
{
	static const char *const names[] = {
		[LACP_RX_INITIALIZE] = "INITIALIZE",
		[LACP_RX_PORT_DISABLED] = "PORT_DISABLED",
		[LACP_RX_LACP_DISABLED] = "LACP_DISABLED",
		[LACP_RX_EXPIRED] = "EXPIRED",
		[LACP_RX_DEFAULTED] = "DEFAULTED",
		[LACP_RX_CURRENT] = "CURRENT",
	};

	return names[state];
}
