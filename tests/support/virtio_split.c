/* The driver's side of a split virtqueue (virtio 1.2, 2.7). */
#include "virtio_rings.h"

/* The two words behind the rings: where each side wants to hear. */
static uint16_t *used_event(struct driver_queue *q)
{
	return &q->avail->ring[q->config.size];
}

static const uint16_t *avail_event(struct driver_queue *q)
{
	return (const uint16_t *)&q->used->ring[q->config.size];
}

void driver_split_init(struct driver_queue *q)
{
	q->desc = guest_at(q->memory, q->desc_at);
	q->avail = guest_at(q->memory, q->driver_at);
	q->used = guest_at(q->memory, q->device_at);
	q->next_avail = q->next_used = q->published = q->kicked =
		q->config.base;
	q->avail->idx = q->next_avail;
	q->used->idx = q->next_avail;
	driver_init_free(q);
	driver_calls_always(q);
}

void driver_split_add(struct driver_queue *q, const struct driver_part *parts,
		      unsigned n, bool indirect, unsigned token)
{
	uint16_t head = q->free, at = head;

	if (indirect) {
		driver_write_table(q, head, parts, n);
		q->desc[head] = (struct vring_desc){
			q->tables_at + (uint64_t)head * DRIVER_TABLE_MAX * 16,
			n * 16, VRING_DESC_F_INDIRECT, 0xbad
		};
		at = q->next[head];
	}
	for (unsigned i = 0; !indirect && i < n; i++) {
		bool last = i + 1 == n;

		q->desc[at] = (struct vring_desc){
			parts[i].guest, parts[i].len,
			(parts[i].write ? VRING_DESC_F_WRITE : 0) |
				(last ? 0 : VRING_DESC_F_NEXT),
			last ? 0xbad : q->next[at]
		};
		at = q->next[at];
	}
	q->free = at;
	q->avail->ring[q->next_avail++ % q->config.size] = head;
	driver_note(q, head, indirect ? 1 : n, parts, n, token);
}

void driver_split_publish(struct driver_queue *q)
{
	__atomic_store_n(&q->avail->idx, q->next_avail, __ATOMIC_RELEASE);
	q->published = q->next_avail;
}

bool driver_split_kick_wanted(struct driver_queue *q)
{
	uint16_t new = q->published, old = q->kicked;

	q->kicked = new;
	if (new == old)
		return false;
	if (!q->event_idx)
		return !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	return vring_need_event(
		__atomic_load_n(avail_event(q), __ATOMIC_RELAXED), new, old);
}

bool driver_split_peek(const struct driver_queue *q, uint16_t *id,
		       uint32_t *len)
{
	const struct vring_used_elem *e;

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->next_used)
		return false;
	e = &q->used->ring[q->next_used % q->config.size];
	/* An id beyond 16 bits is nobody's. */
	*id = e->id > UINT16_MAX ? UINT16_MAX : e->id;
	*len = e->len;
	return true;
}

void driver_split_advance(struct driver_queue *q)
{
	q->next_used++;
	if (q->always && q->event_idx)
		driver_split_calls(q, 0);
}

/* To the end of the free chain when in order, else to its front. */
void driver_split_free(struct driver_queue *q, uint16_t id)
{
	uint16_t last = id;

	if (q->in_order)
		return;
	for (unsigned i = 1; i < q->buffers[id].n_desc; i++)
		last = q->next[last];
	q->next[last] = q->free;
	q->free = id;
}

void driver_split_calls(struct driver_queue *q, int after)
{
	uint16_t event = q->next_used + (after > 0 ? after - 1 : 0);

	q->avail->flags = after < 0 ? VRING_AVAIL_F_NO_INTERRUPT : 0;
	if (after < 0) /* as far away as can be */
		event = q->next_used - 1;
	if (q->event_idx)
		__atomic_store_n(used_event(q), event, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
