/*
 * VXLAN (RFC 7348): an inner Ethernet frame in the UDP payload of an outer one.
 * Only bytes: no sockets, no ports, no table of where to send to.
 *
 * No payload is copied. On the way out the new headers are the private header
 * of another struct packet, and its segments are the inner frame as it lies:
 *
 *	outer:    [ Ethernet (tag) | IP | UDP | VXLAN ]	 private
 *	segments: [ inner private header ][ rest of inner ][ ... ]
 *
 * On the way in the inner packet takes over what the outer one has behind its
 * headers: the private bytes by copy, the segments by reference.
 *
 * Nothing here has state; every function may be called by any thread on things
 * of its own. A struct vxlan_outer and a struct vxlan_decap_rules are made by
 * the control side and then only read.
 */
#ifndef TUNNEL_VXLAN_H
#define TUNNEL_VXLAN_H

#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/packet.h"

#define VXLAN_UDP_PORT	 4789 /* RFC 7348 section 5 */
#define VXLAN_HEADER_LEN 8
#define VXLAN_VNI_MAX	 0xffffffu
/* Ethernet with a tag, IPv6, UDP, VXLAN: what a frame grows by at most. */
#define VXLAN_OUTER_MAX                                                        \
	(ETH_HEADER_LEN + VLAN_TAG_LEN + 40 + 8 + VXLAN_HEADER_LEN)

/* --- out ----------------------------------------------------------------- */

enum vxlan_form {
	VXLAN_FRAME,   /* a whole frame, for an uplink of our own */
	VXLAN_PAYLOAD, /* VXLAN header and inner frame, for a UDP socket */
};

enum vxlan_udp_csum {
	VXLAN_CSUM_ZERO, /* none: RFC 7348 5; with IPv6 RFC 6935, 6936 */
	VXLAN_CSUM_FULL, /* computed here: reads all of the payload */
	VXLAN_CSUM_LEFT, /* outer->offload asks the next stage for it */
};

/* What a remote VTEP is reached by. Host byte order but for addresses. */
struct vxlan_outer_config {
	enum vxlan_form form;
	/* The rest is for VXLAN_FRAME, but for TTL and TOS. */
	uint64_t dst_mac, src_mac; /* of the next hop; as load_mac() */
	bool tagged;
	uint16_t vlan_tci;		/* with its priority */
	uint8_t ip_version;		/* 4 or 6 */
	uint8_t src_ip[16], dst_ip[16]; /* IPv4: the first four */
	uint16_t dst_port;		/* 0: VXLAN_UDP_PORT */
	enum vxlan_udp_csum udp_csum;
	bool dont_fragment; /* IPv4's DF; RFC 7348 4.3 wants no fragments */
	/*
	 * A checksum that the inner frame leaves to offload is left to the
	 * stage behind, by its place in the outer frame. Right only where that
	 * stage is in this host and computes any checksum wherever it lies (a
	 * kernel by virtio_net_hdr does); a receiver on the wire would see a
	 * wrong checksum. Needs VXLAN_CSUM_ZERO, as an outer checksum covers
	 * the inner one. Otherwise inner checksums are finished here.
	 */
	bool leave_inner_csum;
	uint8_t ttl; /* or hop limit; where it is not inherited, and of non-IP
		      */
	bool inherit_ttl;
	uint8_t tos; /* its DSCP; the ECN bits are 0: they follow RFC 6040 */
	bool inherit_tos;
};

/* Headers made ready; fields are the library's own. */
struct vxlan_outer {
	uint8_t header[VXLAN_OUTER_MAX];
	uint8_t len;	 /* of the header */
	uint8_t l3, udp; /* offsets in it; VXLAN_FRAME only */
	uint8_t ip_version, form, udp_csum;
	uint8_t ttl, tos;
	bool inherit_ttl, inherit_tos, dont_fragment, leave_inner_csum;
};

/*
 * Makes `outer` ready from the configuration. 0, or -EINVAL and a message for
 * a person in *errp (set_error()), `outer` unchanged.
 */
int vxlan_outer_init(struct vxlan_outer *outer,
		     const struct vxlan_outer_config *config, char **errp);

/* What a frame grows by. */
static inline uint32_t vxlan_overhead(const struct vxlan_outer *outer)
{
	return outer->len;
}

/* What the outer headers take from the inner frame, once for all remotes. */
struct vxlan_flow {
	uint16_t src_port; /* 49152 to 65535 */
	uint32_t label;	   /* IPv6 flow label, 20 bits (RFC 6438) */
	bool is_ip;	   /* the next two are the inner IP header's */
	uint8_t tos, ttl;
};

/*
 * Reads the inner frame: one source port for one flow (RFC 7348 section 5), by
 * a hash seeded with `seed`, of addresses, VLANs, type, IP addresses, protocol
 * and ports; all fragments of a datagram that is fragmented have one, too.
 * Pulls up to PACKET_PULL_MAX. A packet shorter than an Ethernet header is a
 * flow as well. A worker.
 */
void vxlan_flow_of(struct packet *inner, uint64_t seed,
		   struct vxlan_flow *flow);

/* TOS byte with ECN (RFC 6040 4.1, normal mode), and TTL, of the outer packet:
 * vxlan_encap() writes them; a UDP socket is told. */
uint8_t vxlan_outer_tos(const struct vxlan_outer *outer,
			const struct vxlan_flow *flow);
uint8_t vxlan_outer_ttl(const struct vxlan_outer *outer,
			const struct vxlan_flow *flow);

/* The caller's room for what struct packet has none for. */
struct vxlan_room {
	struct packet_segment *segments; /* one more than the inner has pieces,
					    n_segments + 1, is enough */
	unsigned max;
	/* Optional: for checksum fields that no private header reaches. */
	struct csum_far *far;
	/* The sender's count of IPv4 identifications; taken where DF is not
	 * set. With DF it is 0 (RFC 6864 4.1). */
	uint16_t ip_id;
};

/*
 * Puts the headers around `inner`: `outer` is the packet to send. vni is at
 * most VXLAN_VNI_MAX. `outer` borrows inner's private header, its segments and
 * room->segments (and far): none of them may change, and `inner` no tag be
 * pushed or popped, until `outer` was sent. Tags of the inner frame stay in it:
 * pop what RFC 7348 6.1 wants popped before. `outer` has room for tags in front
 * (PACKET_HEADROOM). Its offload asks for at most one checksum (above).
 *
 * 0, or (`outer` is not to be used):
 *   -EINVAL      inner is shorter than an Ethernet header
 *   -EMSGSIZE    longer than an IP packet can be; MTUs are the caller's check
 *   -EOPNOTSUPP  inner is to be segmented: vxlan_segment_start()
 *   -ENOSPC      room->max is too small
 *   -EBADMSG     inner's checksum cannot be finished
 * A worker.
 */
int vxlan_encap(const struct vxlan_outer *o, const struct vxlan_flow *flow,
		uint32_t vni, struct packet *inner, struct vxlan_room *room,
		struct packet *outer) MUST_CHECK;

/*
 * Segmentation of a large inner frame (packet/gso.h), each segment in headers
 * of its own: no offload of struct packet says "segment within a tunnel".
 *
 *	vxlan_segment_start(&s, &o, &flow, vni, ip_id, inner);
 *	while ((r = vxlan_segment_next(&s, &outer)) > 0)
 *		...
 *
 * Some 60 kB, one for a worker; fields are vxlan_encap.c's own.
 */
struct vxlan_segments {
	const struct vxlan_outer *o;
	struct vxlan_flow flow;
	uint32_t vni;
	struct vxlan_room room;
	struct gso gso;
	struct gso_scratch inner;
	unsigned n_pieces;
	struct packet outer[GSO_BATCH];
	struct packet_segment pieces[GSO_PIECES + GSO_BATCH];
};

/*
 * Begins with an inner packet whose offload.gso is set. o and inner stay as
 * they are until the end. Segments have their inner checksums finished unless
 * o leaves them. 0, or -EINVAL when the packet cannot be segmented.
 */
int vxlan_segment_start(struct vxlan_segments *s, const struct vxlan_outer *o,
			const struct vxlan_flow *flow, uint32_t vni,
			uint16_t ip_id, const struct packet *inner) MUST_CHECK;

/*
 * The next outer packet: 1 and *outerp; 0 when there are no more; -ENOSPC when
 * the room is used up: send what there is, call vxlan_segments_clear() and go
 * on (when it was clear already, the payload is in too many pieces); other
 * errors are gso_next()'s and vxlan_encap()'s. Outer packets live until the
 * next clear or start, and as long as inner. s->room.ip_id goes on.
 */
int vxlan_segment_next(struct vxlan_segments *s,
		       struct packet **outerp) MUST_CHECK;

/* The outer packets that were handed out are no more. */
void vxlan_segments_clear(struct vxlan_segments *s);

/* --- in ------------------------------------------------------------------ */

/* What to do with a received UDP checksum (RFC 7348 5: may be verified). */
enum vxlan_csum_rule {
	VXLAN_CSUM_CHECK,   /* when there is one it must be right */
	VXLAN_CSUM_REQUIRE, /* and there must be one */
	VXLAN_CSUM_IGNORE,
};

/* All zeros: as RFC 7348 has it. */
struct vxlan_decap_rules {
	uint16_t udp_port; /* 0: VXLAN_UDP_PORT */
	enum vxlan_csum_rule csum;
	bool zero_csum6;      /* IPv6 without a checksum is fine (RFC 6935) */
	bool refuse_reserved; /* bits that RFC 7348 has as reserved must be 0 */
	bool keep_tag;	      /* inner tags are kept, not refused (6.1) */
};

/*
 * Why a packet is not decapsulated. MALFORMED, IP_CSUM and FRAGMENT may be said
 * of any UDP packet, as its port is not known by then. tunnel_decap.c gives
 * them reasons of drop.h.
 */
#define VXLAN_FAULTS(X)                                                        \
	X(OK, "ok")                                                            \
	/* not VXLAN: for whoever else takes the frame */                      \
	X(NOT_VXLAN, "not-vxlan")                                              \
	/* the outer headers, or the frame is cut short */                     \
	X(MALFORMED, "malformed")                                              \
	X(IP_CSUM, "ip-csum")	/* IPv4 header checksum */                     \
	X(FLAGS, "flags")	/* no VNI, or reserved bits are refused */     \
	X(RUNT, "runt")		/* inner is shorter than its headers */        \
	X(FRAGMENT, "fragment") /* RFC 7348 4.3: may be discarded */           \
	X(UDP_CSUM, "udp-csum") /* wrong, or none where one must be */         \
	X(TAG, "tag")		/* inner frame is tagged */                    \
	X(ECN, "ecn")		/* congestion that inner cannot be told of */  \
	X(OFFLOAD, "offload")	/* to be segmented; or asks for nonsense */    \
	X(ROOM, "room")		/* room->max is too small */

enum vxlan_fault {
#define X(id, name) VXLAN_##id,
	VXLAN_FAULTS(X)
#undef X
		N_VXLAN_FAULTS
};

/* "unknown" for anything else. */
const char *vxlan_fault_name(enum vxlan_fault fault);

/* What the outer headers said. */
struct vxlan_info {
	uint32_t vni;
	uint8_t ip_version;		/* 0: from a payload */
	uint8_t src_ip[16], dst_ip[16]; /* IPv4: the first four */
	uint16_t src_port;		/* host byte order */
	uint8_t tos;
	/* A combination that RFC 6040 4.2 wants logged: some router, or the
	 * sending VTEP, does not follow the rules. Not refused for it. */
	bool ecn_alarm;
};

/*
 * Takes the inner frame out of a received outer frame. `outer` is as a port
 * hands it in (offload checked); up to PACKET_PULL_MAX of it are pulled. Up to
 * two outer tags are skipped; whether they are right is the caller's affair, as
 * are the addresses and the VNI. IPv6 extension headers are not VXLAN's. IPv4
 * options are skipped, unless those and tags are too long to be private.
 *
 * VXLAN_OK: `inner` is the frame, with info filled in. The ECN marks of the
 * outer header are in its IP header (RFC 6040 4.2, IPv4 checksum kept right);
 * TTL as it was. At least its Ethernet header is private. Its offload asks for
 * a checksum only where outer's did, behind inner's IP header. `inner` borrows
 * outer's segments, and room->segments when outer has bytes behind the UDP
 * datagram and several segments: n_segments of outer are enough. `outer` need
 * not live on, unless it is its segment that is borrowed: that is copied. What
 * was known of the outer bytes is not known of the inner ones: treat the frame
 * as any that just came in. Any other: `inner` is not to be used. A worker.
 */
enum vxlan_fault vxlan_decap(const struct vxlan_decap_rules *rules,
			     struct packet *outer, struct vxlan_room *room,
			     struct packet *inner,
			     struct vxlan_info *info) MUST_CHECK;

/*
 * The same with the payload of a UDP socket's datagram, VXLAN header first, and
 * the TOS byte that the socket told (0: not known). The kernel has checked the
 * rest. info has neither addresses nor port. room is not used and may be NULL.
 */
enum vxlan_fault vxlan_decap_payload(const struct vxlan_decap_rules *rules,
				     struct packet *payload, uint8_t tos,
				     struct vxlan_room *room,
				     struct packet *inner,
				     struct vxlan_info *info) MUST_CHECK;

#endif
