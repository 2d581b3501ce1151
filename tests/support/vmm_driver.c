/* A guest's driver (vmm_driver.h). Guest memory is plain memory here: what the
 * device's thread may read at the same time is written atomically. */
#include "vmm_driver.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WRAP	   0x8000u
#define DESC_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define DESC_USED  (1u << VRING_PACKED_DESC_F_USED)

void *vmm_driver_at(const struct vmm_driver *driver, uint64_t addr)
{
	void *at = guest_memory_at(driver->memory, addr, 0);

	if (!at)
		abort();
	return at;
}

uint64_t vmm_driver_alloc(struct vmm_driver *driver, uint64_t length,
			  uint64_t align)
{
	uint64_t addr = (driver->next + align - 1) & ~(align - 1);

	if (!guest_memory_at(driver->memory, addr, length))
		abort();
	driver->next = addr + length;
	return addr;
}

static void *at(const struct vmm_ring *ring, uint64_t addr)
{
	return vmm_driver_at(ring->driver, addr);
}

/* As if nothing had ever been in it. */
static void clear(struct vmm_ring *ring)
{
	uint16_t start = ring->packed ? WRAP : 0;

	memset(at(ring, ring->desc), 0, ring->size * 16u);
	memset(at(ring, ring->avail), 0, ring->packed ? 4 : 6 + 2 * ring->size);
	memset(at(ring, ring->used), 0, ring->packed ? 4 : 6 + 8 * ring->size);
	ring->next_avail = ring->next_used = start;
	ring->n_free = ring->n_ids = ring->size;
	for (unsigned int i = 0; i < ring->size; i++)
		ring->free_ids[i] = ring->size - 1 - i;
}

void vmm_ring_init(struct vmm_ring *ring, struct vmm_driver *driver,
		   unsigned int index, uint16_t size)
{
	ring->driver = driver;
	ring->queue = &driver->device->queues[index];
	ring->packed = driver->features >> VIRTIO_F_RING_PACKED & 1;
	ring->size = size;
	ring->desc = vmm_driver_alloc(driver, size * 16u, 16);
	ring->avail = vmm_driver_alloc(driver, 6 + 2 * size, 4);
	ring->used = vmm_driver_alloc(driver, 6 + 8 * size, 4);
	clear(ring);
}

void vmm_driver_init(struct vmm_driver *driver, struct virtio_device *device,
		     struct guest_memory *memory, uint64_t addr,
		     uint64_t features)
{
	memset(driver, 0, sizeof(*driver));
	driver->device = device;
	driver->memory = memory;
	driver->features = features | VMM_FEATURE(VIRTIO_F_VERSION_1);
	driver->next = addr;
	for (unsigned int i = 0; i < device->n_queues; i++) {
		struct virtio_queue *queue = &device->queues[i];

		vmm_ring_init(&driver->rings[i], driver, i, queue->max_size);
		if (queue->kick_fd < 0)
			queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

void vmm_driver_uninit(struct vmm_driver *driver)
{
	for (unsigned int i = 0; i < driver->device->n_queues; i++) {
		struct virtio_queue *queue = &driver->device->queues[i];

		close(queue->kick_fd);
		if (queue->call_fd >= 0)
			close(queue->call_fd);
		queue->kick_fd = queue->call_fd = -1;
	}
}

static void nobody_wakes(struct virtio_device *device)
{
}

/* Status written, and carried out. */
static void set_status(struct virtio_device *device, uint8_t status)
{
	if (!device->wake)
		device->wake = nobody_wakes;
	pthread_mutex_lock(&device->lock);
	virtio_device_want(device, status);
	pthread_mutex_unlock(&device->lock);
	virtio_device_settle(device);
}

bool vmm_driver_start(struct vmm_driver *driver)
{
	struct virtio_device *device = driver->device;
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	pthread_mutex_lock(&device->lock);
	if (!virtio_device_negotiate(device, driver->features))
		abort();
	for (unsigned int i = 0; i < device->n_queues; i++) {
		struct virtio_queue *queue = &device->queues[i];
		struct vmm_ring *ring = &driver->rings[i];

		queue->size = ring->size;
		queue->desc = ring->desc;
		queue->avail = ring->avail;
		queue->used = ring->used;
		queue->enabled = true;
		if (queue->call_fd < 0)
			queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	pthread_mutex_unlock(&device->lock);
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	set_status(device, status);
	set_status(device, status | VIRTIO_CONFIG_S_DRIVER_OK);
	return device->active;
}

void vmm_driver_reset(struct vmm_driver *driver)
{
	struct virtio_device *device = driver->device;
	int calls[VIRTIO_MAX_QUEUES] = { 0 };

	for (unsigned int i = 0; i < device->n_queues; i++)
		calls[i] = device->queues[i].call_fd;
	set_status(device, 0);
	for (unsigned int i = 0; i < device->n_queues; i++) {
		device->queues[i].call_fd = calls[i];
		clear(&driver->rings[i]);
	}
}

/* Forward in a packed ring. */
static uint16_t forward(const struct vmm_ring *ring, uint16_t position,
			uint16_t n)
{
	uint16_t index = (position & ~WRAP) + n;

	if (index < ring->size)
		return (position & WRAP) | index;
	return (~position & WRAP) | (index - ring->size);
}

/* Descriptors i of n for these parts, in a table; split: chained. */
static void fill(void *table, const struct vmm_part *parts, unsigned int n_out,
		 unsigned int n, bool packed)
{
	for (unsigned int i = 0; i < n; i++) {
		uint16_t flags = i < n_out ? 0 : VRING_DESC_F_WRITE;

		if (packed)
			((struct vring_packed_desc *)table)[i] =
				(struct vring_packed_desc){ parts[i].addr,
							    parts[i].length, 0,
							    flags };
		else
			((struct vring_desc *)table)[i] = (struct vring_desc){
				parts[i].addr, parts[i].length,
				flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
				i + 1
			};
	}
}

static void add_packed(struct vmm_ring *ring, uint16_t id,
		       const struct vring_packed_desc *descs, unsigned int n)
{
	struct vring_packed_desc *table = at(ring, ring->desc);
	uint16_t first_flags = 0, position = ring->next_avail;

	for (unsigned int i = 0; i < n; i++) {
		struct vring_packed_desc *to = &table[position & ~WRAP];
		uint16_t flags = descs[i].flags;

		flags |= position & WRAP ? DESC_AVAIL : DESC_USED;
		if (i + 1 < n)
			flags |= VRING_DESC_F_NEXT;
		to->addr = descs[i].addr;
		to->len = descs[i].len;
		to->id = id;
		if (i)
			to->flags = flags;
		else
			first_flags = flags;
		position = forward(ring, position, 1);
	}
	__atomic_store_n(&table[ring->next_avail & ~WRAP].flags, first_flags,
			 __ATOMIC_RELEASE);
	ring->next_avail = position;
}

/* A split chain takes the descriptors from its id on that are free. */
static void add_split(struct vmm_ring *ring, const uint16_t *ids,
		      const struct vring_desc *descs, unsigned int n)
{
	struct vring_desc *table = at(ring, ring->desc);
	struct vring_avail *avail = at(ring, ring->avail);

	for (unsigned int i = 0; i < n; i++) {
		table[ids[i]] = descs[i];
		if (i + 1 < n) {
			table[ids[i]].flags |= VRING_DESC_F_NEXT;
			table[ids[i]].next = ids[i + 1];
		}
	}
	avail->ring[ring->next_avail & (ring->size - 1)] = ids[0];
	ring->next_avail++;
	__atomic_store_n(&avail->idx, ring->next_avail, __ATOMIC_RELEASE);
}

int vmm_ring_add(struct vmm_ring *ring, const struct vmm_part *parts,
		 unsigned int n_out, unsigned int n_in, bool indirect)
{
	union {
		struct vring_desc split[VIRTIO_MAX_QUEUE_SIZE];
		struct vring_packed_desc packed[VIRTIO_MAX_QUEUE_SIZE];
	} descs = { 0 };
	unsigned int n = n_out + n_in, taken = indirect ? 1 : n;
	uint16_t ids[VIRTIO_MAX_QUEUE_SIZE];

	if (!n || n > VIRTIO_MAX_QUEUE_SIZE || taken > ring->n_free)
		return -1;
	fill(&descs, parts, n_out, n, ring->packed);
	if (indirect) {
		uint64_t addr = vmm_driver_alloc(ring->driver, n * 16u, 16);

		memcpy(at(ring, addr), &descs, n * 16u);
		if (ring->packed)
			descs.packed[0] = (struct vring_packed_desc){
				addr, n * 16u, 0, VRING_DESC_F_INDIRECT
			};
		else
			descs.split[0] =
				(struct vring_desc){ addr, n * 16u,
						     VRING_DESC_F_INDIRECT, 0 };
	}
	ring->n_free -= taken;
	for (unsigned int i = 0; i < (ring->packed ? 1 : taken); i++)
		ids[i] = ring->free_ids[--ring->n_ids];
	ring->lengths[ids[0]] = taken;
	if (ring->packed)
		add_packed(ring, ids[0], descs.packed, taken);
	else
		add_split(ring, ids, descs.split, taken);
	return ids[0];
}

static bool passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

bool vmm_ring_kick_wanted(const struct vmm_ring *ring, uint16_t before)
{
	bool event_idx = ring->driver->features >> VIRTIO_RING_F_EVENT_IDX & 1;
	const struct vring_packed_desc_event *event = at(ring, ring->used);
	const struct vring_used *used = at(ring, ring->used);
	const void *behind = &used->ring[ring->size];
	uint16_t now = ring->next_avail, want;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->packed)
		return event_idx
			       ? passed(*(const uint16_t *)behind, now, before)
			       : !(used->flags & VRING_USED_F_NO_NOTIFY);
	if (event->flags != VRING_PACKED_EVENT_FLAG_DESC)
		return event->flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	/* Counted on one line, as the device does for interrupts. */
	want = event->off_wrap & ~WRAP;
	if ((event->off_wrap ^ now) & WRAP)
		want -= ring->size;
	if ((before ^ now) & WRAP)
		return passed(want, now & ~WRAP, (before & ~WRAP) - ring->size);
	return passed(want, now & ~WRAP, before & ~WRAP);
}

static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static bool take_eventfd(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t value;

	return fd >= 0 && poll(&poll_fd, 1, 0) == 1 &&
	       read(fd, &value, sizeof(value)) == sizeof(value);
}

void vmm_ring_kick(struct vmm_ring *ring)
{
	signal_eventfd(ring->queue->kick_fd);
}

bool vmm_ring_called(struct vmm_ring *ring)
{
	return take_eventfd(ring->queue->call_fd);
}

bool vmm_ring_kicked(struct vmm_ring *ring)
{
	return take_eventfd(ring->queue->kick_fd);
}

/* The descriptors of a split chain are free again. */
static void free_split(struct vmm_ring *ring, uint16_t id)
{
	struct vring_desc *table = at(ring, ring->desc);
	uint16_t next = id;

	for (unsigned int i = 0; i < ring->lengths[id]; i++) {
		ring->free_ids[ring->n_ids++] = next;
		next = table[next].next;
	}
	ring->n_free += ring->lengths[id];
}

static bool used_split(struct vmm_ring *ring, unsigned int *id,
		       uint32_t *length)
{
	const struct vring_used *used = at(ring, ring->used);
	const struct vring_used_elem *elem;

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == ring->next_used)
		return false;
	elem = &used->ring[ring->next_used & (ring->size - 1)];
	*id = elem->id;
	*length = elem->len;
	ring->next_used++;
	if (*id >= ring->size)
		abort();
	free_split(ring, *id);
	return true;
}

bool vmm_ring_used(struct vmm_ring *ring, unsigned int *id, uint32_t *length)
{
	const struct vring_packed_desc *table = at(ring, ring->desc), *desc;
	bool wrap = ring->next_used & WRAP;
	uint16_t flags;

	if (!ring->packed)
		return used_split(ring, id, length);
	desc = &table[ring->next_used & ~WRAP];
	flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);
	if (!!(flags & DESC_AVAIL) != wrap || !!(flags & DESC_USED) != wrap)
		return false;
	*id = desc->id;
	*length = desc->len;
	if (*id >= ring->size)
		abort();
	ring->n_free += ring->lengths[*id];
	ring->free_ids[ring->n_ids++] = *id;
	ring->next_used = forward(ring, ring->next_used, ring->lengths[*id]);
	return true;
}

void vmm_ring_calls(struct vmm_ring *ring, bool wanted)
{
	struct vring_packed_desc_event *event = at(ring, ring->avail);
	struct vring_avail *avail = at(ring, ring->avail);

	if (ring->packed)
		event->flags = wanted ? VRING_PACKED_EVENT_FLAG_ENABLE
				      : VRING_PACKED_EVENT_FLAG_DISABLE;
	else if (!(ring->driver->features >> VIRTIO_RING_F_EVENT_IDX & 1))
		avail->flags = wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
	else /* not before the index came round once more */
		avail->ring[ring->size] = ring->next_used - (wanted ? 0 : 1);
}

void vmm_ring_calls_after(struct vmm_ring *ring, uint16_t n)
{
	struct vring_packed_desc_event *event = at(ring, ring->avail);
	struct vring_avail *avail = at(ring, ring->avail);

	if (!ring->packed) {
		avail->ring[ring->size] = ring->next_used + n - 1;
		return;
	}
	event->off_wrap = forward(ring, ring->next_used, n - 1);
	event->flags = VRING_PACKED_EVENT_FLAG_DESC;
}
