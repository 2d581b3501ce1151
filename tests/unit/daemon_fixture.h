/*
 * A whole daemon inside a test: database, reconciler and workers in a directory
 * of its own, with ports that need no privilege, and a client to configure it.
 */
#ifndef TESTS_DAEMON_FIXTURE_H
#define TESTS_DAEMON_FIXTURE_H

#include <jansson.h>

#include "ovsdb-lite/client.h"
#include "vswd/options.h"
#include "vswd/switch.h"
#include "vswd/vswd.h"

struct test_daemon {
	char dir[32];
	struct vswd_options options;
	struct vswd *vswd;
	struct vswitch *vs;
	struct event_base *base;
	struct ovsdb_client *client;
	bool up;
};

/* Makes the directory and starts. Any failure fails the test. */
void test_daemon_setup(struct test_daemon *f);
void test_daemon_teardown(struct test_daemon *f);
void test_daemon_start(struct test_daemon *f);
void test_daemon_stop(struct test_daemon *f);

/* Turns the event loop until done(f, aux); fails the test after 20 s. */
void test_daemon_wait(struct test_daemon *f,
		      bool (*done)(struct test_daemon *, void *aux), void *aux);

/*
 * Runs operations (an array, taken over) as one transaction, together with
 * next_cfg += 1, and waits until the daemon has carried it out.
 */
void test_daemon_transact(struct test_daemon *f, json_t *operations);

/* Rows are printed as json_pack() makes them; NULL: nothing more. */
void db_add_bridge(struct test_daemon *f, const char *name);
void db_del_bridge(struct test_daemon *f, const char *name);
/* port and interface are JSON objects of further columns, or NULL. */
void db_add_port(struct test_daemon *f, const char *bridge, const char *name,
		 const char *type, const char *port, const char *interface);
void db_del_port(struct test_daemon *f, const char *bridge, const char *name);
/* Sets columns (a JSON object) of the row with that name, or of all rows. */
void db_set_row(struct test_daemon *f, const char *table, const char *name,
		const char *columns);

/* A column as text, freed by the next call; fails when there is no row. */
const char *db_get_text(struct test_daemon *f, const char *table,
			const char *name, const char *column);
/* The port in the workers' snapshot, or NULL. */
const struct fwd_port *db_find_fwd_port(struct test_daemon *f,
					const char *bridge, const char *name);

#endif
