/*
 * Teaming order: what comes in by a port leaves a bond of its bridge by the
 * first member of the port's list that may send, while the others balance as
 * they did. A change of a member's state takes another snapshot anyhow: so the
 * choice is made here and not for each packet.
 */
#include <string.h>

#include "vswd/private_vlan.h"
#include "vswd/vbond.h"

/* Whether members besides one may send and be sent to at all. */
static bool has_choice(const struct vbond *vb)
{
	const struct bond_config *c;

	if (!vb->applied || !vb->applied->bond)
		return false;
	c = &vb->applied->bond->config;
	return c->policy != BOND_ACTIVE_BACKUP && c->lacp.mode == LACP_OFF;
}

/* The index of a member by its name of n bytes, if it may send; or ANY. */
static uint8_t find_usable(const struct vbond *vb, const char *name, size_t n)
{
	for (unsigned i = 0; i < bond_n_members(vb->bond); i++) {
		const struct bond_member *m = bond_member_at(vb->bond, i);
		struct bond_member_status status;

		if (strncmp(bond_member_name(m), name, n) ||
		    bond_member_name(m)[n])
			continue;
		bond_get_member_status(m, 0, &status);
		return status.enabled ? i : FWD_MEMBER_ANY;
	}
	return FWD_MEMBER_ANY;
}

static uint8_t choose(const struct vbond *vb, const char *order)
{
	static const char separators[] = ", ";
	uint8_t member = FWD_MEMBER_ANY;
	size_t n;

	for (; *order && member == FWD_MEMBER_ANY; order += n) {
		order += strspn(order, separators);
		n = strcspn(order, separators);
		if (n)
			member = find_usable(vb, order, n);
	}
	return member;
}

void teaming_attach(const struct bridge *b)
{
	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];
		const char *order = v->config->teaming_order;

		if (!order || !v->fwd)
			continue;
		for (struct vbond *vb = b->bonds; vb; vb = vb->next) {
			uint8_t member = vb->fwd && has_choice(vb)
						 ? choose(vb, order)
						 : FWD_MEMBER_ANY;

			if (member != FWD_MEMBER_ANY)
				fwd_bond_choose(vb->fwd, v->number, member);
		}
	}
}

void teaming_bond_changed(const struct bridge *b)
{
	for (size_t i = 0; i < b->n_vports; i++)
		if (b->vports[i]->config->teaming_order)
			vport_mark_dirty(b->vs, b->vports[i]);
}

const char *teaming_fault(const struct vport *v)
{
	if (!v->config->teaming_order)
		return NULL;
	for (const struct vbond *vb = v->bridge->bonds; vb; vb = vb->next)
		if (vb->applied && !has_choice(vb))
			return "other_config:teaming-order has no effect on a "
			       "bond of its bridge that has lacp on or "
			       "bond_mode=active-backup, where it is not for "
			       "ports to choose; set other_config:bond-policy="
			       "port-id, and lacp=off";
	return NULL;
}
