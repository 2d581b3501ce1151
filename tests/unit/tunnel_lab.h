/*
 * A switch with a VXLAN port for tests of the pipeline: machines on an
 * overlay's bridge, an underlay of either kind, and remote VTEPs that are
 * frames made and looked at here. Addresses are those of tunnel_fixture.h: the
 * port's own is remote -1.
 */
#ifndef TESTS_TUNNEL_LAB_H
#define TESTS_TUNNEL_LAB_H

#include "forward/punt.h"
#include "tests/unit/switch_fixture.h"
#include "tests/unit/tunnel_fixture.h"
#include "tunnel/suppress.h"

#define LAB_VMS	    3
#define LAB_REMOTES 4 /* of the flood lists: 0 to 2 */
#define LAB_STATION 0x020000000001ull
#define LAB_HOP(i)  (0x020000000010ull + (i))

struct tlab_options {
	int version; /* 0: 4 */
	bool mapped; /* VNI by VLAN, TUNNEL_VNI + VLAN; else TUNNEL_VNI */
	bool alone;  /* mapped: untagged frames to all go to no remote */
	bool single; /* one remote */
	bool sockets;
	bool joined; /* no split horizon */
	bool takes_unknown;
	uint32_t mtu;			/* of remotes */
	struct fwd_bridge *overlay;	/* NULL: one of its own */
	struct fwd_bridge *underlay;	/* NULL: one of its own */
	const struct vlan_config *vlan; /* of the VXLAN port */
	struct fixture *f;		/* NULL: one of its own */
};

struct tunnel_lab {
	struct tlab_options options;
	bool owns_fixture;
	struct fixture *f;
	struct tunnel_pair pair; /* configurations */
	struct fwd_bridge *overlay, *outer;
	struct fixture_port *vm[LAB_VMS], *vx, *remotes[LAB_REMOTES];
	struct fixture_port *uplink;  /* of the underlay's bridge, ... */
	struct fixture_port *station; /* or what sends and receives itself */
	struct fwd_tunnel *tunnel;
	struct fwd_underlay *underlay;
	struct punt_ring *ring;
	struct punt punt; /* of each vm, and of what outer packets come by */
};

struct tunnel_lab *tlab_create(const struct tlab_options *options);
void tlab_destroy(struct tunnel_lab *lab);

/* Where outer packets leave, and come in. */
struct fixture_port *tlab_wire(struct tunnel_lab *lab);
/* The station is behind that remote, or (-1) at the port of machine 0. */
void tlab_learn(struct tunnel_lab *lab, uint8_t station, uint16_t vid,
		int remote);

/* An outer packet as it was sent. */
struct outer_frame {
	uint64_t dst, src;
	int remote; /* that it is for */
	uint32_t vni;
	const uint8_t *inner;
	uint32_t inner_len;
};

/* Frame `i` that the wire sent. */
struct outer_frame tlab_sent(struct tunnel_lab *lab, unsigned i);
/* Outer packet of a remote's, to us. Returns its length. */
uint32_t tlab_outer(const struct tunnel_lab *lab, int remote, uint32_t vni,
		    const uint8_t *inner, uint32_t len, uint8_t *to);
/* The same, sent in. */
void tlab_arrives(struct tunnel_lab *lab, int remote, uint32_t vni,
		  const uint8_t *inner, uint32_t len);

uint64_t tlab_rx(const struct fixture_port *p);
uint64_t tlab_tx(const struct fixture_port *p);
uint64_t tlab_tx_bytes(const struct fixture_port *p);

struct tlab_punt {
	struct punt_record record;
	struct tunnel_note note;
	uint8_t data[PUNT_BYTES_MAX];
};

/* Those that there are; the last of them in *last. */
unsigned tlab_punts(struct tunnel_lab *lab, struct tlab_punt *last);

#define TLAB_FRAME_MAX 128

/*
 * Frame i of a burst, numbered in its last bytes; most are those for which
 * there are short ways, of a flow or two. vid 0: untagged. Returns its length.
 */
uint32_t tlab_numbered(uint8_t *to, uint8_t dst, uint8_t src, unsigned i,
		       uint16_t vid);

#endif
