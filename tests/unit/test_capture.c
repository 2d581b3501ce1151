/* Captures at the ports of a small switch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <poll.h>

#include "forward/capture.h"
#include "tests/unit/switch_fixture.h"

struct seen {
	unsigned n;
	struct capture_record records[16];
	uint8_t data[16][128];
};

static void see(const struct capture_record *r, void *seen_)
{
	struct seen *s = seen_;

	assert_true(s->n < 16);
	s->records[s->n] = *r;
	memcpy(s->data[s->n], r->data, MIN(r->captured_len, 128));
	s->n++;
}

static bool readable(const struct capture_ring *ring)
{
	struct pollfd p = { capture_ring_fd(ring), POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void sees_both_directions_and_drops(void **state)
{
	struct fixture *f = fixture_create();
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct vlan_config access = { .mode = VLAN_ACCESS, .tag = 10 };
	struct fixture_port *a = fixture_port(f, br, &access);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct capture_ring *ring = capture_ring_create(65535, NULL, 1 << 16);
	struct capture at_a = { ring, 7, NULL }, at_b = { ring, 8, NULL };
	const uint32_t tag10[] = { 0x8100000a, 0 };
	struct seen seen = { 0 };
	uint8_t frame[128];
	uint32_t len;

	(void)state;
	a->fwd->capture = &at_a;
	b->fwd->capture = &at_b;
	len = make_frame(frame, 2, 1, NULL);
	fixture_frame(f, a, frame, len);
	len = make_frame(frame, 2, 1, tag10);
	fixture_frame(f, a, frame, len); /* not allowed on an access port */

	assert_true(readable(ring));
	assert_int_equal(capture_ring_read(ring, 16, see, &seen), 3);
	assert_false(readable(ring));
	assert_int_equal(seen.records[0].port_id, 7);
	assert_int_equal(seen.records[0].direction, CAPTURE_IN);
	assert_false(seen.records[0].dropped);
	assert_int_equal(seen.records[1].port_id, 8);
	assert_int_equal(seen.records[1].direction, CAPTURE_OUT);
	assert_int_equal(seen.records[1].len, len); /* with its tag */
	assert_memory_equal(seen.data[1], frame, len);
	assert_int_equal(seen.records[2].port_id, 7);
	assert_true(seen.records[2].dropped);
	assert_int_equal(seen.records[2].reason, DROP_TAG_NOT_ALLOWED);

	/* It waits again, and is woken again. */
	fixture_frame(f, b, frame, len);
	assert_true(readable(ring));
	fixture_destroy(f);
	capture_ring_destroy(ring);
}

static void marks_what_the_port_of_departure_drops(void **state)
{
	struct fixture *f = fixture_create();
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct capture_ring *ring = capture_ring_create(65535, NULL, 1 << 16);
	struct capture at_b = { ring, 8, NULL };
	struct seen seen = { 0 };
	uint8_t frames[3][128];
	struct iovec burst[3];

	(void)state;
	b->fwd->capture = &at_b;
	for (int i = 0; i < 3; i++)
		burst[i] = (struct iovec){ frames[i],
					   make_frame(frames[i], 2, 1, NULL) };
	burst[1].iov_len++; /* longer than what b takes, not what a does */
	atomic_store(&b->port->mtu, burst[0].iov_len - ETH_HEADER_LEN);
	fixture_burst(f, a, burst, 3);
	atomic_store(&b->port->tx_enabled, false);
	fixture_burst(f, a, burst, 1);

	assert_int_equal(capture_ring_read(ring, 16, see, &seen), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(seen.records[i].direction, CAPTURE_OUT);
	assert_false(seen.records[0].dropped);
	assert_true(seen.records[1].dropped);
	assert_int_equal(seen.records[1].reason, DROP_TX_TOO_BIG);
	assert_false(seen.records[2].dropped);
	assert_true(seen.records[3].dropped);
	assert_int_equal(seen.records[3].reason, DROP_TX_DOWN);
	assert_int_equal(b->n_sent, 2);
	fixture_destroy(f);
	capture_ring_destroy(ring);
}

static void filters_and_cuts(void **state)
{
	struct fixture *f = fixture_create();
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	const uint32_t tag10[] = { 0x8100000a, 0 };
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;
	struct capture_ring *ring;
	struct capture at_b;
	struct seen seen = { 0 };
	uint8_t frame[128];
	uint32_t len;

	(void)state;
	assert_int_equal(pcap_compile(pcap, &program, "vlan 10", 1,
				      PCAP_NETMASK_UNKNOWN),
			 0);
	ring = capture_ring_create(20, &program, 1 << 16);
	pcap_freecode(&program);
	pcap_close(pcap);
	at_b = (struct capture){ ring, 1, NULL };
	b->fwd->capture = &at_b;
	len = make_frame(frame, 2, 1, NULL);
	fixture_frame(f, a, frame, len);
	len = make_frame(frame, 2, 1, tag10);
	fixture_frame(f, a, frame, len);
	assert_int_equal(capture_ring_read(ring, 16, see, &seen), 1);
	assert_int_equal(seen.records[0].len, len);
	assert_int_equal(seen.records[0].captured_len, 20);
	assert_memory_equal(seen.data[0], frame, 20);
	fixture_destroy(f);
	capture_ring_destroy(ring);
}

static void a_full_ring_loses_copies_only(void **state)
{
	struct fixture *f = fixture_create();
	struct fwd_bridge *br = fixture_bridge(f, "br0");
	struct fixture_port *a = fixture_port(f, br, NULL);
	struct fixture_port *b = fixture_port(f, br, NULL);
	struct capture_ring *ring = capture_ring_create(65535, NULL, 4096);
	struct capture at_b = { ring, 1, NULL };
	uint8_t frame[128];
	uint32_t len = make_frame(frame, 2, 1, NULL);

	(void)state;
	b->fwd->capture = &at_b;
	for (int i = 0; i < 100; i++)
		fixture_frame(f, a, frame, len);
	assert_int_equal(b->n_sent, 100);
	assert_true(capture_ring_lost(ring) > 0);
	assert_true(capture_ring_lost(ring) < 100);
	fixture_destroy(f);
	capture_ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_both_directions_and_drops),
		cmocka_unit_test(marks_what_the_port_of_departure_drops),
		cmocka_unit_test(filters_and_cuts),
		cmocka_unit_test(a_full_ring_loses_copies_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
