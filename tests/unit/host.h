/*
 * A host of a test's own: a network namespace that ends with the process, with
 * real devices, and packet sockets that send and see frames at them.
 */
#ifndef TESTS_UNIT_HOST_H
#define TESTS_UNIT_HOST_H

#include "port/port.h"

#define HOST_FRAME_MAX (128 << 10)

/*
 * Puts the process into a new network namespace; for who is not root, in a user
 * namespace, where some things cannot be done (host_privileged() is false).
 * Ends the process when the system allows neither.
 */
void host_enter(void);
bool host_privileged(void);

/* Runs a command, e.g. "ip link add ..."; fails the test when it fails. */
void host_run(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* What came in at a wire. */
struct host_frame {
	uint8_t vnet[10];
	uint8_t data[HOST_FRAME_MAX];
	size_t len;
	bool tagged; /* with a tag beside the frame */
	uint16_t tci;
};

/* A packet socket with virtio-net headers on a device. */
int host_wire(const char *device);
/* vnet may be NULL: zeros. */
void host_send(int wire, const void *vnet, const void *frame, size_t len);
/* Waits for the next frame; false: none came for 5 s. */
bool host_receive(int wire, struct host_frame *frame);
/* Takes off all that is there now. */
void host_drain(int wire);

/* A UDP frame of len bytes whose payload begins with the number. */
void host_make_udp(uint8_t *frame, size_t len, uint32_t number);
uint32_t host_udp_number(const struct packet *p);
/* A TCP frame for IPv4 of len bytes to be cut up, and its header. */
void host_make_tso(uint8_t *frame, size_t len, uint16_t mss, uint8_t *vnet);
/* Who has 10.9.0.1, asked by 10.9.0.2. */
void host_make_arp(uint8_t frame[42]);

/* Opens a port or fails the test. */
struct port *host_open(const char *type, const char *name, unsigned n_rxqs);
/* Waits until the port receives something; 0: nothing came for 5 s. */
unsigned host_port_receive(struct port *port, struct packet *packets,
			   unsigned max);
uint64_t host_drops(struct port *port, enum drop_reason reason);

#endif
