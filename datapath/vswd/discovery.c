#include "vswd/discovery.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vswd/frames.h"
#include "vswd/vbond.h"

/* How long the host's addresses, once read, are not read again. */
#define ADDRESSES_MS 1000

struct vdiscovery {
	struct discovery *agent;
	struct event *timer;
	struct ifaddrs *addresses; /* the host's, as they were ... */
	uint64_t addresses_ms;	   /* ... then */
};

/* --- for the agent -------------------------------------------------------- */

static void forget_addresses(struct vdiscovery *vd)
{
	if (vd->addresses)
		freeifaddrs(vd->addresses);
	vd->addresses = NULL;
}

static bool on_describe(void *owner, struct discovery_info *info,
			uint64_t *source, void *arg)
{
	struct vdiscovery *vd = ((struct vswitch *)arg)->discovery;
	uint64_t now_ms = vswitch_now_ms();

	if (!vd->addresses || now_ms - vd->addresses_ms >= ADDRESSES_MS) {
		forget_addresses(vd);
		if (getifaddrs(&vd->addresses))
			vd->addresses = NULL;
		vd->addresses_ms = now_ms;
	}
	return vdiscovery_describe(owner, vd->addresses, info, source);
}

static void on_send(void *owner, const void *frame, size_t len, void *arg)
{
	frames_send(arg, owner, frame, len);
}

static const struct discovery_ops ops = {
	.describe = on_describe,
	.send = on_send,
};

/* --- the clock ------------------------------------------------------------ */

/* Nobody is woken while there is nothing to do. */
static void arm(struct vdiscovery *vd)
{
	uint64_t now_ms = vswitch_now_ms();
	uint64_t next_ms = discovery_next_ms(vd->agent);
	uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
	struct timeval wait;

	if (next_ms == UINT64_MAX) {
		event_del(vd->timer);
		return;
	}
	wait.tv_sec = wait_ms / 1000;
	wait.tv_usec = wait_ms % 1000 * 1000;
	event_add(vd->timer, &wait);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vdiscovery *vd = ((struct vswitch *)arg)->discovery;

	discovery_run(vd->agent, vswitch_now_ms());
	arm(vd);
}

/* --- which ports ---------------------------------------------------------- */

/* One of the host's, and no guest's end, which a tap or vhost-user port is. */
static bool is_device(const struct vport *v)
{
	const char *type = vport_type(v);

	return !type[0] || !strcmp(type, "system") || !strcmp(type, "afxdp") ||
	       !strcmp(type, "dpdk");
}

/*
 * A card, or what a hypervisor gives for one: not a veth, tap, or the like. A
 * device of DPDK's is none of the kernel's.
 */
static bool has_hardware(const struct vport *v)
{
	char *path;
	bool has;

	path = xasprintf("/sys/class/net/%s/device", v->interface->name);
	has = !access(path, F_OK);
	free(path);
	return has;
}

/* Patch ports have nobody at the other end; the bridge's own has the host. */
bool vdiscovery_is_possible(const struct vport *v)
{
	return !vport_is_local(v) && strcmp(vport_type(v), "patch");
}

static unsigned wanted_mode(const struct vport *v)
{
	const struct cfg_interface *interface = v->interface;
	bool lldp = interface->lldp == CFG_LLDP_ON;
	enum cfg_cdp cdp = interface->cdp;
	unsigned mode = 0;

	if (!v->port || !vdiscovery_is_possible(v))
		return 0;
	if (interface->lldp == CFG_LLDP_DEFAULT)
		lldp = is_device(v) && (v->bond || has_hardware(v));
	if (cdp == CFG_CDP_DEFAULT)
		cdp = lldp ? CFG_CDP_RECEIVE : CFG_CDP_OFF;
	if (lldp)
		mode |= DISCOVERY_LLDP_RX | DISCOVERY_LLDP_TX;
	if (cdp != CFG_CDP_OFF)
		mode |= DISCOVERY_CDP_RX;
	if (cdp == CFG_CDP_BOTH)
		mode |= DISCOVERY_CDP_TX;
	return mode;
}

static void update(struct vswitch *vs, struct vport *v, uint64_t now_ms)
{
	unsigned mode = wanted_mode(v), before;

	if (!mode && !v->discovery)
		return;
	if (!v->discovery)
		v->discovery = discovery_add_port(vs->discovery->agent,
						  v->interface->name, v);
	before = discovery_port_mode(v->discovery);
	vs->changed |= mode != before;
	discovery_port_configure(v->discovery, mode, now_ms);
	discovery_port_set_link(
		v->discovery,
		v->port && v->status.admin_up && v->status.link_up, now_ms);
	discovery_port_refresh(v->discovery, now_ms);
}

void vdiscovery_update(struct vswitch *vs)
{
	uint64_t now_ms = vswitch_now_ms();

	for (struct vport *v = vs->dirty; v; v = v->dirty_next)
		update(vs, v, now_ms);
	/* The bridge's address is what all its ports say of themselves. */
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (size_t i = 0; b->dirty && i < b->n_vports; i++)
			if (b->vports[i]->discovery)
				discovery_port_refresh(b->vports[i]->discovery,
						       now_ms);
	arm(vs->discovery);
}

void vdiscovery_forget(struct vport *v)
{
	if (!v->discovery)
		return;
	discovery_remove_port(v->discovery, vswitch_now_ms());
	v->discovery = NULL;
	arm(v->vs->discovery);
}

/* --- frames --------------------------------------------------------------- */

static unsigned wants(const struct vport *v)
{
	unsigned mode = v->discovery ? discovery_port_mode(v->discovery) : 0;
	unsigned punts = 0;

	if (mode & DISCOVERY_LLDP_RX)
		punts |= 1u << PUNT_LLDP;
	if (mode & DISCOVERY_CDP_RX)
		punts |= 1u << PUNT_CDP;
	return punts;
}

static void receive(struct vport *v, const struct punt_record *r)
{
	if (!v->discovery)
		return;
	discovery_receive(v->discovery,
			  r->kind == PUNT_LLDP ? DISCOVERY_LLDP : DISCOVERY_CDP,
			  r->data, r->len, vswitch_now_ms());
	arm(v->vs->discovery);
}

static const struct frames_client client = {
	.wants = wants,
	.receive = receive,
	.gone = vdiscovery_forget,
};

/* --- life ----------------------------------------------------------------- */

void vswitch_start_discovery(struct vswitch *vs)
{
	struct vdiscovery *vd = xcalloc(1, sizeof(*vd));

	vd->agent = discovery_create(&ops, vs);
	vd->timer = evtimer_new(vs->base, timer_cb, vs);
	vs->discovery = vd;
	frames_set_client(vs, &client);
}

void vswitch_stop_discovery(struct vswitch *vs)
{
	struct vdiscovery *vd = vs->discovery;

	discovery_destroy(vd->agent);
	event_free(vd->timer);
	forget_addresses(vd);
	free(vd);
	vs->discovery = NULL;
}
