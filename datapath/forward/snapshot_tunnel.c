/*
 * VXLAN ports, their remotes, and underlays as parts of a snapshot.
 */
#include <stdlib.h>

#include "forward/stage.h"
#include "tunnel/tunnel.h"

/* Grows a pointer array by one, doubling at powers of two. */
static void *grow(void *array, unsigned n)
{
	if (n & (n - 1))
		return array;
	return xrealloc(array, (n ? 2 * (size_t)n : 1) * sizeof(void *));
}

struct fwd_underlay *fwd_snapshot_add_underlay(struct fwd_snapshot *snapshot,
					       struct fwd_port *port,
					       struct tunnel_demux *demux,
					       bool bridged)
{
	struct fwd_underlay *u = xcalloc(1, sizeof(*u));

	u->demux = demux;
	u->port = port;
	u->bridged = bridged;
	u->next = snapshot->underlays;
	snapshot->underlays = u;
	port->underlay = u;
	return u;
}

struct fwd_tunnel *fwd_port_make_tunnel(struct fwd_snapshot *snapshot,
					struct fwd_port *port,
					struct fwd_underlay *underlay,
					struct tunnel *tunnel,
					unsigned n_remotes, bool single)
{
	struct fwd_tunnel *t = xcalloc(1, sizeof(*t));

	t->tunnel = tunnel;
	t->port = port;
	t->n_remotes = n_remotes;
	t->remotes = xcalloc(MAX(n_remotes, 1u), sizeof(t->remotes[0]));
	t->underlay = underlay;
	t->next = snapshot->tunnels;
	snapshot->tunnels = t;
	underlay->tunnels = grow(underlay->tunnels, underlay->n_tunnels);
	underlay->tunnels[underlay->n_tunnels++] = t;
	port->tunnel = t;
	port->bridge->has_tunnels = true;
	if (single) {
		port->remote = 0;
		port->vni_by_vlan = tunnel_is_by_vlan(tunnel);
		t->remotes[0] = port;
	} else {
		port->remote = TUNNEL_NO_REMOTE;
		port->learns = false;
	}
	return t;
}

struct fwd_port *fwd_tunnel_add_remote(struct fwd_tunnel *tunnel,
				       unsigned index, struct port *port,
				       uint16_t number)
{
	struct fwd_port *m = xmalloc(sizeof(*m));

	*m = *tunnel->port;
	m->port = port;
	m->as = m;
	m->number = number;
	m->remote = index;
	m->learns = true;
	m->vni_by_vlan = tunnel_is_by_vlan(tunnel->tunnel);
	m->pins = NULL;
	tunnel->remotes[index] = m;
	bridge_index_number(m->bridge, m);
	return m;
}

static void free_tunnel(struct fwd_tunnel *t)
{
	for (unsigned i = 0; i < t->n_remotes; i++)
		if (t->remotes[i] != t->port)
			free(t->remotes[i]);
	free(t->remotes);
	tunnel_free(t->tunnel);
	free(t);
}

void snapshot_free_tunnels(struct fwd_snapshot *snapshot)
{
	struct fwd_tunnel *t;
	struct fwd_underlay *u;

	while ((t = snapshot->tunnels)) {
		snapshot->tunnels = t->next;
		free_tunnel(t);
	}
	while ((u = snapshot->underlays)) {
		snapshot->underlays = u->next;
		free(u->tunnels);
		tunnel_demux_free(u->demux);
		free(u);
	}
}
