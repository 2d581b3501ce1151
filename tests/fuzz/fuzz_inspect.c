/*
 * Guards on any frame, in any pieces. What passes them is held against those
 * who believe frames: the switch's own reading of ARP and neighbour discovery
 * must find no address that is not the port's, a DHCP client no server and a
 * host no router.
 */
#include "fuzz_input.h"
#include "gateway/autoconf.h"
#include "gateway/dhcp_client_message.h"
#include "packet/neighbor.h"
#include "packet/parse.h"
#include "policy/inspect.h"

#define OWN 0x020000000011

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t macs[] = { OWN };
static struct allowed_ip4 ip4s[] = { { 0xc0000201, UINT32_MAX } };
static struct allowed_ip6 ip6s[1];
static struct inspect_rules rules = {
	.allowed = { .guards_macs = true,
		     .guards_ips = true,
		     .n_macs = 1,
		     .macs = macs,
		     .ips = { 1, 1, ip4s, ip6s } },
	.dhcp_guard = true,
	.router_guard = true,
};

/* The frame, in pieces of that many bytes. */
static int judge(const uint8_t *frame, size_t size, unsigned piece)
{
	struct inspect_place place;
	struct fuzz_packet f;
	int reason;

	fuzz_packet_init(&f, frame, size, piece, false);
	packet_pull(&f.p, PACKET_PULL);
	reason = inspect_locate(&f.p, &place);
	if (reason < 0)
		reason = inspect_packet(&rules, &f.p, &place);
	fuzz_packet_fini(&f);
	return reason;
}

static void check_neighbor(const uint8_t *frame, size_t size)
{
	const struct allowed *a = &rules.allowed;
	struct neighbor n;

	if (!neighbor_parse(frame, size, &n))
		return;
	if (n.ip_len == 4)
		MUST(n.mac == OWN && allowed_ip4(a, load_be32(n.ip)));
	else
		MUST(allowed_ip6(a, n.ip));
}

static void check_dhcp(const uint8_t *frame, size_t size)
{
	struct dhcp_answer answer;
	struct flow_key key;

	if (!flow_parse(frame, size, &key) || key.ip_version != 4 || !key.l4 ||
	    key.ip_proto != 17 || key.fragment == FLOW_FRAG_LATER ||
	    key.dst_port != 68 || key.l4 + 8u > size)
		return;
	MUST(!dhcp_answer_parse(&answer, frame + key.l4 + 8,
				size - key.l4 - 8));
}

static void ignore(const void *frame, size_t len, void *arg)
{
}

static void changed(void *arg)
{
	abort(); /* it has heard a router */
}

static void check_router(const uint8_t *frame, size_t size)
{
	const struct autoconf_ops ops = { .send = ignore, .changed = changed };
	struct autoconf *host = autoconf_create(OWN + 1, &ops, NULL, 0);

	autoconf_receive(host, frame, size, 1);
	MUST(!autoconf_counters(host)->advertisements);
	autoconf_destroy(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ip6[16] = { 0x20, 0x01, 0xd, 0xb8, [15] = 1 };
	uint8_t piece;
	int reason;

	fuzz_take(&data, &size, &piece, 1);
	if (size < ETH_HEADER_LEN)
		return 0;
	ip6s[0] = allowed_prefix6(ip6, 128);
	reason = judge(data, size, 0);
	MUST(judge(data, size, piece) == reason);
	MUST(reason == -1 || reason == DROP_SPOOFED_ARP ||
	     reason == DROP_SPOOFED_ND || reason == DROP_DHCP_SERVER ||
	     reason == DROP_ROUTER || reason == DROP_UNINSPECTED);
	if (size >= ETH_HEADER_LEN + 44) {
		uint16_t type = load_be16(data + 12);
		const uint8_t *ip = data + ETH_HEADER_LEN;

		if ((type == ETH_TYPE_IPV4 && inspect_is_plain4(ip)) ||
		    (type == ETH_TYPE_IPV6 && inspect_is_plain6(ip)))
			MUST(reason == -1);
	}
	if (reason == -1) {
		check_neighbor(data, size);
		check_dhcp(data, size);
		check_router(data, size);
	}
	return 0;
}
