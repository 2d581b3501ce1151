/*
 * What both kinds of ring have in common (virtio_driver.h): creation, order of
 * the buffers, notifications. The rings are in virtio_split.c, virtio_packed.c.
 */
#include "virtio_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio_rings.h"

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0) {
		perror("virtio_driver: eventfd");
		abort();
	}
	return fd;
}

static void lay_out(struct driver_queue *q)
{
	struct guest_memory *m = q->memory;
	uint32_t size = q->config.size;

	q->desc_at = guest_alloc_whole(m, size * 16, 16);
	q->driver_at = guest_alloc_whole(m, q->packed ? 4 : 6 + size * 2, 4);
	q->device_at = guest_alloc_whole(m, q->packed ? 4 : 6 + size * 8, 4);
	if (q->indirect)
		q->tables_at = guest_alloc(
			m, (uint64_t)size * DRIVER_TABLE_MAX * 16, 16);
}

struct driver_queue *driver_create(struct guest_memory *memory,
				   const struct driver_config *config)
{
	struct driver_queue *q = xcalloc(1, sizeof(*q));
	uint64_t features = config->features;

	q->memory = memory;
	q->config = *config;
	q->packed = features & FEATURE(VIRTIO_F_RING_PACKED);
	if (q->packed && !q->config.base)
		q->config.base = DRIVER_PACKED_BEGIN;
	q->event_idx = features & FEATURE(VIRTIO_RING_F_EVENT_IDX);
	q->in_order = features & FEATURE(VIRTIO_F_IN_ORDER);
	q->indirect = features & FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	q->hdr_len = features & (FEATURE(VIRTIO_F_VERSION_1) |
				 FEATURE(VIRTIO_NET_F_MRG_RXBUF))
			     ? 12
			     : 10;
	q->kick = new_eventfd();
	q->call = new_eventfd();
	q->buffers = xcalloc(config->size, sizeof(*q->buffers));
	q->next = xcalloc(config->size, sizeof(*q->next));
	q->order = xcalloc(config->size, sizeof(*q->order));
	q->n_free = config->size;
	lay_out(q);
	if (q->packed)
		driver_packed_init(q);
	else
		driver_split_init(q);
	if (config->buffer_size)
		driver_slots_init(q);
	return q;
}

void driver_destroy(struct driver_queue *q)
{
	if (!q)
		return;
	close(q->kick);
	close(q->call);
	free(q->buffers);
	free(q->next);
	free(q->order);
	free(q->slots);
	free(q->free_slots);
	free(q);
}

void driver_init_free(struct driver_queue *q)
{
	/* A step that does not divide the size: chains are not in a row. */
	unsigned size = q->config.size, step = 1, at = 0;

	if (!q->in_order)
		for (unsigned s = 7; s < size; s += 2) {
			unsigned a = s, b = size;

			while (b) {
				unsigned rest = a % b;

				a = b;
				b = rest;
			}
			if (a == 1) {
				step = s;
				break;
			}
		}
	if (!q->packed && q->in_order)
		at = q->next_avail % size;
	q->free = at;
	for (unsigned i = 0; i < size; i++) {
		q->next[at] = (at + step) % size;
		at = (at + step) % size;
	}
}

void driver_write_table(struct driver_queue *q, uint16_t id,
			const struct driver_part *parts, unsigned n)
{
	uint64_t at = q->tables_at + (uint64_t)id * DRIVER_TABLE_MAX * 16;

	for (unsigned i = 0; i < n; i++) {
		uint16_t write = parts[i].write ? VRING_DESC_F_WRITE : 0;

		if (q->packed) {
			struct vring_packed_desc *d = guest_at(q->memory, at);

			d[i] = (struct vring_packed_desc){ parts[i].guest,
							   parts[i].len, 0xbad,
							   write };
		} else {
			struct vring_desc *d = guest_at(q->memory, at);
			bool last = i + 1 == n;

			d[i] = (struct vring_desc){
				parts[i].guest, parts[i].len,
				write | (last ? 0 : VRING_DESC_F_NEXT),
				last ? 0xbad : i + 1
			};
		}
	}
}

void driver_note(struct driver_queue *q, uint16_t id, unsigned n_desc,
		 const struct driver_part *parts, unsigned n, unsigned token)
{
	struct driver_buffer *b = &q->buffers[id];

	b->out = true;
	b->n_desc = n_desc;
	b->token = token;
	b->writable = 0;
	for (unsigned i = 0; i < n; i++)
		if (parts[i].write)
			b->writable += parts[i].len;
	q->n_free -= n_desc;
	q->n_out++;
	q->order[(q->order_first + q->order_n++) % q->config.size] = id;
}

int driver_add(struct driver_queue *q, const struct driver_part *parts,
	       unsigned n, bool indirect, unsigned token)
{
	unsigned need = indirect ? 1 : n;

	if (need > q->n_free || (indirect && n > DRIVER_TABLE_MAX))
		return -ENOSPC;
	if (q->packed)
		driver_packed_add(q, parts, n, indirect, token);
	else
		driver_split_add(q, parts, n, indirect, token);
	return 0;
}

void driver_publish(struct driver_queue *q)
{
	if (q->packed)
		driver_packed_publish(q);
	else
		driver_split_publish(q);
}

bool driver_kick_wanted(struct driver_queue *q)
{
	/* What was published is seen before what the device wants is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return q->packed ? driver_packed_kick_wanted(q)
			 : driver_split_kick_wanted(q);
}

bool driver_kick(struct driver_queue *q)
{
	uint64_t one = 1;

	driver_publish(q);
	if (!driver_kick_wanted(q))
		return false;
	return write(q->kick, &one, sizeof(one)) == sizeof(one);
}

static unsigned take(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

unsigned driver_take_kicks(struct driver_queue *q)
{
	return take(q->kick);
}

unsigned driver_take_calls(struct driver_queue *q)
{
	return take(q->call);
}

static bool wrong(struct driver_queue *q, const char *what)
{
	q->error = what;
	return false;
}

/* In order: one entry may stand for all buffers up to its own. */
static bool begin_batch(struct driver_queue *q, uint16_t id, uint32_t len)
{
	for (unsigned i = 0; i < q->order_n; i++)
		if (q->order[(q->order_first + i) % q->config.size] == id) {
			q->batch = i + 1;
			q->batch_len = len;
			return true;
		}
	return wrong(q, "an id that the device does not have");
}

/* Gives the buffer's descriptors back to the driver. */
static void give_back(struct driver_queue *q, uint16_t id)
{
	q->buffers[id].out = false;
	q->n_free += q->buffers[id].n_desc;
	q->n_out--;
	q->order_n--;
	if (q->packed)
		driver_packed_free(q, id);
	else
		driver_split_free(q, id);
}

static bool get_in_order(struct driver_queue *q, struct driver_used *used)
{
	if (!q->batch) {
		uint16_t id;
		uint32_t len;

		if (!(q->packed ? driver_packed_peek(q, &id, &len)
				: driver_split_peek(q, &id, &len)))
			return false;
		if (!begin_batch(q, id, len))
			return false;
	}
	used->id = q->order[q->order_first];
	q->order_first = (q->order_first + 1) % q->config.size;
	used->len = q->buffers[used->id].writable;
	if (!--q->batch)
		used->len = q->batch_len;
	return true;
}

/* Out of the list of what was given, in whichever place. */
static void forget_order(struct driver_queue *q, uint16_t id)
{
	unsigned size = q->config.size, i = 0;

	while (q->order[(q->order_first + i) % size] != id)
		i++;
	for (; i; i--)
		q->order[(q->order_first + i) % size] =
			q->order[(q->order_first + i - 1) % size];
	q->order_first = (q->order_first + 1) % size;
}

bool driver_get(struct driver_queue *q, struct driver_used *used)
{
	uint16_t n_desc;

	if (q->error)
		return false;
	if (q->in_order) {
		if (!get_in_order(q, used))
			return false;
	} else {
		if (!(q->packed ? driver_packed_peek(q, &used->id, &used->len)
				: driver_split_peek(q, &used->id, &used->len)))
			return false;
		if (used->id >= q->config.size || !q->buffers[used->id].out)
			return wrong(q, "an id that the device does not have");
		forget_order(q, used->id);
	}
	used->token = q->buffers[used->id].token;
	used->writable = q->buffers[used->id].writable;
	if (used->len > used->writable)
		return wrong(q, "more bytes written than there was room for");
	n_desc = q->buffers[used->id].n_desc;
	give_back(q, used->id);
	if (q->packed)
		driver_packed_advance(q, n_desc);
	else
		driver_split_advance(q);
	return true;
}

bool driver_has_used(const struct driver_queue *q)
{
	uint16_t id;
	uint32_t len;

	if (q->batch)
		return true;
	return q->packed ? driver_packed_peek(q, &id, &len)
			 : driver_split_peek(q, &id, &len);
}

static void calls(struct driver_queue *q, int after)
{
	q->always = !after;
	if (q->packed)
		driver_packed_calls(q, after);
	else
		driver_split_calls(q, after);
}

void driver_calls_never(struct driver_queue *q)
{
	calls(q, -1);
}

void driver_calls_always(struct driver_queue *q)
{
	calls(q, 0);
}

void driver_calls_after(struct driver_queue *q, unsigned after)
{
	calls(q, after);
}
