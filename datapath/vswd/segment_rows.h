/*
 * What the database is told of segments: Segment:error, status and statistics,
 * Forward:error, and leases. As status.h: operations of one transaction, only
 * what differs from what was told last. Control thread.
 */
#ifndef VSWD_SEGMENT_ROWS_H
#define VSWD_SEGMENT_ROWS_H

#include "ovsdb-lite/schema.h"
#include "vswd/switch.h"

struct segment;

/* Segments that are marked dirty; they are clean afterwards. */
void segment_rows_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
			  json_t *operations);
void segment_rows_collect_stats(struct vswitch *vs,
				const struct ovsdb_schema *schema,
				json_t *operations);
/* Nothing counts as told. */
void segment_rows_forget(struct vswitch *vs);
/* The segment ends. */
void segment_rows_free(struct segment *seg);

/*
 * Leases go in transactions of their own, one after the other, since what is
 * next depends on what became of the last: told follows each collect, with the
 * result, or NULL when it failed or nothing was sent.
 */
void segment_rows_collect_leases(struct vswitch *vs,
				 const struct ovsdb_schema *schema,
				 json_t *operations);
void segment_rows_leases_told(struct vswitch *vs, const json_t *result);

#endif
