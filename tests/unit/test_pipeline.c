/* The pipeline over null ports: where frames go, in what shape, and why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/switch_fixture.h"

#define C(tci) (0x81000000u | (tci))
#define S(tci) (0x88a80000u | (tci))
#define TAGS(...)                                                              \
	(const uint32_t[])                                                     \
	{                                                                      \
		__VA_ARGS__ __VA_OPT__(, ) 0                                   \
	}

static int setup(void **state)
{
	*state = fixture_create();
	return 0;
}

static int teardown(void **state)
{
	fixture_destroy(*state);
	return 0;
}

static void inject(struct fixture *f, struct fixture_port *in, uint8_t dst,
		   uint8_t src, const uint32_t *tags)
{
	uint8_t frame[128];

	fixture_frame(f, in, frame, make_frame(frame, dst, src, tags));
}

static void assert_frame(const struct sent_frame *got, uint8_t dst, uint8_t src,
			 const uint32_t *tags)
{
	uint8_t frame[128];
	uint32_t len = make_frame(frame, dst, src, tags);

	assert_int_equal(got->len, len);
	assert_memory_equal(got->data, frame, len);
}

/* A port may have dropped all that it had received. */
static void an_empty_burst_is_one(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);

	fixture_burst(f, a, NULL, 0);
	assert_int_equal(b->n_sent, 0);
}

static void floods_then_knows(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct fixture_port *c = fixture_port(f, br, NULL);

	inject(f, a, 2, 1, NULL);
	assert_int_equal(a->n_sent, 0);
	assert_int_equal(b->n_sent, 1);
	assert_int_equal(c->n_sent, 1);
	assert_frame(&b->sent[0], 2, 1, NULL);
	fixture_forget(f);

	inject(f, b, 1, 2, NULL);
	assert_int_equal(a->n_sent, 1);
	assert_int_equal(c->n_sent, 0);
	fixture_forget(f);

	/* The station moves to c: found at once. */
	inject(f, c, 1, 2, NULL);
	fixture_forget(f);
	inject(f, a, 2, 1, NULL);
	assert_int_equal(b->n_sent, 0);
	assert_int_equal(c->n_sent, 1);
}

static void one_station_in_two_vlans(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct fixture_port *c = fixture_port(f, br, NULL);

	inject(f, a, 0xff, 1, TAGS(C(10)));
	inject(f, b, 0xff, 1, TAGS(C(20)));
	fixture_forget(f);
	inject(f, c, 1, 3, TAGS(C(10)));
	assert_int_equal(a->n_sent, 1);
	assert_int_equal(b->n_sent, 0);
	fixture_forget(f);
	inject(f, c, 1, 3, TAGS(C(20)));
	assert_int_equal(a->n_sent, 0);
	assert_int_equal(b->n_sent, 1);
}

/* What one frame becomes on a port of each kind; NULL list: not sent. */
struct vlan_case {
	const char *what;
	struct vlan_config in;
	const uint32_t *frame;
	enum drop_reason drop; /* N_DROP_REASONS: none */
	const uint32_t *access10, *trunk, *native_untagged10, *native_tagged10;
};

static struct vlan_set only_10;

#define NOT NULL
#define ACCESS10                                                               \
	{                                                                      \
		.mode = VLAN_ACCESS, .tag = 10                                 \
	}
#define TRUNK                                                                  \
	{                                                                      \
		.mode = VLAN_TRUNK                                             \
	}
#define TRUNK10                                                                \
	{                                                                      \
		.mode = VLAN_TRUNK, .trunks = &only_10                         \
	}
#define NATU10                                                                 \
	{                                                                      \
		.mode = VLAN_NATIVE_UNTAGGED, .tag = 10                        \
	}
#define NATT10                                                                 \
	{                                                                      \
		.mode = VLAN_NATIVE_TAGGED, .tag = 10                          \
	}
#define TUNNEL10                                                               \
	{                                                                      \
		.mode = VLAN_DOT1Q_TUNNEL, .tag = 10,                          \
		.qinq_tpid = ETH_TYPE_SVLAN                                    \
	}

static void vlan_matrix(void **state)
{
	const enum drop_reason none = N_DROP_REASONS;
	const struct vlan_case cases[] = {
		{ "access, untagged", ACCESS10, TAGS(), none, TAGS(),
		  TAGS(C(10)), TAGS(), TAGS(C(10)) },
		{ "access, priority-tagged", ACCESS10, TAGS(C(0xa000)), none,
		  TAGS(), TAGS(C(0xa00a)), TAGS(), TAGS(C(0xa00a)) },
		{ "access, tagged", ACCESS10, TAGS(C(10)), DROP_TAG_NOT_ALLOWED,
		  NOT, NOT, NOT, NOT },
		{ "trunk, untagged: VLAN 0, which native ports do not have",
		  TRUNK, TAGS(), none, NOT, TAGS(), NOT, NOT },
		{ "trunk, tagged 10", TRUNK, TAGS(C(10)), none, TAGS(),
		  TAGS(C(10)), TAGS(), TAGS(C(10)) },
		{ "trunk, tagged 20 with PCP", TRUNK, TAGS(C(0x6014)), none,
		  NOT, TAGS(C(0x6014)), TAGS(C(0x6014)), TAGS(C(0x6014)) },
		{ "trunk, priority-tagged", TRUNK, TAGS(C(0x6000)), none, NOT,
		  TAGS(), NOT, NOT },
		{ "trunk of 10, untagged", TRUNK10, TAGS(),
		  DROP_UNTAGGED_NOT_ALLOWED, NOT, NOT, NOT, NOT },
		{ "trunk of 10, tagged 20", TRUNK10, TAGS(C(20)),
		  DROP_VLAN_NOT_ALLOWED, NOT, NOT, NOT, NOT },
		{ "trunk, VLAN 4095", TRUNK, TAGS(C(4095)), DROP_BAD_VLAN, NOT,
		  NOT, NOT, NOT },
		{ "trunk, two tags", TRUNK, TAGS(C(10), C(30)), none,
		  TAGS(C(30)), TAGS(C(10), C(30)), TAGS(C(30)),
		  TAGS(C(10), C(30)) },
		{ "trunk, five tags", TRUNK, TAGS(C(1), C(2), C(3), C(4), C(5)),
		  DROP_TOO_MANY_TAGS, NOT, NOT, NOT, NOT },
		{ "native-untagged, untagged", NATU10, TAGS(), none, TAGS(),
		  TAGS(C(10)), TAGS(), TAGS(C(10)) },
		{ "native-untagged, tagged 10", NATU10, TAGS(C(10)), none,
		  TAGS(), TAGS(C(10)), TAGS(), TAGS(C(10)) },
		{ "native-tagged, untagged", NATT10, TAGS(), none, TAGS(),
		  TAGS(C(10)), TAGS(), TAGS(C(10)) },
		{ "native-tagged, tagged 20", NATT10, TAGS(C(20)), none, NOT,
		  TAGS(C(20)), TAGS(C(20)), TAGS(C(20)) },
		{ "tunnel, untagged", TUNNEL10, TAGS(), none, TAGS(),
		  TAGS(S(10)), TAGS(), TAGS(S(10)) },
		{ "tunnel, tagged", TUNNEL10, TAGS(C(0x2014)), none,
		  TAGS(C(0x2014)), TAGS(S(0x200a), C(0x2014)), TAGS(C(0x2014)),
		  TAGS(S(0x200a), C(0x2014)) },
		{ "trunk, S-tagged 10", TRUNK, TAGS(S(10), C(20)), none,
		  TAGS(C(20)), TAGS(S(10), C(20)), TAGS(C(20)),
		  TAGS(S(10), C(20)) },
	};

	vlan_set_add(&only_10, 10);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vlan_case *c = &cases[i];
		struct fixture *f = fixture_create();
		struct fwd_bridge *br = fixture_bridge(f, "br0");
		struct fixture_port *in = fixture_port(f, br, &c->in);
		const struct vlan_config out[] = { ACCESS10, TRUNK, NATU10,
						   NATT10 };
		const uint32_t *const want[] = { c->access10, c->trunk,
						 c->native_untagged10,
						 c->native_tagged10 };
		struct fixture_port *ports[ARRAY_SIZE(out)];

		for (size_t o = 0; o < ARRAY_SIZE(out); o++)
			ports[o] = fixture_port(f, br, &out[o]);
		inject(f, in, 0xff, 1, c->frame);
		for (size_t o = 0; o < ARRAY_SIZE(out); o++) {
			if (ports[o]->n_sent != (want[o] ? 1 : 0))
				fail_msg("%s: out port %zu got %u frames",
					 c->what, o, ports[o]->n_sent);
			if (want[o])
				assert_frame(&ports[o]->sent[0], 0xff, 1,
					     want[o]);
		}
		if (c->drop != N_DROP_REASONS &&
		    fixture_drops(in, c->drop) != 1)
			fail_msg("%s: not counted as %s", c->what,
				 drop_reason_name(c->drop));
		fixture_destroy(f);
	}
}

static void priority_tags_on_egress(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *in = fixture_port(f, br, NULL);
	struct vlan_config always = ACCESS10, nonzero = ACCESS10;
	struct fixture_port *a, *n;

	always.priority_tags = PRIORITY_TAGS_ALWAYS;
	nonzero.priority_tags = PRIORITY_TAGS_IF_NONZERO;
	a = fixture_port(f, br, &always);
	n = fixture_port(f, br, &nonzero);
	inject(f, in, 0xff, 1, TAGS(C(0x600a)));
	assert_frame(&a->sent[0], 0xff, 1, TAGS(C(0x6000)));
	assert_frame(&n->sent[0], 0xff, 1, TAGS(C(0x6000)));
	inject(f, in, 0xff, 1, TAGS(C(10)));
	assert_frame(&a->sent[1], 0xff, 1, TAGS(C(0)));
	assert_frame(&n->sent[1], 0xff, 1, NULL);
}

static void cvlans_filter_inner_tags(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct vlan_config tunnel = TUNNEL10;
	struct fixture_port *in, *out;

	vlan_set_add(&only_10, 10);
	tunnel.cvlans = &only_10;
	in = fixture_port(f, br, &tunnel);
	out = fixture_port(f, br, NULL);
	inject(f, in, 0xff, 1, TAGS(C(10)));
	assert_int_equal(out->n_sent, 1);
	inject(f, in, 0xff, 1, TAGS(C(11)));
	assert_int_equal(out->n_sent, 1);
	assert_int_equal(fixture_drops(in, DROP_VLAN_NOT_ALLOWED), 1);

	/* The same the other way round, flooded and known. */
	inject(f, out, 0xff, 2, TAGS(S(10), C(10)));
	inject(f, out, 0xff, 2, TAGS(S(10), C(11)));
	inject(f, out, 0xff, 2, TAGS(S(10)));
	assert_int_equal(in->n_sent, 1);
	assert_frame(&in->sent[0], 0xff, 2, TAGS(C(10)));
	inject(f, out, 1, 2, TAGS(S(10), C(10)));
	inject(f, out, 1, 2, TAGS(S(10), C(11)));
	assert_int_equal(in->n_sent, 2);
}

/* A trunk after an access port: the view must be put right between them. */
static void flood_retags_for_each_port(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct vlan_config access = ACCESS10;
	struct fixture_port *in = fixture_port(f, br, NULL);
	struct fixture_port *out[6];
	uint8_t frames[8][128];
	struct iovec burst[8];

	for (int i = 0; i < 6; i++)
		out[i] = fixture_port(f, br, i % 2 ? &access : NULL);
	for (int i = 0; i < 8; i++) {
		burst[i].iov_base = frames[i];
		burst[i].iov_len =
			make_frame(frames[i], 0xff, i + 1,
				   i % 2 ? TAGS(C(10)) : TAGS(C(11)));
	}
	fixture_burst(f, in, burst, 8);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(out[i]->n_sent, i % 2 ? 4 : 8);
		for (int k = 0; k < (i % 2 ? 4 : 8); k++)
			assert_frame(&out[i]->sent[k], 0xff,
				     i % 2 ? 2 * k + 2 : k + 1,
				     i % 2   ? NULL
				     : k % 2 ? TAGS(C(10))
					     : TAGS(C(11)));
	}
}

static void order_is_kept_between_flood_and_unicast(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	uint8_t frames[9][128];
	struct iovec burst[9];

	inject(f, b, 0xff, 2, NULL); /* 2 is known on b, 9 is not */
	fixture_forget(f);
	for (int i = 0; i < 9; i++) {
		burst[i].iov_base = frames[i];
		burst[i].iov_len =
			make_frame(frames[i], i % 3 ? 2 : 9, 1, NULL);
		frames[i][20] = i;
	}
	fixture_burst(f, a, burst, 9);
	assert_int_equal(b->n_sent, 9);
	for (int i = 0; i < 9; i++)
		assert_int_equal(b->sent[i].data[20], i);
}

/* More ports than places for queues, and slots that fall on one place. */
static void many_outputs_in_one_burst(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *p[300], *in = fixture_port(f, br, NULL);
	uint8_t frames[PACKET_BURST_MAX][128];
	struct iovec burst[PACKET_BURST_MAX];
	static const int at[] = { 0, 256, 1, 257, 2, 0, 256, 40 };

	for (int i = 0; i < 300; i++) {
		p[i] = fixture_port(f, br, NULL);
		fdb_add_static(br->fdb, fdb_make_key(0x020000000100 + i, 0),
			       p[i]->fwd->number);
	}
	for (int i = 0; i < PACKET_BURST_MAX; i++) {
		int to = at[i % ARRAY_SIZE(at)];

		burst[i].iov_base = frames[i];
		burst[i].iov_len = make_frame(frames[i], 0, 1, NULL);
		frames[i][4] = 1 + to / 256;
		frames[i][5] = to;
		frames[i][20] = i;
	}
	fixture_burst(f, in, burst, PACKET_BURST_MAX);
	for (size_t k = 0; k < ARRAY_SIZE(at); k++) {
		bool twice = at[k] == 0 || at[k] == 256;

		assert_int_equal(p[at[k]]->n_sent,
				 PACKET_BURST_MAX / 8 * (twice ? 2 : 1));
		for (unsigned i = 1; i < p[at[k]]->n_sent; i++)
			assert_true(p[at[k]]->sent[i].data[20] >
				    p[at[k]]->sent[i - 1].data[20]);
	}
}

static void bad_frames_have_reasons(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *in = fixture_port(f, br, NULL);
	struct fixture_port *out = fixture_port(f, br, NULL);
	uint8_t frame[2000] = { 0 };
	struct port_counters total;
	uint64_t drops = 0;

	make_frame(frame, 2, 1, NULL);
	fixture_frame(f, in, frame, 13);
	assert_int_equal(fixture_drops(in, DROP_RUNT), 1);
	fixture_frame(f, in, frame, 1500 + 14 + 1);
	assert_int_equal(fixture_drops(in, DROP_GIANT), 1);
	make_frame(frame, 2, 0, NULL);
	memset(frame + 6, 0, 6);
	fixture_frame(f, in, frame, 60);
	frame[6] = 1;
	fixture_frame(f, in, frame, 60);
	assert_int_equal(fixture_drops(in, DROP_BAD_SOURCE), 2);
	make_frame(frame, 2, 1, TAGS(C(10)));
	fixture_frame(f, in, frame, 16);
	assert_int_equal(fixture_drops(in, DROP_BAD_VLAN), 1);
	make_frame(frame, 2, 1, NULL);
	memcpy(frame, "\x01\x80\xc2\x00\x00\x0e", 6);
	fixture_frame(f, in, frame, 60);
	assert_int_equal(fixture_drops(in, DROP_LINK_LOCAL), 1);
	assert_int_equal(out->n_sent, 0);
	br->forward_bpdu = true;
	fixture_frame(f, in, frame, 60);
	assert_int_equal(out->n_sent, 1);

	inject(f, in, 1, 3, NULL);
	assert_int_equal(fixture_drops(in, DROP_SAME_PORT), 1);
	/* The shortest frame that is one. */
	fixture_frame(f, in, frame, 14);
	assert_int_equal(out->n_sent, 2);

	port_get_counters(in->port, &total);
	for (int i = 0; i < N_DROP_REASONS; i++)
		drops += total.drops[i];
	assert_int_equal(total.rx_packets, drops + 2);
}

static void alone_on_a_bridge(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *in = fixture_port(f, br, NULL);

	inject(f, in, 0xff, 1, NULL);
	assert_int_equal(fixture_drops(in, DROP_NO_DESTINATION), 1);
}

static void flood_vlans_do_not_learn(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct fixture_port *c = fixture_port(f, br, NULL);

	br->no_learn_vlans = true;
	vlan_set_add(&br->flood_vlans, 10);
	inject(f, a, 0xff, 1, TAGS(C(10)));
	inject(f, a, 0xff, 1, TAGS(C(11)));
	fixture_forget(f);
	inject(f, b, 1, 2, TAGS(C(10)));
	assert_int_equal(a->n_sent, 1);
	assert_int_equal(c->n_sent, 1);
	inject(f, b, 1, 2, TAGS(C(11)));
	assert_int_equal(a->n_sent, 2);
	assert_int_equal(c->n_sent, 1);
}

static void patch_ports_join_bridges(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br0 = fixture_bridge(f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(f, "br1");
	struct vlan_config access = ACCESS10;
	struct fixture_port *a = fixture_port(f, br0, &access);
	struct fixture_port *b = fixture_port(f, br0, NULL);
	struct fixture_port *pa = fixture_port(f, br0, NULL);
	struct fixture_port *pb = fixture_port(f, br1, NULL);
	struct fixture_port *c = fixture_port(f, br1, &access);
	struct fixture_port *d = fixture_port(f, br1, NULL);

	fwd_port_connect(pa->fwd, pb->fwd);
	inject(f, a, 0xff, 1, NULL);
	assert_frame(&c->sent[0], 0xff, 1, NULL);
	assert_frame(&d->sent[0], 0xff, 1, TAGS(C(10)));
	assert_frame(&b->sent[0], 0xff, 1, TAGS(C(10)));
	fixture_forget(f);
	inject(f, c, 1, 3, NULL);
	assert_int_equal(a->n_sent, 1);
	assert_frame(&a->sent[0], 1, 3, NULL);
	assert_int_equal(b->n_sent, 0);
	assert_int_equal(d->n_sent, 0);
}

static void vlan_4095_is_nobodys(void **state)
{
	static const enum vlan_mode modes[] = { VLAN_ACCESS, VLAN_DOT1Q_TUNNEL,
						VLAN_NATIVE_TAGGED,
						VLAN_NATIVE_UNTAGGED };
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *p[4];

	for (int i = 0; i < 4; i++) {
		const struct vlan_config c = { .mode = modes[i],
					       .tag = 4095,
					       .qinq_tpid = ETH_TYPE_SVLAN };

		p[i] = fixture_port(f, br, &c);
	}
	for (int i = 0; i < 4; i++)
		inject(f, p[i], 0xff, 1 + i, NULL);
	inject(f, p[1], 0xff, 2, TAGS(C(7)));
	for (int i = 0; i < 4; i++)
		assert_int_equal(p[i]->n_sent, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(fixture_drops(p[i], DROP_UNTAGGED_NOT_ALLOWED),
				 1);
	assert_int_equal(fixture_drops(p[1], DROP_TAG_NOT_ALLOWED), 1);
}

static void patch_loop_ends(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br0 = fixture_bridge(f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(f, "br1");
	struct fixture_port *in = fixture_port(f, br0, NULL);
	struct fixture_port *p[4];
	uint64_t loops = 0;

	for (int i = 0; i < 4; i++)
		p[i] = fixture_port(f, i % 2 ? br1 : br0, NULL);
	fwd_port_connect(p[0]->fwd, p[1]->fwd);
	fwd_port_connect(p[2]->fwd, p[3]->fwd);
	inject(f, in, 0xff, 1, NULL);
	for (int i = 0; i < 4; i++)
		loops += fixture_drops(p[i], DROP_PATCH_LOOP);
	assert_true(loops >= 1);
}

/* Without an end to it, one broadcast would make 10^9 copies and more. */
static void patch_links_side_by_side_end(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br0 = fixture_bridge(f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(f, "br1");
	struct fixture_port *in = fixture_port(f, br0, NULL);
	uint64_t loops = 0, crossed = 0;

	for (int i = 0; i < 20; i++)
		fwd_port_connect(fixture_port(f, br0, NULL)->fwd,
				 fixture_port(f, br1, NULL)->fwd);
	inject(f, in, 0xff, 1, NULL);
	for (unsigned i = 1; i < f->n_ports; i++) {
		struct port_counters c;

		port_get_counters(f->ports[i].port, &c);
		loops += c.drops[DROP_PATCH_LOOP];
		crossed += c.tx_packets;
	}
	assert_true(loops >= 1);
	assert_int_equal(crossed, 20 * 4096);
}

static void patch_ports_count_groups(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br0 = fixture_bridge(f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(f, "br1");
	struct fixture_port *in = fixture_port(f, br0, NULL);
	struct fixture_port *a = fixture_port(f, br0, NULL);
	struct fixture_port *b = fixture_port(f, br1, NULL);
	struct port_counters tx, rx;
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 9, 1, NULL);

	fixture_port(f, br1, NULL);
	fwd_port_connect(a->fwd, b->fwd);
	inject(f, in, 0xff, 1, NULL);
	inject(f, in, 7, 1, NULL);
	frame[0] |= 1;
	fixture_frame(f, in, frame, len);
	fixture_frame(f, in, frame, len);
	port_get_counters(a->port, &tx);
	port_get_counters(b->port, &rx);
	assert_int_equal(tx.tx_packets, 4);
	assert_int_equal(tx.tx_broadcast, 1);
	assert_int_equal(tx.tx_multicast, 2);
	assert_int_equal(rx.rx_packets, 4);
	assert_int_equal(rx.rx_bytes, tx.tx_bytes);
	assert_int_equal(rx.rx_broadcast, 1);
	assert_int_equal(rx.rx_multicast, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_empty_burst_is_one),
		T(floods_then_knows),
		T(one_station_in_two_vlans),
		T(vlan_matrix),
		T(priority_tags_on_egress),
		T(cvlans_filter_inner_tags),
		T(flood_retags_for_each_port),
		T(order_is_kept_between_flood_and_unicast),
		T(many_outputs_in_one_burst),
		T(bad_frames_have_reasons),
		T(alone_on_a_bridge),
		T(flood_vlans_do_not_learn),
		T(patch_ports_join_bridges),
		T(vlan_4095_is_nobodys),
		T(patch_loop_ends),
		T(patch_links_side_by_side_end),
		T(patch_ports_count_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
