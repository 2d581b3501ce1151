/*
 * Two bridges with a segment's gateway between them, over null ports: what is
 * sent to its port on one side comes out on the other, with what is counted,
 * what goes to the control thread, and what isolated ports may do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ticks.h"
#include "forward/policies.h"
#include "forward/punt.h"
#include "packet/parse.h"
#include "policy/acl.h"
#include "router/router.h"
#include "shape/policer.h"
#include "tests/unit/router_fixture.h"
#include "tests/unit/switch_fixture.h"

static const struct vlan_config access0 = { .mode = VLAN_ACCESS };

/* vm and vm2 on the segment's bridge, uplink on the other. */
struct net {
	struct fixture *f;
	struct gw *gw;
	struct fixture_port *vm, *vm2, *inside, *uplink, *outside;
	struct fwd_bridge *segment, *outer;
	struct punt_ring *ring;
	struct punt punt;
};

static struct pkt k;

static void learn(struct fwd_bridge *br, uint64_t mac,
		  const struct fixture_port *p)
{
	fdb_learn(br->fdb, fdb_make_key(mac, 0), p->fwd->number);
}

/* The router is the snapshot's; gw_destroy() frees none then. */
static struct fwd_gateway *add_gateway(struct fixture *f, struct gw *gw)
{
	struct router *router = gw->router;

	gw->router = NULL;
	return fwd_snapshot_add_gateway(f->snapshot, router);
}

static int setup(void **state)
{
	struct net *n = xcalloc(1, sizeof(*n));
	struct fwd_gateway *g;

	ticks_init();
	n->f = fixture_create();
	n->gw = gw_create(true, false);
	n->segment = fixture_bridge(n->f, "lab");
	n->outer = fixture_bridge(n->f, "br-out");
	n->vm = fixture_port(n->f, n->segment, &access0);
	n->vm2 = fixture_port(n->f, n->segment, &access0);
	n->inside = fixture_port(n->f, n->segment, &access0);
	n->uplink = fixture_port(n->f, n->outer, &access0);
	n->outside = fixture_port(n->f, n->outer, &access0);
	g = add_gateway(n->f, n->gw);
	fwd_port_set_gateway(n->inside->fwd, g, ROUTER_INSIDE);
	fwd_port_set_gateway(n->outside->fwd, g, ROUTER_OUTSIDE);
	fdb_add_static(n->segment->fdb, fdb_make_key(GW_INSIDE, 0),
		       n->inside->fwd->number);
	fdb_add_static(n->outer->fdb, fdb_make_key(GW_OUTSIDE, 0),
		       n->outside->fwd->number);
	learn(n->segment, VM_MAC, n->vm);
	learn(n->outer, UPLINK_MAC, n->uplink);
	n->ring = punt_ring_create();
	n->punt = (struct punt){ .ring = n->ring, .id = 33 };
	n->vm->fwd->punt = &n->punt;
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	struct net *n = *state;

	fixture_destroy(n->f);
	gw_destroy(n->gw);
	punt_ring_destroy(n->ring);
	free(n);
	return 0;
}

static void send_in(struct net *n, struct fixture_port *in)
{
	fixture_frame(n->f, in, k.data, k.len);
}

/* Until the next call. */
static const struct port_counters *counters(const struct fixture_port *p)
{
	static struct port_counters c;

	port_get_counters(p->port, &c);
	return &c;
}

static void vm_sends(struct net *n, const char *dst, uint16_t port)
{
	pkt_udp(&k, VM, 1025, dst, port);
	set_macs(&k, GW_INSIDE, VM_MAC);
	send_in(n, n->vm);
}

static struct punt_record last;
static uint8_t last_data[PUNT_BYTES_MAX];

static void remember(const struct punt_record *record, void *aux)
{
	last = *record;
	memcpy(last_data, record->data, record->len);
}

/* One record, and no more. */
static struct router_note punted(struct net *n)
{
	struct router_note note;

	memset(&last, 0, sizeof(last));
	assert_int_equal(punt_ring_read(n->ring, 8, remember, NULL), 1);
	assert_int_equal(last.kind, load_mac(last_data) == MAC_BROADCAST
					    ? PUNT_GATEWAY_LINK
					    : PUNT_GATEWAY);
	assert_int_equal(last.id, 33);
	assert_int_equal(last.gateway, 7);
	memcpy(&note, &last.note, sizeof(note));
	return note;
}

static void there_and_back(void **state)
{
	struct net *n = *state;
	struct pkt got = { .version = 4, .proto = 17, .l4 = 34 };
	const struct port_counters *c;

	vm_sends(n, REMOTE, 4000);
	assert_int_equal(n->uplink->n_sent, 1);
	assert_int_equal(n->vm2->n_sent, 0);
	got.len = n->uplink->sent[0].len;
	memcpy(got.data, n->uplink->sent[0].data, got.len);
	pkt_parse(&got);
	assert_string_equal(got.src, GW_OUT);
	assert_true(checksums_right(&got));
	assert_true(load_mac(got.data) == UPLINK_MAC);
	c = counters(n->inside);
	assert_int_equal(c->tx_packets, 1);
	assert_int_equal(c->tx_bytes, k.len);
	assert_int_equal(c->rx_packets, 0);
	c = counters(n->outside);
	assert_int_equal(c->rx_packets, 1);
	assert_int_equal(c->rx_bytes, k.len);

	pkt_udp(&k, REMOTE, 4000, GW_OUT, got.sport);
	set_macs(&k, GW_OUTSIDE, UPLINK_MAC);
	send_in(n, n->uplink);
	assert_int_equal(n->vm->n_sent, 1);
	got.len = n->vm->sent[0].len;
	memcpy(got.data, n->vm->sent[0].data, got.len);
	pkt_parse(&got);
	assert_flow(&got, REMOTE, 4000, VM, 1025);
	assert_true(load_mac(got.data + 6) == GW_INSIDE);
	c = counters(n->inside);
	assert_int_equal(c->rx_packets, 1);
}

/* By the segment's own port again, with what is not known flooded. */
static void back_into_the_segment(void **state)
{
	struct net *n = *state;
	struct nat_addr a = addr(VM2);

	neighbor_table_set(n->gw->inside, a.ip, 4, 0x0200000000ee);
	vm_sends(n, VM2, 4000);
	assert_int_equal(n->vm->n_sent, 1);
	assert_int_equal(n->vm2->n_sent, 1);
	assert_true(load_mac(n->vm2->sent[0].data) == 0x0200000000ee);
	assert_true(load_mac(n->vm2->sent[0].data + 6) == GW_INSIDE);
}

static void to_the_control_thread(void **state)
{
	struct net *n = *state;
	struct router_note note;

	vm_sends(n, GW, 53);
	note = punted(n);
	assert_int_equal(note.what, ROUTER_LOCAL);
	assert_int_equal(note.in, ROUTER_INSIDE);
	assert_int_equal(last.len, k.len);
	assert_memory_equal(last_data, k.data, k.len);
	assert_int_equal(n->vm->n_sent + n->vm2->n_sent + n->uplink->n_sent, 0);

	vm_sends(n, "10.20.0.77", 1);
	note = punted(n);
	assert_int_equal(note.what, ROUTER_RESOLVE);
	assert_int_equal(note.side, ROUTER_INSIDE);

	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	set_macs(&k, GW_INSIDE, VM_MAC);
	k.data[22] = 1;
	fix_ip4(&k);
	send_in(n, n->vm);
	note = punted(n);
	assert_int_equal(note.what, ROUTER_ERROR);
	assert_int_equal(note.icmp_type, 11);
	assert_memory_equal(last_data, k.data, k.len);
	assert_int_equal(fixture_drops(n->inside, DROP_ROUTE_TTL), 1);
}

/* A broadcast is the segment's, too, and changed for nobody. */
static void groups_reach_both(void **state)
{
	struct net *n = *state;

	pkt_udp(&k, "0.0.0.0", 68, "255.255.255.255", 67);
	set_macs(&k, MAC_BROADCAST, VM_MAC);
	send_in(n, n->vm);
	assert_int_equal(punted(n).what, ROUTER_LOCAL);
	assert_int_equal(n->vm2->n_sent, 1);
	assert_memory_equal(n->vm2->sent[0].data, k.data, k.len);
	assert_int_equal(counters(n->inside)->tx_broadcast, 1);

	pkt_udp(&k, VM, 1, "255.255.255.255", 9999);
	set_macs(&k, MAC_BROADCAST, VM_MAC);
	send_in(n, n->vm);
	assert_int_equal(punt_ring_read(n->ring, 8, remember, NULL), 0);
	/* Whose station is not known is flooded, and no drop of the gateway. */
	pkt_udp(&k, VM, 1, VM2, 9999);
	set_macs(&k, 0x0200000000dd, VM_MAC);
	send_in(n, n->vm);
	assert_int_equal(n->vm2->n_sent, 3);
	assert_int_equal(fixture_drops(n->inside, DROP_ROUTE_OTHER), 0);
}

/* In a VLAN that is flooded, all others get what the gateway changes. */
static void flooded_to_the_gateway(void **state)
{
	struct net *n = *state;

	n->segment->no_learn_vlans = true;
	vlan_set_add(&n->segment->flood_vlans, 0);
	vm_sends(n, REMOTE, 4000);
	assert_int_equal(n->vm2->n_sent, 1);
	assert_memory_equal(n->vm2->sent[0].data, k.data, k.len);
	assert_int_equal(n->uplink->n_sent, 1);
}

static void without_a_punt(void **state)
{
	struct net *n = *state;

	n->f->traces = false; /* time is short */
	n->vm->fwd->punt = NULL;
	vm_sends(n, GW, 53);
	assert_int_equal(fixture_drops(n->inside, DROP_PUNT_FULL), 1);
	n->vm->fwd->punt = &n->punt;
	for (unsigned i = 0; i < 200; i++)
		vm_sends(n, GW, 53);
	assert_true(fixture_drops(n->inside, DROP_PUNT_LIMITED) > 0);
}

static unsigned n_link;

static void count_link(const struct punt_record *record, void *aux)
{
	n_link += record->kind == PUNT_GATEWAY_LINK;
}

/* From UPLINK, to the gateway outside: a reply, as if it had been asked. */
static void uplink_says_arp(struct net *n)
{
	struct nat_addr from = addr(UPLINK), to = addr(GW_OUT);

	k.len = 60;
	memset(k.data, 0, k.len);
	set_macs(&k, GW_OUTSIDE, UPLINK_MAC);
	store_be16(k.data + 12, ETH_TYPE_ARP);
	store_be32(k.data + 14, 0x00010800);
	store_be32(k.data + 18, 0x06040002);
	memcpy(k.data + 22, k.data + 6, 6);
	memcpy(k.data + 28, from.ip, 4);
	memcpy(k.data + 32, k.data, 6);
	memcpy(k.data + 38, to.ip, 4);
	send_in(n, n->uplink);
}

/* From anywhere outside come as many pings as may be; ARP still gets there. */
static void a_flood_leaves_neighbors(void **state)
{
	struct net *n = *state;

	n->f->traces = false; /* time is short */
	n->uplink->fwd->punt = &n->punt;
	for (unsigned i = 0; i < 4 * PUNT_BURST; i++) {
		pkt_echo(&k, REMOTE, GW_OUT, i, false);
		set_macs(&k, GW_OUTSIDE, UPLINK_MAC);
		send_in(n, n->uplink);
	}
	assert_true(fixture_drops(n->outside, DROP_PUNT_LIMITED) > 0);
	uplink_says_arp(n);
	n_link = 0;
	punt_ring_read(n->ring, 8 * PUNT_BURST, count_link, NULL);
	assert_int_equal(n_link, 1);
}

static void drops_are_the_gateways(void **state)
{
	struct net *n = *state;

	vm_sends(n, "127.0.0.1", 1);
	assert_int_equal(fixture_drops(n->inside, DROP_ROUTE_MARTIAN), 1);
	pkt_udp(&k, REMOTE, 1, GW_OUT, 9);
	set_macs(&k, GW_OUTSIDE, UPLINK_MAC);
	send_in(n, n->uplink);
	assert_int_equal(fixture_drops(n->outside, DROP_NAT_UNSOLICITED), 1);
}

/*
 * A worker that has nothing to do turns to the port to which it sent last; that
 * may be the gateway's, where the packet ended, and which has no queues.
 */
static void nothing_to_do_after_the_gateway(void **state)
{
	const struct port_config config = { .name = "lab.gw",
					    .type = "gateway",
					    .mac = GW_INSIDE,
					    .n_threads = 1 };
	struct port *port, *before;
	struct net *n = *state;
	char *why = NULL;

	assert_int_equal(port_open(&config, &port, &why), 0);
	before = n->inside->fwd->port;
	n->inside->fwd->port = port;
	vm_sends(n, "127.0.0.1", 1);
	pipeline_warm(n->f->pipeline);
	pipeline_forget(n->f->pipeline);
	n->inside->fwd->port = before;
	port_close(port);
}

/* Fragments leave the switch; the router's memory outlives them. */
static void in_fragments(void **state)
{
	struct net *n = *state;

	/* The uplink's port has an MTU of 1500, as its link; so has the frame,
	   but for the machines' larger one. */
	atomic_store(&n->vm->port->mtu, 9000);
	pkt_udp_len(&k, VM, 1025, REMOTE, 4000, 3000);
	k.data[20] &= ~0x40;
	fix_ip4(&k);
	set_macs(&k, GW_INSIDE, VM_MAC);
	send_in(n, n->vm);
	assert_int_equal(n->uplink->n_sent, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(n->uplink->sent[i].len <= 1514);
	assert_int_equal(counters(n->outside)->rx_packets, 3);
}

static void isolated_ports(void **state)
{
	struct net *n = *state;

	n->vm->fwd->apart = n->vm2->fwd->apart = FWD_ISOLATED;
	learn(n->segment, 0x0200000000ee, n->vm2);
	pkt_udp(&k, VM, 1, VM2, 2);
	set_macs(&k, 0x0200000000ee, VM_MAC);
	send_in(n, n->vm);
	assert_int_equal(n->vm2->n_sent, 0);
	assert_int_equal(fixture_drops(n->vm, DROP_ISOLATED), 1);

	pkt_udp(&k, "0.0.0.0", 68, "255.255.255.255", 67);
	set_macs(&k, MAC_BROADCAST, VM_MAC);
	send_in(n, n->vm);
	assert_int_equal(n->vm2->n_sent, 0);
	assert_int_equal(punted(n).what, ROUTER_LOCAL);
	assert_int_equal(fixture_drops(n->vm, DROP_ISOLATED), 1);

	/* The gateway reaches them all, and they reach it. */
	vm_sends(n, REMOTE, 4000);
	assert_int_equal(n->uplink->n_sent, 1);
	pkt_udp(&k, GW, 1, VM, 2);
	set_macs(&k, MAC_BROADCAST, GW_INSIDE);
	send_in(n, n->inside);
	assert_int_equal(n->vm->n_sent, 1);
	assert_int_equal(n->vm2->n_sent, 1);
}

/* No isolated port draws another's packets to itself, or sends as another. */
static void isolated_ports_keep_their_stations(void **state)
{
	struct net *n = *state;

	n->vm->fwd->apart = n->vm2->fwd->apart = FWD_ISOLATED;
	learn(n->segment, 0x0200000000ee, n->vm2);
	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	set_macs(&k, GW_INSIDE, 0x0200000000ee);
	send_in(n, n->vm);
	assert_int_equal(n->uplink->n_sent, 0);
	assert_int_equal(fixture_drops(n->vm, DROP_ISOLATED), 1);

	pkt_udp(&k, GW, 1, VM2, 2);
	set_macs(&k, 0x0200000000ee, GW_INSIDE);
	send_in(n, n->inside);
	assert_int_equal(n->vm->n_sent, 0);
	assert_int_equal(n->vm2->n_sent, 1);

	/* Its port has gone: it may be elsewhere. */
	fdb_flush(n->segment->fdb, n->vm2->fwd->number, -1);
	pkt_udp(&k, VM, 1025, REMOTE, 4000);
	set_macs(&k, GW_INSIDE, 0x0200000000ee);
	send_in(n, n->vm);
	assert_int_equal(n->uplink->n_sent, 1);
}

/* What is imposed on its port is imposed on what it routes. */
static void policies_hold(void **state)
{
	const struct policer_config config = { .rate_kpps = 1,
					       .burst_kpkts = 1 };
	struct net *n = *state;
	struct acl *none = acl_create(NULL, 0, false, 1, NULL);
	struct policer *policer = policer_create(&config);

	n->f->traces = false; /* what is in force changes */
	fwd_port_ingress(n->outside->fwd)->acl = none;
	vm_sends(n, REMOTE, 4000);
	assert_int_equal(n->uplink->n_sent, 0);
	assert_int_equal(fixture_drops(n->outside, DROP_ACL_IN), 1);
	fwd_port_ingress(n->outside->fwd)->acl = NULL;
	fwd_port_ingress(n->outside->fwd)->policer = policer;
	for (unsigned i = 0; i < 1100; i++)
		vm_sends(n, REMOTE, 4000);
	assert_in_range(n->uplink->n_sent +
				fixture_drops(n->outside, DROP_POLICED),
			1100, 1100);
	assert_true(fixture_drops(n->outside, DROP_POLICED) > 0);
	acl_destroy(none);
	policer_destroy(policer);
}

/*
 * Another gateway's port on the outside bridge leads back to the first one's
 * inside: a router is not entered anew by what it has sent.
 */
static void loops_end(void **state)
{
	struct net *n = *state;
	struct nat_addr far = addr("198.51.100.50");
	struct gw *back = gw_create(false, false);
	struct fixture_port *from, *to;
	struct fwd_gateway *g;

	back->inside4 = (struct router_ip4){ 0xc63364fd, 24 };
	back->config.links[ROUTER_HOST].mac = 0x0200000000f1;
	back->config.links[ROUTER_OUTSIDE].up = false;
	back->config.links[ROUTER_OUTSIDE].n_ip4 = 0;
	neighbor_table_set(n->gw->outside, far.ip, 4, 0x0200000000f1);
	neighbor_table_set(back->inside, far.ip, 4, GW_INSIDE);
	gw_renew(back);
	g = add_gateway(n->f, back);
	from = fixture_port(n->f, n->outer, &access0);
	to = fixture_port(n->f, n->segment, &access0);
	fwd_port_set_gateway(from->fwd, g, ROUTER_HOST);
	fwd_port_set_gateway(to->fwd, g, ROUTER_INSIDE);
	fdb_add_static(n->outer->fdb, fdb_make_key(0x0200000000f1, 0),
		       from->fwd->number);
	vm_sends(n, "198.51.100.50", 1);
	assert_int_equal(counters(to)->rx_packets, 1);
	assert_int_equal(fixture_drops(n->inside, DROP_PATCH_LOOP), 1);
	gw_destroy(back);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(there_and_back),
		T(back_into_the_segment),
		T(to_the_control_thread),
		T(groups_reach_both),
		T(flooded_to_the_gateway),
		T(without_a_punt),
		T(drops_are_the_gateways),
		T(a_flood_leaves_neighbors),
		T(nothing_to_do_after_the_gateway),
		T(in_fragments),
		T(isolated_ports),
		T(isolated_ports_keep_their_stations),
		T(policies_hold),
		T(loops_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
