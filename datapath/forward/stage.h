/*
 * What the steps of the pipeline hand to each other: the burst's packets that
 * are still on their way, each with what was decided of it so far. Internal to
 * forward/.
 */
#ifndef FORWARD_STAGE_H
#define FORWARD_STAGE_H

#include "forward/capture.h"
#include "forward/punt.h"
#include "forward/snapshot.h"

#define MAC_SLOW 0x0180c2000002ull /* IEEE 802.3 annex 57A */

/* Bridges that a packet may cross by patch ports. */
#define PATCH_DEPTH_MAX 8
/*
 * Copies that cross patch ports of each packet that leaves its first bridge by
 * one: k links side by side between two bridges make k - 1 of each copy at each
 * crossing.
 */
#define PATCH_COPIES_MAX 4096

struct item {
	struct packet *packet;
	fdb_key src, dst;
	const struct fdb_bucket *src_bucket, *dst_bucket;
	const struct fwd_port *out; /* NULL: flood */
	struct vlan_state vlan;
	uint16_t tpid; /* of its tag, or of one that will be pushed */
	/* In its output's queue: packets in a row, and where the next row is.
	 */
	uint16_t run, next;
};

/* Packets that wait to leave by one port: a list of rows of items. */
struct out_queue {
	const struct fwd_port *port; /* NULL: unused */
	uint16_t first, last;	     /* the items where its rows begin */
};

#define N_OUT_QUEUES 256

/* One bridge's turn; a patch port leads to the next. */
struct stage {
	const struct fwd_port *in; /* by which its packets came */
	const struct fwd_port *as; /* port of the bridge: in, or its bond */
	uint16_t native_vid;	   /* of untagged packets, or VLAN_VID_NONE */
	unsigned n_items;
	unsigned n_groups; /* packets to groups that came, at least */
	struct item items[PACKET_BURST_MAX];
	struct packet *sending[PACKET_BURST_MAX];
	/* A port's queue is found by its slot; one that is taken is sent first.
	 */
	struct out_queue queues[N_OUT_QUEUES];
	uint8_t busy_queues[N_OUT_QUEUES];
	unsigned n_busy;
};

struct bond_rows;      /* bond/bond_table.h */
struct mirror_scratch; /* mirror.c */
struct trace;	       /* forward/trace.h */
struct tunnel_scratch; /* tunnel/tunnel.h */

/* Tunnels that a packet may be in at once, on its way into and out of them. */
#define TUNNEL_LEVELS_MAX 4

struct pipeline {
	unsigned thread;
	unsigned depth;
	struct trace *trace;		 /* that looks on, or NULL */
	const struct fwd_port *last_out; /* to which was sent last, or NULL */
	unsigned copies_left;		 /* that may cross patch ports */
	struct stage *stages[PATCH_DEPTH_MAX];
	/* Views of packets that crossed a patch port, one burst a level. */
	struct packet *crossed[PATCH_DEPTH_MAX];
	/* Gateways whose routers have packets of each level. */
	const struct fwd_gateway *routing[PATCH_DEPTH_MAX];
	/*
	 * What goes to each member of a bond. One is enough: members lead to
	 * no other bridge.
	 */
	struct bond_rows *rows;
	/*
	 * The tunnels that packets are in now: each a fwd_tunnel, into which
	 * they went, or a fwd_underlay, out of which they came; and the memory
	 * of each level, made when it is needed first (overlay.c).
	 */
	unsigned n_inside;
	const void *inside[TUNNEL_LEVELS_MAX];
	struct tunnel_scratch *scratches[TUNNEL_LEVELS_MAX];
	/*
	 * Bridges of which mirrors are sending copies, by depth, and the memory
	 * of each depth, made when it is needed first (mirror.c).
	 */
	const struct fwd_bridge *mirroring[PATCH_DEPTH_MAX];
	struct mirror_scratch *mirror_scratches[PATCH_DEPTH_MAX];
};

/* The frame's first bytes, if they can be looked at here and now, or NULL. */
static inline const uint8_t *at_hand(const struct packet *p)
{
	if (likely(p->state == PACKET_STATE_UNTOUCHED))
		return p->segment.len >= PACKET_PULL ? p->segment.data : NULL;
	return p->header_len >= ETH_HEADER_LEN ? p->header : NULL;
}

/*
 * Whether the burst seems to be for one station, by its ends. What the frames
 * say may change before they are private: it is a guess.
 */
static inline bool seems_uniform(const struct packet *packets, unsigned n)
{
	const uint8_t *first, *last;

	if (!n)
		return false;
	first = at_hand(packets);
	last = at_hand(packets + n - 1);
	return first && last && !memcmp(first, last, 6);
}

/*
 * All of the steps below at once, of an ordinary burst to one station; false:
 * they are to be taken (uniform.c).
 */
bool uniform_burst(struct pipeline *pl, struct stage *s, struct packet *packets,
		   unsigned n);
/* The steps, in order; each takes what the one before left in stage->items. */
void ingress_burst(struct pipeline *pl, struct stage *s, struct packet *packets,
		   unsigned n);
/* Of a bond's member: what is not to come in. */
void filter_burst(const struct pipeline *pl, struct stage *s);
/*
 * policy_in.c: what the port's fwd_ingress says of what came in; and, once it
 * is known where each packet goes, of that. Both may leave out items.
 */
void policy_in_burst(struct pipeline *pl, struct stage *s);
void policy_found_burst(struct pipeline *pl, struct stage *s);
/* Whether the item's sender may be learned, or heard of anew. */
bool policy_learns(const struct fwd_ingress *ingress, const struct item *item);
/*
 * policy_out.c: what the port's fwd_egress says of packets in the shape in
 * which they are to leave. Those that may leave now go to kept[]; returns how
 * many.
 */
unsigned policy_out_burst(struct pipeline *pl, const struct fwd_port *out,
			  struct packet *const packets[], unsigned n,
			  struct packet *kept[]);
/* policy_shape.c: packets that the port's shaper keeps for later. */
void policy_shape(struct pipeline *pl, const struct fwd_port *out,
		  struct packet *const packets[], unsigned n);
/*
 * snoop.c: copies of what a guarded port's station asks DHCP, and is answered
 * by a port that is to be trusted.
 */
void snoop_asked(const struct stage *s);
void snoop_answered(const struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n);
void lookup_burst(struct stage *s);
/* The same of what a gateway sends: its own address is nothing to be learned.
 */
void lookup_routed(struct stage *s);
void output_burst(struct pipeline *pl, struct stage *s);

/* What protocol_punt() has taken: the packet ends, and is no drop. */
#define INGRESS_PUNTED N_DROP_REASONS

/*
 * A packet to a group that is for the control thread: INGRESS_PUNTED, or why it
 * is dropped; -1 when it goes its way.
 */
int protocol_punt(const struct fwd_port *in, const struct packet *p,
		  uint64_t dst);
/* Copies of the stage's packets that tell a station's IP address. */
void protocol_copy_neighbors(const struct stage *s);
/* The same of answers to single stations (PUNT_ANSWERS). */
void protocol_copy_answers(const struct stage *s);
/* Whether there may be one among untagged packets, as far as is at hand. */
bool protocol_has_answers(const struct packet *packets, unsigned n);
/* Whether a station says where it is, unasked. */
bool protocol_is_announcement(const struct item *item);
/* Remembers the stage's announcements: they will come back by a bond. */
void filter_note_announced(const struct stage *s);

/* All of the steps: packets that came in by `in`, at this depth. */
void pipeline_forward(struct pipeline *pl, const struct fwd_port *in,
		      struct packet *packets, unsigned n);
/* The same of untagged ones that are of VLAN vid, which `in` is a member of. */
void pipeline_forward_vlan(struct pipeline *pl, const struct fwd_port *in,
			   uint16_t vid, struct packet *packets, unsigned n);

/*
 * Packets in the shape in which they leave by `out`, a port or a bond's member.
 */
void output_send(struct pipeline *pl, const struct fwd_port *out,
		 struct packet *const packets[], unsigned n);
/* The same of those that have been through policy_out_burst(). */
void output_on(struct pipeline *pl, const struct fwd_port *out,
	       struct packet *const packets[], unsigned n);
/* By the port's own queues, whatever else it is. */
void output_device(struct pipeline *pl, const struct fwd_port *out,
		   struct packet *const packets[], unsigned n);
/* Gives an item the tag that the port wants; false: it was dropped there. */
bool output_prepare(const struct pipeline *pl, const struct fwd_port *out,
		    struct item *item);
/* Whether the port is a member of the item's VLANs. */
bool output_reaches(const struct fwd_port *out, const struct item *item);
/* Whether it is to get the item, whose receiver is not known. */
bool output_wants(const struct fwd_port *out, const struct item *item);
/* One item by `out`, with the tag that the port wants. */
void output_emit(struct pipeline *pl, const struct fwd_port *out,
		 struct item *item);
/* To the members of a bond. */
void pipeline_bond(struct pipeline *pl, const struct fwd_port *bond,
		   struct packet *const packets[], unsigned n);
/* Into the next bridge; packets of `from` that go out by a patch port. */
void pipeline_cross(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n);

/* Whether n packets may go on into another bridge. */
bool pipeline_may_descend(struct pipeline *pl, unsigned n);
/* The same of packets that leave by `out`; those that may not are dropped. */
bool pipeline_descend(struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n);
/* Counts packets as sent by a port without queues; those to groups apart. */
void pipeline_count_sent(const struct fwd_port *out, unsigned thread,
			 struct packet *const packets[], unsigned n);

/*
 * Into a gateway's router, and by its other ports on. The packets are changed;
 * flooded: others get them, too.
 */
void pipeline_route(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n, bool flooded);
/*
 * gateway.c: what a router sends comes into the bridge of its port `in`.
 * Returns the packets' bytes.
 */
uint64_t gateway_enter(struct pipeline *pl, const struct fwd_port *in,
		       struct packet *const packets[], unsigned n);
/* The same of packets that all go to the station of the first one. */
void gateway_enter_one(struct pipeline *pl, const struct fwd_port *in,
		       struct packet *const packets[], unsigned n);
/*
 * A packet that came to the gateway's port `out` goes to the control thread, by
 * the port by which it came into the switch; id, note: of struct punt_record;
 * local: it is for the gateway itself.
 */
enum punt_result gateway_punt(const struct pipeline *pl, struct packet *p,
			      uint32_t id, uint64_t note, bool local);
/* Frames to groups, ARP and neighbor discovery: nobody farther away can. */
bool gateway_is_of_link(const struct packet *p);

/*
 * overlay.c: into a VXLAN port's tunnel, or a remote's, and out by its
 * underlay. shared: others get the packets, too.
 */
void overlay_send(struct pipeline *pl, const struct fwd_port *out,
		  struct packet *const packets[], unsigned n, bool shared);
/*
 * The same of frames of one VLAN to a remote, without the tag that would say
 * so; not where a capture wants to see that.
 */
void overlay_send_vlan(struct pipeline *pl, const struct fwd_port *out,
		       uint16_t vid, struct packet *const packets[],
		       unsigned n);
/* Whether those may go so, untagged and of VLAN vid. */
static inline bool overlay_takes_vlan(const struct fwd_port *out, uint16_t vid)
{
	return out->vni_by_vlan && !out->capture && !out->egress && vid &&
	       vid != out->untagged_vid && !out->filters_customers &&
	       vlan_set_has(&out->vlans, vid);
}
/*
 * overlay_arrive.c: outer packets that are sent to an underlay's station; what
 * is in them goes on.
 */
void overlay_arrive(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n, bool shared);
/*
 * The same of packets to that station's own address, of so many bytes; they
 * need not have been pulled.
 */
void overlay_arrive_all(struct pipeline *pl, const struct fwd_port *out,
			struct packet *const packets[], unsigned n,
			uint64_t bytes);
/* Outer packets that an underlay's own port has received. */
void overlay_receive(struct pipeline *pl, const struct fwd_port *in,
		     struct packet *packets, unsigned n);
/*
 * overlay_suppress.c: items [from, to), which are to be flooded: those that ask
 * for a station that is known to be behind a tunnel are answered, and marked.
 */
void overlay_suppress(struct pipeline *pl, const struct stage *s, unsigned from,
		      unsigned to, bool answered[]);
void overlay_free_scratches(struct pipeline *pl);

/* Both are VXLAN ports, or remotes, that give nothing to each other. */
static inline bool is_split(const struct fwd_port *a, const struct fwd_port *b)
{
	return a->tunnel && b->tunnel && a->tunnel->split_horizon &&
	       b->tunnel->split_horizon;
}

/*
 * The longest frame that the port lets in, tags apart. Of what comes out of a
 * tunnel others have seen to it that it fits.
 */
static inline uint32_t frame_max_of(const struct fwd_port *in)
{
	if (unlikely(in->tunnel))
		return PACKET_LEN_MAX;
	return atomic_load_explicit(&in->port->mtu, memory_order_relaxed) +
	       ETH_HEADER_LEN;
}

/* snapshot.c: the port gets its place in by_number. */
void bridge_index_number(struct fwd_bridge *bridge, struct fwd_port *port);
/* policy_shape.c: its ports with shapers. */
void snapshot_find_shaped(struct fwd_snapshot *snapshot);
/* snapshot_tunnel.c: VXLAN ports and underlays of the snapshot, ... */
void snapshot_free_tunnels(struct fwd_snapshot *snapshot);

/*
 * Whether a station that is at the port of that number, by the FDB, is one that
 * `as` is set apart from: it may send for it as little as to it.
 */
static inline bool is_of_one_apart(const struct fwd_port *as, unsigned number)
{
	const struct fwd_bridge *bridge = as->bridge;

	return as->apart && number != as->number &&
	       number < bridge->n_numbers && bridge->by_number[number] &&
	       fwd_are_apart(as, bridge->by_number[number]);
}

/* The end of a packet at the port it leaves by. */
static inline void drop_out(const struct pipeline *pl,
			    const struct fwd_port *out, const struct packet *p,
			    enum drop_reason reason)
{
	port_drop(out->port, pl->thread, reason, 1);
	if (unlikely(out->capture))
		capture_drop(out->capture, p, CAPTURE_OUT, reason);
}

/*
 * violation.c: the same as drop() below for what the policy of the port, or of
 * its bond, forbids: the control thread is told.
 */
void drop_violation(const struct pipeline *pl, const struct fwd_port *in,
		    const struct item *item, enum drop_reason reason);
/* The same at the port, or the bond, it was to leave by; vid: its VLAN. */
void drop_violation_out(const struct pipeline *pl, const struct fwd_port *out,
			const struct packet *p, uint16_t vid,
			enum drop_reason reason);

/* The end of a packet at the port, or the bond's member, it came in by. */
static inline void drop(const struct pipeline *pl, const struct fwd_port *in,
			const struct packet *p, enum drop_reason reason)
{
	port_drop(in->port, pl->thread, reason, 1);
	if (unlikely(in->capture))
		capture_drop(in->capture, p, CAPTURE_IN, reason);
	if (unlikely(in->as != in && in->as->capture))
		capture_drop(in->as->capture, p, CAPTURE_IN, reason);
}

#endif
