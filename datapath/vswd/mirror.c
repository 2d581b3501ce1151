#include "vswd/mirror.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "forward/mirror.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

/* --- coming and going ----------------------------------------------------- */

static void mirror_free(struct mirror *m)
{
	cfg_mirror_unref(m->config);
	free(m->counters);
	free(m->error);
	free(m);
}

void mirrors_destroy(struct bridge *b)
{
	struct mirror *m;

	while ((m = b->mirrors)) {
		b->mirrors = m->next;
		mirror_free(m);
	}
}

/* That of the row, taken out of the list; or a new one. */
static struct mirror *take(struct vswitch *vs, struct bridge *b,
			   const struct cfg_mirror *config)
{
	struct mirror **at = &b->mirrors, *m;

	while (*at && !uuid_equals(&(*at)->config->uuid, &config->uuid))
		at = &(*at)->next;
	m = *at;
	if (m) {
		*at = m->next;
		return m;
	}
	m = xcalloc(1, sizeof(*m));
	m->config = cfg_mirror_ref(config);
	m->counters = xcalloc_aligned(PORT_THREADS_MAX, sizeof(*m->counters));
	m->dirty = true;
	vs->changed = true;
	log_info("bridge %s: mirror %s added", b->name, config->name);
	return m;
}

void mirrors_configure(struct vswitch *vs, struct bridge *b,
		       const struct cfg_bridge *config)
{
	struct mirror *first = NULL, **end = &first, *m;

	for (size_t i = 0; i < config->n_mirrors; i++) {
		m = take(vs, b, config->mirrors[i]);
		if (m->config != config->mirrors[i])
			vs->changed = true;
		cfg_mirror_unref(m->config);
		m->config = cfg_mirror_ref(config->mirrors[i]);
		*end = m;
		end = &m->next;
		*end = NULL;
	}
	/* Workers still count in those that are left. */
	while ((m = b->mirrors)) {
		b->mirrors = m->next;
		log_info("bridge %s: mirror %s removed", b->name,
			 m->config->name);
		m->next = vs->doomed_mirrors;
		vs->doomed_mirrors = m;
		vs->changed = true;
	}
	b->mirrors = first;
}

/* --- what is wrong -------------------------------------------------------- */

/* The first thing that is wrong with it counts. */
static void complain(char **error, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void complain(char **error, const char *fmt, ...)
{
	va_list args;

	if (*error)
		return;
	va_start(args, fmt);
	if (vasprintf(error, fmt, args) < 0)
		*error = NULL;
	va_end(args);
}

/* Takes over the text. */
static void note_error(struct mirror *m, char *error)
{
	if (error ? m->error && !strcmp(error, m->error) : !m->error) {
		free(error);
		return;
	}
	free(m->error);
	m->error = error;
	m->dirty = true;
}

/* --- ports ---------------------------------------------------------------- */

/* A Port of the bridge. */
struct found {
	const char *name;     /* NULL: it is none of the bridge's */
	struct fwd_port *fwd; /* NULL: not open */
};

static struct found find_port(const struct bridge *b, const struct uuid *uuid)
{
	for (const struct vbond *vb = b->bonds; vb; vb = vb->next)
		if (uuid_equals(&vb->config->uuid, uuid))
			return (struct found){ vb->config->name, vb->fwd };
	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];

		if (!v->bond && !v->config->made_up &&
		    uuid_equals(&v->config->uuid, uuid))
			return (struct found){ v->config->name, v->fwd };
	}
	return (struct found){ 0 };
}

const char *mirror_port_name(const struct bridge *b, const struct uuid *port)
{
	return find_port(b, port).name;
}

/* A Port of another bridge; false after a complaint. */
static bool is_here(const struct bridge *b, const struct found *found,
		    const struct uuid *uuid, const char *column, char **error)
{
	if (found->name)
		return true;
	for (const struct bridge *o = b->vs->bridges; o; o = o->next) {
		const char *name = mirror_port_name(o, uuid);

		if (name) {
			complain(error,
				 "%s %s is in bridge %s; a mirror of bridge "
				 "%s takes ports of that",
				 column, name, o->name, b->name);
			return false;
		}
	}
	complain(error, "%s is a port of no bridge", column);
	return false;
}

/* --- building a snapshot -------------------------------------------------- */

static struct fwd_mirror *add(const struct bridge *b, struct fwd_bridge *fb,
			      const struct mirror *m, char **error)
{
	const struct cfg_mirror *c = m->config;
	struct fwd_mirror f = { .out_vid = c->output_vlan,
				.snaplen = c->snaplen,
				.by_vlan = c->vlans,
				.counters = m->counters };
	struct fwd_mirror *added;

	if (c->vlans)
		f.vlans = *c->vlans;
	if (c->has_output_port) {
		struct found out = find_port(b, &c->output_port);

		if (!is_here(b, &out, &c->output_port, "output_port", error))
			return NULL;
		f.out = out.fwd;
		if (!f.out) {
			complain(error, "output_port %s is not open", out.name);
			return NULL;
		}
	}
	snprintf(f.name, sizeof(f.name), "%s", c->name);
	added = fwd_bridge_add_mirror(fb, &f);
	if (!added)
		complain(error,
			 "the bridge has %u mirrors before it, and "
			 "cannot have more",
			 FWD_MIRRORS_MAX);
	return added;
}

/* The mirror whose output the port is. */
static const char *keeper_of(const struct bridge *b, const struct fwd_port *p)
{
	for (const struct mirror *m = b->mirrors; m; m = m->next)
		if (m->kept == p->number)
			return m->config->name;
	return "";
}

static void select_ports(const struct bridge *b, const struct fwd_mirror *f,
			 const struct uuid ports[], size_t n, bool in,
			 char **error)
{
	const char *column = in ? "select_src_port" : "select_dst_port";

	for (size_t i = 0; i < n; i++) {
		struct found found = find_port(b, &ports[i]);

		if (!is_here(b, &found, &ports[i], column, error) || !found.fwd)
			continue;
		if (found.fwd->egress && found.fwd->egress->reserved)
			complain(error,
				 "%s %s is the output_port of mirror %s, by "
				 "which only copies pass; nothing is selected "
				 "there",
				 column, found.name, keeper_of(b, found.fwd));
		else
			fwd_mirror_select(f, found.fwd, in, !in);
	}
}

static void select_packets(const struct bridge *b, const struct fwd_bridge *fb,
			   const struct mirror *m, const struct fwd_mirror *f,
			   char **error)
{
	const struct cfg_mirror *c = m->config;

	if (c->select_all) {
		for (unsigned i = 0; i < fb->n_ports; i++) {
			struct fwd_port *p = fb->ports[i];

			if (!p->egress || !p->egress->reserved)
				fwd_mirror_select(f, p, true, true);
		}
		return;
	}
	select_ports(b, f, c->sources, c->n_sources, true, error);
	select_ports(b, f, c->destinations, c->n_destinations, false, error);
	if (!c->n_sources && !c->n_destinations)
		complain(error, "it selects no port: set select_all, "
				"select_src_port or select_dst_port");
}

/* What was learned of a port that is kept from now on leads nowhere. */
static void keep(struct mirror *m, uint16_t number)
{
	if (number && number != m->kept)
		m->to_flush = true;
	m->kept = number;
}

void mirrors_attach(struct bridge *b, struct fwd_bridge *fb)
{
	struct fwd_mirror *added[FWD_MIRRORS_MAX];
	struct mirror *m;
	char *error;
	unsigned n = 0;

	/* Outputs first: they are no ports to others. */
	for (m = b->mirrors; m; m = m->next) {
		struct fwd_mirror *f = NULL;

		error = m->config->error ? xstrdup(m->config->error) : NULL;
		if (!error)
			f = add(b, fb, m, &error);
		keep(m, f && f->out ? f->out->number : 0);
		if (f)
			added[n++] = f;
		else
			note_error(m, error);
	}
	for (m = b->mirrors; m; m = m->next) {
		const struct fwd_mirror *f = NULL;

		for (unsigned i = 0; i < n; i++)
			if (added[i]->counters == m->counters)
				f = added[i];
		if (!f)
			continue;
		error = NULL;
		select_packets(b, fb, m, f, &error);
		note_error(m, error);
	}
}

void mirrors_published(struct vswitch *vs)
{
	struct mirror *m;

	while ((m = vs->doomed_mirrors)) {
		vs->doomed_mirrors = m->next;
		mirror_free(m);
	}
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (m = b->mirrors; m; m = m->next) {
			if (m->to_flush && m->kept)
				fdb_flush(b->fdb, m->kept, -1);
			m->to_flush = false;
		}
}

void mirror_sum(const struct mirror *m, uint64_t *packets, uint64_t *bytes)
{
	*packets = *bytes = 0;
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		*packets += atomic_load_explicit(&m->counters[i].packets,
						 memory_order_relaxed);
		*bytes += atomic_load_explicit(&m->counters[i].bytes,
					       memory_order_relaxed);
	}
}
