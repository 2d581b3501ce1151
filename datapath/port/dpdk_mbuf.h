/* DPDK's packet buffers to struct packet and back. Workers. */
#ifndef PORT_DPDK_MBUF_H
#define PORT_DPDK_MBUF_H

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "packet/drop.h"
#include "packet/packet.h"

#define DPDK_SEGMENTS_MAX 1024 /* of a burst's chained buffers */

/* A burst that is out: the buffers, and the pieces of those in several. */
struct dpdk_lent {
	unsigned n;
	struct rte_mbuf *mbufs[PACKET_BURST_MAX];
	struct packet_segment segments[DPDK_SEGMENTS_MAX];
};

/*
 * Makes packets of the lent buffers, which stay lent until all are freed.
 * Returns how many; a frame in more pieces than there is room for is counted in
 * drops[] as TRUNCATED.
 */
unsigned dpdk_lend(struct dpdk_lent *lent, struct packet *packets,
		   _Atomic uint64_t *drops);

/*
 * A copy of p in buffers of the pool, with what the device is to do for it;
 * NULL with a reason.
 */
struct rte_mbuf *dpdk_copy(struct rte_mempool *pool, struct packet *p,
			   enum drop_reason *reason);

#endif
