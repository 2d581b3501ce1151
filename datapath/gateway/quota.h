/*
 * How many records of a table belong to whom: so that no port and no client
 * takes more than its share. Owners that have none take no memory. One thread.
 */
#ifndef GATEWAY_QUOTA_H
#define GATEWAY_QUOTA_H

#include "gateway/hash_index.h"
#include "gateway/keyed_hash.h"

struct quota {
	struct hash_index owners;
	struct hash_key key;
	unsigned max; /* for each owner; may be changed at any time */
};

/* n: records in the table, at most. */
void quota_init(struct quota *quota, const struct hash_key *key, uint32_t n,
		unsigned max);
void quota_fini(struct quota *quota);

unsigned quota_used(const struct quota *quota, uint64_t owner);
static inline bool quota_has_room(const struct quota *quota, uint64_t owner)
{
	return quota_used(quota, owner) < quota->max;
}
/* One more; the limit is the caller's to ask for. */
void quota_take(struct quota *quota, uint64_t owner);
/* One that was taken is no more. */
void quota_release(struct quota *quota, uint64_t owner);

#endif
