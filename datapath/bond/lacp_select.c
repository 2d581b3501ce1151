/*
 * The selection logic (6.4.14): which ports belong together. There is one
 * aggregator, so ports whose partners differ cannot all have it: one link
 * aggregation group (LAG) is chosen, and the ports of the others are left
 * UNSELECTED, to be had when the chosen one is gone.
 *
 * A port without a link stays selected as long as it would belong to the
 * chosen LAG, so that it comes back without waiting; but it counts for nothing
 * when the LAG is chosen.
 */
#include "bond/lacp_internal.h"

#include "base/util.h"

bool lacp_port_lacp_enabled(const struct lacp_port *port)
{
	return port->lacp->config.mode != LACP_OFF && port->full_duplex;
}

/*
 * Not when our own frames come back, by a loop on this link or a cable between
 * two of our ports: such links lead nowhere.
 */
bool lacp_port_has_partner(const struct lacp_port *port)
{
	return lacp_port_lacp_enabled(port) &&
	       !(port->actor.state & LACP_DEFAULTED) &&
	       port->partner.system_id &&
	       port->partner.system_id != port->actor.system_id;
}

bool lacp_port_is_individual(const struct lacp_port *port)
{
	return !(port->actor.state & port->partner.state & LACP_AGGREGATION);
}

/*
 * The same LAG ID. Speed is compared beside the key, and not made a part of
 * it, so that the key on the wire is the configured one, as in Open vSwitch.
 */
static bool same_lag(const struct lacp_port *a, const struct lacp_port *b)
{
	if (a == b)
		return true;
	return !lacp_port_is_individual(a) && !lacp_port_is_individual(b) &&
	       a->speed_bps == b->speed_bps && a->actor.key == b->actor.key &&
	       a->partner.key == b->partner.key &&
	       a->partner.system_id == b->partner.system_id &&
	       a->partner.system_priority == b->partner.system_priority;
}

/* What LAGs are compared by, the first difference counts; more is better. */
struct rank {
	bool carries;	    /* traffic: then it stays */
	uint64_t bandwidth; /* of ports whose partner is heard and willing */
	unsigned n_live;
	uint32_t first; /* the least port_number() of those */
	bool chosen;	/* already: no change without a reason */
};

/* The system with the lesser identifier decides where there is a choice. */
static bool partner_decides(const struct lacp_port *port)
{
	const struct lacp_info *actor = &port->actor, *partner = &port->partner;

	if (partner->system_priority != actor->system_priority)
		return partner->system_priority < actor->system_priority;
	return partner->system_id < actor->system_id;
}

/* By priority and number, as the system that decides has them. */
static uint32_t port_number(const struct lacp_port *port)
{
	const struct lacp_info *info =
		partner_decides(port) ? &port->partner : &port->actor;

	return (uint32_t)info->port_priority << 16 | info->port_id;
}

static struct rank rank_of(const struct lacp_port *member)
{
	const struct lacp *lacp = member->lacp;
	struct rank rank = { .first = UINT32_MAX };

	for (unsigned i = 0; i < lacp->n_ports; i++) {
		const struct lacp_port *port = lacp->ports[i];

		if (!lacp_port_has_partner(port) || !same_lag(member, port))
			continue;
		rank.chosen |= port->selected;
		if (port->receive != LACP_RX_CURRENT || port->held_out)
			continue;
		rank.carries |= port->mux >= LACP_MUX_COLLECTING;
		rank.bandwidth += port->speed_bps;
		rank.n_live++;
		rank.first = MIN(rank.first, port_number(port));
	}
	return rank;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static bool same_partner(const struct lacp_info *a, const struct lacp_info *b)
{
	return a->system_id == b->system_id &&
	       a->system_priority == b->system_priority;
}

/*
 * Above 0 when a's LAG is better; ends with what differs between any two. Of
 * LAGs with one partner (whose keys or ours differ) that are as good, both ends
 * must find the same one, whatever they had before: that with the first port.
 * Open vSwitch chooses by that, too.
 */
static int compare_lags(const struct lacp_port *a, const struct lacp_port *b)
{
	const struct lacp_info *pa = &a->partner, *pb = &b->partner;
	struct rank ra = rank_of(a), rb = rank_of(b);
	int by;

	if ((by = compare(ra.carries, rb.carries)) ||
	    (by = compare(ra.bandwidth, rb.bandwidth)) ||
	    (by = compare(ra.n_live, rb.n_live)) ||
	    (same_partner(pa, pb) && (by = compare(rb.first, ra.first))) ||
	    (by = compare(ra.chosen, rb.chosen)) ||
	    (by = compare(pb->system_priority, pa->system_priority)) ||
	    (by = compare(pb->system_id, pa->system_id)) ||
	    (by = compare(b->actor.port_priority, a->actor.port_priority)))
		return by;
	return compare(b->actor.port_id, a->actor.port_id);
}

/* A port of the best LAG; NULL when no port has a partner. */
static const struct lacp_port *choose_lag(const struct lacp *lacp)
{
	const struct lacp_port *best = NULL;

	for (unsigned i = 0; i < lacp->n_ports; i++) {
		const struct lacp_port *port = lacp->ports[i];

		if (!lacp_port_has_partner(port))
			continue;
		if (!best ||
		    (!same_lag(port, best) && compare_lags(port, best) > 0))
			best = port;
	}
	return best;
}

/* A port is selected only when it has left what it was attached to. */
static bool select_port(struct lacp_port *port, const struct lacp_port *lag)
{
	bool fits = lag && lacp_port_has_partner(port) && same_lag(port, lag);

	if (fits == port->selected || (fits && port->mux != LACP_MUX_DETACHED))
		return false;
	port->selected = fits;
	return true;
}

/*
 * A partner may keep a link out of sync for as long as it likes: it may have
 * too few links, or others that it likes better. That is not to keep us from a
 * LAG that would work.
 */
static void watch_partner(struct lacp_port *port, uint64_t now_ms)
{
	bool out = port->receive == LACP_RX_CURRENT &&
		   !(port->partner.state & LACP_SYNCHRONIZATION);

	if (!out)
		port->held_out = false;
	if (!out || port->held_out || port->mux != LACP_MUX_ATTACHED)
		port->held_out_ms = LACP_NEVER;
	else if (port->held_out_ms == LACP_NEVER)
		port->held_out_ms = now_ms + LACP_HELD_OUT_MS;
	if (port->held_out_ms > now_ms)
		return;
	port->held_out = true;
	port->held_out_ms = LACP_NEVER;
}

bool lacp_select_run(struct lacp *lacp, uint64_t now_ms)
{
	const struct lacp_port *lag;
	bool changed = false;

	for (unsigned i = 0; i < lacp->n_ports; i++)
		watch_partner(lacp->ports[i], now_ms);
	lag = choose_lag(lacp);
	for (unsigned i = 0; i < lacp->n_ports; i++)
		changed |= select_port(lacp->ports[i], lag);
	return changed;
}

/* --- for people ---------------------------------------------------------- */

const char *lacp_port_why_individual(const struct lacp_port *port)
{
	if (!(port->actor.state & LACP_AGGREGATION))
		return port->full_duplex ? "LACP is off" : "it is half duplex";
	if (port->actor.state & LACP_DEFAULTED)
		return "no partner answers";
	if (!(port->partner.state & LACP_AGGREGATION))
		return "the partner does not aggregate it";
	return NULL;
}

/* What keeps the port out of the LAG of another that is in it. */
static const char *why_another_lag(const struct lacp_port *port,
				   const struct lacp_port *in)
{
	if (lacp_port_is_individual(port))
		return lacp_port_why_individual(port);
	if (lacp_port_is_individual(in))
		return "another member is attached, which is individual";
	if (!same_partner(&port->partner, &in->partner))
		return "its partner is another system than that of the "
		       "attached members";
	if (port->partner.key != in->partner.key)
		return "its partner's key differs from that of the attached "
		       "members' partner";
	if (port->actor.key != in->actor.key)
		return "its key differs from that of the attached members";
	return "its speed differs from that of the attached members";
}

const char *lacp_port_why_detached(const struct lacp_port *port)
{
	const struct lacp *lacp = port->lacp;

	if (port->mux >= LACP_MUX_ATTACHED)
		return NULL;
	if (!port->up)
		return port->link ? "it is taken out of use"
				  : "its link is down";
	if (!lacp_port_lacp_enabled(port))
		return lacp_port_why_individual(port);
	if (port->actor.state & LACP_DEFAULTED)
		return "no partner answers";
	if (port->partner.system_id == port->actor.system_id)
		return "its partner is this system: the cable leads back here";
	if (!lacp_port_has_partner(port))
		return "its partner has no system identifier";
	if (port->selected)
		return "it waits for other members to become ready";
	for (unsigned i = 0; i < lacp->n_ports; i++)
		if (lacp->ports[i]->selected)
			return why_another_lag(port, lacp->ports[i]);
	return "it is about to be selected";
}
