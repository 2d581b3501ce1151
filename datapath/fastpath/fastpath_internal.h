/*
 * Inside of the fast path, for fastpath/ alone.
 *
 *	fastpath.c	create, destroy: programs, maps, whose they are
 *	probe.c		whether this kernel can, and a sentence when it cannot
 *	slots.c		a port's place in fp_states and fp_counters
 *	table.c		an FDB's memory
 *	publish.c	fp_devices, fp_ports and fp_fdbs: what is in force
 *	devices.c	fp_devices: which devices are ours, and where
 *	attach.c	programs at devices
 *	program.c	a port's program, and what comes in which order
 *	takeover.c	what a killed daemon has left; leftovers_find.c and
 *			leftovers_fdb.c find it, left_tap.c: if it is a tap
 */
#ifndef FASTPATH_FASTPATH_INTERNAL_H
#define FASTPATH_FASTPATH_INTERNAL_H

#include <linux/bpf.h>

#include "fastpath/attach.h"
#include "fastpath/fastpath.h"

struct fastpath_bpf; /* the skeleton: fastpath.skel.h */
struct fastpath_left;
struct fastpath_leftovers;

/* A bridge as the kernel knows it (publish.c). All zeros: not in force. */
struct fastpath_in_force {
	uint64_t table_serial; /* struct fastpath_table's; 0: none */
	struct fp_port *ports; /* what its map of fp_ports contains */
	unsigned n_ports;
};

struct fastpath {
	struct fastpath_bpf *bpf;
	char *run_dir;
	uint64_t netns; /* inode number */
	bool is_kept;
	bool only_filters; /* as on kernels before 6.6; for tests */
	/* takeover.c's; NULL: none, or they are gone. */
	struct fastpath_leftovers *leftovers;

	/* slots.c */
	unsigned n_cpus;	      /* that the kernel may ever have */
	struct fp_state *states;      /* fp_states, mapped; by slot */
	struct fp_counters *counters; /* fp_counters, mapped */
	bool is_taken[FP_SLOTS];      /* a port is open */
	uint16_t n_naming[FP_SLOTS];  /* bridges in force that name it */
	uint32_t slot_cursor;	      /* where the next search begins */

	/* publish.c */
	uint64_t last_serial; /* of tables */
	struct fastpath_in_force bridges[FP_BRIDGES];
	/* Maps that stand for a bridge that is not in force. */
	int no_ports_fd, no_fdb_fd;
};

struct fastpath_port {
	struct fastpath *fp;
	char *name;
	int ifindex;
	enum fastpath_side side;
	/* slots.c */
	uint32_t slot;
	struct fp_counters at_start; /* what the slot had counted before */
	/* program.c */
	struct attach_point point;
	struct fastpath_left *old; /* whose program is at the device, or NULL */
	uint32_t device_flags;	   /* as in fp_devices */
};

/* An FDB's memory. */
struct fastpath_table {
	uint64_t serial; /* never used again, other than addresses */
	int fd;
	struct fp_fdb_header *header; /* the map, mapped */
	size_t bytes;
};

/*
 * slots.c: takes a free slot for the port, whose state is that nothing may
 * leave by it. -ENOSPC: all are taken.
 */
int fastpath_slot_take(struct fastpath_port *port);
/* And gives it back: nothing more is sent there. */
void fastpath_slot_drop(struct fastpath_port *port);
/* Maps fp_states and fp_counters; 0 or -errno. */
int fastpath_slots_map(struct fastpath *fp);
void fastpath_slots_unmap(struct fastpath *fp);

/* table.c: an inner map of fp_ports or fp_fdbs. A descriptor or -errno. */
int fastpath_inner_create(const char *name, size_t value_bytes,
			  uint32_t n_values, uint32_t flags);
#define FASTPATH_PORTS_FLAGS BPF_F_INNER_MAP
#define FASTPATH_FDB_FLAGS   (BPF_F_INNER_MAP | BPF_F_MMAPABLE)

/*
 * devices.c: the port's device is ours, in no bridge yet; 0 or -errno; ...
 */
int fastpath_device_enter(const struct fastpath_port *port);
/* ... it is in that bridge, as the port with that slot; 0 or -errno; ... */
int fastpath_device_place(const struct fastpath *fp, uint32_t ifindex,
			  uint32_t slot, uint16_t bridge, uint16_t number);
/* ... it is in none any more, if it is that port's; ... */
void fastpath_device_displace(const struct fastpath *fp, uint32_t ifindex,
			      uint32_t slot);
/* ... enum fp_device_flags are these, 0 or -errno; ... */
int fastpath_device_flag(struct fastpath_port *port, uint32_t flags);
/* ... it is not ours any more, unless it is another port's. */
void fastpath_device_leave(const struct fastpath_port *port);
/* IFF_PROMISC; 0 or -errno. */
int fastpath_set_promiscuous(int ifindex, bool on);

/* fastpath.c: fp->run_dir and netns; NULL, or why not, to be freed. */
char *fastpath_name_owner(struct fastpath *fp, const char *run_dir);

/* publish.c: what stands for no bridge; 0 or -errno. Before the rest. */
int fastpath_publish_start(struct fastpath *fp);
/* Takes everything out of force, unless it is kept, and frees. */
void fastpath_publish_end(struct fastpath *fp);
/* probe.c: NULL, or why not, for people, to be freed. Asks the kernel. */
char *fastpath_why_not(void);
/* The same, of what loading the programs has returned. */
char *fastpath_why_not_loaded(int error);

#endif
