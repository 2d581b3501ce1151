/*
 * A segment's router as a snapshot has it, and how frames of the gateway's own
 * find their way by it.
 */
#include <errno.h>
#include <string.h>

#include "packet/parse.h"
#include "port/hostnet_port.h"
#include "vswd/segment.h"

static bool is_open(const struct vport *v)
{
	return v && v->port;
}

static void fill_inside(const struct segment *seg, struct router_link *link,
			struct router_ip4 *ip4, struct router_ip6 ip6[2])
{
	const struct cfg_segment *c = seg->config;
	struct station *station =
		seg->services ? segment_services_station(seg->services) : NULL;

	link->up = is_open(seg->ports[ROUTER_INSIDE]);
	link->mac = c->mac;
	link->mtu = segment_mtu(seg);
	link->neighbors = seg->neighbors[ROUTER_INSIDE];
	*ip4 = (struct router_ip4){ c->ip4, c->prefix4_len };
	link->ip4 = ip4;
	link->n_ip4 = c->ip4 ? 1 : 0;
	link->ip6 = ip6;
	if (!c->ip6.prefix_len || !station)
		return;
	memcpy(ip6[0].ip, c->ip6.ip, 16);
	ip6[0].prefix_len = c->ip6.prefix_len;
	memcpy(ip6[1].ip, station_link_local(station), 16);
	ip6[1].prefix_len = 64;
	link->n_ip6 = 2;
}

static void fill_host(const struct segment *seg, struct router_link *link)
{
	const struct vport *v = seg->ports[ROUTER_HOST];

	link->up = is_open(v) && is_open(seg->hostnet);
	link->mac = v ? v->interface->mac : 0;
	link->mtu = seg->config->mtu;
	link->fixed_mac = HOSTNET_MAC;
}

static enum router_side way_out(const struct cfg_segment *c)
{
	return c->outside == OUTSIDE_HOST     ? ROUTER_HOST
	       : c->outside == OUTSIDE_BRIDGE ? ROUTER_OUTSIDE
					      : ROUTER_INSIDE;
}

static struct router *make_router(const struct segment *seg)
{
	const struct cfg_segment *c = seg->config;
	struct router_config config = {
		.id = seg->id,
		.way_out = way_out(c),
		.nat6 = c->nat6,
		.isolated = c->isolated,
		.tcp_dns_to_host = c->dns_on,
		/* Also what answers programs of the host that use a forward. */
		.local_to_host = c->host_loopback || c->outside == OUTSIDE_HOST,
	};
	struct router_ip6 ip6[2];
	struct router_ip4 ip4;

	fill_inside(seg, &config.links[ROUTER_INSIDE], &ip4, ip6);
	fill_host(seg, &config.links[ROUTER_HOST]);
	if (seg->uplink)
		segment_uplink_fill(seg->uplink, &config.links[ROUTER_OUTSIDE]);
	if (!is_open(seg->ports[ROUTER_OUTSIDE]))
		config.links[ROUTER_OUTSIDE].up = false;
	if (seg->nat)
		config.nat = segment_nat_engine(seg->nat);
	return router_create(&config);
}

/* The first of its ports in the snapshot brings the router with it. */
static struct fwd_gateway *get_gateway(struct segment *seg,
				       struct fwd_snapshot *snapshot)
{
	if (seg->generation != snapshot->generation) {
		seg->generation = snapshot->generation;
		seg->router = make_router(seg);
		seg->gateway = fwd_snapshot_add_gateway(snapshot, seg->router);
	}
	return seg->gateway;
}

void segments_attach(struct vswitch *vs, struct fwd_snapshot *snapshot,
		     struct vport *v, struct fwd_port *p)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next)
		for (int side = 0; side < ROUTER_N_SIDES; side++)
			if (seg->services && seg->ports[side] == v)
				fwd_port_set_gateway(
					p, get_gateway(seg, snapshot), side);
}

/* --- frames of the gateway's own -------------------------------------------
 */

int segment_resolve(struct segment *seg, enum router_side side,
		    const struct ip_address *next_hop, uint32_t asker,
		    uint64_t *mac)
{
	if (side == ROUTER_HOST) {
		*mac = HOSTNET_MAC;
		return 0;
	}
	if (side == ROUTER_INSIDE && seg->services)
		return segment_services_resolve(seg->services, next_hop, asker,
						mac);
	if (side == ROUTER_OUTSIDE && seg->uplink)
		return segment_uplink_resolve(seg->uplink, next_hop, asker,
					      mac);
	return -EHOSTUNREACH;
}

const uint8_t *segment_destination(const uint8_t *frame, size_t len,
				   unsigned *ip_len)
{
	const uint8_t *ip = frame + ETH_HEADER_LEN;

	if (len >= ETH_HEADER_LEN + 20 && ip[0] >> 4 == 4) {
		*ip_len = 4;
		return ip + 16;
	}
	if (len >= ETH_HEADER_LEN + 40 && ip[0] >> 4 == 6) {
		*ip_len = 16;
		return ip + 24;
	}
	return NULL;
}

void segment_send_ip(struct segment *seg, void *frame_, size_t len)
{
	struct segment_packet packet = {
		.note.what = ROUTER_RESOLVE,
		.client.port = UINT32_MAX,
		.frame = frame_,
		.len = len,
	};
	struct ip_address next_hop = { 0 };
	uint8_t *frame = frame_;
	enum router_side side;
	const uint8_t *to;
	unsigned ip_len;

	to = segment_destination(frame, len, &ip_len);
	if (!to || !seg->router ||
	    !router_find_way(seg->router, to, ip_len, &side, next_hop.bytes) ||
	    !seg->ports[side])
		return;
	next_hop.len = ip_len;
	memset(frame, 0, 6);
	store_be16(frame + 6, seg->ports[side]->interface->mac >> 32);
	store_be32(frame + 8, seg->ports[side]->interface->mac);
	store_be16(frame + 12, ip_len == 4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	packet.note.in = packet.note.side = side;
	segment_hold_for(seg, &packet, &next_hop);
}
