/* What the DHCPv4 server tells its clients, and how; host names. */
#include "dhcp_fixture.h"

static void rfc3442_rfc3397_routes_and_search(void **state)
{
	static const struct dhcp_route route = { 0x0a630000, 16, SERVER };
	static const char *const search[] = { "lab", "x.org" };
	struct message m = { .mac = MAC(1), .parameters = "\x79\x77\x06" };
	static const uint8_t routes[] = { 16, 10, 99, 10, 20, 0,
					  1,  0,  10, 20, 0,  1 };
	const uint8_t *data;

	config.routes = &route;
	config.n_routes = 1;
	config.search = search;
	config.n_search = 2;
	reconfigure();
	assert_int_not_equal(get_lease(&m), 0);
	assert_int_equal(answer_option(OPTION_ROUTES, &data), sizeof(routes));
	assert_memory_equal(data, routes, sizeof(routes));
	assert_int_equal(answer_option(OPTION_SEARCH, &data), 12);
	assert_memory_equal(data, "\3lab\0\1x\3org", 12);
	/* what was not asked for is not there */
	assert_int_equal(answer_option(OPTION_DOMAIN, &data), 0);
}

static void rfc2132_9_3_overload(void **state)
{
	static const char *const search[] = {
		"a-rather-long-domain-name-for-a-search-list.example.org",
		"another-rather-long-domain-name-for-the-list.example.org",
	};
	static const char tftp[] =
		"a-tftp-server-with-a-name-that-is-so-long-that-not-all-fits"
		"-into-the-options-field-of-a-message-of-576-bytes.example.org";
	static const char domain[] = "the-domain-name-has-a-length-that-is-"
				     "also-not-small.and-two-labels";
	struct message m = { .mac = MAC(1),
			     .parameters = "\x77\x42\x0f\x06\x03" };
	const uint8_t *data;

	config.search = search;
	config.n_search = 2;
	config.tftp_server = tftp;
	config.domain = domain;
	reconfigure();
	assert_int_not_equal(get_lease(&m), 0);
	assert_true(sent_len <= 548);
	assert_int_equal(answer_option(OPTION_OVERLOAD, &data), 1);
	assert_int_equal(*data, 1);
	assert_int_equal(sent[108], OPTION_DOMAIN);
	assert_int_equal(sent[109], sizeof(domain) - 1);
	assert_int_equal(answer32(OPTION_DNS), SERVER); /* small: fitted */
	m.max_size = 1500;
	m.type = DHCP_DISCOVER;
	assert_int_equal(say(&m), DHCP_OFFER);
	assert_int_equal(answer_option(OPTION_OVERLOAD, &data), 0);
	assert_int_equal(answer_option(OPTION_DOMAIN, &data),
			 sizeof(domain) - 1);
}

static void rfc4578_boot_file_by_architecture(void **state)
{
	static const struct dhcp_boot boot[] = { { -1, "bios.0" },
						 { 7, "efi64.efi" } };
	struct message m = { .mac = MAC(1),
			     .type = DHCP_DISCOVER,
			     .parameters = "\x42\x43" };
	const uint8_t *data;

	config.boot = boot;
	config.n_boot = 2;
	config.next_server = SERVER + 1;
	reconfigure();
	say(&m);
	assert_string_equal((char *)sent + 108, "bios.0");
	assert_int_equal(load_be32(sent + 20), SERVER + 1);
	m.arch = 7;
	say(&m);
	assert_string_equal((char *)sent + 108, "efi64.efi");
	assert_int_equal(answer_option(OPTION_BOOT_FILE, &data), 9);
	assert_int_equal(answer_option(OPTION_TFTP_SERVER, &data), 9);
	assert_memory_equal(data, "10.20.0.2", 9);
}

static void host_names_are_cleaned_and_unique(void **state)
{
	static const char *const said[][2] = {
		{ "Web_Server 1", "web-server-1" },
		{ "-x-.y", "x" },
		{ "\xc3\xa4", "" },
		{ "localhost", "" },
		{ "wpad", "" },
		{ "x", "" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(said); i++) {
		struct message m = { .mac = MAC(i + 1), .name = said[i][0] };

		get_lease(&m);
		assert_string_equal(changed.hostname, said[i][1]);
	}
	assert_int_equal(dhcp_counters(dhcp)->name_taken, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_setup, dhcp_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rfc3442_rfc3397_routes_and_search),
		T(rfc2132_9_3_overload),
		T(rfc4578_boot_file_by_architecture),
		T(host_names_are_cleaned_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
