/* The neighbour cache of a gateway; see neighbor_cache.h. */
#include "gateway/neighbor_cache.h"

#include <errno.h>

#include "gateway/quota.h"

#define NEVER	    UINT64_MAX
#define STRANGER_MS 1000
#define SCAN_MS	    10 /* looking for what may give way costs: this often only */

struct entry {
	struct hash_node node;
	struct entry *next, **prev; /* in a list of all */
	struct ip_address ip;
	struct gateway_client client; /* mac 0: not known */
	struct gateway_client
		rival; /* mac 0: none; gets it if nobody answers */
	uint32_t asker;
	bool failed;
	bool wanted;   /* resolve() said -EAGAIN */
	unsigned asks; /* made since it was heard of */
	uint64_t heard_ms;
	uint64_t due_ms; /* the next question, or the end of an entry */
	uint64_t reported_ms;
	bool reported;
};

struct neighbor_cache {
	struct neighbor_limits limits;
	struct hash_key key;
	struct neighbor_ops ops;
	void *ops_arg;
	struct hash_index index;
	struct entry *all;
	unsigned n, n_asked;
	struct quota ports, macs, askers;
	uint64_t next_ms, scan_ms, stranger_ms;
	struct neighbor_counters counters;
};

struct neighbor_cache *neighbor_cache_create(const struct neighbor_limits *l,
					     const struct hash_key *key,
					     const struct neighbor_ops *ops,
					     void *ops_arg)
{
	struct neighbor_cache *c = xcalloc(1, sizeof(*c));

	c->limits.total = l->total ? l->total : 4096;
	c->limits.per_port = l->per_port ? l->per_port : 1024;
	c->limits.per_mac = l->per_mac ? l->per_mac : 16;
	c->limits.asked = l->asked ? l->asked : 256;
	c->limits.asked_per_port = l->asked_per_port ? l->asked_per_port : 64;
	c->key = *key;
	c->ops = *ops;
	c->ops_arg = ops_arg;
	c->next_ms = NEVER;
	hash_index_init(&c->index, c->limits.total);
	quota_init(&c->ports, key, c->limits.total, c->limits.per_port);
	quota_init(&c->macs, key, c->limits.total, c->limits.per_mac);
	quota_init(&c->askers, key, c->limits.asked, c->limits.asked_per_port);
	return c;
}

static uint64_t hash_of(const struct neighbor_cache *c,
			const struct ip_address *ip)
{
	return keyed_hash(&c->key, ip->bytes, ip->len);
}

static struct entry *find(const struct neighbor_cache *c,
			  const struct ip_address *ip)
{
	uint64_t hash = hash_of(c, ip);
	struct hash_node *node = hash_index_find(&c->index, hash);

	for (; node; node = hash_index_same(node->next, hash)) {
		struct entry *e = CONTAINER_OF(node, struct entry, node);

		if (ip_address_equal(&e->ip, ip))
			return e;
	}
	return NULL;
}

/* Gives back what the entry counts as: known, or asked for. */
static void uncount(struct neighbor_cache *c, const struct entry *e)
{
	if (e->client.mac) {
		quota_release(&c->ports, e->client.port);
		quota_release(&c->macs, e->client.mac);
	} else {
		quota_release(&c->askers, e->asker);
		c->n_asked--;
	}
}

static void count_known(struct neighbor_cache *c, struct entry *e,
			const struct gateway_client *client)
{
	e->client = *client;
	quota_take(&c->ports, client->port);
	quota_take(&c->macs, client->mac);
}

static void tell_changed(struct neighbor_cache *c, const struct ip_address *ip,
			 uint64_t mac)
{
	if (c->ops.changed)
		c->ops.changed(ip, mac, c->ops_arg);
}

static struct entry *add(struct neighbor_cache *c, const struct ip_address *ip)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->ip = *ip;
	e->next = c->all;
	e->prev = &c->all;
	if (c->all)
		c->all->prev = &e->next;
	c->all = e;
	hash_index_add(&c->index, &e->node, hash_of(c, ip));
	c->n++;
	return e;
}

static void discard(struct neighbor_cache *c, struct entry *e)
{
	uncount(c, e);
	if (e->client.mac)
		tell_changed(c, &e->ip, 0);
	hash_index_remove(&c->index, &e->node);
	*e->prev = e->next;
	if (e->next)
		e->next->prev = e->prev;
	c->n--;
	free(e);
}

void neighbor_cache_destroy(struct neighbor_cache *c)
{
	if (!c)
		return;
	c->ops.changed = NULL;
	while (c->all)
		discard(c, c->all);
	hash_index_fini(&c->index);
	quota_fini(&c->ports);
	quota_fini(&c->macs);
	quota_fini(&c->askers);
	free(c);
}

static void set_due(struct neighbor_cache *c, struct entry *e, uint64_t due)
{
	e->due_ms = due;
	c->next_ms = MIN(c->next_ms, due);
}

static void ask(struct neighbor_cache *c, struct entry *e, uint64_t now)
{
	e->asks++;
	set_due(c, e, now + NEIGHBOR_ASK_MS);
	c->ops.ask(&e->ip, e->client.mac, c->ops_arg);
}

/* Room for one more of the client, by what nobody heard of any more. */
static bool make_room(struct neighbor_cache *c,
		      const struct gateway_client *client, uint64_t now)
{
	bool port_full = !quota_has_room(&c->ports, client->port);
	bool mac_full = !quota_has_room(&c->macs, client->mac);
	struct entry *oldest = NULL;

	if (!port_full && !mac_full && c->n < c->limits.total)
		return true;
	if (now < c->scan_ms)
		return false;
	c->scan_ms = now + SCAN_MS;
	for (struct entry *e = c->all; e; e = e->next)
		if (e->client.mac && now - e->heard_ms >= NEIGHBOR_STALE_MS &&
		    (!port_full || e->client.port == client->port) &&
		    (!mac_full || e->client.mac == client->mac) &&
		    (!oldest || e->heard_ms < oldest->heard_ms))
			oldest = e;
	if (!oldest)
		return false;
	c->scan_ms = 0;
	c->counters.evicted++;
	discard(c, oldest);
	return true;
}

static void tell_resolved(struct neighbor_cache *c, struct entry *e)
{
	if (!e->wanted)
		return;
	e->wanted = false;
	if (c->ops.resolved)
		c->ops.resolved(&e->ip, e->client.mac, c->ops_arg);
}

static void heard(struct neighbor_cache *c, struct entry *e, uint64_t now)
{
	e->heard_ms = now;
	e->asks = 0;
	e->failed = false;
	set_due(c, e, now + NEIGHBOR_FORGET_MS);
}

static void report(struct neighbor_cache *c, struct entry *e,
		   const struct gateway_client *claimant, uint64_t now)
{
	c->counters.conflicts++;
	if (e->reported && now - e->reported_ms < NEIGHBOR_CONFLICT_MS)
		return;
	e->reported = true;
	e->reported_ms = now;
	if (c->ops.conflict)
		c->ops.conflict(&e->ip, e->client.mac, claimant, c->ops_arg);
}

static enum neighbor_learned take_over(struct neighbor_cache *c,
				       struct entry *e,
				       const struct gateway_client *client,
				       uint64_t now)
{
	bool known = e->client.mac;

	/* What it held is counted as its own until here. */
	if (!quota_has_room(&c->ports, client->port) ||
	    !quota_has_room(&c->macs, client->mac)) {
		if (!(known && e->client.port == client->port &&
		      quota_has_room(&c->macs, client->mac))) {
			c->counters.refused++;
			return NEIGHBOR_REFUSED;
		}
	}
	uncount(c, e);
	count_known(c, e, client);
	tell_changed(c, &e->ip, client->mac);
	e->rival.mac = 0;
	if (known)
		c->counters.moved++;
	heard(c, e, now);
	tell_resolved(c, e);
	return NEIGHBOR_KNOWN;
}

/* Somebody else than the entry's holder claims its address. */
static enum neighbor_learned claim(struct neighbor_cache *c, struct entry *e,
				   const struct gateway_client *client,
				   uint64_t now)
{
	if (now - e->heard_ms >= NEIGHBOR_REACHABLE_MS)
		return take_over(c, e, client, now);
	if (!e->rival.mac) {
		e->rival = *client;
		e->asks = 0;
		ask(c, e, now);
	}
	return NEIGHBOR_ASKING;
}

static enum neighbor_learned learn_known(struct neighbor_cache *c,
					 struct entry *e,
					 const struct gateway_client *client,
					 uint64_t now)
{
	if (e->client.mac == client->mac) {
		if (e->rival.mac) /* it is still there */
			report(c, e, &e->rival, now);
		e->rival.mac = 0;
		if (e->client.port != client->port) {
			quota_release(&c->ports, e->client.port);
			e->client.port = client->port;
			quota_take(&c->ports, client->port);
		}
		heard(c, e, now);
		return NEIGHBOR_KNOWN;
	}
	return claim(c, e, client, now);
}

/* The address has an owner, by a lease, and this is somebody else. */
static void refuse_stranger(struct neighbor_cache *c, struct entry *e,
			    const struct ip_address *ip, uint64_t owner,
			    const struct gateway_client *client, uint64_t now)
{
	if (e && e->client.mac == owner) {
		report(c, e, client, now);
		return;
	}
	if (e && e->client.mac) /* from before there was a lease */
		discard(c, e);
	/* with no entry that remembers it: one report a second of all */
	c->counters.conflicts++;
	if (!c->ops.conflict || now < c->stranger_ms)
		return;
	c->stranger_ms = now + STRANGER_MS;
	c->ops.conflict(ip, owner, client, c->ops_arg);
}

enum neighbor_learned neighbor_cache_learn(struct neighbor_cache *c,
					   const struct ip_address *ip,
					   const struct gateway_client *client,
					   bool create, uint64_t now)
{
	struct entry *e = find(c, ip);
	uint64_t owner;
	bool owned = c->ops.owner && c->ops.owner(ip, &owner, c->ops_arg);

	if (owned && owner != client->mac) {
		refuse_stranger(c, e, ip, owner, client, now);
		return NEIGHBOR_REFUSED;
	}
	if (e && e->client.mac && owned && e->client.mac != client->mac) {
		struct gateway_client former = e->client;
		enum neighbor_learned l = take_over(c, e, client, now);

		if (l == NEIGHBOR_KNOWN)
			report(c, e, &former, now);
		return l;
	}
	if (e && e->client.mac)
		return learn_known(c, e, client, now);
	if (e)
		return take_over(c, e, client, now);
	if (!create)
		return NEIGHBOR_IGNORED;
	if (!make_room(c, client, now)) {
		c->counters.refused++;
		return NEIGHBOR_REFUSED;
	}
	e = add(c, ip);
	count_known(c, e, client);
	tell_changed(c, ip, client->mac);
	heard(c, e, now);
	return NEIGHBOR_KNOWN;
}

static int begin_asking(struct neighbor_cache *c, const struct ip_address *ip,
			uint32_t asker, uint64_t now)
{
	struct entry *e;

	if (c->n_asked >= c->limits.asked || c->n >= c->limits.total ||
	    !quota_has_room(&c->askers, asker)) {
		c->counters.refused++;
		return -ENOBUFS;
	}
	e = add(c, ip);
	e->asker = asker;
	e->wanted = true;
	quota_take(&c->askers, asker);
	c->n_asked++;
	ask(c, e, now);
	return -EAGAIN;
}

int neighbor_cache_resolve(struct neighbor_cache *c,
			   const struct ip_address *ip, uint32_t asker,
			   uint64_t now, uint64_t *mac)
{
	struct entry *e = find(c, ip);

	if (!e)
		return begin_asking(c, ip, asker, now);
	if (e->failed)
		return -EHOSTUNREACH;
	if (!e->client.mac) {
		e->wanted = true;
		return -EAGAIN;
	}
	if (now - e->heard_ms >= NEIGHBOR_REACHABLE_MS && !e->asks)
		ask(c, e, now);
	*mac = e->client.mac;
	return 0;
}

void neighbor_cache_forget_port(struct neighbor_cache *c, uint32_t port)
{
	struct entry *e, *next;

	for (e = c->all; e; e = next) {
		next = e->next;
		if (e->client.mac && e->client.port == port)
			discard(c, e);
	}
}

/* Its questions were not answered, or it is forgotten. */
static void expire(struct neighbor_cache *c, struct entry *e, uint64_t now)
{
	bool asking = e->asks;

	if (asking && e->asks < NEIGHBOR_ASKS) {
		ask(c, e, now);
	} else if (e->rival.mac) {
		struct gateway_client rival = e->rival;

		e->rival.mac = 0;
		if (take_over(c, e, &rival, now) != NEIGHBOR_KNOWN)
			discard(c, e);
	} else if (asking && !e->client.mac && !e->failed) {
		e->failed = true;
		c->counters.failed++;
		set_due(c, e, now + NEIGHBOR_FAILED_MS);
		tell_resolved(c, e);
	} else {
		if (asking && !e->failed)
			c->counters.failed++;
		discard(c, e);
	}
}

void neighbor_cache_run(struct neighbor_cache *c, uint64_t now)
{
	struct entry *e, *next;

	if (now < c->next_ms)
		return;
	c->next_ms = NEVER;
	for (e = c->all; e; e = next) {
		next = e->next;
		if (now >= e->due_ms)
			expire(c, e, now);
		else
			c->next_ms = MIN(c->next_ms, e->due_ms);
	}
}

uint64_t neighbor_cache_next_ms(const struct neighbor_cache *c)
{
	return c->next_ms;
}

void neighbor_cache_list(const struct neighbor_cache *c, uint64_t now,
			 void (*cb)(const struct neighbor_info *, void *arg),
			 void *arg)
{
	for (const struct entry *e = c->all; e; e = e->next) {
		bool fresh = now - e->heard_ms < NEIGHBOR_REACHABLE_MS;
		struct neighbor_info info = {
			.ip = e->ip,
			.client = e->client,
			.heard_ms = e->heard_ms,
			.state = e->failed	  ? "failed"
				 : !e->client.mac ? "asking"
				 : fresh	  ? "reachable"
						  : "stale",
		};

		cb(&info, arg);
	}
}

const struct neighbor_counters *neighbor_cache_counters(
	const struct neighbor_cache *c)
{
	return &c->counters;
}
