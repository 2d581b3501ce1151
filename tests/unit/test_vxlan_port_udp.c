/*
 * Ports of type "vxlan-udp" over 127.0.0.1 and ::1: what one sends another
 * receives, with what its headers say; trains, groups, errors and counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "port/vxlan_port.h"
#include "vxlan_port_fixture.h"

#define N_MAX 600

static struct received got[N_MAX];

static void bursts(unsigned version, const char *more)
{
	static const unsigned sizes[] = { 1, 2, 33, 39, 65, 256, 300 };
	static const uint32_t lengths[] = { 8, 72, 1458 };
	struct pair pair = pair_open(version, more);

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(lengths); j++) {
			pair.spec.len = lengths[j];
			pair.spec.piece = i % 2 ? 500 : 0;
			pair.spec.seed += 1000;
			pair_round_trip(&pair, sizes[i]);
		}
	pair_close(&pair);
}

static void bursts_go_through(void **state)
{
	for (unsigned version = 4; version <= last_version(); version += 2)
		bursts(version, "");
}

static void bursts_with_checksums(void **state)
{
	for (unsigned version = 4; version <= last_version(); version += 2)
		bursts(version, "csum=true");
}

static void tells_tos(void **state)
{
	for (unsigned version = 4; version <= last_version(); version += 2) {
		struct pair pair = pair_open(version, "");

		for (unsigned tos = 0; tos < 256; tos += 3) {
			pair.spec.tos = tos;
			pair.spec.ttl = tos % 2 ? 3 : 255;
			pair_round_trip(&pair, 2);
		}
		pair_close(&pair);
	}
}

/* Bursts in which neighbours differ are not mixed up. */
static void keeps_ways_apart(void **state)
{
	struct outer_frame *frames =
		aligned_alloc(CACHE_LINE, 256 * sizeof(*frames));
	struct packet *packets[256];
	struct pair pair = pair_open(4, "");
	uint32_t seen[4] = { 0 };
	unsigned n;

	for (unsigned i = 0; i < 256; i++) {
		struct outer_spec one = pair.spec;

		one.tos = i % 4 << 2;
		one.len = 10 + i % 7;
		one.from_port += i % 5;
		one.seed = i;
		outer_make(&frames[i], &one);
		store_be32(frames[i].packet.header + 42, i);
		packets[i] = &frames[i].packet;
	}
	port_send(pair.tx, packets, 256, 1);
	n = udp_receive(pair.rx, got, N_MAX, 256);
	for (unsigned i = 0; i < n; i++) {
		uint32_t size = got[i].offload.gso ? got[i].offload.gso_size
						   : got[i].len - 42;

		for (uint32_t at = 42; at < got[i].len; at += size) {
			uint32_t id = load_be32(got[i].data + at);

			assert_int_equal(got[i].data[15], id % 4 << 2);
			assert_int_equal(MIN(size, got[i].len - at),
					 10 + id % 7);
			seen[id / 64] ^= id;
		}
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[i], 0); /* 64 in a row, each once */
	received_free(got, n);
	for (unsigned i = 0; i < 256; i++)
		outer_free(&frames[i]);
	free(frames);
	pair_close(&pair);
}

/* GSO packets: a train of datagrams; whole, also when the last is short. */
static void trains(unsigned version, const char *more)
{
	struct pair pair = pair_open(version, more);
	unsigned headers = version == 4 ? 42 : 62;
	uint32_t lens[] = {
		1400 * 2, 1400 * 40, 1400 * 44 + 17, 65507, 99999, 9
	};
	uint8_t *expected = malloc(100000);

	pair.spec.gso_size = 1400;
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		unsigned n_datagrams = DIV_ROUND_UP(lens[i], 1400);
		unsigned n, at = 0;

		pair.spec.len = lens[i];
		pair.spec.seed = i;
		pair.spec.piece = i ? 4096 : 0;
		outer_send(pair.tx, &pair.spec, 1, 2);
		n = udp_receive(pair.rx, got, N_MAX, n_datagrams);
		fill(expected, lens[i], i);
		for (unsigned k = 0; k < n; k++) {
			received_check_headers(&got[k], &pair.spec);
			assert_memory_equal(got[k].data + headers,
					    expected + at,
					    got[k].len - headers);
			at += got[k].len - headers;
		}
		assert_int_equal(at, lens[i]);
		received_free(got, n);
	}
	free(expected);
	pair_close(&pair);
}

static void trains_go_through(void **state)
{
	for (unsigned version = 4; version <= last_version(); version += 2) {
		trains(version, "");
		trains(version, "csum=true");
	}
}

/* More segments than a kernel takes at once are several trains. */
static void long_trains_are_cut(void **state)
{
	struct pair pair = pair_open(4, "");
	struct port_counters c;
	unsigned n, at = 0;
	uint8_t expected[500 * 20];

	pair.spec.len = sizeof(expected);
	pair.spec.gso_size = 20;
	pair.spec.piece = 33;
	outer_send(pair.tx, &pair.spec, 1, 1);
	n = udp_receive(pair.rx, got, N_MAX, 500);
	fill(expected, sizeof(expected), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_memory_equal(got[i].data + 42, expected + at,
				    got[i].len - 42);
		at += got[i].len - 42;
	}
	assert_int_equal(at, sizeof(expected));
	assert_int_equal(n, DIV_ROUND_UP(500, 64));
	received_free(got, n);
	port_get_counters(pair.tx, &c);
	assert_int_equal(c.tx_packets, 1);
	assert_int_equal(c.tx_bytes, 42 + sizeof(expected));
	pair_close(&pair);
}

/* Sockets that share a port; and any address, where datagrams tell theirs. */
static void several_queues(void **state)
{
	for (unsigned version = 4; version <= last_version(); version += 2) {
		struct pair pair = pair_open(version, "");
		char text[64], *error = NULL;
		unsigned n;

		port_close(pair.rx);
		snprintf(text, sizeof(text), "ip_version=%u dst_port=%u",
			 version, pair.spec.to_port);
		pair.rx = udp_port_open(text, 3, &error);
		assert_non_null(pair.rx);
		assert_int_equal(pair.rx->n_rxqs, 3);
		for (unsigned i = 0; i < 40; i++) {
			pair.spec.from_port = 50000 + i;
			outer_send(pair.tx, &pair.spec, 3, 1);
		}
		n = udp_receive(pair.rx, got, N_MAX, 120);
		for (unsigned i = 0; i < n; i++)
			received_check_headers(&got[i], &pair.spec);
		received_free(got, n);
		pair_close(&pair);
	}
}

/* What it sends to itself does not come in. */
static void own_packets_stay_out(void **state)
{
	static const char *const options[] = { "local_ip=127.0.0.1",
					       "ip_version=4", "local_ip=::1",
					       "ip_version=6" };

	for (unsigned i = 0; i < (last_version() == 6 ? 4 : 2); i++) {
		unsigned version = i < 2 ? 4 : 6;
		struct outer_spec spec = {
			.to = loopback_address(version, false),
			.to_port = free_udp_port(),
			.len = 60,
			.version = version,
		};
		char text[64], *error = NULL;
		struct port *port;

		snprintf(text, sizeof(text), "%s dst_port=%u", options[i],
			 spec.to_port);
		port = udp_port_open(text, 1, &error);
		assert_non_null(port);
		outer_send(port, &spec, 1, 1);
		while (!port_drops(port, DROP_VXLAN_SELF))
			assert_int_equal(udp_receive(port, got, N_MAX, 0), 0);
		port_close(port);
	}
}

/* A group on the loopback device, for ports with an address and without. */
static void groups(unsigned version, const char *group, const char *where)
{
	uint16_t at = free_udp_port();
	char text[160], *error = NULL;
	struct outer_spec spec = {
		.to = group,
		.to_port = at,
		.len = 90,
		.ttl = 1,
		.version = version,
	};
	struct port *rx, *tx;
	unsigned n;

	snprintf(text, sizeof(text), "%s dst_port=%u groups=%s group_dev=lo",
		 where, at, group);
	rx = udp_port_open(text, 2, &error);
	if (!rx)
		fail_msg("%s", error);
	assert_int_equal(rx->n_rxqs, 3);
	snprintf(text, sizeof(text), "local_ip=%s dst_port=%u group_dev=lo",
		 loopback_address(version, true), free_udp_port());
	tx = udp_port_open(text, 1, &error);
	if (!tx)
		fail_msg("%s", error);
	outer_send(tx, &spec, 33, 1);
	/* A loopback device usually has no route for groups of IPv6. */
	if (port_drops(tx, DROP_TX_ERROR) == 33 && version == 6) {
		port_close(rx);
		port_close(tx);
		return;
	}
	n = udp_receive(rx, got, N_MAX, 33); /* once, not by each queue */
	received_check_payloads(got, &spec, n, 33);
	received_free(got, n);
	assert_int_equal(udp_receive(rx, got, N_MAX, 0), 0);
	port_close(rx);
	port_close(tx);
}

static void groups_are_joined(void **state)
{
	groups(4, "239.1.2.3", "local_ip=127.0.0.1");
	groups(4, "239.1.2.3", "ip_version=4");
	if (last_version() == 4)
		return;
	groups(6, "ff05::1:2:3", "local_ip=::1");
	groups(6, "ff05::1:2:3", "ip_version=6");
}

/* A foreign socket's datagrams: empty, of one byte, and large. */
static void strangers(void **state)
{
	static const uint32_t lens[] = { 0, 1, 65507 };
	struct pair pair = pair_open(4, "");
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(pair.spec.to_port) };
	static uint8_t bytes[65507];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		assert_int_equal(sendto(fd, bytes, lens[i], 0,
					(struct sockaddr *)&to, sizeof(to)),
				 lens[i]);
		assert_int_equal(udp_receive(pair.rx, got, N_MAX, 1), 1);
		assert_int_equal(got[0].len, 42 + lens[i]);
		received_check_headers(&got[0], &pair.spec);
		received_free(got, 1);
	}
	close(fd);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_go_through),
		cmocka_unit_test(bursts_with_checksums),
		cmocka_unit_test(tells_tos),
		cmocka_unit_test(keeps_ways_apart),
		cmocka_unit_test(trains_go_through),
		cmocka_unit_test(long_trains_are_cut),
		cmocka_unit_test(several_queues),
		cmocka_unit_test(own_packets_stay_out),
		cmocka_unit_test(groups_are_joined),
		cmocka_unit_test(strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
