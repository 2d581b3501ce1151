/*
 * A vhost-user port's part of the packet's way. Receiving and sending are
 * virtqueue.h's; what is left is which queue, and a frame of our own for a
 * guest that has moved.
 */
#include "port/vhost_port.h"

#define RARP_LEN	 60 /* the least that Ethernet carries, without FCS */
#define ETH_TYPE_RARP	 0x8035
#define ETH_TYPE_IPV4	 0x0800
#define RARP_HTYPE_ETHER 1
#define RARP_OP_REQUEST	 3

/* The frame that announces, and whether it is what was received last. */
static _Thread_local struct {
	uint8_t frame[RARP_LEN];
	bool lent;
} rarp;

/* RFC 903: a request that asks for the sender's own address; nobody answers. */
static void write_rarp(uint8_t *frame, uint64_t mac)
{
	uint8_t address[6];

	store_be16(address, mac >> 32);
	store_be32(address + 2, mac);
	memset(frame, 0, RARP_LEN);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, address, 6);
	store_be16(frame + 12, ETH_TYPE_RARP);
	store_be16(frame + 14, RARP_HTYPE_ETHER);
	store_be16(frame + 16, ETH_TYPE_IPV4);
	frame[18] = 6;
	frame[19] = 4;
	store_be16(frame + 20, RARP_OP_REQUEST);
	memcpy(frame + 22, address, 6);
	memcpy(frame + 32, address, 6);
}

static unsigned receive_rarp(struct vhost_rxq *q, struct packet *packets)
{
	uint64_t mac = atomic_exchange(&q->announce, 0);

	if (!mac)
		return 0;
	write_rarp(rarp.frame, mac);
	packet_init(packets, rarp.frame, RARP_LEN);
	rarp.lent = true;
	return 1;
}

unsigned vhost_port_receive(struct port_rxq *rxq, struct packet *packets,
			    unsigned max, unsigned thread)
{
	struct vhost_rxq *q = CONTAINER_OF(rxq, struct vhost_rxq, up);

	if (unlikely(
		    atomic_load_explicit(&q->announce, memory_order_relaxed)) &&
	    receive_rarp(q, packets))
		return 1;
	return virtqueue_receive(q->vq, packets, max,
				 rxq->port->counters[thread]->drops);
}

void vhost_port_done(struct port_rxq *rxq)
{
	if (unlikely(rarp.lent))
		rarp.lent = false;
	else
		virtqueue_done(CONTAINER_OF(rxq, struct vhost_rxq, up)->vq);
}

bool vhost_port_arm(struct port_rxq *rxq)
{
	struct vhost_rxq *q = CONTAINER_OF(rxq, struct vhost_rxq, up);

	return !atomic_load_explicit(&q->announce, memory_order_relaxed) &&
	       virtqueue_arm(q->vq);
}

unsigned vhost_port_send(struct port_txq *txq, struct packet *const packets[],
			 unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	struct vhost_port *vp = vhost_port(txq->port);
	_Atomic uint64_t *drops = txq->port->counters[thread]->drops;
	unsigned n_queues =
		atomic_load_explicit(&vp->n_to_guest, memory_order_acquire);
	struct virtqueue *vq;

	if (unlikely(!n_queues)) {
		port_drop(txq->port, thread, DROP_TX_DOWN, n);
		return 0;
	}
	vq = vp->to_guest[thread < n_queues ? thread : thread % n_queues];
	return virtqueue_send(vq, packets, n, drops, sent_bytes);
}

void vhost_port_warm(struct port_txq *txq, unsigned thread)
{
	struct vhost_port *vp = vhost_port(txq->port);
	unsigned n_queues =
		atomic_load_explicit(&vp->n_to_guest, memory_order_acquire);

	if (n_queues)
		virtqueue_warm(vp->to_guest[thread % n_queues]);
}
