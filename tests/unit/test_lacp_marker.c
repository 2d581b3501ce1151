/* The marker responder: IEEE 802.1AX-2014, 6.5.4, figure 6-26. */
#include "lacp_fixture.h"

static struct test_lacp t;

static int setup(void **state)
{
	test_lacp_init(&t, LACP_ACTIVE, false, 2);
	return 0;
}

static int teardown(void **state)
{
	test_lacp_fini(&t);
	return 0;
}

static void hear_marker(unsigned i, uint32_t transaction, bool response)
{
	const struct lacp_marker marker = {
		.requester_port = 101,
		.requester_system = TEST_PARTNER,
		.transaction_id = transaction,
	};
	uint8_t frame[LACP_FRAME_LEN];

	lacp_marker_encode(&marker, response, 0x020000002000, frame);
	lacp_receive(t.ports[i].port, frame, sizeof(frame), t.now_ms);
}

/* WAIT_FOR_MARKER -> RESPOND_TO_MARKER -> WAIT_FOR_MARKER */
static void answers(void **state)
{
	const struct lacp_marker *got = &t.ports[1].last_response;

	test_negotiate(&t);
	hear_marker(1, 0xdeadbeef, false);
	assert_int_equal(t.ports[1].n_responses, 1);
	assert_int_equal(t.ports[0].n_responses, 0);
	assert_int_equal(got->requester_port, 101);
	assert_true(got->requester_system == TEST_PARTNER);
	assert_int_equal(got->transaction_id, 0xdeadbeef);
	hear_marker(1, 2, false);
	assert_int_equal(got->transaction_id, 2);
	assert_int_equal(test_status(&t, 1).markers, 2);
	assert_int_equal(test_status(&t, 1).marker_responses, 2);
}

static void paced(void **state)
{
	unsigned n = 0;

	test_negotiate(&t);
	for (unsigned ms = 0; ms < 10000; ms++) {
		hear_marker(0, ms, false);
		test_advance(&t, 1);
		if (ms % 1000 != 999)
			continue;
		assert_int_equal(t.ports[0].n_responses, n + LACP_MARKER_MAX);
		n = t.ports[0].n_responses;
	}
	assert_int_equal(test_status(&t, 0).markers, 10000);
	assert_int_equal(test_status(&t, 0).marker_responses, n);
}

/* LACPDUs are not held up by them. */
static void beside_lacpdus(void **state)
{
	unsigned n;

	test_negotiate(&t);
	test_advance(&t, 2000);
	for (unsigned i = 0; i < 10; i++)
		hear_marker(0, i, false);
	n = t.ports[0].n_sent;
	test_hear(&t, 0, STATE_OUT);
	assert_int_equal(t.ports[0].n_sent, n + 1);
}

static void not_answered(void **state)
{
	hear_marker(0, 1, false); /* no link */
	test_negotiate(&t);
	hear_marker(0, 2, true); /* an answer */
	t.config.mode = LACP_OFF;
	test_configure(&t);
	hear_marker(0, 3, false);
	assert_int_equal(t.ports[0].n_responses, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(paced),
		TEST(beside_lacpdus),
		TEST(not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
