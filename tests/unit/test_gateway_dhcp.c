/*
 * The DHCPv4 server's leases, by the clauses of RFC 2131, in virtual time.
 * tests/net/test_segment.py has real clients.
 */
#include "dhcp_fixture.h"

static void rfc2131_3_1_allocation(void **state)
{
	struct message m = { .mac = MAC(1),
			     .name = "VM1.x.org",
			     .id = "\1abc" };
	uint32_t ip = get_lease(&m);
	const uint8_t *data;

	assert_in_range(ip, FIRST, FIRST + 9);
	assert_int_equal(n_changed, 1);
	assert_int_equal(changed.state, DHCP_BOUND);
	assert_int_equal(changed.expires_ms, now + 3600000);
	assert_string_equal(changed.hostname, "vm1");
	assert_int_equal(answer32(OPTION_LEASE_TIME), 3600);
	assert_int_equal(answer32(OPTION_T1), 1800); /* RFC 2131 4.4.5 */
	assert_int_equal(answer32(OPTION_T2), 3150);
	assert_int_equal(answer32(OPTION_SERVER_ID), SERVER);
	assert_int_equal(answer32(OPTION_MASK), 0xffffff00);
	assert_int_equal(answer32(OPTION_ROUTER), SERVER);
	/* RFC 6842 */
	assert_int_equal(answer_option(OPTION_CLIENT_ID, &data), 4);
	assert_memory_equal(data, "\1abc", 4);
	assert_ptr_not_equal(dhcp_find_name(dhcp, "vm1"), NULL);
}

static void rfc2131_4_1_destinations(void **state)
{
	struct message m = { .mac = MAC(1), .type = DHCP_DISCOVER };

	say(&m);
	assert_int_equal(sent_to.mac, MAC(1));
	assert_int_equal(sent_to.ip, your_address());
	m.flags = DHCP_FLAG_BROADCAST;
	say(&m);
	assert_int_equal(sent_to.ip, BROADCAST);
	assert_int_equal(load_be16(sent + 10), DHCP_FLAG_BROADCAST);
	m.flags = 0;
	m.type = DHCP_REQUEST; /* a NAK is broadcast */
	m.requested = 0x0a150001;
	assert_int_equal(say(&m), DHCP_NAK);
	assert_int_equal(sent_to.ip, BROADCAST);
	assert_int_equal(your_address(), 0);
	m.giaddr = SERVER; /* relayed: not served */
	assert_int_equal(say(&m), 0);
}

static void rfc2131_4_3_2_renewing(void **state)
{
	struct message m = { .mac = MAC(1) };
	uint32_t ip = get_lease(&m);

	now += 1800000;
	m.type = DHCP_REQUEST;
	m.ciaddr = ip;
	assert_int_equal(say(&m), DHCP_ACK);
	assert_int_equal(sent_to.ip, ip);
	assert_int_equal(load_be32(sent + 12), ip);
	assert_int_equal(changed.expires_ms, now + 3600000);
	m.ciaddr = ip ^ 1;
	assert_int_equal(say(&m), DHCP_NAK);
}

static void rfc2131_4_3_2_init_reboot(void **state)
{
	struct message m = { .mac = MAC(1) };
	uint32_t ip = get_lease(&m);

	m.type = DHCP_REQUEST;
	m.requested = ip;
	assert_int_equal(say(&m), DHCP_ACK);
	m.mac = MAC(2); /* no record: silent */
	m.requested = ip == FIRST ? FIRST + 1 : FIRST;
	assert_int_equal(say(&m), 0);
	config.authoritative = true;
	reconfigure();
	assert_int_equal(say(&m), DHCP_ACK);
	m.mac = MAC(3);
	m.requested = ip; /* another's */
	assert_int_equal(say(&m), DHCP_NAK);
}

static void rfc2131_3_1_another_server_chosen(void **state)
{
	struct message m = { .mac = MAC(1), .type = DHCP_DISCOVER };

	config.last = config.first;
	reconfigure();
	assert_int_equal(say(&m), DHCP_OFFER);
	m.type = DHCP_REQUEST;
	m.server = SERVER + 1;
	m.requested = FIRST;
	assert_int_equal(say(&m), 0);
	m = (struct message){ .mac = MAC(2), .type = DHCP_DISCOVER };
	assert_int_equal(say(&m), DHCP_OFFER); /* the offer is free again */
	m.type = DHCP_REQUEST;
	m.server = SERVER;
	m.requested = FIRST + 5; /* not what was offered */
	assert_int_equal(say(&m), DHCP_NAK);
}

static void rfc2131_4_3_3_decline(void **state)
{
	struct message m = { .mac = MAC(1) };
	uint32_t ip = get_lease(&m);

	m.type = DHCP_DECLINE;
	m.requested = ip;
	m.server = SERVER;
	assert_int_equal(say(&m), 0);
	assert_int_equal(changed.state, DHCP_DECLINED);
	assert_null(dhcp_find_ip(dhcp, ip));
	for (unsigned i = 2; i < 11; i++) {
		struct message other = { .mac = MAC(i) };

		assert_int_not_equal(get_lease(&other), ip);
	}
	m = (struct message){ .mac = MAC(11), .type = DHCP_DISCOVER };
	assert_int_equal(say(&m), 0);
	now += DHCP_QUARANTINE_MS;
	assert_int_equal(say(&m), DHCP_OFFER);
	assert_int_equal(your_address(), ip);
}

static void rfc2131_4_3_4_release(void **state)
{
	struct message m = { .mac = MAC(1) };
	uint32_t ip = get_lease(&m);

	m.type = DHCP_RELEASE;
	m.ciaddr = ip;
	m.server = SERVER;
	m.mac = MAC(2); /* somebody else cannot */
	assert_int_equal(say(&m), 0);
	assert_ptr_not_equal(dhcp_find_ip(dhcp, ip), NULL);
	m.mac = MAC(1);
	assert_int_equal(say(&m), 0);
	assert_int_equal(changed.state, DHCP_OVER);
	assert_null(dhcp_find_ip(dhcp, ip));
	m = (struct message){ .mac = MAC(1) };
	assert_int_equal(get_lease(&m), ip);
}

static void rfc2131_4_3_5_inform(void **state)
{
	struct message m = { .mac = MAC(1), .type = DHCP_INFORM };
	const uint8_t *data;

	assert_int_equal(say(&m), 0);
	m.ciaddr = SERVER + 200;
	assert_int_equal(say(&m), DHCP_ACK);
	assert_int_equal(your_address(), 0);
	assert_int_equal(sent_to.ip, SERVER + 200);
	assert_int_equal(answer_option(OPTION_LEASE_TIME, &data), 0);
	assert_int_equal(answer32(OPTION_DNS), SERVER);
	assert_int_equal(n_changed, 0);
}

static void leases_expire_and_addresses_come_back(void **state)
{
	struct message m = { .mac = MAC(1) };
	uint32_t ip = get_lease(&m);

	assert_int_equal(dhcp_next_ms(dhcp), now + DHCP_OFFER_MS);
	now += 3599999;
	dhcp_run(dhcp, now);
	assert_ptr_not_equal(dhcp_find_ip(dhcp, ip), NULL);
	assert_int_equal(dhcp_next_ms(dhcp), now + 1);
	dhcp_run(dhcp, ++now);
	assert_null(dhcp_find_ip(dhcp, ip));
	assert_int_equal(changed.state, DHCP_OVER);
	/* nine others do not get it, the tenth does */
	for (unsigned i = 2; i < 11; i++) {
		struct message other = { .mac = MAC(i) };

		assert_int_not_equal(get_lease(&other), ip);
	}
	m.mac = MAC(11);
	assert_int_equal(get_lease(&m), ip);
	assert_int_equal(n_gone, 1);
}

static void a_live_lease_is_never_taken(void **state)
{
	struct message m = { .type = DHCP_DISCOVER };
	uint32_t bound[10];

	for (unsigned i = 0; i < 10; i++) {
		m.mac = MAC(i + 1);
		bound[i] = get_lease(&m);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(bound[i], bound[k]);
	}
	m.mac = MAC(99);
	m.requested = bound[0];
	assert_int_equal(say(&m), 0);
	assert_int_equal(dhcp_counters(dhcp)->exhausted, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dhcp_find_ip(dhcp, bound[i])->mac, MAC(i + 1));
}

static void the_same_client_has_the_same_address_in_a_new_table(void **state)
{
	struct message m = { .mac = MAC(1), .id = "\1machine" };
	uint32_t ip = get_lease(&m);

	dhcp_restart(7);
	assert_int_equal(get_lease(&m), ip);
}

static void clones_with_one_identifier_are_two_clients(void **state)
{
	struct message a = { .mac = MAC(1), .id = "\1machine" };
	struct message b = { .mac = MAC(2), .id = "\1machine" };

	assert_int_not_equal(get_lease(&a), get_lease(&b));
}

static void static_leases_belong_to_a_mac(void **state)
{
	struct dhcp_reservation r = { MAC(7), FIRST + 3, "seven" };
	struct message m = { .mac = MAC(7), .id = "\1pxe" };

	config.reservations = &r;
	config.n_reservations = 1;
	reconfigure();
	for (unsigned i = 20; i < 29; i++) {
		struct message other = { .mac = MAC(i),
					 .name = "seven",
					 .requested = FIRST + 3 };

		assert_int_not_equal(get_lease(&other), FIRST + 3);
		assert_string_equal(changed.hostname, "");
	}
	assert_int_equal(get_lease(&m), FIRST + 3);
	assert_string_equal(changed.hostname, "seven");
	m.id = "\1os"; /* another identifier, the same machine */
	assert_int_equal(get_lease(&m), FIRST + 3);
}

static void limits_hold_for_mac_and_port(void **state)
{
	static const char *const ids[] = { "\1a", "\1b", "\1c", "\1d", "\1e" };
	struct message m = { .mac = MAC(1) };

	for (unsigned i = 0; i < 5; i++) {
		m.id = ids[i];
		assert_int_equal(!!get_lease(&m), i < 4);
	}
	config.last = SERVER + 200;
	config.leases_per_port = 6;
	reconfigure();
	m = (struct message){ .port = 3 };
	for (unsigned i = 0; i < 8; i++) {
		m.mac = MAC(100 + i);
		assert_int_equal(!!get_lease(&m), i < 6);
	}
	m.port = 4;
	assert_int_not_equal(get_lease(&m), 0);
}

static void a_port_has_half_of_the_range(void **state)
{
	struct message m = { .port = 3 };
	unsigned n = 0;

	config.first = SERVER + 1;
	config.last = SERVER + 40;
	config.leases_per_port = 0; /* the default */
	reconfigure();
	for (unsigned i = 0; i < 60; i++) {
		m.mac = MAC(100 + i);
		n += !!get_lease(&m);
	}
	assert_int_equal(n, 20);
	m.port = 4;
	assert_int_not_equal(get_lease(&m), 0);
}

static void invented_macs_hold_few_offers(void **state)
{
	struct message m = { .type = DHCP_DISCOVER, .port = 9 };

	config.last = SERVER + 30;
	reconfigure();
	for (unsigned i = 0; i < 500; i++) {
		m.mac = MAC(1000 + i);
		say(&m);
	}
	m.port = 1;
	m.mac = MAC(1);
	assert_int_not_equal(get_lease(&m), 0);
	assert_int_equal(n_gone, 0);
}

static void leases_are_restored(void **state)
{
	struct message m = { .mac = MAC(1), .name = "vm1" };
	uint32_t ip = get_lease(&m);
	struct dhcp_lease kept = changed;

	dhcp_restart(1);
	assert_int_equal(dhcp_restore(dhcp, &kept, now), 0);
	assert_int_equal(dhcp_restore(dhcp, &kept, now), -EEXIST);
	assert_int_equal(dhcp_find_name(dhcp, "vm1")->ip, ip);
	m.type = DHCP_REQUEST;
	m.ciaddr = ip;
	assert_int_equal(say(&m), DHCP_ACK);
	kept.ip = 0x0b000001;
	assert_int_equal(dhcp_restore(dhcp, &kept, now), -EINVAL);
}

static void configurations_that_cannot_be(void **state)
{
	static const struct {
		uint32_t first, last, lease_s;
	} wrong[] = {
		{ SERVER + 300, SERVER + 310, 3600 },
		{ FIRST + 1, FIRST, 3600 },
		{ FIRST, 0x0a1400ff, 3600 },
		{ FIRST, FIRST, 10 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		char *problem;

		config.first = wrong[i].first;
		config.last = wrong[i].last;
		config.lease_s = wrong[i].lease_s;
		problem = dhcp_config_check(&config);
		assert_non_null(problem);
		free(problem);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_setup, dhcp_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rfc2131_3_1_allocation),
		T(rfc2131_4_1_destinations),
		T(rfc2131_4_3_2_renewing),
		T(rfc2131_4_3_2_init_reboot),
		T(rfc2131_3_1_another_server_chosen),
		T(rfc2131_4_3_3_decline),
		T(rfc2131_4_3_4_release),
		T(rfc2131_4_3_5_inform),
		T(leases_expire_and_addresses_come_back),
		T(a_live_lease_is_never_taken),
		T(the_same_client_has_the_same_address_in_a_new_table),
		T(clones_with_one_identifier_are_two_clients),
		T(static_leases_belong_to_a_mac),
		T(limits_hold_for_mac_and_port),
		T(a_port_has_half_of_the_range),
		T(invented_macs_hold_few_offers),
		T(leases_are_restored),
		T(configurations_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
