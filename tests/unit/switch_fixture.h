/*
 * A small switch for unit tests: one or more bridges with null ports, driven by
 * the caller's thread, remembering what each port sent.
 */
#ifndef TESTS_SWITCH_FIXTURE_H
#define TESTS_SWITCH_FIXTURE_H

#include "forward/pipeline.h"
#include "port/null.h"

#define FIXTURE_PORTS  320
#define FIXTURE_FRAMES 64

struct sent_frame {
	uint32_t len;
	uint8_t data[256]; /* its first bytes */
};

struct fixture_port {
	struct port *port;
	struct fwd_port *fwd;
	unsigned n_sent;
	struct sent_frame sent[FIXTURE_FRAMES];
};

struct fixture {
	/* Each frame of fixture_frame() is traced first, and compared. */
	bool traces;
	struct fwd_snapshot *snapshot;
	struct pipeline *pipeline;
	unsigned n_ports;
	struct fixture_port ports[FIXTURE_PORTS];
};

struct fixture *fixture_create(void);
void fixture_destroy(struct fixture *f);
/* FDB of the default size; it goes with the fixture. */
struct fwd_bridge *fixture_bridge(struct fixture *f, const char *name);
/* vlan NULL: a trunk of all VLANs. Ports are numbered from 1 in each bridge. */
struct fixture_port *fixture_port(struct fixture *f, struct fwd_bridge *bridge,
				  const struct vlan_config *vlan);
/* A null port of no bridge: fwd is NULL. */
struct fixture_port *fixture_device(struct fixture *f);
/* A member of a port that fwd_port_make_bond() was called for. */
struct fixture_port *fixture_bond_member(struct fixture *f,
					 struct fixture_port *bond,
					 unsigned filter);
/* Clears what was sent. */
void fixture_forget(struct fixture *f);
/* Sends frames in at a port, as one burst; each is { data, length }. */
void fixture_burst(struct fixture *f, struct fixture_port *in,
		   const struct iovec frames[], unsigned n);
void fixture_frame(struct fixture *f, struct fixture_port *in, const void *data,
		   uint32_t len);
uint64_t fixture_drops(const struct fixture_port *p, enum drop_reason reason);

/*
 * Writes an Ethernet frame: addresses end in the bytes given (0xff as dst:
 * broadcast); tags is a list of TPID << 16 | TCI ended by 0; the payload is
 * filled up to 46 bytes. Returns the length.
 */
uint32_t make_frame(uint8_t *to, uint8_t dst, uint8_t src,
		    const uint32_t *tags);

#endif
