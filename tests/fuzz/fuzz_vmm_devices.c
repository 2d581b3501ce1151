/*
 * The devices whose work is done here, by a guest that does anything: the
 * first byte says which device and kind of ring, what follows are steps: any
 * buffers, any bytes in memory and rings, and the host's side of it.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_vsock.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/thread.h>

#include "base/log.h"
#include "fuzz_input.h"
#include "tests/support/vmm_driver.h"
#include "vmm/virtio/devices.h"

enum {
	MEMORY = 2 << 20,
	RINGS = 0x100000,
	DISK = 1 << 20,
	MAX_STEPS = 100,
	CID = 3,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { RNG, BALLOON, CONSOLE, VSOCK, BLK, N_KINDS };

static struct guest_memory memory;
static struct event_base *loop;
static int home = -1, listener, server, disk;
static char home_path[] = "fuzz_vmm_devices_XXXXXX"; /* where it is run */

/* The input that is left. */
static const uint8_t *input;
static size_t left;

static uint32_t take(size_t bytes)
{
	uint32_t value;

	fuzz_take(&input, &left, &value, sizeof value < bytes ? 4 : bytes);
	return bytes < 4 ? value & ((1u << 8 * bytes) - 1) : value;
}

static int listen_at(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", name);
	MUST(!fchdir(home) && !bind(fd, (struct sockaddr *)&to, sizeof to) &&
	     !listen(fd, 64));
	return fd;
}

static void remove_home(void)
{
	unlinkat(home, "l", 0);
	unlinkat(home, "vsock_80", 0);
	if (!fchdir(home) && !chdir(".."))
		rmdir(home_path);
}

static void init(void)
{
	log_set("off", NULL);
	evthread_use_pthreads();
	MUST(!guest_memory_create(&memory, MEMORY, false, NULL));
	loop = event_base_new();
	MUST(mkdtemp(home_path));
	home = open(home_path, O_RDONLY | O_DIRECTORY);
	atexit(remove_home);
	listener = listen_at("l");
	server = listen_at("vsock_80");
	disk = memfd_create("disk", MFD_CLOEXEC);
	MUST(!ftruncate(disk, DISK));
}

static struct virtio_device *make(enum kind kind, int *host)
{
	int pair[2];

	switch (kind) {
	case RNG:
		return virtio_rng_create(loop, &memory, NULL);
	case BALLOON:
		return virtio_balloon_create(loop, &memory, NULL);
	case CONSOLE:
		MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				 pair));
		*host = pair[0];
		return virtio_console_create(loop, &memory, pair[1], NULL);
	case VSOCK:
		return virtio_vsock_create(loop, &memory, CID, dup(listener),
					   dup(home), NULL);
	default:
		return virtio_blk_raw_create(loop, &memory, dup(disk),
					     take(1) & 1, "fuzz", NULL);
	}
}

static void run(void)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(loop, EVLOOP_NONBLOCK);
}

static struct vmm_ring *any_ring(struct vmm_driver *driver)
{
	return &driver->rings[take(1) % driver->device->n_queues];
}

/* A buffer anywhere, mostly in memory. */
static void add_buffer(struct vmm_driver *driver, const struct vmm_part *first)
{
	struct vmm_ring *ring = any_ring(driver);
	struct vmm_part parts[8];
	unsigned int shape = take(1), n = 0;

	if (first)
		parts[n++] = *first;
	while (n < 1 + (shape & 7)) {
		parts[n].addr = (uint64_t)take(3) << (take(1) & 3);
		parts[n++].length = take(2) << (shape >> 6);
	}
	shape = shape >> 3 & 7;
	shape = MIN(shape, n);
	if (driver->next < MEMORY - 4096)
		vmm_ring_add(ring, parts, first ? n - shape / 2 : shape,
			     first ? shape / 2 : n - shape, shape == 5);
	vmm_ring_kick(ring);
	run();
}

static void add_packet(struct vmm_driver *driver, enum kind kind)
{
	struct virtio_vsock_hdr packet = {
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = take(1) & 7,
		.dst_port = 80,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
	};
	struct virtio_blk_outhdr request;
	struct vmm_part part = { 0x1000 + (take(1) << 6), sizeof packet };
	uint32_t what = take(1);

	packet.op = what & 7;
	packet.flags = what >> 3 & 3;
	if (what & 0x20)
		packet.dst_port = 1u << 30 | take(1);
	if (what & 0x40)
		packet.len = take(2);
	packet.buf_alloc = take(2);
	packet.fwd_cnt = take(2);
	if (kind == BLK) {
		request = (struct virtio_blk_outhdr){ .type = take(1) & 15,
						      .sector = take(2) };
		part.length = sizeof request;
		memcpy(vmm_driver_at(driver, part.addr), &request,
		       sizeof request);
	} else {
		memcpy(vmm_driver_at(driver, part.addr), &packet,
		       sizeof packet);
	}
	add_buffer(driver, &part);
}

static void poke(struct vmm_driver *driver)
{
	struct vmm_ring *ring = any_ring(driver);
	uint64_t base[] = { 0x1000, ring->desc, ring->avail, ring->used };
	uint64_t addr = base[take(1) & 3] + take(2);
	size_t length = MIN(take(1) & 63, left);

	if (!guest_memory_at(&memory, addr, length))
		return;
	fuzz_take(&input, &left, vmm_driver_at(driver, addr), length);
	vmm_ring_kick(ring);
	run();
}

/* The host's side: connects, says something, listens, leaves. */
static void host_acts(enum kind kind, int *host)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char bytes[4096] = "CONNECT 7\n";
	uint32_t what = take(1);
	size_t length = 10;

	if (kind != VSOCK && kind != CONSOLE)
		return;
	if (*host < 0 && kind == VSOCK) {
		strcpy(to.sun_path, "l");
		MUST(!fchdir(home));
		*host = what & 0x80 ? accept4(server, NULL, NULL, SOCK_NONBLOCK)
				    : socket(AF_UNIX,
					     SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (!(what & 0x80))
			(void)!connect(*host, (struct sockaddr *)&to,
				       sizeof to);
	}
	if (what & 1) {
		length = take(1);
		fuzz_take(&input, &left, bytes, length);
	}
	if (what & 2)
		(void)!send(*host, bytes, length, MSG_NOSIGNAL);
	run();
	if (what & 4)
		(void)!recv(*host, bytes, sizeof bytes, 0);
	if (what & 8)
		shutdown(*host, SHUT_WR);
	if (what & 16 && *host >= 0) {
		close(*host);
		*host = -1;
	}
	run();
}

static void control(struct virtio_device *device, enum kind kind)
{
	uint32_t value = take(4), offset = take(1);
	json_t *saved;

	pthread_mutex_lock(&device->lock);
	if (offset < device->config_size) {
		size_t length = MIN(device->config_size - offset, 4u);

		if (device->ops->config_write)
			device->ops->config_write(device, offset, &value,
						  length);
	}
	pthread_mutex_unlock(&device->lock);
	if (kind == BALLOON) {
		virtio_balloon_set_target(device, value);
		virtio_balloon_actual(device);
	}
	if (value & 1 && device->ops->save) {
		pthread_mutex_lock(&device->lock);
		virtio_device_stop(device);
		saved = device->ops->save(device);
		MUST(!device->ops->restore(device, saved, NULL));
		json_decref(saved);
		pthread_mutex_unlock(&device->lock);
	}
}

static void start(struct vmm_driver *driver)
{
	vmm_driver_start(driver);
	run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_driver driver;
	struct virtio_device *device;
	enum kind kind;
	int host = -1, waiting;
	uint32_t first;

	if (home < 0)
		init();
	input = data;
	left = size;
	first = take(1);
	kind = (first & 63) % N_KINDS;
	memset(memory.base, 0, MEMORY);
	device = make(kind, &host);
	vmm_driver_init(
		&driver, device, &memory, RINGS,
		device->offered &
			~(first & 0x80 ? VMM_FEATURE(VIRTIO_F_RING_PACKED)
				       : 0) &
			~(first & 0x40 ? VMM_FEATURE(VIRTIO_RING_F_EVENT_IDX)
				       : 0));
	start(&driver);
	for (int step = 0; step < MAX_STEPS && left; step++) {
		switch (take(1) & 7) {
		case 0:
		case 1:
			add_buffer(&driver, NULL);
			break;
		case 2:
		case 3:
			add_packet(&driver, kind);
			break;
		case 4:
			poke(&driver);
			break;
		case 5:
			host_acts(kind, &host);
			break;
		case 6:
			control(device, kind);
			break;
		default:
			vmm_driver_reset(&driver);
			start(&driver);
		}
	}
	vmm_driver_reset(&driver);
	run();
	vmm_driver_uninit(&driver);
	device->ops->destroy(device);
	if (host >= 0)
		close(host);
	while ((waiting = accept(server, NULL, NULL)) >= 0)
		close(waiting);
	while ((waiting = accept(listener, NULL, NULL)) >= 0)
		close(waiting);
	return 0;
}
