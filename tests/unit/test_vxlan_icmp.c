/*
 * ICMP errors about VXLAN's outer packets: what they say, what is none of ours,
 * and what MTU follows (RFC 1191, RFC 8201, RFC 5927).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/csum.h"
#include "packet/packet.h"
#include "tunnel/vxlan_icmp.h"

static uint8_t frame[256];

static void put_quoted(uint8_t *udp)
{
	store_be16(udp, 50000);
	store_be16(udp + 2, 4789);
	udp[8] = 8;
	store_be32(udp + 12, 7 << 8);
}

static void sum4(size_t len)
{
	uint8_t *icmp = frame + 34;

	memset(icmp + 2, 0, 2);
	csum_store(icmp + 2, csum_add(0, icmp, len));
}

static size_t make4(uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t *ip = frame + 14, *icmp = ip + 20;
	size_t len = 8 + 20 + 16;

	memset(frame, 0, sizeof(frame));
	store_be16(frame + 12, 0x0800);
	ip[0] = 0x45;
	store_be16(ip + 2, 20 + len);
	ip[9] = 1;
	ip[19] = 1;
	csum_ipv4_header(ip, 20);
	icmp[0] = type;
	icmp[1] = code;
	store_be16(icmp + 6, mtu);
	icmp[8] = 0x45;
	store_be16(icmp + 10, 1500);
	icmp[17] = 17;
	icmp[23] = 1;
	icmp[27] = 2;
	put_quoted(icmp + 28);
	sum4(len);
	return 34 + len;
}

static size_t make6(uint8_t type, uint32_t mtu)
{
	uint8_t *ip = frame + 14, *icmp = ip + 40;
	size_t len = 8 + 40 + 16;

	memset(frame, 0, sizeof(frame));
	store_be16(frame + 12, 0x86dd);
	ip[0] = 0x60;
	store_be16(ip + 4, len);
	ip[6] = 58;
	ip[39] = 1;
	icmp[0] = type;
	store_be32(icmp + 4, mtu);
	icmp[8] = 0x60;
	store_be16(icmp + 12, 1460);
	icmp[14] = 17;
	icmp[8 + 23] = 1;
	icmp[8 + 39] = 2;
	put_quoted(icmp + 48);
	csum_store(icmp + 2, csum_combine(csum_pseudo6(ip, 58, len),
					  csum_add(0, icmp, len)));
	return 54 + len;
}

static bool parse(struct vxlan_icmp *icmp, size_t len)
{
	/* Of exactly its length, so that a sanitizer sees overruns. */
	uint8_t *copy = xmalloc(len);
	bool ok;

	memcpy(copy, frame, len);
	ok = vxlan_icmp_parse(icmp, copy, len);
	free(copy);
	return ok;
}

static void test_too_big4(void **state)
{
	struct vxlan_icmp icmp;
	size_t len = make4(3, 4, 1400);

	assert_true(parse(&icmp, len));
	assert_int_equal(icmp.ip_version, 4);
	assert_true(icmp.too_big);
	assert_int_equal(icmp.to[3], 1);
	assert_int_equal(icmp.src_ip[3], 1);
	assert_int_equal(icmp.dst_ip[3], 2);
	assert_int_equal(icmp.src_port, 50000);
	assert_int_equal(icmp.dst_port, 4789);
	assert_true(icmp.has_vni);
	assert_int_equal(icmp.vni, 7);
	assert_int_equal(vxlan_icmp_mtu(&icmp), 1400);
	/* Whatever it is cut at, nothing is read behind it. */
	for (size_t n = 14; n < len; n++)
		assert_false(parse(&icmp, n));
	/* Eight bytes of the payload are enough (RFC 792). */
	make4(3, 4, 1400);
	store_be16(frame + 16, 20 + 36);
	csum_ipv4_header(frame + 14, 20);
	sum4(36);
	assert_true(parse(&icmp, 34 + 36));
	assert_false(icmp.has_vni);
}

static void test_mtu4(void **state)
{
	struct vxlan_icmp icmp;

	assert_true(parse(&icmp, make4(3, 4, 0)));
	assert_int_equal(vxlan_icmp_mtu(&icmp), 1492); /* a plateau */
	assert_true(parse(&icmp, make4(3, 4, 100)));
	assert_int_equal(vxlan_icmp_mtu(&icmp), 576);
	assert_true(parse(&icmp, make4(3, 4, 1500)));
	assert_int_equal(vxlan_icmp_mtu(&icmp), 0);
	assert_true(parse(&icmp, make4(3, 3, 0)));
	assert_false(icmp.too_big);
	assert_int_equal(vxlan_icmp_mtu(&icmp), 0);
}

static void test_too_big6(void **state)
{
	struct vxlan_icmp icmp;
	size_t len = make6(2, 1400);

	assert_true(parse(&icmp, len));
	assert_int_equal(icmp.ip_version, 6);
	assert_int_equal(icmp.dst_ip[15], 2);
	assert_int_equal(icmp.packet_len, 1500);
	assert_int_equal(vxlan_icmp_mtu(&icmp), 1400);
	for (size_t n = 14; n < len; n++)
		assert_false(parse(&icmp, n));
	assert_true(parse(&icmp, make6(2, 1279)));
	assert_int_equal(vxlan_icmp_mtu(&icmp), 0); /* RFC 8201 4 */
	assert_true(parse(&icmp, make6(2, 100000)));
	assert_int_equal(vxlan_icmp_mtu(&icmp), 0);
	assert_true(parse(&icmp, make6(1, 0)));
	assert_false(icmp.too_big);
	assert_false(parse(&icmp, make6(3, 0)));
}

/* The VXLAN header was not quoted. */
static uint32_t blind4(uint16_t mtu)
{
	struct vxlan_icmp icmp;

	make4(3, 4, mtu);
	store_be16(frame + 16, 20 + 36);
	csum_ipv4_header(frame + 14, 20);
	sum4(36);
	assert_true(parse(&icmp, 34 + 36));
	assert_false(icmp.has_vni);
	return vxlan_icmp_mtu(&icmp);
}

static uint32_t blind6(uint32_t mtu)
{
	struct vxlan_icmp icmp;
	uint8_t *ip = frame + 14;

	make6(2, mtu);
	store_be16(ip + 4, 56);
	memset(ip + 42, 0, 2);
	csum_store(ip + 42, csum_combine(csum_pseudo6(ip, 58, 56),
					 csum_add(0, ip + 40, 56)));
	assert_true(parse(&icmp, 54 + 56));
	assert_false(icmp.has_vni);
	return vxlan_icmp_mtu(&icmp);
}

/* Who quotes no VNI does not take IPv6 from the overlay. */
static void test_blind(void **state)
{
	assert_int_equal(blind4(1400), 1400);
	assert_int_equal(blind4(1330), 1330);
	assert_int_equal(blind4(1329), 0);
	assert_int_equal(blind4(576), 0);
	assert_int_equal(blind4(68), 0);
	assert_int_equal(blind4(0), 1492);
	assert_int_equal(blind6(1350), 1350);
	assert_int_equal(blind6(1349), 0);
	assert_int_equal(blind6(1280), 0);
}

static void test_others(void **state)
{
	struct vxlan_icmp icmp;
	size_t len = make4(3, 4, 1400);

	frame[34 + 8 + 9] = 6; /* TCP was quoted */
	sum4(44);
	assert_false(parse(&icmp, len));
	len = make4(3, 4, 1400);
	store_be16(frame + 34 + 8 + 6, 185); /* a later fragment */
	sum4(44);
	assert_false(parse(&icmp, len));
	len = make4(3, 4, 1400);
	frame[34 + 36] = 0; /* no VNI */
	sum4(44);
	assert_false(parse(&icmp, len));
	len = make4(3, 4, 1400);
	frame[40] ^= 1; /* a wrong checksum */
	assert_false(parse(&icmp, len));
	assert_false(parse(&icmp, make4(11, 0, 0)));
	assert_false(parse(&icmp, make4(8, 0, 0)));
	len = make4(3, 4, 1400);
	store_be16(frame + 12, 0x0806);
	assert_false(parse(&icmp, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_big4), cmocka_unit_test(test_mtu4),
		cmocka_unit_test(test_too_big6), cmocka_unit_test(test_blind),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
