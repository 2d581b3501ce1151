/* The DHCPv4 client of an uplink, in virtual time (RFC 2131, 3442, 5227). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/dhcp_client.h"
#include "gateway/dhcp_client_message.h"
#include "gateway/writer.h"

#define MAC	  0x025600000001
#define SERVER	  0xc0a80101
#define OTHER	  0xc0a80102
#define IP	  0xc0a80132
#define MASK	  0xffffff00
#define BROADCAST 0xffffffff

static struct dhcp_client *client;
static uint64_t now;
/* The last message sent, and the last probe. */
static struct dhcp_message said;
static uint32_t said_from, said_to, probed;
static unsigned n_said, n_probed, n_changed;
static struct dhcp_client_lease lease; /* ip 0: none */

static void on_send(uint32_t from, uint32_t to, const void *message, size_t len,
		    void *arg)
{
	assert_int_equal(len, DHCP_CLIENT_MESSAGE_LEN);
	assert_true(dhcp_message_parse(&said, message, len));
	assert_int_equal(said.mac, MAC);
	said_from = from;
	said_to = to;
	n_said++;
}

static void on_probe(uint32_t ip, void *arg)
{
	probed = ip;
	n_probed++;
}

static void on_changed(const struct dhcp_client_lease *l, void *arg)
{
	n_changed++;
	if (l)
		lease = *l;
	else
		memset(&lease, 0, sizeof(lease));
}

static void start(uint32_t remembered)
{
	const struct dhcp_client_config config = { .mac = MAC,
						   .remembered = remembered,
						   .seed = 7 };
	static const struct dhcp_client_ops ops = { on_send, on_probe,
						    on_changed };

	dhcp_client_destroy(client);
	n_said = n_probed = n_changed = 0;
	memset(&lease, 0, sizeof(lease));
	client = dhcp_client_create(&config, &ops, NULL, now);
}

static int setup(void **state)
{
	now = 1000000;
	client = NULL;
	start(0);
	return 0;
}

static int teardown(void **state)
{
	dhcp_client_destroy(client);
	return 0;
}

/* An answer; 0 leaves the option out. */
struct answer {
	enum dhcp_type type;
	uint32_t ip, server, mask, router, lease_s, t1, t2;
	uint16_t mtu;
	const char *routes;
	size_t routes_len;
	uint32_t xid; /* 0: the one of the last message */
	uint64_t mac; /* 0: the client's */
};

static const struct answer usual = { .type = DHCP_OFFER,
				     .ip = IP,
				     .server = SERVER,
				     .mask = MASK,
				     .router = SERVER,
				     .lease_s = 3600 };

static void option32(struct writer *w, uint8_t code, uint32_t v)
{
	if (!v)
		return;
	writer_u8(w, code);
	writer_u8(w, 4);
	writer_be32(w, v);
}

static size_t build(const struct answer *a, uint8_t *room, size_t size)
{
	struct writer w;

	writer_init(&w, room, size);
	writer_be32(&w, 0x02010600);
	writer_be32(&w, a->xid ? a->xid : said.xid);
	writer_zeros(&w, 8);
	writer_be32(&w, a->ip);
	writer_zeros(&w, 8);
	writer_mac(&w, a->mac ? a->mac : MAC);
	writer_zeros(&w, 10 + 192);
	writer_be32(&w, DHCP_COOKIE);
	writer_u8(&w, OPTION_TYPE);
	writer_u8(&w, 1);
	writer_u8(&w, a->type);
	option32(&w, OPTION_SERVER_ID, a->server);
	option32(&w, OPTION_MASK, a->mask);
	option32(&w, OPTION_ROUTER, a->router);
	option32(&w, OPTION_LEASE_TIME, a->lease_s);
	option32(&w, OPTION_T1, a->t1);
	option32(&w, OPTION_T2, a->t2);
	if (a->mtu) {
		writer_u8(&w, OPTION_MTU);
		writer_u8(&w, 2);
		writer_be16(&w, a->mtu);
	}
	if (a->routes) {
		writer_u8(&w, OPTION_ROUTES);
		writer_u8(&w, a->routes_len);
		writer_bytes(&w, a->routes, a->routes_len);
	}
	writer_u8(&w, OPTION_END);
	assert_false(w.failed);
	return writer_len(&w);
}

static void answer(const struct answer *a)
{
	uint8_t room[600];
	size_t len = build(a, room, sizeof(room));

	dhcp_client_receive(client, room, len, now);
}

static void answer_type(enum dhcp_type type)
{
	struct answer a = usual;

	a.type = type;
	answer(&a);
}

/* To the next thing that the client does by itself. */
static void step(void)
{
	assert_true(dhcp_client_next_ms(client) > now);
	now = dhcp_client_next_ms(client);
	dhcp_client_run(client, now);
}

static void probe_through(void)
{
	while (dhcp_client_state(client) == DHCP_CLIENT_PROBING)
		step();
}

static void get_lease(const struct answer *as)
{
	struct answer a = *as;

	a.type = DHCP_OFFER;
	answer(&a);
	assert_int_equal(said.type, DHCP_REQUEST);
	a.type = DHCP_ACK;
	answer(&a);
	probe_through();
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_BOUND);
	assert_int_equal(lease.ip, as->ip);
}

static void a_lease_is_got(void **state)
{
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_int_equal(said_from, 0);
	assert_int_equal(said_to, BROADCAST);
	assert_true(said.flags & DHCP_FLAG_BROADCAST);
	answer_type(DHCP_OFFER);
	assert_int_equal(said.type, DHCP_REQUEST);
	assert_int_equal(said.requested_ip, IP);
	assert_int_equal(said.server_id, SERVER);
	assert_int_equal(said.ciaddr, 0);
	answer_type(DHCP_ACK);
	assert_int_equal(n_probed, 1);
	assert_int_equal(probed, IP);
	assert_null(dhcp_client_lease(client));
	probe_through();
	assert_int_equal(n_probed, DHCP_CLIENT_PROBES);
	assert_int_equal(n_changed, 1);
	assert_int_equal(lease.ip, IP);
	assert_int_equal(lease.prefix_len, 24);
	assert_int_equal(lease.gateway, SERVER);
	assert_int_equal(lease.server, SERVER);
	assert_int_equal(lease.lease_s, 3600);
	assert_int_equal(lease.t1_s, 1800);
	assert_int_equal(lease.t2_s, 3150);
}

/* RFC 2131 4.1: 4, 8, 16, 32, 64 s, each give or take one. */
static void messages_are_repeated_ever_less_often(void **state)
{
	static const unsigned waits[] = { 4, 8, 16, 32, 64, 64, 64 };
	uint32_t xid = said.xid;

	for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
		uint64_t before = now;

		step();
		assert_in_range(now - before, waits[i] * 1000 - 1000,
				waits[i] * 1000 + 1000);
		assert_int_equal(n_said, i + 2);
		assert_int_equal(said.type, DHCP_DISCOVER);
		assert_int_equal(said.xid, xid);
	}
	assert_in_range(said.secs, 180, 260);
}

static void a_silent_server_is_left(void **state)
{
	answer_type(DHCP_OFFER);
	for (unsigned i = 0; i < 3; i++) {
		step();
		assert_int_equal(said.type, DHCP_REQUEST);
	}
	step();
	assert_int_equal(said.type, DHCP_DISCOVER);
}

static void strangers_are_not_believed(void **state)
{
	const struct dhcp_client_counters *n = dhcp_client_counters(client);
	struct answer a = usual;

	a.xid = said.xid + 1;
	answer(&a);
	a = usual;
	a.mac = MAC + 1;
	answer(&a);
	a = usual;
	a.server = 0;
	answer(&a);
	answer_type(DHCP_ACK);
	answer_type(DHCP_NAK);
	assert_int_equal(n->foreign, 5);
	answer_type(DHCP_REQUEST);
	answer_type(DHCP_DISCOVER);
	dhcp_client_receive(client, "x", 1, now);
	assert_int_equal(n->bad, 3);
	assert_int_equal(n_said, 1);
	/* another server's word on what was asked of the first */
	answer_type(DHCP_OFFER);
	a = usual;
	a.type = DHCP_ACK;
	a.server = OTHER;
	answer(&a);
	a.type = DHCP_NAK;
	answer(&a);
	assert_int_equal(n->foreign, 7);
	/* another address than was offered */
	a = usual;
	a.type = DHCP_ACK;
	a.ip = IP + 1;
	answer(&a);
	assert_int_equal(n->refused, 1);
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_REQUESTING);
}

static void no_address_for_a_host_is_refused(void **state)
{
	static const struct {
		uint32_t ip, mask, lease_s;
	} bad[] = {
		{ 0, MASK, 3600 },
		{ 0x7f000001, MASK, 3600 },
		{ 0xe0000005, MASK, 3600 },
		{ 0xffffffff, MASK, 3600 },
		{ 0xc0a801ff, MASK, 3600 },
		{ 0xc0a80100, MASK, 3600 },
		{ IP, 0, 3600 },
		{ IP, 0xff00ff00, 3600 },
		{ IP, 0xfe000000, 3600 },
		{ IP, MASK, 0 },
		{ IP, MASK, 5 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct answer a = usual;

		a.ip = bad[i].ip;
		a.mask = bad[i].mask;
		a.lease_s = bad[i].lease_s;
		answer(&a);
		assert_int_equal(dhcp_client_counters(client)->refused, i + 1);
	}
	assert_int_equal(n_said, 1);
}

static void routes_of_option_121_replace_the_router(void **state)
{
	static const char routes[] = "\x00\xc0\xa8\x01\xfe"
				     "\x10\x0a\x63\xc0\xa8\x01\x02"
				     "\x18\x0a\x01\x02\x01\x02\x03\x04";
	struct answer a = usual;

	a.routes = routes;
	a.routes_len = sizeof(routes) - 1;
	a.mtu = 1400;
	get_lease(&a);
	assert_int_equal(lease.gateway, 0xc0a801fe);
	assert_int_equal(lease.n_routes,
			 1); /* the other's is not on the link */
	assert_int_equal(lease.routes[0].network, 0x0a630000);
	assert_int_equal(lease.routes[0].prefix_len, 16);
	assert_int_equal(lease.routes[0].gateway, 0xc0a80102);
	assert_int_equal(lease.mtu, 1400);
	assert_int_equal(lease.n_routers, 1);
}

static void a_router_elsewhere_is_none(void **state)
{
	struct answer a = usual;

	a.router = 0x0a000001;
	a.mtu = 68;
	get_lease(&a);
	assert_int_equal(lease.gateway, 0);
	assert_int_equal(lease.mtu, 0);
}

static void options_that_are_cut_short_are_no_message(void **state)
{
	uint8_t room[600];
	size_t len = build(&usual, room, sizeof(room));

	for (size_t n = 0; n < DHCP_FIXED_LEN + 4; n++)
		dhcp_client_receive(client, room, n, now);
	room[len - 1] = OPTION_ROUTES; /* without its length */
	room[len] = 200;
	dhcp_client_receive(client, room, len + 1, now);
	assert_int_equal(n_said, 1);
	assert_int_equal(dhcp_client_counters(client)->bad, DHCP_FIXED_LEN + 5);
}

static void somebody_elses_address_is_declined(void **state)
{
	uint64_t before;

	answer_type(DHCP_OFFER);
	answer_type(DHCP_ACK);
	assert_false(dhcp_client_conflict(client, IP + 1, now));
	assert_true(dhcp_client_conflict(client, IP, now));
	assert_int_equal(said.type, DHCP_DECLINE);
	assert_int_equal(said.requested_ip, IP);
	assert_int_equal(said.server_id, SERVER);
	assert_int_equal(n_changed, 0);
	/* RFC 2131 3.1 (5): 10 s at least */
	before = now;
	step();
	assert_in_range(now - before, 9000, 11000);
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_int_equal(said.requested_ip, 0);
	assert_false(dhcp_client_conflict(client, IP, now));
}

static void it_is_renewed(void **state)
{
	uint64_t began = now;

	get_lease(&usual);
	step();
	assert_int_equal(now, began + 1800000);
	assert_int_equal(said.type, DHCP_REQUEST);
	assert_int_equal(said.ciaddr, IP);
	assert_int_equal(said.requested_ip, 0);
	assert_int_equal(said.server_id, 0);
	assert_int_equal(said_from, IP);
	assert_int_equal(said_to, SERVER);
	answer_type(DHCP_ACK);
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_BOUND);
	assert_int_equal(n_changed, 1); /* nothing that matters */
	assert_int_equal(dhcp_client_lease(client)->t1_ms, now + 1800000);
}

static void what_a_renewal_changes_is_told(void **state)
{
	struct answer a = usual;

	get_lease(&usual);
	step();
	a.type = DHCP_ACK;
	a.router = OTHER;
	answer(&a);
	assert_int_equal(n_changed, 2);
	assert_int_equal(lease.gateway, OTHER);
	assert_int_equal(n_probed, DHCP_CLIENT_PROBES);
}

static void it_is_rebound_and_then_over(void **state)
{
	uint64_t began = now;
	unsigned unicasts = 0, broadcasts = 0;

	get_lease(&usual);
	while (lease.ip) {
		step();
		assert_true(now <= began + 3600000);
		if (!lease.ip)
			break;
		assert_int_equal(said.type, DHCP_REQUEST);
		assert_int_equal(said.ciaddr, IP);
		if (now < began + 3150000) {
			assert_int_equal(said_to, SERVER);
			unicasts++;
		} else {
			assert_int_equal(said_to, BROADCAST);
			broadcasts++;
		}
	}
	assert_int_equal(now, began + 3600000);
	assert_in_range(unicasts, 3, 8);
	assert_in_range(broadcasts, 2, 6);
	assert_int_equal(dhcp_client_counters(client)->expired, 1);
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_int_equal(said.requested_ip, IP);
	assert_null(dhcp_client_lease(client));
}

static void another_server_may_rebind(void **state)
{
	struct answer a = usual;

	get_lease(&usual);
	while (dhcp_client_state(client) != DHCP_CLIENT_REBINDING)
		step();
	a.type = DHCP_ACK;
	a.server = OTHER;
	answer(&a);
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_BOUND);
	assert_int_equal(dhcp_client_lease(client)->server, OTHER);
	assert_int_equal(lease.ip, IP);
}

static void a_refused_renewal_begins_anew(void **state)
{
	struct answer a = usual;

	get_lease(&usual);
	step();
	answer_type(DHCP_NAK);
	assert_int_equal(lease.ip, 0);
	assert_int_equal(n_changed, 2);
	assert_int_equal(said.type, DHCP_DISCOVER);
	a.ip = 0xc0a80240;
	a.router = a.server = 0xc0a80201;
	get_lease(&a); /* renumbered */
	assert_int_equal(n_changed, 3);
}

/* Who refuses all that it offered is asked ever less often. */
static void refusals_are_waited_out(void **state)
{
	uint64_t began = now;
	unsigned rounds = 0;

	while (now < began + 3600000) {
		while (dhcp_client_state(client) != DHCP_CLIENT_SELECTING)
			step();
		answer_type(DHCP_OFFER);
		answer_type(DHCP_NAK);
		rounds++;
	}
	assert_in_range(rounds, 5, 20);
}

static void what_it_had_is_asked_for_first(void **state)
{
	start(IP);
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_REBOOTING);
	assert_int_equal(said.type, DHCP_REQUEST);
	assert_int_equal(said.requested_ip, IP);
	assert_int_equal(said.server_id, 0);
	assert_int_equal(said.ciaddr, 0);
	answer_type(DHCP_ACK);
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_PROBING);
	probe_through();
	assert_int_equal(lease.ip, IP);
	/* refused: another, at once */
	start(IP);
	answer_type(DHCP_NAK);
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_int_equal(said.requested_ip, 0);
	/* nobody answers: a new one, but the same would be fine */
	start(IP);
	step();
	assert_int_equal(said.type, DHCP_REQUEST);
	step();
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_int_equal(said.requested_ip, IP);
}

static void a_link_that_was_away_is_looked_at_anew(void **state)
{
	struct answer a = usual;

	get_lease(&usual);
	now += 60000;
	dhcp_client_restart(client, now);
	assert_int_equal(said.type, DHCP_REQUEST);
	assert_int_equal(said.requested_ip, IP);
	assert_int_equal(said_from, 0);
	assert_int_equal(lease.ip, IP); /* used meanwhile */
	answer_type(DHCP_ACK);
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_BOUND);
	assert_int_equal(n_changed, 1);
	/* no server there: it goes on by the lease that it has */
	dhcp_client_restart(client, now);
	while (dhcp_client_state(client) == DHCP_CLIENT_REBOOTING)
		step();
	assert_int_equal(dhcp_client_state(client), DHCP_CLIENT_BOUND);
	assert_int_equal(n_changed, 1);
	/* another network */
	dhcp_client_restart(client, now);
	a.type = DHCP_NAK;
	a.server = 0x0a000001;
	answer(&a);
	assert_int_equal(lease.ip, 0);
}

static void a_lease_ends_while_it_is_asked_for(void **state)
{
	uint64_t began = now;

	get_lease(&usual);
	now = began + 3599000;
	dhcp_client_restart(client, now);
	step();
	assert_int_equal(now, began + 3600000);
	assert_int_equal(lease.ip, 0);
}

static void it_is_given_back(void **state)
{
	get_lease(&usual);
	dhcp_client_release(client);
	assert_int_equal(said.type, DHCP_RELEASE);
	assert_int_equal(said.ciaddr, IP);
	assert_int_equal(said.server_id, SERVER);
	assert_int_equal(said_to, SERVER);
	assert_int_equal(dhcp_client_next_ms(client), UINT64_MAX);
	assert_null(dhcp_client_lease(client));
	dhcp_client_restart(client, now);
	assert_int_equal(dhcp_client_next_ms(client), UINT64_MAX);
	/* there was nothing to give back */
	start(0);
	dhcp_client_release(client);
	assert_int_equal(said.type, DHCP_DISCOVER);
}

static void a_lease_for_ever_is_never_renewed(void **state)
{
	struct answer a = usual;

	a.lease_s = UINT32_MAX;
	get_lease(&a);
	assert_int_equal(dhcp_client_next_ms(client), UINT64_MAX);
}

static void senseless_times_are_replaced(void **state)
{
	struct answer a = usual;

	a.t1 = 3000;
	a.t2 = 2000;
	get_lease(&a);
	assert_int_equal(lease.t1_s, 1800);
	start(0);
	a.t1 = 100;
	a.t2 = 200;
	get_lease(&a);
	assert_int_equal(lease.t1_s, 100);
	assert_int_equal(lease.t2_s, 200);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_is_got),
		TEST(messages_are_repeated_ever_less_often),
		TEST(a_silent_server_is_left),
		TEST(strangers_are_not_believed),
		TEST(no_address_for_a_host_is_refused),
		TEST(routes_of_option_121_replace_the_router),
		TEST(a_router_elsewhere_is_none),
		TEST(options_that_are_cut_short_are_no_message),
		TEST(somebody_elses_address_is_declined),
		TEST(it_is_renewed),
		TEST(what_a_renewal_changes_is_told),
		TEST(it_is_rebound_and_then_over),
		TEST(another_server_may_rebind),
		TEST(a_refused_renewal_begins_anew),
		TEST(refusals_are_waited_out),
		TEST(what_it_had_is_asked_for_first),
		TEST(a_link_that_was_away_is_looked_at_anew),
		TEST(a_lease_ends_while_it_is_asked_for),
		TEST(it_is_given_back),
		TEST(a_lease_for_ever_is_never_renewed),
		TEST(senseless_times_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
