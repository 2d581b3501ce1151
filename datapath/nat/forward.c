/*
 * Port forwards: a static mapping for each port, on each outside address that
 * the forward is for; or a slot that says that the port is the gateway's own.
 */
#include <errno.h>

#include "nat/way.h"

static unsigned code_of(const struct nat_forward *f)
{
	return f->protocol | (f->version == 6 ? NAT_CODE_V6 : 0);
}

static bool same_addr(const struct nat_addr *a, const struct nat_addr *b)
{
	return a->version == b->version &&
	       !memcmp(a->ip, b->ip, a->version == 4 ? 4 : 16);
}

static bool is_for(const struct nat_forward *f, const struct nat_outside *o)
{
	return o->addr.version == f->version && !atomic_load(&o->leaving) &&
	       (f->any_outside || same_addr(&f->outside, &o->addr));
}

static bool overlaps(const struct nat_forward *a, const struct nat_forward *b)
{
	return a->version == b->version && a->protocol == b->protocol &&
	       a->outside_lo <= b->outside_hi &&
	       b->outside_lo <= a->outside_hi &&
	       (a->any_outside || b->any_outside ||
		same_addr(&a->outside, &b->outside));
}

static bool same(const struct nat_forward *a, const struct nat_forward *b)
{
	return overlaps(a, b) && a->outside_lo == b->outside_lo &&
	       a->outside_hi == b->outside_hi &&
	       a->any_outside == b->any_outside &&
	       a->to_inside == b->to_inside &&
	       (!a->to_inside || (same_addr(&a->inside, &b->inside) &&
				  a->inside_port == b->inside_port));
}

/* 0, -EADDRINUSE or -ENOSPC. */
static int map_port(struct nat *nat, const struct nat_forward *f, unsigned oidx,
		    uint16_t port)
{
	struct nat_thread *t = nat_control_thread(nat, 0);
	struct nat_outside *o = nat_outside_at(nat, oidx);
	enum drop_reason reason;
	struct nat_client *client;
	struct nat_mapping *m;
	uint16_t iport;
	uint32_t chain;

	if (!f->to_inside)
		return nat_port_claim(o, f->protocol, port, NAT_SLOT_LOCAL)
			       ? 0
			       : -EADDRINUSE;
	client = nat_client_get(nat, t, f->version, f->inside.ip,
				nat_word(nat, f->version, f->inside.ip),
				&reason);
	if (!client)
		return -ENOSPC;
	iport = __builtin_bswap16(f->inside_port + (port - f->outside_lo));
	chain = nat_mapping_chain(nat, nat_client_id(nat, client), iport,
				  code_of(f));
	nat_lock_wait(nat_chain_lock(nat, chain));
	m = nat_mapping_open_at(nat, t, client, chain, iport, code_of(f), oidx,
				__builtin_bswap16(port), NAT_M_STATIC);
	nat_unlock(nat_chain_lock(nat, chain));
	nat_client_put(client);
	return m ? 0 : -EADDRINUSE;
}

static bool is_gone(struct nat *nat, const struct nat_session *s,
		    uint64_t state, void *aux)
{
	struct nat_mapping *m = nat_mapping_at(nat, s->mapping);

	/* only this thread sets it */
	return m->flags & NAT_M_GONE;
}

/* The forward's mapping of that port; NULL when it could not be made. */
static struct nat_mapping *static_at(const struct nat *nat, uint32_t slot)
{
	if (!slot || slot & (NAT_SLOT_LOCAL | NAT_SLOT_QUARANTINE))
		return NULL;
	return nat_mapping_at(nat, slot - 1);
}

/* Ports lo to hi of one address: their mappings take no new sessions. */
static void close_ports(struct nat *nat, const struct nat_forward *f,
			unsigned oidx, uint32_t hi)
{
	struct nat_outside *o = nat_outside_at(nat, oidx);

	for (uint32_t port = f->outside_lo; port <= hi; port++) {
		uint32_t slot = atomic_load(&o->slots[f->protocol][port]);
		struct nat_mapping *m;
		_Atomic(uint8_t) *lock;

		m = static_at(nat, slot);
		if (!m)
			continue;
		lock = nat_chain_lock(nat, m->chain);
		nat_lock_wait(lock);
		m->flags |= NAT_M_GONE;
		nat_unlock(lock);
	}
}

static void free_ports(struct nat *nat, const struct nat_forward *f,
		       unsigned oidx, uint32_t hi)
{
	struct nat_outside *o = nat_outside_at(nat, oidx);

	for (uint32_t port = f->outside_lo; port <= hi; port++) {
		uint32_t slot = atomic_load(&o->slots[f->protocol][port]);
		struct nat_mapping *m;
		_Atomic(uint8_t) *lock;

		m = static_at(nat, slot);
		if (slot == NAT_SLOT_LOCAL)
			nat_port_free(o, f->protocol, port);
		if (!m)
			continue;
		lock = nat_chain_lock(nat, m->chain);
		nat_lock_wait(lock);
		nat_mapping_unhold(nat, m);
		nat_mapping_unref(nat, m, 0, false);
		nat_unlock(lock);
	}
}

static void unmap_ports(struct nat *nat, const struct nat_forward *f,
			unsigned oidx, uint32_t hi)
{
	close_ports(nat, f, oidx, hi);
	if (f->to_inside)
		nat_end_sessions(nat, is_gone, NULL);
	free_ports(nat, f, oidx, hi);
}

static int map_ports(struct nat *nat, const struct nat_forward *f,
		     unsigned oidx, char **errp)
{
	for (uint32_t port = f->outside_lo; port <= f->outside_hi; port++) {
		int r = map_port(nat, f, oidx, port);

		if (!r)
			continue;
		if (port > f->outside_lo)
			unmap_ports(nat, f, oidx, port - 1);
		return set_error(
			errp, r,
			r == -ENOSPC ? "no room for a forward of port %u"
				     : "port %u is in use by a session; flush "
				       "it, or choose another port",
			port);
	}
	return 0;
}

static int check(const struct nat *nat, const struct nat_forward *f,
		 char **errp)
{
	uint32_t n = f->outside_hi - f->outside_lo + 1;

	if ((f->version != 4 && f->version != 6) ||
	    (f->protocol != NAT_TCP && f->protocol != NAT_UDP))
		return set_error(errp, -EINVAL,
				 "a forward is of TCP or UDP, by IPv4 or IPv6");
	if (!f->outside_lo || f->outside_lo > f->outside_hi ||
	    (f->to_inside && (!f->inside_port || f->inside_port + n > 65536)))
		return set_error(errp, -EINVAL,
				 "a forward's ports are 1 to 65535");
	if ((!f->any_outside && f->outside.version != f->version) ||
	    (f->to_inside && (f->inside.version != f->version ||
			      !nat_is_unicast(f->version, f->inside.ip))))
		return set_error(errp, -EINVAL,
				 "a forward's addresses are not of one version "
				 "or not unicast");
	for (unsigned i = 0; i < nat->n_forwards; i++)
		if (overlaps(f, &nat->forwards[i]))
			return set_error(errp, -EADDRINUSE,
					 "port %u is forwarded already",
					 MAX(f->outside_lo,
					     nat->forwards[i].outside_lo));
	if (nat->n_forward_ports + n > nat->config.max_forwards)
		return set_error(errp, -ENOSPC,
				 "at most %u ports can be forwarded",
				 nat->config.max_forwards);
	return 0;
}

int nat_add_forward(struct nat *nat, const struct nat_forward *f, char **errp)
{
	int r = check(nat, f, errp);

	for (unsigned i = 0; i < NAT_ADDRESSES_MAX && !r; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (!o || !is_for(f, o))
			continue;
		r = map_ports(nat, f, i, errp);
		while (r && i--) {
			o = nat_outside_at(nat, i);
			if (o && is_for(f, o))
				unmap_ports(nat, f, i, f->outside_hi);
		}
		if (r)
			break;
	}
	if (r)
		return r;
	nat->forwards =
		xrealloc(nat->forwards, (nat->n_forwards + 1) * sizeof(*f));
	nat->forwards[nat->n_forwards++] = *f;
	nat->n_forward_ports += f->outside_hi - f->outside_lo + 1;
	return 0;
}

int nat_remove_forward(struct nat *nat, const struct nat_forward *f,
		       char **errp)
{
	unsigned at = 0;

	while (at < nat->n_forwards && !same(f, &nat->forwards[at]))
		at++;
	if (at == nat->n_forwards)
		return set_error(errp, -ENOENT, "there is no such forward");
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (o && is_for(f, o))
			unmap_ports(nat, f, i, f->outside_hi);
	}
	nat->n_forward_ports -= f->outside_hi - f->outside_lo + 1;
	nat->forwards[at] = nat->forwards[--nat->n_forwards];
	return 0;
}

void nat_forwards_apply(struct nat *nat, unsigned oidx)
{
	for (unsigned i = 0; i < nat->n_forwards; i++)
		if (is_for(&nat->forwards[i], nat_outside_at(nat, oidx)))
			map_ports(nat, &nat->forwards[i], oidx, NULL);
}

void nat_forwards_unapply(struct nat *nat, unsigned oidx)
{
	struct nat_outside *o = nat_outside_at(nat, oidx);

	for (unsigned i = 0; i < nat->n_forwards; i++) {
		const struct nat_forward *f = &nat->forwards[i];
		uint32_t slot;

		if (o->addr.version != f->version ||
		    (!f->any_outside && !same_addr(&f->outside, &o->addr)))
			continue;
		slot = atomic_load(&o->slots[f->protocol][f->outside_lo]);
		if (slot) /* not yet done */
			unmap_ports(nat, f, oidx, f->outside_hi);
	}
}
