/*
 * The devices of an EVPN network (tunnel/evpn_netlink.h), by their VNI: the
 * bridge vswVNI-br, the vxlan device vswVNI-vx, and the veth pair vswVNI-ev and
 * vswVNI-ep. They belong to a group of devices of this switch's own, by which
 * they are known again when vswd was killed; a device that only has the name is
 * left alone.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/overlay_evpn_internal.h"

LOG_MODULE(evpn);

#define SWEEP_A_TURN 12u /* devices */

static const char *const endings[EVPN_N_DEVICES] = {
	[EVPN_BRIDGE] = "br",
	[EVPN_MEMBER] = "ev",
	[EVPN_PEER] = "ep",
	[EVPN_VXLAN] = "vx",
};
static const char *const kinds[EVPN_N_DEVICES] = {
	[EVPN_BRIDGE] = "bridge",
	[EVPN_MEMBER] = "veth",
	[EVPN_PEER] = "veth",
	[EVPN_VXLAN] = "vxlan",
};

void evpn_devices_name(struct evpn_network *n)
{
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++)
		snprintf(n->links[i].name, sizeof(n->links[i].name), "vsw%u-%s",
			 n->vni & 0xffffff, endings[i]);
}

PRINTF_LIKE(2, 3)
static bool fail(struct evpn_network *n, const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	free(n->error);
	n->error = text;
	return false;
}

static const char *why(int error)
{
	switch (error) {
	case -EPERM:
		return "vswd may not; it needs CAP_NET_ADMIN";
	case -EADDRINUSE:
		return "the UDP port is in use";
	case -EEXIST:
		return "a device of that name, or VNI and UDP port, is there";
	case -EOPNOTSUPP:
		return "the kernel has no such devices";
	}
	return strerror(-error);
}

static int get(struct evpn_network *n, unsigned i, struct evpn_event *link)
{
	struct evpn_request r;

	evpn_get_link(&r, 1, n->links[i].name);
	return evpn_host_ask(n->host, &r, link);
}

/* --- removal ---------------------------------------------------------------
 *
 * Devices that are to go have a group of their own at once, so that nobody
 * takes them over. They are removed by groups, since the kernel waits for all
 * CPUs once for each removal, and even so a bridge takes it some 20 ms: the
 * control thread has a few removed a turn.
 */

static uint32_t doomed_group(const struct evpn_host *h)
{
	return h->group ^ 0x01000000;
}

static void regroup(struct evpn_host *h, int ifindex, uint32_t group)
{
	struct evpn_request r;

	evpn_regroup_link(&r, 1, ifindex, group);
	evpn_host_ask(h, &r, NULL);
}

static void remove_group(struct evpn_host *h, uint32_t group)
{
	struct evpn_request r;
	int error;

	evpn_remove_group(&r, 1, group);
	error = evpn_host_ask(h, &r, NULL);
	if (error && error != -ENODEV)
		log_warn_limited("could not remove devices: %s", why(error));
}

static void remove_some(struct evpn_host *h, const int *ifindexes, unsigned n)
{
	uint32_t group = h->group ^ 0x02000000;

	for (unsigned i = 0; i < n; i++)
		regroup(h, ifindexes[i], group);
	remove_group(h, group);
}

void evpn_devices_sweep(struct evpn_host *h, bool all)
{
	unsigned n = MIN(h->n_doomed, SWEEP_A_TURN);

	if (!n)
		return;
	if (all) {
		remove_group(h, doomed_group(h));
		n = h->n_doomed;
	} else {
		remove_some(h, h->doomed + h->n_doomed - n, n);
	}
	h->n_doomed -= n;
	if (h->n_doomed)
		return;
	free(h->doomed);
	h->doomed = NULL;
}

static void forget_links(struct evpn_network *n)
{
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++)
		if (n->links[i].ifindex) {
			evpn_host_remove_link(n->host, &n->links[i]);
			n->links[i].ifindex = 0;
		}
}

static void doom(struct evpn_host *h, int ifindex)
{
	regroup(h, ifindex, doomed_group(h));
	h->doomed = xrealloc(h->doomed, (h->n_doomed + 1) * sizeof(*h->doomed));
	h->doomed[h->n_doomed++] = ifindex;
}

void evpn_devices_remove(struct evpn_network *n)
{
	struct evpn_host *h = n->host;

	/* The pair goes with its first. */
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++)
		if (n->links[i].ifindex && i != EVPN_PEER)
			doom(h, n->links[i].ifindex);
	forget_links(n);
	evpn_host_work_in(h, 0);
}

/* --- what is there ---------------------------------------------------------
 */

struct found {
	struct evpn_event links[EVPN_N_DEVICES];
	unsigned n;
};

static bool is_ours(const struct evpn_host *h, uint32_t group)
{
	return (group & ~0x03000000u) == (h->group & ~0x03000000u);
}

/* What is there of these names; false: something that is not ours. */
static bool look(struct evpn_network *n, struct found *found)
{
	memset(found, 0, sizeof(*found));
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++) {
		struct evpn_event *e = &found->links[i];
		int error = get(n, i, e);

		if (error == -ENODEV) {
			e->link.ifindex = 0;
			continue;
		}
		if (error)
			return fail(n, "cannot ask for device %s: %s",
				    n->links[i].name, why(error));
		/* the peer's group is not given; its name's is enough */
		if (i != EVPN_PEER && (!is_ours(n->host, e->link.group) ||
				       strcmp(e->link.kind, kinds[i])))
			return fail(n,
				    "device %s is there and not vswd's; "
				    "remove or rename it",
				    n->links[i].name);
		found->n++;
	}
	return true;
}

static bool usable(const struct evpn_network *n, const struct found *found)
{
	const struct evpn_event *vxlan = &found->links[EVPN_VXLAN];
	const struct ip_address *local = &n->evpn->local;
	int bridge = found->links[EVPN_BRIDGE].link.ifindex;

	/* One that is about to go is none. */
	if (found->n != EVPN_N_DEVICES ||
	    found->links[EVPN_BRIDGE].link.group != n->host->group ||
	    vxlan->link.group != n->host->group)
		return false;
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++)
		if (!found->links[i].link.up)
			return false;
	return found->links[EVPN_MEMBER].link.master == bridge &&
	       vxlan->link.master == bridge && vxlan->link.vni == n->vni &&
	       vxlan->link.udp_port == EVPN_UDP_PORT &&
	       vxlan->link.local.len == local->len &&
	       !memcmp(vxlan->link.local.bytes, local->bytes, local->len);
}

static void take(struct evpn_network *n, const struct found *found)
{
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++) {
		n->links[i].ifindex = found->links[i].link.ifindex;
		evpn_host_add_link(n->host, &n->links[i]);
	}
}

static bool ask(struct evpn_network *n, struct evpn_request *r, unsigned i,
		const char *what)
{
	int error = evpn_host_ask(n->host, r, NULL);

	if (!error)
		return true;
	return fail(n, "cannot %s device %s: %s", what, n->links[i].name,
		    why(error));
}

static bool make_new(struct evpn_network *n)
{
	struct evpn_ip local = { .len = n->evpn->local.len };
	uint32_t group = n->host->group;
	struct evpn_request r;

	memcpy(local.bytes, n->evpn->local.bytes, local.len);
	evpn_make_bridge(&r, 1, n->links[EVPN_BRIDGE].name, false);
	evpn_group_link(&r, group);
	if (!ask(n, &r, EVPN_BRIDGE, "make"))
		return false;
	evpn_make_member(&r, 1, n->links[EVPN_MEMBER].name,
			 n->links[EVPN_PEER].name);
	evpn_group_link(&r, group);
	if (!ask(n, &r, EVPN_MEMBER, "make"))
		return false;
	evpn_make_vxlan(&r, 1, n->links[EVPN_VXLAN].name, n->vni, &local,
			EVPN_UDP_PORT);
	evpn_group_link(&r, group);
	return ask(n, &r, EVPN_VXLAN, "make");
}

/* Where IPv6 is off altogether there is nothing to keep still. */
static void still(struct evpn_network *n)
{
	struct evpn_request r;

	for (unsigned i = 0; i < EVPN_N_DEVICES; i++) {
		evpn_still_link(&r, 1, n->links[i].ifindex);
		evpn_host_ask(n->host, &r, NULL);
	}
}

static bool join(struct evpn_network *n)
{
	static const unsigned members[] = { EVPN_MEMBER, EVPN_VXLAN };
	struct evpn_request r;

	for (unsigned i = 0; i < ARRAY_SIZE(members); i++) {
		int ifindex = n->links[members[i]].ifindex;

		evpn_enslave(&r, 1, ifindex, n->links[EVPN_BRIDGE].ifindex);
		if (!ask(n, &r, members[i], "put into its bridge"))
			return false;
		evpn_member_options(&r, 1, ifindex, members[i] == EVPN_VXLAN);
		if (!ask(n, &r, members[i], "set the options of"))
			return false;
	}
	for (unsigned i = 0; i < EVPN_N_DEVICES; i++) {
		evpn_bring_up(&r, 1, n->links[i].ifindex);
		if (!ask(n, &r, i, "bring up"))
			return false;
	}
	return true;
}

static void remove_found(struct evpn_network *n, const struct found *found)
{
	int ifindexes[EVPN_N_DEVICES];
	unsigned k = 0;

	for (unsigned i = 0; i < EVPN_N_DEVICES; i++)
		if (found->links[i].link.ifindex && i != EVPN_PEER)
			ifindexes[k++] = found->links[i].link.ifindex;
	if (k)
		remove_some(n->host, ifindexes, k);
}

bool evpn_devices_make(struct evpn_network *n, bool adopt)
{
	struct found found;

	forget_links(n);
	if (!look(n, &found))
		return false;
	if (!adopt || !usable(n, &found)) {
		remove_found(n, &found);
		if (!make_new(n) || !look(n, &found)) {
			char *error = n->error;

			/* what was made before that */
			n->error = NULL;
			if (look(n, &found))
				remove_found(n, &found);
			free(n->error);
			n->error = error;
			return false;
		}
		if (found.n != EVPN_N_DEVICES)
			return fail(n, "the devices of VNI %u are gone again",
				    n->vni);
		take(n, &found);
		still(n);
		if (!join(n)) {
			evpn_devices_remove(n);
			return false;
		}
	} else {
		take(n, &found);
		log_info("VNI %u: device %s and the like are taken over",
			 n->vni, n->links[EVPN_BRIDGE].name);
	}
	free(n->error);
	n->error = NULL;
	return true;
}
