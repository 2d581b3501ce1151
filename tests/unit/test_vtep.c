/* VLANs and VNIs both ways, against a model; flood lists and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "frames.h"
#include "tunnel/vtep.h"
#include "tunnel/vxlan.h"

static uint32_t model[4096];

static void check_model(const struct vtep_map *map)
{
	struct vtep_table *table = vtep_table_new(map);

	for (unsigned vlan = 0; vlan < ARRAY_SIZE(model); vlan++) {
		assert_int_equal(vtep_map_vni(map, vlan), model[vlan]);
		assert_int_equal(vtep_table_vni(table, vlan), model[vlan]);
		if (model[vlan] == VTEP_NO_VNI)
			continue;
		assert_int_equal(vtep_map_vlan(map, model[vlan]), vlan);
		assert_int_equal(vtep_table_vlan(table, model[vlan]), vlan);
	}
	free(table);
}

static uint16_t owner_of(uint32_t vni)
{
	for (unsigned vlan = 0; vlan < ARRAY_SIZE(model); vlan++)
		if (model[vlan] == vni)
			return vlan;
	return VTEP_NO_VLAN;
}

static void copied(void **state)
{
	struct vtep_map *map = vtep_map_new(), *clone;

	assert_int_equal(vtep_map_add(map, 0, 7, NULL), 0);
	assert_int_equal(vtep_map_add(map, 4094, 0, NULL), 0);
	assert_int_equal(vtep_flood_add(map, 7, 1, VTEP_STATIC, NULL), 0);
	clone = vtep_map_clone(map);
	assert_true(vtep_map_equals(map, clone));
	assert_int_equal(vtep_map_vlan(clone, 7), 0);
	assert_int_equal(vtep_map_vlan(clone, 0), 4094);
	assert_int_equal(vtep_flood_origins(clone, 7, 1), 0);
	assert_true(vtep_map_remove(clone, 0));
	assert_false(vtep_map_equals(map, clone));
	vtep_map_free(clone);
	vtep_map_free(map);
}

/* Few numbers, so that they meet. */
static void against_a_model(void **state)
{
	struct vtep_map *map = vtep_map_new();
	uint32_t random = 1;

	memset(model, 0xff, sizeof(model));
	for (unsigned i = 0; i < 3000; i++) {
		uint16_t vlan = next_random(&random) % 200;
		uint32_t vni = next_random(&random) % 300;
		uint16_t owner = owner_of(vni);
		bool fits = model[vlan] == VTEP_NO_VNI && owner == VTEP_NO_VLAN;

		if (next_random(&random) % 3) {
			assert_int_equal(vtep_map_add(map, vlan, vni, NULL),
					 fits || owner == vlan ? 0 : -EEXIST);
			if (fits)
				model[vlan] = vni;
		} else {
			assert_int_equal(vtep_map_remove(map, vlan),
					 model[vlan] != VTEP_NO_VNI);
			model[vlan] = VTEP_NO_VNI;
		}
		assert_int_equal(vtep_map_vlan(map, vni), owner_of(vni));
		if (i % 100 == 0)
			check_model(map);
	}
	check_model(map);
	vtep_map_free(map);
}

/* All VLANs, by VNIs near each other and far apart. */
static void full(void **state)
{
	static const uint32_t steps[] = { 1, 256, 4096 };

	for (unsigned s = 0; s < ARRAY_SIZE(steps); s++) {
		struct vtep_map *map = vtep_map_new();

		memset(model, 0xff, sizeof(model));
		for (unsigned vlan = 0; vlan <= VTEP_VLAN_MAX; vlan++) {
			model[vlan] = VXLAN_VNI_MAX - vlan * steps[s];
			assert_int_equal(
				vtep_map_add(map, vlan, model[vlan], NULL), 0);
		}
		check_model(map);
		assert_int_equal(vtep_map_vlan(map, VTEP_NO_VNI), VTEP_NO_VLAN);
		assert_int_equal(vtep_map_vlan(map, 0x1000000), VTEP_NO_VLAN);
		vtep_map_free(map);
	}
}

static void expect_add(struct vtep_map *map, uint16_t vlan, uint32_t vni,
		       int result, const char *message)
{
	char *error = NULL;

	assert_int_equal(vtep_map_add(map, vlan, vni, &error), result);
	assert_non_null(strstr(error, message));
	assert_null(strchr(error, '\n'));
	free(error);
}

static void refused(void **state)
{
	struct vtep_map *map = vtep_map_new();

	assert_int_equal(vtep_map_add(map, 10, 0, NULL), 0);
	assert_int_equal(vtep_map_vlan(map, 0), 10);
	expect_add(map, 4095, 5, -EINVAL, "VLAN 4095 does not exist");
	expect_add(map, 1, 0x1000000, -EINVAL, "VNI 16777216 does not exist");
	expect_add(map, 10, 5, -EEXIST, "VLAN 10 is VNI 0 already");
	expect_add(map, 11, 0, -EEXIST, "VNI 0 is VLAN 10 already");
	assert_false(vtep_map_remove(map, 11));
	assert_false(vtep_map_remove(map, 65535));
	assert_true(vtep_map_remove(map, 10));
	assert_int_equal(vtep_map_vlan(map, 0), VTEP_NO_VLAN);
	vtep_map_free(map);
	vtep_map_free(NULL);
}

static void expect_flood(const struct vtep_map *map, uint16_t vlan,
			 const uint32_t *want, unsigned n_want)
{
	struct vtep_table *table = vtep_table_new(map);
	const uint32_t *got;
	unsigned n;

	got = vtep_table_flood(table, vlan, &n);
	assert_int_equal(n, n_want);
	if (n)
		assert_memory_equal(got, want, n * sizeof(*got));
	free(table);
}

static void flood(void **state)
{
	struct vtep_map *map = vtep_map_new();
	struct vtep_table *before;
	unsigned n;

	assert_int_equal(vtep_map_add(map, 1, 100, NULL), 0);
	assert_int_equal(vtep_map_add(map, 2, 200, NULL), 0);
	assert_int_equal(vtep_flood_add(map, 300, 1, VTEP_STATIC, NULL),
			 -ENOENT);
	assert_int_equal(vtep_flood_add(map, 100, 9, VTEP_STATIC, NULL), 0);
	assert_int_equal(vtep_flood_add(map, 100, 9, VTEP_STATIC, NULL), 0);
	assert_int_equal(vtep_flood_add(map, 100, 9, VTEP_LEARNED, NULL), 0);
	assert_int_equal(vtep_flood_add(map, 100, 3, VTEP_CONTROLLER, NULL), 0);
	assert_int_equal(vtep_flood_add(map, 200, 4, VTEP_LEARNED, NULL), 0);
	assert_int_equal(vtep_flood_origins(map, 100, 9),
			 VTEP_STATIC | VTEP_LEARNED);
	assert_int_equal(vtep_flood_origins(map, 200, 9), 0);
	expect_flood(map, 1, (uint32_t[]){ 3, 9 }, 2);
	expect_flood(map, 2, (uint32_t[]){ 4 }, 1);
	expect_flood(map, 3, NULL, 0);
	expect_flood(map, 65535, NULL, 0);
	before = vtep_table_new(map);
	assert_true(vtep_flood_remove(map, 100, 9, VTEP_STATIC));
	assert_false(vtep_flood_remove(map, 100, 9, VTEP_STATIC));
	assert_false(vtep_flood_remove(map, 300, 9, VTEP_STATIC));
	expect_flood(map, 1, (uint32_t[]){ 3, 9 }, 2);
	assert_true(vtep_flood_remove(map, 100, 9, VTEP_LEARNED));
	expect_flood(map, 1, (uint32_t[]){ 3 }, 1);
	assert_true(vtep_map_remove(map, 1));
	assert_int_equal(vtep_map_add(map, 1, 100, NULL), 0);
	expect_flood(map, 1, NULL, 0);
	/* what workers have does not change */
	vtep_table_flood(before, 1, &n);
	assert_int_equal(n, 2);
	vtep_map_free(map);
	assert_int_equal(vtep_table_vlan(before, 200), 2);
	free(before);
}

/* Strangers fill half of a list; the rest is for who was configured. */
static void flood_limits(void **state)
{
	struct vtep_map *map = vtep_map_new();
	char *error = NULL;
	uint32_t id;

	assert_int_equal(vtep_map_add(map, 7, 70, NULL), 0);
	for (id = 0; id < VTEP_LEARNED_MAX; id++)
		assert_int_equal(
			vtep_flood_add(map, 70, id * 7919, VTEP_LEARNED, NULL),
			0);
	assert_int_equal(vtep_flood_add(map, 70, 1, VTEP_LEARNED, &error),
			 -ENOSPC);
	assert_non_null(strstr(error, "512 of them learned"));
	free(error);
	for (id = 0; id < VTEP_FLOOD_MAX - VTEP_LEARNED_MAX; id++)
		assert_int_equal(vtep_flood_add(map, 70, 1 + id * 7919,
						VTEP_STATIC, NULL),
				 0);
	assert_int_equal(vtep_flood_add(map, 70, 2, VTEP_STATIC, NULL),
			 -ENOSPC);
	/* one that is there may have another origin */
	assert_int_equal(vtep_flood_add(map, 70, 0, VTEP_STATIC, NULL), 0);
	assert_true(vtep_flood_remove(map, 70, 0, VTEP_LEARNED));
	assert_int_equal(vtep_flood_add(map, 70, 1, VTEP_LEARNED, NULL), 0);
	vtep_map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_a_model),
		cmocka_unit_test(copied),
		cmocka_unit_test(full),
		cmocka_unit_test(refused),
		cmocka_unit_test(flood),
		cmocka_unit_test(flood_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
