/*
 * Cells in an array that is set aside at once and touched as it is used. Free
 * ones are kept in a list, and a few by each thread, so that the list's lock
 * is taken once in NAT_CACHE cells.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "nat/table.h"

/* A table that is read all over gains by large pages; a small one would only
 * become larger. */
#define HUGE_FROM (8u << 20)

void *nat_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (bytes >= HUGE_FROM)
		madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

void nat_unmap(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

void nat_lock_wait(_Atomic(uint8_t) *lock)
{
	while (!nat_lock(lock))
		sched_yield();
}

int nat_pool_init(struct nat_pool *pool, uint32_t max, unsigned n_threads,
		  size_t cell_size, unsigned link)
{
	memset(pool, 0, sizeof(*pool));
	pool->max = max;
	/* one cache more: the control thread's */
	pool->capacity = max + (n_threads + 1) * NAT_CACHE;
	pool->cell_size = cell_size;
	pool->link = link;
	pool->free = pool->limbo = pool->waiting = NAT_NONE;
	pool->bytes = pool->capacity * cell_size;
	pool->cells = nat_map(pool->bytes);
	return pool->cells ? 0 : -ENOMEM;
}

void nat_pool_fini(struct nat_pool *pool)
{
	nat_unmap(pool->cells, pool->bytes);
	pool->cells = NULL;
}

static uint32_t *link_of(const struct nat_pool *pool, uint32_t id)
{
	return (uint32_t *)(void *)(pool->cells + id * pool->cell_size +
				    pool->link);
}

static uint32_t refill(struct nat_pool *pool, struct nat_cache *cache)
{
	uint32_t high;

	if (!nat_lock(&pool->lock))
		return NAT_NONE;
	while (cache->n < NAT_CACHE && pool->free != NAT_NONE) {
		cache->ids[cache->n++] = pool->free;
		pool->free = *link_of(pool, pool->free);
	}
	high = atomic_load_explicit(&pool->high, memory_order_relaxed);
	while (cache->n < NAT_CACHE && high < pool->capacity)
		cache->ids[cache->n++] = high++;
	atomic_store_explicit(&pool->high, high, memory_order_release);
	nat_unlock(&pool->lock);
	return cache->n ? cache->ids[--cache->n] : NAT_NONE;
}

uint32_t nat_pool_take(struct nat_pool *pool, struct nat_cache *cache)
{
	uint32_t id;

	if (atomic_fetch_add_explicit(&pool->used, 1, memory_order_relaxed) >=
	    pool->max)
		goto full;
	if (cache->n)
		return cache->ids[--cache->n];
	id = refill(pool, cache);
	if (id != NAT_NONE)
		return id;
full:
	atomic_fetch_sub_explicit(&pool->used, 1, memory_order_relaxed);
	return NAT_NONE;
}

void nat_pool_give(struct nat_pool *pool, struct nat_cache *cache, uint32_t id)
{
	atomic_fetch_sub_explicit(&pool->used, 1, memory_order_relaxed);
	if (cache->n < NAT_CACHE) {
		cache->ids[cache->n++] = id;
		return;
	}
	nat_lock_wait(&pool->lock);
	*link_of(pool, id) = pool->free;
	pool->free = id;
	nat_unlock(&pool->lock);
}

void nat_pool_end(struct nat_pool *pool, uint32_t id)
{
	*link_of(pool, id) = pool->limbo;
	pool->limbo = id;
}

void nat_pool_turn(struct nat_pool *pool)
{
	uint32_t id = pool->waiting, next;

	pool->waiting = pool->limbo;
	pool->limbo = NAT_NONE;
	if (id == NAT_NONE)
		return;
	nat_lock_wait(&pool->lock);
	for (; id != NAT_NONE; id = next) {
		next = *link_of(pool, id);
		*link_of(pool, id) = pool->free;
		pool->free = id;
		atomic_fetch_sub_explicit(&pool->used, 1, memory_order_relaxed);
	}
	nat_unlock(&pool->lock);
}
