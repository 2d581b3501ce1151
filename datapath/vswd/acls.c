#include "vswd/acls.h"

#include <errno.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/event_sources.h"
#include "vswd/status.h"
#include "vswd/switch.h"

LOG_MODULE(acl);

/* One that workers may still ask, and whose counts its successor gets. */
struct doomed_acl {
	struct doomed_acl *next;
	struct acl *acl;
	struct cfg_acl *config; /* a reference */
};

struct vacl *acls_find(const struct vswitch *vs, const char *name)
{
	struct vacl *v = vs->acls;

	while (v && strcmp(v->config->name, name) != 0)
		v = v->next;
	return v;
}

/* --- counts --------------------------------------------------------------- */

/* The index of the same rule in another list; -1: it is not there. */
static int find_rule(const struct cfg_acl *in, const struct cfg_acl *of,
		     size_t i)
{
	uint16_t order = of->rules[i].order;

	for (size_t k = 0; k < in->n_rules && in->rules[k].order <= order; k++)
		if (in->rules[k].order == order &&
		    !strcmp(in->texts[k], of->texts[i]))
			return (int)k;
	return -1;
}

/* Counts of one list's rules, added to those of another where they are the same
 */
static void carry_over(struct vacl *to, const struct cfg_acl *from,
		       uint64_t (*count)(const void *of, unsigned i),
		       const void *of)
{
	const struct cfg_acl *config = to->in_force;

	for (size_t i = 0; i < from->n_rules; i++) {
		int at = find_rule(config, from, i);

		if (at >= 0)
			to->before[at] += count(of, i);
	}
	for (size_t i = 0; i < 2; i++)
		to->before[config->n_rules + i] += count(of, from->n_rules + i);
}

static uint64_t count_of_acl(const void *acl, unsigned i)
{
	return acl_hits(acl, i);
}

static uint64_t count_of_array(const void *counts, unsigned i)
{
	return ((const uint64_t *)counts)[i];
}

uint64_t vacl_hits(const struct vacl *v, unsigned i)
{
	return v->before[i] + acl_hits(v->acl, i);
}

/* --- lists ---------------------------------------------------------------- */

static void doom(struct vswitch *vs, struct vacl *v)
{
	struct doomed_acl *d;

	if (!v->acl)
		return;
	d = xcalloc(1, sizeof(*d));
	d->acl = v->acl;
	d->config = v->in_force;
	d->next = vs->doomed_acls;
	vs->doomed_acls = d;
	v->acl = NULL;
	v->in_force = NULL;
}

static struct acl *compile(const struct cfg_acl *config, char **errp)
{
	if (config->error) {
		set_error(errp, -EINVAL, "%s", config->error);
		return NULL;
	}
	return acl_create(config->rules, config->n_rules, config->allow,
			  PORT_THREADS_MAX, errp);
}

/* A list of nothing, which lets nothing pass. */
static struct cfg_acl *make_nothing(const struct cfg_acl *config)
{
	struct cfg_acl *nothing = xcalloc(1, sizeof(*nothing));

	nothing->refs = 1;
	nothing->uuid = config->uuid;
	nothing->name = xstrdup(config->name);
	return nothing;
}

static void put_in_force(struct vswitch *vs, struct vacl *v,
			 struct cfg_acl *config, struct acl *acl)
{
	struct cfg_acl *old = v->in_force ? cfg_acl_ref(v->in_force) : NULL;
	uint64_t *before = v->before;

	acl_set_texts(acl, config->name, config->texts);
	doom(vs, v);
	v->acl = acl;
	v->in_force = config;
	v->before = xcalloc(config->n_rules + 2, sizeof(*v->before));
	if (old)
		carry_over(v, old, count_of_array, before);
	cfg_acl_unref(old);
	free(before);
	vs->changed = true;
}

static void configure(struct vswitch *vs, struct vacl *v,
		      struct cfg_acl *config)
{
	struct acl *acl;
	char *why = NULL;

	cfg_acl_unref(v->config);
	v->config = cfg_acl_ref(config);
	free(v->error);
	v->error = NULL;
	acl = compile(config, &why);
	if (acl) {
		put_in_force(vs, v, cfg_acl_ref(config), acl);
		return;
	}
	v->error = xasprintf("%s; %s", why,
			     v->acl ? "the version before it stays in force"
				    : "it lets nothing pass until then");
	log_warn("access list %s: %s", config->name, v->error);
	free(why);
	if (!v->acl)
		put_in_force(
			vs, v, make_nothing(config),
			acl_create(NULL, 0, false, PORT_THREADS_MAX, NULL));
}

static void forget_told(struct vacl *v)
{
	json_decref(v->told);
	json_decref(v->told_stats);
	v->told = v->told_stats = NULL;
}

static void drop_unmet(struct vswitch *vs)
{
	struct vacl **p = &vs->acls, *v;

	while ((v = *p)) {
		if (v->met) {
			p = &v->next;
			continue;
		}
		*p = v->next;
		doom(vs, v);
		cfg_acl_unref(v->config);
		forget_told(v);
		free(v->before);
		free(v->error);
		free(v);
		vs->changed = true;
	}
}

void acls_reconcile(struct vswitch *vs, const struct cfg_switch *config)
{
	for (struct vacl *v = vs->acls; v; v = v->next)
		v->met = false;
	for (size_t i = 0; config && i < config->n_acls; i++) {
		struct cfg_acl *c = config->acls[i];
		struct vacl *v = acls_find(vs, c->name);

		if (!v) {
			v = xcalloc(1, sizeof(*v));
			v->config = cfg_acl_ref(c);
			v->next = vs->acls;
			vs->acls = v;
			configure(vs, v, c);
		} else if (v->config != c) {
			if (!uuid_equals(&v->config->uuid, &c->uuid))
				forget_told(v);
			configure(vs, v, c);
		}
		v->met = true;
	}
	drop_unmet(vs);
}

void acls_published(struct vswitch *vs)
{
	struct doomed_acl *d;

	while ((d = vs->doomed_acls)) {
		struct vacl *v = acls_find(vs, d->config->name);

		vs->doomed_acls = d->next;
		if (v)
			carry_over(v, d->config, count_of_acl, d->acl);
		acl_destroy(d->acl);
		cfg_acl_unref(d->config);
		free(d);
	}
}

void acls_end(struct vswitch *vs)
{
	acls_reconcile(vs, NULL);
	acls_published(vs);
	acl_destroy(vs->no_acl);
	vs->no_acl = NULL;
}

const struct acl *acls_get(struct vswitch *vs, const char *name)
{
	const struct vacl *v = name ? acls_find(vs, name) : NULL;

	if (!name || v)
		return v ? v->acl : NULL;
	if (!vs->no_acl)
		vs->no_acl = acl_create(NULL, 0, false, PORT_THREADS_MAX, NULL);
	return vs->no_acl;
}

/* --- ports ---------------------------------------------------------------- */

static char *error_of(const struct vswitch *vs, const struct cfg_port *config)
{
	const char *names[] = { config->acl_in, config->acl_out };

	for (unsigned i = 0; i < 2; i++)
		if (names[i] && !acls_find(vs, names[i]))
			return xasprintf(
				"access list %s of other_config:acl-%s "
				"does not exist: nothing passes; "
				"\"vsw-ctl add-acl %s allow\" makes "
				"it",
				names[i], i ? "out" : "in", names[i]);
	return NULL;
}

static void check_port(struct vswitch *vs, struct vport *v)
{
	char *error = error_of(vs, v->config);

	if (!error && !v->acl_error)
		return;
	if (error && v->acl_error && !strcmp(error, v->acl_error)) {
		free(error);
		return;
	}
	if (error)
		log_warn("bridge %s: interface %s: %s", v->bridge->name,
			 v->interface->name, error);
	event_port(v, error);
	free(v->acl_error);
	v->acl_error = error;
	vport_mark_dirty(vs, v);
}

void acls_check_ports(struct vswitch *vs)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node))
		check_port(vs, CONTAINER_OF(node, struct vport, node));
}

/* --- the database --------------------------------------------------------- */

static json_t *stats_of(const struct vacl *v)
{
	const struct cfg_acl *c = v->in_force;
	json_t *pairs = json_array();
	char key[16];

	for (unsigned i = 0; i < c->n_rules; i++) {
		snprintf(key, sizeof(key), "%u", c->rules[i].order);
		json_array_append_new(
			pairs,
			json_pack("[s,I]", key, (json_int_t)vacl_hits(v, i)));
	}
	json_array_append_new(pairs,
			      json_pack("[s,I]", "default",
					(json_int_t)vacl_hits(v, c->n_rules)));
	json_array_append_new(
		pairs, json_pack("[s,I]", "unreadable",
				 (json_int_t)vacl_hits(v, c->n_rules + 1)));
	return json_pack("[s,o]", "map", pairs);
}

/* Takes over now. */
static void tell(json_t *operations, const struct vacl *v, json_t **told,
		 const char *column, json_t *now)
{
	if (json_equal(*told, now)) {
		json_decref(now);
		return;
	}
	json_decref(*told);
	*told = now;
	status_update_row(operations, "ACL", &v->config->uuid,
			  json_pack("{s:O}", column, now));
}

void acl_rows_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
		      json_t *operations, bool stats)
{
	if (!vs->acls || !ovsdb_schema_table(schema, "ACL"))
		return;
	for (struct vacl *v = vs->acls; v; v = v->next) {
		tell(operations, v, &v->told, "error",
		     v->error ? json_string(v->error)
			      : json_pack("[s,[]]", "set"));
		if (stats)
			tell(operations, v, &v->told_stats, "statistics",
			     stats_of(v));
	}
}

void acl_rows_forget(struct vswitch *vs)
{
	for (struct vacl *v = vs->acls; v; v = v->next)
		forget_told(v);
}
