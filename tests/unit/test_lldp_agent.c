/* The agent: when it sends, and what it makes of links and neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "discovery/agent.h"
#include "discovery/cdp_pdu.h"
#include "discovery/lldp_pdu.h"
#include "discovery/transmit.h"

#define ALL                                                                    \
	(DISCOVERY_LLDP_RX | DISCOVERY_LLDP_TX | DISCOVERY_CDP_RX |            \
	 DISCOVERY_CDP_TX)
#define LLDP (DISCOVERY_LLDP_RX | DISCOVERY_LLDP_TX)

/* What was sent, and when. */
static struct {
	enum discovery_protocol protocol;
	uint16_t ttl_s;
	uint64_t ms;
	char name[16];
} sent[1000];
static unsigned n_sent;
static uint64_t now;
static const char *our_name;
static bool mute;

static struct discovery *d;
static struct discovery_port *port;

static bool describe(void *owner, struct discovery_info *info, uint64_t *source,
		     void *arg)
{
	info->chassis = (struct discovery_id){ CHASSIS_LOCAL, 2, { 'u', 's' } };
	info->port = (struct discovery_id){ PORT_ID_INTERFACE_NAME, 1, "p" };
	info->cdp_version = 2;
	strcpy(info->system_name, our_name);
	*source = 0x020000000001;
	return !mute;
}

static void on_send(void *owner, const void *frame, size_t len, void *arg)
{
	bool cdp = !memcmp(frame, "\x01\x00\x0c", 3);
	struct discovery_parse_notes notes;
	struct discovery_info info;
	const uint8_t *bytes = frame;

	assert_int_equal(cdp ? cdp_decode(bytes + 12, len - 12, &info, &notes)
			     : lldp_decode(bytes + 14, len - 14, &info, &notes),
			 0);
	sent[n_sent].protocol = info.protocol;
	sent[n_sent].ttl_s = info.ttl_s;
	strcpy(sent[n_sent].name, info.system_name);
	sent[n_sent++].ms = now;
}

static const struct discovery_ops ops = { describe, on_send };

static int setup(void **state)
{
	n_sent = 0;
	now = 1000000;
	our_name = "name";
	mute = false;
	d = discovery_create(&ops, NULL);
	port = discovery_add_port(d, "p0", NULL);
	return 0;
}

static int teardown(void **state)
{
	discovery_destroy(d);
	return 0;
}

/* Runs whatever is due, each at its time, until `until`. */
static void run_until(uint64_t until)
{
	uint64_t next;

	for (unsigned i = 0; (next = discovery_next_ms(d)) <= until; i++) {
		now = MAX(now, next);
		discovery_run(d, now);
		assert_true(i < 100000);
	}
	now = until;
	discovery_run(d, now);
}

static void start(unsigned mode)
{
	discovery_port_configure(port, mode, now);
	discovery_port_set_link(port, true, now);
}

static void hear(const char *name, uint16_t ttl_s)
{
	struct discovery_info info = { .ttl_s = ttl_s };
	uint8_t frame[LLDP_FRAME_MAX];
	size_t len;

	info.chassis.subtype = CHASSIS_LOCAL;
	info.chassis.len = strlen(name);
	memcpy(info.chassis.bytes, name, info.chassis.len);
	info.port = (struct discovery_id){ PORT_ID_INTERFACE_NAME, 1, "q" };
	len = lldp_encode(&info, 0x020000000002, frame, NULL);
	discovery_receive(port, DISCOVERY_LLDP, frame, len, now);
}

static const struct neighbor_table *neighbors(void)
{
	return discovery_port_neighbors(port);
}

/* The times of what was sent since `from`, relative to `from`. */
static void expect_times(uint64_t from, const uint64_t times[], unsigned n)
{
	assert_int_equal(n_sent, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sent[i].ms - from, times[i]);
}

/* --------------------------------------------------------------------------
 */

static void test_off_wakes_nobody(void **state)
{
	assert_int_equal(discovery_next_ms(d), UINT64_MAX);
	discovery_port_set_link(port, true, now);
	assert_int_equal(discovery_next_ms(d), UINT64_MAX);
	hear("n", 120);
	assert_int_equal(neighbors()->n, 0);
	discovery_port_set_link(port, false, now);
	discovery_port_configure(port, ALL, now);
	assert_int_equal(discovery_next_ms(d), UINT64_MAX);
	discovery_port_configure(port, DISCOVERY_LLDP_RX, now);
	discovery_port_set_link(port, true, now);
	assert_int_equal(discovery_next_ms(d), UINT64_MAX);
	assert_int_equal(n_sent, 0);
}

static void test_fast_start_then_every_interval(void **state)
{
	const uint64_t times[] = { 0, 1000, 2000, 3000, 33000, 63000, 93000 };
	uint64_t from = now;

	start(LLDP);
	run_until(now + 100000);
	expect_times(from, times, ARRAY_SIZE(times));
	assert_int_equal(sent[0].ttl_s, 121);
	assert_int_equal(
		discovery_port_counters(port, DISCOVERY_LLDP)->frames_out,
		ARRAY_SIZE(times));
}

static void test_new_neighbor_is_told_soon(void **state)
{
	const uint64_t times[] = { 0, 1000, 2000, 3000, 33000 };
	uint64_t from;

	start(LLDP);
	run_until(now + 50000);
	n_sent = 0;
	from = now;
	hear("n", 120);
	run_until(now + 40000);
	expect_times(from, times, ARRAY_SIZE(times));
	n_sent = 0;
	hear("n", 120); /* known already: no reason to hurry */
	run_until(now + 20000);
	assert_int_equal(n_sent, 0);
}

static void test_neighbors_without_end_use_up_the_credit(void **state)
{
	char name[16];

	start(LLDP);
	run_until(now + 50000);
	n_sent = 0;
	/* ten a second for ten seconds */
	for (int i = 0; i < 100; i++) {
		sprintf(name, "%d", i);
		hear(name, i % 2 ? 120 : 1);
		run_until(now + 100);
	}
	assert_in_range(n_sent, 10, TX_CREDIT_MAX + 11);
}

static void test_local_change_is_told_at_once(void **state)
{
	start(ALL);
	run_until(now + 50000);
	n_sent = 0;
	discovery_port_refresh(port, now);
	run_until(now + 1);
	assert_int_equal(n_sent, 0);
	our_name = "new";
	discovery_port_refresh(port, now);
	run_until(now + 1);
	assert_int_equal(n_sent, 2);
	assert_string_equal(sent[0].name, "new");
	assert_string_equal(sent[1].name, "new");
	/* and then not before an interval is over */
	n_sent = 0;
	run_until(now + TX_INTERVAL_MS - 1000);
	assert_int_equal(n_sent, 0);
	run_until(now + 2000);
	assert_int_equal(n_sent, 2);
}

static void test_changes_without_end_use_up_the_credit(void **state)
{
	start(LLDP);
	run_until(now + 50000);
	n_sent = 0;
	for (int i = 0; i < 100; i++) {
		our_name = i % 2 ? "a" : "b";
		discovery_port_refresh(port, now);
		run_until(now + 100);
	}
	assert_in_range(n_sent, 10, TX_CREDIT_MAX + 11);
	/* the last word is said */
	our_name = "last";
	discovery_port_refresh(port, now);
	run_until(now + 1000);
	assert_string_equal(sent[n_sent - 1].name, "last");
}

static void test_shutdown_when_removed(void **state)
{
	start(ALL);
	run_until(now + 50000);
	n_sent = 0;
	discovery_remove_port(port, now);
	assert_int_equal(n_sent, 2);
	assert_int_equal(sent[0].ttl_s, 0);
	assert_int_equal(sent[1].ttl_s, 1);
	assert_int_equal(sent[1].protocol, DISCOVERY_CDP);
	port = NULL;
	assert_int_equal(discovery_next_ms(d), UINT64_MAX);
}

/* Nobody knows that we were there, or nobody can hear it. */
static void test_no_shutdown_where_nothing_was_said(void **state)
{
	start(LLDP);
	discovery_remove_port(port, now);
	port = discovery_add_port(d, "p0", NULL);
	start(LLDP);
	run_until(now + 1);
	n_sent = 0;
	discovery_port_set_link(port, false, now);
	discovery_remove_port(port, now);
	assert_int_equal(n_sent, 0);
}

static void test_disabled_then_silent_for_reinit_delay(void **state)
{
	uint64_t from;

	start(LLDP);
	hear("n", 120);
	run_until(now + 50000);
	n_sent = 0;
	discovery_port_configure(port, 0, now);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].ttl_s, 0);
	assert_int_equal(neighbors()->n, 0);
	from = now;
	discovery_port_configure(port, LLDP, now);
	our_name = "new";
	discovery_port_refresh(port, now);
	hear("n", 120);
	run_until(now + 10000);
	assert_true(n_sent > 1);
	assert_int_equal(sent[1].ms - from, TX_REINIT_MS);
}

static void test_link(void **state)
{
	start(LLDP);
	run_until(now + 50000);
	hear("n", 120);
	assert_int_equal(neighbors()->n, 1);
	n_sent = 0;
	discovery_port_set_link(port, false, now);
	assert_int_equal(neighbors()->n, 0);
	hear("n", 120); /* on its way while the link went down */
	assert_int_equal(neighbors()->n, 0);
	run_until(now + 100000);
	assert_int_equal(n_sent, 0);
	discovery_port_set_link(port, true, now);
	run_until(now + 10000);
	assert_int_equal(n_sent, 4);
}

static void test_neighbor_ages_by_its_ttl(void **state)
{
	start(DISCOVERY_LLDP_RX);
	hear("n", 10);
	assert_int_equal(discovery_next_ms(d), now + 10000);
	run_until(now + 9999);
	assert_int_equal(neighbors()->n, 1);
	run_until(now + 1);
	assert_int_equal(neighbors()->n, 0);
	assert_int_equal(neighbors()->ageouts, 1);
	assert_int_equal(discovery_next_ms(d), UINT64_MAX);
	hear("n", 10);
	hear("n", 0);
	assert_int_equal(neighbors()->n, 0);
}

static void test_counters(void **state)
{
	const struct discovery_counters *c =
		discovery_port_counters(port, DISCOVERY_LLDP);
	static const char tagged[] =
		"\x01\x80\xc2\x00\x00\x0e\x02\0\0\0\0\x02\x81\x00\x00\x05\x88"
		"\xcc\x02\x02\x07x\x04\x02\x07y\x06\x02\x00\x78";

	start(ALL);
	hear("n", 120);
	discovery_receive(port, DISCOVERY_LLDP, "", 0, now);
	discovery_receive(port, DISCOVERY_LLDP, tagged, sizeof(tagged) - 1,
			  now);
	assert_int_equal(c->frames_in, 3);
	assert_int_equal(c->frames_discarded, 2);
	assert_int_equal(c->frames_in_errors, 2);
	c = discovery_port_counters(port, DISCOVERY_CDP);
	discovery_receive(port, DISCOVERY_CDP,
			  "\x01\x00\x0c\xcc\xcc\xcc\x02\0\0\0\0\x02\x00\x08"
			  "\xaa\xaa\x03\x00\x00\x0c\x20\x03",
			  22, now);
	assert_int_equal(c->frames_discarded, 1);
	assert_int_equal(c->frames_in_errors, 0); /* VTP is no error */
	discovery_receive(port, DISCOVERY_CDP, "\x01\x00\x0c", 3, now);
	assert_int_equal(c->frames_in_errors, 1);
}

/* What cannot be said now (no address yet) is said later. */
static void test_mute(void **state)
{
	mute = true;
	start(LLDP);
	run_until(now + 10000);
	assert_int_equal(n_sent, 0);
	mute = false;
	run_until(now + 31000);
	assert_int_equal(n_sent, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(F) cmocka_unit_test_setup_teardown(F, setup, teardown)
		T(test_off_wakes_nobody),
		T(test_fast_start_then_every_interval),
		T(test_new_neighbor_is_told_soon),
		T(test_neighbors_without_end_use_up_the_credit),
		T(test_local_change_is_told_at_once),
		T(test_changes_without_end_use_up_the_credit),
		T(test_shutdown_when_removed),
		T(test_no_shutdown_where_nothing_was_said),
		T(test_disabled_then_silent_for_reinit_delay),
		T(test_link),
		T(test_neighbor_ages_by_its_ttl),
		T(test_counters),
		T(test_mute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
