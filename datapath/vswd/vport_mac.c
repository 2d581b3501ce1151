/*
 * Addresses that bridges and ports have, or are given: a bridge's own is the
 * lowest of its devices', as Open vSwitch chooses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/segment.h"
#include "vswd/switch.h"

LOG_MODULE(bridge);

/* Locally administered, and the same after every restart. */
static uint64_t mac_of_uuid(const struct uuid *uuid)
{
	uint64_t mac = (uuid->hi ^ uuid->hi >> 20 ^ uuid->lo) & 0xffffffffffff;

	return (mac & ~(1ull << 40)) | 1ull << 41;
}

/* With the lowest address of the bridge's, as Open vSwitch chooses; or NULL. */
static const struct vport *lowest_device(const struct bridge *b)
{
	const struct vport *lowest = NULL;

	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];
		uint64_t mac = v->status.mac;

		if (!v->port || !vport_is_host_device(v) || !mac ||
		    mac_is_multicast(mac))
			continue;
		if (!lowest || mac < lowest->status.mac)
			lowest = v;
	}
	return lowest;
}

/*
 * What machines of a host-only segment know the host by: it stays, whatever
 * devices come and go.
 */
static bool is_host_only(const struct bridge *b)
{
	const struct cfg_segment *segment = b->config->segment;

	return segment && segment->type == SEGMENT_HOST_ONLY;
}

static uint64_t bridge_mac(const struct bridge *b,
			   const struct cfg_interface *local)
{
	const struct vport *lowest;

	if (b->config->hwaddr)
		return b->config->hwaddr;
	if (local && local->mac)
		return local->mac;
	lowest = is_host_only(b) ? NULL : lowest_device(b);
	return lowest ? lowest->status.mac : mac_of_uuid(&b->uuid);
}

uint64_t bridge_address(const struct bridge *b)
{
	return b->mac ? b->mac : bridge_mac(b, NULL);
}

uint64_t vport_made_up_mac(const struct vport *v)
{
	return mac_of_uuid(&v->interface->uuid);
}

uint64_t vport_wanted_mac(const struct vport *v)
{
	if (vport_is_local(v))
		return bridge_mac(v->bridge, v->interface);
	if (!v->interface->mac && !strcmp(vport_type(v), "internal"))
		return vport_made_up_mac(v);
	return v->interface->mac;
}

/* Guests' neighbours, routers and LACP's partners see another system then. */
static void log_new_mac(const struct vport *v, uint64_t from)
{
	const struct bridge *b = v->bridge;
	const struct vport *lowest = lowest_device(b);
	char is[MAC_STRING_SIZE], was[MAC_STRING_SIZE];
	char *why;

	if (b->config->hwaddr)
		why = xstrdup("other_config:hwaddr says so");
	else if (v->interface->mac)
		why = xstrdup("its interface's mac says so");
	else if (is_host_only(b))
		why = xstrdup("the host has one of its own on a host-only "
			      "segment");
	else
		why = xasprintf("%s%s; set Bridge %s other_config:hwaddr=... "
				"keeps one",
				lowest ? "the lowest of its devices, that of "
				       : "it has no device any more",
				lowest ? lowest->interface->name : "", b->name);
	log_info("bridge %s: its own address is %s now, and was %s: %s",
		 b->name, mac_format(b->mac, is), mac_format(from, was), why);
	free(why);
}

void vport_apply_mac(struct vswitch *vs, struct vport *v)
{
	uint64_t from = v->bridge->mac;

	v->bridge->mac = bridge_mac(v->bridge, v->interface);
	if (v->bridge->mac != v->bridge->told_mac)
		v->bridge->dirty = true;
	if (v->port && v->mac != v->bridge->mac)
		vport_reconfigure(vs, v);
	if (from && from != v->bridge->mac) {
		log_new_mac(v, from);
		bridge_rename_station(v->bridge, from, v->bridge->mac,
				      v->number);
	}
}
