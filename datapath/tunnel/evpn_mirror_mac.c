/*
 * The mirror's MACs and flood list (evpn_mirror.h): who has a MAC, the switch
 * or a VTEP, from what the kernel's bridge and vxlan device say.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "tunnel/evpn_mirror_internal.h"

static int compare_macs(const void *a, const void *b)
{
	uint64_t x = ((const struct mac *)a)->mac;
	uint64_t y = ((const struct mac *)b)->mac;

	return x < y ? -1 : x > y;
}

struct mac *mac_find(const struct evpn_mirror *m, uint64_t mac)
{
	struct mac key = { .mac = mac };
	struct mac **at = tfind(&key, &m->macs, compare_macs);

	return at ? *at : NULL;
}

static struct mac *mac_get(struct evpn_mirror *m, uint64_t address)
{
	struct mac *mac = mac_find(m, address);

	if (mac)
		return mac;
	if (m->counters.macs >= m->config.macs_max) {
		m->counters.mac_limit++;
		m->missed = true;
		return NULL;
	}
	mac = xcalloc(1, sizeof(*mac));
	mac->record.type = RECORD_MAC;
	mac->mac = address;
	if (!tsearch(mac, &m->macs, compare_macs))
		abort();
	m->counters.macs++;
	return mac;
}

void mac_unlink(struct evpn_mirror *m, struct mac *mac)
{
	tdelete(mac, &m->macs, compare_macs);
	m->counters.macs--;
}

static bool announced(const struct mac *mac)
{
	return mac->wanted && !mac->displaced;
}

static bool is_remote(const struct mac *mac)
{
	if (!held_live(&mac->record.held) || announced(mac))
		return false;
	if (mac->place == AT_VXLAN)
		return true;
	return !mac->stale && (mac->place == NOWHERE || mac->displaced);
}

/* What to ask for it now. */
static enum asked to_ask(const struct mac *mac)
{
	enum asked asked = mac->record.asked;

	if (announced(mac))
		return mac->place != AT_MEMBER && asked != ASKED_PUT
			       ? ASKED_PUT
			       : ASKED_NOTHING;
	if (asked == ASKED_PUT ||
	    (mac->place == AT_MEMBER && asked != ASKED_REMOVE))
		return ASKED_REMOVE;
	return ASKED_NOTHING;
}

static void tell_remote(struct evpn_mirror *m, struct mac *mac)
{
	struct evpn_news news = { .mac = mac->mac };

	if (mac->told)
		news.old_vtep = mac->told_vtep;
	if (is_remote(mac)) {
		if (mac->told && mac->told_sticky == mac->sticky &&
		    evpn_ip_equal(&mac->told_vtep, &mac->vtep))
			return;
		m->counters.moves +=
			mac->told &&
			!evpn_ip_equal(&mac->told_vtep, &mac->vtep);
		mac->told = true;
		mac->told_sticky = mac->sticky;
		mac->told_vtep = mac->vtep;
		news.type = EVPN_REMOTE;
		news.vtep = mac->vtep;
		news.sticky = mac->sticky;
	} else {
		if (!mac->told)
			return;
		mac->told = false;
		news.type = EVPN_REMOTE_GONE;
	}
	mirror_tell(m, &news);
	/* What it has there, FRR tells. */
	if (mac->told && !mac->wanted) {
		mac->forget_at = 0;
		neighbors_release_of(m, mac);
	}
}

void mac_update(struct evpn_mirror *m, struct mac *mac)
{
	tell_remote(m, mac);
	if (to_ask(mac) != ASKED_NOTHING)
		mirror_queue(m, &mac->record);
}

bool mac_request(struct evpn_mirror *m, struct mac *mac, struct evpn_request *r)
{
	enum asked ask = to_ask(mac);
	struct evpn_fdb entry = {
		.mac = mac->mac,
		.ifindex = m->config.member,
		.vlan = m->config.vlan,
	};

	if (ask == ASKED_NOTHING)
		return false;
	mac->record.asked = ask;
	if (ask == ASKED_PUT)
		evpn_take_fdb(r, ++m->seq, m->config.member, mac->mac,
			      m->config.vlan);
	else
		evpn_put_fdb(r, ++m->seq, EVPN_DELETE, &entry);
	return true;
}

bool mac_idle(const struct mac *mac)
{
	return !mac->wanted && !mac->ips && mac->place == NOWHERE &&
	       !mac->record.held.there && !mac->record.held.deadline &&
	       !mac->told && mac->record.asked == ASKED_NOTHING;
}

void mac_forget(struct mac *mac)
{
	mac->place = NOWHERE;
}

int evpn_mirror_local(struct evpn_mirror *m, uint64_t address)
{
	struct mac *mac;

	if (!address || address >> 48 || address >> 40 & 1)
		return -EINVAL;
	mac = mac_get(m, address);
	if (!mac)
		return -ENOSPC;
	mac->confirmed = true;
	if (announced(mac))
		return 0;
	mac->wanted = true;
	mac->forget_at = 0;
	mac->displaced = false;
	mac->stale = true;
	mac->record.asked = ASKED_NOTHING;
	for (struct neighbor *n = mac->ips; n; n = n->next_ip)
		n->displaced = false;
	neighbors_update_of(m, mac);
	record_settle(m, &mac->record);
	return 0;
}

void mac_unwant(struct evpn_mirror *m, struct mac *mac)
{
	mac->wanted = false;
	mac->displaced = false;
	if (mac->ips && m->config.keep_ms)
		mac->forget_at = deadline_in(m, m->config.keep_ms);
	else
		neighbors_release_of(m, mac);
	neighbors_update_of(m, mac);
}

void mac_expire(struct evpn_mirror *m, struct mac *mac)
{
	if (!mac->forget_at)
		return;
	if (mac->forget_at > m->now) {
		m->next_deadline = MIN(m->next_deadline, mac->forget_at);
		return;
	}
	mac->forget_at = 0;
	neighbors_release_of(m, mac);
}

void evpn_mirror_local_gone(struct evpn_mirror *m, uint64_t address)
{
	struct mac *mac = mac_find(m, address);

	if (!mac || !mac->wanted)
		return;
	mac_unwant(m, mac);
	record_settle(m, &mac->record);
}

static void displace(struct evpn_mirror *m, struct mac *mac)
{
	if (!announced(mac))
		return;
	mac->displaced = true;
	m->counters.displaced++;
	mirror_tell(m, &(struct evpn_news){ EVPN_DISPLACED, .mac = mac->mac });
	neighbors_update_of(m, mac);
}

static void reclaim(struct evpn_mirror *m, struct mac *mac)
{
	if (!mac->wanted || !mac->displaced)
		return;
	mac->displaced = false;
	mac->stale = true;
	tell_remote(m, mac);
	mirror_tell(m, &(struct evpn_news){ EVPN_RECLAIMED, .mac = mac->mac });
	neighbors_update_of(m, mac);
}

/* The bridge has the MAC there now. */
static void move(struct evpn_mirror *m, struct mac *mac, enum place place)
{
	enum place before = mac->place;

	mac->place = place;
	if (mac->record.asked ==
	    (place == AT_MEMBER ? ASKED_PUT : ASKED_REMOVE))
		mac->record.asked = ASKED_NOTHING;
	if (place == before)
		return;
	if (place == AT_MEMBER) {
		mac->stale = true;
		reclaim(m, mac);
	} else if (place == AT_VXLAN) {
		mac->stale = false;
		displace(m, mac);
	}
}

/* An entry of the bridge's table. */
static void bridge_event(struct evpn_mirror *m, struct mac *mac,
			 const struct evpn_event *e)
{
	enum place place =
		e->fdb.ifindex == m->config.member ? AT_MEMBER : AT_VXLAN;

	if (e->type == EVPN_FDB) {
		if (e->dump && mac->place_gone == m->generation)
			return;
		mac->place_seen = m->generation;
		/* The table changed after the dump had read it. */
		if (!e->dump)
			mac->place_gone = m->generation;
		move(m, mac, place);
	} else {
		mac->place_gone = m->generation;
		if (mac->place == place)
			move(m, mac, NOWHERE);
	}
}

/* An entry of the vxlan device's own table. */
static void device_event(struct evpn_mirror *m, struct mac *mac,
			 const struct evpn_event *e)
{
	struct held *held = &mac->record.held;
	bool same = evpn_ip_equal(&mac->vtep, &e->fdb.vtep);
	bool known = held->there && same;

	if (e->type == EVPN_FDB_GONE) {
		if (same)
			held_gone(m, held);
		return;
	}
	if (!held_new(m, held, e->dump))
		return;
	mac->vtep = e->fdb.vtep;
	mac->sticky = e->fdb.sticky;
	if (!e->dump) {
		mac->stale = false;
		displace(m, mac);
	} else if (!known) {
		/* FRR's own come in pairs, the bridge's entry first. */
		mac->stale = mac->place != AT_VXLAN || announced(mac);
	}
}

static bool concerns_us(struct evpn_mirror *m, const struct evpn_event *e)
{
	const struct evpn_mirror_config *c = &m->config;

	if (!e->fdb.own_table)
		return (e->fdb.ifindex == c->vxlan ||
			e->fdb.ifindex == c->member) &&
		       !e->fdb.permanent && e->fdb.vlan == c->vlan &&
		       (e->fdb.ifindex == c->member || e->fdb.extern_learn ||
			e->fdb.sticky || e->type == EVPN_FDB_GONE);
	if (e->fdb.ifindex != c->vxlan)
		return false;
	if (e->fdb.nexthop_group || e->fdb.vni || !e->fdb.vtep.len) {
		m->counters.unsupported++;
		return false;
	}
	if (evpn_ip_equal(&e->fdb.vtep, &c->local)) {
		m->counters.own_vtep++;
		return false;
	}
	return !e->fdb.mac || e->fdb.extern_learn || e->type == EVPN_FDB_GONE;
}

void mac_event(struct evpn_mirror *m, const struct evpn_event *e)
{
	struct mac *mac;

	if (!concerns_us(m, e))
		return;
	if (!e->fdb.mac) {
		if (e->fdb.own_table)
			flood_event(m, e);
		return;
	}
	/* A deletion is kept in mind while a dump may still have the entry. */
	if (e->type == EVPN_FDB || mirror_dumping(m))
		mac = mac_get(m, e->fdb.mac);
	else
		mac = mac_find(m, e->fdb.mac);
	if (!mac)
		return;
	if (e->fdb.own_table)
		device_event(m, mac, e);
	else
		bridge_event(m, mac, e);
	record_settle(m, &mac->record);
}

void mac_sweep(struct evpn_mirror *m, struct mac *mac)
{
	if (mac->place != NOWHERE && mac->place_seen != m->generation)
		move(m, mac, NOWHERE);
	if (mac->record.held.there && mac->record.held.seen != m->generation)
		held_gone(m, &mac->record.held);
}
