/*
 * Packets of a segment that wait for their next hop's MAC (RFC 1122 2.3.2.2).
 * A next hop has few, of which the latest are kept; a port that things come by
 * has its share of all; and none waits longer than the address is asked for. So
 * a machine that sends to addresses that nobody has takes no other's place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packet/parse.h"
#include "vswd/segment.h"
#include "vswd/vbond.h"

#define HOLD_PER_HOP  3
#define HOLD_PER_PORT 32
#define HOLD_MAX      256
#define HOLD_MS	      5000 /* the cache gives up asking before */
#define IP4_LEN	      20
#define IP6_LEN	      40

struct held {
	struct held *next; /* the next younger */
	struct segment_packet packet;
	struct ip_address next_hop;
	uint64_t until_ms;
	uint8_t frame[];
};

struct segment_holds {
	struct held *oldest, **end;
	unsigned n;
};

static void count_drop(struct segment *seg, const struct segment_packet *packet,
		       enum drop_reason reason)
{
	const struct vport *v = seg->ports[packet->note.in];

	if (v && v->port)
		port_drop(v->port, 0, reason, 1);
}

/* --- the list --------------------------------------------------------------
 */

/* Takes it out; the caller's. */
static struct held *take(struct segment_holds *holds, struct held **at)
{
	struct held *h = *at;

	*at = h->next;
	if (!*at)
		holds->end = at;
	holds->n--;
	return h;
}

static void drop_held(struct segment *seg, struct held **at,
		      enum drop_reason reason)
{
	struct held *h = take(seg->holds, at);

	count_drop(seg, &h->packet, reason);
	free(h);
}

static bool same_hop(const struct held *h, unsigned side,
		     const struct ip_address *next_hop)
{
	return h->packet.note.side == side &&
	       ip_address_equal(&h->next_hop, next_hop);
}

/* Makes room; false when others would have to give way. */
static bool make_room(struct segment *seg, const struct segment_packet *packet,
		      const struct ip_address *next_hop)
{
	struct held **first = NULL;
	unsigned n_hop = 0, n_port = 0;

	for (struct held **at = &seg->holds->oldest; *at; at = &(*at)->next) {
		n_port += (*at)->packet.client.port == packet->client.port;
		if (!same_hop(*at, packet->note.side, next_hop))
			continue;
		n_hop++;
		if (!first)
			first = at;
	}
	if (n_hop < HOLD_PER_HOP)
		return n_port < HOLD_PER_PORT && seg->holds->n < HOLD_MAX;
	if ((*first)->packet.client.port != packet->client.port &&
	    n_port >= HOLD_PER_PORT)
		return false;
	drop_held(seg, first, DROP_HOLD_FULL);
	return true;
}

static void keep(struct segment *seg, const struct segment_packet *packet,
		 const struct ip_address *next_hop)
{
	struct segment_holds *holds = seg->holds;
	struct held *h;

	if (!holds) {
		holds = seg->holds = xcalloc(1, sizeof(*holds));
		holds->end = &holds->oldest;
	}
	if (!make_room(seg, packet, next_hop)) {
		count_drop(seg, packet, DROP_HOLD_FULL);
		return;
	}
	h = xcalloc(1, sizeof(*h) + packet->len);
	h->packet = *packet;
	h->packet.frame = h->frame;
	h->next_hop = *next_hop;
	h->until_ms = vswitch_now_ms() + HOLD_MS;
	memcpy(h->frame, packet->frame, packet->len);
	*holds->end = h;
	holds->end = &h->next;
	holds->n++;
}

/* --- on their way ----------------------------------------------------------
 */

static void send_to(struct segment *seg, const struct segment_packet *packet,
		    uint64_t mac)
{
	uint8_t frame[PUNT_BYTES_MAX];

	memcpy(frame, packet->frame, packet->len);
	store_be16(frame, mac >> 32);
	store_be32(frame + 2, mac);
	segment_send(seg, packet->note.side, frame, packet->len);
}

/* Who sent it is told; but what the gateway itself sent is nobody's. */
static void tell_unreachable(struct segment *seg,
			     const struct segment_packet *packet)
{
	struct segment_packet about = *packet;
	bool v6 = packet->frame[ETH_HEADER_LEN] >> 4 == 6;

	count_drop(seg, packet, DROP_HOLD_UNREACHED);
	if (packet->note.in == packet->note.side)
		return;
	about.note.icmp_type = v6 ? 1 : 3; /* unreachable: */
	about.note.icmp_code = v6 ? 3 : 1; /* address, host */
	segment_error_unreached(seg, &about);
}

/* Cut where a record of the punts' ends, it is no packet any more. */
static bool is_whole(const struct segment_packet *packet)
{
	const uint8_t *ip = packet->frame + ETH_HEADER_LEN;
	size_t len = packet->len - ETH_HEADER_LEN;

	if (packet->len > PUNT_BYTES_MAX)
		return false;
	return ip[0] >> 4 == 4 ? load_be16(ip + 2) <= len
			       : load_be16(ip + 4) + (size_t)IP6_LEN <= len;
}

void segment_hold_for(struct segment *seg, const struct segment_packet *packet,
		      const struct ip_address *next_hop)
{
	uint64_t mac = 0;
	int error = segment_resolve(seg, packet->note.side, next_hop,
				    packet->client.port, &mac);

	if (error == -EHOSTUNREACH)
		tell_unreachable(seg, packet);
	else if (error && error != -EAGAIN)
		count_drop(seg, packet, DROP_HOLD_FULL);
	else if (!is_whole(packet))
		count_drop(seg, packet, DROP_TRUNCATED);
	else if (error)
		keep(seg, packet, next_hop);
	else
		send_to(seg, packet, mac);
}

void segment_hold(struct segment *seg, const struct segment_packet *packet)
{
	struct ip_address next_hop = { 0 };
	enum router_side side;
	const uint8_t *to;
	unsigned len;

	to = segment_destination(packet->frame, packet->len, &len);
	if (!to)
		return;
	if (!seg->router ||
	    !router_find_way(seg->router, to, len, &side, next_hop.bytes) ||
	    side != packet->note.side) {
		count_drop(seg, packet, DROP_HOLD_UNREACHED);
		return;
	}
	next_hop.len = len;
	segment_hold_for(seg, packet, &next_hop);
}

/*
 * All of them are taken out first: what is sent because of one may be held in
 * its turn, and take the place of any that are still there.
 */
void segment_hold_resolved(struct segment *seg, enum router_side side,
			   const struct ip_address *next_hop, uint64_t mac)
{
	struct held **at = seg->holds ? &seg->holds->oldest : NULL;
	struct held *taken = NULL, **end = &taken, *h;

	while (at && *at) {
		if (!same_hop(*at, side, next_hop)) {
			at = &(*at)->next;
			continue;
		}
		*end = take(seg->holds, at);
		end = &(*end)->next;
	}
	*end = NULL;
	while ((h = taken)) {
		taken = h->next;
		if (mac)
			send_to(seg, &h->packet, mac);
		else
			tell_unreachable(seg, &h->packet);
		free(h);
	}
}

/* --- time ------------------------------------------------------------------
 */

void segment_hold_run(struct segment *seg, uint64_t now_ms)
{
	struct segment_holds *holds = seg->holds;

	while (holds && holds->oldest && now_ms >= holds->oldest->until_ms)
		drop_held(seg, &holds->oldest, DROP_HOLD_UNREACHED);
}

uint64_t segment_hold_next_ms(const struct segment *seg)
{
	return seg->holds && seg->holds->oldest ? seg->holds->oldest->until_ms
						: UINT64_MAX;
}

void segment_hold_clear(struct segment *seg)
{
	while (seg->holds && seg->holds->oldest)
		drop_held(seg, &seg->holds->oldest, DROP_HOLD_UNREACHED);
	free(seg->holds);
	seg->holds = NULL;
}
