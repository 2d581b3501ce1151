/*
 * What the tests of the client library share: a client, the event loop that it
 * and its server run in, and what it has told. The server listens on a Unix
 * socket in a directory of the fixture's own.
 */
#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ovsdb-lite/client.h"
#include "ovsdb-lite/server.h"

/* The database "T", whose table Host has the columns name, n, and so on. */
extern const char client_fixture_schema[];

struct client_fixture {
	char dir[40], remote[60], listen[80];
	struct event_base *base;
	struct ovsdb_server *server; /* a test's, or NULL */
	struct ovsdb_client *client;
	int changes, ups, downs;
	bool locked;
	/* Of the last transaction. */
	bool done;
	char *error;
	json_t *result;
};

/* Counts into a fixture, which is their aux. */
extern const struct ovsdb_client_ops client_fixture_ops;

/* Neither server nor client yet. */
struct client_fixture *client_fixture_new(void);
void client_fixture_finish(struct client_fixture *f);
/* Makes the client, which monitors Host, and what the server may lack. */
void client_fixture_connect(struct client_fixture *f);

/* The limit is only for a test that would hang. */
#define RUN_UNTIL(f, condition)                                                \
	do {                                                                   \
		for (int i__ = 0; !(condition); i__++) {                       \
			const struct timeval tv__ = { 0, 10000 };              \
			assert_true(i__ < 3000);                               \
			event_base_loopexit((f)->base, &tv__);                 \
			event_base_loop((f)->base, EVLOOP_ONCE);               \
		}                                                              \
	} while (0)

/* Of the client's rows of Host: the first, how many, column n of one. */
const struct ovsdb_client_row *client_fixture_first(struct client_fixture *f);
size_t client_fixture_count(struct client_fixture *f);
int64_t client_fixture_n(const struct ovsdb_client_row *row);

#endif
