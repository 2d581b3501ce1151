/*
 * A guest's card without a guest, as DPDK's virtio-user devices: two ports on
 * one switch send each other numbered frames of all sizes, on all of their
 * queues, and compare every byte of what arrives. It proves each way in which
 * DPDK's drivers use the rings, which QEMU's guests do not.
 *
 *	virtio_check EAL-ARGUMENTS -- [frames=2000000] [queue_size=256]
 *		[queues=1] [rx_buffer=2048]
 *
 * The EAL's arguments name net_virtio_user0 and net_virtio_user1. A flow is
 * what one queue of one port sends, from a station of its own; its frames must
 * come complete, in order, and unchanged. No more frames are under way than a
 * quarter of the receiver's ring, so none may be lost, however slow the switch
 * is. Ends with status 0 and a line of sums, or says what was wrong.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define PORTS	   2
#define MAX_QUEUES 8
#define BURST	   32
#define LEN_MIN	   60
#define LEN_MAX	   1514
#define PAYLOADS   65536 /* random bytes, of which each frame has a part */
#define QUIET_S	   20	 /* without any frame: the rest is lost */
#define ETH_TYPE   0x88b5
#define ETH_TEACH  0x88b6

/* What a frame starts with; network order where the wire has one. */
struct head {
	uint8_t dst[6], src[6];
	uint16_t type;
	uint16_t size;
	uint32_t flow;
	uint64_t number;
} __attribute__((packed));

struct flow {
	uint64_t sent, received;
};

static struct {
	uint64_t frames; /* of each flow */
	unsigned queues, queue_size, rx_buffer;
	struct flow flows[PORTS][MAX_QUEUES];
	bool taught[PORTS][MAX_QUEUES];
	uint64_t under_way[PORTS]; /* sent by the port, not received */
	uint64_t chained;	   /* frames received in several buffers */
	struct rte_mempool *tx_pool, *rx_pool;
	uint8_t payload[PAYLOADS + LEN_MAX];
} check;

static unsigned long number(char *const *words, const char *key,
			    unsigned long none)
{
	size_t len = strlen(key);

	for (; *words; words++)
		if (!strncmp(*words, key, len) && (*words)[len] == '=')
			return strtoul(*words + len + 1, NULL, 0);
	return none;
}

static unsigned frame_size(uint64_t n)
{
	return LEN_MIN + n * 7919 % (LEN_MAX - LEN_MIN + 1);
}

static const uint8_t *frame_payload(unsigned port, unsigned queue, uint64_t n)
{
	return check.payload + (n * 4099 + port * 127 + queue * 31) % PAYLOADS;
}

static void head_make(struct head *h, unsigned port, unsigned queue, uint64_t n)
{
	uint8_t station[6] = { 2, 0, 0, 0, port, queue };

	*h = (struct head){ .type = htons(ETH_TYPE),
			    .size = frame_size(n),
			    .flow = port * MAX_QUEUES + queue,
			    .number = n };
	memcpy(h->src, station, sizeof(station));
	station[4] = !port;
	memcpy(h->dst, station, sizeof(station));
}

/* --- ports --------------------------------------------------------------- */

static struct rte_mempool *pool_make(const char *name, unsigned n,
				     unsigned room)
{
	struct rte_mempool *pool;

	pool = rte_pktmbuf_pool_create(
		name, n, 64, 0, RTE_PKTMBUF_HEADROOM + room, SOCKET_ID_ANY);
	if (!pool)
		rte_exit(EXIT_FAILURE,
			 "no memory for %u buffers of %u bytes: %s\n", n, room,
			 rte_strerror(rte_errno));
	return pool;
}

static void port_start(uint16_t port)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	int error = rte_eth_dev_info_get(port, &info);

	conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (check.rx_buffer < LEN_MAX)
		conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.txmode.offloads &= info.tx_offload_capa;
	if (!error)
		error = rte_eth_dev_configure(port, check.queues, check.queues,
					      &conf);
	for (unsigned q = 0; q < check.queues && !error; q++) {
		error = rte_eth_rx_queue_setup(port, q, check.queue_size,
					       SOCKET_ID_ANY, NULL,
					       check.rx_pool);
		if (!error)
			error = rte_eth_tx_queue_setup(
				port, q, check.queue_size, SOCKET_ID_ANY, NULL);
	}
	if (!error)
		error = rte_eth_dev_start(port);
	if (error)
		rte_exit(EXIT_FAILURE, "port %u: cannot be started: %s\n", port,
			 rte_strerror(-error));
}

static void set_up(char *const *words)
{
	unsigned rings;

	check.frames = number(words, "frames", 2000000);
	check.queues = number(words, "queues", 1);
	check.queue_size = number(words, "queue_size", 256);
	check.rx_buffer = number(words, "rx_buffer", 2048);
	if (rte_eth_dev_count_avail() != PORTS || !check.queues ||
	    check.queues > MAX_QUEUES)
		rte_exit(EXIT_FAILURE, "it takes two ports, 1 to %u queues\n",
			 MAX_QUEUES);
	check.frames /= PORTS * check.queues;
	rings = PORTS * check.queues * (check.queue_size + 64) + 512;
	check.tx_pool = pool_make("tx", 2 * rings, 2048);
	check.rx_pool = pool_make("rx", rings, check.rx_buffer);
	srandom(1);
	for (unsigned i = 0; i < sizeof(check.payload); i++)
		check.payload[i] = random() >> 8;
	for (unsigned p = 0; p < PORTS; p++)
		port_start(p);
}

/* --- sending ------------------------------------------------------------- */

/* The rest of a frame, after its first `at` bytes, into a buffer of its own. */
static bool frame_split(struct rte_mbuf *m, unsigned at)
{
	struct rte_mbuf *rest = rte_pktmbuf_alloc(check.tx_pool);
	unsigned len = m->data_len - at;

	if (!rest)
		return false;
	memcpy(rte_pktmbuf_append(rest, len),
	       rte_pktmbuf_mtod_offset(m, void *, at), len);
	m->data_len = at;
	m->next = rest;
	m->nb_segs = 2;
	return true;
}

static struct rte_mbuf *frame_make(unsigned port, unsigned queue, uint64_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(check.tx_pool);
	unsigned size = frame_size(n);
	uint8_t *data;

	if (!m)
		return NULL;
	data = (uint8_t *)rte_pktmbuf_append(m, size);
	head_make((struct head *)data, port, queue, n);
	memcpy(data + sizeof(struct head), frame_payload(port, queue, n),
	       size - sizeof(struct head));
	/* Every 13th is in two buffers, parted anywhere. */
	if (n % 13 == 0)
		frame_split(m, 1 + n % (size - 1));
	return m;
}

static void send_some(unsigned port, unsigned queue)
{
	struct flow *flow = &check.flows[port][queue];
	uint64_t window = check.queue_size / 4;
	struct rte_mbuf *burst[BURST];
	unsigned n = 0, sent, want;

	if (check.under_way[port] >= window)
		return;
	want = RTE_MIN(window - check.under_way[port], (uint64_t)BURST);
	want = RTE_MIN(want, check.frames - flow->sent);
	while (n < want && (burst[n] = frame_make(port, queue, flow->sent + n)))
		n++;
	sent = rte_eth_tx_burst(port, queue, burst, n);
	rte_pktmbuf_free_bulk(burst + sent, n - sent);
	flow->sent += sent;
	check.under_way[port] += sent;
}

/* --- receiving ----------------------------------------------------------- */

static void wrong(const char *what, unsigned port, unsigned queue, uint64_t got,
		  uint64_t expected)
{
	rte_exit(EXIT_FAILURE,
		 "flow of port %u, queue %u: %s: %" PRIu64 ", expected %" PRIu64
		 "\n",
		 port, queue, what, got, expected);
}

static void compare(const uint8_t *data, unsigned port, unsigned queue)
{
	struct flow *flow = &check.flows[port][queue];
	uint64_t n = flow->received;
	unsigned size = frame_size(n), at = sizeof(struct head);
	const uint8_t *payload = frame_payload(port, queue, n);
	struct head head;

	head_make(&head, port, queue, n);
	if (memcmp(data, &head, at))
		wrong("the header of frame is changed", port, queue, n, n);
	if (!memcmp(data + at, payload, size - at))
		return;
	for (unsigned i = 0; i < size - at; i++)
		if (data[at + i] != payload[i]) {
			printf("byte %u of %u of frame %" PRIu64 "\n", at + i,
			       size, n);
			wrong("a byte is changed", port, queue, data[at + i],
			      payload[i]);
		}
}

static void receive_one(unsigned port, struct rte_mbuf *m)
{
	uint8_t copy[LEN_MAX];
	const struct head *h;
	const uint8_t *data;
	unsigned queue;

	if (m->pkt_len < LEN_MIN || m->pkt_len > LEN_MAX)
		wrong("a frame's size", !port, 0, m->pkt_len, LEN_MAX);
	check.chained += m->nb_segs > 1;
	data = rte_pktmbuf_read(m, 0, m->pkt_len, copy);
	h = (const struct head *)data;
	queue = h->flow % MAX_QUEUES;
	/* The sender is the other one. */
	if (h->flow / MAX_QUEUES != !port || queue >= check.queues)
		wrong("a frame of an unknown flow", !port, 0, h->flow, 0);
	if (h->type == htons(ETH_TEACH)) {
		check.taught[!port][queue] = true;
		return;
	}
	if (h->number != check.flows[!port][queue].received)
		wrong("lost, doubled or out of order", !port, queue, h->number,
		      check.flows[!port][queue].received);
	if (m->pkt_len != frame_size(h->number))
		wrong("the size", !port, queue, m->pkt_len,
		      frame_size(h->number));
	compare(data, !port, queue);
	check.flows[!port][queue].received++;
	check.under_way[!port]--;
}

static unsigned receive_some(unsigned port, unsigned queue)
{
	struct rte_mbuf *burst[BURST];
	unsigned n = rte_eth_rx_burst(port, queue, burst, BURST);

	for (unsigned i = 0; i < n; i++)
		receive_one(port, burst[i]);
	rte_pktmbuf_free_bulk(burst, n);
	return n;
}

static unsigned receive_all(void)
{
	unsigned n = 0;

	for (unsigned p = 0; p < PORTS; p++)
		for (unsigned q = 0; q < check.queues; q++)
			n += receive_some(p, q);
	return n;
}

/* --- the run ------------------------------------------------------------- */

/* Broadcasts of each station until they come: the switch is there and knows
 * them all. */
static void teach(void)
{
	uint64_t end = rte_rdtsc() + QUIET_S * rte_get_tsc_hz();
	unsigned left = PORTS * check.queues;

	while (left) {
		left = 0;
		for (unsigned p = 0; p < PORTS; p++)
			for (unsigned q = 0; q < check.queues; q++) {
				struct rte_mbuf *m;
				struct head *h;

				if (check.taught[p][q])
					continue;
				left++;
				m = frame_make(p, q, 1);
				if (!m)
					continue;
				h = rte_pktmbuf_mtod(m, struct head *);
				memset(h->dst, 0xff, sizeof(h->dst));
				h->type = htons(ETH_TEACH);
				if (!rte_eth_tx_burst(p, q, &m, 1))
					rte_pktmbuf_free(m);
			}
		usleep(5000);
		receive_all();
		if (rte_rdtsc() > end)
			rte_exit(EXIT_FAILURE, "no frame comes through\n");
	}
	for (unsigned quiet = 0; quiet < 20; quiet++) {
		usleep(1000);
		if (receive_all())
			quiet = 0;
	}
}

static bool finished(void)
{
	for (unsigned p = 0; p < PORTS; p++)
		for (unsigned q = 0; q < check.queues; q++)
			if (check.flows[p][q].received < check.frames)
				return false;
	return true;
}

static void lost(void)
{
	for (unsigned p = 0; p < PORTS; p++)
		for (unsigned q = 0; q < check.queues; q++)
			printf("flow of port %u, queue %u: %" PRIu64
			       " sent, %" PRIu64 " received\n",
			       p, q, check.flows[p][q].sent,
			       check.flows[p][q].received);
	rte_exit(EXIT_FAILURE, "frames are lost: none came for %d s\n",
		 QUIET_S);
}

static void run(void)
{
	uint64_t quiet = QUIET_S * rte_get_tsc_hz(), last = rte_rdtsc();
	unsigned idle = 0;

	while (!finished()) {
		for (unsigned p = 0; p < PORTS; p++)
			for (unsigned q = 0; q < check.queues; q++)
				send_some(p, q);
		if (receive_all()) {
			last = rte_rdtsc();
			idle = 0;
		} else if (++idle > 1000) {
			usleep(50); /* the switch may need this core */
			if (rte_rdtsc() - last > quiet)
				lost();
		}
	}
	/* Nothing may come after the last. */
	for (unsigned i = 0; i < 20; i++) {
		usleep(500);
		receive_all();
	}
}

int main(int argc, char *argv[])
{
	int n = rte_eal_init(argc, argv);

	if (n < 0)
		rte_exit(EXIT_FAILURE, "the EAL's arguments are wrong\n");
	setvbuf(stdout, NULL, _IOLBF, 0);
	set_up(argv + n);
	teach();
	run();
	printf("%" PRIu64 " frames, %" PRIu64 " chained\n",
	       check.frames * PORTS * check.queues, check.chained);
	for (unsigned p = 0; p < PORTS; p++)
		rte_eth_dev_stop(p);
	rte_eal_cleanup();
	return 0;
}
