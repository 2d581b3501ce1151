/* Entering, removing and searching in the hashes of sessions. */
#include <errno.h>

#include "nat/hash.h"

uint32_t nat_search_next(struct nat_search *s)
{
	for (; s->probe < NAT_PROBES; s->probe++, s->slot = 0) {
		struct nat_bucket *b = nat_bucket_n(s->hash, s->h, s->probe);
		uint64_t tag = nat_tag(s->h), tags;
		uint32_t id;

		for (; s->slot < NAT_BUCKET_SLOTS; s->slot++) {
			tags = atomic_load_explicit(&b->tags[s->slot / 4],
						    memory_order_acquire);
			if ((tags >> 16 * (s->slot % 4) & 0xffff) != tag)
				continue;
			id = atomic_load_explicit(&b->ids[s->slot],
						  memory_order_acquire);
			if (!id)
				continue;
			s->slot++;
			return id - 1;
		}
		if (!atomic_load_explicit(&b->passed, memory_order_acquire))
			break;
	}
	return NAT_NONE;
}

static bool insert_at(struct nat_bucket *b, uint64_t tag, uint32_t id)
{
	for (unsigned i = 0; i < NAT_BUCKET_SLOTS; i++) {
		uint32_t free = 0;

		if (atomic_load_explicit(&b->ids[i], memory_order_relaxed) ||
		    !atomic_compare_exchange_strong_explicit(
			    &b->ids[i], &free, id + 1, memory_order_acq_rel,
			    memory_order_relaxed))
			continue;
		atomic_fetch_or_explicit(&b->tags[i / 4], tag << 16 * (i % 4),
					 memory_order_release);
		return true;
	}
	return false;
}

static void unpass(const struct nat_hash *hash, uint64_t h, unsigned probe)
{
	while (probe--)
		atomic_fetch_sub_explicit(&nat_bucket_n(hash, h, probe)->passed,
					  1, memory_order_release);
}

int nat_hash_insert(struct nat_hash *hash, uint64_t h, uint32_t id)
{
	for (unsigned probe = 0; probe < NAT_PROBES; probe++) {
		struct nat_bucket *b = nat_bucket_n(hash, h, probe);

		if (insert_at(b, nat_tag(h), id))
			return 0;
		atomic_fetch_add_explicit(&b->passed, 1, memory_order_release);
	}
	unpass(hash, h, NAT_PROBES);
	return -ENOSPC;
}

/* The bucket and slot of an entry that is there. */
static struct nat_bucket *find_entry(const struct nat_hash *hash, uint64_t h,
				     uint32_t id, unsigned *probe,
				     unsigned *slot)
{
	for (*probe = 0; *probe < NAT_PROBES; ++*probe) {
		struct nat_bucket *b = nat_bucket_n(hash, h, *probe);

		for (*slot = 0; *slot < NAT_BUCKET_SLOTS; ++*slot) {
			uint64_t tags = atomic_load_explicit(
				&b->tags[*slot / 4], memory_order_relaxed);

			if (atomic_load_explicit(&b->ids[*slot],
						 memory_order_relaxed) ==
				    id + 1 &&
			    (tags >> 16 * (*slot % 4) & 0xffff) == nat_tag(h))
				return b;
		}
	}
	return NULL;
}

void nat_hash_remove(struct nat_hash *hash, uint64_t h, uint32_t id)
{
	unsigned probe, i;
	struct nat_bucket *b = find_entry(hash, h, id, &probe, &i);

	if (!b)
		return;
	atomic_fetch_and_explicit(&b->tags[i / 4], ~(0xffffull << 16 * (i % 4)),
				  memory_order_release);
	atomic_store_explicit(&b->ids[i], 0, memory_order_release);
	unpass(hash, h, probe);
}

void nat_hash_replace(struct nat_hash *hash, uint64_t h, uint32_t id,
		      uint32_t by)
{
	unsigned probe, i;
	struct nat_bucket *b = find_entry(hash, h, id, &probe, &i);

	if (b)
		atomic_store_explicit(&b->ids[i], by + 1, memory_order_release);
}
