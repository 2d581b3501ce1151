/*
 * The port itself: opened and closed by the control thread, sent to and
 * received from by workers, by rings that its own thread is the other end of.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"
#include "port/classes.h"
#include "port/hostnet_internal.h"

/* The longest frame that may follow another into libslirp. */
#define FRAME_MAX (ETH_HEADER_LEN + HOSTNET_IP_MAX)
/* Longer ones are segmented to this. */
#define PART_MAX 32768

/* --- workers: receiving --------------------------------------------------- */

static unsigned hostnet_receive(struct port_rxq *rxq, struct packet *packets,
				unsigned max, unsigned thread)
{
	struct hostnet *h = hostnet_of(rxq->port);
	struct hostnet_record *record;
	unsigned n = 0;

	while (n < max && (record = hostnet_ring_take(h->to_machines))) {
		packet_init(&packets[n], record->frame, record->len);
		packets[n++].offload = record->offload;
	}
	return n;
}

static void hostnet_done(struct port_rxq *rxq)
{
	struct hostnet *h = hostnet_of(rxq->port);

	hostnet_ring_release(h->to_machines);
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(atomic_load_explicit(&h->wants_room,
					  memory_order_relaxed)) &&
	    atomic_exchange(&h->wants_room, false))
		hostnet_wake(h);
}

static bool hostnet_arm(struct port_rxq *rxq)
{
	struct hostnet *h = hostnet_of(rxq->port);
	uint64_t count;

	if (read(rxq->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return false;
	atomic_store(&h->armed, true);
	/* Look again after saying that we wait: nothing is slept through. */
	atomic_thread_fence(memory_order_seq_cst);
	if (hostnet_ring_empty(h->to_machines))
		return true;
	atomic_store(&h->armed, false);
	return false;
}

/* --- workers: sending ----------------------------------------------------- */

/* The sender's own ring; it exists from its first frame on. */
static struct hostnet_ring *ring_of(struct hostnet *h, unsigned thread)
{
	struct hostnet_ring *ring =
		atomic_load_explicit(&h->from[thread], memory_order_relaxed);

	if (unlikely(!ring)) {
		ring = hostnet_ring_create(HOSTNET_RING);
		atomic_store_explicit(&h->from[thread], ring,
				      memory_order_release);
	}
	return ring;
}

/* The checksum that the packet asks for, in the copy of it. */
static bool finish_csum(const struct packet *p, uint8_t *frame)
{
	const struct packet_offload *o = &p->offload;
	uint32_t field = o->csum_start + o->csum_offset;
	struct gso_layout l;
	uint64_t sum;

	if (!o->csum_needed)
		return true;
	if (field + 2 > p->len)
		return false;
	if (!o->gso) {
		sum = csum_add(0, frame + o->csum_start,
			       p->len - o->csum_start);
		csum_store(frame + field, sum);
		return true;
	}
	/* Senders seed it as they like, and lengths may be a segment's. */
	if (!gso_layout(frame, MIN(p->len, GSO_HEADER_MAX), o->gso, &l))
		return false;
	if (l.ip_version == 4) {
		store_be16(frame + l.l3 + 2, p->len - l.l3);
		csum_ipv4_header(frame + l.l3, l.l4 - l.l3);
		sum = csum_pseudo4(frame + l.l3, l.ip_proto, p->len - l.l4);
	} else {
		store_be16(frame + l.l3 + 4, p->len - l.l3 - 40);
		sum = csum_pseudo6(frame + l.l3, l.ip_proto, p->len - l.l4);
	}
	field = l.l4 + l.csum_offset;
	memset(frame + field, 0, 2);
	csum_store(frame + field, csum_add(sum, frame + l.l4, p->len - l.l4));
	return true;
}

static bool send_one(struct hostnet *h, struct hostnet_ring *ring,
		     const struct packet *p, unsigned thread)
{
	enum drop_reason reason = DROP_TX_FULL;
	struct hostnet_record *record = NULL;

	if (p->len > FRAME_MAX)
		reason = DROP_TX_TOO_BIG;
	else
		record = hostnet_ring_reserve(ring, p->len);
	if (record) {
		if (packet_read(p, 0, record->frame, p->len) == p->len &&
		    finish_csum(p, record->frame)) {
			hostnet_ring_commit(ring);
			return true;
		}
		reason = DROP_TX_OFFLOAD;
	}
	port_drop(&h->up, thread, reason, 1);
	return false;
}

/* A large packet that is longer than libslirp takes, in two or three parts. */
static bool send_parts(struct hostnet *h, struct hostnet_ring *ring,
		       const struct packet *whole, unsigned thread)
{
	struct gso_scratch scratch;
	struct packet large, *part;
	struct gso gso;
	bool sent = true;
	int r;

	packet_copy(&large, whole);
	large.offload.gso_size = PART_MAX;
	r = gso_start(&gso, &large, true);
	gso_scratch_clear(&scratch);
	while (!r && (r = gso_next(&gso, &scratch, &part)) > 0)
		r = send_one(h, ring, part, thread) ? 0 : -ENOBUFS;
	if (r < 0)
		sent = false;
	if (r < 0 && r != -ENOBUFS)
		port_drop(&h->up, thread, DROP_TX_OFFLOAD, 1);
	return sent;
}

static unsigned hostnet_send(struct port_txq *txq,
			     struct packet *const packets[], unsigned n,
			     unsigned thread, uint64_t *sent_bytes)
{
	struct hostnet *h = hostnet_of(txq->port);
	struct hostnet_ring *ring = ring_of(h, txq->index);
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = packets[i];
		bool parts = unlikely(p->len > FRAME_MAX && p->offload.gso &&
				      p->offload.gso != PACKET_GSO_UFO);

		if (parts ? send_parts(h, ring, p, thread)
			  : send_one(h, ring, p, thread)) {
			sent++;
			*sent_bytes += p->len;
		}
	}
	if (sent)
		hostnet_wake(h);
	return sent;
}

/* --- the control thread --------------------------------------------------- */

static void hostnet_close(struct port *port)
{
	struct hostnet *h = hostnet_of(port);

	hostnet_thread_stop(h);
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++)
		hostnet_ring_destroy(h->from[i]);
	hostnet_ring_destroy(h->to_machines);
	if (h->rxq.fd >= 0)
		close(h->rxq.fd);
	if (h->kick_fd >= 0)
		close(h->kick_fd);
	hostnet_options_clear(&h->options);
	free(h->forwards);
	port_fini(port);
	free(h);
}

static void make_queues(struct hostnet *h)
{
	struct port *port = &h->up;

	h->rxq.port = port;
	h->rxq.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h->rxq_pointer = &h->rxq;
	h->to_machines = hostnet_ring_create(HOSTNET_RING_RX);
	port->rxqs = &h->rxq_pointer;
	port->n_rxqs = 1;
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		h->txqs[i].port = port;
		h->txqs[i].index = i;
		h->txq_pointers[i] = &h->txqs[i];
	}
	port->txqs = h->txq_pointers;
	port->n_txqs = PORT_THREADS_MAX;
	port->mtu = HOSTNET_IP_MAX;
	port->tx_offloads = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 |
			    PORT_TX_TSO_ECN | PORT_TX_UFO;
}

static int hostnet_open(const struct port_config *config, struct port **portp,
			char **errp)
{
	struct hostnet *h = xcalloc_aligned(1, sizeof(*h));
	int error;

	port_init(&h->up, &port_class_hostnet, config);
	make_queues(h);
	error = hostnet_options_read(&h->options, config, errp);
	if (!error && (h->rxq.fd < 0 || h->kick_fd < 0))
		error = set_error(errp, -EMFILE,
				  "%s: no more descriptors: raise the limit of "
				  "open files (LimitNOFILE=)",
				  config->name);
	if (!error)
		error = hostnet_thread_start(h, errp);
	if (error) {
		hostnet_close(&h->up);
		return error;
	}
	*portp = &h->up;
	return 0;
}

static void set_limits(struct hostnet *h, void *options_)
{
	const struct hostnet_options *options = options_;

	hostnet_sessions_limit(h->sessions, options->sessions_max,
			       options->client_sessions_max);
}

static int hostnet_reconfigure(struct port *port,
			       const struct port_config *config, char **errp)
{
	struct hostnet *h = hostnet_of(port);
	struct hostnet_options options;
	int error = hostnet_options_read(&options, config, errp);

	if (error)
		return error;
	if (!hostnet_options_same(&h->options, &options))
		error = -EOPNOTSUPP;
	else
		hostnet_call(h, set_limits, &options);
	hostnet_options_clear(&options);
	return error;
}

static void hostnet_status(struct port *port, struct port_status *status)
{
	status->present = status->admin_up = status->link_up = true;
	status->mac = HOSTNET_MAC;
	status->mtu = hostnet_of(port)->options.net.mtu;
	strcpy(status->driver, "libslirp");
}

static void hostnet_counters(struct port *port, struct port_counters *total)
{
	struct hostnet *h = hostnet_of(port);

	for (unsigned i = 0; i < N_DROP_REASONS; i++)
		counter_add(&total->drops[i],
			    atomic_load_explicit(&h->drops[i],
						 memory_order_relaxed));
}

void hostnet_get_stats(struct port *port, struct hostnet_stats *stats)
{
	struct hostnet *h = hostnet_of(port);

	stats->tcp = hostnet_sessions_count(h->sessions, HOSTNET_TCP);
	stats->udp = hostnet_sessions_count(h->sessions, HOSTNET_UDP);
	stats->icmp = hostnet_sessions_count(h->sessions, HOSTNET_PING);
	stats->refused = h->drops[DROP_NAT_LIMIT] + h->drops[DROP_NAT_FULL];
	stats->ping_error = h->ping_error;
}

static void show(struct hostnet *h, void *text)
{
	*(char **)text = slirp_connection_info(h->slirp);
}

char *hostnet_show(struct port *port)
{
	char *text = NULL;

	hostnet_call(hostnet_of(port), show, &text);
	return text;
}

const struct port_class port_class_hostnet = {
	.type = "hostnet",
	.polls_in_memory = true,
	.any_threads = true,
	.made_up = true,
	.open = hostnet_open,
	.close = hostnet_close,
	.reconfigure = hostnet_reconfigure,
	.status = hostnet_status,
	.device_counters = hostnet_counters,
	.receive = hostnet_receive,
	.done = hostnet_done,
	.arm = hostnet_arm,
	.send = hostnet_send,
};
