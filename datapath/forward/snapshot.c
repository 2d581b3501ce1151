#include "forward/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "forward/policies.h"
#include "forward/stage.h"

struct fwd_snapshot *fwd_snapshot_create(uint64_t generation)
{
	struct fwd_snapshot *s = xcalloc(1, sizeof(*s));

	s->generation = generation;
	return s;
}

static void bond_destroy(struct fwd_bond *bond)
{
	if (!bond)
		return;
	for (unsigned i = 0; i < bond->n_members; i++) {
		if (bond->members[i])
			free(bond->members[i]->ingress);
		free(bond->members[i]);
	}
	free(bond->members);
	free(bond->chosen);
	free((void *)bond->table);
	free(bond);
}

static void bridge_destroy(struct fwd_bridge *bridge)
{
	for (unsigned i = 0; i < bridge->n_ports; i++) {
		bond_destroy(bridge->ports[i]->bond);
		if (bridge->ports[i]->ingress)
			free((void *)bridge->ports[i]->ingress->guard);
		free(bridge->ports[i]->ingress);
		free(bridge->ports[i]->stations);
		free(bridge->ports[i]->egress);
		free(bridge->ports[i]);
	}
	for (unsigned i = 0; i < bridge->n_mirrors; i++)
		free(bridge->mirrors[i]);
	free(bridge->mirrors);
	free(bridge->ports);
	free(bridge->by_number);
	free(bridge->primaries);
	free((char *)bridge->name);
	free(bridge);
}

void fwd_snapshot_destroy(struct fwd_snapshot *snapshot)
{
	struct fwd_gateway *gateway, *next;

	if (!snapshot)
		return;
	snapshot_free_tunnels(snapshot);
	for (gateway = snapshot->gateways; gateway; gateway = next) {
		next = gateway->next;
		free(gateway->router);
		free(gateway);
	}
	for (unsigned i = 0; i < snapshot->n_bridges; i++)
		bridge_destroy(snapshot->bridges[i]);
	free(snapshot->bridges);
	for (unsigned i = 0; i < snapshot->n_rxqs; i++)
		if (!--snapshot->rxqs[i].queue->refs)
			free(snapshot->rxqs[i].queue);
	free(snapshot->rxqs);
	free(snapshot);
}

/* Grows a pointer array by one, doubling at powers of two. */
static void *grow(void *array, unsigned n, size_t size)
{
	if (n & (n - 1))
		return array;
	return xrealloc(array, (n ? 2 * (size_t)n : 1) * size);
}

struct fwd_bridge *fwd_snapshot_add_bridge(struct fwd_snapshot *snapshot,
					   const char *name, struct fdb *fdb)
{
	struct fwd_bridge *bridge = xcalloc(1, sizeof(*bridge));

	bridge->name = xstrdup(name);
	bridge->fdb = fdb;
	snapshot->bridges = grow(snapshot->bridges, snapshot->n_bridges,
				 sizeof(struct fwd_bridge *));
	snapshot->bridges[snapshot->n_bridges++] = bridge;
	return bridge;
}

static void vlan_set_assign(struct vlan_set *set, const struct vlan_set *from)
{
	if (from)
		*set = *from;
	else
		memset(set, 0xff, sizeof(*set));
	/* 4095 is reserved (IEEE 802.1Q table 9-2). */
	set->bits[VLAN_N / 64 - 1] &= ~(1ull << 63);
}

/* 4095 belongs to nobody: such a port takes and gives nothing of it. */
static void refuse_reserved(struct fwd_port *p)
{
	vlan_set_remove(&p->vlans, VLAN_N - 1);
	if (p->native_vid != VLAN_N - 1)
		return;
	p->native_vid = VLAN_VID_NONE;
	p->is_tunnel = false;
}

/* Works the settings out to what the pipeline tests a packet against. */
static void apply_vlan_config(struct fwd_port *p, const struct vlan_config *c)
{
	p->tpid = ETH_TYPE_VLAN;
	p->priority_tags = c->priority_tags;
	p->untagged_vid = VLAN_VID_NONE;
	p->native_vid = VLAN_VID_NONE;
	switch (c->mode) {
	case VLAN_DOT1Q_TUNNEL:
		p->is_tunnel = true;
		p->tpid = c->qinq_tpid;
		vlan_set_assign(&p->cvlans, c->cvlans);
		p->filters_customers = c->cvlans != NULL;
		/* Towards the customer the outer tag goes, as on access. */
		/* fall through */
	case VLAN_ACCESS:
		vlan_set_add(&p->vlans, c->tag);
		p->native_vid = c->tag;
		p->untagged_vid = c->tag;
		break;
	case VLAN_TRUNK:
		p->accepts_tagged = true;
		vlan_set_assign(&p->vlans, c->trunks);
		if (vlan_set_has(&p->vlans, 0))
			p->native_vid = 0;
		break;
	case VLAN_NATIVE_UNTAGGED:
		p->untagged_vid = c->tag;
		/* fall through */
	case VLAN_NATIVE_TAGGED:
		p->accepts_tagged = true;
		vlan_set_assign(&p->vlans, c->trunks);
		/* VLAN 0 leaves untagged and would come back as native. */
		vlan_set_remove(&p->vlans, 0);
		vlan_set_add(&p->vlans, c->tag);
		p->native_vid = c->tag;
		break;
	}
	refuse_reserved(p);
}

/* Untagged packets of the VLAN that leaves untagged need nothing done. */
static void find_plain(struct fwd_port *p)
{
	p->odd_tags = p->priority_tags || p->filters_customers;
	p->plain.word = UINT64_MAX;
	if (p->priority_tags == PRIORITY_TAGS_ALWAYS || p->filters_customers)
		return;
	if (p->untagged_vid != VLAN_VID_NONE)
		p->plain = (struct vlan_state){ .vid = p->untagged_vid };
	else if (vlan_set_has(&p->vlans, 0))
		p->plain.word = 0;
}

void bridge_index_number(struct fwd_bridge *bridge, struct fwd_port *p)
{
	unsigned n = p->number + 1u;

	if (n > bridge->n_numbers) {
		n = round_up_pow2(n);
		bridge->by_number = xrealloc(bridge->by_number, n * sizeof(p));
		memset(bridge->by_number + bridge->n_numbers, 0,
		       (n - bridge->n_numbers) * sizeof(p));
		bridge->n_numbers = n;
	}
	bridge->by_number[p->number] = p;
}

struct fwd_port *fwd_bridge_add_port(struct fwd_bridge *bridge,
				     struct port *port, uint16_t number,
				     const struct vlan_config *vlan)
{
	struct fwd_port *p = xcalloc(1, sizeof(*p));

	p->port = port;
	p->bridge = bridge;
	p->as = p;
	p->number = number;
	p->slot = bridge->n_ports;
	p->learns = true;
	p->floods = true;
	apply_vlan_config(p, vlan);
	find_plain(p);
	bridge->ports = grow(bridge->ports, bridge->n_ports, sizeof(p));
	bridge->ports[bridge->n_ports++] = p;
	bridge_index_number(bridge, p);
	return p;
}

void fwd_port_make_bond(struct fwd_port *port, struct bond_table *table)
{
	port->bond = xcalloc(1, sizeof(*port->bond));
	port->bond->table = table;
}

/* Bonds are few, and their members: one allocation each does no harm. */
struct fwd_port *fwd_bond_add_member(struct fwd_port *bond, struct port *port,
				     unsigned filter)
{
	struct fwd_bond *b = bond->bond;
	struct fwd_port *m = NULL;

	if (filter & FWD_FILTER_MOVED)
		bond->bridge->notes_announced = true;
	if (port) {
		m = xmalloc(sizeof(*m));
		*m = *bond;
		m->port = port;
		m->as = bond;
		m->bond = NULL;
		m->punt = NULL;
		m->punts = 0;
		m->filter = filter;
		m->capture = NULL;
		m->ingress = NULL;
		m->egress = NULL;
		m->stations = NULL;
		m->pins = NULL;
	}
	b->members = grow(b->members, b->n_members, sizeof(m));
	b->members[b->n_members++] = m;
	return m;
}

struct fwd_gateway *fwd_snapshot_add_gateway(struct fwd_snapshot *snapshot,
					     struct router *router)
{
	struct fwd_gateway *gateway = xcalloc(1, sizeof(*gateway));

	gateway->router = router;
	gateway->next = snapshot->gateways;
	snapshot->gateways = gateway;
	return gateway;
}

void fwd_port_set_gateway(struct fwd_port *port, struct fwd_gateway *gateway,
			  unsigned side)
{
	port->gateway = gateway;
	port->gateway_side = side;
	gateway->ports[side] = port;
}

struct fwd_ingress *fwd_port_ingress(struct fwd_port *port)
{
	if (!port->ingress)
		port->ingress = xcalloc(1, sizeof(*port->ingress));
	return port->ingress;
}

struct fwd_egress *fwd_port_egress(struct fwd_port *port)
{
	if (!port->egress)
		port->egress = xcalloc(1, sizeof(*port->egress));
	return port->egress;
}

void fwd_port_set_stations(struct fwd_port *port, const uint64_t *macs,
			   unsigned n)
{
	struct fwd_stations *s = xmalloc(sizeof(*s) + n * sizeof(*macs));

	s->n = n;
	for (unsigned i = 0; i < n; i++)
		s->macs[i] = macs[i];
	free(port->stations);
	port->stations = s;
}

void fwd_port_connect(struct fwd_port *a, struct fwd_port *b)
{
	a->patch_peer = b;
	b->patch_peer = a;
}

struct fwd_bridge *fwd_snapshot_find_bridge(const struct fwd_snapshot *snapshot,
					    const char *name)
{
	for (unsigned i = 0; i < snapshot->n_bridges; i++)
		if (!strcmp(snapshot->bridges[i]->name, name))
			return snapshot->bridges[i];
	return NULL;
}
