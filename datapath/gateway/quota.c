/* Counters of owners that have something; see quota.h. */
#include "gateway/quota.h"

struct owner {
	struct hash_node node;
	uint64_t id;
	unsigned used;
};

static struct owner *find(const struct quota *quota, uint64_t id)
{
	uint64_t hash = keyed_hash(&quota->key, &id, sizeof(id));
	struct hash_node *node = hash_index_find(&quota->owners, hash);

	for (; node; node = hash_index_same(node->next, hash)) {
		struct owner *o = CONTAINER_OF(node, struct owner, node);

		if (o->id == id)
			return o;
	}
	return NULL;
}

void quota_init(struct quota *quota, const struct hash_key *key, uint32_t n,
		unsigned max)
{
	quota->key = *key;
	quota->max = max;
	hash_index_init(&quota->owners, n);
}

void quota_fini(struct quota *quota)
{
	for (uint32_t i = 0; i <= quota->owners.mask; i++) {
		struct hash_node *node = quota->owners.buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			free(CONTAINER_OF(node, struct owner, node));
		}
	}
	hash_index_fini(&quota->owners);
}

unsigned quota_used(const struct quota *quota, uint64_t owner)
{
	const struct owner *o = find(quota, owner);

	return o ? o->used : 0;
}

void quota_take(struct quota *quota, uint64_t owner)
{
	struct owner *o = find(quota, owner);

	if (!o) {
		o = xcalloc(1, sizeof(*o));
		o->id = owner;
		hash_index_add(&quota->owners, &o->node,
			       keyed_hash(&quota->key, &owner, sizeof(owner)));
	}
	o->used++;
}

void quota_release(struct quota *quota, uint64_t owner)
{
	struct owner *o = find(quota, owner);

	if (!o || --o->used)
		return;
	hash_index_remove(&quota->owners, &o->node);
	free(o);
}
