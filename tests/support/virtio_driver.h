/*
 * A guest's driver of one virtqueue (virtio 1.2, 2.7 and 2.8), for tests, fuzz
 * targets and benchmarks: it gives buffers of any shape, takes back what the
 * device has used and checks that the device may do so. All of its state and
 * the rings are open, so that a test can spoil anything.
 *
 * It is written for checking, not for speed. One thread only, but the device
 * may be another.
 */
#ifndef TESTS_VIRTIO_DRIVER_H
#define TESTS_VIRTIO_DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "guest_memory.h"
#include "vhost/virtqueue.h"

#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO	56
#endif

#define FEATURE(name) (1ull << (name))
/* What a modern guest has in any case. */
#define DRIVER_MODERN FEATURE(VIRTIO_F_VERSION_1)

/* The base of a packed ring that is new: places 0, wrap counters 1. */
#define DRIVER_PACKED_BEGIN 0x80008000u
/* Descriptors in an indirect table of this driver's. */
#define DRIVER_TABLE_MAX 512

struct driver_part {
	uint64_t guest;
	uint32_t len;
	bool write; /* by the device */
};

/* A buffer that the device has given back. */
struct driver_used {
	uint16_t id;
	uint32_t len;	   /* as the device says */
	uint32_t writable; /* bytes it could have written */
	unsigned token;	   /* as it was given in */
};

struct driver_buffer {
	bool out; /* the device has it */
	uint16_t n_desc;
	uint32_t writable;
	unsigned token;
};

struct driver_config {
	uint16_t size;
	uint64_t features;
	bool from_guest; /* the guest sends in it */
	uint32_t base;	 /* as in struct virtqueue_setup; 0: begin */
	/* For driver_put_*(): size frame buffers of so many bytes; 0: none. */
	uint32_t buffer_size;
};

struct driver_slot; /* virtio_frames.c */

struct driver_queue {
	struct guest_memory *memory;
	struct driver_config config;
	bool packed, event_idx, in_order, indirect;
	unsigned hdr_len;  /* of the virtio-net header */
	int kick, call;	   /* eventfds, non-blocking */
	const char *error; /* what the device did wrong; NULL: nothing */

	/* guest-physical */
	uint64_t desc_at, driver_at, device_at, tables_at, buffers_at;
	union { /* the guest's own pointers */
		struct {
			struct vring_desc *desc;
			struct vring_avail *avail;
			struct vring_used *used;
		};
		struct {
			struct vring_packed_desc *ring;
			struct vring_packed_desc_event *driver_event;
			struct vring_packed_desc_event *device_event;
		};
	};

	struct driver_buffer *buffers; /* by id */
	unsigned n_free;	       /* descriptors */
	unsigned n_out;		       /* buffers that the device has */
	uint16_t *next;	 /* split: free descriptors and chains; packed: ids */
	uint16_t free;	 /* the first of them */
	uint16_t *order; /* ids in the order they were given, a ring */
	unsigned order_first, order_n;
	unsigned batch;	    /* in order: still to take of what one entry says */
	uint32_t batch_len; /* of the last of them */

	/* split: running indices; packed: places and wrap counters */
	uint16_t next_avail, next_used;
	bool avail_wrap, used_wrap;
	uint16_t published; /* split: what the device knows */
	/* packed: what is held back until driver_publish(), and since when */
	bool held;
	uint16_t held_at, held_flags;
	/* since the last driver_kick_wanted() */
	uint16_t kicked;     /* split: what was published then */
	unsigned n_kickable; /* packed: descriptors added */
	bool always;	     /* calls for every batch are asked for */

	struct driver_slot *slots;
	unsigned *free_slots, n_free_slots;
	bool plain_buffers; /* do not fill and check buffers: benchmarks */
};

struct driver_queue *driver_create(struct guest_memory *memory,
				   const struct driver_config *config);
void driver_destroy(struct driver_queue *q);

/*
 * Gives a buffer of n parts, those to be written last; as an indirect table if
 * wanted. It is not the device's before driver_publish(). -ENOSPC: there are
 * too few descriptors left.
 */
int driver_add(struct driver_queue *q, const struct driver_part *parts,
	       unsigned n, bool indirect, unsigned token);
void driver_publish(struct driver_queue *q);

/* Whether the device wants to hear of what was published since the last call.
 */
bool driver_kick_wanted(struct driver_queue *q);
/* Publishes, kicks if that is wanted, and says whether it was. */
bool driver_kick(struct driver_queue *q);
/* Kicks and calls that were sent since the last call; the other end's view. */
unsigned driver_take_kicks(struct driver_queue *q);
unsigned driver_take_calls(struct driver_queue *q);

/*
 * Takes the next buffer that was used. False: there is none, or `error` says
 * why it cannot be right.
 */
bool driver_get(struct driver_queue *q, struct driver_used *used);

/*
 * Asks for calls: never, for every batch, or when the device has used `after`
 * (at least 1) more entries (needs the event index).
 */
void driver_calls_never(struct driver_queue *q);
void driver_calls_always(struct driver_queue *q);
void driver_calls_after(struct driver_queue *q, unsigned after);

/* Used entries (split) or descriptors that the ring shows, not yet taken. */
bool driver_has_used(const struct driver_queue *q);

/* --- joined to the device (virtio_join.c) --------------------------------- */

/* The set-up that the device is started with, from the driver's base. */
void driver_setup(const struct driver_queue *q, struct virtqueue_setup *setup);
/* Memory, descriptors, start, enable. Ends the process when refused. */
void driver_join(struct driver_queue *q, struct virtqueue *vq);

/* --- with frames in it (virtio_frames.c) ---------------------------------- */

struct driver_layout {
	bool own_header; /* the virtio-net header has its own descriptor */
	uint32_t first;	 /* bytes in the first descriptor, at most; 0: any */
	uint32_t piece;	 /* bytes a descriptor, at most; 0: any */
	uint32_t gap;	 /* bytes between pieces, which nobody may write */
	bool zeroes;	 /* descriptors of no length in between */
	bool indirect;
};

#define DRIVER_HEADER_MAX 12
#define DRIVER_FRAME_MAX  (PACKET_LEN_MAX + 512)

struct driver_frame {
	uint8_t header[DRIVER_HEADER_MAX];
	uint32_t len; /* without the header */
	unsigned n_buffers;
	/* Bytes were written behind the frame's end, or where none may be. */
	bool spilt;
	uint8_t data[DRIVER_FRAME_MAX];
};

/* The guest sends: header (NULL: zeros) and frame. -ENOSPC: no room. */
int driver_put_frame(struct driver_queue *q, const struct driver_layout *layout,
		     const void *header, const void *frame, uint32_t len);
/* A buffer of `capacity` bytes for what the guest is to receive. */
int driver_put_buffer(struct driver_queue *q,
		      const struct driver_layout *layout, uint32_t capacity);
/* As many as there is room for. */
void driver_put_buffers(struct driver_queue *q,
			const struct driver_layout *layout, uint32_t capacity);
/* Takes back frames that were sent; returns how many. */
unsigned driver_reclaim(struct driver_queue *q);
/* Takes the next frame that came, all of its buffers. As driver_get(). */
bool driver_take_frame(struct driver_queue *q, struct driver_frame *frame);

#endif
