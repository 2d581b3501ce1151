/*
 * From snooped frames to guards (port_snoop.h). A guard reads a list that is
 * replaced as a whole; the one before it is freed when the workers have passed
 * a point at which they cannot have it any more.
 */
#include "vswd/port_snoop.h"

#include <stdlib.h>
#include <string.h>

#include "forward/policies.h"
#include "policy/guard.h"
#include "vswd/frames.h"
#include "vswd/port_policy.h"
#include "vswd/port_snoop_file.h"
#include "vswd/vbond.h"

struct port_snoop {
	struct snoops *all;
	char *name;
	struct dhcp_snoop *snoop;
	/* What guards read; allowed_ips of our own. */
	const struct allowed_ips *_Atomic leased;
	struct port_snoop *next, **at; /* in snoops.ports */
};

struct retired {
	struct retired *next;
	const struct allowed_ips *ips;
};

/* Those of all ports. */
struct snoops {
	struct vswitch *vs;
	struct port_snoop *ports;
	struct retired *retired; /* that a worker may still read */
	uint64_t next_ms;	 /* nothing ends before */
	bool to_save, stopping;
	struct snoop_file *file; /* what is remembered, until it is asked for */
};

static struct snoops *get_snoops(struct vswitch *vs)
{
	struct snoops *all = vs->snoops;

	if (all)
		return all;
	all = xcalloc(1, sizeof(*all));
	all->vs = vs;
	all->next_ms = SNOOP_NEVER;
	all->file = snoop_file_read(vs->run_dir);
	vs->snoops = all;
	return all;
}

/* --- what guards read ------------------------------------------------------
 */

static void show_guards(struct port_snoop *ps)
{
	const struct allowed_ips *old = atomic_load(&ps->leased);
	struct snoops *all = ps->all;

	atomic_store_explicit(&ps->leased, dhcp_snoop_allowed(ps->snoop),
			      memory_order_release);
	if (old) {
		struct retired *r = xcalloc(1, sizeof(*r));

		r->ips = old;
		r->next = all->retired;
		all->retired = r;
	}
	all->next_ms = MIN(all->next_ms, dhcp_snoop_next_ms(ps->snoop));
	all->to_save = true;
}

static void free_retired(struct snoops *all)
{
	struct retired *r;

	while ((r = all->retired)) {
		all->retired = r->next;
		free((void *)r->ips);
		free(r);
	}
}

/* --- a port ----------------------------------------------------------------
 */

static void recall(struct port_snoop *ps)
{
	uint64_t now_ms = vswitch_now_ms();
	struct dhcp_binding b;

	while (snoop_file_take(ps->all->file, ps->name, &b))
		dhcp_snoop_restore(ps->snoop, &b);
	dhcp_snoop_run(ps->snoop, now_ms);
	show_guards(ps);
}

const struct allowed_ips *_Atomic *port_snoop_leased(struct vswitch *vs,
						     const char *name,
						     struct port_snoop **snoop)
{
	struct port_snoop *ps = *snoop;

	if (ps)
		return &ps->leased;
	ps = *snoop = xcalloc(1, sizeof(*ps));
	ps->all = get_snoops(vs);
	ps->name = xstrdup(name);
	ps->snoop = dhcp_snoop_create();
	ps->next = ps->all->ports;
	if (ps->next)
		ps->next->at = &ps->next;
	ps->at = &ps->all->ports;
	ps->all->ports = ps;
	recall(ps);
	return &ps->leased;
}

void port_snoop_free(struct port_snoop *ps)
{
	if (!ps)
		return;
	*ps->at = ps->next;
	if (ps->next)
		ps->next->at = ps->at;
	if (!ps->all->stopping)
		ps->all->to_save = true;
	dhcp_snoop_destroy(ps->snoop);
	free((void *)atomic_load(&ps->leased));
	free(ps->name);
	free(ps);
}

const struct dhcp_snoop *port_snoop_of(const struct vport *v)
{
	return v->policy && v->policy->snoop ? v->policy->snoop->snoop : NULL;
}

void port_snoop_attach(struct vswitch *vs, struct vport *v,
		       struct fwd_port *port)
{
	const struct fwd_ingress *in = port->ingress;

	if (!in || !in->guard || !in->guard->rules.allowed.leased ||
	    !frames_want_dhcp(vs, v, port))
		return;
	fwd_port_ingress(port)->snoops = true;
	fwd_port_egress(port)->snoops = true;
}

void port_snoop_receive(struct vport *v, const struct punt_record *r)
{
	struct port_snoop *ps = v->policy ? v->policy->snoop : NULL;

	if (ps && dhcp_snoop_frame(ps->snoop, r->data, r->len,
				   r->vid == PUNT_DHCP_ASKED, vswitch_now_ms()))
		show_guards(ps);
	else if (ps && r->vid == PUNT_DHCP_ANSWERED)
		ps->all->to_save = true; /* it may have been prolonged */
}

/* --- all of them ----------------------------------------------------------
 */

static void run_all(struct snoops *all, uint64_t now_ms)
{
	if (now_ms < all->next_ms)
		return;
	all->next_ms = SNOOP_NEVER;
	for (struct port_snoop *ps = all->ports; ps; ps = ps->next) {
		if (dhcp_snoop_run(ps->snoop, now_ms))
			show_guards(ps);
		all->next_ms = MIN(all->next_ms, dhcp_snoop_next_ms(ps->snoop));
	}
}

static void save_all(struct snoops *all)
{
	uint64_t now_ms = vswitch_now_ms();
	json_t *entries = json_array();

	all->to_save = false;
	snoop_file_add_rest(all->file, now_ms, entries);
	for (struct port_snoop *ps = all->ports; ps; ps = ps->next) {
		const struct dhcp_binding *b;
		unsigned n = dhcp_snoop_bindings(ps->snoop, &b);

		for (unsigned i = 0; i < n; i++)
			json_array_append_new(
				entries,
				snoop_file_entry(ps->name, now_ms, &b[i]));
	}
	snoop_file_write(all->vs->run_dir, entries);
	json_decref(entries);
}

void port_snoops_tick(struct vswitch *vs)
{
	struct snoops *all = vs->snoops;

	if (!all)
		return;
	run_all(all, vswitch_now_ms());
	if (all->retired && vs->snapshot) {
		/* Each worker passes between two rounds: none reads them. */
		worker_pool_publish(vs->pool, vs->snapshot);
		free_retired(all);
	}
	if (all->to_save)
		save_all(all);
}

void port_snoops_stop(struct vswitch *vs)
{
	struct snoops *all = vs->snoops;

	if (!all)
		return;
	if (all->to_save)
		save_all(all);
	all->stopping = true;
}

void port_snoops_free(struct vswitch *vs)
{
	struct snoops *all = vs->snoops;

	if (!all)
		return;
	free_retired(all);
	snoop_file_free(all->file);
	free(all);
	vs->snoops = NULL;
}
