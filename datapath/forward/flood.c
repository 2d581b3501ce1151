/*
 * Flooding: each packet to all ports of its VLAN but those that want none of it
 * (IEEE 802.1Q clause 8.6.1).
 */
#include "forward/output.h"

/* What others get, too, for those that would change it. */
static __attribute__((noinline)) void send_shared(
	struct pipeline *pl, const struct fwd_port *out,
	struct packet *const packets[], unsigned n)
{
	struct packet *kept[PACKET_BURST_MAX];

	if (out->egress) {
		n = policy_out_burst(pl, out, packets, n, kept);
		if (!n)
			return;
		packets = kept;
	}
	if (out->tunnel)
		overlay_send(pl, out, packets, n, true);
	else if (out->gateway)
		pipeline_route(pl, out, packets, n, true);
	else if (out->underlay->bridged)
		overlay_arrive(pl, out, packets, n, true);
	else
		output_device(pl, out, packets, n);
}

/*
 * Items [from, to) to one port, those that are of its VLANs; but for those that
 * were answered, if there are any such.
 */
__attribute__((always_inline)) static inline void flood_items(
	struct pipeline *pl, struct stage *s, const struct fwd_port *out,
	unsigned from, unsigned to, bool reached[], const bool *answered)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++) {
		struct item *item = &s->items[i];

		if (!is_member(out, item))
			continue;
		reached[i] = true;
		if (answered && answered[i])
			continue;
		if (prepare(pl, out, item))
			s->sending[n++] = item->packet;
	}
	if (!n)
		return;
	if (unlikely((uintptr_t)out->gateway | (uintptr_t)out->tunnel |
		     (uintptr_t)out->underlay))
		send_shared(pl, out, s->sending, n);
	else
		send_to_port(pl, out, s->sending, n);
}

static void flood_port(struct pipeline *pl, struct stage *s,
		       const struct fwd_port *out, unsigned from, unsigned to,
		       bool reached[])
{
	flood_items(pl, s, out, from, to, reached, NULL);
}

/* Whether the port gets frames to that unknown receiver. */
static bool is_for_stations(const struct fwd_port *out, const struct item *item)
{
	uint64_t mac = load_mac(item->packet->header);

	if (mac_is_multicast(mac))
		return true;
	for (unsigned i = 0; i < out->stations->n; i++)
		if (out->stations->macs[i] == mac)
			return true;
	return false;
}

bool output_wants(const struct fwd_port *out, const struct item *item)
{
	return !out->stations || is_for_stations(out, item);
}

/* As flood_items(), to a port that gets but what is for its stations. */
static __attribute__((noinline)) void flood_stations(
	struct pipeline *pl, struct stage *s, const struct fwd_port *out,
	unsigned from, unsigned to, bool reached[], const bool *answered)
{
	for (unsigned end; from < to; from = end) {
		bool is_wanted = is_for_stations(out, &s->items[from]);

		end = from + 1;
		while (end < to &&
		       is_for_stations(out, &s->items[end]) == is_wanted)
			end++;
		if (is_wanted)
			flood_items(pl, s, out, from, end, reached, answered);
	}
}

/* VXLAN ports, if the packets did not come from another. */
static __attribute__((noinline)) void flood_tunnels(struct pipeline *pl,
						    struct stage *s,
						    unsigned from, unsigned to,
						    bool reached[])
{
	const struct fwd_bridge *bridge = s->in->bridge;
	bool answered[PACKET_BURST_MAX] = { false };

	overlay_suppress(pl, s, from, to, answered);
	for (unsigned i = 0; i < bridge->n_ports; i++) {
		const struct fwd_port *out = bridge->ports[i];
		const bool *but;

		if (!out->tunnel || out == s->as || !out->floods ||
		    fwd_are_apart(s->as, out) || is_split(s->as, out))
			continue;
		but = out->tunnel->suppress ? answered : NULL;
		if (out->stations)
			flood_stations(pl, s, out, from, to, reached, but);
		else
			flood_items(pl, s, out, from, to, reached, but);
	}
}

void output_flood(struct pipeline *pl, struct stage *s, unsigned from,
		  unsigned to)
{
	const struct fwd_bridge *bridge = s->in->bridge;
	bool reached[PACKET_BURST_MAX] = { false };
	bool apart = s->as->apart;

	for (unsigned i = 0; i < bridge->n_ports; i++) {
		const struct fwd_port *out = bridge->ports[i];

		if (out == s->as || !out->floods || unlikely(out->tunnel) ||
		    unlikely(apart && fwd_are_apart(s->as, out)))
			continue;
		if (unlikely(out->stations != NULL))
			flood_stations(pl, s, out, from, to, reached, NULL);
		else
			flood_port(pl, s, out, from, to, reached);
	}
	if (unlikely(bridge->has_tunnels))
		flood_tunnels(pl, s, from, to, reached);
	for (unsigned i = from; i < to; i++)
		if (unlikely(!reached[i]))
			drop(pl, s->in, s->items[i].packet,
			     apart ? DROP_ISOLATED : DROP_NO_DESTINATION);
}
