/*
 * A bond at work: links and time go in, frames and changes come out.
 */
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "port/miimon.h"
#include "vswd/event_sources.h"
#include "vswd/frames.h"
#include "vswd/vbond.h"

#define TELLS_MAX 10 /* in a second */

uint64_t vswitch_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what the bond asks for ------------------------------------------------
 */

static void send_by(struct bond_member *member, const void *frame, size_t len,
		    void *arg)
{
	struct vbond *vb = arg;
	struct vport *v = vbond_find_vport(vb, member);

	if (v)
		frames_send(vb->vs, v, frame, len);
}

static void announce(const void *frame, size_t len, uint16_t vid, void *arg)
{
	struct vbond *vb = arg;

	frames_announce(vb->vs, vb, frame, len, vid);
}

struct station_walk {
	uint16_t number; /* the bond's own: what is behind it knows */
	void (*cb)(void *cb_arg, uint64_t mac, uint16_t vid);
	void *cb_arg;
};

static bool tell_station(const struct fdb_entry *entry, void *aux)
{
	const struct station_walk *w = aux;

	if (entry->port != w->number)
		w->cb(w->cb_arg, entry->mac, entry->fid);
	return true;
}

static void stations(void (*cb)(void *cb_arg, uint64_t mac, uint16_t vid),
		     void *cb_arg, void *arg)
{
	const struct vbond *vb = arg;
	struct station_walk w = { vb->number, cb, cb_arg };

	fdb_for_each(vb->bridge->fdb, tell_station, &w);
}

/* The database hears of it, however often a partner changes its mind. */
static void tell(struct vbond *vb)
{
	vb->tell_later = vb->n_tells >= TELLS_MAX;
	if (vb->tell_later)
		return;
	vb->n_tells++;
	vb->dirty = true;
	for (size_t i = 0; i < vb->n_members; i++)
		vport_mark_dirty(vb->vs, vb->members[i]);
}

void vbond_tick(struct vbond *vb)
{
	vb->n_tells = 0;
	if (vb->tell_later)
		tell(vb);
}

/* The snapshot follows from the loop, at once: not from inside the bond. */
void vbond_changed(struct vbond *vb)
{
	struct vswitch *vs = vb->vs;

	vs->changed = true;
	event_bond(vb);
	tell(vb);
	if (vs->wake)
		vs->wake(vs->wake_arg);
}

static void changed(void *arg)
{
	vbond_changed(arg);
}

static const struct bond_ops ops = {
	.send = send_by,
	.announce = announce,
	.stations = stations,
	.changed = changed,
};

/* --- time ------------------------------------------------------------------
 */

static void set_timer(struct event *timer, uint64_t ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000,
				      .tv_usec = ms % 1000 * 1000 };

	event_add(timer, &wait);
}

void vbond_arm(struct vbond *vb)
{
	uint64_t next = bond_next_ms(vb->bond), now;

	if (next == UINT64_MAX) {
		event_del(vb->timer);
		return;
	}
	now = vswitch_now_ms();
	set_timer(vb->timer, next > now ? next - now : 1);
}

static void run_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vbond *vb = arg;

	bond_run(vb->bond, vswitch_now_ms());
	vbond_arm(vb);
}

static bool polls_links(const struct vbond *vb)
{
	return vb->applied &&
	       vb->applied->bond->config.detect == BOND_DETECT_MIIMON;
}

static void miimon_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vbond *vb = arg;

	for (size_t i = 0; i < vb->n_members; i++)
		vbond_member_changed(vb->members[i]);
	set_timer(vb->miimon, vb->applied->bond->miimon_ms);
}

void vbond_watch(struct vbond *vb)
{
	if (polls_links(vb))
		set_timer(vb->miimon, vb->applied->bond->miimon_ms);
	else
		event_del(vb->miimon);
}

void vbond_start(struct vbond *vb)
{
	vb->bond = bond_create(vb->config->name,
			       worker_pool_count(vb->vs->pool) + 1, &ops, vb,
			       vswitch_now_ms());
	vb->timer = evtimer_new(vb->vs->base, run_cb, vb);
	vb->miimon = evtimer_new(vb->vs->base, miimon_cb, vb);
}

void vbond_stop(struct vbond *vb)
{
	event_free(vb->timer);
	event_free(vb->miimon);
}

/* --- links -----------------------------------------------------------------
 */

static bool was_up(const struct vport *v)
{
	struct bond_member_status s;

	bond_get_member_status(vport_bond_member(v), vswitch_now_ms(), &s);
	return s.link_up;
}

/*
 * Not before workers have it: what the bond says to its partner goes out by the
 * snapshot in force. Devices that cannot be asked, and what is no device, are
 * up as for carrier. One that is asked says that it is up before the kernel
 * has heard of the carrier, without which the port sends nothing.
 */
static bool link_is_up(const struct vport *v)
{
	bool up;

	if (!v->fwd || !v->status.admin_up)
		return false;
	if (polls_links(v->bond) && v->status.ifindex &&
	    !miimon_read(v->interface->name, &up))
		return up && (v->status.link_up || was_up(v));
	return v->status.link_up;
}

/* A port without an address of its own, a guest's say, gets one of ours. */
static uint64_t address_of(const struct vport *v)
{
	return v->status.mac ? v->status.mac : vport_made_up_mac(v);
}

void vbond_member_leaves(struct vport *v)
{
	struct bond_member *m = vport_bond_member(v);

	if (!m)
		return;
	bond_member_leaves(m, vswitch_now_ms());
	vbond_arm(v->bond);
}

void vbond_member_changed(struct vport *v)
{
	struct bond_member *m = vport_bond_member(v);
	/* What does not say its speed, a virtual card, is not half duplex. */
	bool full_duplex = v->status.full_duplex || !v->status.speed_bps;

	if (!m)
		return;
	bond_member_set_link(m, link_is_up(v), address_of(v),
			     v->status.speed_bps, full_duplex,
			     vswitch_now_ms());
	vbond_arm(v->bond);
}

/* --- for people ------------------------------------------------------------
 */

const char *vbond_why_no_link(const struct vbond *vb,
			      const struct bond_member_status *m)
{
	const struct vport *v = vswitch_find_vport(vb->vs, m->name);

	if (m->link_up)
		return NULL;
	if (!v)
		return "there is no such interface in the database";
	if (v->conflict && v->bond != vb)
		return v->conflict;
	if (v->error)
		return v->error;
	if (!v->port)
		return "the interface is not open";
	if (!v->status.admin_up)
		return "the interface is administratively down";
	return "link is down";
}

const char *vbond_why_not(const struct vbond *vb,
			  const struct bond_member_status *m)
{
	if (!m->why_not || m->link_up || m->disabled_by_hand ||
	    m->role == BOND_ROLE_UNUSED)
		return m->why_not;
	return vbond_why_no_link(vb, m);
}
