/* Access lists: rules from text, and compiled lists beside a plain one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "tests/support/acl_reference.h"
#include "frames.h"
#include "packet/parse.h"
#include "policy/acl_internal.h"

/* --- text ----------------------------------------------------------------- */

static struct acl_rule parse(const char *text)
{
	struct acl_rule rule = { .order = 7 };
	char *why = acl_rule_parse(&rule, text);

	if (why)
		fail_msg("\"%s\": %s", text, why);
	assert_int_equal(rule.order, 7);
	return rule;
}

static void refuse(const char *text, const char *because)
{
	struct acl_rule rule;
	char *why = acl_rule_parse(&rule, text);

	assert_non_null(why);
	if (!strstr(why, because))
		fail_msg("\"%s\": \"%s\" says nothing of \"%s\"", text, why,
			 because);
	free(why);
}

static void rules_are_read(void **state)
{
	struct acl_rule r;

	r = parse("allow");
	assert_int_equal(r.action, ACL_RULE_ALLOW);
	assert_int_equal(r.fields, 0);
	r = parse("  deny  src=10.1.2.3/8\tdst=2.0.0.1 proto=tcp dport=80-443");
	assert_int_equal(r.action, ACL_RULE_DENY);
	assert_int_equal(r.fields, ACL_SRC | ACL_DST | ACL_PROTO | ACL_DPORT);
	assert_int_equal(r.src.len, 8);
	assert_int_equal(r.dst.len, 32);
	assert_int_equal(r.ip_version, 4);
	assert_int_equal(r.dport_first, 80);
	assert_int_equal(r.dport_last, 443);
	r = parse("count src-mac=02:00:00:00:00:ff/ff:ff:00:00:00:00 "
		  "dst-mac=01:80:c2:00:00:00 ethertype=0x88cc vlan=0");
	assert_int_equal(r.action, ACL_RULE_COUNT);
	assert_int_equal(r.src_mac, 0x020000000000);
	assert_int_equal(r.src_mac_mask, 0xffff00000000);
	assert_int_equal(r.dst_mac, 0x0180c2000000);
	assert_int_equal(r.ethertype, 0x88cc);
	r = parse("allow proto=icmp6 icmp-type=128");
	assert_int_equal(r.sport_first, 0x8000);
	assert_int_equal(r.sport_last, 0x80ff);
	r = parse("allow proto=icmp icmp-type=3/4 fragment=no");
	assert_int_equal(r.sport_first, 0x0304);
	assert_int_equal(r.sport_last, 0x0304);
	assert_int_equal(r.fragments, ACL_FRAG_NONE);
	r = parse("deny proto=tcp tcp-flags=syn,!ack");
	assert_int_equal(r.tcp_flags, 2);
	assert_int_equal(r.tcp_flags_mask, 0x12);
}

static void bad_rules_are_refused(void **state)
{
	refuse("", "empty");
	refuse("permit", "allow, deny or count");
	refuse("allow src=10.0.0.0/33", "src cannot be");
	refuse("allow src", "src cannot be");
	refuse("allow src=10.0.0.1 src=10.0.0.2", "twice");
	refuse("allow srx=10.0.0.1", "no field");
	refuse("allow dport=80", "proto=tcp");
	refuse("allow proto=icmp dport=80", "proto=tcp");
	refuse("allow proto=tcp icmp-type=8", "proto=icmp");
	refuse("allow proto=udp tcp-flags=syn", "proto=tcp");
	refuse("allow proto=tcp dport=90-80", "dport cannot be");
	refuse("allow proto=tcp dport=65536", "dport cannot be");
	refuse("allow proto=tcp tcp-flags=syn,syn", "tcp-flags cannot be");
	refuse("allow proto=tcp tcp-flags=syn,", "tcp-flags cannot be");
	refuse("allow src=10.0.0.1 dst=2001:db8::1", "contradict");
	refuse("allow ethertype=ipv6 src=10.0.0.1", "contradict");
	refuse("allow ethertype=arp proto=tcp", "ethertype of ip");
	refuse("allow ethertype=ip proto=icmp6", "contradict");
	refuse("allow vlan=4095", "vlan cannot be");
	refuse("allow ethertype=0x8100", "ethertype cannot be");
	refuse("allow src-mac=02:00:00:00:00", "src-mac cannot be");
	refuse("allow src-mac=02:00:00:00:00:00/ff", "src-mac cannot be");
}

/* --- random lists --------------------------------------------------------- */

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	return next_random(&seed) % n;
}

/* Few values, so that rules and packets meet. */
static void random_address(uint8_t bytes[16], unsigned version)
{
	static const uint8_t few[] = { 0, 1, 2, 0x20, 0x80, 0xff };

	memset(bytes, 0, 16);
	for (unsigned i = 0; i < (version == 4 ? 4 : 16); i++)
		if (version == 4 || i < 3 || i > 13 || !below(6))
			bytes[i] = few[below(ARRAY_SIZE(few))];
}

static struct net_prefix random_prefix(unsigned version)
{
	struct net_prefix p = { .addr.version = version };

	random_address(p.addr.bytes, version);
	p.len = below((version == 4 ? 32 : 128) + 1);
	return p;
}

static uint64_t random_mac(void)
{
	return (uint64_t)below(4) << 40 | below(3);
}

static const uint8_t protos[] = { 6, 6, 6, 17, 17, 1, 58, 132, 50, 0, 44 };

static struct acl_rule random_rule(unsigned order)
{
	static const uint64_t masks[] = { 0xffffffffffff, 0x010000000000,
					  0xffffff000000 };
	unsigned version = below(2) ? 4 : 6;
	struct acl_rule r = { .order = order, .action = below(3) };

	if (!below(6)) {
		r.fields |= ACL_SRC_MAC;
		r.src_mac_mask = masks[below(3)];
		r.src_mac = random_mac() & r.src_mac_mask;
	}
	if (!below(6)) {
		r.fields |= ACL_DST_MAC;
		r.dst_mac_mask = masks[below(3)];
		r.dst_mac = random_mac() & r.dst_mac_mask;
	}
	if (!below(5)) {
		r.fields |= ACL_VLAN;
		r.vlan = below(3);
	}
	if (!below(3)) {
		r.fields |= ACL_ETHERTYPE;
		r.ethertype = version == 4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
		if (!below(4)) {
			r.ethertype = ETH_TYPE_ARP;
			return r;
		}
	}
	if (below(2)) {
		r.fields |= ACL_SRC;
		r.src = random_prefix(version);
	}
	if (below(2)) {
		r.fields |= ACL_DST;
		r.dst = random_prefix(version);
	}
	if (!below(5)) {
		r.fields |= ACL_FRAGMENT;
		r.fragments = 1 + below(7);
	}
	if (below(2))
		return r;
	r.fields |= ACL_PROTO;
	r.proto = protos[below(ARRAY_SIZE(protos))];
	if (below(2)) {
		r.fields |= ACL_SPORT;
		r.sport_first = below(5) << 8;
		r.sport_last = r.sport_first + below(600);
	}
	if (r.proto != 1 && r.proto != 58 && below(2)) {
		r.fields |= ACL_DPORT;
		r.dport_first = below(1200);
		r.dport_last = r.dport_first + below(300);
	}
	if (r.proto == 6 && !below(3)) {
		r.fields |= ACL_TCP_FLAGS;
		r.tcp_flags_mask = below(256);
		r.tcp_flags = below(256) & r.tcp_flags_mask;
	}
	return r;
}

static size_t put_tags(uint8_t *frame, size_t at)
{
	for (unsigned n = below(4) ? 0 : 1 + below(2); n; n--) {
		store_be16(frame + at, below(2) ? 0x8100 : 0x88a8);
		store_be16(frame + at + 2, below(3));
		at += 4;
	}
	return at;
}

static size_t put_ip4(uint8_t *frame, size_t at, uint8_t proto)
{
	unsigned options = below(8) ? 0 : below(11);

	frame[at] = 0x45 + options;
	store_be16(frame + at + 2, below(8) ? 1000 : 20 + below(40));
	store_be16(frame + at + 6, below(5) ? below(2) << 14 : below(0x4000));
	if (!below(10))
		store_be16(frame + at + 6, 1);
	frame[at + 9] = proto;
	random_address(frame + at + 12, 4);
	random_address(frame + at + 16, 4);
	return at + 20 + options * 4;
}

static size_t put_ip6(uint8_t *frame, size_t at, uint8_t proto)
{
	uint8_t *next = frame + at + 6;

	frame[at] = 0x60;
	store_be16(frame + at + 4, below(8) ? 1000 : below(40));
	random_address(frame + at + 8, 6);
	random_address(frame + at + 24, 6);
	at += 40;
	for (unsigned n = below(4) ? 0 : below(4); n; n--) {
		bool fragment = below(2);

		*next = fragment ? 44 : 60;
		memset(frame + at, 0, 24);
		next = frame + at;
		if (fragment)
			store_be16(frame + at + 2, below(3) << 3 | below(2));
		else
			frame[at + 1] = below(2);
		at += fragment ? 8 : 8 + frame[at + 1] * 8;
	}
	*next = proto;
	return at;
}

static size_t random_frame(uint8_t frame[512])
{
	uint8_t proto = protos[below(ARRAY_SIZE(protos))];
	size_t at = 12, n;

	for (unsigned i = 0; i < 512; i++)
		frame[i] = below(256);
	store_be16(frame, random_mac() >> 32);
	store_be32(frame + 2, random_mac());
	store_be16(frame + 6, random_mac() >> 32);
	store_be32(frame + 8, random_mac());
	at = put_tags(frame, at);
	switch (below(9)) {
	case 0:
		store_be16(frame + at, ETH_TYPE_ARP);
		break;
	case 1:
		store_be16(frame + at,
			   below(2) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		store_be16(frame + at, ETH_TYPE_IPV4);
		at = put_ip4(frame, at + 2, proto);
		break;
	default:
		store_be16(frame + at, ETH_TYPE_IPV6);
		at = put_ip6(frame, at + 2, proto);
		break;
	}
	store_be16(frame + at, below(1400));
	store_be16(frame + at + 2, below(1400));
	n = below(6) ? 300 : at + below(24);
	return MAX(n, (size_t)ETH_HEADER_LEN);
}

static void check(const struct acl *acl, uint8_t *frame, size_t n)
{
	size_t readable = MIN(n, (size_t)PACKET_PULL_MAX);
	enum acl_verdict want, got, plain;
	uint8_t *exact = malloc(n);
	const uint64_t *rows[ACL_DIMS_MAX];
	unsigned decided, by;
	struct packet p;
	struct acl_key key;
	uint16_t vid = below(3);
	int rule;

	memcpy(exact, frame, n);
	packet_init(&p, exact, n);
	packet_pull_first(&p);
	want = acl_reference(acl->rules, acl->n_rules, acl->allow_by_default,
			     exact, readable, vid, &decided);
	got = acl_explain(acl, &p, vid, &by);
	assert_int_equal(got, want);
	assert_int_equal(by, decided);
	assert_int_equal(acl_judge(acl, &p, vid, 1), want);
	key.vlan = vid;
	if (acl_key_fill(acl, &p, &key)) {
		unsigned n_rows = acl_collect(acl, &key, rows);

		rule = acl_first_plain(acl, rows, n_rows, NULL);
		assert_int_equal(rule < 0 ? acl->n_rules : (unsigned)rule,
				 decided);
		plain = decided == acl->n_rules ? want : got;
		assert_int_equal(plain, want);
	}
	free(exact);
}

static void compiled_list_is_the_plain_one(void **state)
{
	static struct acl_rule rules[ACL_RULES_MAX];
	static const unsigned sizes[] = { 0,  1,   2,	3,   5,	   8,
					  20, 100, 256, 257, 1000, 2048 };
	uint8_t frame[512];

	seed = 1;
	for (unsigned round = 0; round < 60; round++) {
		unsigned n = sizes[round % ARRAY_SIZE(sizes)];
		struct acl *acl;
		char *why = NULL;

		for (unsigned i = 0; i < n; i++)
			rules[i] = random_rule(i + 1);
		acl = acl_create(rules, n, below(2), 2, &why);
		if (!acl)
			fail_msg("%s", why);
		for (unsigned i = 0; i < 1500; i++)
			check(acl, frame, random_frame(frame));
		acl_destroy(acl);
	}
}

/* --- what is counted ------------------------------------------------------ */

static void hits_are_counted(void **state)
{
	struct acl_rule rules[] = {
		parse("deny proto=tcp dport=22"),
		parse("count src=10.0.0.0/8"),
		parse("allow"),
	};
	const struct frame_spec spec = { .version = 4, .proto = IPPROTO_UDP };
	static struct frame f;
	struct acl *acl;
	struct packet p;

	for (unsigned i = 0; i < 3; i++)
		rules[i].order = i + 1;
	acl = acl_create(rules, 3, false, 2, NULL);
	frame_build(&f, &spec);
	memcpy(f.data + 26, (uint8_t[]){ 10, 1, 1, 1 }, 4);
	packet_init(&p, f.data, f.len);
	packet_pull(&p, PACKET_PULL);
	assert_int_equal(acl_judge(acl, &p, 0, 0), ACL_ALLOWED);
	assert_int_equal(acl_judge(acl, &p, 0, 1), ACL_ALLOWED);
	assert_int_equal(acl_hits(acl, 0), 0);
	assert_int_equal(acl_hits(acl, 1), 2);
	assert_int_equal(acl_hits(acl, 2), 2);
	assert_int_equal(acl_hits(acl, 3), 0);
	f.data[23] = IPPROTO_TCP; /* with a UDP packet's length */
	f.len = 44;
	packet_init(&p, f.data, f.len);
	packet_pull(&p, PACKET_PULL);
	assert_int_equal(acl_judge(acl, &p, 0, 0), ACL_UNREADABLE);
	assert_int_equal(acl_hits(acl, 4), 1);
	acl_destroy(acl);
}

static void limits_hold(void **state)
{
	struct acl_rule rules[ACL_MAC_MASKS_MAX + 1];
	char *why = NULL;

	for (unsigned i = 0; i <= ACL_MAC_MASKS_MAX; i++)
		rules[i] = (struct acl_rule){ .order = i,
					      .fields = ACL_SRC_MAC,
					      .src_mac_mask = 1ull << i };
	assert_null(acl_create(rules, ACL_MAC_MASKS_MAX + 1, true, 1, &why));
	assert_non_null(strstr(why, "masks"));
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_read),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(compiled_list_is_the_plain_one),
		cmocka_unit_test(hits_are_counted),
		cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
