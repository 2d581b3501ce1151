/*
 * Next hops of an underlay's remotes: on the link the remote itself, else the
 * gateway. They are found before a packet needs them, a thousand in two or
 * three seconds, and asked for again before they are stale, at most 60 a
 * second. What is known stays in use while it is asked for again: only when
 * nobody answers to a broadcast either it is gone.
 */
#include <errno.h>
#include <stdlib.h>

#include "vswd/underlay_station.h"
#include "vswd/vbond.h"

#define NEVER	       UINT64_MAX
#define ASKER	       UINT32_MAX
#define RUN_MS	       100 /* between two looks at hops that are due, ... */
#define EFFORT	       48  /* ... of so many that packets may wait for, ... */
#define EFFORT_AGAIN   8   /* ... each of the others counting as 8 */
#define REFRESH_MS     15000
#define REFRESH_MORE   5000  /* by chance, so that they do not come in bursts */
#define ANSWER_MS      10000 /* the neighbor cache tells sooner */
#define FULL_MS	       1000
#define BACKOFF_MS     4000 /* the cache remembers a failure for 3 s */
#define BACKOFF_MAX_MS 64000

static void set_due(struct underlay_station *s, struct underlay_hop *h,
		    uint64_t due_ms)
{
	h->due_ms = due_ms;
	s->hops_ms = MIN(s->hops_ms, MAX(due_ms, s->paced_ms));
}

/* --- lists -----------------------------------------------------------------
 */

static void hop_link(struct underlay_station *s, struct underlay_hop *h)
{
	h->next = NULL;
	h->prev = s->hop_end;
	*s->hop_end = h;
	s->hop_end = &h->next;
}

static void hop_unlink(struct underlay_station *s, struct underlay_hop *h)
{
	*h->prev = h->next;
	if (h->next)
		h->next->prev = h->prev;
	else
		s->hop_end = h->prev;
}

static struct underlay_hop *find_hop(const struct underlay_station *s,
				     const struct ip_address *ip)
{
	uint32_t hash = underlay_station_hash(s, ip);
	struct hmap_node *node = hmap_first(&s->hops, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct underlay_hop *h =
			CONTAINER_OF(node, struct underlay_hop, node);

		if (ip_address_equal(&h->ip, ip))
			return h;
	}
	return NULL;
}

struct underlay_target *underlay_target_find(const struct underlay_station *s,
					     const struct ip_address *ip)
{
	uint32_t hash = underlay_station_hash(s, ip);
	struct hmap_node *node = hmap_first(&s->targets, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct underlay_target *t =
			CONTAINER_OF(node, struct underlay_target, node);

		if (ip_address_equal(&t->ip, ip))
			return t;
	}
	return NULL;
}

static struct underlay_hop *get_hop(struct underlay_station *s,
				    const struct ip_address *ip)
{
	struct underlay_hop *h = find_hop(s, ip);

	if (h)
		return h;
	h = xcalloc(1, sizeof(*h));
	h->ip = *ip;
	h->backoff_ms = BACKOFF_MS;
	hmap_insert(&s->hops, &h->node, underlay_station_hash(s, ip));
	hop_link(s, h);
	set_due(s, h, 0); /* with the next run */
	return h;
}

static void drop_hop(struct underlay_station *s, struct underlay_hop *h)
{
	if (!h || --h->n_targets)
		return;
	hop_unlink(s, h);
	hmap_remove(&s->hops, &h->node);
	free(h);
}

/* --- what is known ---------------------------------------------------------
 */

static void tell(const struct underlay_target *t)
{
	const struct underlay_want *w = t->wants;
	uint64_t mac = ip_address_is_group(&t->ip)
			       ? membership_group_mac(&t->ip)
		       : t->hop ? t->hop->mac
				: 0;

	for (; w; w = w->next)
		overlay_remote_set_hop(w->r, mac, mac);
}

static void set_mac(struct underlay_station *s, struct underlay_hop *h,
		    uint64_t mac)
{
	if (mac == h->mac)
		return;
	h->mac = mac;
	for (struct underlay_target *t = s->target_list; t; t = t->next)
		if (t->hop == h)
			tell(t);
}

static void known(struct underlay_station *s, struct underlay_hop *h,
		  uint64_t mac, uint64_t now_ms)
{
	uint64_t n = s->n_random++;

	h->failed = false;
	h->backoff_ms = BACKOFF_MS;
	set_due(s, h,
		now_ms + REFRESH_MS +
			keyed_hash(&s->key, &n, sizeof(n)) % REFRESH_MORE);
	set_mac(s, h, mac);
}

static void lost(struct underlay_station *s, struct underlay_hop *h,
		 uint64_t now_ms)
{
	h->failed = true;
	set_due(s, h, now_ms + h->backoff_ms);
	h->backoff_ms = MIN(h->backoff_ms * 2, (uint32_t)BACKOFF_MAX_MS);
	set_mac(s, h, 0);
}

void underlay_hops_resolved(const struct ip_address *ip, uint64_t mac,
			    void *station)
{
	struct underlay_station *s = station;
	struct underlay_hop *h = find_hop(s, ip);

	if (h && mac)
		known(s, h, mac, vswitch_now_ms());
	else if (h)
		lost(s, h, vswitch_now_ms());
}

void underlay_hops_changed(const struct ip_address *ip, uint64_t mac,
			   void *station)
{
	struct underlay_station *s = station;
	struct underlay_hop *h = find_hop(s, ip);

	if (h && mac)
		known(s, h, mac, vswitch_now_ms());
	else if (h)
		/* Those who had it were asked in vain: everybody is now. */
		set_due(s, h, 0);
}

/* --- wanted ----------------------------------------------------------------
 */

static bool on_link(const struct underlay_station *s,
		    const struct ip_address *ip)
{
	if (ip->len != s->local.len)
		return false;
	if (ip->len == 4)
		return !((ip_address_to_v4(ip) ^ ip_address_to_v4(&s->local)) &
			 ip4_mask(s->prefix_len));
	return (ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80) ||
	       ip6_in_prefix(ip->bytes, s->local.bytes, s->prefix_len);
}

/* The address of the link's network itself, or of all on it (RFC 1122 3.2.1.3).
 */
static bool is_of_nobody(const struct underlay_station *s,
			 const struct ip_address *ip)
{
	uint32_t host;

	if (ip->len != 4 || s->prefix_len > 30)
		return false;
	host = ip_address_to_v4(ip) & ~ip4_mask(s->prefix_len);
	return !host || host == ~ip4_mask(s->prefix_len);
}

bool underlay_station_reaches(const struct underlay_station *s,
			      const struct ip_address *ip)
{
	if (ip->len != s->local.len)
		return false;
	return on_link(s, ip) ? !is_of_nobody(s, ip)
			      : s->gateway.len == ip->len;
}

static struct underlay_hop *find_way(struct underlay_station *s,
				     const struct ip_address *ip)
{
	if (ip_address_is_group(ip) || ip->len != s->local.len)
		return NULL;
	if (on_link(s, ip))
		return get_hop(s, ip);
	return s->gateway.len == ip->len ? get_hop(s, &s->gateway) : NULL;
}

static void set_way(struct underlay_station *s, struct underlay_target *t)
{
	struct underlay_hop *before = t->hop;

	t->hop = find_way(s, &t->ip);
	if (t->hop)
		t->hop->n_targets++;
	drop_hop(s, before);
}

static struct underlay_target *get_target(struct underlay_station *s,
					  const struct ip_address *ip)
{
	struct underlay_target *t = underlay_target_find(s, ip);

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->ip = *ip;
	hmap_insert(&s->targets, &t->node, underlay_station_hash(s, ip));
	t->next = s->target_list;
	t->prev = &s->target_list;
	if (t->next)
		t->next->prev = &t->next;
	s->target_list = t;
	set_way(s, t);
	if (ip_address_is_group(ip))
		membership_join(s->membership, ip, vswitch_now_ms());
	return t;
}

static void drop_target(struct underlay_station *s, struct underlay_target *t)
{
	if (ip_address_is_group(&t->ip))
		membership_leave(s->membership, &t->ip, vswitch_now_ms());
	drop_hop(s, t->hop);
	hmap_remove(&s->targets, &t->node);
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	free(t);
}

static uint32_t pointer_hash(const struct underlay_station *s, const void *p)
{
	return keyed_hash(&s->key, &p, sizeof(p));
}

static struct underlay_want *find_want(const struct underlay_station *s,
				       const struct overlay_remote *r)
{
	uint32_t hash = pointer_hash(s, r);
	struct hmap_node *node = hmap_first(&s->wants, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct underlay_want *w =
			CONTAINER_OF(node, struct underlay_want, node);

		if (w->r == r)
			return w;
	}
	return NULL;
}

void underlay_station_want(struct underlay_station *s, struct overlay_remote *r)
{
	struct underlay_want *w = find_want(s, r);
	struct underlay_target *t;

	if (!w) {
		w = xcalloc(1, sizeof(*w));
		w->r = r;
		w->target = t = get_target(s, &r->ip);
		w->next = t->wants;
		if (w->next)
			w->next->prev = w;
		t->wants = w;
		hmap_insert(&s->wants, &w->node, pointer_hash(s, r));
	}
	tell(w->target);
	underlay_station_arm(s);
}

static void drop_want(struct underlay_station *s, struct underlay_want *w)
{
	struct underlay_target *t = w->target;

	hmap_remove(&s->wants, &w->node);
	if (w->prev)
		w->prev->next = w->next;
	else
		t->wants = w->next;
	if (w->next)
		w->next->prev = w->prev;
	free(w);
	if (!t->wants)
		drop_target(s, t);
}

void underlay_station_forget(struct underlay_station *s,
			     struct overlay_remote *r)
{
	struct underlay_want *w = find_want(s, r);

	if (w)
		drop_want(s, w);
}

void underlay_hops_forget(struct underlay_station *s)
{
	for (struct underlay_hop *h = s->hop_list; h; h = h->next) {
		h->mac = 0;
		h->failed = false;
		h->backoff_ms = BACKOFF_MS;
		set_due(s, h, 0);
	}
	for (struct underlay_target *t = s->target_list; t; t = t->next)
		tell(t);
}

void underlay_hops_reroute(struct underlay_station *s)
{
	for (struct underlay_target *t = s->target_list; t; t = t->next) {
		set_way(s, t);
		tell(t);
	}
}

/* --- time ------------------------------------------------------------------
 */

static void look(struct underlay_station *s, struct underlay_hop *h,
		 uint64_t now_ms)
{
	struct neighbor_cache *cache = station_neighbors(s->station);
	uint64_t mac;

	switch (neighbor_cache_resolve(cache, &h->ip, ASKER, now_ms, &mac)) {
	case 0:
		known(s, h, mac, now_ms);
		break;
	case -EAGAIN:
		set_due(s, h, now_ms + ANSWER_MS);
		break;
	case -EHOSTUNREACH:
		lost(s, h, now_ms);
		break;
	default:
		set_due(s, h, now_ms + FULL_MS);
		break;
	}
}

void underlay_hops_again(struct underlay_station *s, uint64_t now_ms)
{
	for (struct underlay_hop *h = s->hop_list; h; h = h->next) {
		h->backoff_ms = BACKOFF_MS;
		set_due(s, h, now_ms);
	}
}

void underlay_hops_run(struct underlay_station *s, uint64_t now_ms)
{
	struct underlay_hop *h = s->hop_list, *next, **end = s->hop_end;
	unsigned effort = 0;

	if (now_ms < s->hops_ms || !s->begun)
		return;
	s->hops_ms = NEVER;
	/* Those that are looked at go to the end, behind what was it before. */
	for (; h && effort < EFFORT; h = next) {
		bool last = &h->next == end;

		next = last ? NULL : h->next;
		if (h->due_ms > now_ms) {
			s->hops_ms = MIN(s->hops_ms, h->due_ms);
			continue;
		}
		effort += h->mac || h->failed ? EFFORT_AGAIN : 1;
		hop_unlink(s, h);
		hop_link(s, h);
		look(s, h, now_ms);
	}
	if (effort)
		s->paced_ms = now_ms + RUN_MS;
	s->hops_ms =
		effort >= EFFORT ? s->paced_ms : MAX(s->hops_ms, s->paced_ms);
}

/* --- life ------------------------------------------------------------------
 */

void underlay_hops_init(struct underlay_station *s)
{
	hmap_init(&s->hops);
	hmap_init(&s->targets);
	hmap_init(&s->wants);
	s->hop_end = &s->hop_list;
	s->hops_ms = NEVER;
}

static void drop_wants(struct underlay_station *s, struct underlay_target *t)
{
	struct underlay_want *w;

	while ((w = t->wants)) {
		t->wants = w->next;
		hmap_remove(&s->wants, &w->node);
		free(w);
	}
	drop_target(s, t);
}

void underlay_hops_clear(struct underlay_station *s)
{
	struct underlay_target *t, *next;

	for (t = s->target_list; t; t = next) {
		next = t->next;
		drop_wants(s, t);
	}
	hmap_destroy(&s->hops);
	hmap_destroy(&s->targets);
	hmap_destroy(&s->wants);
}
