/*
 * The kernel's decision about a frame (fastpath/decide.h), as C, against the
 * pipeline's on random bridges and frames: what it forwards, the pipeline sends
 * to that port alone, with the same bytes, and leaves the FDB as the decision
 * did; and it leaves to userspace nothing that is plain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/layout.h"
#include "forward/fdb_table.h"
#include "tests/unit/fastpath_lab.h"

#define LABS   300
#define FRAMES 400

_Static_assert(FP_VALUE_PORT == FDB_VALUE_PORT &&
		       FP_VALUE_LIVE == FDB_VALUE_LIVE &&
		       FP_VALUE_STATIC == FDB_VALUE_STATIC &&
		       FP_VALUE_CONTROLLED == FDB_VALUE_CONTROLLED &&
		       FP_VALUE_PASSED == FDB_VALUE_PASSED &&
		       FP_TICK_SHIFT == FDB_TICK_SHIFT &&
		       FP_BUCKET_SLOTS == FDB_BUCKET_SLOTS,
	       "one memory");
_Static_assert(sizeof(struct fp_bucket) == sizeof(struct fdb_bucket) &&
		       sizeof(struct fp_fdb_header) == sizeof(struct fp_bucket),
	       "one memory");

static const struct fdb_table *table_of(const struct lab *l)
{
	return (const struct fdb_table *)(const void *)l->fdb;
}

/* What the frames of a run were. */
struct tally {
	unsigned forwarded, sent, late, tagged, popped, pushed, gso, refreshed;
};

/* Of a port, before a frame. */
struct before {
	struct port_counters counters[LAB_PORTS];
};

static void note(const struct lab *l, struct before *before)
{
	for (unsigned i = 0; i < LAB_PORTS; i++)
		port_get_counters(l->ports[i]->port, &before->counters[i]);
}

/* The port that alone was sent to, once; LAB_PORTS: it was not so. */
static unsigned only_receiver(const struct lab *l)
{
	unsigned found = LAB_PORTS;

	for (unsigned i = 0; i < LAB_PORTS; i++) {
		if (!l->ports[i]->n_sent)
			continue;
		if (found != LAB_PORTS || l->ports[i]->n_sent > 1)
			return LAB_PORTS;
		found = i;
	}
	return found;
}

static void check_counters(const struct lab *l, const struct before *before,
			   unsigned in, uint32_t in_len, unsigned out,
			   uint32_t out_len)
{
	for (unsigned i = 0; i < LAB_PORTS; i++) {
		struct port_counters want = before->counters[i], now;

		port_get_counters(l->ports[i]->port, &now);
		want.rx_packets += i == in;
		want.rx_bytes += i == in ? in_len : 0;
		want.tx_packets += i == out;
		want.tx_bytes += i == out ? out_len : 0;
		assert_memory_equal(&now, &want, sizeof(now));
	}
}

static void check_forwarded(struct lab *l, const struct before *before,
			    unsigned in, const struct lab_frame *f,
			    const struct fp_decision *d)
{
	uint8_t shaped[LAB_FRAME_MAX + VLAN_TAG_LEN];
	uint32_t len = lab_shape(f, d, shaped);
	unsigned out = only_receiver(l);
	const struct sent_frame *sent;

	assert_int_not_equal(out, LAB_PORTS);
	assert_int_equal(d->ifindex, LAB_IFINDEX + 1 + out);
	assert_int_equal(d->in_slot, LAB_SLOT + 1 + in);
	assert_int_equal(d->out_slot, LAB_SLOT + 1 + out);
	assert_int_equal(!!d->to_host, !!(l->fp[out + 1].flags & FP_TO_HOST));
	sent = &l->ports[out]->sent[0];
	assert_int_equal(sent->len, len);
	assert_memory_equal(sent->data, shaped, MIN(len, sizeof(sent->data)));
	check_counters(l, before, in, f->len + (f->has_tag ? VLAN_TAG_LEN : 0),
		       out, len);
	assert_memory_equal(l->buckets, table_of(l)->buckets,
			    l->n_buckets * sizeof(*l->buckets));
}

/* In the first two buckets of the key: the kernel looks no farther. */
static bool is_near(const struct lab *l, fdb_key key)
{
	const struct fdb_table *t = table_of(l);
	struct fdb_slot slot;

	return fdb_find_slot(t, key, &slot) &&
	       (slot.bucket == fdb_probe(t, fdb_hash(t, key), 0) ||
		slot.bucket == fdb_probe(t, fdb_hash(t, key), 1));
}

static uint16_t vid_of(const struct lab *l, unsigned in,
		       const struct lab_frame *f)
{
	return f->has_tag ? VLAN_VID(f->tci) : l->ports[in]->fwd->native_vid;
}

/* Before the pipeline has it: no reason not to forward it is in the frame. */
static bool is_plain(const struct lab *l, unsigned in,
		     const struct lab_frame *f)
{
	uint64_t dst = load_mac(f->data), src = load_mac(f->data + 6);
	uint16_t vid = vid_of(l, in, f);
	struct fdb_entry entry;

	if (f->has_tag &&
	    (f->tag_type != ETH_TYPE_VLAN || !vid || vid == 0xfff))
		return false;
	if (vid == VLAN_VID_NONE || eth_type_is_vlan(load_be16(f->data + 12)) ||
	    mac_is_multicast(dst))
		return false;
	/* Segments of UDP may be a tunnel's; fragments are none. */
	if (f->gso_size &&
	    (f->gso == PACKET_GSO_UDP ||
	     (f->gso == PACKET_GSO_TCP4 && load_be16(f->data + 20) & 0x3fff)))
		return false;
	if (vlan_set_has(&l->bridge->flood_vlans, vid) ||
	    fwd_bridge_fid(l->bridge, vid) != vid)
		return false;
	return fdb_get(l->fdb, fdb_make_key(src, vid), &entry) &&
	       entry.port == in + 1;
}

static void count(struct tally *t, const struct lab_frame *f,
		  const struct fp_decision *d)
{
	t->forwarded++;
	t->tagged += f->has_tag && d->tag_op == FP_TAG_KEEP;
	t->popped += d->tag_op == FP_TAG_POP;
	t->pushed += d->tag_op == FP_TAG_PUSH;
	t->gso += !!f->gso_size;
}

static void check_frame(struct lab *l, struct tally *t)
{
	struct fp_decision d;
	struct before before;
	struct lab_frame f;
	unsigned in, out;
	bool plain, near;

	in = lab_make_frame(l, &f);
	lab_copy_fdb(l);
	fixture_forget(l->f);
	note(l, &before);
	plain = is_plain(l, in, &f);
	near = is_near(l, fdb_make_key(load_mac(f.data), vid_of(l, in, &f))) &&
	       is_near(l,
		       fdb_make_key(load_mac(f.data + 6), vid_of(l, in, &f)));
	if (lab_decide(l, in, &f, &d) == FP_FORWARD) {
		t->refreshed += !!memcmp(l->buckets, table_of(l)->buckets,
					 l->n_buckets * sizeof(*l->buckets));
		lab_run(l, in, &f);
		check_forwarded(l, &before, in, &f, &d);
		count(t, &f, &d);
		return;
	}
	lab_run(l, in, &f);
	out = only_receiver(l);
	t->sent += out != LAB_PORTS;
	if (out == LAB_PORTS || !plain || l->bypass[in].in ||
	    l->bypass[out].out ||
	    fdb_lookup(l->fdb, fdb_make_key(load_mac(f.data),
					    vid_of(l, in, &f))) != out + 1)
		return;
	assert_false(near);
	t->late++;
}

static void test_as_the_pipeline(void **state)
{
	struct tally t = { 0 };

	for (unsigned i = 0; i < LABS; i++) {
		struct lab *l = lab_create(i);

		for (unsigned k = 0; k < FRAMES; k++) {
			check_frame(l, &t);
			lab_stir(l);
		}
		lab_destroy(l);
	}
	print_message(
		"of %u: %u forwarded (%u tagged, %u popped, %u pushed, "
		"%u to be cut up; %u senders refreshed), %u sent by the pipeline alone, %u of "
		"them as their entries are far\n",
		LABS * FRAMES, t.forwarded, t.tagged, t.popped, t.pushed, t.gso,
		t.refreshed, t.sent, t.late);
	/* Every kind has been there. */
	assert_true(t.forwarded > LABS * FRAMES / 20);
	assert_true(t.tagged > 500 && t.popped > 500 && t.pushed > 500);
	assert_true(t.gso > 100 && t.late > 100 && t.refreshed > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_pipeline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
