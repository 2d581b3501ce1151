/*
 * Churn detection (6.4.17, figures 6-23 and 6-24): a link that is up and for a
 * minute does not come into sync has something wrong with it, on our side
 * (actor) or the other's (partner). It is counted, for people; nothing else
 * depends on it.
 */
#include "bond/lacp_internal.h"

#include "base/util.h"

static void run(struct lacp_churn *churn, bool enabled, bool in_sync,
		uint64_t now_ms)
{
	if (!enabled || in_sync) {
		churn->state = LACP_NO_CHURN;
		churn->timer_ms = LACP_NEVER;
	} else if (churn->state == LACP_NO_CHURN) {
		churn->state = LACP_CHURN_MONITOR;
		churn->timer_ms = now_ms + LACP_CHURN_DETECTION_MS;
	} else if (churn->timer_ms <= now_ms) {
		churn->state = LACP_CHURN;
		churn->timer_ms = LACP_NEVER;
		churn->count++;
	}
}

void lacp_churn_begin(struct lacp_port *port)
{
	run(&port->actor_churn, false, false, 0);
	run(&port->partner_churn, false, false, 0);
}

void lacp_churn_run(struct lacp_port *port, uint64_t now_ms)
{
	bool enabled = port->up && lacp_port_lacp_enabled(port);

	run(&port->actor_churn, enabled,
	    port->actor.state & LACP_SYNCHRONIZATION, now_ms);
	run(&port->partner_churn, enabled,
	    port->partner.state & LACP_SYNCHRONIZATION, now_ms);
}

uint64_t lacp_churn_next_ms(const struct lacp_port *port)
{
	return MIN(port->actor_churn.timer_ms, port->partner_churn.timer_ms);
}
