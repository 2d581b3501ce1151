/* Ports' security: lists of addresses, and from database to snapshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/address_list.h"
#include "daemon_fixture.h"
#include "forward/policies.h"
#include "policy/guard.h"

static struct test_daemon f;

static int setup(void **state)
{
	test_daemon_setup(&f);
	db_add_bridge(&f, "br0");
	return 0;
}

static int teardown(void **state)
{
	test_daemon_teardown(&f);
	return 0;
}

/* other_config of port p; pairs: '["k", "v"], ...' */
static const struct fwd_port *set(const char *pairs)
{
	char *row = xasprintf("{\"other_config\": [\"map\", [%s]]}", pairs);

	if (vswitch_find_vport(f.vs, "p"))
		db_set_row(&f, "Port", "p", row);
	else
		db_add_port(&f, "br0", "p", "null", row, NULL);
	free(row);
	return db_find_fwd_port(&f, "br0", "p");
}

static const struct guard *guard_of(const struct fwd_port *p)
{
	return p->ingress ? p->ingress->guard : NULL;
}

static const char *error(void)
{
	return vport_error(vswitch_find_vport(f.vs, "p"));
}

static void nothing(void **state)
{
	const struct fwd_port *p = set("");

	assert_null(p->ingress);
	assert_null(p->stations);
	p = set("[\"promiscuous\", \"accept\"], [\"mac-changes\", \"accept\"],"
		"[\"forged-transmits\", \"accept\"], [\"allowed-ips\", \"any\"],"
		"[\"allowed-macs\", \"02:00:00:00:00:01\"]");
	assert_null(p->ingress);
	assert_null(p->stations);
	assert_null(error());
}

static void keys(void **state)
{
	const struct fwd_port *p =
		set("[\"promiscuous\", \"reject\"],"
		    "[\"mac-changes\", \"reject\"],"
		    "[\"forged-transmits\", \"reject\"],"
		    "[\"allowed-macs\", \"02:00:00:00:00:01 nonsense,"
		    "02:00:00:00:00:02\"],"
		    "[\"allowed-ips\", \"10.0.0.1, fd00::/64 10.9.0.0/16\"],"
		    "[\"dhcp-guard\", \"true\"], [\"router-guard\", \"true\"]");
	const struct guard *g = guard_of(p);
	const struct allowed *a = &g->rules.allowed;

	assert_int_equal(p->stations->n, 2);
	assert_true(p->stations->macs[1] == 0x020000000002);
	assert_true(g->rules.dhcp_guard && g->rules.router_guard);
	assert_true(a->guards_macs && a->guards_ips && !a->leased);
	assert_int_equal(a->n_macs, 2);
	assert_true(guard_learns(g, 0x020000000002));
	assert_false(guard_learns(g, 0x020000000003));
	assert_true(allowed_ip4(a, 0x0a000001) && allowed_ip4(a, 0x0a090807));
	assert_false(allowed_ip4(a, 0x0a000002));
	assert_int_equal(a->ips.n_ip6, 1);
	assert_non_null(strstr(error(), "nonsense"));
}

/* A machine's port, as libvirt says. */
static void attached(void **state)
{
	const struct fwd_port *p = set("");

	db_set_row(&f, "Interface", "p",
		   "{\"external_ids\": [\"map\", [[\"attached-mac\","
		   " \"52:54:00:00:00:01\"]]]}");
	p = db_find_fwd_port(&f, "br0", "p");
	assert_int_equal(p->stations->n, 1);
	assert_true(p->stations->macs[0] == 0x525400000001);
	assert_null(p->ingress);
	p = set("[\"promiscuous\", \"accept\"],"
		"[\"forged-transmits\", \"reject\"]");
	assert_null(p->stations);
	assert_true(allowed_mac(&guard_of(p)->rules.allowed, 0x525400000001));
	assert_false(allowed_mac(&guard_of(p)->rules.allowed, 0x525400000002));
	assert_null(error());
}

static void contradictions(void **state)
{
	const struct fwd_port *p = set("[\"forged-transmits\", \"reject\"]");

	assert_non_null(strstr(error(), "allowed-macs"));
	assert_false(allowed_mac(&guard_of(p)->rules.allowed, 0x020000000001));
	set("[\"mac-changes\", \"reject\"], [\"allowed-macs\", \"any\"]");
	assert_non_null(strstr(error(), "allowed-macs=any"));
	set("");
	assert_null(error());
}

/* Of a restriction that is misspelt the port says so, and keeps to it. */
static void misspelt(void **state)
{
	const struct fwd_port *p =
		set("[\"forged-transmits\", \"rejct\"],"
		    "[\"allowed-macs\", \"02:00:00:00:00:01\"]");

	assert_non_null(strstr(error(), "forged-transmits is \"rejct\""));
	assert_true(guard_of(p)->rules.allowed.guards_macs);
	p = set("[\"dhcp-guard\", \"yes\"]");
	assert_non_null(strstr(error(), "dhcp-guard is \"yes\""));
	assert_true(guard_of(p)->rules.dhcp_guard);
	assert_false(guard_of(p)->rules.router_guard);
	p = set("[\"allowed-ips\", \"10.8.0.300\"]");
	assert_non_null(strstr(error(), "10.8.0.300"));
	assert_true(guard_of(p)->rules.allowed.guards_ips);
	p = set("[\"private-vlan\", \"isolatd\"]");
	assert_non_null(strstr(error(), "private-vlan is \"isolatd\""));
	assert_int_equal(p->apart, FWD_ISOLATED);
}

/* A list of MAC addresses is one to keep to. */
static void named_alone(void **state)
{
	const struct fwd_port *p =
		set("[\"allowed-macs\", \"02:00:00:00:00:01\"]");
	const struct guard *g = guard_of(p);

	assert_null(error());
	assert_true(g->rules.allowed.guards_macs);
	assert_false(allowed_mac(&g->rules.allowed, 0x020000000002));
	assert_false(guard_learns(g, 0x020000000002));
	p = set("[\"allowed-macs\", \"02:00:00:00:00:01\"],"
		"[\"mac-changes\", \"accept\"]");
	assert_true(guard_of(p)->rules.allowed.guards_macs);
	assert_true(guard_learns(guard_of(p), 0x020000000002));
	p = set("[\"allowed-macs\", \"any\"]");
	assert_null(guard_of(p));
	assert_null(error());
}

/* What may not be learned is forgotten. */
static void flushes(void **state)
{
	const struct fwd_port *p = set("");
	struct bridge *b = vswitch_find_bridge(f.vs, "br0");

	fdb_learn(b->fdb, fdb_make_key(0x020000000001, 0), p->number);
	p = set("[\"forged-transmits\", \"reject\"],"
		"[\"allowed-macs\", \"02:00:00:00:00:02\"]");
	assert_int_equal(fdb_port_entries(b->fdb, p->number), 1);
	p = set("[\"mac-changes\", \"reject\"],"
		"[\"allowed-macs\", \"02:00:00:00:00:02\"]");
	assert_int_equal(fdb_port_entries(b->fdb, p->number), 0);
}

static void assert_wrong(char *why, const char *part)
{
	if (!why || !strstr(why, part))
		fail_msg("\"%s\" does not say \"%s\"", why ? why : "", part);
	free(why);
}

static void lists(void **state)
{
	struct address_list l;
	char many[ADDRESS_LIST_MAX * 10 + 20] = "";

	assert_null(address_list_macs(&l, "02:00:00:00:00:01"));
	assert_int_equal(l.n, 1);
	assert_null(address_list_macs(&l, " any"));
	assert_true(l.any && !l.n);
	assert_wrong(address_list_macs(&l, "any,02:00:00:00:00:01"),
		     "contradict");
	assert_true(!l.any && l.n == 1);
	assert_wrong(address_list_macs(&l, ""), "no address");
	assert_wrong(address_list_macs(&l, "dhcp"), "\"dhcp\"");
	assert_wrong(address_list_macs(&l, "01:00:5e:00:00:01"), "01:00:5e");
	assert_wrong(address_list_macs(&l, "00:00:00:00:00:00"), "00:00:00");
	assert_wrong(address_list_macs(&l, "02:00:00:00:00:012"), "012");
	assert_null(address_list_ips(&l, "dhcp 10.0.0.1,fe80::/64"));
	assert_true(l.dhcp && l.n == 2 && l.ips[1].len == 64);
	assert_wrong(address_list_ips(&l, "10.0.0.1/24 10.0.0.2"), "behind");
	assert_int_equal(l.n, 1);
	assert_wrong(address_list_ips(&l, "10.0.0.1/33"), "10.0.0.1/33");
	for (unsigned i = 0; i <= ADDRESS_LIST_MAX; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
			 "10.0.0.%u ", i);
	assert_wrong(address_list_ips(&l, many), "65 addresses");
	assert_int_equal(l.n, ADDRESS_LIST_MAX);
	memset(many, '9', sizeof(many) - 1);
	assert_wrong(address_list_ips(&l, many), "999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		T(nothing),  T(keys),
		T(attached), T(contradictions),
		T(misspelt), T(named_alone),
		T(flushes),  cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
