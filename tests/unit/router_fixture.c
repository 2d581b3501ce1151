/* See router_fixture.h. */
#include "tests/unit/router_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/csum.h"

static struct router_ip4 ip4(const char *text, uint8_t prefix_len)
{
	struct nat_addr a = addr(text);

	return (struct router_ip4){ load_be32(a.ip), prefix_len };
}

static struct router_ip6 ip6(const char *text, uint8_t prefix_len)
{
	struct router_ip6 ip = { .prefix_len = prefix_len };
	struct nat_addr a = addr(text);

	memcpy(ip.ip, a.ip, 16);
	return ip;
}

static void know(struct neighbor_table *table, const char *text, uint64_t mac)
{
	struct nat_addr a = addr(text);

	neighbor_table_set(table, a.ip, a.version == 4 ? 4 : 16, mac);
}

static void fill_links(struct gw *gw)
{
	struct router_link *l = gw->config.links;
	struct nat_addr gateway6 = addr("fe80::254");

	l[ROUTER_INSIDE] = (struct router_link){
		.up = true,
		.mac = GW_INSIDE,
		.mtu = 1500,
		.n_ip4 = 1,
		.ip4 = &gw->inside4,
		.n_ip6 = 2,
		.ip6 = gw->inside6,
		.neighbors = gw->inside,
	};
	l[ROUTER_OUTSIDE] = (struct router_link){
		.up = true,
		.mac = GW_OUTSIDE,
		.mtu = 1500,
		.n_ip4 = 1,
		.ip4 = &gw->outside4,
		.n_ip6 = 2,
		.ip6 = gw->outside6,
		.gateway4 = ip4(UPLINK, 0).ip,
		.neighbors = gw->outside,
	};
	memcpy(l[ROUTER_OUTSIDE].gateway6, gateway6.ip, 16);
	l[ROUTER_HOST] = (struct router_link){
		.up = true,
		.mac = GW_HOST,
		.mtu = 1500,
		.fixed_mac = HOST_MAC,
	};
}

struct gw *gw_create(bool nat, bool nat6)
{
	struct gw *gw = xcalloc(1, sizeof(*gw));

	lab_default(&gw->lab);
	gw->inside4 = ip4(GW, 24);
	gw->inside6[0] = ip6(GW6, 64);
	gw->inside6[1] = ip6(GW6_LOCAL, 64);
	gw->outside4 = ip4(GW_OUT, 24);
	gw->outside6[0] = ip6("2001:db8::1", 64);
	gw->outside6[1] = ip6("fe80::2", 64);
	gw->inside = neighbor_table_create(64, 1);
	gw->outside = neighbor_table_create(64, 2);
	know(gw->inside, VM, VM_MAC);
	know(gw->inside, VM6, VM_MAC);
	know(gw->outside, UPLINK, UPLINK_MAC);
	know(gw->outside, "fe80::254", UPLINK_MAC);
	gw->config = (struct router_config){
		.id = 7,
		.way_out = ROUTER_OUTSIDE,
		.nat = nat ? gw->lab.nat : NULL,
		.nat6 = nat6,
		.tcp_dns_to_host = true,
	};
	fill_links(gw);
	gw->router = router_create(&gw->config);
	return gw;
}

void gw_renew(struct gw *gw)
{
	free(gw->router);
	gw->router = router_create(&gw->config);
}

void gw_destroy(struct gw *gw)
{
	free(gw->router);
	neighbor_table_destroy(gw->inside);
	neighbor_table_destroy(gw->outside);
	lab_stop(&gw->lab);
	free(gw);
}

static void put_mac(uint8_t *at, uint64_t mac)
{
	store_be16(at, mac >> 32);
	store_be32(at + 2, mac);
}

void set_macs(struct pkt *k, uint64_t dst, uint64_t src)
{
	put_mac(k->data, dst);
	put_mac(k->data + 6, src);
}

void fix_ip4(struct pkt *k)
{
	memset(k->data + 24, 0, 2);
	csum_ipv4_header(k->data + 14, (k->data[14] & 15) * 4);
}

static void take(struct gw *gw, struct shot *s)
{
	struct packet *packets[8];
	struct router_result results[8];
	unsigned n;

	while ((n = router_take(gw->router, 0, packets, results, 8)))
		for (unsigned i = 0; i < n; i++) {
			unsigned at = s->n_taken++;

			assert_true(at < TAKEN_MAX);
			s->taken[at].r = results[i];
			s->taken[at].len = packets[i]->len;
			assert_int_equal(packet_read(packets[i], 0,
						     s->taken[at].data,
						     sizeof(s->taken[at].data)),
					 MIN(packets[i]->len,
					     sizeof(s->taken[at].data)));
		}
}

void run_router(struct gw *gw, enum router_side in,
		struct packet *const packets[], unsigned n,
		struct router_result *results)
{
	if (router_run(gw->router, in, 0, packets, n, results))
		for (unsigned i = 1; i < n; i++)
			results[i] = results[0];
}

struct shot *shoot_as_is(struct gw *gw, enum router_side in,
			 const struct pkt *k)
{
	static struct shot s;
	struct packet p, *ps = &p;
	/* exactly its length, so that a sanitizer sees overruns */
	uint8_t *copy = xmalloc(k->len);

	memcpy(copy, k->data, k->len);
	memset(&s, 0, sizeof(s));
	packet_init(&p, copy, k->len);
	p.offload = k->offload;
	packet_pull_first(&p);
	router_enter(gw->router, 0, gw->lab.now_ms);
	router_run(gw->router, in, 0, &ps, 1, &s.r);
	s.len = packet_read(&p, 0, s.data, sizeof(s.data));
	s.offload = p.offload;
	take(gw, &s);
	router_leave(gw->router, 0);
	free(copy);
	return &s;
}

struct shot *shoot(struct gw *gw, enum router_side in, struct pkt *k)
{
	static const uint64_t macs[] = { GW_INSIDE, GW_OUTSIDE, GW_HOST };
	static const uint64_t from[] = { VM_MAC, UPLINK_MAC, HOST_MAC };

	set_macs(k, macs[in], from[in]);
	return shoot_as_is(gw, in, k);
}

struct shot *shoot_udp(struct pkt *k, struct gw *gw, enum router_side in,
		       const char *src, const char *dst)
{
	pkt_udp(k, src, 1025, dst, 4000);
	return shoot(gw, in, k);
}

int gw_teardown(void **state)
{
	gw_destroy(*state);
	return 0;
}

void assert_sent(const struct shot *s, enum router_side side, uint64_t dst,
		 uint64_t src)
{
	assert_int_equal(s->r.verdict, ROUTER_SEND);
	assert_int_equal(s->r.side, side);
	assert_true(load_mac(s->data) == dst);
	assert_true(load_mac(s->data + 6) == src);
}

void assert_dropped(const struct shot *s, enum drop_reason reason)
{
	assert_int_equal(s->r.verdict, ROUTER_DROP);
	assert_string_equal(drop_reason_name(s->r.reason),
			    drop_reason_name(reason));
}

void assert_local(const struct shot *s, enum router_side in)
{
	assert_int_equal(s->r.verdict, ROUTER_PUNT);
	assert_int_equal(s->r.note.what, ROUTER_LOCAL);
	assert_int_equal(s->r.note.in, in);
}

void assert_refused(const struct shot *s, const struct pkt *k, int type,
		    int code, enum drop_reason reason)
{
	assert_int_equal(s->r.verdict, ROUTER_PUNT);
	assert_int_equal(s->r.note.what, ROUTER_ERROR);
	assert_int_equal(s->r.note.icmp_type, type);
	assert_int_equal(s->r.note.icmp_code, code);
	assert_string_equal(drop_reason_name(s->r.reason),
			    drop_reason_name(reason));
	/* Its sender gets it back as it was. */
	assert_int_equal(s->len, k->len);
	assert_memory_equal(s->data, k->data, k->len);
}

void shot_to_pkt(const struct shot *s, struct pkt *k)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->data, s->data, s->len);
	k->len = s->len;
	k->offload = s->offload;
	k->version = k->data[14] >> 4;
	k->proto = k->data[k->version == 4 ? 23 : 20];
	k->l4 = 14 + (k->version == 4 ? (k->data[14] & 15) * 4 : 40);
	pkt_parse(k);
}
