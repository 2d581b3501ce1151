/*
 * A vhost-user front end in process, for tests: it speaks over a real socket
 * and has a guest's memory and drivers (tests/support) behind it. The back end
 * runs in the same thread, so whoever waits for an answer turns its loop.
 */
#ifndef TESTS_VHOST_FRONT_END_H
#define TESTS_VHOST_FRONT_END_H

#include <event2/event.h>

#include "tests/support/virtio_driver.h"

#define FRONT_END_PAIRS_MAX 4

struct front_end {
	struct event_base *base; /* of the back end */
	int socket;
	uint64_t features; /* offered by the back end; then: taken */
	uint64_t protocol_features;
	struct guest_memory memory;
	unsigned n_pairs;
	struct driver_queue *to_guest[FRONT_END_PAIRS_MAX];
	struct driver_queue *from_guest[FRONT_END_PAIRS_MAX];
};

/* Turns the loop until done(aux); fails the test after 20 s. */
void front_end_wait(struct event_base *base, bool (*done)(void *aux),
		    void *aux);

/* fd is connected to the back end, and is closed with the rest. */
void front_end_init(struct front_end *f, struct event_base *base, int fd);
void front_end_fini(struct front_end *f);
/* Closes the socket only. */
void front_end_hang_up(struct front_end *f);
/* Connects to a server's socket; -errno. */
int front_end_connect(const char *path);
/* Whether the back end has closed the connection. Turns the loop for that. */
bool front_end_is_refused(struct event_base *base, int fd);

/* One message, with n descriptors. */
void front_end_say(struct front_end *f, uint32_t request, const void *payload,
		   uint32_t size, const int *fds, unsigned n_fds);
/* The same, and its answer: one number. */
uint64_t front_end_ask(struct front_end *f, uint32_t request);

/*
 * Features (those of `wanted` that are offered), memory, and n_pairs pairs of
 * queues with buffers for what comes: as a monitor does when the guest's driver
 * starts. Returns when the back end has taken all of it in.
 */
void front_end_start(struct front_end *f, uint64_t wanted, unsigned n_pairs);
/*
 * The same memory and queues over another connection, fd. Of where they are it
 * tells what it did at first, as a monitor that keeps no in-flight region.
 */
void front_end_start_again(struct front_end *f, int fd);
/* GET_VRING_BASE, which stops the queue. */
uint32_t front_end_stop_queue(struct front_end *f, unsigned index);

#endif
