/*
 * Traces: what they say leaves is what leaves, what they say ends does, and
 * nothing is changed by them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bond/bond_table.h"
#include "forward/trace.h"
#include "tests/unit/switch_fixture.h"

#define C(tci) (0x81000000u | (tci))
#define TAGS(...)                                                              \
	(const uint32_t[])                                                     \
	{                                                                      \
		__VA_ARGS__ __VA_OPT__(, ) 0                                   \
	}

static const struct vlan_config access10 = { .mode = VLAN_ACCESS, .tag = 10 };
static const struct vlan_config access20 = { .mode = VLAN_ACCESS, .tag = 20 };

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

static const char *name_of(const struct fixture_port *p)
{
	return p->port->name;
}

/* The number of outputs by the port, each as the port has sent it. */
static unsigned same_outputs(const struct trace *t,
			     const struct fixture_port *p)
{
	const struct trace_step *step;
	unsigned n, found = 0;

	step = trace_steps(t, &n);
	for (; n--; step++) {
		const struct sent_frame *sent = &p->sent[found];

		if (step->kind != TRACE_OUTPUT ||
		    strcmp(step->port, name_of(p)) != 0)
			continue;
		assert_true(found++ < p->n_sent);
		assert_int_equal(step->frame_len, sent->len);
		assert_memory_equal(step->frame, sent->data,
				    MIN(sent->len, sizeof(sent->data)));
	}
	return found;
}

static unsigned count(const struct trace *t, enum trace_kind kind,
		      const char *stage, const char *port)
{
	const struct trace_step *step;
	unsigned n, found = 0;

	step = trace_steps(t, &n);
	for (; n--; step++)
		found += step->kind == kind &&
			 (!stage || !strcmp(step->stage, stage)) &&
			 (!port || (step->port && !strcmp(step->port, port)));
	return found;
}

static const struct trace_step *find(const struct trace *t,
				     enum trace_kind kind, const char *stage,
				     const char *port)
{
	const struct trace_step *step;
	unsigned n;

	step = trace_steps(t, &n);
	for (; n--; step++)
		if (step->kind == kind && !strcmp(step->stage, stage) &&
		    (!port || (step->port && !strcmp(step->port, port))))
			return step;
	fail_msg("no step %s at %s", stage, port ? port : "any port");
	return NULL;
}

static uint64_t sum_counters(const struct fixture *f)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < f->n_ports; i++) {
		struct port_counters c;

		port_get_counters(f->ports[i].port, &c);
		sum += c.rx_packets + c.rx_bytes + c.tx_packets + c.tx_bytes;
		for (unsigned r = 0; r < N_DROP_REASONS; r++)
			sum += c.drops[r];
	}
	return sum;
}

static uint32_t n_learned(const struct fixture *f)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < f->snapshot->n_bridges; i++) {
		struct fdb_stats stats;

		fdb_get_stats(f->snapshot->bridges[i]->fdb, &stats);
		sum += stats.entries + stats.moved;
	}
	return sum;
}

/*
 * Traces the frame, sees that nothing has changed, then lets it go its way, and
 * sees that what left is what the trace said. The caller destroys it.
 */
static struct trace *trace_and_send(struct fixture *f, struct fixture_port *in,
				    const void *frame, uint32_t len)
{
	struct trace *t = trace_create(f->snapshot);
	uint64_t counters = sum_counters(f);
	uint32_t learned = n_learned(f);

	fixture_forget(f);
	assert_int_equal(trace_run(t, in->fwd, frame, len), 0);
	assert_int_equal(sum_counters(f), counters);
	assert_int_equal(n_learned(f), learned);
	for (unsigned i = 0; i < f->n_ports; i++)
		assert_int_equal(f->ports[i].n_sent, 0);

	fixture_frame(f, in, frame, len);
	for (unsigned i = 0; i < f->n_ports; i++)
		assert_int_equal(same_outputs(t, &f->ports[i]),
				 f->ports[i].n_sent);
	return t;
}

static struct trace *trace_station(struct fixture *f, struct fixture_port *in,
				   uint8_t dst, uint8_t src,
				   const uint32_t *tags)
{
	uint8_t frame[128];

	return trace_and_send(f, in, frame, make_frame(frame, dst, src, tags));
}

static void floods_and_says_who_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, &access10);
	struct fixture_port *b = fixture_port(f, br, &access10);
	struct fixture_port *c = fixture_port(f, br, &access20);
	struct fixture_port *d = fixture_port(f, br, NULL);
	struct trace *t = trace_station(f, a, 2, 1, NULL);

	assert_int_equal(count(t, TRACE_FLOODED, "flood", NULL), 2);
	assert_int_equal(count(t, TRACE_OUTPUT, NULL, name_of(b)), 1);
	assert_int_equal(count(t, TRACE_OUTPUT, NULL, name_of(d)), 1);
	assert_string_equal(find(t, TRACE_LEFT_OUT, "flood", name_of(a))->text,
			    "the frame came from there");
	assert_string_equal(find(t, TRACE_LEFT_OUT, "flood", name_of(c))->text,
			    "not in VLAN 10");
	assert_string_equal(find(t, TRACE_STEP, "learn", NULL)->text,
			    "02:00:00:00:00:01 is new: it is learned here");
	trace_destroy(t);
}

static void says_the_entry(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct fixture_port *c = fixture_port(f, br, NULL);
	struct trace *t;

	trace_destroy(trace_station(f, b, 0xff, 2, TAGS(C(7))));
	t = trace_station(f, a, 2, 1, TAGS(C(7)));
	assert_string_equal(find(t, TRACE_STEP, "lookup", name_of(b))->text,
			    "02:00:00:00:00:02 in VLAN 7 is at p1 (heard 0 s "
			    "ago)");
	assert_int_equal(count(t, TRACE_OUTPUT, NULL, NULL), 1);
	trace_destroy(t);

	/* It moves. */
	t = trace_station(f, c, 1, 2, TAGS(C(7)));
	assert_string_equal(find(t, TRACE_STEP, "learn", NULL)->text,
			    "02:00:00:00:00:02 moves here from p1");
	trace_destroy(t);
	assert_int_equal(fdb_add_static(br->fdb,
					fdb_make_key(0x020000000009ull, 7),
					b->fwd->number),
			 0);
	t = trace_station(f, c, 1, 9, TAGS(C(7)));
	assert_string_equal(find(t, TRACE_STEP, "learn", NULL)->text,
			    "02:00:00:00:00:09 stays at p1: its entry is "
			    "static");
	trace_destroy(t);
}

static void assert_dropped(struct fixture *f, struct fixture_port *in,
			   const void *frame, uint32_t len, const char *stage,
			   struct fixture_port *at, enum drop_reason reason)
{
	uint64_t before = fixture_drops(at, reason);
	struct trace *t = trace_and_send(f, in, frame, len);
	const struct trace_step *step = find(t, TRACE_DROP, stage, name_of(at));

	assert_int_equal(step->reason, reason);
	assert_int_equal(step->n, 1);
	assert_int_equal(fixture_drops(at, reason), before + 1);
	trace_destroy(t);
}

static void says_why_it_ends(void **state)
{
	struct fixture *f = *state;
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, &access10);
	struct fixture_port *b = fixture_port(f, br, &access10);
	uint8_t frame[1600] = { 0 };
	uint32_t len;

	len = make_frame(frame, 2, 1, TAGS(C(20)));
	assert_dropped(f, a, frame, len, "ingress", a, DROP_TAG_NOT_ALLOWED);
	assert_dropped(f, a, frame, 10, "ingress", a, DROP_RUNT);
	make_frame(frame, 2, 1, NULL);
	assert_dropped(f, a, frame, 1600, "ingress", a, DROP_GIANT);

	/* Its receiver is where it comes from. */
	len = make_frame(frame, 0xff, 2, NULL);
	fixture_frame(f, b, frame, len);
	len = make_frame(frame, 2, 3, NULL);
	assert_dropped(f, b, frame, len, "output", b, DROP_SAME_PORT);
	/* The other port takes less. */
	atomic_store(&a->port->mtu, 100);
	len = make_frame(frame, 0xff, 3, NULL);
	assert_dropped(f, b, frame, 200, "output", a, DROP_TX_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(F) cmocka_unit_test_setup_teardown(F, setup, teardown)
		T(floods_and_says_who_is_left_out),
		T(says_the_entry),
		T(says_why_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
