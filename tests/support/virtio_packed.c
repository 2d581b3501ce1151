/* The driver's side of a packed virtqueue (virtio 1.2, 2.8). */
#include "virtio_rings.h"

#define AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1 << VRING_PACKED_DESC_F_USED)

void driver_packed_init(struct driver_queue *q)
{
	uint32_t base = q->config.base;

	q->ring = guest_at(q->memory, q->desc_at);
	q->driver_event = guest_at(q->memory, q->driver_at);
	q->device_event = guest_at(q->memory, q->device_at);
	q->next_avail = base & 0x7fff;
	q->avail_wrap = base >> 15 & 1;
	q->next_used = base >> 16 & 0x7fff;
	q->used_wrap = base >> 31;
	/* What lies before the place was used in this round. */
	for (unsigned i = 0; i < q->config.size; i++) {
		bool wrap = i < q->next_avail ? q->avail_wrap : !q->avail_wrap;

		q->ring[i].flags = wrap ? AVAIL | USED : 0;
	}
	driver_init_free(q);
	driver_calls_always(q);
}

static void write_desc(struct driver_queue *q, const struct driver_part *part,
		       uint16_t id, uint16_t flags, bool head)
{
	struct vring_packed_desc *d = &q->ring[q->next_avail];

	flags |= q->avail_wrap ? AVAIL : USED;
	d->addr = part->guest;
	d->len = part->len;
	d->id = id;
	if (head && !q->held) {
		q->held = true;
		q->held_at = q->next_avail;
		q->held_flags = flags;
	} else {
		__atomic_store_n(&d->flags, flags, __ATOMIC_RELEASE);
	}
	if (++q->next_avail == q->config.size) {
		q->next_avail = 0;
		q->avail_wrap = !q->avail_wrap;
	}
	q->n_kickable++;
}

void driver_packed_add(struct driver_queue *q, const struct driver_part *parts,
		       unsigned n, bool indirect, unsigned token)
{
	uint16_t id = q->free;

	q->free = q->next[id];
	if (indirect) {
		struct driver_part table = {
			q->tables_at + (uint64_t)id * DRIVER_TABLE_MAX * 16,
			n * 16, false
		};

		driver_write_table(q, id, parts, n);
		write_desc(q, &table, id, VRING_DESC_F_INDIRECT, true);
	} else {
		/* Only the last one's id counts. */
		for (unsigned i = 0; i < n; i++)
			write_desc(q, &parts[i], i + 1 == n ? id : 0xbad,
				   (parts[i].write ? VRING_DESC_F_WRITE : 0) |
					   (i + 1 == n ? 0 : VRING_DESC_F_NEXT),
				   i == 0);
	}
	driver_note(q, id, indirect ? 1 : n, parts, n, token);
}

void driver_packed_publish(struct driver_queue *q)
{
	if (q->held)
		__atomic_store_n(&q->ring[q->held_at].flags, q->held_flags,
				 __ATOMIC_RELEASE);
	q->held = false;
}

/* Whether the place `event` lies in the n entries that end before `next`. */
static bool passed(const struct driver_queue *q, uint16_t event, unsigned n)
{
	unsigned size = q->config.size;
	unsigned place = event & 0x7fff;
	bool wrap = event >> 15;
	unsigned back; /* entries from the event to next_avail */

	if (place >= size)
		return true; /* nonsense: rather once too often */
	if (wrap == q->avail_wrap)
		back = q->next_avail - place; /* huge if it is yet to come */
	else
		back = q->next_avail + size - place;
	return back && back <= n;
}

bool driver_packed_kick_wanted(struct driver_queue *q)
{
	uint16_t off =
		__atomic_load_n(&q->device_event->off_wrap, __ATOMIC_ACQUIRE);
	uint16_t flags =
		__atomic_load_n(&q->device_event->flags, __ATOMIC_ACQUIRE);
	unsigned n = q->n_kickable;

	q->n_kickable = 0;
	if (!n)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	return passed(q, off, n);
}

bool driver_packed_peek(const struct driver_queue *q, uint16_t *id,
			uint32_t *len)
{
	const struct vring_packed_desc *d = &q->ring[q->next_used];
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

	if (!q->n_out || !!(flags & AVAIL) != q->used_wrap ||
	    !!(flags & USED) != q->used_wrap)
		return false;
	*id = d->id;
	*len = d->len;
	return true;
}

void driver_packed_advance(struct driver_queue *q, unsigned n_desc)
{
	q->next_used += n_desc;
	if (q->next_used >= q->config.size) {
		q->next_used -= q->config.size;
		q->used_wrap = !q->used_wrap;
	}
}

void driver_packed_free(struct driver_queue *q, uint16_t id)
{
	if (q->in_order)
		return;
	q->next[id] = q->free;
	q->free = id;
}

void driver_packed_calls(struct driver_queue *q, int after)
{
	uint16_t flags = after < 0   ? VRING_PACKED_EVENT_FLAG_DISABLE
			 : after > 0 ? VRING_PACKED_EVENT_FLAG_DESC
				     : VRING_PACKED_EVENT_FLAG_ENABLE;

	if (after > 0) {
		unsigned place = q->next_used + after - 1;
		bool wrap = q->used_wrap;

		if (place >= q->config.size) {
			place -= q->config.size;
			wrap = !wrap;
		}
		__atomic_store_n(&q->driver_event->off_wrap, place | wrap << 15,
				 __ATOMIC_RELAXED);
	}
	__atomic_store_n(&q->driver_event->flags, flags, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
