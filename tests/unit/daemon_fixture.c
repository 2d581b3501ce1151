#include "daemon_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "scratch.h"

#define PATIENCE_S 20

static void connection_cb(struct ovsdb_client *client, bool up, const char *why,
			  void *aux)
{
	((struct test_daemon *)aux)->up = up;
}

static const struct ovsdb_client_ops ops = { .connection = connection_cb };

static const char *const interface_columns[] = {
	"name", "ofport",     "error",	      "admin_state", "link_state",
	"mtu",	"statistics", "lacp_current", NULL
};
static const char *const port_columns[] = { "name", "bond_active_slave", NULL };
static const char *const bridge_columns[] = { "name", "datapath_id", NULL };
static const char *const switch_columns[] = { "next_cfg", "cur_cfg",
					      "ovs_version", "iface_types",
					      NULL };

static void too_late(evutil_socket_t fd, short what, void *aux)
{
	*(bool *)aux = true;
}

void test_daemon_wait(struct test_daemon *f,
		      bool (*done)(struct test_daemon *, void *aux), void *aux)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	bool late = false;
	struct event *timer = evtimer_new(f->base, too_late, &late);

	event_add(timer, &patience);
	while (!done(f, aux) && !late)
		event_base_loop(f->base, EVLOOP_ONCE);
	event_free(timer);
	assert_false(late);
}

static const struct ovsdb_client_row *find_row(struct test_daemon *f,
					       const char *table,
					       const char *name)
{
	const struct ovsdb_client_row *row = NULL;
	const struct ovsdb_datum *d;

	while ((row = ovsdb_client_next(f->client, table, row))) {
		d = ovsdb_client_column(row, "name");
		if (!name ||
		    (d && d->n && !strcmp(ovsdb_atom_string(d->keys), name)))
			return row;
	}
	return NULL;
}

static bool is_ready(struct test_daemon *f, void *aux)
{
	return f->up && f->vs->config && find_row(f, "Open_vSwitch", NULL);
}

void test_daemon_start(struct test_daemon *f)
{
	char *argv[] = { (char *)"vswd", (char *)"--run-dir", f->dir,
			 (char *)"--no-sandbox", NULL };
	char *why = NULL, *remote;

	assert_int_equal(vswd_options_parse(&f->options, ARRAY_SIZE(argv) - 1,
					    argv, &why),
			 0);
	f->vswd = vswd_start(&f->options, &why);
	if (!f->vswd)
		fail_msg("%s", why);
	f->base = vswd_base(f->vswd);
	f->vs = vswd_switch(f->vswd);
	remote = xasprintf("unix:%s", f->options.db_socket);
	f->client =
		ovsdb_client_create(f->base, remote, "Open_vSwitch", &ops, f);
	free(remote);
	ovsdb_client_monitor(f->client, "Interface", interface_columns);
	ovsdb_client_monitor(f->client, "Port", port_columns);
	ovsdb_client_monitor(f->client, "Bridge", bridge_columns);
	ovsdb_client_monitor(f->client, "Open_vSwitch", switch_columns);
	test_daemon_wait(f, is_ready, NULL);
}

void test_daemon_stop(struct test_daemon *f)
{
	ovsdb_client_destroy(f->client);
	vswd_stop(f->vswd);
	vswd_options_free(&f->options);
}

void test_daemon_setup(struct test_daemon *f)
{
	memset(f, 0, sizeof(*f));
	scratch_make(f->dir);
	log_set("ANY:console:off", NULL);
	test_daemon_start(f);
}

void test_daemon_teardown(struct test_daemon *f)
{
	char *command = xasprintf("rm -rf %s", f->dir);

	test_daemon_stop(f);
	assert_int_equal(system(command), 0);
	free(command);
	db_get_text(NULL, NULL, NULL, NULL);
}

/* --- transactions ----------------------------------------------------------
 */

struct waiting {
	bool answered;
	char *error;
};

static void done_cb(struct ovsdb_client *client, json_t *result,
		    const char *error, void *aux)
{
	struct waiting *w = aux;

	w->answered = true;
	w->error = error ? xstrdup(error) : NULL;
}

static bool is_answered(struct test_daemon *f, void *aux)
{
	return ((struct waiting *)aux)->answered;
}

static int64_t integer(struct test_daemon *f, const char *column)
{
	return ovsdb_client_column(find_row(f, "Open_vSwitch", NULL), column)
		->keys[0]
		.integer;
}

static bool is_carried_out(struct test_daemon *f, void *aux)
{
	return integer(f, "cur_cfg") >= integer(f, "next_cfg");
}

void test_daemon_transact(struct test_daemon *f, json_t *operations)
{
	struct waiting w = { false };

	assert_non_null(operations);
	json_array_append_new(operations,
			      json_pack("{s:s, s:s, s:[], s:[[s,s,i]]}", "op",
					"mutate", "table", "Open_vSwitch",
					"where", "mutations", "next_cfg",
					"+=", 1));
	assert_int_equal(
		ovsdb_client_transact(f->client, operations, done_cb, &w), 0);
	test_daemon_wait(f, is_answered, &w);
	if (w.error)
		fail_msg("%s", w.error);
	test_daemon_wait(f, is_carried_out, NULL);
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text ? text : "{}", 0, &error);

	if (!json)
		fail_msg("%s: %s", text, error.text);
	return json;
}

void db_add_bridge(struct test_daemon *f, const char *name)
{
	test_daemon_transact(
		f, json_pack("[{s:s, s:s, s:s, s:{s:s}},"
			     " {s:s, s:s, s:[], s:[[s,s,[s,s]]]}]",
			     "op", "insert", "table", "Bridge", "uuid-name",
			     "b", "row", "name", name, "op", "mutate", "table",
			     "Open_vSwitch", "where", "mutations", "bridges",
			     "insert", "named-uuid", "b"));
}

static const char *uuid_of(struct test_daemon *f, const char *table,
			   const char *name, char buf[UUID_LEN + 1])
{
	const struct ovsdb_client_row *row = find_row(f, table, name);

	assert_non_null(row);
	return uuid_format(&row->uuid, buf);
}

void db_del_bridge(struct test_daemon *f, const char *name)
{
	char uuid[UUID_LEN + 1];

	test_daemon_transact(f, json_pack("[{s:s, s:s, s:[], s:[[s,s,[s,s]]]}]",
					  "op", "mutate", "table",
					  "Open_vSwitch", "where", "mutations",
					  "bridges", "delete", "uuid",
					  uuid_of(f, "Bridge", name, uuid)));
}

void db_add_port(struct test_daemon *f, const char *bridge, const char *name,
		 const char *type, const char *port, const char *interface)
{
	json_t *i = parse(interface), *p = parse(port);

	json_object_set_new(i, "name", json_string(name));
	json_object_set_new(i, "type", json_string(type));
	json_object_set_new(p, "name", json_string(name));
	json_object_set_new(p, "interfaces",
			    json_pack("[s,s]", "named-uuid", "i"));
	test_daemon_transact(
		f,
		json_pack("[{s:s, s:s, s:s, s:o}, {s:s, s:s, s:s, s:o},"
			  " {s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,s]]]}]",
			  "op", "insert", "table", "Interface", "uuid-name",
			  "i", "row", i, "op", "insert", "table", "Port",
			  "uuid-name", "p", "row", p, "op", "mutate", "table",
			  "Bridge", "where", "name", "==", bridge, "mutations",
			  "ports", "insert", "named-uuid", "p"));
}

void db_del_port(struct test_daemon *f, const char *bridge, const char *name)
{
	char uuid[UUID_LEN + 1];

	test_daemon_transact(
		f, json_pack("[{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,s]]]}]", "op",
			     "mutate", "table", "Bridge", "where", "name",
			     "==", bridge, "mutations", "ports", "delete",
			     "uuid", uuid_of(f, "Port", name, uuid)));
}

void db_set_row(struct test_daemon *f, const char *table, const char *name,
		const char *columns)
{
	json_t *where = name ? json_pack("[[s,s,s]]", "name", "==", name)
			     : json_array();

	test_daemon_transact(f, json_pack("[{s:s, s:s, s:o, s:o}]", "op",
					  "update", "table", table, "where",
					  where, "row", parse(columns)));
}

/* --- looking ---------------------------------------------------------------
 */

const char *db_get_text(struct test_daemon *f, const char *table,
			const char *name, const char *column)
{
	const struct ovsdb_column *c;
	const struct ovsdb_client_row *row;
	static char *text;

	free(text);
	text = NULL;
	if (!f)
		return NULL;
	row = find_row(f, table, name);
	assert_non_null(row);
	c = ovsdb_table_schema_column(row->table, column);
	assert_non_null(c);
	text = ovsdb_datum_to_string(ovsdb_client_column(row, column),
				     &c->type);
	return text;
}

const struct fwd_port *db_find_fwd_port(struct test_daemon *f,
					const char *bridge, const char *name)
{
	const struct fwd_bridge *b =
		fwd_snapshot_find_bridge(f->vs->snapshot, bridge);

	for (unsigned i = 0; b && i < b->n_ports; i++)
		if (!strcmp(b->ports[i]->port->name, name))
			return b->ports[i];
	return NULL;
}
