/* The device's side of split and packed rings (vmm/virtio/virtqueue.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/support/vmm_driver.h"
#include "vmm/virtio/virtqueue.h"

#define MEMORY (2u << 20)
#define RINGS  0x10000u
#define INDIRECT                                                               \
	(VMM_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |                            \
	 VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX))
#define PACKED VMM_FEATURE(VIRTIO_F_RING_PACKED)

static struct guest_memory memory;
static struct virtio_device device;
static struct vmm_driver driver;
static struct vmm_ring *ring;
static struct virtio_queue *queue;
static struct virtqueue_chain chain;
static uint64_t data; /* of the guest: bytes 0, 1, 2, ... */
static int n_active, fail_activate;

static int activate(struct virtio_device *d)
{
	for (unsigned int i = 0; i < d->n_queues; i++)
		if (d->queues[i].enabled)
			virtqueue_start(&d->queues[i]);
	n_active++;
	return fail_activate;
}

static void deactivate(struct virtio_device *d)
{
	n_active--;
}

static const struct virtio_ops ops = {
	.name = "test",
	.activate = activate,
	.deactivate = deactivate,
};

static void start(uint64_t features, uint16_t size)
{
	uint16_t sizes[2] = { size, size };
	uint8_t *bytes;

	memset(&device, 0, sizeof(device));
	virtio_device_init(&device, &ops, &memory, 2, sizes);
	device.offered = features | VMM_FEATURE(VIRTIO_F_VERSION_1);
	n_active = 0;
	memset(memory.base, 0, MEMORY);
	vmm_driver_init(&driver, &device, &memory, RINGS, features);
	ring = &driver.rings[1];
	queue = &device.queues[1];
	data = vmm_driver_alloc(&driver, 65536, 16);
	bytes = vmm_driver_at(&driver, data);
	for (unsigned int i = 0; i < 65536; i++)
		bytes[i] = (uint8_t)(i + (i >> 8));
	assert_true(vmm_driver_start(&driver));
	assert_int_equal(n_active, 1);
}

static void stop(void)
{
	vmm_driver_reset(&driver);
	assert_int_equal(n_active, 0);
	vmm_driver_uninit(&driver);
	virtio_device_uninit(&device);
}

static int add(uint32_t out, uint32_t in, bool indirect)
{
	struct vmm_part parts[] = { { data, out / 2 },
				    { data + out / 2, out - out / 2 },
				    { data + 32768, in / 2 },
				    { data + 32768 + in / 2, in - in / 2 } };

	return vmm_ring_add(ring, parts, 2, 2, indirect);
}

static void check_used(int want_id, uint32_t want_length)
{
	unsigned int id;
	uint32_t length;

	assert_true(vmm_ring_used(ring, &id, &length));
	assert_int_equal(id, want_id);
	assert_int_equal(length, want_length);
}

static const uint64_t kinds[] = { 0, INDIRECT, PACKED, PACKED | INDIRECT };

static void test_buffers(void **state)
{
	uint8_t bytes[100], want[100];
	struct virtqueue_chain none;
	unsigned int id;
	uint32_t length;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		bool indirect = kinds[k] & INDIRECT;

		start(kinds[k], kinds[k] & PACKED ? 7 : 8);
		assert_false(virtqueue_pop(queue, &chain));
		for (unsigned int i = 0; i < 100000; i += 977) {
			id = add(90, 51, indirect && i & 1);
			assert_true(virtqueue_pop(queue, &chain));
			assert_int_equal(chain.out_length, 90);
			assert_int_equal(chain.in_length, 51);
			assert_int_equal(chain.n_out, 2);
			assert_int_equal(chain.n_in, 2);
			assert_int_equal(virtqueue_read(&chain, 5, bytes, 100),
					 85);
			memcpy(want, vmm_driver_at(&driver, data + 5), 85);
			assert_memory_equal(bytes, want, 85);
			assert_int_equal(virtqueue_write(&chain, 20, want, 100),
					 31);
			assert_memory_equal(
				vmm_driver_at(&driver, data + 32788), want, 31);
			assert_false(virtqueue_pop(queue, &none));
			virtqueue_push(queue, &chain, i);
			check_used(id, i);
			assert_false(vmm_ring_used(ring, &id, &length));
		}
		stop();
	}
}

/* Several at once, given back in another order, and taken again. */
static void test_order_and_unpop(void **state)
{
	struct virtqueue_chain first;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		start(kinds[k], kinds[k] & PACKED ? 11 : 8);
		for (unsigned int turn = 0; turn < 20; turn++) {
			int a = add(8, 8, false), b = add(16, 16, false);

			assert_true(virtqueue_pop(queue, &first));
			assert_true(virtqueue_pop(queue, &chain));
			assert_int_equal(chain.out_length, 16);
			virtqueue_unpop(queue, &chain);
			assert_true(virtqueue_pop(queue, &chain));
			assert_int_equal(chain.out_length, 16);
			virtqueue_push(queue, &chain, 1);
			virtqueue_push(queue, &first, 2);
			check_used(b, 1);
			check_used(a, 2);
		}
		stop();
	}
}

/* A device that is stopped goes on where it was. */
static void test_base(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		start(kinds[k], kinds[k] & PACKED ? 9 : 8);
		for (unsigned int i = 0; i < 50; i++) {
			int id = add(10, 10, false);

			assert_true(virtqueue_pop(queue, &chain));
			virtqueue_push(queue, &chain, i);
			check_used(id, i);
			virtqueue_start(queue);
			assert_false(queue->broken);
		}
		queue->base = 0xffffffff;
		virtqueue_start(queue);
		assert_int_equal(queue->broken, !!(kinds[k] & PACKED));
		stop();
	}
}

static bool push_one(uint32_t n)
{
	for (; n; n--) {
		int id = add(4, 4, false);

		if (!virtqueue_pop(queue, &chain))
			return false;
		virtqueue_push(queue, &chain, 0);
		check_used(id, 0);
	}
	virtqueue_notify(queue);
	return vmm_ring_called(ring);
}

static void test_interrupts(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		start(kinds[k], 8);
		virtqueue_notify(queue);
		assert_false(vmm_ring_called(ring));
		assert_true(push_one(1));
		for (unsigned int i = 0; i < 40; i++) {
			vmm_ring_calls(ring, false);
			assert_false(push_one(1));
			vmm_ring_calls(ring, true);
			assert_true(push_one(1));
			if (!(kinds[k] & INDIRECT))
				continue;
			/* of a chain of four descriptors each if packed */
			vmm_ring_calls_after(ring, kinds[k] & PACKED ? 7 : 2);
			assert_false(push_one(1));
			assert_true(push_one(1));
			assert_false(push_one(1));
		}
		stop();
	}
}

static void test_kicks(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint16_t before;

		start(kinds[k], 8);
		before = ring->next_avail;
		add(2, 2, false);
		assert_true(vmm_ring_kick_wanted(ring, before));
		assert_true(virtqueue_pop(queue, &chain));
		virtqueue_disable_kicks(queue);
		before = ring->next_avail;
		add(2, 2, false);
		if (kinds[k] != INDIRECT || before)
			assert_false(vmm_ring_kick_wanted(ring, before));
		assert_true(virtqueue_enable_kicks(queue));
		virtqueue_push(queue, &chain, 0);
		assert_true(virtqueue_pop(queue, &chain));
		virtqueue_push(queue, &chain, 0);
		assert_false(virtqueue_enable_kicks(queue));
		stop();
	}
}

/* --- what a guest may not do ---------------------------------------------- */

/* The driver left it out: it is empty, also where it once had a ring. */
static void test_not_enabled(void **state)
{
	start(0, 8);
	add(4, 4, false);
	vmm_driver_reset(&driver);
	add(4, 4, false);
	assert_true(virtio_device_negotiate(&device, device.offered));
	device.status = 11;
	virtio_device_want(&device, 15);
	virtio_device_settle(&device);
	assert_int_equal(n_active, 1);
	virtqueue_disable_kicks(queue);
	assert_false(virtqueue_pop(queue, &chain));
	assert_false(virtqueue_enable_kicks(queue));
	virtqueue_notify(queue);
	assert_int_equal(device.status, 15);
	stop();
}

static void check_broken(void)
{
	assert_false(virtqueue_pop(queue, &chain));
	assert_true(queue->broken);
	assert_false(device.queues[0].broken);
	assert_true(device.status & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(device.n_broken, 1);
	/* all of it is harmless now */
	assert_false(virtqueue_pop(queue, &chain));
	virtqueue_push(queue, &chain, 0);
	virtqueue_notify(queue);
	virtqueue_disable_kicks(queue);
	assert_false(virtqueue_enable_kicks(queue));
	stop();
}

static struct vring_desc *split_desc(unsigned int i)
{
	return (struct vring_desc *)vmm_driver_at(&driver, ring->desc) + i;
}

static void test_split_hostile(void **state)
{
	struct vring_desc loop = { data, 4, VRING_DESC_F_NEXT, 0 };
	struct vring_avail *avail;
	struct vring_desc *desc;
	int id;

	start(INDIRECT, 8);
	avail = vmm_driver_at(&driver, ring->avail);
	avail->idx = 9;
	check_broken();

	start(INDIRECT, 8);
	avail->ring[0] = 8;
	avail->idx = 1;
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, false);
	*split_desc(id) = loop;
	split_desc(id)->next = id;
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, false);
	split_desc(id)->next = 1000;
	check_broken();

	start(INDIRECT, 8); /* writable first */
	id = add(4, 4, false);
	split_desc(id)->flags |= VRING_DESC_F_WRITE;
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, false);
	split_desc(id)->addr = MEMORY - 1;
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, false);
	split_desc(id)->addr = UINT64_MAX;
	check_broken();

	start(INDIRECT, 8); /* a table of 15 bytes, in itself, not memory */
	id = add(4, 4, true);
	split_desc(id)->len = 15;
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, true);
	split_desc(id)->flags |= VRING_DESC_F_NEXT;
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, true);
	desc = vmm_driver_at(&driver, split_desc(id)->addr);
	desc[0] = *split_desc(id);
	check_broken();

	start(INDIRECT, 8);
	id = add(4, 4, true);
	split_desc(id)->addr = MEMORY - 16;
	check_broken();

	start(0, 8); /* not negotiated */
	add(4, 4, true);
	check_broken();

	start(INDIRECT, 8); /* nothing, over and over: all memory is a table */
	id = add(4, 4, true);
	desc = vmm_driver_at(&driver, data);
	for (unsigned int i = 0; i <= VIRTIO_MAX_QUEUE_SIZE; i++)
		desc[i] = (struct vring_desc){ data, 0, VRING_DESC_F_NEXT,
					       i + 1 };
	desc[VIRTIO_MAX_QUEUE_SIZE].flags = 0;
	split_desc(id)->addr = data;
	split_desc(id)->len = (VIRTIO_MAX_QUEUE_SIZE + 1) * sizeof(*desc);
	check_broken();
}

/* The ring is full, and the guest makes still more available. */
static void test_too_many(void **state)
{
	struct vring_avail *avail;

	start(0, 8);
	avail = vmm_driver_at(&driver, ring->avail);
	for (unsigned int i = 0; i < 8; i++) {
		avail->ring[i] = i;
		split_desc(i)->addr = data;
		avail->idx++;
		assert_true(virtqueue_pop(queue, &chain));
	}
	avail->idx++;
	check_broken();
}

static void test_packed_hostile(void **state)
{
	const uint16_t available = 1 << VRING_PACKED_DESC_F_AVAIL;
	const uint16_t used = 1 << VRING_PACKED_DESC_F_USED;
	struct vring_packed_desc *desc, *table;

	start(PACKED | INDIRECT, 7); /* a chain that has no end */
	desc = vmm_driver_at(&driver, ring->desc);
	for (unsigned int i = 0; i < 7; i++)
		desc[i] = (struct vring_packed_desc){
			data, 4, 0, available | VRING_DESC_F_NEXT
		};
	check_broken();

	start(PACKED | INDIRECT, 7); /* the other wrap counter, too early */
	for (unsigned int i = 0; i < 7; i++) {
		desc[i] = (struct vring_packed_desc){ data, 4, 0, available };
		assert_true(virtqueue_pop(queue, &chain));
	}
	desc[0].flags = used;
	check_broken();

	start(PACKED | INDIRECT, 7);
	add(4, 4, true);
	desc[0].len = 8;
	check_broken();

	start(PACKED | INDIRECT, 7);
	add(4, 4, true);
	desc[0].addr = MEMORY;
	check_broken();

	start(PACKED | INDIRECT, 7);
	add(4, 4, true);
	table = vmm_driver_at(&driver, desc[0].addr);
	table[2].addr = UINT64_MAX - 3;
	check_broken();

	start(PACKED | INDIRECT, 7); /* in a chain */
	add(4, 4, false);
	desc[1].flags |= VRING_DESC_F_INDIRECT;
	desc[1].len = 16;
	check_broken();

	start(PACKED, 7);
	add(4, 4, true);
	check_broken();
}

/* Parts of no length are legal, their addresses still checked. */
static void test_empty_parts(void **state)
{
	struct vmm_part parts[] = { { data, 0 }, { data, 6 }, { data, 0 } };

	start(0, 8);
	parts[0].addr = parts[1].addr = parts[2].addr = data;
	vmm_ring_add(ring, parts, 2, 1, false);
	assert_true(virtqueue_pop(queue, &chain));
	assert_int_equal(chain.n_out, 1);
	assert_int_equal(chain.n_in, 0);
	parts[2].addr = MEMORY;
	vmm_ring_add(ring, parts, 2, 1, false);
	check_broken();
}

static void test_too_many_parts(void **state)
{
	struct vmm_part parts[VIRTQUEUE_MAX_SEGMENTS + 1];

	start(INDIRECT, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i] = (struct vmm_part){ data, 1 };
	split_desc(0)->flags = 0;
	/* As long as a table may be, and one more. */
	vmm_ring_add(ring, parts, 0, 8, true);
	assert_true(virtqueue_pop(queue, &chain));
	split_desc(7)->len = 0;
	stop();
	start(INDIRECT | PACKED, 8);
	vmm_ring_add(ring, parts, VIRTQUEUE_MAX_SEGMENTS, 0, true);
	assert_true(virtqueue_pop(queue, &chain));
	vmm_ring_add(ring, parts, VIRTQUEUE_MAX_SEGMENTS + 1, 0, true);
	check_broken();
}

/* --- the device ----------------------------------------------------------- */

static void test_status(void **state)
{
	start(0, 8);
	assert_false(virtio_device_negotiate(&device, 1));
	assert_false(virtio_device_negotiate(&device, 0));
	/* A reset is pending until it is settled, and nothing else counts. */
	virtio_device_want(&device, 0);
	assert_int_not_equal(device.status, 0);
	virtio_device_want(&device, 15);
	virtio_device_settle(&device);
	assert_int_equal(device.status, 0);
	assert_int_equal(n_active, 0);
	assert_false(device.queues[1].enabled);
	/* Ready, without features. */
	virtio_device_want(&device, VIRTIO_CONFIG_S_DRIVER_OK);
	virtio_device_settle(&device);
	assert_false(device.active);
	assert_true(device.status & VIRTIO_CONFIG_S_NEEDS_RESET);
	virtio_device_want(&device, 0);
	assert_int_equal(device.status, 0);
	vmm_driver_uninit(&driver);
	virtio_device_uninit(&device);
}

static void test_bad_rings(void **state)
{
	struct vmm_driver was;

	start(0, 8);
	was = driver;
	for (unsigned int i = 0; i < 8; i++) {
		vmm_driver_reset(&driver);
		driver.rings[1] = was.rings[1];
		if (i == 0)
			ring->desc += 8;
		else if (i == 1)
			ring->avail += 1;
		else if (i == 2)
			ring->used += 2;
		else if (i == 3)
			ring->desc = MEMORY - 8 * 16 + 16;
		else if (i == 4)
			ring->avail = MEMORY - 4;
		else if (i == 5)
			ring->used = UINT64_MAX - 3;
		else if (i == 6)
			ring->size = 6;
		else
			ring->size = 0;
		assert_false(vmm_driver_start(&driver));
		assert_true(device.status & VIRTIO_CONFIG_S_NEEDS_RESET);
		driver.rings[1] = was.rings[1];
	}
	vmm_driver_reset(&driver);
	driver = was;
	fail_activate = -5;
	assert_false(vmm_driver_start(&driver));
	fail_activate = n_active = 0;
	stop();
}

static int setup(void **state)
{
	return log_set("off", NULL) ||
	       guest_memory_create(&memory, MEMORY, false, NULL);
}

static int teardown(void **state)
{
	guest_memory_destroy(&memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_order_and_unpop),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_not_enabled),
		cmocka_unit_test(test_split_hostile),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_packed_hostile),
		cmocka_unit_test(test_empty_parts),
		cmocka_unit_test(test_too_many_parts),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_bad_rings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
