/*
 * The mirror of an overlay (evpn_mirror.h): its records' lives, resync, time.
 * Who has a MAC is in evpn_mirror_mac.c.
 */
#include "tunnel/evpn_mirror.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tunnel/evpn_mirror_internal.h"

/* How long a dump may take before it is asked for again. */
#define DUMP_MS 10000

bool held_new(const struct evpn_mirror *m, struct held *h, bool dump)
{
	if (dump && h->gone == m->generation)
		return false;
	/* Any older state that a dump under way still has does not count. */
	if (!dump)
		h->gone = m->generation;
	h->there = true;
	h->expired = false;
	h->deadline = 0;
	h->seen = m->generation;
	return true;
}

uint64_t deadline_in(struct evpn_mirror *m, uint32_t ms)
{
	uint64_t at = DIV_ROUND_UP(m->now + ms, TICK_MS) * TICK_MS;

	m->next_deadline = MIN(m->next_deadline, at);
	return at;
}

void held_gone(struct evpn_mirror *m, struct held *h)
{
	uint32_t ms = m->frr_gone ? m->config.hold_ms : m->config.withdraw_ms;

	h->gone = m->generation;
	if (!h->there)
		return;
	h->there = false;
	/* One that is held already is not held for longer. */
	if (!h->expired && !h->deadline && ms) {
		h->deadline = deadline_in(m, ms);
		h->by_hold = m->frr_gone;
		m->counters.held++;
	}
	h->expired = false;
}

void mirror_tell(struct evpn_mirror *m, const struct evpn_news *news)
{
	m->config.tell(news, m->config.arg);
}

void mirror_queue(struct evpn_mirror *m, struct record *r)
{
	if (r->queued)
		return;
	r->queued = true;
	r->next = NULL;
	*m->last = r;
	m->last = &r->next;
}

void mirror_resync(struct evpn_mirror *m, uint32_t delay)
{
	uint64_t at = m->now + delay;

	if (mirror_dumping(m)) {
		m->again = true;
	} else if (m->resync == RESYNC_WANTED) {
		m->resync_at = MIN(m->resync_at, at);
	} else {
		m->resync = RESYNC_WANTED;
		m->resync_at = at;
	}
}

static void update(struct evpn_mirror *m, struct record *r)
{
	if (r->type == RECORD_MAC)
		mac_update(m, CONTAINER_OF(r, struct mac, record));
	else if (r->type == RECORD_NEIGHBOR)
		neighbor_update(m, CONTAINER_OF(r, struct neighbor, record));
	else
		flood_update(m, CONTAINER_OF(r, struct flood, record));
}

/* Nothing is left of it; not while a dump may bring back what was deleted. */
static bool is_dead(const struct evpn_mirror *m, const struct record *r)
{
	if (r->queued || mirror_dumping(m))
		return false;
	if (r->type == RECORD_MAC)
		return mac_idle(CONTAINER_OF(r, struct mac, record));
	if (r->type == RECORD_NEIGHBOR)
		return neighbor_idle(CONTAINER_OF(r, struct neighbor, record));
	return !r->held.there && !r->held.deadline;
}

static void bury(struct evpn_mirror *m, struct record *r)
{
	if (r->type == RECORD_MAC)
		mac_unlink(m, CONTAINER_OF(r, struct mac, record));
	else if (r->type == RECORD_NEIGHBOR)
		neighbor_unlink(m, CONTAINER_OF(r, struct neighbor, record));
	else
		flood_unlink(m, CONTAINER_OF(r, struct flood, record));
	/* The record is the first member of all three. */
	free(r);
	if (m->missed) {
		m->missed = false;
		mirror_resync(m, m->config.retry_ms);
	}
}

void record_settle(struct evpn_mirror *m, struct record *r)
{
	update(m, r);
	if (is_dead(m, r))
		bury(m, r);
}

/* Every record in turn, by key; a walk must not change the tree. */
struct walk {
	struct evpn_mirror *m;
	void (*visit)(struct evpn_mirror *m, struct record *r);
};

static void visit_node(const void *node, VISIT which, void *arg)
{
	struct record *r = *(struct record *const *)node;
	struct walk *walk = arg;

	if (which != postorder && which != leaf)
		return;
	walk->visit(walk->m, r);
	update(walk->m, r);
	if (is_dead(walk->m, r)) {
		r->next = walk->m->dead;
		walk->m->dead = r;
	}
}

static void bury_dead(struct evpn_mirror *m)
{
	while (m->dead) {
		struct record *r = m->dead;

		m->dead = r->next;
		bury(m, r);
	}
}

static void each_in(struct evpn_mirror *m, void *tree,
		    void (*visit)(struct evpn_mirror *m, struct record *r))
{
	struct walk walk = { m, visit };

	twalk_r(tree, visit_node, &walk);
	bury_dead(m);
}

/* Addresses before MACs, which they point to. */
static void each(struct evpn_mirror *m,
		 void (*visit)(struct evpn_mirror *m, struct record *r))
{
	each_in(m, m->neighbors, visit);
	each_in(m, m->macs, visit);
	each_in(m, m->floods, visit);
}

static void forget_asked(struct evpn_mirror *m, struct record *r)
{
	r->asked = ASKED_NOTHING;
}

static void sweep(struct evpn_mirror *m, struct record *r)
{
	if (r->type == RECORD_MAC)
		mac_sweep(m, CONTAINER_OF(r, struct mac, record));
	else if (r->type == RECORD_NEIGHBOR)
		neighbor_sweep(m, CONTAINER_OF(r, struct neighbor, record));
	else if (r->held.there && r->held.seen != m->generation)
		held_gone(m, &r->held);
}

/* A dump has ended, as it should or not. */
static void dump_done(struct evpn_mirror *m, bool sound)
{
	if (!sound || m->again) {
		m->resync = RESYNC_WANTED;
		m->resync_at = m->now + (sound ? 0 : m->config.retry_ms);
		return;
	}
	if (m->resync != DUMP_IPV6) {
		m->resync++;
		m->dump_seq = 0;
		return;
	}
	m->resync = SYNCED;
	m->counters.resyncs++;
	each(m, sweep);
}

static void ask_dump(struct evpn_mirror *m, struct evpn_request *r)
{
	m->dump_seq = ++m->seq;
	m->resync_at = m->now + DUMP_MS;
	if (m->resync == DUMP_FDB)
		evpn_dump_fdb(r, m->seq, m->config.bridge);
	else
		evpn_dump_neighbors(r, m->seq, m->config.bridge,
				    m->resync == DUMP_IPV4 ? AF_INET
							   : AF_INET6);
}

/*
 * What was asked before and has no answer is taken for lost: the kernel has
 * worked it off before it dumps, and so the dump tells.
 */
static void begin_resync(struct evpn_mirror *m)
{
	each(m, forget_asked);
	m->generation++;
	m->again = false;
	m->resync = DUMP_FDB;
	m->dump_seq = 0;
}

static bool record_request(struct evpn_mirror *m, struct record *r,
			   struct evpn_request *request)
{
	if (r->type == RECORD_MAC)
		return mac_request(m, CONTAINER_OF(r, struct mac, record),
				   request);
	return neighbor_request(m, CONTAINER_OF(r, struct neighbor, record),
				request);
}

bool evpn_mirror_next_request(struct evpn_mirror *m, struct evpn_request *r,
			      uint64_t now)
{
	evpn_mirror_run(m, now);
	if (m->resync == RESYNC_WANTED && m->resync_at <= now)
		begin_resync(m);
	if (mirror_dumping(m)) {
		if (m->dump_seq)
			return false;
		ask_dump(m, r);
		return true;
	}
	while (m->first) {
		struct record *first = m->first;
		bool asked;

		m->first = first->next;
		if (!m->first)
			m->last = &m->first;
		first->queued = false;
		asked = record_request(m, first, r);
		record_settle(m, first);
		if (asked)
			return true;
	}
	return false;
}

/* That what we remove is gone already is no harm. */
static void on_error(struct evpn_mirror *m, const struct evpn_event *e)
{
	if (mirror_dumping(m) && e->seq == m->dump_seq && e->error)
		dump_done(m, false);
	else if (e->error && e->error != -ENOENT && e->error != -ESRCH) {
		m->counters.refused++;
		mirror_resync(m, m->config.retry_ms);
	}
}

static void on_event(const struct evpn_event *e, void *arg)
{
	struct evpn_mirror *m = arg;

	if (e->interrupted)
		m->again = true;
	switch (e->type) {
	case EVPN_FDB:
	case EVPN_FDB_GONE:
		mac_event(m, e);
		break;
	case EVPN_NEIGHBOR:
	case EVPN_NEIGHBOR_GONE:
		neighbor_event(m, e);
		break;
	case EVPN_ERROR:
		on_error(m, e);
		break;
	case EVPN_DONE:
		if (mirror_dumping(m) && e->seq == m->dump_seq)
			dump_done(m, !e->error);
		break;
	case EVPN_OVERRUN:
		evpn_mirror_overrun(m);
		break;
	case EVPN_LINK:
	case EVPN_LINK_GONE:
		break;
	}
}

void evpn_mirror_take(struct evpn_mirror *m, const void *bytes, size_t len,
		      uint64_t now)
{
	m->now = now;
	if (evpn_parse(bytes, len, on_event, m, &m->counters.bad))
		evpn_mirror_overrun(m);
}

void evpn_mirror_overrun(struct evpn_mirror *m)
{
	m->counters.overruns++;
	mirror_resync(m, 0);
}

void evpn_mirror_event(struct evpn_mirror *m, const struct evpn_event *event,
		       uint64_t now)
{
	m->now = now;
	on_event(event, m);
}

void evpn_mirror_rebind(struct evpn_mirror *m, int bridge, int member,
			int vxlan, uint64_t now)
{
	m->now = now;
	m->config.bridge = bridge;
	m->config.member = member;
	m->config.vxlan = vxlan;
	mirror_resync(m, 0);
}

bool evpn_mirror_synced(const struct evpn_mirror *m)
{
	return m->resync == SYNCED;
}

static void look_for_installed(const void *node, VISIT which, void *arg)
{
	const struct record *r = *(struct record *const *)node;
	bool *found = arg;

	*found |= r->held.there;
}

bool evpn_mirror_has_installed(const struct evpn_mirror *m)
{
	bool found = false;

	twalk_r(m->floods, look_for_installed, &found);
	if (!found)
		twalk_r(m->macs, look_for_installed, &found);
	if (!found)
		twalk_r(m->neighbors, look_for_installed, &found);
	return found;
}

static void unconfirm(struct evpn_mirror *m, struct record *r)
{
	if (r->type == RECORD_MAC)
		CONTAINER_OF(r, struct mac, record)->confirmed = false;
}

static void drop_unconfirmed(struct evpn_mirror *m, struct record *r)
{
	struct mac *mac = CONTAINER_OF(r, struct mac, record);

	if (r->type == RECORD_MAC && mac->wanted && !mac->confirmed)
		mac_unwant(m, mac);
}

void evpn_mirror_local_begin(struct evpn_mirror *m)
{
	each_in(m, m->macs, unconfirm);
}

void evpn_mirror_local_end(struct evpn_mirror *m)
{
	each_in(m, m->macs, drop_unconfirmed);
}

static void forget(struct evpn_mirror *m, struct record *r)
{
	r->held = (struct held){ 0 };
	if (r->type == RECORD_MAC)
		mac_forget(CONTAINER_OF(r, struct mac, record));
}

void evpn_mirror_forget(struct evpn_mirror *m)
{
	each(m, forget);
}

static void set_hold(struct evpn_mirror *m, struct held *h)
{
	h->deadline = deadline_in(m, m->config.hold_ms);
	h->by_hold = true;
}

static void hold(struct evpn_mirror *m, struct record *r)
{
	if ((r->held.there && !r->held.expired) || r->held.deadline)
		set_hold(m, &r->held);
}

static void release(struct evpn_mirror *m, struct record *r)
{
	if (r->held.there) {
		r->held.deadline = 0;
		r->held.expired = false;
	} else if (r->held.deadline) {
		set_hold(m, &r->held);
	}
}

void evpn_mirror_frr_gone(struct evpn_mirror *m, uint64_t now)
{
	m->now = now;
	if (m->frr_gone)
		return;
	m->frr_gone = true;
	each(m, hold);
}

void evpn_mirror_frr_back(struct evpn_mirror *m, uint64_t now)
{
	m->now = now;
	if (!m->frr_gone)
		return;
	m->frr_gone = false;
	each(m, release);
}

/* By how much config.hold_ms has changed; one that is over by it ends soon. */
struct shift {
	struct evpn_mirror *m;
	int64_t ms;
};

static void shift(const void *node, VISIT which, void *arg)
{
	struct held *h = &(*(struct record *const *)node)->held;
	const struct shift *s = arg;
	int64_t left;

	if ((which != postorder && which != leaf) || !h->deadline ||
	    !h->by_hold)
		return;
	left = (int64_t)(h->deadline - s->m->now) + s->ms;
	h->deadline = deadline_in(s->m, MAX(left, 0));
}

void evpn_mirror_set_hold(struct evpn_mirror *m, uint32_t hold_ms, uint64_t now)
{
	struct shift s = { m, (int64_t)hold_ms - m->config.hold_ms };

	m->now = now;
	m->config.hold_ms = hold_ms;
	if (!s.ms)
		return;
	twalk_r(m->macs, shift, &s);
	twalk_r(m->neighbors, shift, &s);
	twalk_r(m->floods, shift, &s);
}

static void find_hold(const void *node, VISIT which, void *arg)
{
	const struct held *h = &(*(struct record *const *)node)->held;
	uint64_t *until = arg;

	if (h->deadline && h->by_hold)
		*until = MAX(*until, h->deadline);
}

uint64_t evpn_mirror_held_until(const struct evpn_mirror *m)
{
	uint64_t until = 0;

	twalk_r(m->floods, find_hold, &until);
	/* Where there are MACs, their VTEPs are held as long. */
	if (!until)
		twalk_r(m->macs, find_hold, &until);
	if (!until)
		twalk_r(m->neighbors, find_hold, &until);
	return until;
}

static void expire(struct evpn_mirror *m, struct record *r)
{
	struct held *h = &r->held;

	if (r->type == RECORD_MAC)
		mac_expire(m, CONTAINER_OF(r, struct mac, record));
	if (!h->deadline)
		return;
	if (h->deadline > m->now) {
		m->next_deadline = MIN(m->next_deadline, h->deadline);
		return;
	}
	h->deadline = 0;
	h->expired = h->there;
}

uint64_t evpn_mirror_run(struct evpn_mirror *m, uint64_t now)
{
	uint64_t next;

	m->now = now;
	if (m->next_deadline <= now) {
		m->next_deadline = UINT64_MAX;
		each(m, expire);
	}
	if (mirror_dumping(m) && m->dump_seq && m->resync_at <= now) {
		m->counters.overruns++;
		dump_done(m, false);
	}
	next = m->next_deadline;
	if (m->resync != SYNCED)
		next = MIN(next, m->resync_at);
	return next;
}

struct evpn_mirror *evpn_mirror_create(const struct evpn_mirror_config *config)
{
	struct evpn_mirror *m = xcalloc(1, sizeof(*m));

	m->config = *config;
	m->last = &m->first;
	m->next_deadline = UINT64_MAX;
	m->resync = RESYNC_WANTED;
	return m;
}

void evpn_mirror_destroy(struct evpn_mirror *m)
{
	if (!m)
		return;
	tdestroy(m->neighbors, free);
	tdestroy(m->macs, free);
	tdestroy(m->floods, free);
	free(m);
}

const struct evpn_mirror_counters *evpn_mirror_counters(
	const struct evpn_mirror *m)
{
	return &m->counters;
}
