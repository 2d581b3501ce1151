/* The buses: who is asked for an access, and ranges that go meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine/bus.h"

struct model {
	struct bus *bus;
	uint64_t removes; /* its own range, when written to */
	uint64_t offset, value;
	unsigned int length;
	_Atomic bool alive;
	_Atomic unsigned int n_calls;
};

static uint64_t model_read(void *aux, uint64_t offset, unsigned int length)
{
	struct model *model = aux;

	assert_true(model->alive);
	model->n_calls++;
	return 0x1122334455667788 + offset;
}

static void model_write(void *aux, uint64_t offset, unsigned int length,
			uint64_t value)
{
	struct model *model = aux;

	model->offset = offset;
	model->length = length;
	model->value = value;
	if (model->removes)
		bus_remove(model->bus, model->removes);
}

static struct bus_device device_of(struct model *model)
{
	return (struct bus_device){ model_read, model_write, model };
}

static void accesses(void **state)
{
	struct bus *bus = bus_create();
	struct model model = { .alive = true };
	struct bus_device device = device_of(&model);
	uint64_t value = 0;

	(void)state;
	assert_int_equal(bus_add(bus, 0x1000, 0x10, &device), 0);
	assert_true(bus_read(bus, 0x1008, &value, 8));
	assert_int_equal(value, 0x1122334455667790);
	value = 0;
	assert_true(bus_read(bus, 0x1001, &value, 2));
	assert_int_equal(value, 0x7789);
	value = 0xaabbccdd;
	assert_true(bus_write(bus, 0x100f, &value, 1));
	assert_int_equal(model.offset, 0xf);
	assert_int_equal(model.length, 1);
	assert_int_equal(model.value, 0xdd);
	/* Past its end, before its start, of no length, of an odd one. */
	value = 0;
	assert_false(bus_read(bus, 0x100f, &value, 2));
	assert_int_equal(value, 0xffff);
	assert_false(bus_read(bus, 0xfff, &value, 1));
	assert_false(bus_read(bus, 0x1010, &value, 1));
	assert_false(bus_read(bus, 0x1000, &value, 0));
	assert_false(bus_read(bus, 0x1000, &value, 3));
	assert_false(bus_write(bus, UINT64_MAX, &value, 8));
	bus_destroy(bus);
}

static void overlaps(void **state)
{
	struct bus *bus = bus_create();
	struct model model = { .alive = true };
	struct bus_device device = device_of(&model);

	(void)state;
	assert_int_equal(bus_add(bus, 100, 50, &device), 0);
	assert_int_equal(bus_add(bus, 200, 50, &device), 0);
	assert_int_equal(bus_add(bus, 150, 50, &device), 0);
	assert_int_equal(bus_add(bus, 0, 101, &device), -EEXIST);
	assert_int_equal(bus_add(bus, 120, 1, &device), -EEXIST);
	assert_int_equal(bus_add(bus, 249, 10, &device), -EEXIST);
	assert_int_equal(bus_add(bus, 0, 1000, &device), -EEXIST);
	assert_int_equal(bus_add(bus, 300, 0, &device), -EINVAL);
	assert_int_equal(bus_add(bus, UINT64_MAX, 2, &device), -EINVAL);
	assert_int_equal(bus_add(bus, UINT64_MAX, 1, &device), 0);
	bus_remove(bus, 150);
	bus_remove(bus, 160);
	assert_int_equal(bus_add(bus, 160, 40, &device), 0);
	bus_destroy(bus);
}

static void removed_by_its_own_handler(void **state)
{
	struct bus *bus = bus_create();
	struct model model = { .bus = bus, .removes = 0x20, .alive = true };
	struct bus_device device = device_of(&model);
	uint32_t value = 5;

	(void)state;
	assert_int_equal(bus_add(bus, 0x20, 4, &device), 0);
	assert_true(bus_write(bus, 0x20, &value, 4));
	assert_false(bus_write(bus, 0x20, &value, 4));
	bus_destroy(bus);
}

static void *reader(void *aux)
{
	struct model *model = aux;
	uint32_t value;

	/* Until the other thread has removed it for good. */
	while (model->n_calls < 100 || bus_read(model->bus, 0x40, &value, 4))
		bus_read(model->bus, 0x40, &value, 4);
	return NULL;
}

static void removed_under_readers(void **state)
{
	struct bus *bus = bus_create();
	struct model model = { .bus = bus };
	struct bus_device device = device_of(&model);
	pthread_t threads[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, reader, &model), 0);
	for (int i = 0; i < 1000 || model.n_calls < 100; i++) {
		model.alive = true;
		assert_int_equal(bus_add(bus, 0x40, 4, &device), 0);
		bus_remove(bus, 0x40);
		/* No handler runs from here on. */
		model.alive = false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	bus_destroy(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(removed_by_its_own_handler),
		cmocka_unit_test(removed_under_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
