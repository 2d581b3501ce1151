/*
 * Keeps the host's own stack away from what a device receives, while packet
 * sockets still see it: otherwise the host would answer, route and bridge
 * frames that belong to a switch.
 *
 * The kernel hands a received frame to packet sockets first and runs the
 * device's traffic-control programs then; ours drops everything there. It is a
 * BPF link (tcx, Linux 6.6) that ends with the process, however that ends. On
 * older kernels it is a filter of a clsact qdisc, which outlives a killed
 * process: a later attach takes its place, a detach removes it.
 *
 * Control thread. Needs CAP_BPF and CAP_NET_ADMIN.
 */
#ifndef PORT_INGRESS_BLOCK_H
#define PORT_INGRESS_BLOCK_H

#include "fastpath/attach.h"

struct ingress_block {
	int link_fd;		   /* tcx; -1: not */
	bool filter;		   /* a filter of ours is at the device, ... */
	struct attach_point point; /* ... there */
};

#define INGRESS_BLOCK_NONE                                                     \
	((struct ingress_block){                                               \
		.link_fd = -1,                                                 \
		.point = { .hook = ATTACH_INGRESS, .way = ATTACH_FILTER } })

enum ingress_block_way {
	INGRESS_BLOCK_ANY,    /* the best that this kernel has */
	INGRESS_BLOCK_FILTER, /* clsact, for tests */
};

/* 0, or -errno when neither way works; then *block is none. */
int ingress_block_attach(struct ingress_block *block, int ifindex,
			 enum ingress_block_way way) MUST_CHECK;
/* May be called on none, and when the device is gone. */
void ingress_block_detach(struct ingress_block *block);

#endif
