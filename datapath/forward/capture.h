/*
 * Packet capture: copies of the frames at some ports, made by the workers,
 * handed to the control thread through a bounded ring.
 *
 * A capture hangs at each port it listens to (fwd_port.capture); a port without
 * one pays a test of a pointer. Several captures at one port form a list. When
 * the ring is full, copies are lost and counted, never the packets themselves.
 */
#ifndef FORWARD_CAPTURE_H
#define FORWARD_CAPTURE_H

#include "base/util.h"
#include "packet/drop.h"
#include "packet/packet.h"

struct capture_ring;

enum capture_direction {
	CAPTURE_IN,  /* from the port into the switch */
	CAPTURE_OUT, /* from the switch to the port */
};

/* What hangs at one port; a list. Immutable once in a snapshot. */
struct capture {
	struct capture_ring *ring;
	uint32_t port_id; /* as given to the record */
	struct capture *next;
};

struct capture_record {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint32_t port_id;
	uint32_t len;	       /* of the whole frame */
	uint16_t captured_len; /* bytes that follow */
	uint8_t direction;     /* enum capture_direction */
	bool dropped;
	uint8_t reason;	     /* enum drop_reason, if dropped */
	const uint8_t *data; /* valid during the callback */
};

/*
 * Control thread. snaplen: bytes kept of a frame, at most 65535. filter: a
 * libpcap expression, compiled by the caller; NULL: all. fd becomes readable
 * when there are records.
 */
struct bpf_program;
struct capture_ring *capture_ring_create(uint32_t snaplen,
					 const struct bpf_program *filter,
					 size_t size_bytes);
/* When a snapshot without any port that refers to it is in force. */
void capture_ring_destroy(struct capture_ring *ring);
int capture_ring_fd(const struct capture_ring *ring);
/* Hands over what is there, at most max records; returns how many. */
unsigned capture_ring_read(struct capture_ring *ring, unsigned max,
			   void (*cb)(const struct capture_record *, void *aux),
			   void *aux);
uint64_t capture_ring_lost(const struct capture_ring *ring);

/* Any thread that forwards. */
void capture_packet(const struct capture *list, const struct packet *p,
		    enum capture_direction direction);
void capture_drop(const struct capture *list, const struct packet *p,
		  enum capture_direction direction, enum drop_reason reason);

#endif
