/*
 * Frames in the driver's buffers: laid out in descriptors as a test wants, and
 * read back with a check that nothing was written that should not be. Each
 * buffer is filled with a pattern of its own when it is given to the device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio_rings.h"

#define PARTS_MAX DRIVER_TABLE_MAX

struct driver_slot {
	uint64_t guest;
	uint32_t space; /* bytes from the first part to the last, gaps too */
	unsigned n_parts;
	struct driver_part parts[PARTS_MAX];
};

/* Room for gaps, and bytes behind the end that are checked, too. */
static uint32_t stride(const struct driver_queue *q)
{
	return q->config.buffer_size * 2 + 64;
}

void driver_slots_init(struct driver_queue *q)
{
	unsigned n = q->config.size;

	q->slots = xcalloc(n, sizeof(*q->slots));
	q->free_slots = xcalloc(n, sizeof(*q->free_slots));
	q->buffers_at = guest_alloc(q->memory, (uint64_t)n * stride(q), 64);
	for (unsigned i = 0; i < n; i++) {
		q->slots[i].guest = q->buffers_at + (uint64_t)i * stride(q);
		q->free_slots[i] = n - 1 - i;
	}
	q->n_free_slots = n;
}

static uint8_t pattern(unsigned slot, uint32_t i)
{
	return 0xa5 ^ slot * 29 ^ i * 7 ^ i >> 8;
}

static bool add_part(struct driver_slot *s, uint64_t guest, uint32_t len)
{
	if (s->n_parts == PARTS_MAX)
		return false;
	s->parts[s->n_parts++] =
		(struct driver_part){ .guest = guest, .len = len };
	return true;
}

/* Lays `len` bytes out in parts. */
static bool lay_out(struct driver_queue *q, struct driver_slot *s,
		    const struct driver_layout *l, uint32_t len)
{
	uint32_t at = 0, done = 0;

	s->n_parts = 0;
	while (done < len) {
		uint32_t n = len - done;

		if (l->own_header && done < q->hdr_len)
			n = MIN(n, q->hdr_len - done);
		if (done < l->first)
			n = MIN(n, l->first - done);
		if (l->piece)
			n = MIN(n, l->piece);
		if ((l->zeroes && !add_part(s, s->guest + at, 0)) ||
		    !add_part(s, s->guest + at, n))
			return false;
		done += n;
		at += n;
		if (done < len)
			at += l->gap;
	}
	if (l->zeroes && !add_part(s, s->guest, 0))
		return false;
	s->space = at;
	return at + 64 <= stride(q);
}

/* A free slot laid out, not given yet. */
static struct driver_slot *new_slot(struct driver_queue *q,
				    const struct driver_layout *l, uint32_t len)
{
	static const struct driver_layout plain;
	struct driver_slot *s;

	if (!q->n_free_slots)
		return NULL;
	s = &q->slots[q->free_slots[q->n_free_slots - 1]];
	return lay_out(q, s, l ? l : &plain, len) ? s : NULL;
}

static int give(struct driver_queue *q, struct driver_slot *s,
		const struct driver_layout *l)
{
	int error = driver_add(q, s->parts, s->n_parts, l && l->indirect,
			       s - q->slots);

	if (!error)
		q->n_free_slots--;
	return error;
}

/* The buffer's bytes, through its parts; returns how many there were. */
static uint32_t gather(const struct driver_queue *q,
		       const struct driver_slot *s, uint8_t *to, uint32_t len)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < s->n_parts && done < len; i++) {
		uint32_t n = MIN(s->parts[i].len, len - done);

		memcpy(to + done, guest_at(q->memory, s->parts[i].guest), n);
		done += n;
	}
	return done;
}

static void scatter(const struct driver_queue *q, const struct driver_slot *s,
		    uint32_t from, const uint8_t *data, uint32_t len)
{
	uint32_t done = 0, end = 0;

	for (unsigned i = 0; i < s->n_parts && done < len; i++) {
		uint32_t at = from + done - end, n;

		if (from + done < end + s->parts[i].len) {
			n = MIN(s->parts[i].len - at, len - done);
			memcpy((uint8_t *)guest_at(q->memory,
						   s->parts[i].guest) +
				       at,
			       data + done, n);
			done += n;
		}
		end += s->parts[i].len;
	}
}

int driver_put_frame(struct driver_queue *q, const struct driver_layout *layout,
		     const void *header, const void *frame, uint32_t len)
{
	static const uint8_t zeros[DRIVER_HEADER_MAX];
	struct driver_slot *s = new_slot(q, layout, q->hdr_len + len);

	if (!s)
		return -ENOSPC;
	scatter(q, s, 0, header ? header : zeros, q->hdr_len);
	scatter(q, s, q->hdr_len, frame, len);
	return give(q, s, layout);
}

int driver_put_buffer(struct driver_queue *q,
		      const struct driver_layout *layout, uint32_t capacity)
{
	struct driver_slot *s = new_slot(q, layout, capacity);

	if (!s)
		return -ENOSPC;
	for (unsigned i = 0; i < s->n_parts; i++)
		s->parts[i].write = true;
	if (!q->plain_buffers) {
		uint8_t *at = guest_at(q->memory, s->guest);

		for (uint32_t i = 0; i < s->space + 64; i++)
			at[i] = pattern(s - q->slots, i);
	}
	return give(q, s, layout);
}

void driver_put_buffers(struct driver_queue *q,
			const struct driver_layout *layout, uint32_t capacity)
{
	while (!driver_put_buffer(q, layout, capacity))
		;
}

unsigned driver_reclaim(struct driver_queue *q)
{
	struct driver_used used;
	unsigned n = 0;

	for (; driver_get(q, &used); n++)
		q->free_slots[q->n_free_slots++] = used.token;
	return n;
}

/* Whether anything but the first len bytes of the parts has been changed. */
static bool is_spilt(const struct driver_queue *q, const struct driver_slot *s,
		     uint32_t len)
{
	const uint8_t *at = guest_at(q->memory, s->guest);
	unsigned slot = s - q->slots;
	uint32_t checked = 0;

	for (unsigned i = 0; i < s->n_parts; i++) {
		uint32_t begin = s->parts[i].guest - s->guest;
		uint32_t n = MIN(s->parts[i].len, len);

		if (!s->parts[i].len)
			continue;
		for (; checked < begin; checked++)
			if (at[checked] != pattern(slot, checked))
				return true;
		checked += n;
		len -= n;
	}
	for (; checked < s->space + 64; checked++)
		if (at[checked] != pattern(slot, checked))
			return true;
	return false;
}

/* One buffer of a frame, its bytes to `to`; returns how many, -1: none. */
static int64_t take_buffer(struct driver_queue *q, struct driver_frame *frame,
			   uint8_t *to, uint32_t max)
{
	struct driver_used used;
	const struct driver_slot *s;

	if (!driver_get(q, &used))
		return -1;
	s = &q->slots[used.token];
	if (used.len > max || gather(q, s, to, used.len) != used.len) {
		q->error = "a frame longer than any can be";
		return -1;
	}
	if (!q->plain_buffers && is_spilt(q, s, used.len))
		frame->spilt = true;
	q->free_slots[q->n_free_slots++] = used.token;
	frame->n_buffers++;
	return used.len;
}

bool driver_take_frame(struct driver_queue *q, struct driver_frame *frame)
{
	static _Thread_local uint8_t
		bytes[DRIVER_HEADER_MAX + DRIVER_FRAME_MAX];
	int64_t len;
	unsigned n = 1;

	frame->n_buffers = 0;
	frame->spilt = false;
	len = take_buffer(q, frame, bytes, sizeof(bytes));
	if (len < 0)
		return false;
	if (len < q->hdr_len) {
		q->error = "a buffer shorter than its header was used";
		return false;
	}
	if (q->hdr_len == 12)
		n = bytes[10] | bytes[11] << 8;
	if (q->hdr_len == 12 && n != 1 &&
	    !(q->config.features & FEATURE(VIRTIO_NET_F_MRG_RXBUF)))
		q->error = "num_buffers is not 1, without mergeable buffers";
	for (unsigned i = 1; i < n; i++) {
		int64_t more =
			take_buffer(q, frame, bytes + len, sizeof(bytes) - len);

		if (more < 0) {
			q->error = q->error ? q->error
					    : "not all of a frame's buffers";
			return false;
		}
		len += more;
	}
	frame->len = len - q->hdr_len;
	memcpy(frame->header, bytes, q->hdr_len);
	memcpy(frame->data, bytes + q->hdr_len, frame->len);
	return !q->error;
}
