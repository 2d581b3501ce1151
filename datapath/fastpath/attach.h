/*
 * BPF programs at a device's traffic control: in front of all others by tcx
 * (Linux 6.6), and on older kernels as a filter of a clsact qdisc, always of
 * the same handle, so that one takes the place of another. Both outlive the
 * process and end with the device; a device that goes to another network
 * namespace takes tcx programs along, and loses a qdisc.
 *
 * A change is one request, which the kernel carries out at once: there is no
 * frame that neither program sees, and none that both do.
 *
 * Control thread. Needs CAP_BPF and CAP_NET_ADMIN.
 */
#ifndef FASTPATH_ATTACH_H
#define FASTPATH_ATTACH_H

#include "base/util.h"

enum attach_hook {
	ATTACH_INGRESS, /* what the device receives, behind packet sockets */
	ATTACH_EGRESS,	/* what is sent by it */
};

enum attach_way { ATTACH_TCX, ATTACH_FILTER };

struct attach_point {
	int ifindex;
	enum attach_hook hook;
	enum attach_way way;
	bool made_clsact; /* the qdisc is ours, too */
};

/*
 * Puts a program there, by point->way; a filter of ours that is there is
 * replaced. 0 (also when it was there already), or -errno.
 */
int attach_program(struct attach_point *point, int program_fd) MUST_CHECK;
/* The same by the best way that this kernel has, which point then tells. */
int attach_program_any(struct attach_point *point, int program_fd) MUST_CHECK;
/*
 * One program for another, in its place. Where the old one is no more, the new
 * one is put there. 0 or -errno; then all is as it was.
 */
int attach_replace(struct attach_point *point, int old_fd,
		   int new_fd) MUST_CHECK;
/*
 * The device may be gone, and the program be gone or another by now, which
 * stays. Whatever filter of ours is there, if program_fd is negative.
 */
void attach_remove(const struct attach_point *point, int program_fd);

/* Programs' ids at a point, in the kernel's order; how many, up to max. */
unsigned attach_list(const struct attach_point *point, uint32_t *ids,
		     unsigned max);
/*
 * Removes a program that there is no descriptor of. tcx only: a filter's place
 * is taken instead. Nothing if it is not there.
 */
void attach_remove_by_id(const struct attach_point *point, uint32_t id);

#endif
