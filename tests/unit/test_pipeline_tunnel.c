/*
 * The pipeline's way into tunnels and out of them, over in-memory ports: who
 * gets which frames, in which headers, and what is counted where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/parse.h"
#include "tests/unit/tunnel_lab.h"

static const struct vlan_config access10 = { .mode = VLAN_ACCESS, .tag = 10 };

/* All the ways in which a lab may be made; one is of VNIs by VLAN. */
static const struct tlab_options kinds[] = {
	{ .version = 4 },
	{ .version = 6 },
	{ .version = 4, .sockets = true },
	{ .version = 6, .sockets = true },
	{ .version = 4, .single = true },
	{ .version = 4, .single = true, .sockets = true },
	{ .version = 4, .mapped = true },
};

static uint8_t frame[2048];
static uint32_t len;

static void unicast_both_ways_of(const struct tlab_options *options)
{
	struct tunnel_lab *l = tlab_create(options);
	struct outer_frame o;

	/* The first from there tells where its sender is. */
	len = make_frame(frame, 1, 9, NULL);
	tlab_learn(l, 1, 0, -1);
	tlab_arrives(l, 0, TUNNEL_VNI, frame, len);
	assert_int_equal(l->vm[0]->n_sent, 1);
	assert_int_equal(l->vm[0]->sent[0].len, len);
	assert_memory_equal(l->vm[0]->sent[0].data, frame, len);
	assert_int_equal(l->vm[1]->n_sent, 0);
	assert_int_equal(tlab_rx(l->remotes[0]), 1);

	len = make_frame(frame, 9, 1, NULL);
	fixture_frame(l->f, l->vm[0], frame, len);
	assert_int_equal(tlab_wire(l)->n_sent, 1);
	o = tlab_sent(l, 0);
	assert_int_equal(o.remote, 0);
	assert_int_equal(o.vni, TUNNEL_VNI);
	assert_true(o.dst == LAB_HOP(0) && o.src == LAB_STATION);
	assert_int_equal(o.inner_len, len);
	assert_memory_equal(o.inner, frame, len);
	assert_int_equal(l->vm[1]->n_sent, 0);
	assert_int_equal(tlab_tx(l->remotes[0]), 1);
	assert_int_equal(tlab_tx_bytes(l->remotes[0]), len);
	assert_int_equal(tlab_tx(l->station), 1);
	assert_int_equal(tlab_rx(l->station), 1);
	tlab_destroy(l);
}

static void unicast_both_ways(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		unicast_both_ways_of(&kinds[i]);
}

static void send_burst(struct tunnel_lab *l, unsigned n, uint8_t dst,
		       uint16_t vid)
{
	uint8_t *frames = xcalloc(n, TLAB_FRAME_MAX);
	struct iovec *iov = xcalloc(n, sizeof(*iov));

	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = frames + TLAB_FRAME_MAX * (size_t)i;

		iov[i] =
			(struct iovec){ at, tlab_numbered(at, dst, 1, i, vid) };
	}
	fixture_burst(l->f, l->vm[0], iov, n);
	free(iov);
	free(frames);
}

/* Three remotes get each frame once, in order; so does each other machine. */
static void floods_of(const struct tlab_options *options, unsigned n)
{
	struct tunnel_lab *l = tlab_create(options);
	unsigned n_remotes = options->single ? 1 : 3;
	unsigned seen[3] = { 0 };

	send_burst(l, n, 0xff, options->mapped ? 10 : 0);
	assert_int_equal(tlab_wire(l)->n_sent, n * n_remotes);
	assert_int_equal(l->vm[0]->n_sent, 0);
	assert_int_equal(l->vm[1]->n_sent, n);
	assert_int_equal(l->vm[2]->n_sent, n);
	for (unsigned i = 0; i < MIN(n * n_remotes, FIXTURE_FRAMES); i++) {
		struct outer_frame o = tlab_sent(l, i);

		assert_in_range(o.remote, 0, n_remotes - 1);
		assert_int_equal(load_be16(o.inner + o.inner_len - 2),
				 seen[o.remote]++);
	}
	for (unsigned i = 0; i < n_remotes; i++) {
		struct port_counters c;

		port_get_counters(l->remotes[i]->port, &c);
		assert_int_equal(c.tx_packets, n);
		assert_int_equal(c.tx_broadcast, n);
	}
	if (!options->single)
		assert_int_equal(tlab_tx(l->remotes[3]), 0);
	tlab_destroy(l);
}

static void floods_once_to_each(void **state)
{
	static const unsigned sizes[] = { 1, 33, 65, 256 };

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++)
			floods_of(&kinds[i], sizes[k]);
}

/* The frame as tlab_numbered() made it, without its tag. */
static void assert_frame(const uint8_t *got, uint32_t got_len, uint8_t dst,
			 uint8_t src, unsigned i, uint16_t vid)
{
	uint8_t want[TLAB_FRAME_MAX];

	len = tlab_numbered(want, dst, src, i, vid);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, want, len);
}

static void bursts_of(const struct tlab_options *options, unsigned n)
{
	struct tunnel_lab *l = tlab_create(options);
	uint16_t vid = options->mapped ? 10 : 0;
	uint32_t vni = TUNNEL_VNI + vid;
	uint8_t *frames = xcalloc(n, 256);
	struct iovec *iov = xcalloc(n, sizeof(*iov));

	tlab_learn(l, 9, vid, 0);
	send_burst(l, n, 9, vid);
	assert_int_equal(tlab_wire(l)->n_sent, n);
	assert_int_equal(tlab_tx(l->remotes[0]), n);
	for (unsigned i = 0; i < MIN(n, FIXTURE_FRAMES); i++) {
		struct outer_frame o = tlab_sent(l, i);

		assert_int_equal(o.vni, vni);
		assert_frame(o.inner, o.inner_len, 9, 1, i, 0);
	}
	/* And as many back. */
	for (unsigned i = 0; i < n; i++) {
		uint8_t inner[TLAB_FRAME_MAX], *at = frames + 256 * (size_t)i;

		len = tlab_numbered(inner, 1, 9, i, 0);
		iov[i] = (struct iovec){ at, tlab_outer(l, 0, vni, inner, len,
							at) };
	}
	fixture_burst(l->f, tlab_wire(l), iov, n);
	assert_int_equal(l->vm[0]->n_sent, n);
	assert_int_equal(tlab_rx(l->remotes[0]), n);
	for (unsigned i = 0; i < MIN(n, FIXTURE_FRAMES); i++)
		assert_frame(l->vm[0]->sent[i].data, l->vm[0]->sent[i].len, 1,
			     9, i, vid);
	free(iov);
	free(frames);
	tlab_destroy(l);
}

/* Known stations, in bursts of all sizes. */
static void bursts_to_a_remote_and_back(void **state)
{
	static const unsigned sizes[] = { 1, 33, 34, 39, 65, 256 };

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++)
			bursts_of(&kinds[i], sizes[k]);
}

/* Several remotes' packets and a stranger's in one burst. */
static void bursts_from_remotes(void **state)
{
	static const unsigned sizes[] = { 1, 33, 65, 256 };
	static const struct tlab_options options = { .version = 4 };

	for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct tunnel_lab *l = tlab_create(&options);
		unsigned n = sizes[k], bad = 0;
		uint8_t *frames = xcalloc(n, 256);
		struct iovec *iov = xcalloc(n, sizeof(*iov));

		tlab_learn(l, 1, 0, -1);
		for (unsigned i = 0; i < n; i++) {
			uint8_t inner[128], *at = frames + 256 * (size_t)i;
			uint32_t n_inner =
				make_frame(inner, 1, 8 + i % 4, NULL);
			int remote = i % 16 == 7 ? 40 : (int)(i % 4);

			bad += remote == 40;
			store_be16(inner + n_inner - 2, i);
			iov[i] = (struct iovec){
				at, tlab_outer(l, remote, TUNNEL_VNI, inner,
					       n_inner, at)
			};
		}
		fixture_burst(l->f, tlab_wire(l), iov, n);
		assert_int_equal(l->vm[0]->n_sent, n - bad);
		assert_int_equal(
			fixture_drops(l->station, DROP_VXLAN_NO_REMOTE), bad);
		assert_int_equal(
			tlab_rx(l->remotes[0]) + tlab_rx(l->remotes[1]) +
				tlab_rx(l->remotes[2]) + tlab_rx(l->remotes[3]),
			n - bad);
		/* Each is known at its remote. */
		for (unsigned i = 0; i < MIN(n, 4u); i++)
			assert_int_equal(
				fdb_lookup(
					l->overlay->fdb,
					fdb_make_key(0x020000000008ull + i, 0)),
				l->remotes[i]->fwd->number);
		free(iov);
		free(frames);
		tlab_destroy(l);
	}
}

/* VNIs by VLAN: the tag is off within, and put on again. */
static void vlans_and_vnis(void **state)
{
	static const struct tlab_options options = { .mapped = true };
	const uint32_t tag10[] = { 0x81000000 | 0x600a, 0 };
	struct tunnel_lab *l = tlab_create(&options);
	struct outer_frame o;
	uint8_t inner[128];

	tlab_learn(l, 9, 10, 2);
	len = make_frame(frame, 9, 1, tag10);
	fixture_frame(l->f, l->vm[0], frame, len);
	o = tlab_sent(l, 0);
	assert_int_equal(o.remote, 2);
	assert_int_equal(o.vni, TUNNEL_VNI + 10);
	assert_int_equal(o.inner_len, len - 4);
	make_frame(inner, 9, 1, NULL);
	assert_memory_equal(o.inner, inner, len - 4);

	/* Back; the priority is not carried. */
	len = make_frame(inner, 1, 9, NULL);
	tlab_arrives(l, 2, TUNNEL_VNI + 10, inner, len);
	assert_int_equal(l->vm[0]->n_sent, 1);
	len = make_frame(frame, 1, 9, (uint32_t[]){ 0x8100000a, 0 });
	assert_int_equal(l->vm[0]->sent[0].len, len);
	assert_memory_equal(l->vm[0]->sent[0].data, frame, len);

	/* A VLAN without VNI. */
	fixture_forget(l->f);
	tlab_learn(l, 9, 41, 2);
	len = make_frame(frame, 9, 1, (uint32_t[]){ 0x81000029, 0 });
	fixture_frame(l->f, l->vm[0], frame, len);
	assert_int_equal(tlab_wire(l)->n_sent, 0);
	assert_int_equal(fixture_drops(l->remotes[2], DROP_TUNNEL_NO_VNI), 1);
	/* A VNI that nobody has. */
	tlab_arrives(l, 2, TUNNEL_VNI + 41, inner, 60);
	assert_int_equal(l->vm[0]->n_sent, 0);
	assert_int_equal(fixture_drops(l->station, DROP_VXLAN_NO_VNI), 1);
	tlab_destroy(l);
}

/* A flood of two VLANs in one burst: each by its list. */
static void flood_lists_by_vlan(void **state)
{
	static const struct tlab_options options = { .mapped = true };
	struct tunnel_lab *l = tlab_create(&options);
	uint8_t frames[6][128];
	struct iovec iov[6];
	unsigned to[4] = { 0 };

	/* VLAN 3 has remote 3, too (tunnel_fixture.c). */
	for (unsigned i = 0; i < 6; i++) {
		const uint32_t tags[] = { 0x81000000 | (i < 4 ? 4 : 3), 0 };

		iov[i] = (struct iovec){ frames[i],
					 make_frame(frames[i], 0xff, 1, tags) };
	}
	fixture_burst(l->f, l->vm[0], iov, 6);
	assert_int_equal(tlab_wire(l)->n_sent, 4 * 3 + 2 * 4);
	for (unsigned i = 0; i < 20; i++) {
		struct outer_frame o = tlab_sent(l, i);

		assert_int_equal(o.vni, TUNNEL_VNI + (i < 12 ? 4 : 3));
		to[o.remote]++;
	}
	assert_int_equal(to[0], 6);
	assert_int_equal(to[3], 2);
	tlab_destroy(l);
}

/* A fixed VNI: the frame is as the port's VLAN settings have it. */
static void tags_of_a_fixed_vni(void **state)
{
	struct tlab_options options = { .vlan = NULL };
	const uint32_t tag10[] = { 0x8100000a, 0 };
	struct tunnel_lab *l = tlab_create(&options);
	struct outer_frame o;

	tlab_learn(l, 9, 10, 1);
	len = make_frame(frame, 9, 1, tag10);
	fixture_frame(l->f, l->vm[0], frame, len);
	o = tlab_sent(l, 0);
	assert_int_equal(o.inner_len, len);
	assert_memory_equal(o.inner, frame, len);
	len = make_frame(frame, 1, 9, tag10);
	tlab_learn(l, 1, 10, -1);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_memory_equal(l->vm[0]->sent[0].data, frame, len);
	tlab_destroy(l);

	options.vlan = &access10;
	l = tlab_create(&options);
	tlab_learn(l, 9, 10, 1);
	len = make_frame(frame, 9, 1, tag10);
	fixture_frame(l->f, l->vm[0], frame, len);
	o = tlab_sent(l, 0);
	assert_int_equal(o.inner_len, len - 4);
	len = make_frame(frame, 1, 9, NULL);
	tlab_learn(l, 1, 10, -1);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_int_equal(l->vm[0]->sent[0].len, len + 4);
	assert_int_equal(load_be32(l->vm[0]->sent[0].data + 12), 0x8100000a);
	tlab_destroy(l);
}

static void split_horizon(void **state)
{
	struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);

	/* Broadcast from a remote: machines get it, other remotes do not. */
	len = make_frame(frame, 0xff, 9, NULL);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_int_equal(l->vm[0]->n_sent, 1);
	assert_int_equal(l->vm[2]->n_sent, 1);
	assert_int_equal(tlab_wire(l)->n_sent, 0);
	/* To a station at another. */
	tlab_learn(l, 8, 0, 2);
	len = make_frame(frame, 8, 9, NULL);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_int_equal(tlab_wire(l)->n_sent, 0);
	assert_int_equal(fixture_drops(l->remotes[2], DROP_TUNNEL_HORIZON), 1);
	/* At the same one. */
	tlab_learn(l, 8, 0, 1);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_int_equal(fixture_drops(l->remotes[1], DROP_SAME_PORT), 1);
	tlab_destroy(l);

	options.joined = true;
	l = tlab_create(&options);
	len = make_frame(frame, 0xff, 9, NULL);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_int_equal(l->vm[0]->n_sent, 1);
	assert_int_equal(tlab_wire(l)->n_sent, 2);
	assert_int_equal(tlab_sent(l, 0).remote, 0);
	assert_int_equal(tlab_sent(l, 1).remote, 2);
	fixture_forget(l->f);
	tlab_learn(l, 8, 0, 2);
	len = make_frame(frame, 8, 9, NULL);
	tlab_arrives(l, 1, TUNNEL_VNI, frame, len);
	assert_int_equal(tlab_wire(l)->n_sent, 1);
	assert_int_equal(tlab_sent(l, 0).remote, 2);
	assert_memory_equal(tlab_sent(l, 0).inner, frame, len);
	tlab_destroy(l);
}

/* What a remote's port says of an MTU is nothing to go by. */
static void large_from_a_remote(void **state)
{
	static const struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);
	uint8_t big[1800] = { 0 };

	l->vm[0]->port->mtu = 9000;
	l->uplink->port->mtu = 9000;
	tlab_learn(l, 1, 0, -1);
	make_frame(big, 1, 9, NULL);
	tlab_arrives(l, 0, TUNNEL_VNI, big, sizeof(big));
	assert_int_equal(l->vm[0]->n_sent, 1);
	assert_int_equal(l->vm[0]->sent[0].len, sizeof(big));
	tlab_destroy(l);
}

/* Not resolved, no remotes in the list. */
static void nobody_to_send_to(void **state)
{
	static const struct tlab_options options = {
		.mapped = true,
		.alone = true,
	};
	struct tunnel_lab *l = tlab_create(&options);

	len = make_frame(frame, 0xff, 1, (uint32_t[]){ 0x81000029, 0 });
	fixture_frame(l->f, l->vm[0], frame, len);
	assert_int_equal(l->vm[1]->n_sent, 1);
	assert_int_equal(tlab_wire(l)->n_sent, 0);
	assert_int_equal(fixture_drops(l->vx, DROP_TUNNEL_NO_REMOTE), 0);
	assert_int_equal(fixture_drops(l->vx, DROP_TUNNEL_NO_VNI), 1);
	/* A network with a VNI, of which nobody else is. */
	len = make_frame(frame, 0xff, 1, NULL);
	fixture_frame(l->f, l->vm[0], frame, len);
	assert_int_equal(tlab_wire(l)->n_sent, 0);
	assert_int_equal(fixture_drops(l->vx, DROP_TUNNEL_NO_REMOTE), 1);
	assert_int_equal(fixture_drops(l->vx, DROP_TUNNEL_NO_VNI), 1);
	tlab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unicast_both_ways),
		cmocka_unit_test(floods_once_to_each),
		cmocka_unit_test(bursts_to_a_remote_and_back),
		cmocka_unit_test(bursts_from_remotes),
		cmocka_unit_test(vlans_and_vnis),
		cmocka_unit_test(flood_lists_by_vlan),
		cmocka_unit_test(tags_of_a_fixed_vni),
		cmocka_unit_test(split_horizon),
		cmocka_unit_test(large_from_a_remote),
		cmocka_unit_test(nobody_to_send_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
