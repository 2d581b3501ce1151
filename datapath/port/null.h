/*
 * The null port: an interface in memory, without device and privilege. From
 * the database (type "null") it swallows what it is sent, as /dev/null does.
 * Tests, fuzzing and benchmarks put frames in and look at what comes out with
 * the functions here; port must be of that kind.
 */
#ifndef PORT_NULL_H
#define PORT_NULL_H

#include "port/port.h"

#define NULL_QUEUE_LEN 1024 /* frames injected and not yet received */

/* A frame to be received, and how. */
struct null_frame {
	const void *data;
	uint32_t len;	  /* up to PACKET_LEN_MAX */
	uint32_t piece;	  /* lies in pieces of so many bytes; 0: in one */
	const void *vnet; /* its virtio_net_hdr (VNET_HDR_LEN), or NULL */
	bool vlan_beside; /* the tag that the device took out */
	uint16_t vlan_tci, vlan_tpid;
};

/*
 * Puts a copy of the frame, in a piece of memory of exactly its length, at the
 * end of the receive queue and wakes the queue's descriptor. One thread at a
 * time. 0, -ENOSPC when the queue is full, -EINVAL for a frame too long.
 */
int null_inject_frame(struct port *port, const struct null_frame *frame);
int null_inject(struct port *port, const void *data, uint32_t len,
		const void *vnet);

/*
 * From now on every receive hands out these frames, as many as asked for, from
 * the first again after the last; no bytes are copied and no offloads are
 * looked at. The memory stays the caller's. n of 0 ends it. Not while a worker
 * uses the port.
 */
void null_set_replay(struct port *port, const struct iovec *frames, unsigned n);

/*
 * Calls sink for each packet that is sent, in the sender's thread; the packet
 * lives during the call only. NULL: counted only. The sink returns whether the
 * packet was taken; if not, it counts as dropped with DROP_TX_FULL. Not while a
 * worker uses the port.
 */
typedef bool null_sink(struct packet *p, unsigned thread, void *arg);
void null_set_sink(struct port *port, null_sink *sink, void *arg);

/* What the port takes unfinished: a set of enum port_offload; at first all. */
void null_set_offloads(struct port *port, uint32_t offloads);
/* What injected frames may leave unfinished: enum offload; at first all. */
void null_set_rx_offloads(struct port *port, unsigned offloads);

#endif
