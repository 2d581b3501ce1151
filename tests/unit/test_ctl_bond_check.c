/* Settings of a bond that do not go together, and those that do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bond_check.h"
#include "ctl/settings.h"

static const char *members[] = { "e0", "e1", "e2" };

#define BOND_OF(N, ...)                                                        \
	&(struct bond_settings)                                                \
	{                                                                      \
		.port = "bond0", .members = members, .n_members = (N),         \
		__VA_ARGS__                                                    \
	}
#define BOND(...) BOND_OF(ARRAY_SIZE(members), __VA_ARGS__)

static void fine(const struct bond_settings *s)
{
	char *why = bond_settings_check(s);

	if (why)
		fail_msg("refused: %s", why);
}

/* Refused in one line that has both words. */
static void refused(const struct bond_settings *s, const char *a, const char *b)
{
	char *why = bond_settings_check(s);

	if (!why)
		fail_msg("accepted: %s, %s", a, b);
	if (!strstr(why, a) || !strstr(why, b) || strchr(why, '\n') ||
	    !strstr(why, s->port))
		fail_msg("%s", why);
	free(why);
}

static void test_fine(void **state)
{
	fine(BOND(.mode = NULL));
	fine(BOND(.mode = "active-backup", .primary = "e1"));
	fine(BOND(.mode = "balance-slb", .updelay_ms = 100));
	fine(BOND(.mode = "balance-tcp", .lacp = "passive"));
	fine(BOND(.mode = "active-backup", .lacp = "active"));
	fine(BOND(.policy = "ip-hash"));
	fine(BOND(.policy = "port-id", .lacp = "off", .detect = "beacon"));
	fine(BOND(.active = "e2,e1", .standby = "e0", .primary = "e2"));
	fine(BOND(.active = "e2, e1", .standby = "", .unused = "e0"));
}

static void test_mode(void **state)
{
	refused(BOND(.mode = "balance-tcp"), "bond_mode=balance-tcp",
		"lacp is not set");
	refused(BOND(.mode = "balance-tcp", .lacp = "off"),
		"bond_mode=balance-tcp", "lacp is off");
	refused(BOND(.mode = "active-backup", .policy = "port-id"),
		"bond_mode=active-backup", "bond-policy=port-id");
	refused(BOND(.mode = "active-backup", .policy = "port-id"),
		"vsw-ctl clear Port bond0 bond_mode --",
		"vsw-ctl remove Port bond0 other_config bond-policy --");
}

static void test_delays(void **state)
{
	refused(BOND(.updelay_ms = -1), "bond_updelay", "-1");
	refused(BOND(.downdelay_ms = -7), "bond_downdelay", "-7");
	refused(BOND(.updelay_ms = 1LL << 31), "bond_updelay", "2147483647");
	fine(BOND(.updelay_ms = INT32_MAX));
	/* Also of what is no bond yet. */
	refused(BOND_OF(1, .updelay_ms = -1), "bond_updelay", "-1");
}

static void test_beacons(void **state)
{
	refused(BOND(.detect = "beacon", .lacp = "active"),
		"bond-detect-mode=beacon", "lacp=active");
	refused(BOND_OF(2, .detect = "beacon"), "bond-detect-mode=beacon",
		"at least 3 members");
	refused(BOND(.detect = "beacon", .policy = "ip-hash"),
		"bond-detect-mode=beacon", "bond-policy=ip-hash");
	refused(BOND(.detect = "beacon", .unused = "e1"),
		"bond-detect-mode=beacon", "at least 3 members");
}

static void test_members(void **state)
{
	refused(BOND(.primary = "e9"), "bond-primary", "e9");
	refused(BOND(.active = "e0,e"), "bond-active-members", "\"e\"");
	refused(BOND(.standby = "e0,e11"), "bond-standby-members", "e11");
	refused(BOND(.unused = "x"), "bond-unused-members", "\"x\"");
	refused(BOND(.active = "e0,e1", .standby = "e2,e1"),
		"bond-active-members", "bond-standby-members");
	refused(BOND(.active = "e0", .unused = "e0"), "bond-active-members",
		"bond-unused-members");
	refused(BOND(.standby = "e0", .unused = "e0"), "bond-standby-members",
		"bond-unused-members");
	refused(BOND(.standby = "e0,e0"), "bond-standby-members", "e0 twice");
	refused(BOND(.unused = "e0,e1,e2"), "bond-unused-members", "all");
}

/* An interface that is taken away, while a setting names it. */
static void test_leaving(void **state)
{
	const char *left[] = { "e9" };

	refused(BOND(.standby = "e9", .leaving = left, .n_leaving = 1),
		"would no longer be one of its interfaces",
		"vsw-ctl del-bond-iface bond0 e9 -- remove Port bond0 "
		"other_config bond-standby-members");
	refused(BOND(.active = "e1,e9, e2", .leaving = left, .n_leaving = 1),
		"e9",
		"-- set Port bond0 other_config:bond-active-members=e1,e2");
	refused(BOND(.primary = "e9", .leaving = left, .n_leaving = 1),
		"would no longer",
		"-- remove Port bond0 other_config bond-primary");
	/* Taken away and added again. */
	left[0] = "e1";
	fine(BOND(.active = "e1", .leaving = left, .n_leaving = 1));
}

static void test_active_mac(void **state)
{
	refused(BOND(.active_mac = "e1"), "bond_active_slave", "MAC address");
	fine(BOND(.active_mac = "02:00:00:00:00:01"));
}

static void doubted(const struct bond_settings *s, const char *a, const char *b)
{
	char *why;

	fine(s);
	why = bond_settings_doubt(s);
	if (!why)
		fail_msg("no warning: %s", a);
	if (!strstr(why, a) || !strstr(why, b) || strchr(why, '\n'))
		fail_msg("%s", why);
	free(why);
}

/* Accepted, but it does nothing. */
static void test_doubt(void **state)
{
	doubted(BOND(.lacp_time = "fast"), "lacp-time", "lacp is not set");
	doubted(BOND(.lacp = "off", .fallback_ab = "true"), "lacp-fallback-ab",
		"lacp is off");
	doubted(BOND_OF(1, .mode = "balance-tcp"), "bond_mode",
		"two interfaces");
	doubted(BOND_OF(1, .primary = "e9"), "bond-primary", "two interfaces");
	assert_null(
		bond_settings_doubt(BOND(.lacp = "active", .lacp_time = "fast",
					 .mode = "balance-tcp")));
	assert_null(bond_settings_doubt(BOND_OF(1, .lacp = "active")));
}

static void test_primary(void **state)
{
	refused(BOND(.primary = "e0", .standby = "e0"), "bond-primary",
		"bond-standby-members");
	refused(BOND(.primary = "e0", .unused = "e0"), "bond-primary",
		"bond-unused-members");
	refused(BOND(.primary = "e0", .active = "e1,e0"), "bond-primary=e0",
		"bond-active-members=e1,e0");
	refused(BOND(.primary = "e1", .active = "e"), "bond-active-members",
		"\"e\"");
}

static void test_primary_without_active_backup(void **state)
{
	refused(BOND(.primary = "e0", .mode = "balance-slb"), "bond-primary=e0",
		"bond_mode is balance-slb");
	refused(BOND(.primary = "e0", .policy = "port-id"), "bond-primary=e0",
		"other_config:bond-policy is port-id");
	refused(BOND(.primary = "e0", .mode = "balance-tcp", .lacp = "active",
		     .fallback_ab = "false"),
		"bond-primary=e0", "bond_mode is balance-tcp");
	fine(BOND(.primary = "e0", .mode = "balance-tcp", .lacp = "active",
		  .fallback_ab = "true"));
}

static void test_port_ids(void **state)
{
	const char *same[] = { "5", NULL, "5" }, *few[] = { NULL, "5", NULL };

	refused(BOND(.lacp = "active", .port_ids = same), "e0 and e2",
		"lacp-port-id=5");
	same[2] = "05";
	refused(BOND(.lacp = "active", .port_ids = same), "e0 and e2",
		"lacp-port-id=05");
	fine(BOND(.lacp = "active", .port_ids = few));
	fine(BOND(.lacp = "off", .port_ids = same));
}

static void test_number_of_members(void **state)
{
	const char *many[33];
	struct bond_settings s = { .port = "bond0",
				   .members = many,
				   .n_members = ARRAY_SIZE(many) };

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = "e";
	refused(&s, "33", "32");
	s.n_members--;
	fine(&s);
	/* Columns of bonds are ignored of a port that is none. */
	fine(BOND_OF(1, .mode = "balance-tcp", .primary = "x"));
	fine(BOND_OF(1, .mode = "balance-tcp", .lacp = "active"));
	refused(BOND_OF(1, .lacp = "active", .detect = "beacon"), "lacp=active",
		"bond-detect-mode=beacon");
}

/* The manual has every setting that the program looks at. */
static void test_manual(void **state)
{
	static char manual[1 << 18];
	FILE *file = fopen("docs/vswd.8", "r");
	size_t n = 0;

	if (!file)
		skip(); /* not run in the source tree */
	/* Without the backslashes of its dashes. */
	for (int c; (c = getc(file)) != EOF && n < sizeof(manual) - 1;)
		if (c != '\\')
			manual[n++] = c;
	fclose(file);
	for (size_t i = 0; i < settings_count(); i++) {
		struct setting_info s;
		const char *key;

		settings_get(i, &s);
		/* A segment's stand under one heading of their column. */
		key = strncmp(s.key, "options:", 8) ? s.key : s.key + 8;
		if (!strstr(manual, key))
			fail_msg("docs/vswd.8 lacks %s of table %s", s.key,
				 s.table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_beacons),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_active_mac),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_primary),
		cmocka_unit_test(test_primary_without_active_backup),
		cmocka_unit_test(test_port_ids),
		cmocka_unit_test(test_number_of_members),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
