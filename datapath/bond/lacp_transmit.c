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

static void send_goodbye(struct lacp_port *port)
{
	struct lacp_info actor = port->actor;

	actor.state &= ~(LACP_AGGREGATION | LACP_SYNCHRONIZATION |
			 LACP_COLLECTING | LACP_DISTRIBUTING);
	actor.state |= LACP_TIMEOUT;
	port->goodbye = false;
	send_pdu(port, &actor);
}

/* A goodbye that waits: not without a link, nor once the port speaks again. */
static void check_goodbye(struct lacp_port *port)
{
	if (port->periodic != LACP_NO_PERIODIC || !port->link)
		port->goodbye = false;
}

void lacp_transmit_run(struct lacp_port *port, uint64_t now_ms)
{
	if (port->periodic == LACP_NO_PERIODIC)
		port->ntt = false;
	check_goodbye(port);
	if (!(port->ntt || port->goodbye) || !may_send(port, now_ms))
		return;
	note_sent(port, now_ms);
	if (port->goodbye)
		send_goodbye(port);
	else
		send_pdu(port, &port->actor);
}

uint64_t lacp_transmit_next_ms(const struct lacp_port *port)
{
	return port->ntt || port->goodbye ? port->tx_free_ms[port->tx_next]
					  : LACP_NEVER;
}

/*
 * Without it the partner would go on sending to us until it has heard nothing
 * for 90 seconds. It asks for a frame each second, so that if we come back
 * soon, and are passive, we are spoken to soon. It is said to a partner that is
 * not heard, too, who may hear us. What the partner sends until then is lost,
 * so one in a second may be the fourth frame; another one waits for its turn.
 */
void lacp_transmit_goodbye(struct lacp_port *port, uint64_t now_ms)
{
	port->ntt = false;
	if (port->periodic == LACP_NO_PERIODIC)
		return;
	port->goodbye = true;
	if (may_send(port, now_ms))
		note_sent(port, now_ms);
	else if (port->goodbye_free_ms <= now_ms)
		port->goodbye_free_ms = now_ms + LACP_FAST_PERIODIC_MS;
	else
		return;
	send_goodbye(port);
}

/* Nobody could send it later. */
void lacp_transmit_last(struct lacp_port *port, uint64_t now_ms)
{
	lacp_transmit_goodbye(port, now_ms);
	if (port->goodbye && port->link)
		send_goodbye(port);
}
