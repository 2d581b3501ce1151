/*
 * Segments that cannot be together: on one switch, on one host. Each was read
 * by itself and makes sense taken alone.
 *
 * Who came first does not depend on the order of rows: a segment, or a forward,
 * that has worked until now goes on, and the other one is refused. Of those
 * that are new together the one whose name comes first does; when vswd starts,
 * those that have leases come before others.
 */
#ifndef VSWD_CONFIG_CHECK_SEGMENTS_H
#define VSWD_CONFIG_CHECK_SEGMENTS_H

#include "port/host_routes.h"
#include "vswd/config.h"
#include "vswd/config_segment.h"

struct segment_check {
	const struct cfg_segment *segment; /* taken alone */
	/* What it was until now, among the others; NULL: it is new. */
	const struct cfg_segment *before;
	/* The results: those it has taken alone, or what is found. */
	char *error;
	char **forward_errors; /* one, or NULL, for each forward */
};

/* config: all of its bridges are read, and nothing is made up yet. */
void config_check_segments(struct segment_check *checks, size_t n,
			   const struct cfg_switch *config);
/* The same with these as the host's routes. */
void config_check_segments_with(struct segment_check *checks, size_t n,
				const struct cfg_switch *config,
				const struct host_route *routes,
				size_t n_routes);
/* config_check_forwards.c: those of segments that can be. */
void config_check_forwards(struct segment_check *const checks[], size_t n);
/* Frees the results. */
void segment_check_fini(struct segment_check *check);

/* The bridges that it needs are there? */
bool config_segment_has_bridges(const struct cfg_segment *segment,
				const struct cfg_switch *config);

#endif
