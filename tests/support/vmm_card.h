/*
 * A guest with one network card, for tests of vmm/: its memory, its driver, and
 * frames; at most CARD_PAIRS pairs of queues.
 */
#ifndef TESTS_SUPPORT_VMM_CARD_H
#define TESTS_SUPPORT_VMM_CARD_H

#include <event2/event.h>

#include "tests/support/vmm_driver.h"
#include "vmm/virtio/net.h"

enum {
	CARD_PAIRS = 2,
	CARD_BUFFER = 2048,
	CARD_BUFFERS = 32,
	CARD_HEADER = 12
};

struct card {
	struct event_base *loop;
	struct guest_memory memory;
	struct virtio_device *device;
	struct vmm_driver driver;
	unsigned int control; /* the control queue's index */
	uint64_t buffers;     /* of the receive queues, in order */
	uint64_t buffer_of[CARD_PAIRS][VIRTIO_MAX_QUEUE_SIZE]; /* by id */
	uint64_t scratch; /* frames and commands */
	unsigned int n_config_changes;
	uint8_t frame[65536 + CARD_HEADER]; /* received last */
	uint32_t length;
};

/* Memory; then the device is to be made, and card_start() drives it. */
void card_init(struct card *card, struct event_base *loop);
/* Whether the device is active. Gives receive buffers. */
bool card_start(struct card *card, uint64_t features);
/* Empty rings after a reset; then as card_start(). */
bool card_restart(struct card *card);
void card_uninit(struct card *card);

/* Turns the loop until done(aux): false after 20 s. */
bool card_wait(struct event_base *loop, bool (*done)(void *aux), void *aux);

/* A frame of this length (Ethernet header included) with a number in it, for
 * everybody; with a header of zeros. */
void card_send(struct card *card, unsigned int pair, uint32_t length,
	       uint32_t number);
/* Takes a frame into card->frame and gives its buffers back to the device. */
bool card_receive(struct card *card);
/* The number in the frame received last. */
uint32_t card_number(const struct card *card);
/* A command for the control queue: its answer, -1: none within 20 s. */
int card_command(struct card *card, uint8_t class, uint8_t command,
		 const void *data, uint32_t length);

#endif
