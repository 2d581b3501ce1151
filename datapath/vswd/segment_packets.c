/*
 * Packets between workers and the parts of a gateway: what a router left to the
 * control thread comes in, frames of the gateway's own go out.
 */
#include <string.h>

#include "vswd/frames.h"
#include "vswd/segment_upkeep.h"

/* The number of the port of the segment's bridge that it came by. */
static uint16_t number_of(const struct vport *port, const struct vport *v,
			  uint64_t mac)
{
	if (v->bridge == port->bridge)
		return v->number;
	/* By a patch port: the one that the sender is behind. */
	return fdb_lookup(
		port->bridge->fdb,
		fdb_make_key(mac, segment_station_key(port) >> 48 & 0xfff));
}

static void dispatch(struct segment *seg, const struct segment_packet *packet)
{
	switch ((enum router_what)packet->note.what) {
	case ROUTER_LOCAL:
		if (packet->note.in == ROUTER_INSIDE && seg->services)
			segment_services_receive(seg->services, packet);
		else if (packet->note.in == ROUTER_OUTSIDE && seg->uplink)
			segment_uplink_receive(seg->uplink, packet);
		break;
	case ROUTER_RESOLVE:
		segment_hold(seg, packet);
		break;
	case ROUTER_ERROR:
		segment_error_send(seg, packet);
		break;
	}
}

void segments_receive(struct vswitch *vs, struct vport *v,
		      const struct punt_record *record)
{
	struct segment_packet packet = {
		.frame = record->data,
		.len = record->len,
	};
	struct segment *seg = vs->segments;
	const struct vport *port;

	_Static_assert(sizeof(packet.note) == sizeof(record->note),
		       "a note goes as one word");
	while (seg && seg->id != record->gateway)
		seg = seg->next;
	memcpy(&packet.note, &record->note, sizeof(packet.note));
	if (!seg || packet.len < ETH_HEADER_LEN ||
	    packet.note.in >= ROUTER_N_SIDES ||
	    packet.note.side >= ROUTER_N_SIDES)
		return;
	port = seg->ports[packet.note.in];
	if (!port)
		return;
	packet.client.mac = load_mac(packet.frame + 6);
	packet.client.port = number_of(port, v, packet.client.mac);
	dispatch(seg, &packet);
	segment_arm(seg);
}

void segment_send(struct segment *seg, enum router_side side, const void *frame,
		  size_t len)
{
	struct vport *v = seg->ports[side];

	if (v)
		frames_inject(seg->vs, v, frame, len);
}
