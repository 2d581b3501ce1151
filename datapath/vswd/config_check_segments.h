/*
 * Segments that cannot be together: on one switch, on one host. Each was read
 * by itself and makes sense taken alone.
 *
 * Who came first does not depend on the order of rows: a segment, or a forward,
 * that has worked until now goes on, and the other one is refused. Of those
 * that are new together the one whose name comes first does; when vswd starts,
 * those that have leases come before others.
 *
 * One that cannot be as its rows say goes on as it was, and the others are
 * compared with that.
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
	/* What it can go on as; NULL: there is nothing. */
	const struct cfg_segment *former;
	/*
	 * The results. Why it cannot be as `segment` says, taken alone or among
	 * the others; then: whether it goes on as `former`.
	 */
	char *error;
	bool goes_on;
	bool fails;	       /* it can be nothing; has an error then */
	char **forward_errors; /* one, or NULL, for each it has in force */
};

/* What is compared: as it says, or as it goes on. */
const struct cfg_segment *segment_check_value(
	const struct segment_check *check);

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

/* No bridge of a row has the name of the one that it makes up? */
bool config_segment_has_room(const struct cfg_segment *segment,
			     const struct cfg_switch *config);

#endif
