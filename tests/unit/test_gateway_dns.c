/*
 * The name service in virtual time: its own names, and the relay with its ids,
 * servers, limits and connections. tests/net/test_segment.py has dig.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <errno.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/dns.h"
#include "gateway/dns_message.h"

static struct dns *dns;
static struct dns_config config;
static uint64_t now;
static uint8_t sent[65600]; /* the last reply, or all of a stream's */
static size_t sent_len;
static unsigned n_sent;
static struct dns_client sent_to;
/* The last question to a server. */
static uint8_t asked[5000];
static size_t asked_len;
static uint32_t asked_query;
static struct resolver asked_server;
static unsigned n_asked, n_open, n_streams_closed;
static bool asked_tcp;
static int ask_result;

static void on_reply(const struct dns_client *client, const void *message,
		     size_t len, void *arg)
{
	memcpy(sent, message, len);
	sent_len = len;
	sent_to = *client;
	n_sent++;
}

static int on_ask(uint32_t query, const struct resolver *server, bool tcp,
		  const void *message, size_t len, void *arg)
{
	memcpy(asked, message, len);
	asked_len = len;
	asked_query = query;
	asked_server = *server;
	asked_tcp = tcp;
	n_asked++;
	n_open++;
	return ask_result;
}

static void on_close(uint32_t query, void *arg)
{
	n_open--;
}

static void on_stream_send(void *stream_arg, const void *data, size_t len,
			   void *arg)
{
	memcpy(sent + sent_len, data, len);
	sent_len += len;
}

static void on_stream_close(void *stream_arg, void *arg)
{
	n_streams_closed++;
}

static bool find_name(const char *label, struct dns_host *host, void *arg)
{
	strcpy(host->label, "vm1");
	host->ip4 = 0x0a140010;
	return !strcmp(label, "vm1");
}

static bool find_ip(const struct ip_address *ip, struct dns_host *host,
		    void *arg)
{
	strcpy(host->label, "vm1");
	return ip->len == 4 && ip_address_to_v4(ip) == 0x0a140010;
}

static uint32_t random_state;

static void random_bytes(void *to, size_t len, void *arg)
{
	for (size_t i = 0; i < len; i++) {
		random_state = random_state * 1103515245 + 12345;
		((uint8_t *)to)[i] = random_state >> 16;
	}
}

static const struct dns_ops ops = {
	on_reply,	 on_ask,    on_close, on_stream_send,
	on_stream_close, find_name, find_ip,  random_bytes,
};

static void make_servers(unsigned n)
{
	struct resolver servers[3] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		servers[i].ip = ip_address_v4(0x7f000001 + i);
		servers[i].port = 53;
	}
	dns_set_servers(dns, servers, n);
}

static int setup(void **state)
{
	static const struct hash_key key = { 3, 4 };

	config = (struct dns_config){ .domain = "lab",
				      .gateway = "gateway",
				      .ip4 = 0x0a140001,
				      .prefix4_len = 24,
				      .queries_per_ip = 4,
				      .queries_per_port = 6,
				      .streams_per_ip = 2 };
	assert_null(dns_config_check(&config));
	now = 5000;
	n_sent = n_asked = n_open = n_streams_closed = 0;
	sent_len = 0;
	ask_result = 0;
	dns = dns_create(&config, &key, &ops, NULL);
	make_servers(2);
	return 0;
}

static int teardown(void **state)
{
	dns_destroy(dns);
	assert_int_equal(n_open, 0);
	return 0;
}

static size_t question(uint8_t *room, uint16_t id, const char *name,
		       enum dns_type type)
{
	struct dns_name n;
	struct writer w;

	writer_init(&w, room, 300);
	writer_be16(&w, id);
	writer_be16(&w, DNS_FLAG_RD);
	writer_be16(&w, 1);
	writer_zeros(&w, 6);
	assert_true(dns_name_from_text(name, &n));
	writer_bytes(&w, n.wire, n.len);
	writer_be16(&w, type);
	writer_be16(&w, DNS_CLASS_IN);
	return writer_len(&w);
}

static struct dns_client client_of(unsigned n)
{
	struct dns_client c = { .ip = ip_address_v4(0x0a140010 + n),
				.udp_port = 4000 + n,
				.port = 1 };

	return c;
}

static void ask_as(unsigned client, uint16_t id, const char *name,
		   enum dns_type type)
{
	struct dns_client c = client_of(client);
	uint8_t room[300];
	size_t len = question(room, id, name, type);

	dns_receive(dns, &c, room, len, now);
}

static unsigned rcode(void)
{
	return DNS_RCODE(load_be16(sent + 2));
}

/* The server's answer to what was asked last: the question and some bytes. */
static void server_answers(uint16_t flags, size_t extra)
{
	static uint8_t room[8000];

	memcpy(room, asked, asked_len);
	memset(room + asked_len, 0x55, extra);
	store_be16(room + 2, DNS_FLAG_QR | DNS_FLAG_RA | flags);
	dns_answer(dns, asked_query, &asked_server, room, asked_len + extra,
		   now);
}

static void own_names(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		unsigned rcode, answers;
	} own[] = {
		{ "vm1.lab", DNS_A, DNS_NOERROR, 1 },
		{ "VM1.LAB", DNS_A, DNS_NOERROR, 1 },
		{ "vm1", DNS_A, DNS_NOERROR, 1 },
		{ "vm1.lab", DNS_AAAA, DNS_NOERROR, 0 }, /* RFC 2308 2.2 */
		{ "vm1.lab", DNS_ANY, DNS_NOERROR, 1 },
		{ "gateway.lab", DNS_A, DNS_NOERROR, 1 },
		{ "nobody.lab", DNS_A, DNS_NXDOMAIN, 0 }, /* RFC 2308 2.1 */
		{ "a.vm1.lab", DNS_A, DNS_NXDOMAIN, 0 },
		{ "nobody", DNS_A, DNS_NXDOMAIN, 0 },
		{ "lab", DNS_SOA, DNS_NOERROR, 1 },
		{ "lab", DNS_A, DNS_NOERROR, 0 },
		{ "16.0.20.10.in-addr.arpa", DNS_PTR, DNS_NOERROR, 1 },
		{ "1.0.20.10.in-addr.arpa", DNS_PTR, DNS_NOERROR, 1 },
		{ "9.0.20.10.in-addr.arpa", DNS_PTR, DNS_NXDOMAIN, 0 },
		{ "x.org", DNS_AXFR, DNS_REFUSED, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(own); i++) {
		ask_as(0, 77 + i, own[i].name, own[i].type);
		assert_int_equal(n_sent, i + 1);
		assert_int_equal(load_be16(sent), 77 + i);
		assert_int_equal(rcode(), own[i].rcode);
		assert_int_equal(load_be16(sent + 6), own[i].answers);
	}
	assert_int_equal(n_asked, 0);
}

static void names_that_are_not_ours_are_relayed(void **state)
{
	static const char *const names[] = { "x.org", "lab.org", "mylab.x",
					     "16.0.21.10.in-addr.arpa" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		ask_as(0, i, names[i], DNS_PTR);
		assert_int_equal(n_asked, i + 1);
	}
	assert_int_equal(n_sent, 0);
}

static void an_answer_must_fit(void **state)
{
	struct resolver other = { .ip = ip_address_v4(0x7f000009), .port = 53 };
	uint8_t room[300];

	ask_as(0, 0x4242, "x.org", DNS_A);
	assert_int_equal(n_asked, 1);
	assert_int_not_equal(load_be16(asked), 0x4242);
	memcpy(room, asked, asked_len);
	room[2] |= 0x80;
	/* another server, another id, another question, another socket */
	dns_answer(dns, asked_query, &other, room, asked_len, now);
	room[0] ^= 1;
	dns_answer(dns, asked_query, &asked_server, room, asked_len, now);
	room[0] ^= 1;
	room[13] ^= 1;
	dns_answer(dns, asked_query, &asked_server, room, asked_len, now);
	room[13] ^= 1;
	dns_answer(dns, asked_query + 1, &asked_server, room, asked_len, now);
	assert_int_equal(n_sent, 0);
	assert_int_equal(dns_counters(dns)->spoofed, 4);
	server_answers(0, 20);
	assert_int_equal(n_sent, 1);
	assert_int_equal(load_be16(sent), 0x4242);
	assert_int_equal(sent_len, asked_len + 20);
	assert_int_equal(sent_to.udp_port, 4000);
	server_answers(0, 20); /* once only */
	assert_int_equal(n_sent, 1);
}

static void servers_are_tried_in_turn(void **state)
{
	uint16_t first_id;

	ask_as(0, 1, "x.org", DNS_A);
	first_id = load_be16(asked);
	assert_int_equal(dns_next_ms(dns), now + DNS_TRY_MS);
	for (unsigned i = 1; i < 4; i++) {
		now += DNS_TRY_MS;
		dns_run(dns, now);
		assert_int_equal(n_asked, i + 1);
		assert_int_equal(asked_server.ip.bytes[3], 1 + i % 2);
		assert_int_equal(n_open, 1);
	}
	assert_int_not_equal(load_be16(asked), first_id);
	assert_int_equal(n_sent, 0);
	now += DNS_TRY_MS;
	dns_run(dns, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(rcode(), DNS_SERVFAIL);
	assert_int_equal(n_open, 0);
	assert_true(dns_next_ms(dns) == UINT64_MAX);
}

/* Questions do not wait, one after the other, for a server that is dead. */
static void a_dead_server_is_asked_last(void **state)
{
	ask_as(0, 1, "x.org", DNS_A);
	assert_int_equal(asked_server.ip.bytes[3], 1);
	now += DNS_TRY_MS;
	dns_run(dns, now);
	assert_int_equal(asked_server.ip.bytes[3], 2);
	server_answers(0, 0);
	ask_as(0, 2, "x.org", DNS_A);
	assert_int_equal(asked_server.ip.bytes[3], 2);
	server_answers(0, 0);
	/* but it is the first of the list */
	now += DNS_AVOID_MS;
	ask_as(0, 3, "x.org", DNS_A);
	assert_int_equal(asked_server.ip.bytes[3], 1);
	/* its socket says so at once */
	dns_answer_failed(dns, asked_query, now);
	assert_int_equal(asked_server.ip.bytes[3], 2);
	assert_int_equal(n_open, 1);
	server_answers(0, 0);
	ask_as(0, 4, "x.org", DNS_A);
	assert_int_equal(asked_server.ip.bytes[3], 2);
	make_servers(2);
	ask_as(0, 5, "x.org", DNS_A);
	assert_int_equal(asked_server.ip.bytes[3], 1);
	assert_int_equal(n_sent, 3);
}

static void another_server_may_know_better(void **state)
{
	ask_as(0, 1, "x.org", DNS_A);
	server_answers(DNS_REFUSED, 0);
	assert_int_equal(n_sent, 0);
	assert_int_equal(asked_server.ip.bytes[3], 2);
	server_answers(DNS_NXDOMAIN, 0);
	assert_int_equal(rcode(), DNS_NXDOMAIN);
	ask_result = -ENETUNREACH;
	ask_as(0, 2, "x.org", DNS_A);
	assert_int_equal(rcode(), DNS_SERVFAIL);
	ask_result = 0;
	make_servers(0);
	ask_as(0, 3, "x.org", DNS_A);
	assert_int_equal(load_be16(sent), 3);
	assert_int_equal(rcode(), DNS_SERVFAIL);
}

static void repeated_questions_wait(void **state)
{
	for (unsigned i = 0; i < 5; i++)
		ask_as(0, 1, "x.org", DNS_A);
	assert_int_equal(n_asked, 1);
	server_answers(0, 0);
	assert_int_equal(n_sent, 1);
}

static void limits_hold_for_address_and_port(void **state)
{
	for (unsigned i = 0; i < 6; i++)
		ask_as(0, i, "x.org", DNS_A);
	assert_int_equal(n_asked, 4);
	assert_int_equal(n_sent, 2);
	assert_int_equal(rcode(), DNS_SERVFAIL);
	for (unsigned i = 0; i < 4; i++)
		ask_as(1 + i, i, "x.org", DNS_A);
	assert_int_equal(n_asked, 6);
	server_answers(0, 0);
	ask_as(9, 9, "x.org", DNS_A);
	assert_int_equal(n_asked, 7);
}

static void rfc1035_4_1_1_an_answer_too_long_is_cut(void **state)
{
	ask_as(0, 1, "x.org", DNS_A);
	server_answers(0, 600);
	assert_true(sent_len <= 512);
	assert_true(load_be16(sent + 2) & DNS_FLAG_TC);
}

/* Whatever the client takes (RFC 6891): nobody fragments it. */
static void what_the_mtu_does_not_hold_is_cut(void **state)
{
	static const struct hash_key key = { 3, 4 };
	static const uint8_t opt[11] = { 0, 0, DNS_OPT, 0xff, 0xff };
	struct dns_client c = client_of(0);
	uint8_t room[300];
	size_t len = question(room, 1, "x.org", DNS_A);

	memcpy(room + len, opt, sizeof(opt));
	room[11] = 1;
	dns_destroy(dns);
	config.mtu = 1400;
	dns = dns_create(&config, &key, &ops, NULL);
	make_servers(1);
	for (unsigned over = 0; over < 2; over++) {
		dns_receive(dns, &c, room, len + sizeof(opt), now);
		server_answers(0, 1400 - 28 - asked_len + over);
		assert_int_equal(n_sent, over + 1);
		assert_int_equal(sent_len <= 512, over);
		assert_int_equal(load_be16(sent + 2) & DNS_FLAG_TC,
				 over ? DNS_FLAG_TC : 0);
	}
}

static void malformed_questions(void **state)
{
	struct dns_client c = client_of(0);
	uint8_t room[300];
	size_t len = question(room, 5, "x.org", DNS_A);

	dns_receive(dns, &c, room, 11, now);
	assert_int_equal(n_sent, 0);
	dns_receive(dns, &c, room, len - 1, now);
	assert_int_equal(rcode(), DNS_FORMERR);
	room[5] = 2;
	dns_receive(dns, &c, room, len, now);
	assert_int_equal(rcode(), DNS_FORMERR);
	room[5] = 1;
	room[2] = 0x28; /* UPDATE */
	dns_receive(dns, &c, room, len, now);
	assert_int_equal(rcode(), DNS_NOTIMP);
	room[2] = 0x80; /* an answer */
	dns_receive(dns, &c, room, len, now);
	assert_int_equal(n_sent, 3);
	assert_int_equal(n_asked, 0);
}

/* RFC 7766: two questions in pieces of one byte, answered in any order. */
static void rfc7766_connections(void **state)
{
	struct dns_client c = client_of(0);
	struct dns_stream *s = dns_stream_open(dns, &c, NULL, now);
	uint8_t room[400];
	size_t len = question(room + 2, 1, "vm1.lab", DNS_A), relayed;

	store_be16(room, len);
	relayed = question(room + 2 + len + 2, 2, "x.org", DNS_A);
	store_be16(room + 2 + len, relayed);
	for (size_t i = 0; i < len + relayed + 4; i++)
		assert_true(dns_stream_receive(s, room + i, 1, now));
	assert_int_equal(load_be16(sent) + 2, sent_len);
	assert_int_equal(load_be16(sent + 2), 1);
	assert_true(asked_tcp);
	assert_int_equal(load_be16(asked) + 2, asked_len);
	sent_len = 0;
	asked[4] |= 0x80;
	for (size_t i = 0; i < asked_len; i++)
		dns_answer_stream(dns, asked_query, asked + i, 1, now);
	assert_int_equal(sent_len, asked_len);
	assert_int_equal(load_be16(sent + 2), 2);
	/* the server hangs up: the next one */
	assert_true(dns_stream_receive(s, room, len + relayed + 4, now));
	assert_int_equal(n_asked, 2);
	dns_answer_stream(dns, asked_query, NULL, 0, now);
	assert_int_equal(n_asked, 3);
	dns_stream_closed(s);
	assert_int_equal(n_open, 0);
	assert_int_equal(n_streams_closed, 0);
}

static void connections_are_bounded(void **state)
{
	struct dns_client c = client_of(0);
	struct dns_stream *s[3];
	uint8_t big[2] = { 0xff, 0xff };

	for (unsigned i = 0; i < 3; i++)
		s[i] = dns_stream_open(dns, &c, NULL, now);
	assert_null(s[2]);
	assert_false(dns_stream_receive(s[0], big, 2, now));
	assert_int_equal(n_streams_closed, 1);
	now += DNS_STREAM_IDLE_MS;
	dns_run(dns, now);
	assert_int_equal(n_streams_closed, 2);
	/* what is left is closed with the service */
	assert_non_null(dns_stream_open(dns, &c, NULL, now));
}

static void resolv_conf(void **state)
{
	static const char text[] = "# nameserver 1.1.1.1\n"
				   "search lab\n"
				   "nameserver 127.0.0.53\n"
				   "nameserver\tfe80::1%eth0 \n"
				   "nameserver 127.0.0.53\n"
				   "nameserver nonsense\n"
				   "nameservers 9.9.9.9\n"
				   "nameserver 8.8.8.8";
	struct resolver r[RESOLV_SERVERS_MAX];

	assert_int_equal(resolv_conf_parse(text, sizeof(text) - 1, r), 3);
	assert_int_equal(ip_address_to_v4(&r[0].ip), 0x7f000035);
	assert_int_equal(r[1].ip.len, 16);
	assert_string_equal(r[1].scope, "eth0");
	assert_int_equal(ip_address_to_v4(&r[2].ip), 0x08080808);
	assert_int_equal(r[2].port, 53);
	assert_int_equal(resolv_conf_parse("", 0, r), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(own_names),
		T(names_that_are_not_ours_are_relayed),
		T(an_answer_must_fit),
		T(servers_are_tried_in_turn),
		T(a_dead_server_is_asked_last),
		T(another_server_may_know_better),
		T(repeated_questions_wait),
		T(limits_hold_for_address_and_port),
		T(rfc1035_4_1_1_an_answer_too_long_is_cut),
		T(what_the_mtu_does_not_hold_is_cut),
		T(malformed_questions),
		T(rfc7766_connections),
		T(connections_are_bounded),
		T(resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
