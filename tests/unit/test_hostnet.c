/* Frames, limits and rings of the port to the host's sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "packet/csum.h"
#include "packet/gso.h"
#include "port/hostnet_fragment.h"
#include "port/hostnet_frame.h"
#include "port/hostnet_half_open.h"
#include "port/hostnet_ring.h"
#include "port/hostnet_sessions.h"

#define L3	14
#define GATEWAY 0x0a140001
#define MACHINE 0x0a14000f
#define WORLD	0xc0000202
#define SYN	0x02
#define ACK	0x10

static const struct hostnet_net net = {
	.has_ip4 = true,
	.has_ip6 = true,
	.ip4 = GATEWAY,
	.mask4 = 0xffffff00,
	.ip6 = { 0xfd, 0x20, [15] = 1 },
	.prefix6 = 64,
	.router_mac = 0x025600000001,
	.mtu = 1500,
	.way_out = true,
	.dns = true,
};
static const uint8_t machine6[16] = { 0xfd, 0x20, [15] = 15 };
static const uint8_t world6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 2 };

static struct hostnet_memory memory;
static uint8_t frame[ETH_HEADER_LEN + 65536];

static uint32_t put_ip4(uint32_t src, uint32_t dst, uint8_t proto, uint32_t n)
{
	memset(frame, 0, L3 + 20);
	store_be16(frame + 12, 0x0800);
	frame[L3] = 0x45;
	store_be16(frame + L3 + 2, 20 + n);
	frame[L3 + 8] = 64;
	frame[L3 + 9] = proto;
	store_be32(frame + L3 + 12, src);
	store_be32(frame + L3 + 16, dst);
	csum_ipv4_header(frame + L3, 20);
	return L3 + 20;
}

static uint32_t put_ip6(const uint8_t *src, const uint8_t *dst, uint8_t proto,
			uint32_t n)
{
	memset(frame, 0, L3 + 40);
	store_be16(frame + 12, 0x86dd);
	frame[L3] = 0x60;
	store_be16(frame + L3 + 4, n);
	frame[L3 + 6] = proto;
	frame[L3 + 7] = 64;
	memcpy(frame + L3 + 8, src, 16);
	memcpy(frame + L3 + 24, dst, 16);
	return L3 + 40;
}

static uint64_t pseudo(uint32_t l4, uint8_t proto, uint32_t n)
{
	return l4 == L3 + 20 ? csum_pseudo4(frame + L3, proto, n)
			     : csum_pseudo6(frame + L3, proto, n);
}

/* TCP behind an IP header; mss 0: no option. */
static uint32_t put_tcp(uint32_t l4, uint16_t sport, uint16_t dport,
			uint8_t flags, uint16_t mss, uint32_t data)
{
	uint8_t *tcp = frame + l4;
	uint32_t header = mss ? 24 : 20;

	memset(tcp, 0, header);
	store_be16(tcp, sport);
	store_be16(tcp + 2, dport);
	store_be32(tcp + 4, 1000);
	tcp[12] = header / 4 << 4;
	tcp[13] = flags;
	if (mss) {
		tcp[20] = 2;
		tcp[21] = 4;
		store_be16(tcp + 22, mss);
	}
	memset(tcp + header, 0x5a, data);
	csum_store(tcp + 16,
		   csum_add(pseudo(l4, 6, header + data), tcp, header + data));
	return l4 + header + data;
}

static uint32_t put_udp(uint32_t l4, uint16_t sport, uint16_t dport,
			uint32_t data)
{
	uint8_t *udp = frame + l4;

	store_be16(udp, sport);
	store_be16(udp + 2, dport);
	store_be16(udp + 4, 8 + data);
	memset(udp + 6, 0, 2);
	memset(udp + 8, 0x5a, data);
	csum_store(udp + 6, csum_add(pseudo(l4, 17, 8 + data), udp, 8 + data));
	return l4 + 8 + data;
}

static void assert_csum(uint32_t l4, uint8_t proto, uint32_t end)
{
	uint64_t sum =
		csum_add(pseudo(l4, proto, end - l4), frame + l4, end - l4);

	assert_int_equal(csum_fold(sum), 0xffff);
	if (l4 == L3 + 20)
		assert_int_equal(csum_fold(csum_add(0, frame + L3, 20)),
				 0xffff);
}

static bool in(const struct hostnet_net *n, uint32_t len,
	       struct hostnet_packet *p, enum drop_reason *reason)
{
	return hostnet_frame_in(n, &memory, frame, len, p, reason);
}

static uint32_t tcp4(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
		     uint8_t flags, uint16_t mss, uint32_t data)
{
	uint32_t l4 = put_ip4(src, dst, 6, (mss ? 24 : 20) + data);

	return put_tcp(l4, sport, dport, flags, mss, data);
}

static uint32_t udp4(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
		     uint32_t data)
{
	return put_udp(put_ip4(src, dst, 17, 8 + data), sport, dport, data);
}

/* The size that the packet from the world to the machine's port has. */
static uint16_t gso_size_of(uint16_t port, uint32_t data)
{
	struct packet_offload o;
	uint32_t len = tcp4(WORLD, MACHINE, 80, port, ACK, 0, data);

	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(load_mac(frame), net.router_mac);
	if (o.gso) {
		assert_int_equal(o.gso, PACKET_GSO_TCP4);
		assert_true(o.csum_needed && !o.csum_valid);
		assert_int_equal(o.csum_start, L3 + 20);
		assert_int_equal(o.csum_offset, 16);
		return o.gso_size;
	}
	assert_true(o.csum_valid && !o.csum_needed);
	assert_csum(L3 + 20, 6, len);
	return 0;
}

static void test_mss(void **state)
{
	struct packet_offload o;
	struct hostnet_packet p;
	enum drop_reason reason;
	uint32_t len;

	len = tcp4(MACHINE, WORLD, 4000, 80, SYN, 1460, 0);
	assert_true(in(&net, len, &p, &reason));
	assert_int_equal(p.kind, HOSTNET_TCP_NEW);
	assert_int_equal(load_be16(frame + L3 + 42), HOSTNET_IP_MAX - 40);
	assert_csum(L3 + 20, 6, len);
	len = tcp4(MACHINE, WORLD, 4001, 80, SYN, 1000, 0);
	assert_true(in(&net, len, &p, &reason));
	len = tcp4(MACHINE, WORLD, 4002, 80, SYN, 0, 0);
	assert_true(in(&net, len, &p, &reason));
	assert_csum(L3 + 20, 6, len);

	assert_int_equal(gso_size_of(4000, 32768), 1460);
	assert_int_equal(gso_size_of(4001, 32768), 1000);
	assert_int_equal(gso_size_of(4002, 32768), 536);
	assert_int_equal(gso_size_of(4003, 32768), 1460);
	assert_int_equal(gso_size_of(4000, 1460), 0);
	assert_int_equal(gso_size_of(4001, 1000), 0);
	assert_int_equal(gso_size_of(4001, 1001), 1000);

	/* A SYN to a machine offers what the MTU allows. */
	len = tcp4(WORLD, MACHINE, 80, 4000, SYN | ACK, 65480, 0);
	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(load_be16(frame + L3 + 42), 1460);
	assert_csum(L3 + 20, 6, len);
}

static void test_mss6(void **state)
{
	struct packet_offload o;
	struct hostnet_packet p;
	enum drop_reason reason;
	uint32_t len;

	len = put_tcp(put_ip6(machine6, world6, 6, 24), 4000, 80, SYN, 1300, 0);
	assert_true(in(&net, len, &p, &reason));
	assert_int_equal(load_be16(frame + L3 + 62), HOSTNET_IP_MAX - 60);
	assert_csum(L3 + 40, 6, len);
	len = put_tcp(put_ip6(world6, machine6, 6, 20020), 80, 4000, ACK, 0,
		      20000);
	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(o.gso, PACKET_GSO_TCP6);
	assert_int_equal(o.gso_size, 1300);
}

static void test_broken_options(void **state)
{
	struct hostnet_packet p;
	enum drop_reason reason;
	uint32_t len;

	for (unsigned option_len = 0; option_len < 256; option_len++) {
		len = tcp4(MACHINE, WORLD, 4000, 80, SYN, 1460, 0);
		frame[L3 + 41] = option_len;
		assert_true(in(&net, len, &p, &reason));
	}
	/* A header that is longer than the packet. */
	len = tcp4(MACHINE, WORLD, 4000, 80, SYN, 0, 0);
	frame[L3 + 32] = 0xf0;
	assert_false(in(&net, len, &p, &reason));
	assert_int_equal(reason, DROP_NAT_MALFORMED);
}

static void test_udp_fragments(void **state)
{
	struct packet_offload o;
	uint32_t len = udp4(WORLD, MACHINE, 9, 4000, 1472);

	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(o.gso, PACKET_GSO_NONE);
	len = udp4(WORLD, MACHINE, 9, 4000, 1473);
	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(o.gso, PACKET_GSO_UFO);
	assert_int_equal(o.gso_size, 1480);
	len = put_udp(put_ip6(world6, machine6, 17, 5008), 9, 4000, 5000);
	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(o.gso, PACKET_GSO_UFO);
	assert_int_equal(o.gso_size, 1448);
}

static enum drop_reason refusal(const struct hostnet_net *n, uint32_t len)
{
	enum drop_reason reason;
	struct hostnet_packet p;

	return in(n, len, &p, &reason) ? N_DROP_REASONS : reason;
}

static void test_sources(void **state)
{
	static const uint32_t wrong[] = { GATEWAY,    0x0a140000, 0x0a1400ff,
					  0x0a150001, 0x7f000001, 0xe0000001,
					  0,	      UINT32_MAX };
	uint8_t src[16];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(refusal(&net, udp4(wrong[i], WORLD, 1, 2, 4)),
				 DROP_BAD_SOURCE);
	memcpy(src, machine6, 16);
	src[7] = 1;
	assert_int_equal(
		refusal(&net, put_udp(put_ip6(src, world6, 17, 8), 1, 2, 0)),
		DROP_BAD_SOURCE);
}

static void test_destinations(void **state)
{
	static const uint32_t wrong[] = { 0x7f000001, 0,	  1,
					  0xe0000001, UINT32_MAX, 0x0a140000,
					  0x0a140010, 0x0a1400ff, 0xf0000001 };
	static const uint8_t wrong6[][16] = {
		{ [15] = 0 },
		{ [15] = 1 },
		{ [10] = 0xff, 0xff, 127, 0, 0, 1 },
		{ [12] = 127, 0, 0, 1 },
		{ 0xff, 2, [15] = 1 },
		{ 0xfe, 0x80, [15] = 1 },
		{ 0xfd, 0x20, [15] = 2 },
	};
	struct hostnet_net host = net, closed = net;

	host.host_loopback = true;
	closed.way_out = false;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(
			refusal(&host, udp4(MACHINE, wrong[i], 1, 2, 4)),
			DROP_NO_DESTINATION);
	for (size_t i = 0; i < ARRAY_SIZE(wrong6); i++)
		assert_int_equal(
			refusal(&host,
				put_udp(put_ip6(machine6, wrong6[i], 17, 8), 1,
					2, 0)),
			DROP_NO_DESTINATION);
	assert_int_equal(refusal(&closed, udp4(MACHINE, WORLD, 1, 2, 4)),
			 DROP_NO_DESTINATION);
	assert_int_equal(refusal(&net, udp4(MACHINE, WORLD, 1, 2, 4)),
			 N_DROP_REASONS);
}

static void test_gateway(void **state)
{
	static const uint16_t services[] = { 67, 69, 547 };
	struct hostnet_net host = net;
	struct packet_offload o;

	host.host_loopback = true;
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		assert_int_equal(refusal(&host, udp4(MACHINE, GATEWAY, 1,
						     services[i], 4)),
				 DROP_NO_DESTINATION);
	assert_int_equal(refusal(&host, udp4(MACHINE, GATEWAY, 1, 2, 4)),
			 N_DROP_REASONS);
	assert_int_equal(
		refusal(&net, tcp4(MACHINE, GATEWAY, 1, 2, SYN, 1460, 0)),
		DROP_NO_DESTINATION);
	assert_int_equal(
		refusal(&host, tcp4(MACHINE, GATEWAY, 1, 2, SYN, 1460, 0)),
		N_DROP_REASONS);
	/* Answers to what came from there, and to nothing else. */
	assert_int_equal(refusal(&net, udp4(MACHINE, GATEWAY, 1, 2, 4)),
			 DROP_NO_DESTINATION);
	assert_true(hostnet_frame_out(&net, &memory, frame,
				      udp4(GATEWAY, MACHINE, 2, 1, 4), &o));
	assert_int_equal(refusal(&net, udp4(MACHINE, GATEWAY, 1, 2, 4)),
			 N_DROP_REASONS);
	assert_int_equal(refusal(&net, udp4(MACHINE, GATEWAY, 1, 3, 4)),
			 DROP_NO_DESTINATION);
	memory.now_s += 1000;
	assert_int_equal(refusal(&net, udp4(MACHINE, GATEWAY, 1, 2, 4)),
			 DROP_NO_DESTINATION);
}

static void test_host_program_is_the_gateway(void **state)
{
	struct packet_offload o;
	uint32_t len = udp4(0x7f000001, MACHINE, 2, 1, 4);

	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(load_be32(frame + L3 + 12), GATEWAY);
	assert_csum(L3 + 20, 17, len);
}

static void test_dns(void **state)
{
	struct packet_offload o;
	struct hostnet_packet p;
	enum drop_reason reason;
	uint32_t len = tcp4(MACHINE, GATEWAY, 4000, 53, SYN, 1460, 0);

	assert_true(in(&net, len, &p, &reason));
	assert_int_equal(load_be32(frame + L3 + 16), 0x0a140000);
	assert_csum(L3 + 20, 6, len);
	len = tcp4(0x0a140000, MACHINE, 53, 4000, ACK, 0, 100);
	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(load_be32(frame + L3 + 12), GATEWAY);
	assert_csum(L3 + 20, 6, len);
}

/* The length of the reset that a connection to the name service brings. */
static uint32_t begin(struct hostnet_half_open *h, uint16_t port, uint8_t flags,
		      uint8_t reset[HOSTNET_RESET_MAX])
{
	struct hostnet_packet p;
	enum drop_reason reason;
	uint32_t len = tcp4(MACHINE, GATEWAY, port, 53, flags, 1460, 0);

	assert_true(in(&net, len, &p, &reason));
	if (flags & SYN)
		return hostnet_half_open_add(h, &net, frame, &p, reset);
	hostnet_half_open_remove(h, &p);
	return 0;
}

/* Of connections that are begun and not completed, the oldest gives way. */
static void test_half_open(void **state)
{
	uint8_t reset[HOSTNET_RESET_MAX];
	struct hostnet_half_open h = { 0 };
	uint32_t len;

	for (unsigned i = 0; i < HOSTNET_HALF_OPEN_MAX; i++)
		assert_int_equal(begin(&h, 1000 + i, SYN, reset), 0);
	assert_int_equal(begin(&h, 1000, SYN, reset), 0); /* again */
	begin(&h, 1000, ACK, reset);
	assert_int_equal(begin(&h, 2000, SYN, reset), 0);
	len = begin(&h, 2001, SYN, reset);
	assert_int_equal(len, L3 + 40);
	memcpy(frame, reset, len);
	assert_csum(L3 + 20, 6, len);
	assert_int_equal(load_be16(frame + L3 + 20), 1001);
	assert_int_equal(load_be32(frame + L3 + 16), 0x0a140000);
	assert_int_equal(load_be32(frame + L3 + 24), 1001); /* 1000 + SYN */
	assert_int_equal(frame[L3 + 33], 4);
}

static void test_reset(void **state)
{
	uint8_t reset[HOSTNET_RESET_MAX];
	struct hostnet_packet p;
	enum drop_reason reason;
	struct packet_offload o;
	uint32_t len = tcp4(MACHINE, GATEWAY, 4000, 99, SYN, 1460, 5);

	assert_false(in(&net, len, &p, &reason));
	len = hostnet_frame_reset(frame, &p, reset);
	assert_int_equal(len, L3 + 40);
	memcpy(frame, reset, len);
	assert_true(hostnet_frame_out(&net, &memory, frame, len, &o));
	assert_int_equal(frame[L3 + 33], 0x14);
	assert_int_equal(load_be32(frame + L3 + 28), 1000 + 1 + 5);
	assert_csum(L3 + 20, 6, len);
}

static void test_arp_answer(void **state)
{
	uint8_t answer[HOSTNET_ANSWER_MAX];

	memset(frame, 0, 42);
	store_be16(frame + 12, 0x0806);
	store_be16(frame + 14, 1);
	store_be16(frame + 20, 1);
	store_be32(frame + 28, GATEWAY);
	store_be32(frame + 38, MACHINE);
	assert_int_equal(hostnet_frame_answer(&net, frame, 42, answer), 42);
	assert_int_equal(load_be16(answer + 20), 2);
	assert_int_equal(load_mac(answer + 22), net.router_mac);
	assert_int_equal(load_be32(answer + 28), MACHINE);
	assert_int_equal(load_be32(answer + 38), GATEWAY);
	assert_int_equal(hostnet_frame_answer(&net, frame, 41, answer), 0);
}

/* --- fragments ------------------------------------------------------------ */

static struct hostnet_fragments *fragments;

/* A piece of a datagram of machine `src` whose bytes are their own offsets. */
static uint8_t *add_piece(uint32_t src, uint16_t id, uint32_t offset,
			  uint32_t n, bool more, uint32_t *len)
{
	enum drop_reason reason;
	struct hostnet_packet p;

	put_ip4(src, WORLD, 17, n);
	store_be16(frame + L3 + 4, id);
	store_be16(frame + L3 + 6, offset / 8 | (more ? 0x2000 : 0));
	csum_ipv4_header(frame + L3, 20);
	for (uint32_t i = 0; i < n; i++)
		frame[L3 + 20 + i] = (offset + i) * 7;
	assert_false(in(&net, L3 + 20 + n, &p, &reason));
	assert_int_equal(reason, DROP_NAT_FRAGMENT);
	return hostnet_fragments_add(fragments, frame, &p, memory.now_s, len);
}

static void assert_whole(const uint8_t *whole, const uint32_t *len_, uint32_t n)
{
	uint32_t len = *len_;

	assert_non_null(whole);
	assert_int_equal(len, L3 + 20 + n);
	assert_int_equal(load_be16(whole + L3 + 2), 20 + n);
	assert_int_equal(load_be16(whole + L3 + 6), 0);
	assert_int_equal(csum_fold(csum_add(0, whole + L3, 20)), 0xffff);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(whole[L3 + 20 + i], (uint8_t)(i * 7));
}

static void test_fragments(void **state)
{
	uint32_t len;

	fragments = hostnet_fragments_create();
	assert_null(add_piece(MACHINE, 1, 0, 80, true, &len));
	assert_null(add_piece(MACHINE, 2, 80, 8, true, &len));
	assert_whole(add_piece(MACHINE, 1, 80, 5, false, &len), &len, 85);
	/* In another order, one twice. */
	assert_null(add_piece(MACHINE, 2, 88, 3, false, &len));
	assert_null(add_piece(MACHINE, 2, 80, 8, true, &len));
	assert_whole(add_piece(MACHINE, 2, 0, 80, true, &len), &len, 91);
	assert_int_equal(hostnet_fragments_lost(fragments), 0);
	hostnet_fragments_destroy(fragments);
	hostnet_fragments_destroy(NULL);
}

static void test_hostile_fragments(void **state)
{
	uint32_t len;

	fragments = hostnet_fragments_create();
	/* Overlapping */
	assert_null(add_piece(MACHINE, 1, 0, 80, true, &len));
	assert_null(add_piece(MACHINE, 1, 72, 80, true, &len));
	assert_int_equal(hostnet_fragments_lost(fragments), 1);
	/* Behind what is said to be the last, with a hole in front. */
	assert_null(add_piece(MACHINE, 1, 0, 8, true, &len));
	assert_null(add_piece(MACHINE, 1, 96, 8, true, &len));
	assert_null(add_piece(MACHINE, 1, 16, 8, false, &len));
	assert_int_equal(hostnet_fragments_lost(fragments), 2);
	/* Not eights of bytes, and too long. */
	assert_null(add_piece(MACHINE, 1, 0, 7, true, &len));
	assert_null(add_piece(MACHINE, 1, 65528, 100, false, &len));
	assert_int_equal(hostnet_fragments_lost(fragments), 4);
	/* Many of one machine cost another none. */
	assert_null(add_piece(MACHINE + 1, 9, 0, 8, true, &len));
	for (unsigned i = 0; i < 100; i++)
		assert_null(add_piece(MACHINE, 100 + i, 0, 8, true, &len));
	assert_int_equal(hostnet_fragments_lost(fragments),
			 4 + 100 - HOSTNET_CLIENT_DATAGRAMS);
	assert_whole(add_piece(MACHINE + 1, 9, 8, 8, false, &len), &len, 16);
	/* Too late. */
	memory.now_s += HOSTNET_DATAGRAM_LIFE_S + 1;
	assert_null(add_piece(MACHINE, 199, 8, 8, false, &len));
	hostnet_fragments_destroy(fragments);
}

static void test_cutting(void **state)
{
	static uint8_t whole[ETH_HEADER_LEN + 10000], piece[2000];
	uint32_t len = put_ip4(MACHINE, WORLD, 17, 9000) + 9000, at = 0, n;
	struct hostnet_packet p;
	enum drop_reason reason;
	uint8_t *back = NULL;
	unsigned pieces = 0;

	fragments = hostnet_fragments_create();
	for (uint32_t i = 0; i < 9000; i++)
		frame[L3 + 20 + i] = i * 7;
	memcpy(whole, frame, len);
	while ((n = hostnet_fragment_cut(&net, whole, len, 7, &at, piece))) {
		assert_true(n <= ETH_HEADER_LEN + net.mtu);
		memcpy(frame, piece, n);
		assert_false(in(&net, n, &p, &reason));
		assert_null(back);
		back = hostnet_fragments_add(fragments, frame, &p, memory.now_s,
					     &len);
		len = back ? len : L3 + 20 + 9000;
		pieces++;
	}
	assert_int_equal(pieces, 7);
	assert_whole(back, &len, 9000);
	hostnet_fragments_destroy(fragments);
}

/* --- limits --------------------------------------------------------------- */

static struct hostnet_packet session(uint8_t kind, uint8_t machine,
				     uint16_t port)
{
	struct hostnet_packet p = { .kind = kind, .version = 4 };

	p.src[3] = machine;
	p.src_port = port;
	return p;
}

static void test_limits(void **state)
{
	struct hostnet_sessions *s = hostnet_sessions_create(5, 3);
	struct hostnet_packet tcp = session(HOSTNET_TCP_NEW, 1, 1),
			      udp = session(HOSTNET_UDP, 1, 7),
			      other = session(HOSTNET_UDP, 2, 7);
	enum drop_reason reason = N_DROP_REASONS;

	hostnet_sessions_add(s, 10, &tcp);
	hostnet_sessions_add(s, 11, &udp);
	assert_true(hostnet_sessions_may(s, &tcp, &reason));
	hostnet_sessions_add(s, 200, &tcp);
	assert_false(hostnet_sessions_may(s, &tcp, &reason));
	assert_int_equal(reason, DROP_NAT_LIMIT);
	assert_true(hostnet_sessions_may(s, &udp, &reason));
	udp.src_port = 8;
	assert_false(hostnet_sessions_may(s, &udp, &reason));
	tcp.kind = HOSTNET_TCP;
	assert_true(hostnet_sessions_may(s, &tcp, &reason));
	assert_true(hostnet_sessions_may(s, &other, &reason));
	hostnet_sessions_add(s, 12, &other);
	hostnet_sessions_add(s, 13, NULL);
	assert_true(hostnet_sessions_full(s));
	other.src_port = 9;
	assert_false(hostnet_sessions_may(s, &other, &reason));
	assert_int_equal(reason, DROP_NAT_FULL);
	assert_int_equal(hostnet_sessions_count(s, HOSTNET_TCP), 3);
	assert_int_equal(hostnet_sessions_count(s, HOSTNET_UDP), 2);
	hostnet_sessions_remove(s, 10);
	hostnet_sessions_remove(s, 10);
	hostnet_sessions_remove(s, -1);
	hostnet_sessions_remove(s, 5000);
	assert_false(hostnet_sessions_has(s, 10));
	tcp.kind = HOSTNET_TCP_NEW;
	assert_true(hostnet_sessions_may(s, &tcp, &reason));
	/* A descriptor that came again without having gone. */
	hostnet_sessions_add(s, 11, &tcp);
	assert_int_equal(hostnet_sessions_count(s, HOSTNET_UDP), 1);
	hostnet_sessions_destroy(s);
}

/* --- rings ---------------------------------------------------------------- */

#define FRAMES 200000

static void *write_frames(void *ring_)
{
	struct hostnet_ring *ring = ring_;
	struct hostnet_record *record;

	for (uint32_t i = 0; i < FRAMES; i++) {
		uint32_t len = 4 + i * 7919 % 3000;

		while (!(record = hostnet_ring_reserve(ring, len)))
			sched_yield();
		memcpy(record->frame, &i, 4);
		memset(record->frame + 4, (uint8_t)i, len - 4);
		hostnet_ring_commit(ring);
	}
	return NULL;
}

static void check_frame(const struct hostnet_record *record, uint32_t i)
{
	uint32_t number;

	memcpy(&number, record->frame, 4);
	assert_int_equal(number, i);
	assert_int_equal(record->len, 4 + i * 7919 % 3000);
	if (record->len > 4) {
		assert_int_equal(record->frame[4], (uint8_t)i);
		assert_int_equal(record->frame[record->len - 1], (uint8_t)i);
	}
}

/* Frames come whole and in order, and stay until they are given back. */
static void test_ring(void **state)
{
	struct hostnet_ring *ring = hostnet_ring_create(1);
	struct hostnet_record *lent[32];
	uint32_t i = 0;
	pthread_t writer;

	pthread_create(&writer, NULL, write_frames, ring);
	while (i < FRAMES) {
		unsigned n = 0;

		while (n < ARRAY_SIZE(lent) &&
		       (lent[n] = hostnet_ring_take(ring)))
			n++;
		for (unsigned k = 0; k < n; k++)
			check_frame(lent[k], i++);
		hostnet_ring_release(ring);
	}
	pthread_join(writer, NULL);
	assert_true(hostnet_ring_empty(ring));
	assert_int_equal(hostnet_ring_room(ring), 256 << 10);
	assert_null(hostnet_ring_reserve(ring, 256 << 10));
	hostnet_ring_destroy(ring);
	hostnet_ring_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_mss6),
		cmocka_unit_test(test_broken_options),
		cmocka_unit_test(test_udp_fragments),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_host_program_is_the_gateway),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_arp_answer),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_hostile_fragments),
		cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
