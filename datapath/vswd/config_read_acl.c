#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_acl.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

/* --- a row ---------------------------------------------------------------- */

static void read_rule(struct cfg_acl *acl, size_t i,
		      const struct ovsdb_datum *rules)
{
	struct acl_rule *rule = &acl->rules[i];
	char *why;

	rule->order = rules->keys[i].integer;
	acl->texts[i] = xstrdup(ovsdb_atom_string(&rules->values[i]));
	why = acl_rule_parse(rule, acl->texts[i]);
	if (!why)
		return;
	memset(rule, 0, sizeof(*rule));
	rule->order = rules->keys[i].integer;
	log_warn("access list %s: rule %u \"%s\": %s", acl->name, rule->order,
		 acl->texts[i], why);
	if (!acl->error)
		acl->error = xasprintf("rule %u \"%s\": %s", rule->order,
				       acl->texts[i], why);
	free(why);
}

struct cfg_acl *config_read_acl(const struct db_columns *columns,
				const struct ovsdb_client_row *row)
{
	const struct ovsdb_datum *rules = db_get(columns, row, DB_ACL_RULES);
	struct cfg_acl *acl = xcalloc(1, sizeof(*acl));

	acl->refs = 1;
	acl->uuid = row->uuid;
	acl->name = xstrdup(db_get_string(columns, row, DB_ACL_NAME, ""));
	acl->allow = !strcmp(
		db_get_string(columns, row, DB_ACL_DEFAULT_ACTION, "allow"),
		"allow");
	/* A map is sorted by its keys. */
	acl->n_rules = rules->n;
	acl->rules = xcalloc(rules->n + 1, sizeof(*acl->rules));
	acl->texts = xcalloc(rules->n + 1, sizeof(*acl->texts));
	for (unsigned i = 0; i < rules->n; i++)
		read_rule(acl, i, rules);
	return acl;
}

struct cfg_acl *cfg_acl_ref(struct cfg_acl *acl)
{
	acl->refs++;
	return acl;
}

void cfg_acl_unref(struct cfg_acl *acl)
{
	if (!acl || --acl->refs)
		return;
	for (size_t i = 0; i < acl->n_rules; i++)
		free(acl->texts[i]);
	free(acl->texts);
	free(acl->rules);
	free(acl->name);
	free(acl->error);
	free(acl);
}

/* --- all rows ------------------------------------------------------------- */

struct cached {
	struct cached *next;
	struct cfg_acl *config;
	struct db_row_copy *row;
	bool met;
};

struct db_acls {
	struct cached *list;
};

struct db_acls *db_acls_create(void)
{
	return xcalloc(1, sizeof(struct db_acls));
}

/* Those that were not met in the last reading; all of them with `all`. */
static void sweep(struct db_acls *acls, bool all)
{
	struct cached **p = &acls->list, *c;

	while ((c = *p)) {
		if (!all && c->met) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		cfg_acl_unref(c->config);
		db_row_copy_free(c->row);
		free(c);
	}
}

void db_acls_forget(struct db_acls *acls)
{
	sweep(acls, true);
}

void db_acls_destroy(struct db_acls *acls)
{
	if (!acls)
		return;
	sweep(acls, true);
	free(acls);
}

static struct cached *find(const struct db_acls *acls, const struct uuid *uuid)
{
	struct cached *c = acls->list;

	while (c && !uuid_equals(&c->config->uuid, uuid))
		c = c->next;
	return c;
}

static struct cfg_acl *read_row(struct db_acls *acls,
				const struct db_columns *columns,
				const struct ovsdb_client_row *row)
{
	struct cached *c = find(acls, &row->uuid);

	if (!c) {
		c = xcalloc(1, sizeof(*c));
		c->next = acls->list;
		acls->list = c;
	} else if (!db_row_copy_equals(columns, c->row, row)) {
		cfg_acl_unref(c->config);
		db_row_copy_free(c->row);
		c->config = NULL;
	}
	if (!c->config) {
		c->config = config_read_acl(columns, row);
		c->row = db_row_copy(columns, row, DB_ACL);
	}
	c->met = true;
	return cfg_acl_ref(c->config);
}

void db_acls_read(struct db_acls *acls, const struct db_columns *columns,
		  const struct ovsdb_client *client, struct cfg_switch *config)
{
	const char *table = db_table_name(DB_ACL);
	const struct ovsdb_client_row *row = NULL;
	size_t n = 0;

	for (struct cached *c = acls->list; c; c = c->next)
		c->met = false;
	while ((row = ovsdb_client_next(client, table, row)))
		n++;
	config->acls = xcalloc(n + 1, sizeof(struct cfg_acl *));
	config->n_acls = 0;
	while (n && (row = ovsdb_client_next(client, table, row)))
		config->acls[config->n_acls++] = read_row(acls, columns, row);
	sweep(acls, false);
}

/* --- what ports say ------------------------------------------------------- */

static char *read_name(const struct ovsdb_datum *other, const char *key)
{
	const char *name = ovsdb_datum_get_string(other, key);

	return name && *name ? xstrdup(name) : NULL;
}

static void read_storm(struct cfg_port *port, const struct ovsdb_datum *other,
		       const char *where)
{
	static const char *const keys[N_STORM_KINDS] = {
		[STORM_BROADCAST] = "storm-broadcast",
		[STORM_MULTICAST] = "storm-multicast",
		[STORM_UNKNOWN] = "storm-unknown",
	};

	for (unsigned i = 0; i < N_STORM_KINDS; i++)
		port->storm.rate_pps[i] = config_map_integer(
			other, where, keys[i], 1, STORM_RATE_MAX, 0);
	port->storm.burst = config_map_integer(other, where, "storm-burst", 1,
					       STORM_RATE_MAX, 0);
	if (port->storm.burst && storm_config_is_none(&port->storm))
		cfg_port_refuse(
			port,
			xstrdup("other_config:storm-burst has no effect "
				"without storm-broadcast, storm-multicast or "
				"storm-unknown"));
}

static void read_mac_limit_action(struct cfg_port *port,
				  const struct ovsdb_datum *other)
{
	static const char *const names[] = {
		[MAC_LIMIT_ALLOW] = "allow",
		[MAC_LIMIT_EVICT] = "evict",
		[MAC_LIMIT_DROP] = "drop",
	};
	const char *text = ovsdb_datum_get_string(other, "mac-limit-action");

	port->mac_limit_action = MAC_LIMIT_ALLOW;
	if (!text)
		return;
	if (!ovsdb_datum_get_string(other, "mac-table-limit"))
		cfg_port_refuse(port, xasprintf("other_config:mac-limit-action="
						"%s has no effect without "
						"mac-table-limit",
						text));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			port->mac_limit_action = i;
			return;
		}
	cfg_port_refuse(port, xasprintf("other_config:mac-limit-action is "
					"\"%s\"; it must be allow, evict or "
					"drop; allow is used",
					text));
}

void config_read_filters(struct cfg_port *port, const struct ovsdb_datum *other)
{
	char *where = xasprintf("port %s: other_config", port->name);

	port->acl_in = read_name(other, "acl-in");
	port->acl_out = read_name(other, "acl-out");
	read_storm(port, other, where);
	read_mac_limit_action(port, other);
	free(where);
}
