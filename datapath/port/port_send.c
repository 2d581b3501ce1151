/*
 * Sending to a port. The usual burst needs nothing done to it: one look at each
 * packet's length and offload tells, and it goes to the port as it is. A burst
 * with anything else in it is taken apart packet by packet, in order, into
 * bursts that the port can take.
 */
#include <errno.h>
#include <unistd.h>

#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/offload.h"
#include "packet/parse.h"
#include "port/port.h"

_Static_assert((int)PORT_TX_CSUM == OFFLOAD_CSUM &&
		       (int)PORT_TX_TSO4 == OFFLOAD_TSO4 &&
		       (int)PORT_TX_TSO6 == OFFLOAD_TSO6 &&
		       (int)PORT_TX_TSO_ECN == OFFLOAD_TSO_ECN &&
		       (int)PORT_TX_USO == OFFLOAD_USO &&
		       (int)PORT_TX_UFO == OFFLOAD_UFO,
	       "one set of bits");

/* Tags that may come on top of the MTU: more, no device would take. */
#define TAGS_MAX 2

/* Tries before a queue counts as taken: about as long as a burst takes. */
#define TAKE_TRIES 2000

/* The control thread's rounds of those, and what lies between them. */
#define TAKE_ROUNDS   100
#define TAKE_PAUSE_US 100

/* Tells the processor that this is a loop that waits. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static bool take(struct port_txq *txq)
{
	for (unsigned i = 0; i < TAKE_TRIES; i++) {
		if (!atomic_load_explicit(&txq->taken, memory_order_relaxed) &&
		    !atomic_exchange_explicit(&txq->taken, true,
					      memory_order_acquire))
			return true;
		relax();
	}
	return false;
}

/*
 * What the control thread sends is little, and a partner of LACP that misses a
 * frame waits half a minute for the next: it outwaits a worker that was put
 * aside with the queue in its hands.
 */
static __attribute__((noinline)) bool outwait(struct port_txq *txq)
{
	for (unsigned i = 0; i < TAKE_ROUNDS; i++) {
		usleep(TAKE_PAUSE_US);
		if (take(txq))
			return true;
	}
	return false;
}

static inline void transmit(struct port *port, struct packet *const packets[],
			    unsigned n, unsigned thread)
{
	struct port_counters *counters = port->counters[thread];
	unsigned i = thread < port->n_txqs ? thread : thread % port->n_txqs;
	struct port_txq *txq = port->txqs[i];
	bool shared = port->tx_shared;
	uint64_t bytes = 0;
	unsigned sent;

	if (unlikely(shared) && !take(txq) && (thread || !outwait(txq))) {
		port_drop(port, thread, DROP_TX_BUSY, n);
		return;
	}
	sent = port->class->send(txq, packets, n, thread, &bytes);
	if (unlikely(shared))
		atomic_store_explicit(&txq->taken, false, memory_order_release);
	counter_add(&counters->tx_packets, sent);
	counter_add(&counters->tx_bytes, bytes);
}

static __attribute__((noinline)) void count_multicast(
	struct port *port, struct packet *const packets[], unsigned n,
	unsigned thread)
{
	unsigned multicast = 0, broadcast = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t mac = load_mac(packets[i]->header);

		if (mac == MAC_BROADCAST)
			broadcast++;
		else if (mac_is_multicast(mac))
			multicast++;
	}
	counter_add(&port->counters[thread]->tx_multicast, multicast);
	counter_add(&port->counters[thread]->tx_broadcast, broadcast);
}

/* A burst that is being made into what the port can take. */
struct sender {
	struct port *port;
	unsigned thread;
	uint32_t offloads, mtu;
	unsigned n;
	struct packet *out[PACKET_BURST_MAX];
	struct gso_scratch scratch;
	struct csum_far far;
};

static void flush(struct sender *s)
{
	if (s->n)
		transmit(s->port, s->out, s->n, s->thread);
	s->n = 0;
	gso_scratch_clear(&s->scratch);
}

static void add(struct sender *s, struct packet *p)
{
	if (s->n == ARRAY_SIZE(s->out))
		flush(s);
	s->out[s->n++] = p;
}

static void drop(struct sender *s, enum drop_reason reason)
{
	port_drop(s->port, s->thread, reason, 1);
}

/* Whether the port itself does all that the packet asks for. */
static bool port_takes(const struct sender *s, const struct packet_offload *o)
{
	static const uint32_t needs[] = {
		[PACKET_GSO_NONE] = 0,
		[PACKET_GSO_TCP4] = PORT_TX_CSUM | PORT_TX_TSO4,
		[PACKET_GSO_TCP6] = PORT_TX_CSUM | PORT_TX_TSO6,
		[PACKET_GSO_UDP] = PORT_TX_CSUM | PORT_TX_USO,
		[PACKET_GSO_UFO] = PORT_TX_CSUM | PORT_TX_UFO,
	};
	uint32_t needed = needs[o->gso];

	if (o->csum_needed)
		needed |= PORT_TX_CSUM;
	if (o->gso_ecn)
		needed |= PORT_TX_TSO_ECN;
	return !(needed & ~s->offloads);
}

/* What of the packet, or of its segments, counts against the MTU. */
static uint32_t payload_len(const struct packet *p)
{
	uint32_t len = p->len;

	if (p->offload.gso)
		len = packet_gso_segment_len(p);
	return len - packet_l2_len(p, TAGS_MAX);
}

static void segment(struct sender *s, const struct packet *p)
{
	struct packet *segment;
	struct gso gso;
	int r = gso_start(&gso, p, !(s->offloads & PORT_TX_CSUM));

	while (!r) {
		r = gso_next(&gso, &s->scratch, &segment);
		if (!r)
			return;
		if (r == -ENOSPC && s->scratch.n_packets) {
			flush(s);
			r = 0;
		} else if (r > 0) {
			add(s, segment);
			r = 0;
		}
	}
	drop(s, DROP_TX_OFFLOAD);
}

static void finish_csum(struct sender *s, struct packet *p)
{
	if (likely(packet_finish_csum(p))) {
		add(s, p);
		return;
	}
	flush(s);
	if (packet_finish_csum_far(p, &s->far)) {
		add(s, &s->far.packet);
		flush(s);
	} else {
		drop(s, DROP_TX_OFFLOAD);
	}
}

static __attribute__((noinline)) void send_slow(struct port *port,
						struct packet *const packets[],
						unsigned n, unsigned thread,
						uint32_t mtu)
{
	struct sender s;

	s.port = port;
	s.thread = thread;
	s.mtu = mtu;
	s.offloads =
		atomic_load_explicit(&port->tx_offloads, memory_order_relaxed);
	s.n = 0;
	gso_scratch_clear(&s.scratch);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packets[i];

		if (payload_len(p) > s.mtu)
			drop(&s, DROP_TX_TOO_BIG);
		else if (port_takes(&s, &p->offload))
			add(&s, p);
		else if (p->offload.gso)
			segment(&s, p);
		else
			finish_csum(&s, p);
	}
	flush(&s);
}

/*
 * The offload's first four bytes as one word, and the mask of those that the
 * fast way cannot pass on: any segmentation, whose sizes must be looked at, and
 * a checksum that the port does not finish.
 */
static inline uint32_t offload_word(const struct packet_offload *o)
{
	uint32_t word;

	memcpy(&word, o, sizeof(word));
	return word;
}

/* A field's first bit in that word (little endian). */
#define OFFLOAD_BIT(field) (8 * offsetof(struct packet_offload, field))

static inline uint32_t slow_mask(uint32_t offloads)
{
	return (uint32_t) !(offloads & PORT_TX_CSUM)
		       << OFFLOAD_BIT(csum_needed) |
	       0xffu << OFFLOAD_BIT(gso);
}

_Static_assert(offsetof(struct packet_offload, gso) < 4, "in the word");

void port_send(struct port *port, struct packet *const packets[], unsigned n,
	       unsigned thread)
{
	uint32_t mtu = atomic_load_explicit(&port->mtu, memory_order_relaxed);
	uint32_t mask = slow_mask(
		atomic_load_explicit(&port->tx_offloads, memory_order_relaxed));
	uint32_t limit = mtu + ETH_HEADER_LEN, over = 0, offloads = 0;
	uint8_t first_bytes = 0;

	if (unlikely(!atomic_load_explicit(&port->tx_enabled,
					   memory_order_relaxed))) {
		port_drop(port, thread, DROP_TX_DOWN, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = packets[i];

		over |= limit - p->len; /* highest bit: too long */
		offloads |= offload_word(&p->offload);
		first_bytes |= p->header[0];
	}
	if (unlikely(first_bytes & 1))
		count_multicast(port, packets, n, thread);
	if (unlikely(over >> 31 | (offloads & mask)))
		send_slow(port, packets, n, thread, mtu);
	else if (likely(n))
		transmit(port, packets, n, thread);
}

void port_warm(struct port *port, unsigned thread)
{
	unsigned i;

	/* It may have no queues at all: bonds, patch ports, gateways. */
	if (!port->class->warm)
		return;
	i = thread < port->n_txqs ? thread : thread % port->n_txqs;
	port->class->warm(port->txqs[i], thread);
}
