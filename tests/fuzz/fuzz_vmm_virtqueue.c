/*
 * The device's side of a ring: a small guest memory whose content, rings at its
 * begin, and the device's actions are the input. Whatever a guest writes, the
 * device's buffers lie within its memory, it holds no more of them than the
 * ring has, it writes nothing but its part of the ring, and it ends.
 *
 *	byte 0		1: packed, 2: event index, 4: indirect tables
 *	byte 1		size of the ring
 *	bytes 2 to 5	base
 *	byte 6		number of actions
 *	actions		one byte each
 *	the rest	the memory, descriptors first
 */
#include <string.h>

#include "base/log.h"
#include "fuzz_input.h"
#include "tests/support/vmm_driver.h"
#include "vmm/virtio/virtqueue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MEMORY = 2 << 20,
	USED_MEMORY = 8192, /* of it, by inputs */
	MAX_SIZE = 16,
	AVAIL_AT = 512,
	USED_AT = 1024,
	USED_END = 1280,
	MAX_ACTIONS = 64,
};

static struct guest_memory memory;
static struct virtio_device device;
static struct virtio_queue *const queue = &device.queues[0];
static struct virtqueue_chain held[MAX_SIZE];
static unsigned int n_held;
static uint8_t before[USED_MEMORY];

static int activate(struct virtio_device *d)
{
	return 0;
}

static const struct virtio_ops ops = { .name = "fuzz", .activate = activate };

static void poke(const uint8_t **data, size_t *size)
{
	uint8_t at[2], bytes[8];
	unsigned int offset;

	fuzz_take(data, size, at, sizeof(at));
	fuzz_take(data, size, bytes, sizeof(bytes));
	offset = (at[0] | at[1] << 8) % (USED_MEMORY - sizeof(bytes));
	memcpy(memory.base + offset, bytes, sizeof(bytes));
	memcpy(before + offset, bytes, sizeof(bytes));
}

static void check_parts(const struct iovec *iov, unsigned int n, size_t length)
{
	MUST(n <= VIRTQUEUE_MAX_SEGMENTS);
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *at = iov[i].iov_base;

		MUST(at >= memory.base && at < memory.base + MEMORY);
		MUST(iov[i].iov_len &&
		     iov[i].iov_len <= (size_t)(memory.base + MEMORY - at));
		length -= iov[i].iov_len;
	}
	MUST(!length);
}

static void pop(void)
{
	static struct virtqueue_chain chain;
	uint8_t bytes[64];

	if (!virtqueue_pop(queue, &chain))
		return;
	MUST(n_held < queue->size);
	check_parts(chain.out, chain.n_out, chain.out_length);
	check_parts(chain.in, chain.n_in, chain.in_length);
	MUST(virtqueue_read(&chain, 3, bytes, sizeof(bytes)) ==
	     (chain.out_length < 3 ? 0
				   : MIN(chain.out_length - 3, sizeof(bytes))));
	held[n_held++] = chain;
}

static void act(uint8_t action, const uint8_t **data, size_t *size)
{
	unsigned int which = n_held ? (action >> 3) % n_held : 0;

	switch (action & 7) {
	case 0:
	case 1:
		pop();
		break;
	case 2:
		if (!n_held)
			break;
		virtqueue_push(queue, &held[which], action);
		held[which] = held[--n_held];
		break;
	case 3:
		virtqueue_notify(queue);
		break;
	case 4:
		if (action & 8)
			virtqueue_disable_kicks(queue);
		else
			virtqueue_enable_kicks(queue);
		break;
	case 5: /* what was popped last and is still held, at once */
		pop();
		if (n_held && !queue->broken)
			virtqueue_unpop(queue, &held[--n_held]);
		break;
	case 6:
		if (!n_held)
			virtqueue_start(queue);
		break;
	default:
		poke(data, size);
	}
}

static void once(void)
{
	static const uint16_t sizes[] = { MAX_SIZE };

	if (memory.base)
		return;
	log_set("off", NULL);
	MUST(!guest_memory_create(&memory, MEMORY, false, NULL));
	virtio_device_init(&device, &ops, &memory, 1, sizes);
}

static uint64_t features_of(uint8_t byte)
{
	return VMM_FEATURE(VIRTIO_F_VERSION_1) |
	       (byte & 1 ? VMM_FEATURE(VIRTIO_F_RING_PACKED) : 0) |
	       (byte & 2 ? VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX) : 0) |
	       (byte & 4 ? VMM_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how[7], actions[MAX_ACTIONS];
	bool packed;

	once();
	fuzz_take(&data, &size, how, sizeof(how));
	fuzz_take(&data, &size, actions, how[6] % (MAX_ACTIONS + 1));
	memset(memory.base, 0, USED_MEMORY);
	memcpy(memory.base, data, MIN(size, (size_t)USED_MEMORY));
	memcpy(before, memory.base, USED_MEMORY);
	n_held = 0;
	device.status = 0;
	device.negotiated = features_of(how[0]);
	packed = how[0] & 1;
	queue->size = packed ? 1 + how[1] % MAX_SIZE : 1u << how[1] % 5;
	queue->broken = false;
	queue->desc = 0;
	queue->avail = AVAIL_AT;
	queue->used = USED_AT;
	queue->base =
		how[2] | how[3] << 8 | how[4] << 16 | (uint32_t)how[5] << 24;
	virtqueue_start(queue);
	for (unsigned int i = 0; i < how[6] % (MAX_ACTIONS + 1); i++)
		act(actions[i], &data, &size);
	MUST(queue->broken == !!(device.status & VIRTIO_CONFIG_S_NEEDS_RESET));
	/* A packed ring's descriptors are written to, too. */
	if (packed)
		memcpy(before, memory.base, queue->size * 16u);
	memcpy(before + USED_AT, memory.base + USED_AT, USED_END - USED_AT);
	MUST(!memcmp(before, memory.base, USED_MEMORY));
	return 0;
}
