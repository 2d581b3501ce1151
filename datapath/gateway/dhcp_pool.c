/* Which address a client gets, and what gives way for it. */
#include "gateway/dhcp_internal.h"

#define LARGE_TABLE 4096
#define SCAN_MS	    10

bool dhcp_pool_usable(const struct dhcp *d, uint32_t ip, uint64_t mac)
{
	const struct dhcp_config *c = &d->config;
	const struct dhcp_reservation *r = dhcp_reservation_of_ip(c, ip);

	if (r)
		return r->mac == mac;
	return ip >= c->first && ip <= c->last && ip != c->server &&
	       ip != c->router && !dhcp_reservation_of_mac(c, mac);
}

struct lease *dhcp_pool_own(const struct dhcp *d, const struct dhcp_message *m)
{
	const struct dhcp_reservation *r =
		dhcp_reservation_of_mac(&d->config, m->mac);
	struct lease *l;

	if (r) { /* whatever its identifier is this time */
		l = lease_find_ip(&d->leases, r->ip);
		if (l && l->public.mac == m->mac &&
		    l->public.state != DHCP_DECLINED)
			return l;
	}
	return lease_find_client(&d->leases, m->mac, m->client_id.bytes,
				 m->client_id.len);
}

void dhcp_pool_drop(struct dhcp *d, struct lease *l)
{
	bool told = l->public.state != DHCP_OFFERED || l->was_bound;

	if (told && d->ops.changed)
		d->ops.changed(&l->public, true, d->ops_arg);
	lease_remove(&d->leases, l);
}

/* The same whenever it is asked, so not a keyed hash: FNV-1a. */
static uint32_t stable_hash(const struct dhcp_message *m)
{
	const uint8_t *at = m->client_id.len ? m->client_id.bytes : m->chaddr;
	unsigned len = m->client_id.len ? m->client_id.len : 6;
	uint64_t hash = 0xcbf29ce484222325;

	for (unsigned i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3;
	return hash ^ hash >> 32;
}

static bool may_scan(struct dhcp *d, uint64_t now_ms)
{
	if (d->leases.n <= LARGE_TABLE)
		return true;
	if (now_ms < d->scan_ms)
		return false;
	d->scan_ms = now_ms + SCAN_MS;
	return true;
}

enum whose { ANYBODYS, OF_PORT, OF_MAC };

/* The lease in that state that has been so for longest. */
static struct lease *oldest(struct dhcp *d, enum dhcp_lease_state state,
			    enum whose whose, uint64_t id, uint64_t mac)
{
	struct lease *best = NULL;

	for (struct lease *l = d->leases.all; l; l = l->next) {
		if (l->public.state != state ||
		    (whose == OF_PORT && l->public.port != id) ||
		    (whose == OF_MAC && l->public.mac != id) ||
		    (whose == ANYBODYS &&
		     !dhcp_pool_usable(d, l->public.ip, mac)))
			continue;
		if (!best || l->public.expires_ms < best->public.expires_ms)
			best = l;
	}
	return best;
}

/* What the client has too much of gives way, unless it is live. */
static bool make_room(struct dhcp *d, const struct dhcp_message *m,
		      uint32_t port, uint64_t now_ms)
{
	struct lease_table *t = &d->leases;
	struct lease *l;

	t->ports.max = d->config.leases_per_port;
	t->macs.max = d->config.leases_per_mac;
	if (!quota_has_room(&t->offers, port)) {
		l = may_scan(d, now_ms)
			    ? oldest(d, DHCP_OFFERED, OF_PORT, port, 0)
			    : NULL;
		if (!l)
			return false;
		dhcp_pool_drop(d, l);
	}
	if (!quota_has_room(&t->macs, m->mac)) {
		l = may_scan(d, now_ms)
			    ? oldest(d, DHCP_OVER, OF_MAC, m->mac, 0)
			    : NULL;
		if (!l)
			return false;
		dhcp_pool_drop(d, l);
	}
	if (!quota_has_room(&t->ports, port)) {
		l = may_scan(d, now_ms) ? oldest(d, DHCP_OVER, OF_PORT, port, 0)
					: NULL;
		if (!l)
			return false;
		dhcp_pool_drop(d, l);
	}
	return true;
}

/* An address that no lease is of; 0: none. */
static uint32_t find_unused(const struct dhcp *d, const struct dhcp_message *m)
{
	const struct dhcp_config *c = &d->config;
	uint32_t size = c->last - c->first + 1, start, ip;

	start = stable_hash(m) % size;
	/* no more are taken than there are leases and reservations */
	size = MIN(size, d->leases.n + c->n_reservations + 3);
	for (uint32_t i = 0; i < size; i++) {
		ip = c->first + (start + i) % (c->last - c->first + 1);
		if (!lease_find_ip(&d->leases, ip) &&
		    dhcp_pool_usable(d, ip, m->mac))
			return ip;
	}
	return 0;
}

static struct lease *add(struct dhcp *d, const struct dhcp_message *m,
			 uint32_t ip, uint32_t port, uint64_t now_ms)
{
	struct dhcp_lease lease = {
		.ip = ip,
		.state = DHCP_OFFERED,
		.mac = m->mac,
		.port = port,
		.client_id_len = m->client_id.len,
		.expires_ms = now_ms + DHCP_OFFER_MS,
	};
	struct lease *l;

	memcpy(lease.client_id, m->client_id.bytes, m->client_id.len);
	l = lease_add(&d->leases, &lease);
	if (!l)
		d->counters.limited++;
	return l;
}

static uint32_t choose_ip(struct dhcp *d, const struct dhcp_message *m,
			  uint64_t now_ms)
{
	const struct dhcp_reservation *r =
		dhcp_reservation_of_mac(&d->config, m->mac);
	struct lease *l;
	uint32_t ip;

	if (r) {
		l = lease_find_ip(&d->leases, r->ip);
		if (!l)
			return r->ip;
		if (l->public.state == DHCP_BOUND ||
		    l->public.state == DHCP_DECLINED)
			return 0; /* given out before it was reserved */
		dhcp_pool_drop(d, l);
		return r->ip;
	}
	if (m->requested_ip && dhcp_pool_usable(d, m->requested_ip, m->mac) &&
	    !lease_find_ip(&d->leases, m->requested_ip))
		return m->requested_ip;
	ip = find_unused(d, m);
	if (ip || !may_scan(d, now_ms))
		return ip;
	l = oldest(d, DHCP_OVER, ANYBODYS, 0, m->mac);
	if (!l)
		return 0;
	ip = l->public.ip;
	dhcp_pool_drop(d, l);
	return ip;
}

struct lease *dhcp_pool_choose(struct dhcp *d, const struct dhcp_message *m,
			       uint32_t port, uint64_t now_ms)
{
	uint32_t ip;

	if (!make_room(d, m, port, now_ms)) {
		d->counters.limited++;
		return NULL;
	}
	ip = choose_ip(d, m, now_ms);
	if (!ip) {
		d->counters.exhausted++;
		return NULL;
	}
	return add(d, m, ip, port, now_ms);
}

struct lease *dhcp_pool_take(struct dhcp *d, const struct dhcp_message *m,
			     uint32_t ip, uint32_t port, uint64_t now_ms)
{
	if (!dhcp_pool_usable(d, ip, m->mac) || lease_find_ip(&d->leases, ip))
		return NULL;
	if (!make_room(d, m, port, now_ms)) {
		d->counters.limited++;
		return NULL;
	}
	return add(d, m, ip, port, now_ms);
}
