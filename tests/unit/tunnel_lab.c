#include "tests/unit/tunnel_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ticks.h"
#include "packet/csum.h"
#include "packet/parse.h"

#define UDP_PORT 4789

static const struct vlan_config access0 = { .mode = VLAN_ACCESS };

/* Other labs on the same bridge have others, as they have other ports. */
#define FIRST_NUMBER 100

static void prepare(struct tunnel_lab *l)
{
	const struct tlab_options *o = &l->options;
	struct tunnel_pair *t = &l->pair;

	tunnel_pair_prepare(t, o->version, o->mapped);
	for (int i = 0; i < LAB_REMOTES; i++) {
		t->remotes[i].mtu = o->mtu;
		t->peers[i].remote = i;
		tunnel_pair_address(o->version, i, t->peers[i].ip);
	}
	/* Untagged frames, which have no VLAN, are a network, too. */
	if (o->mapped) {
		assert_int_equal(vtep_map_add(t->map, 0, TUNNEL_VNI, NULL), 0);
		t->networks[t->demux_config.n_networks++] =
			(struct tunnel_network){ .vni = TUNNEL_VNI };
	}
	for (unsigned i = !o->mapped; i <= (o->mapped ? 40 : 1); i++)
		for (unsigned k = 0; k < 3 && !o->alone; k++)
			assert_int_equal(
				vtep_flood_add(t->map,
					       TUNNEL_VNI + (o->mapped ? i : 0),
					       k, VTEP_STATIC, NULL),
				0);
	tunnel_pair_address(o->version, -1, t->locals[0]);
	t->demux_config.vid_beside = true;
	t->demux_config.n_peers = o->single ? 1 : LAB_REMOTES;
	if (!o->sockets)
		t->demux_config.local_mac = LAB_STATION;
	for (unsigned i = 0; i < t->demux_config.n_networks; i++)
		t->networks[i].takes_unknown = o->takes_unknown;
	tunnel_pair_create(t);
	tunnel_scratch_destroy(t->scratch);
	t->scratch = NULL;
}

static void add_underlay(struct tunnel_lab *l)
{
	struct fixture *f = l->f;

	l->outer = l->options.underlay;
	if (!l->outer)
		l->outer = fixture_bridge(f, "under");
	if (!l->options.sockets) {
		l->uplink = fixture_port(f, l->outer, &access0);
		l->uplink->fwd->punt = &l->punt;
	}
	l->station = fixture_port(f, l->outer, &access0);
	l->station->fwd->punt = &l->punt;
	if (!l->options.sockets) {
		fdb_add_static(l->outer->fdb, fdb_make_key(LAB_STATION, 0),
			       l->station->fwd->number);
		for (unsigned i = 0; i < LAB_REMOTES; i++)
			fdb_learn(l->outer->fdb, fdb_make_key(LAB_HOP(i), 0),
				  l->uplink->fwd->number);
	}
	l->underlay =
		fwd_snapshot_add_underlay(f->snapshot, l->station->fwd,
					  l->pair.demux, !l->options.sockets);
	l->underlay->id = 78;
}

static void add_tunnel(struct tunnel_lab *l)
{
	const struct tlab_options *o = &l->options;
	unsigned n = o->single ? 1 : LAB_REMOTES;

	l->vx = fixture_port(l->f, l->overlay, o->vlan);
	l->tunnel =
		fwd_port_make_tunnel(l->f->snapshot, l->vx->fwd, l->underlay,
				     l->pair.tunnel, n, o->single);
	l->tunnel->id = 77;
	l->tunnel->split_horizon = !o->joined;
	for (unsigned i = 0; !o->single && i < n; i++) {
		l->remotes[i] = fixture_device(l->f);
		l->remotes[i]->fwd = fwd_tunnel_add_remote(
			l->tunnel, i, l->remotes[i]->port,
			FIRST_NUMBER * l->vx->fwd->number + i);
	}
	if (o->single)
		l->remotes[0] = l->vx;
}

struct tunnel_lab *tlab_create(const struct tlab_options *options)
{
	struct tunnel_lab *l = xcalloc(1, sizeof(*l));

	ticks_init();
	l->options = *options;
	if (!options->version)
		l->options.version = 4;
	l->owns_fixture = !options->f;
	l->f = options->f ? options->f : fixture_create();
	l->ring = punt_ring_create();
	l->punt = (struct punt){ .ring = l->ring, .id = 5 };
	prepare(l);
	l->overlay = options->overlay;
	if (!l->overlay)
		l->overlay = fixture_bridge(l->f, "over");
	for (unsigned i = 0; i < LAB_VMS; i++) {
		l->vm[i] = fixture_port(l->f, l->overlay, NULL);
		l->vm[i]->fwd->punt = &l->punt;
	}
	add_underlay(l);
	add_tunnel(l);
	return l;
}

void tlab_destroy(struct tunnel_lab *l)
{
	vtep_map_free(l->pair.map);
	if (l->owns_fixture)
		fixture_destroy(l->f);
	punt_ring_destroy(l->ring);
	free(l);
}

struct fixture_port *tlab_wire(struct tunnel_lab *l)
{
	return l->options.sockets ? l->station : l->uplink;
}

void tlab_learn(struct tunnel_lab *l, uint8_t station, uint16_t vid, int remote)
{
	const struct fixture_port *p =
		remote < 0 ? l->vm[0] : l->remotes[remote];

	fdb_learn(l->overlay->fdb,
		  fdb_make_key(0x020000000000ull | station, vid),
		  p->fwd->number);
}

static int remote_of(int version, const uint8_t *ip)
{
	for (int i = -1; i < 64; i++) {
		uint8_t address[16];

		tunnel_pair_address(version, i, address);
		if (!memcmp(address, ip, version == 4 ? 4 : 16))
			return i;
	}
	return -2;
}

struct outer_frame tlab_sent(struct tunnel_lab *l, unsigned i)
{
	const struct fixture_port *wire = tlab_wire(l);
	const struct sent_frame *s = &wire->sent[i];
	bool v4 = l->options.version == 4;
	unsigned head = v4 ? TUNNEL_HEAD : TUNNEL_HEAD + 20;
	struct outer_frame o;

	assert_true(i < wire->n_sent);
	assert_true(s->len > head);
	assert_int_equal(load_be16(s->data + 12),
			 v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	assert_int_equal(load_be16(s->data + head - 14), UDP_PORT);
	assert_int_equal(s->data[head - 8], 0x08);
	o.dst = load_mac(s->data);
	o.src = load_mac(s->data + 6);
	o.remote = remote_of(l->options.version, s->data + (v4 ? 30 : 38));
	o.vni = load_be32(s->data + head - 4) >> 8;
	o.inner = s->data + head;
	o.inner_len = s->len - head;
	assert_int_equal(load_be16(s->data + head - 12), o.inner_len + 16);
	return o;
}

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

static uint8_t *put_ip(const struct tunnel_lab *l, int remote, uint8_t *ip,
		       uint32_t len)
{
	uint8_t from[16], to[16];

	tunnel_pair_address(l->options.version, remote, from);
	tunnel_pair_address(l->options.version, -1, to);
	if (l->options.version == 6) {
		store_be32(ip, 6u << 28);
		store_be16(ip + 4, len);
		ip[6] = 17;
		ip[7] = 64;
		memcpy(ip + 8, from, 16);
		memcpy(ip + 24, to, 16);
		return ip + 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	store_be16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	csum_ipv4_header(ip, 20);
	return ip + 20;
}

uint32_t tlab_outer(const struct tunnel_lab *l, int remote, uint32_t vni,
		    const uint8_t *inner, uint32_t len, uint8_t *to)
{
	uint8_t *udp;

	put_mac(to, LAB_STATION);
	put_mac(to + 6, LAB_HOP(remote));
	store_be16(to + 12,
		   l->options.version == 4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	udp = put_ip(l, remote, to + 14, len + 16);
	store_be16(udp, 50000);
	store_be16(udp + 2, UDP_PORT);
	store_be16(udp + 4, len + 16);
	store_be16(udp + 6, 0);
	store_be32(udp + 8, 0x08000000);
	store_be32(udp + 12, vni << 8);
	memcpy(udp + 16, inner, len);
	return udp + 16 + len - to;
}

void tlab_arrives(struct tunnel_lab *l, int remote, uint32_t vni,
		  const uint8_t *inner, uint32_t len)
{
	uint8_t frame[2048];

	fixture_frame(l->f, tlab_wire(l), frame,
		      tlab_outer(l, remote, vni, inner, len, frame));
}

uint64_t tlab_rx(const struct fixture_port *p)
{
	struct port_counters c;

	port_get_counters(p->port, &c);
	return c.rx_packets;
}

uint64_t tlab_tx(const struct fixture_port *p)
{
	struct port_counters c;

	port_get_counters(p->port, &c);
	return c.tx_packets;
}

uint64_t tlab_tx_bytes(const struct fixture_port *p)
{
	struct port_counters c;

	port_get_counters(p->port, &c);
	return c.tx_bytes;
}

static void take_punt(const struct punt_record *r, void *last_)
{
	struct tlab_punt *last = last_;

	last->record = *r;
	memcpy(&last->note, &r->note, sizeof(last->note));
	memcpy(last->data, r->data, r->len);
}

unsigned tlab_punts(struct tunnel_lab *l, struct tlab_punt *last)
{
	memset(last, 0, sizeof(*last));
	return punt_ring_read(l->ring, 4096, take_punt, last);
}

uint32_t tlab_numbered(uint8_t *to, uint8_t dst, uint8_t src, unsigned i,
		       uint16_t vid)
{
	const uint32_t tags[] = { 0x81000000u | vid, 0 };
	uint32_t n = make_frame(to, dst, src, vid ? tags : NULL);
	uint8_t *ip = to + (vid ? 18 : 14);

	if (i % 8) {
		memset(ip, 0, 60);
		store_be16(ip - 2, ETH_TYPE_IPV4);
		store_be16(ip, 0x4500);
		store_be16(ip + 2, 60);
		store_be16(ip + 8, 0x4011);
		store_be32(ip + 12, 0x0a000000 + src);
		store_be32(ip + 16, 0x0a000000 + dst);
		csum_ipv4_header(ip, 20);
		store_be16(ip + 20, i / 16 % 2);
		store_be16(ip + 24, 40);
		n = ip + 60 - to;
	}
	store_be16(to + n - 2, i);
	return n;
}
