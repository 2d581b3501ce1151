/* Frames for the control thread: which, at what pace, and by whose room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "base/ticks.h"
#include "bond/bond_table.h"
#include "forward/policies.h"
#include "forward/punt.h"
#include "packet/parse.h"
#include "policy/acl.h"
#include "tests/unit/switch_fixture.h"

#define ALL ((1 << N_PUNT_KINDS) - 1)

struct lab {
	struct fixture *f;
	struct fwd_bridge *br;
	struct fixture_port *a, *b;
	struct punt_ring *ring;
	struct punt punt;
};

static struct lab *lab_create(const struct vlan_config *vlan)
{
	struct lab *l = xcalloc(1, sizeof(*l));

	ticks_init();
	l->f = fixture_create();
	l->br = fixture_bridge(l->f, "br0");
	l->a = fixture_port(l->f, l->br, vlan);
	l->b = fixture_port(l->f, l->br, NULL);
	l->ring = punt_ring_create();
	l->punt.ring = l->ring;
	l->punt.id = 5;
	l->a->fwd->punt = &l->punt;
	l->a->fwd->punts = ALL;
	return l;
}

static void lab_destroy(struct lab *l)
{
	fixture_destroy(l->f);
	punt_ring_destroy(l->ring);
	free(l);
}

struct seen {
	unsigned n, kinds[N_PUNT_KINDS];
	struct punt_record last;
	uint8_t data[2048];
};

static void see(const struct punt_record *r, void *seen_)
{
	struct seen *seen = seen_;

	seen->n++;
	seen->kinds[r->kind]++;
	seen->last = *r;
	memcpy(seen->data, r->data, r->len);
}

static struct seen read_all(struct lab *l)
{
	struct seen seen = { 0 };

	punt_ring_read(l->ring, 1000000, see, &seen);
	return seen;
}

/* Sends a frame to dst in; what follows the source address is given. */
static void inject(struct lab *l, struct fixture_port *in, uint64_t dst,
		   const void *rest, size_t n)
{
	uint8_t frame[2048] = { 0 };

	store_be16(frame, dst >> 32);
	store_be32(frame + 2, dst);
	frame[6] = 2;
	frame[11] = 1;
	memcpy(frame + 12, rest, n);
	fixture_frame(l->f, in, frame, MAX(60, 12 + n));
}

#define REST(...)                                                              \
	((const uint8_t[]){ __VA_ARGS__ }),                                    \
		sizeof((const uint8_t[]){ __VA_ARGS__ })
#define LACP_MAC 0x0180c2000002
#define LACP	 REST(0x88, 0x09, 1)
#define SNAP	 0, 20, 0xaa, 0xaa, 3, 0, 0, 0x0c

static void each_protocol_is_known(void **state)
{
	static const struct {
		uint64_t dst;
		uint8_t rest[16];
		int kind; /* -1: not punted */
	} cases[] = {
		{ LACP_MAC, { 0x88, 0x09, 1 }, PUNT_SLOW },
		{ LACP_MAC, { 0x81, 0, 0xe0, 0, 0x88, 0x09 }, PUNT_SLOW },
		{ LACP_MAC, { 0x81, 0, 0, 5, 0x88, 0x09 }, -1 },
		{ LACP_MAC, { 0x08, 0x00 }, -1 },
		{ 0x0180c2000003, { 0x88, 0x09, 1 }, -1 },
		{ 0x0180c200000e, { 0x88, 0xcc }, PUNT_LLDP },
		{ 0x0180c2000003, { 0x88, 0xcc }, PUNT_LLDP },
		{ 0x0180c2000000, { 0x88, 0xcc }, PUNT_LLDP },
		{ 0x0180c2000001, { 0x88, 0xcc }, -1 },
		{ 0x01000ccccccc, { SNAP, 0x20, 0 }, PUNT_CDP },
		{ 0x01000ccccccc, { SNAP, 0x20, 3 }, -1 }, /* VTP */
		{ 0xffffffffffff, { 0x88, 0xb5 }, -1 },
		{ 0x020000000002, { 0x88, 0xb5 }, -1 },
	};
	struct lab *l = lab_create(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen seen;

		fixture_forget(l->f);
		inject(l, l->a, cases[i].dst, cases[i].rest, 16);
		seen = read_all(l);
		assert_int_equal(seen.n, cases[i].kind >= 0);
		if (!seen.n)
			continue;
		assert_int_equal(seen.last.kind, cases[i].kind);
		assert_int_equal(seen.last.id, 5);
		assert_int_equal(seen.last.len, 60);
		assert_memory_equal(seen.data + 12, cases[i].rest, 16);
		assert_int_equal(l->b->n_sent, 0); /* it ends here */
	}
	lab_destroy(l);
}

/* By their identity; what others send is not ours to take. */
static void beacons_of_others_go_on(void **state)
{
	struct beacon beacon = { .mac = 0x020000000001, .sequence = 1 };
	struct lab *l = lab_create(NULL);
	uint8_t frame[BEACON_FRAME_LEN];

	(void)state;
	l->a->fwd->beacons = 77;
	/* So many bonds of other switches probe that network. */
	for (unsigned i = 0; i < 200; i++) {
		beacon.identity = 1000 + i;
		beacon_write(&beacon, frame);
		fixture_frame(l->f, l->a, frame, sizeof(frame));
	}
	assert_int_equal(l->b->n_sent, 200);
	assert_int_equal(read_all(l).n, 0);
	beacon.identity = 77;
	beacon_write(&beacon, frame);
	fixture_frame(l->f, l->a, frame, sizeof(frame));
	assert_int_equal(read_all(l).kinds[PUNT_BEACON], 1);
	assert_int_equal(l->b->n_sent, 200);
	/* Nor where the port takes none. */
	l->a->fwd->punts &= ~(1u << PUNT_BEACON);
	fixture_frame(l->f, l->a, frame, sizeof(frame));
	assert_int_equal(l->b->n_sent, 201);
	lab_destroy(l);
}

static void a_port_punts_what_it_is_told_to(void **state)
{
	struct lab *l = lab_create(NULL);
	struct port_counters c;

	(void)state;
	l->a->fwd->punts = 1 << PUNT_LLDP;
	inject(l, l->a, LACP_MAC, LACP);
	inject(l, l->b, LACP_MAC, LACP);
	assert_int_equal(read_all(l).n, 0);
	assert_int_equal(fixture_drops(l->a, DROP_LINK_LOCAL), 1);
	assert_int_equal(fixture_drops(l->b, DROP_LINK_LOCAL), 1);
	/* What is taken is received, and no drop. */
	inject(l, l->a, 0x0180c200000e, REST(0x88, 0xcc));
	assert_int_equal(read_all(l).n, 1);
	port_get_counters(l->a->port, &c);
	assert_int_equal(c.rx_packets, 2);
	assert_int_equal(fixture_drops(l->a, DROP_LINK_LOCAL), 1);
	lab_destroy(l);
}

static void protocols_need_no_vlan_and_pass_filters(void **state)
{
	static struct vlan_set only_10;
	const struct vlan_config vlan = { .mode = VLAN_TRUNK,
					  .trunks = &only_10 };
	struct lab *l = lab_create(&vlan);

	(void)state;
	vlan_set_add(&only_10, 10);
	l->a->fwd->filter = FWD_FILTER_ALL;
	inject(l, l->a, LACP_MAC, LACP);
	assert_int_equal(read_all(l).n, 1);
	lab_destroy(l);
}

static void neighbors_are_copied(void **state)
{
	const uint8_t ns[] = { 0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255 };
	uint8_t icmp[72] = { 0 };
	struct lab *l = lab_create(NULL);
	struct seen seen;

	(void)state;
	inject(l, l->a, MAC_BROADCAST, REST(0x81, 0, 0, 7, 8, 6, 0, 1));
	seen = read_all(l);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.last.kind, PUNT_NEIGHBOR);
	assert_int_equal(seen.last.vid, 7);
	assert_int_equal(l->b->n_sent, 1); /* it goes on */
	inject(l, l->a, MAC_BROADCAST, REST(8, 6, 0, 1));
	assert_int_equal(read_all(l).last.vid, 0);
	inject(l, l->a, MAC_BROADCAST, REST(8, 0, 0x45));
	inject(l, l->a, 0x020000000002, REST(8, 6, 0, 1));
	inject(l, l->b, MAC_BROADCAST, REST(8, 6, 0, 1)); /* not asked there */
	assert_int_equal(read_all(l).n, 0);
	memcpy(icmp, ns, sizeof(ns));
	icmp[42] = 135;
	inject(l, l->a, 0x3333ff000001, icmp, sizeof(icmp));
	icmp[42] = 136;
	inject(l, l->a, 0x333300000001, icmp, sizeof(icmp));
	assert_int_equal(read_all(l).n, 2);
	icmp[46] = 0x40; /* asked for */
	inject(l, l->a, 0x333300000001, icmp, sizeof(icmp));
	icmp[42] = 134;
	inject(l, l->a, 0x333300000001, icmp, sizeof(icmp));
	assert_int_equal(read_all(l).n, 0);
	lab_destroy(l);
}

#define STATION_B 0x020000000002 /* known behind b */

/* An advertisement to STATION_B in frame; returns its length. */
static size_t make_answer6(uint8_t *frame)
{
	static const uint8_t na[] = { 2, 0, 0, 0,  0,	 2,    2,    0,
				      0, 0, 0, 1,  0x86, 0xdd, 0x60, 0,
				      0, 0, 0, 32, 58,	 255 };

	memset(frame, 0, 86);
	memcpy(frame, na, sizeof(na));
	frame[54] = 136;
	frame[58] = 0x60; /* asked for */
	return 86;
}

static size_t make_answer4(uint8_t *frame)
{
	static const uint8_t reply[] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0,
					 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 };

	memset(frame, 0, 60);
	memcpy(frame, reply, sizeof(reply));
	return 60;
}

/* A TCP packet of the same flow. */
static size_t make_plain(uint8_t *frame)
{
	make_answer6(frame);
	frame[20] = 6;
	return 86;
}

/* Each way through the pipeline; the frames go on in any case. */
static void answers_are_copied(void **state)
{
	static const unsigned sizes[] = { 1, 33, 39, 65 };
	uint8_t plain[128], a4[128], a6[128];
	struct iovec iov[65];
	struct lab *l = lab_create(NULL);

	(void)state;
	make_plain(plain);
	make_answer4(a4);
	make_answer6(a6);
	for (unsigned known = 0; known < 2; known++) {
		if (known)
			fdb_learn(l->br->fdb, fdb_make_key(STATION_B, 0),
				  l->b->fwd->number);
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			unsigned n = sizes[i];

			for (unsigned k = 0; k < n; k++)
				iov[k] = (struct iovec){ plain, 86 };
			fixture_forget(l->f);
			atomic_store(&l->punt.due[PUNT_NEIGHBOR], 0);
			l->a->fwd->punts = ALL | PUNT_ANSWERS;
			fixture_burst(l->f, l->a, iov, n);
			assert_int_equal(read_all(l).n, 0);
			iov[n / 2] = (struct iovec){ a4, 60 };
			fixture_burst(l->f, l->a, iov, n);
			assert_int_equal(read_all(l).kinds[PUNT_NEIGHBOR], 1);
			iov[n / 2] = (struct iovec){ a6, 86 };
			fixture_burst(l->f, l->a, iov, n);
			assert_int_equal(read_all(l).kinds[PUNT_NEIGHBOR], 1);
			/* Nobody wants them. */
			l->a->fwd->punts = ALL;
			fixture_burst(l->f, l->a, iov, n);
			assert_int_equal(read_all(l).n, 0);
			assert_int_equal(l->b->n_sent, 4 * n);
		}
	}
	lab_destroy(l);
}

/* In a VLAN; requests to one station, and what is cut short, are not. */
static void which_answers_are_copied(void **state)
{
	struct lab *l = lab_create(NULL);
	struct seen seen;

	(void)state;
	l->a->fwd->punts = ALL | PUNT_ANSWERS;
	inject(l, l->a, STATION_B,
	       REST(0x81, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2));
	seen = read_all(l);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.last.vid, 7);
	inject(l, l->a, STATION_B, REST(8, 6, 0, 1, 8, 0, 6, 4, 0, 1));
	inject(l, l->a, STATION_B, REST(8, 0, 0, 1, 8, 0, 6, 4, 0, 2));
	assert_int_equal(read_all(l).n, 0);
	/* To all: once. */
	inject(l, l->a, MAC_BROADCAST, REST(8, 6, 0, 1, 8, 0, 6, 4, 0, 2));
	assert_int_equal(read_all(l).n, 1);
	lab_destroy(l);
}

static void what_is_not_admitted_is_not_copied(void **state)
{
	const struct vlan_config access = { .mode = VLAN_ACCESS, .tag = 3 };
	struct lab *l = lab_create(&access);

	(void)state;
	inject(l, l->a, MAC_BROADCAST, REST(0x81, 0, 0, 7, 8, 6, 0, 1));
	assert_int_equal(read_all(l).n, 0);
	inject(l, l->a, MAC_BROADCAST, REST(8, 6, 0, 1));
	assert_int_equal(read_all(l).last.vid, 3);
	lab_destroy(l);
}

/* --- the pace ---------------------------------------------------------------
 */

static void a_burst_passes_and_then_no_more(void **state)
{
	struct lab *l = lab_create(NULL);
	unsigned n;

	(void)state;
	l->f->traces = false; /* time is short */
	for (unsigned i = 0; i < 1000; i++)
		inject(l, l->a, LACP_MAC, LACP);
	/* However long that took: a second gives PUNT_RATE more. */
	n = read_all(l).n;
	assert_true(n >= PUNT_BURST);
	assert_int_equal(n + fixture_drops(l->a, DROP_PUNT_LIMITED), 1000);
	/* Other kinds have their own pace. */
	inject(l, l->a, 0x0180c200000e, REST(0x88, 0xcc));
	assert_int_equal(read_all(l).n, 1);
	/* Time passes. */
	atomic_store(&l->punt.due[PUNT_SLOW], 0);
	inject(l, l->a, LACP_MAC, LACP);
	assert_int_equal(read_all(l).n, 1);
	lab_destroy(l);
}

static void the_pace_is_exact(void **state)
{
	struct lab *l = lab_create(NULL);
	uint64_t hour = 3600 * ticks_per_second(), due;

	(void)state;
	inject(l, l->a, LACP_MAC, LACP);
	due = atomic_load(&l->punt.due[PUNT_SLOW]);
	/* Half a burst ahead: it may come, and is charged one interval. */
	due += ticks_per_second() / PUNT_RATE * (PUNT_BURST / 2);
	atomic_store(&l->punt.due[PUNT_SLOW], due);
	inject(l, l->a, LACP_MAC, LACP);
	assert_int_equal(atomic_load(&l->punt.due[PUNT_SLOW]),
			 due + ticks_per_second() / PUNT_RATE);
	assert_int_equal(read_all(l).n, 2);
	/* A clock that was set back does not stop it for good. */
	atomic_store(&l->punt.due[PUNT_SLOW], ticks_now() + hour);
	inject(l, l->a, LACP_MAC, LACP);
	assert_int_equal(read_all(l).n, 1);
	lab_destroy(l);
}

/* --- room --------------------------------------------------------------------
 */

static void others_leave_room_for_links(void **state)
{
	uint8_t lldp[1400] = { 0x88, 0xcc };
	struct lab *l = lab_create(NULL);
	struct punt other = { .ring = l->ring, .id = 6 };
	unsigned full = 0;

	(void)state;
	l->f->traces = false; /* time is short */
	l->b->fwd->punt = &other;
	l->b->fwd->punts = ALL;
	for (unsigned i = 0; i < 10000; i++) {
		atomic_store(&other.due[PUNT_LLDP], 0);
		atomic_store(&other.due[PUNT_NEIGHBOR], 0);
		inject(l, l->b, 0x0180c200000e, lldp, sizeof(lldp));
		inject(l, l->b, MAC_BROADCAST, REST(8, 6, 0, 1));
	}
	full = fixture_drops(l->b, DROP_PUNT_FULL);
	assert_true(full > 5000);
	for (unsigned i = 0; i < PUNT_BURST; i++)
		inject(l, l->a, LACP_MAC, LACP);
	assert_int_equal(fixture_drops(l->a, DROP_PUNT_FULL), 0);
	assert_int_equal(read_all(l).kinds[PUNT_SLOW], PUNT_BURST);
	/* And there is room again. */
	atomic_store(&other.due[PUNT_LLDP], 0);
	inject(l, l->b, 0x0180c200000e, lldp, sizeof(lldp));
	assert_int_equal(read_all(l).n, 1);
	assert_int_equal(fixture_drops(l->b, DROP_PUNT_FULL), full);
	lab_destroy(l);
}

static void long_frames_are_cut(void **state)
{
	uint8_t rest[1500] = { 0x88, 0x09, 1 };
	struct lab *l = lab_create(NULL);
	struct seen seen;

	(void)state;
	inject(l, l->a, LACP_MAC, rest, sizeof(rest));
	seen = read_all(l);
	assert_int_equal(seen.n, 1);
	assert_in_range(seen.last.len, 128, PUNT_BYTES_MAX);
	lab_destroy(l);
}

/* --- threads
 * ------------------------------------------------------------------ */

#define THREADS	   4
#define PER_THREAD 20000

struct puller {
	struct punt_ring *ring;
	unsigned got;
};

static void count(const struct punt_record *r, void *puller_)
{
	struct puller *p = puller_;

	assert_int_equal(r->len, 124);
	for (unsigned i = 14; i < r->len; i++)
		assert_int_equal(r->data[i], r->data[14]);
	p->got++;
}

static _Atomic unsigned running;

static void *push(void *punt_)
{
	struct punt *punt = punt_;
	uint8_t frame[124];
	uintptr_t done = 0;
	struct packet p;

	for (unsigned i = 0; i < PER_THREAD; i++) {
		memset(frame, (int)i, sizeof(frame));
		packet_init(&p, frame, sizeof(frame));
		atomic_store(&punt->due[PUNT_SLOW], 0);
		done += punt_packet(punt, &p, PUNT_SLOW, 0) == PUNT_DONE;
	}
	atomic_fetch_sub(&running, 1);
	return (void *)done;
}

/* The reader sleeps on the descriptor and misses nothing. */
static void many_threads_and_a_sleeper(void **state)
{
	struct puller puller = { .ring = punt_ring_create() };
	struct pollfd fd = { punt_ring_fd(puller.ring), POLLIN, 0 };
	struct punt punts[THREADS];
	pthread_t threads[THREADS];
	uintptr_t done = 0, one;

	(void)state;
	ticks_init();
	atomic_store(&running, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		memset(&punts[i], 0, sizeof(punts[i]));
		punts[i].ring = puller.ring;
		pthread_create(&threads[i], NULL, push, &punts[i]);
	}
	while (atomic_load(&running)) {
		assert_true(poll(&fd, 1, 10) >= 0);
		punt_ring_read(puller.ring, 50, count, &puller);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], (void **)&one);
		done += one;
	}
	while (poll(&fd, 1, 0) == 1)
		punt_ring_read(puller.ring, 50, count, &puller);
	assert_int_equal(puller.got, done);
	punt_ring_destroy(puller.ring);
}

/* What lists forbid at departure, and what ports that are set apart send. */
static void what_policies_forbid_is_told(void **state)
{
	struct lab *l = lab_create(NULL);
	struct acl *none = acl_create(NULL, 0, false, 1, NULL);
	struct seen seen;

	(void)state;
	fwd_port_egress(l->a->fwd)->acl = none;
	inject(l, l->b, MAC_BROADCAST, REST(0x88, 0xb5));
	seen = read_all(l);
	assert_int_equal(seen.kinds[PUNT_VIOLATION], 1);
	assert_int_equal(seen.last.note, DROP_ACL_OUT);
	fwd_port_egress(l->a->fwd)->acl = NULL;

	inject(l, l->b, MAC_BROADCAST, REST(0x88, 0xb5));
	assert_int_equal(read_all(l).kinds[PUNT_VIOLATION], 0);
	/* The station of inject() is behind b now, and both are set apart. */
	l->a->fwd->apart = l->b->fwd->apart = FWD_ISOLATED;
	inject(l, l->a, MAC_BROADCAST, REST(0x88, 0xb5));
	seen = read_all(l);
	assert_int_equal(seen.kinds[PUNT_VIOLATION], 1);
	assert_int_equal(seen.last.note, DROP_ISOLATED);
	acl_destroy(none);
	lab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_protocol_is_known),
		cmocka_unit_test(beacons_of_others_go_on),
		cmocka_unit_test(a_port_punts_what_it_is_told_to),
		cmocka_unit_test(protocols_need_no_vlan_and_pass_filters),
		cmocka_unit_test(neighbors_are_copied),
		cmocka_unit_test(answers_are_copied),
		cmocka_unit_test(which_answers_are_copied),
		cmocka_unit_test(what_is_not_admitted_is_not_copied),
		cmocka_unit_test(a_burst_passes_and_then_no_more),
		cmocka_unit_test(the_pace_is_exact),
		cmocka_unit_test(others_leave_room_for_links),
		cmocka_unit_test(long_frames_are_cut),
		cmocka_unit_test(what_policies_forbid_is_told),
		cmocka_unit_test(many_threads_and_a_sleeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
