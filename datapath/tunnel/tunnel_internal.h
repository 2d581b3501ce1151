/* What the files of struct tunnel share. */
#ifndef TUNNEL_TUNNEL_INTERNAL_H
#define TUNNEL_TUNNEL_INTERNAL_H

#include "packet/coalesce.h"
#include "packet/csum.h"
#include "packet/gso.h"
#include "tunnel/tunnel.h"
#include "tunnel/vxlan_internal.h"

struct tunnel_endpoint {
	struct vxlan_outer outer;
	uint32_t mtu;
	bool resolved;
	/* For plain frames (tunnel_plain.h), if its headers are plain, too. */
	bool plain;
	uint8_t tos, tos_mask; /* of the inner TOS, what the outer has */
	uint32_t len_max;      /* of an untagged inner frame */
	uint32_t ip_sum;       /* of the IPv4 header without what differs */
	bool csum_left;	       /* of UDP, to the stage behind: */
	uint32_t udp_sum;      /* of the pseudo header without the length */
	struct packet_offload offload; /* which asks for it, or for nothing */
};

struct tunnel {
	uint32_t vni; /* VTEP_NO_VNI: the table's */
	uint64_t seed;
	struct vtep_table *table; /* NULL: no map */
	uint32_t n_remotes;
	struct tunnel_endpoint remotes[];
};

/* All outer headers of IPv6, and a tag's length more. */
#define TUNNEL_MATCH_LEN 80

/* Whose a received packet is. */
struct tunnel_owner {
	uint32_t tunnel, remote;
	uint16_t vid;	 /* of the tag to put on */
	uint16_t beside; /* of one that is left out */
	bool keep_tag;
	uint32_t unfinished_mtu;
};

struct tunnel_demux {
	uint8_t ip_version;
	unsigned n_locals;
	uint64_t local_mac;
	struct vxlan_decap_rules rules; /* lets tags through */
	bool keep_tag;			/* as the rules had it */
	/* Of a plain packet's first bytes those that matter, and their values;
	 * by tunnel_plain.h. One may have a UDP checksum that nobody has looked
	 * at. */
	uint8_t mask[TUNNEL_MATCH_LEN] CACHE_ALIGNED;
	uint8_t match[TUNNEL_MATCH_LEN];
	bool plain, csum_may_be_any;
	bool vid_beside;
	uint64_t seed;
	uint64_t id;		      /* no other has, or had; 0: it has none */
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

/* Whose packets the last ones were. */
struct tunnel_found {
	uint32_t vni; /* VTEP_NO_VNI: there were none */
	uint8_t ip[16];
	enum drop_reason reason;
	struct tunnel_owner owner;
};

/* Headers as they are from a remote with a VNI, and whose they are. */
struct tunnel_memory {
	uint8_t match[TUNNEL_MATCH_LEN] CACHE_ALIGNED;
	uint8_t mask[TUNNEL_MATCH_LEN];
	/* As they lie; of IPv4 the rest is 0, and so is vni's last byte. */
	uint8_t src[16], dst[16];
	uint32_t vni;
	uint16_t type;	    /* of the last inner frame; no tag's */
	uint64_t addresses; /* their sum */
	uint64_t demux;	    /* its id */
	struct tunnel_owner owner;
};

struct tunnel_in {
	unsigned n_inner, n_runs, n_failed, n_others, n_pieces;
	struct coalesce coalesce;
	uint32_t vni; /* of the last inner frame */
	struct tunnel_found found;
	struct tunnel_memory memory;
	struct tunnel_run runs[TUNNEL_PACKETS];
	struct tunnel_failure failed[TUNNEL_PACKETS];
	struct packet *others[TUNNEL_PACKETS];
	struct packet inner[TUNNEL_PACKETS];
	struct packet_segment pieces[TUNNEL_PIECES];
	struct packet_segment joined[TUNNEL_PIECES]; /* coalesce's */
};

/* One call's way out. */
struct tunnel_way {
	const struct tunnel *t;
	const struct tunnel_endpoint *e;
	struct tunnel_out *out;
	bool shared;
	bool by_tag;  /* a frame's tag says its VNI */
	uint32_t vni; /* of all frames, or of the one that is looked at */
};

/* Sets what is in them for plain packets. */
void tunnel_plain_endpoint(struct tunnel_endpoint *e);
void tunnel_plain_demux(struct tunnel_demux *d);
bool tunnel_plain_has_avx2(void);

/*
 * What is plain at the beginning of a burst, in a few steps each: the number of
 * packets that were put into headers, or taken out of them, just as the way for
 * all packets has it.
 */
unsigned tunnel_plain_encap(const struct tunnel_way *w,
			    struct packet *const packets[], unsigned n);
unsigned tunnel_plain_decap(const struct tunnel_demux *d, struct tunnel_in *in,
			    struct packet *const packets[], unsigned n);

/* The reason that a fault is; not of VXLAN_OK and VXLAN_NOT_VXLAN. */
enum drop_reason tunnel_reason(enum vxlan_fault fault);
void tunnel_fail(struct tunnel_in *in, struct packet *p,
		 enum drop_reason reason);
/* Whether such a packet is for whoever takes what is not VXLAN for us. */
bool tunnel_is_other(const struct tunnel_demux *d, enum vxlan_fault fault,
		     const struct vxlan_info *info);
/* Whose packets of this kind are; DROP_VXLAN_*, or N_DROP_REASONS. */
enum drop_reason tunnel_find_owner(const struct tunnel_demux *d,
				   struct tunnel_in *in,
				   const struct vxlan_info *info,
				   struct tunnel_owner *owner);
/*
 * in->inner[in->n_inner] is an inner frame, its Ethernet header private: it
 * becomes one of the run, or part of the one before. Or DROP_VXLAN_*.
 */
enum drop_reason tunnel_accept(struct tunnel_in *in,
			       const struct vxlan_info *info,
			       const struct tunnel_owner *owner);
/* An inner frame from a socket (struct tunnel_network); pulls. */
void tunnel_take_unfinished(struct packet *inner, uint32_t mtu);
/* Whether the next inner frame belongs to the last run; a new one. */
bool tunnel_goes_on(const struct tunnel_in *in, const struct vxlan_info *info,
		    const struct tunnel_owner *owner);
void tunnel_begin_run(struct tunnel_in *in, const struct vxlan_info *info,
		      const struct tunnel_owner *owner);
/* All of a packet that is several datagrams. */
void tunnel_take_train(const struct tunnel_demux *d, struct packet *p,
		       struct tunnel_in *in);

/*
 * A frame whose segments TCP or UDP makes, as trains. 0, or an error of
 * vxlan_encap()'s, with out's counters as they may be.
 */
int tunnel_put_trains(struct tunnel_out *out, const struct vxlan_outer *o,
		      const struct vxlan_flow *flow, uint32_t vni,
		      const struct packet *p);

struct tunnel_scratch {
	void *block; /* of memory, in which this is */
	bool avx2;   /* this machine has it */
	struct tunnel_out out;
	struct tunnel_in in;
};

#endif
