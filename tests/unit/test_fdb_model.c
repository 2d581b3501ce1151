/*
 * The FDB against a model that is too simple to be wrong: an array of stations.
 * One thread, random calls, the same for each seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "forward/fdb.h"

#include "fdb_places.h"

#define N_STATIONS 3000
#define N_PORTS	   8
#define N_CALLS	   200000
/* So few controlled entries that there is often no room for one more. */
#define MAX_CONTROLLED 150

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) * n >> 32;
}

struct station {
	uint16_t port; /* 0: unknown */
	bool is_static, is_controlled, is_sticky;
	uint32_t heard_s;
};

static const struct station unknown;

static bool is_learned(const struct station *s)
{
	return s->port && !s->is_static && !s->is_controlled;
}

struct model {
	struct fdb *fdb;
	struct station stations[N_STATIONS];
	/* What the listener was told. */
	struct fdb_listener listener;
	uint16_t told[N_STATIONS];
	bool resync;
	uint32_t now_s, age_s, limit; /* of port 1 */
	uint32_t max_controlled;
	unsigned seen;
};

static fdb_key key_of(unsigned i)
{
	return fdb_make_key(0x020000000000 + i / 3, 1 + i % 3);
}

static unsigned index_of(uint64_t mac, uint16_t fid)
{
	return (mac & 0xffffff) * 3 + fid - 1;
}

static unsigned learned_on(const struct model *m, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_STATIONS; i++)
		n += is_learned(&m->stations[i]) &&
		     (!port || m->stations[i].port == port);
	return n;
}

static unsigned controlled_on(const struct model *m, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_STATIONS; i++)
		n += m->stations[i].is_controlled &&
		     (!port || m->stations[i].port == port);
	return n;
}

static void learn(struct model *m)
{
	unsigned i = random_below(N_STATIONS);
	uint16_t port = 1 + random_below(N_PORTS);
	struct station *s = &m->stations[i];
	bool fresh =
		s->port == port && (s->is_static || s->heard_s == m->now_s);
	enum fdb_learn_result expected;

	assert_int_equal(fdb_is_fresh(m->fdb, key_of(i), port), fresh);
	if (s->is_static || s->is_sticky)
		expected = s->port == port ? FDB_REFRESHED : FDB_IS_STATIC;
	else if (s->port == port)
		expected = FDB_REFRESHED;
	else if (port == 1 && m->limit && learned_on(m, 1) >= m->limit)
		expected = FDB_PORT_FULL;
	else
		expected = s->port ? FDB_MOVED : FDB_LEARNED;
	assert_int_equal(fdb_learn(m->fdb, key_of(i), port), expected);
	if (expected == FDB_MOVED || expected == FDB_LEARNED)
		*s = (struct station){ .port = port };
	if (s->port == port && !s->is_static)
		s->heard_s = m->now_s;
}

static void look_up(struct model *m)
{
	unsigned i = random_below(N_STATIONS);

	assert_int_equal(fdb_lookup(m->fdb, key_of(i)), m->stations[i].port);
}

static void add_or_delete(struct model *m)
{
	unsigned i = random_below(N_STATIONS);
	struct station *s = &m->stations[i];

	if (random_below(8) == 0) {
		uint16_t port = 1 + random_below(N_PORTS);

		assert_int_equal(fdb_add_static(m->fdb, key_of(i), port), 0);
		*s = (struct station){ .port = port, .is_static = true };
	} else {
		assert_int_equal(fdb_delete(m->fdb, key_of(i)),
				 s->port ? 0 : -ENOENT);
		*s = unknown;
	}
}

static void add_controlled(struct model *m, unsigned i, uint16_t port)
{
	struct station *s = &m->stations[i];
	bool sticky = random_below(4) == 0;
	int expected = 0;

	if (s->is_static)
		expected = -EEXIST;
	else if (!s->is_controlled && controlled_on(m, 0) >= m->max_controlled)
		expected = -ENOSPC;
	assert_int_equal(fdb_add_controlled(m->fdb, key_of(i), port, sticky),
			 expected);
	if (expected)
		return;
	*s = (struct station){ .port = port,
			       .is_controlled = true,
			       .is_sticky = sticky,
			       .heard_s = m->now_s };
}

static void add_or_delete_controlled(struct model *m)
{
	unsigned i = random_below(N_STATIONS);
	uint16_t port = 1 + random_below(N_PORTS);
	struct station *s = &m->stations[i];
	bool is_so;

	if (random_below(3) == 0) {
		add_controlled(m, i, port);
		return;
	}
	if (s->port && random_below(4))
		port = s->port;
	is_so = s->is_controlled && s->port == port;
	assert_int_equal(fdb_delete_controlled(m->fdb, key_of(i), port),
			 is_so ? 0 : -ENOENT);
	if (is_so)
		*s = unknown;
}

static void flush(struct model *m)
{
	uint16_t port = random_below(N_PORTS + 1);
	int fid = (int)random_below(4) - 1;
	bool purge = random_below(2) && port;
	unsigned n = 0;

	if (purge)
		fid = -1;
	if (fid == 0)
		fid = 1;
	for (unsigned i = 0; i < N_STATIONS; i++) {
		struct station *s = &m->stations[i];

		if (!s->port || (port && s->port != port) ||
		    (fid >= 0 && (unsigned)fid != 1 + i % 3) ||
		    (!is_learned(s) && !purge))
			continue;
		*s = unknown;
		n++;
	}
	assert_int_equal(purge ? fdb_purge_port(m->fdb, port)
			       : fdb_flush(m->fdb, port, fid),
			 n);
}

/* Long enough for the walk to have passed everything that is over. */
static void pass_time(struct model *m)
{
	uint32_t seconds = 1 + random_below(m->age_s);

	if (!m->age_s)
		seconds = 1;
	m->now_s += seconds;
	fdb_tick(m->fdb, m->now_s);
	/* What is over or not yet is known only of entries well off the
	 * border: the model follows the table in between. */
	for (unsigned i = 0; i < N_STATIONS; i++) {
		struct station *s = &m->stations[i];
		bool there = fdb_lookup(m->fdb, key_of(i)) != FDB_NONE;
		uint32_t age = m->now_s - s->heard_s;

		if (!is_learned(s) || !m->age_s || age <= m->age_s) {
			assert_int_equal(there, s->port != 0);
			continue;
		}
		if (seconds >= DIV_ROUND_UP(m->age_s, 10))
			assert_false(there);
		if (!there)
			s->port = 0;
	}
}

static void change_settings(struct model *m)
{
	static const uint32_t ages[] = { 0, 10, 60, 300 };
	struct fdb *new;

	switch (random_below(4)) {
	case 0:
		m->age_s = ages[random_below(ARRAY_SIZE(ages))];
		fdb_set_age(m->fdb, m->age_s);
		break;
	case 1:
		m->limit = random_below(2) * random_below(400);
		fdb_set_port_limit(m->fdb, 1, m->limit);
		break;
	case 2:
		/* Those that are there keep their room. */
		m->max_controlled = random_below(2 * MAX_CONTROLLED);
		new = fdb_resize_controlled(m->fdb, m->max_controlled);
		m->max_controlled = MAX(m->max_controlled, controlled_on(m, 0));
		fdb_destroy(m->fdb);
		m->fdb = new;
		break;
	default:
		new = fdb_resize(m->fdb, N_STATIONS + random_below(20000));
		fdb_destroy(m->fdb);
		m->fdb = new;
	}
}

static bool check_entry(const struct fdb_entry *e, void *aux)
{
	struct model *m = aux;
	const struct station *s = &m->stations[index_of(e->mac, e->fid)];

	assert_int_equal(e->port, s->port);
	assert_int_equal(e->is_static, s->is_static);
	assert_int_equal(e->is_controlled, s->is_controlled);
	assert_int_equal(e->is_sticky, s->is_sticky);
	assert_int_equal(e->age_s, s->is_static ? 0 : m->now_s - s->heard_s);
	m->seen++;
	return true;
}

static bool note_entry(const struct fdb_entry *e, void *aux)
{
	struct model *m = aux;

	m->told[index_of(e->mac, e->fid)] = e->port;
	return true;
}

static void note_change(struct fdb_listener *listener, enum fdb_change change,
			uint64_t mac, uint16_t fid, uint16_t port,
			uint16_t old_port)
{
	struct model *m = CONTAINER_OF(listener, struct model, listener);

	if (change == FDB_RESYNC) {
		memset(m->told, 0, sizeof(m->told));
		fdb_for_each(m->fdb, note_entry, m);
	} else {
		assert_int_equal(change == FDB_REMOVED, port == 0);
		m->told[index_of(mac, fid)] = port;
	}
}

static void check_all(struct model *m)
{
	struct fdb_stats stats;
	unsigned all = 0;

	fdb_drain_changes(m->fdb);
	for (unsigned i = 0; i < N_STATIONS; i++) {
		all += m->stations[i].port != 0;
		assert_int_equal(m->told[i], m->stations[i].port);
	}
	m->seen = 0;
	fdb_for_each(m->fdb, check_entry, m);
	assert_int_equal(m->seen, all);
	fdb_get_stats(m->fdb, &stats);
	assert_int_equal(stats.entries, learned_on(m, 0));
	assert_int_equal(stats.controlled_entries, controlled_on(m, 0));
	assert_int_equal(stats.max_controlled, m->max_controlled);
	assert_int_equal(stats.static_entries,
			 all - stats.entries - stats.controlled_entries);
	assert_int_equal(stats.evicted, 0);
	for (unsigned p = 1; p <= N_PORTS; p++) {
		assert_int_equal(fdb_port_entries(m->fdb, p), learned_on(m, p));
		assert_int_equal(fdb_port_controlled(m->fdb, p),
				 controlled_on(m, p));
	}
}

static void run(uint64_t seed)
{
	struct fdb_config config = { .max_entries = N_STATIONS,
				     .age_s = 300,
				     .seed = seed,
				     .max_controlled = MAX_CONTROLLED,
				     .fastpath = fdb_place };
	struct model m = { .fdb = fdb_create(&config),
			   .age_s = 300,
			   .max_controlled = MAX_CONTROLLED };

	random_state = seed * 0x9e3779b97f4a7c15;
	m.listener.change = note_change;
	fdb_tick(m.fdb, m.now_s);
	fdb_add_listener(m.fdb, &m.listener);
	for (unsigned n = 0; n < N_CALLS; n++) {
		uint32_t what = random_below(10000);

		if (what < 5000)
			learn(&m);
		else if (what < 8500)
			look_up(&m);
		else if (what < 9000)
			add_or_delete(&m);
		else if (what < 9950)
			add_or_delete_controlled(&m);
		else if (what < 9990)
			pass_time(&m);
		else if (what < 9994)
			flush(&m);
		else if (what < 9998)
			change_settings(&m);
		else
			check_all(&m);
	}
	check_all(&m);
	fdb_destroy(m.fdb);
}

static void test_model(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

	return RUN_IN_BOTH_PLACES(tests);
}
