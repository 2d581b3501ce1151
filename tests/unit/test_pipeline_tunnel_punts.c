/*
 * What the pipeline leaves to the control thread of tunnels: frames that are
 * too big, remotes that nobody knows, what else comes to an underlay's station.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/parse.h"
#include "tests/unit/tunnel_lab.h"

static const struct vlan_config access10 = { .mode = VLAN_ACCESS, .tag = 10 };

static uint8_t frame[2048];
static uint32_t len;

/* It comes in by the VXLAN port, and the control thread hears of it. */
static void unknown_remote(void **state)
{
	struct tlab_options options = { .takes_unknown = true };
	struct tunnel_lab *l;
	struct tlab_punt punt;

	for (unsigned i = 0; i < 4; i++) {
		options.version = i % 2 ? 6 : 4;
		options.sockets = i >= 2;
		l = tlab_create(&options);
		tlab_learn(l, 1, 0, -1);
		len = make_frame(frame, 1, 9, NULL);
		tlab_arrives(l, 33, TUNNEL_VNI, frame, len);
		assert_int_equal(l->vm[0]->n_sent, 1);
		assert_int_equal(tlab_rx(l->vx), 1);
		assert_int_equal(fdb_lookup(l->overlay->fdb,
					    fdb_make_key(0x020000000009, 0)),
				 FDB_NONE);
		assert_int_equal(tlab_punts(l, &punt), 1);
		assert_int_equal(punt.record.kind, PUNT_TUNNEL);
		assert_int_equal(punt.record.id, 5);
		assert_int_equal(punt.record.gateway, 77);
		assert_int_equal(punt.note.what, TUNNEL_NEW_REMOTE);
		assert_int_equal(punt.note.vni, TUNNEL_VNI);
		assert_true(load_mac(punt.data + 6) == LAB_HOP(33));
		assert_in_range(punt.record.len, options.version == 4 ? 42 : 62,
				98);
		tlab_destroy(l);
	}
	options = (struct tlab_options){ 0 };
	l = tlab_create(&options);
	tlab_arrives(l, 33, TUNNEL_VNI, frame, len);
	assert_int_equal(tlab_punts(l, &punt), 0);
	assert_int_equal(fixture_drops(l->station, DROP_VXLAN_NO_REMOTE), 1);
	tlab_destroy(l);
}

/* Several of them in one burst, long and short: each is told once. */
static void unknown_remotes_in_a_burst(void **state)
{
	struct tlab_options options = { .takes_unknown = true };

	for (unsigned sockets = 0; sockets < 2; sockets++) {
		uint8_t frames[65][256], inner[TLAB_FRAME_MAX];
		struct iovec iov[65];
		struct tunnel_lab *l;
		struct tlab_punt punt;

		options.sockets = sockets;
		l = tlab_create(&options);
		tlab_learn(l, 1, 0, -1);
		for (unsigned i = 0; i < 65; i++) {
			len = tlab_numbered(inner, 1, 9, i, 0);
			len = tlab_outer(l,
					 i < 20	  ? 0
					 : i < 40 ? 30
					 : i < 60 ? 31
						  : 32,
					 TUNNEL_VNI, inner, len, frames[i]);
			iov[i] = (struct iovec){ frames[i], len };
		}
		fixture_burst(l->f, tlab_wire(l), iov, 65);
		assert_int_equal(l->vm[0]->n_sent, 65);
		assert_int_equal(tlab_rx(l->remotes[0]), 20);
		assert_int_equal(tlab_rx(l->vx), 45);
		assert_in_range(tlab_punts(l, &punt), 3, 45);
		assert_int_equal(punt.note.what, TUNNEL_NEW_REMOTE);
		assert_true(load_mac(punt.data + 6) == LAB_HOP(32));
		tlab_destroy(l);
	}
}

static void too_big_of(const struct tlab_options *options)
{
	struct tunnel_lab *l = tlab_create(options);
	const uint32_t tag10[] = { 0x8100000a, 0 };
	struct tlab_punt punt;
	uint8_t big[1600] = { 0 };
	/* A tag that stays in the frame takes room. */
	const unsigned fits = options->vlan || options->mapped ? 1450 : 1446;

	make_frame(big, 9, 1, tag10);
	tlab_learn(l, 9, 10, 0);
	fixture_frame(l->f, l->vm[0], big, 18 + fits);
	assert_int_equal(tlab_wire(l)->n_sent, 1);
	assert_int_equal(tlab_punts(l, &punt), 0);
	fixture_frame(l->f, l->vm[0], big, 18 + fits + 1);
	assert_int_equal(tlab_wire(l)->n_sent, 1);
	assert_int_equal(fixture_drops(l->remotes[0], DROP_TUNNEL_TOO_BIG), 1);
	assert_int_equal(tlab_tx(l->remotes[0]), 1);
	assert_int_equal(tlab_tx_bytes(l->remotes[0]),
			 (options->vlan ? 14 : 18) + fits);
	assert_int_equal(tlab_punts(l, &punt), 1);
	assert_int_equal(punt.record.kind, PUNT_TUNNEL);
	assert_int_equal(punt.record.gateway, 77);
	assert_int_equal(punt.note.what, TUNNEL_TOO_BIG);
	assert_int_equal(punt.note.mtu, 1450);
	assert_int_equal(punt.note.vid, 10);
	assert_true(load_mac(punt.data) == 0x020000000009);
	assert_in_range(punt.record.len, 14 + fits + 1, 18 + fits + 1);
	/* To a group: nobody is told. */
	make_frame(big, 0xff, 1, tag10);
	fixture_frame(l->f, l->vm[0], big, 18 + fits + 1);
	assert_int_equal(tlab_punts(l, &punt), 0);
	assert_int_equal(tlab_wire(l)->n_sent, 1);
	tlab_destroy(l);
}

static void too_big(void **state)
{
	too_big_of(&(struct tlab_options){ .mtu = 1450 });
	too_big_of(&(struct tlab_options){ .mtu = 1450, .vlan = &access10 });
	too_big_of(&(struct tlab_options){ .mtu = 1450, .mapped = true });
	too_big_of(&(struct tlab_options){ .mtu = 1450, .single = true });
}

/* What comes to a station and is not VXLAN. */
static void others_are_punted(void **state)
{
	static const struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);
	struct tlab_punt punt;

	memset(frame, 0, 60);
	memset(frame, 0xff, 6);
	store_be16(frame + 6, 0x0200);
	store_be16(frame + 10, 0x77);
	store_be16(frame + 12, ETH_TYPE_ARP);
	fixture_frame(l->f, l->uplink, frame, 60);
	assert_int_equal(tlab_punts(l, &punt), 1);
	assert_int_equal(punt.record.kind, PUNT_UNDERLAY);
	assert_int_equal(punt.record.gateway, 78);
	assert_int_equal(punt.record.len, 60);
	assert_memory_equal(punt.data, frame, 60);
	/* Broadcasts of no concern, and others' frames, end quietly. */
	store_be16(frame + 12, 0x88b5);
	fixture_frame(l->f, l->uplink, frame, 60);
	len = make_frame(frame, 0x66, 0x77, NULL);
	fixture_frame(l->f, l->uplink, frame, len);
	assert_int_equal(tlab_punts(l, &punt), 0);
	for (int i = 0; i < N_DROP_REASONS; i++)
		assert_int_equal(fixture_drops(l->station, i), 0);
	/* Anything to the station itself. */
	make_frame(frame, 1, 0x77, NULL);
	fixture_frame(l->f, l->uplink, frame, len);
	assert_int_equal(tlab_punts(l, &punt), 1);
	tlab_destroy(l);
}

/* A storm from far away takes nothing from ARP; nor do both from LACP. */
static void punts_at_their_own_pace(void **state)
{
	static const struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);
	struct tlab_punt punt;
	unsigned n;

	l->f->traces = false; /* time is short */
	len = make_frame(frame, 1, 0x77, NULL);
	for (unsigned i = 0; i < 500; i++)
		fixture_frame(l->f, l->uplink, frame, len);
	assert_true(fixture_drops(l->station, DROP_PUNT_LIMITED) > 0);
	n = tlab_punts(l, &punt);
	assert_in_range(n, PUNT_BURST, 499);
	store_be16(frame + 12, ETH_TYPE_ARP);
	fixture_frame(l->f, l->uplink, frame, len);
	assert_int_equal(tlab_punts(l, &punt), 1);
	tlab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_remote),
		cmocka_unit_test(unknown_remotes_in_a_burst),
		cmocka_unit_test(too_big),
		cmocka_unit_test(others_are_punted),
		cmocka_unit_test(punts_at_their_own_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
