/* The table of neighbours: bounded, aged, one entry for each MSAP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "discovery/cdp_pdu.h"
#include "discovery/lldp_pdu.h"
#include "discovery/neighbors.h"
#include "discovery/text.h"

static struct neighbor_pool pool;
static struct neighbor_table table;

static int setup(void **state)
{
	memset(&pool, 0, sizeof(pool));
	neighbor_table_init(&table, &pool);
	return 0;
}

static int teardown(void **state)
{
	neighbor_table_clear(&table);
	assert_int_equal(pool.n, 0);
	return 0;
}

static void set_id(struct discovery_id *id, uint8_t subtype, const char *text)
{
	id->subtype = subtype;
	id->len = strlen(text);
	memcpy(id->bytes, text, id->len);
}

/* As if it had come by the wire. */
static enum neighbor_change heard_at(struct neighbor_table *t,
				     enum discovery_protocol protocol,
				     const char *chassis, const char *port,
				     const char *platform, uint16_t ttl_s,
				     uint64_t now_ms)
{
	struct discovery_info info = {
		.protocol = protocol,
		.ttl_s = ttl_s,
		.cdp_version = 2,
	};
	struct discovery_parse_notes notes;
	uint8_t frame[1514];
	size_t len, head;

	set_id(&info.chassis, CHASSIS_LOCAL, chassis);
	set_id(&info.port, PORT_ID_INTERFACE_NAME, port);
	strcpy(info.system_name, platform);
	if (protocol == DISCOVERY_LLDP) {
		head = 14;
		len = lldp_encode(&info, 2, frame, NULL);
		lldp_decode(frame + head, len - head, &info, &notes);
	} else {
		head = 12;
		len = cdp_encode(&info, 2, frame, NULL);
		cdp_decode(frame + head, len - head, &info, &notes);
	}
	return neighbor_heard(t, &info, 2, frame + head, len - head, now_ms);
}

static enum neighbor_change heard(const char *chassis, const char *port,
				  const char *name, uint16_t ttl_s,
				  uint64_t now_ms)
{
	return heard_at(&table, DISCOVERY_LLDP, chassis, port, name, ttl_s,
			now_ms);
}

static void test_new_same_changed_gone(void **state)
{
	struct discovery_info info;

	assert_int_equal(heard("c", "p", "name", 120, 1000), NEIGHBOR_NEW);
	assert_int_equal(heard("c", "p", "name", 120, 2000), NEIGHBOR_SAME);
	assert_int_equal(table.list->first_ms, 1000);
	assert_int_equal(table.list->last_ms, 2000);
	assert_int_equal(table.list->expires_ms, 122000);
	assert_int_equal(heard("c", "p", "other", 60, 3000), NEIGHBOR_CHANGED);
	assert_int_equal(table.n, 1);
	assert_int_equal(table.list->first_ms, 1000);
	neighbor_decode(table.list, &info);
	assert_string_equal(info.system_name, "other");
	assert_int_equal(heard("c", "p", "", 0, 4000), NEIGHBOR_GONE);
	assert_int_equal(heard("c", "p", "", 0, 4000), NEIGHBOR_UNKNOWN);
	assert_int_equal(table.n, 0);
	assert_int_equal(table.inserts, 1);
	assert_int_equal(table.deletes, 1);
}

/* A chassis' other port, another chassis, and the other protocol. */
static void test_identity(void **state)
{
	struct discovery_info info;

	assert_int_equal(heard("c", "p", "", 120, 0), NEIGHBOR_NEW);
	assert_int_equal(heard("c", "q", "", 120, 0), NEIGHBOR_NEW);
	assert_int_equal(heard("d", "p", "", 120, 0), NEIGHBOR_NEW);
	assert_int_equal(heard("cp", "p", "", 120, 0), NEIGHBOR_NEW);
	assert_int_equal(heard_at(&table, DISCOVERY_CDP, "c", "p", "", 120, 0),
			 NEIGHBOR_NEW);
	assert_int_equal(heard_at(&table, DISCOVERY_CDP, "c", "p", "x", 120, 0),
			 NEIGHBOR_CHANGED);
	assert_int_equal(table.n, 5);
	neighbor_decode(table.list, &info);
	assert_memory_equal(info.port.bytes, "p", 1);
	assert_int_equal(neighbor_table_clear_protocol(&table, DISCOVERY_CDP),
			 1);
	assert_int_equal(table.n, 4);
}

static void on_gone(const struct neighbor_entry *entry, void *arg)
{
	++*(unsigned *)arg;
}

static void test_ageing(void **state)
{
	unsigned n = 0;

	assert_int_equal(neighbor_table_next_ms(&table), UINT64_MAX);
	heard("a", "p", "", 10, 0);
	heard("b", "p", "", 20, 0);
	assert_int_equal(neighbor_table_next_ms(&table), 10000);
	neighbor_table_age(&table, 9999, on_gone, &n);
	assert_int_equal(table.n, 2);
	heard("b", "p", "", 20, 5000);
	neighbor_table_age(&table, 10000, on_gone, &n);
	assert_int_equal(n, 1);
	assert_int_equal(table.n, 1);
	assert_int_equal(neighbor_table_next_ms(&table), 25000);
	neighbor_table_age(&table, 25000, NULL, NULL);
	assert_int_equal(table.n, 0);
	assert_int_equal(table.ageouts, 2);
}

static void test_a_port_is_bounded(void **state)
{
	struct neighbor_table other;
	char name[16];

	neighbor_table_init(&other, &pool);
	for (int i = 0; i < 1000; i++) {
		sprintf(name, "%d", i);
		assert_int_equal(heard(name, "p", "", 120, 1000),
				 i < NEIGHBORS_PER_PORT ? NEIGHBOR_NEW
							: NEIGHBOR_TOO_MANY);
	}
	assert_int_equal(table.n, NEIGHBORS_PER_PORT);
	assert_int_equal(table.drops, 1000 - NEIGHBORS_PER_PORT);
	assert_int_equal(table.too_many_until_ms, 121000);
	/* Those who are there are not disturbed, nor are other ports. */
	assert_int_equal(heard("3", "p", "new", 120, 2000), NEIGHBOR_CHANGED);
	assert_int_equal(heard_at(&other, DISCOVERY_LLDP, "x", "p", "", 9, 0),
			 NEIGHBOR_NEW);
	neighbor_table_clear(&other);
	/* One goes: there is room. */
	assert_int_equal(heard("3", "p", "", 0, 2000), NEIGHBOR_GONE);
	assert_int_equal(heard("999", "p", "", 120, 2000), NEIGHBOR_NEW);
}

static void test_all_are_bounded(void **state)
{
	struct neighbor_table *tables;
	unsigned n = NEIGHBORS_MAX / NEIGHBORS_PER_PORT, taken = 0;
	char name[16];

	tables = calloc(n + 1, sizeof(*tables));
	for (unsigned i = 0; i <= n; i++) {
		neighbor_table_init(&tables[i], &pool);
		for (int k = 0; k < NEIGHBORS_PER_PORT; k++) {
			sprintf(name, "%d", k);
			taken += heard_at(&tables[i], DISCOVERY_LLDP, name, "p",
					  "", 120, 0) == NEIGHBOR_NEW;
		}
	}
	assert_int_equal(taken, NEIGHBORS_MAX);
	assert_int_equal(tables[n].n, 0);
	for (unsigned i = 0; i <= n; i++)
		neighbor_table_clear(&tables[i]);
	free(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(F) cmocka_unit_test_setup_teardown(F, setup, teardown)
		T(test_new_same_changed_gone),
		T(test_identity),
		T(test_ageing),
		T(test_a_port_is_bounded),
		T(test_all_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
