/* Bonds in the pipeline: which member sends, what members let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond/bond_table.h"
#include "forward/capture.h"
#include "packet/parse.h"
#include "tests/unit/switch_fixture.h"

/* Stations a and b at ports of the bridge, and a bond of three. */
struct lab {
	struct fixture *f;
	struct fwd_bridge *br;
	struct fixture_port *a, *b, *bond, *m[3];
	struct bond_table *table;
};

static struct lab *lab_create(enum bond_hash hash, const unsigned filters[3])
{
	struct lab *l = xcalloc(1, sizeof(*l));

	l->f = fixture_create();
	l->br = fixture_bridge(l->f, "br0");
	l->a = fixture_port(l->f, l->br, NULL);
	l->b = fixture_port(l->f, l->br, NULL);
	l->bond = fixture_port(l->f, l->br, NULL);
	l->table = xcalloc(1, sizeof(*l->table));
	l->table->hash = hash;
	for (unsigned i = 0; i < BOND_BUCKETS; i++)
		l->table->member[i] = i % 3;
	bond_table_finish(l->table);
	fwd_port_make_bond(l->bond->fwd, l->table);
	for (unsigned i = 0; i < 3; i++)
		l->m[i] = fixture_bond_member(l->f, l->bond,
					      filters ? filters[i] : 0);
	return l;
}

static void lab_destroy(struct lab *l)
{
	fixture_destroy(l->f);
	free(l);
}

static void inject(struct lab *l, struct fixture_port *in, uint8_t dst,
		   uint8_t src, const uint32_t *tags)
{
	uint8_t frame[128];

	fixture_frame(l->f, in, frame, make_frame(frame, dst, src, tags));
}

static unsigned sent_by_members(const struct lab *l)
{
	return l->m[0]->n_sent + l->m[1]->n_sent + l->m[2]->n_sent;
}

/* --- sending ------------------------------------------------------------- */

static void a_bond_is_one_port(void **state)
{
	struct lab *l = lab_create(BOND_HASH_NONE, NULL);

	(void)state;
	l->table->active = 1;
	/* Flooded: one copy by the active member, none back. */
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(l->b->n_sent, 1);
	assert_int_equal(l->m[1]->n_sent, 1);
	assert_int_equal(sent_by_members(l), 1);
	/* From a member: to the others, and not out by the bond again. */
	fixture_forget(l->f);
	inject(l, l->m[0], 0xff, 9, NULL);
	assert_int_equal(l->a->n_sent, 1);
	assert_int_equal(l->b->n_sent, 1);
	assert_int_equal(sent_by_members(l), 0);
	/* It was learned at the bond, whatever member it came by. */
	fixture_forget(l->f);
	inject(l, l->a, 9, 1, NULL);
	assert_int_equal(l->m[1]->n_sent, 1);
	assert_int_equal(l->b->n_sent, 0);
	/* And is not sent back where it is. */
	inject(l, l->m[2], 9, 8, NULL);
	assert_int_equal(fixture_drops(l->m[2], DROP_SAME_PORT), 1);
	lab_destroy(l);
}

static void members_keep_the_order(void **state)
{
	struct lab *l = lab_create(BOND_HASH_SLB, NULL);
	uint8_t frames[48][128];
	struct iovec burst[48];

	(void)state;
	for (unsigned i = 0; i < 48; i++) {
		uint32_t len = make_frame(frames[i], 9, 10 + i % 12, NULL);

		frames[i][20] = i;
		burst[i] = (struct iovec){ frames[i], len };
	}
	inject(l, l->m[0], 0xff, 9, NULL);
	fixture_forget(l->f);
	fixture_burst(l->f, l->a, burst, 48);
	assert_int_equal(sent_by_members(l), 48);
	for (unsigned m = 0; m < 3; m++) {
		unsigned n = l->m[m]->n_sent;

		assert_in_range(n, 1, 47);
		for (unsigned i = 0; i < n; i++) {
			uint8_t src = l->m[m]->sent[i].data[11];

			assert_int_equal(l->table->member[bond_hash_slb(
						 0x020000000000 | src, 0, 0)],
					 m);
			if (i)
				assert_true(l->m[m]->sent[i].data[20] >
					    l->m[m]->sent[i - 1].data[20]);
		}
	}
	lab_destroy(l);
}

static void the_tag_is_the_one_that_leaves(void **state)
{
	const uint32_t tag[] = { 0x8100000a, 0 };
	struct lab *l = lab_create(BOND_HASH_SLB, NULL);
	struct vlan_config access = { .mode = VLAN_ACCESS, .tag = 10 };
	struct fixture_port *c = fixture_port(l->f, l->br, &access);
	unsigned m = l->table->member[bond_hash_slb(0x020000000001, 10, 0)];

	(void)state;
	inject(l, c, 0xff, 1, NULL);
	assert_int_equal(sent_by_members(l), 1);
	assert_int_equal(l->m[m]->n_sent, 1);
	inject(l, l->a, 0xff, 1, tag);
	assert_int_equal(l->m[m]->n_sent, 2);
	lab_destroy(l);
}

static void without_a_member_packets_end_at_the_bond(void **state)
{
	struct lab *l = lab_create(BOND_HASH_NONE, NULL);
	struct capture_ring *ring = capture_ring_create(65535, NULL, 1 << 16);
	struct capture at_bond = { ring, 1, NULL };

	(void)state;
	l->table->active = BOND_NO_MEMBER;
	l->bond->fwd->capture = &at_bond;
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(l->b->n_sent, 1);
	assert_int_equal(sent_by_members(l), 0);
	assert_int_equal(fixture_drops(l->bond, DROP_BOND_DOWN), 1);
	/* A member that is not open. */
	assert_null(fwd_bond_add_member(l->bond->fwd, NULL, 0));
	l->table->active = 3;
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(fixture_drops(l->bond, DROP_BOND_DOWN), 2);
	l->table->active = 17; /* of none such */
	inject(l, l->a, 0xff, 1, NULL);
	assert_int_equal(fixture_drops(l->bond, DROP_BOND_DOWN), 3);
	lab_destroy(l);
	capture_ring_destroy(ring);
}

/* --- what comes in -------------------------------------------------------- */

static void a_standby_member_lets_nothing_in(void **state)
{
	const unsigned filters[] = { 0, FWD_FILTER_ALL, 0 };
	struct lab *l = lab_create(BOND_HASH_NONE, filters);

	(void)state;
	inject(l, l->m[1], 0xff, 9, NULL);
	assert_int_equal(l->a->n_sent, 0);
	assert_int_equal(fixture_drops(l->m[1], DROP_BOND_STANDBY), 1);
	/* Nor is anything learned by it. */
	inject(l, l->a, 9, 1, NULL);
	assert_int_equal(l->b->n_sent, 1);
	lab_destroy(l);
}

static void groups_come_in_by_one_member(void **state)
{
	const unsigned filters[] = { 0, FWD_FILTER_MULTICAST, 0 };
	struct lab *l = lab_create(BOND_HASH_NONE, filters);

	(void)state;
	inject(l, l->a, 0xff, 1, NULL);
	fixture_forget(l->f);
	inject(l, l->m[0], 0xff, 9, NULL);
	inject(l, l->m[1], 0xff, 9, NULL);
	assert_int_equal(l->a->n_sent, 1);
	assert_int_equal(fixture_drops(l->m[1], DROP_BOND_DUPLICATE), 1);
	inject(l, l->m[1], 1, 9, NULL);
	assert_int_equal(l->a->n_sent, 2);
	lab_destroy(l);
}

/* An ARP packet that a station says of itself, or asks another with. */
static void arp(struct lab *l, struct fixture_port *in, uint8_t src,
		uint16_t op, uint8_t target)
{
	uint8_t frame[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };

	frame[11] = src;
	store_be16(frame + 12, ETH_TYPE_ARP);
	store_be32(frame + 14, 0x00010800);
	store_be16(frame + 18, 0x0604);
	store_be16(frame + 20, op);
	memcpy(frame + 22, frame + 6, 6);
	store_be32(frame + 28, 0x0a000000 | src);
	store_be32(frame + 38, 0x0a000000 | target);
	fixture_frame(l->f, in, frame, sizeof(frame));
}

static const unsigned no_moved[] = { FWD_FILTER_MOVED, FWD_FILTER_MOVED,
				     FWD_FILTER_MOVED };

static void what_we_sent_does_not_come_back(void **state)
{
	struct lab *l = lab_create(BOND_HASH_SLB, no_moved);

	(void)state;
	inject(l, l->a, 0xff, 1, NULL);
	fixture_forget(l->f);
	inject(l, l->m[1], 0xff, 1, NULL);
	assert_int_equal(l->b->n_sent, 0);
	assert_int_equal(fixture_drops(l->m[1], DROP_BOND_MOVED), 1);
	/* The station is still where it was. */
	inject(l, l->b, 1, 2, NULL);
	assert_int_equal(l->a->n_sent, 1);
	/* Who is not known, or known there, comes in. */
	inject(l, l->m[0], 0xff, 9, NULL);
	inject(l, l->m[1], 0xff, 9, NULL);
	assert_int_equal(l->b->n_sent, 2);
	lab_destroy(l);
}

static void a_station_that_says_so_has_moved(void **state)
{
	struct lab *l = lab_create(BOND_HASH_SLB, no_moved);

	(void)state;
	inject(l, l->a, 0xff, 1, NULL);
	arp(l, l->m[0], 1, 1, 77); /* asks for another */
	assert_int_equal(fixture_drops(l->m[0], DROP_BOND_MOVED), 1);
	arp(l, l->m[0], 1, 1, 1);
	assert_int_equal(fixture_drops(l->m[0], DROP_BOND_MOVED), 1);
	fixture_forget(l->f);
	inject(l, l->b, 1, 2, NULL);
	assert_int_equal(l->a->n_sent, 0);
	assert_int_equal(sent_by_members(l), 1);
	lab_destroy(l);
}

static void an_announcement_of_ours_is_not_believed(void **state)
{
	struct lab *l = lab_create(BOND_HASH_SLB, no_moved);

	(void)state;
	for (uint32_t now = 100; now < 110; now++) {
		fdb_tick(l->br->fdb, now);
		if (now == 101)
			arp(l, l->a, 1, 2, 1);
		if (now > 100)
			arp(l, l->m[0], 1, 2, 1);
	}
	/* 101 to 106 were reflections; the first of 107 was not. */
	assert_int_equal(fixture_drops(l->m[0], DROP_BOND_MOVED), 6);
	lab_destroy(l);
}

/* --- frames of our own -----------------------------------------------------
 */

static void emitted_frames_have_their_tag(void **state)
{
	const uint32_t tag[] = { 0x8100000a, 0 };
	struct lab *l = lab_create(BOND_HASH_SLB, NULL);
	struct vlan_config access = { .mode = VLAN_ACCESS, .tag = 10 };
	struct fixture_port *c = fixture_port(l->f, l->br, &access);
	uint8_t frame[128], tagged[128];
	uint32_t len = make_frame(frame, 0xff, 1, NULL);
	uint32_t tagged_len = make_frame(tagged, 0xff, 1, tag);
	unsigned m = l->table->member[bond_hash_slb(0x020000000001, 10, 0)];

	(void)state;
	pipeline_emit(l->f->pipeline, l->bond->fwd, frame, len, 10);
	assert_int_equal(sent_by_members(l), 1);
	assert_int_equal(l->m[m]->n_sent, 1);
	assert_int_equal(l->m[m]->sent[0].len, tagged_len);
	assert_memory_equal(l->m[m]->sent[0].data, tagged, tagged_len);
	/* One member, as it is. */
	fixture_forget(l->f);
	pipeline_emit(l->f->pipeline, l->m[2]->fwd, frame, len, VLAN_VID_NONE);
	assert_int_equal(l->m[2]->sent[0].len, len);
	/* An access port: untagged, and nothing of another VLAN. */
	pipeline_emit(l->f->pipeline, c->fwd, frame, len, 10);
	assert_int_equal(c->n_sent, 1);
	assert_int_equal(c->sent[0].len, len);
	pipeline_emit(l->f->pipeline, c->fwd, frame, len, 11);
	assert_int_equal(c->n_sent, 1);
	assert_int_equal(fixture_drops(c, DROP_VLAN_NOT_ALLOWED), 1);
	pipeline_emit(l->f->pipeline, c->fwd, frame, 13, VLAN_VID_NONE);
	assert_int_equal(c->n_sent, 1);
	lab_destroy(l);
}

static void an_announcement_goes_where_its_station_would(void **state)
{
	struct lab *l = lab_create(BOND_HASH_PORT, NULL);
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 0xff, 2, NULL);

	(void)state;
	inject(l, l->b, 0xff, 2, NULL);
	fixture_forget(l->f);
	pipeline_emit(l->f->pipeline, l->bond->fwd, frame, len, 0);
	assert_int_equal(l->m[l->b->fwd->number % 3]->n_sent, 1);
	lab_destroy(l);
}

/* --- captures ---------------------------------------------------------------
 */

struct seen {
	unsigned n[8], dropped[8];
};

static void see(const struct capture_record *r, void *seen_)
{
	struct seen *seen = seen_;

	seen->n[r->port_id]++;
	seen->dropped[r->port_id] += r->dropped;
}

static void captures_see_members_and_bond(void **state)
{
	const unsigned filters[] = { 0, FWD_FILTER_ALL, 0 };
	struct lab *l = lab_create(BOND_HASH_NONE, filters);
	struct capture_ring *ring = capture_ring_create(65535, NULL, 1 << 16);
	struct capture at[4];
	struct seen seen = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		at[i] = (struct capture){ ring, i, NULL };
		(i < 3 ? l->m[i] : l->bond)->fwd->capture = &at[i];
	}
	inject(l, l->m[0], 0xff, 9, NULL); /* in by 0 */
	inject(l, l->a, 0xff, 1, NULL);	   /* out by 0 */
	inject(l, l->m[1], 0xff, 9, NULL); /* refused at 1 */
	capture_ring_read(ring, 99, see, &seen);
	assert_int_equal(seen.n[0], 2);
	assert_int_equal(seen.dropped[0], 0);
	assert_int_equal(seen.n[1], 1);
	assert_int_equal(seen.dropped[1], 1);
	assert_int_equal(seen.n[2], 0);
	assert_int_equal(seen.n[3], 3);
	assert_int_equal(seen.dropped[3], 1);
	lab_destroy(l);
	capture_ring_destroy(ring);
}

/* With forward-bpdu guests speak LACP with each other, not with the partner. */
static void frames_of_lacp_are_the_bonds_own(void **state)
{
	struct lab *l = lab_create(BOND_HASH_SLB, NULL);
	uint8_t frames[3][128];
	struct iovec burst[3];

	(void)state;
	l->br->forward_bpdu = true;
	for (unsigned i = 0; i < 3; i++) {
		uint32_t len = make_frame(frames[i], 0xff, 1, NULL);

		burst[i] = (struct iovec){ frames[i], len };
	}
	memcpy(frames[1],
	       "\x01\x80\xc2\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\x09", 14);
	fixture_burst(l->f, l->a, burst, 3);
	assert_int_equal(sent_by_members(l), 3);
	l->bond->fwd->bond->stops_slow = true;
	fixture_forget(l->f);
	fixture_burst(l->f, l->a, burst, 3);
	assert_int_equal(l->b->n_sent, 3);
	assert_int_equal(sent_by_members(l), 2);
	fixture_frame(l->f, l->a, frames[1], 60);
	assert_int_equal(sent_by_members(l), 2);
	assert_int_equal(fixture_drops(l->bond, DROP_LINK_LOCAL), 2);
	lab_destroy(l);
}

/* --- between two snapshots ------------------------------------------------ */

/* A snapshot of the same ports in which members have other filters. */
static struct fwd_snapshot *same_with(const struct lab *l,
				      const unsigned filters[2])
{
	static const struct vlan_config trunk = { .mode = VLAN_TRUNK };
	struct fwd_snapshot *s = fwd_snapshot_create(2);
	struct fwd_bridge *br = fwd_snapshot_add_bridge(s, "br0", l->br->fdb);
	struct fwd_port *bond;

	bond = fwd_bridge_add_port(br, l->bond->port, l->bond->fwd->number,
				   &trunk);
	fwd_port_make_bond(bond, xcalloc(1, sizeof(struct bond_table)));
	/* The last is no member any more. */
	fwd_bond_add_member(bond, l->m[1]->port, filters[1]);
	fwd_bond_add_member(bond, l->m[0]->port, filters[0]);
	return s;
}

static void check_between(const unsigned now[3], const unsigned next[2],
			  unsigned first, unsigned second)
{
	struct lab *l = lab_create(BOND_HASH_NONE, now);
	struct fwd_snapshot *s = same_with(l, next);

	fwd_snapshot_loosen(NULL, s);
	fwd_snapshot_loosen(l->f->snapshot, s);
	assert_int_equal(l->m[0]->fwd->filter, first);
	assert_int_equal(l->m[1]->fwd->filter, second);
	assert_int_equal(l->m[2]->fwd->filter, now[2]);
	fwd_snapshot_destroy(s);
	lab_destroy(l);
}

/* Workers do not take over a snapshot in the same moment. */
static void what_is_to_come_in_does_first(void **state)
{
	const unsigned all = FWD_FILTER_ALL, groups = FWD_FILTER_MULTICAST,
		       moved = FWD_FILTER_MOVED;

	(void)state;
	/* A partner that knows of the bond: one more member, one less. */
	check_between((const unsigned[]){ 0, all, 0 },
		      (const unsigned[]){ 0, 0 }, moved, groups | moved);
	check_between((const unsigned[]){ 0, 0, 0 },
		      (const unsigned[]){ all, 0 }, moved, moved);
	/* Failback: no reflection comes in, no group comes in twice. */
	check_between((const unsigned[]){ all, 0, 0 },
		      (const unsigned[]){ moved, groups | moved },
		      groups | moved, moved);
	/* Failover. */
	check_between((const unsigned[]){ 0, all, 0 },
		      (const unsigned[]){ all, 0 }, moved, groups | moved);
	check_between((const unsigned[]){ moved, groups | moved, 0 },
		      (const unsigned[]){ all, moved }, moved, groups | moved);
	/* Nothing changes, and nothing is touched. */
	check_between((const unsigned[]){ 0, groups, 0 },
		      (const unsigned[]){ 0, groups }, 0, groups);
	check_between((const unsigned[]){ all, moved | groups, 0 },
		      (const unsigned[]){ all, moved }, all, moved | groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bond_is_one_port),
		cmocka_unit_test(members_keep_the_order),
		cmocka_unit_test(the_tag_is_the_one_that_leaves),
		cmocka_unit_test(without_a_member_packets_end_at_the_bond),
		cmocka_unit_test(a_standby_member_lets_nothing_in),
		cmocka_unit_test(groups_come_in_by_one_member),
		cmocka_unit_test(what_we_sent_does_not_come_back),
		cmocka_unit_test(a_station_that_says_so_has_moved),
		cmocka_unit_test(an_announcement_of_ours_is_not_believed),
		cmocka_unit_test(emitted_frames_have_their_tag),
		cmocka_unit_test(an_announcement_goes_where_its_station_would),
		cmocka_unit_test(captures_see_members_and_bond),
		cmocka_unit_test(frames_of_lacp_are_the_bonds_own),
		cmocka_unit_test(what_is_to_come_in_does_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
