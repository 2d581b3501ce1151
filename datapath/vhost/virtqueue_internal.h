/*
 * What the files of a virtqueue share:
 *
 *	virtqueue.c		life, taking, breaking
 *	virtqueue_notify.c	notifications, both ways
 *	virtqueue_split.c	split rings; the ordinary frame's whole way
 *	virtqueue_split_send.c	the same, to the guest
 *	virtqueue_packed*.c	both of packed rings
 *	virtqueue_chain.c	chains of descriptors, and indirect tables
 *	virtqueue_net.c		frames that lie in such chains
 *	virtqueue_copy.c	ordinary frames' bytes
 *	virtqueue_inflight.c	going on after a crash
 *	virtqueue_kept.c	where nobody else remembers the place
 *
 * Everything but the first lines of struct virtqueue belongs to the thread that
 * has taken the queue.
 */
#ifndef VHOST_VIRTQUEUE_INTERNAL_H
#define VHOST_VIRTQUEUE_INTERNAL_H

#include <linux/virtio_ring.h>

#include "vhost/virtqueue.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "rings are read as they lie");

/* Pieces of the chains of a burst: those of the longest chain fit. */
#define VIRTQUEUE_PIECES_MAX (2 * VIRTQUEUE_CHAIN_MAX)
#define VIRTQUEUE_HEADER_MAX 12

/* From a descriptor: read once, direction checked, not yet translated. */
struct virtqueue_buffer {
	uint64_t guest;
	uint32_t len;
};

/* What is there only while the queue is started. */
struct virtqueue_scratch {
	struct virtqueue_buffer buffers[VIRTQUEUE_CHAIN_MAX];
	struct packet_segment pieces[VIRTQUEUE_PIECES_MAX];
	uint8_t headers[PACKET_BURST_MAX][16]; /* that were in pieces */
	/*
	 * Of both there are as many as the ring has places. Packed: what the
	 * buffers of a burst are given back with, length, id and flags as one
	 * word, and, unless `in_line`, the place of their first descriptor.
	 * Split, only `places`: chains of a crashed run, to be taken before
	 * those of the ring.
	 */
	uint16_t *places;
	uint64_t words[];
};

struct virtqueue {
	/* Written by whoever takes it: a line of their own. */
	_Atomic bool taken;
	_Atomic bool wanted; /* by the control thread: stand back */

	/* Started, enabled and not broken; read also by who has not taken it */
	_Atomic bool usable CACHE_ALIGNED;
	bool packed, in_order, event_idx, mergeable;
	bool armed;	    /* notifications were asked for */
	bool in_line;	    /* packed: each buffer of the burst has one place */
	bool wrap;	    /* packed: counter of `next` */
	uint8_t hdr_len;    /* of the net header */
	uint16_t size;	    /* of the ring */
	uint16_t next;	    /* to be taken: index (split) or place (packed) */
	uint16_t seen;	    /* split: available index when last looked at */
	uint16_t used_next; /* to be given back */
	uint16_t n_taken;   /* buffers of the burst that is out */
	uint16_t n_pieces;  /* of them in scratch->pieces */
	uint32_t agreed;    /* enum offload */
	union {
		const struct vring_desc *desc;
		struct vring_packed_desc *packed_desc;
	};
	union {
		const struct vring_avail *avail;
		const struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	struct vhost_window window;
	const struct vhost_memory *memory;
	const struct vhost_log *log;
	struct virtqueue_scratch *scratch;
	int call_fd, kick_fd, error_fd;
	_Atomic uint64_t notifications;

	struct vhost_window table_window; /* for indirect tables */
	uint64_t used_guest;
	void *inflight;		     /* also what is kept, if anything is */
	struct virtqueue_kept *kept; /* or NULL */
	uint16_t n_resumed, resumed_next; /* scratch->places */
	bool used_wrap;			  /* packed: counter of used_next */
	bool started, enabled, from_guest;
	bool indirect; /* tables were negotiated */
	_Atomic uint64_t kicks;
	_Atomic(const char *) broken;
	unsigned index;
	char *name;
	const char *why; /* what the chain at hand breaks */

	/* Split: of the burst. */
	uint16_t heads[PACKET_BURST_MAX] CACHE_ALIGNED;
};

/* --- virtqueue.c ---------------------------------------------------------- */

/* A worker's try: one look, and a locked instruction when it is free. */
static inline bool virtqueue_try_take(struct virtqueue *vq)
{
	return !atomic_load_explicit(&vq->taken, memory_order_relaxed) &&
	       !atomic_load_explicit(&vq->wanted, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&vq->taken, true,
					 memory_order_acquire);
}

static inline void virtqueue_give(struct virtqueue *vq)
{
	atomic_store_explicit(&vq->taken, false, memory_order_release);
}

static inline bool virtqueue_is_usable(const struct virtqueue *vq)
{
	return atomic_load_explicit(&vq->usable, memory_order_relaxed);
}

/* Its holder: no more of this ring until it is started anew. */
void virtqueue_break(struct virtqueue *vq, const char *why);

static inline void virtqueue_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter,
		atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

/* --- virtqueue_notify.c --------------------------------------------------- */

/* Asks the driver for a notification of what comes at `next`, or for none. */
void virtqueue_want_kick(struct virtqueue *vq, bool want);
/* Used indices old to new were published: tells the driver if it wants that. */
void virtqueue_notify_split(struct virtqueue *vq, uint16_t old, uint16_t new);
/* n descriptors from place old on, with its wrap counter, were. */
void virtqueue_notify_packed(struct virtqueue *vq, uint16_t old, bool old_wrap,
			     uint16_t n);

/* --- virtqueue_split.c, virtqueue_packed.c -------------------------------- */

unsigned virtqueue_receive_split(struct virtqueue *vq, struct packet *packets,
				 unsigned max, _Atomic uint64_t *drops);
void virtqueue_done_split(struct virtqueue *vq);
unsigned virtqueue_send_split(struct virtqueue *vq,
			      struct packet *const packets[], unsigned n,
			      _Atomic uint64_t *drops, uint64_t *bytes);
void virtqueue_warm_split(struct virtqueue *vq);
void virtqueue_warm_packed(struct virtqueue *vq);
bool virtqueue_has_work_split(const struct virtqueue *vq);

unsigned virtqueue_receive_packed(struct virtqueue *vq, struct packet *packets,
				  unsigned max, _Atomic uint64_t *drops);
void virtqueue_done_packed(struct virtqueue *vq);
unsigned virtqueue_send_packed(struct virtqueue *vq,
			       struct packet *const packets[], unsigned n,
			       _Atomic uint64_t *drops, uint64_t *bytes);
bool virtqueue_has_work_packed(const struct virtqueue *vq);

/* --- virtqueue_chain.c ---------------------------------------------------- */

/* Buffers of one chain, or of several, in scratch->buffers. */
struct virtqueue_chain {
	unsigned n;
	uint64_t len; /* of all buffers */
};

/*
 * Adds the buffers of the chain to chain. False, with vq->why, when it breaks
 * a rule. Packed: tells how many places it takes, and its id.
 */
bool virtqueue_walk_split(struct virtqueue *vq, uint16_t head,
			  struct virtqueue_chain *chain);
bool virtqueue_walk_packed(struct virtqueue *vq, uint16_t place,
			   struct virtqueue_chain *chain, uint16_t *n_places,
			   uint16_t *id);

/* --- virtqueue_net.c ------------------------------------------------------ */

enum virtqueue_frame {
	VIRTQUEUE_FRAME,  /* or what virtqueue_check_headers() will drop */
	VIRTQUEUE_LATER,  /* no pieces left: another burst */
	VIRTQUEUE_BROKEN, /* vq->why */
};

/*
 * Where the headers of a burst lie, of packets that came in chains: of others,
 * right before the frame.
 */
struct virtqueue_headers {
	bool any;			     /* else what follows is not set */
	uint64_t set[PACKET_BURST_MAX / 64]; /* a bit each: is in `at` */
	const uint8_t *at[PACKET_BURST_MAX];
};

/*
 * Makes packet number i of a burst of a walked chain, and tells of its header.
 */
enum virtqueue_frame virtqueue_map_frame(struct virtqueue *vq,
					 const struct virtqueue_chain *chain,
					 struct packet *p, unsigned i,
					 struct virtqueue_headers *headers);
/*
 * The headers that came with n packets are checked; what is dropped is taken
 * out. Returns how many remain.
 */
unsigned virtqueue_check_headers(struct virtqueue *vq, struct packet *packets,
				 const struct virtqueue_headers *headers,
				 unsigned n, _Atomic uint64_t *drops);

/* Writes the header that p leaves with. False: p cannot leave. */
bool virtqueue_make_header(const struct virtqueue *vq, const struct packet *p,
			   uint8_t header[VIRTQUEUE_HEADER_MAX]);
/*
 * Writes header and frame into the buffers of walked chains, n_chains of them.
 * False, with vq->why: some buffer is not mapped.
 */
bool virtqueue_put_frame(struct virtqueue *vq,
			 const struct virtqueue_chain *chain, unsigned n_chains,
			 const struct packet *p, const uint8_t *header);
/* Marks n bytes at offset of what used_guest is the address of. */
void virtqueue_log_used(const struct virtqueue *vq, uint64_t offset,
			uint64_t n);

/* --- virtqueue_copy.c ----------------------------------------------------- */

/* A burst on its way out. */
struct virtqueue_plan {
	unsigned n; /* packets that were tried */
	unsigned n_chains;
	unsigned sent;
	uint64_t bytes; /* of those that have been copied */
	bool broken;
	uint8_t *to[PACKET_BURST_MAX]; /* NULL: is not to be copied */
	/* split: the heads of chains number heads_at to heads_end */
	unsigned heads_at, heads_end;
	uint16_t heads[PACKET_BURST_MAX];
};

/*
 * Copies a packet, behind its header, into n pieces that have room for both;
 * hdr_len bytes of the header, number of buffers included.
 */
void virtqueue_scatter(const struct packet_segment *pieces, unsigned n,
		       const struct packet *p, const uint8_t *header,
		       unsigned hdr_len);
/*
 * Copies the packets of the plan, with headers; the buffers have room. Returns
 * their bytes. The widest version that the processor can.
 */
extern uint64_t (*virtqueue_copy_plan)(const struct virtqueue_plan *plan,
				       struct packet *const packets[],
				       unsigned hdr_len);

/* --- virtqueue_inflight.c ------------------------------------------------- */

/* Finds out where a ring goes on. Chains to resume go to scratch->places. */
void virtqueue_resume(struct virtqueue *vq, uint32_t base);
/* The holder of a queue with an in-flight region: around publishing. */
void virtqueue_inflight_split(struct virtqueue *vq, uint16_t used);
void virtqueue_inflight_resumed(struct virtqueue *vq, uint16_t head);
void virtqueue_inflight_begin(struct virtqueue *vq, uint16_t next, bool wrap);
/* mark: as in struct virtqueue_kept, or 0: as it is. */
void virtqueue_inflight_end(struct virtqueue *vq, uint32_t mark);

/* --- virtqueue_kept.c ----------------------------------------------------- */

/* A place of a packed ring, with its wrap counter. */
struct virtqueue_place {
	uint16_t place;
	bool wrap;
};

static inline uint32_t virtqueue_mark(uint16_t place, bool wrap)
{
	return 1u << 31 | (uint32_t)wrap << 15 | place;
}

/* Whether what the ring holds is what it would if it was to go on there. */
bool virtqueue_kept_fits(const struct virtqueue *vq,
			 struct virtqueue_place next);
/*
 * Whether the ring is still the one that was kept, to go on at `next`, with
 * all before `done` known to have been given back.
 */
bool virtqueue_kept_holds(const struct virtqueue *vq,
			  struct virtqueue_place next,
			  struct virtqueue_place done, uint32_t base);
/* Tells people where the ring goes on, when that is not as it should be. */
void virtqueue_kept_report(const struct virtqueue *vq, bool resumed,
			   uint32_t base);

#endif
