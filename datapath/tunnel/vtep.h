/*
 * Which VLAN of the switch is which VXLAN network (VNI, RFC 7348), and which
 * remote VTEPs a network's broadcasts go to.
 *
 * The control side edits a struct vtep_map; workers read a struct vtep_table, a
 * copy that never changes and goes with a forwarding snapshot. A remote VTEP is
 * a number here; who hands it out knows its address.
 */
#ifndef TUNNEL_VTEP_H
#define TUNNEL_VTEP_H

#include "base/util.h"

#define VTEP_VLAN_MAX 4094	 /* VLANs 0 (untagged frames) to this */
#define VTEP_NO_VNI   UINT32_MAX /* VNI 0 is one */
#define VTEP_NO_VLAN  UINT16_MAX

/*
 * Remotes of a VNI at most. What strangers' packets taught may be the half of
 * them, so that no stranger takes the place of what was configured.
 */
#define VTEP_FLOOD_MAX	 1024
#define VTEP_LEARNED_MAX 512

/* Who says that a remote belongs to a VNI; several may. */
enum vtep_origin {
	VTEP_STATIC = 1 << 0,	  /* configuration */
	VTEP_LEARNED = 1 << 1,	  /* a packet that came from it */
	VTEP_CONTROLLER = 1 << 2, /* a control plane */
};

struct vtep_map;

struct vtep_map *vtep_map_new(void);
/* Without its flood lists. */
struct vtep_map *vtep_map_clone(const struct vtep_map *map);
/* The same VLANs with the same VNIs? */
bool vtep_map_equals(const struct vtep_map *a, const struct vtep_map *b);
void vtep_map_free(struct vtep_map *map);

/*
 * vlan becomes vni. -EINVAL when either is out of range, -EEXIST when either
 * belongs to another already (the same pair again is fine); with a message for
 * a person in *errp. Control side.
 */
int vtep_map_add(struct vtep_map *map, uint16_t vlan, uint32_t vni,
		 char **errp) MUST_CHECK;

/* And its flood list. False when the VLAN has no VNI. */
bool vtep_map_remove(struct vtep_map *map, uint16_t vlan);

/* Of any numbers; VTEP_NO_VNI and VTEP_NO_VLAN when there is none. */
uint32_t vtep_map_vni(const struct vtep_map *map, uint16_t vlan);
uint16_t vtep_map_vlan(const struct vtep_map *map, uint32_t vni);

/*
 * `remote` gets the VNI's broadcasts, says `origin` (one of enum vtep_origin).
 * Again by the same is fine. -ENOENT when no VLAN has the VNI, -ENOSPC when the
 * list is full; with a message in *errp. Control side.
 */
int vtep_flood_add(struct vtep_map *map, uint32_t vni, uint32_t remote,
		   enum vtep_origin origin, char **errp) MUST_CHECK;

/* `origin` does not say so any more; the remote goes with the last who did.
 * False when it did not say so. */
bool vtep_flood_remove(struct vtep_map *map, uint32_t vni, uint32_t remote,
		       enum vtep_origin origin);

/* The origins that say so, as a set; 0: none. */
unsigned vtep_flood_origins(const struct vtep_map *map, uint32_t vni,
			    uint32_t remote);

/* For workers: one block, free with free(). Any number of threads may read. */
struct vtep_table;

struct vtep_table *vtep_table_new(const struct vtep_map *map);

/* As those of the map; a few loads each. */
uint32_t vtep_table_vni(const struct vtep_table *table, uint16_t vlan);
uint16_t vtep_table_vlan(const struct vtep_table *table, uint32_t vni);

/* The remotes that a VLAN's broadcasts go to, rising; *np of them. */
const uint32_t *vtep_table_flood(const struct vtep_table *table, uint16_t vlan,
				 unsigned *np);

#endif
