/* What DHCP leases to a port's station: by its questions and their answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "packet/packet.h"
#include "vswd/dhcp_snoop.h"

#define OWN   0x020000000011
#define OTHER 0x020000000099
#define S     1000ull

static struct dhcp_snoop *snoop;
static uint8_t frame[600];
static size_t len;

static int set_up(void **state)
{
	snoop = dhcp_snoop_create();
	return 0;
}

static int tear_down(void **state)
{
	dhcp_snoop_destroy(snoop);
	return 0;
}

static uint8_t *put(const void *data, size_t n)
{
	uint8_t *at = frame + len;

	assert_true(len + n <= sizeof(frame));
	if (data)
		memcpy(at, data, n);
	else
		memset(at, 0, n);
	len += n;
	return at;
}

static void put_mac(uint8_t *p, uint64_t mac)
{
	store_be16(p, mac >> 32);
	store_be32(p + 2, mac);
}

/* --- DHCPv4 -------------------------------------------------------------- */

struct message4 {
	uint8_t op, type;
	uint32_t xid, ip, lease_s;
	uint64_t mac;
};

#define MESSAGE (14 + 20 + 8)

static void build4(const struct message4 *m)
{
	bool asks = m->op == 1;
	uint8_t *p;

	len = 0;
	p = put(NULL, 14);
	put_mac(p, MAC_BROADCAST);
	put_mac(p + 6, asks ? OWN : OTHER);
	store_be16(p + 12, 0x0800);
	p = put(NULL, 20);
	p[0] = 0x45;
	p[9] = 17;
	put(NULL, 8);
	p = put(NULL, 236);
	p[0] = m->op;
	p[1] = 1;
	p[2] = 6;
	store_be32(p + 4, m->xid);
	/* ciaddr, yiaddr */
	store_be32(p + (asks ? 12 : 16), m->ip);
	put_mac(p + 28, m->mac);
	put((uint8_t[]){ 0x63, 0x82, 0x53, 0x63, 53, 1, m->type }, 7);
	if (m->lease_s)
		store_be32((uint8_t *)put((uint8_t[]){ 51, 4, 0, 0, 0, 0 }, 6) +
				   2,
			   m->lease_s);
	put((uint8_t[]){ 255 }, 1);
	store_be16(frame + 16, len - 14);
	store_be16(frame + 34, asks ? 68 : 67);
	store_be16(frame + 36, asks ? 67 : 68);
	store_be16(frame + 38, len - 34);
}

static bool client4(uint8_t type, uint32_t xid, uint64_t mac, uint32_t ip,
		    uint64_t now_ms)
{
	build4(&(struct message4){ 1, type, xid, ip, 0, mac });
	return dhcp_snoop_frame(snoop, frame, len, true, now_ms);
}

static bool server4(uint8_t type, uint32_t xid, uint64_t mac, uint32_t ip,
		    uint32_t lease_s, uint64_t now_ms)
{
	build4(&(struct message4){ 2, type, xid, ip, lease_s, mac });
	return dhcp_snoop_frame(snoop, frame, len, false, now_ms);
}

static unsigned count(void)
{
	const struct dhcp_binding *bindings;

	return dhcp_snoop_bindings(snoop, &bindings);
}

static bool allows4(uint32_t ip)
{
	struct allowed_ips *ips = dhcp_snoop_allowed(snoop);
	bool found = false;

	for (unsigned i = 0; ips && i < ips->n_ip4; i++)
		found |= ips->ip4[i].address == ip;
	free(ips);
	return found;
}

static void lease(void **state)
{
	assert_false(client4(1, 7, OWN, 0, 0));
	assert_false(server4(2, 7, OWN, 0x0a000005, 60, 0)); /* an offer */
	assert_false(client4(3, 7, OWN, 0, 0));
	assert_int_equal(count(), 0);
	assert_true(server4(5, 7, OWN, 0x0a000005, 60, 10 * S));
	assert_true(allows4(0x0a000005) && !allows4(0x0a000006));
	assert_true(dhcp_snoop_next_ms(snoop) == 70 * S);
	/* renewed, with another transaction; nothing is another */
	assert_false(client4(3, 8, OWN, 0x0a000005, 40 * S));
	assert_false(server4(5, 8, OWN, 0x0a000005, 60, 40 * S));
	assert_false(dhcp_snoop_run(snoop, 99 * S));
	assert_true(allows4(0x0a000005));
	assert_true(dhcp_snoop_run(snoop, 100 * S));
	assert_int_equal(count(), 0);
	assert_null(dhcp_snoop_allowed(snoop));
	assert_int_equal(dhcp_snoop_counters(snoop)->expired, 1);
}

static void without_end(void **state)
{
	client4(3, 7, OWN, 0, 0);
	assert_true(server4(5, 7, OWN, 0x0a000005, UINT32_MAX, 0));
	assert_true(dhcp_snoop_next_ms(snoop) == SNOOP_NEVER);
	assert_false(dhcp_snoop_run(snoop, SNOOP_NEVER - 1));
}

static void not_asked(void **state)
{
	client4(3, 7, OWN, 0, 0);
	assert_false(server4(5, 8, OWN, 0x0a000005, 60, 0));
	assert_false(server4(5, 7, OTHER, 0x0a000005, 60, 0));
	assert_int_equal(dhcp_snoop_counters(snoop)->unasked, 2);
	/* in another's name, which a server would take for it */
	client4(3, 9, OTHER, 0, 0);
	assert_false(server4(5, 9, OTHER, 0x0a000005, 60, 0));
	/* what it sends itself is no answer, nor what it is sent a question */
	build4(&(struct message4){ 2, 5, 7, 0x0a000005, 60, OWN });
	assert_false(dhcp_snoop_frame(snoop, frame, len, true, 0));
	build4(&(struct message4){ 1, 3, 10, 0, 0, OWN });
	assert_false(dhcp_snoop_frame(snoop, frame, len, false, 0));
	assert_false(server4(5, 10, OWN, 0x0a000005, 60, 0));
	/* too late */
	assert_false(server4(5, 7, OWN, 0x0a000005, 60, SNOOP_ASKED_MS + 1));
	assert_int_equal(count(), 0);
}

static void given_back(void **state)
{
	client4(3, 7, OWN, 0, 0);
	server4(5, 7, OWN, 0x0a000005, 60, 0);
	assert_false(client4(7, 9, OWN, 0x0a000006, 0)); /* not that one */
	assert_true(client4(7, 9, OWN, 0x0a000005, 0));
	assert_int_equal(count(), 0);
	client4(3, 7, OWN, 0, 0);
	server4(5, 7, OWN, 0x0a000005, 60, 0);
	assert_false(server4(6, 99, OWN, 0, 0, 0)); /* nobody asked */
	assert_true(server4(6, 7, OWN, 0, 0, 0));
	assert_int_equal(count(), 0);
}

static void not_an_address(void **state)
{
	static const uint32_t bad[] = { 0, 0x7f000001, 0xe0000001, 0xffffffff };

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		client4(3, i, OWN, 0, 0);
		assert_false(server4(5, i, OWN, bad[i], 60, 0));
	}
	/* no lease: the answer to INFORM, or of BOOTP */
	client4(3, 7, OWN, 0, 0);
	assert_false(server4(5, 7, OWN, 0x0a000005, 0, 0));
}

static void full(void **state)
{
	for (uint32_t i = 0; i < SNOOP_BINDINGS_MAX + 3; i++) {
		client4(3, i, OWN, 0, 0);
		assert_true(server4(5, i, OWN, 0x0a000005 + i, 60 + i, 0));
	}
	assert_int_equal(count(), SNOOP_BINDINGS_MAX);
	assert_int_equal(dhcp_snoop_counters(snoop)->evicted, 3);
	assert_false(allows4(0x0a000005 + 2));
	assert_true(allows4(0x0a000005 + 3));
	/* questions: the oldest gives way */
	for (uint32_t i = 0; i <= SNOOP_ASKED_MAX; i++)
		client4(3, 100 + i, OWN, 0, i);
	assert_false(server4(5, 100, OWN, 0x0a000105, 60, 9));
	assert_true(server4(5, 101, OWN, 0x0a000105, 600, 9));
}

static void cut(void **state)
{
	size_t whole;

	client4(3, 7, OWN, 0, 0);
	build4(&(struct message4){ 2, 5, 7, 0x0a000005, 60, OWN });
	whole = len;
	for (len = 0; len < whole; len++)
		assert_false(dhcp_snoop_frame(snoop, frame, len, false, 0));
	assert_true(dhcp_snoop_frame(snoop, frame, len, false, 0));
}

/* --- DHCPv6 -------------------------------------------------------------- */

static const uint8_t own_ip[16] = { 0x20, 0x01, 0xd, 0xb8, [15] = 5 };
static const uint8_t prefix[16] = { 0x20, 0x01, 0xd, 0xb8, 9 };

/* ia: IA_NA with own_ip, IA_PD with prefix/48; 0: none */
static void build6(uint8_t type, uint32_t xid, uint8_t duid, unsigned ia,
		   uint32_t lease_s, bool asks)
{
	uint8_t *p;

	len = 0;
	p = put(NULL, 14);
	put_mac(p + 6, asks ? OWN : OTHER);
	store_be16(p + 12, 0x86dd);
	p = put(NULL, 40);
	p[0] = 0x60;
	p[6] = 17;
	put(NULL, 8);
	store_be32(put(NULL, 4), (uint32_t)type << 24 | xid);
	put((uint8_t[]){ 0, 1, 0, 4, 0, 3, 0, duid }, 8);
	if (ia == 3) {
		put((uint8_t[]){ 0, 3, 0, 40, [15] = 0 }, 16);
		put((uint8_t[]){ 0, 5, 0, 24 }, 4);
		put(own_ip, 16);
		put(NULL, 4);
		store_be32(put(NULL, 4), lease_s);
	} else if (ia == 25) {
		put((uint8_t[]){ 0, 25, 0, 41, [15] = 0 }, 16);
		put((uint8_t[]){ 0, 26, 0, 25 }, 4);
		put(NULL, 4);
		store_be32(put(NULL, 4), lease_s);
		put((uint8_t[]){ 48 }, 1);
		put(prefix, 16);
	}
	store_be16(frame + 18, len - 54);
	store_be16(frame + 54, asks ? 546 : 547);
	store_be16(frame + 56, asks ? 547 : 546);
	store_be16(frame + 58, len - 54);
}

static bool client6(uint8_t type, uint32_t xid, uint8_t duid, unsigned ia)
{
	build6(type, xid, duid, ia, 0, true);
	return dhcp_snoop_frame(snoop, frame, len, true, 0);
}

static bool server6(uint8_t type, uint32_t xid, uint8_t duid, unsigned ia,
		    uint32_t lease_s)
{
	build6(type, xid, duid, ia, lease_s, false);
	return dhcp_snoop_frame(snoop, frame, len, false, 0);
}

static void lease6(void **state)
{
	const struct dhcp_binding *bindings;
	struct allowed_ips *ips;
	struct allowed_ip6 own = allowed_prefix6(own_ip, 128);

	assert_false(client6(1, 7, 1, 3));
	assert_false(server6(2, 7, 1, 3, 60)); /* advertise */
	assert_false(client6(3, 8, 1, 3));
	assert_false(server6(7, 9, 1, 3, 60));
	assert_false(server6(7, 8, 2, 3, 60));
	assert_true(server6(7, 8, 1, 3, 60));
	assert_false(server6(7, 8, 1, 3, 60));
	ips = dhcp_snoop_allowed(snoop);
	assert_int_equal(ips->n_ip6, 1);
	assert_memory_equal(&ips->ip6[0], &own, sizeof(own));
	free(ips);
	assert_true(server6(7, 8, 1, 25, UINT32_MAX));
	assert_int_equal(dhcp_snoop_bindings(snoop, &bindings), 2);
	assert_int_equal(bindings[1].prefix_len, 48);
	/* given back; and taken away by a lifetime of 0 */
	assert_true(client6(8, 10, 1, 3));
	assert_true(server6(7, 8, 1, 25, 0));
	assert_int_equal(count(), 0);
}

static void cut6(void **state)
{
	static const unsigned associations[] = { 3, 25 };

	for (unsigned i = 0; i < ARRAY_SIZE(associations); i++) {
		size_t whole;

		client6(3, 8, 1, 3);
		build6(7, 8, 1, associations[i], 60, false);
		whole = len;
		for (len = 0; len < whole; len++)
			assert_false(
				dhcp_snoop_frame(snoop, frame, len, false, 0));
		assert_true(dhcp_snoop_frame(snoop, frame, len, false, 0));
	}
}

static void restored(void **state)
{
	const struct dhcp_binding *bindings;
	struct dhcp_snoop *old = snoop;

	client4(3, 7, OWN, 0, 0);
	server4(5, 7, OWN, 0x0a000005, 60, 0);
	assert_int_equal(dhcp_snoop_bindings(old, &bindings), 1);
	snoop = dhcp_snoop_create();
	dhcp_snoop_restore(snoop, &bindings[0]);
	assert_true(allows4(0x0a000005));
	assert_true(dhcp_snoop_next_ms(snoop) == 60 * S);
	dhcp_snoop_destroy(old);
	assert_true(client4(7, 9, OWN, 0x0a000005, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lease, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_an_address, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lease6, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cut6, set_up, tear_down),
		cmocka_unit_test_setup_teardown(restored, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
