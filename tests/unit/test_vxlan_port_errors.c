/*
 * Ports of type "vxlan-udp": what cannot be sent, opened or received, and how
 * that is counted and said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "port/vxlan_port.h"
#include "vxlan_port_fixture.h"

#define N_MAX 64

static struct received got[N_MAX];

/* One bad destination among good ones. */
static void bad_destinations(void **state)
{
	struct pair pair = pair_open(4, "");
	struct outer_frame frames[40];
	struct packet *packets[40];
	unsigned n;

	for (unsigned i = 0; i < 40; i++) {
		struct outer_spec one = pair.spec;

		one.seed = i;
		if (i % 4 == 1)
			one.to = "255.255.255.255"; /* not without leave */
		if (i % 4 == 2)
			one.to_port = 9; /* nobody is there: ICMP */
		outer_make(&frames[i], &one);
		packets[i] = &frames[i].packet;
	}
	for (unsigned round = 1; round < 5; round++) {
		port_send(pair.tx, packets, 40, 1);
		n = udp_receive(pair.rx, got, N_MAX, 20);
		for (unsigned i = 0; i < n; i++)
			received_check_headers(&got[i], &pair.spec);
		received_free(got, n);
		assert_int_equal(port_drops(pair.tx, DROP_TX_ERROR),
				 10 * round);
	}
	for (unsigned i = 0; i < 40; i++)
		outer_free(&frames[i]);
	pair_close(&pair);
}

static void not_for_sockets(void **state)
{
	struct pair pair = pair_open(4, "");
	struct outer_spec spec = pair.spec;

	spec.version = 6;
	spec.to = "::1";
	outer_send(pair.tx, &spec, 3, 1);
	assert_int_equal(port_drops(pair.tx, DROP_TX_ERROR), 3);
	pair_close(&pair);
}

/* A datagram beyond what IP can say, alone and as one of a train. */
static void too_big(void **state)
{
	struct pair pair = pair_open(4, "");

	pair.spec.len = 65520;
	outer_send(pair.tx, &pair.spec, 1, 1);
	assert_int_equal(port_drops(pair.tx, DROP_TX_TOO_BIG), 1);
	pair.spec.len = 60;
	pair_round_trip(&pair, 1);
	pair_close(&pair);
}

/* A socket that is not read is full some time, and that is counted. */
static void overflow(void **state)
{
	struct pair pair = pair_open(4, "");
	struct port_counters c;
	unsigned rounds = 0;

	pair.spec.len = 60000;
	while (!port_drops(pair.rx, DROP_RX_OVERFLOW)) {
		outer_send(pair.tx, &pair.spec, 33, 1);
		assert_true(++rounds < 100);
	}
	/* It is a total, told as often as it is asked for. */
	port_get_counters(pair.rx, &c);
	assert_int_equal(port_drops(pair.rx, DROP_RX_OVERFLOW),
			 c.drops[DROP_RX_OVERFLOW]);
	pair_close(&pair);
}

static void fails(const char *options, const char *says)
{
	char *error = NULL;

	assert_null(udp_port_open(options, 1, &error));
	assert_non_null(error);
	if (!strstr(error, says))
		fail_msg("%s: \"%s\" does not say \"%s\"", options, error,
			 says);
	free(error);
}

static void says_what_is_wrong(void **state)
{
	uint16_t at = free_udp_port();
	struct port *port = udp_port_open_at(4, false, at, "", 2);
	char text[64];

	snprintf(text, sizeof(text), "local_ip=127.0.0.1 dst_port=%u", at);
	fails(text, "is in use");
	snprintf(text, sizeof(text), "ip_version=4 dst_port=%u", at);
	fails(text, "all addresses is in use");
	fails("local_ip=192.0.2.1", "does not have the address");
	fails("local_ip=192.0.2", "an IP address");
	fails("local_ip=::1 ip_version=4", "an IPv4 address");
	fails("ip_version=5", "4 or 6");
	fails("local_ip=fe80::1", "not a link-local address");
	fails("local_ip=239.1.2.3", "not a link-local address");
	fails("dst_port=0", "from 1 to 65535");
	fails("df=yes", "true or false");
	fails("groups=10.0.0.1", "multicast addresses");
	fails("groups=239.0.0.1,ff05::1", "multicast addresses");
	fails("group_dev=nosuchdev0", "no network device");
	port_close(port);
}

static void reconfigures(void **state)
{
	char port_text[8];
	struct port_option options[] = { { "local_ip", "127.0.0.1" },
					 { "dst_port", port_text },
					 { "df", "true" } };
	struct port_config config = {
		.name = "vxlan.test",
		.type = "vxlan-udp",
		.options = options,
		.n_options = 3,
		.n_threads = 5,
		.n_rxqs = 4,
	};
	struct port *port;

	snprintf(port_text, sizeof(port_text), "%u", free_udp_port());
	port = udp_port_open_at(4, false, atoi(port_text), "", 1);
	assert_int_equal(port->class->reconfigure(port, &config, NULL), 0);
	options[2].value = "false";
	assert_int_equal(port->class->reconfigure(port, &config, NULL),
			 -EOPNOTSUPP);
	options[2].value = "no";
	assert_int_equal(port->class->reconfigure(port, &config, NULL),
			 -EINVAL);
	port_close(port);
}

static void path_mtu(void **state)
{
	const uint8_t local[4] = { 127, 0, 0, 1 }, bad[4] = { 192, 0, 2, 77 };
	uint8_t local6[16] = { [15] = 1 };

	assert_true(vxlan_path_mtu(local, 4, NULL, 0) >= 1280);
	assert_true(vxlan_path_mtu(local, 4, local, 4) >= 1280);
	assert_int_equal(vxlan_path_mtu(local, 4, bad, 4), 0);
	assert_int_equal(vxlan_path_mtu(local, 5, NULL, 0), 0);
	assert_int_equal(vxlan_path_mtu(local, 4, local6, 16), 0);
	if (last_version() == 6)
		assert_true(vxlan_path_mtu(local6, 16, NULL, 0) >= 1280);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_destinations),
		cmocka_unit_test(not_for_sockets),
		cmocka_unit_test(too_big),
		cmocka_unit_test(overflow),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(reconfigures),
		cmocka_unit_test(path_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
