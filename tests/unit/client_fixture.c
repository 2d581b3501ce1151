/* See client_fixture.h. */
#include "tests/unit/client_fixture.h"
#include "tests/unit/scratch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char client_fixture_schema[] =
	"{\"name\":\"T\",\"version\":\"1.0.0\",\"tables\":{\"Host\":{"
	"\"columns\":{\"name\":{\"type\":\"string\"},"
	"\"n\":{\"type\":\"integer\"},"
	"\"hidden\":{\"type\":\"integer\"},"
	"\"tags\":{\"type\":{\"key\":\"integer\",\"min\":0,"
	"\"max\":\"unlimited\"}},"
	"\"config\":{\"type\":{\"key\":\"string\",\"value\":\"string\","
	"\"min\":0,\"max\":\"unlimited\"}}},\"isRoot\":true}}}";

static void changed(struct ovsdb_client *c, void *aux)
{
	((struct client_fixture *)aux)->changes++;
}

static void connection(struct ovsdb_client *c, bool up, const char *why,
		       void *aux)
{
	struct client_fixture *f = aux;

	*(up ? &f->ups : &f->downs) += 1;
}

static void lock(struct ovsdb_client *c, bool held, void *aux)
{
	((struct client_fixture *)aux)->locked = held;
}

const struct ovsdb_client_ops client_fixture_ops = { changed, connection,
						     lock };

struct client_fixture *client_fixture_new(void)
{
	struct client_fixture *f = xcalloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	scratch_make(f->dir);
	snprintf(f->remote, sizeof(f->remote), "unix:%s/s", f->dir);
	snprintf(f->listen, sizeof(f->listen), "p%s", f->remote);
	f->base = event_base_new();
	return f;
}

void client_fixture_finish(struct client_fixture *f)
{
	ovsdb_client_destroy(f->client);
	ovsdb_server_destroy(f->server);
	event_base_free(f->base);
	json_decref(f->result);
	free(f->error);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
}

void client_fixture_connect(struct client_fixture *f)
{
	static const char *const columns[] = { "name",	 "n",	    "tags",
					       "config", "no_such", NULL };

	f->client = ovsdb_client_create(f->base, f->remote, "T",
					&client_fixture_ops, f);
	ovsdb_client_monitor(f->client, "Host", columns);
	ovsdb_client_monitor(f->client, "NoTable", columns);
}

const struct ovsdb_client_row *client_fixture_first(struct client_fixture *f)
{
	return ovsdb_client_next(f->client, "Host", NULL);
}

size_t client_fixture_count(struct client_fixture *f)
{
	const struct ovsdb_client_row *row = NULL;
	size_t n = 0;

	while ((row = ovsdb_client_next(f->client, "Host", row)))
		n++;
	return n;
}

int64_t client_fixture_n(const struct ovsdb_client_row *row)
{
	return ovsdb_client_column(row, "n")->keys[0].integer;
}
