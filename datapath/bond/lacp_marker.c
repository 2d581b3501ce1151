/*
 * The marker responder (6.5.4, figure 6-26). A partner that moves a flow to
 * another link may ask whether all that it sent before has arrived: its marker
 * came in behind those frames, so the answer is its return. Too many are not
 * answered: the partner asks again, and falls back on its timeout.
 */
#include "bond/lacp_internal.h"

#define PACE_MS 1000

void lacp_marker_receive(struct lacp_port *port,
			 const struct lacp_marker *marker, uint64_t now_ms)
{
	uint8_t frame[LACP_FRAME_LEN];

	port->markers++;
	if (port->marker_free_ms[port->marker_next] > now_ms)
		return;
	port->marker_free_ms[port->marker_next] = now_ms + PACE_MS;
	port->marker_next = (port->marker_next + 1) % LACP_MARKER_MAX;
	port->marker_responses++;
	lacp_marker_encode(marker, true, port->mac, frame);
	port->lacp->ops.send(port, frame, sizeof(frame), port->lacp->ops_arg);
}
