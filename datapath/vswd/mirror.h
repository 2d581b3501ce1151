/*
 * Mirrors of the running switch: which ports a Mirror row's are, what it has
 * copied, and why it does not do all that it should. What workers follow is
 * forward/mirror.h. Control thread.
 */
#ifndef VSWD_MIRROR_H
#define VSWD_MIRROR_H

#include "vswd/config_mirror.h"
#include "vswd/switch.h"

struct mirror_counters;

struct mirror {
	struct mirror *next; /* of the bridge, by name */
	struct cfg_mirror *config;
	struct mirror_counters *counters; /* PORT_THREADS_MAX of them */
	char *error;	/* what is wrong with it; NULL: nothing */
	uint16_t kept;	/* number of the port that it keeps; 0: none */
	bool to_flush;	/* that port's addresses, with the next snapshot */
	bool seen;	/* by the configuration that is taken over */
	bool dirty;	/* the database is to be told of its error */
	bool told_once; /* of its counters, which were: */
	uint64_t told_packets, told_bytes;
};

/* The bridge has another configuration: mirrors come, go and change. */
void mirrors_configure(struct vswitch *vs, struct bridge *b,
		       const struct cfg_bridge *config);
/* All of them, when no worker uses them any more. */
void mirrors_destroy(struct bridge *b);
/* The bridge of a snapshot under construction has its ports. */
void mirrors_attach(struct bridge *b, struct fwd_bridge *fb);
/* A snapshot is in force. */
void mirrors_published(struct vswitch *vs);

/* What it has copied so far. */
void mirror_sum(const struct mirror *m, uint64_t *packets, uint64_t *bytes);
/* The name of the Port of that row in the bridge, or NULL. */
const char *mirror_port_name(const struct bridge *b, const struct uuid *port);

/* mirror_rows.c: what the database is told (status.h). */
struct ovsdb_schema;
void mirror_rows_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
			 json_t *operations);
void mirror_rows_collect_stats(struct vswitch *vs,
			       const struct ovsdb_schema *schema,
			       json_t *operations);
void mirror_rows_forget(struct vswitch *vs);

#endif
