/*
 * From one guest's ring through the pipeline to another's, in one process: the
 * guests are a driver in memory (tests/support), whose work is neither timed
 * nor counted.
 *
 *	bench_vhost RING FRAME [MACS [BURSTS [BURST_SIZE]]]
 *
 * RING is split, packed or in-order (packed); FRAME bytes in one buffer, or
 * what a Linux guest sends of TCP over a card with all offloads, and receives
 * in merged buffers: ack (66 bytes), tcp (1,514 bytes, indirect, the payload in
 * a descriptor of its own), tso (64 KiB, indirect, 17 descriptors). MACS
 * different receivers (1). Prints nanoseconds and time-stamp counter cycles a
 * packet, and is what tests/bench/instructions counts instructions of, in
 * switch_burst(). Guest and switch share a core and its caches here, so that
 * the figures are those of the code, not of a machine with guests on it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "forward/pipeline.h"
#include "packet/offload.h"
#include "tests/support/virtio_driver.h"

#define RING	    256
#define RING_MERGED 512
#define FRAME_MAX   65549 /* an IPv4 packet of 65,535 bytes */
#define MSS	    1448
#define TCP_HEADERS 66 /* with time stamps */
#define PAGE	    4096
#define FROM	    0x02000000a000ull
#define TO	    0x020001000000ull
#define VLAN	    10

struct guest_port {
	struct port up;
	struct port_rxq rxq, *rxqs[1];
	struct port_txq txq, *txqs[1];
	struct guest_memory memory;
	struct driver_queue *driver;
	struct virtqueue *vq;
};

static const struct kind {
	const char *name;
	uint32_t len, buffer; /* bytes of a frame, and to receive in */
	bool gso;
	struct driver_layout layout;
} kinds[] = {
	{ "ack", TCP_HEADERS, 1536, false, { 0 } },
	{ "tcp",
	  TCP_HEADERS + MSS,
	  1536,
	  false,
	  { .first = TCP_HEADERS + VNET_HDR_MRG_LEN, .indirect = true } },
	{ "tso",
	  FRAME_MAX,
	  PAGE,
	  true,
	  { .first = TCP_HEADERS + VNET_HDR_MRG_LEN,
	    .piece = PAGE,
	    .indirect = true } },
};

struct bench {
	struct guest_port from, to;
	const struct kind *kind; /* NULL: of one buffer, nothing asked for */
	struct fwd_snapshot *snapshot;
	struct fwd_bridge *bridge;
	struct fwd_port *in;
	struct pipeline *pipeline;
	struct packet *packets;
	unsigned n_macs, next_mac, burst;
	uint32_t frame_len, room;
	uint8_t *frame;
	uint8_t vnet[VNET_HDR_MRG_LEN];
	uint64_t ns, cycles, best; /* the best burst's cycles */
};

static unsigned bench_receive(struct port_rxq *rxq, struct packet *packets,
			      unsigned max, unsigned thread)
{
	struct guest_port *p = CONTAINER_OF(rxq->port, struct guest_port, up);

	return virtqueue_receive(p->vq, packets, max,
				 p->up.counters[thread]->drops);
}

static void bench_done(struct port_rxq *rxq)
{
	virtqueue_done(CONTAINER_OF(rxq->port, struct guest_port, up)->vq);
}

static unsigned bench_send(struct port_txq *txq, struct packet *const packets[],
			   unsigned n, unsigned thread, uint64_t *bytes)
{
	struct guest_port *p = CONTAINER_OF(txq->port, struct guest_port, up);

	return virtqueue_send(p->vq, packets, n, p->up.counters[thread]->drops,
			      bytes);
}

static const struct port_class bench_class = {
	.type = "bench",
	.receive = bench_receive,
	.done = bench_done,
	.send = bench_send,
};

static void open_guest(struct guest_port *p, const char *name,
		       const struct driver_config *config)
{
	struct port_config c = { .name = name,
				 .type = "bench",
				 .n_threads = 2 };
	uint64_t each =
		2ull * config->buffer_size + 64 + 32 + DRIVER_TABLE_MAX * 16;

	port_init(&p->up, &bench_class, &c);
	p->up.tx_offloads = OFFLOAD_ALL;
	p->rxq.port = p->txq.port = &p->up;
	p->rxq.fd = -1;
	p->rxqs[0] = &p->rxq;
	p->txqs[0] = &p->txq;
	p->up.rxqs = p->rxqs;
	p->up.txqs = p->txqs;
	p->up.n_rxqs = p->up.n_txqs = 1;
	guest_memory_init(&p->memory, config->size * each + (1 << 20), 1);
	/* So that nobody meets a page for the first time. */
	memset(p->memory.view->regions[0].host, 0, p->memory.size);
	p->driver = driver_create(&p->memory, config);
	p->driver->plain_buffers = true;
	driver_calls_never(p->driver);
	p->vq = virtqueue_create(name, !config->from_guest);
	driver_join(p->driver, p->vq);
}

static void close_guest(struct guest_port *p)
{
	virtqueue_take(p->vq);
	virtqueue_stop(p->vq);
	virtqueue_release(p->vq);
	virtqueue_destroy(p->vq);
	driver_destroy(p->driver);
	guest_memory_fini(&p->memory);
	port_fini(&p->up);
}

static void make_frame(struct bench *b, const char *what)
{
	static const uint8_t ip[] = {
		0x45, 0, 0xff, 0xff, 0, 0, 0x40, 0, 64, 6,
		0,    0, 10,   0,    0, 1, 10,	 0, 0,	2
	};
	const struct kind *kind = NULL;
	uint8_t *f;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(what, kinds[i].name))
			kind = b->kind = &kinds[i];
	b->frame_len = kind ? kind->len : strtoul(what, NULL, 0);
	b->frame_len = MIN(MAX(b->frame_len, 60u), (uint32_t)FRAME_MAX);
	f = b->frame = xcalloc(1, b->frame_len);
	store_be16(f + 6, FROM >> 32);
	store_be32(f + 8, (uint32_t)FROM);
	store_be16(f + 12, 0x0800);
	memcpy(f + 14, ip, sizeof(ip));
	store_be16(f + 16, b->frame_len - 14);
	f[46] = 0x80; /* TCP's header length */
	if (kind) {
		struct virtio_net_hdr *h = (void *)b->vnet;

		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = 34;
		h->csum_offset = 16;
	}
	if (kind && kind->gso) {
		struct virtio_net_hdr *h = (void *)b->vnet;

		h->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h->hdr_len = TCP_HEADERS;
		h->gso_size = MSS;
	}
}

static void open_switch(struct bench *b)
{
	struct fdb_config fdb = { .max_entries = 1u << 20, .seed = 1 };
	struct vlan_config access = { .mode = VLAN_ACCESS, .tag = VLAN };

	b->snapshot = fwd_snapshot_create(1);
	b->bridge =
		fwd_snapshot_add_bridge(b->snapshot, "br0", fdb_create(&fdb));
	b->in = fwd_bridge_add_port(b->bridge, &b->from.up, 1, &access);
	fwd_bridge_add_port(b->bridge, &b->to.up, 2, &access);
	b->pipeline = pipeline_create(1);
	fdb_learn(b->bridge->fdb, fdb_make_key(FROM, VLAN), 1);
	for (unsigned i = 0; i < b->n_macs; i++)
		fdb_learn(b->bridge->fdb, fdb_make_key(TO + i, VLAN), 2);
}

static void open_bench(struct bench *b, const char *ring, const char *frame)
{
	struct driver_config config = { .size = RING, .from_guest = true };
	uint64_t features = DRIVER_MODERN | FEATURE(VIRTIO_RING_F_EVENT_IDX);

	if (strcmp(ring, "split"))
		features |= FEATURE(VIRTIO_F_RING_PACKED);
	if (!strcmp(ring, "in-order"))
		features |= FEATURE(VIRTIO_F_IN_ORDER);
	make_frame(b, frame);
	config.buffer_size = b->frame_len + VNET_HDR_MRG_LEN;
	config.features = features | FEATURE(VIRTIO_NET_F_CSUM) |
			  FEATURE(VIRTIO_NET_F_HOST_TSO4) |
			  FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	open_guest(&b->from, "a", &config);
	if (b->kind) {
		features |= FEATURE(VIRTIO_NET_F_MRG_RXBUF);
		config.size = RING_MERGED;
		config.buffer_size = b->kind->buffer;
	}
	b->room = config.buffer_size;
	config.from_guest = false;
	config.features = features | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
			  FEATURE(VIRTIO_NET_F_GUEST_TSO4);
	open_guest(&b->to, "b", &config);
	open_switch(b);
	b->packets = xcalloc_aligned(PACKET_BURST_MAX, sizeof(*b->packets));
}

static void close_bench(struct bench *b)
{
	pipeline_destroy(b->pipeline);
	fdb_destroy(b->bridge->fdb);
	fwd_snapshot_destroy(b->snapshot);
	close_guest(&b->from);
	close_guest(&b->to);
	free(b->packets);
	free(b->frame);
}

/* The switch's side alone: what a worker does with a burst. */
static __attribute__((noinline)) unsigned switch_burst(struct bench *b)
{
	const struct port_class *class = b->from.up.class;
	unsigned n = class->receive(&b->from.rxq, b->packets, b->burst, 1);

	if (n) {
		pipeline_run(b->pipeline, b->in, b->packets, n);
		class->done(&b->from.rxq);
	}
	return n;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t now_cycles(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/* Both guests do their part, then the switch does its own. */
static void one_burst(struct bench *b)
{
	uint64_t ns, cycles, best;

	for (unsigned i = 0; i < b->burst; i++) {
		/* in no order that a cache would like */
		uint64_t to = TO + b->next_mac * 7919ull % b->n_macs;

		b->next_mac = (b->next_mac + 1) % b->n_macs;
		store_be16(b->frame, to >> 32);
		store_be32(b->frame + 2, (uint32_t)to);
		driver_put_frame(b->from.driver,
				 b->kind ? &b->kind->layout : NULL, b->vnet,
				 b->frame, b->frame_len);
	}
	driver_put_buffers(b->to.driver, NULL, b->room);
	driver_publish(b->from.driver);
	driver_publish(b->to.driver);
	ns = now_ns();
	cycles = now_cycles();
	switch_burst(b);
	best = now_cycles() - cycles;
	b->cycles += best;
	b->best = b->best ? MIN(b->best, best) : best;
	b->ns += now_ns() - ns;
	driver_reclaim(b->from.driver);
	driver_reclaim(b->to.driver);
}

/* Returns whether all packets arrived. */
static bool report(const struct bench *b, char *argv[], uint64_t wanted)
{
	uint64_t passed = b->to.up.counters[1]->tx_packets;

	printf("%s %s, %u MACs: %llu of %llu packets, %.1f ns, %.0f cycles "
	       "each; best burst %.0f\n",
	       argv[1], argv[2], b->n_macs, (unsigned long long)passed,
	       (unsigned long long)wanted, (double)b->ns / MAX(passed, 1ull),
	       (double)b->cycles / MAX(passed, 1ull),
	       (double)b->best / b->burst);
	if (b->from.driver->error || b->to.driver->error)
		printf("error: %s\n", b->from.driver->error
					      ? b->from.driver->error
					      : b->to.driver->error);
	return passed == wanted;
}

int main(int argc, char *argv[])
{
	struct bench *b = xcalloc_aligned(1, sizeof(*b));
	unsigned bursts;
	bool passed;

	if (argc < 3) {
		fprintf(stderr, "usage: bench_vhost split|packed|in-order "
				"BYTES|ack|tcp|tso "
				"[MACS [BURSTS [BURST_SIZE]]]\n");
		return 1;
	}
	b->n_macs = argc > 3 ? strtoul(argv[3], NULL, 0) : 1;
	b->n_macs = MIN(MAX(b->n_macs, 1u), 1000000u);
	bursts = argc > 4 ? strtoul(argv[4], NULL, 0) : 10000;
	b->burst = argc > 5 ? strtoul(argv[5], NULL, 0) : 32;
	b->burst = MIN(MAX(b->burst, 1u), PACKET_BURST_MAX);
	open_bench(b, argv[1], argv[2]);

	/* Caches, windows and branch predictors as they are in the middle. */
	for (unsigned i = 0; i < 10; i++)
		one_burst(b);
	b->ns = b->cycles = b->best = 0;
	b->to.up.counters[1]->tx_packets = 0;
	for (unsigned i = 0; i < bursts; i++)
		one_burst(b);
	passed = report(b, argv, (uint64_t)bursts * b->burst);
	close_bench(b);
	free(b);
	return !passed;
}
