/*
 * A vhost-user back end's bytes: all of its answers lie in the socket before
 * the front end asks. Whatever they are, nothing is left behind and the device
 * lives.
 *
 * The input: a byte of choices (card or disk, packed, when the device is
 * activated), then messages: how (1 byte: a descriptor beside it, or the
 * payload cut), request, flags, size (1 byte each), payload.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/support/vmm_card.h"
#include "vmm/vhost/message.h"

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

enum { DISK = 1, PACKED = 2, LATE = 4, RESET = 8, AGAIN = 16, TURN = 32 };
enum { HOW_FD = 1, HOW_MEMORY = 2, HOW_HUGE = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *loop;
static struct guest_memory memory;
static int region, peers[2];
static unsigned int n_peers;

static int lowest_fd(void)
{
	int fd = dup(region);

	close(fd);
	return fd;
}

static void prepare(void)
{
	if (loop)
		return;
	log_set("ANY:off", NULL);
	loop = event_base_new();
	region = memfd_create("region", MFD_CLOEXEC);
	MUST(!ftruncate(region, 1 << 16));
	MUST(!guest_memory_create(&memory, 8 << 20, false, NULL));
}

/* Puts the answers into a socket; the other end of it. */
static int back_end(const uint8_t *data, size_t size)
{
	int fds[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	while (size >= 4) {
		struct vhost_message m = { .header = { data[1], data[2],
						       data[3] } };
		uint8_t how = data[0];
		size_t n = MIN(size - 4, m.header.size);

		memcpy(&m.payload, data + 4, n);
		if (how & HOW_HUGE)
			m.header.size |= UINT32_MAX << 8;
		data += 4 + n;
		size -= 4 + n;
		if (how & HOW_HUGE)
			send(fds[1], &m, 12, MSG_DONTWAIT | MSG_NOSIGNAL);
		else if (vhost_message_send(fds[1], &m,
					    how & HOW_MEMORY ? &region
							     : &fds[1],
					    how & HOW_FD, NULL))
			break;
	}
	shutdown(fds[1], SHUT_WR);
	/* What we are sent is not read: there is room for it. */
	peers[n_peers++] = fds[1];
	return fds[0];
}

static struct virtio_device *create(uint8_t choices, int fd)
{
	static const struct virtio_net_config config = { .pairs = 1,
							 .packed = true };

	if (choices & DISK)
		return virtio_blk_vhost_create(loop, &memory, fd, NULL);
	return virtio_net_vhost_create(loop, &memory, &config,
				       choices & LATE ? -1 : fd, -1, NULL, NULL,
				       NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_driver driver;
	struct virtio_device *device;
	uint8_t choices;
	int fd, lowest;

	prepare();
	if (!size)
		return 0;
	choices = *data++;
	lowest = lowest_fd();
	fd = back_end(data, --size);
	device = create(choices, fd);
	if (!device)
		goto out;
	vmm_driver_init(&driver, device, &memory, 0x100000,
			device->offered &
				(choices & PACKED
					 ? UINT64_MAX
					 : ~VMM_FEATURE(VIRTIO_F_RING_PACKED)));
	vmm_driver_start(&driver);
	if (choices & LATE && !(choices & DISK))
		virtio_net_connected(device, fd, NULL);
	if (choices & TURN)
		event_base_loop(loop, EVLOOP_NONBLOCK);
	if (choices & RESET) {
		vmm_driver_reset(&driver);
		vmm_driver_start(&driver);
	}
	if (choices & AGAIN && !(choices & DISK)) {
		event_base_loop(loop, EVLOOP_NONBLOCK);
		virtio_net_connected(device, back_end(data, size), NULL);
	}
	if (choices & TURN)
		event_base_loop(loop, EVLOOP_NONBLOCK);
	pthread_mutex_lock(&device->lock);
	virtio_device_stop(device);
	pthread_mutex_unlock(&device->lock);
	vmm_driver_uninit(&driver);
	device->ops->destroy(device);
out:
	while (n_peers)
		close(peers[--n_peers]);
	MUST(lowest_fd() == lowest);
	return 0;
}
