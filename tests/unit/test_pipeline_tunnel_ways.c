/*
 * Tunnels among all else that a pipeline leads to: answers in place of
 * questions, loops, captures, several underlays, what a snapshot takes with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forward/capture.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "tests/unit/tunnel_lab.h"

static const struct vlan_config access10 = { .mode = VLAN_ACCESS, .tag = 10 };

static uint8_t frame[2048];
static uint32_t len;

/* Station `from` asks for 10.0.0.`target`, in VLAN vid (0: none). */
static void ask(struct tunnel_lab *l, struct fixture_port *in, uint8_t from,
		uint16_t vid, uint8_t target)
{
	const uint32_t tags[] = { 0x81000000u | vid, 0 };
	uint8_t *arp;

	len = make_frame(frame, 0xff, from, vid ? tags : NULL);
	arp = frame + (vid ? 18 : 14);
	store_be16(arp - 2, ETH_TYPE_ARP);
	store_be16(arp, 1);
	store_be16(arp + 2, ETH_TYPE_IPV4);
	store_be16(arp + 4, 0x0604);
	store_be16(arp + 6, 1);
	memcpy(arp + 8, frame + 6, 6);
	store_be32(arp + 14, 0x0a000000 | from);
	store_be32(arp + 24, 0x0a000000 | target);
	fixture_frame(l->f, in, frame, len);
}

static void set_known(struct suppress_table *t, uint16_t vid, uint8_t host)
{
	uint8_t ip[4];

	store_be32(ip, 0x0a000000 | host);
	assert_int_equal(suppress_set(t, vid, ip, 4, 0x020000000000ull | host),
			 0);
}

/* The answer comes to the port of the question, which others get, too. */
static void answers_known_stations(void **state)
{
	static const struct tlab_options kinds[] = {
		{ .version = 4 },
		{ .mapped = true },
		{ .single = true },
		{ .vlan = &access10 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct tunnel_lab *l = tlab_create(&kinds[i]);
		unsigned n_remotes = kinds[i].single ? 1 : 3;
		struct suppress_table *t = suppress_create(100, 1);
		const uint8_t *got = l->vm[0]->sent[0].data;

		l->tunnel->suppress = t;
		set_known(t, kinds[i].mapped ? 10 : 0, 9);
		ask(l, l->vm[0], 1, 10, 9);
		assert_int_equal(tlab_wire(l)->n_sent, 0);
		assert_int_equal(l->vm[0]->n_sent, 1);
		assert_int_equal(l->vm[1]->n_sent, 1);
		assert_int_equal(l->vm[2]->n_sent, 1);
		assert_int_equal(l->vm[0]->sent[0].len, 18 + 28);
		assert_true(load_mac(got) == 0x020000000001);
		assert_int_equal(load_be32(got + 12), 0x8100000a);
		assert_int_equal(load_be16(got + 18 + 6), 2);
		assert_true(load_mac(got + 18 + 8) == 0x020000000009);
		/* Nobody that is known: to the remotes. */
		fixture_forget(l->f);
		ask(l, l->vm[0], 1, 10, 8);
		assert_int_equal(l->vm[0]->n_sent, 0);
		assert_int_equal(tlab_wire(l)->n_sent, n_remotes);
		/* From the other side: to the machines alone. */
		fixture_forget(l->f);
		len = make_frame(frame, 0xff, 7, NULL);
		ask(l, l->vm[0], 1, 10, 9);
		tlab_arrives(l, 0, TUNNEL_VNI + (kinds[i].mapped ? 10 : 0),
			     frame, len);
		assert_int_equal(tlab_wire(l)->n_sent, 0);
		suppress_destroy(t);
		tlab_destroy(l);
	}
}

/* Another VLAN's, and a customer's, are not known. */
static void answers_by_vlan(void **state)
{
	static const struct tlab_options options = { .mapped = true };
	struct tunnel_lab *l = tlab_create(&options);
	struct suppress_table *t = suppress_create(100, 1);

	l->tunnel->suppress = t;
	set_known(t, 10, 9);
	set_known(t, 0, 9);
	ask(l, l->vm[0], 1, 12, 9);
	assert_int_equal(l->vm[0]->n_sent, 0);
	assert_int_equal(tlab_wire(l)->n_sent, 3);
	suppress_destroy(t);
	tlab_destroy(l);
}

/* Among other broadcasts, in a large burst. */
static void answers_within_a_burst(void **state)
{
	static const struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);
	struct suppress_table *t = suppress_create(100, 1);
	uint8_t frames[65][64];
	struct iovec iov[65];
	unsigned asked = 0;

	l->tunnel->suppress = t;
	set_known(t, 0, 9);
	ask(l, l->vm[0], 1, 0, 9);
	fixture_forget(l->f);
	for (unsigned i = 0; i < 65; i++) {
		uint32_t n = len;

		if (i % 3)
			n = make_frame(frames[i], 0xff, 1, NULL);
		else
			memcpy(frames[i], frame, len);
		asked += !(i % 3);
		iov[i] = (struct iovec){ frames[i], n };
	}
	fixture_burst(l->f, l->vm[0], iov, 65);
	assert_int_equal(l->vm[0]->n_sent, asked);
	assert_int_equal(l->vm[1]->n_sent, 65);
	assert_int_equal(tlab_wire(l)->n_sent, 3 * (65 - asked));
	suppress_destroy(t);
	tlab_destroy(l);
}

/* A bridge carries the outer packets of its own overlay. */
static void overlay_on_its_own_bridge(void **state)
{
	struct fixture *f = fixture_create();
	struct tlab_options options = { .f = f };
	struct tunnel_lab *l;

	options.overlay = fixture_bridge(f, "both");
	options.underlay = options.overlay;
	l = tlab_create(&options);
	len = make_frame(frame, 0xff, 1, NULL);
	fixture_frame(f, l->vm[0], frame, len);
	/* The uplink is one of the bridge's ports. */
	assert_int_equal(l->uplink->n_sent, 1 + 3);
	assert_int_equal(l->vm[1]->n_sent, 1);
	/* Next hops that are not known: outer packets are flooded. */
	fdb_flush(l->outer->fdb, 0, -1);
	fixture_forget(f);
	fixture_frame(f, l->vm[0], frame, len);
	assert_int_equal(l->uplink->n_sent, 1 + 3);
	assert_int_equal(l->vm[1]->n_sent, 1 + 3);
	assert_int_equal(fixture_drops(l->vx, DROP_TUNNEL_LOOP), 3);
	/* Outer packets within an outer packet. */
	len = tlab_outer(l, 1, TUNNEL_VNI, frame, 60, frame + 100);
	fixture_forget(f);
	tlab_arrives(l, 0, TUNNEL_VNI, frame + 100, len);
	assert_int_equal(l->vm[0]->n_sent, 0);
	assert_int_equal(fixture_drops(l->station, DROP_TUNNEL_LOOP), 1);
	tlab_destroy(l);
	fixture_destroy(f);
}

/* Overlay a's outer packets are what overlay b carries. */
static void tunnels_in_tunnels(void **state)
{
	struct fixture *f = fixture_create();
	struct tlab_options options = { .f = f };
	struct tunnel_lab *b = tlab_create(&options), *a;
	struct outer_frame o;

	options.underlay = b->overlay;
	a = tlab_create(&options);
	tlab_learn(a, 9, 0, 2);
	fdb_delete(b->overlay->fdb, fdb_make_key(LAB_HOP(2), 0));
	fdb_learn(b->overlay->fdb, fdb_make_key(LAB_HOP(2), 0),
		  b->remotes[1]->fwd->number);
	len = make_frame(frame, 9, 1, NULL);
	fixture_frame(f, a->vm[0], frame, len);
	assert_int_equal(b->uplink->n_sent, 1);
	o = tlab_sent(b, 0);
	assert_int_equal(o.remote, 1);
	assert_int_equal(o.inner_len, len + TUNNEL_HEAD);
	assert_memory_equal(o.inner + TUNNEL_HEAD, frame, len);
	assert_int_equal(tlab_tx(a->remotes[2]), 1);
	assert_int_equal(tlab_tx(b->remotes[1]), 1);

	/* And back. */
	fixture_forget(f);
	tlab_learn(a, 1, 0, -1);
	make_frame(frame, 1, 9, NULL);
	tlab_arrives(b, 1, TUNNEL_VNI, frame + 100,
		     tlab_outer(a, 2, TUNNEL_VNI, frame, len, frame + 100));
	assert_int_equal(a->vm[0]->n_sent, 1);
	assert_memory_equal(a->vm[0]->sent[0].data, frame, len);
	assert_int_equal(tlab_rx(a->remotes[2]), 1);
	assert_int_equal(tlab_rx(b->remotes[1]), 1);
	tlab_destroy(a);
	tlab_destroy(b);
	fixture_destroy(f);
}

/* Two overlays of one bridge, each by another kind of underlay. */
static void two_underlays(void **state)
{
	struct fixture *f = fixture_create();
	struct tlab_options options = { .f = f };
	struct tunnel_lab *a = tlab_create(&options), *b;

	options.overlay = a->overlay;
	options.sockets = true;
	options.version = 6;
	b = tlab_create(&options);
	len = make_frame(frame, 0xff, 1, NULL);
	fixture_frame(f, a->vm[0], frame, len);
	assert_int_equal(a->uplink->n_sent, 3);
	assert_int_equal(b->station->n_sent, 3);
	assert_memory_equal(tlab_sent(b, 0).inner, frame, len);
	/* From one not into the other. */
	fixture_forget(f);
	tlab_arrives(b, 0, TUNNEL_VNI, frame, len);
	assert_int_equal(a->uplink->n_sent, 0);
	assert_int_equal(a->vm[0]->n_sent, 1);
	assert_int_equal(b->vm[0]->n_sent, 1);
	/* If one of them does not keep the horizon, it is. */
	fixture_forget(f);
	a->tunnel->split_horizon = false;
	tlab_arrives(b, 0, TUNNEL_VNI, frame, len);
	assert_int_equal(a->uplink->n_sent, 3);
	assert_memory_equal(tlab_sent(a, 2).inner, frame, len);
	tlab_destroy(a);
	tlab_destroy(b);
	fixture_destroy(f);
}

struct seen {
	unsigned in[3], out[3], dropped[3], len[3];
};

static void see(const struct capture_record *r, void *seen_)
{
	struct seen *seen = seen_;

	if (r->dropped)
		seen->dropped[r->port_id]++;
	else if (r->direction == CAPTURE_IN)
		seen->in[r->port_id]++;
	else
		seen->out[r->port_id]++;
	seen->len[r->port_id] = r->len;
}

/* Inner frames at the VXLAN port, outer ones at the underlay's. */
static void captures(void **state)
{
	for (unsigned sockets = 0; sockets < 2; sockets++) {
		struct tlab_options options = { .sockets = sockets,
						.mtu = 100 };
		struct capture_ring *ring =
			capture_ring_create(65535, NULL, 1 << 20);
		struct capture vx = { ring, 1, NULL },
			       under = { ring, 2, NULL };
		struct tunnel_lab *l = tlab_create(&options);
		struct seen seen = { 0 };

		l->vx->fwd->capture = &vx;
		for (unsigned i = 0; i < LAB_REMOTES; i++)
			l->remotes[i]->fwd->capture = &vx;
		l->station->fwd->capture = &under;
		len = make_frame(frame, 0xff, 1, NULL);
		fixture_frame(l->f, l->vm[0], frame, len);
		capture_ring_read(ring, 100, see, &seen);
		assert_int_equal(seen.out[1], 1);
		assert_int_equal(seen.len[1], len);
		assert_int_equal(seen.len[2], len + TUNNEL_HEAD);
		/* As at a gateway: a station's come into the bridge. */
		assert_int_equal(sockets ? seen.out[2] : seen.in[2], 3);
		assert_int_equal(sockets ? seen.in[2] : seen.out[2], 0);

		memset(&seen, 0, sizeof(seen));
		make_frame(frame, 1, 9, NULL);
		tlab_arrives(l, 3, TUNNEL_VNI, frame, len);
		capture_ring_read(ring, 100, see, &seen);
		assert_int_equal(seen.in[1], 1);
		assert_int_equal(seen.out[1], 0);
		assert_int_equal(sockets ? seen.in[2] : seen.out[2], 1);

		/* Too big, and a VNI of nobody. */
		memset(&seen, 0, sizeof(seen));
		make_frame(frame, 9, 1, NULL);
		fixture_frame(l->f, l->vm[0], frame, 200);
		tlab_arrives(l, 3, TUNNEL_VNI + 1, frame, len);
		capture_ring_read(ring, 100, see, &seen);
		assert_int_equal(seen.dropped[1], 1);
		assert_int_equal(seen.dropped[2], 1);
		tlab_destroy(l);
		capture_ring_destroy(ring);
	}
}

/* Of a multipoint port, what is for its number by hand goes to its list. */
static void by_hand_to_the_port(void **state)
{
	static const struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);

	fdb_add_static(l->overlay->fdb, fdb_make_key(0x020000000009, 0),
		       l->vx->fwd->number);
	len = make_frame(frame, 9, 1, NULL);
	fixture_frame(l->f, l->vm[0], frame, len);
	assert_int_equal(tlab_wire(l)->n_sent, 3);
	assert_int_equal(l->vm[1]->n_sent, 0);
	tlab_destroy(l);
}

/* The control thread's frames, which come from no port. */
static void emitted(void **state)
{
	static const struct tlab_options options = { .mapped = true };
	struct tunnel_lab *l = tlab_create(&options);
	struct tlab_punt punt;
	uint8_t big[1600] = { 0 };

	len = make_frame(frame, 0xff, 1, NULL);
	pipeline_emit(l->f->pipeline, l->vx->fwd, frame, len, 10);
	assert_int_equal(tlab_wire(l)->n_sent, 3);
	assert_int_equal(tlab_sent(l, 0).vni, TUNNEL_VNI + 10);
	assert_int_equal(tlab_sent(l, 0).inner_len, len);
	make_frame(big, 9, 1, NULL);
	pipeline_emit(l->f->pipeline, l->vx->fwd, big, sizeof(big),
		      VLAN_VID_NONE);
	assert_int_equal(tlab_punts(l, &punt), 0);
	tlab_destroy(l);
}

/* Whatever becomes of outer packets, the tunnel can be entered anew. */
static void nothing_is_left_inside(void **state)
{
	static const struct tlab_options options = { 0 };
	struct tunnel_lab *l = tlab_create(&options);

	/* No port of the underlay's bridge takes it. */
	l->uplink->fwd->plain.word = UINT64_MAX;
	for (unsigned v = 0; v < VLAN_N; v++)
		vlan_set_remove(&l->uplink->fwd->vlans, v);
	tlab_learn(l, 9, 0, 1);
	len = make_frame(frame, 9, 1, NULL);
	for (unsigned i = 0; i < 20; i++)
		fixture_frame(l->f, l->vm[0], frame, len);
	assert_int_equal(l->uplink->n_sent, 0);
	assert_int_equal(fixture_drops(l->station, DROP_VLAN_NOT_ALLOWED), 20);
	assert_int_equal(fixture_drops(l->remotes[1], DROP_TUNNEL_LOOP), 0);
	tlab_destroy(l);
}

/* Counters of groups are of what was sent, as all others. */
static void groups_that_are_too_big(void **state)
{
	static const struct tlab_options options = { .mtu = 100 };
	struct tunnel_lab *l = tlab_create(&options);
	struct port_counters c;

	len = make_frame(frame, 0xff, 1, NULL);
	fixture_frame(l->f, l->vm[0], frame, len);
	fixture_frame(l->f, l->vm[0], frame, 14 + 101);
	frame[0] = 1; /* no broadcast */
	fixture_frame(l->f, l->vm[0], frame, 14 + 101);
	assert_int_equal(tlab_wire(l)->n_sent, 3);
	for (unsigned i = 0; i < 3; i++) {
		port_get_counters(l->remotes[i]->port, &c);
		assert_int_equal(c.tx_packets, 1);
		assert_int_equal(c.tx_bytes, len);
		assert_int_equal(c.tx_broadcast, 1);
		assert_int_equal(c.tx_multicast, 0);
		assert_int_equal(c.drops[DROP_TUNNEL_TOO_BIG], 2);
	}
	tlab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_known_stations),
		cmocka_unit_test(answers_by_vlan),
		cmocka_unit_test(answers_within_a_burst),
		cmocka_unit_test(overlay_on_its_own_bridge),
		cmocka_unit_test(tunnels_in_tunnels),
		cmocka_unit_test(two_underlays),
		cmocka_unit_test(captures),
		cmocka_unit_test(by_hand_to_the_port),
		cmocka_unit_test(emitted),
		cmocka_unit_test(nothing_is_left_inside),
		cmocka_unit_test(groups_that_are_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
