/*
 * How long the database takes to add a port to a bridge that has 10, 100 and
 * 1,000 of them, in memory and with its file, in the two forms that clients
 *use: a mutation, and (as ovs-vsctl) a wait for and an update of the whole set.
 *JSON is parsed from text each time, as from a socket.
 *
 *	bench_ovsdb [DIRECTORY]    where the file is made (default /tmp)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ovsdb-lite/journal.h"

static double now_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_ovsdb: %s\n", what);
	exit(1);
}

/* CPU time within ovsdb_db_transact(), without parsing and printing JSON. */
static double core_s;

static json_t *transact(struct ovsdb_db *db, const char *text)
{
	json_t *params = json_loads(text, 0, NULL), *error, *result;
	uint32_t timeout_ms;
	bool waiting;
	char *reply;

	if (!params)
		die("bad JSON");
	core_s -= now_s(CLOCK_PROCESS_CPUTIME_ID);
	result = ovsdb_db_transact(db, NULL, params, 0, &waiting, &timeout_ms,
				   &error);
	core_s += now_s(CLOCK_PROCESS_CPUTIME_ID);
	json_decref(params);
	if (!result)
		die("no result");
	reply = json_dumps(result, JSON_COMPACT);
	if (strstr(reply, "\"error\""))
		die(reply);
	free(reply);
	return result;
}

static struct ovsdb_schema *schema(void)
{
	struct ovsdb_schema *schema;
	size_t len;
	const char *text = ovsdb_vswitch_schema(&len);
	json_t *json = json_loadb(text, len, 0, NULL);

	if (ovsdb_schema_from_json(&schema, json))
		die("bad schema");
	json_decref(json);
	return schema;
}

static void add_bridge(struct ovsdb_db *db)
{
	json_decref(transact(
		db,
		"[\"Open_vSwitch\",{\"op\":\"insert\",\"table\":\"Open_vSwitch\""
		",\"row\":{\"bridges\":[\"named-uuid\",\"b\"]}},{\"op\":"
		"\"insert\",\"table\":\"Bridge\",\"uuid-name\":\"b\",\"row\":{"
		"\"name\":\"br0\"}}]"));
}

/* The inserts of one port and its interface. */
#define INSERTS                                                                \
	"{\"op\":\"insert\",\"table\":\"Interface\",\"uuid-name\":\"i\","      \
	"\"row\":{\"name\":\"p%d\",\"type\":\"internal\"}},"                   \
	"{\"op\":\"insert\",\"table\":\"Port\",\"uuid-name\":\"p\","           \
	"\"row\":{\"name\":\"p%d\",\"interfaces\":[\"named-uuid\",\"i\"]}},"   \
	"{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[],"          \
	"\"mutations\":[[\"next_cfg\",\"+=\",1]]}"

static void add_by_mutation(struct ovsdb_db *db, int i)
{
	char *text = xasprintf(
		"[\"Open_vSwitch\"," INSERTS ",{\"op\":\"mutate\",\"table\":"
		"\"Bridge\",\"where\":[[\"name\",\"==\",\"br0\"]],"
		"\"mutations\":[[\"ports\",\"insert\",[\"named-uuid\",\"p\"]]]}"
		"]",
		i, i);

	json_decref(transact(db, text));
	free(text);
}

static char *ports_text(struct ovsdb_db *db, bool more)
{
	const struct ovsdb_row *bridge =
		ovsdb_table_next(ovsdb_db_table(db, "Bridge"), NULL);
	const struct ovsdb_column *column = ovsdb_table_schema_column(
		ovsdb_table_schema(bridge->table), "ports");
	const struct ovsdb_datum *ports = &bridge->columns[column->index];
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);
	char buf[UUID_LEN + 1];

	fputs("[\"set\",[", out);
	for (unsigned int i = 0; i < ports->n; i++)
		fprintf(out, "%s[\"uuid\",\"%s\"]", i ? "," : "",
			uuid_format(&ports->keys[i].uuid, buf));
	if (more)
		fprintf(out, "%s[\"named-uuid\",\"p\"]", ports->n ? "," : "");
	fputs("]]", out);
	fclose(out);
	return text;
}

static void add_as_vsctl(struct ovsdb_db *db, int i)
{
	char *before = ports_text(db, false), *after = ports_text(db, true);
	char *text = xasprintf(
		"[\"Open_vSwitch\",{\"op\":\"wait\",\"timeout\":0,\"table\":"
		"\"Bridge\",\"where\":[[\"name\",\"==\",\"br0\"]],\"columns\":"
		"[\"ports\"],\"until\":\"==\",\"rows\":[{\"ports\":%s}]}"
		"," INSERTS ",{\"op\":\"update\",\"table\":\"Bridge\","
		"\"where\":[[\"name\",\"==\",\"br0\"]],\"row\":{\"ports\":%s}}]",
		before, i, i, after);

	json_decref(transact(db, text));
	free(before);
	free(after);
	free(text);
}

static void measure(struct ovsdb_db *db, const char *what, int ports,
		    void (*add)(struct ovsdb_db *, int))
{
	enum { N = 100 };
	int have = (int)ovsdb_table_count(ovsdb_db_table(db, "Port"));
	double wall, cpu;

	for (int i = have; i < ports; i++)
		add_by_mutation(db, i);
	core_s = 0;
	wall = now_s(CLOCK_MONOTONIC);
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < N; i++)
		add(db, 1000000 + i);
	wall = (now_s(CLOCK_MONOTONIC) - wall) / N;
	cpu = (now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) / N;
	printf("%-20s %5d ports: CPU %6.0f us, %5.0f of it without JSON; "
	       "%6.0f us, %6.0f/s\n",
	       what, ports, cpu * 1e6, core_s / N * 1e6, wall * 1e6, 1 / wall);
	/* Back to the number of ports. */
	json_decref(transact(
		db, "[\"Open_vSwitch\",{\"op\":\"update\",\"table\":\"Bridge\","
		    "\"where\":[],\"row\":{\"ports\":[\"set\",[]]}}]"));
}

static void measure_all(struct ovsdb_db *db, const char *where)
{
	static const int sizes[] = { 10, 100, 1000 };

	add_bridge(db);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *mutation = xasprintf("%s, mutation", where);
		char *vsctl = xasprintf("%s, wait+update", where);

		measure(db, mutation, sizes[i], add_by_mutation);
		measure(db, vsctl, sizes[i], add_as_vsctl);
		free(mutation);
		free(vsctl);
	}
	ovsdb_db_destroy(db);
}

int main(int argc, char *argv[])
{
	char *path = xasprintf("%s/vsw-bench-ovsdb-%d.db",
			       argc > 1 ? argv[1] : "/tmp", (int)getpid());
	struct ovsdb_schema *s = schema();
	struct ovsdb_journal *journal;
	struct ovsdb_db *db;
	char *why = NULL;

	measure_all(ovsdb_db_create(schema(), NULL), "memory");
	if (ovsdb_journal_open_as(&journal, &db, path, s, &why))
		die(why);
	measure_all(db, "file");
	ovsdb_journal_close(journal);
	ovsdb_schema_destroy(s);
	unlink(path);
	free(path);
	return 0;
}
