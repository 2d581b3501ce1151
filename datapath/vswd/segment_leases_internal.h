/*
 * What segment_leases.c (leases as they are) and segment_leases_told.c (what
 * the database has of them) share.
 */
#ifndef VSWD_SEGMENT_LEASES_INTERNAL_H
#define VSWD_SEGMENT_LEASES_INTERNAL_H

#include "ovsdb-lite/hmap.h"
#include "vswd/segment.h"
#include "vswd/segment_leases.h"

#define LEASES_A_TRANSACTION 256

enum sent { NOT_SENT, SENT_INSERT, SENT_UPDATE, SENT_REMOVAL };

struct lease_row {
	struct hmap_node node; /* by address */
	struct dhcp_lease lease;
	int64_t expires_s; /* since 1970 */
	/*
	 * Of its port when the client was heard last, as the port may be gone
	 * since, and its number another's. NULL: none.
	 */
	char *interface;
	bool gone;     /* is to be removed */
	bool is_spare; /* a second row of its address: not in the table */
	bool has_row;
	struct uuid uuid; /* of the row */

	struct lease_row *next; /* of those that are to be told */
	bool dirty;
	enum sent sent; /* in the transaction under way */
	size_t index;	/* of its operation */
};

struct segment_leases {
	struct segment *seg;
	struct hmap rows;
	struct lease_row *dirty, **dirty_end;
	struct lease_row **sent; /* those of the transaction under way */
	size_t n_sent;
	bool unsure; /* what the database has */
	bool restored;
	struct uuid segment; /* the row that refers to them */
	uint64_t exhausted;  /* that the log has told of */
};

/* Also of one that is in the table; it is in no list. */
void lease_row_discard(struct segment_leases *leases, struct lease_row *row);
/* The first of those that are to be told; NULL: none. */
struct lease_row *lease_row_take_dirty(struct segment_leases *leases);
const char *lease_state_name(enum dhcp_lease_state state);

#endif
