/*
 * Running captures: what `vsw-ctl capture` asked for. A session has a ring that
 * the workers fill (forward/capture.h), and a socket that it sends a pcapng
 * stream to until the client closes it. A client that reads too slowly loses
 * packets, which are counted. Control thread.
 */
#ifndef VSWD_CAPTURE_SESSION_H
#define VSWD_CAPTURE_SESSION_H

#include "forward/capture.h"

struct vport;
struct vswitch;
struct capture_session;
struct bpf_program;

struct capture_request {
	const char *bridge;	     /* all ports of a bridge, or */
	const char *port;	     /* one port, or a bond's members; the other
				      * is NULL */
	const char *filter;	     /* as the user wrote it; may be NULL */
	struct bpf_program *program; /* compiled; NULL: all frames */
	uint32_t snaplen;
};

/*
 * Begins a capture on a connected, non-blocking socket, which it takes over,
 * and publishes a snapshot with it.
 */
void capture_session_start(struct vswitch *vs, int fd,
			   const struct capture_request *request);
unsigned capture_sessions_count(const struct vswitch *vs);
/* Ends all, and publishes a snapshot without them. */
void capture_sessions_stop(struct vswitch *vs);

/*
 * For building a snapshot: what shall hang at the port, NULL: nothing. The
 * nodes of all ports form a list at *nodes, to be freed by
 * capture_nodes_free() when no worker sees them.
 */
struct capture_node;
const struct capture *capture_sessions_attach(struct vswitch *vs,
					      const struct vport *v,
					      struct capture_node **nodes);
void capture_nodes_free(struct capture_node *nodes);
/* After each publication: frees the sessions that no worker sees any more. */
void capture_sessions_reap(struct vswitch *vs);

#endif
