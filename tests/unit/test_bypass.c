/*
 * Which frames the kernel may forward by itself: each reason why not, and what
 * it is told of ports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond/bond_table.h"
#include "forward/bypass.h"
#include "forward/mirror.h"
#include "forward/policies.h"
#include "forward/punt.h"
#include "tests/unit/switch_fixture.h"

struct lab {
	struct fixture *f;
	struct fwd_bridge *br;
	struct fp_port fp; /* of the last why_not() */
};

static int setup(void **state)
{
	struct lab *l = xcalloc(1, sizeof(*l));

	l->f = fixture_create();
	l->br = fixture_bridge(l->f, "br0");
	*state = l;
	return 0;
}

/* Null ports that pass for devices: nobody looks at what this points to. */
#define SOME_DEVICE ((struct fastpath_port *)(uintptr_t)64)

static int teardown(void **state)
{
	struct lab *l = *state;

	for (unsigned i = 0; i < l->f->n_ports; i++)
		l->f->ports[i].port->fastpath = NULL;
	fixture_destroy(l->f);
	free(l);
	return 0;
}

static struct fwd_port *add(struct lab *l, enum vlan_mode mode, uint16_t tag,
			    const struct vlan_set *trunks)
{
	const struct vlan_config vlan = { .mode = mode,
					  .tag = tag,
					  .trunks = trunks,
					  .qinq_tpid = ETH_TYPE_SVLAN };
	struct fixture_port *p = fixture_port(l->f, l->br, &vlan);

	p->port->fastpath = SOME_DEVICE;
	return p->fwd;
}

static struct fwd_port *access_port(struct lab *l)
{
	return add(l, VLAN_ACCESS, 7, NULL);
}

static struct fwd_bypass ask(struct lab *l, const struct fwd_port *p)
{
	memset(&l->fp, 0xff, sizeof(l->fp));
	return fwd_port_bypass(p, &l->fp);
}

static bool is_nothing(const struct fp_port *fp)
{
	static const struct fp_port nothing;

	return !memcmp(fp, &nothing, sizeof(nothing));
}

static void assert_why(const char *why, const char *part)
{
	if (!part) {
		assert_null(why);
		return;
	}
	assert_non_null(why);
	if (!strstr(why, part))
		fail_msg("\"%s\" says nothing of \"%s\"", why, part);
	assert_true(why[0] && why[strlen(why) - 1] != '.');
}

/* NULL: the kernel may; else a part of the reason. */
static void check(struct lab *l, const struct fwd_port *p, const char *in,
		  const char *out)
{
	struct fwd_bypass why = ask(l, p);

	assert_why(why.in, in);
	assert_why(why.out, out);
	assert_int_equal(is_nothing(&l->fp), in && out);
	assert_int_equal(!!(l->fp.flags & FP_IN), !in);
	assert_int_equal(!!(l->fp.flags & FP_OUT), !out);
}

static void check_both(struct lab *l, const struct fwd_port *p, const char *why)
{
	check(l, p, why, why);
}

/* --- what the kernel is told ------------------------------------------------
 */

static bool has_vlan(const struct fp_port *fp, unsigned vid)
{
	return fp->vlans[vid / 64] >> vid % 64 & 1;
}

static unsigned count_vlans(const struct fp_port *fp)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FP_VLANS / 64; i++)
		n += __builtin_popcountll(fp->vlans[i]);
	return n;
}

static void assert_vids(const struct fp_port *fp, uint16_t native,
			uint16_t untagged, bool tagged)
{
	assert_int_equal(fp->native_vid, native);
	assert_int_equal(fp->untagged_vid, untagged);
	assert_int_equal(fp->flags, FP_IN | FP_OUT | (tagged ? FP_TAGGED : 0));
	assert_int_equal(fp->ifindex, 0);
	assert_int_equal(fp->slot, 0);
}

static void tells_modes(void **state)
{
	struct lab *l = *state;
	struct vlan_set some = { 0 };

	vlan_set_add(&some, 10);
	vlan_set_add(&some, 20);
	check_both(l, add(l, VLAN_ACCESS, 7, NULL), NULL);
	assert_vids(&l->fp, 7, 7, false);
	assert_int_equal(count_vlans(&l->fp), 1);
	assert_true(has_vlan(&l->fp, 7));

	check_both(l, add(l, VLAN_ACCESS, 0, NULL), NULL);
	assert_vids(&l->fp, 0, 0, false);

	/* Untagged frames on a trunk are of VLAN 0, and leave so. */
	check_both(l, add(l, VLAN_TRUNK, 0, NULL), NULL);
	assert_vids(&l->fp, 0, 0, true);
	assert_int_equal(count_vlans(&l->fp), 4095);
	assert_false(has_vlan(&l->fp, 4095));

	check_both(l, add(l, VLAN_TRUNK, 0, &some), NULL);
	assert_vids(&l->fp, FP_VID_NONE, FP_VID_NONE, true);
	assert_int_equal(count_vlans(&l->fp), 2);

	check_both(l, add(l, VLAN_NATIVE_UNTAGGED, 30, &some), NULL);
	assert_vids(&l->fp, 30, 30, true);
	assert_int_equal(count_vlans(&l->fp), 3);

	check_both(l, add(l, VLAN_NATIVE_TAGGED, 30, &some), NULL);
	assert_vids(&l->fp, 30, FP_VID_NONE, true);
	assert_int_equal(count_vlans(&l->fp), 3);
}

static void leaves_out_flood_vlans(void **state)
{
	struct lab *l = *state;
	struct fwd_port *trunk = add(l, VLAN_NATIVE_UNTAGGED, 7, NULL);
	struct fwd_port *port = access_port(l);

	l->br->no_learn_vlans = true;
	vlan_set_add(&l->br->flood_vlans, 7);
	check_both(l, port, "learned");
	check_both(l, trunk, NULL);
	assert_int_equal(l->fp.native_vid, FP_VID_NONE);
	assert_int_equal(l->fp.untagged_vid, 7);
	assert_false(has_vlan(&l->fp, 7));
	assert_int_equal(count_vlans(&l->fp), 4093);
}

static void leaves_out_private_vlans(void **state)
{
	struct lab *l = *state;
	struct fwd_port *trunk = add(l, VLAN_TRUNK, 0, NULL), *router;
	struct fwd_port *isolated, *community, *secondary;

	fwd_bridge_add_secondary(l->br, 100, 101);
	fwd_bridge_add_secondary(l->br, 100, 102);
	check_both(l, trunk, NULL);
	assert_true(has_vlan(&l->fp, 100));
	assert_false(has_vlan(&l->fp, 101));
	assert_false(has_vlan(&l->fp, 102));

	/* To it, secondary VLANs' frames leave as the primary's. */
	router = add(l, VLAN_ACCESS, 100, NULL);
	fwd_port_make_promiscuous(router);
	check(l, router, NULL, "private");
	assert_int_equal(l->fp.native_vid, 100);
	assert_int_equal(count_vlans(&l->fp), 1);

	isolated = add(l, VLAN_ACCESS, 100, NULL);
	isolated->apart = FWD_ISOLATED;
	fwd_port_make_host(isolated, 101, false);
	check(l, isolated, "apart", "private");
	community = add(l, VLAN_ACCESS, 100, NULL);
	community->apart = 2;
	check(l, community, "apart", NULL);
	secondary = add(l, VLAN_ACCESS, 102, NULL);
	check_both(l, secondary, "private");
}

/* --- ports that are more than a device -------------------------------------
 */

static void needs_a_device(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l);

	p->port->fastpath = NULL;
	check_both(l, p, "of its type");
}

static void knows_bonds(void **state)
{
	struct lab *l = *state;
	struct fwd_port *bond = access_port(l), *member;
	struct fixture_port *f = &l->f->ports[0];

	fwd_port_make_bond(bond, xcalloc(1, sizeof(struct bond_table)));
	member = fixture_bond_member(l->f, f, 0)->fwd;
	member->port->fastpath = SOME_DEVICE;
	check_both(l, bond, "is a bond");
	check_both(l, member, "member of a bond");
}

static void knows_what_leads_elsewhere(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l), *q = access_port(l);
	struct fwd_gateway gateway;
	struct fwd_underlay underlay;
	struct fwd_tunnel tunnel;

	fwd_port_connect(p, q);
	check_both(l, p, "another bridge");
	check_both(l, q, "another bridge");
	p->patch_peer = q->patch_peer = NULL;
	check_both(l, p, NULL);
	p->gateway = &gateway;
	check_both(l, p, "routed");
	p->gateway = NULL;
	p->tunnel = &tunnel;
	check_both(l, p, "tunnel");
	p->tunnel = NULL;
	p->underlay = &underlay;
	check_both(l, p, "tunnels' packets");
	p->underlay = NULL;
}

static void knows_captures(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l), *q = access_port(l);

	p->capture = (struct capture *)(uintptr_t)64;
	check_both(l, p, "capture");
	check_both(l, q, NULL);
	p->capture = NULL;
}

static void knows_dot1q_tunnels(void **state)
{
	struct lab *l = *state;

	check_both(l, add(l, VLAN_DOT1Q_TUNNEL, 7, NULL), "dot1q-tunnel");
}

static void knows_priority_tags(void **state)
{
	struct lab *l = *state;
	struct vlan_config vlan = { .mode = VLAN_ACCESS, .tag = 7 };

	for (int i = PRIORITY_TAGS_IF_NONZERO; i <= PRIORITY_TAGS_ALWAYS; i++) {
		struct fixture_port *p;

		vlan.priority_tags = i;
		p = fixture_port(l->f, l->br, &vlan);
		p->port->fastpath = SOME_DEVICE;
		check(l, p->fwd, NULL, "priority tags");
	}
}

static void knows_who_does_not_learn(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l);

	p->learns = false;
	check(l, p, "not learned", NULL);
}

static void knows_punts(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l);

	p->punts = (1u << N_PUNT_KINDS) - 1;
	p->punts &= ~(1u << PUNT_DHCP);
	check_both(l, p, NULL);
	p->punts |= PUNT_ANSWERS;
	check(l, p, "overlay learns", NULL);
	p->punts = 1u << PUNT_DHCP;
	check(l, p, "overlay learns", NULL);
}

/* --- policies --------------------------------------------------------------
 */

static void knows_ingress_policies(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l);
	struct fwd_ingress *in = fwd_port_ingress(p);

	check_both(l, p, NULL);
	in->acl = (struct acl *)(uintptr_t)64;
	check(l, p, "acl-in", NULL);
	in->acl = NULL;
	in->policer = (struct policer *)(uintptr_t)64;
	check(l, p, "policed", NULL);
	in->policer = NULL;
	in->marks = true;
	check(l, p, "marked", NULL);
	in->marks = false;
	in->snoops = true;
	check(l, p, "DHCP", NULL);
	in->snoops = false;
	in->guard = (const struct guard *)(uintptr_t)64;
	check(l, p, "security policy", NULL);
	in->guard = NULL;
	in->reserved = true;
	check(l, p, "kept for mirrors", NULL);
	in->reserved = false;
	/* Of these, known stations' frames are free. */
	in->drops_unlearned = true;
	in->storm = (struct storm *)(uintptr_t)64;
	check_both(l, p, NULL);
}

static void knows_egress_policies(void **state)
{
	struct lab *l = *state;
	struct fwd_port *p = access_port(l);
	struct fwd_egress *out = fwd_port_egress(p);

	check_both(l, p, NULL);
	out->acl = (struct acl *)(uintptr_t)64;
	check(l, p, NULL, "acl-out");
	out->acl = NULL;
	out->shaper = (struct shaper *)(uintptr_t)64;
	check(l, p, NULL, "shaped");
	out->shaper = NULL;
	out->snoops = true;
	check(l, p, NULL, "DHCP");
	out->snoops = false;
	out->reserved = true;
	check(l, p, NULL, "kept for mirrors");
}

static void knows_mirrors(void **state)
{
	static struct mirror_counters counters[PORT_THREADS_MAX];
	struct lab *l = *state;
	struct fwd_port *p = access_port(l), *q = access_port(l);
	struct fwd_port *trunk = add(l, VLAN_TRUNK, 0, NULL);
	struct fwd_mirror m = { .out = access_port(l), .counters = counters };
	const struct fwd_mirror *all, *of_7, *of_8;

	all = fwd_bridge_add_mirror(l->br, &m);
	m.by_vlan = true;
	vlan_set_add(&m.vlans, 7);
	of_7 = fwd_bridge_add_mirror(l->br, &m);
	vlan_set_remove(&m.vlans, 7);
	vlan_set_add(&m.vlans, 8);
	of_8 = fwd_bridge_add_mirror(l->br, &m);
	check_both(l, m.out, "kept for mirrors");
	check_both(l, p, NULL);

	fwd_mirror_select(of_8, p, true, true);
	check_both(l, p, NULL);
	fwd_mirror_select(of_7, p, true, false);
	check(l, p, "mirror copies", NULL);
	fwd_mirror_select(all, q, false, true);
	check(l, q, NULL, "mirror copies");
	fwd_mirror_select(of_8, trunk, false, true);
	check(l, trunk, NULL, "mirror copies");
	/* A host of a private VLAN is no member of what it sends in. */
	fwd_bridge_add_secondary(l->br, 7, 8);
	p = access_port(l);
	fwd_port_make_host(p, 8, false);
	fwd_mirror_select(of_8, p, true, false);
	check(l, p, "mirror copies", "private");
}

/* An RSPAN VLAN is flooded. */
static void leaves_out_mirror_vlans(void **state)
{
	static struct mirror_counters counters[PORT_THREADS_MAX];
	struct lab *l = *state;
	struct fwd_port *trunk = add(l, VLAN_TRUNK, 0, NULL);
	const struct fwd_mirror m = { .out_vid = 9, .counters = counters };

	fwd_bridge_add_mirror(l->br, &m);
	check_both(l, trunk, NULL);
	assert_false(has_vlan(&l->fp, 9));
	assert_true(has_vlan(&l->fp, 7));
}

int main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(tells_modes),
		TEST(leaves_out_flood_vlans),
		TEST(leaves_out_private_vlans),
		TEST(needs_a_device),
		TEST(knows_bonds),
		TEST(knows_what_leads_elsewhere),
		TEST(knows_captures),
		TEST(knows_dot1q_tunnels),
		TEST(knows_priority_tags),
		TEST(knows_who_does_not_learn),
		TEST(knows_punts),
		TEST(knows_ingress_policies),
		TEST(knows_egress_policies),
		TEST(knows_mirrors),
		TEST(leaves_out_mirror_vlans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
