/*
 * The reconciler from the database to the workers' snapshot and back: bridges,
 * ports, errors, OpenFlow numbers, patch ports, restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "port/null.h"
#include "daemon_fixture.h"

static struct test_daemon f;

static int setup(void **state)
{
	test_daemon_setup(&f);
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&f);
	return 0;
}

#define assert_column(TABLE, NAME, COLUMN, EXPECTED)                           \
	assert_string_equal(db_get_text(&f, TABLE, NAME, COLUMN), EXPECTED)
#define assert_error(NAME, PART)                                               \
	assert_non_null(                                                       \
		strstr(db_get_text(&f, "Interface", NAME, "error"), PART))

static void test_start(void **state)
{
	test_daemon_transact(&f, json_array());
	assert_column("Open_vSwitch", NULL, "ovs_version",
		      "\"" VSW_VERSION "\"");
	assert_non_null(
		strstr(db_get_text(&f, "Open_vSwitch", NULL, "iface_types"),
		       "internal"));
	assert_int_equal(f.vs->snapshot ? f.vs->snapshot->n_bridges : 0, 0);
}

static void test_bridges(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_bridge(&f, "br1");
	assert_int_equal(f.vs->snapshot->n_bridges, 2);
	assert_non_null(fwd_snapshot_find_bridge(f.vs->snapshot, "br0"));
	assert_int_equal(
		strlen(db_get_text(&f, "Bridge", "br0", "datapath_id")), 18);
	db_del_bridge(&f, "br0");
	assert_int_equal(f.vs->snapshot->n_bridges, 1);
	assert_null(fwd_snapshot_find_bridge(f.vs->snapshot, "br0"));
}

static void test_port(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", NULL, NULL);
	assert_non_null(db_find_fwd_port(&f, "br0", "p1"));
	assert_column("Interface", "p1", "ofport", "1");
	assert_column("Interface", "p1", "error", "[]");
	assert_column("Interface", "p1", "admin_state", "up");
	assert_column("Interface", "p1", "link_state", "up");
	assert_column("Interface", "p1", "mtu", "1500");
	assert_non_null(strstr(db_get_text(&f, "Interface", "p1", "statistics"),
			       "rx_packets=0"));
	db_del_port(&f, "br0", "p1");
	assert_null(db_find_fwd_port(&f, "br0", "p1"));
	assert_int_equal(f.vs->vports.n, 0);
}

/* What has not changed stays as it is, the very port. */
static void test_unchanged_port_stays(void **state)
{
	struct port *port;

	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", NULL, NULL);
	port = db_find_fwd_port(&f, "br0", "p1")->port;
	db_add_port(&f, "br0", "p2", "null", NULL, NULL);
	db_set_row(&f, "Port", "p1", "{\"tag\": 5}");
	db_set_row(&f, "Interface", "p1", "{\"mtu_request\": 9000}");
	assert_ptr_equal(db_find_fwd_port(&f, "br0", "p1")->port, port);
	assert_column("Interface", "p1", "mtu", "9000");
	assert_int_equal(db_find_fwd_port(&f, "br0", "p1")->native_vid, 5);
}

static void test_errors(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "good", "null", NULL, NULL);
	db_add_port(&f, "br0", "odd", "gre-of-mars", NULL, NULL);
	assert_column("Interface", "odd", "ofport", "-1");
	assert_error("odd", "gre-of-mars");
	db_add_port(&f, "br0", "a/b", "null", NULL, NULL);
	assert_column("Interface", "a/b", "ofport", "-1");
	assert_error("a/b", "'/'");
	db_add_port(&f, "br0", "pa", "patch", NULL, NULL);
	assert_error("pa", "patch type requires valid 'peer' argument");
	db_add_port(&f, "br0", "self", "patch", NULL,
		    "{\"options\": [\"map\", [[\"peer\", \"self\"]]]}");
	assert_error("self", "patch peer must not be self");
	assert_column("Interface", "good", "ofport", "1");
	assert_int_equal(f.vs->snapshot->bridges[0]->n_ports, 1);

	/* Set right, it works. */
	db_set_row(&f, "Interface", "odd", "{\"type\": \"null\"}");
	assert_column("Interface", "odd", "error", "[]");
	assert_string_not_equal(db_get_text(&f, "Interface", "odd", "ofport"),
				"-1");
	assert_non_null(db_find_fwd_port(&f, "br0", "odd"));
}

static void test_ofport_request(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "a", "null", NULL, "{\"ofport_request\": 7}");
	db_add_port(&f, "br0", "b", "null", NULL, NULL);
	assert_column("Interface", "a", "ofport", "7");
	assert_column("Interface", "b", "ofport", "1");
	/* Taken: another number. */
	db_add_port(&f, "br0", "c", "null", NULL, "{\"ofport_request\": 7}");
	assert_column("Interface", "a", "ofport", "7");
	assert_column("Interface", "c", "ofport", "2");
	/* Who asks comes before who merely has. */
	db_set_row(&f, "Interface", "c", "{\"ofport_request\": 1}");
	assert_column("Interface", "c", "ofport", "1");
	assert_column("Interface", "b", "ofport", "2");
	assert_int_equal(db_find_fwd_port(&f, "br0", "c")->ofport, 1);
	/* No longer asked for, it stays. */
	db_set_row(&f, "Interface", "a", "{\"ofport_request\": [\"set\", []]}");
	assert_column("Interface", "a", "ofport", "7");
}

static void test_local_port(void **state)
{
	db_add_bridge(&f, "br0");
	/* Of another kind here, since an internal one needs privilege. */
	db_add_port(&f, "br0", "br0", "null", NULL, "{\"ofport_request\": 3}");
	assert_column("Interface", "br0", "ofport", "65534");
}

static void test_hwaddr(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "br0", "null", NULL, NULL);
	db_set_row(&f, "Bridge", "br0",
		   "{\"other_config\": [\"map\", [[\"hwaddr\","
		   " \"02:11:22:33:44:55\"]]]}");
	assert_column("Bridge", "br0", "datapath_id", "\"0000021122334455\"");
}

static void test_patch(void **state)
{
	const struct fwd_port *a, *b;

	db_add_bridge(&f, "br0");
	db_add_bridge(&f, "br1");
	db_add_port(&f, "br0", "pa", "patch", NULL,
		    "{\"options\": [\"map\", [[\"peer\", \"pb\"]]]}");
	assert_error("pa", "pb");
	assert_column("Interface", "pa", "ofport", "1");
	assert_null(db_find_fwd_port(&f, "br0", "pa")->patch_peer);
	db_add_port(&f, "br1", "pb", "patch", NULL,
		    "{\"options\": [\"map\", [[\"peer\", \"pa\"]]]}");
	assert_column("Interface", "pa", "error", "[]");
	assert_column("Interface", "pb", "error", "[]");
	a = db_find_fwd_port(&f, "br0", "pa");
	b = db_find_fwd_port(&f, "br1", "pb");
	assert_ptr_equal(a->patch_peer, b);
	assert_ptr_equal(b->patch_peer, a);
	db_set_row(&f, "Interface", "pb",
		   "{\"options\": [\"map\", [[\"peer\", \"other\"]]]}");
	assert_null(db_find_fwd_port(&f, "br0", "pa")->patch_peer);
	assert_error("pa", "pb");
	db_del_port(&f, "br1", "pb");
	assert_error("pa", "No usable peer");
}

static void test_patch_within_a_bridge(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "pa", "patch", NULL,
		    "{\"options\": [\"map\", [[\"peer\", \"pb\"]]]}");
	db_add_port(&f, "br0", "pb", "patch", NULL,
		    "{\"options\": [\"map\", [[\"peer\", \"pa\"]]]}");
	assert_error("pa", "same bridge");
	assert_null(db_find_fwd_port(&f, "br0", "pa")->patch_peer);
}

static void share(const char *bridge, const char *port, const char *how)
{
	const struct ovsdb_client_row *row = NULL;
	char uuid[UUID_LEN + 1];

	while ((row = ovsdb_client_next(f.client, "Port", row)))
		if (!strcmp(ovsdb_atom_string(
				    ovsdb_client_column(row, "name")->keys),
			    port))
			break;
	assert_non_null(row);
	test_daemon_transact(
		&f, json_pack("[{s:s, s:s, s:[[s,s,s]], s:[[s,s,[s,s]]]}]",
			      "op", "mutate", "table", "Bridge", "where",
			      "name", "==", bridge, "mutations", "ports", how,
			      "uuid", uuid_format(&row->uuid, uuid)));
}

static void test_one_device_two_bridges(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_bridge(&f, "br1");
	db_add_port(&f, "br1", "p1", "null", NULL, NULL);
	/* Whoever has it keeps it, also against a name that sorts first. */
	share("br0", "p1", "insert");
	assert_error("p1", "br1");
	assert_null(db_find_fwd_port(&f, "br0", "p1"));
	assert_non_null(db_find_fwd_port(&f, "br1", "p1"));
	share("br0", "p1", "delete");
	assert_column("Interface", "p1", "error", "[]");
	/* And when the first lets go, the second gets it. */
	share("br0", "p1", "insert");
	share("br1", "p1", "delete");
	assert_non_null(db_find_fwd_port(&f, "br0", "p1"));
	assert_null(db_find_fwd_port(&f, "br1", "p1"));
	assert_column("Interface", "p1", "error", "[]");
}

/* Gone and there again in one transaction: another row of the same name. */
static void test_replace_port(void **state)
{
	char uuid[UUID_LEN + 1];
	const struct ovsdb_client_row *row;

	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", NULL, NULL);
	row = ovsdb_client_next(f.client, "Port", NULL);
	test_daemon_transact(
		&f,
		json_pack("[{s:s,s:s,s:[],s:[[s,s,[s,s]]]},"
			  "{s:s,s:s,s:s,s:{s:s,s:s}},"
			  "{s:s,s:s,s:s,s:{s:s,s:i,s:[s,s]}},"
			  "{s:s,s:s,s:[],s:[[s,s,[s,s]]]}]",
			  "op", "mutate", "table", "Bridge", "where",
			  "mutations", "ports", "delete", "uuid",
			  uuid_format(&row->uuid, uuid), "op", "insert",
			  "table", "Interface", "uuid-name", "i", "row", "name",
			  "p1", "type", "null", "op", "insert", "table", "Port",
			  "uuid-name", "p", "row", "name", "p1", "tag", 9,
			  "interfaces", "named-uuid", "i", "op", "mutate",
			  "table", "Bridge", "where", "mutations", "ports",
			  "insert", "named-uuid", "p"));
	assert_int_equal(db_find_fwd_port(&f, "br0", "p1")->native_vid, 9);
	assert_int_equal(f.vs->vports.n, 1);
}

static void test_restart_keeps_numbers(void **state)
{
	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "z", "null", NULL, NULL);
	db_add_port(&f, "br0", "m", "null", NULL, NULL);
	db_add_port(&f, "br0", "a", "null", NULL, NULL);
	db_del_port(&f, "br0", "z");
	test_daemon_stop(&f);
	test_daemon_start(&f);
	assert_column("Interface", "m", "ofport", "2");
	assert_column("Interface", "a", "ofport", "3");
	assert_non_null(db_find_fwd_port(&f, "br0", "a"));
	db_add_port(&f, "br0", "y", "null", NULL, NULL);
	assert_column("Interface", "y", "ofport", "1");
}

static void test_workers(void **state)
{
	const struct port *port;

	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", NULL, NULL);
	port = db_find_fwd_port(&f, "br0", "p1")->port;
	db_set_row(&f, "Open_vSwitch", NULL,
		   "{\"other_config\": [\"map\", [[\"n-workers\", \"3\"]]]}");
	assert_int_equal(worker_pool_count(f.vs->pool), 3);
	assert_ptr_equal(db_find_fwd_port(&f, "br0", "p1")->port, port);
	assert_int_equal(port->n_threads, 4);
	assert_column("Interface", "p1", "ofport", "1");
	/* Nonsense: the default. */
	db_set_row(&f, "Open_vSwitch", NULL,
		   "{\"other_config\": [\"map\", [[\"n-workers\", \"-3\"]]]}");
	assert_int_equal(worker_pool_count(f.vs->pool), worker_default_count());
	assert_ptr_equal(db_find_fwd_port(&f, "br0", "p1")->port, port);
}

struct sent {
	const char *name;
	uint64_t n;
};

static bool was_sent(struct test_daemon *fixture, void *aux)
{
	struct sent *sent = aux;
	struct vport *v = vswitch_find_vport(fixture->vs, sent->name);
	struct port_counters counters;

	/* The workers run beside us: a short look now and then. */
	const struct timeval soon = { .tv_usec = 1000 };

	port_get_counters(v->port, &counters);
	if (counters.tx_packets >= sent->n)
		return true;
	event_base_loopexit(fixture->base, &soon);
	return false;
}

static void test_frames_pass(void **state)
{
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
			      0,    0,	  0,	0,    1,    0x08, 0x00 };
	struct sent sent = { "p2", 1 };

	db_add_bridge(&f, "br0");
	db_add_port(&f, "br0", "p1", "null", "{\"tag\": 5}", NULL);
	db_add_port(&f, "br0", "p2", "null", "{\"tag\": 5}", NULL);
	db_add_port(&f, "br0", "p3", "null", "{\"tag\": 6}", NULL);
	assert_int_equal(null_inject(vswitch_find_vport(f.vs, "p1")->port,
				     frame, sizeof(frame), NULL),
			 0);
	test_daemon_wait(&f, was_sent, &sent);
	assert_int_equal(fdb_lookup(vswitch_find_bridge(f.vs, "br0")->fdb,
				    fdb_make_key(0x020000000001, 5)),
			 vswitch_find_vport(f.vs, "p1")->number);
	/* Its addresses go with the port, and with its VLAN. */
	db_set_row(&f, "Port", "p1", "{\"tag\": 6}");
	assert_int_equal(fdb_lookup(vswitch_find_bridge(f.vs, "br0")->fdb,
				    fdb_make_key(0x020000000001, 5)),
			 FDB_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(test_start),
		T(test_bridges),
		T(test_port),
		T(test_unchanged_port_stays),
		T(test_errors),
		T(test_ofport_request),
		T(test_local_port),
		T(test_hwaddr),
		T(test_patch),
		T(test_patch_within_a_bridge),
		T(test_one_device_two_bridges),
		T(test_replace_port),
		T(test_restart_keeps_numbers),
		T(test_workers),
		T(test_frames_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
