/* Shaped ports in the pipeline: what is kept leaves later, the same way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ticks.h"
#include "bond/bond_table.h"
#include "forward/mirror.h"
#include "forward/policies.h"
#include "forward/stage.h"
#include "forward/trace.h"
#include "shape/shaper_home.h"
#include "switch_fixture.h"

static const struct shaper_config slow = {
	.average_bps = 1000000,
	.n_queues = 1,
	.queues[0].dscp = SHAPER_DSCP_KEPT,
};

struct lab {
	struct fixture *f;
	struct shaper_home *home;
	struct shaper *shaper;
	int fd;
};

static int setup(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));

	ticks_init();
	lab->f = fixture_create();
	lab->f->traces = false; /* they show what leaves in the end */
	lab->fd = eventfd(0, EFD_NONBLOCK);
	lab->home = shaper_home_create(lab->fd);
	lab->shaper = shaper_create(&slow);
	assert_true(shaper_home_adopt(lab->home, lab->shaper));
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	shaper_destroy(lab->shaper);
	shaper_home_destroy(lab->home);
	fixture_destroy(lab->f);
	close(lab->fd);
	free(lab);
	return 0;
}

static void let_go(void *arg, const void *out, const struct shaper_batch *batch)
{
	struct lab *lab = arg;

	pipeline_shaped(lab->f->pipeline, out, batch);
}

static void shape(struct lab *lab, struct fixture_port *port)
{
	fwd_port_egress(port->fwd)->shaper = lab->shaper;
	shaper_home_begin(lab->home);
	shaper_home_serve(lab->home, lab->shaper, port->fwd);
	shaper_home_end(lab->home, let_go, lab);
}

/* So many seconds from now, as far as the shaper knows. */
static void run(struct lab *lab, unsigned s)
{
	shaper_home_run(lab->home, ticks_to_ns(ticks_now()) + s * 1000000000ull,
			let_go, lab);
}

static void kept_and_sent(void **state)
{
	struct lab *lab = *state;
	struct fwd_bridge *bridge = fixture_bridge(lab->f, "br0");
	struct fixture_port *a = fixture_port(lab->f, bridge, NULL);
	struct fixture_port *b = fixture_port(lab->f, bridge, NULL);
	uint8_t frame[1000] = { 0 };
	uint32_t len = 1000;

	make_frame(frame, 0xff, 1, NULL);
	shape(lab, b);
	for (unsigned i = 0; i < 8; i++)
		fixture_frame(lab->f, a, frame, len);
	assert_int_equal(b->n_sent, 0);
	run(lab, 0);
	assert_in_range(b->n_sent, 3, 4); /* the burst, and a debt */
	assert_int_equal(b->sent[0].len, len);
	for (unsigned s = 1; s < 9; s++)
		run(lab, s);
	assert_in_range(b->n_sent + fixture_drops(b, DROP_CODEL), 8, 8);
	assert_int_equal(a->n_sent, 0);
	/* No snapshot has it any more: what waits is gone. */
	for (unsigned i = 0; i < 8; i++)
		fixture_frame(lab->f, a, frame, len);
	shaper_home_begin(lab->home);
	shaper_home_end(lab->home, let_go, lab);
	assert_int_equal(fixture_drops(b, DROP_SHAPER_GONE), 8);
}

/* In a trace it leaves at once, and none waits for that in the real queue. */
static void traced(void **state)
{
	struct lab *lab = *state;
	struct fwd_bridge *bridge = fixture_bridge(lab->f, "br0");
	struct fixture_port *a = fixture_port(lab->f, bridge, NULL);
	struct fixture_port *b = fixture_port(lab->f, bridge, NULL);
	uint8_t frame[100];
	uint32_t len = make_frame(frame, 0xff, 1, NULL);
	const struct trace_step *steps;
	struct trace *trace;
	unsigned n, outputs = 0;

	shape(lab, b);
	trace = trace_create(lab->f->snapshot);
	assert_int_equal(trace_run(trace, a->fwd, frame, len), 0);
	steps = trace_steps(trace, &n);
	for (unsigned i = 0; i < n; i++)
		if (steps[i].kind == TRACE_OUTPUT) {
			assert_string_equal(steps[i].port, b->port->name);
			assert_int_equal(steps[i].frame_len, len);
			outputs++;
		}
	assert_int_equal(outputs, 1);
	trace_destroy(trace);
	run(lab, 1);
	assert_int_equal(b->n_sent, 0);
	assert_true(shaper_home_sleep(lab->home, 0) == UINT64_MAX);
	shaper_home_awake(lab->home);
}

/* A flood that goes round through a shaper ends as it would without. */
static void loops_end(void **state)
{
	struct lab *lab = *state;
	struct fwd_bridge *br0 = fixture_bridge(lab->f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(lab->f, "br1");
	struct fixture_port *in = fixture_port(lab->f, br0, NULL);
	struct fixture_port *links[2][2];
	uint64_t ended = 0;
	uint8_t frame[100];
	uint32_t len = make_frame(frame, 0xff, 1, NULL);

	for (unsigned i = 0; i < 2; i++) {
		links[i][0] = fixture_port(lab->f, br0, NULL);
		links[i][1] = fixture_port(lab->f, br1, NULL);
		fwd_port_connect(links[i][0]->fwd, links[i][1]->fwd);
	}
	shape(lab, links[0][0]);
	fixture_frame(lab->f, in, frame, len);
	for (unsigned i = 0; i < 100; i++)
		run(lab, i);
	for (unsigned i = 0; i < 4; i++)
		ended += fixture_drops(links[i / 2][i % 2], DROP_PATCH_LOOP);
	assert_true(ended > 0);
	assert_true(shaper_home_sleep(lab->home, 0) == UINT64_MAX);
	shaper_home_awake(lab->home);
}

/*
 * Copies that a mirror sends by a patch port, and that come back by another
 * link, are not copied again because they have waited.
 */
static void copies_are_not_copied_again(void **state)
{
	struct lab *lab = *state;
	struct fwd_bridge *br0 = fixture_bridge(lab->f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(lab->f, "br1");
	struct fixture_port *in = fixture_port(lab->f, br0, NULL);
	struct fixture_port *links[2][2];
	struct mirror_counters counters[PORT_THREADS_MAX] = { 0 };
	struct fwd_mirror mirror = { .counters = counters };
	const struct fwd_mirror *m;
	uint8_t frame[100];
	uint32_t len = make_frame(frame, 0xff, 1, NULL);

	for (unsigned i = 0; i < 2; i++) {
		links[i][0] = fixture_port(lab->f, br0, NULL);
		links[i][1] = fixture_port(lab->f, br1, NULL);
		fwd_port_connect(links[i][0]->fwd, links[i][1]->fwd);
	}
	mirror.out = links[0][0]->fwd;
	m = fwd_bridge_add_mirror(br0, &mirror);
	fwd_mirror_select(m, in->fwd, true, true);
	fwd_mirror_select(m, links[1][0]->fwd, true, false);
	shape(lab, links[0][0]);
	fixture_frame(lab->f, in, frame, len);
	for (unsigned i = 0; i < 100; i++)
		run(lab, i);
	assert_int_equal(counters[0].packets, 1);
}

/* A gateway whose packets have waited tells by a port that there is. */
static void origins_are_forgotten(void **state)
{
	struct lab *lab = *state;
	struct fwd_bridge *br0 = fixture_bridge(lab->f, "br0");
	struct fwd_bridge *br1 = fixture_bridge(lab->f, "br1");
	struct fixture_port *in = fixture_port(lab->f, br0, NULL);
	struct fixture_port *link[2];
	uint8_t frame[100];
	uint32_t len = make_frame(frame, 0xff, 1, NULL);

	link[0] = fixture_port(lab->f, br0, NULL);
	link[1] = fixture_port(lab->f, br1, NULL);
	fwd_port_connect(link[0]->fwd, link[1]->fwd);
	(void)fixture_port(lab->f, br1, NULL);
	shape(lab, link[0]);
	fixture_frame(lab->f, in, frame, len);
	run(lab, 1);
	assert_ptr_equal(lab->f->pipeline->stages[0]->in, link[0]->fwd);
	assert_null(lab->f->pipeline->stages[0]->as);
}

/* A bond's members are chosen as if nothing had waited. */
static void members_are_chosen_by_origin(void **state)
{
	struct lab *lab = *state;
	struct fwd_bridge *br = fixture_bridge(lab->f, "br0");
	struct fixture_port *in[2], *members[2], *bond;
	uint8_t frame[100];
	uint32_t len;

	for (unsigned i = 0; i < 2; i++)
		in[i] = fixture_port(lab->f, br, NULL);
	bond = fixture_port(lab->f, br, NULL);
	fwd_port_make_bond(bond->fwd,
			   xcalloc_aligned(1, sizeof(struct bond_table)));
	for (unsigned i = 0; i < 2; i++)
		members[i] = fixture_bond_member(lab->f, bond, 0);
	for (unsigned i = 0; i < 2; i++)
		fwd_bond_choose(bond->fwd, in[i]->fwd->number, i);
	shape(lab, bond);
	for (unsigned i = 0; i < 2; i++) {
		len = make_frame(frame, 0xff, 1 + i, NULL);
		fixture_frame(lab->f, in[i], frame, len);
	}
	run(lab, 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(members[i]->n_sent, 1);
		assert_int_equal(members[i]->sent[0].data[11], 1 + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kept_and_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(traced, setup, teardown),
		cmocka_unit_test_setup_teardown(loops_end, setup, teardown),
		cmocka_unit_test_setup_teardown(copies_are_not_copied_again,
						setup, teardown),
		cmocka_unit_test_setup_teardown(members_are_chosen_by_origin,
						setup, teardown),
		cmocka_unit_test_setup_teardown(origins_are_forgotten, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
