/* Requests for an overlay's devices and the kernel's messages, as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "tunnel/evpn_netlink.h"

static struct evpn_event last;
static unsigned events;

static void on_event(const struct evpn_event *e, void *arg)
{
	last = *e;
	events++;
}

static int parse(const void *bytes, size_t len, uint64_t *badp)
{
	events = 0;
	memset(&last, 0, sizeof(last));
	return evpn_parse(bytes, len, on_event, NULL, badp);
}

static const struct evpn_ip v4 = { 4, { 10, 0, 0, 2 } };
static const struct evpn_ip v6 = { 16, { 0xfd, [15] = 2 } };

static void test_fdb_entries(void **state)
{
	struct evpn_fdb entry = {
		.mac = 0x020000000001,
		.ifindex = 7,
		.vtep = v6,
		.extern_learn = true,
		.sticky = true,
	};
	struct evpn_request r;

	evpn_put_fdb(&r, 5, EVPN_REPLACE, &entry);
	assert_int_equal(parse(r.bytes, r.len, NULL), 0);
	assert_int_equal(last.type, EVPN_FDB);
	assert_int_equal(last.seq, 5);
	assert_true(last.fdb.mac == entry.mac);
	assert_int_equal(last.fdb.ifindex, 7);
	assert_true(evpn_ip_equal(&last.fdb.vtep, &v6));
	assert_true(last.fdb.extern_learn && last.fdb.sticky);
	assert_true(last.fdb.own_table);
	entry = (struct evpn_fdb){ .mac = 1, .ifindex = 8, .vlan = 30 };
	evpn_put_fdb(&r, 6, EVPN_DELETE, &entry);
	assert_int_equal(parse(r.bytes, r.len, NULL), 0);
	assert_int_equal(last.type, EVPN_FDB_GONE);
	assert_int_equal(last.fdb.vlan, 30);
	assert_false(last.fdb.own_table || last.fdb.permanent);
}

static void test_neighbors(void **state)
{
	struct evpn_request r;

	evpn_put_neighbor(&r, 1, EVPN_REPLACE, 3, &v4, 0x020000000001);
	assert_int_equal(parse(r.bytes, r.len, NULL), 0);
	assert_int_equal(last.type, EVPN_NEIGHBOR);
	assert_true(evpn_ip_equal(&last.neighbor.ip, &v4));
	assert_true(last.neighbor.mac == 0x020000000001);
	assert_true(last.neighbor.valid);
	evpn_put_neighbor(&r, 1, EVPN_DELETE, 3, &v6, 0);
	assert_int_equal(parse(r.bytes, r.len, NULL), 0);
	assert_int_equal(last.type, EVPN_NEIGHBOR_GONE);
	assert_true(evpn_ip_equal(&last.neighbor.ip, &v6));
}

static void test_links(void **state)
{
	struct evpn_request r;

	evpn_make_vxlan(&r, 1, "a-name-that-is-too-long", 100, &v4, 4790);
	r.bytes[NLMSG_HDRLEN + offsetof(struct ifinfomsg, ifi_index)] = 4;
	assert_int_equal(parse(r.bytes, r.len, NULL), 0);
	assert_int_equal(last.type, EVPN_LINK);
	assert_string_equal(last.link.name, "a-name-that-is-");
	assert_string_equal(last.link.kind, "vxlan");
	assert_int_equal(last.link.vni, 100);
	assert_int_equal(last.link.ifindex, 4);
}

/* Whatever is cut off, nothing is read beyond, and nothing half is told. */
static void test_cut_messages(void **state)
{
	struct evpn_fdb entry = { .mac = 1, .ifindex = 7, .vtep = v4 };
	struct evpn_request r;

	evpn_put_fdb(&r, 1, EVPN_ADD, &entry);
	for (size_t n = 1; n < r.len; n++) {
		uint8_t *copy = xmalloc(n);
		uint64_t bad = 0;
		uint32_t claim = n;

		memcpy(copy, r.bytes, n);
		assert_int_equal(parse(copy, n, &bad), -EBADMSG);
		assert_int_equal(events, 0);
		if (n >= NLMSG_HDRLEN) {
			memcpy(copy, &claim, sizeof(claim));
			assert_int_equal(parse(copy, n, &bad), 0);
			assert_int_equal(events + bad, 1);
		}
		free(copy);
	}
}

static void test_bad_lengths(void **state)
{
	static const uint32_t lengths[] = { 0, 15, 1u << 31, UINT32_MAX };
	struct evpn_request r;
	uint64_t bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		evpn_put_neighbor(&r, 1, EVPN_ADD, 3, &v4, 1);
		memcpy(r.bytes, &lengths[i], sizeof(lengths[i]));
		assert_int_equal(parse(r.bytes, r.len, NULL), -EBADMSG);
	}
	for (uint16_t n = 0; n < 4; n++) {
		evpn_put_neighbor(&r, 1, EVPN_ADD, 3, &v4, 1);
		memcpy(r.bytes + NLMSG_HDRLEN + sizeof(struct ndmsg), &n,
		       sizeof(n));
		assert_int_equal(parse(r.bytes, r.len, &bad), 0);
		assert_int_equal(events, 0);
	}
	assert_int_equal(bad, 4);
	/* an IPv6 entry with an IPv4 address */
	evpn_put_neighbor(&r, 1, EVPN_ADD, 3, &v4, 1);
	r.bytes[NLMSG_HDRLEN] = AF_INET6;
	assert_int_equal(parse(r.bytes, r.len, &bad), 0);
	assert_int_equal(events, 0);
}

static void test_errors_and_ends(void **state)
{
	struct {
		struct nlmsghdr nlh;
		int error;
	} message = { { sizeof(message), NLMSG_ERROR, 0, 9, 0 }, -EEXIST };
	uint64_t bad = 0;

	assert_int_equal(parse(&message, sizeof(message), NULL), 0);
	assert_int_equal(last.type, EVPN_ERROR);
	assert_int_equal(last.error, -EEXIST);
	assert_int_equal(last.seq, 9);
	message.nlh.nlmsg_type = NLMSG_DONE;
	message.nlh.nlmsg_flags = NLM_F_DUMP_INTR;
	assert_int_equal(parse(&message, sizeof(message), NULL), 0);
	assert_int_equal(last.type, EVPN_DONE);
	assert_true(last.interrupted);
	message.nlh.nlmsg_type = NLMSG_OVERRUN;
	assert_int_equal(parse(&message, sizeof(message), NULL), 0);
	assert_int_equal(last.type, EVPN_OVERRUN);
	message.nlh.nlmsg_type = NLMSG_ERROR;
	message.error = 5;
	assert_int_equal(parse(&message, sizeof(message), &bad), 0);
	assert_int_equal(bad, 1);
}

static void test_requests_fit(void **state)
{
	static const char name[] = "abcdefghijklmnop";
	struct evpn_request r;

	evpn_make_bridge(&r, 1, name, true);
	assert_true(r.len < sizeof(r.bytes) / 2);
	evpn_make_member(&r, 1, name, name);
	assert_true(r.len < sizeof(r.bytes) / 2);
	evpn_make_vxlan(&r, 1, name, 100, &v6, 4790);
	assert_true(r.len < sizeof(r.bytes) / 2);
	evpn_member_options(&r, 1, 2, true);
	assert_true(r.len < sizeof(r.bytes) / 2);
	evpn_dump_fdb(&r, 1, 2);
	assert_int_equal(r.len, NLMSG_HDRLEN + sizeof(struct ndmsg) + 8);
	evpn_dump_links(&r, 1);
	assert_int_equal(r.len, NLMSG_HDRLEN + sizeof(struct ifinfomsg));
}

/* Two messages: the bridge learns it, which clears FRR's mark, then static. */
static void test_take(void **state)
{
	struct evpn_request r;
	struct nlmsghdr first, second;
	struct ndmsg learn, keep;

	evpn_take_fdb(&r, 9, 4, 0x020000000001, 0);
	memcpy(&first, r.bytes, sizeof(first));
	memcpy(&learn, r.bytes + NLMSG_HDRLEN, sizeof(learn));
	memcpy(&second, r.bytes + first.nlmsg_len, sizeof(second));
	memcpy(&keep, r.bytes + first.nlmsg_len + NLMSG_HDRLEN, sizeof(keep));
	assert_int_equal(first.nlmsg_len + second.nlmsg_len, r.len);
	assert_int_equal(first.nlmsg_seq, 9);
	assert_int_equal(second.nlmsg_seq, 9);
	/* One answer, unless both fail. */
	assert_false(first.nlmsg_flags & NLM_F_ACK);
	assert_true(second.nlmsg_flags & NLM_F_ACK);
	assert_int_equal(learn.ndm_flags, NTF_MASTER | NTF_USE);
	assert_int_equal(learn.ndm_state, NUD_REACHABLE);
	assert_int_equal(keep.ndm_flags, NTF_MASTER);
	assert_int_equal(keep.ndm_state, NUD_NOARP);
}

static void test_group(void **state)
{
	struct evpn_request r;
	struct evpn_ip local = { 4, { 192, 0, 2, 1 } };
	uint32_t index = 5;

	evpn_make_vxlan(&r, 1, "vsw100-vx", 100, &local, 24789);
	evpn_group_link(&r, 0x76123456);
	/* A request is of the form of an event, but for its number. */
	memcpy(r.bytes + NLMSG_HDRLEN + offsetof(struct ifinfomsg, ifi_index),
	       &index, 4);
	assert_int_equal(parse(r.bytes, r.len, NULL), 0);
	assert_int_equal(events, 1);
	assert_int_equal(last.type, EVPN_LINK);
	assert_string_equal(last.link.kind, "vxlan");
	assert_int_equal(last.link.group, 0x76123456);
	assert_int_equal(last.link.vni, 100);
	assert_int_equal(last.link.udp_port, 24789);
	assert_true(evpn_ip_equal(&last.link.local, &local));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fdb_entries),
		cmocka_unit_test(test_neighbors),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_cut_messages),
		cmocka_unit_test(test_bad_lengths),
		cmocka_unit_test(test_errors_and_ends),
		cmocka_unit_test(test_requests_fit),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
