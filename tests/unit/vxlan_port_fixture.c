/* Ports of type "vxlan-udp" over the loopback device (vxlan_port_fixture.h). */
#include <setjmp.h>
#include <stdarg.h>

#include "vxlan_port_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "frames.h"

#define OPTIONS_MAX 16
#define WAIT_MS	    20000

struct port *udp_port_open(const char *text, unsigned n_rxqs, char **errp)
{
	struct port_option options[OPTIONS_MAX];
	struct port_config config = {
		.name = "vxlan.test",
		.type = "vxlan-udp",
		.options = options,
		.n_threads = 3,
		.n_rxqs = n_rxqs,
	};
	char *copy = strdup(text), *save = NULL;
	struct port *port = NULL;

	for (char *o = strtok_r(copy, " ", &save); o;
	     o = strtok_r(NULL, " ", &save)) {
		char *value = strchr(o, '=');

		assert_non_null(value);
		assert_true(config.n_options < OPTIONS_MAX);
		*value = '\0';
		options[config.n_options++] =
			(struct port_option){ o, value + 1 };
	}
	if (port_open(&config, &port, errp))
		port = NULL;
	free(copy);
	return port;
}

static uint32_t make_headers(uint8_t *h, const struct outer_spec *spec)
{
	uint8_t *ip = h + 14, *udp = ip + (spec->version == 4 ? 20 : 40);
	uint32_t len = 8 + spec->len;
	uint16_t sum;

	memset(h, 0, OUTER_MAX);
	if (spec->version == 4) {
		store_be16(h + 12, 0x0800);
		ip[0] = 0x45;
		ip[1] = spec->tos;
		store_be16(ip + 2, 20 + len);
		ip[8] = spec->ttl ? spec->ttl : 64;
		ip[9] = 17;
		assert_int_equal(inet_pton(AF_INET, spec->to, ip + 16), 1);
		sum = ~plain_sum(ip, 20, 0);
		store_be16(ip + 10, sum);
	} else {
		store_be16(h + 12, 0x86dd);
		store_be16(ip, 0x6000 | spec->tos << 4);
		store_be16(ip + 4, len);
		ip[6] = 17;
		ip[7] = spec->ttl ? spec->ttl : 64;
		assert_int_equal(inet_pton(AF_INET6, spec->to, ip + 24), 1);
	}
	store_be16(udp, spec->from_port);
	store_be16(udp + 2, spec->to_port);
	store_be16(udp + 4, len);
	return udp + 8 - h;
}

/* Private are the headers and the payload's first eight bytes, as VXLAN's. */
void outer_make(struct outer_frame *f, const struct outer_spec *spec)
{
	uint32_t private = MIN(spec->len, 8u);
	uint8_t headers[OUTER_MAX];
	unsigned n;

	f->header_len = make_headers(headers, spec);
	f->payload = malloc(spec->len + 1);
	fill(f->payload, spec->len, spec->seed);
	f->pieces = pieces_make(f->payload + private, spec->len - private,
				spec->piece, &n);
	packet_of_pieces(&f->packet, f->pieces, n, spec->len - private);
	memcpy(f->packet.header, headers, f->header_len);
	memcpy(f->packet.header + f->header_len, f->payload, private);
	f->packet.header_len = f->header_len + private;
	f->packet.len = f->header_len + spec->len;
	f->packet.offload.gso = spec->gso_size ? PACKET_GSO_UDP : 0;
	f->packet.offload.gso_size = spec->gso_size;
	f->packet.offload.csum_start = f->header_len - 8;
	f->packet.offload.csum_offset = 6;
}

void outer_free(struct outer_frame *f)
{
	pieces_free(f->pieces, f->packet.n_segments);
	free(f->payload);
}

void outer_send(struct port *port, const struct outer_spec *spec, unsigned n,
		unsigned thread)
{
	struct outer_frame *frames;
	struct packet **packets = calloc(n, sizeof(*packets));

	frames = aligned_alloc(CACHE_LINE, n * sizeof(*frames));
	for (unsigned i = 0; i < n; i++) {
		struct outer_spec one = *spec;

		one.seed += i;
		outer_make(&frames[i], &one);
		packets[i] = &frames[i].packet;
	}
	port_send(port, packets, n, thread);
	for (unsigned i = 0; i < n; i++)
		outer_free(&frames[i]);
	free(frames);
	free(packets);
}

unsigned received_datagrams(const struct received *r, unsigned version)
{
	uint32_t payload = r->len - (version == 4 ? 42 : 62);

	return r->offload.gso ? DIV_ROUND_UP(payload, r->offload.gso_size) : 1;
}

static unsigned receive_queue(struct port_rxq *rxq, struct received *to,
			      unsigned max)
{
	static _Alignas(CACHE_LINE) struct packet packets[PACKET_BURST_MAX];
	unsigned n = rxq->port->class->receive(rxq, packets,
					       MIN(max, PACKET_BURST_MAX), 0);

	for (unsigned i = 0; i < n; i++) {
		to[i].len = packets[i].len;
		to[i].offload = packets[i].offload;
		to[i].data = malloc(packets[i].len);
		assert_int_equal(
			packet_read(&packets[i], 0, to[i].data, packets[i].len),
			packets[i].len);
	}
	rxq->port->class->done(rxq);
	return n;
}

static void wait_for(struct port *port)
{
	struct pollfd fds[PORT_THREADS_MAX * 2];

	for (unsigned i = 0; i < port->n_rxqs; i++)
		fds[i] = (struct pollfd){ port->rxqs[i]->fd, POLLIN, 0 };
	assert_true(poll(fds, port->n_rxqs, WAIT_MS) > 0);
}

unsigned udp_receive(struct port *port, struct received *to, unsigned n_max,
		     unsigned datagrams)
{
	unsigned n = 0, got = 0;

	do {
		unsigned before = n;

		for (unsigned q = 0; q < port->n_rxqs; q++)
			n += receive_queue(port->rxqs[q], to + n, n_max - n);
		for (unsigned i = before; i < n; i++)
			got += received_datagrams(&to[i],
						  to[i].data[12] == 8 ? 4 : 6);
		if (n == before && got < datagrams)
			wait_for(port);
	} while (got < datagrams);
	if (datagrams)
		assert_int_equal(got, datagrams);
	return n;
}

void received_free(struct received *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(r[i].data);
}

uint64_t port_drops(struct port *port, enum drop_reason reason)
{
	struct port_counters c;

	port_get_counters(port, &c);
	return c.drops[reason];
}

unsigned last_version(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool there = fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a));

	if (fd >= 0)
		close(fd);
	return there ? 6 : 4;
}

uint16_t free_udp_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

const char *loopback_address(unsigned version, bool sender)
{
	if (version == 6)
		return "::1";
	return sender ? "127.0.0.2" : "127.0.0.1";
}

struct port *udp_port_open_at(unsigned version, bool sender, uint16_t port,
			      const char *more, unsigned n_rxqs)
{
	char text[256], *error = NULL;
	struct port *p;

	snprintf(text, sizeof(text), "local_ip=%s dst_port=%u %s",
		 loopback_address(version, sender), port, more);
	p = udp_port_open(text, n_rxqs, &error);
	if (!p)
		fail_msg("%s: %s", text, error);
	return p;
}

struct pair pair_open(unsigned version, const char *more)
{
	struct pair pair;

	pair.spec = (struct outer_spec){
		.to = loopback_address(version, false),
		.to_port = free_udp_port(),
		.from_port = 50000,
		.len = 100,
		.version = version,
	};
	pair.rx = udp_port_open_at(version, false, pair.spec.to_port, more, 1);
	pair.tx = udp_port_open_at(version, true, free_udp_port(), more, 1);
	return pair;
}

void pair_close(struct pair *pair)
{
	port_close(pair->rx);
	port_close(pair->tx);
}

void received_check_headers(const struct received *r,
			    const struct outer_spec *spec)
{
	const uint8_t *ip = r->data + 14;
	const uint8_t *udp = ip + (spec->version == 4 ? 20 : 40);
	uint8_t to[16];

	assert_memory_equal(r->data, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
	if (spec->version == 4) {
		assert_int_equal(load_be16(ip - 2), 0x0800);
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(ip[1], spec->tos);
		assert_int_equal(load_be16(ip + 2), r->len - 14);
		assert_int_equal(load_be16(ip + 6), 0x4000);
		assert_int_equal(ip[9], 17);
		assert_int_equal(plain_sum(ip, 20, 0), 0xffff);
		assert_int_equal(inet_pton(AF_INET, spec->to, to), 1);
		assert_memory_equal(ip + 16, to, 4);
	} else {
		assert_int_equal(load_be16(ip - 2), 0x86dd);
		assert_int_equal(load_be16(ip), 0x6000 | spec->tos << 4);
		assert_int_equal(load_be16(ip + 4), r->len - 14 - 40);
		assert_int_equal(ip[6], 17);
		assert_int_equal(inet_pton(AF_INET6, spec->to, to), 1);
		assert_memory_equal(ip + 24, to, 16);
	}
	assert_int_equal(load_be16(udp + 2), spec->to_port);
	assert_int_equal(load_be16(udp + 4), r->len - (udp - r->data));
	assert_true(r->offload.csum_valid);
	assert_false(r->offload.csum_needed);
}

void received_check_payloads(const struct received *got,
			     const struct outer_spec *spec, unsigned n_frames,
			     unsigned n)
{
	unsigned headers = spec->version == 4 ? 42 : 62, next = 0;
	uint8_t *expected = malloc(spec->len);

	for (unsigned i = 0; i < n_frames; i++) {
		received_check_headers(&got[i], spec);
		if (got[i].offload.gso)
			assert_int_equal(got[i].offload.gso_size, spec->len);
		for (uint32_t at = headers; at < got[i].len; at += spec->len) {
			fill(expected, spec->len, spec->seed + next++);
			assert_int_equal(MIN(got[i].len - at, spec->len),
					 spec->len);
			assert_memory_equal(got[i].data + at, expected,
					    spec->len);
		}
	}
	assert_int_equal(next, n);
	free(expected);
}

void pair_round_trip(struct pair *pair, unsigned n)
{
	static struct received got[300];
	struct port_counters before, after;
	unsigned frames;

	port_get_counters(pair->tx, &before);
	outer_send(pair->tx, &pair->spec, n, 1);
	frames = udp_receive(pair->rx, got, ARRAY_SIZE(got), n);
	received_check_payloads(got, &pair->spec, frames, n);
	received_free(got, frames);
	port_get_counters(pair->tx, &after);
	assert_int_equal(after.tx_packets - before.tx_packets, n);
	assert_int_equal(
		after.tx_bytes - before.tx_bytes,
		n * (pair->spec.len + (pair->spec.version == 4 ? 42 : 62)));
}
