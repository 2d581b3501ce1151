/*
 * What the kernel's programs (fastpath.bpf.c) and the daemon both read: the
 * maps' contents, and nothing else. Included by both, so plain types only.
 *
 * The maps, by name:
 *
 *	fp_owner	array of 1: struct fp_owner. Whose they are
 *	fp_devices	hash: ifindex -> struct fp_device, while its port is
 *			open. For the next daemon; programs do not look here
 *	fp_places	array by an ifindex's low 16 bits, mapped: a word, of
 *			the whole ifindex (bits 0 to 31) and what fp_devices
 *			has as bridge and number. Frames of other devices are
 *			not ours: those of one that was moved to another
 *			network namespace, which takes the program along
 *	fp_states	array by slot, mapped: struct fp_state
 *	fp_counters	array by cpu * FP_SLOTS + slot, mapped:
 *			struct fp_counters
 *	fp_notes	array by CPU of 1: struct fp_decision
 *	fp_ports	array of maps by bridge: arrays, BPF_F_INNER_MAP, by
 *			the FDB's port number: struct fp_port; never changed
 *			once they are in place
 *	fp_fdbs		array of maps by bridge: arrays, BPF_F_INNER_MAP and
 *			mapped: struct fp_fdb_header at 0, then struct
 *			fp_bucket, which are the FDB's own memory
 *			(forward/fdb_inline.h)
 *
 * A slot is a port's, of whatever bridge, as long as it is open.
 */
#ifndef FASTPATH_LAYOUT_H
#define FASTPATH_LAYOUT_H

#include <linux/types.h>

/* To be raised with every change of what a map contains. */
#define FP_LAYOUT_VERSION 2
#define FP_MAGIC	  0x76737766 /* "vswf" */

#define FP_BRIDGES    1024
#define FP_SLOTS      4096
#define FP_PLACES     65536
#define FP_NUMBER_MAX 16383 /* FDB port numbers above: userspace */
#define FP_VLANS      4096
#define FP_VID_NONE   0xffff
#define FP_OWNER_MAX  232

/* The beginning of all versions alike, so that one can remove another's. */
struct fp_owner {
	__u32 magic, version;
	__u64 netns; /* inode number of the network namespace */
	__u32 pid;
	__u32 reserved;
	char run_dir[FP_OWNER_MAX];
};

/* What is to be taken back when the program goes. */
enum fp_device_flags {
	FP_DEVICE_PROMISC = 1 << 0, /* IFF_PROMISC */
	FP_DEVICE_CLSACT = 1 << 1,  /* the clsact qdisc */
};

struct fp_device {
	__u16 bridge;
	__u16 number; /* in that bridge's fp_ports; 0: in none yet */
	__u32 slot;
	__u32 flags; /* enum fp_device_flags */
};

/* A word of fp_places; 0: no device of ours has it. Written at once. */
#define FP_PLACE_BRIDGE_SHIFT 32
#define FP_PLACE_NUMBER_SHIFT 48

/* May change at any time: written by the daemon alone, each field at once. */
struct fp_state {
	__u32 frame_max; /* MTU and 14: bytes without tags, each segment's */
	__u32 up;	 /* frames may leave by it */
};

struct fp_counters {
	__u64 rx_packets, rx_bytes; /* from the port, forwarded */
	__u64 tx_packets, tx_bytes;
};

enum fp_port_flags {
	FP_IN = 1 << 0,	     /* what comes in by it may be forwarded here */
	FP_OUT = 1 << 1,     /* and what leaves by it */
	FP_TO_HOST = 1 << 2, /* it is the host's end of a tap of ours */
	FP_TAGGED = 1 << 3,  /* it accepts frames with a VLAN id */
};

/* A port of a bridge; all zeros: there is none that the kernel may serve. */
struct fp_port {
	__u32 ifindex;
	__u16 flags;	  /* enum fp_port_flags */
	__u16 native_vid; /* of untagged frames, or FP_VID_NONE */
	__u32 slot;
	__u16 untagged_vid; /* leaves without a tag, or FP_VID_NONE */
	__u16 reserved;
	/* Of which it is a member, and that may be forwarded here. */
	__u64 vlans[FP_VLANS / 64];
};

#define FP_BUCKET_SLOTS 4

/* forward/fdb_inline.h says what the two words of a slot are. */
struct fp_bucket {
	__u64 key[FP_BUCKET_SLOTS];
	__u64 value[FP_BUCKET_SLOTS];
};

#define FP_KEY_IN_USE	    (1ull << 63)
#define FP_KEY_FID_SHIFT    48
#define FP_VALUE_PORT	    0xffffull
#define FP_VALUE_LIVE	    (1ull << 16)
#define FP_VALUE_STATIC	    (1ull << 18)
#define FP_VALUE_CONTROLLED (1ull << 19)
#define FP_VALUE_PASSED	    (31ull << 20)
#define FP_TICK_SHIFT	    32

/* As large as a bucket. */
struct fp_fdb_header {
	__u64 fresh; /* struct fdb_table's, kept equal */
	__u64 seed[3];
	__u64 bucket_mask; /* number of buckets - 1 */
	__u64 reserved[3];
};

enum fp_verdict {
	FP_NONE,      /* nobody has decided */
	FP_USERSPACE, /* the daemon gets it */
	FP_FORWARD,
};

enum fp_tag_op { FP_TAG_KEEP, FP_TAG_POP, FP_TAG_PUSH };

struct fp_decision {
	__u32 verdict; /* enum fp_verdict */
	/* Whose frame it is about: of another a note is not to be believed. */
	__u32 in_ifindex, len;
	__u32 ifindex;
	__u32 in_slot, out_slot;
	__u16 tag_op;  /* enum fp_tag_op */
	__u16 tci;     /* to be pushed, of type 0x8100 */
	__u32 to_host; /* into the device, not out by it */
};

#endif
