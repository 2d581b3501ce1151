/*
 * A switch with a segment "lab", without database and privilege: null ports vm1
 * and vm2 in its bridge, and the gateway's port, which is made up. Frames go in
 * at a port by the control thread's own pipeline, and what the gateway has to
 * say to them is there when the call returns.
 */
#ifndef TESTS_UNIT_SEGMENT_FIXTURE_H
#define TESTS_UNIT_SEGMENT_FIXTURE_H

#include "vswd/segment.h"

#define LAB_MAC	   0x025600000001
#define LAB_IP	   0x0a140001 /* 10.20.0.1/24, fd20::1/64 */
#define VM_MAC(n)  (0x525400000000 + (n))
#define VM_IP(n)   (LAB_IP + 9 + (n))
#define LAB_FRAMES 16

struct lab_port {
	struct vport *v;
	unsigned n; /* frames that were sent by it; the last ones: */
	struct {
		size_t len;
		uint8_t data[2048];
	} frames[LAB_FRAMES];
};

struct lab {
	struct event_base *base;
	struct vswitch *vs;
	struct segment *seg;
	struct lab_port vm[2];
};

void lab_setup(struct lab *lab);
void lab_teardown(struct lab *lab);
/* What it is at first, to be changed and given to lab_configure(). */
struct cfg_segment *lab_config(void);
/* Takes the segment over, NULL: there is none. */
void lab_configure(struct lab *lab, struct cfg_segment *segment);

/* Sends by vm[i]; what was sent by ports before is forgotten. */
void lab_send(struct lab *lab, unsigned i, const void *frame, size_t len);
/* Lets the gateway do what is due now. */
void lab_run(struct lab *lab);
uint64_t lab_drops(const struct lab *lab, const char *port,
		   enum drop_reason reason);
/* The last frame that was sent by vm[i] with that type of Ethernet, or NULL. */
const uint8_t *lab_sent(const struct lab *lab, unsigned i, uint16_t type,
			size_t *len);

/* --- frames ----------------------------------------------------------------
 */

/* ARP of vm n: operation 1 asks for, 2 claims `target`. Returns the length. */
size_t lab_arp(uint8_t *frame, unsigned n, uint16_t operation, uint32_t from,
	       uint32_t target);
/* IPv4 to the gateway's MAC, checksum done; payload of len bytes. */
size_t lab_ip4(uint8_t *frame, uint64_t mac, uint32_t from, uint32_t to,
	       uint8_t ttl, uint8_t proto, const void *payload, size_t len);

#endif
