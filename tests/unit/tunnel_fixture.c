#include "tunnel_fixture.h"

#include <assert.h>
#include <stdlib.h>

#define N_VLANS 40

void tunnel_pair_address(int version, int i, uint8_t ip[16])
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	memset(ip, 0, 16);
	if (version == 4)
		store_be32(ip, 0xc0000200 | (i < 0 ? 1 : 10 + i));
	else
		memcpy(ip, v6, 16);
	if (version == 6)
		ip[15] = i < 0 ? 1 : 0x10 + i;
}

static void prepare_remotes(struct tunnel_pair *t, int version)
{
	for (int i = 0; i < 4; i++) {
		struct vxlan_outer_config *o = &t->remotes[i].outer;

		o->dst_mac = 0x020000000010 + i;
		o->src_mac = 0x020000000001;
		o->ip_version = version;
		tunnel_pair_address(version, -1, o->src_ip);
		tunnel_pair_address(version, i, o->dst_ip);
		o->dont_fragment = true;
		o->ttl = 64;
		t->remotes[i].resolved = true;
	}
}

void tunnel_pair_prepare(struct tunnel_pair *t, int version, bool mapped)
{
	memset(t, 0, sizeof(*t));
	prepare_remotes(t, version);
	t->map = vtep_map_new();
	for (unsigned i = 1; i <= (mapped ? N_VLANS : 1); i++) {
		uint32_t vni = TUNNEL_VNI + (mapped ? i : 0);
		int r = vtep_map_add(t->map, i, vni, NULL);

		assert(!r);
		r = vtep_flood_add(t->map, vni, i % 4, VTEP_STATIC, NULL);
		assert(!r);
		t->networks[i - 1] = (struct tunnel_network){
			.vni = vni, .vid = mapped ? i : 0, .keep_tag = !mapped
		};
	}
	t->config = (struct tunnel_config){
		.vni = mapped ? VTEP_NO_VNI : TUNNEL_VNI,
		.map = t->map,
		.remotes = t->remotes,
		.n_remotes = 4,
		.seed = 1,
	};
	tunnel_pair_address(version, -1, t->peers[0].ip);
	tunnel_pair_address(version, 0, t->locals[0]);
	t->demux_config = (struct tunnel_demux_config){
		.ip_version = version,
		.locals = (const uint8_t(*)[16])t->locals,
		.n_locals = 1,
		.rules = { .zero_csum6 = true },
		.networks = t->networks,
		.n_networks = mapped ? N_VLANS : 1,
		.peers = t->peers,
		.n_peers = 1,
	};
}

void tunnel_pair_create(struct tunnel_pair *t)
{
	int r = tunnel_create(&t->config, &t->tunnel, NULL);

	assert(!r);
	t->demux = tunnel_demux_create(&t->demux_config);
	t->scratch = tunnel_scratch_create();
}

void tunnel_pair_free(struct tunnel_pair *t)
{
	tunnel_free(t->tunnel);
	tunnel_demux_free(t->demux);
	tunnel_scratch_destroy(t->scratch);
	vtep_map_free(t->map);
}
