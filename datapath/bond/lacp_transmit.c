/*
 * The transmit machine (6.4.16): a frame when one is needed, and no more than
 * three in a second. One that has to wait says what is true when it goes.
 */
#include "bond/lacp_internal.h"

#include "base/util.h"

static bool may_send(const struct lacp_port *port, uint64_t now_ms)
{
	return port->tx_free_ms[port->tx_next] <= now_ms;
}

static void note_sent(struct lacp_port *port, uint64_t now_ms)
{
	port->tx_free_ms[port->tx_next] = now_ms + LACP_FAST_PERIODIC_MS;
	port->tx_next = (port->tx_next + 1) % LACP_TX_MAX;
}

static void send_pdu(struct lacp_port *port, const struct lacp_info *actor)
{
	struct lacp_pdu pdu = {
		.actor = *actor,
		.partner = port->partner,
	};
	uint8_t frame[LACP_FRAME_LEN];

	lacp_pdu_encode(&pdu, port->mac, frame);
	port->ntt = false;
	port->sent++;
	port->lacp->ops.send(port, frame, sizeof(frame), port->lacp->ops_arg);
}

void lacp_transmit_run(struct lacp_port *port, uint64_t now_ms)
{
	if (port->periodic == LACP_NO_PERIODIC)
		port->ntt = false;
	if (!port->ntt || !may_send(port, now_ms))
		return;
	note_sent(port, now_ms);
	send_pdu(port, &port->actor);
}

uint64_t lacp_transmit_next_ms(const struct lacp_port *port)
{
	return port->ntt ? port->tx_free_ms[port->tx_next] : LACP_NEVER;
}

/*
 * Without it the partner would go on sending to us until it has heard nothing
 * for 90 seconds. It asks for a frame each second, so that if we come back
 * soon, and are passive, we are spoken to soon. It is said to a partner that is
 * not heard, too, who may hear us. And it cannot wait, since nobody would send
 * it later: so one in a second may be the fourth frame.
 */
void lacp_transmit_goodbye(struct lacp_port *port, uint64_t now_ms)
{
	struct lacp_info actor = port->actor;

	port->ntt = false;
	if (port->periodic == LACP_NO_PERIODIC)
		return;
	if (may_send(port, now_ms))
		note_sent(port, now_ms);
	else if (port->goodbye_free_ms <= now_ms)
		port->goodbye_free_ms = now_ms + LACP_FAST_PERIODIC_MS;
	else
		return;
	actor.state &= ~(LACP_AGGREGATION | LACP_SYNCHRONIZATION |
			 LACP_COLLECTING | LACP_DISTRIBUTING);
	actor.state |= LACP_TIMEOUT;
	send_pdu(port, &actor);
}
