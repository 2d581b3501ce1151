/* What the files of struct tunnel share. */
#ifndef TUNNEL_TUNNEL_INTERNAL_H
#define TUNNEL_TUNNEL_INTERNAL_H

#include "packet/csum.h"
#include "packet/gso.h"
#include "tunnel/tunnel.h"
#include "tunnel/vxlan_internal.h"

struct tunnel_endpoint {
	struct vxlan_outer outer;
	uint32_t mtu;
	bool resolved;
};

struct tunnel {
	uint32_t vni; /* VTEP_NO_VNI: the table's */
	uint64_t seed;
	struct vtep_table *table; /* NULL: no map */
	uint32_t n_remotes;
	struct tunnel_endpoint remotes[];
};

/* Whose a received packet is. */
struct tunnel_owner {
	uint32_t tunnel, remote;
	uint16_t vid;
	bool keep_tag;
};

struct tunnel_demux {
	uint8_t ip_version;
	unsigned n_locals;
	uint64_t local_mac;
	struct vxlan_decap_rules rules; /* lets tags through */
	bool keep_tag;			/* as the rules had it */
	uint64_t seed;
	unsigned vni_bits, peer_bits; /* of slots */
	uint32_t *vni_slots;  /* the first network of a VNI, from 1; 0: free */
	uint32_t *peer_slots; /* a peer, from 1 */
	uint32_t n_networks;
	struct tunnel_network *networks; /* by VNI */
	struct tunnel_peer *peers;
	uint8_t (*locals)[16];
};

/* DROP_VXLAN_*, or N_DROP_REASONS and *owner. */
enum drop_reason tunnel_demux_find(const struct tunnel_demux *demux,
				   const struct vxlan_info *info,
				   struct tunnel_owner *owner);

#define TUNNEL_BATCHES DIV_ROUND_UP(GSO_SEGMENTS_MAX, GSO_BATCH)
#define TUNNEL_PACKETS (TUNNEL_BATCHES * GSO_BATCH + PACKET_BURST_MAX)
#define TUNNEL_PIECES  (TUNNEL_BATCHES * (GSO_PIECES + GSO_BATCH))
#define TUNNEL_FAR     8

/* The segments of large packets. */
struct tunnel_segments {
	unsigned n; /* batches that are used */
	struct gso_scratch batches[TUNNEL_BATCHES];
};

struct tunnel_out {
	unsigned n_outer, n_failed, n_pieces, n_copies, n_far;
	struct packet *list[TUNNEL_PACKETS];
	struct tunnel_failure failed[TUNNEL_PACKETS];
	struct packet outer[TUNNEL_PACKETS];
	struct packet copies[PACKET_BURST_MAX];
	struct packet_segment pieces[TUNNEL_PIECES];
	struct csum_far far[TUNNEL_FAR];
	struct tunnel_segments segments;
	uint16_t ip_id;
};

struct tunnel_in {
	unsigned n_inner, n_runs, n_failed, n_others, n_pieces;
	struct tunnel_run runs[TUNNEL_PACKETS];
	struct tunnel_failure failed[TUNNEL_PACKETS];
	struct packet *others[TUNNEL_PACKETS];
	struct packet inner[TUNNEL_PACKETS];
	struct packet_segment pieces[TUNNEL_PIECES];
	struct tunnel_segments segments;
};

struct tunnel_scratch {
	struct tunnel_out out;
	struct tunnel_in in;
};

#endif
