/*
 * The FDB's slots: reading, claiming, changing and freeing one.
 *
 * All of a slot's life is in its value word, and that is written by
 * compare-and-swap only, from a value that was read. So of two writers one
 * wins and the other sees it and thinks anew; none is ever in a state that
 * another must wait for. A slot that a preempted writer holds busy is one that
 * others do not use meanwhile, no more.
 *
 *	free --claim--> busy --publish--> live --update--> live --free--> free
 *	                  ^                 |
 *	                  `-----claim-------'  (an entry that gives way)
 *
 * - A move, a refresh or a static entry's making (update) against ageing,
 *   flushing or eviction (free, claim): they compare with the value that they
 *   read, tick and version in it. An entry heard again meanwhile has another
 *   tick, an entry of another station another version.
 * - That a version comes round (128 claims of one slot while one writer stands
 *   still) does not matter to ageing, which removes old ticks only, when a
 *   fresh one would stand there; to others it could cost one entry that is
 *   learned again with its station's next frame.
 * - The "passed by" count in a bucket's first value changes on its own; a
 *   compare-and-swap that fails for it alone is repeated. It is raised before
 *   the entry it stands for is live and lowered after that entry's end, so it
 *   is never too low.
 *
 * Values are compared and swapped with sequential consistency, which what is
 * said of double entries in fdb_learn.c needs.
 */
#include "forward/fdb_table.h"

#define STATE (FDB_VALUE_LIVE | FDB_VALUE_BUSY)

static uint64_t load_value(struct fdb_bucket *b, unsigned i)
{
	return atomic_load_explicit(&b->value[i], memory_order_seq_cst);
}

/* On failure *old is what stands there. */
static bool swap_value(struct fdb_bucket *b, unsigned i, uint64_t *old,
		       uint64_t value)
{
	return atomic_compare_exchange_strong_explicit(&b->value[i], old, value,
						       memory_order_seq_cst,
						       memory_order_seq_cst);
}

bool fdb_read_slot(struct fdb_bucket *bucket, unsigned i, struct fdb_slot *slot)
{
	uint64_t v = load_value(bucket, i), again;

	while (v & FDB_VALUE_LIVE) {
		slot->key = atomic_load_explicit(&bucket->key[i],
						 memory_order_acquire);
		again = load_value(bucket, i);
		if (again == v) {
			slot->bucket = bucket;
			slot->i = i;
			slot->value = v;
			return true;
		}
		v = again;
	}
	return false;
}

void fdb_search_start(const struct fdb_table *t, struct fdb_search *search,
		      fdb_key key)
{
	search->key = key;
	search->hash = fdb_hash(t, key);
	search->probe = 0;
	search->i = 0;
}

bool fdb_search_next(const struct fdb_table *t, struct fdb_search *search,
		     struct fdb_slot *slot)
{
	while (search->probe < FDB_PROBES) {
		struct fdb_bucket *b;

		b = fdb_probe(t, search->hash, search->probe);
		while (search->i < FDB_BUCKET_SLOTS)
			if (fdb_read_slot(b, search->i++, slot) &&
			    slot->key == search->key)
				return true;
		if (!(load_value(b, 0) & FDB_VALUE_PASSED))
			return false;
		search->probe++;
		search->i = 0;
	}
	return false;
}

bool fdb_find_slot(const struct fdb_table *t, fdb_key key,
		   struct fdb_slot *slot)
{
	struct fdb_search search;

	fdb_search_start(t, &search, key);
	return fdb_search_next(t, &search, slot);
}

uint64_t fdb_find_value(const struct fdb_table *t, fdb_key key)
{
	struct fdb_slot slot;

	return fdb_find_slot(t, key, &slot) ? slot.value : 0;
}

bool fdb_value_is_fresh(const struct fdb_table *t, uint64_t value,
			uint16_t port)
{
	uint64_t fresh;

	if (!(value & FDB_VALUE_LIVE) || fdb_value_port(value) != port)
		return false;
	fresh = atomic_load_explicit(&t->fresh, memory_order_relaxed);
	return fdb_value_is_static(value) ||
	       fdb_value_tick(value) == fdb_value_tick(fresh);
}

/*
 * Puts the bits of `fields` that `mask` names, which leaves out "passed by",
 * into the slot's value, unless another bit than those has changed.
 */
static bool change_value(struct fdb_slot *slot, uint64_t mask, uint64_t fields)
{
	uint64_t old = slot->value, value;

	do {
		if ((old ^ slot->value) & ~FDB_VALUE_PASSED)
			return false;
		value = (old & ~mask) | fields;
	} while (!swap_value(slot->bucket, slot->i, &old, value));
	slot->value = value;
	return true;
}

bool fdb_update_slot(struct fdb_slot *slot, uint64_t fields)
{
	const uint64_t mask = FDB_VALUE_PORT | FDB_VALUE_KIND | FDB_VALUE_TICK;

	return change_value(slot, mask, fields);
}

static void change_passed(struct fdb_bucket *b, int by)
{
	uint64_t old = load_value(b, 0), value;

	do {
		/* Full: it cannot be known any more how many there are. */
		if ((old & FDB_VALUE_PASSED) == FDB_VALUE_PASSED)
			return;
		value = old + ((uint64_t)by << FDB_PASSED_SHIFT);
	} while (!swap_value(b, 0, &old, value));
}

/* Of the buckets that come before `home` in the key's order. */
static void change_passed_before(const struct fdb_table *t, fdb_key key,
				 const struct fdb_bucket *home, int by)
{
	uint64_t hash = fdb_hash(t, key);

	for (unsigned n = 0; n < FDB_PROBES; n++) {
		struct fdb_bucket *b = fdb_probe(t, hash, n);

		if (b == home)
			return;
		change_passed(b, by);
	}
}

bool fdb_free_slot(const struct fdb_table *t, struct fdb_slot *slot)
{
	if (!change_value(slot, STATE | FDB_VALUE_KIND, 0))
		return false;
	change_passed_before(t, slot->key, slot->bucket, -1);
	return true;
}

/* Makes a free or live slot, as it was read, busy under a new version. */
static bool claim(struct fdb_slot *slot)
{
	uint64_t version = slot->value + (1ull << FDB_VERSION_SHIFT);

	return change_value(slot, STATE | FDB_VALUE_KIND | FDB_VALUE_VERSION,
			    FDB_VALUE_BUSY | (version & FDB_VALUE_VERSION));
}

bool fdb_claim_free(const struct fdb_table *t, fdb_key key,
		    struct fdb_slot *slot)
{
	uint64_t hash = fdb_hash(t, key);

	for (unsigned n = 0; n < FDB_PROBES; n++) {
		slot->bucket = fdb_probe(t, hash, n);
		for (slot->i = 0; slot->i < FDB_BUCKET_SLOTS; slot->i++) {
			slot->value = load_value(slot->bucket, slot->i);
			if (slot->value & STATE || !claim(slot))
				continue;
			slot->key = key;
			return true;
		}
	}
	return false;
}

bool fdb_claim_live(const struct fdb_table *t, struct fdb_slot *slot,
		    fdb_key key)
{
	if (!claim(slot))
		return false;
	change_passed_before(t, slot->key, slot->bucket, -1);
	slot->key = key;
	return true;
}

void fdb_publish_slot(const struct fdb_table *t, struct fdb_slot *slot,
		      uint64_t fields)
{
	const uint64_t mask =
		STATE | FDB_VALUE_PORT | FDB_VALUE_KIND | FDB_VALUE_TICK;

	change_passed_before(t, slot->key, slot->bucket, 1);
	atomic_store_explicit(&slot->bucket->key[slot->i], slot->key,
			      memory_order_release);
	/* Nobody else writes what is busy: it cannot fail. */
	(void)change_value(slot, mask, fields | FDB_VALUE_LIVE);
}
