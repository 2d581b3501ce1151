/*
 * Bonds of the running switch: made, configured and undone as the database
 * says; who their members are.
 */
#include "vswd/vbond.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "port/counting.h"
#include "vswd/private_vlan.h"

LOG_MODULE(bond);

/* --- by name ---------------------------------------------------------------
 */

struct vbond *bridge_find_bond(const struct bridge *b, const struct uuid *port)
{
	for (struct vbond *vb = b->bonds; vb; vb = vb->next)
		if (uuid_equals(&vb->config->uuid, port))
			return vb;
	return NULL;
}

struct vbond *vswitch_find_bond(const struct vswitch *vs, const char *name)
{
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			if (!strcmp(vb->config->name, name))
				return vb;
	return NULL;
}

static struct vport *find_vport(const struct vbond *vb, const char *name)
{
	for (size_t i = 0; i < vb->n_members; i++)
		if (!strcmp(vb->members[i]->interface->name, name))
			return vb->members[i];
	return NULL;
}

struct vport *vbond_find_vport(const struct vbond *vb,
			       const struct bond_member *member)
{
	return find_vport(vb, bond_member_name(member));
}

struct bond_member *vport_bond_member(const struct vport *v)
{
	if (!v->bond || !v->bond->applied)
		return NULL;
	return bond_find_member(v->bond->bond, v->interface->name);
}

static bool comes_before(const struct vport *a, const struct vport *b)
{
	if (!a->port != !b->port)
		return a->port;
	return a->ofport < b->ofport;
}

struct vport *vbond_first_member(const struct vbond *vb)
{
	struct vport *first = NULL;

	for (size_t i = 0; i < vb->n_members; i++)
		if (!first || comes_before(vb->members[i], first))
			first = vb->members[i];
	return first;
}

/* --- members ---------------------------------------------------------------
 */

void vbond_join(struct vbond *vb, struct vport *v)
{
	struct bridge *b = vb->bridge;

	/* A port that becomes a bond keeps the addresses learned there. */
	if (!vb->number)
		vb->number = v->number ? v->number : bridge_take_number(b);
	if (vb->number)
		bridge_hold_number(b, vb->number, NULL, vb);
	v->number = vb->number;
	v->bond = vb;
	vb->members = xrealloc(vb->members, (vb->n_members + 1) * sizeof(v));
	vb->members[vb->n_members++] = v;
}

void vbond_leave(struct vport *v, bool keep_number)
{
	struct vbond *vb = v->bond;

	vbond_member_leaves(v);
	for (size_t i = 0; i < vb->n_members; i++)
		if (vb->members[i] == v)
			vb->members[i] = vb->members[--vb->n_members];
	v->bond = NULL;
	if (keep_number && v->number) {
		bridge_hold_number(vb->bridge, v->number, v, NULL);
		vb->number = 0;
		/* The others, which go, take no addresses with them. */
		for (size_t i = 0; i < vb->n_members; i++)
			vb->members[i]->number = 0;
	}
	vb->vs->changed = true;
}

bool vbond_has_other_open(const struct vport *v)
{
	const struct vbond *vb = v->bond;

	for (size_t i = 0; i < vb->n_members; i++)
		if (vb->members[i] != v && vb->members[i]->port)
			return true;
	return false;
}

bool vbond_has_other_link(const struct vport *v)
{
	const struct vbond *vb = v->bond;

	for (size_t i = 0; i < vb->n_members; i++)
		if (vb->members[i] != v && vb->members[i]->port &&
		    vb->members[i]->status.link_up)
			return true;
	return false;
}

/* --- LACP's names ----------------------------------------------------------
 */

static bool key_is_taken(const struct vbond *vb, uint16_t key)
{
	for (const struct vbond *o = vb->bridge->bonds; o; o = o->next)
		if (o != vb && o->lacp_key == key)
			return true;
	return false;
}

/*
 * As long as the bond lives, or its partners would see other links whenever a
 * member comes or goes; and no other bond's of the system.
 */
static uint16_t find_key(struct vbond *vb, const struct vbond_ids *ids,
			 unsigned n)
{
	for (unsigned i = 0; i < n && !vb->lacp_key; i++)
		if (!key_is_taken(vb, ids->port[i]))
			vb->lacp_key = ids->port[i];
	return vb->lacp_key ? vb->lacp_key : MAX(vb->number, 1);
}

/* What somebody has set the bridge's address to; 0: nobody has. */
static uint64_t configured_address(const struct bridge *b)
{
	if (b->config->hwaddr)
		return b->config->hwaddr;
	for (size_t i = 0; i < b->n_vports; i++)
		if (vport_is_local(b->vports[i]))
			return b->vports[i]->interface->mac;
	return 0;
}

/*
 * The bridge's address. One that is set is followed, and links negotiate anew;
 * but not one that comes of the devices that are there: that another device
 * comes or goes is no reason for all bonds to begin again.
 */
static uint64_t find_system(const struct vbond *vb)
{
	struct bridge *b = vb->bridge;
	uint64_t set = configured_address(b);

	if (set)
		b->lacp_system = set;
	else if (!b->lacp_system)
		b->lacp_system = bridge_address(b);
	return b->lacp_system;
}

static bool has_port_id(const struct vbond_ids *ids, unsigned n, uint16_t id)
{
	for (unsigned i = 0; i < n; i++)
		if (ids->port[i] == id)
			return true;
	return false;
}

/* What is set, then ofports, which are unique in a bridge, then what is free.
 */
static void find_port_ids(const struct vbond *vb, const struct cfg_bond *config,
			  struct vbond_ids *ids, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ids->port[i] = config->members[i].lacp.id;
	for (unsigned i = 0; i < n; i++) {
		const struct vport *v = find_vport(vb, config->members[i].name);
		uint16_t id = v ? v->ofport : 0;

		if (ids->port[i])
			continue;
		if (!id || has_port_id(ids, n, id))
			for (id = 1; has_port_id(ids, n, id); id++)
				;
		ids->port[i] = id;
	}
}

/* The configuration with LACP's names in it; members has room for all. */
static void complete(const struct cfg_bond *from, const struct vbond_ids *ids,
		     struct bond_config *to,
		     struct bond_member_config members[])
{
	*to = from->config;
	to->members = members;
	if (!to->lacp.system_id)
		to->lacp.system_id = ids->system;
	to->lacp.key = ids->key;
	for (unsigned i = 0; i < to->n_members; i++) {
		members[i] = from->members[i];
		members[i].lacp.id = ids->port[i];
	}
}

/* --- configuration ---------------------------------------------------------
 */

/* Why it cannot be, in one line (freed by the caller), or NULL. */
static char *contradiction(const struct vbond *vb,
			   const struct cfg_port *config)
{
	struct bond_member_config members[BOND_MEMBERS_MAX];
	struct vbond_ids ids = { .system = 1, .key = 1 };
	const struct cfg_bond *bond = config->bond;
	struct bond_config c;

	if (bond->error)
		return xstrdup(bond->error);
	if (bond->config.n_members > BOND_MEMBERS_MAX)
		return xasprintf("%u interfaces: a bond has %d at most",
				 bond->config.n_members, BOND_MEMBERS_MAX);
	find_port_ids(vb, bond, &ids, bond->config.n_members);
	complete(bond, &ids, &c, members);
	return bond_config_check(&c);
}

/* Takes over the text. */
static void refuse(struct vbond *vb, char *why)
{
	if (why && (!vb->error || strcmp(vb->error, why)))
		log_warn("bond %s: %s; %s", vb->config->name, why,
			 vb->good ? "it goes on by its settings before that"
				  : "it is not made");
	free(vb->error);
	vb->error = why;
	vb->vs->changed = true;
	for (size_t i = 0; i < vb->n_members; i++)
		vport_mark_dirty(vb->vs, vb->members[i]);
}

static void replace(struct cfg_port **place, const struct cfg_port *config)
{
	struct cfg_port *old = *place;

	*place = config ? cfg_port_ref(config) : NULL;
	cfg_port_unref(old);
}

static struct vbond *create(struct vswitch *vs, struct bridge *b,
			    const struct cfg_port *config)
{
	struct vbond *vb = xcalloc(1, sizeof(*vb)), **p = &b->bonds;

	vb->vs = vs;
	vb->bridge = b;
	vb->config = cfg_port_ref(config);
	vb->port = port_counting_open(config->name,
				      worker_pool_count(vs->pool) + 1);
	vbond_start(vb);
	while (*p)
		p = &(*p)->next;
	*p = vb;
	log_info("bridge %s: bond %s added", b->name, config->name);
	return vb;
}

struct vbond *vbond_want(struct vswitch *vs, struct bridge *b,
			 const struct cfg_port *config)
{
	struct vbond *vb = bridge_find_bond(b, &config->uuid);
	char *why;

	if (vb && vb->config == config) {
		vb->seen = true;
		return vb;
	}
	if (!vb)
		vb = create(vs, b, config);
	vb->seen = true;
	replace(&vb->config, config);
	why = contradiction(vb, config);
	if (!why)
		replace(&vb->good, config);
	refuse(vb, why);
	vs->changed = true;
	return vb;
}

/* The members that it works by do not come from its configuration any more. */
static void give_up(struct vbond *vb, char *why)
{
	replace(&vb->good, vb->applied);
	refuse(vb, why);
	for (size_t i = 0; !vb->good && i < vb->n_members; i++)
		vport_close(vb->vs, vb->members[i]);
}

static void tell_links(struct vbond *vb)
{
	for (unsigned i = 0; i < bond_n_members(vb->bond); i++) {
		struct vport *v =
			vbond_find_vport(vb, bond_member_at(vb->bond, i));

		if (v)
			vbond_member_changed(v);
	}
}

void vbond_published(struct vbond *vb)
{
	if (!vb->applied)
		return;
	tell_links(vb);
	bond_published(vb->bond);
	vbond_arm(vb);
}

void vbond_apply(struct vbond *vb)
{
	struct bond_member_config members[BOND_MEMBERS_MAX];
	const struct cfg_bond *config;
	struct vbond_ids ids = { 0 };
	struct bond_config c;
	bool first = !vb->applied;
	char *why;

	if (!vb->good)
		return;
	config = vb->good->bond;
	ids.system = find_system(vb);
	find_port_ids(vb, config, &ids, config->config.n_members);
	ids.key = find_key(vb, &ids, config->config.n_members);
	if (vb->applied == vb->good && !memcmp(&ids, &vb->ids, sizeof(ids)))
		return;
	complete(config, &ids, &c, members);
	why = bond_configure(vb->bond, &c, vswitch_now_ms());
	if (why) {
		give_up(vb, why);
		return;
	}
	replace(&vb->applied, vb->good);
	vb->ids = ids;
	teaming_bond_changed(vb->bridge);
	if (first)
		bond_restore_active(vb->bond, config->active_mac,
				    vswitch_now_ms());
	/* A port that works becomes a member that does, with no gap between. */
	tell_links(vb);
	vbond_watch(vb);
	vbond_arm(vb);
}

void vbond_destroy(struct vbond *vb)
{
	struct doomed_port *d = vswitch_doom(vb->vs, vb->bridge);
	struct vbond **p = &vb->bridge->bonds;

	log_info("bridge %s: bond %s removed", vb->bridge->name,
		 vb->config->name);
	d->port = vb->port;
	d->bond = vb->bond;
	d->policy = vb->policy;
	d->number = vb->number;
	d->fate = NUMBER_FREED;
	bridge_orphan_number(vb->bridge, vb->number);
	teaming_bond_changed(vb->bridge);
	while (*p != vb)
		p = &(*p)->next;
	*p = vb->next;
	vbond_stop(vb);
	cfg_port_unref(vb->config);
	cfg_port_unref(vb->good);
	cfg_port_unref(vb->applied);
	free(vb->members);
	free(vb->error);
	free(vb);
}
