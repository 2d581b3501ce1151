/*
 * Programs at a device's hooks (fastpath/attach.h), by either way, with
 * programs of the test's own: one counts the frames that come to it and lets
 * them pass, others drop. va is the device, vb its other end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "fastpath/attach.h"
#include "host.h"

/* bpf_insn.code: some of these are zero. */
#define OP(CLASS, SIZE, HOW) ((CLASS) + (SIZE) + (HOW))

#define REPLACEMENTS 100
#define FRAMES	     1000

static int map_fd, counting, droppers[2], counting_droppers[2];
static bool has_tcx;
static uint8_t frame[60];

static int load(const struct bpf_insn *insns, size_t n)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "vsw_test", "GPL",
			       insns, n, NULL);

	assert_true(fd >= 0);
	return fd;
}

static int load_dropper(void)
{
	const struct bpf_insn program[] = {
		{ .code = OP(BPF_ALU64, BPF_MOV, BPF_K), .imm = TC_ACT_SHOT },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(program, ARRAY_SIZE(program));
}

/* *bpf_map_lookup_elem(map, &0) += 1; return action; */
static int load_counter(int action)
{
	const struct bpf_insn program[] = {
		{ .code = OP(BPF_ST, BPF_MEM, BPF_W),
		  .dst_reg = 10,
		  .off = -4 },
		{ .code = OP(BPF_ALU64, BPF_MOV, BPF_X),
		  .dst_reg = 2,
		  .src_reg = 10 },
		{ .code = OP(BPF_ALU64, BPF_ADD, BPF_K),
		  .dst_reg = 2,
		  .imm = -4 },
		{ .code = OP(BPF_LD, BPF_DW, BPF_IMM),
		  .dst_reg = 1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map_fd },
		{ .code = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = OP(BPF_JMP, BPF_JEQ, BPF_K), .off = 2 },
		{ .code = OP(BPF_ALU64, BPF_MOV, BPF_K),
		  .dst_reg = 1,
		  .imm = 1 },
		{ .code = OP(BPF_STX, BPF_ATOMIC, BPF_DW),
		  .src_reg = 1,
		  .imm = BPF_ADD },
		{ .code = OP(BPF_ALU64, BPF_MOV, BPF_K), .imm = action },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(program, ARRAY_SIZE(program));
}

static uint64_t counted(void)
{
	uint32_t zero = 0;
	uint64_t n = 0;

	assert_int_equal(bpf_map_lookup_elem(map_fd, &zero, &n), 0);
	return n;
}

static uint32_t id_of(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

/* The ids at a point, each by its program; fails where it is another. */
static void check_list(const struct attach_point *point, unsigned n, int first,
		       int second)
{
	uint32_t ids[4];

	assert_int_equal(attach_list(point, ids, ARRAY_SIZE(ids)), n);
	if (n > 0)
		assert_int_equal(ids[0], id_of(first));
	if (n > 1)
		assert_int_equal(ids[1], id_of(second));
}

static void send_in(int vb)
{
	host_make_udp(frame, sizeof(frame), 0);
	host_send(vb, NULL, frame, sizeof(frame));
}

static int set_up(void **state)
{
	if (!host_privileged())
		return 0;
	host_run("ip link add va type veth peer name vb");
	host_run("ip link set va up; ip link set vb up");
	return 0;
}

static int tear_down(void **state)
{
	host_run("ip link del va 2>/dev/null; :");
	return 0;
}

static struct attach_point point_at(enum attach_hook hook, enum attach_way way)
{
	return (struct attach_point){
		.ifindex = if_nametoindex("va"),
		.hook = hook,
		.way = way,
	};
}

static bool may_run(enum attach_way way)
{
	return host_privileged() && (way == ATTACH_FILTER || has_tcx);
}

/* --- one after the other ---------------------------------------------------
 */

static void check_life(enum attach_way way, enum attach_hook hook)
{
	struct attach_point p = point_at(hook, way), again = p;

	assert_int_equal(attach_list(&p, NULL, 0), 0);
	check_list(&p, 0, -1, -1);
	assert_int_equal(attach_program(&p, droppers[0]), 0);
	assert_int_equal(p.made_clsact, way == ATTACH_FILTER);
	check_list(&p, 1, droppers[0], -1);
	assert_int_equal(attach_program(&again, droppers[0]), 0);
	assert_false(again.made_clsact);
	check_list(&p, 1, droppers[0], -1);

	assert_int_equal(attach_replace(&p, droppers[0], droppers[1]), 0);
	check_list(&p, 1, droppers[1], -1);
	/* The one that is to go is gone: someone has taken it away. */
	attach_remove(&again, droppers[1]);
	check_list(&p, 0, -1, -1);
	assert_int_equal(attach_replace(&p, droppers[1], droppers[0]), 0);
	check_list(&p, 1, droppers[0], -1);
	attach_remove(&p, droppers[0]);
	check_list(&p, 0, -1, -1);
	attach_remove(&p, droppers[0]);
	host_run("! tc qdisc show dev va | grep -q clsact");
}

static void test_life_tcx(void **state)
{
	if (!may_run(ATTACH_TCX))
		skip();
	check_life(ATTACH_TCX, ATTACH_INGRESS);
	check_life(ATTACH_TCX, ATTACH_EGRESS);
}

static void test_life_filter(void **state)
{
	if (!may_run(ATTACH_FILTER))
		skip();
	check_life(ATTACH_FILTER, ATTACH_INGRESS);
	check_life(ATTACH_FILTER, ATTACH_EGRESS);
}

/* A qdisc that somebody else has made stays. */
static void test_qdisc_of_others(void **state)
{
	struct attach_point p = point_at(ATTACH_INGRESS, ATTACH_FILTER);

	if (!may_run(ATTACH_FILTER))
		skip();
	host_run("tc qdisc add dev va clsact");
	assert_int_equal(attach_program(&p, droppers[0]), 0);
	assert_false(p.made_clsact);
	attach_remove(&p, droppers[0]);
	host_run("tc qdisc show dev va | grep -q clsact");
}

/* Ours is the first, and one that is behind it can go without a descriptor. */
static void test_order(void **state)
{
	struct attach_point p = point_at(ATTACH_INGRESS, ATTACH_TCX);
	uint64_t before;
	int vb;

	if (!may_run(ATTACH_TCX))
		skip();
	before = counted();
	vb = host_wire("vb");
	assert_int_equal(attach_program(&p, counting), 0);
	send_in(vb);
	assert_int_equal(counted() - before, 1);
	assert_int_equal(attach_program(&p, droppers[0]), 0);
	check_list(&p, 2, droppers[0], counting);
	send_in(vb);
	assert_int_equal(counted() - before, 1);

	attach_remove_by_id(&p, id_of(droppers[1])); /* is not there */
	check_list(&p, 2, droppers[0], counting);
	attach_remove_by_id(&p, id_of(counting));
	check_list(&p, 1, droppers[0], -1);
	assert_int_equal(attach_program(&p, counting), 0);
	check_list(&p, 2, counting, droppers[0]);
	attach_remove_by_id(&p, id_of(counting));
	check_list(&p, 1, droppers[0], -1);
	close(vb);
}

static void check_vanished(enum attach_way way)
{
	struct attach_point p = point_at(ATTACH_INGRESS, way);

	assert_int_equal(attach_program(&p, droppers[0]), 0);
	host_run("ip link del va");
	check_list(&p, 0, -1, -1);
	assert_int_equal(attach_replace(&p, droppers[0], droppers[1]), -ENODEV);
	attach_remove(&p, droppers[0]);
	attach_remove_by_id(&p, id_of(droppers[0]));
	assert_int_equal(attach_program(&p, droppers[0]), -ENODEV);
	assert_int_equal(attach_program_any(&p, droppers[0]), -ENODEV);
	set_up(NULL);
}

static void test_vanished(void **state)
{
	if (!may_run(ATTACH_FILTER))
		skip();
	check_vanished(ATTACH_FILTER);
	if (has_tcx)
		check_vanished(ATTACH_TCX);
}

/* --- without a gap ---------------------------------------------------------
 */

struct sender {
	pthread_t thread;
	int vb;
	atomic_bool stop;
	_Atomic uint64_t n;
};

static void *run_sender(void *arg)
{
	struct sender *s = arg;

	for (; !atomic_load(&s->stop); atomic_fetch_add(&s->n, 1))
		send_in(s->vb);
	return NULL;
}

/* Each program drops, and counts into the same place: each frame once. */
static void check_no_gap(enum attach_way way)
{
	struct attach_point p = point_at(ATTACH_INGRESS, way);
	const int *programs = counting_droppers;
	struct sender sender = { .vb = host_wire("vb") };
	uint64_t before = counted();
	unsigned i = 0;

	assert_int_equal(attach_program(&p, programs[0]), 0);
	assert_false(pthread_create(&sender.thread, NULL, run_sender, &sender));
	for (; i < REPLACEMENTS || atomic_load(&sender.n) < FRAMES; i++)
		assert_int_equal(
			attach_replace(&p, programs[i & 1], programs[~i & 1]),
			0);
	atomic_store(&sender.stop, true);
	pthread_join(sender.thread, NULL);
	assert_int_equal(counted() - before, sender.n);
	attach_remove(&p, programs[i & 1]);
	check_list(&p, 0, -1, -1);
	close(sender.vb);
}

static void test_no_gap(void **state)
{
	if (!may_run(ATTACH_FILTER))
		skip();
	check_no_gap(ATTACH_FILTER);
}

static void test_no_gap_tcx(void **state)
{
	if (!may_run(ATTACH_TCX))
		skip();
	check_no_gap(ATTACH_TCX);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life_tcx),	    TEST(test_life_filter),
		TEST(test_qdisc_of_others), TEST(test_order),
		TEST(test_vanished),	    TEST(test_no_gap),
		TEST(test_no_gap_tcx),
	};
	struct attach_point lo = { .ifindex = 1, .hook = ATTACH_INGRESS };

	host_enter();
	if (host_privileged()) {
		map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vsw_test", 4, 8, 1,
					NULL);
		counting = load_counter(TC_ACT_UNSPEC);
		droppers[0] = load_dropper();
		droppers[1] = load_dropper();
		for (int i = 0; i < 2; i++)
			counting_droppers[i] = load_counter(TC_ACT_SHOT);
		has_tcx = !attach_program_any(&lo, counting) &&
			  lo.way == ATTACH_TCX;
		attach_remove(&lo, counting);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
