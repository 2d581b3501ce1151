/*
 * What a hostile guest may write into a ring (hostile_rings.h): each function
 * spoils the buffer that was added last, before it is published.
 */
#include "hostile_rings.h"

/* A descriptor of either kind. */
struct any {
	__le64 *addr;
	__le32 *len;
	__le16 *flags;
	__le16 *next; /* split only */
};

static uint16_t last_id(const struct driver_queue *q)
{
	return q->order[(q->order_first + q->order_n - 1) % q->config.size];
}

static struct any any_of(struct driver_queue *q, void *at)
{
	struct vring_packed_desc *p = at;
	struct vring_desc *s = at;

	if (q->packed)
		return (struct any){ &p->addr, &p->len, &p->flags, NULL };
	return (struct any){ &s->addr, &s->len, &s->flags, &s->next };
}

/* Descriptor i of the buffer that was added last. */
static struct any ring_desc(struct driver_queue *q, unsigned i)
{
	uint16_t id = last_id(q), at = id;
	struct any d;

	if (q->packed) {
		at = (q->next_avail + HOSTILE_SIZE - q->buffers[id].n_desc +
		      i) %
		     HOSTILE_SIZE;
		d = any_of(q, &q->ring[at]);
		if (q->held && at == q->held_at)
			d.flags = &q->held_flags;
		return d;
	}
	while (i--)
		at = q->next[at];
	return any_of(q, &q->desc[at]);
}

/* Entry i of the last buffer's indirect table. */
static struct any table_desc(struct driver_queue *q, unsigned i)
{
	uint64_t at = q->tables_at +
		      (uint64_t)last_id(q) * DRIVER_TABLE_MAX * 16 + i * 16;

	return any_of(q, guest_at(q->memory, at));
}

static struct any table_of(struct driver_queue *q)
{
	return ring_desc(q, 0);
}

/* --- what a guest may write ------------------------------------------------
 */

static void address_zero(struct driver_queue *q)
{
	*ring_desc(q, 0).addr = 0;
}

static void address_outside(struct driver_queue *q)
{
	*ring_desc(q, 1).addr = guest_end(q->memory);
}

static void address_wraps(struct driver_queue *q)
{
	*ring_desc(q, 1).addr = UINT64_MAX - 10;
}

static void address_below(struct driver_queue *q)
{
	*ring_desc(q, 1).addr = GUEST_BASE - 1;
}

static void length_huge(struct driver_queue *q)
{
	*ring_desc(q, 1).len = UINT32_MAX;
}

static void crosses_the_end(struct driver_queue *q)
{
	*ring_desc(q, 1).addr = guest_end(q->memory) - 49;
}

static void last_crosses_the_end(struct driver_queue *q)
{
	*ring_desc(q, 2).addr = guest_end(q->memory) - 1;
}

static void empty_but_outside(struct driver_queue *q)
{
	*ring_desc(q, 1).addr = 0;
	*ring_desc(q, 1).len = 0;
}

static void wrong_direction(struct driver_queue *q)
{
	*ring_desc(q, 0).flags ^= VRING_DESC_F_WRITE;
}

static void wrong_direction_later(struct driver_queue *q)
{
	*ring_desc(q, 2).flags ^= VRING_DESC_F_WRITE;
}

static void indirect_not_agreed(struct driver_queue *q)
{
	*ring_desc(q, 2).flags |= VRING_DESC_F_INDIRECT;
	*ring_desc(q, 2).len = 32;
}

static void indirect_with_next(struct driver_queue *q)
{
	*ring_desc(q, 0).flags |= VRING_DESC_F_INDIRECT;
	*ring_desc(q, 0).len = 32;
}

static void table_outside(struct driver_queue *q)
{
	*table_of(q).addr = guest_end(q->memory);
}

static void table_crosses_the_end(struct driver_queue *q)
{
	*table_of(q).addr = guest_end(q->memory) - 16;
	*table_of(q).len = 32;
}

static void table_uneven(struct driver_queue *q)
{
	*table_of(q).len = 17;
}

static void table_empty(struct driver_queue *q)
{
	*table_of(q).len = 0;
}

static void table_huge(struct driver_queue *q)
{
	*table_of(q).len = UINT32_MAX & ~15u;
}

/* More entries than any chain may have; all of them fine by themselves. */
static void table_too_long(struct driver_queue *q)
{
	unsigned n = VIRTQUEUE_CHAIN_MAX + 1;
	uint64_t at = guest_alloc_whole(q->memory, n * 16, 16);
	struct any first = table_desc(q, 0);

	for (unsigned i = 0; i < n; i++) {
		struct any d = any_of(q, guest_at(q->memory, at + i * 16));

		*d.addr = *first.addr;
		*d.len = 1;
		*d.flags = *first.flags & VRING_DESC_F_WRITE;
		if (d.next && i + 1 < n) {
			*d.flags |= VRING_DESC_F_NEXT;
			*d.next = i + 1;
		}
	}
	*table_of(q).addr = at;
	*table_of(q).len = n * 16;
}

static void table_in_table(struct driver_queue *q)
{
	*table_desc(q, 1).flags |= VRING_DESC_F_INDIRECT;
	*table_desc(q, 1).addr = *table_of(q).addr;
	*table_desc(q, 1).len = 32;
}

static void table_entry_outside(struct driver_queue *q)
{
	*table_desc(q, 2).addr = guest_end(q->memory) - 1;
	*table_desc(q, 2).len = 2;
}

static void table_wrong_direction(struct driver_queue *q)
{
	*table_desc(q, 2).flags ^= VRING_DESC_F_WRITE;
}

static void table_loop(struct driver_queue *q)
{
	*table_desc(q, 2).flags |= VRING_DESC_F_NEXT;
	*table_desc(q, 2).next = 0;
}

static void table_next_outside(struct driver_queue *q)
{
	*table_desc(q, 1).next = 9;
}

static void head_outside(struct driver_queue *q)
{
	q->avail->ring[(uint16_t)(q->next_avail - 1) % HOSTILE_SIZE] =
		HOSTILE_SIZE;
}

static void head_far_outside(struct driver_queue *q)
{
	q->avail->ring[(uint16_t)(q->next_avail - 1) % HOSTILE_SIZE] = 65535;
}

static void next_outside(struct driver_queue *q)
{
	*ring_desc(q, 0).next = HOSTILE_SIZE;
}

static void next_far_outside(struct driver_queue *q)
{
	*ring_desc(q, 1).next = 65535;
}

static void next_is_itself(struct driver_queue *q)
{
	*ring_desc(q, 0).next = last_id(q);
}

static void loop(struct driver_queue *q)
{
	*ring_desc(q, 2).flags |= VRING_DESC_F_NEXT;
	*ring_desc(q, 2).next = last_id(q);
}

static void index_too_far(struct driver_queue *q)
{
	q->next_avail = q->next_used + HOSTILE_SIZE + 1;
}

static void index_very_far(struct driver_queue *q)
{
	q->next_avail = q->next_used + 40000;
}

static void index_goes_back(struct driver_queue *q)
{
	q->next_avail = q->next_used - 1;
}

/* Every descriptor of the ring continues in the next, for ever. */
static void endless(struct driver_queue *q)
{
	struct any first = ring_desc(q, 0);
	uint16_t write = *first.flags & VRING_DESC_F_WRITE;

	for (unsigned i = 0; i < HOSTILE_SIZE; i++) {
		q->ring[i].addr = *first.addr;
		q->ring[i].len = 1;
		q->ring[i].flags = write | VRING_DESC_F_NEXT |
				   1 << VRING_PACKED_DESC_F_AVAIL;
	}
	q->held_flags = q->ring[0].flags;
}

#define CASE(f, ...)                                                           \
	{                                                                      \
		.name = #f, .spoil = f, __VA_ARGS__                            \
	}

const struct hostile_case hostile_cases[] = {
	CASE(address_zero),
	CASE(address_outside),
	CASE(address_wraps),
	CASE(address_below),
	CASE(length_huge),
	CASE(crosses_the_end),
	CASE(last_crosses_the_end),
	CASE(empty_but_outside),
	CASE(wrong_direction),
	CASE(wrong_direction_later),
	CASE(indirect_not_agreed),
	CASE(indirect_with_next, .features = INDIRECT, .from_chain = true),
	CASE(table_outside, .features = INDIRECT),
	CASE(table_crosses_the_end, .features = INDIRECT),
	CASE(table_uneven, .features = INDIRECT),
	CASE(table_empty, .features = INDIRECT),
	CASE(table_huge, .features = INDIRECT, .may_work = true),
	CASE(table_too_long, .features = INDIRECT),
	CASE(table_in_table, .features = INDIRECT, .may_work = true),
	CASE(table_entry_outside, .features = INDIRECT),
	CASE(table_wrong_direction, .features = INDIRECT,
	     .may_work_packed_tx = true), /* DPDK's driver does it */
	CASE(table_loop, .features = INDIRECT, .kinds = SPLIT_ONLY),
	CASE(table_next_outside, .features = INDIRECT, .kinds = SPLIT_ONLY),
	CASE(head_outside, .kinds = SPLIT_ONLY),
	CASE(head_far_outside, .kinds = SPLIT_ONLY),
	CASE(next_outside, .kinds = SPLIT_ONLY),
	CASE(next_far_outside, .kinds = SPLIT_ONLY),
	CASE(next_is_itself, .kinds = SPLIT_ONLY),
	CASE(loop, .kinds = SPLIT_ONLY),
	CASE(index_too_far, .kinds = SPLIT_ONLY),
	CASE(index_very_far, .kinds = SPLIT_ONLY),
	CASE(index_goes_back, .kinds = SPLIT_ONLY),
	CASE(endless, .kinds = PACKED_ONLY),
};

const unsigned n_hostile_cases = ARRAY_SIZE(hostile_cases);
_Static_assert(ARRAY_SIZE(hostile_cases) <= HOSTILE_CASES, "room");
