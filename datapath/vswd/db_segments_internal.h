/* Between db_segments.c and db_segments_compare.c. */
#ifndef VSWD_DB_SEGMENTS_INTERNAL_H
#define VSWD_DB_SEGMENTS_INTERNAL_H

#include "vswd/columns.h"
#include "vswd/config_read_segment.h"

/* A bridge's segment, and the rows that it was made of. */
struct segment_item {
	struct segment_item *next;
	struct uuid bridge;
	struct db_row_copy *row;
	struct db_row_copy **forwards; /* as many as `read` has */
	struct cfg_segment *read;      /* as the rows say, taken alone */
	struct cfg_segment
		*good; /* as they said when it last could be, or NULL */
	/* As it is among the others; may be `read` itself. NULL: not yet. */
	struct cfg_segment *config;
	struct segment_ports ports;
	bool seen;
};

struct db_segments {
	struct segment_item *items; /* in no order */
	bool changed;		    /* since they were compared */
};

/* Keeps a reference; NULL: nothing is good any more. */
void segment_item_set_good(struct segment_item *item,
			   const struct cfg_segment *good);
/*
 * Each gets the configuration that it can have among the others (item.config,
 * ports), where something has changed that they are compared with.
 */
void db_segments_compare(struct db_segments *segments,
			 const struct cfg_switch *config);

#endif
