#include "vswd/db_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/client.h"
#include "vswd/columns.h"
#include "vswd/db_view.h"
#include "vswd/os_release.h"
#include "vswd/segment_rows.h"
#include "vswd/status.h"
#include "vswd/switch.h"

LOG_MODULE(vswd);

#define DATABASE	 "Open_vSwitch"
#define LOCK		 "ovs_vswitchd"
#define PATIENCE_S	 3 /* until a lock that does not come counts as refused */
#define RETRY_S		 3 /* until what the host stood in the way of is tried */
#define LEASES_MS	 100  /* between two transactions of leases */
#define LEASES_FAILED_MS 1000 /* after one that failed */

struct db_link {
	struct event_base *base;
	struct vswitch *vs;
	struct ovsdb_client *client;
	struct db_view *view;
	struct event *work, *stats, *patience, *retry;
	struct event *leases;	    /* pending: not again yet */
	unsigned stats_interval_ms; /* that the timer runs at; 0: stopped */
	bool own;
	bool connected, locked;
	bool config_changed;
	bool told_switch; /* what this daemon can do */
	bool inserting;	  /* the row of table Open_vSwitch */
	bool stats_unanswered;
	bool leases_unanswered;
	void (*worked)(struct db_link *, void *aux);
	void *aux;
};

void db_link_schedule(struct db_link *link)
{
	event_active(link->work, 0, 0);
}

/* --- telling ---------------------------------------------------------------
 */

static void told_cb(struct ovsdb_client *client, json_t *result,
		    const char *error, void *aux)
{
	struct db_link *link = aux;

	if (!error)
		return;
	log_warn_limited("telling the database failed: %s", error);
	link->told_switch = false;
	status_forget(link->vs);
}

/* A client may have been first: then it has just told us of its row. */
static void row_made_cb(struct ovsdb_client *client, json_t *result,
			const char *error, void *aux)
{
	struct db_link *link = aux;

	link->inserting = false;
	if (error)
		log_info("making the row of table Open_vSwitch: %s", error);
}

static void stats_told_cb(struct ovsdb_client *client, json_t *result,
			  const char *error, void *aux)
{
	struct db_link *link = aux;

	link->stats_unanswered = false;
	told_cb(client, result, error, aux);
}

static json_t *new_operations(void)
{
	return json_pack("[{s:s, s:s}]", "op", "assert", "lock", LOCK);
}

/*
 * Takes over the operations; the first is only the assert. The reply need not
 * wait for the disk: whatever vswd writes it works out anew when it starts, so
 * what a power failure takes is written again. (A port just added may then get
 * another ofport.) The configuration itself is its client's transaction, which
 * is on the disk before vswd hears of it.
 */
static bool send_operations(struct db_link *link, json_t *operations,
			    ovsdb_client_done *done)
{
	if (json_array_size(operations) > 1) {
		json_array_append_new(
			operations,
			json_pack("{s:s, s:b}", "op", "commit", "durable", 0));
		return !ovsdb_client_transact(link->client, operations, done,
					      link);
	}
	json_decref(operations);
	return false;
}

static void tell(struct db_link *link)
{
	const struct ovsdb_schema *schema = ovsdb_client_schema(link->client);
	json_t *operations;

	if (!link->connected || !link->locked || !link->vs->config || !schema)
		return;
	operations = new_operations();
	status_collect(link->vs, schema, operations);
	if (!link->told_switch)
		status_collect_switch(link->vs, schema, operations);
	link->told_switch = true;
	status_collect_cur_cfg(link->vs, operations);
	send_operations(link, operations, told_cb);
}

static void stats_cb(evutil_socket_t fd, short what, void *aux)
{
	struct db_link *link = aux;
	const struct ovsdb_schema *schema = ovsdb_client_schema(link->client);
	json_t *operations;

	if (!link->connected || !link->locked || !schema ||
	    link->stats_unanswered)
		return;
	operations = new_operations();
	stats_collect(link->vs, schema, operations);
	link->stats_unanswered =
		send_operations(link, operations, stats_told_cb);
}

static void arm_stats(struct db_link *link)
{
	const struct cfg_switch *config = link->vs->config;
	unsigned ms =
		config && link->vs->vports.n ? config->stats_interval_ms : 0;
	struct timeval interval = { .tv_sec = ms / 1000,
				    .tv_usec = ms % 1000 * 1000 };

	if (ms == link->stats_interval_ms)
		return;
	link->stats_interval_ms = ms;
	event_del(link->stats);
	if (ms)
		event_add(link->stats, &interval);
}

/* --- leases ----------------------------------------------------------------
 */

static void pause_leases(struct db_link *link, unsigned ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000,
				      .tv_usec = ms % 1000 * 1000 };

	event_add(link->leases, &wait);
}

static void leases_told_cb(struct ovsdb_client *client, json_t *result,
			   const char *error, void *aux)
{
	struct db_link *link = aux;

	link->leases_unanswered = false;
	segment_rows_leases_told(link->vs, error ? NULL : result);
	if (error)
		log_warn_limited("telling the database of leases failed: %s",
				 error);
	pause_leases(link, error ? LEASES_FAILED_MS : LEASES_MS);
}

/*
 * The first change at once, further ones together: clients may change their
 * leases as often as they like.
 */
static void tell_leases(struct db_link *link)
{
	const struct ovsdb_schema *schema = ovsdb_client_schema(link->client);
	json_t *operations;

	if (!link->connected || !link->locked || !schema ||
	    link->leases_unanswered ||
	    event_pending(link->leases, EV_TIMEOUT, NULL))
		return;
	operations = new_operations();
	segment_rows_collect_leases(link->vs, schema, operations);
	link->leases_unanswered =
		send_operations(link, operations, leases_told_cb);
	if (!link->leases_unanswered)
		segment_rows_leases_told(link->vs, NULL);
}

static void leases_cb(evutil_socket_t fd, short what, void *aux)
{
	tell_leases(aux);
}

/* --- working ---------------------------------------------------------------
 */

/* The one row that everything hangs at, and what is known of the system. */
static void make_row(struct db_link *link, const struct uuid *uuid)
{
	const struct ovsdb_schema *schema = ovsdb_client_schema(link->client);
	json_t *operations = new_operations(), *row;
	char *type = NULL, *version = NULL;

	os_release(&type, &version);
	row = json_pack("{s:s, s:s, s:s, s:s}", "ovs_version", VSW_VERSION,
			"db_version", schema->version ? schema->version : "",
			"system_type", type, "system_version", version);
	if (uuid)
		status_update_row(operations, DATABASE, uuid, row);
	else
		json_array_append_new(
			operations, json_pack("{s:s, s:s, s:o}", "op", "insert",
					      "table", DATABASE, "row", row));
	if (uuid)
		send_operations(link, operations, told_cb);
	else
		link->inserting =
			send_operations(link, operations, row_made_cb);
	free(type);
	free(version);
}

static void retry_cb(evutil_socket_t fd, short what, void *aux)
{
	struct db_link *link = aux;

	link->config_changed = true;
	db_link_schedule(link);
}

static void reconcile(struct db_link *link)
{
	struct cfg_switch *config = db_view_read(link->view, link->client);
	const struct timeval wait = { .tv_sec = RETRY_S };

	event_del(link->retry);
	if (db_view_is_waiting(link->view))
		event_add(link->retry, &wait);
	if (config) {
		if (link->own && !link->told_switch)
			make_row(link, &config->uuid);
		vswitch_reconcile(link->vs, config);
		return;
	}
	if (link->own && !link->inserting)
		make_row(link, NULL);
	else if (!link->own)
		log_info("the database has no row in table Open_vSwitch yet "
			 "(ovs-vsctl init makes it)");
}

static void work_cb(evutil_socket_t fd, short what, void *aux)
{
	struct db_link *link = aux;

	if (link->config_changed && link->connected && link->locked) {
		link->config_changed = false;
		reconcile(link);
	} else if (link->vs->config) {
		vswitch_commit(link->vs);
	}
	tell(link);
	tell_leases(link);
	arm_stats(link);
	/* An empty database of others' is served as well as can be. */
	if (link->vs->config || (link->connected && link->locked && !link->own))
		link->worked(link, link->aux);
}

/* Another daemon serves this database now: two must not. */
static void give_up(struct db_link *link)
{
	log_warn("another daemon holds the lock \"%s\" of the database; this "
		 "one does nothing until it lets go",
		 LOCK);
	vswitch_reconcile(link->vs, NULL);
	db_view_forget(link->view);
	status_forget(link->vs);
	arm_stats(link);
}

static void patience_cb(evutil_socket_t fd, short what, void *aux)
{
	struct db_link *link = aux;

	if (link->connected && !link->locked)
		give_up(link);
	else if (!link->connected)
		log_warn("the database is not reached yet; trying on");
	link->worked(link, link->aux);
}

static void be_patient(struct db_link *link)
{
	const struct timeval wait = { .tv_sec = PATIENCE_S };

	event_add(link->patience, &wait);
}

/* --- the client's calls ----------------------------------------------------
 */

static void changed_cb(struct ovsdb_client *client, void *aux)
{
	struct db_link *link = aux;

	link->config_changed = true;
	db_link_schedule(link);
}

static void connection_cb(struct ovsdb_client *client, bool up, const char *why,
			  void *aux)
{
	struct db_link *link = aux;

	if (up)
		log_info("connected to the database");
	else if (link->connected)
		log_warn("the connection to the database is lost: %s; the "
			 "switch goes on as it is",
			 why);
	link->connected = up;
	link->told_switch = false;
	link->inserting = false;
	link->stats_unanswered = false;
	if (!up)
		return;
	status_forget(link->vs);
	link->config_changed = true;
	db_link_schedule(link);
	be_patient(link);
}

static void lock_cb(struct ovsdb_client *client, bool held, void *aux)
{
	struct db_link *link = aux;

	link->locked = held;
	if (held) {
		event_del(link->patience);
		link->config_changed = true;
		db_link_schedule(link);
	} else {
		be_patient(link);
	}
}

struct db_link *db_link_create(struct event_base *base, struct vswitch *vs,
			       const char *remote, bool own,
			       void (*worked)(struct db_link *, void *aux),
			       void *aux)
{
	static const struct ovsdb_client_ops ops = {
		.changed = changed_cb,
		.connection = connection_cb,
		.lock = lock_cb,
	};
	struct db_link *link = xcalloc(1, sizeof(*link));

	link->base = base;
	link->vs = vs;
	link->own = own;
	link->worked = worked;
	link->aux = aux;
	link->view = db_view_create();
	link->work = event_new(base, -1, 0, work_cb, link);
	link->stats = event_new(base, -1, EV_PERSIST, stats_cb, link);
	link->leases = evtimer_new(base, leases_cb, link);
	link->patience = evtimer_new(base, patience_cb, link);
	link->retry = evtimer_new(base, retry_cb, link);
	link->client = ovsdb_client_create(base, remote, DATABASE, &ops, link);
	db_columns_monitor(link->client);
	ovsdb_client_set_lock(link->client, LOCK);
	be_patient(link);
	return link;
}

void db_link_destroy(struct db_link *link)
{
	if (!link)
		return;
	db_view_destroy(link->view);
	ovsdb_client_destroy(link->client);
	event_free(link->work);
	event_free(link->stats);
	event_free(link->leases);
	event_free(link->patience);
	event_free(link->retry);
	free(link);
}
