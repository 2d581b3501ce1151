/* Bridges: their FDB, port numbers and address. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/event_sources.h"
#include "vswd/fastpath.h"
#include "vswd/mirror.h"
#include "vswd/overlay.h"
#include "vswd/port_snoop.h"
#include "vswd/segment.h"
#include "vswd/switch.h"
#include "vswd/net_text.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

#define N_NUMBERS (FDB_PORT_MAX + 1)

/* For a person; the caller's. */
static char *place_text(const struct bridge *b, uint16_t number)
{
	const struct overlay_remote *r = bridge_remote_by_number(b, number);
	const struct vport *v = bridge_find_number(b, number);

	if (r)
		return xasprintf("%s (VTEP %s)", v->config->name,
				 ip_text(&r->ip).text);
	return xstrdup(v ? v->config->name : "a port that is gone");
}

static void log_move(struct bridge *b, uint64_t mac, uint16_t fid,
		     uint16_t port, uint16_t old_port)
{
	char *from = place_text(b, old_port), *to = place_text(b, port);
	char text[MAC_STRING_SIZE];

	log_info_limited("bridge %s: %s in VLAN %u moved from %s to %s",
			 b->name, mac_format(mac, text), fid, from, to);
	event_moved(b, mac, fid, from, to);
	free(from);
	free(to);
}

static void fdb_changed(struct fdb_listener *listener, enum fdb_change change,
			uint64_t mac, uint16_t fid, uint16_t port,
			uint16_t old_port)
{
	struct bridge *b = CONTAINER_OF(listener, struct bridge, listener);

	if (change == FDB_CHANGED_PORT)
		log_move(b, mac, fid, port, old_port);
	overlays_fdb_change(b, change, mac, fid, port, old_port);
}

static struct fdb *make_fdb(const struct vswitch *vs,
			    const struct cfg_bridge *config)
{
	const struct fdb_config c = {
		.max_entries = config->mac_table_size,
		.age_s = config->mac_age_s,
		.fastpath = vfastpath_get(vs),
	};

	return fdb_create(&c);
}

struct bridge *bridge_create(struct vswitch *vs,
			     const struct cfg_bridge *config)
{
	struct bridge *b = xcalloc(1, sizeof(*b));

	b->vs = vs;
	b->name = xstrdup(config->name);
	b->uuid = config->uuid;
	b->numbers = xcalloc(N_NUMBERS / 64, sizeof(*b->numbers));
	b->numbers[0] = 1; /* number 0 is FDB_NONE */
	b->fdb = make_fdb(vs, config);
	b->fast_index = vfastpath_take_index(vs);
	b->listener.change = fdb_changed;
	fdb_add_listener(b->fdb, &b->listener);
	b->dirty = true;
	log_info("bridge %s: added", b->name);
	return b;
}

void bridge_destroy(struct bridge *b)
{
	log_info("bridge %s: removed", b->name);
	fdb_remove_listener(b->fdb, &b->listener);
	fdb_destroy(b->fdb);
	vfastpath_free_index(b->vs, b->fast_index);
	mirrors_destroy(b);
	cfg_bridge_free(b->config);
	free(b->vports);
	free(b->by_number);
	free(b->flaps);
	free(b->numbers);
	free(b->name);
	free(b);
}

/*
 * The old table is still read by workers until the next snapshot; listeners are
 * the new one's already.
 */
static void replace_fdb(struct vswitch *vs, struct bridge *b, struct fdb *new)
{
	struct fdb *old = b->fdb;

	b->fdb = new;
	vs->doomed_fdbs = xrealloc(vs->doomed_fdbs,
				   (vs->n_doomed_fdbs + 1) * sizeof(old));
	vs->doomed_fdbs[vs->n_doomed_fdbs++] = old;
	vs->changed = true;
}

static void resize_fdb(struct vswitch *vs, struct bridge *b, uint32_t size)
{
	replace_fdb(vs, b, fdb_resize(b->fdb, size));
	log_info("bridge %s: the MAC table holds %u addresses now", b->name,
		 size);
}

void bridge_place_fdb(struct vswitch *vs, struct bridge *b,
		      struct fastpath *fastpath)
{
	if (!fastpath != !fdb_fastpath_table(b->fdb))
		replace_fdb(vs, b, fdb_move(b->fdb, fastpath));
}

#define CONTROLLED_FIRST 4096u

bool bridge_grow_controlled(struct vswitch *vs, struct bridge *b)
{
	struct fdb_stats stats;
	uint32_t most, wanted;

	fdb_get_stats(b->fdb, &stats);
	most = FDB_SIZE_MAX - stats.max_entries;
	wanted = MAX(stats.max_controlled * 2, CONTROLLED_FIRST);
	wanted = MIN(wanted, most);
	if (wanted <= stats.max_controlled)
		return false;
	replace_fdb(vs, b, fdb_resize_controlled(b->fdb, wanted));
	log_info("bridge %s: the MAC table holds %u addresses of a control "
		 "plane now",
		 b->name, wanted);
	return true;
}

static void flush_unlearnt(struct bridge *b, const struct cfg_bridge *config)
{
	for (unsigned vid = 0; vid < VLAN_N; vid++)
		if (vlan_set_has(&config->flood_vlans, vid) &&
		    !vlan_set_has(&b->config->flood_vlans, vid))
			fdb_flush(b->fdb, 0, vid);
}

/* What was learned in a VLAN may be another's now; ports' faults, too. */
static void take_over_private(struct vswitch *vs, struct bridge *b)
{
	fdb_flush(b->fdb, 0, -1);
	vs->changed = true;
	for (size_t i = 0; i < b->n_vports; i++)
		vport_mark_dirty(vs, b->vports[i]);
}

void bridge_configure(struct vswitch *vs, struct bridge *b,
		      struct cfg_bridge *config)
{
	const struct cfg_bridge *old = b->config;

	if (!uuid_equals(&b->uuid, &config->uuid))
		b->dirty = true;
	b->uuid = config->uuid;
	mirrors_configure(vs, b, config);
	if (!old) {
		b->config = config;
		vs->changed = true;
		return;
	}
	if (config->mac_table_size != old->mac_table_size)
		resize_fdb(vs, b, config->mac_table_size);
	if (config->mac_age_s != old->mac_age_s)
		fdb_set_age(b->fdb, config->mac_age_s);
	if (memcmp(&config->flood_vlans, &old->flood_vlans,
		   sizeof(old->flood_vlans))) {
		flush_unlearnt(b, config);
		vs->changed = true;
	}
	/* LACP's system identifier follows hwaddr. */
	if (config->forward_bpdu != old->forward_bpdu ||
	    config->hwaddr != old->hwaddr)
		vs->changed = true;
	if (!private_vlans_equal(&config->private_vlans, &old->private_vlans))
		take_over_private(vs, b);
	cfg_bridge_free(b->config);
	b->config = config;
}

/* --- a station that has another address now --------------------------------
 */

struct renaming {
	uint64_t mac;
	uint16_t port;
	struct vlan_set fids;
};

static bool note_fid(const struct fdb_entry *entry, void *aux)
{
	struct renaming *r = aux;

	if (entry->mac == r->mac && entry->port == r->port)
		vlan_set_add(&r->fids, entry->fid);
	return true;
}

void bridge_rename_station(struct bridge *b, uint64_t from, uint64_t to,
			   uint16_t port)
{
	struct renaming r = { .mac = from, .port = port };

	if (!port)
		return;
	fdb_for_each(b->fdb, note_fid, &r);
	for (unsigned fid = 0; fid < VLAN_N; fid++) {
		if (!vlan_set_has(&r.fids, fid))
			continue;
		fdb_delete(b->fdb, fdb_make_key(from, fid));
		fdb_learn(b->fdb, fdb_make_key(to, fid), port);
	}
	for (struct vbond *vb = b->bonds; vb; vb = vb->next)
		bond_rename_station(vb->bond, from, to);
}

void bridge_hold_number(struct bridge *b, uint16_t number, struct vport *v,
			struct vbond *vb)
{
	unsigned n = round_up_pow2(number + 1u);

	if (number >= b->n_by_number) {
		b->by_number =
			xrealloc(b->by_number, n * sizeof(*b->by_number));
		memset(b->by_number + b->n_by_number, 0,
		       (n - b->n_by_number) * sizeof(*b->by_number));
		b->n_by_number = n;
	}
	b->by_number[number] = (struct number_holder){ .vport = v, .bond = vb };
}

uint16_t bridge_take_number(struct bridge *b)
{
	for (unsigned i = 0; i < N_NUMBERS / 64; i++) {
		unsigned bit;

		if (b->numbers[i] == UINT64_MAX)
			continue;
		bit = __builtin_ctzll(~b->numbers[i]);
		b->numbers[i] |= 1ull << bit;
		return i * 64 + bit;
	}
	return 0;
}

void bridge_orphan_number(struct bridge *b, uint16_t number)
{
	if (number)
		bridge_hold_number(b, number, NULL, NULL);
}

void bridge_free_number(struct bridge *b, uint16_t number)
{
	if (!number)
		return;
	b->numbers[number / 64] &= ~(1ull << number % 64);
}

struct vport *bridge_find_number(const struct bridge *b, uint16_t number)
{
	struct number_holder holder;

	if (number >= b->n_by_number)
		return NULL;
	holder = b->by_number[number];
	return holder.bond ? vbond_first_member(holder.bond) : holder.vport;
}

struct vport *bridge_find_ofport(const struct bridge *b, uint16_t ofport)
{
	for (size_t i = 0; i < b->n_vports; i++)
		if (b->vports[i]->ofport == ofport && b->vports[i]->port)
			return b->vports[i];
	return NULL;
}

struct bridge *vswitch_find_bridge(const struct vswitch *vs, const char *name)
{
	for (struct bridge *b = vs->bridges; b; b = b->next)
		if (!strcmp(b->name, name))
			return b;
	return NULL;
}

/*
 * No netlink message comes of a device of ours in another network namespace;
 * when it goes with that, its descriptor is an error that keeps a worker awake.
 */
static void look_elsewhere(struct vswitch *vs, struct bridge *b)
{
	for (size_t i = 0; i < b->n_vports; i++)
		if (vport_is_elsewhere(b->vports[i]))
			vport_update_status(vs, b->vports[i]);
}

bool vswitch_tick(struct vswitch *vs, uint32_t now_s)
{
	vs->now_s = now_s;
	port_snoops_tick(vs);
	vswitch_balance(vs, now_s);
	for (struct bridge *b = vs->bridges; b; b = b->next) {
		fdb_tick(b->fdb, now_s);
		fdb_drain_changes(b->fdb);
		event_look_at_table(b);
		look_elsewhere(vs, b);
		for (size_t i = 0; i < b->n_vports; i++) {
			vport_tick(vs, b->vports[i]);
			event_look_at_violations(b->vports[i]);
		}
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			vbond_tick(vb);
	}
	segments_tick(vs);
	overlays_tick(vs);
	return vs->changed || vs->dirty;
}
