/* Beacons: members that do not hear each other, and what strangers send. */
#include "bond_fixture.h"
#include "packet/beacon.h"

static struct bond_fixture f;

static int setup(void **state)
{
	bond_fixture_start(&f, 3);
	f.config.detect = BOND_DETECT_BEACON;
	f.hub = true;
	bond_fixture_configure(&f);
	for (unsigned i = 0; i < 3; i++)
		fixture_link(&f, i, true);
	fixture_pass(&f, 10000);
	f.n_noted = 0;
	return 0;
}

static int teardown(void **state)
{
	bond_fixture_stop(&f);
	return 0;
}

static void all_hear_each_other(void **state)
{
	struct bond_member_status s;
	struct bond_status bs;

	assert_true(bond_wants_beacons(f.bond));
	for (unsigned i = 0; i < 3; i++) {
		bond_get_member_status(fixture_member(&f, i), f.now, &s);
		assert_true(s.enabled && s.beacons_heard);
	}
	fixture_pass(&f, 10000);
	assert_int_equal(f.n_noted, 30); /* one each second and member */
	bond_get_status(f.bond, f.now, &bs);
	assert_int_equal(bs.n_foreign_beacons, 0);
}

static void cut_off_is_down(void **state)
{
	struct bond_member_status s;
	uint64_t start = f.now;

	f.deaf = f.mute = 1 << 0;
	while (fixture_enabled(&f, 0) && f.now - start < 10000)
		fixture_pass(&f, 50);
	assert_in_range(f.now - start, 2000, 3350);
	assert_int_equal(fixture_active(&f), 1);
	bond_get_member_status(fixture_member(&f, 0), f.now, &s);
	assert_true(s.link_up && !s.beacons_heard && !s.may_enable);
	/* It is tried on, and is back as soon as it is heard and hears. */
	f.deaf = f.mute = 0;
	fixture_pass(&f, 1100);
	assert_true(fixture_enabled(&f, 0));
}

static void hears_nobody_is_down(void **state)
{
	f.deaf = 1 << 2;
	fixture_pass(&f, 5000);
	assert_false(fixture_enabled(&f, 2));
	assert_true(fixture_enabled(&f, 0) && fixture_enabled(&f, 1));
}

static void nobody_hears_anybody(void **state)
{
	f.hub = false;
	fixture_pass(&f, 20000);
	for (unsigned i = 0; i < 3; i++)
		assert_true(fixture_enabled(&f, i));
}

/* Of two that are left nobody knows which is cut off. */
static void two_are_left(void **state)
{
	fixture_link(&f, 2, false);
	f.deaf = f.mute = 1 << 0;
	fixture_pass(&f, 10000);
	assert_true(fixture_enabled(&f, 0) && fixture_enabled(&f, 1));
}

/* Who was cut off first is known, although nobody hears anybody then. */
static void the_first_of_two_stays_down(void **state)
{
	f.deaf = f.mute = 1 << 0;
	fixture_pass(&f, 10000);
	assert_false(fixture_enabled(&f, 0));
	f.deaf = f.mute = 1 << 0 | 1 << 1;
	fixture_pass(&f, 60000);
	assert_false(fixture_enabled(&f, 0));
	assert_true(fixture_enabled(&f, 1) && fixture_enabled(&f, 2));
	assert_int_not_equal(fixture_active(&f), 0);
	/* Something is configured: what is known holds. */
	f.config.beacon_ms = 900;
	f.members[1].role = BOND_ROLE_STANDBY;
	bond_fixture_configure(&f);
	fixture_pass(&f, 60000);
	assert_false(fixture_enabled(&f, 0));
	/* It hears, or is heard: that is enough. */
	f.deaf = f.mute = 0;
	fixture_pass(&f, 1100);
	assert_true(fixture_enabled(&f, 0) && fixture_enabled(&f, 1));
}

static void a_new_link_is_trusted(void **state)
{
	f.deaf = f.mute = 1 << 0;
	fixture_pass(&f, 10000);
	f.deaf = f.mute = 1 << 0 | 1 << 1;
	fixture_pass(&f, 10000);
	assert_false(fixture_enabled(&f, 0));
	fixture_link(&f, 0, false);
	fixture_link(&f, 0, true);
	assert_true(fixture_enabled(&f, 0));
	fixture_pass(&f, 60000);
	assert_true(fixture_enabled(&f, 0));
}

/* A link that seems to lead nowhere is better than none. */
static void the_last_one_is_used(void **state)
{
	f.deaf = f.mute = 1 << 0;
	fixture_pass(&f, 10000);
	f.deaf = f.mute = 1 << 0 | 1 << 1;
	fixture_pass(&f, 10000);
	fixture_link(&f, 2, false);
	assert_false(fixture_enabled(&f, 0));
	fixture_link(&f, 1, false);
	assert_true(fixture_enabled(&f, 0));
	assert_int_equal(fixture_active(&f), 0);
	fixture_link(&f, 1, true);
	assert_false(fixture_enabled(&f, 0));
	assert_int_equal(fixture_active(&f), 1);
}

static void a_new_link_gets_time(void **state)
{
	fixture_link(&f, 0, false);
	fixture_pass(&f, 5000);
	f.deaf = f.mute = 1 << 0;
	fixture_link(&f, 0, true);
	fixture_pass(&f, 2500);
	assert_true(fixture_enabled(&f, 0));
	fixture_pass(&f, 2000);
	assert_false(fixture_enabled(&f, 0));
}

static void with_delays(void **state)
{
	f.config.updelay_ms = 5000;
	bond_fixture_configure(&f);
	f.deaf = f.mute = 1 << 0;
	fixture_pass(&f, 4000);
	assert_false(fixture_enabled(&f, 0));
	f.deaf = f.mute = 0;
	fixture_pass(&f, 4500);
	assert_false(fixture_enabled(&f, 0));
	fixture_pass(&f, 2000);
	assert_true(fixture_enabled(&f, 0));
}

static uint64_t foreign(void)
{
	struct bond_status s;

	bond_get_status(f.bond, f.now, &s);
	return s.n_foreign_beacons;
}

static void strangers(void **state)
{
	struct bond_member *b = fixture_member(&f, 1);
	uint8_t frame[BEACON_FRAME_LEN];
	struct beacon beacon;

	fixture_pass(&f, 1000);
	assert_true(f.n_noted >= 3 && f.noted[0].member == 0);
	memcpy(frame, f.noted[0].frame, sizeof(frame));
	assert_true(beacon_parse(frame, sizeof(frame), &beacon));
	assert_true(beacon.mac == fixture_mac(0));
	assert_true(load_mac(frame) == MAC_BROADCAST);
	/* heard before */
	bond_receive_beacon(b, frame, sizeof(frame), f.now);
	assert_int_equal(foreign(), 1);
	/* not sent yet */
	beacon.sequence += 1;
	beacon_write(&beacon, frame);
	bond_receive_beacon(b, frame, sizeof(frame), f.now);
	assert_int_equal(foreign(), 2);
	/* another bond's, nobody's, and none */
	beacon.identity ^= 1;
	beacon_write(&beacon, frame);
	bond_receive_beacon(b, frame, sizeof(frame), f.now);
	beacon.identity ^= 1;
	beacon.mac = 0x020000000bad;
	beacon_write(&beacon, frame);
	bond_receive_beacon(b, frame, sizeof(frame), f.now);
	bond_receive_beacon(b, frame, 20, f.now);
	bond_receive_beacon(b, frame, 0, f.now);
	assert_int_equal(foreign(), 6);
}

/* Two bonds with the same name and members are told apart. */
static void another_bond_of_the_same_name(void **state)
{
	static struct bond_fixture other;

	bond_fixture_start(&other, 3);
	other.config.detect = BOND_DETECT_BEACON;
	bond_fixture_configure(&other);
	for (unsigned i = 0; i < 3; i++)
		fixture_link(&other, i, true);
	fixture_pass(&other, 100);
	for (unsigned i = 0; i < other.n_noted; i++)
		bond_receive_beacon(fixture_member(&f, 0), other.noted[i].frame,
				    other.noted[i].len, f.now);
	assert_int_equal(foreign(), other.n_noted);
	assert_true(other.n_noted > 0);
	bond_fixture_stop(&other);
}

static void switched_off(void **state)
{
	f.deaf = f.mute = 1 << 0;
	fixture_pass(&f, 5000);
	assert_false(fixture_enabled(&f, 0));
	f.config.detect = BOND_DETECT_CARRIER;
	bond_fixture_configure(&f);
	assert_true(fixture_enabled(&f, 0));
	assert_false(bond_wants_beacons(f.bond));
	fixture_pass(&f, 5000);
	assert_true(bond_next_ms(f.bond) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_hear_each_other, setup,
						teardown),
		cmocka_unit_test_setup_teardown(cut_off_is_down, setup,
						teardown),
		cmocka_unit_test_setup_teardown(hears_nobody_is_down, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nobody_hears_anybody, setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_are_left, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_of_two_stays_down,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_link_is_trusted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_last_one_is_used, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_new_link_gets_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(with_delays, setup, teardown),
		cmocka_unit_test_setup_teardown(strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(another_bond_of_the_same_name,
						setup, teardown),
		cmocka_unit_test_setup_teardown(switched_off, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
