/*
 * OpenFlow port numbers (Interface:ofport). By precedence, as Open vSwitch has
 * it: the bridge's own port is 65534; who asks for a number (ofport_request)
 * gets it; who has one keeps it, also over a restart, since the number is in
 * the database; the others get the lowest that nobody has or asks for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/switch.h"

LOG_MODULE(bridge);

#define N_OFPORTS 65536

struct numbering {
	struct vport *holder[N_OFPORTS];
	unsigned lowest; /* none below is free */
};

static void hold(struct vswitch *vs, struct numbering *n, struct vport *v,
		 uint16_t ofport)
{
	n->holder[ofport] = v;
	if (v->ofport == ofport)
		return;
	v->ofport = ofport;
	vs->changed = true; /* people see it in the snapshot */
	vport_mark_dirty(vs, v);
}

static bool may_keep(const struct numbering *n, int64_t ofport)
{
	return ofport >= 1 && ofport <= CONFIG_OFPORT_MAX && !n->holder[ofport];
}

/* Those who have what they ask for come before those who want it too. */
static void serve_requests(struct vswitch *vs, struct numbering *n,
			   struct bridge *b, bool held)
{
	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];
		uint16_t want = v->interface->ofport_request;

		if (vport_is_local(v) || !want || (v->ofport == want) != held)
			continue;
		if (!n->holder[want])
			hold(vs, n, v, want);
		else if (n->holder[want] != v && !v->ofport)
			log_warn("interface %s: ofport_request %u is taken by "
				 "%s; another number is used",
				 v->interface->name, want,
				 n->holder[want]->interface->name);
	}
}

static bool is_held(const struct numbering *n, const struct vport *v)
{
	return v->ofport && n->holder[v->ofport] == v;
}

static void keep_numbers(struct vswitch *vs, struct numbering *n,
			 struct bridge *b)
{
	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];

		if (!is_held(n, v) && v->ofport && may_keep(n, v->ofport))
			hold(vs, n, v, v->ofport);
	}
	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];

		if (!is_held(n, v) && !v->ofport &&
		    may_keep(n, v->interface->ofport))
			hold(vs, n, v, v->interface->ofport);
	}
}

static void give_numbers(struct vswitch *vs, struct numbering *n,
			 struct bridge *b)
{
	for (size_t i = 0; i < b->n_vports; i++) {
		struct vport *v = b->vports[i];

		if (is_held(n, v))
			continue;
		while (n->lowest <= CONFIG_OFPORT_MAX && n->holder[n->lowest])
			n->lowest++;
		if (n->lowest <= CONFIG_OFPORT_MAX)
			hold(vs, n, v, n->lowest);
	}
}

/* Takes out what this bridge has put in, for the next one. */
static void clear(struct numbering *n, const struct bridge *b)
{
	for (size_t i = 0; i < b->n_vports; i++)
		n->holder[b->vports[i]->ofport] = NULL;
}

void bridge_assign_ofports(struct vswitch *vs, struct bridge *b)
{
	/* Kept, since it is large and nearly empty. */
	struct numbering *n = vs->numbering;

	if (!n)
		n = vs->numbering = xcalloc(1, sizeof(*n));
	n->lowest = 1;
	for (size_t i = 0; i < b->n_vports; i++)
		if (vport_is_local(b->vports[i]))
			hold(vs, n, b->vports[i], OFPORT_LOCAL);
	serve_requests(vs, n, b, true);
	serve_requests(vs, n, b, false);
	keep_numbers(vs, n, b);
	give_numbers(vs, n, b);
	clear(n, b);
}
