/* The driver's side of split and packed rings (virtio 1.2, 2.7 and 2.8). */
#include "virtio.h"

enum {
	PACKED_AVAIL = 1 << 7,
	PACKED_USED = 1 << 15,
	EVENT_ALL = 0,
	EVENT_NONE = 1,
	EVENT_DESC = 2,
	WAIT_MS = 10000,
};

static void barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

static bool is_packed(const struct ring *ring)
{
	return has(ring->device, VIRTIO_F_PACKED);
}

void ring_init(struct ring *ring)
{
	ring->desc.split = allocate(16ul * ring->size, 4096);
	ring->avail = allocate(6 + 2ul * ring->size, 64);
	ring->used = allocate(6 + 8ul * ring->size, 64);
	ring->avail_wrap = ring->used_wrap = true;
	if (has(ring->device, VIRTIO_F_INDIRECT))
		ring->indirect = allocate(
			16ul * MAX_CHAIN * (ring->size / ring->chain), 64);
}

static uint16_t flags_of(const struct buffer *buffer, bool last)
{
	return (buffer->in ? DESC_WRITE : 0) | (last ? 0 : DESC_NEXT);
}

/* Of one buffer the table that stands for it. */
static struct buffer make_indirect(struct ring *ring, uint16_t id,
				   const struct buffer *buffers, unsigned int n)
{
	struct descriptor *table = ring->indirect[id];

	for (unsigned int i = 0; i < n; i++) {
		table[i].addr = (uint64_t)buffers[i].data;
		table[i].length = buffers[i].length;
		if (is_packed(ring)) {
			struct packed_descriptor *p = (void *)&table[i];

			p->id = 0;
			p->flags = buffers[i].in ? DESC_WRITE : 0;
		} else {
			table[i].flags = flags_of(&buffers[i], i == n - 1);
			table[i].next = (uint16_t)(i + 1);
		}
	}
	return (struct buffer){ table, 16 * n, false };
}

static void add_split(struct ring *ring, uint16_t id,
		      const struct buffer *buffers, unsigned int n,
		      uint16_t extra)
{
	uint16_t head = id * ring->chain;

	for (unsigned int i = 0; i < n; i++) {
		struct descriptor *d = &ring->desc.split[head + i];

		d->addr = (uint64_t)buffers[i].data;
		d->length = buffers[i].length;
		d->flags = flags_of(&buffers[i], i == n - 1) | extra;
		d->next = (uint16_t)(head + i + 1);
	}
	ring->avail[2 + ring->next_avail % ring->size] = head;
	ring->next_avail++;
	barrier();
	ring->avail[1] = ring->next_avail;
}

static void add_packed(struct ring *ring, uint16_t id,
		       const struct buffer *buffers, unsigned int n,
		       uint16_t extra)
{
	uint16_t first = ring->next_avail, first_flags = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct packed_descriptor *d =
			&ring->desc.packed[ring->next_avail];
		uint16_t flags =
			flags_of(&buffers[i], i == n - 1) | extra |
			(ring->avail_wrap ? PACKED_AVAIL : PACKED_USED);

		d->addr = (uint64_t)buffers[i].data;
		d->length = buffers[i].length;
		d->id = id;
		if (i)
			d->flags = flags;
		else
			first_flags = flags;
		if (++ring->next_avail == ring->size) {
			ring->next_avail = 0;
			ring->avail_wrap = !ring->avail_wrap;
		}
	}
	ring->lengths[id] = (uint16_t)n;
	barrier();
	*(volatile uint16_t *)&ring->desc.packed[first].flags = first_flags;
}

void ring_add(struct ring *ring, uint16_t id, const struct buffer *buffers,
	      unsigned int n)
{
	struct buffer table;
	uint16_t extra = 0;

	CHECK(n <= (ring->indirect ? MAX_CHAIN : ring->chain) &&
		      id < ring->size / ring->chain,
	      "buffer %u of %u descriptors", id, n);
	if (ring->indirect) {
		table = make_indirect(ring, id, buffers, n);
		buffers = &table;
		n = 1;
		extra = DESC_INDIRECT;
	}
	if (is_packed(ring))
		add_packed(ring, id, buffers, n, extra);
	else
		add_split(ring, id, buffers, n, extra);
}

static bool wants_kick(struct ring *ring)
{
	bool event = has(ring->device, VIRTIO_F_EVENT_IDX);
	uint16_t old = ring->kicked, at;

	ring->kicked = ring->next_avail;
	if (is_packed(ring))
		/* With EVENT_DESC more often than need be, which is allowed. */
		return ring->used[1] != EVENT_NONE;
	if (!event)
		return !(ring->used[0] & 1);
	at = ring->used[2 + 4 * ring->size];
	return (uint16_t)(ring->next_avail - at - 1) <
	       (uint16_t)(ring->next_avail - old);
}

void ring_kick(struct ring *ring)
{
	barrier();
	if (wants_kick(ring))
		write_uint16_t(ring->notify, ring->index);
}

static bool get_split(struct ring *ring, uint16_t *id, uint32_t *written)
{
	volatile uint32_t *entry;

	if (ring->used[1] == ring->next_used)
		return false;
	barrier();
	entry = (volatile uint32_t *)(ring->used + 2 +
				      4 * (ring->next_used % ring->size));
	CHECK(entry[0] < ring->size && entry[0] % ring->chain == 0,
	      "descriptor %u came back", entry[0]);
	*id = (uint16_t)(entry[0] / ring->chain);
	*written = entry[1];
	ring->next_used++;
	if (has(ring->device, VIRTIO_F_EVENT_IDX))
		ring->avail[2 + ring->size] = ring->next_used;
	barrier();
	return true;
}

static bool get_packed(struct ring *ring, uint16_t *id, uint32_t *written)
{
	volatile struct packed_descriptor *d =
		&ring->desc.packed[ring->next_used];
	uint16_t flags = d->flags;
	bool avail = flags & PACKED_AVAIL, used = flags & PACKED_USED;

	if (avail != used || used != ring->used_wrap)
		return false;
	barrier();
	*id = d->id;
	*written = d->length;
	CHECK(*id < ring->size && ring->lengths[*id], "buffer %u came back",
	      *id);
	ring->next_used += ring->lengths[*id];
	ring->lengths[*id] = 0;
	if (ring->next_used >= ring->size) {
		ring->next_used -= ring->size;
		ring->used_wrap = !ring->used_wrap;
	}
	if (has(ring->device, VIRTIO_F_EVENT_IDX)) {
		ring->avail[0] = ring->next_used | ring->used_wrap << 15;
		ring->avail[1] = EVENT_DESC;
		barrier();
	}
	return true;
}

bool ring_get(struct ring *ring, uint16_t *id, uint32_t *written)
{
	return is_packed(ring) ? get_packed(ring, id, written)
			       : get_split(ring, id, written);
}

struct wait {
	struct ring *ring;
	uint16_t *id;
	uint32_t *written;
	uint32_t before;
};

static bool got(void *aux)
{
	struct wait *wait = aux;

	return ring_get(wait->ring, wait->id, wait->written);
}

static bool interrupted(void *aux)
{
	struct wait *wait = aux;

	return interrupts[wait->ring->vector] != wait->before;
}

void ring_wait(struct ring *ring, uint16_t *id, uint32_t *written)
{
	struct wait wait = { ring, id, written, interrupts[ring->vector] };

	if (ring_get(ring, id, written))
		return;
	CHECK(wait_for(got, &wait, WAIT_MS),
	      "queue %u: nothing came back in %u ms (status %02x)", ring->index,
	      WAIT_MS, virtio_status(ring->device));
	/* It may still be on its way. */
	CHECK(!ring->device->pci.msix || wait_for(interrupted, &wait, WAIT_MS),
	      "queue %u: no interrupt", ring->index);
}
