/* Private VLANs in the pipeline: who gets whose frames, with which tag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond/bond_table.h"
#include "tests/unit/switch_fixture.h"

#define PRIMARY	 100
#define ISOLATED 101
#define WEB	 102

/*
 * Primary VLAN 100: two isolated ports, two of community web, one of another
 * that has no VLAN of its own, a promiscuous one, and a trunk to another
 * switch.
 */
struct lab {
	struct fixture *f;
	struct fixture_port *i1, *i2, *w1, *w2, *other, *router, *trunk;
};

static struct fixture_port *host(struct lab *l, struct fwd_bridge *br,
				 uint16_t apart, uint16_t secondary)
{
	static const struct vlan_config access = { .mode = VLAN_ACCESS,
						   .tag = PRIMARY };
	struct fixture_port *p = fixture_port(l->f, br, &access);

	p->fwd->apart = apart;
	if (secondary)
		fwd_port_make_host(p->fwd, secondary, apart != FWD_ISOLATED);
	return p;
}

static int setup(void **state)
{
	struct lab *l = xcalloc(1, sizeof(*l));
	struct fwd_bridge *br;

	l->f = fixture_create();
	br = fixture_bridge(l->f, "br0");
	fwd_bridge_add_secondary(br, PRIMARY, ISOLATED);
	fwd_bridge_add_secondary(br, PRIMARY, WEB);
	l->i1 = host(l, br, FWD_ISOLATED, ISOLATED);
	l->i2 = host(l, br, FWD_ISOLATED, ISOLATED);
	l->w1 = host(l, br, 2, WEB);
	l->w2 = host(l, br, 2, WEB);
	l->other = host(l, br, 3, 0);
	l->router = host(l, br, FWD_TOGETHER, 0);
	fwd_port_make_promiscuous(l->router->fwd);
	l->trunk = fixture_port(l->f, br, NULL);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	fixture_destroy(l->f);
	free(l);
	return 0;
}

static void inject(struct lab *l, struct fixture_port *in, uint8_t dst,
		   uint8_t src, uint16_t vid)
{
	const uint32_t tags[] = { vid ? (uint32_t)ETH_TYPE_VLAN << 16 | vid : 0,
				  0 };
	uint8_t frame[128];

	fixture_forget(l->f);
	fixture_frame(l->f, in, frame, make_frame(frame, dst, src, tags));
}

/* Who got the one frame: a bit each, in the order of struct lab. */
static unsigned receivers(const struct lab *l)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < 7; i++)
		bits |= !!l->f->ports[i].n_sent << i;
	return bits;
}

enum { I1 = 1, I2 = 2, W1 = 4, W2 = 8, OTHER = 16, ROUTER = 32, TRUNK = 64 };

/* The VLAN id in the frame that the port sent, 0 without a tag. */
static uint16_t tag_of(const struct fixture_port *p)
{
	const uint8_t *h = p->sent[0].data;

	assert_int_equal(p->n_sent, 1);
	return load_be16(h + 12) == ETH_TYPE_VLAN ? load_be16(h + 14) & 0xfff
						  : 0;
}

static void floods(void **state)
{
	struct lab *l = *state;

	inject(l, l->i1, 0xff, 1, 0);
	assert_int_equal(receivers(l), ROUTER | TRUNK);
	assert_int_equal(tag_of(l->router), 0);
	assert_int_equal(tag_of(l->trunk), ISOLATED);
	inject(l, l->w1, 0xff, 3, 0);
	assert_int_equal(receivers(l), W2 | ROUTER | TRUNK);
	assert_int_equal(tag_of(l->w2), 0);
	assert_int_equal(tag_of(l->trunk), WEB);
	/* A community without a VLAN is one on this switch alone. */
	inject(l, l->other, 0xff, 5, 0);
	assert_int_equal(receivers(l), ROUTER | TRUNK);
	assert_int_equal(tag_of(l->trunk), PRIMARY);
	inject(l, l->router, 0xff, 6, 0);
	assert_int_equal(receivers(l), I1 | I2 | W1 | W2 | OTHER | TRUNK);
	assert_int_equal(tag_of(l->i1), 0);
	assert_int_equal(tag_of(l->trunk), PRIMARY);
}

static void from_other_switches(void **state)
{
	struct lab *l = *state;

	inject(l, l->trunk, 0xff, 9, ISOLATED);
	assert_int_equal(receivers(l), ROUTER);
	assert_int_equal(tag_of(l->router), 0);
	inject(l, l->trunk, 0xff, 9, WEB);
	assert_int_equal(receivers(l), W1 | W2 | ROUTER);
	inject(l, l->trunk, 0xff, 9, PRIMARY);
	assert_int_equal(receivers(l), I1 | I2 | W1 | W2 | OTHER | ROUTER);
	assert_int_equal(tag_of(l->w1), 0);
}

/* Addresses of all its VLANs are known in each of them. */
static void known_stations(void **state)
{
	struct lab *l = *state;

	inject(l, l->i1, 0xff, 1, 0);
	inject(l, l->i2, 0xff, 2, 0);
	inject(l, l->w1, 0xff, 3, 0);
	inject(l, l->w2, 0xff, 4, 0);
	inject(l, l->router, 0xff, 6, 0);
	inject(l, l->trunk, 0xff, 9, ISOLATED);

	inject(l, l->i1, 6, 1, 0);
	assert_int_equal(receivers(l), ROUTER);
	inject(l, l->router, 1, 6, 0);
	assert_int_equal(receivers(l), I1);
	assert_int_equal(tag_of(l->i1), 0);
	inject(l, l->w1, 4, 3, 0);
	assert_int_equal(receivers(l), W2);
	assert_int_equal(tag_of(l->w2), 0);
	/* To an isolated port elsewhere: only what is promiscuous. */
	inject(l, l->router, 9, 6, 0);
	assert_int_equal(receivers(l), TRUNK);
	assert_int_equal(tag_of(l->trunk), PRIMARY);

	inject(l, l->i1, 2, 1, 0);
	assert_int_equal(receivers(l), 0);
	assert_int_equal(fixture_drops(l->i1, DROP_ISOLATED), 1);
	inject(l, l->i1, 4, 1, 0);
	assert_int_equal(receivers(l), 0);
	inject(l, l->w1, 1, 3, 0);
	assert_int_equal(receivers(l), 0);
	/* From an isolated port of another switch to one here. */
	inject(l, l->trunk, 1, 9, ISOLATED);
	assert_int_equal(receivers(l), 0);
	assert_int_equal(fixture_drops(l->trunk, DROP_ISOLATED), 1);
}

/* A frame with a tag of priority only is an untagged one. */
static void priority_tags(void **state)
{
	static const uint32_t tags[] = {
		(uint32_t)ETH_TYPE_VLAN << 16 | 5 << 13, 0
	};
	struct lab *l = *state;
	uint8_t frame[128];

	fixture_frame(l->f, l->i1, frame, make_frame(frame, 0xff, 1, tags));
	assert_int_equal(receivers(l), ROUTER | TRUNK);
	assert_int_equal(tag_of(l->trunk), ISOLATED);
	assert_int_equal(l->trunk->sent[0].data[14] >> 5, 5);
}

/* A promiscuous trunk: its router knows the primary VLAN alone. */
static void promiscuous_trunk(void **state)
{
	struct lab *l = *state;

	fwd_port_make_promiscuous(l->trunk->fwd);
	inject(l, l->i1, 0xff, 1, 0);
	assert_int_equal(tag_of(l->trunk), PRIMARY);
	inject(l, l->trunk, 1, 9, PRIMARY);
	assert_int_equal(receivers(l), I1);
}

/* A member of its own for what comes from one port; the others balance. */
static void teaming_order(void **state)
{
	struct fixture *f = fixture_create();
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct fixture_port *bond = fixture_port(f, br, NULL), *m[2];
	struct bond_table *table = xcalloc(1, sizeof(*table));
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 0xff, 1, (const uint32_t[]){ 0 });

	(void)state;
	table->hash = BOND_HASH_PORT;
	bond_table_finish(table);
	fwd_port_make_bond(bond->fwd, table);
	m[0] = fixture_bond_member(f, bond, 0);
	m[1] = fixture_bond_member(f, bond, 0);
	fwd_bond_choose(bond->fwd, a->fwd->number, 1);
	fixture_frame(f, a, frame, len);
	assert_int_equal(m[0]->n_sent, 0);
	assert_int_equal(m[1]->n_sent, 1);
	fixture_frame(f, b, frame, len);
	assert_int_equal(m[0]->n_sent, 1);
	assert_int_equal(m[1]->n_sent, 1);
	fixture_destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(floods),
		T(from_other_switches),
		T(known_stations),
		T(priority_tags),
		T(promiscuous_trunk),
		cmocka_unit_test(teaming_order),
	};

	return cmocka_run_group_tests_name("pipeline_private", tests, NULL,
					   NULL);
}
