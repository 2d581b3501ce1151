/*
 * The map of vtep.h: an array by VLAN, and a hash of VNIs by open addressing,
 * at most half full. Only the control side fills it, with what an operator
 * chose. The table is the same two and the flood lists, one behind the other.
 */
#include "tunnel/vtep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/vxlan.h"

#define N_VLANS	  (VTEP_VLAN_MAX + 1)
#define N_SLOTS	  8192u
#define SLOT_BITS 13

/* Both ways between VLAN and VNI. */
struct pairs {
	uint32_t vni[N_VLANS];
	uint16_t slot[N_SLOTS]; /* a VLAN and 1; 0: a free slot */
};

struct remote {
	uint32_t id;
	unsigned origins;
};

/* Rising by id. */
struct flood {
	struct remote *remotes;
	unsigned n, max, n_learned;
};

struct vtep_map {
	struct pairs pairs;
	struct flood flood[N_VLANS];
};

struct vtep_table {
	struct pairs pairs;
	uint32_t start[N_VLANS + 1]; /* of each VLAN's, and the end */
	uint32_t remotes[];
};

static inline uint32_t slot_of(uint32_t vni)
{
	return vni * 0x9e3779b1u >> (32 - SLOT_BITS);
}

static inline uint32_t pairs_vni(const struct pairs *p, uint16_t vlan)
{
	return vlan < N_VLANS ? p->vni[vlan] : VTEP_NO_VNI;
}

/* Half of the slots are free, so each search ends. */
static inline uint16_t pairs_vlan(const struct pairs *p, uint32_t vni)
{
	uint32_t i = slot_of(vni);

	if (vni > VXLAN_VNI_MAX)
		return VTEP_NO_VLAN;
	for (; p->slot[i]; i = (i + 1) % N_SLOTS)
		if (p->vni[p->slot[i] - 1] == vni)
			return p->slot[i] - 1;
	return VTEP_NO_VLAN;
}

static void pairs_insert(struct pairs *p, uint16_t vlan)
{
	uint32_t i = slot_of(p->vni[vlan]);

	while (p->slot[i])
		i = (i + 1) % N_SLOTS;
	p->slot[i] = vlan + 1;
}

struct vtep_map *vtep_map_new(void)
{
	struct vtep_map *map = xcalloc(1, sizeof(*map));

	for (unsigned i = 0; i < N_VLANS; i++)
		map->pairs.vni[i] = VTEP_NO_VNI;
	return map;
}

struct vtep_map *vtep_map_clone(const struct vtep_map *map)
{
	struct vtep_map *clone = xcalloc(1, sizeof(*clone));

	clone->pairs = map->pairs;
	return clone;
}

bool vtep_map_equals(const struct vtep_map *a, const struct vtep_map *b)
{
	return !memcmp(a->pairs.vni, b->pairs.vni, sizeof(a->pairs.vni));
}

void vtep_map_free(struct vtep_map *map)
{
	if (!map)
		return;
	for (unsigned i = 0; i < N_VLANS; i++)
		free(map->flood[i].remotes);
	free(map);
}

uint32_t vtep_map_vni(const struct vtep_map *map, uint16_t vlan)
{
	return pairs_vni(&map->pairs, vlan);
}

uint16_t vtep_map_vlan(const struct vtep_map *map, uint32_t vni)
{
	return pairs_vlan(&map->pairs, vni);
}

int vtep_map_add(struct vtep_map *map, uint16_t vlan, uint32_t vni, char **errp)
{
	uint32_t has;
	uint16_t owner;

	if (vlan > VTEP_VLAN_MAX)
		return set_error(errp, -EINVAL,
				 "VNI %u: VLAN %u does not exist; give 0 to %u",
				 vni, vlan, VTEP_VLAN_MAX);
	if (vni > VXLAN_VNI_MAX)
		return set_error(errp, -EINVAL,
				 "VLAN %u: VNI %u does not exist; give 0 to %u",
				 vlan, vni, VXLAN_VNI_MAX);
	has = map->pairs.vni[vlan];
	if (has == vni)
		return 0;
	if (has != VTEP_NO_VNI)
		return set_error(errp, -EEXIST,
				 "VLAN %u is VNI %u already, so it cannot be "
				 "VNI %u; remove the former first",
				 vlan, has, vni);
	owner = pairs_vlan(&map->pairs, vni);
	if (owner != VTEP_NO_VLAN)
		return set_error(errp, -EEXIST,
				 "VNI %u is VLAN %u already, so it cannot be "
				 "VLAN %u; remove the former first",
				 vni, owner, vlan);
	map->pairs.vni[vlan] = vni;
	pairs_insert(&map->pairs, vlan);
	return 0;
}

/* What lies behind the slot may only lie there because it was taken. */
bool vtep_map_remove(struct vtep_map *map, uint16_t vlan)
{
	struct pairs *p = &map->pairs;

	if (pairs_vni(p, vlan) == VTEP_NO_VNI)
		return false;
	p->vni[vlan] = VTEP_NO_VNI;
	memset(p->slot, 0, sizeof(p->slot));
	for (unsigned i = 0; i < N_VLANS; i++)
		if (p->vni[i] != VTEP_NO_VNI)
			pairs_insert(p, i);
	free(map->flood[vlan].remotes);
	map->flood[vlan] = (struct flood){ 0 };
	return true;
}

/* Where the remote is, or would be. */
static unsigned find(const struct flood *f, uint32_t id)
{
	unsigned low = 0, high = f->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (f->remotes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct flood *f, unsigned at, uint32_t id)
{
	return at < f->n && f->remotes[at].id == id;
}

static void insert(struct flood *f, unsigned at, uint32_t id)
{
	if (f->n == f->max) {
		f->max = MAX(8, f->max * 2);
		f->remotes = xrealloc(f->remotes, f->max * sizeof(*f->remotes));
	}
	memmove(f->remotes + at + 1, f->remotes + at,
		(f->n - at) * sizeof(*f->remotes));
	f->remotes[at] = (struct remote){ .id = id };
	f->n++;
}

int vtep_flood_add(struct vtep_map *map, uint32_t vni, uint32_t remote,
		   enum vtep_origin origin, char **errp)
{
	uint16_t vlan = vtep_map_vlan(map, vni);
	struct flood *f = &map->flood[MIN(vlan, VTEP_VLAN_MAX)];
	bool learned = origin == VTEP_LEARNED;
	unsigned at;

	if (vlan == VTEP_NO_VLAN)
		return set_error(errp, -ENOENT,
				 "VNI %u has no VLAN, so it floods to nobody; "
				 "give it one first",
				 vni);
	at = find(f, remote);
	if (is_at(f, at, remote) && f->remotes[at].origins & origin)
		return 0;
	if ((learned && f->n_learned == VTEP_LEARNED_MAX) ||
	    (!is_at(f, at, remote) && f->n == VTEP_FLOOD_MAX))
		return set_error(errp, -ENOSPC,
				 "VNI %u floods to %u remote VTEPs, %u of them "
				 "learned, and no more are taken; remove some",
				 vni, f->n, f->n_learned);
	if (!is_at(f, at, remote))
		insert(f, at, remote);
	f->remotes[at].origins |= origin;
	f->n_learned += learned;
	return 0;
}

bool vtep_flood_remove(struct vtep_map *map, uint32_t vni, uint32_t remote,
		       enum vtep_origin origin)
{
	uint16_t vlan = vtep_map_vlan(map, vni);
	struct flood *f = &map->flood[MIN(vlan, VTEP_VLAN_MAX)];
	unsigned at = find(f, remote);

	if (vlan == VTEP_NO_VLAN || !is_at(f, at, remote) ||
	    !(f->remotes[at].origins & origin))
		return false;
	f->remotes[at].origins &= ~(unsigned)origin;
	f->n_learned -= origin == VTEP_LEARNED;
	if (f->remotes[at].origins)
		return true;
	f->n--;
	memmove(f->remotes + at, f->remotes + at + 1,
		(f->n - at) * sizeof(*f->remotes));
	return true;
}

unsigned vtep_flood_origins(const struct vtep_map *map, uint32_t vni,
			    uint32_t remote)
{
	uint16_t vlan = vtep_map_vlan(map, vni);
	const struct flood *f = &map->flood[MIN(vlan, VTEP_VLAN_MAX)];
	unsigned at = find(f, remote);

	return vlan != VTEP_NO_VLAN && is_at(f, at, remote)
		       ? f->remotes[at].origins
		       : 0;
}

struct vtep_table *vtep_table_new(const struct vtep_map *map)
{
	struct vtep_table *table;
	uint32_t n = 0;

	for (unsigned i = 0; i < N_VLANS; i++)
		n += map->flood[i].n;
	table = xmalloc(sizeof(*table) + n * sizeof(table->remotes[0]));
	table->pairs = map->pairs;
	n = 0;
	for (unsigned i = 0; i < N_VLANS; i++) {
		const struct flood *f = &map->flood[i];

		table->start[i] = n;
		for (unsigned j = 0; j < f->n; j++)
			table->remotes[n++] = f->remotes[j].id;
	}
	table->start[N_VLANS] = n;
	return table;
}

uint32_t vtep_table_vni(const struct vtep_table *table, uint16_t vlan)
{
	return pairs_vni(&table->pairs, vlan);
}

uint16_t vtep_table_vlan(const struct vtep_table *table, uint32_t vni)
{
	return pairs_vlan(&table->pairs, vni);
}

const uint32_t *vtep_table_flood(const struct vtep_table *table, uint16_t vlan,
				 unsigned *np)
{
	if (vlan >= N_VLANS) {
		*np = 0;
		return table->remotes;
	}
	*np = table->start[vlan + 1] - table->start[vlan];
	return table->remotes + table->start[vlan];
}
