/*
 * A switch with an overlay on an uplink's bridge, without database and
 * privilege: bridge "up" with null port "eth0" and the VTEP's made-up port,
 * bridge "lab" with null port "vm1" and the VXLAN port "vx0". Frames go in at a
 * port by the control thread's own pipeline; what comes of them is there when
 * the call returns.
 */
#ifndef TESTS_UNIT_OVERLAY_LAB_H
#define TESTS_UNIT_OVERLAY_LAB_H

#include "vswd/overlay.h"

#define OLAB_MAC    0x02aa00000001 /* the VTEP's */
#define OLAB_VM	    0x525400000001
#define OLAB_FAR    0x525400000002 /* behind the remote */
#define OLAB_FRAMES 64

struct olab_port {
	struct vport *v;
	unsigned n; /* frames that were sent by it; the last ones: */
	struct {
		size_t len;
		uint8_t data[2048];
	} frames[OLAB_FRAMES];
};

struct overlay_lab {
	struct event_base *base;
	struct vswitch *vs;
	struct overlay *o;
	struct olab_port eth0, vm1;
	bool trunk; /* vm1 and vx0, from the next olab_configure() on */
};

/* "KEY=VALUE KEY=VALUE", of vx0; NULL: there is no such port. mtu: of eth0. */
void olab_setup(struct overlay_lab *lab, const char *options, uint32_t mtu);
void olab_teardown(struct overlay_lab *lab);
/* The same switch with other options; with a segment on bridge lab, or NULL. */
void olab_configure(struct overlay_lab *lab, const char *options, uint32_t mtu,
		    struct cfg_segment *segment);
/* What was sent by ports before is forgotten. */
void olab_send(struct overlay_lab *lab, struct olab_port *port,
	       const void *frame, size_t len);
/* Lets it do what is due now. */
void olab_run(struct overlay_lab *lab);
/* The remote of vx0 with that address. */
struct overlay_remote *olab_remote(struct overlay_lab *lab, const char *ip);
/* The i-th last frame of a type that was sent by the port; NULL: none. */
const uint8_t *olab_sent(const struct olab_port *port, uint16_t type,
			 unsigned i, size_t *len);
void olab_put_mac(uint8_t *to, uint64_t mac);
/* ARP to the VTEP from `mac`, who has `from`; 1: asks, 2: answers. */
size_t olab_arp(uint8_t *frame, uint16_t operation, uint64_t mac, uint32_t from,
		uint32_t target);

#endif
