/*
 * The fast path's programs in this kernel, by BPF_PROG_TEST_RUN, against the
 * same decision as C (which test_fastpath_decide.c holds against the pipeline):
 * random tables and frames; what is counted, tagged and noted. Skipped where
 * the kernel, or what we are permitted, does not do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/unit/bpf/fastpath_probe.h"
#include "tests/unit/bpf/fastpath_probe.skel.h"
#include "tests/unit/fastpath_lab.h"

#define LABS   60
#define FRAMES 200
#define LO     1 /* the device that every network namespace has */
#define BRIDGE 5

struct kernel {
	struct fastpath_probe_bpf *bpf;
	unsigned n_cpus;
	struct fp_state *states;
	struct fp_counters *counters;
	uint64_t *places;
	/* Of the bridge of a lab. */
	int ports_fd, fdb_fd;
	struct fp_bucket *fdb; /* mapped; the header first */
	uint64_t n_buckets;
};

/* --- maps ------------------------------------------------------------------
 */

static int quiet(enum libbpf_print_level level, const char *format,
		 va_list args)
{
	(void)args;
	return level == LIBBPF_WARN && !format;
}

static void *map_of(const struct bpf_map *map)
{
	size_t bytes =
		(size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* Notes are a CPU's: the thread stays on one. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* NULL: not here. */
static struct kernel *kernel_open(void)
{
	struct kernel *k = xcalloc(1, sizeof(*k));
	int error;

	libbpf_set_print(quiet);
	k->n_cpus = libbpf_num_possible_cpus();
	k->bpf = fastpath_probe_bpf__open();
	assert_non_null(k->bpf);
	bpf_map__set_max_entries(k->bpf->maps.fp_counters,
				 FP_SLOTS * k->n_cpus);
	error = fastpath_probe_bpf__load(k->bpf);
	if (error == -EPERM || error == -ENOSYS) {
		fastpath_probe_bpf__destroy(k->bpf);
		free(k);
		return NULL;
	}
	assert_int_equal(error, 0);
	k->states = map_of(k->bpf->maps.fp_states);
	k->counters = map_of(k->bpf->maps.fp_counters);
	k->places = map_of(k->bpf->maps.fp_places);
	k->ports_fd = k->fdb_fd = -1;
	stay_here();
	return k;
}

static void unload(struct kernel *k)
{
	if (k->fdb_fd < 0)
		return;
	munmap(k->fdb, (k->n_buckets + 1) * sizeof(*k->fdb));
	close(k->fdb_fd);
	close(k->ports_fd);
}

static void kernel_close(struct kernel *k)
{
	unload(k);
	munmap(k->states, FP_SLOTS * sizeof(*k->states));
	munmap(k->counters,
	       (size_t)FP_SLOTS * k->n_cpus * sizeof(*k->counters));
	munmap(k->places, FP_PLACES * sizeof(*k->places));
	fastpath_probe_bpf__destroy(k->bpf);
	free(k);
}

static int make_inner(const char *name, size_t value_bytes, uint32_t n,
		      uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t),
				value_bytes, n, &opts);

	assert_true(fd >= 0);
	return fd;
}

static void put(const struct bpf_map *map, uint32_t key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &key, value, 0),
			 0);
}

static void place(struct kernel *k, uint64_t bridge, uint64_t number)
{
	k->places[LO] = LO | bridge << FP_PLACE_BRIDGE_SHIFT |
			number << FP_PLACE_NUMBER_SHIFT;
}

/* The lab's bridge, as vswd publishes one. */
static void load(struct kernel *k, const struct lab *l)
{
	unload(k);
	k->n_buckets = l->n_buckets;
	k->ports_fd = make_inner("ports", sizeof(struct fp_port),
				 ARRAY_SIZE(l->fp), BPF_F_INNER_MAP);
	k->fdb_fd = make_inner("fdb", sizeof(*k->fdb), k->n_buckets + 1,
			       BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	k->fdb = mmap(NULL, (k->n_buckets + 1) * sizeof(*k->fdb),
		      PROT_READ | PROT_WRITE, MAP_SHARED, k->fdb_fd, 0);
	assert_true(k->fdb != MAP_FAILED);
	put(k->bpf->maps.fp_ports, BRIDGE, &k->ports_fd);
	put(k->bpf->maps.fp_fdbs, BRIDGE, &k->fdb_fd);
}

/* Frames can be run as the loopback's only: the port is at that. */
static void load_ports(struct kernel *k, const struct lab *l, unsigned in)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(l->fp); i++) {
		struct fp_port port = l->fp[i];

		if (i == in + 1)
			port.ifindex = LO;
		assert_int_equal(bpf_map_update_elem(k->ports_fd, &i, &port, 0),
				 0);
	}
}

/* What changes from frame to frame. */
static void load_now(struct kernel *k, const struct lab *l, unsigned in)
{
	memcpy(k->fdb, &l->header, sizeof(l->header));
	memcpy(k->fdb + 1, l->buckets, l->n_buckets * sizeof(*l->buckets));
	for (unsigned i = 1; i <= LAB_PORTS; i++)
		k->states[LAB_SLOT + i] = l->states[i];
	load_ports(k, l, in);
	place(k, BRIDGE, in + 1);
}

static struct fp_counters counted(const struct kernel *k, uint32_t slot)
{
	struct fp_counters sum = { 0 };

	for (unsigned cpu = 0; cpu < k->n_cpus; cpu++) {
		const struct fp_counters *c =
			&k->counters[cpu * FP_SLOTS + slot];

		sum.rx_packets += c->rx_packets;
		sum.rx_bytes += c->rx_bytes;
		sum.tx_packets += c->tx_packets;
		sum.tx_bytes += c->tx_bytes;
	}
	return sum;
}

/* --- running ---------------------------------------------------------------
 */

static uint32_t run(const struct bpf_program *program,
		    const struct lab_frame *f, const void *data, uint32_t len)
{
	struct __sk_buff context = {
		.ifindex = LO,
		.gso_size = f->gso_size,
		.gso_segs = f->gso_size ? 2 : 0,
		.mark = 7,
		.priority = 5,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data,
		    .data_size_in = len, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	if (f->has_tag) {
		context.cb[0] = TAG(f->tci);
		context.cb[1] = f->tag_type;
	}
	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(program), &opts), 0);
	return opts.retval;
}

static uint32_t run_tc(const struct bpf_program *program,
		       const struct lab_frame *f)
{
	return run(program, f, f->data, f->len);
}

/* What is handed over begins with a header that the kernel takes away. */
static uint32_t run_filter(const struct kernel *k, const struct lab_frame *f)
{
	uint8_t data[ETH_HEADER_LEN + LAB_FRAME_MAX] = { 0 };

	memcpy(data + ETH_HEADER_LEN, f->data, f->len);
	return run(k->bpf->progs.fp_filter, f, data, ETH_HEADER_LEN + f->len);
}

static void check_fdb(const struct kernel *k, const struct lab *l)
{
	assert_memory_equal(k->fdb, &l->header, sizeof(l->header));
	assert_memory_equal(k->fdb + 1, l->buckets,
			    l->n_buckets * sizeof(*l->buckets));
}

static void check_decision(const struct fp_decision *is,
			   const struct fp_decision *want)
{
	assert_int_equal(is->ifindex, want->ifindex);
	assert_int_equal(is->in_slot, want->in_slot);
	assert_int_equal(is->out_slot, want->out_slot);
	assert_int_equal(is->tag_op, want->tag_op);
	assert_int_equal(is->tci, want->tci);
	assert_int_equal(is->to_host, want->to_host);
}

/* The frame as the kernel then has it. */
static void check_shape(const struct lab_frame *f, const struct fp_decision *d,
			const struct probe_result *r)
{
	uint8_t shaped[LAB_FRAME_MAX + VLAN_TAG_LEN];
	uint32_t len = lab_shape(f, d, shaped);

	assert_int_equal(r->len, f->len);
	assert_int_equal(r->has_tag, len > f->len);
	if (!r->has_tag)
		return;
	assert_int_equal(r->tag_type, load_be16(shaped + 12));
	assert_int_equal(r->tci, load_be16(shaped + 14));
}

static uint32_t tag_len(bool has_tag)
{
	return has_tag ? VLAN_TAG_LEN : 0;
}

/* Tags beside frames and all: by the probe. */
static void check_probe(struct kernel *k, const struct lab *l, unsigned in,
			const struct lab_frame *f, enum fp_verdict verdict,
			const struct fp_decision *d)
{
	uint32_t in_slot = LAB_SLOT + 1 + in, zero = 0;
	struct fp_counters before = counted(k, in_slot), after;
	struct fp_counters out_before = counted(k, d->out_slot);
	struct probe_result r;

	assert_int_equal(run_tc(k->bpf->progs.probe, f), TC_ACT_OK);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(k->bpf->maps.probe_results),
				    &zero, &r),
		0);
	assert_int_equal(r.verdict, verdict);
	check_fdb(k, l);
	after = counted(k, in_slot);
	if (verdict != FP_FORWARD) {
		assert_memory_equal(&after, &before, sizeof(after));
		return;
	}
	check_decision(&r.decision, d);
	check_shape(f, d, &r);
	assert_int_equal(r.action, TC_ACT_REDIRECT);
	assert_int_equal(r.mark, 0);
	assert_int_equal(r.priority, 0);
	before.rx_packets++;
	before.rx_bytes += f->len + tag_len(f->has_tag);
	assert_memory_equal(&after, &before, sizeof(after));
	out_before.tx_packets++;
	out_before.tx_bytes += f->len + tag_len(r.has_tag);
	after = counted(k, d->out_slot);
	assert_memory_equal(&after, &out_before, sizeof(after));
}

/* Each of the programs, as they hang at devices. */
static void check_programs(struct kernel *k, const struct lab_frame *f,
			   enum fp_verdict verdict)
{
	bool forwards = verdict == FP_FORWARD;
	uint32_t shot = forwards ? TC_ACT_REDIRECT : TC_ACT_SHOT;

	assert_int_equal(run_tc(k->bpf->progs.fp_egress, f),
			 forwards ? TC_ACT_REDIRECT : (uint32_t)TC_ACT_UNSPEC);
	/* Nobody has left a note. */
	assert_int_equal(run_tc(k->bpf->progs.fp_ingress, f), shot);
	/* The note alone decides ... */
	assert_int_equal(run_filter(k, f), forwards ? 0 : UINT32_MAX);
	place(k, BRIDGE, 0); /* nobody's */
	assert_int_equal(run_tc(k->bpf->progs.fp_ingress, f), shot);
	/* ... and once. */
	assert_int_equal(run_tc(k->bpf->progs.fp_ingress, f), TC_ACT_SHOT);
}

/* What says that it is IP has to have a header of it to be run. */
#define RUN_MIN (ETH_HEADER_LEN + 40)

static void check_frame(struct kernel *k, struct lab *l, unsigned *n_forwarded)
{
	struct fp_decision d;
	enum fp_verdict verdict;
	struct lab_frame f;
	unsigned in;

	do
		in = lab_make_frame(l, &f);
	while (f.len < RUN_MIN);
	lab_copy_fdb(l);
	load_now(k, l, in);
	verdict = lab_decide(l, in, &f, &d);
	check_probe(k, l, in, &f, verdict, &d);
	if (!f.has_tag) {
		/* As it was before; its sender is refreshed already. */
		check_programs(k, &f, verdict);
		check_fdb(k, l);
	}
	*n_forwarded += verdict == FP_FORWARD;
	lab_run(l, in, &f);
}

/* --- the tests -------------------------------------------------------------
 */

static int setup(void **state)
{
	*state = kernel_open();
	return 0;
}

static int teardown(void **state)
{
	if (*state)
		kernel_close(*state);
	return 0;
}

static void test_as_the_decision(void **state)
{
	struct kernel *k = *state;
	unsigned n_forwarded = 0;

	if (!k)
		skip();
	for (unsigned i = 0; i < LABS; i++) {
		struct lab *l = lab_create(1000 + i);

		load(k, l);
		for (unsigned n = 0; n < FRAMES; n++) {
			check_frame(k, l, &n_forwarded);
			lab_stir(l);
		}
		lab_destroy(l);
	}
	print_message("%u of %u forwarded\n", n_forwarded, LABS * FRAMES);
	assert_true(n_forwarded > LABS * FRAMES / 20);
}

/* A lab and a frame without a tag that is forwarded. */
static struct lab *lab_with_forwarded(struct kernel *k, struct lab_frame *f,
				      struct fp_decision *d)
{
	struct lab *l = lab_create(7);
	unsigned in;

	do {
		in = lab_make_frame(l, f);
		lab_copy_fdb(l);
	} while (f->has_tag || lab_decide(l, in, f, d) != FP_FORWARD);
	load(k, l);
	load_now(k, l, in);
	return l;
}

static void test_notes_of_others(void **state)
{
	struct kernel *k = *state;
	struct fp_decision d, *notes;
	uint32_t zero = 0;
	struct lab_frame f;
	struct lab *l;

	if (!k)
		skip();
	l = lab_with_forwarded(k, &f, &d);
	notes = xcalloc(k->n_cpus, sizeof(*notes));
	for (unsigned i = 0; i < 4; i++) {
		const struct fp_decision note = { .verdict = FP_USERSPACE,
						  .in_ifindex = LO + (i & 1),
						  .len = f.len + (i >> 1) };

		for (unsigned cpu = 0; cpu < k->n_cpus; cpu++)
			notes[cpu] = note;
		put(k->bpf->maps.fp_notes, 0, notes);
		assert_int_equal(run_tc(k->bpf->progs.fp_ingress, &f),
				 i ? TC_ACT_REDIRECT : TC_ACT_SHOT);
		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(k->bpf->maps.fp_notes),
					    &zero, notes),
			0);
		assert_int_equal(notes[sched_getcpu()].verdict, FP_NONE);
	}
	free(notes);
	lab_destroy(l);
}

/* Tables that say nonsense forward nothing. */
static void test_bad_tables(void **state)
{
	struct kernel *k = *state;
	struct fp_decision d;
	struct fp_port port, bad;
	uint64_t was;
	struct lab_frame f;
	struct lab *l;
	uint32_t number, here;

	if (!k)
		skip();
	l = lab_with_forwarded(k, &f, &d);
	number = d.ifindex - LAB_IFINDEX;
	port = bad = l->fp[number];
	assert_int_equal(run_tc(k->bpf->progs.fp_egress, &f), TC_ACT_REDIRECT);
	bad.slot = FP_SLOTS;
	bpf_map_update_elem(k->ports_fd, &number, &bad, 0);
	assert_int_equal((int)run_tc(k->bpf->progs.fp_egress, &f),
			 TC_ACT_UNSPEC);
	bpf_map_update_elem(k->ports_fd, &number, &port, 0);
	/* The port at the device's place is another device's. */
	was = k->places[LO];
	here = was >> FP_PLACE_NUMBER_SHIFT;
	bpf_map_lookup_elem(k->ports_fd, &here, &port);
	bad = port;
	bad.ifindex = LO + 1;
	bpf_map_update_elem(k->ports_fd, &here, &bad, 0);
	assert_int_equal((int)run_tc(k->bpf->progs.fp_egress, &f),
			 TC_ACT_UNSPEC);
	bpf_map_update_elem(k->ports_fd, &here, &port, 0);
	/* An FDB of more buckets than there are. */
	((struct fp_fdb_header *)(void *)k->fdb)->bucket_mask = 0;
	(void)run_tc(k->bpf->progs.fp_egress, &f);
	((struct fp_fdb_header *)(void *)k->fdb)->bucket_mask = UINT64_MAX;
	(void)run_tc(k->bpf->progs.fp_egress, &f);
	*(struct fp_fdb_header *)(void *)k->fdb = l->header;
	assert_int_equal(run_tc(k->bpf->progs.fp_egress, &f), TC_ACT_REDIRECT);
	/* Numbers and bridges that there are not. */
	place(k, BRIDGE, 60000);
	assert_int_equal((int)run_tc(k->bpf->progs.fp_egress, &f),
			 TC_ACT_UNSPEC);
	place(k, BRIDGE + 1, 1);
	assert_int_equal((int)run_tc(k->bpf->progs.fp_egress, &f),
			 TC_ACT_UNSPEC);
	place(k, FP_BRIDGES, 1);
	assert_int_equal((int)run_tc(k->bpf->progs.fp_egress, &f),
			 TC_ACT_UNSPEC);
	/* Another device has the place, whose ifindex ends alike; or none. */
	k->places[LO] = was + FP_PLACES;
	assert_int_equal((int)run_tc(k->bpf->progs.fp_ingress, &f),
			 TC_ACT_UNSPEC);
	k->places[LO] = was;
	assert_int_equal(run_tc(k->bpf->progs.fp_egress, &f), TC_ACT_REDIRECT);
	k->places[LO] = 0;
	assert_int_equal((int)run_tc(k->bpf->progs.fp_egress, &f),
			 TC_ACT_UNSPEC);
	/* None of ours: it passes. */
	assert_int_equal((int)run_tc(k->bpf->progs.fp_ingress, &f),
			 TC_ACT_UNSPEC);
	lab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_decision),
		cmocka_unit_test(test_notes_of_others),
		cmocka_unit_test(test_bad_tables),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
