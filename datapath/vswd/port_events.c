/*
 * Ports that change by themselves: the front end of a vhost-user port comes,
 * sets its queues up, goes; and overlays, when remote VTEPs come and go.
 *
 * A front end may do so many times a second, by mistake or on purpose. The
 * switch follows at once, but not more often than every COMMIT_MS, and tells
 * the database of one port at most TELLS_MAX times a second, the last state
 * always.
 */
#include "vswd/switch.h"
#include "vswd/vbond.h"

#define COMMIT_MS 10
#define TELLS_MAX 4

static void tell(struct vswitch *vs, struct vport *v)
{
	v->tell_later = v->n_tells >= TELLS_MAX;
	if (v->tell_later)
		return;
	v->n_tells++;
	vport_mark_dirty(vs, v);
}

static void events_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vswitch *vs = arg;
	struct hmap_node *node;

	vs->events_ms = vswitch_now_ms();
	vs->changed |= vs->commit_soon;
	vs->commit_soon = false;
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (!v->has_event)
			continue;
		v->has_event = false;
		vs->changed = true;
		vport_take_status(vs, v);
		tell(vs, v);
	}
	if (vs->wake && (vs->changed || vs->dirty))
		vs->wake(vs->wake_arg);
}

static void look_soon(struct vswitch *vs)
{
	uint64_t past = vswitch_now_ms() - vs->events_ms;
	struct timeval wait = { 0 };

	if (past < COMMIT_MS)
		wait.tv_usec = (COMMIT_MS - past) * 1000;
	if (!event_pending(vs->events, EV_TIMEOUT, NULL))
		event_add(vs->events, &wait);
}

void vport_changed(struct port *port, void *arg)
{
	struct vport *v = arg;

	if (v->port != port)
		return; /* it is about to be closed */
	v->has_event = true;
	look_soon(v->vs);
}

void vswitch_commit_soon(struct vswitch *vs)
{
	if (vs->commit_soon)
		return; /* thousands of times, when an overlay is told all */
	vs->commit_soon = true;
	look_soon(vs);
}

/* It is opened when the tick is over. */
static void try_again(struct vswitch *vs, struct vport *v)
{
	v->wait_busy = false;
	v->to_open = true;
	vport_mark_dirty(vs, v);
}

void vport_tick(struct vswitch *vs, struct vport *v)
{
	v->n_tells = 0;
	if (v->tell_later)
		tell(vs, v);
	if (v->wait_busy && !v->port)
		try_again(vs, v);
}

void vswitch_start_events(struct vswitch *vs)
{
	vs->events = evtimer_new(vs->base, events_cb, vs);
}
