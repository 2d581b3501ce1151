/* A guest's memory: where its addresses are, and which are none. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/machine/memory.h"
#include "vmm/x86/layout.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void one_region(void **state)
{
	struct guest_memory memory;
	uint8_t *place;

	(void)state;
	assert_int_equal(guest_memory_create(&memory, 4 * MIB, false, NULL), 0);
	assert_int_equal(memory.n_regions, 1);
	place = guest_memory_at(&memory, 0, 4 * MIB);
	assert_ptr_equal(place, memory.base);
	place = guest_memory_at(&memory, 4 * MIB - 1, 1);
	assert_ptr_equal(place, memory.base + 4 * MIB - 1);
	*place = 0xa5;
	assert_non_null(guest_memory_at(&memory, 4 * MIB - 1, 0));
	assert_null(guest_memory_at(&memory, 4 * MIB, 0));
	assert_null(guest_memory_at(&memory, 4 * MIB - 1, 2));
	assert_null(guest_memory_at(&memory, 1, UINT64_MAX));
	assert_null(guest_memory_at(&memory, UINT64_MAX, 1));
	assert_null(guest_memory_at(&memory, UINT64_MAX, 2));
	/* Who has the descriptor cannot take memory away. */
	assert_int_equal(ftruncate(memory.fd, 0), -1);
	guest_memory_destroy(&memory);
	assert_int_equal(memory.fd, -1);
	guest_memory_destroy(&memory);
}

static void around_the_window(void **state)
{
	/* Only described: a machine may have less than this. */
	struct guest_memory memory = { .fd = -1 };
	char *error = NULL;

	(void)state;
	if (guest_memory_create(&memory, 4 * GIB, false, &error)) {
		free(error);
		skip();
	}
	assert_int_equal(memory.n_regions, 2);
	assert_non_null(guest_memory_at(&memory, LAYOUT_LOW_END - 1, 1));
	assert_null(guest_memory_at(&memory, LAYOUT_LOW_END - 1, 2));
	assert_null(guest_memory_at(&memory, LAYOUT_LOW_END, 1));
	assert_null(guest_memory_at(&memory, LAYOUT_HIGH_START - 1, 2));
	assert_ptr_equal(guest_memory_at(&memory, LAYOUT_HIGH_START, GIB),
			 memory.base + LAYOUT_LOW_END);
	assert_null(guest_memory_at(&memory, LAYOUT_HIGH_START, GIB + 1));
	guest_memory_destroy(&memory);
}

static void sizes_refused(void **state)
{
	static const uint64_t sizes[] = { 0, 4096, 3 * MIB, 1ull << 60 };
	struct guest_memory memory;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *error = NULL;

		assert_true(guest_memory_create(&memory, sizes[i], false,
						&error) < 0);
		assert_non_null(error);
		assert_null(strchr(error, '\n'));
		assert_int_equal(memory.fd, -1);
		free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_region),
		cmocka_unit_test(around_the_window),
		cmocka_unit_test(sizes_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
