/*
 * Bits and a heap. A bit says that something was put into the shaper of that
 * place; one of 64 words that have bits, in `news`, is a bit in `summary`.
 * A bit that was left for a shaper that has gone meanwhile does no harm.
 *
 * Putting and sleeping: who has put a packet sets the bits and then looks
 * whether the home sleeps; the home says that it sleeps and then looks at the
 * bits. One of the two sees the other, as both orders are kept (seq_cst).
 */
#include "shape/shaper_home.h"

#include <stdlib.h>
#include <unistd.h>

#include "shape/shaper_internal.h"

struct place {
	struct shaper *shaper; /* NULL: none */
	const void *out;
	bool seen;
	uint64_t due_ns;
	uint32_t heap_at; /* in the heap, or PLACE_NONE */
};

#define PLACE_NONE UINT32_MAX

struct shaper_home {
	_Atomic uint64_t summary CACHE_ALIGNED;
	_Atomic bool asleep;
	int wake_fd;
	_Atomic uint64_t news[SHAPERS_MAX / 64];
	/* The control thread's. */
	struct shaper *adopted[SHAPERS_MAX];
	unsigned n_adopted;
	/* The worker's. */
	struct place places[SHAPERS_MAX] CACHE_ALIGNED;
	unsigned n_places; /* used ones lie below */
	unsigned n_served;
	uint32_t heap[SHAPERS_MAX];
	unsigned n_heap;
	struct shaper_batch batch;
};

struct shaper_home *shaper_home_create(int wake_fd)
{
	struct shaper_home *h = xcalloc_aligned(1, sizeof(*h));

	h->wake_fd = wake_fd;
	for (unsigned i = 0; i < SHAPERS_MAX; i++)
		h->places[i].heap_at = PLACE_NONE;
	return h;
}

void shaper_home_destroy(struct shaper_home *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < SHAPERS_MAX; i++)
		if (h->adopted[i])
			h->adopted[i]->home = NULL;
	free(h);
}

bool shaper_home_adopt(struct shaper_home *h, struct shaper *s)
{
	for (unsigned i = 0; i < SHAPERS_MAX; i++) {
		if (h->adopted[i])
			continue;
		h->adopted[i] = s;
		h->n_adopted++;
		s->home = h;
		s->slot = i;
		return true;
	}
	return false;
}

void shaper_home_release(struct shaper_home *h, struct shaper *s)
{
	h->adopted[s->slot] = NULL;
	h->n_adopted--;
	s->home = NULL;
}

bool shaper_has_home(const struct shaper *s)
{
	return s->home != NULL;
}

bool shaper_is_at(const struct shaper *s, const struct shaper_home *h)
{
	return s->home == h;
}

unsigned shaper_home_count(const struct shaper_home *h)
{
	return h->n_adopted;
}

/* --- other threads ---------------------------------------------------------
 */

static void wake(struct shaper_home *h)
{
	uint64_t one = 1;

	if (!atomic_load(&h->asleep) || !atomic_exchange(&h->asleep, false))
		return;
	/* EAGAIN: it has been woken and did not run yet. */
	if (write(h->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void shaper_wake(struct shaper *s)
{
	struct shaper_home *h = s->home;
	uint64_t bit;

	if (unlikely(!h))
		return;
	bit = 1ull << (s->slot % 64);
	/* What was put comes before the look at the bit. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&h->news[s->slot / 64]) & bit)
		return; /* who set it also wakes */
	atomic_fetch_or(&h->news[s->slot / 64], bit);
	atomic_fetch_or(&h->summary, 1ull << (s->slot / 64));
	wake(h);
}

/* --- the heap --------------------------------------------------------------
 */

static uint64_t due_at(const struct shaper_home *h, unsigned i)
{
	return h->places[h->heap[i]].due_ns;
}

static void heap_set(struct shaper_home *h, unsigned i, uint32_t place)
{
	h->heap[i] = place;
	h->places[place].heap_at = i;
}

static void sift_up(struct shaper_home *h, unsigned i)
{
	uint32_t place = h->heap[i];

	while (i) {
		unsigned parent = (i - 1) / 2;

		if (h->places[place].due_ns >= due_at(h, parent))
			break;
		heap_set(h, i, h->heap[parent]);
		i = parent;
	}
	heap_set(h, i, place);
}

static void sift_down(struct shaper_home *h, unsigned i)
{
	uint32_t place = h->heap[i];

	for (;;) {
		unsigned child = 2 * i + 1;

		if (child >= h->n_heap)
			break;
		if (child + 1 < h->n_heap &&
		    due_at(h, child + 1) < due_at(h, child))
			child++;
		if (h->places[place].due_ns <= due_at(h, child))
			break;
		heap_set(h, i, h->heap[child]);
		i = child;
	}
	heap_set(h, i, place);
}

static void heap_remove(struct shaper_home *h, uint32_t place)
{
	unsigned i = h->places[place].heap_at;
	uint32_t last;

	if (i == PLACE_NONE)
		return;
	h->places[place].heap_at = PLACE_NONE;
	last = h->heap[--h->n_heap];
	if (last == place)
		return;
	heap_set(h, i, last);
	sift_up(h, i);
	sift_down(h, h->places[last].heap_at);
}

static void set_due(struct shaper_home *h, uint32_t place, uint64_t due_ns)
{
	struct place *p = &h->places[place];

	if (due_ns == UINT64_MAX) {
		heap_remove(h, place);
		return;
	}
	p->due_ns = due_ns;
	if (p->heap_at == PLACE_NONE)
		heap_set(h, h->n_heap++, place);
	sift_up(h, p->heap_at);
	sift_down(h, p->heap_at);
}

/* --- another snapshot ------------------------------------------------------
 */

void shaper_home_begin(struct shaper_home *h)
{
	for (unsigned i = 0; i < h->n_places; i++)
		h->places[i].seen = false;
}

void shaper_home_serve(struct shaper_home *h, struct shaper *s, const void *out)
{
	struct place *p = &h->places[s->slot];

	shaper_renew(s);
	p->seen = true;
	p->out = out;
	h->n_places = MAX(h->n_places, s->slot + 1);
	if (p->shaper == s) {
		/* The new rates may let go what waits by the old ones. */
		if (p->heap_at != PLACE_NONE)
			set_due(h, s->slot, 0);
		return;
	}
	h->n_served++;
	p->shaper = s;
	/* What was put while nobody served it. */
	set_due(h, s->slot, 0);
}

static void let_go(struct shaper_home *h, uint32_t place, shaper_send_cb *send,
		   void *arg)
{
	struct place *p = &h->places[place];
	bool more;

	heap_remove(h, place);
	do {
		more = shaper_empty(p->shaper, &h->batch);
		if (h->batch.n)
			send(arg, p->out, &h->batch);
		shaper_batch_free(p->shaper, &h->batch);
	} while (more);
	p->shaper = NULL;
	p->out = NULL;
	h->n_served--;
}

void shaper_home_end(struct shaper_home *h, shaper_send_cb *send, void *arg)
{
	for (unsigned i = 0; i < h->n_places; i++)
		if (h->places[i].shaper && !h->places[i].seen)
			let_go(h, i, send, arg);
}

/* --- the worker's rounds ---------------------------------------------------
 */

bool shaper_home_serves(const struct shaper_home *h)
{
	return h->n_served;
}

bool shaper_home_is_due(const struct shaper_home *h, uint64_t now_ns)
{
	return atomic_load_explicit(&h->summary, memory_order_relaxed) ||
	       (h->n_heap && due_at(h, 0) <= now_ns);
}

/* A shaper whose bit is set, or whose time has come. */
static unsigned run(struct shaper_home *h, uint32_t place, uint64_t now_ns,
		    shaper_send_cb *send, void *arg)
{
	struct place *p = &h->places[place];
	unsigned n;
	uint64_t due_ns;

	h->batch.n_full = shaper_arrive(p->shaper);
	due_ns = shaper_leave(p->shaper, &h->batch, now_ns);
	n = h->batch.n;
	if (n || h->batch.n_full)
		send(arg, p->out, &h->batch);
	shaper_batch_free(p->shaper, &h->batch);
	/* The others come first. */
	set_due(h, place, MAX(due_ns, now_ns + 1));
	return n;
}

static void read_news(struct shaper_home *h)
{
	uint64_t words = atomic_exchange(&h->summary, 0);

	for (; words; words &= words - 1) {
		unsigned word = __builtin_ctzll(words);
		uint64_t bits = atomic_exchange(&h->news[word], 0);

		for (; bits; bits &= bits - 1) {
			uint32_t place = word * 64 + __builtin_ctzll(bits);

			if (h->places[place].shaper)
				set_due(h, place, 0);
		}
	}
}

unsigned shaper_home_run(struct shaper_home *h, uint64_t now_ns,
			 shaper_send_cb *send, void *arg)
{
	unsigned n = 0;

	if (atomic_load_explicit(&h->summary, memory_order_relaxed))
		read_news(h);
	while (h->n_heap && due_at(h, 0) <= now_ns)
		n += run(h, h->heap[0], now_ns, send, arg);
	return n;
}

uint64_t shaper_home_sleep(struct shaper_home *h, uint64_t now_ns)
{
	atomic_store(&h->asleep, true);
	if (atomic_load(&h->summary)) {
		atomic_store(&h->asleep, false);
		return 0;
	}
	if (!h->n_heap)
		return UINT64_MAX;
	return due_at(h, 0) > now_ns ? due_at(h, 0) - now_ns : 0;
}

void shaper_home_awake(struct shaper_home *h)
{
	atomic_store_explicit(&h->asleep, false, memory_order_relaxed);
}
