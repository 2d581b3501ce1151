/* What the kernel's VXLAN device leaves undone between network namespaces. */
#include <netinet/in.h>
#include <string.h>

#include "packet/parse.h"
#include "tunnel/tunnel_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define L4_4	 34
#define L4_6	 54
#define TCP_CSUM 16
#define UDP_CSUM 6
#define MTU	 1450

struct frame {
	uint8_t bytes[9000];
	uint32_t len, l4, csum;
	struct packet p;
};

static void set_begun(struct frame *f, bool ip6, uint8_t protocol)
{
	const uint8_t *ip = f->bytes + ETH_HEADER_LEN;
	uint32_t len = f->len - f->l4;
	uint16_t sum = csum_fold(ip6 ? csum_pseudo6(ip, protocol, len)
				     : csum_pseudo4(ip, protocol, len));

	memcpy(f->bytes + f->csum, &sum, sizeof(sum));
}

/* A frame of IP with `payload` bytes behind TCP's or UDP's header. */
static void make(struct frame *f, bool ip6, uint8_t protocol, uint32_t payload)
{
	uint8_t *ip = f->bytes + ETH_HEADER_LEN;
	uint32_t l4_len = (protocol == IPPROTO_TCP ? 20 : 8) + payload;

	memset(f, 0, sizeof(*f));
	memset(f->bytes + 60, 0x5a, sizeof(f->bytes) - 60);
	f->l4 = ip6 ? L4_6 : L4_4;
	f->len = f->l4 + l4_len;
	f->csum = f->l4 + (protocol == IPPROTO_TCP ? TCP_CSUM : UDP_CSUM);
	store_be16(ip - 2, ip6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	memset(ip, 0, f->l4 - ETH_HEADER_LEN);
	ip[0] = ip6 ? 0x60 : 0x45;
	if (ip6) {
		store_be16(ip + 4, l4_len);
		ip[6] = protocol;
		ip[23] = ip[39] = 9;
	} else {
		store_be16(ip + 2, 20 + l4_len);
		ip[9] = protocol;
		ip[15] = ip[19] = 9;
	}
	memset(f->bytes + f->l4, 0, l4_len - payload);
	if (protocol == IPPROTO_TCP)
		f->bytes[f->l4 + 12] = 0x50;
	else
		store_be16(f->bytes + f->l4 + 4, l4_len);
	set_begun(f, ip6, protocol);
}

static const struct packet_offload *take(struct frame *f)
{
	packet_init(&f->p, f->bytes, f->len);
	tunnel_take_unfinished(&f->p, MTU);
	return &f->p.offload;
}

static void test_begun_is_needed(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	const struct packet_offload *o;
	struct frame f;

	for (int ip6 = 0; ip6 < 2; ip6++)
		for (int i = 0; i < 2; i++) {
			make(&f, ip6, protocols[i], 100);
			o = take(&f);
			assert_true(o->csum_needed);
			assert_int_equal(o->csum_start, f.l4);
			assert_int_equal(o->csum_start + o->csum_offset,
					 f.csum);
			assert_int_equal(o->gso, PACKET_GSO_NONE);
		}
}

static void test_finished_stays(void **state)
{
	struct frame f;

	make(&f, false, IPPROTO_TCP, 100);
	f.bytes[f.csum] ^= 1;
	assert_false(take(&f)->csum_needed);
	make(&f, false, IPPROTO_UDP, 100);
	memset(f.bytes + f.csum, 0, 2);
	assert_false(take(&f)->csum_needed);
	make(&f, false, IPPROTO_ICMP, 100);
	assert_false(take(&f)->csum_needed);
}

static void test_large_tcp_is_cut(void **state)
{
	const struct packet_offload *o;
	struct frame f;

	for (int ip6 = 0; ip6 < 2; ip6++) {
		uint32_t mss = MTU - (ip6 ? 60 : 40);

		make(&f, ip6, IPPROTO_TCP, mss);
		assert_int_equal(take(&f)->gso, PACKET_GSO_NONE);
		make(&f, ip6, IPPROTO_TCP, mss + 1);
		o = take(&f);
		assert_int_equal(o->gso,
				 ip6 ? PACKET_GSO_TCP6 : PACKET_GSO_TCP4);
		assert_int_equal(o->gso_size, mss);
	}
	make(&f, false, IPPROTO_UDP, 4000);
	assert_int_equal(take(&f)->gso, PACKET_GSO_NONE);
	make(&f, false, IPPROTO_TCP, 4000);
	f.bytes[f.l4 + 13] = 2; /* SYN */
	assert_int_equal(take(&f)->gso, PACKET_GSO_NONE);
}

static void test_broken_is_let_be(void **state)
{
	struct frame f;

	make(&f, false, IPPROTO_TCP, 100);
	for (uint32_t len = 0; len < f.len; len++) {
		struct frame cut = f;

		cut.len = len;
		assert_false(take(&cut)->csum_needed);
	}
	store_be16(f.bytes + 20, 0x2000); /* a fragment */
	assert_false(take(&f)->csum_needed);
	make(&f, false, IPPROTO_TCP, 4000);
	f.bytes[f.l4 + 12] = 0x40;
	assert_int_equal(take(&f)->gso, PACKET_GSO_NONE);
	make(&f, true, IPPROTO_TCP, 100);
	store_be16(f.bytes + 18, 10);
	assert_false(take(&f)->csum_needed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begun_is_needed),
		cmocka_unit_test(test_finished_stays),
		cmocka_unit_test(test_large_tcp_is_cut),
		cmocka_unit_test(test_broken_is_let_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
