/*
 * Ports of VXLAN that have no device: what a remote VTEP's port counts is part
 * of what its VXLAN port has counted, also when the remote is no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frames.h"
#include "port/vxlan_port.h"

static struct port *open_type(const char *type, uint64_t mac)
{
	const struct port_config config = {
		.name = "vx0",
		.type = type,
		.n_threads = 2,
		.n_rxqs = 2,
		.mac = mac,
	};
	struct port *port;

	assert_int_equal(port_open(&config, &port, NULL), 0);
	assert_int_equal(port->n_rxqs, 0);
	return port;
}

static void send_one(struct port *port)
{
	static const uint8_t frame[64] = { 2, [12] = 8 };
	_Alignas(CACHE_LINE) struct packet p;
	struct packet *packets[] = { &p };

	packet_init(&p, frame, sizeof(frame));
	assert_true(packet_pull_first(&p));
	port_send(port, packets, 1, 1);
}

static void remotes_count_for_their_port(void **state)
{
	struct port *parent = open_type("vxlan", 0), *remotes[3];
	struct port_counters c;

	assert_false(port_type_is_made_up("vxlan"));
	for (unsigned i = 0; i < 3; i++) {
		remotes[i] = vxlan_remote_open(parent, "vx0", 2);
		counter_add(&remotes[i]->counters[i % 2]->rx_packets, 10);
		port_drop(remotes[i], 1, DROP_TUNNEL_TOO_BIG, 1);
		assert_true(remotes[i]->mtu >= 9000);
	}
	counter_add(&parent->counters[0]->rx_packets, 1);
	port_get_counters(parent, &c);
	assert_int_equal(c.rx_packets, 31);
	assert_int_equal(c.drops[DROP_TUNNEL_TOO_BIG], 3);
	port_get_counters(remotes[1], &c);
	assert_int_equal(c.rx_packets, 10);

	/* From the middle, the beginning and the end, with one that is new. */
	port_close(remotes[1]);
	port_close(remotes[2]);
	remotes[1] = vxlan_remote_open(parent, "vx0", 1);
	port_set_threads(remotes[1], 4);
	counter_add(&remotes[1]->counters[3]->tx_packets, 5);
	port_get_counters(parent, &c);
	assert_int_equal(c.rx_packets, 31);
	assert_int_equal(c.tx_packets, 5);
	port_close(remotes[0]);
	port_close(remotes[1]);
	port_get_counters(parent, &c);
	assert_int_equal(c.rx_packets, 31);
	assert_int_equal(c.tx_packets, 5);
	assert_int_equal(c.drops[DROP_TUNNEL_TOO_BIG], 3);
	port_close(parent);
}

/* It is the pipeline that sends. */
static void nothing_is_sent_to_them(void **state)
{
	struct port *vxlan = open_type("vxlan", 0);
	struct port *remote = vxlan_remote_open(vxlan, "vx0", 2);
	struct port *station = open_type("vxlan-station", 0x020000000007);
	struct port_counters c;

	send_one(vxlan);
	send_one(remote);
	send_one(station);
	port_get_counters(vxlan, &c);
	assert_int_equal(c.drops[DROP_TX_DOWN], 2);
	port_get_counters(station, &c);
	assert_int_equal(c.drops[DROP_TX_DOWN], 1);
	port_close(remote);
	port_close(vxlan);
	port_close(station);
}

static void station_has_a_mac(void **state)
{
	struct port *station = open_type("vxlan-station", 0x020000000007);
	const struct port_config config = { .mac = 0x020000000008 };
	struct port_status status;

	assert_true(port_type_is_made_up("vxlan-station"));
	assert_true(port_type_is_made_up("vxlan-udp"));
	port_get_status(station, &status);
	assert_int_equal(status.mac, 0x020000000007);
	assert_true(status.link_up);
	assert_int_equal(station->class->reconfigure(station, &config, NULL),
			 0);
	port_get_status(station, &status);
	assert_int_equal(status.mac, 0x020000000008);
	port_close(station);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remotes_count_for_their_port),
		cmocka_unit_test(nothing_is_sent_to_them),
		cmocka_unit_test(station_has_a_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
