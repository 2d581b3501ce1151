/*
 * A snapshot's copy for a trace. What is a snapshot's own and has pointers into
 * itself is copied and points into the copy; what lives longer (FDBs), or only
 * says how things are (tunnels, routers), is shared and only read. Each port
 * becomes a stand-in.
 */
#include <stdlib.h>
#include <string.h>

#include "bond/bond_table.h"
#include "forward/mirror.h"
#include "forward/trace_internal.h"

void trace_keep(struct trace *t, void *piece)
{
	if (!(t->n_pieces & (t->n_pieces - 1)))
		t->pieces = xrealloc(t->pieces,
				     MAX(2 * (size_t)t->n_pieces, (size_t)1) *
					     sizeof(t->pieces[0]));
	t->pieces[t->n_pieces++] = piece;
}

void *trace_alloc(struct trace *t, size_t size)
{
	void *piece = xcalloc_aligned(1, MAX(size, (size_t)1));

	trace_keep(t, piece);
	return piece;
}

static void *copy(struct trace *t, const void *from, size_t size)
{
	void *to = trace_alloc(t, size);

	if (size)
		memcpy(to, from, size);
	return to;
}

/* Others find the copy by the original. */
static void *pair(struct trace *t, const void *original, size_t size)
{
	void *to = copy(t, original, size);

	if (!(t->n_pairs & (t->n_pairs - 1)))
		t->pairs = xrealloc(t->pairs,
				    MAX(2 * (size_t)t->n_pairs, (size_t)1) *
					    sizeof(t->pairs[0]));
	t->pairs[t->n_pairs++] = (struct trace_pair){ original, to };
	return to;
}

static int compare_pairs(const void *a_, const void *b_)
{
	const struct trace_pair *a = a_, *b = b_;

	return a->original < b->original ? -1 : a->original > b->original;
}

void *trace_copy_of(const struct trace *t, const void *original)
{
	const struct trace_pair key = { .original = original };
	const struct trace_pair *found;

	if (!original || !t->n_pairs)
		return NULL;
	found = bsearch(&key, t->pairs, t->n_pairs, sizeof(key), compare_pairs);
	return found ? found->copy : NULL;
}

/* --- ports -----------------------------------------------------------------
 */

static struct trace_port *stand_in(struct trace *t, struct fwd_port *p)
{
	struct trace_port *tp = trace_alloc(t, sizeof(*tp));
	const struct port *from = p->port;

	tp->trace = t;
	tp->original = p->port;
	tp->fwd = p;
	tp->up.class = &trace_port_class;
	tp->up.name = from->name;
	tp->up.serial = from->serial;
	/* All is finished, so that what is kept is what is on the wire. */
	tp->up.tx_offloads = 0;
	tp->up.mtu = atomic_load(&from->mtu);
	tp->up.tx_enabled = atomic_load(&from->tx_enabled);
	tp->up.n_threads = 1;
	tp->up.counters[0] = trace_alloc(t, sizeof(struct port_counters));
	tp->txq.port = &tp->up;
	tp->txqs[0] = &tp->txq;
	tp->up.txqs = tp->txqs;
	tp->up.n_txqs = 1;
	tp->next = t->ports;
	t->ports = tp;
	p->port = &tp->up;
	return tp;
}

static struct punt *copy_punt(struct trace *t, struct trace_port *tp,
			      const struct punt *from)
{
	struct punt *to = &tp->punt;

	to->ring = t->ring;
	to->id = from->id;
	for (unsigned i = 0; i < N_PUNT_KINDS; i++)
		to->due[i] = atomic_load_explicit(&from->due[i],
						  memory_order_relaxed);
	to->due_link =
		atomic_load_explicit(&from->due_link, memory_order_relaxed);
	return to;
}

static struct fwd_port *copy_port(struct trace *t, const struct fwd_port *from)
{
	struct fwd_port *p = pair(t, from, sizeof(*p));
	struct trace_port *tp = stand_in(t, p);

	p->capture = NULL;
	p->pins = NULL;
	if (p->punt)
		p->punt = copy_punt(t, tp, p->punt);
	return p;
}

static void copy_bond(struct trace *t, struct fwd_port *p)
{
	struct fwd_bond *bond = copy(t, p->bond, sizeof(*bond));
	struct bond_table *table = copy(t, bond->table, sizeof(*table));

	table->loads = NULL;
	table->n_loads = 0;
	bond->table = table;
	bond->members = copy(t, bond->members,
			     bond->n_members * sizeof(struct fwd_port *));
	for (unsigned i = 0; i < bond->n_members; i++)
		if (bond->members[i])
			bond->members[i] = copy_port(t, bond->members[i]);
	p->bond = bond;
}

static void copy_bridge(struct trace *t, const struct fwd_bridge *from)
{
	struct fwd_bridge *b = pair(t, from, sizeof(*b));

	b->traced = true;
	b->notes_announced = false;
	b->ports = copy(t, b->ports, b->n_ports * sizeof(struct fwd_port *));
	b->by_number =
		copy(t, b->by_number, b->n_numbers * sizeof(struct fwd_port *));
	for (unsigned i = 0; i < b->n_ports; i++) {
		b->ports[i] = copy_port(t, b->ports[i]);
		if (b->ports[i]->bond)
			copy_bond(t, b->ports[i]);
	}
}

static void copy_tunnel(struct trace *t, const struct fwd_tunnel *from)
{
	struct fwd_tunnel *tunnel = pair(t, from, sizeof(*tunnel));

	tunnel->remotes = copy(t, tunnel->remotes,
			       tunnel->n_remotes * sizeof(struct fwd_port *));
	for (unsigned i = 0; i < tunnel->n_remotes; i++)
		if (from->remotes[i] && from->remotes[i] != from->port)
			copy_port(t, from->remotes[i]);
}

/* --- what they point to ----------------------------------------------------
 */

static void point(const struct trace *t, struct fwd_port *p)
{
	p->bridge = trace_copy_of(t, p->bridge);
	p->as = trace_copy_of(t, p->as);
	p->patch_peer = trace_copy_of(t, p->patch_peer);
	p->gateway = trace_copy_of(t, p->gateway);
	p->tunnel = trace_copy_of(t, p->tunnel);
	p->underlay = trace_copy_of(t, p->underlay);
}

/* Mirrors count at the trace's own counters, of one thread. */
static void copy_mirrors(struct trace *t, struct fwd_bridge *b)
{
	b->mirrors =
		copy(t, b->mirrors, b->n_mirrors * sizeof(struct fwd_mirror *));
	for (unsigned i = 0; i < b->n_mirrors; i++) {
		struct fwd_mirror *m =
			copy(t, b->mirrors[i], sizeof(struct fwd_mirror));

		m->out = trace_copy_of(t, m->out);
		m->counters = trace_alloc(t, sizeof(*m->counters));
		b->mirrors[i] = m;
	}
}

static void point_bridge(struct trace *t, struct fwd_bridge *b)
{
	copy_mirrors(t, b);
	for (unsigned i = 0; i < b->n_numbers; i++)
		b->by_number[i] = trace_copy_of(t, b->by_number[i]);
}

static void point_tunnel(const struct trace *t, struct fwd_tunnel *tunnel)
{
	tunnel->port = trace_copy_of(t, tunnel->port);
	tunnel->underlay = trace_copy_of(t, tunnel->underlay);
	for (unsigned i = 0; i < tunnel->n_remotes; i++)
		tunnel->remotes[i] = trace_copy_of(t, tunnel->remotes[i]);
}

static void point_underlay(struct trace *t, struct fwd_underlay *u)
{
	u->port = trace_copy_of(t, u->port);
	u->tunnels =
		copy(t, u->tunnels, u->n_tunnels * sizeof(struct fwd_tunnel *));
	for (unsigned i = 0; i < u->n_tunnels; i++)
		u->tunnels[i] = trace_copy_of(t, u->tunnels[i]);
}

static void point_gateway(const struct trace *t, struct fwd_gateway *g)
{
	for (unsigned i = 0; i < FWD_GATEWAY_SIDES; i++)
		g->ports[i] = trace_copy_of(t, g->ports[i]);
}

void trace_copy_snapshot(struct trace *t, const struct fwd_snapshot *s)
{
	for (unsigned i = 0; i < s->n_bridges; i++)
		copy_bridge(t, s->bridges[i]);
	for (struct fwd_tunnel *f = s->tunnels; f; f = f->next)
		copy_tunnel(t, f);
	for (struct fwd_underlay *u = s->underlays; u; u = u->next)
		pair(t, u, sizeof(*u));
	for (struct fwd_gateway *g = s->gateways; g; g = g->next)
		pair(t, g, sizeof(*g));
	if (t->n_pairs)
		qsort(t->pairs, t->n_pairs, sizeof(t->pairs[0]), compare_pairs);

	for (struct trace_port *tp = t->ports; tp; tp = tp->next) {
		point(t, (struct fwd_port *)tp->fwd);
		trace_copy_policies(t, (struct fwd_port *)tp->fwd);
	}
	for (unsigned i = 0; i < s->n_bridges; i++)
		point_bridge(t, trace_copy_of(t, s->bridges[i]));
	for (struct fwd_tunnel *f = s->tunnels; f; f = f->next)
		point_tunnel(t, trace_copy_of(t, f));
	for (struct fwd_underlay *u = s->underlays; u; u = u->next)
		point_underlay(t, trace_copy_of(t, u));
	for (struct fwd_gateway *g = s->gateways; g; g = g->next)
		point_gateway(t, trace_copy_of(t, g));
}

void trace_free_copy(struct trace *t)
{
	for (unsigned i = 0; i < t->n_pieces; i++)
		free(t->pieces[i]);
	free(t->pieces);
	free(t->pairs);
}
