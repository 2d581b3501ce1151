/*
 * LACP on three ports, driven by the input: frames that are right, nearly
 * right, or any bytes; links, time and configuration. Whatever comes, traffic
 * goes only where both sides agreed, nothing is sent too often, the owner hears
 * of every change, and the machines come to rest.
 */
#include "bond/lacp_internal.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORTS	   3
#define STEPS_MAX  2000
#define FRAMES_MAX 8

/* When the last frames of a kind were sent; a ring. */
struct pace {
	uint64_t sent_ms[FRAMES_MAX];
	unsigned n;
};

struct slot {
	struct lacp_port *port;
	struct lacp_port_config config;
	bool up, usable, goes, told_collect, told_distribute;
	struct pace pdus, responses;
};

static struct lacp *lacp;
static struct lacp_config config;
static struct slot slots[PORTS];
static uint64_t now_ms;
static const uint8_t *input;
static size_t input_left;

static uint8_t take(void)
{
	uint8_t byte;

	fuzz_take(&input, &input_left, &byte, 1);
	return byte;
}

/* No more than max in any second. */
static void check_pace(struct pace *pace, unsigned max)
{
	if (pace->n >= max)
		MUST(now_ms - pace->sent_ms[(pace->n - max) % FRAMES_MAX] >=
		     1000);
	pace->sent_ms[pace->n++ % FRAMES_MAX] = now_ms;
}

static void send(struct lacp_port *port, const void *bytes, size_t len,
		 void *arg)
{
	struct slot *slot = lacp_port_owner(port);
	struct lacp_frame frame;

	MUST(slot->up && slot->port == port);
	switch (lacp_frame_decode(bytes, len, &frame)) {
	case LACP_FRAME_PDU:
		MUST(frame.pdu.actor.port_id == slot->config.id);
		/* and a goodbye; but a port that goes has no time */
		if (!slot->goes)
			check_pace(&slot->pdus, LACP_TX_MAX + 1);
		break;
	case LACP_FRAME_MARKER_RESPONSE:
		check_pace(&slot->responses, LACP_MARKER_MAX);
		break;
	default:
		abort();
	}
}

static void changed(void *arg)
{
	for (unsigned i = 0; i < PORTS; i++) {
		struct slot *slot = &slots[i];

		if (!slot->port)
			continue;
		slot->told_collect = lacp_port_may_collect(slot->port);
		slot->told_distribute = lacp_port_may_distribute(slot->port);
	}
}

static void check_port(const struct slot *slot)
{
	const struct lacp_port *port = slot->port;
	bool collect = lacp_port_may_collect(port);
	bool distribute = lacp_port_may_distribute(port);
	struct lacp_port_status s;

	lacp_port_get_status(port, &s);
	MUST(collect == slot->told_collect);
	MUST(distribute == slot->told_distribute);
	MUST(collect || !distribute);
	MUST(!!(s.actor.state & LACP_COLLECTING) == collect);
	MUST(!!(s.actor.state & LACP_DISTRIBUTING) == distribute);
	MUST(!!(s.actor.state & LACP_SYNCHRONIZATION) == s.attached);
	MUST(!s.attached || s.selected);
	if (collect) {
		MUST(slot->up && slot->usable);
		MUST(s.current && s.selected);
		MUST(config.mode != LACP_OFF && port->full_duplex);
		MUST(s.partner.state & LACP_SYNCHRONIZATION);
		MUST(s.partner.system_id != config.system_id);
	}
	MUST(!distribute || s.partner.state & LACP_COLLECTING);
	MUST(!s.selected || !s.defaulted);
}

/* Ports that are selected have one partner, or are one. */
static void check_lag(void)
{
	const struct lacp_port *first = NULL;

	for (unsigned i = 0; i < PORTS; i++) {
		const struct lacp_port *port = slots[i].port;

		if (!port || !port->selected)
			continue;
		if (!first) {
			first = port;
			continue;
		}
		MUST(!lacp_port_is_individual(first));
		MUST(!lacp_port_is_individual(port));
		MUST(port->partner.system_id == first->partner.system_id);
		MUST(port->partner.key == first->partner.key);
		MUST(port->actor.key == first->actor.key);
		MUST(port->speed_bps == first->speed_bps);
	}
}

static void check(void)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (slots[i].port)
			check_port(&slots[i]);
	check_lag();
	MUST(lacp_next_ms(lacp) > now_ms);
}

static void plug(unsigned i)
{
	struct slot *slot = &slots[i];

	memset(slot, 0, sizeof(*slot));
	slot->config.id = i + 1;
	slot->config.priority = 32768;
	slot->usable = true;
	slot->port = lacp_add_port(lacp, &slot->config, slot, now_ms);
}

static void unplug(struct slot *slot)
{
	slot->goes = true;
	lacp_remove_port(slot->port, now_ms);
	slot->port = NULL;
}

/* What a partner would say; then some of it is not. */
static void hear_pdu(struct slot *slot, uint8_t how)
{
	uint8_t bytes[LACP_FRAME_LEN], n_wrong = how & 3;
	struct lacp_port_status s;
	struct lacp_pdu pdu = {
		.actor = { 1, 0xbb + (how >> 2 & 1), 7, 1, 0, take() },
	};

	lacp_port_get_status(slot->port, &s);
	pdu.actor.port_id = slot->config.id + (how >> 3 & 1);
	pdu.partner = s.actor;
	if (how & 0x10)
		pdu.actor = s.actor;
	lacp_pdu_encode(&pdu, 0x020000000001, bytes);
	while (n_wrong--) {
		uint8_t at = take();

		bytes[at % sizeof(bytes)] = take();
	}
	lacp_receive(slot->port, bytes, sizeof(bytes), now_ms);
}

static void hear_marker(struct slot *slot)
{
	const struct lacp_marker marker = { .transaction_id = take() };
	uint8_t bytes[LACP_FRAME_LEN];

	lacp_marker_encode(&marker, false, 1, bytes);
	lacp_receive(slot->port, bytes, sizeof(bytes), now_ms);
}

static void hear_bytes(struct slot *slot)
{
	size_t len = MIN((size_t)take(), input_left);
	uint8_t *bytes = xmalloc(len ? len : 1);

	fuzz_take(&input, &input_left, bytes, len);
	lacp_receive(slot->port, bytes, len, now_ms);
	free(bytes);
}

/* Runs when it is due, and that is not often. */
static void advance(uint64_t ms)
{
	uint64_t end_ms = now_ms + ms, next_ms, n = 0;

	while ((next_ms = lacp_next_ms(lacp)) <= end_ms) {
		MUST(next_ms > now_ms);
		MUST(n++ < PORTS * (20 + ms / 1000 * 4));
		now_ms = next_ms;
		lacp_run(lacp, now_ms);
		check();
	}
	now_ms = end_ms;
}

static void set_link(struct slot *slot, uint8_t how)
{
	static const uint64_t speeds[] = { 10, 10, 10, 1 };

	slot->up = how & 1;
	lacp_port_set_link(slot->port, slot->up, 0x020000000100,
			   speeds[how >> 1 & 3] * 1000000000, how & 0x38,
			   now_ms);
}

static void configure(uint8_t how)
{
	config.mode = how & 3 ? LACP_ACTIVE : take() & 1;
	config.fast = how & 4;
	config.system_id = 0xaa + (how >> 5 & 1);
	config.key = 1 + (how >> 6 & 1);
	lacp_configure(lacp, &config, now_ms);
}

static void configure_port(struct slot *slot, uint8_t how)
{
	slot->config.key = how & 1;
	slot->config.priority = how & 6;
	slot->config.id = 1 + (slot - slots) + (how >> 3 & 1) * 10;
	lacp_configure_port(slot->port, &slot->config, now_ms);
}

static void set_usable(struct slot *slot, uint8_t how)
{
	slot->usable = how & 1;
	if (slot->usable || !(how & 2)) {
		lacp_port_set_usable(slot->port, slot->usable, now_ms);
		return;
	}
	slot->goes = true;
	lacp_port_leave(slot->port, now_ms);
	slot->goes = false;
}

static void step(void)
{
	uint8_t op = take(), how = take();
	unsigned i = op >> 4 & 3;
	struct slot *slot = &slots[i < PORTS ? i : 0];

	switch (op & 15) {
	case 0:
		advance(how);
		return;
	case 1:
		advance(how * 100);
		return;
	case 2:
		configure(how);
		return;
	case 3:
		if (how & 7)
			break;
		if (slot->port)
			unplug(slot);
		else
			plug(slot - slots);
		return;
	}
	if (!slot->port)
		return;
	switch (op & 15) {
	case 4:
		configure_port(slot, how);
		break;
	case 5:
	case 6:
		set_link(slot, how);
		break;
	case 7:
		hear_bytes(slot);
		break;
	case 8:
		hear_marker(slot);
		break;
	case 15:
		set_usable(slot, how);
		break;
	default:
		hear_pdu(slot, how);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct lacp_ops ops = { .send = send, .changed = changed };

	input = data;
	input_left = size;
	now_ms = 1000;
	memset(slots, 0, sizeof(slots));
	config = (struct lacp_config){ .mode = LACP_ACTIVE,
				       .fast = true,
				       .system_priority = 1,
				       .system_id = 0xaa,
				       .key = 1 };
	lacp = lacp_create(&ops, NULL);
	lacp_configure(lacp, &config, now_ms);
	for (unsigned i = 0; i < PORTS; i++) {
		plug(i);
		slots[i].up = true;
		set_link(&slots[i], 0x9);
	}
	for (unsigned n = 0; n < STEPS_MAX && input_left; n++) {
		step();
		check();
	}
	advance(200000);
	lacp_destroy(lacp);
	return 0;
}
