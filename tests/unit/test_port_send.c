/*
 * Sending to a port that takes more or less unfinished work: what goes in comes
 * out, in order, and everything is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "frames.h"
#include "packet/offload.h"
#include "packet/parse.h"
#include "port/null.h"

#define N 32

/* What the port was sent. */
static struct {
	unsigned n, thread;
	bool refuse;
	struct {
		uint32_t len;
		bool csum_needed;
		uint8_t gso;
		uint8_t data[2048];
	} packets[200];
} sent;

static uint8_t bytes[65536];
static struct frame frame;
static struct port *port;

static bool sink(struct packet *p, unsigned thread, void *arg)
{
	if (sent.refuse)
		return false;
	assert_int_equal(thread, sent.thread);
	assert_ptr_equal(arg, &sent);
	assert_true(sent.n < ARRAY_SIZE(sent.packets));
	sent.packets[sent.n].len = p->len;
	sent.packets[sent.n].csum_needed = p->offload.csum_needed;
	sent.packets[sent.n].gso = p->offload.gso;
	packet_read(p, 0, sent.packets[sent.n].data, 2048);
	sent.n++;
	return true;
}

static int setup(void **state)
{
	const struct port_config config = {
		.name = "n0",
		.type = "null",
		.n_threads = 2,
		.n_rxqs = 1,
	};

	fill(bytes, sizeof(bytes), 8);
	memset(&sent, 0, sizeof(sent));
	sent.thread = 1;
	assert_int_equal(port_open(&config, &port, NULL), 0);
	null_set_sink(port, sink, &sent);
	return 0;
}

static int teardown(void **state)
{
	port_close(port);
	return 0;
}

static const struct port_counters *counters(void)
{
	static struct port_counters total;

	port_get_counters(port, &total);
	return &total;
}

static uint64_t drops(enum drop_reason reason)
{
	return counters()->drops[reason];
}

static void build(uint8_t proto, unsigned tags, uint32_t payload, bool partial)
{
	struct frame_spec s = {
		.n_tags = tags,
		.version = 4,
		.proto = proto,
		.tcp_flags = 0x18,
		.payload = bytes,
		.payload_len = payload,
		.partial = partial,
	};

	frame_build(&frame, &s);
}

static void as_packet(struct packet *p, uint8_t flags, uint8_t gso,
		      uint16_t size)
{
	uint8_t vnet[VNET_HDR_LEN];

	vnet_make(vnet, flags, gso, 0, size, frame.l4, frame.csum_offset);
	packet_init(p, frame.data, frame.len);
	assert_true(offload_receive(p, vnet, OFFLOAD_ALL));
	packet_pull(p, PACKET_PULL);
}

static void send_one(struct packet *p)
{
	port_send(port, (struct packet *[]){ p }, 1, sent.thread);
}

/* The IPv4 and transport checksums of the i-th packet sent are right. */
static void expect_csums(unsigned i)
{
	const uint8_t *d = sent.packets[i].data;
	uint32_t l4 = frame.l4 - frame.l3,
		 l4_len = sent.packets[i].len - frame.l4;
	const uint8_t *ip = d + frame.l3;
	uint8_t tail[4] = { 0, ip[9], l4_len >> 8, l4_len };
	uint16_t sum = plain_sum(tail, 4, plain_sum(ip + 12, 8, 0));

	assert_false(sent.packets[i].csum_needed);
	assert_int_equal(plain_sum(ip, l4, 0), 0xffff);
	assert_int_equal(plain_sum(ip + l4, l4_len, sum), 0xffff);
}

static void as_it_is(void **state)
{
	struct packet packets[N], *pointers[N];
	uint64_t total = 0;

	for (unsigned i = 0; i < N; i++) {
		packet_init(&packets[i], bytes + 64 * i, 60 + i);
		packet_pull(&packets[i], PACKET_PULL);
		packets[i].header[0] = i == 3 ? 0x33 : 0x02;
		if (i == 4)
			memset(packets[i].header, 0xff, 6);
		pointers[i] = &packets[i];
		total += packets[i].len;
	}
	port_send(port, pointers, N, 1);
	port_send(port, pointers, 0, 1);
	assert_int_equal(sent.n, N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(sent.packets[i].len, 60 + i);
		assert_memory_equal(sent.packets[i].data + 6,
				    bytes + 64 * i + 6, 54);
	}
	assert_int_equal(counters()->tx_packets, N);
	assert_int_equal(counters()->tx_bytes, total);
	assert_int_equal(counters()->tx_multicast, 1);
	assert_int_equal(counters()->tx_broadcast, 1);
}

static void mtu(void **state)
{
	struct packet p;

	for (unsigned tags = 0; tags <= 2; tags++) {
		build(IPPROTO_UDP, tags, 1500 - 28, false);
		as_packet(&p, 0, 0, 0);
		send_one(&p);
		assert_int_equal(sent.n, tags + 1);
		build(IPPROTO_UDP, tags, 1500 - 27, false);
		as_packet(&p, 0, 0, 0);
		send_one(&p);
		assert_int_equal(sent.n, tags + 1);
		assert_int_equal(drops(DROP_TX_TOO_BIG), tags + 1);
	}
	/* two good ones around it come through in order */
	port->mtu = 100;
	build(IPPROTO_UDP, 0, 10, false);
	as_packet(&p, 0, 0, 0);
	{
		struct packet big, *three[] = { &p, &big, &p };

		build(IPPROTO_UDP, 0, 100, false);
		as_packet(&big, 0, 0, 0);
		port_send(port, three, 3, 1);
	}
	assert_int_equal(sent.n, 5);
	assert_int_equal(drops(DROP_TX_TOO_BIG), 4);
	assert_int_equal(counters()->tx_packets, 5);
}

static void checksum(void **state)
{
	struct packet p;

	build(IPPROTO_UDP, 1, 100, true);
	as_packet(&p, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, 0);
	send_one(&p);
	assert_int_equal(sent.n, 1);
	assert_true(sent.packets[0].csum_needed);
	null_set_offloads(port, 0);
	send_one(&p);
	assert_int_equal(sent.n, 2);
	expect_csums(1);
	send_one(&p);
	expect_csums(2);
}

static void checksum_far(void **state)
{
	struct packet p;

	build(IPPROTO_UDP, 0, 1000, true);
	as_packet(&p, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, 0);
	p.offload.csum_start = 500;
	p.offload.csum_offset = 20;
	null_set_offloads(port, 0);
	send_one(&p);
	assert_int_equal(sent.n, 1);
	assert_false(sent.packets[0].csum_needed);
	assert_int_equal(plain_sum(sent.packets[0].data + 500, p.len - 500, 0) ^
				 0xffff,
			 plain_sum(frame.data + 520, 2, 0));
	p.offload.csum_start = 1200; /* no checked packet has it so */
	send_one(&p);
	assert_int_equal(drops(DROP_TX_OFFLOAD), 1);
}

static void segmented(void **state)
{
	static const uint8_t flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	struct packet p, small, *three[] = { &small, &p, &small };

	/* whole */
	build(IPPROTO_TCP, 1, 60000, true);
	as_packet(&p, flags, VIRTIO_NET_HDR_GSO_TCPV4, 1448);
	send_one(&p);
	assert_int_equal(sent.n, 1);
	assert_int_equal(sent.packets[0].gso, PACKET_GSO_TCP4);
	assert_int_equal(counters()->tx_bytes, p.len);
	/* in segments, between two others */
	packet_init(&small, bytes, 60);
	packet_pull(&small, PACKET_PULL);
	null_set_offloads(port, 0);
	port_send(port, three, 3, 1);
	assert_int_equal(sent.n, 1 + 2 + 42);
	assert_int_equal(sent.packets[1].len, 60);
	assert_int_equal(sent.packets[44].len, 60);
	for (unsigned i = 2; i < 44; i++) {
		expect_csums(i);
		assert_int_equal(load_be32(sent.packets[i].data + frame.l4 + 4),
				 (i - 2) * 1448);
	}
	/* segments whose checksums the port finishes */
	null_set_offloads(port, PORT_TX_CSUM);
	send_one(&p);
	assert_int_equal(sent.n, 45 + 42);
	assert_true(sent.packets[50].csum_needed);
	assert_int_equal(counters()->tx_packets, 45 + 42);
}

/* More segments than a scratch holds. */
static void many_segments(void **state)
{
	struct packet p;

	build(IPPROTO_UDP, 0, 15000, true);
	as_packet(&p, VIRTIO_NET_HDR_F_NEEDS_CSUM, 5, 100);
	null_set_offloads(port, PORT_TX_CSUM | PORT_TX_TSO4);
	send_one(&p);
	assert_int_equal(sent.n, 150);
	for (unsigned i = 0; i < sent.n; i++) {
		assert_int_equal(sent.packets[i].len, frame.start + 100);
		assert_memory_equal(sent.packets[i].data + frame.start,
				    bytes + i * 100, 100);
	}
}

static void segments_too_big(void **state)
{
	struct packet p;

	build(IPPROTO_TCP, 2, 5000, true);
	as_packet(&p, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4,
		  1461);
	send_one(&p);
	null_set_offloads(port, 0);
	send_one(&p);
	assert_int_equal(sent.n, 0);
	assert_int_equal(drops(DROP_TX_TOO_BIG), 2);
	p.offload.gso_size = 1460;
	send_one(&p);
	assert_int_equal(sent.n, 4);
}

static void not_segmentable(void **state)
{
	struct packet p;

	build(IPPROTO_TCP, 0, 5000, true);
	as_packet(&p, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4,
		  1000);
	null_set_offloads(port, 0);
	p.header[14] = 0x65; /* somebody broke it meanwhile */
	send_one(&p);
	assert_int_equal(sent.n, 0);
	assert_int_equal(drops(DROP_TX_OFFLOAD), 1);
}

static void ecn(void **state)
{
	struct packet p;

	build(IPPROTO_TCP, 0, 5000, true);
	as_packet(&p, VIRTIO_NET_HDR_F_NEEDS_CSUM,
		  VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 1000);
	null_set_offloads(port, OFFLOAD_ALL & ~PORT_TX_TSO_ECN);
	send_one(&p);
	assert_int_equal(sent.n, 5);
}

static void down(void **state)
{
	struct packet p;

	build(IPPROTO_UDP, 0, 5, false);
	as_packet(&p, 0, 0, 0);
	port->tx_enabled = false;
	send_one(&p);
	assert_int_equal(sent.n, 0);
	assert_int_equal(drops(DROP_TX_DOWN), 1);
	port->tx_enabled = true;
	sent.refuse = true;
	send_one(&p);
	assert_int_equal(drops(DROP_TX_FULL), 1);
	assert_int_equal(counters()->tx_packets, 0);
}

static void shared_queue(void **state)
{
	struct packet p;

	build(IPPROTO_UDP, 0, 5, false);
	as_packet(&p, 0, 0, 0);
	port->tx_shared = true;
	port->n_txqs = 1;
	port->txqs[0]->taken = true;
	send_one(&p);
	assert_int_equal(sent.n, 0);
	assert_int_equal(drops(DROP_TX_BUSY), 1);
	port->txqs[0]->taken = false;
	send_one(&p);
	assert_int_equal(sent.n, 1);
	assert_false(port->txqs[0]->taken);
}

static void *release(void *arg)
{
	usleep(2000);
	atomic_store(&port->txqs[0]->taken, false);
	return NULL;
}

/* The control thread outwaits a worker that is slow, and not one that hangs. */
static void shared_queue_control(void **state)
{
	struct packet p;
	pthread_t worker;
	unsigned n = 0;

	build(IPPROTO_UDP, 0, 5, false);
	as_packet(&p, 0, 0, 0);
	sent.thread = 0;
	port->tx_shared = true;
	port->n_txqs = 1;
	/* on a busy machine the worker may be slower than that once */
	do {
		atomic_store(&port->txqs[0]->taken, true);
		assert_int_equal(pthread_create(&worker, NULL, release, NULL),
				 0);
		send_one(&p);
		assert_int_equal(pthread_join(worker, NULL), 0);
		assert_int_equal(drops(DROP_TX_BUSY) + sent.n, ++n);
	} while (!sent.n && n < 50);
	assert_int_equal(sent.n, 1);
	atomic_store(&port->txqs[0]->taken, true);
	send_one(&p);
	assert_int_equal(sent.n, 1);
	assert_int_equal(drops(DROP_TX_BUSY), n);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_it_is),
		TEST(mtu),
		TEST(checksum),
		TEST(checksum_far),
		TEST(segmented),
		TEST(many_segments),
		TEST(segments_too_big),
		TEST(not_segmentable),
		TEST(ecn),
		TEST(down),
		TEST(shared_queue),
		TEST(shared_queue_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
