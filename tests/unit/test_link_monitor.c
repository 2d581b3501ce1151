/* What the link monitor tells, given messages as the kernel sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "port/link_monitor.h"

static char buffer[8192] __attribute__((aligned(8)));
static size_t used;
/* What was told, as "+name -name ~name". */
static char told[512];
static struct netdev_info last;

static void on_link(enum link_event event, const struct netdev_info *info,
		    void *arg)
{
	static const char sign[] = {
		[LINK_NEW] = '+', [LINK_CHANGED] = '~', [LINK_DELETED] = '-'
	};
	size_t n = strlen(told);

	snprintf(told + n, sizeof(told) - n, "%s%c%s", n ? " " : "",
		 sign[event], info->name);
	last = *info;
}

static struct nlmsghdr *begin(int type, int family, int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer + used);
	struct ifinfomsg *ifm;

	nlh->nlmsg_type = type;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = family;
	ifm->ifi_index = ifindex;
	ifm->ifi_flags = IFF_UP;
	return nlh;
}

static void end(const struct nlmsghdr *nlh)
{
	used += MNL_ALIGN(nlh->nlmsg_len);
}

static void link_message(int type, int ifindex, const char *name, uint32_t mtu)
{
	struct nlmsghdr *nlh = begin(type, AF_UNSPEC, ifindex);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	end(nlh);
}

static void done_message(void)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer + used);
	int *error;

	nlh->nlmsg_type = NLMSG_DONE;
	error = mnl_nlmsg_put_extra_header(nlh, sizeof(*error));
	*error = 0;
	end(nlh);
}

/* Hands over what was put together, and compares what came of it. */
static void expect(struct link_monitor *m, int rc, const char *text)
{
	told[0] = '\0';
	assert_int_equal(link_monitor_take(m, buffer, used), rc);
	assert_string_equal(told, text);
	used = 0;
}

static void test_new_changed_deleted(void **state)
{
	struct link_monitor *m = link_monitor_create_deaf(on_link, NULL);

	link_message(RTM_NEWLINK, 7, "eth7", 1500);
	link_message(RTM_NEWLINK, 3, "eth3", 1500);
	expect(m, 0, "+eth7 +eth3");
	link_message(RTM_NEWLINK, 7, "eth7", 1500);
	expect(m, 0, "");
	link_message(RTM_NEWLINK, 7, "eth7", 9000);
	expect(m, 0, "~eth7");
	assert_int_equal(last.mtu, 9000);
	assert_int_equal(link_monitor_find(m, "eth7")->mtu, 9000);
	assert_null(link_monitor_find(m, "eth8"));
	link_message(RTM_DELLINK, 7, "eth7", 9000);
	link_message(RTM_DELLINK, 7, "eth7", 9000);
	expect(m, 0, "-eth7");
	link_message(RTM_NEWLINK, 8, "eth7", 1500);
	expect(m, 0, "+eth7");
	link_monitor_destroy(m);
}

static void test_rename(void **state)
{
	struct link_monitor *m = link_monitor_create_deaf(on_link, NULL);

	link_message(RTM_NEWLINK, 2, "a", 1500);
	link_message(RTM_NEWLINK, 2, "b", 1500);
	expect(m, 0, "+a -a +b");
	assert_null(link_monitor_find(m, "a"));
	link_monitor_destroy(m);
}

static void test_dump_finds_what_was_missed(void **state)
{
	struct link_monitor *m = link_monitor_create_deaf(on_link, NULL);

	link_monitor_begin_dump(m);
	for (int i = 1; i <= 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "e%d", i);
		link_message(RTM_NEWLINK, i, name, 1500);
	}
	told[0] = '\0';
	assert_int_equal(link_monitor_take(m, buffer, used), 0);
	used = 0;
	done_message();
	expect(m, 1, "");

	link_monitor_begin_dump(m);
	for (int i = 1; i <= 40; i++) {
		char name[16];

		if (i == 5 || i == 40)
			continue;
		snprintf(name, sizeof(name), "e%d", i);
		link_message(RTM_NEWLINK, i, name, i == 9 ? 9000 : 1500);
	}
	expect(m, 0, "~e9");
	/* Comes up while the dump is on its way. */
	link_message(RTM_NEWLINK, 41, "e41", 1500);
	expect(m, 0, "+e41");
	done_message();
	expect(m, 1, "-e5 -e40");
	link_monitor_destroy(m);
}

/* A bridge's message that a device left it is no message of its end. */
static void test_bridge_family_is_ignored(void **state)
{
	struct link_monitor *m = link_monitor_create_deaf(on_link, NULL);
	struct nlmsghdr *nlh;

	link_message(RTM_NEWLINK, 2, "a", 1500);
	expect(m, 0, "+a");
	nlh = begin(RTM_DELLINK, AF_BRIDGE, 2);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "a");
	end(nlh);
	expect(m, 0, "");
	assert_non_null(link_monitor_find(m, "a"));
	link_monitor_destroy(m);
}

static void test_attributes(void **state)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0xab, 0xcd };
	struct netdev_info info;
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, AF_UNSPEC, 12);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, "fifteen-letters");
	mnl_attr_put_strz(nlh, IFLA_QDISC, "noqueue");
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u8(nlh, IFLA_CARRIER, 1);
	mnl_attr_put_u32(nlh, IFLA_MASTER, 4);
	mnl_attr_put_u32(nlh, IFLA_CARRIER_CHANGES, 3);
	nest = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	mnl_attr_nest_end(nlh, nest);
	assert_true(netdev_parse(nlh, &info));
	assert_string_equal(info.name, "fifteen-letters");
	assert_string_equal(info.qdisc, "noqueue");
	assert_string_equal(info.kind, "veth");
	assert_true(info.mac == 0x02000000abcd);
	assert_true(info.carrier);
	assert_int_equal(info.master, 4);
	assert_int_equal(info.carrier_changes, 3);
	assert_int_equal(info.ifindex, 12);
	assert_int_equal(info.flags, IFF_UP);
}

/* Attributes of a wrong length neither overrun nor mislead. */
static void test_wrong_lengths(void **state)
{
	static const char longer[] = "a-name-that-is-longer-than-any-device's";
	struct netdev_info info;
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, AF_UNSPEC, 12);

	mnl_attr_put(nlh, IFLA_IFNAME, sizeof(longer), longer);
	mnl_attr_put(nlh, IFLA_ADDRESS, 5, longer);
	mnl_attr_put(nlh, IFLA_MTU, 1, "\x05");
	mnl_attr_put(nlh, IFLA_CARRIER, 0, "");
	assert_true(netdev_parse(nlh, &info));
	assert_int_equal(strlen(info.name), IFNAMSIZ - 1);
	assert_true(info.mac == 0);
	assert_int_equal(info.mtu, 5);
	assert_false(info.carrier);

	nlh = begin(RTM_NEWLINK, AF_UNSPEC, 12);
	assert_false(netdev_parse(nlh, &info));
	nlh->nlmsg_len = MNL_NLMSG_HDRLEN + 4;
	assert_false(netdev_parse(nlh, &info));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_changed_deleted),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_dump_finds_what_was_missed),
		cmocka_unit_test(test_bridge_family_is_ignored),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_wrong_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
