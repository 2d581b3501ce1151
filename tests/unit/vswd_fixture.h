/*
 * A whole daemon inside a test: database, reconciler and workers in a directory
 * of its own, with ports that need no privilege, and a client to configure it.
 */
#ifndef TESTS_VSWD_FIXTURE_H
#define TESTS_VSWD_FIXTURE_H

#include <jansson.h>

#include "ovsdb-lite/client.h"
#include "vswd/options.h"
#include "vswd/switch.h"
#include "vswd/vswd.h"

struct fixture {
	char dir[32];
	struct vswd_options options;
	struct vswd *vswd;
	struct vswitch *vs;
	struct event_base *base;
	struct ovsdb_client *client;
	bool up;
};

/* Makes the directory and starts. Any failure fails the test. */
void fixture_setup(struct fixture *f);
void fixture_teardown(struct fixture *f);
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);

/* Turns the event loop until done(f, aux); fails the test after 20 s. */
void fixture_wait(struct fixture *f, bool (*done)(struct fixture *, void *aux),
		  void *aux);

/*
 * Runs operations (an array, taken over) as one transaction, together with
 * next_cfg += 1, and waits until the daemon has carried it out.
 */
void fixture_transact(struct fixture *f, json_t *operations);

/* Rows are printed as json_pack() makes them; NULL: nothing more. */
void add_bridge(struct fixture *f, const char *name);
void del_bridge(struct fixture *f, const char *name);
/* port and interface are JSON objects of further columns, or NULL. */
void add_port(struct fixture *f, const char *bridge, const char *name,
	      const char *type, const char *port, const char *interface);
void del_port(struct fixture *f, const char *bridge, const char *name);
/* Sets columns (a JSON object) of the row with that name, or of all rows. */
void set_row(struct fixture *f, const char *table, const char *name,
	     const char *columns);

/* A column as text, freed by the next call; fails when there is no row. */
const char *get(struct fixture *f, const char *table, const char *name,
		const char *column);
/* The port in the workers' snapshot, or NULL. */
const struct fwd_port *find_fwd_port(struct fixture *f, const char *bridge,
				     const char *name);

#endif
