/* What the files of a trace share. Internal to trace*.c. */
#ifndef FORWARD_TRACE_INTERNAL_H
#define FORWARD_TRACE_INTERNAL_H

#include "forward/punt.h"
#include "forward/stage.h"
#include "forward/trace.h"

/* A port of the copy: it stands in for one of the snapshot's. */
struct trace_port {
	struct port up;
	struct port_txq txq, *txqs[1];
	struct trace *trace;
	struct port *original;
	const struct fwd_port *fwd; /* the copy's */
	bool shaped;		    /* a shaper would keep what leaves */
	struct punt punt; /* with the original's pace, and the trace's ring */
	uint64_t seen[N_DROP_REASONS];
	struct trace_port *next;
};

/* What a copy stands for. */
struct trace_pair {
	const void *original;
	void *copy;
};

struct trace {
	struct pipeline *pipeline;
	unsigned level;
	unsigned n_steps;
	struct trace_step *steps;
	/* Frames for the control thread end here. */
	struct punt_ring *ring;

	/* The copy; all of it is one of these. */
	unsigned n_pieces;
	void **pieces;
	unsigned n_pairs;
	struct trace_pair *pairs; /* sorted by `original` */
	struct trace_port *ports;
	/* Gateways whose routers are the trace's own; as many NATs. */
	unsigned n_gateways;
	struct trace_gateway *gateways;
};

/* trace_gateway.c */
void trace_free_gateways(struct trace *t);

static inline const struct trace_port *trace_port(const struct fwd_port *fwd)
{
	return CONTAINER_OF(fwd->port, struct trace_port, up);
}

/* trace_copy.c */
void trace_copy_snapshot(struct trace *t, const struct fwd_snapshot *snapshot);
void trace_free_copy(struct trace *t);
/* NULL for NULL, and for what the snapshot does not have. */
void *trace_copy_of(const struct trace *t, const void *original);
/* Zeroed memory that goes with the trace. */
void *trace_alloc(struct trace *t, size_t size);
/* Memory of free()'s, which goes with it from now on. */
void trace_keep(struct trace *t, void *piece);

/* trace_policy.c */
void trace_copy_policies(struct trace *t, struct fwd_port *p);
/* Packets have passed what is imposed as they come in. */
void trace_why_policies(struct trace *t, const struct stage *s);

/* trace.c: the stand-ins' kind */
extern const struct port_class trace_port_class;
/* What was dropped or punted since the last call becomes steps. */
void trace_see(struct trace *t, const char *stage);
/* A step to be filled in. */
struct trace_step *trace_add(struct trace *t, enum trace_kind kind,
			     const char *stage, const struct fwd_port *port);
char *trace_text(struct trace *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct trace_mac {
	char text[18];
};
struct trace_mac trace_mac(uint64_t mac);

/* trace_why.c: what is behind what a step says of one packet */
void trace_why_ingress(struct trace *t, const struct stage *s,
		       const struct item *item);
void trace_why_learn(struct trace *t, const struct stage *s,
		     const struct item *item);
void trace_why_lookup(struct trace *t, const struct stage *s,
		      const struct item *item);
void trace_why_output(struct trace *t, const struct stage *s,
		      const struct item *item);
/* from: the number of the port that it came from */
void trace_why_member(struct trace *t, const struct fwd_port *bond,
		      uint16_t from, const struct packet *p);

#endif
