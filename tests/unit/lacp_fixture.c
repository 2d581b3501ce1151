/* LACP without a network and without a clock. */
#include "lacp_fixture.h"

static void send(struct lacp_port *port, const void *frame, size_t len,
		 void *arg)
{
	struct test_port *p = lacp_port_owner(port);
	struct lacp_frame got;

	switch (lacp_frame_decode(frame, len, &got)) {
	case LACP_FRAME_PDU:
		p->sent_ms[p->n_sent++ % TEST_SENT_MAX] = p->test->now_ms;
		p->last = got;
		break;
	case LACP_FRAME_MARKER_RESPONSE:
		p->n_responses++;
		p->last_response = got.marker;
		break;
	default:
		fail_msg("a frame of no known kind was sent");
	}
}

static void changed(void *arg)
{
	struct test_lacp *t = arg;

	t->n_changed++;
}

void test_lacp_init(struct test_lacp *t, enum lacp_mode mode, bool fast,
		    unsigned n)
{
	const struct lacp_ops ops = { .send = send, .changed = changed };

	memset(t, 0, sizeof(*t));
	t->now_ms = 100000;
	t->lacp = lacp_create(&ops, t);
	t->config = (struct lacp_config){
		.mode = mode,
		.fast = fast,
		.system_priority = 1000,
		.system_id = TEST_SYSTEM,
		.key = 5,
	};
	test_configure(t);
	t->n_ports = n;
	for (unsigned i = 0; i < n; i++) {
		struct test_port *p = &t->ports[i];

		p->test = t;
		p->config.id = i + 1;
		p->config.priority = 32768;
		p->port = lacp_add_port(t->lacp, &p->config, p, t->now_ms);
	}
}

void test_lacp_fini(struct test_lacp *t)
{
	lacp_destroy(t->lacp);
}

void test_configure(struct test_lacp *t)
{
	lacp_configure(t->lacp, &t->config, t->now_ms);
}

void test_configure_port(struct test_lacp *t, unsigned i)
{
	lacp_configure_port(t->ports[i].port, &t->ports[i].config, t->now_ms);
}

void test_advance(struct test_lacp *t, uint64_t ms)
{
	uint64_t end_ms = t->now_ms + ms, next_ms;

	while ((next_ms = lacp_next_ms(t->lacp)) <= end_ms) {
		assert_true(next_ms >= t->now_ms);
		t->now_ms = next_ms;
		t->n_wakes++;
		lacp_run(t->lacp, t->now_ms);
		assert_true(lacp_next_ms(t->lacp) > t->now_ms);
	}
	t->now_ms = end_ms;
}

void test_link(struct test_lacp *t, unsigned i, bool up)
{
	lacp_port_set_link(t->ports[i].port, up, 0x020000001000 + i,
			   up ? TEST_SPEED : 0, true, t->now_ms);
}

struct lacp_pdu test_pdu(const struct test_lacp *t, unsigned i, uint8_t state)
{
	struct lacp_pdu pdu = {
		.actor = {
			.system_priority = 2000,
			.system_id = TEST_PARTNER,
			.key = 7,
			.port_priority = 128,
			.port_id = 100 + i,
			.state = state,
		},
		.partner = test_status(t, i).actor,
	};

	return pdu;
}

void test_hear_pdu(struct test_lacp *t, unsigned i, const struct lacp_pdu *pdu)
{
	uint8_t frame[LACP_FRAME_LEN];

	lacp_pdu_encode(pdu, 0x020000002000 + i, frame);
	lacp_receive(t->ports[i].port, frame, sizeof(frame), t->now_ms);
}

void test_hear(struct test_lacp *t, unsigned i, uint8_t state)
{
	struct lacp_pdu pdu = test_pdu(t, i, state);

	test_hear_pdu(t, i, &pdu);
}

void test_negotiate(struct test_lacp *t)
{
	for (unsigned i = 0; i < t->n_ports; i++)
		test_link(t, i, true);
	for (unsigned second = 0; second < 5; second++) {
		for (unsigned i = 0; i < t->n_ports; i++)
			test_hear(t, i, STATE_ALL);
		test_advance(t, 1000);
	}
	for (unsigned i = 0; i < t->n_ports; i++) {
		test_hear(t, i, STATE_ALL);
		assert_mux(t, i, "DISTRIBUTING");
	}
}

struct lacp_port_status test_status(const struct test_lacp *t, unsigned i)
{
	struct lacp_port_status status;

	lacp_port_get_status(t->ports[i].port, &status);
	return status;
}
