/*
 * Running overlays: remote VTEPs and who says so, flood lists, learned ones and
 * their end, stations that are put behind them, addresses that are answered
 * for.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "overlay_lab.h"
#include "forward/punt.h"
#include "packet/csum.h"
#include "vswd/overlay_evpn_internal.h"

#define BASE	"remote_ip=flow underlay=up local_ip=10.9.0.1/16 "
#define FIXED	BASE "key=7 "
#define MAPPED	BASE "key=flow vni-map=10=1010,20=1020 "
#define STATION 0x525400001000 /* and those after it */

static struct overlay_lab lab;

static int setup(void **state)
{
	olab_setup(&lab, FIXED "remotes=10.9.0.2,10.9.0.3", 1500);
	lab.vs->now_s = 1000;
	return 0;
}

static int teardown(void **state)
{
	olab_teardown(&lab);
	return 0;
}

static void configure(const char *options)
{
	olab_configure(&lab, options, 1500, NULL);
}

/* 10.9.0.0 and n more. */
static struct ip_address address(uint32_t n)
{
	return ip_address_v4(0x0a090000 + n);
}

static struct overlay_remote *find(uint32_t n)
{
	struct ip_address ip = address(n);

	return overlay_remote_find(lab.o, &ip);
}

static struct overlay_remote *add(uint32_t n, enum vtep_origin origin)
{
	struct ip_address ip = address(n);

	return overlay_remote_add(lab.o, &ip, origin, NULL);
}

static unsigned n_flooded(uint32_t vni)
{
	struct vtep_table *table = vtep_table_new(lab.o->map);
	unsigned n;

	vtep_table_flood(table, vtep_table_vlan(table, vni), &n);
	free(table);
	return n;
}

static struct fdb *fdb(void)
{
	return lab.o->v->bridge->fdb;
}

/* --- remotes ---------------------------------------------------------------
 */

static void test_configured(void **state)
{
	struct overlay_remote *a = find(2), *b = find(3);

	assert_int_equal(lab.o->n_remotes, 2);
	assert_int_not_equal(a->number, b->number);
	assert_int_not_equal(a->number, lab.o->v->number);
	assert_ptr_equal(bridge_find_number(lab.o->v->bridge, a->number),
			 lab.o->v);
	assert_ptr_equal(bridge_remote_by_number(lab.o->v->bridge, b->number),
			 b);
	assert_int_equal(n_flooded(7), 2);
	assert_non_null(lab.o->fwd);
	assert_int_equal(lab.o->fwd->n_remotes, 2);
	assert_int_equal(lab.o->fwd->remotes[a->index]->number, a->number);
}

/* What was known by its number goes with it, and others keep their indices. */
static void test_one_goes(void **state)
{
	fdb_key gone = fdb_make_key(STATION, 0);
	struct overlay_remote *b = find(3);
	uint16_t number = find(2)->number;
	uint32_t index = b->index;

	fdb_learn(fdb(), gone, number);
	fdb_learn(fdb(), fdb_make_key(STATION + 1, 0), b->number);
	configure(FIXED "remotes=10.9.0.3");
	assert_ptr_equal(find(3), b);
	assert_int_equal(b->index, index);
	assert_null(find(2));
	assert_int_equal(n_flooded(7), 1);
	assert_int_equal(fdb_lookup(fdb(), gone), FDB_NONE);
	assert_int_equal(fdb_lookup(fdb(), fdb_make_key(STATION + 1, 0)),
			 b->number);
	assert_null(bridge_remote_by_number(lab.o->v->bridge, number));
	/* Its place and number are had by the next. */
	configure(FIXED "remotes=10.9.0.3,10.9.0.4");
	assert_int_equal(find(4)->number, number);
	assert_int_not_equal(find(4)->index, index);
	assert_int_equal(lab.o->n_indices, 2);
}

static const char *first_origin(unsigned i)
{
	static char word[16];
	json_t *json = overlay_to_json(lab.o);
	const json_t *list = json_object_get(
		json_array_get(json_object_get(json, "remotes"), i), "origins");

	assert_int_equal(json_array_size(list), 1);
	snprintf(word, sizeof(word), "%s",
		 json_string_value(json_array_get(list, 0)));
	json_decref(json);
	return word;
}

/* A row of Remote_MAC names a remote that no list has: it gets no floods. */
static void test_remote_of_a_row(void **state)
{
	add(9, VTEP_STATIC);
	assert_string_equal(first_origin(0), "static");
	assert_string_equal(first_origin(2), "mac");
	assert_int_equal(n_flooded(7), 2);
}

static void test_who_says_so(void **state)
{
	struct overlay_remote *a = add(2, VTEP_CONTROLLER), *c;

	assert_int_equal(a->origins, VTEP_STATIC | VTEP_CONTROLLER);
	configure(FIXED "remotes=10.9.0.3");
	assert_ptr_equal(find(2), a);
	assert_int_equal(n_flooded(7), 1);
	overlay_flood_add(lab.o, 7, a, VTEP_CONTROLLER);
	assert_int_equal(n_flooded(7), 2);
	c = add(9, VTEP_CONTROLLER);
	overlay_flood_add(lab.o, 7, c, VTEP_CONTROLLER);
	assert_int_equal(n_flooded(7), 3);
	overlay_remote_drop(lab.o, c, VTEP_STATIC); /* never said so */
	assert_ptr_equal(find(9), c);
	overlay_remote_drop(lab.o, c, VTEP_CONTROLLER);
	overlay_remote_drop(lab.o, a, VTEP_CONTROLLER);
	assert_int_equal(n_flooded(7), 1);
	assert_int_equal(lab.o->n_remotes, 1);
}

static void test_ourselves(void **state)
{
	struct ip_address self = address(1), other = { .len = 16 };
	char *why = NULL;

	assert_null(overlay_remote_add(lab.o, &self, VTEP_CONTROLLER, &why));
	assert_non_null(strstr(why, "our own"));
	free(why);
	why = NULL;
	other.bytes[0] = 0xfd;
	assert_null(overlay_remote_add(lab.o, &other, VTEP_CONTROLLER, &why));
	assert_non_null(strstr(why, "IPv4"));
	free(why);
}

static void test_as_many_as_there_may_be(void **state)
{
	char *why = NULL;
	struct ip_address ip = address(9999);

	for (uint32_t i = 2; lab.o->n_remotes < OVERLAY_REMOTES_MAX; i++)
		assert_non_null(add(i, VTEP_CONTROLLER));
	assert_null(overlay_remote_add(lab.o, &ip, VTEP_CONTROLLER, &why));
	assert_non_null(strstr(why, "no more"));
	free(why);
	olab_run(&lab);
	assert_int_equal(lab.o->fwd->n_remotes, OVERLAY_REMOTES_MAX);
	for (uint32_t i = 2; i < OVERLAY_REMOTES_MAX + 2; i++)
		overlay_remote_drop(lab.o, find(i), VTEP_CONTROLLER);
	olab_run(&lab);
	assert_int_equal(lab.o->n_remotes, 2);
	assert_int_equal(lab.o->fwd->n_remotes, 2);
}

/* --- VNIs by VLANs ---------------------------------------------------------
 */

static void test_map_changes(void **state)
{
	struct overlay_remote *r;

	lab.trunk = true;
	configure(MAPPED "remotes=10.9.0.2");
	r = add(5, VTEP_CONTROLLER);
	assert_int_equal(overlay_flood_add(lab.o, 1010, r, VTEP_CONTROLLER), 0);
	assert_int_equal(overlay_flood_add(lab.o, 4711, r, VTEP_CONTROLLER),
			 -ENOENT);
	assert_int_equal(n_flooded(1010), 2);
	assert_int_equal(n_flooded(1020), 1);
	configure(BASE "key=flow vni-map=11=1010,30=1030 remotes=10.9.0.2");
	assert_ptr_equal(find(5), r);
	assert_int_equal(n_flooded(1010), 2);
	assert_int_equal(n_flooded(1030), 1);
	assert_int_equal(vtep_map_vlan(lab.o->map, 1010), 11);
	assert_int_equal(vtep_map_vlan(lab.o->map, 1020), VTEP_NO_VLAN);
	assert_int_equal(overlay_fid(lab.o, 11), 11);
	assert_int_equal(overlay_fid(lab.o, 10), -1);
	assert_int_equal(overlay_vid(lab.o, 30), 30);
}

/* --- learned VTEPs ---------------------------------------------------------
 */

static void test_strangers_are_bounded(void **state)
{
	for (uint32_t i = 100; i < 700; i++) {
		struct ip_address ip = address(i);

		overlay_learn_remote(lab.o, 7, &ip);
		overlay_learn_remote(lab.o, 7, &ip); /* told twice */
	}
	assert_int_equal(lab.o->n_learned, VTEP_LEARNED_MAX);
	assert_int_equal(lab.o->n_remotes, VTEP_LEARNED_MAX + 2);
	assert_int_equal(n_flooded(7), VTEP_LEARNED_MAX + 2);
	assert_int_equal(lab.o->remote_refused, 2 * (600 - VTEP_LEARNED_MAX));
	/* Who is configured has room. */
	configure(FIXED "remotes=10.9.0.2,10.9.0.3,10.9.0.4");
	assert_non_null(find(4));
	configure(FIXED "remotes=10.9.0.2,10.9.0.3 learning=false");
	assert_int_equal(lab.o->n_learned, 0);
	assert_int_equal(lab.o->n_remotes, 2);
}

static void test_silent_ones_are_forgotten(void **state)
{
	struct ip_address quiet = address(100), busy = address(101);
	struct overlay_remote *r;

	overlay_learn_remote(lab.o, 7, &quiet);
	overlay_learn_remote(lab.o, 7, &busy);
	r = find(101);
	fdb_learn(fdb(), fdb_make_key(STATION, 0), r->number);
	lab.vs->now_s += FDB_AGE_DEFAULT;
	overlay_learn_tick(lab.o);
	assert_non_null(find(100));
	lab.vs->now_s++;
	overlay_learn_tick(lab.o);
	assert_null(find(100));
	assert_ptr_equal(find(101), r);
	assert_non_null(find(2));
	fdb_flush(fdb(), r->number, -1);
	lab.vs->now_s += FDB_AGE_DEFAULT + 1;
	overlay_learn_tick(lab.o);
	assert_null(find(101));
	assert_int_equal(lab.o->n_learned, 0);
	assert_int_equal(n_flooded(7), 2);
}

/* It has the VNIs in which stations are heard behind it. */
static void test_learned_by_vni(void **state)
{
	struct ip_address ip = address(100);
	struct overlay_remote *r;

	lab.trunk = true;
	configure(MAPPED "remotes=10.9.0.2");
	overlay_learn_remote(lab.o, 1010, &ip);
	assert_int_equal(n_flooded(1010), 2);
	assert_int_equal(n_flooded(1020), 1);
	r = find(100);
	fdb_learn(fdb(), fdb_make_key(STATION, 20), r->number);
	fdb_drain_changes(fdb());
	assert_int_equal(n_flooded(1020), 2);
	fdb_learn(fdb(), fdb_make_key(STATION, 99), r->number);
	fdb_drain_changes(fdb());
}

static void test_group_has_the_floods(void **state)
{
	struct ip_address ip = address(100);

	configure(FIXED "group=239.1.1.1");
	assert_int_equal(n_flooded(7), 1);
	overlay_learn_remote(lab.o, 7, &ip);
	assert_non_null(find(100));
	assert_int_equal(n_flooded(7), 1);
}

/* --- stations --------------------------------------------------------------
 */

static void test_stations(void **state)
{
	fdb_key key = fdb_make_key(STATION, 0);
	struct overlay_remote *a = find(2), *b = find(3);

	assert_int_equal(
		overlay_mac_add(lab.o, 0, STATION, a, false, VTEP_CONTROLLER),
		0);
	assert_int_equal(fdb_lookup(fdb(), key), a->number);
	assert_int_equal(
		overlay_mac_add(lab.o, 0, STATION, b, false, VTEP_CONTROLLER),
		0);
	assert_int_equal(fdb_lookup(fdb(), key), b->number);
	/* Heard here: withdrawing it does not take that away. */
	fdb_learn(fdb(), key, lab.vm1.v->number);
	overlay_mac_drop(lab.o, 0, STATION, VTEP_CONTROLLER);
	assert_int_equal(fdb_lookup(fdb(), key), lab.vm1.v->number);
	assert_int_equal(
		overlay_mac_add(lab.o, 9, STATION, a, false, VTEP_CONTROLLER),
		-EINVAL);
}

static void test_many_stations(void **state)
{
	struct fdb_stats stats;

	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(overlay_mac_add(lab.o, 0, STATION + i, find(2),
						 i % 2, VTEP_CONTROLLER),
				 0);
	olab_run(&lab);
	fdb_get_stats(fdb(), &stats);
	assert_int_equal(stats.controlled_entries, 20000);
	for (unsigned i = 0; i < 20000; i++)
		overlay_mac_drop(lab.o, 0, STATION + i, VTEP_CONTROLLER);
	fdb_get_stats(fdb(), &stats);
	assert_int_equal(stats.controlled_entries, 0);
	assert_int_equal(lab.o->mac_refused, 0);
}

/* --- addresses -------------------------------------------------------------
 */

/* A machine that only answers one other is heard, too. */
static void test_answers(void **state)
{
	struct ip_address ip = ip_address_v4(0x0a140009);
	uint8_t frame[64];
	size_t len;

	assert_true(lab.vm1.v->fwd->punts & PUNT_ANSWERS);
	assert_true(lab.o->v->fwd->punts & PUNT_ANSWERS);
	assert_false(lab.eth0.v->fwd->punts & PUNT_ANSWERS);
	overlay_pair_heard(lab.o, 0, &ip, STATION, false);
	assert_int_equal(suppress_count(lab.o->suppress), 1);
	len = olab_arp(frame, 2, OLAB_VM, 0x0a140009, 0x0a140001);
	olab_send(&lab, &lab.vm1, frame, len);
	assert_int_equal(suppress_count(lab.o->suppress), 0);
}

/* The flags of the advertisement that answers for fd00::1; 0: none does. */
static uint8_t answer_flags(void)
{
	static const uint8_t target[16] = { 0xfd, [15] = 1 };
	uint8_t frame[86] = { 0 }, room[SUPPRESS_FRAME_MAX];
	uint8_t *ip = frame + 14;
	struct packet p;

	olab_put_mac(frame, 0x3333ff000001);
	olab_put_mac(frame + 6, OLAB_VM);
	store_be16(frame + 12, 0x86dd);
	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = 58;
	ip[7] = 255;
	ip[8] = 0xfd;
	ip[23] = 9;
	memcpy(ip + 24, (uint8_t[16]){ 0xff, 2, [11] = 1, 0xff, [15] = 1 }, 16);
	ip[40] = 135;
	memcpy(ip + 48, target, 16);
	ip[64] = 1;
	ip[65] = 1;
	olab_put_mac(ip + 66, OLAB_VM);
	csum_store(ip + 42, csum_combine(csum_pseudo6(ip, 58, 32),
					 csum_add(0, ip + 40, 32)));
	packet_init(&p, frame, sizeof(frame));
	packet_pull_first(&p);
	if (!suppress_answer(lab.o->suppress, 0, &p, room))
		return 0;
	assert_true(load_mac(room + 6) == STATION);
	return room[14 + 44];
}

/* A router is answered for as one, by what FRR says. */
static void test_router(void **state)
{
	struct overlay_evpn evpn = { .overlay = lab.o };
	struct evpn_network n = { .evpn = &evpn };
	struct evpn_news news = { .type = EVPN_PAIR,
				  .mac = STATION,
				  .ip = { 16, { 0xfd, [15] = 1 } },
				  .router = true };

	assert_int_equal(answer_flags(), 0);
	evpn_take_news(&news, &n);
	assert_int_equal(answer_flags(), 0xe0);
	news.router = false;
	evpn_take_news(&news, &n);
	assert_int_equal(answer_flags(), 0x60);
	news.type = EVPN_PAIR_GONE;
	evpn_take_news(&news, &n);
	assert_int_equal(answer_flags(), 0);
}

static void test_addresses(void **state)
{
	struct ip_address ip = address(500);
	struct overlay_remote *a = find(2);

	fdb_learn(fdb(), fdb_make_key(STATION, 0), a->number);
	overlay_pair_heard(lab.o, 0, &ip, STATION, false);
	assert_int_equal(suppress_count(lab.o->suppress), 1);
	overlay_pair_set(lab.o, 0, &ip, STATION + 1);
	overlay_pair_heard(lab.o, 0, &ip, 0, true);
	assert_int_equal(suppress_count(lab.o->suppress), 1);
	overlay_pair_set(lab.o, 0, &ip, 0);
	assert_int_equal(suppress_count(lab.o->suppress), 0);
	/* Of one that is not known behind a VTEP any more. */
	overlay_pair_heard(lab.o, 0, &ip, STATION, false);
	overlay_pairs_tick(lab.o);
	assert_int_equal(suppress_count(lab.o->suppress), 1);
	fdb_flush(fdb(), a->number, -1);
	overlay_pairs_tick(lab.o);
	assert_int_equal(suppress_count(lab.o->suppress), 0);
	assert_int_equal(lab.o->pairs.n, 0);
}

/* What a station said goes with its entry, and can be seen until then. */
static void test_addresses_go_with_stations(void **state)
{
	struct ip_address ip = address(500), other = address(501);
	struct overlay_remote *a = find(2);
	fdb_key key = fdb_make_key(STATION, 0);
	json_t *json;

	lab.vs->now_s = 1001; /* not the time to look without a reason */
	fdb_learn(fdb(), key, a->number);
	overlay_pair_heard(lab.o, 0, &ip, STATION, false);
	overlay_pair_set(lab.o, 0, &other, STATION | SUPPRESS_ROUTER);
	json = overlay_pairs_to_json(lab.o);
	assert_int_equal(json_array_size(json), 2);
	for (unsigned i = 0; i < 2; i++) {
		const json_t *one = json_array_get(json, i);
		const char *origin =
			json_string_value(json_object_get(one, "origin"));
		const char *at =
			json_string_value(json_object_get(one, "address"));

		assert_string_equal(
			json_string_value(json_object_get(one, "mac")),
			"52:54:00:00:10:00");
		assert_string_equal(at, !strcmp(origin, "learned")
						? "10.9.1.244"
						: "10.9.1.245");
	}
	json_decref(json);
	fdb_delete(fdb(), key);
	overlay_pairs_tick(lab.o);
	assert_int_equal(lab.o->pairs.n, 2);
	overlays_fdb_change(lab.o->v->bridge, FDB_REMOVED, STATION, 0, 0,
			    a->number);
	overlay_pairs_tick(lab.o);
	assert_int_equal(lab.o->pairs.n, 1);
	/* By hand: at once. */
	fdb_learn(fdb(), key, a->number);
	overlay_pair_heard(lab.o, 0, &ip, STATION, false);
	assert_int_equal(lab.o->pairs.n, 2);
	fdb_flush(fdb(), a->number, -1);
	overlay_pairs_look(lab.o);
	assert_int_equal(lab.o->pairs.n, 1);
}

static void test_addresses_are_bounded(void **state)
{
	for (unsigned i = 0; i < 5000; i++) {
		struct ip_address ip = address(i);

		overlay_pair_heard(lab.o, 0, &ip, STATION, false);
	}
	assert_int_equal(suppress_count(lab.o->suppress), 4096);
	configure(FIXED "remotes=10.9.0.2 arp-suppression=false");
	assert_null(lab.o->suppress);
	assert_int_equal(lab.o->pairs.n, 0);
}

/* --- the port --------------------------------------------------------------
 */

static void test_port_goes(void **state)
{
	struct ip_address ip = address(100);

	overlay_learn_remote(lab.o, 7, &ip);
	overlay_mac_add(lab.o, 0, STATION, find(2), false, VTEP_CONTROLLER);
	configure(NULL);
	assert_null(lab.vs->overlays);
	assert_null(lab.vs->underlays);
	configure(FIXED "remotes=10.9.0.2");
	assert_int_equal(lab.o->n_remotes, 1);
	assert_int_equal(fdb_lookup(fdb(), fdb_make_key(STATION, 0)), FDB_NONE);
}

static void test_another_vni(void **state)
{
	struct ip_address ip = address(100);

	overlay_learn_remote(lab.o, 7, &ip);
	configure(BASE "key=8 remotes=10.9.0.2");
	assert_int_equal(lab.o->n_remotes, 1);
	assert_int_equal(n_flooded(8), 1);
	configure("remote_ip=10.9.0.5 underlay=up local_ip=10.9.0.1/16 key=8");
	assert_int_equal(lab.o->n_remotes, 1);
	assert_int_equal(find(5)->number, lab.o->v->number);
	configure("remote_ip=10.9.0.6 underlay=up local_ip=10.9.0.1/16 key=8");
	assert_int_equal(find(6)->number, lab.o->v->number);
	assert_null(find(5));
}

int main(void)
{
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_configured),
		T(test_one_goes),
		T(test_who_says_so),
		T(test_remote_of_a_row),
		T(test_ourselves),
		T(test_as_many_as_there_may_be),
		T(test_map_changes),
		T(test_strangers_are_bounded),
		T(test_silent_ones_are_forgotten),
		T(test_learned_by_vni),
		T(test_group_has_the_floods),
		T(test_stations),
		T(test_many_stations),
		T(test_router),
		T(test_answers),
		T(test_addresses),
		T(test_addresses_go_with_stations),
		T(test_addresses_are_bounded),
		T(test_port_goes),
		T(test_another_vni),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
