/*
 * A segment's router under strangers' frames from all sides, with translation.
 * Whatever comes: a verdict that can be, what leaves is whole, has the link's
 * MAC, a TTL that is one less, fits its link and goes to no special address,
 * and what is refused is as it came.
 *
 * Input: { flags } (bit 0: NAT66, 1: the host is the way out, 2: small MTUs,
 * 3: all local services are the host's) and records of { what, how, length (2
 * bytes), bytes }. what: bits 0 and 1 the side, bit 2: the bytes are fields of
 * a well-formed packet, bit 3: IPv6, bit 4: to the gateway's MAC; bit 5: more
 * is to come in the same burst, bits 6 and 7: it comes 1, 7, 31 or 40 times;
 * how: see packet(). Others come as they are, behind the two addresses.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"
#include "nat/nat.h"
#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/offload.h"
#include "router/neighbor_table.h"
#include "router/router.h"

#define FRAME 2000
#define BURST 100

struct lab {
	struct router *router;
	struct neighbor_table *neighbors[2];
	struct nat *nat;
	uint64_t now_ms;
	uint32_t mtu;
	enum router_side in;
	unsigned n;
	struct fuzz_packet packets[BURST];
	uint8_t was[BURST][FRAME];
	uint32_t lens[BURST];
};

static const uint8_t hosts4[8][4] = {
	{ 10, 0, 0, 1 },     { 10, 0, 0, 2 },	     { 10, 0, 0, 3 },
	{ 198, 51, 100, 1 }, { 198, 51, 100, 2 },    { 203, 0, 113, 1 },
	{ 127, 0, 0, 1 },    { 255, 255, 255, 255 },
};

static const uint8_t hosts6[8][16] = {
	{ 0xfd, [15] = 1 },	  { 0xfd, [15] = 2 },	 { 0xfd, [15] = 3 },
	{ 0x20, 1, [15] = 1 },	  { 0x20, 1, [15] = 2 }, { 0x20, 2, [15] = 1 },
	{ 0xfe, 0x80, [15] = 1 }, { 0xff, 2, [15] = 1 },
};

static uint64_t mac_of(enum router_side side)
{
	return 0x020000000000ull + side;
}

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

static uint32_t ip_header(const uint8_t *b, bool v6, uint8_t proto,
			  uint32_t payload, uint8_t *f)
{
	if (v6) {
		store_be16(f + 12, 0x86dd);
		f[14] = 0x60;
		store_be16(f + 18, payload);
		f[20] = proto == 1 ? 58 : proto;
		f[21] = b[7];
		memcpy(f + 22, hosts6[b[1] & 7], 16);
		memcpy(f + 38, hosts6[b[1] >> 4 & 7], 16);
		return 54;
	}
	store_be16(f + 12, 0x0800);
	f[14] = 0x45;
	store_be16(f + 16, 20 + payload);
	store_be16(f + 18, b[8]);
	/* don't fragment, more, an offset */
	store_be16(f + 20, (b[10] & 0xc0) << 8 >> 1 | (b[10] & 0x1f));
	f[22] = b[7];
	f[23] = proto;
	memcpy(f + 26, hosts4[b[1] & 7], 4);
	memcpy(f + 30, hosts4[b[1] >> 4 & 7], 4);
	csum_ipv4_header(f + 14, 20);
	return 34;
}

/* A packet of TCP, UDP or ICMP from a few bytes. */
static uint32_t make_frame(const uint8_t *from, size_t n, bool v6, uint8_t *f)
{
	static const uint8_t protos[] = { 6, 17, 1, 17 };
	uint8_t b[12] = { 0 };
	uint32_t payload, l4;
	uint8_t proto;

	memcpy(b, from, MIN(n, sizeof(b)));
	proto = protos[b[0] & 3];
	payload = 20 + b[0] / 4 + (b[11] & 7) * 200;
	memset(f + 12, 0, 54);
	l4 = ip_header(b, v6, proto, payload, f);
	memset(f + l4, b[9], payload);
	store_be16(f + l4, b[2] << 8 | b[3]);
	store_be16(f + l4 + 2, b[4] << 8 | b[5]);
	if (proto == 6) {
		f[l4 + 12] = 0x50;
		f[l4 + 13] = b[6];
	} else if (proto == 17) {
		store_be16(f + l4 + 4, payload);
	} else {
		f[l4] = b[6];
	}
	return l4 + payload;
}

/* Offloads as a port would let them in. */
static void add_offload(struct fuzz_packet *f, uint8_t how, uint32_t len)
{
	uint8_t vnet[10] = { how & 4 ? 1 : 0 };
	bool v6;

	if (!(how & 4) || len < 60)
		return;
	v6 = f->pieces[0].data[12] == 0x86;
	vnet[1] = how & 8 ? (how & 16 ? (v6 ? 4 : 1) : 5) : 0;
	vnet[4] = 104; /* or 1128, more than fits */
	vnet[5] = how & 32 ? 4 : 0;
	vnet[6] = v6 ? 54 : 34;
	vnet[8] = how & 16 ? 16 : 6;
	if (!offload_receive(&f->p, vnet, OFFLOAD_ALL | OFFLOAD_UFO))
		memset(&f->p.offload, 0, sizeof(f->p.offload));
}

static bool add_packet(struct lab *lab, uint8_t what, uint8_t how,
		       const uint8_t *data, size_t n)
{
	uint8_t *frame = lab->was[lab->n];
	struct fuzz_packet *f = &lab->packets[lab->n];
	uint32_t len;

	memset(frame, 2, 12);
	put_mac(frame, what & 16 ? mac_of(lab->in) : MAC_BROADCAST);
	if (what & 4) {
		len = make_frame(data, n, what & 8, frame);
	} else {
		len = MIN(n + 12, (size_t)FRAME);
		memcpy(frame + 12, data, len - 12);
	}
	fuzz_packet_init(f, frame, len, how & 2 ? 16 : 0, false);
	add_offload(f, how, len);
	packet_pull_first(&f->p);
	lab->lens[lab->n] = len;
	if (f->p.header_len < ETH_HEADER_LEN) {
		fuzz_packet_fini(f);
		return false;
	}
	lab->n++;
	return true;
}

/* How long it will be at most when it is sent. */
static uint32_t sent_len(const struct packet *p)
{
	return p->offload.gso ? packet_gso_segment_len(p) : p->len;
}

static void check_sent(const struct lab *lab, const struct packet *p,
		       const struct router_result *r)
{
	static uint8_t f[PACKET_LEN_MAX];
	const uint8_t *ip = f + 14;

	MUST(r->side < ROUTER_N_SIDES);
	MUST(packet_read(p, 0, f, sizeof(f)) == p->len);
	MUST(load_mac(f + 6) == mac_of(r->side));
	MUST(load_mac(f) && !mac_is_multicast(load_mac(f)));
	if (ip[0] >> 4 == 4) {
		MUST(ip[16] != 127 && ip[16] < 224 && ip[16]);
		MUST(csum_fold(csum_add(0, ip, (ip[0] & 15) * 4)) == 0xffff);
		MUST(ip[8] >= 1);
		MUST(14u + load_be16(ip + 2) <= p->len || p->offload.gso);
		/* what has padding may be longer */
		MUST(p->offload.gso || p->len <= lab->mtu + 14);
	} else {
		MUST(ip[0] >> 4 == 6 && ip[24] != 0xff && ip[7] >= 1);
	}
	MUST(sent_len(p) <= lab->mtu + 14);
}

static void check(const struct lab *lab, const struct packet *p,
		  const struct router_result *r, const uint8_t *was,
		  uint32_t len)
{
	static uint8_t f[PACKET_LEN_MAX];

	MUST(r->verdict <= ROUTER_IGNORE);
	if (r->verdict == ROUTER_SEND)
		check_sent(lab, p, r);
	if (r->verdict == ROUTER_DROP)
		MUST(r->reason < N_DROP_REASONS);
	if (r->verdict != ROUTER_PUNT)
		return;
	MUST(r->reason < N_DROP_REASONS && r->note.what <= ROUTER_ERROR);
	MUST(packet_read(p, 0, f, sizeof(f)) == p->len);
	if (r->note.what == ROUTER_RESOLVE)
		MUST(!load_mac(f) && r->note.side < ROUTER_N_SIDES);
	else if (was)
		MUST(p->len == len && !memcmp(f, was, len));
}

static void run(struct lab *lab)
{
	struct router_result results[BURST], r[5];
	struct packet *packets[BURST], *taken[5];
	unsigned n;

	for (unsigned i = 0; i < lab->n; i++)
		packets[i] = &lab->packets[i].p;
	router_enter(lab->router, 0, lab->now_ms);
	if (router_run(lab->router, lab->in, 0, packets, lab->n, results))
		for (unsigned i = 1; i < lab->n; i++)
			results[i] = results[0];
	for (unsigned i = 0; i < lab->n; i++)
		check(lab, packets[i], &results[i], lab->was[i], lab->lens[i]);
	while ((n = router_take(lab->router, 0, taken, r, 5)))
		for (unsigned i = 0; i < n; i++)
			check(lab, taken[i], &r[i], NULL, 0);
	router_leave(lab->router, 0);
	for (unsigned i = 0; i < lab->n; i++)
		fuzz_packet_fini(&lab->packets[i]);
	lab->n = 0;
	lab->now_ms += 10;
	nat_age(lab->nat, lab->now_ms, UINT32_MAX);
}

static void make_nat(struct lab *lab)
{
	struct nat_addr pool[2] = { { .version = 4 }, { .version = 6 } };
	struct nat_config config;

	memcpy(pool[0].ip, hosts4[3], 4);
	memcpy(pool[1].ip, hosts6[3], 16);
	nat_config_init(&config);
	config.max_sessions = 64;
	config.max_clients = 8;
	config.max_datagrams = 16;
	config.max_fragments = 8;
	config.seed = 1;
	MUST(!nat_create(&config, &lab->nat, NULL));
	MUST(!nat_set_outside(lab->nat, pool, 2, NULL));
}

static void make_router(struct lab *lab, uint8_t flags)
{
	static const struct router_ip4 ip4[2] = { { 0x0a000001, 24 },
						  { 0xc6336401, 24 } };
	static const struct router_ip6 ip6[2] = {
		{ { 0xfd, [15] = 1 }, 64 }, { { 0x20, 1, [15] = 1 }, 64 }
	};
	struct router_config config = {
		.way_out = flags & 2 ? ROUTER_HOST : ROUTER_OUTSIDE,
		.nat = lab->nat,
		.nat6 = flags & 1,
		.tcp_dns_to_host = true,
		.local_to_host = flags & 8,
	};

	lab->mtu = flags & 4 ? 300 : 1500;
	for (unsigned i = 0; i < ROUTER_N_SIDES; i++) {
		struct router_link *l = &config.links[i];

		l->up = true;
		l->mac = mac_of(i);
		l->mtu = lab->mtu;
		if (i == ROUTER_HOST) {
			l->fixed_mac = 0x525600000002;
			continue;
		}
		lab->neighbors[i] = neighbor_table_create(16, 1);
		/* the last of each is not known */
		neighbor_table_set(lab->neighbors[i], hosts4[i ? 4 : 1], 4, 2);
		neighbor_table_set(lab->neighbors[i], hosts6[i ? 4 : 1], 16, 2);
		l->neighbors = lab->neighbors[i];
		l->n_ip4 = l->n_ip6 = 1;
		l->ip4 = &ip4[i];
		l->ip6 = &ip6[i];
	}
	config.links[ROUTER_OUTSIDE].gateway4 = load_be32(hosts4[4]);
	memcpy(config.links[ROUTER_OUTSIDE].gateway6, hosts6[4], 16);
	lab->router = router_create(&config);
}

/* Several times, as a flow has packets that are alike. */
static void add_packets(struct lab *lab, const uint8_t head[4],
			const uint8_t *data, size_t n)
{
	static const uint8_t times[] = { 1, 7, 31, 40 };

	for (unsigned i = 0; i < times[head[0] >> 6] && lab->n < BURST; i++)
		add_packet(lab, head[0], head[1], data, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lab lab;
	uint8_t head[4];
	size_t n;

	lab.now_ms = 1000;
	lab.n = 0;
	fuzz_take(&data, &size, head, 1);
	make_nat(&lab);
	make_router(&lab, head[0]);
	while (size) {
		fuzz_take(&data, &size, head, 4);
		n = MIN((size_t)load_be16(head + 2) % FRAME, size);
		if (!lab.n)
			lab.in = (head[0] & 3) % ROUTER_N_SIDES;
		add_packets(&lab, head, data, n);
		data += n;
		size -= n;
		if (lab.n == BURST || (lab.n && !(head[0] & 32)))
			run(&lab);
	}
	if (lab.n)
		run(&lab);
	free(lab.router);
	neighbor_table_destroy(lab.neighbors[0]);
	neighbor_table_destroy(lab.neighbors[1]);
	nat_destroy(lab.nat);
	return 0;
}
