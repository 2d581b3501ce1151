/*
 * MACs that are put behind remote VTEPs: by rows of table Remote_MAC, which are
 * remembered here, and by a control plane, which remembers them itself. A row
 * comes before what a control plane says of the same station.
 */
#include <errno.h>
#include <stdlib.h>

#include "ovsdb-lite/hash.h"
#include "vswd/overlay.h"

/* A row that is in force. */
struct row_mac {
	struct hmap_node node;
	uint64_t mac;
	uint16_t vid;
	bool seen;
	struct ip_address *ips; /* a copy */
	size_t n_ips;
};

static uint32_t hash_of(uint16_t vid, uint64_t mac)
{
	return hash_add(vid, mac);
}

static struct row_mac *find(const struct overlay *o, uint16_t vid, uint64_t mac)
{
	uint32_t hash = hash_of(vid, mac);
	struct hmap_node *node = hmap_first(&o->macs, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct row_mac *m = CONTAINER_OF(node, struct row_mac, node);

		if (m->mac == mac && m->vid == vid)
			return m;
	}
	return NULL;
}

/* In a larger table, if need be. */
static int put_entry(struct bridge *b, fdb_key key, uint16_t number,
		     bool sticky)
{
	int error = fdb_add_controlled(b->fdb, key, number, sticky);

	if (error != -ENOSPC || !bridge_grow_controlled(b->vs, b))
		return error;
	vswitch_commit_soon(b->vs);
	return fdb_add_controlled(b->fdb, key, number, sticky);
}

int overlay_mac_add(struct overlay *o, uint16_t vid, uint64_t mac,
		    struct overlay_remote *r, bool sticky,
		    enum vtep_origin origin)
{
	int fid = overlay_fid(o, vid), error;

	if (fid < 0)
		return -EINVAL;
	if (origin != VTEP_STATIC && find(o, vid, mac))
		return 0;
	error = put_entry(o->v->bridge, fdb_make_key(mac, fid), r->number,
			  sticky);
	if (error)
		o->mac_refused++;
	return error;
}

void overlay_mac_drop(struct overlay *o, uint16_t vid, uint64_t mac,
		      enum vtep_origin origin)
{
	struct fdb *fdb = o->v->bridge->fdb;
	int fid = overlay_fid(o, vid);
	struct overlay_remote *r;

	/* The map may have lost the VLAN since. */
	if (fid < 0)
		fid = vid ? vid : -1;
	if (fid < 0 || (origin != VTEP_STATIC && find(o, vid, mac)))
		return;
	r = bridge_remote_by_number(o->v->bridge,
				    fdb_lookup(fdb, fdb_make_key(mac, fid)));
	/* Otherwise it has moved, and is another's. */
	if (r && r->overlay == o)
		fdb_delete_controlled(fdb, fdb_make_key(mac, fid), r->number);
}

/* --- rows ------------------------------------------------------------------
 */

static void set_pairs(struct overlay *o, const struct row_mac *m, uint64_t mac)
{
	for (size_t i = 0; i < m->n_ips; i++)
		overlay_pair_set(o, m->vid, &m->ips[i], mac);
}

static void forget(struct overlay *o, struct row_mac *m)
{
	set_pairs(o, m, 0);
	overlay_mac_drop(o, m->vid, m->mac, VTEP_STATIC);
	hmap_remove(&o->macs, &m->node);
	free(m->ips);
	free(m);
}

static struct row_mac *remember(struct overlay *o,
				const struct cfg_remote_mac *row)
{
	struct row_mac *m = find(o, row->vlan, row->mac);

	if (!m) {
		m = xcalloc(1, sizeof(*m));
		m->mac = row->mac;
		m->vid = row->vlan;
		hmap_insert(&o->macs, &m->node, hash_of(m->vid, m->mac));
	}
	set_pairs(o, m, 0);
	free(m->ips);
	m->ips = xcalloc(MAX(row->n_ips, 1), sizeof(*m->ips));
	for (size_t i = 0; i < row->n_ips; i++)
		m->ips[i] = row->ips[i];
	m->n_ips = row->n_ips;
	set_pairs(o, m, m->mac);
	m->seen = true;
	return m;
}

static bool put(struct overlay *o, const struct cfg_remote_mac *row)
{
	struct overlay_remote *r = overlay_remote_find(o, &row->remote);

	remember(o, row);
	return r && !overlay_mac_add(o, row->vlan, row->mac, r, row->sticky,
				     VTEP_STATIC);
}

static void forget_unseen(struct overlay *o)
{
	struct hmap_node *node, *next;

	for (node = hmap_next(&o->macs, NULL); node; node = next) {
		struct row_mac *m = CONTAINER_OF(node, struct row_mac, node);

		next = hmap_next(&o->macs, node);
		if (!m->seen)
			forget(o, m);
		else
			m->seen = false;
	}
}

void overlay_macs_configure(struct overlay *o)
{
	const struct cfg_overlay *c = o->config;
	size_t n_refused = 0;

	for (size_t i = 0; i < c->n_macs; i++)
		if (!c->macs[i].error && !put(o, &c->macs[i]))
			n_refused++;
	forget_unseen(o);
	if (n_refused && !o->error)
		overlay_set_error(
			o, xasprintf("%zu of the stations of remote_macs are "
				     "left out: their VTEP cannot be one, "
				     "their VLAN has no VNI, or bridge %s has "
				     "no room for them",
				     n_refused, o->v->bridge->name));
}

void overlay_macs_clear(struct overlay *o)
{
	forget_unseen(o);
}
