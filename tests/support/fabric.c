/* A simulated EVPN fabric: see fabric.h. */
#include "tests/support/fabric.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_NUMBER 100 /* FDB numbers below are the switch's own ports */
#define BRIDGE	     10	 /* devices' numbers */
#define MEMBER	     11
#define FIRST_VXLAN  100
#define LOCAL_MAC    0x02ffffffffff
/* What a netlink socket gives at a time. */
#define CHUNK	    32768
#define WITHDRAW_MS 500

struct fabric_overlay {
	struct fabric *fabric;
	uint32_t vni;
	struct evpn_mirror *mirror;
	/* Messages that were not read yet. */
	size_t len;
	uint8_t *chunk;
};

double fabric_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* --- who is where --------------------------------------------------------- */

uint32_t fabric_vni(const struct fabric *f, uint32_t station)
{
	return station % f->config.n_vnis;
}

uint32_t fabric_vtep(const struct fabric *f, uint32_t station)
{
	const struct fabric_config *c = &f->config;
	uint32_t vni = station % c->n_vnis, nth = station / c->n_vnis;

	return (vni + nth % c->spread * (c->n_vteps / c->spread)) % c->n_vteps;
}

/* Scattered, as those of machines of many makers are. */
uint64_t fabric_mac(const struct fabric *f, uint32_t station)
{
	return 0x020000000000 | (station * 2654435761ull & 0xffffffff);
}

static uint16_t vlan_of(uint32_t vni)
{
	return vni + 1;
}

static uint32_t wire_vni(uint32_t vni)
{
	return 10000 + vni;
}

fdb_key fabric_key(const struct fabric *f, uint32_t station)
{
	return fdb_make_key(fabric_mac(f, station),
			    vlan_of(fabric_vni(f, station)));
}

uint16_t fabric_number(uint32_t vtep)
{
	return FIRST_NUMBER + vtep;
}

void fabric_ip(uint32_t vtep, uint8_t ip[16])
{
	memset(ip, 0, 16);
	ip[0] = 10;
	ip[1] = 1 + (vtep >> 16);
	ip[2] = vtep >> 8;
	ip[3] = vtep;
}

static struct evpn_ip ip_of(uint32_t vtep)
{
	struct evpn_ip ip = { .len = 4 };

	fabric_ip(vtep, ip.bytes);
	return ip;
}

static uint32_t vtep_at(const struct evpn_ip *ip)
{
	return (ip->bytes[1] - 1) << 16 | ip->bytes[2] << 8 | ip->bytes[3];
}

/* --- the switch ------------------------------------------------------------
 */

static int on_remote(struct fabric_overlay *o, const struct evpn_news *news)
{
	return fdb_add_controlled(
		o->fabric->fdb, fdb_make_key(news->mac, vlan_of(o->vni)),
		fabric_number(vtep_at(&news->vtep)), news->sticky);
}

static int on_remote_gone(struct fabric_overlay *o,
			  const struct evpn_news *news)
{
	struct fdb *fdb = o->fabric->fdb;
	fdb_key key = fdb_make_key(news->mac, vlan_of(o->vni));

	return fdb_delete_controlled(fdb, key, fdb_lookup(fdb, key));
}

static void on_news(const struct evpn_news *news, void *arg)
{
	struct fabric_overlay *o = arg;
	struct fabric *f = o->fabric;
	uint32_t vtep = vtep_at(&news->vtep), vni = wire_vni(o->vni);
	int error = 0;

	f->n_news++;
	switch (news->type) {
	case EVPN_REMOTE:
		error = on_remote(o, news);
		break;
	case EVPN_REMOTE_GONE:
		error = on_remote_gone(o, news);
		break;
	case EVPN_FLOOD:
		error = vtep_flood_add(f->map, vni, vtep, VTEP_CONTROLLER,
				       NULL);
		break;
	case EVPN_FLOOD_GONE:
		vtep_flood_remove(f->map, vni, vtep, VTEP_CONTROLLER);
		break;
	default:
		error = -1;
	}
	f->n_refused += error != 0;
}

static void make_map(struct fabric *f)
{
	char *error = NULL;

	f->map = vtep_map_new();
	for (uint32_t i = 0; i < f->config.n_vnis; i++)
		if (vtep_map_add(f->map, vlan_of(i), wire_vni(i), &error)) {
			fprintf(stderr, "%s\n", error);
			exit(1);
		}
}

static void make_overlay(struct fabric *f, uint32_t vni)
{
	struct fabric_overlay *o = &f->overlays[vni];
	const struct evpn_mirror_config config = {
		.bridge = BRIDGE,
		.member = MEMBER,
		.vxlan = FIRST_VXLAN + vni,
		.vlan = vlan_of(vni),
		.local = { 4, { 10, 0, 0, 1 } },
		.macs_max = f->config.n_macs,
		.ips_max = f->config.n_macs,
		.vteps_max = VTEP_FLOOD_MAX,
		.ips_a_mac_max = 8,
		.withdraw_ms = WITHDRAW_MS,
		.hold_ms = 300000,
		.retry_ms = 1000,
		.tell = on_news,
		.arg = o,
	};

	o->fabric = f;
	o->vni = vni;
	o->mirror = evpn_mirror_create(&config);
}

struct fabric *fabric_create(const struct fabric_config *config)
{
	struct fabric *f = xcalloc(1, sizeof(*f));
	const struct fdb_config fdb = { .max_entries = FDB_SIZE_DEFAULT,
					.max_controlled = config->n_macs,
					.age_s = FDB_AGE_DEFAULT,
					.seed = 1 };

	f->config = *config;
	f->fdb = fdb_create(&fdb);
	fdb_tick(f->fdb, 0);
	make_map(f);
	f->overlays = xcalloc(config->n_vnis, sizeof(*f->overlays));
	for (uint32_t i = 0; i < config->n_vnis; i++)
		make_overlay(f, i);
	return f;
}

void fabric_destroy(struct fabric *f)
{
	tunnel_free(f->tunnel);
	tunnel_demux_free(f->demux);
	for (uint32_t i = 0; i < f->config.n_vnis; i++)
		evpn_mirror_destroy(f->overlays[i].mirror);
	free(f->overlays);
	vtep_map_free(f->map);
	fdb_destroy(f->fdb);
	free(f);
}

/* --- the kernel ------------------------------------------------------------
 */

/* What is in the socket, read. */
static void flush(struct fabric_overlay *o)
{
	struct fabric *f = o->fabric;
	double start = fabric_clock();

	if (o->len)
		evpn_mirror_take(o->mirror, o->chunk, o->len, f->now_ms);
	f->spent_s += fabric_clock() - start;
	o->len = 0;
}

static void put(struct fabric_overlay *o, const struct evpn_request *r)
{
	if (o->len + r->len > CHUNK)
		flush(o);
	memcpy(o->chunk + o->len, r->bytes, r->len);
	o->len += NLMSG_ALIGN(r->len);
	o->fabric->n_messages++;
}

static void tell(struct fabric_overlay *o, const struct evpn_fdb *entry,
		 bool there)
{
	struct evpn_request r;

	evpn_put_fdb(&r, 0, there ? EVPN_REPLACE : EVPN_DELETE, entry);
	put(o, &r);
}

static void tell_station(struct fabric *f, uint32_t station, bool there)
{
	struct fabric_overlay *o = &f->overlays[fabric_vni(f, station)];
	struct evpn_fdb entry = {
		.mac = fabric_mac(f, station),
		.ifindex = FIRST_VXLAN + o->vni,
		.vlan = vlan_of(o->vni),
		.extern_learn = true,
	};

	tell(o, &entry, there);
	entry.vlan = 0;
	entry.vtep = ip_of(fabric_vtep(f, station));
	tell(o, &entry, there);
}

static void tell_flood(struct fabric_overlay *o, uint32_t vtep, bool there)
{
	struct evpn_fdb entry = {
		.ifindex = FIRST_VXLAN + o->vni,
		.vtep = ip_of(vtep),
	};

	tell(o, &entry, there);
}

static void answer_dump(struct fabric_overlay *o, const struct evpn_request *r)
{
	struct nlmsghdr nlh;
	struct evpn_request done = { .len = NLMSG_HDRLEN + 4 };

	memcpy(&nlh, r->bytes, sizeof(nlh));
	nlh = (struct nlmsghdr){ .nlmsg_len = done.len,
				 .nlmsg_type = NLMSG_DONE,
				 .nlmsg_flags = NLM_F_MULTI,
				 .nlmsg_seq = nlh.nlmsg_seq };
	memcpy(done.bytes, &nlh, sizeof(nlh));
	put(o, &done);
}

void fabric_begin(struct fabric *f)
{
	uint8_t *chunk = xmalloc(CHUNK);

	for (uint32_t i = 0; i < f->config.n_vnis; i++) {
		struct fabric_overlay *o = &f->overlays[i];
		struct evpn_request r;

		o->chunk = chunk;
		evpn_mirror_run(o->mirror, f->now_ms);
		while (evpn_mirror_next_request(o->mirror, &r, f->now_ms)) {
			answer_dump(o, &r);
			flush(o);
		}
	}
	free(chunk);
	f->n_messages = 0;
	f->spent_s = 0;
}

/* --- FRR -------------------------------------------------------------------
 */

static bool is_in(uint32_t vtep, uint32_t first, uint32_t n)
{
	return vtep - first < n;
}

static void change_vni(struct fabric *f, uint32_t vni, uint32_t first,
		       uint32_t n, bool there)
{
	const struct fabric_config *c = &f->config;
	struct fabric_overlay *o = &f->overlays[vni];

	for (uint32_t k = 0; k < c->spread; k++) {
		uint32_t station = vni + k * c->n_vnis;
		uint32_t vtep = fabric_vtep(f, station);

		if (is_in(vtep, first, n))
			tell_flood(o, vtep, there);
	}
	for (uint32_t s = vni; s < c->n_macs; s += c->n_vnis)
		if (is_in(fabric_vtep(f, s), first, n))
			tell_station(f, s, there);
	flush(o);
}

static void change(struct fabric *f, uint32_t first, uint32_t n, bool there)
{
	uint8_t *chunk = xmalloc(CHUNK);

	for (uint32_t vni = 0; vni < f->config.n_vnis; vni++) {
		f->overlays[vni].chunk = chunk;
		change_vni(f, vni, first, n, there);
	}
	free(chunk);
}

void fabric_announce(struct fabric *f, uint32_t first, uint32_t n)
{
	change(f, first, n, true);
}

void fabric_withdraw(struct fabric *f, uint32_t first, uint32_t n)
{
	double start;

	change(f, first, n, false);
	/* What is withdrawn is kept for a while (evpn_mirror.h). */
	f->now_ms += WITHDRAW_MS + 100;
	start = fabric_clock();
	for (uint32_t vni = 0; vni < f->config.n_vnis; vni++)
		evpn_mirror_run(f->overlays[vni].mirror, f->now_ms);
	f->spent_s += fabric_clock() - start;
}

/* --- what a snapshot has ---------------------------------------------------
 */

static struct tunnel *make_tunnel(const struct fabric *f)
{
	uint32_t n = f->config.n_vteps;
	struct tunnel_remote *remotes = xcalloc(n, sizeof(*remotes));
	const struct tunnel_config config = { .vni = VTEP_NO_VNI,
					      .map = f->map,
					      .remotes = remotes,
					      .n_remotes = n,
					      .seed = 1 };
	struct tunnel *tunnel = NULL;
	char *error = NULL;

	for (uint32_t i = 0; i < n; i++) {
		remotes[i] = (struct tunnel_remote){
			.outer = { .form = VXLAN_FRAME,
				   .dst_mac = 0x020000000001,
				   .src_mac = 0x020000000002,
				   .ip_version = 4,
				   .src_ip = { 10, 0, 0, 1 },
				   .ttl = 64 },
			.resolved = true,
			.mtu = 1450,
		};
		fabric_ip(i, remotes[i].outer.dst_ip);
	}
	if (tunnel_create(&config, &tunnel, &error)) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	free(remotes);
	return tunnel;
}

static struct tunnel_demux *make_demux(const struct fabric *f)
{
	static const uint8_t local[1][16] = { { 10, 0, 0, 1 } };
	const struct fabric_config *c = &f->config;
	struct tunnel_network *networks = xcalloc(c->n_vnis, sizeof(*networks));
	struct tunnel_peer *peers = xcalloc(c->n_vteps, sizeof(*peers));
	const struct tunnel_demux_config config = { .ip_version = 4,
						    .locals = local,
						    .n_locals = 1,
						    .networks = networks,
						    .n_networks = c->n_vnis,
						    .peers = peers,
						    .n_peers = c->n_vteps };
	struct tunnel_demux *demux;

	for (uint32_t i = 0; i < c->n_vnis; i++)
		networks[i] = (struct tunnel_network){ .vni = wire_vni(i),
						       .vid = vlan_of(i) };
	for (uint32_t i = 0; i < c->n_vteps; i++) {
		peers[i].remote = i;
		fabric_ip(i, peers[i].ip);
	}
	demux = tunnel_demux_create(&config);
	free(networks);
	free(peers);
	return demux;
}

void fabric_publish(struct fabric *f)
{
	struct tunnel_demux *old_demux = f->demux;
	struct tunnel *old = f->tunnel;

	f->tunnel = make_tunnel(f);
	f->demux = make_demux(f);
	tunnel_free(old);
	tunnel_demux_free(old_demux);
}
