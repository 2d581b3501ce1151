/*
 * Frames of a stranger through the whole pipeline: two bridges joined by patch
 * ports, ports of every VLAN mode, a receiver without offloads, a bond whose
 * members filter, ports that punt, a mirror that cuts. What leaves must be
 * readable to its last byte, and what does not must be counted or punted.
 *
 * Input: records of { port, flags, length (2 bytes), frame }; flags: 1 an
 * offload header of 12 bytes stands before the frame, 2 the frame lies in
 * pieces of 16 bytes, 4 a tag lies beside it (4 bytes before the frame).
 */
#include <stdlib.h>
#include <string.h>

#include "base/ticks.h"
#include "bond/bond_table.h"
#include "forward/mirror.h"
#include "forward/pipeline.h"
#include "forward/punt.h"
#include "packet/offload.h"
#include "port/null.h"

#define BRIDGED	  10 /* ports of the bridges; the last is a bond */
#define MEMBERS	  3
#define PORTS	  (BRIDGED + MEMBERS)
#define FRAME_MAX 4096

struct lab {
	struct fwd_snapshot *snapshot;
	struct pipeline *pipeline;
	struct port *ports[PORTS];
	struct fwd_port *fwd[PORTS];
	struct punt_ring *ring;
	struct punt punts[PORTS];
	uint64_t sent, punted;
};

static const struct vlan_config vlans[BRIDGED] = {
	{ .mode = VLAN_TRUNK },
	{ .mode = VLAN_ACCESS, .tag = 1 },
	{ .mode = VLAN_NATIVE_UNTAGGED, .tag = 1 },
	{ .mode = VLAN_NATIVE_TAGGED, .tag = 2 },
	{ .mode = VLAN_DOT1Q_TUNNEL, .tag = 2, .qinq_tpid = ETH_TYPE_SVLAN },
	{ .mode = VLAN_ACCESS,
	  .tag = 2,
	  .priority_tags = PRIORITY_TAGS_ALWAYS },
	{ .mode = VLAN_TRUNK }, /* joined to the next */
	{ .mode = VLAN_TRUNK },
	{ .mode = VLAN_DOT1Q_TUNNEL, .tag = 1, .qinq_tpid = ETH_TYPE_VLAN },
	{ .mode = VLAN_TRUNK }, /* the bond */
};

static bool sink(struct packet *p, unsigned thread, void *lab_)
{
	static uint8_t bytes[PACKET_LEN_MAX];
	struct lab *lab = lab_;

	(void)thread;
	if (packet_read(p, 0, bytes, sizeof(bytes)) != p->len)
		abort();
	lab->sent++;
	return true;
}

static void make_bond(struct lab *lab, struct fwd_port *bond)
{
	static const unsigned filters[MEMBERS] = {
		FWD_FILTER_MOVED,
		FWD_FILTER_MOVED | FWD_FILTER_MULTICAST,
		FWD_FILTER_ALL,
	};
	static struct bond_load load, *loads[] = { NULL, &load };
	struct bond_table *table = xcalloc(1, sizeof(*table));

	table->hash = BOND_HASH_L4;
	for (unsigned i = 0; i < BOND_BUCKETS; i++)
		table->member[i] = i % MEMBERS;
	bond_table_finish(table);
	table->loads = loads;
	table->n_loads = 2;
	fwd_port_make_bond(bond, table);
	for (unsigned i = 0; i < MEMBERS; i++)
		lab->fwd[BRIDGED + i] = fwd_bond_add_member(
			bond, lab->ports[BRIDGED + i], filters[i]);
}

static void punt_at(struct lab *lab, unsigned i)
{
	lab->punts[i].ring = lab->ring;
	lab->fwd[i]->punt = &lab->punts[i];
	lab->fwd[i]->punts = ((1 << N_PUNT_KINDS) - 1) | PUNT_ANSWERS;
}

/* Of all in the second bridge, into a VLAN of it. */
static void mirror(struct fwd_bridge *bridge)
{
	static struct mirror_counters counters[PORT_THREADS_MAX];
	const struct fwd_mirror config = { .out_vid = 3,
					   .snaplen = 40,
					   .counters = counters };
	const struct fwd_mirror *m = fwd_bridge_add_mirror(bridge, &config);

	for (unsigned i = 0; i < bridge->n_ports; i++)
		fwd_mirror_select(m, bridge->ports[i], true, true);
}

static void open_lab(struct lab *lab)
{
	struct fdb_config config = { .max_entries = 64,
				     .age_s = 300,
				     .seed = 1 };
	struct fwd_bridge *bridge = NULL;

	lab->snapshot = fwd_snapshot_create(1);
	lab->pipeline = pipeline_create(1);
	lab->ring = punt_ring_create();
	ticks_init();
	for (unsigned i = 0; i < PORTS; i++) {
		struct port_config port = { .name = "null",
					    .type = "null",
					    .n_threads = 2,
					    .n_rxqs = 1 };

		if (i == 0 || i == 7)
			bridge = fwd_snapshot_add_bridge(lab->snapshot,
							 i ? "br1" : "br0",
							 fdb_create(&config));
		if (port_open(&port, &lab->ports[i], NULL))
			abort();
		null_set_sink(lab->ports[i], sink, lab);
		if (i >= BRIDGED)
			continue;
		lab->fwd[i] = fwd_bridge_add_port(bridge, lab->ports[i], i + 1,
						  &vlans[i]);
	}
	make_bond(lab, lab->fwd[BRIDGED - 1]);
	punt_at(lab, 0);
	for (unsigned i = 0; i < MEMBERS; i++)
		punt_at(lab, BRIDGED + i);
	null_set_offloads(lab->ports[1], 0);
	null_set_offloads(lab->ports[BRIDGED], 0);
	fwd_port_connect(lab->fwd[6], lab->fwd[7]);
	mirror(bridge);
}

static void see_punt(const struct punt_record *r, void *lab_)
{
	static volatile uint8_t byte;
	struct lab *lab = lab_;

	for (unsigned i = 0; i < r->len; i++)
		byte = r->data[i];
	(void)byte;
	lab->punted += r->kind != PUNT_NEIGHBOR; /* a copy */
}

/* Stations of the run before are forgotten: a run depends on its input only. */
static void forget(struct lab *lab)
{
	for (unsigned i = 0; i < PORTS; i++)
		memset(lab->punts[i].due, 0, sizeof(lab->punts[i].due));

	for (unsigned i = 0; i < lab->snapshot->n_bridges; i++)
		fdb_flush(lab->snapshot->bridges[i]->fdb, 0, -1);
}

static uint64_t all_drops(const struct lab *lab)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		struct port_counters total;

		port_get_counters(lab->ports[i], &total);
		for (int r = 0; r < N_DROP_REASONS; r++)
			n += total.drops[r];
	}
	return n;
}

static uint64_t all_ends(const struct lab *lab)
{
	return lab->sent + lab->punted + all_drops(lab);
}

/* Forwards what the port has received; every packet leaves or is counted. */
static void forward(struct lab *lab, unsigned in)
{
	static struct packet packets[PACKET_BURST_MAX];
	struct port_rxq *rxq = lab->ports[in]->rxqs[0];
	const struct port_class *class = lab->ports[in]->class;
	uint64_t before = all_ends(lab);
	unsigned n;

	n = class->receive(rxq, packets, PACKET_BURST_MAX, 1);
	if (!n && all_ends(lab) == before)
		abort();
	pipeline_run(lab->pipeline, lab->fwd[in], packets, n);
	class->done(rxq);
	punt_ring_read(lab->ring, PACKET_BURST_MAX, see_punt, lab);
	if (all_ends(lab) < before + n)
		abort();
}

/* Takes n bytes of the input; NULL when there are not so many. */
static const uint8_t *take(const uint8_t **data, size_t *size, size_t n)
{
	const uint8_t *at = *data;

	if (*size < n)
		return NULL;
	*data += n;
	*size -= n;
	return at;
}

static bool one_record(struct lab *lab, const uint8_t **data, size_t *size)
{
	const uint8_t *head = take(data, size, 4), *tag;
	struct null_frame frame = { 0 };
	unsigned in;

	if (!head)
		return false;
	in = head[0] % PORTS;
	if (in == 6 || in == 7 || in == BRIDGED - 1)
		in = 0; /* nothing comes from a device there */
	frame.len = MIN(load_be16(head + 2), FRAME_MAX);
	if (head[1] & 1) {
		frame.vnet = take(data, size, VNET_HDR_LEN);
		if (!frame.vnet)
			return false;
	}
	if (head[1] & 2)
		frame.piece = 16;
	if (head[1] & 4) {
		tag = take(data, size, 4);
		if (!tag)
			return false;
		frame.vlan_beside = true;
		frame.vlan_tpid = load_be16(tag);
		frame.vlan_tci = load_be16(tag + 2);
	}
	frame.len = MIN(frame.len, *size);
	frame.data = take(data, size, frame.len);
	if (null_inject_frame(lab->ports[in], &frame))
		abort();
	forward(lab, in);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lab lab; /* opened once, for all runs */

	if (!lab.pipeline)
		open_lab(&lab);
	forget(&lab);
	while (one_record(&lab, &data, &size))
		;
	return 0;
}
