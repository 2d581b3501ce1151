/*
 * How a segment's leases get into the database; segment_rows.c calls it with
 * each transaction. What the segment's other parts call is in segment.h.
 */
#ifndef VSWD_SEGMENT_LEASES_H
#define VSWD_SEGMENT_LEASES_H

#include <jansson.h>

#include "base/util.h"

struct segment_leases;

/*
 * Appends the operations for what has changed, a part of it if that is much,
 * unless a transaction is under way. segment_leases_told() must follow.
 */
void segment_leases_collect(struct segment_leases *leases, json_t *operations);
/*
 * The transaction's result, an answer for each operation; NULL: it failed, or
 * it is not known whether it was carried out.
 */
void segment_leases_told(struct segment_leases *leases, const json_t *result);
struct dhcp_counters;
/* Now and then: says in the log when there was no address for somebody. */
void segment_leases_look(struct segment_leases *leases,
			 const struct dhcp_counters *counters);
/* Those that are live. */
size_t segment_leases_count(const struct segment_leases *leases);

#endif
