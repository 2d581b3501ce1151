/*
 * Tracing a frame: the way that it would take, step by step, with what is
 * behind each decision, by the pipeline's own code and with no effect.
 *
 * A trace has a copy of the snapshot in force (trace_copy.c): the same bridges,
 * tables and settings, but ports of its own, which count for themselves, keep
 * what they are sent, and teach the FDB nothing. The frame is run through it
 * with pipeline.trace set; the pipeline's steps tell the trace where they are
 * (the hooks below), and it asks the tables why (trace_why.c). What is dropped
 * is seen by the counters, and so needs no hook.
 *
 * Control thread. Workers go on meanwhile: what they change is only read.
 */
#ifndef FORWARD_TRACE_H
#define FORWARD_TRACE_H

#include "forward/snapshot.h"

struct acl;
struct item;
struct pipeline;
struct stage;
struct trace;

enum trace_kind {
	TRACE_ENTERS,	/* the frame comes into a bridge */
	TRACE_STEP,	/* a decision */
	TRACE_FLOODED,	/* a port gets a copy */
	TRACE_LEFT_OUT, /* a port does not get one */
	TRACE_PUNT,	/* it, or a copy, is for the control thread */
	TRACE_OUTPUT,	/* a port sends `frame` */
	TRACE_DROP,	/* here it ends, with `reason` */
};

/* In the order in which they happened; all strings are the trace's. */
struct trace_step {
	enum trace_kind kind;
	unsigned level;	    /* 0; in what one bridge sent into the next, 1... */
	const char *stage;  /* "ingress", "lookup", "flood", ... */
	const char *bridge; /* or NULL */
	const char *port;   /* or NULL */
	const char *bond;   /* that the port is a member of, or NULL */
	const char *text;   /* why, for a person; or NULL */
	uint8_t reason;	    /* enum drop_reason */
	uint32_t n;	    /* TRACE_DROP: packets */
	const uint8_t *frame; /* TRACE_ENTERS, TRACE_OUTPUT: as it is then */
	uint32_t frame_len;
};

/* Never NULL. snapshot: is in force, and stays until the trace is destroyed. */
struct trace *trace_create(const struct fwd_snapshot *snapshot);
void trace_destroy(struct trace *trace);
/*
 * The frame comes in by a port of that snapshot, or a bond's member. May be
 * called again: steps are added. -ENOENT: it has no such port.
 */
int trace_run(struct trace *trace, const struct fwd_port *in, const void *frame,
	      uint32_t len);
const struct trace_step *trace_steps(const struct trace *trace, unsigned *n);

/* --- the pipeline's hooks, where pipeline.trace is set ---------------------
 */

enum trace_at {
	TRACE_AT_INGRESS,
	TRACE_AT_BOND, /* what a member lets in */
	TRACE_AT_POLICY,
	TRACE_AT_LOOKUP,
	TRACE_AT_FOUND,
	TRACE_AT_OUTPUT,
};

/* Frames are about to take the steps of a stage. */
void trace_enters(struct pipeline *pl, const struct stage *s,
		  const struct packet *packets, unsigned n);
/* Before policy_in_burst(): what it is about to impose. */
void trace_policies_in(struct pipeline *pl, const struct stage *s);
/* Before packets leave by a port that imposes something. */
void trace_policies_out(struct pipeline *pl, const struct fwd_port *out);
/* A mirror is about to send copies of n packets. */
void trace_mirror(struct pipeline *pl, const struct fwd_mirror *mirror,
		  unsigned n);
/* Instead of acl_judge(), which counts: whether it is allowed, and by what. */
bool trace_acl(struct pipeline *pl, const struct acl *acl,
	       const struct fwd_port *port, bool leaves, struct packet *p,
	       uint16_t vid);
/* A step is done: what it has dropped, and what it says of what is left. */
void trace_took(struct pipeline *pl, const struct stage *s, enum trace_at at);
/* The same at once of what a router sends, which is looked up. */
void trace_routed(struct pipeline *pl, const struct stage *s);
/* To a bond, whose members are about to share them. */
void trace_bond(struct pipeline *pl, const struct fwd_port *bond,
		struct packet *const packets[], unsigned n);
/*
 * Into a gateway's router, of which the trace makes a copy with a NAT of its
 * own when the first frame comes to it.
 */
void trace_gateway(struct pipeline *pl, const struct fwd_port *out,
		   uint64_t now_ms);
/* Into a tunnel. */
void trace_special(struct pipeline *pl, const struct fwd_port *out,
		   const char *stage, unsigned n);

/* Says something of a step; port may be NULL. */
void trace_say(struct trace *trace, const char *stage,
	       const struct fwd_port *port, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#endif
