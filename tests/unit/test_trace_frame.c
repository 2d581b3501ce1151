/* What `trace` is told of a frame, and the frame that comes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/packet_file.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "vswd/trace_frame.h"

static struct trace_frame frame;

static void parse(const char *first, const char *second)
{
	const char *words[] = { first, second };
	char *error = NULL;

	if (trace_frame_parse(&frame, second ? 2 : 1, words, &error))
		fail_msg("%s: %s", first, error);
}

static void refuse(const char *first, const char *second, const char *part)
{
	const char *words[] = { first, second };
	char *error = NULL;

	assert_int_equal(
		trace_frame_parse(&frame, second ? 2 : 1, words, &error),
		-EINVAL);
	if (!strstr(error, part))
		fail_msg("\"%s\" has no \"%s\"", error, part);
	free(error);
}

static struct flow_key key_of_frame(void)
{
	struct flow_key key;

	assert_true(flow_parse(frame.data, frame.len, &key));
	return key;
}

/* The sum over the transport header and its payload with the pseudo header. */
static bool is_csum_right(const struct flow_key *key, unsigned end)
{
	const uint8_t *ip = frame.data + key->l3;
	uint32_t len = end - key->l4;
	uint64_t sum = csum_add(0, frame.data + key->l4, len);

	if (key->ip_version == 6)
		sum = csum_combine(sum, csum_pseudo6(ip, key->ip_proto, len));
	else if (key->ip_proto != 1)
		sum = csum_combine(sum, csum_pseudo4(ip, key->ip_proto, len));
	return csum_fold(sum) == 0xffff;
}

static void fields_make_a_frame(void **state)
{
	struct flow_key key;

	(void)state;
	parse("in_port=p1,tcp,dl_vlan=7,dl_vlan_pcp=5,nw_src=10.0.0.1,"
	      "nw_dst=10.0.0.2,tp_src=1000,tp_dst=0x50",
	      NULL);
	key = key_of_frame();
	assert_string_equal(frame.in_port, "p1");
	assert_int_equal(key.n_tags, 1);
	assert_int_equal(key.tci[0], 5 << 13 | 7);
	assert_int_equal(key.ip_proto, 6);
	assert_int_equal(key.src_port, 1000);
	assert_int_equal(key.dst_port, 80);
	assert_int_equal(csum_fold(csum_add(0, frame.data + key.l3, 20)),
			 0xffff);
	assert_true(is_csum_right(&key, key.l4 + 20));
	assert_int_equal(frame.len, 60);

	parse("in_port=p1,udp,len=1000,tp_dst=53", NULL);
	key = key_of_frame();
	assert_int_equal(frame.len, 1000);
	assert_int_equal(load_be16(frame.data + key.l3 + 2), 1000 - 14);
	assert_int_equal(load_be16(frame.data + key.l4 + 4), 1000 - 34);
	assert_true(is_csum_right(&key, 1000));
}

static void fields_say_the_rest(void **state)
{
	struct flow_key key;

	(void)state;
	parse("in_port=LOCAL", "ipv6_src=fd00::1,nd_target=fd00::2");
	key = key_of_frame();
	assert_int_equal(key.ip_version, 6);
	assert_int_equal(key.ip_proto, 58);
	assert_int_equal(key.ip_ttl, 255);
	assert_int_equal(frame.data[key.l4], 135);
	assert_true(is_csum_right(&key, key.l4 + 24));

	parse("in_port=1,arp_spa=1.2.3.4,arp_op=2", NULL);
	key = key_of_frame();
	assert_int_equal(key.ethertype, ETH_TYPE_ARP);
	assert_int_equal(load_be16(frame.data + 20), 2);
	assert_int_equal(load_mac(frame.data + 22), 0x020000000001);
	assert_int_equal(load_be32(frame.data + 28), 0x01020304);

	parse("in_port=vx0,tun_src=192.0.2.1", NULL);
	assert_string_equal(frame.tun_src, "192.0.2.1");
	assert_int_equal(load_mac(frame.data), MAC_BROADCAST);
}

static void hex_is_taken_as_it_is(void **state)
{
	static const uint8_t bytes[] = { 0xff, 0x00, 0xAb, 0x12 };

	(void)state;
	parse("in_port=p1", "ff:00 Ab12");
	assert_int_equal(frame.len, sizeof(bytes));
	assert_memory_equal(frame.data, bytes, sizeof(bytes));
}

static void flags_have_names_and_commas_spaces(void **state)
{
	(void)state;
	parse("in_port=p1, tcp, tcp_flags=syn|ack", NULL);
	assert_string_equal(frame.in_port, "p1");
	assert_int_equal(key_of_frame().tcp_flags, 0x12);
	parse("in_port=p1,tcp,tcp_flags=+syn-ack", NULL);
	assert_int_equal(key_of_frame().tcp_flags, 0x02);
	parse("in_port=p1,tcp,tcp_flags=0x14,ip", NULL);
	assert_int_equal(key_of_frame().tcp_flags, 0x14);
}

static void what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	refuse("ip", NULL, "in_port=PORT is missing");
	refuse("in_port=p1,dl_vlan=4096", NULL, "from 0 to 4095");
	refuse("in_port=p1,dl_src=1", NULL, "MAC address");
	refuse("in_port=p1,nw_src=::1", NULL, "IPv4 address");
	refuse("in_port=p1,nw_src=1.2.3.4,ipv6_dst=::1", NULL, "is IPv6");
	refuse("in_port=p1,ipv6_src=::1,ip", NULL, "ethertype 0x0800");
	refuse("in_port=p1,tp_dts=1", NULL, "did you mean");
	refuse("in_port=p1", "123", "no whole bytes");
	refuse("in_port=p1,tcp", "1234", "not both");
	refuse("in_port=p1,tcp,dl_type=0x86dd", NULL, "dl_type contradicts");
	refuse("in_port=p1,dl_type=0x86dd,tcp", NULL, "tcp contradicts");
	refuse("in_port=p1,nw_proto=17,tcp", NULL, "tcp contradicts");
	refuse("in_port=p1,in_port=p2", NULL, "there is in_port=p1 already");
	refuse("in_port=p1,tcp,tcp_flags=syn|fun", NULL, "from 0 to 255");
	refuse("in_port=", NULL, "a value is missing");
}

static void a_file_has_so_many_packets(void **state)
{
	/* little endian; two packets of 4 and 5 bytes, the second cut to 1 */
	static const uint8_t file[] = {
		0xd4, 0xc3, 0xb2, 0xa1, 2,    0, 4, 0, 0,    0, 0, 0, 0,
		0,    0,    0,	  0xff, 0xff, 0, 0, 1, 0,    0, 0, 0, 0,
		0,    0,    0,	  0,	0,    0, 4, 0, 0,    0, 4, 0, 0,
		0,    0xaa, 1,	  2,	3,    0, 0, 0, 0,    0, 0, 0, 0,
		1,    0,    0,	  0,	5,    0, 0, 0, 0xbb,
	};
	uint8_t *packet = NULL;
	char *error = NULL;
	uint32_t len;

	(void)state;
	assert_int_equal(
		packet_file_get(file, sizeof(file), 1, &packet, &len, &error),
		0);
	assert_int_equal(len, 4);
	assert_int_equal(packet[0], 0xaa);
	free(packet);
	assert_int_equal(
		packet_file_get(file, sizeof(file), 2, &packet, &len, &error),
		-EMSGSIZE);
	free(error);
	error = NULL;
	assert_int_equal(
		packet_file_get(file, sizeof(file), 3, &packet, &len, &error),
		-ENOENT);
	assert_string_equal(error, "there is no packet 3: the file has 2");
	free(error);
	error = NULL;
	assert_int_equal(packet_file_get(file + 1, sizeof(file) - 1, 1, &packet,
					 &len, &error),
			 -EPROTO);
	free(error);
	error = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_make_a_frame),
		cmocka_unit_test(fields_say_the_rest),
		cmocka_unit_test(hex_is_taken_as_it_is),
		cmocka_unit_test(flags_have_names_and_commas_spaces),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(a_file_has_so_many_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
