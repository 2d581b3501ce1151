/*
 * The FDB as a whole: making, resizing, settings, listing, figures. Readers'
 * theory is in fdb_inline.h, writers' in fdb_table.c and fdb_learn.c.
 */
#include "forward/fdb_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "fastpath/fastpath.h"

#define HUGE_PAGE   (2ul << 20)
#define MIN_BUCKETS 256u

/*
 * At least 5 slots for 3 learned or controlled entries, so load is at most 60 %
 * by them, and 4 for a static one, of which there may be so many
 * (fdb_static.c).
 */
static uint32_t buckets_for(uint32_t max_entries, uint32_t n_static)
{
	uint64_t slots = DIV_ROUND_UP((uint64_t)max_entries * 5, 3);
	uint64_t buckets = DIV_ROUND_UP(slots, FDB_BUCKET_SLOTS);

	buckets = MAX(buckets, MIN_BUCKETS);
	return round_up_pow2(MAX(buckets, n_static));
}

/* Zeroed memory; a big table in huge pages, where the system has them. */
static void *map_table(size_t bytes)
{
	size_t extra = bytes >= HUGE_PAGE ? HUGE_PAGE : 0, before;
	char *p;

	p = mmap(NULL, bytes + extra, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		fprintf(stderr, "out of memory: FDB of %zu bytes\n", bytes);
		abort();
	}
	if (!extra)
		return p;
	before = -(uintptr_t)p & (HUGE_PAGE - 1);
	if (before)
		munmap(p, before);
	if (before < extra)
		munmap(p + before + bytes, extra - before);
	p += before;
	madvise(p, bytes, MADV_HUGEPAGE);
#ifdef MADV_POPULATE_WRITE
	/* Now, rather than with the first frames; a kernel may know it not. */
	madvise(p, bytes, MADV_POPULATE_WRITE);
#endif
	return p;
}

/* splitmix64: a test's seed to as many words as are needed. */
static uint64_t next_word(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void seed_table(struct fdb_table *t, uint64_t seed)
{
	if (seed) {
		t->seed[0] = next_word(&seed);
		t->seed[1] = next_word(&seed);
		t->seed[2] = next_word(&seed);
	} else if (getrandom(t->seed, sizeof(t->seed), 0) != sizeof(t->seed)) {
		/* A known seed would let a stranger fill one bucket. */
		fprintf(stderr, "no random numbers for the FDB: %s\n",
			strerror(errno));
		abort();
	}
	t->seed[1] |= 1;
	t->seed[2] |= 1;
}

_Static_assert(sizeof(struct fp_bucket) == sizeof(struct fdb_bucket) &&
		       offsetof(struct fp_bucket, value) ==
			       offsetof(struct fdb_bucket, value) &&
		       FP_BUCKET_SLOTS == FDB_BUCKET_SLOTS,
	       "the kernel's programs read what is written here");
enum kernels_values {
	KERNELS_LIVE = FP_VALUE_LIVE,
	KERNELS_STATIC = FP_VALUE_STATIC,
	KERNELS_CONTROLLED = FP_VALUE_CONTROLLED,
	KERNELS_PASSED = FP_VALUE_PASSED,
};
_Static_assert(FP_VALUE_PORT == FDB_VALUE_PORT &&
		       FP_TICK_SHIFT == FDB_TICK_SHIFT &&
		       KERNELS_LIVE == FDB_VALUE_LIVE &&
		       KERNELS_STATIC == FDB_VALUE_STATIC &&
		       KERNELS_CONTROLLED == FDB_VALUE_CONTROLLED &&
		       KERNELS_PASSED == FDB_VALUE_PASSED,
	       "likewise");

void fdb_set_fresh(struct fdb *fdb, uint64_t fresh)
{
	atomic_store_explicit(&fdb->table.fresh, fresh, memory_order_relaxed);
	if (fdb->in_kernel)
		__atomic_store_n(&fastpath_table_header(fdb->in_kernel)->fresh,
				 fresh, __ATOMIC_RELAXED);
}

/* In the kernel's memory, if there is room; else in our own. */
static void make_table(struct fdb *fdb, uint32_t n_buckets)
{
	fdb->table_bytes = n_buckets * sizeof(struct fdb_bucket);
	fdb->table.offset_mask = fdb->table_bytes - sizeof(struct fdb_bucket);
	seed_table(&fdb->table, fdb->configured_seed);
	if (fdb->fastpath)
		fdb->in_kernel =
			fastpath_table_create(fdb->fastpath, n_buckets);
	if (fdb->in_kernel) {
		fdb->table.buckets = fastpath_table_buckets(fdb->in_kernel);
		memcpy(fastpath_table_header(fdb->in_kernel)->seed,
		       fdb->table.seed, sizeof(fdb->table.seed));
	} else {
		fdb->table.buckets = map_table(fdb->table_bytes);
	}
	fdb_set_fresh(fdb, FDB_VALUE_LIVE);
}

/* max_controlled comes first: so many may be there already. */
static struct fdb *create(const struct fdb_config *config, uint32_t n_static)
{
	struct fdb *fdb = xcalloc_aligned(1, sizeof(*fdb));

	fdb->max_controlled = MIN(config->max_controlled, FDB_SIZE_MAX - 1);
	fdb->max_entries = MIN(MAX(config->max_entries, 1u),
			       FDB_SIZE_MAX - fdb->max_controlled);
	fdb->age_s = config->age_s;
	fdb->configured_seed = config->seed;
	fdb->fastpath = config->fastpath;
	make_table(fdb, buckets_for(fdb->max_entries + fdb->max_controlled,
				    n_static));
	fdb->ports = xcalloc(FDB_PORT_MAX + 1, sizeof(*fdb->ports));
	return fdb;
}

struct fdb *fdb_create(const struct fdb_config *config)
{
	return create(config, 0);
}

struct fastpath_table *fdb_fastpath_table(const struct fdb *fdb)
{
	return fdb->in_kernel;
}

void fdb_destroy(struct fdb *fdb)
{
	if (!fdb)
		return;
	if (fdb->in_kernel)
		fastpath_table_destroy(fdb->in_kernel);
	else
		munmap(fdb->table.buckets, fdb->table_bytes);
	mpsc_ring_destroy(fdb->changes);
	free(fdb->ports);
	free(fdb);
}

static void copy_entries(struct fdb *to, const struct fdb *from)
{
	uint64_t n_slots = fdb_n_buckets(&from->table) * FDB_BUCKET_SLOTS;

	for (uint64_t at = 0; at < n_slots; at++) {
		struct fdb_slot slot;
		uint16_t port;

		if (!fdb_read_slot(&from->table.buckets[at / FDB_BUCKET_SLOTS],
				   at % FDB_BUCKET_SLOTS, &slot))
			continue;
		port = fdb_value_port(slot.value);
		if (slot.value & FDB_VALUE_CONTROLLED)
			fdb_put_controlled(to, slot.key, port,
					   slot.value & FDB_VALUE_STATIC,
					   fdb_value_tick(slot.value));
		else if (slot.value & FDB_VALUE_STATIC)
			fdb_add_static(to, slot.key, port);
		else if (!fdb_find_value(&to->table, slot.key))
			fdb_insert(to, slot.key, port,
				   fdb_value_tick(slot.value));
	}
}

static void copy_counter(_Atomic(uint64_t) *to, const _Atomic(uint64_t) *from)
{
	atomic_store_explicit(to,
			      atomic_load_explicit(from, memory_order_relaxed),
			      memory_order_relaxed);
}

static uint64_t read_counter(const _Atomic(uint64_t) *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint32_t n_controlled(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->controlled, memory_order_relaxed);
}

static struct fdb *resize(const struct fdb *fdb, uint32_t max_entries,
			  uint32_t max_controlled, struct fastpath *fastpath)
{
	struct fdb_config config = {
		.max_entries = max_entries,
		.max_controlled = MAX(max_controlled, n_controlled(fdb)),
		.age_s = fdb->age_s,
		.seed = fdb->configured_seed,
		.fastpath = fastpath,
	};
	struct fdb *new = create(&config, fdb->n_static);

	fdb_set_fresh(new, read_counter(&fdb->table.fresh));
	new->time_is_set = fdb->time_is_set;
	new->epoch_s = fdb->epoch_s;
	copy_entries(new, fdb);
	for (uint32_t p = 0; p <= FDB_PORT_MAX; p++) {
		uint32_t limit = atomic_load_explicit(&fdb->ports[p].limit,
						      memory_order_relaxed);

		if (limit)
			fdb_set_port_limit(new, p, limit);
		fdb_set_port_evicts(new, p,
				    atomic_load_explicit(&fdb->ports[p].evicts,
							 memory_order_relaxed));
	}
	copy_counter(&new->learned, &fdb->learned);
	copy_counter(&new->moved, &fdb->moved);
	copy_counter(&new->evicted, &fdb->evicted);
	copy_counter(&new->refused, &fdb->refused);
	copy_counter(&new->aged, &fdb->aged);
	copy_counter(&new->flushed, &fdb->flushed);
	fdb_share_listeners(new, fdb);
	return new;
}

struct fdb *fdb_resize(const struct fdb *fdb, uint32_t max_entries)
{
	return resize(fdb, max_entries, fdb->max_controlled, fdb->fastpath);
}

struct fdb *fdb_resize_controlled(const struct fdb *fdb,
				  uint32_t max_controlled)
{
	return resize(fdb, fdb->max_entries, max_controlled, fdb->fastpath);
}

struct fdb *fdb_move(const struct fdb *fdb, struct fastpath *fastpath)
{
	return resize(fdb, fdb->max_entries, fdb->max_controlled, fastpath);
}

void fdb_set_age(struct fdb *fdb, uint32_t age_s)
{
	fdb->age_s = age_s;
}

static void fill_entry(struct fdb_entry *entry, fdb_key key, uint64_t value,
		       uint32_t now)
{
	entry->mac = key & 0xffffffffffffull;
	entry->fid = key >> 48 & 0xfff;
	entry->port = fdb_value_port(value);
	entry->is_static = fdb_value_is_static(value);
	entry->is_controlled = value & FDB_VALUE_CONTROLLED;
	entry->is_sticky = entry->is_controlled && value & FDB_VALUE_STATIC;
	entry->age_s = entry->is_static ? 0 : now - fdb_value_tick(value);
}

bool fdb_get(const struct fdb *fdb, fdb_key key, struct fdb_entry *entry)
{
	uint64_t value = fdb_find_value(&fdb->table, key);

	if (!(value & FDB_VALUE_LIVE))
		return false;
	fill_entry(entry, key, value, fdb_now(fdb));
	return true;
}

void fdb_for_each(const struct fdb *fdb,
		  bool (*cb)(const struct fdb_entry *, void *aux), void *aux)
{
	uint64_t n_slots = fdb_n_buckets(&fdb->table) * FDB_BUCKET_SLOTS;
	uint32_t now = fdb_now(fdb);

	for (uint64_t at = 0; at < n_slots; at++) {
		struct fdb_entry entry;
		struct fdb_slot slot;

		if (!fdb_read_slot(&fdb->table.buckets[at / FDB_BUCKET_SLOTS],
				   at % FDB_BUCKET_SLOTS, &slot))
			continue;
		fill_entry(&entry, slot.key, slot.value, now);
		if (!cb(&entry, aux))
			return;
	}
}

void fdb_get_stats(const struct fdb *fdb, struct fdb_stats *stats)
{
	*stats = (struct fdb_stats){
		.entries = atomic_load_explicit(&fdb->entries,
						memory_order_relaxed),
		.static_entries = fdb->n_static,
		.max_entries = fdb->max_entries,
		.controlled_entries = n_controlled(fdb),
		.max_controlled = fdb->max_controlled,
		.learned = read_counter(&fdb->learned),
		.moved = read_counter(&fdb->moved),
		.aged = read_counter(&fdb->aged),
		.evicted = read_counter(&fdb->evicted),
		.refused = read_counter(&fdb->refused),
		.flushed = read_counter(&fdb->flushed),
	};
}
