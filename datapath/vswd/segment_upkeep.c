/*
 * What has to be looked after while a segment runs: the FDB entries of its
 * gateway's addresses, and neighbors that workers send to.
 */
#include "vswd/segment_upkeep.h"

#include "base/log.h"

LOG_MODULE(segment);

fdb_key segment_station_key(const struct vport *v)
{
	const struct vlan_config *vlan = &v->config->vlan;

	return fdb_make_key(v->interface->mac,
			    vlan->mode == VLAN_ACCESS ? vlan->tag : 0);
}

/* No machine draws the gateway's frames to itself by sending as it. */
static void set_station(struct segment *seg, enum router_side side)
{
	struct segment_station *now = &seg->stations[side];
	const struct vport *v = seg->ports[side];
	struct segment_station next = { 0 };

	if (v && v->number) {
		next.bridge = v->bridge;
		next.key = segment_station_key(v);
		next.number = v->number;
	}
	if (now->bridge && (now->bridge != next.bridge || now->key != next.key))
		fdb_delete(now->bridge->fdb, now->key);
	*now = next;
	if (next.bridge &&
	    fdb_add_static(next.bridge->fdb, next.key, next.number))
		log_warn_limited("segment %s: no room for a static entry of "
				 "its gateway in the MAC table of bridge %s",
				 seg->config->name, next.bridge->name);
}

void segment_set_stations(struct segment *seg)
{
	for (int i = 0; i < ROUTER_N_SIDES; i++)
		set_station(seg, i);
}

/* What workers send to is asked for again before it is stale. */
static void refresh_inside(const uint8_t *ip, unsigned len, void *arg)
{
	const struct ip_address address = ip_address_of(ip, len);
	struct segment *seg = arg;
	uint64_t mac;

	segment_services_resolve(seg->services, &address, UINT32_MAX, &mac);
}

static void refresh_outside(const uint8_t *ip, unsigned len, void *arg)
{
	const struct ip_address address = ip_address_of(ip, len);
	struct segment *seg = arg;
	uint64_t mac;

	segment_uplink_resolve(seg->uplink, &address, UINT32_MAX, &mac);
}

/* Has the gateway sent anything by that side since it was last asked? */
static bool has_traffic(struct segment *seg, enum router_side side)
{
	const struct vport *v = seg->ports[side];
	struct port_counters c;
	uint64_t before = seg->traffic[side];

	if (!v || !v->port)
		return false;
	port_get_counters(v->port, &c);
	seg->traffic[side] = c.rx_packets;
	return seg->traffic[side] != before;
}

void segments_tick(struct vswitch *vs)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next) {
		/* By hand, somebody may have removed one. */
		segment_set_stations(seg);
		if (seg->services && has_traffic(seg, ROUTER_INSIDE))
			neighbor_table_take_used(seg->neighbors[ROUTER_INSIDE],
						 refresh_inside, seg);
		if (seg->uplink && has_traffic(seg, ROUTER_OUTSIDE))
			neighbor_table_take_used(seg->neighbors[ROUTER_OUTSIDE],
						 refresh_outside, seg);
		segment_arm(seg);
	}
}
