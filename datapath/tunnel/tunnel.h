/*
 * A VXLAN port as workers see it: bursts of frames into outer packets for one
 * remote VTEP, and received outer packets into bursts of frames, each with the
 * VXLAN port and the remote that it belongs to.
 *
 * A struct tunnel (one VXLAN port) and a struct tunnel_demux (one underlay: all
 * VXLAN ports behind one local address and UDP port) are made by the control
 * side for a snapshot, never change, and go with it. Remotes and VXLAN ports
 * are indices here; who built the snapshot knows whose they are.
 *
 * Outer packets are always whole frames (VXLAN_FRAME). A port that sends by
 * sockets takes their headers off again; so there is one way in and out.
 *
 * A GSO frame becomes a train: one outer packet of several datagrams of equal
 * length, but for the last, with offload.gso PACKET_GSO_UDP (UDP segmentation);
 * port_send() cuts it where the port cannot. A train that is received is taken
 * apart, and TCP segments in a row become one GSO frame again (coalesce.h).
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include "packet/drop.h"
#include "packet/packet.h"
#include "tunnel/vtep.h"
#include "tunnel/vxlan.h"

#define TUNNEL_NO_REMOTE UINT32_MAX
#define TUNNEL_NO_TUNNEL UINT32_MAX

/* --- made by the control side ----------------------------------------------
 */

struct tunnel_remote {
	struct vxlan_outer_config outer; /* VXLAN_FRAME */
	/*
	 * Its next hop's MAC is known (for sockets: always). Packets for one
	 * that is not end as DROP_TUNNEL_UNRESOLVED.
	 */
	bool resolved;
	/* Largest inner frame without Ethernet header: what the underlay's MTU
	 * leaves. Tags that it keeps count. 0: nobody knows, anything goes. */
	uint32_t mtu;
};

struct tunnel_config {
	/*
	 * Fixed: all of the port's frames have this VNI, and keep their tags
	 * (a port's own VLAN settings say which they have). VTEP_NO_VNI: by the
	 * map: a frame's VLAN says its VNI, tags are taken off, and put on.
	 */
	uint32_t vni;
	const struct vtep_map *map; /* also flood lists; fixed VNI: VLAN 1's */
	const struct tunnel_remote *remotes;
	uint32_t n_remotes;
	uint64_t seed; /* of flow hashes */
};

struct tunnel;

/* -EINVAL and *errp: headers that cannot be. One block; tunnel_free(). */
int tunnel_create(const struct tunnel_config *config, struct tunnel **tp,
		  char **errp) MUST_CHECK;
void tunnel_free(struct tunnel *tunnel); /* accepts NULL */

/* One remote of one VNI, as received packets name them. */
struct tunnel_peer {
	uint32_t tunnel; /* index */
	uint32_t remote; /* index of that tunnel's */
	uint8_t ip[16];	 /* outer source; IPv4: the first four */
};

/* One VNI of one VXLAN port. */
struct tunnel_network {
	uint32_t tunnel;
	uint32_t vni;
	uint16_t vid; /* tag that inner frames get; 0: none */
	bool keep_tag;
	/* A source that is none of its peers is let in, as TUNNEL_NO_REMOTE. */
	bool takes_unknown;
	/*
	 * Not 0: sockets of this host receive, which do not tell what a sender
	 * of this host has left undone: it is looked for in each frame, and TCP
	 * that is longer is to be segmented for this MTU (tunnel_unfinished.c).
	 */
	uint32_t unfinished_mtu;
};

struct tunnel_demux_config {
	uint8_t ip_version;
	/* Destinations that are ours: the local address, and groups. None:
	 * anything (a socket has looked at it). IPv4: the first four bytes. */
	const uint8_t (*locals)[16];
	unsigned n_locals;
	/* 0: not looked at. Frames to another end as DROP_ROUTE_OTHER; groups
	 * pass. */
	uint64_t local_mac;
	struct vxlan_decap_rules rules;
	/* A network's vid is said with a run, and not put onto its frames. */
	bool vid_beside;
	const struct tunnel_network *networks; /* a VNI may be there once for
						  each peer (p2p ports) */
	uint32_t n_networks;
	const struct tunnel_peer *peers;
	uint32_t n_peers;
};

struct tunnel_demux;

struct tunnel_demux *tunnel_demux_create(
	const struct tunnel_demux_config *config);
void tunnel_demux_free(struct tunnel_demux *demux); /* accepts NULL */

/* --- workers ---------------------------------------------------------------
 */

/*
 * A thread's memory. The results of tunnel_encap() live in it until the next
 * call of that, those of tunnel_decap() until the next of that: what came out
 * of one tunnel may be sent into another.
 */
struct tunnel_scratch;
struct tunnel_scratch *tunnel_scratch_create(void);
void tunnel_scratch_destroy(struct tunnel_scratch *scratch);

struct tunnel_failure {
	struct packet *packet;
	enum drop_reason reason;
};

/* What became of some packets. */
struct tunnel_sent {
	unsigned n_taken; /* of the packets that were given; at least one */
	unsigned n_outer;
	struct packet *const *outer; /* to be sent, in order */
	unsigned n_failed;
	/* DROP_TUNNEL_*, DROP_RUNT, DROP_TX_OFFLOAD; given ones */
	const struct tunnel_failure *failed;
};

/*
 * Frames to one remote: as many as there is room for (sent->n_taken; send, and
 * call again for the rest). shared: others get the packets, too, so they stay
 * as they are; else they may be changed and be part of the outer ones. Borrowed
 * as vxlan_encap() says. Frames longer than the remote's MTU fail as
 * DROP_TUNNEL_TOO_BIG, as they were; GSO frames when their segments are.
 */
void tunnel_encap(const struct tunnel *tunnel, uint32_t remote,
		  struct packet *const packets[], unsigned n, bool shared,
		  struct tunnel_scratch *scratch, struct tunnel_sent *sent);

/*
 * The same of frames without the tag that would say their VNI: all are of this
 * VLAN, and what tags they have is theirs. Where VLANs say no VNI it is not
 * looked at.
 */
void tunnel_encap_vlan(const struct tunnel *tunnel, uint32_t remote,
		       uint16_t vid, struct packet *const packets[], unsigned n,
		       bool shared, struct tunnel_scratch *scratch,
		       struct tunnel_sent *sent);

/* The remotes that a frame to all goes to; its tag says the VLAN. *np of them.
 */
const uint32_t *tunnel_flood_list(const struct tunnel *tunnel,
				  const struct packet *packet, unsigned *np);
/* Whether the frame's VLAN, or all of them, have a VNI. */
bool tunnel_has_vni(const struct tunnel *tunnel, const struct packet *packet);
/* Whether frames' VLANs say their VNIs. */
bool tunnel_is_by_vlan(const struct tunnel *tunnel);
/* What tunnel_encap() would compare with; 0: none. */
uint32_t tunnel_mtu(const struct tunnel *tunnel, uint32_t remote);

/* Inner frames in a row that came from one remote to one VXLAN port. */
struct tunnel_run {
	uint32_t tunnel;
	uint32_t remote;      /* TUNNEL_NO_REMOTE: an unknown one */
	struct packet *first; /* packets in a row, tagged with their VLAN */
	unsigned n;
	uint16_t vid; /* not 0: none is tagged, and they are of that VLAN */
	/* Of an unknown remote: what is to be told of it. */
	uint32_t vni;
	uint8_t ip[16];
};

struct tunnel_received {
	unsigned n_taken;
	unsigned n_runs;
	const struct tunnel_run *runs;
	/* DROP_VXLAN_*, DROP_ROUTE_OTHER, DROP_BAD_OFFLOAD; given ones, or
	 * datagrams of a given train */
	unsigned n_failed;
	const struct tunnel_failure *failed;
	/* Not VXLAN for us: ARP, pings, others; to whom it may concern. */
	unsigned n_others;
	struct packet *const *others;
};

/*
 * Outer packets in; as many as there is room for. They may be changed unless
 * `shared`. Inner packets borrow what outer ones have borrowed.
 */
void tunnel_decap(const struct tunnel_demux *demux,
		  struct packet *const packets[], unsigned n, bool shared,
		  struct tunnel_scratch *scratch,
		  struct tunnel_received *received);

#endif
