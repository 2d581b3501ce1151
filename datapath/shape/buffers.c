/*
 * A stack of free buffers. Its head has the topmost one's index and a count of
 * all changes, so that a compare-and-swap does not take a stack that has
 * changed meanwhile for the one it knew. Buffers that were never used are not
 * in it, but counted.
 */
#include "shape/buffers.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "packet/cursor.h"

struct buffers {
	uint8_t *memory;
	uint32_t n;
	_Atomic uint32_t *next; /* of a free buffer, or of a packet's */
	CACHE_ALIGNED _Atomic uint64_t head; /* change count, index */
	_Atomic uint32_t fresh;		     /* used since the beginning */
	_Atomic uint32_t free;		     /* in the stack */
};

struct buffers *buffers_create(uint32_t n)
{
	struct buffers *b = xcalloc_aligned(1, sizeof(*b));

	b->n = n;
	b->next = xmalloc(n * sizeof(*b->next));
	b->head = BUFFER_NONE;
	b->memory = mmap(NULL, (size_t)n * BUFFER_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* xmalloc() then says what there is to say. */
	if (b->memory == MAP_FAILED)
		b->memory = xmalloc(SIZE_MAX);
	return b;
}

void buffers_destroy(struct buffers *b)
{
	if (!b)
		return;
	munmap(b->memory, (size_t)b->n * BUFFER_SIZE);
	free(b->next);
	free(b);
}

static uint8_t *at(const struct buffers *b, uint32_t i)
{
	return b->memory + (size_t)i * BUFFER_SIZE;
}

struct waiting *buffers_waiting(const struct buffers *b, uint32_t first)
{
	return (struct waiting *)(void *)at(b, first);
}

static uint32_t get_next(const struct buffers *b, uint32_t i)
{
	return atomic_load_explicit(&b->next[i], memory_order_relaxed);
}

static void set_next(struct buffers *b, uint32_t i, uint32_t next)
{
	atomic_store_explicit(&b->next[i], next, memory_order_relaxed);
}

static uint64_t changed(uint64_t head, uint32_t index)
{
	return ((head >> 32) + 1) << 32 | index;
}

static uint32_t take_fresh(struct buffers *b)
{
	uint32_t i = atomic_load_explicit(&b->fresh, memory_order_relaxed);

	while (i < b->n)
		if (atomic_compare_exchange_weak(&b->fresh, &i, i + 1))
			return i;
	return BUFFER_NONE;
}

static uint32_t take(struct buffers *b)
{
	uint64_t head = atomic_load_explicit(&b->head, memory_order_acquire);

	while ((uint32_t)head != BUFFER_NONE) {
		uint32_t i = head;

		if (!atomic_compare_exchange_weak_explicit(
			    &b->head, &head, changed(head, get_next(b, i)),
			    memory_order_acquire, memory_order_acquire))
			continue;
		atomic_fetch_sub_explicit(&b->free, 1, memory_order_relaxed);
		return i;
	}
	return take_fresh(b);
}

/* A chain from first to last, of n buffers. */
static void give(struct buffers *b, uint32_t first, uint32_t last, uint32_t n)
{
	uint64_t head = atomic_load_explicit(&b->head, memory_order_relaxed);

	atomic_fetch_add_explicit(&b->free, n, memory_order_relaxed);
	do
		set_next(b, last, head);
	while (!atomic_compare_exchange_weak_explicit(
		&b->head, &head, changed(head, first), memory_order_release,
		memory_order_relaxed));
}

void buffers_free(struct buffers *b, uint32_t first)
{
	uint32_t last = first, n = buffers_waiting(b, first)->n_buffers;

	for (uint32_t i = 1; i < n; i++)
		last = get_next(b, last);
	give(b, first, last, n);
}

uint32_t buffers_used(const struct buffers *b)
{
	return atomic_load_explicit(&b->fresh, memory_order_relaxed) -
	       atomic_load_explicit(&b->free, memory_order_relaxed);
}

/* Up to n bytes to `to`; returns how many there were. */
static uint32_t copy(struct cursor *c, uint8_t *to, uint32_t n)
{
	const uint8_t *data;
	uint32_t done = 0, got;

	while (done < n && (got = cursor_take(c, n - done, &data))) {
		memcpy(to + done, data, got);
		done += got;
	}
	return done;
}

uint32_t buffers_put(struct buffers *b, const struct packet *p)
{
	uint32_t first = take(b), last = first, left = p->len, n;
	struct waiting *w;
	struct cursor c;

	if (first == BUFFER_NONE)
		return BUFFER_NONE;
	w = buffers_waiting(b, first);
	w->len = p->len;
	w->header_len = MIN(p->header_len, PACKET_PULL_MAX);
	w->n_buffers = 1;
	w->offload = p->offload;
	cursor_init(&c, p);
	n = MIN(left, (uint32_t)BUFFER_FIRST);
	if (copy(&c, at(b, first) + BUFFER_SIZE - BUFFER_FIRST, n) != n)
		goto fail;
	for (left -= n; left; left -= n) {
		uint32_t i = take(b);

		if (i == BUFFER_NONE)
			goto fail;
		set_next(b, last, i);
		last = i;
		w->n_buffers++;
		n = MIN(left, (uint32_t)BUFFER_SIZE);
		if (copy(&c, at(b, i), n) != n)
			goto fail;
	}
	return first;
fail:
	buffers_free(b, first);
	return BUFFER_NONE;
}

void buffers_view(const struct buffers *b, uint32_t first, struct packet *p,
		  struct packet_segment *segments)
{
	const struct waiting *w = buffers_waiting(b, first);
	uint32_t i = first, left = w->len;

	packet_init(p, at(b, first) + BUFFER_SIZE - BUFFER_FIRST,
		    MIN(left, (uint32_t)BUFFER_FIRST));
	left -= p->len;
	if (left) {
		segments[0] = p->segment;
		for (unsigned k = 1; k < w->n_buffers; k++) {
			i = get_next(b, i);
			segments[k].data = at(b, i);
			segments[k].len = MIN(left, (uint32_t)BUFFER_SIZE);
			left -= segments[k].len;
		}
		p->segments = segments;
		p->n_segments = w->n_buffers;
	}
	p->len = w->len;
	p->offload = w->offload;
	packet_pull(p, MAX(w->header_len, PACKET_PULL));
}
