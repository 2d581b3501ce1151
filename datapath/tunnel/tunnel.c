/* The control side's part of a VXLAN port, and what of it is only looked up. */
#include "tunnel/tunnel_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "packet/vlan.h"

#define FIXED_VLAN 1 /* whose flood list a port of one VNI has */

static int add_remote(struct tunnel *t, uint32_t i,
		      const struct tunnel_remote *remote, char **errp)
{
	struct tunnel_endpoint *e = &t->remotes[i];
	int r;

	if (remote->outer.form != VXLAN_FRAME)
		return set_error(errp, -EINVAL,
				 "VXLAN: remote %u has no outer headers to "
				 "send; give it those of a frame",
				 i);
	e->mtu = remote->mtu;
	e->resolved = remote->resolved;
	r = vxlan_outer_init(&e->outer, &remote->outer, errp);
	if (!r)
		tunnel_plain_endpoint(e);
	return r;
}

static int check_flood(const struct tunnel *t, char **errp)
{
	for (unsigned vlan = 1; t->table && vlan <= VTEP_VLAN_MAX; vlan++) {
		const uint32_t *list;
		unsigned n;

		list = vtep_table_flood(t->table, vlan, &n);
		for (unsigned i = 0; i < n; i++)
			if (list[i] >= t->n_remotes)
				return set_error(
					errp, -EINVAL,
					"VXLAN: VLAN %u floods to remote %u, "
					"and there are %u; leave it out",
					vlan, list[i], t->n_remotes);
	}
	return 0;
}

int tunnel_create(const struct tunnel_config *c, struct tunnel **tp,
		  char **errp)
{
	struct tunnel *t;
	int r = 0;

	if (c->vni != VTEP_NO_VNI && c->vni > VXLAN_VNI_MAX)
		return set_error(errp, -EINVAL,
				 "VXLAN: VNI %u does not exist; give 0 to %u",
				 c->vni, VXLAN_VNI_MAX);
	t = xcalloc(1, sizeof(*t) + c->n_remotes * sizeof(t->remotes[0]));
	t->vni = c->vni;
	t->seed = c->seed;
	t->n_remotes = c->n_remotes;
	t->table = c->map ? vtep_table_new(c->map) : NULL;
	for (uint32_t i = 0; !r && i < c->n_remotes; i++)
		r = add_remote(t, i, &c->remotes[i], errp);
	if (!r)
		r = check_flood(t, errp);
	if (r)
		tunnel_free(t);
	else
		*tp = t;
	return r;
}

void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	free(t->table);
	free(t);
}

/* Of a packet that may not have been pulled; 0: none. */
static uint16_t vlan_of(const struct packet *p)
{
	uint8_t h[ETH_HEADER_LEN + VLAN_TAG_LEN];

	if (p->vlan_beside && p->header_len < 12)
		return VLAN_VID(p->vlan_beside_tci);
	if (packet_read(p, 0, h, sizeof(h)) != sizeof(h) ||
	    !eth_type_is_vlan(load_be16(h + 12)))
		return 0;
	return VLAN_VID(load_be16(h + 14));
}

const uint32_t *tunnel_flood_list(const struct tunnel *t,
				  const struct packet *p, unsigned *np)
{
	*np = 0;
	if (!t->table)
		return NULL;
	return vtep_table_flood(
		t->table, t->vni != VTEP_NO_VNI ? FIXED_VLAN : vlan_of(p), np);
}

bool tunnel_has_vni(const struct tunnel *t, const struct packet *p)
{
	return t->vni != VTEP_NO_VNI ||
	       (t->table &&
		vtep_table_vni(t->table, vlan_of(p)) != VTEP_NO_VNI);
}

bool tunnel_is_by_vlan(const struct tunnel *t)
{
	return t->vni == VTEP_NO_VNI;
}

uint32_t tunnel_mtu(const struct tunnel *t, uint32_t remote)
{
	return remote < t->n_remotes ? t->remotes[remote].mtu : 0;
}

/*
 * By calloc(), aligned here: of some megabytes few are ever used, and those
 * that are not take no memory, nor time to clear.
 */
struct tunnel_scratch *tunnel_scratch_create(void)
{
	void *block = xcalloc(1, sizeof(struct tunnel_scratch) + CACHE_LINE);
	uintptr_t at = ((uintptr_t)block + CACHE_LINE) & ~(CACHE_LINE - 1ul);
	struct tunnel_scratch *s = (struct tunnel_scratch *)at;

	s->block = block;
	s->avx2 = tunnel_plain_has_avx2();
	return s;
}

void tunnel_scratch_destroy(struct tunnel_scratch *s)
{
	if (s)
		free(s->block);
}
