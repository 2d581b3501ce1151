/*
 * What a port of type "vxlan-udp" puts on the wire of a host of its own: header
 * fields, source ports, trains, groups, and what a path's MTU does to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "frames.h"
#include "host.h"
#include "port/vxlan_port.h"
#include "vxlan_port_fixture.h"

static int wire;
static struct host_frame frame;

static int setup(void **state)
{
	host_enter();
	host_run("ip link set lo up");
	host_run("ip link add wa type veth peer name wb");
	host_run("ip addr add 10.9.0.1/24 dev wa");
	host_run("ip link set wa up");
	host_run("ip link set wb up");
	host_run("sysctl -qw net.ipv6.conf.wa.disable_ipv6=0");
	host_run("ip -6 addr add fd09::1/64 dev wa nodad");
	host_run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:09:02 dev wa");
	host_run("ip neigh add fd09::2 lladdr 02:00:00:00:09:02 dev wa");
	wire = host_wire("wb");
	return 0;
}

static struct port *open_port(const char *options)
{
	char *error = NULL;
	struct port *port = udp_port_open(options, 1, &error);

	if (!port)
		fail_msg("%s: %s", options, error);
	host_drain(wire);
	return port;
}

/* The next UDP packet, or fragment of one, of that version; its IP header. */
static const uint8_t *next(unsigned version)
{
	for (;;) {
		const uint8_t *ip = frame.data + 14;

		assert_true(host_receive(wire, &frame));
		if (ip[0] >> 4 == version && ip[version == 4 ? 9 : 6] == 17)
			return ip;
	}
}

static struct outer_spec to_peer(unsigned version)
{
	return (struct outer_spec){
		.to = version == 4 ? "10.9.0.2" : "fd09::2",
		.to_port = 4789,
		.from_port = 50000,
		.len = 100,
		.version = version,
	};
}

static void headers4(void **state)
{
	struct port *port = open_port("local_ip=10.9.0.1");
	struct outer_spec spec = to_peer(4);
	const uint8_t *ip;

	spec.tos = 0xb9;
	spec.ttl = 7;
	outer_send(port, &spec, 1, 1);
	ip = next(4);
	assert_memory_equal(frame.data, "\2\0\0\0\x9\2", 6);
	assert_int_equal(ip[1], 0xb9);
	assert_int_equal(ip[8], 7);
	assert_int_equal(load_be16(ip + 6), 0x4000); /* DF */
	assert_memory_equal(ip + 12, "\x0a\x09\0\1\x0a\x09\0\2", 8);
	assert_int_equal(load_be16(ip + 22), 4789);
	assert_int_equal(load_be16(ip + 26), 0); /* no checksum */
	port_close(port);

	port = open_port("local_ip=10.9.0.1 csum=true df=false");
	spec.tos = spec.ttl = 0;
	outer_send(port, &spec, 1, 1);
	ip = next(4);
	assert_int_equal(ip[1], 0);
	assert_int_equal(ip[8], 64);
	assert_int_equal(load_be16(ip + 6), 0);
	assert_int_not_equal(load_be16(ip + 26), 0);
	port_close(port);
}

static void headers6(void **state)
{
	struct port *port = open_port("local_ip=fd09::1");
	struct outer_spec spec = to_peer(6);
	const uint8_t *ip;

	spec.tos = 0xb9;
	spec.ttl = 7;
	outer_send(port, &spec, 1, 1);
	ip = next(6);
	assert_int_equal(load_be16(ip), 0x6b90 | (ip[1] & 0xf));
	assert_int_equal(ip[7], 7);
	assert_int_equal(load_be16(ip + 46), 0);
	port_close(port);
	port = open_port("local_ip=fd09::1 csum=true");
	outer_send(port, &spec, 1, 1);
	assert_int_not_equal(load_be16(next(6) + 46), 0);
	port_close(port);
}

/* A flow has one source port; many have several, none of them 4789. */
static void source_ports(void **state)
{
	struct port *port = open_port("local_ip=10.9.0.1");
	struct outer_spec spec = to_peer(4);
	uint16_t seen[64], again;
	unsigned n_differ = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++) {
		spec.from_port = 49152 + 17 * i;
		outer_send(port, &spec, 1, 1);
		seen[i] = load_be16(next(4) + 20);
		outer_send(port, &spec, 1, 2);
		again = load_be16(next(4) + 20);
		assert_int_equal(seen[i], again);
		assert_int_not_equal(seen[i], 4789);
		n_differ += seen[i] != seen[0];
	}
	assert_in_range(n_differ, ARRAY_SIZE(seen) / 2, ARRAY_SIZE(seen) - 2);
	port_close(port);
}

/* Equal packets in a row are one train, ended by a shorter one. */
static void trains(void **state)
{
	struct port *port = open_port("local_ip=10.9.0.1");
	struct outer_frame frames[5];
	struct packet *packets[5];
	struct outer_spec spec = to_peer(4);

	for (unsigned i = 0; i < 5; i++) {
		spec.len = i == 3 ? 60 : 100;
		spec.from_port = 50000; /* 4 is the next train's */
		outer_make(&frames[i], &spec);
		packets[i] = &frames[i].packet;
	}
	port_send(port, packets, 5, 1);
	assert_int_equal(load_be16(next(4) + 2), 20 + 8 + 360);
	assert_int_equal(frame.vnet[1], 5); /* VIRTIO_NET_HDR_GSO_UDP_L4 */
	assert_int_equal(frame.vnet[4] | frame.vnet[5] << 8, 100);
	assert_int_equal(load_be16(next(4) + 2), 20 + 8 + 100);
	assert_int_equal(frame.vnet[1], 0);
	for (unsigned i = 0; i < 5; i++)
		outer_free(&frames[i]);
	port_close(port);
}

/* Two that are too long for the path, and a third that would end their train.
 */
static void send_two_big(struct port *port, unsigned version)
{
	struct outer_frame frames[3];
	struct packet *packets[3];
	struct outer_spec spec = to_peer(version);

	for (unsigned i = 0; i < 3; i++) {
		spec.len = i == 2 ? 90 : 1300;
		outer_make(&frames[i], &spec);
		packets[i] = &frames[i].packet;
	}
	port_send(port, packets, 3, 1);
	for (unsigned i = 0; i < 3; i++)
		outer_free(&frames[i]);
}

static void too_big_for_the_path(void **state)
{
	struct port *port;
	struct outer_spec spec = to_peer(4);

	host_run("ip link set wa mtu 1280");
	port = open_port("local_ip=10.9.0.1");
	send_two_big(port, 4);
	assert_int_equal(load_be16(next(4) + 2), 20 + 8 + 90);
	assert_int_equal(port_drops(port, DROP_TX_TOO_BIG), 2);
	spec.len = 13000;
	spec.gso_size = 1300;
	outer_send(port, &spec, 1, 1);
	assert_int_equal(port_drops(port, DROP_TX_TOO_BIG), 3);
	port_close(port);
	port = open_port("local_ip=fd09::1");
	send_two_big(port, 6);
	assert_int_equal(load_be16(next(6) + 4), 8 + 90);
	assert_int_equal(port_drops(port, DROP_TX_TOO_BIG), 2);
	port_close(port);

	/* Without DF they are fragments. */
	port = open_port("local_ip=10.9.0.1 df=false");
	send_two_big(port, 4);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(load_be16(next(4) + 6), 0x2000);
		assert_int_equal(load_be16(next(4) + 6) & 0x2000, 0);
	}
	assert_int_equal(load_be16(next(4) + 2), 20 + 8 + 90);
	assert_int_equal(port_drops(port, DROP_TX_TOO_BIG), 0);
	port_close(port);
	host_run("ip link set wa mtu 1500");
}

/* One way that is not there, among others. */
static void no_route(void **state)
{
	struct port *port = open_port("local_ip=10.9.0.1");
	struct outer_frame frames[36];
	struct packet *packets[36];

	for (unsigned i = 0; i < 36; i++) {
		struct outer_spec spec = to_peer(4);

		if (i % 3 == 0)
			spec.to = "192.0.2.1";
		spec.len = 20 + i;
		outer_make(&frames[i], &spec);
		packets[i] = &frames[i].packet;
	}
	port_send(port, packets, 36, 1);
	for (unsigned i = 0; i < 36; i++) {
		if (i % 3)
			assert_int_equal(load_be16(next(4) + 2), 28 + 20 + i);
		outer_free(&frames[i]);
	}
	assert_int_equal(port_drops(port, DROP_TX_ERROR), 12);
	port_close(port);
}

/* To a group by the device that is said, and not back to the sender. */
static void groups(unsigned version, const char *group, const char *local)
{
	struct outer_spec spec = to_peer(version);
	struct received got[4];
	struct port *port;
	char text[128];

	snprintf(text, sizeof(text), "%s groups=%s group_dev=wa", local, group);
	port = open_port(text);
	spec.to = group;
	spec.ttl = 2;
	outer_send(port, &spec, 1, 1);
	assert_int_equal(next(version)[version == 4 ? 8 : 7], 2);
	assert_int_equal(frame.data[0], version == 4 ? 0x01 : 0x33);

	/* What another sends to the group comes in. */
	frame.data[14 + (version == 4 ? 15 : 23)] = 2;
	if (version == 4) {
		store_be16(frame.data + 14 + 10, 0);
		store_be16(frame.data + 14 + 10,
			   ~plain_sum(frame.data + 14, 20, 0));
	}
	frame.data[11] ^= 1; /* not our own MAC */
	host_send(wire, NULL, frame.data, frame.len);
	assert_int_equal(udp_receive(port, got, ARRAY_SIZE(got), 1), 1);
	assert_int_equal(got[0].data[14 + (version == 4 ? 15 : 23)], 2);
	received_free(got, 1);
	assert_int_equal(udp_receive(port, got, ARRAY_SIZE(got), 0), 0);
	port_close(port);
}

static void groups_go_out_and_in(void **state)
{
	groups(4, "239.7.7.7", "local_ip=10.9.0.1");
	groups(4, "239.7.7.7", "ip_version=4");
	groups(6, "ff05::7:7", "local_ip=fd09::1");
	groups(6, "ff02::7:7", "ip_version=6");
}

static void path_mtu(void **state)
{
	uint8_t to[4] = { 10, 9, 0, 2 }, nowhere[4] = { 192, 0, 2, 1 };
	uint8_t to6[16] = { 0xfd, 9, [15] = 2 };

	host_run("ip link set wa mtu 1400");
	assert_int_equal(vxlan_path_mtu(to, 4, NULL, 0), 1400);
	assert_int_equal(vxlan_path_mtu(to6, 16, NULL, 0), 1400);
	assert_int_equal(vxlan_path_mtu(nowhere, 4, NULL, 0), 0);
	host_run("ip link set wa mtu 1500");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers4),
		cmocka_unit_test(headers6),
		cmocka_unit_test(source_ports),
		cmocka_unit_test(trains),
		cmocka_unit_test(too_big_for_the_path),
		cmocka_unit_test(no_route),
		cmocka_unit_test(groups_go_out_and_in),
		cmocka_unit_test(path_mtu),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
