/*
 * What the targets for both kinds of ring share: a small guest memory whose
 * content, rings at its begin, and the device's actions are the input. Whatever
 * a guest writes, the device stays within the guest's memory, writes nothing
 * but where it may, and ends.
 *
 *	byte 0		features, see features_of()
 *	byte 1		size of the ring; its highest bit: 1 region, else 3
 *	bytes 2 to 5	base
 *	byte 6		number of actions
 *	byte 7		1: log, 2: in-flight region, 4: the guest sends
 *	actions		one byte each
 *	the rest	the memory: descriptors at 0, the driver's part at 512,
 *the device's at 640, the in-flight region at 4096
 */
#ifndef TESTS_FUZZ_RING_H
#define TESTS_FUZZ_RING_H

#include "base/log.h"
#include "fuzz_input.h"
#include "packet/offload.h"
#include "tests/support/virtio_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_SIZE_MAX	16
#define DRIVER_AT	512
#define DEVICE_AT	640
#define DEVICE_END	1024
#define INFLIGHT_AT	4096
#define FUZZ_MEMORY	(6 * GUEST_PAGE)
#define FUZZ_MEMORY_BIG (24 * GUEST_PAGE) /* room for the longest frame */
#define ACTIONS_MAX	32

/* Made once; what an input leaves behind is overwritten by the next. */
static struct guest_memory fuzz_memories[2];
static struct virtqueue *fuzz_vq;
static struct packet fuzz_packets[PACKET_BURST_MAX];
static _Atomic uint64_t fuzz_drops[N_DROP_REASONS];
static uint8_t fuzz_before[FUZZ_MEMORY_BIG];
static uint8_t fuzz_frame[PACKET_LEN_MAX + 64];
static _Atomic uint8_t fuzz_log[512];

struct fuzz_ring {
	struct guest_memory *memory;
	struct virtqueue_setup setup;
	const uint8_t *data; /* of the input, what is left */
	size_t size;
};

static uint64_t features_of(uint8_t byte)
{
	static const uint8_t bits[] = {
		VIRTIO_F_VERSION_1,	     VIRTIO_NET_F_MRG_RXBUF,
		VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
		VIRTIO_F_IN_ORDER,	     VIRTIO_NET_F_CSUM,
		VIRTIO_NET_F_HOST_TSO4,	     VIRTIO_NET_F_HOST_UFO,
	};
	uint64_t features = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (byte >> i & 1)
			features |= FEATURE(bits[i]);
	return features;
}

static void fuzz_ring_once(void)
{
	if (fuzz_vq)
		return;
	log_set("off", NULL);
	guest_memory_init(&fuzz_memories[0], FUZZ_MEMORY, 3);
	guest_memory_init(&fuzz_memories[1], FUZZ_MEMORY_BIG, 1);
	fuzz_vq = virtqueue_create("fuzz", 0);
	for (size_t i = 0; i < sizeof(fuzz_frame); i++)
		fuzz_frame[i] = i * 7;
}

/* Writes that a guest's sending queue may see are in the rings only. */
static void save_memory(const struct fuzz_ring *f)
{
	if (f->setup.from_guest)
		memcpy(fuzz_before, f->memory->ram, f->memory->size);
}

static void check_memory(const struct fuzz_ring *f, bool packed)
{
	const uint8_t *ram = f->memory->ram;
	size_t ring = packed ? f->setup.size * 16u : 0;
	size_t inflight_end =
		f->setup.inflight ? INFLIGHT_AT + 1024 : DEVICE_END;

	if (!f->setup.from_guest)
		return;
	MUST(!memcmp(ram + ring, fuzz_before + ring, DEVICE_AT - ring));
	if (f->setup.inflight)
		MUST(!memcmp(ram + DEVICE_END, fuzz_before + DEVICE_END,
			     INFLIGHT_AT - DEVICE_END));
	MUST(!memcmp(ram + inflight_end, fuzz_before + inflight_end,
		     f->memory->size - inflight_end));
}

/* Something of the guest changes, at any time. */
static void poke(struct fuzz_ring *f)
{
	uint8_t at[2], bytes[8];
	unsigned offset;

	fuzz_take(&f->data, &f->size, at, sizeof(at));
	fuzz_take(&f->data, &f->size, bytes, sizeof(bytes));
	offset = (at[0] | at[1] << 8) % (FUZZ_MEMORY - sizeof(bytes));
	memcpy(f->memory->ram + offset, bytes, sizeof(bytes));
	if (f->setup.from_guest)
		memcpy(fuzz_before + offset, bytes, sizeof(bytes));
}

static void receive(struct fuzz_ring *f, bool poke_it)
{
	static uint8_t bytes[PACKET_LEN_MAX];
	unsigned n = virtqueue_receive(fuzz_vq, fuzz_packets, 32, fuzz_drops);

	MUST(n <= 32);
	if (poke_it)
		poke(f);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = &fuzz_packets[i];
		uint8_t vnet[VNET_HDR_LEN];

		MUST(p->len && p->len <= PACKET_LEN_MAX);
		MUST(packet_read(p, 0, bytes, p->len) == p->len);
		MUST(offload_send(p, vnet));
	}
	if (n)
		virtqueue_done(fuzz_vq);
}

static void send(uint32_t len, unsigned n)
{
	struct packet *list[8];
	uint64_t bytes = 0;
	unsigned sent;

	for (unsigned i = 0; i < n; i++) {
		list[i] = &fuzz_packets[i];
		packet_init(list[i], fuzz_frame, len);
		if (i & 1)
			packet_pull_first(list[i]);
	}
	sent = virtqueue_send(fuzz_vq, list, n, fuzz_drops, &bytes);
	MUST(sent <= n && bytes == (uint64_t)sent * len);
}

static void start(const struct fuzz_ring *f)
{
	virtqueue_start(fuzz_vq, &f->setup, NULL);
	virtqueue_enable(fuzz_vq, true);
}

static void act(struct fuzz_ring *f, uint8_t action)
{
	static const uint32_t lengths[] = { 60, 14, 1514, 9000,
					    PACKET_LEN_MAX };

	switch (action & 7) {
	case 0:
	case 1:
		if (f->setup.from_guest)
			receive(f, action & 1);
		else
			send(lengths[(action >> 3) % 5], 1 + (action & 1));
		break;
	case 2:
		if (!f->setup.from_guest)
			send(lengths[(action >> 3) % 5], 8);
		break;
	case 3:
		virtqueue_arm(fuzz_vq);
		break;
	case 4: /* stopped, and on from there */
		virtqueue_take(fuzz_vq);
		f->setup.base = virtqueue_stop(fuzz_vq);
		start(f);
		virtqueue_release(fuzz_vq);
		break;
	default:
		poke(f);
	}
}

static void fuzz_ring(const uint8_t *data, size_t size, bool packed)
{
	static const struct vhost_log log = { .bits = fuzz_log,
					      .size = sizeof(fuzz_log) };
	uint8_t how[8], actions[ACTIONS_MAX];
	struct fuzz_ring f = { 0 };
	uint8_t *seen;

	fuzz_ring_once();
	fuzz_take(&data, &size, how, sizeof(how));
	fuzz_take(&data, &size, actions, how[6] % (ACTIONS_MAX + 1));
	f.memory = &fuzz_memories[how[1] >> 7];
	memset(f.memory->ram, 0, f.memory->size);
	if (size) /* what is behind it is for poke(), too */
		memcpy(f.memory->ram, data, MIN(size, f.memory->size));
	f.data = data;
	f.size = size;

	seen = f.memory->view->regions[0].host;
	f.setup = (struct virtqueue_setup){
		.size = packed ? how[1] % (RING_SIZE_MAX + 1)
			       : 1u << how[1] % 5,
		.features = features_of(how[0]) |
			    (packed ? FEATURE(VIRTIO_F_RING_PACKED) : 0),
		.from_guest = how[7] & 4,
		.desc = seen,
		.driver = seen + DRIVER_AT,
		.device = seen + DEVICE_AT,
		.used_guest = GUEST_BASE + (packed ? 0 : DEVICE_AT),
		.base = how[2] | how[3] << 8 | how[4] << 16 |
			(uint32_t)how[5] << 24,
	};
	if (how[7] & 2)
		f.setup.inflight = seen + INFLIGHT_AT;
	/* lies in one region, of two pages or more */
	virtqueue_take(fuzz_vq);
	virtqueue_set_memory(fuzz_vq, f.memory->view);
	virtqueue_set_log(fuzz_vq, how[7] & 1 ? &log : NULL);
	save_memory(&f);
	start(&f);
	virtqueue_release(fuzz_vq);
	for (unsigned i = 0; i < how[6] % (ACTIONS_MAX + 1); i++)
		act(&f, actions[i]);
	virtqueue_take(fuzz_vq);
	virtqueue_stop(fuzz_vq);
	virtqueue_release(fuzz_vq);
	check_memory(&f, packed);
}

#endif
