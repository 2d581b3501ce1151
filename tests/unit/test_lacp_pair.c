/*
 * Systems that run LACP, wired together, through virtual time: frames take a
 * millisecond, are lost, links flap, systems are replaced. In the end both ends
 * of each link agree, and at no time does one distribute to another that does
 * not collect for longer than a frame takes to say so.
 */
#include "lacp_fixture.h"

#define SYSTEMS	   3
#define WIRES	   3
#define LATENCY_MS 1
#define FLYING_MAX 256

struct wire;

struct end {
	struct wire *wire;
	struct lacp_port *port;
	unsigned system;
};

struct wire {
	struct end ends[2];
	bool up;
};

struct flying {
	struct end *to;
	uint64_t at_ms;
	size_t len;
	uint8_t frame[LACP_FRAME_LEN];
};

static struct lacp *systems[SYSTEMS];
static struct wire wires[WIRES];
static struct flying flying[FLYING_MAX];
static unsigned first_flying, n_flying, n_sent, loss_percent;
static uint64_t now_ms;
static uint32_t seed;

static unsigned random_below(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void send(struct lacp_port *port, const void *frame, size_t len,
		 void *arg)
{
	struct end *from = lacp_port_owner(port);
	struct wire *wire = from->wire;
	struct flying *f;

	n_sent++;
	if (!wire->up || random_below(100) < loss_percent)
		return;
	assert_true(n_flying < FLYING_MAX);
	f = &flying[(first_flying + n_flying++) % FLYING_MAX];
	f->to = &wire->ends[from == &wire->ends[0]];
	f->at_ms = now_ms + LATENCY_MS;
	f->len = len;
	memcpy(f->frame, frame, len);
}

static void changed(void *arg)
{
}

static void deliver(void)
{
	struct flying f = flying[first_flying];

	first_flying = (first_flying + 1) % FLYING_MAX;
	n_flying--;
	if (f.to->port && f.to->wire->up)
		lacp_receive(f.to->port, f.frame, f.len, now_ms);
}

static uint64_t next_ms(void)
{
	uint64_t next = n_flying ? flying[first_flying].at_ms : UINT64_MAX;

	for (unsigned i = 0; i < SYSTEMS; i++)
		if (systems[i])
			next = MIN(next, lacp_next_ms(systems[i]));
	return next;
}

static void advance(uint64_t ms)
{
	uint64_t end_ms = now_ms + ms, next;

	while ((next = next_ms()) <= end_ms) {
		assert_true(next >= now_ms);
		now_ms = next;
		while (n_flying && flying[first_flying].at_ms <= now_ms)
			deliver();
		for (unsigned i = 0; i < SYSTEMS; i++)
			if (systems[i])
				lacp_run(systems[i], now_ms);
	}
	now_ms = end_ms;
}

static void set_link(struct wire *wire, bool up)
{
	wire->up = up;
	for (unsigned i = 0; i < 2; i++)
		if (wire->ends[i].port)
			lacp_port_set_link(wire->ends[i].port, up,
					   0x020000001000 + i, TEST_SPEED, true,
					   now_ms);
}

static void start_system(unsigned i, enum lacp_mode mode, bool fast)
{
	const struct lacp_ops ops = { .send = send, .changed = changed };
	const struct lacp_config config = {
		.mode = mode,
		.fast = fast,
		.system_priority = 32768,
		.system_id = TEST_SYSTEM + i,
		.key = 1 + i,
	};

	systems[i] = lacp_create(&ops, NULL);
	lacp_configure(systems[i], &config, now_ms);
}

static void plug(unsigned w, unsigned e, unsigned system)
{
	const struct lacp_port_config config = { .id = 1 + w, .priority = 1 };
	struct end *end = &wires[w].ends[e];

	end->wire = &wires[w];
	end->system = system;
	end->port = lacp_add_port(systems[system], &config, end, now_ms);
	if (wires[w].up)
		lacp_port_set_link(end->port, true, 0x020000001000 + e,
				   TEST_SPEED, true, now_ms);
}

/* Killed: it says nothing, and the links stay up. */
static void kill_system(unsigned i)
{
	lacp_destroy(systems[i]);
	systems[i] = NULL;
	for (unsigned w = 0; w < WIRES; w++)
		for (unsigned e = 0; e < 2; e++)
			if (wires[w].ends[e].system == i)
				wires[w].ends[e].port = NULL;
}

static int reset(void **state)
{
	for (unsigned i = 0; i < SYSTEMS; i++)
		if (systems[i])
			lacp_destroy(systems[i]);
	memset(systems, 0, sizeof(systems));
	memset(wires, 0, sizeof(wires));
	first_flying = n_flying = loss_percent = 0;
	now_ms = 1000;
	seed = 7;
	return 0;
}

/* Systems 0 and 1 by all wires. */
static void connect(enum lacp_mode mode0, bool fast0, enum lacp_mode mode1,
		    bool fast1)
{
	reset(NULL);
	start_system(0, mode0, fast0);
	start_system(1, mode1, fast1);
	for (unsigned w = 0; w < WIRES; w++) {
		plug(w, 0, 0);
		plug(w, 1, 1);
		set_link(&wires[w], true);
	}
}

static bool distributes(unsigned w, unsigned e)
{
	return lacp_port_may_distribute(wires[w].ends[e].port);
}

/* Bit w: both ends of the wire distribute. They agree on each. */
static unsigned working(void)
{
	unsigned mask = 0;

	for (unsigned w = 0; w < WIRES; w++) {
		assert_int_equal(distributes(w, 0), distributes(w, 1));
		mask |= distributes(w, 0) << w;
	}
	return mask;
}

static const struct pairing {
	enum lacp_mode mode0, mode1;
	bool fast0, fast1;
} pairings[] = {
	{ LACP_ACTIVE, LACP_ACTIVE, false, false },
	{ LACP_ACTIVE, LACP_ACTIVE, false, true },
	{ LACP_ACTIVE, LACP_ACTIVE, true, false },
	{ LACP_ACTIVE, LACP_ACTIVE, true, true },
	{ LACP_ACTIVE, LACP_PASSIVE, false, false },
	{ LACP_ACTIVE, LACP_PASSIVE, false, true },
	{ LACP_ACTIVE, LACP_PASSIVE, true, false },
	{ LACP_ACTIVE, LACP_PASSIVE, true, true },
	{ LACP_PASSIVE, LACP_ACTIVE, false, false },
	{ LACP_PASSIVE, LACP_ACTIVE, false, true },
	{ LACP_PASSIVE, LACP_ACTIVE, true, false },
	{ LACP_PASSIVE, LACP_ACTIVE, true, true },
};

static void connect_pairing(const struct pairing *p)
{
	connect(p->mode0, p->fast0, p->mode1, p->fast1);
}

static void all_pairings(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pairings); i++) {
		const struct pairing *p = &pairings[i];

		connect_pairing(p);
		/* And a second, when one is the fourth frame of its second. */
		advance(LACP_AGGREGATE_WAIT_MS + LACP_FAST_PERIODIC_MS + 100);
		assert_int_equal(working(), 7);
		advance(5000);
		n_sent = 0;
		advance(600000);
		assert_int_equal(working(), 7);
		/* Each sends as often as the other asks for. */
		assert_int_equal(n_sent, WIRES * ((p->fast0 ? 600 : 20) +
						  (p->fast1 ? 600 : 20)));
	}
}

/* Nobody begins: nothing is sent and nothing works. */
static void both_passive(void **state)
{
	connect(LACP_PASSIVE, true, LACP_PASSIVE, true);
	n_sent = 0;
	advance(100000);
	assert_int_equal(working(), 0);
	assert_int_equal(n_sent, 0);
	assert_int_equal(lacp_get_status(systems[0]), LACP_CONFIGURED);
}

/*
 * A third of all frames lost while they negotiate: that of slow ones may take
 * until the next that is sent for another reason.
 */
static void loss(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pairings); i++)
		for (unsigned round = 0; round < 20; round++) {
			connect_pairing(&pairings[i]);
			seed = 1000 * i + round;
			loss_percent = 33;
			advance(10000);
			loss_percent = 0;
			advance(100000);
			assert_int_equal(working(), 7);
		}
}

/* Links up and down at random; with each one that is up they work at last. */
static void flaps(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pairings); i++) {
		connect_pairing(&pairings[i]);
		for (unsigned n = 0; n < 200; n++) {
			struct wire *wire = &wires[random_below(WIRES)];

			set_link(wire, !wire->up);
			advance(random_below(3000));
			for (unsigned w = 0; w < WIRES; w++)
				if (!wires[w].up) {
					assert_false(distributes(w, 0));
					assert_false(distributes(w, 1));
				}
		}
		for (unsigned w = 0; w < WIRES; w++)
			set_link(&wires[w], w != 1);
		advance(5000);
		assert_int_equal(working(), 5);
		set_link(&wires[1], true);
		advance(5000);
		assert_int_equal(working(), 7);
	}
}

/* A link that was away for a moment works with the first frames after it. */
static void short_flap(void **state)
{
	connect(LACP_ACTIVE, false, LACP_ACTIVE, false);
	advance(10000);
	set_link(&wires[1], false);
	advance(500);
	assert_int_equal(working(), 5);
	set_link(&wires[1], true);
	advance(10);
	assert_int_equal(working(), 7);
}

/* One end alone fails to see the link go; it hears no more. */
static void one_way(void **state)
{
	connect(LACP_ACTIVE, true, LACP_ACTIVE, true);
	advance(10000);
	wires[2].up = false; /* told to nobody */
	advance(3100);
	assert_int_equal(working(), 3);
	wires[2].up = true;
	advance(5000);
	assert_int_equal(working(), 7);
}

/* A partner killed and started again, with the links up all the time. */
static void restart(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pairings); i++) {
		const struct pairing *p = &pairings[i];

		connect_pairing(p);
		advance(10000);
		kill_system(1);
		advance(1500);
		start_system(1, p->mode1, p->fast1);
		for (unsigned w = 0; w < WIRES; w++)
			plug(w, 1, 1);
		advance(p->mode1 == LACP_ACTIVE || p->fast0 ? 5000 : 100000);
		assert_int_equal(working(), 7);
	}
}

/* Another system is behind the links, and then nobody. */
static void changed_partner(void **state)
{
	connect(LACP_ACTIVE, true, LACP_ACTIVE, true);
	advance(10000);
	assert_int_equal(working(), 7);
	kill_system(1);
	start_system(2, LACP_ACTIVE, true);
	for (unsigned w = 0; w < WIRES; w++)
		plug(w, 1, 2);
	advance(5000);
	assert_int_equal(working(), 7);
	kill_system(2);
	advance(2900);
	assert_true(distributes(0, 0));
	advance(200);
	assert_false(distributes(0, 0));
	advance(3000);
	assert_int_equal(lacp_get_status(systems[0]), LACP_CONFIGURED);
}

/* A wire goes to another system: it is left out, until it is the only one. */
static void miswired(void **state)
{
	for (unsigned wrong = 0; wrong < WIRES; wrong++) {
		reset(NULL);
		for (unsigned i = 0; i < SYSTEMS; i++)
			start_system(i, LACP_ACTIVE, i & 1);
		for (unsigned w = 0; w < WIRES; w++) {
			plug(w, 0, 0);
			plug(w, 1, w == wrong ? 2 : 1);
			set_link(&wires[w], true);
		}
		advance(5000);
		assert_int_equal(working(), 7 & ~(1u << wrong));
		for (unsigned w = 0; w < WIRES; w++)
			set_link(&wires[w], w == wrong);
		advance(5000);
		assert_int_equal(working(), 1u << wrong);
		/* And what carries traffic stays. */
		for (unsigned w = 0; w < WIRES; w++)
			set_link(&wires[w], true);
		advance(50000);
		assert_int_equal(working(), 1u << wrong);
	}
}

/* LACP is turned off at one end: the other hears of it, and on again. */
static void off_and_on(void **state)
{
	struct lacp_config config;
	enum lacp_mode mode;

	for (unsigned i = 0; i < ARRAY_SIZE(pairings); i++) {
		connect_pairing(&pairings[i]);
		advance(10000);
		lacp_get_config(systems[1], &config);
		mode = config.mode;
		config.mode = LACP_OFF;
		lacp_configure(systems[1], &config, now_ms);
		advance(10);
		assert_int_equal(working(), 0);
		advance(2000);
		config.mode = mode;
		lacp_configure(systems[1], &config, now_ms);
		/* A passive one is spoken to within a second. */
		advance(5000);
		assert_int_equal(working(), 7);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_pairings), TEST(both_passive),	   TEST(loss),
		TEST(flaps),	    TEST(short_flap),	   TEST(one_way),
		TEST(restart),	    TEST(changed_partner), TEST(miswired),
		TEST(off_and_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
