/*
 * Learning: what workers do to the FDB.
 *
 * Double entries. Two workers may find a key unknown at the same time, and
 * each enters it into a slot of its own (or the same two meet over a slot that
 * a third one freed). Each therefore searches for the key once more after its
 * entry is live, and as long as it finds several it removes all but one of
 * them: a static or controlled one stays, else the first in the key's order of
 * slots.
 *
 * Why one of the two finds both. Making live and reading a value are
 * sequentially consistent. Say a went live before b in that order. The search
 * of b's writer comes after b went live, so it finds a, unless that is gone
 * already. Entries do not change their slots, and buckets in between have been
 * marked as passed by before a went live. So once no writer is at work no key
 * has two entries; and as everybody keeps the same one, two writers that
 * see the same two do not remove both. (One that is kept may be aged or
 * flushed in the same moment, or become a learned one that another keeps not.
 * Then the station is unknown until its next frame, as it may be after each
 * flush.) In between, readers take the first
 * that they meet: where the station was heard a moment ago.
 *
 * Limits. Room is taken before an entry is made (`entries` and the port's
 * `learned`, by an atomic addition that is taken back when there was none) and
 * given back after its end. So the limits hold at any time, and the counts are
 * exact when no writer is at work. A controlled entry that moves becomes a
 * learned one: it needs room as a new one does.
 *
 * Giving way. Of a bounded sample of entries the one gives way whose port
 * holds most, the oldest of that port; never one of a port that holds fewer
 * than the newcomer's. So whatever one port sends, it takes nothing from
 * another that holds no more than its fair share.
 *
 * Work per call is bounded but for the repetition of a compare-and-swap that
 * failed because another writer's succeeded.
 */
#include "forward/fdb_table.h"

#define SAMPLE_BUCKETS 16
/* More until so many entries were seen: all of a small table that is sparse. */
#define SAMPLE_ENTRIES	   16
#define SAMPLE_BUCKETS_MAX 256
#define SAMPLE_STEP	   0x9e3779b1u /* odd: samples start anywhere */
#define SAMPLE_SALT	   0xff51afd7ed558ccd
#define MAX_TRIES	   4

#define relaxed memory_order_relaxed

static void count(_Atomic(uint64_t) *counter)
{
	atomic_fetch_add_explicit(counter, 1, relaxed);
}

static bool take_room(_Atomic(uint32_t) *used, uint32_t limit)
{
	/* Look first: a full table is read by all workers, not written. */
	if (atomic_load_explicit(used, relaxed) >= limit)
		return false;
	if (atomic_fetch_add_explicit(used, 1, relaxed) < limit)
		return true;
	atomic_fetch_sub_explicit(used, 1, relaxed);
	return false;
}

static void give_room_back(_Atomic(uint32_t) *used)
{
	atomic_fetch_sub_explicit(used, 1, relaxed);
}

static bool take_port_room(struct fdb *fdb, uint16_t port)
{
	struct fdb_port *p = &fdb->ports[port];
	uint32_t limit = atomic_load_explicit(&p->limit, relaxed);

	limit = limit ? limit : UINT32_MAX;
	return take_room(&p->learned, limit) ||
	       (atomic_load_explicit(&p->evicts, relaxed) &&
		fdb_evict_own(fdb, port) && take_room(&p->learned, limit));
}

static void give_port_room_back(struct fdb *fdb, uint16_t port)
{
	give_room_back(&fdb->ports[port].learned);
}

void fdb_account_removed(struct fdb *fdb, uint64_t value)
{
	uint16_t port = fdb_value_port(value);

	if (value & FDB_VALUE_CONTROLLED) {
		give_room_back(&fdb->controlled);
		give_room_back(&fdb->ports[port].controlled);
	} else if (value & FDB_VALUE_STATIC) {
		fdb->n_static--;
		fdb->ports[port].n_static--;
	} else {
		give_room_back(&fdb->entries);
		give_port_room_back(fdb, port);
	}
}

bool fdb_remove_slot(struct fdb *fdb, struct fdb_slot *slot)
{
	uint64_t value = slot->value;

	if (!fdb_free_slot(&fdb->table, slot))
		return false;
	fdb_account_removed(fdb, value);
	fdb_tell_change(fdb, slot->key, 0, fdb_value_port(value));
	return true;
}

/* True when it found one entry or none; false after it removed one. */
static bool is_single(struct fdb *fdb, fdb_key key)
{
	struct fdb_slot keep, slot;
	struct fdb_search search;
	uint16_t kept_port;

	fdb_search_start(&fdb->table, &search, key);
	if (!fdb_search_next(&fdb->table, &search, &keep))
		return true;
	do {
		if (!fdb_search_next(&fdb->table, &search, &slot))
			return true;
		/* Two of its own: the control thread is about to tidy up. */
	} while (slot.value & FDB_VALUE_KIND && keep.value & FDB_VALUE_KIND);
	if (slot.value & FDB_VALUE_KIND) {
		struct fdb_slot first = keep;

		keep = slot;
		slot = first;
	}
	kept_port = fdb_value_port(keep.value);
	if (fdb_remove_slot(fdb, &slot) &&
	    kept_port != fdb_value_port(slot.value))
		fdb_tell_change(fdb, key, kept_port,
				fdb_value_port(slot.value));
	return false;
}

/* The entry that is to give way, as far as was looked. */
struct victim {
	struct fdb_bucket *bucket;
	unsigned i;
	uint64_t value; /* that it had */
	uint64_t rank;	/* the highest gives way; 0: there is none */
	uint64_t salt;	/* another one each time */
	unsigned seen;	/* learned entries looked at */
};

/* Entries of the port, without the newcomer that has taken room already. */
static uint32_t holds(const struct fdb *fdb, uint16_t owner, uint16_t newcomer)
{
	return atomic_load_explicit(&fdb->ports[owner].learned, relaxed) -
	       (owner == newcomer && newcomer);
}

#define RANK_CHANCE_BITS 16
#define RANK_AGE_BITS	 22
#define RANK_AGE_MAX	 ((1u << RANK_AGE_BITS) - 1)
_Static_assert((FDB_SIZE_MAX * 2ull + 1) << (RANK_AGE_BITS + RANK_CHANCE_BITS) <
		       1ull << 63,
	       "room for what a port holds");

/*
 * By what the port holds, then by age, then by chance: were it the first one of
 * each sample, some parts of the table would be emptied and others fill up.
 * Among ports that hold the same the newcomer's own gives way first.
 */
static inline uint64_t rank_entry(uint64_t held, bool is_own, uint32_t age_s,
				  uint16_t chance)
{
	uint64_t rank = held * 2 + is_own;

	rank = rank << RANK_AGE_BITS | MIN(age_s, RANK_AGE_MAX);
	return (rank << RANK_CHANCE_BITS | chance) + 1;
}

static inline uint16_t chance_of(uint64_t number, uint64_t salt)
{
	return (number ^ salt ^ salt >> 32) * 0x9e3779b97f4a7c15 >> 48;
}

/*
 * Without branches on what an entry is like: nobody could predict them, and a
 * full table is looked at by every frame of an unknown station.
 */
static inline void consider_bucket(const struct fdb *fdb,
				   struct fdb_bucket *bucket, uint16_t port,
				   struct victim *victim)
{
	uint32_t now = fdb_now(fdb), own = holds(fdb, port, port);
	uint64_t number = (bucket - fdb->table.buckets) * FDB_BUCKET_SLOTS;

	for (unsigned i = 0; i < FDB_BUCKET_SLOTS; i++) {
		uint64_t value = atomic_load_explicit(&bucket->value[i],
						      memory_order_relaxed);
		uint16_t owner = fdb_value_port(value);
		uint64_t held = holds(fdb, owner, port), rank;
		bool learned = (value & (FDB_VALUE_LIVE | FDB_VALUE_KIND)) ==
			       FDB_VALUE_LIVE;

		rank = rank_entry(held, owner == port,
				  now - fdb_value_tick(value),
				  chance_of(number + i, victim->salt));
		rank *= learned & (held >= own);
		victim->seen += learned;
		victim->bucket = rank > victim->rank ? bucket : victim->bucket;
		victim->i = rank > victim->rank ? i : victim->i;
		victim->value = rank > victim->rank ? value : victim->value;
		victim->rank = MAX(rank, victim->rank);
	}
}

/* Its key, too. False: it has changed meanwhile. */
static bool read_victim(const struct victim *victim, struct fdb_slot *slot)
{
	return fdb_read_slot(victim->bucket, victim->i, slot) &&
	       !((slot->value ^ victim->value) & ~FDB_VALUE_PASSED);
}

/* An entry that gave way: what is left to do once its slot is taken. */
static void account_evicted(struct fdb *fdb, const struct fdb_slot *old)
{
	give_port_room_back(fdb, fdb_value_port(old->value));
	count(&fdb->evicted);
	fdb_tell_change(fdb, old->key, 0, fdb_value_port(old->value));
}

/* For the next one that looks; this one has its own in the cache. */
static void prefetch_sample(const struct fdb_table *t, uint64_t at)
{
	for (unsigned n = 0; n < SAMPLE_BUCKETS; n++)
		__builtin_prefetch(
			fdb_primary(t, (at + n) * sizeof(struct fdb_bucket)));
}

/* Removes an entry somewhere; its room in `entries` is the caller's. */
static bool evict_sampled(struct fdb *fdb, uint16_t port)
{
	const struct fdb_table *t = &fdb->table;

	for (int try = 0; try < MAX_TRIES; try++) {
		struct victim victim = { .rank = 0 };
		struct fdb_slot slot, old;
		uint64_t at;

		at = atomic_fetch_add_explicit(&fdb->sample_cursor, SAMPLE_STEP,
					       relaxed);
		victim.salt = at * SAMPLE_SALT;
		prefetch_sample(t, (uint32_t)at + SAMPLE_STEP);
		for (unsigned n = 0;
		     n < SAMPLE_BUCKETS ||
		     (victim.seen < SAMPLE_ENTRIES && n < SAMPLE_BUCKETS_MAX);
		     n++, at++)
			consider_bucket(
				fdb,
				fdb_primary(t, at * sizeof(struct fdb_bucket)),
				port, &victim);
		if (!victim.rank || !read_victim(&victim, &slot))
			continue;
		old = slot;
		if (!fdb_free_slot(t, &slot))
			continue;
		account_evicted(fdb, &old);
		return true;
	}
	return false;
}

bool fdb_claim_from(struct fdb *fdb, fdb_key key, uint16_t port,
		    struct fdb_slot *slot)
{
	const struct fdb_table *t = &fdb->table;
	uint64_t hash = fdb_hash(t, key);

	for (int try = 0; try < MAX_TRIES; try++) {
		struct victim victim = { .salt = hash };
		struct fdb_slot old;

		for (unsigned n = 0; n < FDB_PROBES; n++)
			consider_bucket(fdb, fdb_probe(t, hash, n), port,
					&victim);
		if (!victim.rank)
			return false;
		if (!read_victim(&victim, slot))
			continue;
		old = *slot;
		if (!fdb_claim_live(t, slot, key))
			continue;
		account_evicted(fdb, &old);
		give_room_back(&fdb->entries);
		return true;
	}
	return false;
}

void fdb_settle(struct fdb *fdb, fdb_key key)
{
	while (!is_single(fdb, key))
		;
}

enum fdb_learn_result fdb_insert(struct fdb *fdb, fdb_key key, uint16_t port,
				 uint32_t tick)
{
	struct fdb_slot slot;

	if (!take_port_room(fdb, port)) {
		count(&fdb->refused);
		return FDB_PORT_FULL;
	}
	if (!take_room(&fdb->entries, fdb->max_entries) &&
	    !evict_sampled(fdb, port))
		goto no_room;
	if (!fdb_claim_free(&fdb->table, key, &slot) &&
	    !fdb_claim_from(fdb, key, port, &slot)) {
		give_room_back(&fdb->entries);
		goto no_room;
	}
	fdb_publish_slot(&fdb->table, &slot,
			 (uint64_t)tick << FDB_TICK_SHIFT | port);
	count(&fdb->learned);
	fdb_tell_change(fdb, key, port, 0);
	fdb_settle(fdb, key);
	return FDB_LEARNED;

no_room:
	give_port_room_back(fdb, port);
	count(&fdb->refused);
	return FDB_TABLE_FULL;
}

/* Heard where it is known. False: the entry has changed meanwhile. */
static bool refresh(struct fdb_slot *slot, uint32_t now)
{
	uint64_t fields = slot->value & (FDB_VALUE_KIND | FDB_VALUE_PORT);

	/* A worker that was preempted does not turn the clock back. */
	return (int32_t)(now - fdb_value_tick(slot->value)) <= 0 ||
	       fdb_update_slot(slot, fields | (uint64_t)now << FDB_TICK_SHIFT);
}

/* Room for an entry of slot's that moves to port; FDB_MOVED: there is. */
static enum fdb_learn_result take_room_to_move(struct fdb *fdb,
					       const struct fdb_slot *slot,
					       uint16_t port)
{
	if (!take_port_room(fdb, port))
		return FDB_PORT_FULL;
	if (!(slot->value & FDB_VALUE_CONTROLLED) ||
	    take_room(&fdb->entries, fdb->max_entries) ||
	    evict_sampled(fdb, port))
		return FDB_MOVED;
	give_port_room_back(fdb, port);
	return FDB_TABLE_FULL;
}

/* Whether the entry could be changed; if so *result is what was done. */
static bool move(struct fdb *fdb, struct fdb_slot *slot, uint16_t port,
		 enum fdb_learn_result *result)
{
	uint64_t old = slot->value;

	*result = take_room_to_move(fdb, slot, port);
	if (*result != FDB_MOVED) {
		count(&fdb->refused);
		return true;
	}
	if (!fdb_update_slot(slot,
			     (uint64_t)fdb_now(fdb) << FDB_TICK_SHIFT | port)) {
		give_port_room_back(fdb, port);
		if (old & FDB_VALUE_CONTROLLED)
			give_room_back(&fdb->entries);
		return false;
	}
	if (old & FDB_VALUE_CONTROLLED)
		fdb_account_removed(fdb, old);
	else
		give_port_room_back(fdb, fdb_value_port(old));
	count(&fdb->moved);
	fdb_tell_change(fdb, slot->key, port, fdb_value_port(old));
	return true;
}

/* As move(). */
static bool learn_known(struct fdb *fdb, struct fdb_slot *slot, uint16_t port,
			enum fdb_learn_result *result)
{
	bool is_here = fdb_value_port(slot->value) == port;

	if (is_here && !fdb_value_is_static(slot->value)) {
		*result = FDB_REFRESHED;
		return refresh(slot, fdb_now(fdb));
	}
	if (slot->value & FDB_VALUE_STATIC) {
		*result = is_here ? FDB_REFRESHED : FDB_IS_STATIC;
		return true;
	}
	return move(fdb, slot, port, result);
}

static inline enum fdb_learn_result learn(struct fdb *fdb, fdb_key key,
					  uint16_t port, bool may_move)
{
	enum fdb_learn_result result;
	struct fdb_slot slot;

	for (int try = 0; try < MAX_TRIES; try++) {
		if (!fdb_find_slot(&fdb->table, key, &slot))
			return fdb_insert(fdb, key, port, fdb_now(fdb));
		if (!may_move && fdb_value_port(slot.value) != port)
			return FDB_ELSEWHERE;
		if (learn_known(fdb, &slot, port, &result))
			return result;
	}
	/* Others write this very entry all the time: it is known and new. */
	return FDB_REFRESHED;
}

enum fdb_learn_result fdb_learn(struct fdb *fdb, fdb_key key, uint16_t port)
{
	return learn(fdb, key, port, true);
}

enum fdb_learn_result fdb_learn_unmoved(struct fdb *fdb, fdb_key key,
					uint16_t port)
{
	return learn(fdb, key, port, false);
}
