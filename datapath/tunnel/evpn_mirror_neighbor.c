/*
 * The mirror's pairs of address and MAC (evpn_mirror.h): neighbor entries on
 * the bridge. Ours are those without extern_learn.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/evpn_mirror_internal.h"

static int compare_neighbors(const void *a, const void *b)
{
	const struct evpn_ip *x = &((const struct neighbor *)a)->ip;
	const struct evpn_ip *y = &((const struct neighbor *)b)->ip;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static struct neighbor *neighbor_find(const struct evpn_mirror *m,
				      const struct evpn_ip *ip)
{
	struct neighbor key = { .ip = *ip };
	struct neighbor **at = tfind(&key, &m->neighbors, compare_neighbors);

	return at ? *at : NULL;
}

static struct neighbor *neighbor_get(struct evpn_mirror *m,
				     const struct evpn_ip *ip)
{
	struct neighbor *n = neighbor_find(m, ip);

	if (n)
		return n;
	if (m->counters.ips >= m->config.ips_max) {
		m->counters.ip_limit++;
		m->missed = true;
		return NULL;
	}
	n = xcalloc(1, sizeof(*n));
	n->record.type = RECORD_NEIGHBOR;
	n->ip = *ip;
	if (!tsearch(n, &m->neighbors, compare_neighbors))
		abort();
	m->counters.ips++;
	return n;
}

void neighbor_unlink(struct evpn_mirror *m, struct neighbor *n)
{
	tdelete(n, &m->neighbors, compare_neighbors);
	m->counters.ips--;
}

/* The MAC that we announce for it, or 0. */
static uint64_t announced(const struct neighbor *n)
{
	if (!n->owner || !n->owner->wanted || n->owner->displaced ||
	    n->displaced)
		return 0;
	return n->owner->mac;
}

static enum asked to_ask(const struct neighbor *n)
{
	enum asked asked = n->record.asked;
	uint64_t mac = announced(n);

	if (mac) {
		if (asked == ASKED_PUT)
			return n->asked_mac != mac ? ASKED_PUT : ASKED_NOTHING;
		return n->ours != mac || asked == ASKED_REMOVE ? ASKED_PUT
							       : ASKED_NOTHING;
	}
	/*
	 * The kernel removes by address alone: not what FRR has put there, also
	 * when our own request may still be on its way to it.
	 */
	if (n->record.held.there)
		return ASKED_NOTHING;
	if (asked == ASKED_PUT || (n->ours && asked != ASKED_REMOVE))
		return ASKED_REMOVE;
	return ASKED_NOTHING;
}

static void tell_pair(struct evpn_mirror *m, struct neighbor *n)
{
	bool live = held_live(&n->record.held) && !announced(n);
	uint64_t mac = live ? n->remote : 0;
	bool router = mac && n->router;

	if (mac == n->told && router == n->told_router)
		return;
	mirror_tell(m, &(struct evpn_news){ mac ? EVPN_PAIR : EVPN_PAIR_GONE,
					    .mac = mac ? mac : n->told,
					    .ip = n->ip, .router = router });
	n->told = mac;
	n->told_router = router;
}

void neighbor_update(struct evpn_mirror *m, struct neighbor *n)
{
	tell_pair(m, n);
	if (to_ask(n) != ASKED_NOTHING)
		mirror_queue(m, &n->record);
}

bool neighbor_request(struct evpn_mirror *m, struct neighbor *n,
		      struct evpn_request *r)
{
	enum asked ask = to_ask(n);

	if (ask == ASKED_NOTHING)
		return false;
	n->record.asked = ask;
	n->asked_mac = announced(n);
	evpn_put_neighbor(r, ++m->seq,
			  ask == ASKED_PUT ? EVPN_REPLACE : EVPN_DELETE,
			  m->config.bridge, &n->ip, n->asked_mac);
	return true;
}

bool neighbor_idle(const struct neighbor *n)
{
	return !n->owner && !n->ours && !n->record.held.there &&
	       !n->record.held.deadline && !n->told &&
	       n->record.asked == ASKED_NOTHING;
}

static void release(struct neighbor *n)
{
	struct neighbor **at = &n->owner->ips;

	while (*at != n)
		at = &(*at)->next_ip;
	*at = n->next_ip;
	n->owner->n_ips--;
	n->owner = NULL;
	n->displaced = false;
}

int evpn_mirror_local_ip(struct evpn_mirror *m, uint64_t address,
			 const struct evpn_ip *ip)
{
	struct mac *mac = mac_find(m, address);
	struct evpn_ip clean = { .len = ip->len };
	struct neighbor *n;

	if (ip->len != 4 && ip->len != 16)
		return -EINVAL;
	if (!mac || !mac->wanted)
		return -ENOENT;
	memcpy(clean.bytes, ip->bytes, ip->len);
	n = neighbor_find(m, &clean);
	if (!n || n->owner != mac) {
		if (mac->n_ips >= m->config.ips_a_mac_max) {
			m->counters.ip_limit++;
			return -ENOSPC;
		}
		n = neighbor_get(m, &clean);
		if (!n)
			return -ENOSPC;
		if (n->owner)
			release(n);
		n->owner = mac;
		n->next_ip = mac->ips;
		mac->ips = n;
		mac->n_ips++;
	}
	n->displaced = false;
	record_settle(m, &n->record);
	return 0;
}

void evpn_mirror_local_ip_gone(struct evpn_mirror *m, const struct evpn_ip *ip)
{
	struct evpn_ip clean = { .len = ip->len };
	struct neighbor *n;

	if (ip->len != 4 && ip->len != 16)
		return;
	memcpy(clean.bytes, ip->bytes, ip->len);
	n = neighbor_find(m, &clean);
	if (!n || !n->owner)
		return;
	release(n);
	record_settle(m, &n->record);
}

void neighbors_update_of(struct evpn_mirror *m, struct mac *mac)
{
	for (struct neighbor *n = mac->ips; n; n = n->next_ip)
		neighbor_update(m, n);
}

void neighbors_release_of(struct evpn_mirror *m, struct mac *mac)
{
	while (mac->ips) {
		struct neighbor *n = mac->ips;

		release(n);
		record_settle(m, &n->record);
	}
}

/* Our own entry, or one that was left: no extern_learn. */
static void ours_is_there(struct neighbor *n, const struct evpn_event *e)
{
	n->ours = e->neighbor.mac;
	n->record.held.there = false;
	n->record.held.deadline = 0;
	if (n->record.asked == ASKED_PUT && n->asked_mac == n->ours)
		n->record.asked = ASKED_NOTHING;
	if (n->owner && n->owner->mac == n->ours)
		n->displaced = false;
}

static void theirs_is_there(struct neighbor *n, const struct evpn_event *e)
{
	n->ours = 0;
	n->remote = e->neighbor.mac;
	n->router = e->neighbor.router;
	if (n->record.asked == ASKED_REMOVE)
		n->record.asked = ASKED_NOTHING;
	n->displaced |= n->owner != NULL;
}

static void none_is_there(struct evpn_mirror *m, struct neighbor *n)
{
	n->ours = 0;
	held_gone(m, &n->record.held);
	if (n->record.asked == ASKED_REMOVE)
		n->record.asked = ASKED_NOTHING;
}

void neighbor_event(struct evpn_mirror *m, const struct evpn_event *e)
{
	bool is_new = e->type == EVPN_NEIGHBOR && e->neighbor.valid;
	struct neighbor *n;

	if (e->neighbor.ifindex != m->config.bridge)
		return;
	if (is_new || mirror_dumping(m))
		n = neighbor_get(m, &e->neighbor.ip);
	else
		n = neighbor_find(m, &e->neighbor.ip);
	if (!n)
		return;
	if (!is_new) {
		none_is_there(m, n);
		n->record.held.gone = m->generation;
	} else if (held_new(m, &n->record.held, e->dump)) {
		if (e->neighbor.extern_learn)
			theirs_is_there(n, e);
		else
			ours_is_there(n, e);
	}
	record_settle(m, &n->record);
}

void neighbor_sweep(struct evpn_mirror *m, struct neighbor *n)
{
	if ((n->ours || n->record.held.there) &&
	    n->record.held.seen != m->generation)
		none_is_there(m, n);
}
