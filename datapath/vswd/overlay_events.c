/*
 * What overlays are told from elsewhere: frames that workers left to the
 * control thread, and changes of bridges' FDBs.
 */
#include <string.h>

#include "packet/vlan.h"
#include "vswd/overlay.h"

/* --- frames ----------------------------------------------------------------
 */

unsigned overlays_punts(const struct vswitch *vs, const struct vport *v)
{
	unsigned kinds = 0;

	/* Whatever comes in anywhere may get to a tunnel, by patch ports. */
	if (vs->overlays)
		kinds |= 1u << PUNT_TUNNEL | 1u << PUNT_UNDERLAY;
	for (const struct overlay *o = vs->overlays; o; o = o->next)
		if (o->v->bridge == v->bridge && (o->suppress || o->evpn))
			kinds |= 1u << PUNT_NEIGHBOR | PUNT_ANSWERS;
	return kinds;
}

/* Who sent an outer packet; false: it is cut short. */
static bool outer_source(const struct punt_record *record,
			 struct ip_address *ip)
{
	const uint8_t *at = record->data + 12,
		      *end = record->data + record->len;

	while (end - at >= 2 && eth_type_is_vlan(load_be16(at)))
		at += VLAN_TAG_LEN;
	if (end - at < 2 + 40 && (end - at < 2 + 20 || at[2] >> 4 != 4))
		return false;
	at += 2;
	*ip = at[0] >> 4 == 4 ? ip_address_of(at + 12, 4)
			      : ip_address_of(at + 8, 16);
	return true;
}

static void receive_tunnel(struct vswitch *vs, struct vport *v,
			   const struct punt_record *record)
{
	struct overlay *o = overlay_find(vs, record->gateway);
	struct tunnel_note note;
	struct ip_address ip;

	_Static_assert(sizeof(note) == sizeof(record->note),
		       "a note goes as one word");
	memcpy(&note, &record->note, sizeof(note));
	if (!o || record->len < ETH_HEADER_LEN)
		return;
	switch ((enum tunnel_what)note.what) {
	case TUNNEL_TOO_BIG:
		overlay_too_big(o, v, note.vid, note.mtu, record->data,
				record->len);
		break;
	case TUNNEL_NEW_REMOTE:
		if (outer_source(record, &ip))
			overlay_learn_remote(o, note.vni, &ip);
		break;
	}
}

void overlays_receive(struct vswitch *vs, struct vport *v,
		      const struct punt_record *record)
{
	struct underlay *u;

	if (record->kind == PUNT_TUNNEL) {
		receive_tunnel(vs, v, record);
		return;
	}
	u = underlay_find(vs, record->gateway);
	if (u && u->station)
		underlay_station_receive(u->station, v, record);
}

void overlays_neighbor(struct vswitch *vs, struct vport *v, uint16_t fid,
		       uint64_t mac, const uint8_t *bytes, unsigned len)
{
	struct ip_address ip = ip_address_of(bytes, len);

	for (struct overlay *o = vs->overlays; o; o = o->next) {
		int vid = o->v->bridge == v->bridge ? overlay_vid(o, fid) : -1;

		if (vid < 0)
			continue;
		overlay_pair_heard(o, vid, &ip, mac, o->v != v);
		if (o->evpn && !v->overlay)
			overlay_evpn_pair(o->evpn, vid, mac, &ip);
	}
}

/* --- the FDB ---------------------------------------------------------------
 */

/* Not behind a tunnel: those are not told from one to another. */
static bool is_local(const struct bridge *b, uint16_t number)
{
	const struct vport *v = bridge_find_number(b, number);

	return v && !v->overlay;
}

static void tell_evpn(struct overlay *o, uint64_t mac, uint16_t fid,
		      uint16_t port)
{
	const struct bridge *b = o->v->bridge;
	int vid = overlay_vid(o, fid);

	if (vid >= 0)
		overlay_evpn_station(o->evpn, vid, mac, is_local(b, port));
}

static bool learn_entry(const struct fdb_entry *entry, void *aux)
{
	struct overlay_remote *r = bridge_remote_by_number(aux, entry->port);

	if (r)
		overlay_learn_station(r, entry->fid);
	return true;
}

static bool has_learned(const struct bridge *b)
{
	const struct overlay *o = b->vs->overlays;

	while (o && !(o->v->bridge == b && o->n_learned))
		o = o->next;
	return o;
}

void overlays_fdb_change(struct bridge *b, enum fdb_change change, uint64_t mac,
			 uint16_t fid, uint16_t port, uint16_t old_port)
{
	struct overlay_remote *r = bridge_remote_by_number(b, port);

	if (r && (change == FDB_ADDED || change == FDB_CHANGED_PORT))
		overlay_learn_station(r, fid);
	if (change == FDB_RESYNC && has_learned(b))
		fdb_for_each(b->fdb, learn_entry, b);
	for (struct overlay *o = b->vs->overlays; o; o = o->next) {
		if (o->v->bridge != b)
			continue;
		/* Many go at a time: the next tick looks once for all. */
		o->look_at_pairs |= change != FDB_ADDED;
		if (!o->evpn)
			continue;
		if (change == FDB_RESYNC)
			overlay_evpn_resync(o->evpn);
		else
			tell_evpn(o, mac, fid, port);
	}
}
