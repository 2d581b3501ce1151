/*
 * Leases in the database: which operations come of what the DHCP server tells,
 * and what is done with their results. tests/net/test_segment_leases.py has the
 * database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "vswd/segment.h"
#include "vswd/segment_leases.h"
#include "vswd/vbond.h"

#define IP 0x0a140010
#define S  1000ull

static struct vswitch vs;
static struct bridge bridge;
static struct segment seg;
static struct cfg_segment config;
static unsigned n_wakes;
static struct segment_leases *leases;

static void wake(void *arg)
{
	n_wakes++;
}

static int setup(void **state)
{
	memset(&vs, 0, sizeof(vs));
	memset(&bridge, 0, sizeof(bridge));
	hmap_init(&vs.vports);
	vs.wake = wake;
	config = (struct cfg_segment){ .name = (char *)"lab",
				       .dhcp.lease_s = 3600 };
	seg = (struct segment){ .vs = &vs,
				.bridge = &bridge,
				.config = &config };
	n_wakes = 0;
	leases = segment_leases_create(&seg);
	return 0;
}

static int teardown(void **state)
{
	segment_leases_destroy(leases);
	return 0;
}

static struct dhcp_lease lease_of(uint32_t ip)
{
	struct dhcp_lease lease = {
		.ip = ip,
		.state = DHCP_BOUND,
		.mac = 0x525400000000 | (ip & 0xff),
		.port = 7,
		.client_id = { 1, 0xab },
		.client_id_len = 2,
		.hostname = "vm1",
		.expires_ms = vswitch_now_ms() + 3600 * S,
	};

	return lease;
}

/* The next transaction's operations, without the assert; NULL: none. */
static json_t *collect(void)
{
	json_t *operations = json_array();

	segment_leases_collect(leases, operations);
	if (json_array_size(operations))
		return operations;
	json_decref(operations);
	return NULL;
}

/* Answers each operation as a server does, and ends it. */
static void succeed(json_t *operations)
{
	json_t *result = json_array(), *operation;
	static unsigned n;
	char uuid[64];
	size_t i;

	json_array_foreach(operations, i, operation) {
		const char *op =
			json_string_value(json_object_get(operation, "op"));

		snprintf(uuid, sizeof(uuid), "00000000-0000-0000-0000-%012x",
			 ++n);
		json_array_append_new(
			result,
			strcmp(op, "insert")
				? json_pack("{s:i}", "count", 1)
				: json_pack("{s:[s,s]}", "uuid", "uuid", uuid));
	}
	segment_leases_told(leases, result);
	json_decref(result);
	json_decref(operations);
}

static const char *text_of(const json_t *operation, const char *key)
{
	return json_string_value(json_object_get(operation, key));
}

static const char *row_text(const json_t *operation, const char *column)
{
	return text_of(json_object_get(operation, "row"), column);
}

/* The number of operations of that kind. */
static unsigned count(const json_t *operations, const char *op)
{
	const json_t *operation;
	unsigned n = 0;
	size_t i;

	json_array_foreach(operations, i, operation)
		n += !strcmp(text_of(operation, "op"), op);
	return n;
}

/* --- tests ---------------------------------------------------------------- */

static void test_row(void **state)
{
	struct dhcp_lease lease = lease_of(IP);
	json_t *operations, *insert;

	assert_null(collect());
	segment_leases_changed(leases, &lease, false);
	assert_int_equal(n_wakes, 1);
	operations = collect();
	assert_int_equal(json_array_size(operations), 2);
	insert = json_array_get(operations, 0);
	assert_string_equal(text_of(insert, "table"), "Lease");
	assert_string_equal(row_text(insert, "address"), "10.20.0.16");
	assert_string_equal(row_text(insert, "mac"), "52:54:00:00:00:10");
	assert_string_equal(row_text(insert, "client_id"), "01:ab");
	assert_string_equal(row_text(insert, "hostname"), "vm1");
	assert_string_equal(row_text(insert, "state"), "bound");
	assert_in_range(json_integer_value(json_object_get(
				json_object_get(insert, "row"), "expires")),
			time(NULL) + 3500, time(NULL) + 3700);
	assert_string_equal(text_of(json_array_get(operations, 1), "table"),
			    "Segment");
	/* one transaction at a time */
	lease.state = DHCP_OVER;
	segment_leases_changed(leases, &lease, false);
	assert_null(collect());
	succeed(operations);
	operations = collect();
	assert_string_equal(text_of(json_array_get(operations, 0), "op"),
			    "update");
	assert_string_equal(row_text(json_array_get(operations, 0), "state"),
			    "over");
	succeed(operations);
	assert_null(collect());
}

static void test_renewals(void **state)
{
	struct dhcp_lease lease = lease_of(IP);

	segment_leases_changed(leases, &lease, false);
	succeed(collect());
	for (int i = 0; i < 40; i++) {
		lease.expires_ms += 10 * S;
		segment_leases_changed(leases, &lease, false);
	}
	assert_null(collect()); /* 400 s of 3600 */
	lease.expires_ms += 100 * S;
	segment_leases_changed(leases, &lease, false);
	succeed(collect());
	strcpy(lease.hostname, "vm2");
	segment_leases_changed(leases, &lease, false);
	succeed(collect());
	assert_null(collect());
}

static void test_gone(void **state)
{
	struct dhcp_lease lease = lease_of(IP), other = lease_of(IP + 1);
	json_t *operations;

	/* never told: nothing to remove */
	segment_leases_changed(leases, &lease, false);
	segment_leases_changed(leases, &other, false);
	segment_leases_changed(leases, &other, true);
	operations = collect();
	assert_int_equal(count(operations, "insert"), 1);
	/* gone while it is being told */
	segment_leases_changed(leases, &lease, true);
	succeed(operations);
	operations = collect();
	assert_int_equal(json_array_size(operations), 1);
	/* and back while that is being told */
	lease.mac++;
	segment_leases_changed(leases, &lease, false);
	succeed(operations);
	operations = collect();
	assert_int_equal(count(operations, "insert"), 1);
	succeed(operations);
	segment_leases_changed(leases, &lease, true);
	succeed(collect());
	assert_null(collect());
}

/* It may have been carried out: all rows are made anew, and no others stay. */
static void test_failure(void **state)
{
	struct dhcp_lease lease = lease_of(IP), other = lease_of(IP + 1);
	json_t *operations;

	segment_leases_changed(leases, &lease, false);
	succeed(collect());
	segment_leases_changed(leases, &other, false);
	operations = collect();
	assert_int_equal(count(operations, "insert"), 1);
	json_decref(operations);
	segment_leases_told(leases, NULL);
	operations = collect();
	assert_int_equal(count(operations, "insert"), 2);
	assert_int_equal(count(operations, "mutate"), 0);
	assert_int_equal(count(operations, "update"), 1);
	succeed(operations);
	assert_null(collect());
}

static void test_batches(void **state)
{
	unsigned n = 0;
	json_t *operations;

	for (uint32_t i = 0; i < 1000; i++) {
		struct dhcp_lease lease = lease_of(IP + i);

		segment_leases_changed(leases, &lease, false);
	}
	while ((operations = collect())) {
		assert_in_range(json_array_size(operations), 1, 300);
		n += count(operations, "insert");
		succeed(operations);
	}
	assert_int_equal(n, 1000);
	assert_int_equal(segment_leases_count(leases), 1000);
}

static void dhcp_changed(const struct dhcp_lease *lease, bool gone, void *arg)
{
	segment_leases_changed(leases, lease, gone);
}

static struct dhcp *make_server(void)
{
	static const struct dhcp_ops ops = { .changed = dhcp_changed };
	static const struct hash_key key = { 1, 2 };
	struct dhcp_config c = { .server = 0x0a140001,
				 .prefix_len = 24,
				 .first = 0x0a140002,
				 .last = 0x0a1400fe,
				 .lease_s = 3600 };

	return dhcp_create(&c, &key, &ops, NULL);
}

static void test_restore(void **state)
{
	struct cfg_lease rows[4] = { 0 };
	struct dhcp *dhcp = make_server();
	const struct dhcp_lease *lease;
	json_t *operations;

	for (unsigned i = 0; i < 4; i++) {
		rows[i].uuid.lo = i + 1;
		rows[i].lease = lease_of(IP + i);
		snprintf(rows[i].lease.hostname, 8, "vm%u", i);
		rows[i].lease.expires_ms = 0;
		rows[i].expires_s = time(NULL) + 1000;
	}
	rows[1].expires_s = time(NULL) - 1000; /* over meanwhile */
	rows[1].interface = (char *)"tap1";    /* and its port is gone */
	rows[2].lease.ip = IP;		       /* another has it */
	rows[3].lease.ip = 0x0b000001;	       /* of no subnet */
	config.leases = rows;
	config.n_leases = 4;
	segment_leases_restore(leases, dhcp);
	lease = dhcp_find_ip(dhcp, IP);
	assert_non_null(lease);
	/* later by what a row may be behind, an eighth of the lease time */
	assert_in_range(lease->expires_ms - vswitch_now_ms(), 1350 * S,
			1451 * S);
	assert_null(dhcp_find_ip(dhcp, IP + 1));
	assert_int_equal(segment_leases_count(leases), 1);
	operations = collect();
	assert_int_equal(count(operations, "insert"), 0);
	assert_int_equal(count(operations, "update"), 1);
	assert_string_equal(row_text(json_array_get(operations, 0), "state"),
			    "over");
	assert_string_equal(
		row_text(json_array_get(operations, 0), "interface"), "tap1");
	/* those two are taken out of Segment:leases */
	assert_int_equal(count(operations, "mutate"), 1);
	succeed(operations);
	assert_null(collect());
	dhcp_destroy(dhcp);
}

/* The row was true when it was written, and its client renewed since. */
static void test_renewed_after_row(void **state)
{
	struct cfg_lease row = { .lease = lease_of(IP) };
	struct dhcp *dhcp = make_server();
	struct dhcp_lease lease;

	row.uuid.lo = 1;
	row.expires_s = time(NULL) - 400;
	config.leases = &row;
	config.n_leases = 1;
	segment_leases_restore(leases, dhcp);
	assert_non_null(dhcp_find_ip(dhcp, IP));
	assert_int_equal(dhcp_find_ip(dhcp, IP)->state, DHCP_BOUND);
	dhcp_destroy(dhcp);
	/* another server of this run knows all, what is not written, too */
	dhcp = make_server();
	lease = lease_of(IP);
	lease.expires_ms = vswitch_now_ms() + 3600 * S;
	segment_leases_changed(leases, &lease, false);
	succeed(collect());
	lease.expires_ms += 300 * S;
	segment_leases_changed(leases, &lease, false);
	assert_null(collect());
	segment_leases_restore(leases, dhcp);
	assert_int_equal(dhcp_find_ip(dhcp, IP)->expires_ms, lease.expires_ms);
	dhcp_destroy(dhcp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_row),
		T(test_renewals),
		T(test_gone),
		T(test_failure),
		T(test_batches),
		T(test_restore),
		T(test_renewed_after_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
