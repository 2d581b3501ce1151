/*
 * An aggregator of LACP with some ports, a clock that is moved by hand, and a
 * partner that says what the test wants. What is sent is decoded and kept.
 */
#ifndef TESTS_LACP_FIXTURE_H
#define TESTS_LACP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "bond/lacp_internal.h"

#define TEST_PORTS_MAX 4
#define TEST_SENT_MAX  256
#define TEST_SYSTEM    0x0200000000aaull
#define TEST_PARTNER   0x0200000000bbull
#define TEST_SPEED     10000000000ull

/* A partner's state octet: in sync, not yet collecting; and all of it. */
#define STATE_OUT  (LACP_ACTIVITY | LACP_AGGREGATION)
#define STATE_SYNC (STATE_OUT | LACP_SYNCHRONIZATION)
#define STATE_COLL (STATE_SYNC | LACP_COLLECTING)
#define STATE_ALL  (STATE_COLL | LACP_DISTRIBUTING)

struct test_port {
	struct test_lacp *test;
	struct lacp_port *port;
	struct lacp_port_config config;
	unsigned n_sent, n_responses; /* LACPDUs, marker responses */
	uint64_t sent_ms[TEST_SENT_MAX];
	struct lacp_frame last; /* LACPDU */
	struct lacp_marker last_response;
	uint64_t silent_until_ms;
};

struct test_lacp {
	struct lacp *lacp;
	struct lacp_config config;
	struct test_port ports[TEST_PORTS_MAX];
	unsigned n_ports, n_changed, n_wakes;
	uint64_t now_ms;
};

/* n ports, without a link. */
void test_lacp_init(struct test_lacp *t, enum lacp_mode mode, bool fast,
		    unsigned n);
void test_lacp_fini(struct test_lacp *t);
/* Takes over t->config, or a port's. */
void test_configure(struct test_lacp *t);
void test_configure_port(struct test_lacp *t, unsigned i);

/* Moves the clock, and runs when lacp_next_ms() says so and only then. */
void test_advance(struct test_lacp *t, uint64_t ms);

void test_link(struct test_lacp *t, unsigned i, bool up);
/* All that the partner says of itself and of us, with this state of its own. */
struct lacp_pdu test_pdu(const struct test_lacp *t, unsigned i, uint8_t state);
void test_hear_pdu(struct test_lacp *t, unsigned i, const struct lacp_pdu *pdu);
/* test_pdu() heard. */
void test_hear(struct test_lacp *t, unsigned i, uint8_t state);
/* All ports up and distributing, with a partner that is content; 5 s. */
void test_negotiate(struct test_lacp *t);

struct lacp_port_status test_status(const struct test_lacp *t, unsigned i);
#define assert_receive(t, i, want)                                             \
	assert_string_equal(test_status(t, i).receive_state, want)
#define assert_mux(t, i, want)                                                 \
	assert_string_equal(test_status(t, i).mux_state, want)
#define assert_periodic(t, i, want)                                            \
	assert_string_equal(test_status(t, i).periodic_state, want)

#endif
