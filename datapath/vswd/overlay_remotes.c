/*
 * Remote VTEPs of a VXLAN port. Each has a number in the bridge's FDB, by which
 * stations behind it are known, a port that counts, and an index in the tunnels
 * that snapshots get; the last is given to another at once when it goes, the
 * number only when no snapshot has it any more.
 *
 * The one remote of a point to point port is that port: it has its number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/hash.h"
#include "port/vxlan_port.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"

LOG_MODULE(overlay);

static uint32_t hash_of(const struct ip_address *ip)
{
	return hash_bytes(ip->bytes, ip->len, ip->len);
}

struct overlay_remote *overlay_remote_find(const struct overlay *o,
					   const struct ip_address *ip)
{
	uint32_t hash = hash_of(ip);
	struct hmap_node *node = hmap_first(&o->by_ip, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct overlay_remote *r =
			CONTAINER_OF(node, struct overlay_remote, node);

		if (ip_address_equal(&r->ip, ip))
			return r;
	}
	return NULL;
}

struct overlay_remote *bridge_remote_by_number(const struct bridge *b,
					       uint16_t number)
{
	return number < b->n_by_number ? b->by_number[number].remote : NULL;
}

/* --- coming ----------------------------------------------------------------
 */

/* 0, or what speaks against it. */
static int check(const struct overlay *o, const struct ip_address *ip,
		 char **errp)
{
	const struct cfg_overlay *c = o->config;
	struct ip_text t = ip_text(ip);
	const char *text = t.text;

	if (ip->len != (c->ip_version == 4 ? 4 : 16))
		return set_error(errp, -EINVAL,
				 "remote VTEP %s cannot be reached by IPv%u, "
				 "which the port's outer packets are",
				 text, c->ip_version);
	if (underlay_is_self(o->underlay, c, ip))
		return set_error(errp, -EINVAL,
				 "remote VTEP %s is an address of our own; "
				 "name the others only",
				 text);
	if (c->single && o->n_remotes)
		return set_error(errp, -EINVAL,
				 "%s cannot be another remote VTEP of a port "
				 "with remote_ip=%s; say remote_ip=flow and "
				 "list them in remotes",
				 text, ip_text(&c->remotes[0]).text);
	if (o->n_remotes >= OVERLAY_REMOTES_MAX)
		return set_error(errp, -ENOSPC,
				 "remote VTEP %s is left out: there are %d "
				 "already, and no more are taken",
				 text, OVERLAY_REMOTES_MAX);
	return 0;
}

static int take_number(struct overlay *o, struct overlay_remote *r, char **errp)
{
	struct bridge *b = o->v->bridge;

	r->number = o->config->single ? o->v->number : bridge_take_number(b);
	if (!r->number)
		return set_error(errp, -ENOSPC,
				 "remote VTEP %s is left out: bridge %s has no "
				 "room for another port",
				 ip_text(&r->ip).text, b->name);
	bridge_hold_number(b, r->number, o->v, NULL);
	b->by_number[r->number].remote = r;
	fdb_set_port_limit(b->fdb, r->number, o->v->config->mac_limit);
	return 0;
}

static void take_index(struct overlay *o, struct overlay_remote *r)
{
	uint32_t i = 0;

	while (i < o->n_indices && o->by_index[i])
		i++;
	if (i == o->n_indices) {
		o->by_index = xrealloc(
			o->by_index, (i + 1) * sizeof(struct overlay_remote *));
		o->n_indices++;
	}
	o->by_index[i] = r;
	r->index = i;
}

static struct port *open_port(const struct overlay *o,
			      const struct overlay_remote *r)
{
	unsigned n_threads = worker_pool_count(o->vs->pool) + 1;
	struct port *port;
	char *name;

	if (o->config->single)
		return o->v->port;
	name = xasprintf("%s.%s", o->v->interface->name, ip_text(&r->ip).text);
	port = vxlan_remote_open(o->v->port, name, n_threads);
	free(name);
	return port;
}

static struct overlay_remote *create(struct overlay *o,
				     const struct ip_address *ip, char **errp)
{
	struct overlay_remote *r = xcalloc(1, sizeof(*r));

	r->overlay = o;
	r->ip = *ip;
	r->is_group = ip_address_equal(ip, &o->config->group);
	r->heard_s = o->vs->now_s;
	if (take_number(o, r, errp)) {
		free(r);
		return NULL;
	}
	r->port = open_port(o, r);
	take_index(o, r);
	r->next = o->remotes;
	o->remotes = r;
	o->n_remotes++;
	hmap_insert(&o->by_ip, &r->node, hash_of(ip));
	underlay_remote_added(o->underlay, r);
	overlay_changed(o);
	vport_mark_dirty(o->vs, o->v);
	return r;
}

struct overlay_remote *overlay_remote_add(struct overlay *o,
					  const struct ip_address *ip,
					  enum vtep_origin origin, char **errp)
{
	struct overlay_remote *r = overlay_remote_find(o, ip);

	if (!r && check(o, ip, errp))
		return NULL;
	if (!r)
		r = create(o, ip, errp);
	if (!r)
		return NULL;
	if (origin == VTEP_LEARNED && !(r->origins & VTEP_LEARNED))
		o->n_learned++;
	r->origins |= origin;
	return r;
}

/* --- going -----------------------------------------------------------------
 */

static void doom(struct overlay *o, struct overlay_remote *r)
{
	struct bridge *b = o->v->bridge;
	struct doomed_port *d;

	b->by_number[r->number].remote = NULL;
	if (r->port == o->v->port) {
		fdb_flush(b->fdb, r->number, -1);
		return;
	}
	bridge_orphan_number(b, r->number);
	d = vswitch_doom(o->vs, b);
	d->port = r->port;
	d->number = r->number;
	d->fate = NUMBER_FREED;
	d->no_static = true;
}

static void free_index(struct overlay *o, uint32_t index)
{
	o->by_index[index] = NULL;
	while (o->n_indices && !o->by_index[o->n_indices - 1])
		o->n_indices--;
}

static void destroy(struct overlay_remote *r)
{
	struct overlay *o = r->overlay;
	struct overlay_remote **p = &o->remotes;

	underlay_remote_gone(o->underlay, r);
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	o->n_remotes--;
	hmap_remove(&o->by_ip, &r->node);
	free_index(o, r->index);
	/* Its number is free with the next snapshot: that is to come soon. */
	doom(o, r);
	overlay_changed(o);
	vport_mark_dirty(o->vs, o->v);
	free(r);
}

void overlay_remote_drop(struct overlay *o, struct overlay_remote *r,
			 enum vtep_origin origin)
{
	if (!(r->origins & origin))
		return;
	overlay_flood_drop(o, VTEP_NO_VNI, r, origin);
	r->origins &= ~(unsigned)origin;
	if (origin == VTEP_LEARNED)
		o->n_learned--;
	if (!r->origins)
		destroy(r);
}

void overlay_remotes_clear(struct overlay *o)
{
	while (o->remotes)
		destroy(o->remotes);
	o->n_learned = 0;
}

unsigned overlay_flush(struct overlay *o, int fid)
{
	unsigned n = 0;

	for (struct overlay_remote *r = o->remotes; r; r = r->next)
		n += fdb_flush(o->v->bridge->fdb, r->number, fid);
	return n;
}

/* --- the configuration -----------------------------------------------------
 */

enum wanted { WANTED_NOT, WANTED_KNOWN, WANTED_FLOODED };

typedef void each_fn(struct overlay *o, const struct ip_address *ip,
		     enum wanted wanted, char **errp);

static void mark(struct overlay *o, const struct ip_address *ip,
		 enum wanted wanted, char **errp)
{
	struct overlay_remote *r = overlay_remote_find(o, ip);

	if (r && r->wanted < wanted)
		r->wanted = wanted;
}

/* Static ones that are no more, and floods to those that only stand in rows. */
static void drop_unwanted(struct overlay *o)
{
	struct overlay_remote *r, *next;

	for (r = o->remotes; r; r = next) {
		next = r->next;
		if (!r->wanted)
			overlay_remote_drop(o, r, VTEP_STATIC);
		else if (r->wanted == WANTED_KNOWN)
			overlay_flood_drop(o, VTEP_NO_VNI, r, VTEP_STATIC);
	}
}

static void add(struct overlay *o, const struct ip_address *ip,
		enum wanted wanted, char **errp)
{
	struct overlay_remote *r = overlay_remote_add(o, ip, VTEP_STATIC, errp);
	int error = 0;

	if (r && wanted == WANTED_FLOODED)
		error = overlay_flood_add(o, VTEP_NO_VNI, r, VTEP_STATIC);
	if (error)
		set_error(errp, error,
			  "frames to all do not go to remote VTEP %s: there "
			  "are %d that they go to, and no more are taken",
			  ip_text(ip).text, VTEP_FLOOD_MAX);
}

static void for_each_static(struct overlay *o, each_fn *fn, char **errp)
{
	const struct cfg_overlay *c = o->config;

	for (size_t i = 0; i < c->n_remotes; i++)
		fn(o, &c->remotes[i], WANTED_FLOODED, errp);
	if (c->group.len)
		fn(o, &c->group, WANTED_FLOODED, errp);
	for (size_t i = 0; i < c->n_macs; i++)
		if (!c->macs[i].error)
			fn(o, &c->macs[i].remote, WANTED_KNOWN, errp);
}

void overlay_remotes_configure(struct overlay *o)
{
	char *error = NULL;

	for (struct overlay_remote *r = o->remotes; r; r = r->next)
		r->wanted = WANTED_NOT;
	for_each_static(o, mark, NULL);
	drop_unwanted(o);
	for_each_static(o, add, &error);
	if (error)
		overlay_set_error(o, error);
}

/* --- next hops and MTUs ----------------------------------------------------
 */

void overlay_remote_set_hop(struct overlay_remote *r, bool resolved,
			    uint64_t mac)
{
	if (r->resolved == resolved && r->next_hop == mac)
		return;
	r->resolved = resolved;
	r->next_hop = mac;
	overlay_changed(r->overlay);
}

void overlay_remote_set_mtu(struct overlay_remote *r, uint32_t inner_mtu)
{
	struct overlay *o = r->overlay;
	uint32_t lowest = o->config->mtu;

	if (r->mtu == inner_mtu)
		return;
	r->mtu = inner_mtu;
	for (r = o->remotes; r; r = r->next)
		if (r->mtu && (!lowest || r->mtu < lowest))
			lowest = r->mtu;
	if (o->mtu != lowest)
		vport_mark_dirty(o->vs, o->v);
	o->mtu = lowest;
	overlay_changed(o);
}
