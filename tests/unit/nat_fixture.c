/* See nat_fixture.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "frames.h"
#include "nat_fixture.h"

struct nat_addr addr(const char *text)
{
	struct nat_addr a = { .version = strchr(text, ':') ? 6 : 4 };

	assert_int_equal(
		inet_pton(a.version == 4 ? AF_INET : AF_INET6, text, a.ip), 1);
	return a;
}

void lab_init(struct lab *l)
{
	memset(l, 0, sizeof(*l));
	nat_config_init(&l->config);
	l->config.max_sessions = 4096;
	nat_options_init(&l->options);
	l->now_ms = 1000000;
}

void lab_options(struct lab *l)
{
	assert_int_equal(nat_set_options(l->nat, &l->options, NULL), 0);
}

void lab_start(struct lab *l, const char *const outside[], unsigned n)
{
	struct nat_addr addrs[64];

	for (unsigned i = 0; i < n; i++)
		addrs[i] = addr(outside[i]);
	assert_int_equal(nat_create(&l->config, &l->nat, NULL), 0);
	lab_options(l);
	assert_int_equal(nat_set_outside(l->nat, addrs, n, NULL), 0);
}

void lab_default(struct lab *l)
{
	static const char *const outside[] = { OUT_1, "2001:db8::1" };

	lab_init(l);
	lab_start(l, outside, 2);
}

void lab_stop(struct lab *l)
{
	nat_destroy(l->nat);
}

void lab_wait(struct lab *l, uint32_t seconds)
{
	l->now_ms += seconds * 1000ull;
	nat_age(l->nat, l->now_ms, UINT32_MAX);
}

static uint32_t ip_len(const struct pkt *k)
{
	return k->version == 4 ? 20 : 40;
}

static void finish_ip(struct pkt *k)
{
	uint8_t *ip = k->data + 14;
	uint16_t sum;

	if (k->version == 6) {
		store_be16(ip + 4, k->len - 54);
		return;
	}
	store_be16(ip + 2, k->len - 14);
	memset(ip + 10, 0, 2);
	sum = ~plain_sum(ip, k->l4 - 14, 0);
	store_be16(ip + 10, sum);
}

/* The sum of the pseudo header and the transport part. */
static uint16_t l4_sum(const struct pkt *k)
{
	const uint8_t *ip = k->data + 14;
	uint32_t len = k->len - k->l4, sum = 0;

	if (k->version == 6)
		sum = plain_sum(ip + 8, 32, k->proto + len);
	else if (k->proto != IPPROTO_ICMP)
		sum = plain_sum(ip + 12, 8, k->proto + len);
	return plain_sum(k->data + k->l4, len, sum);
}

static uint32_t csum_at(const struct pkt *k)
{
	return k->l4 + (k->proto == IPPROTO_TCP	  ? 16
			: k->proto == IPPROTO_UDP ? 6
						  : 2);
}

static void finish(struct pkt *k)
{
	finish_ip(k);
	memset(k->data + csum_at(k), 0, 2);
	store_be16(k->data + csum_at(k), ~l4_sum(k));
	pkt_parse(k);
}

static void begin(struct pkt *k, const char *src, const char *dst, int proto,
		  uint32_t l4_len)
{
	struct nat_addr s = addr(src), d = addr(dst);
	uint8_t *ip = k->data + 14;

	memset(k, 0, sizeof(*k));
	k->version = s.version;
	k->proto = proto;
	memset(k->data, 2, 12);
	store_be16(k->data + 12, k->version == 4 ? 0x0800 : 0x86dd);
	k->l4 = 14 + ip_len(k);
	k->len = k->l4 + l4_len;
	if (k->version == 4) {
		ip[0] = 0x45;
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, s.ip, 4);
		memcpy(ip + 16, d.ip, 4);
	} else {
		ip[0] = 0x60;
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, s.ip, 16);
		memcpy(ip + 24, d.ip, 16);
	}
}

void pkt_udp_len(struct pkt *k, const char *src, uint16_t sport,
		 const char *dst, uint16_t dport, uint32_t len)
{
	begin(k, src, dst, IPPROTO_UDP, 8 + len);
	fill(k->data + k->l4 + 8, len, sport + dport);
	store_be16(k->data + k->l4, sport);
	store_be16(k->data + k->l4 + 2, dport);
	store_be16(k->data + k->l4 + 4, 8 + len);
	finish(k);
}

void pkt_udp(struct pkt *k, const char *src, uint16_t sport, const char *dst,
	     uint16_t dport)
{
	pkt_udp_len(k, src, sport, dst, dport, 21);
}

void pkt_tcp(struct pkt *k, const char *src, uint16_t sport, const char *dst,
	     uint16_t dport, uint8_t flags)
{
	begin(k, src, dst, IPPROTO_TCP, 20 + 7);
	fill(k->data + k->l4, 27, sport);
	store_be16(k->data + k->l4, sport);
	store_be16(k->data + k->l4 + 2, dport);
	k->data[k->l4 + 12] = 0x50;
	k->data[k->l4 + 13] = flags;
	finish(k);
}

void pkt_echo(struct pkt *k, const char *src, const char *dst, uint16_t id,
	      bool reply)
{
	bool v6 = strchr(src, ':');

	begin(k, src, dst, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + 33);
	fill(k->data + k->l4, 41, id);
	k->data[k->l4] = v6 ? (reply ? 129 : 128) : (reply ? 0 : 8);
	k->data[k->l4 + 1] = 0;
	store_be16(k->data + k->l4 + 4, id);
	finish(k);
}

void pkt_error(struct pkt *k, const char *src, const char *dst, uint8_t type,
	       uint8_t code, const struct pkt *quoted, uint32_t n)
{
	bool v6 = strchr(src, ':');

	n = MIN(n, quoted->len - 14);
	begin(k, src, dst, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + n);
	k->data[k->l4] = type;
	k->data[k->l4 + 1] = code;
	memcpy(k->data + k->l4 + 8, quoted->data + 14, n);
	finish(k);
}

void pkt_fragment(struct pkt *k, const struct pkt *whole, uint32_t from,
		  uint32_t to, bool more, uint16_t id)
{
	uint32_t l4 = whole->l4;

	memset(k, 0, sizeof(*k));
	memcpy(k->data, whole->data, l4);
	memcpy(k->data + l4, whole->data + l4 + from, to - from);
	k->version = 4;
	k->proto = whole->proto;
	k->l4 = l4;
	k->len = l4 + to - from;
	store_be16(k->data + 18, id);
	store_be16(k->data + 20, (more ? 0x2000 : 0) | from / 8);
	finish_ip(k);
}

void pkt_parse(struct pkt *k)
{
	int family = k->version == 4 ? AF_INET : AF_INET6;
	const uint8_t *ip = k->data + 14, *l4 = k->data + k->l4;

	inet_ntop(family, ip + (k->version == 4 ? 12 : 8), k->src,
		  sizeof(k->src));
	inet_ntop(family, ip + (k->version == 4 ? 16 : 24), k->dst,
		  sizeof(k->dst));
	if (k->proto == IPPROTO_TCP || k->proto == IPPROTO_UDP) {
		k->sport = load_be16(l4);
		k->dport = load_be16(l4 + 2);
	} else {
		k->sport = k->dport = load_be16(l4 + 4);
	}
}

bool checksums_right(const struct pkt *k)
{
	const uint8_t *ip = k->data + 14;

	if (k->version == 4 && plain_sum(ip, k->l4 - 14, 0) != 0xffff)
		return false;
	return l4_sum(k) == 0xffff;
}

static enum nat_verdict run(struct lab *l, struct pkt *k, bool outbound)
{
	struct nat_released released[8];
	struct packet p, *ps[1] = { &p };

	packet_init(&p, k->data, k->len);
	p.offload = k->offload;
	nat_enter(l->nat, 0, l->now_ms);
	(outbound ? nat_outbound : nat_inbound)(l->nat, 0, ps, 1, &k->r);
	k->n_released = nat_take_released(l->nat, 0, released, 8);
	for (unsigned i = 0; i < k->n_released; i++) {
		k->released[i].len =
			packet_read(released[i].packet, 0, k->released[i].data,
				    sizeof(k->released[i].data));
		k->released[i].r = released[i].result;
		assert_int_equal(released[i].outbound, outbound);
	}
	if (k->r.verdict == NAT_FORWARD || k->r.verdict == NAT_HAIRPIN) {
		static uint8_t frame[4096];

		assert_int_equal(packet_read(&p, 0, frame, sizeof(frame)),
				 k->len);
		memcpy(k->data, frame, k->len);
		k->offload = p.offload;
	}
	nat_leave(l->nat, 0);
	pkt_parse(k);
	return k->r.verdict;
}

enum nat_verdict out(struct lab *l, struct pkt *k)
{
	return run(l, k, true);
}

enum nat_verdict in(struct lab *l, struct pkt *k)
{
	return run(l, k, false);
}

void assert_flow(const struct pkt *k, const char *src, int sport,
		 const char *dst, int dport)
{
	assert_string_equal(k->src, src);
	assert_string_equal(k->dst, dst);
	if (sport >= 0)
		assert_int_equal(k->sport, sport);
	if (dport >= 0)
		assert_int_equal(k->dport, dport);
}

uint16_t udp_out(struct lab *l, const char *src, uint16_t sport,
		 const char *dst, uint16_t dport)
{
	struct pkt k;

	pkt_udp(&k, src, sport, dst, dport);
	assert_int_equal(out(l, &k), NAT_FORWARD);
	assert_true(checksums_right(&k));
	return k.sport;
}

enum nat_verdict udp_in(struct lab *l, const char *src, uint16_t sport,
			const char *dst, uint16_t dport)
{
	struct pkt k;

	pkt_udp(&k, src, sport, dst, dport);
	in(l, &k);
	assert_true(checksums_right(&k));
	return k.r.verdict;
}

enum nat_verdict tcp_out(struct lab *l, struct pkt *k, const char *src,
			 uint16_t sport, const char *dst, uint16_t dport,
			 uint8_t flags)
{
	pkt_tcp(k, src, sport, dst, dport, flags);
	out(l, k);
	assert_true(checksums_right(k));
	return k->r.verdict;
}

enum nat_verdict tcp_in(struct lab *l, struct pkt *k, const char *src,
			uint16_t sport, const char *dst, uint16_t dport,
			uint8_t flags)
{
	pkt_tcp(k, src, sport, dst, dport, flags);
	in(l, k);
	assert_true(checksums_right(k));
	return k->r.verdict;
}

uint16_t tcp_open(struct lab *l)
{
	uint16_t port;
	struct pkt k;

	assert_int_equal(tcp_out(l, &k, IN_A, 1025, REMOTE, 80, SYN),
			 NAT_FORWARD);
	port = k.sport;
	assert_int_equal(tcp_in(l, &k, REMOTE, 80, OUT_1, port, SYN | ACK),
			 NAT_FORWARD);
	assert_flow(&k, REMOTE, 80, IN_A, 1025);
	assert_int_equal(tcp_out(l, &k, IN_A, 1025, REMOTE, 80, ACK),
			 NAT_FORWARD);
	return port;
}

uint32_t n_sessions(struct lab *l)
{
	struct nat_stats stats;

	nat_get_stats(l->nat, &stats);
	return stats.sessions;
}
