/* The table of leases; see dhcp_leases.h. */
#include "gateway/dhcp_leases.h"

#define BUCKETS_MAX 4096 /* most segments have far fewer leases than may be */

void lease_table_init(struct lease_table *t, const struct hash_key *key,
		      unsigned max)
{
	unsigned buckets = MIN(max, (unsigned)BUCKETS_MAX);

	t->key = *key;
	t->max = max;
	t->next_ms = UINT64_MAX;
	hash_index_init(&t->ips, buckets);
	hash_index_init(&t->clients, buckets);
	hash_index_init(&t->names, buckets);
	quota_init(&t->ports, key, buckets, UINT32_MAX);
	quota_init(&t->macs, key, buckets, UINT32_MAX);
	quota_init(&t->offers, key, 256, DHCP_OFFERS_PER_PORT);
	quota_init(&t->declines, key, 256, DHCP_DECLINES_PER_PORT);
}

void lease_table_fini(struct lease_table *t)
{
	while (t->all)
		lease_remove(t, t->all);
	hash_index_fini(&t->ips);
	hash_index_fini(&t->clients);
	hash_index_fini(&t->names);
	quota_fini(&t->ports);
	quota_fini(&t->macs);
	quota_fini(&t->offers);
	quota_fini(&t->declines);
}

static uint64_t hash_ip(const struct lease_table *t, uint32_t ip)
{
	return keyed_hash(&t->key, &ip, sizeof(ip));
}

static uint64_t hash_client(const struct lease_table *t, uint64_t mac,
			    const uint8_t *client_id, unsigned len)
{
	return (len ? keyed_hash(&t->key, client_id, len) : 0) ^
	       keyed_hash(&t->key, &mac, sizeof(mac));
}

struct lease *lease_find_ip(const struct lease_table *t, uint32_t ip)
{
	uint64_t hash = hash_ip(t, ip);
	struct hash_node *node = hash_index_find(&t->ips, hash);

	for (; node; node = hash_index_same(node->next, hash)) {
		struct lease *l = CONTAINER_OF(node, struct lease, by_ip);

		if (l->public.ip == ip)
			return l;
	}
	return NULL;
}

static bool is_client(const struct dhcp_lease *l, uint64_t mac,
		      const uint8_t *client_id, unsigned len)
{
	return l->state != DHCP_DECLINED && l->mac == mac &&
	       l->client_id_len == len && !memcmp(l->client_id, client_id, len);
}

struct lease *lease_find_client(const struct lease_table *t, uint64_t mac,
				const uint8_t *client_id, unsigned len)
{
	uint64_t hash = hash_client(t, mac, client_id, len);
	struct hash_node *node = hash_index_find(&t->clients, hash);

	for (; node; node = hash_index_same(node->next, hash)) {
		struct lease *l = CONTAINER_OF(node, struct lease, by_client);

		if (is_client(&l->public, mac, client_id, len))
			return l;
	}
	return NULL;
}

struct lease *lease_find_name(const struct lease_table *t, const char *name)
{
	uint64_t hash = keyed_hash(&t->key, name, strlen(name));
	struct hash_node *node = hash_index_find(&t->names, hash);

	for (; node; node = hash_index_same(node->next, hash)) {
		struct lease *l = CONTAINER_OF(node, struct lease, by_name);

		if (!strcmp(l->public.hostname, name))
			return l;
	}
	return NULL;
}

static void count(struct lease_table *t, const struct dhcp_lease *l)
{
	if (l->state == DHCP_DECLINED) {
		quota_take(&t->declines, l->port);
		return;
	}
	quota_take(&t->ports, l->port);
	quota_take(&t->macs, l->mac);
	if (l->state == DHCP_OFFERED)
		quota_take(&t->offers, l->port);
}

static void uncount(struct lease_table *t, const struct dhcp_lease *l)
{
	if (l->state == DHCP_DECLINED) {
		quota_release(&t->declines, l->port);
		return;
	}
	quota_release(&t->ports, l->port);
	quota_release(&t->macs, l->mac);
	if (l->state == DHCP_OFFERED)
		quota_release(&t->offers, l->port);
}

struct lease *lease_add(struct lease_table *t, const struct dhcp_lease *from)
{
	struct lease *l;

	if (t->n >= t->max)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->public = *from;
	l->public.hostname[0] = '\0';
	l->next = t->all;
	l->prev = &t->all;
	if (t->all)
		t->all->prev = &l->next;
	t->all = l;
	t->n++;
	hash_index_add(&t->ips, &l->by_ip, hash_ip(t, from->ip));
	hash_index_add(&t->clients, &l->by_client,
		       hash_client(t, from->mac, from->client_id,
				   from->client_id_len));
	count(t, &l->public);
	if (from->state != DHCP_OVER)
		t->next_ms = MIN(t->next_ms, from->expires_ms);
	return l;
}

void lease_remove(struct lease_table *t, struct lease *l)
{
	uncount(t, &l->public);
	lease_set_name(t, l, "");
	hash_index_remove(&t->ips, &l->by_ip);
	hash_index_remove(&t->clients, &l->by_client);
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	t->n--;
	free(l);
}

void lease_set_state(struct lease_table *t, struct lease *l,
		     enum dhcp_lease_state state, uint64_t expires_ms)
{
	uncount(t, &l->public);
	l->public.state = state;
	l->public.expires_ms = expires_ms;
	count(t, &l->public);
	if (state != DHCP_OVER)
		t->next_ms = MIN(t->next_ms, expires_ms);
}

void lease_set_port(struct lease_table *t, struct lease *l, uint32_t port)
{
	uncount(t, &l->public);
	l->public.port = port;
	count(t, &l->public);
}

bool lease_set_name(struct lease_table *t, struct lease *l, const char *name)
{
	struct lease *other;

	if (l->named && !strcmp(l->public.hostname, name))
		return true;
	if (l->named)
		hash_index_remove(&t->names, &l->by_name);
	l->named = false;
	l->public.hostname[0] = '\0';
	if (!name[0])
		return true;
	other = lease_find_name(t, name);
	if (other && other->public.state == DHCP_BOUND)
		return false;
	if (other)
		lease_set_name(t, other, "");
	strcpy(l->public.hostname, name);
	hash_index_add(&t->names, &l->by_name,
		       keyed_hash(&t->key, name, strlen(name)));
	l->named = true;
	return true;
}
