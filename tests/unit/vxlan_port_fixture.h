/*
 * Ports of type "vxlan-udp" for tests over the loopback device: one that sends
 * and one that receives, and outer frames between them.
 */
#ifndef TESTS_VXLAN_PORT_FIXTURE_H
#define TESTS_VXLAN_PORT_FIXTURE_H

#include "port/port.h"

#define OUTER_MAX (14 + 40 + 8 + 8)

/* What a frame to send is like. */
struct outer_spec {
	const char *to;
	uint16_t to_port, from_port;
	uint8_t tos, ttl;  /* ttl 0: 64 */
	uint32_t len;	   /* of the payload, header of VXLAN included */
	uint16_t gso_size; /* 0: one datagram */
	uint32_t seed;	   /* of the payload's bytes */
	uint32_t piece;	   /* the payload lies in such pieces; 0: one */
	unsigned version;
};

/* A frame and its memory, as the pipeline has it. */
struct outer_frame {
	struct packet packet;
	uint32_t header_len;
	uint8_t *payload;
	struct packet_segment *pieces;
};

/* Options as "key=value key=value"; NULL: it fails, with *errp set. */
struct port *udp_port_open(const char *options, unsigned n_rxqs, char **errp);

void outer_make(struct outer_frame *f, const struct outer_spec *spec);
void outer_free(struct outer_frame *f);
/* Sends n frames like spec, of which frame i has the seed spec->seed + i. */
void outer_send(struct port *port, const struct outer_spec *spec, unsigned n,
		unsigned thread);

/* A received frame: in memory of its own. */
struct received {
	uint32_t len;
	struct packet_offload offload;
	uint8_t *data;
};

/*
 * Receives from all queues until there are so many datagrams, and not one more.
 * 0: once, whatever there is. Returns the number of frames.
 */
unsigned udp_receive(struct port *port, struct received *to, unsigned n_max,
		     unsigned datagrams);
void received_free(struct received *r, unsigned n);
/* Datagrams that a frame stands for. */
unsigned received_datagrams(const struct received *r, unsigned version);
uint64_t port_drops(struct port *port, enum drop_reason reason);
/* 6 where the loopback device has ::1, else 4. */
unsigned last_version(void);
/* A UDP port that nobody has now. */
uint16_t free_udp_port(void);

/* Both ends of an IP version: 127.0.0.1 (the sender .2), or ::1. */
const char *loopback_address(unsigned version, bool sender);
/* There, at that UDP port, with `more` options. */
struct port *udp_port_open_at(unsigned version, bool sender, uint16_t port,
			      const char *more, unsigned n_rxqs);

/* Two ports, and a frame from the one to the other. */
struct pair {
	struct port *tx, *rx;
	struct outer_spec spec;
};

struct pair pair_open(unsigned version, const char *more);
void pair_close(struct pair *pair);
/* n frames like pair->spec arrive, in order, and are counted. */
void pair_round_trip(struct pair *pair, unsigned n);

/* All fields of the headers in front of what came of a spec. */
void received_check_headers(const struct received *r,
			    const struct outer_spec *spec);
/* And n payloads of equal length, with seeds as outer_send() has them. */
void received_check_payloads(const struct received *got,
			     const struct outer_spec *spec, unsigned n_frames,
			     unsigned n);

#endif
