/*
 * VTEPs that packets taught. One is added when a packet of an unknown source
 * comes in, belongs to the VNIs that stations were heard in behind it, and goes
 * when nothing came from it and no station is behind it any more for as long as
 * a station is remembered. They are bounded: whoever can send to us can invent
 * as many as there may be, and no more. One that a single packet has told of
 * gives way to the next, so that inventing them does not keep others out for
 * long; one that is in use does not.
 *
 * Where there is a multicast group, that has the frames to all; learned VTEPs
 * get what is for stations behind them.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"

LOG_MODULE(overlay);

#define ONCE_S 3 /* who is there has said more by then */

static bool is_unicast(const struct ip_address *ip)
{
	if (ip->len == 4)
		return ip4_is_unicast(ip_address_to_v4(ip));
	return ip->len == 16 && ip->bytes[0] != 0xff;
}

static void flood_to(struct overlay_remote *r, uint32_t vni)
{
	struct overlay *o = r->overlay;

	if (!o->config->group.len && !o->config->single && vni != VTEP_NO_VNI &&
	    !vtep_flood_origins(o->map, vni, r->index))
		overlay_flood_add(o, vni, r, VTEP_LEARNED);
}

/* Nothing came from it after the packet that told of it; see look(). */
static bool was_once(const struct overlay_remote *r)
{
	return r->origins == VTEP_LEARNED && !r->rx_seen &&
	       r->overlay->vs->now_s >= r->heard_s + ONCE_S;
}

/* Room for another, if there is one that gives way. */
static bool make_room(struct overlay *o)
{
	struct overlay_remote *r = o->remotes;

	if (o->n_learned < VTEP_LEARNED_MAX)
		return true;
	/* The latest are first. */
	while (r && !was_once(r))
		r = r->next;
	if (r)
		overlay_remote_drop(o, r, VTEP_LEARNED);
	return r;
}

static struct overlay_remote *add(struct overlay *o, uint32_t vni,
				  const struct ip_address *ip)
{
	const char *bridge = o->v->bridge->name, *port = o->v->interface->name;
	struct overlay_remote *r = NULL;
	char *why = NULL;

	if (!underlay_reaches(o->underlay, ip))
		set_error(&why, -EHOSTUNREACH,
			  "there is no way to it; set options:gateway to the "
			  "router that leads there");
	else if (make_room(o))
		r = overlay_remote_add(o, ip, VTEP_LEARNED, &why);
	if (r) {
		log_info_limited("bridge %s: interface %s: VTEP %s learned, "
				 "VNI %u",
				 bridge, port, ip_text(ip).text, vni);
		return r;
	}
	o->remote_refused++;
	log_dbg_limited("bridge %s: interface %s: VTEP %s not learned: %s",
			bridge, port, ip_text(ip).text,
			why ? why : "there are too many");
	free(why);
	return NULL;
}

void overlay_learn_remote(struct overlay *o, uint32_t vni,
			  const struct ip_address *ip)
{
	struct overlay_remote *r = overlay_remote_find(o, ip);

	if (!o->config->learning || o->config->single || !is_unicast(ip))
		return;
	if (!r)
		r = add(o, vni, ip);
	if (!r)
		return;
	r->heard_s = o->vs->now_s;
	if (r->origins & VTEP_LEARNED)
		flood_to(r, vni);
}

void overlay_learn_station(struct overlay_remote *r, uint16_t fid)
{
	struct overlay *o = r->overlay;

	if (!(r->origins & VTEP_LEARNED))
		return;
	if (!o->config->map)
		flood_to(r, o->config->vni);
	else
		flood_to(r, vtep_map_vni(o->map, fid));
}

/* Has anything come from it since it was last asked? */
static void look(struct overlay_remote *r)
{
	struct port_counters c;

	port_get_counters(r->port, &c);
	if (c.rx_packets != r->rx_seen ||
	    fdb_port_entries(r->overlay->v->bridge->fdb, r->number))
		r->heard_s = r->overlay->vs->now_s;
	r->rx_seen = c.rx_packets;
}

void overlay_learn_tick(struct overlay *o)
{
	uint32_t age_s = o->v->bridge->config->mac_age_s;
	struct overlay_remote *r, *next;

	if (!o->n_learned || !age_s)
		return;
	for (r = o->remotes; r; r = next) {
		next = r->next;
		if (!(r->origins & VTEP_LEARNED))
			continue;
		look(r);
		if (o->vs->now_s - r->heard_s <= age_s)
			continue;
		log_info_limited("bridge %s: interface %s: VTEP %s is silent; "
				 "forgotten",
				 o->v->bridge->name, o->v->interface->name,
				 ip_text(&r->ip).text);
		overlay_remote_drop(o, r, VTEP_LEARNED);
	}
}
