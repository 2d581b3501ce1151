#include "segment_database.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "scratch.h"
#include "vswd/columns.h"

struct waiting {
	bool done;
	char *error;
};

static void changed_cb(struct ovsdb_client *client, void *aux)
{
	((struct segment_database *)aux)->changes++;
}

static void connection_cb(struct ovsdb_client *client, bool up, const char *why,
			  void *aux)
{
	((struct segment_database *)aux)->up = up;
}

static void done_cb(struct ovsdb_client *client, json_t *result,
		    const char *error, void *aux)
{
	struct waiting *w = aux;

	w->done = true;
	w->error = error ? xstrdup(error) : NULL;
}

static char *with_quotes(char *text)
{
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	return text;
}

void segment_database_run(struct segment_database *f, const char *operations,
			  ...)
{
	struct waiting w = { false };
	json_error_t error;
	json_t *json;
	va_list args;
	char *text;

	va_start(args, operations);
	assert_true(vasprintf(&text, operations, args) > 0);
	va_end(args);
	json = json_loads(with_quotes(text), 0, &error);
	if (!json)
		fail_msg("%s: %s", text, error.text);
	assert_int_equal(ovsdb_client_transact(f->client, json, done_cb, &w),
			 0);
	while (!w.done)
		event_base_loop(f->base, EVLOOP_ONCE);
	if (w.error)
		fail_msg("%s: %s", text, w.error);
	free(text);
}

void segment_database_start(struct segment_database *f)
{
	static const struct ovsdb_client_ops ops = { .changed = changed_cb,
						     .connection =
							     connection_cb };
	struct ovsdb_embed_options options = { 0 };
	char *why = NULL, *socket, *remote;

	memset(f, 0, sizeof(*f));
	signal(SIGPIPE, SIG_IGN);
	log_set("ANY:console:off", NULL);
	scratch_make(f->dir);
	socket = xasprintf("%s/db.sock", f->dir);
	remote = xasprintf("unix:%s", socket);
	options.socket = socket;
	f->base = event_base_new();
	f->server = ovsdb_embed_start(&options, &why);
	if (!f->server)
		fail_msg("%s", why);
	f->client =
		ovsdb_client_create(f->base, remote, "Open_vSwitch", &ops, f);
	db_columns_monitor(f->client);
	while (!f->up)
		event_base_loop(f->base, EVLOOP_ONCE);
	f->view = db_view_create();
	segment_database_run(
		f, "[{'op':'insert','table':'Open_vSwitch','row':{}}]");
	free(socket);
	free(remote);
}

void segment_database_stop(struct segment_database *f)
{
	char *command = xasprintf("rm -rf %s", f->dir);

	cfg_switch_free(f->config);
	db_view_destroy(f->view);
	ovsdb_client_destroy(f->client);
	ovsdb_embed_stop(f->server);
	event_base_free(f->base);
	assert_int_equal(system(command), 0);
	free(command);
}

void segment_database_add(struct segment_database *f, const char *name,
			  const char *columns)
{
	segment_database_run(
		f,
		"[{'op':'insert','table':'Bridge','uuid-name':'b',"
		"  'row':{'name':'%s'}},"
		" {'op':'mutate','table':'Open_vSwitch','where':[],"
		"  'mutations':[['bridges','insert',['named-uuid','b']]]}]",
		name);
	if (!columns)
		return;
	segment_database_run(
		f,
		"[{'op':'insert','table':'Segment','uuid-name':'s',"
		"  'row':{'name':'%s','type':'internal'}},"
		" {'op':'update','table':'Bridge','where':[['name','==','%s']],"
		"  'row':{'segment':['named-uuid','s']}}]",
		name, name);
	segment_database_set(f, name, columns);
}

void segment_database_set(struct segment_database *f, const char *name,
			  const char *columns)
{
	segment_database_run(
		f,
		"[{'op':'update','table':'Segment','where':[['name','==','%s']],"
		"  'row':{'type':'nat','subnet':['set',[]],"
		"    'subnet6':['set',[]],'outside':['set',[]],"
		"    'isolated':false,'static_leases':['map',[]],"
		"    'options':['map',[]]}},"
		" {'op':'update','table':'Segment','where':[['name','==','%s']],"
		"  'row':%s}]",
		name, name, columns);
}

void segment_database_forward(struct segment_database *f, const char *segment,
			      const char *columns)
{
	segment_database_run(
		f,
		"[{'op':'insert','table':'Forward','uuid-name':'f','row':%s},"
		" {'op':'mutate','table':'Segment','where':[['name','==','%s']],"
		"  'mutations':[['forwards','insert',['named-uuid','f']]]}]",
		columns, segment);
}

void segment_database_read(struct segment_database *f)
{
	struct cfg_switch *before = f->config;

	f->config = db_view_read(f->view, f->client);
	assert_non_null(f->config);
	cfg_switch_free(before);
}

const struct cfg_bridge *segment_database_bridge(
	const struct segment_database *f, const char *name)
{
	for (size_t i = 0; i < f->config->n_bridges; i++)
		if (!strcmp(f->config->bridges[i]->name, name))
			return f->config->bridges[i];
	return NULL;
}

const struct cfg_segment *segment_database_get(const struct segment_database *f,
					       const char *name)
{
	const struct cfg_bridge *bridge = segment_database_bridge(f, name);

	assert_non_null(bridge);
	assert_non_null(bridge->segment);
	return bridge->segment;
}

const struct cfg_interface *segment_database_interface(
	const struct segment_database *f, const char *bridge, const char *name)
{
	const struct cfg_bridge *b = segment_database_bridge(f, bridge);

	for (size_t i = 0; b && i < b->n_ports; i++)
		if (!strcmp(b->ports[i]->name, name)) {
			assert_true(b->ports[i]->made_up);
			return &b->ports[i]->interfaces[0];
		}
	return NULL;
}
