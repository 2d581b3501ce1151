/*
 * The FDB under several workers that learn, move and look up, and a control
 * thread that ages, flushes, adds and removes, what is static and what a
 * control plane says, meanwhile. A station may be heard on two ports only, so a
 * lookup that answers with a third one has put a key and another's value
 * together. At the end all counts, marks and what the listener was told must
 * agree with what is in the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "forward/fdb_table.h"

#include "fdb_places.h"

#define N_WORKERS 3
#define N_PORTS	  50

/* What is run, for each test. */
struct scene {
	struct fdb *fdb;
	uint32_t n_stations, n_calls, port_limit;
	_Atomic(unsigned) n_running, n_workers;
	_Atomic(unsigned) n_wrong;
	_Atomic(uint64_t) over_limit;
	/* Control thread: what the listener was told. */
	struct fdb_listener listener;
	uint16_t *told;
};

struct random {
	uint64_t state;
};

static uint32_t random_below(struct random *r, uint32_t n)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (r->state >> 32) * n >> 32;
}

static fdb_key key_of(uint32_t i)
{
	return fdb_make_key(0x020000000000 + i, 7);
}

static uint16_t port_of(uint32_t i, bool other)
{
	return 1 + (i * 2 + other) % N_PORTS;
}

static bool is_right(uint32_t i, unsigned port)
{
	return port == FDB_NONE || port == port_of(i, false) ||
	       port == port_of(i, true);
}

static void *work(void *arg)
{
	struct scene *s = arg;
	struct random r;

	r.state = 77 + atomic_fetch_add(&s->n_workers, 1) * 0x9e3779b97f4a7c15;
	for (uint32_t n = 0; n < s->n_calls; n++) {
		uint32_t i = random_below(&r, s->n_stations);
		uint16_t port = port_of(i, random_below(&r, 8) == 0);

		if (!is_right(i, fdb_lookup(s->fdb, key_of(i))))
			atomic_fetch_add(&s->n_wrong, 1);
		if (!fdb_is_fresh(s->fdb, key_of(i), port))
			fdb_learn(s->fdb, key_of(i), port);
		if (s->port_limit &&
		    fdb_port_entries(s->fdb, port) > s->port_limit + N_WORKERS)
			atomic_fetch_add(&s->over_limit, 1);
	}
	atomic_fetch_sub(&s->n_running, 1);
	return NULL;
}

static uint32_t index_of(uint64_t mac)
{
	return mac & 0xffffffff;
}

static bool note_entry(const struct fdb_entry *e, void *aux)
{
	struct scene *s = aux;

	s->told[index_of(e->mac)] = e->port;
	return true;
}

static void note_change(struct fdb_listener *listener, enum fdb_change change,
			uint64_t mac, uint16_t fid, uint16_t port,
			uint16_t old_port)
{
	struct scene *s = CONTAINER_OF(listener, struct scene, listener);

	if (change == FDB_RESYNC) {
		memset(s->told, 0, s->n_stations * sizeof(*s->told));
		fdb_for_each(s->fdb, note_entry, s);
	} else {
		s->told[index_of(mac)] = port;
	}
}

/*
 * What does not move is there as soon as it has been put (but a worker's copy,
 * which that is about to remove, may be found first).
 */
static void put(struct scene *s, struct random *r, uint32_t i, uint16_t port)
{
	bool stays = random_below(r, 3) == 0;
	int error;

	if (stays && random_below(r, 2))
		error = fdb_add_static(s->fdb, key_of(i), port);
	else
		error = fdb_add_controlled(s->fdb, key_of(i), port, stays);
	if (!error && stays && fdb_lookup(s->fdb, key_of(i)) == FDB_NONE)
		atomic_fetch_add(&s->n_wrong, 1);
}

static void control(struct scene *s, struct random *r, uint32_t *now)
{
	uint32_t i = random_below(r, s->n_stations);
	uint16_t port = port_of(i, random_below(r, 2));

	switch (random_below(r, 24)) {
	case 0:
		*now += random_below(r, 3);
		fdb_tick(s->fdb, *now);
		break;
	case 1:
		fdb_flush(s->fdb, port, -1);
		break;
	case 2:
		if (random_below(r, 10) == 0)
			fdb_flush(s->fdb, 0, 7);
		break;
	case 3:
		fdb_purge_port(s->fdb, port);
		break;
	case 4:
		fdb_drain_changes(s->fdb);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		put(s, r, i, port);
		break;
	case 11:
	case 12:
	case 13:
		fdb_delete_controlled(s->fdb, key_of(i), port);
		break;
	default:
		fdb_delete(s->fdb, key_of(i));
	}
}

/* What the table holds, found by reading all of its slots. */
struct census {
	uint16_t *port; /* by station */
	uint32_t on_port[N_PORTS + 1], controlled_on_port[N_PORTS + 1];
	uint32_t learned, controlled, n_static, duplicates, marks,
		expected_marks;
	struct scene *scene;
};

static void count_slot(struct census *c, const struct fdb_slot *slot)
{
	const struct fdb_table *t = &c->scene->fdb->table;
	uint64_t hash = fdb_hash(t, slot->key);
	uint16_t port = fdb_value_port(slot->value);
	uint32_t i = index_of(slot->key & 0xffffffffffff);

	c->duplicates += c->port[i] != 0;
	c->port[i] = port;
	if (slot->value & FDB_VALUE_CONTROLLED) {
		c->controlled++;
		c->controlled_on_port[port]++;
	} else if (slot->value & FDB_VALUE_STATIC) {
		c->n_static++;
	} else {
		c->learned++;
		c->on_port[port]++;
	}
	for (unsigned n = 0; fdb_probe(t, hash, n) != slot->bucket; n++)
		c->expected_marks++;
}

static void take_census(struct scene *s, struct census *c)
{
	memset(c, 0, sizeof(*c));
	c->scene = s;
	c->port = xcalloc(s->n_stations, sizeof(*c->port));
	for (uint64_t b = 0; b < fdb_n_buckets(&s->fdb->table); b++) {
		struct fdb_bucket *bucket = &s->fdb->table.buckets[b];
		struct fdb_slot slot;

		for (unsigned i = 0; i < FDB_BUCKET_SLOTS; i++) {
			uint64_t v = atomic_load(&bucket->value[i]);

			assert_false(v & FDB_VALUE_BUSY);
			if (fdb_read_slot(bucket, i, &slot))
				count_slot(c, &slot);
		}
		c->marks +=
			(atomic_load(&bucket->value[0]) & FDB_VALUE_PASSED) >>
			FDB_PASSED_SHIFT;
	}
}

static void check_end(struct scene *s)
{
	struct fdb_stats stats;
	struct census c;

	take_census(s, &c);
	fdb_get_stats(s->fdb, &stats);
	assert_int_equal(c.duplicates, 0);
	assert_int_equal(stats.entries, c.learned);
	assert_int_equal(stats.static_entries, c.n_static);
	assert_true(stats.entries <= stats.max_entries);
	assert_int_equal(stats.controlled_entries, c.controlled);
	assert_true(stats.controlled_entries <= stats.max_controlled);
	assert_int_equal(c.marks, c.expected_marks);
	for (unsigned p = 1; p <= N_PORTS; p++) {
		assert_int_equal(fdb_port_entries(s->fdb, p), c.on_port[p]);
		assert_int_equal(fdb_port_controlled(s->fdb, p),
				 c.controlled_on_port[p]);
	}
	fdb_drain_changes(s->fdb);
	for (uint32_t i = 0; i < s->n_stations; i++) {
		assert_int_equal(fdb_lookup(s->fdb, key_of(i)), c.port[i]);
		assert_int_equal(s->told[i], c.port[i]);
		assert_true(is_right(i, c.port[i]));
	}
	free(c.port);
}

static void play(struct scene *s, bool with_control)
{
	struct random r = { 4711 };
	pthread_t threads[N_WORKERS];
	uint32_t now = 0;

	s->told = xcalloc(s->n_stations, sizeof(*s->told));
	s->listener.change = note_change;
	fdb_add_listener(s->fdb, &s->listener);
	atomic_store(&s->n_running, N_WORKERS);
	for (unsigned p = 1; p <= N_PORTS; p++)
		fdb_set_port_limit(s->fdb, p, s->port_limit);
	for (int i = 0; i < N_WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, s), 0);
	while (atomic_load(&s->n_running))
		if (with_control)
			control(s, &r, &now);
		else
			fdb_drain_changes(s->fdb);
	for (int i = 0; i < N_WORKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&s->n_wrong), 0);
	assert_int_equal(atomic_load(&s->over_limit), 0);
	check_end(s);
	free(s->told);
	fdb_destroy(s->fdb);
}

static struct fdb *make(uint32_t max_entries)
{
	struct fdb_config config = { .max_entries = max_entries,
				     .age_s = 10,
				     .seed = 1,
				     .max_controlled = max_entries / 4,
				     .fastpath = fdb_place };

	return fdb_create(&config);
}

/* A few stations, so that all threads meet over the same ones. */
static void test_same_stations(void **state)
{
	struct scene s = { .fdb = make(600),
			   .n_stations = 12,
			   .n_calls = 600000 };

	play(&s, true);
}

static void test_many_stations(void **state)
{
	struct scene s = { .fdb = make(600),
			   .n_stations = 550,
			   .n_calls = 600000 };

	play(&s, true);
}

/* Full all the time: every entry learned makes another give way. */
static void test_full(void **state)
{
	struct scene s = { .fdb = make(600),
			   .n_stations = 3000,
			   .n_calls = 200000 };

	play(&s, true);
}

static void test_full_undisturbed(void **state)
{
	struct scene s = { .fdb = make(600),
			   .n_stations = 3000,
			   .n_calls = 200000 };

	play(&s, false);
}

static void test_port_limit(void **state)
{
	struct scene s = { .fdb = make(600),
			   .n_stations = 3000,
			   .n_calls = 200000,
			   .port_limit = 5 };

	play(&s, true);
}

#define N_TURNS 400000

struct duel {
	struct fdb *fdb;
	fdb_key key[2];
	_Atomic(bool) over;
	_Atomic(unsigned) n_wrong, n_found;
};

static void *watch(void *arg)
{
	struct duel *d = arg;

	while (!atomic_load(&d->over))
		for (unsigned i = 0; i < 2; i++) {
			unsigned port = fdb_lookup(d->fdb, d->key[i]);

			if (port != FDB_NONE)
				atomic_fetch_add(&d->n_found, 1);
			if (port != FDB_NONE && port != i + 1)
				atomic_fetch_add(&d->n_wrong, 1);
		}
	return NULL;
}

/* Two stations take turns in one slot: no lookup mixes them up. */
static void test_one_slot(void **state)
{
	struct duel d = { .fdb = make(600), .key = { key_of(0) } };
	const struct fdb_table *t = &d.fdb->table;
	pthread_t thread;
	uint32_t other = 1;

	while (fdb_primary(t, fdb_hash(t, key_of(other))) !=
	       fdb_primary(t, fdb_hash(t, key_of(0))))
		other++;
	d.key[1] = key_of(other);
	assert_int_equal(pthread_create(&thread, NULL, watch, &d), 0);
	for (unsigned n = 0; n < N_TURNS; n++) {
		fdb_learn(d.fdb, d.key[n % 2], 1 + n % 2);
		fdb_delete(d.fdb, d.key[n % 2]);
	}
	/* So that it has seen something, however late it got to run. */
	fdb_learn(d.fdb, d.key[0], 1);
	while (!atomic_load(&d.n_found))
		sched_yield();
	atomic_store(&d.over, true);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&d.n_wrong), 0);
	fdb_destroy(d.fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_stations),
		cmocka_unit_test(test_many_stations),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_undisturbed),
		cmocka_unit_test(test_port_limit),
		cmocka_unit_test(test_one_slot),
	};

	return RUN_IN_BOTH_PLACES(tests);
}
