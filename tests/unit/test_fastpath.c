/*
 * Publishing to the kernel's fast path: what its maps hold, and what its
 * programs make of it, by test runs (BPF_PROG_TEST_RUN) of frames that came in
 * by the loopback device. Needs root, and a kernel that can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"
#include "forward/fdb.h"
#include "scratch.h"

#define LOOPBACK 1  /* its ifindex in every network namespace */
#define OTHER	 77 /* somebody's: test runs send nothing */
#define VID	 10
#define HERE	 0x020000000001ull
#define THERE	 0x020000000002ull

struct lab {
	char dir[SCRATCH_SIZE];
	struct fastpath *fp;
	struct fdb *fdb;
	struct fastpath_port at[2];
	/* Number 1 is the loopback device, 2 the other. */
	struct fp_port ports[3];
	struct fastpath_port *handles[3];
	struct fastpath_bridge bridge;
};

static struct fdb *make_fdb(struct fastpath *fp)
{
	struct fdb_config config = {
		.max_entries = 100,
		.age_s = 300,
		.fastpath = fp,
	};
	struct fdb *fdb = fdb_create(&config);

	assert_non_null(fdb_fastpath_table(fdb));
	fdb_tick(fdb, 1000);
	return fdb;
}

static void open_port(struct lab *l, unsigned number, int ifindex)
{
	struct fastpath_port *port = &l->at[number - 1];

	*port = (struct fastpath_port){ .fp = l->fp, .ifindex = ifindex };
	assert_int_equal(fastpath_slot_take(port), 0);
	assert_int_equal(fastpath_device_enter(port), 0);
	fastpath_port_follow(port, 1500, true);
	l->handles[number] = port;
	l->ports[number] = (struct fp_port){
		.ifindex = ifindex,
		.flags = FP_IN | FP_OUT,
		.native_vid = VID,
		.untagged_vid = VID,
		.slot = fastpath_port_slot(port),
	};
	memset(l->ports[number].vlans, 0xff, sizeof(l->ports[0].vlans));
}

static void close_port(struct lab *l, unsigned number)
{
	fastpath_device_leave(&l->at[number - 1]);
	fastpath_slot_drop(&l->at[number - 1]);
}

static int set_up(void **state)
{
	struct lab *l = xcalloc(1, sizeof(*l));
	char *why = NULL;

	*state = l;
	scratch_make(l->dir);
	l->fp = fastpath_create(l->dir, &why);
	if (!l->fp) {
		printf("%s\n", why);
		free(why);
		return 0;
	}
	l->fdb = make_fdb(l->fp);
	fdb_learn(l->fdb, fdb_make_key(HERE, VID), 1);
	fdb_learn(l->fdb, fdb_make_key(THERE, VID), 2);
	open_port(l, 1, LOOPBACK);
	open_port(l, 2, OTHER);
	l->bridge = (struct fastpath_bridge){
		.index = 3,
		.table = fdb_fastpath_table(l->fdb),
		.ports = l->ports,
		.n_ports = ARRAY_SIZE(l->ports),
		.handles = l->handles,
	};
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	fdb_destroy(l->fdb);
	fastpath_destroy(l->fp);
	rmdir(l->dir);
	free(l);
	return 0;
}

static struct lab *lab_of(void **state)
{
	struct lab *l = *state;

	if (!l->fp)
		skip();
	return l;
}

static void publish(struct lab *l)
{
	assert_int_equal(fastpath_publish(l->fp, &l->bridge, 1), 0);
}

/* Whether the kernel forwards a frame from here to there. */
static bool forwards(const struct lab *l)
{
	struct {
		uint8_t dst[6], src[6], type[2], payload[50];
	} frame = {
		.dst = { 2, 0, 0, 0, 0, 2 },
		.src = { 2, 0, 0, 0, 0, 1 },
		.type = { 0x88, 0xb5 }, /* for experiments */
	};
	struct __sk_buff skb = { .ifindex = LOOPBACK };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame,
		    .data_size_in = sizeof(frame), .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb));
	int fd = bpf_program__fd(l->fp->bpf->progs.fp_ingress);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	assert_true(opts.retval == TC_ACT_REDIRECT ||
		    opts.retval == TC_ACT_SHOT);
	return opts.retval == TC_ACT_REDIRECT;
}

static uint32_t id_in(const struct bpf_map *outer, uint32_t index)
{
	uint32_t id = 0;

	bpf_map_lookup_elem(bpf_map__fd(outer), &index, &id);
	return id;
}

/* Those that are somewhere in a bridge. */
static unsigned n_devices(const struct lab *l)
{
	int fd = bpf_map__fd(l->fp->bpf->maps.fp_devices);
	uint32_t key, *at = NULL;
	unsigned n = 0;

	for (; !bpf_map_get_next_key(fd, at, &key); at = &key) {
		struct fp_device device;

		assert_int_equal(bpf_map_lookup_elem(fd, &key, &device), 0);
		n += device.number != 0;
	}
	return n;
}

static unsigned n_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_forwards(void **state)
{
	struct lab *l = lab_of(state);
	struct fp_counters c;

	assert_false(forwards(l));
	publish(l);
	assert_int_equal(n_devices(l), 2);
	assert_true(forwards(l));
	assert_true(forwards(l));
	fastpath_port_counters(&l->at[0], &c);
	assert_int_equal(c.rx_packets, 2);
	assert_int_equal(c.rx_bytes, 128);
	assert_int_equal(c.tx_packets, 0);
	fastpath_port_counters(&l->at[1], &c);
	assert_int_equal(c.tx_packets, 2);
	assert_int_equal(c.tx_bytes, 128);

	assert_int_equal(fastpath_publish(l->fp, NULL, 0), 0);
	assert_false(forwards(l));
	assert_int_equal(n_devices(l), 0);
}

/* No publication is needed for what netlink says. */
static void test_follows(void **state)
{
	struct lab *l = lab_of(state);

	publish(l);
	fastpath_port_follow(&l->at[1], 1500, false);
	assert_false(forwards(l));
	fastpath_port_follow(&l->at[1], 49, true);
	assert_false(forwards(l));
	fastpath_port_follow(&l->at[1], 50, true);
	assert_true(forwards(l));
}

static void test_unchanged(void **state)
{
	struct lab *l = lab_of(state);
	const struct bpf_map *ports = l->fp->bpf->maps.fp_ports;
	const struct bpf_map *fdbs = l->fp->bpf->maps.fp_fdbs;
	uint32_t ports_id, fdb_id;

	publish(l);
	ports_id = id_in(ports, l->bridge.index);
	fdb_id = id_in(fdbs, l->bridge.index);
	publish(l);
	assert_int_equal(id_in(ports, l->bridge.index), ports_id);

	/* Another port there: a map of its own, and the FDB as it was. */
	l->ports[2].flags &= ~FP_IN;
	publish(l);
	assert_int_not_equal(id_in(ports, l->bridge.index), ports_id);
	assert_int_equal(id_in(fdbs, l->bridge.index), fdb_id);
	assert_int_equal(n_devices(l), 1);
	assert_true(forwards(l));

	/* What may not be forwarded is not known. */
	memset(&l->ports[2], 0, sizeof(l->ports[2]));
	publish(l);
	assert_false(forwards(l));
	memset(&l->ports[1], 0, sizeof(l->ports[1]));
	publish(l);
	assert_int_equal(n_devices(l), 0);
}

/* What has no port that is open does not count. */
static void test_not_open(void **state)
{
	struct lab *l = lab_of(state);

	l->handles[2] = NULL;
	publish(l);
	assert_false(forwards(l));
	assert_int_equal(n_devices(l), 1);
	l->handles[2] = &l->at[1];
	publish(l);
	assert_true(forwards(l));
	l->bridge.table = NULL;
	publish(l);
	assert_false(forwards(l));
	assert_int_equal(n_devices(l), 0);
}

static void test_other_bridge(void **state)
{
	struct lab *l = lab_of(state);

	publish(l);
	l->bridge.index = 900;
	publish(l);
	assert_true(forwards(l));
	assert_int_equal(n_devices(l), 2);
	assert_int_equal(l->fp->n_naming[l->at[0].slot], 1);
	/* And with numbers the other way round. */
	l->ports[0] = l->ports[1];
	l->ports[1] = l->ports[2];
	l->ports[2] = l->ports[0];
	publish(l);
	assert_false(forwards(l));
	l->bridge.index = FP_BRIDGES;
	assert_int_equal(fastpath_publish(l->fp, &l->bridge, 1), -ERANGE);
	assert_int_equal(n_devices(l), 0);
}

static void test_fdb_resized(void **state)
{
	struct lab *l = lab_of(state);
	struct fdb *old = l->fdb;
	const struct fp_fdb_header *header;

	publish(l);
	l->fdb = fdb_resize(old, 10000);
	l->bridge.table = fdb_fastpath_table(l->fdb);
	publish(l);
	fdb_destroy(old);
	assert_true(forwards(l));

	fdb_tick(l->fdb, 1234);
	header = fastpath_table_header(fdb_fastpath_table(l->fdb));
	assert_int_equal(header->fresh, fdb_fresh_on(l->fdb, 0));
	assert_int_equal(header->bucket_mask, 8191);

	old = l->fdb;
	l->fdb = fdb_move(old, NULL);
	assert_null(fdb_fastpath_table(l->fdb));
	assert_int_equal(fdb_lookup(l->fdb, fdb_make_key(THERE, VID)), 2);
	l->bridge.table = NULL;
	publish(l);
	fdb_destroy(old);
	assert_false(forwards(l));
	old = l->fdb;
	l->fdb = fdb_move(old, l->fp);
	fdb_destroy(old);
	l->bridge.table = fdb_fastpath_table(l->fdb);
	header = fastpath_table_header(l->bridge.table);
	assert_int_equal(header->fresh, fdb_fresh_on(l->fdb, 0));
	publish(l);
	assert_true(forwards(l));
}

/* Its frames refresh what userspace knows of the sender. */
static void test_refreshes(void **state)
{
	struct lab *l = lab_of(state);
	struct fdb_entry entry;

	publish(l);
	fdb_tick(l->fdb, 1100);
	assert_true(fdb_get(l->fdb, fdb_make_key(HERE, VID), &entry));
	assert_int_equal(entry.age_s, 100);
	assert_true(forwards(l));
	assert_true(fdb_get(l->fdb, fdb_make_key(HERE, VID), &entry));
	assert_int_equal(entry.age_s, 0);
	assert_true(fdb_is_fresh(l->fdb, fdb_make_key(HERE, VID), 1));
	assert_true(fdb_get(l->fdb, fdb_make_key(THERE, VID), &entry));
	assert_int_equal(entry.age_s, 100);
}

/* A port is closed before the publication without it. */
static void test_closed_first(void **state)
{
	struct lab *l = lab_of(state);
	uint32_t slot = l->at[1].slot;
	struct fp_counters c;

	publish(l);
	assert_true(forwards(l));
	close_port(l, 2);
	assert_int_equal(n_devices(l), 1);
	assert_false(forwards(l));
	/* It comes again: its old place is still named. */
	l->fp->slot_cursor = slot;
	open_port(l, 2, OTHER);
	assert_int_not_equal(l->at[1].slot, slot);
	assert_false(forwards(l));
	publish(l);
	assert_true(forwards(l));
	/* From then on it is not, and what was counted is not the next's. */
	close_port(l, 2);
	l->fp->slot_cursor = slot;
	open_port(l, 2, OTHER);
	assert_int_equal(l->at[1].slot, slot);
	fastpath_port_counters(&l->at[1], &c);
	assert_int_equal(c.tx_packets, 0);
}

static void test_all_slots(void **state)
{
	struct lab *l = lab_of(state);
	struct fastpath_port port = { .fp = l->fp }, last = { 0 };
	unsigned n = 2;

	for (; !fastpath_slot_take(&port); n++)
		last = port;
	assert_int_equal(n, FP_SLOTS);
	assert_int_equal(fastpath_slot_take(&port), -ENOSPC);
	fastpath_slot_drop(&last);
	assert_int_equal(fastpath_slot_take(&port), 0);
	assert_int_equal(port.slot, last.slot);
}

/* A bridge that cannot be published is not forwarded at all; others are. */
static void test_fails(void **state)
{
	struct lab *l = lab_of(state);
	struct rlimit limit, none;

	publish(l);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	l->ports[2].flags &= ~FP_IN;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(fastpath_publish(l->fp, &l->bridge, 1), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(n_devices(l), 0);
	assert_false(forwards(l));
	publish(l);
	assert_true(forwards(l));
}

static void test_kept(void **state)
{
	struct lab *l = lab_of(state);

	publish(l);
	fastpath_keep(l->fp);
	assert_int_equal(fastpath_publish(l->fp, NULL, 0), 0);
	fastpath_slot_drop(&l->at[1]);
	fastpath_port_follow(&l->at[0], 100, false);
	assert_true(forwards(l));
}

/* Nothing is left behind by publications, and memory is given back. */
static void test_descriptors(void **state)
{
	struct lab *l = lab_of(state);
	unsigned n_before = n_fds();

	for (unsigned i = 0; i < 5; i++) {
		l->ports[2].flags ^= FP_IN;
		publish(l);
	}
	assert_int_equal(fastpath_publish(l->fp, NULL, 0), 0);
	assert_int_equal(n_fds(), n_before);
}

#define MANY_PORTS   1000
#define MANY_BRIDGES 200

static void test_many_ports(void **state)
{
	struct lab *l = lab_of(state);
	struct fp_port *ports = xcalloc(MANY_PORTS, sizeof(*ports));
	struct fastpath_port **handles = xcalloc(MANY_PORTS, sizeof(*handles));

	for (unsigned i = 1; i < MANY_PORTS; i++) {
		struct fastpath_port *port = xcalloc(1, sizeof(*port));

		port->fp = l->fp;
		port->ifindex = 1000 + i;
		assert_int_equal(fastpath_slot_take(port), 0);
		handles[i] = port;
		ports[i].ifindex = port->ifindex;
		ports[i].flags = FP_IN | FP_OUT;
		ports[i].slot = port->slot;
	}
	l->bridge.ports = ports;
	l->bridge.handles = handles;
	l->bridge.n_ports = MANY_PORTS;
	publish(l);
	assert_int_equal(n_devices(l), MANY_PORTS - 1);
	ports[500] = (struct fp_port){ 0 };
	publish(l);
	assert_int_equal(n_devices(l), MANY_PORTS - 2);
	for (unsigned i = 1; i < MANY_PORTS; i++)
		free(handles[i]);
	free(handles);
	free(ports);
}

static void test_many_bridges(void **state)
{
	struct lab *l = lab_of(state);
	struct fastpath_bridge bridges[MANY_BRIDGES];
	struct fdb *fdbs[MANY_BRIDGES];

	/* The same ports in all, which nobody would do: what costs is maps. */
	for (unsigned i = 0; i < MANY_BRIDGES; i++) {
		fdbs[i] = make_fdb(l->fp);
		bridges[i] = l->bridge;
		bridges[i].index = i;
		bridges[i].table = fdb_fastpath_table(fdbs[i]);
	}
	assert_int_equal(fastpath_publish(l->fp, bridges, MANY_BRIDGES), 0);
	assert_int_equal(l->fp->n_naming[l->at[0].slot], MANY_BRIDGES);
	assert_int_equal(fastpath_publish(l->fp, bridges, 1), 0);
	assert_int_equal(l->fp->n_naming[l->at[0].slot], 1);
	for (unsigned i = 0; i < MANY_BRIDGES; i++)
		fdb_destroy(fdbs[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_forwards),	 TEST(test_follows),
		TEST(test_unchanged),	 TEST(test_not_open),
		TEST(test_other_bridge), TEST(test_fdb_resized),
		TEST(test_refreshes),	 TEST(test_closed_first),
		TEST(test_all_slots),	 TEST(test_fails),
		TEST(test_kept),	 TEST(test_descriptors),
		TEST(test_many_ports),	 TEST(test_many_bridges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
