/*
 * A guest with one pair of queues and the device that serves it, in one
 * process: `tx` is what the guest sends in and the device receives `from`, `rx`
 * what the device sends `to`.
 */
#ifndef TESTS_VIRTQUEUE_FIXTURE_H
#define TESTS_VIRTQUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frames.h"
#include "tests/support/virtio_driver.h"

#define MERGEABLE FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define INDIRECT  FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define IN_ORDER  FEATURE(VIRTIO_F_IN_ORDER)
#define PACKED	  FEATURE(VIRTIO_F_RING_PACKED)

struct bed_config {
	uint64_t features; /* VERSION_1 is added */
	uint16_t size;	   /* 0: 64 */
	uint32_t base;	   /* of both queues; packed: 0 is the begin */
	unsigned regions;  /* 0: 3 */
	uint32_t buffer;   /* bytes of a buffer; 0: room for any frame */
};

struct bed {
	struct guest_memory memory;
	struct driver_queue *tx, *rx;
	struct virtqueue *from, *to;
	_Atomic uint64_t drops[N_DROP_REASONS];
	uint64_t bytes; /* sent, as virtqueue_send() says */
	struct packet packets[PACKET_BURST_MAX];
	struct driver_frame frame; /* the last that bed_take() took */
	bool broken_on_purpose;
};

void bed_open(struct bed *bed, const struct bed_config *config);
/* Also checks that driver and queues found nothing wrong. */
void bed_close(struct bed *bed);

/* The 16 combinations of what does not change the kind of ring. */
uint64_t combination(unsigned i);
#define N_COMBINATIONS 16

/* Frame number i: a valid Ethernet header and bytes of its own. */
const uint8_t *numbered_frame(unsigned i, uint32_t len);

/* The guest sends frame i. */
void bed_put(struct bed *bed, const struct driver_layout *layout, unsigned i,
	     uint32_t len);
/* Receives up to max packets into bed->packets, polling a few times. */
unsigned bed_receive(struct bed *bed, unsigned max);
/* Packet at place `at` of the burst is frame i. */
void assert_packet(struct bed *bed, unsigned at, unsigned i, uint32_t len);
/* Sends frame i alone; true when it was sent. */
bool bed_send(struct bed *bed, unsigned i, uint32_t len);
/* The guest takes one frame, which is frame i, with nothing spilt. */
void assert_taken(struct bed *bed, unsigned i, uint32_t len);

uint64_t bed_drops(const struct bed *bed); /* all reasons */
void bed_clear_drops(struct bed *bed);

/* Stops a queue as the control thread does, and returns the base. */
uint32_t stop_queue(struct virtqueue *vq);

/* Two tests of one function, the state tells the kind: 0 or PACKED. */
extern uint64_t kind_split, kind_packed;
#define BOTH(f)                                                                \
	{ "split_" #f, f, NULL, NULL, &kind_split },                           \
	{                                                                      \
		"packed_" #f, f, NULL, NULL, &kind_packed                      \
	}
#define KIND(state) (*(const uint64_t *)*(state))

#endif
