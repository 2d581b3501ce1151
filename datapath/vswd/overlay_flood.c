/*
 * Which remote VTEPs the frames to all of a VNI go to: the map of an overlay,
 * with VLANs and VNIs as its configuration has them, and remotes by their
 * index. An overlay with one fixed VNI has it as VLAN 1's.
 */
#include <errno.h>
#include <stdlib.h>

#include "vswd/overlay.h"

#define FIXED_VLAN 1

static uint32_t wanted_vni(const struct cfg_overlay *c, uint16_t vlan)
{
	if (c->map)
		return vtep_map_vni(c->map, vlan);
	return vlan == FIXED_VLAN ? c->vni : VTEP_NO_VNI;
}

static bool is_as_wanted(const struct overlay *o)
{
	for (unsigned vlan = 0; o->map && vlan <= VTEP_VLAN_MAX; vlan++)
		if (vtep_map_vni(o->map, vlan) != wanted_vni(o->config, vlan))
			return false;
	return o->map;
}

/* The list that a VNI has in `from`, whatever its VLAN was. */
static void copy_list(struct vtep_map *to, const struct vtep_map *from,
		      const struct vtep_table *table, uint32_t vni)
{
	uint16_t vlan = vtep_map_vlan(from, vni);
	const uint32_t *remotes;
	unsigned n = 0;

	if (vlan == VTEP_NO_VLAN)
		return;
	remotes = vtep_table_flood(table, vlan, &n);
	for (unsigned i = 0; i < n; i++) {
		unsigned origins = vtep_flood_origins(from, vni, remotes[i]);

		/* There was room for it, so there is. */
		for (unsigned bit = VTEP_STATIC; bit <= VTEP_CONTROLLER;
		     bit <<= 1)
			if (origins & bit &&
			    vtep_flood_add(to, vni, remotes[i], bit, NULL))
				break;
	}
}

void overlay_map_configure(struct overlay *o)
{
	struct vtep_table *table;
	struct vtep_map *map;

	if (is_as_wanted(o))
		return;
	map = vtep_map_new();
	table = o->map ? vtep_table_new(o->map) : NULL;
	for (unsigned vlan = 0; vlan <= VTEP_VLAN_MAX; vlan++) {
		uint32_t vni = wanted_vni(o->config, vlan);

		/* The reader had them in a map already: none is twice there. */
		if (vni == VTEP_NO_VNI || vtep_map_add(map, vlan, vni, NULL))
			continue;
		if (table)
			copy_list(map, o->map, table, vni);
	}
	free(table);
	vtep_map_free(o->map);
	o->map = map;
}

int overlay_flood_add(struct overlay *o, uint32_t vni, struct overlay_remote *r,
		      enum vtep_origin origin)
{
	int error = 0;

	if (vni != VTEP_NO_VNI)
		error = vtep_flood_add(o->map, vni, r->index, origin, NULL);
	for (unsigned vlan = 0; vni == VTEP_NO_VNI && vlan <= VTEP_VLAN_MAX;
	     vlan++) {
		uint32_t one = vtep_map_vni(o->map, vlan);
		int e = one == VTEP_NO_VNI
				? 0
				: vtep_flood_add(o->map, one, r->index, origin,
						 NULL);

		if (e)
			error = e;
	}
	overlay_changed(o);
	return error;
}

void overlay_flood_drop(struct overlay *o, uint32_t vni,
			struct overlay_remote *r, enum vtep_origin origin)
{
	bool dropped = false;

	if (vni != VTEP_NO_VNI)
		dropped = vtep_flood_remove(o->map, vni, r->index, origin);
	for (unsigned vlan = 0; vni == VTEP_NO_VNI && vlan <= VTEP_VLAN_MAX;
	     vlan++) {
		uint32_t one = vtep_map_vni(o->map, vlan);

		if (one != VTEP_NO_VNI)
			dropped |= vtep_flood_remove(o->map, one, r->index,
						     origin);
	}
	if (dropped)
		overlay_changed(o);
}
