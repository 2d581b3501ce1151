/* A server in a thread of its own, and a client of it in this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ovsdb-lite/client.h"
#include "ovsdb-lite/embed.h"
#include "scratch.h"

struct fixture {
	char dir[40], path[60], sock[60], remote[80];
	struct event_base *base;
	int changes;
	bool done;
	char *error;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	scratch_make(f->dir);
	snprintf(f->path, sizeof(f->path), "%s/conf.db", f->dir);
	snprintf(f->sock, sizeof(f->sock), "%s/db.sock", f->dir);
	snprintf(f->remote, sizeof(f->remote), "unix:%s", f->sock);
	f->base = event_base_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char *command = xasprintf("rm -r %s", f->dir);

	event_base_free(f->base);
	assert_int_equal(system(command), 0);
	free(command);
	free(f->error);
	free(f);
	return 0;
}

static void changed(struct ovsdb_client *c, void *aux)
{
	struct fixture *f = aux;

	f->changes++;
	event_base_loopbreak(f->base);
}

static const struct ovsdb_client_ops ops = { .changed = changed };

static void done(struct ovsdb_client *c, json_t *result, const char *error,
		 void *aux)
{
	struct fixture *f = aux;

	f->done = true;
	free(f->error);
	f->error = error ? xstrdup(error) : NULL;
	event_base_loopbreak(f->base);
}

static struct ovsdb_client *connect_client(struct fixture *f)
{
	static const char *const columns[] = { "name", NULL };
	struct ovsdb_client *client = ovsdb_client_create(
		f->base, f->remote, "Open_vSwitch", &ops, f);

	ovsdb_client_monitor(client, "Bridge", columns);
	f->changes = 0;
	while (!f->changes)
		event_base_loop(f->base, EVLOOP_ONCE);
	return client;
}

static void insert_bridge(struct fixture *f, struct ovsdb_client *client)
{
	static const char text[] =
		"[{\"op\":\"insert\",\"table\":\"Open_vSwitch\",\"row\":"
		"{\"bridges\":[\"named-uuid\",\"b\"]}},"
		"{\"op\":\"insert\",\"table\":\"Bridge\",\"uuid-name\":\"b\","
		"\"row\":{\"name\":\"br0\"}}]";

	f->done = false;
	assert_int_equal(ovsdb_client_transact(
				 client, json_loads(text, 0, NULL), done, f),
			 0);
	while (!f->done)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_null(f->error);
}

static void test_start_stop(void **state)
{
	struct fixture *f = *state;
	const struct ovsdb_embed_options options = { .path = f->path,
						     .socket = f->sock };
	const struct ovsdb_client_row *row;
	struct ovsdb_client *client;
	struct ovsdb_embed *embed;
	char *why = NULL;

	/* The file is made, and found again the second time. */
	for (int round = 0; round < 2; round++) {
		embed = ovsdb_embed_start(&options, &why);
		assert_non_null(embed);
		client = connect_client(f);
		if (!round)
			insert_bridge(f, client);
		row = ovsdb_client_next(client, "Bridge", NULL);
		assert_non_null(row);
		assert_string_equal(
			ovsdb_atom_string(
				&ovsdb_client_column(row, "name")->keys[0]),
			"br0");
		/* Either may go first. */
		if (round)
			ovsdb_embed_stop(embed);
		ovsdb_client_destroy(client);
		if (!round)
			ovsdb_embed_stop(embed);
		assert_int_equal(access(f->sock, F_OK), -1);
	}
}

static void test_in_memory(void **state)
{
	struct fixture *f = *state;
	const struct ovsdb_embed_options options = { .socket = f->sock };
	struct ovsdb_embed *embed = ovsdb_embed_start(&options, NULL);
	struct ovsdb_client *client;

	assert_non_null(embed);
	client = connect_client(f);
	insert_bridge(f, client);
	ovsdb_client_destroy(client);
	ovsdb_embed_stop(embed);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void expect_failure(const struct ovsdb_embed_options *options,
			   const char *part)
{
	char *why = NULL;

	assert_null(ovsdb_embed_start(options, &why));
	assert_non_null(strstr(why, part));
	free(why);
}

static void test_failures(void **state)
{
	struct fixture *f = *state;
	const char *const remotes[] = { "foo:bar", NULL };
	const struct ovsdb_embed_options good = { .path = f->path,
						  .socket = f->sock };
	struct ovsdb_embed_options bad = good;
	struct ovsdb_embed *embed;
	FILE *file;

	bad.remotes = remotes;
	expect_failure(&bad, "foo:bar");
	bad = good;
	bad.socket = "/no/such/directory/sock";
	expect_failure(&bad, "/no/such/directory/sock");
	/* The file is in use by another. */
	embed = ovsdb_embed_start(&good, NULL);
	assert_non_null(embed);
	bad = good;
	bad.socket = f->dir;
	expect_failure(&bad, f->path);
	ovsdb_embed_stop(embed);
	/* It is no database. */
	file = fopen(f->path, "w");
	fputs("something else entirely\n", file);
	fclose(file);
	expect_failure(&good, f->path);
	ovsdb_embed_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_stop, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_in_memory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
