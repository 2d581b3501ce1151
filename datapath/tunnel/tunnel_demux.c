/*
 * Whose a received packet is: networks by VNI, those of one VNI in a row, and
 * remotes by VXLAN port and address. Both by open addressing, at most half full
 * and seeded: addresses may be what strangers have chosen.
 */
#include "tunnel/tunnel_internal.h"

#include <stdlib.h>
#include <sys/random.h>

static unsigned bits_for(uint32_t n)
{
	unsigned bits = 1;

	while (1ull << bits < 2ull * n)
		bits++;
	return bits;
}

static inline uint32_t vni_slot(const struct tunnel_demux *d, uint32_t vni)
{
	return ((vni ^ d->seed) * 0x9e3779b97f4a7c15ull) >> (64 - d->vni_bits);
}

static inline uint32_t peer_slot(const struct tunnel_demux *d, uint32_t tunnel,
				 const uint8_t ip[16])
{
	uint64_t a, b, h = d->seed ^ tunnel;

	memcpy(&a, ip, 8);
	memcpy(&b, ip + 8, 8);
	h = (h ^ a) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32 ^ b) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ull;
	return h >> (64 - d->peer_bits);
}

/* The first network of the VNI, or NULL. */
static const struct tunnel_network *find_vni(const struct tunnel_demux *d,
					     uint32_t vni)
{
	uint32_t mask = (1u << d->vni_bits) - 1, i = vni_slot(d, vni);

	for (; d->vni_slots[i]; i = (i + 1) & mask)
		if (d->networks[d->vni_slots[i] - 1].vni == vni)
			return &d->networks[d->vni_slots[i] - 1];
	return NULL;
}

static uint32_t find_peer(const struct tunnel_demux *d, uint32_t tunnel,
			  const uint8_t ip[16])
{
	uint32_t mask = (1u << d->peer_bits) - 1, i = peer_slot(d, tunnel, ip);

	for (; d->peer_slots[i]; i = (i + 1) & mask) {
		const struct tunnel_peer *p = &d->peers[d->peer_slots[i] - 1];

		if (p->tunnel == tunnel && !memcmp(p->ip, ip, 16))
			return p->remote;
	}
	return TUNNEL_NO_REMOTE;
}

static int compare_vni(const void *a, const void *b)
{
	const struct tunnel_network *x = a, *y = b;

	if (x->vni != y->vni)
		return x->vni < y->vni ? -1 : 1;
	return (x->tunnel > y->tunnel) - (x->tunnel < y->tunnel);
}

static void index_networks(struct tunnel_demux *d)
{
	uint32_t mask = (1u << d->vni_bits) - 1;

	qsort(d->networks, d->n_networks, sizeof(d->networks[0]), compare_vni);
	for (uint32_t i = 0; i < d->n_networks; i++) {
		uint32_t slot = vni_slot(d, d->networks[i].vni);

		if (i && d->networks[i].vni == d->networks[i - 1].vni)
			continue;
		while (d->vni_slots[slot])
			slot = (slot + 1) & mask;
		d->vni_slots[slot] = i + 1;
	}
}

static void index_peers(struct tunnel_demux *d, uint32_t n)
{
	uint32_t mask = (1u << d->peer_bits) - 1;

	for (uint32_t i = 0; i < n; i++) {
		struct tunnel_peer *p = &d->peers[i];
		uint32_t slot;

		if (d->ip_version == 4)
			memset(p->ip + 4, 0, 12);
		slot = peer_slot(d, p->tunnel, p->ip);
		while (d->peer_slots[slot])
			slot = (slot + 1) & mask;
		d->peer_slots[slot] = i + 1;
	}
}

static void *copy_of(const void *from, size_t n, size_t size)
{
	void *to = xcalloc(MAX(n, 1), size);

	if (n)
		memcpy(to, from, n * size);
	return to;
}

struct tunnel_demux *tunnel_demux_create(const struct tunnel_demux_config *c)
{
	struct tunnel_demux *d = xcalloc_aligned(1, sizeof(*d));

	/* Early in a boot there may be no randomness yet. */
	if (getrandom(&d->seed, sizeof(d->seed), GRND_NONBLOCK) ==
	    sizeof(d->seed))
		d->id = d->seed;
	else
		d->seed = (uintptr_t)d;
	d->ip_version = c->ip_version;
	d->local_mac = c->local_mac;
	d->vid_beside = c->vid_beside;
	d->rules = c->rules;
	d->keep_tag = c->rules.keep_tag;
	d->rules.keep_tag = true;
	d->n_locals = c->n_locals;
	d->locals = copy_of(c->locals, c->n_locals, sizeof(d->locals[0]));
	for (unsigned i = 0; c->ip_version == 4 && i < c->n_locals; i++)
		memset(d->locals[i] + 4, 0, 12);
	d->n_networks = c->n_networks;
	d->networks =
		copy_of(c->networks, c->n_networks, sizeof(d->networks[0]));
	d->peers = copy_of(c->peers, c->n_peers, sizeof(d->peers[0]));
	d->vni_bits = bits_for(c->n_networks);
	d->peer_bits = bits_for(c->n_peers);
	d->vni_slots = xcalloc(1u << d->vni_bits, sizeof(d->vni_slots[0]));
	d->peer_slots = xcalloc(1u << d->peer_bits, sizeof(d->peer_slots[0]));
	index_networks(d);
	index_peers(d, c->n_peers);
	tunnel_plain_demux(d);
	return d;
}

void tunnel_demux_free(struct tunnel_demux *d)
{
	if (!d)
		return;
	free(d->vni_slots);
	free(d->peer_slots);
	free(d->networks);
	free(d->peers);
	free(d->locals);
	free(d);
}

/* Whether it can be a host's: neither of nobody, this host, a group nor all. */
static bool is_host(const struct vxlan_info *info)
{
	static const uint8_t loopback6[16] = { [15] = 1 }, none[16];

	if (info->ip_version == 4)
		return info->src_ip[0] && info->src_ip[0] != 127 &&
		       info->src_ip[0] < 224;
	return info->src_ip[0] != 0xff && memcmp(info->src_ip, none, 16) &&
	       memcmp(info->src_ip, loopback6, 16);
}

enum drop_reason tunnel_demux_find(const struct tunnel_demux *d,
				   const struct vxlan_info *info,
				   struct tunnel_owner *owner)
{
	const struct tunnel_network *end = d->networks + d->n_networks;
	const struct tunnel_network *n = find_vni(d, info->vni), *found = NULL;
	uint32_t remote = TUNNEL_NO_REMOTE;

	if (!n)
		return DROP_VXLAN_NO_VNI;
	for (; n < end && n->vni == info->vni; n++) {
		remote = find_peer(d, n->tunnel, info->src_ip);
		if (remote != TUNNEL_NO_REMOTE) {
			found = n;
			break;
		}
		if (n->takes_unknown && !found)
			found = n;
	}
	if (!found || (remote == TUNNEL_NO_REMOTE && !is_host(info)))
		return DROP_VXLAN_NO_REMOTE;
	*owner = (struct tunnel_owner){
		.tunnel = found->tunnel,
		.remote = remote,
		.vid = d->vid_beside ? 0 : found->vid,
		.beside = d->vid_beside ? found->vid : 0,
		.keep_tag = d->keep_tag || found->keep_tag,
		.unfinished_mtu = found->unfinished_mtu
	};
	return N_DROP_REASONS;
}
