/*
 * Frames for the control thread: link-local protocols (LACP, LLDP, CDP), a
 * bond's beacons, and copies of what tells a station's IP address. Workers put
 * them into a ring, the control thread takes them out.
 *
 * A port without a punt (fwd_port.punt is NULL) pays nothing. Each port may
 * punt so many frames of a kind a second and no more, and what the ring has no
 * room for is dropped; both are counted at the port (not of copies: their
 * frames go on). A part of the ring is kept for the protocols on which a bond's
 * links hang. So nobody keeps the control thread from hearing the others.
 */
#ifndef FORWARD_PUNT_H
#define FORWARD_PUNT_H

#include <stdatomic.h>

#include "base/util.h"
#include "packet/beacon.h"
#include "packet/drop.h"
#include "packet/packet.h"

enum punt_kind {
	PUNT_SLOW,     /* to 01:80:c2:00:00:02 (LACP, markers) */
	PUNT_LLDP,     /* to 01:80:c2:00:00:0e, 03 or 00, type 0x88cc */
	PUNT_CDP,      /* to 01:00:0c:cc:cc:cc */
	PUNT_BEACON,   /* the bond's own, by its identity (packet/beacon.h) */
	PUNT_NEIGHBOR, /* ARP, neighbour discovery; a copy, the frame goes on */
	PUNT_GATEWAY,  /* what a router leaves to the control thread */
	/* Of that: what neighbors say to each other; nobody farther away can */
	PUNT_GATEWAY_LINK,
	PUNT_TUNNEL,	/* an overlay's: struct tunnel_note in the record */
	PUNT_UNDERLAY,	/* to an underlay's station, and nothing of VXLAN */
	PUNT_DHCP,	/* of a snooped port: a copy; vid: enum punt_dhcp */
	PUNT_VIOLATION, /* a copy of what a policy forbade: reason in the note
			 */
	N_PUNT_KINDS,
};

/*
 * Beside the kinds in fwd_port.punts: PUNT_NEIGHBOR is of answers to a single
 * station, too (ARP replies, advertisements), and so of stations that only ever
 * answer. Frames to single stations are looked at for this at such ports only.
 */
#define PUNT_ANSWERS (1u << 15)
_Static_assert(N_PUNT_KINDS <= 15, "bits of fwd_port.punts");

#define PUNT_RATE      100 /* frames a second, kind and port, ... */
#define PUNT_RATE_COPY 50  /* ... and of copies */
/* Beacons of 31 other members, each 10 ms: what a bond may be told to send. */
#define PUNT_RATE_BEACON  3200
#define PUNT_RATE_GATEWAY 2000 /* DNS and DHCP of all that is behind a port */
/*
 * An underlay's: ARP, neighbor discovery and frames to groups have that pace to
 * themselves, and what can come from far away one of its own.
 */
#define PUNT_RATE_UNDERLAY  2000
#define PUNT_RATE_VIOLATION 10
#define PUNT_BURST	    64	 /* that may come at once */
#define PUNT_BYTES_MAX	    1600 /* of a frame; longer ones are cut */

struct punt_ring;

/* What hangs at one port; it outlives snapshots. */
struct punt {
	struct punt_ring *ring;
	uint32_t id; /* as given to the record */
	/* When the next is due if none were saved up (ticks); begins as 0. */
	_Atomic uint64_t due[N_PUNT_KINDS];
	_Atomic uint64_t due_link; /* PUNT_UNDERLAY, from the link itself */
};

struct punt_record {
	uint32_t id;
	uint8_t kind; /* enum punt_kind */
	uint16_t vid; /* PUNT_NEIGHBOR, PUNT_VIOLATION: that it belongs to */
	uint16_t len; /* bytes that follow */
	/*
	 * PUNT_GATEWAY*: a struct router_note, and router_config.id.
	 * PUNT_TUNNEL: a struct tunnel_note, and fwd_tunnel.id. PUNT_UNDERLAY:
	 * fwd_underlay.id. PUNT_VIOLATION: an enum drop_reason.
	 */
	uint64_t note;
	uint32_t gateway;
	const uint8_t *data; /* valid during the callback; tags included */
};

/* Control thread; the capacity is fixed. NULL when there are no descriptors. */
struct punt_ring *punt_ring_create(void);
/* When no snapshot refers to it. Accepts NULL. */
void punt_ring_destroy(struct punt_ring *ring);
int punt_ring_fd(const struct punt_ring *ring); /* readable: there are some */
/* Hands over what is there, at most max; returns how many. */
unsigned punt_ring_read(struct punt_ring *ring, unsigned max,
			void (*cb)(const struct punt_record *, void *aux),
			void *aux);

/* PUNT_DHCP: which way it went. */
enum punt_dhcp {
	PUNT_DHCP_ASKED,    /* it came in by the port */
	PUNT_DHCP_ANSWERED, /* it left by the port */
};

enum tunnel_what {
	TUNNEL_TOO_BIG,	   /* frame: the inner one; mtu, vid (0: none) */
	TUNNEL_NEW_REMOTE, /* frame: the outer headers; vni */
};

struct tunnel_note {
	uint32_t what : 8; /* enum tunnel_what */
	uint32_t vni : 24;
	uint16_t mtu;
	uint16_t vid;
};
_Static_assert(sizeof(struct tunnel_note) == 8, "it goes as one word");

enum punt_result { PUNT_DONE, PUNT_LIMITED, PUNT_FULL };
/* Any thread that forwards. */
enum punt_result punt_packet(struct punt *punt, const struct packet *p,
			     enum punt_kind kind, uint16_t vid);
/* PUNT_VIOLATION; those that come too fast are not told. */
void punt_violation(struct punt *punt, const struct packet *p, uint16_t vid,
		    enum drop_reason reason);
/* PUNT_GATEWAY or PUNT_GATEWAY_LINK, with what the record has of it. */
enum punt_result punt_to_gateway(struct punt *punt, const struct packet *p,
				 enum punt_kind kind, uint32_t gateway,
				 uint64_t note);
/* PUNT_TUNNEL or PUNT_UNDERLAY; of_link: of the latter, see above. */
enum punt_result punt_to_overlay(struct punt *punt, const struct packet *p,
				 enum punt_kind kind, bool of_link, uint32_t id,
				 uint64_t note);

#endif
