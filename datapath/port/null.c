/*
 * The null port (null.h). Frames that are injected wait in a ring with one
 * writer, the injector, and one reader, the worker; each is a block of memory
 * of its own, of its exact length, so that a sanitizer sees a read past it.
 * done() frees what receive() lent.
 */
#include "port/null.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "packet/offload.h"
#include "port/classes.h"

struct null_entry {
	uint8_t *data;
	struct packet_segment *pieces; /* NULL: in one */
	uint32_t len;
	unsigned n_pieces;
	bool has_vnet, vlan_beside;
	uint16_t vlan_tci, vlan_tpid;
	uint8_t vnet[VNET_HDR_LEN];
};

struct null_port {
	struct port up;
	struct port_rxq rxq, *rxqs[1];
	struct port_txq txqs[PORT_THREADS_MAX], *txq_pointers[PORT_THREADS_MAX];
	unsigned rx_offloads;
	null_sink *sink;
	void *sink_arg;
	const struct iovec *replay;
	unsigned n_replay, replay_next;
	/* positions count on without end; the place is modulo the length */
	struct null_entry ring[NULL_QUEUE_LEN];
	_Atomic uint32_t written, freed;
	uint32_t lent; /* the worker's: received, not given back */
};

_Static_assert((NULL_QUEUE_LEN & (NULL_QUEUE_LEN - 1)) == 0, "power of two");

static struct null_port *null_port(const struct port *port)
{
	return CONTAINER_OF(port, struct null_port, up);
}

static struct null_entry *entry_at(struct null_port *np, uint32_t position)
{
	return &np->ring[position & (NULL_QUEUE_LEN - 1)];
}

static int null_open(const struct port_config *config, struct port **portp,
		     char **errp)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct null_port *np;
	int error = errno;

	if (fd < 0)
		return set_error(errp, -error, "%s: no event descriptor: %s",
				 config->name, strerror(error));
	np = xcalloc_aligned(1, sizeof(*np));
	port_init(&np->up, &port_class_null, config);
	np->rx_offloads = OFFLOAD_ALL | OFFLOAD_TRUSTED;
	np->up.tx_offloads = OFFLOAD_ALL;
	np->rxq.port = &np->up;
	np->rxq.fd = fd;
	np->rxqs[0] = &np->rxq;
	np->up.rxqs = np->rxqs;
	np->up.n_rxqs = 1;
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		np->txqs[i].port = &np->up;
		np->txqs[i].index = i;
		np->txq_pointers[i] = &np->txqs[i];
	}
	np->up.txqs = np->txq_pointers;
	np->up.n_txqs = PORT_THREADS_MAX;
	*portp = &np->up;
	return 0;
}

/* Gives back all that was received. */
static void null_done(struct port_rxq *rxq)
{
	struct null_port *np = null_port(rxq->port);
	uint32_t i = atomic_load_explicit(&np->freed, memory_order_relaxed);

	for (; i != np->lent; i++) {
		free(entry_at(np, i)->data);
		free(entry_at(np, i)->pieces);
	}
	atomic_store_explicit(&np->freed, i, memory_order_release);
}

static void null_close(struct port *port)
{
	struct null_port *np = null_port(port);

	np->lent = atomic_load(&np->written);
	null_done(&np->rxq);
	close(np->rxq.fd);
	port_fini(port);
	free(np);
}

static int null_reconfigure(struct port *port, const struct port_config *config,
			    char **errp)
{
	atomic_store_explicit(&port->mtu,
			      config->mtu_request ? config->mtu_request
						  : PORT_MTU_DEFAULT,
			      memory_order_relaxed);
	return 0;
}

static void cut_up(struct null_entry *e, uint32_t piece)
{
	if (!piece || piece >= e->len)
		return;
	e->n_pieces = DIV_ROUND_UP(e->len, piece);
	e->pieces = xcalloc(e->n_pieces, sizeof(*e->pieces));
	for (unsigned i = 0; i < e->n_pieces; i++) {
		e->pieces[i].data = e->data + i * piece;
		e->pieces[i].len = MIN(piece, e->len - i * piece);
	}
}

int null_inject_frame(struct port *port, const struct null_frame *frame)
{
	struct null_port *np = null_port(port);
	uint32_t at = atomic_load_explicit(&np->written, memory_order_relaxed);
	struct null_entry *e = entry_at(np, at);
	uint64_t one = 1;

	if (frame->len > PACKET_LEN_MAX)
		return -EINVAL;
	if (at - atomic_load_explicit(&np->freed, memory_order_acquire) >=
	    NULL_QUEUE_LEN)
		return -ENOSPC;
	memset(e, 0, sizeof(*e));
	e->data = xmalloc(frame->len);
	if (frame->len)
		memcpy(e->data, frame->data, frame->len);
	e->len = frame->len;
	e->has_vnet = frame->vnet;
	if (frame->vnet)
		memcpy(e->vnet, frame->vnet, VNET_HDR_LEN);
	e->vlan_beside = frame->vlan_beside;
	e->vlan_tci = frame->vlan_tci;
	e->vlan_tpid = frame->vlan_tpid;
	cut_up(e, frame->piece);
	atomic_store_explicit(&np->written, at + 1, memory_order_release);
	if (write(np->rxq.fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

int null_inject(struct port *port, const void *data, uint32_t len,
		const void *vnet)
{
	struct null_frame frame = { .data = data, .len = len, .vnet = vnet };

	return null_inject_frame(port, &frame);
}

static unsigned replay(struct null_port *np, struct packet *packets,
		       unsigned max)
{
	unsigned next = np->replay_next;

	for (unsigned i = 0; i < max; i++) {
		packet_init(&packets[i], np->replay[next].iov_base,
			    np->replay[next].iov_len);
		if (++next == np->n_replay)
			next = 0;
	}
	np->replay_next = next;
	return max;
}

static unsigned null_receive(struct port_rxq *rxq, struct packet *packets,
			     unsigned max, unsigned thread)
{
	struct null_port *np = null_port(rxq->port);
	unsigned n = 0;
	uint32_t end;

	if (np->n_replay)
		return replay(np, packets, max);
	end = atomic_load_explicit(&np->written, memory_order_acquire);
	while (np->lent != end && n < max) {
		const struct null_entry *e = entry_at(np, np->lent++);
		struct packet *p = &packets[n];

		packet_init(p, e->data, e->len);
		if (e->n_pieces > 1) {
			p->segments = e->pieces;
			p->n_segments = e->n_pieces;
		}
		p->vlan_beside = e->vlan_beside;
		p->vlan_beside_tci = e->vlan_tci;
		p->vlan_beside_tpid = e->vlan_tpid;
		if (e->has_vnet &&
		    !offload_receive(p, e->vnet, np->rx_offloads))
			port_drop(&np->up, thread, DROP_BAD_OFFLOAD, 1);
		else
			n++;
	}
	if (!n)
		null_done(rxq);
	return n;
}

/* Clears the descriptor first, so that an injection after the look sets it. */
static bool null_arm(struct port_rxq *rxq)
{
	struct null_port *np = null_port(rxq->port);
	uint64_t count;

	if (np->n_replay)
		return false;
	if (read(rxq->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return false;
	return np->lent ==
	       atomic_load_explicit(&np->written, memory_order_acquire);
}

static unsigned null_send(struct port_txq *txq, struct packet *const packets[],
			  unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct null_port *np = null_port(txq->port);
	uint64_t bytes = 0;
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		if (np->sink && !np->sink(packets[i], thread, np->sink_arg))
			continue;
		bytes += packets[i]->len;
		sent++;
	}
	if (sent != n)
		port_drop(&np->up, thread, DROP_TX_FULL, n - sent);
	*sent_bytes += bytes;
	return sent;
}

void null_set_replay(struct port *port, const struct iovec *frames, unsigned n)
{
	struct null_port *np = null_port(port);

	np->replay = frames;
	np->n_replay = n;
	np->replay_next = 0;
}

void null_set_sink(struct port *port, null_sink *sink, void *arg)
{
	struct null_port *np = null_port(port);

	np->sink = sink;
	np->sink_arg = arg;
}

void null_set_offloads(struct port *port, uint32_t offloads)
{
	atomic_store_explicit(&port->tx_offloads, offloads,
			      memory_order_relaxed);
}

void null_set_rx_offloads(struct port *port, unsigned offloads)
{
	null_port(port)->rx_offloads = offloads;
}

const struct port_class port_class_null = {
	.type = "null",
	.open = null_open,
	.close = null_close,
	.any_threads = true,
	.reconfigure = null_reconfigure,
	.receive = null_receive,
	.done = null_done,
	.arm = null_arm,
	.send = null_send,
};
