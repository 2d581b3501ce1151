/* Neighbours are told after a change: whom, by what, how fast, and how often.
 */
#include "bond_fixture.h"
#include "packet/neighbor.h"

#define ETH_RARP 0x8035
#define ETH_ARP	 0x0806
#define ETH_IPV6 0x86dd

static struct bond_fixture f;

static int setup(void **state)
{
	bond_fixture_start(&f, 2);
	return 0;
}

static int teardown(void **state)
{
	bond_fixture_stop(&f);
	return 0;
}

static uint64_t station_mac(unsigned i)
{
	/* in no order */
	return 0x020000000000 + (i * 7919) % 65521;
}

static void have_stations(unsigned n)
{
	f.n_stations = n;
	for (unsigned i = 0; i < n; i++) {
		f.stations[i].mac = station_mac(i);
		f.stations[i].vid = (uint16_t)(i % 3);
	}
}

static uint16_t type_of(const struct noted *n)
{
	return load_be16(n->frame + 12);
}

static unsigned count_type(uint16_t type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f.n_noted; i++)
		n += type_of(&f.noted[i]) == type;
	return n;
}

static unsigned count_station(unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < f.n_noted; k++)
		n += load_mac(f.noted[k].frame + 6) == f.stations[i].mac &&
		     f.noted[k].vid == f.stations[i].vid;
	return n;
}

static void known_addresses_are_told(void **state)
{
	const uint8_t ip4[] = { 10, 0, 0, 1 }, other4[] = { 10, 0, 0, 2 };
	const uint8_t ip6[16] = { 0xfe, 0x80, [15] = 9 };
	struct neighbor neighbor;

	have_stations(3);
	bond_fixture_configure(&f);
	assert_true(bond_wants_addresses(f.bond));
	fixture_links_up(&f);
	bond_learn_address(f.bond, station_mac(1), 1, ip4, 4, f.now);
	bond_learn_address(f.bond, station_mac(1), 1, other4, 4, f.now);
	bond_learn_address(f.bond, station_mac(1), 1, ip6, 16, f.now);
	bond_learn_address(f.bond, station_mac(2), 0, ip4, 4, f.now); /* VLAN */
	fixture_link(&f, 0, false);
	fixture_pass(&f, 10);
	assert_int_equal(f.n_noted, 5);
	assert_int_equal(count_type(ETH_ARP), 2);
	assert_int_equal(count_type(ETH_IPV6), 1);
	assert_int_equal(count_type(ETH_RARP), 2);
	for (unsigned i = 0; i < f.n_noted; i++) {
		const struct noted *n = &f.noted[i];

		assert_int_equal(n->member, BOND_NO_MEMBER);
		if (type_of(n) == ETH_RARP)
			continue;
		assert_true(neighbor_parse(n->frame, n->len, &neighbor));
		assert_true(neighbor.gratuitous);
		assert_true(neighbor.mac == station_mac(1));
	}
	/* Again, after a second; and no more. */
	fixture_pass(&f, 985);
	assert_int_equal(f.n_noted, 5);
	fixture_pass(&f, 10);
	assert_int_equal(f.n_noted, 10);
	fixture_pass(&f, 100000);
	assert_int_equal(f.n_noted, 10);
}

/* A virtual router has moved: only whoever has the address now is told of. */
static void an_address_has_one_owner(void **state)
{
	const uint8_t ip4[] = { 10, 0, 0, 254 }, own4[] = { 10, 0, 0, 1 };
	const uint8_t ip6[16] = { 0xfe, 0x80, [15] = 9 };
	struct neighbor n;

	have_stations(2);
	f.stations[0].vid = f.stations[1].vid = 0;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_learn_address(f.bond, station_mac(0), 0, own4, 4, f.now);
	bond_learn_address(f.bond, station_mac(0), 0, ip4, 4, f.now);
	bond_learn_address(f.bond, station_mac(0), 0, ip6, 16, f.now);
	/* in another VLAN it is another address */
	bond_learn_address(f.bond, station_mac(1), 7, ip6, 16, f.now);
	bond_learn_address(f.bond, station_mac(1), 0, ip4, 4, f.now);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 10);
	assert_int_equal(f.n_noted, 3);
	assert_int_equal(count_type(ETH_RARP), 0);
	for (unsigned i = 0; i < f.n_noted; i++) {
		assert_true(
			neighbor_parse(f.noted[i].frame, f.noted[i].len, &n));
		assert_true(n.mac == station_mac(!memcmp(n.ip, ip4, 4)));
	}
	/* and back, to a station that says nothing else */
	bond_learn_address(f.bond, station_mac(0), 0, ip4, 4, f.now);
	fixture_link(&f, 0, true);
	fixture_pass(&f, 5000);
	f.n_noted = 0;
	fixture_link(&f, 1, false);
	fixture_pass(&f, 10);
	assert_int_equal(count_type(ETH_RARP), 1);
	assert_int_equal(count_type(ETH_ARP), 2);
	assert_int_equal(count_type(ETH_IPV6), 1);
}

/* It is behind the bond now: nobody here is told of with it. */
static void an_address_leaves_the_bridge(void **state)
{
	const uint8_t ip4[] = { 10, 0, 0, 254 };

	have_stations(1);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_learn_address(f.bond, station_mac(0), 0, ip4, 4, f.now);
	/* what comes back of our own announcement says nothing */
	bond_disown_address(f.bond, station_mac(0), 0, ip4, 4);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 10);
	assert_int_equal(count_type(ETH_ARP), 1);
	fixture_link(&f, 0, true);
	fixture_pass(&f, 5000);
	f.n_noted = 0;
	bond_disown_address(f.bond, 0x060000000001, 0, ip4, 4);
	fixture_link(&f, 1, false);
	fixture_pass(&f, 10);
	assert_int_equal(f.n_noted, 1);
	assert_int_equal(count_type(ETH_RARP), 1);
}

/* The bridge's own port has another MAC; it has said nothing since. */
static void a_station_has_another_mac(void **state)
{
	const uint8_t ip4[] = { 10, 0, 0, 1 };
	struct neighbor n;

	have_stations(1);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_learn_address(f.bond, station_mac(0), 0, ip4, 4, f.now);
	bond_rename_station(f.bond, station_mac(0), 0x060000000001);
	f.stations[0].mac = 0x060000000001;
	fixture_link(&f, 0, false);
	fixture_pass(&f, 10);
	assert_int_equal(f.n_noted, 1);
	assert_true(neighbor_parse(f.noted[0].frame, f.noted[0].len, &n));
	assert_true(n.mac == 0x060000000001 && !memcmp(n.ip, ip4, 4));
}

static void addresses_are_forgotten(void **state)
{
	const uint8_t ip4[] = { 10, 0, 0, 1 };

	have_stations(1);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	bond_learn_address(f.bond, station_mac(0), 0, ip4, 4, f.now);
	fixture_pass(&f, 3600001);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 10);
	assert_int_equal(count_type(ETH_RARP), 1);
	assert_int_equal(count_type(ETH_ARP), 0);
}

/* A stranger names himself thousands of times. */
static void addresses_are_bounded(void **state)
{
	uint8_t ip4[4] = { 10 }, ip6[16] = { 0xfe, 0x80 };

	have_stations(1);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	for (unsigned i = 0; i < 100000; i++) {
		store_be32(ip4, 0x0a000000 + i);
		store_be32(ip6 + 12, i);
		bond_learn_address(f.bond, station_mac(0), 0, ip4, 4, f.now);
		bond_learn_address(f.bond, station_mac(0), 0, ip6, 16, f.now);
		bond_learn_address(f.bond, 0x060000000000 + i, 5, ip4, 4,
				   f.now);
		bond_learn_address(f.bond, station_mac(0), 0, ip4, 5, f.now);
	}
	fixture_link(&f, 0, false);
	fixture_pass(&f, 500);
	assert_int_equal(count_type(ETH_ARP), 4);
	assert_int_equal(count_type(ETH_IPV6), 8);
}

/* At no time more than the burst and one a millisecond. */
static void paced(void **state)
{
	uint64_t start;

	have_stations(2000);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	start = f.now;
	fixture_link(&f, 0, false);
	fixture_pass(&f, 20000);
	assert_int_equal(f.n_noted, 4000);
	for (unsigned i = 0; i < f.n_noted; i++)
		assert_in_range(i, 0, 64 + (f.noted[i].at - start));
	for (unsigned i = 0; i < f.n_stations; i++)
		assert_int_equal(count_station(i), 2);
	assert_in_range(f.noted[1999].at - start, 1900, 2100);
}

/* Some are not there any more when their turn comes, others are new. */
static void stations_come_and_go(void **state)
{
	have_stations(1500);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 300);
	for (unsigned i = 0; i < 500; i++)
		f.stations[i].mac += 0x040000000000;
	fixture_pass(&f, 20000);
	for (unsigned i = 500; i < 1500; i++)
		assert_int_equal(count_station(i), 2);
	for (unsigned i = 0; i < 500; i++)
		assert_in_range(count_station(i), 1, 2);
}

static void a_later_change_starts_over(void **state)
{
	have_stations(100);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 20);
	fixture_link(&f, 0, true);
	f.n_noted = 0;
	fixture_link(&f, 1, false);
	fixture_pass(&f, 20000);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(count_station(i), 2);
}

static void slb_tells_what_moved(void **state)
{
	struct bond_table before;
	unsigned n_moved = 0;

	f.config.policy = BOND_BALANCE_SLB;
	f.config.rebalance_ms = 0;
	have_stations(200);
	for (unsigned i = 0; i < 200; i++)
		f.stations[i].vid = 0;
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	before = *f.table;
	fixture_link(&f, 1, false);
	fixture_pass(&f, 20000);
	for (unsigned i = 0; i < 200; i++) {
		unsigned b = bond_hash_slb(f.stations[i].mac, 0, 0);
		bool moved = before.member[b] == 1;

		n_moved += moved;
		assert_int_equal(count_station(i), moved ? 2 : 0);
	}
	assert_in_range(n_moved, 50, 150);
}

static void some_policies_tell_nothing(void **state)
{
	have_stations(10);
	f.config.policy = BOND_IP_HASH;
	bond_fixture_configure(&f);
	assert_false(bond_wants_addresses(f.bond));
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 5000);
	assert_int_equal(f.n_noted, 0);
	f.config.policy = BOND_PORT_ID;
	bond_fixture_configure(&f);
	fixture_pass(&f, 5000);
	f.n_noted = 0;
	fixture_link(&f, 0, true);
	fixture_pass(&f, 5000);
	assert_int_equal(f.n_noted, 20);
}

/* With all links down there is nobody to tell. */
static void nobody_to_tell(void **state)
{
	struct bond_status s;

	have_stations(1000);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	fixture_link(&f, 0, false);
	fixture_pass(&f, 50);
	fixture_link(&f, 1, false);
	f.n_noted = 0;
	fixture_pass(&f, 50000);
	assert_int_equal(f.n_noted, 0);
	fixture_link(&f, 1, true);
	fixture_pass(&f, 50000);
	assert_int_equal(f.n_noted, 2000);
	bond_get_status(f.bond, f.now, &s);
	assert_in_range(s.n_announced, 2000 + 2000 + 64, 2000 + 2000 + 200);
}

/* The second time comes a second after the first, however late that was. */
static void rounds_keep_apart(void **state)
{
	have_stations(10);
	bond_fixture_configure(&f);
	fixture_links_up(&f);
	f.no_tables = true;
	fixture_link(&f, 0, false);
	f.n_noted = 0;
	fixture_pass(&f, 5000);
	assert_int_equal(f.n_noted, 20);
	assert_true(f.noted[10].at >= f.noted[9].at + 1000);
	f.no_tables = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_addresses_are_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_address_has_one_owner, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_address_leaves_the_bridge,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_station_has_another_mac,
						setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_are_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(addresses_are_bounded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(paced, setup, teardown),
		cmocka_unit_test_setup_teardown(stations_come_and_go, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_later_change_starts_over,
						setup, teardown),
		cmocka_unit_test_setup_teardown(slb_tells_what_moved, setup,
						teardown),
		cmocka_unit_test_setup_teardown(some_policies_tell_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_to_tell, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rounds_keep_apart, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
