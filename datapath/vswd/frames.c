/*
 * Control frames between workers and protocols (frames.h). The ring, its
 * reader and the pipeline that sends are made when the first port needs them:
 * a switch without bonds and discovery has none of it.
 */
#include "vswd/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "forward/pipeline.h"
#include "packet/neighbor.h"
#include "vswd/event_sources.h"
#include "vswd/overlay.h"
#include "vswd/port_snoop.h"
#include "vswd/segment.h"
#include "vswd/vbond.h"

LOG_MODULE(frames);

#define READ_AT_ONCE 64 /* records between two looks at other events */

struct frames {
	struct vswitch *vs;
	struct punt_ring *ring;
	bool no_ring; /* it could not be made; said once */
	struct event *readable;
	struct pipeline *pipeline; /* the control thread's own */
	const struct frames_client *client;
	struct hmap taps; /* by id; those of ports that are there */
	uint32_t last_id;
};

struct frames_tap {
	struct hmap_node node;
	struct punt punt;
	struct vport *v;
};

/* --- what comes in ---------------------------------------------------------
 */

/*
 * A station behind v said its address: overlays may answer for it, or tell of
 * it. The bonds of its bridge remember; the one that it is behind, that no
 * station of ours has it any more.
 */
static void learn_address(struct vport *v, const struct punt_record *r)
{
	struct neighbor n;

	if (!neighbor_parse(r->data, r->len, &n))
		return;
	overlays_neighbor(v->vs, v, r->vid, n.mac, n.ip, n.ip_len);
	for (struct vbond *vb = v->bridge->bonds; vb; vb = vb->next) {
		if (!vb->applied || !bond_wants_addresses(vb->bond))
			continue;
		if (vb == v->bond)
			bond_disown_address(vb->bond, n.mac, r->vid, n.ip,
					    n.ip_len);
		else
			bond_learn_address(vb->bond, n.mac, r->vid, n.ip,
					   n.ip_len, vswitch_now_ms());
		vbond_arm(vb);
	}
}

static void receive_for_bond(struct vport *v, const struct punt_record *r)
{
	struct bond_member *m = vport_bond_member(v);

	if (!m)
		return;
	if (r->kind == PUNT_SLOW)
		bond_receive_slow(m, r->data, r->len, vswitch_now_ms());
	else
		bond_receive_beacon(m, r->data, r->len, vswitch_now_ms());
	vbond_arm(v->bond);
}

static void dispatch(struct frames *f, struct vport *v,
		     const struct punt_record *r)
{
	switch ((enum punt_kind)r->kind) {
	case PUNT_SLOW:
	case PUNT_BEACON:
		receive_for_bond(v, r);
		break;
	case PUNT_NEIGHBOR:
		learn_address(v, r);
		break;
	case PUNT_LLDP:
	case PUNT_CDP:
		if (f->client)
			f->client->receive(v, r);
		break;
	case PUNT_GATEWAY:
	case PUNT_GATEWAY_LINK:
		segments_receive(f->vs, v, r);
		break;
	case PUNT_TUNNEL:
	case PUNT_UNDERLAY:
		overlays_receive(f->vs, v, r);
		break;
	case PUNT_DHCP:
		port_snoop_receive(v, r);
		break;
	case PUNT_VIOLATION:
		event_violation(v, r);
		break;
	case N_PUNT_KINDS:
		break;
	}
}

static struct frames_tap *find_tap(const struct frames *f, uint32_t id)
{
	struct hmap_node *node = hmap_first(&f->taps, id);

	return node ? CONTAINER_OF(node, struct frames_tap, node) : NULL;
}

static void record_cb(const struct punt_record *r, void *aux)
{
	struct frames *f = aux;
	struct frames_tap *tap = find_tap(f, r->id);

	if (tap)
		dispatch(f, tap->v, r);
}

/* The descriptor stays readable while there is more: others get their turn. */
static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct frames *f = arg;

	punt_ring_read(f->ring, READ_AT_ONCE, record_cb, f);
}

/* --- what is wanted --------------------------------------------------------
 */

static bool start_ring(struct frames *f)
{
	if (f->ring || f->no_ring)
		return f->ring;
	f->ring = punt_ring_create();
	f->no_ring = !f->ring;
	if (f->no_ring) {
		log_err("no event descriptor for control frames: %s; LACP, "
			"LLDP, CDP and beacons are not heard",
			strerror(errno));
		return false;
	}
	f->readable = event_new(f->vs->base, punt_ring_fd(f->ring),
				EV_READ | EV_PERSIST, readable_cb, f);
	event_add(f->readable, NULL);
	return true;
}

static struct frames_tap *get_tap(struct frames *f, struct vport *v)
{
	struct frames_tap *tap = v->tap;

	if (tap || !start_ring(f))
		return tap;
	tap = xcalloc(1, sizeof(*tap));
	tap->v = v;
	tap->punt.ring = f->ring;
	tap->punt.id = ++f->last_id;
	hmap_insert(&f->taps, &tap->node, tap->punt.id);
	v->tap = tap;
	return tap;
}

static bool any_wants_addresses(const struct bridge *b)
{
	for (const struct vbond *vb = b->bonds; vb; vb = vb->next)
		if (vb->applied && bond_wants_addresses(vb->bond))
			return true;
	return false;
}

static unsigned kinds_of_member(const struct vbond *vb)
{
	unsigned kinds = 0;

	if (vb->applied->bond->config.lacp.mode != LACP_OFF)
		kinds |= 1u << PUNT_SLOW;
	if (bond_wants_beacons(vb->bond))
		kinds |= 1u << PUNT_BEACON;
	return kinds;
}

void frames_attach(struct vswitch *vs, struct vport *v, struct fwd_port *p)
{
	struct frames *f = vs->frames;
	unsigned kinds = 0;
	struct frames_tap *tap;

	if (v->bond)
		kinds |= kinds_of_member(v->bond);
	if (any_wants_addresses(v->bridge))
		kinds |= 1u << PUNT_NEIGHBOR;
	if (f->client)
		kinds |= f->client->wants(v);
	/* Whatever comes in anywhere may get to a gateway, by patch ports. */
	if (segments_have_gateway(vs))
		kinds |= 1u << PUNT_GATEWAY;
	kinds |= overlays_punts(vs, v);
	tap = kinds ? get_tap(f, v) : NULL;
	if (!tap)
		return;
	if (v->bond)
		p->beacons = bond_identity(v->bond->bond);
	p->punt = &tap->punt;
	p->punts = kinds;
}

void frames_want_violations(struct vswitch *vs, struct vport *v,
			    struct fwd_port *p)
{
	struct frames_tap *tap = get_tap(vs->frames, v);

	if (!tap)
		return;
	p->punt = &tap->punt;
	p->punts |= 1u << PUNT_VIOLATION;
}

bool frames_want_dhcp(struct vswitch *vs, struct vport *v, struct fwd_port *p)
{
	struct frames_tap *tap = get_tap(vs->frames, v);

	if (!tap)
		return false;
	p->punt = &tap->punt;
	return true;
}

struct frames_tap *frames_detach(struct vport *v)
{
	struct frames *f = v->vs->frames;
	struct frames_tap *tap = v->tap;

	if (f->client && f->client->gone)
		f->client->gone(v);
	if (tap)
		hmap_remove(&f->taps, &tap->node);
	v->tap = NULL;
	return tap;
}

void frames_tap_free(struct frames_tap *tap)
{
	free(tap);
}

void frames_set_client(struct vswitch *vs, const struct frames_client *client)
{
	vs->frames->client = client;
}

/* --- what goes out ---------------------------------------------------------
 */

static struct pipeline *get_pipeline(struct frames *f)
{
	if (!f->pipeline)
		f->pipeline = pipeline_create(0);
	return f->pipeline;
}

static void emit(struct frames *f, const struct fwd_port *out,
		 const void *frame, size_t len, uint16_t vid)
{
	pipeline_emit(get_pipeline(f), out, frame, len, vid);
}

void frames_send(struct vswitch *vs, struct vport *v, const void *frame,
		 size_t len)
{
	if (v->fwd)
		emit(vs->frames, v->fwd, frame, len, VLAN_VID_NONE);
}

void frames_announce(struct vswitch *vs, struct vbond *vb, const void *frame,
		     size_t len, uint16_t vid)
{
	if (vb->fwd)
		emit(vs->frames, vb->fwd, frame, len, vid);
}

void frames_inject(struct vswitch *vs, struct vport *v, const void *frame,
		   size_t len)
{
	if (v->fwd)
		frames_inject_at(vs, v->fwd, frame, len);
}

void frames_inject_at(struct vswitch *vs, const struct fwd_port *in,
		      const void *frame, size_t len)
{
	struct packet p;

	packet_init(&p, frame, len);
	pipeline_run(get_pipeline(vs->frames), in, &p, 1);
}

void frames_forget(struct vswitch *vs)
{
	if (vs->frames->pipeline)
		pipeline_forget(vs->frames->pipeline);
}

/* --- life ------------------------------------------------------------------
 */

void vswitch_start_frames(struct vswitch *vs)
{
	struct frames *f = xcalloc(1, sizeof(*f));

	f->vs = vs;
	hmap_init(&f->taps);
	vs->frames = f;
}

void vswitch_stop_frames(struct vswitch *vs)
{
	struct frames *f = vs->frames;

	if (f->readable)
		event_free(f->readable);
	punt_ring_destroy(f->ring);
	pipeline_destroy(f->pipeline);
	hmap_destroy(&f->taps);
	free(f);
	vs->frames = NULL;
}
