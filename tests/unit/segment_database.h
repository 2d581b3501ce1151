/*
 * A database with segments, and the configuration that is read of it, without a
 * switch. Subnets of tests are of 198.18.0.0/15 and 2001:db8::/32, to which no
 * host has a route.
 */
#ifndef TESTS_SEGMENT_DATABASE_H
#define TESTS_SEGMENT_DATABASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ovsdb-lite/client.h"
#include "ovsdb-lite/embed.h"
#include "vswd/config.h"
#include "vswd/config_segment.h"
#include "vswd/db_view.h"

struct segment_database {
	char dir[32];
	struct event_base *base;
	struct ovsdb_embed *server;
	struct ovsdb_client *client;
	struct db_view *view;
	struct cfg_switch *config; /* as it was read last */
	unsigned changes;	   /* told by the client */
	bool up;
};

void segment_database_start(struct segment_database *f);
void segment_database_stop(struct segment_database *f);

/* Runs operations (JSON with ' for ", an array) and waits. */
void segment_database_run(struct segment_database *f, const char *operations,
			  ...) PRINTF_LIKE(2, 3);
/* A bridge; columns are those of its segment (JSON), NULL: it has none. */
void segment_database_add(struct segment_database *f, const char *name,
			  const char *columns);
/* Columns of the segment's row, all that are not named are their default. */
void segment_database_set(struct segment_database *f, const char *name,
			  const char *columns);
void segment_database_forward(struct segment_database *f, const char *segment,
			      const char *columns);

/* Reads the configuration; the one before is freed. */
void segment_database_read(struct segment_database *f);
const struct cfg_bridge *segment_database_bridge(
	const struct segment_database *f, const char *name);
/* Fails the test when the bridge has none. */
const struct cfg_segment *segment_database_get(const struct segment_database *f,
					       const char *name);
/* The interface of a port of the bridge; NULL: there is none. */
const struct cfg_interface *segment_database_interface(
	const struct segment_database *f, const char *bridge, const char *name);

#endif
