/*
 * The memory balloon (virtio 1.2, 5.5): pages that the guest gives back, and
 * free ones that it reports, become holes in the memory's file; they are there
 * again, as zeroes, when they are next touched. Only whole pages that the guest
 * named are ever taken.
 *
 * The queue for free-page hints is offered (and its buffers given back) but
 * never used, so that the queue of reports has the same number for drivers
 * that count offered queues and for those that go by the specification.
 */
#include "vmm/virtio/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_balloon.h>
#include <string.h>

#include "base/log.h"
#include "vmm/virtio/own.h"

LOG_MODULE(balloon);

enum {
	QUEUE_INFLATE,
	QUEUE_DEFLATE,
	QUEUE_STATS,
	QUEUE_HINT,
	QUEUE_REPORT,
	N_QUEUES,

	PAGE = 1 << VIRTIO_BALLOON_PFN_SHIFT,
	PAGES_PER_MIB = (1 << 20) / PAGE,
	/* Of one buffer; Linux sends 256. More is left with the guest. */
	BALLOON_MAX_PFNS = 4096,
};

struct balloon {
	struct virtio_own own;
	struct virtio_balloon_config config;
	uint64_t reported; /* bytes given back by reports */
	uint64_t stats[VIRTIO_BALLOON_S_NR];
	unsigned int stats_known; /* a bit a tag */
	/* The buffer that the guest waits for to fill it again. */
	struct virtqueue_chain held;
	bool holding;
};

/* Makes a hole of these bytes of our mapping; they were checked. */
static void balloon_punch(struct balloon *balloon, const uint8_t *at,
			  size_t length)
{
	const struct guest_memory *memory = balloon->own.device.memory;

	if (length &&
	    fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      at - memory->base, (off_t)length) < 0)
		log_warn_limited("memory of the guest is not given back: %s",
				 strerror(errno));
}

/* Page frame numbers of 4 bytes; neighbours are taken together. */
static ssize_t balloon_inflate(struct virtio_queue *queue,
			       const struct virtqueue_chain *chain)
{
	struct balloon *balloon = (struct balloon *)queue->device;
	uint8_t *start = NULL;
	size_t length = 0;
	uint32_t pfn;

	for (size_t i = 0; i < BALLOON_MAX_PFNS; i++) {
		uint8_t *page;

		if (virtqueue_read(chain, i * sizeof pfn, &pfn, sizeof pfn) !=
		    sizeof pfn)
			break;
		page = guest_memory_at(queue->device->memory,
				       (uint64_t)pfn * PAGE, PAGE);
		if (page && start && page == start + length) {
			length += PAGE;
			continue;
		}
		balloon_punch(balloon, start, length);
		start = page;
		length = page ? PAGE : 0;
	}
	balloon_punch(balloon, start, length);
	return 0;
}

/* What is deflated, or hinted: the pages come back by themselves. */
static ssize_t balloon_give_back(struct virtio_queue *queue,
				 const struct virtqueue_chain *chain)
{
	return 0;
}

/* The buffer's own parts are the free pages. */
static ssize_t balloon_report(struct virtio_queue *queue,
			      const struct virtqueue_chain *chain)
{
	struct balloon *balloon = (struct balloon *)queue->device;
	const struct guest_memory *memory = queue->device->memory;

	for (unsigned int i = 0; i < chain->n_in; i++) {
		uint8_t *at = chain->in[i].iov_base;
		uint64_t from = at - memory->base;
		uint64_t to = (from + chain->in[i].iov_len) & -(uint64_t)PAGE;

		from = (from + PAGE - 1) & -(uint64_t)PAGE;
		if (from >= to)
			continue;
		balloon_punch(balloon, memory->base + from, to - from);
		balloon->reported += to - from;
	}
	return 0;
}

/* Takes the statistics in, and keeps the buffer. */
static void balloon_read_stats(struct balloon *balloon)
{
	struct virtio_queue *queue = &balloon->own.device.queues[QUEUE_STATS];
	struct virtio_balloon_stat stat;

	if (balloon->holding || !virtqueue_pop(queue, &balloon->held))
		return;
	balloon->holding = true;
	/* The next one comes when this one was given back. */
	virtqueue_enable_kicks(queue);
	for (size_t i = 0; i < VIRTIO_BALLOON_S_NR; i++) {
		if (virtqueue_read(&balloon->held, i * sizeof stat, &stat,
				   sizeof stat) != sizeof stat)
			break;
		if (stat.tag >= VIRTIO_BALLOON_S_NR)
			continue;
		balloon->stats[stat.tag] = stat.val;
		balloon->stats_known |= 1u << stat.tag;
	}
}

static void balloon_kicked(struct virtio_queue *queue)
{
	switch (queue->index) {
	case QUEUE_INFLATE:
		virtio_own_drain(queue, balloon_inflate);
		break;
	case QUEUE_STATS:
		balloon_read_stats((struct balloon *)queue->device);
		break;
	case QUEUE_REPORT:
		virtio_own_drain(queue, balloon_report);
		break;
	default:
		virtio_own_drain(queue, balloon_give_back);
	}
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

json_t *virtio_balloon_statistics(struct virtio_device *device)
{
	static const char *const names[VIRTIO_BALLOON_S_NR] =
		VIRTIO_BALLOON_S_NAMES;
	struct balloon *balloon = (struct balloon *)device;
	struct virtio_queue *queue = &device->queues[QUEUE_STATS];
	json_t *json = json_object();

	pthread_mutex_lock(&device->lock);
	for (unsigned int i = 0; i < VIRTIO_BALLOON_S_NR; i++)
		if (balloon->stats_known >> i & 1)
			json_object_set_new(
				json, names[i],
				json_integer((json_int_t)balloon->stats[i]));
	json_object_set_new(json, "reported-bytes",
			    json_integer((json_int_t)balloon->reported));
	if (balloon->holding) {
		balloon->holding = false;
		virtqueue_push(queue, &balloon->held, 0);
		virtqueue_notify(queue);
		virtio_own_kick(queue);
	}
	pthread_mutex_unlock(&device->lock);
	return json;
}

/* The buffer of statistics goes back to the ring: it is found there again. */
static void balloon_deactivate(struct virtio_device *device)
{
	struct balloon *balloon = (struct balloon *)device;

	if (balloon->holding && !device->queues[QUEUE_STATS].broken)
		virtqueue_unpop(&device->queues[QUEUE_STATS], &balloon->held);
	balloon->holding = false;
	virtio_own_stop(device);
}

static json_t *balloon_save(struct virtio_device *device)
{
	struct balloon *balloon = (struct balloon *)device;

	return json_pack("{s:I, s:I}", "target",
			 (json_int_t)balloon->config.num_pages, "actual",
			 (json_int_t)balloon->config.actual);
}

static int balloon_restore(struct virtio_device *device, const json_t *state,
			   char **errp)
{
	struct balloon *balloon = (struct balloon *)device;
	json_int_t target, actual;

	if (json_unpack((json_t *)state, "{s:I, s:I}", "target", &target,
			"actual", &actual) ||
	    target != (uint32_t)target || actual != (uint32_t)actual)
		return set_error(errp, -EINVAL, "the saved balloon is damaged");
	balloon->config.num_pages = target;
	balloon->config.actual = actual;
	return 0;
}

static const struct virtio_ops balloon_ops = {
	.name = "balloon",
	.config_read = virtio_own_config_read,
	.config_write = balloon_config_write,
	.activate = virtio_own_start,
	.deactivate = balloon_deactivate,
	.destroy = virtio_own_destroy,
	.save = balloon_save,
	.restore = balloon_restore,
};

struct virtio_device *virtio_balloon_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    char **errp)
{
	static const uint16_t sizes[N_QUEUES] = { 64, 64, 4, 64, 64 };
	struct balloon *balloon = xcalloc(1, sizeof *balloon);
	struct virtio_device *device = &balloon->own.device;

	virtio_device_init(device, &balloon_ops, memory, N_QUEUES, sizes);
	device->type = VIRTIO_ID_BALLOON;
	device->config_size = sizeof balloon->config;
	device->offered = VIRTIO_OWN_FEATURES |
			  1ull << VIRTIO_BALLOON_F_STATS_VQ |
			  1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
			  1ull << VIRTIO_BALLOON_F_FREE_PAGE_HINT |
			  1ull << VIRTIO_BALLOON_F_REPORTING;
	balloon->own.config = &balloon->config;
	balloon->own.loop = loop;
	balloon->own.kicked = balloon_kicked;
	return device;
}
