/*
 * The memory balloon (virtio 1.2, 5.5): pages that the guest gives back, and
 * free ones that it reports, become holes in the memory's file; they are there
 * again, as zeroes, when they are next touched. Only whole pages that the guest
 * named are ever taken.
 *
 * Neither statistics nor hints are offered. Drivers that count the queues that
 * are offered find the one of reports where those that go by the specification
 * find the statistics: all queues from there on are of reports.
 */
#include "vmm/virtio/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_balloon.h>
#include <string.h>

#include "base/log.h"
#include "vmm/machine/snapshot.h"
#include "vmm/virtio/own.h"

LOG_MODULE(balloon);

enum {
	QUEUE_INFLATE,
	QUEUE_DEFLATE,
	QUEUE_REPORT,
	N_QUEUES = 5,

	PAGE = 1 << VIRTIO_BALLOON_PFN_SHIFT,
	PAGES_PER_MIB = (1 << 20) / PAGE,
	/* Of one buffer; Linux sends 256. More is left with the guest. */
	BALLOON_MAX_PFNS = 4096,
};

struct balloon {
	struct virtio_own own;
	struct virtio_balloon_config config;
};

/* Makes a hole of these bytes of our mapping; they were checked. */
static void balloon_punch(const struct guest_memory *memory, const uint8_t *at,
			  size_t length)
{
	if (fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      at - memory->base, (off_t)length) < 0)
		log_warn_limited("memory of the guest is not given back: %s",
				 strerror(errno));
}

/* Page frame numbers of 4 bytes. */
static ssize_t balloon_inflate(struct virtio_queue *queue,
			       const struct virtqueue_chain *chain)
{
	uint32_t pfn;

	for (size_t i = 0; i < BALLOON_MAX_PFNS; i++) {
		uint8_t *page;

		if (virtqueue_read(chain, i * sizeof pfn, &pfn, sizeof pfn) !=
		    sizeof pfn)
			break;
		page = guest_memory_at(queue->device->memory,
				       (uint64_t)pfn * PAGE, PAGE);
		if (page)
			balloon_punch(queue->device->memory, page, PAGE);
	}
	return 0;
}

/* What is deflated: the pages come back by themselves. */
static ssize_t balloon_give_back(struct virtio_queue *queue,
				 const struct virtqueue_chain *chain)
{
	return 0;
}

/* The buffer's own parts are the free pages. */
static ssize_t balloon_report(struct virtio_queue *queue,
			      const struct virtqueue_chain *chain)
{
	const struct guest_memory *memory = queue->device->memory;

	for (unsigned int i = 0; i < chain->n_in; i++) {
		uint8_t *at = chain->in[i].iov_base;
		uint64_t from = at - memory->base;
		uint64_t to = (from + chain->in[i].iov_len) & -(uint64_t)PAGE;

		from = (from + PAGE - 1) & -(uint64_t)PAGE;
		if (from < to)
			balloon_punch(memory, memory->base + from, to - from);
	}
	return 0;
}

static void balloon_kicked(struct virtio_queue *queue)
{
	virtio_own_drain(queue, queue->index == QUEUE_INFLATE ? balloon_inflate
				: queue->index == QUEUE_DEFLATE
					? balloon_give_back
					: balloon_report);
}

static void balloon_config_write(struct virtio_device *device, uint32_t offset,
				 const void *data, uint32_t length)
{
	struct balloon *balloon = (struct balloon *)device;
	const uint32_t actual = offsetof(struct virtio_balloon_config, actual);

	if (offset == actual && length == sizeof balloon->config.actual)
		memcpy(&balloon->config.actual, data, length);
}

void virtio_balloon_set_target(struct virtio_device *device, uint64_t mib)
{
	struct balloon *balloon = (struct balloon *)device;

	mib = MIN(mib, device->memory->size >> 20);
	pthread_mutex_lock(&device->lock);
	balloon->config.num_pages = mib * PAGES_PER_MIB;
	virtio_config_changed(device);
	pthread_mutex_unlock(&device->lock);
}

uint64_t virtio_balloon_actual(struct virtio_device *device)
{
	struct balloon *balloon = (struct balloon *)device;
	uint64_t pages;

	pthread_mutex_lock(&device->lock);
	pages = balloon->config.actual;
	pthread_mutex_unlock(&device->lock);
	return pages / PAGES_PER_MIB;
}

static json_t *balloon_save(struct virtio_device *device)
{
	return snapshot_bytes(device->config, device->config_size);
}

static int balloon_restore(struct virtio_device *device, const json_t *state,
			   char **errp)
{
	if (snapshot_from_bytes(state, device->config, device->config_size))
		return set_error(errp, -EINVAL, "the saved balloon is damaged");
	return 0;
}

static const struct virtio_own_kind balloon_kind = {
	.ops = {
		.name = "balloon",
		.config_write = balloon_config_write,
		.activate = virtio_own_start,
		.deactivate = virtio_own_stop,
		.destroy = virtio_own_destroy,
		.save = balloon_save,
		.restore = balloon_restore,
	},
	.type = VIRTIO_ID_BALLOON,
	.features = 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
		    1ull << VIRTIO_BALLOON_F_REPORTING,
	.config_size = sizeof(struct virtio_balloon_config),
	.n_queues = N_QUEUES,
	.queue_sizes = { 64, 64, 64, 64, 64 },
	.kicked = balloon_kicked,
};

struct virtio_device *virtio_balloon_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    char **errp)
{
	struct balloon *balloon = xcalloc(1, sizeof *balloon);

	virtio_own_init(&balloon->own, &balloon_kind, loop, memory,
			&balloon->config);
	return &balloon->own.device;
}
