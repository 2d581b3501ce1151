/*
 * Any bytes before libslirp and behind it. What passes to it comes from a
 * machine and leads neither to the host's loopback nor to libslirp's own
 * services; what passes to machines is addressed to one, and what is left to be
 * done with it can be done.
 *
 * Input: { what, options, two spare } and the frame; what: bit 0 the direction,
 * bit 1 a header of IPv4 that makes sense, bit 2 the same of IPv6.
 */
#include "fuzz_input.h"
#include "packet/gso.h"
#include "port/hostnet_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define L3 ETH_HEADER_LEN

static struct hostnet_memory memory;

static struct hostnet_net net_of(uint8_t options)
{
	struct hostnet_net net = {
		.has_ip4 = true,
		.has_ip6 = true,
		.ip4 = 0x0a140001,
		.mask4 = 0xffffff00,
		.ip6 = { 0xfd, 0x20, [15] = 1 },
		.prefix6 = 64,
		.router_mac = 0x025600000001,
		.mtu = options & 8 ? 1280 : 1500,
		.way_out = options & 1,
		.host_loopback = options & 2,
		.dns = options & 4,
	};

	return net;
}

/* Addresses and lengths as they would be, so that more is looked at. */
static void mend(uint8_t *frame, size_t len, uint8_t what, bool in)
{
	static const uint8_t machine4[] = { 10, 20, 0, 15 };
	static const uint8_t machine6[16] = { 0xfd, 0x20, [15] = 15 };

	if (what & 2 && len >= L3 + 20) {
		store_be16(frame + 12, 0x0800);
		frame[L3] = 0x45;
		store_be16(frame + L3 + 2, MIN(len - L3, (size_t)UINT16_MAX));
		memset(frame + L3 + 6, 0, 2);
		memcpy(frame + L3 + (in ? 12 : 16), machine4, 4);
	} else if (what & 4 && len >= L3 + 40) {
		store_be16(frame + 12, 0x86dd);
		frame[L3] = 0x60;
		store_be16(frame + L3 + 4,
			   MIN(len - L3 - 40, (size_t)UINT16_MAX));
		memcpy(frame + L3 + (in ? 8 : 24), machine6, 16);
	}
}

static void check_in(const struct hostnet_net *net, const uint8_t *frame,
		     size_t len, const struct hostnet_packet *p)
{
	uint32_t dst = load_be32(p->dst);

	MUST(p->version == 4 || p->version == 6);
	MUST(p->kind >= HOSTNET_TCP && p->kind <= HOSTNET_PING);
	MUST(p->l4 < p->end && p->end <= len && p->end - p->l4 >= 8);
	if (p->version == 6) {
		MUST(p->src[0] == 0xfd && p->dst[0] != 0xff);
		MUST(p->dst[0] || p->dst[1] ||
		     memcmp(p->dst,
			    "\0\0\0\0\0\0\0\0"
			    "\0",
			    10));
		return;
	}
	MUST(load_be32(p->src) >> 8 == 0x0a1400);
	MUST(dst >> 24 && dst >> 24 != 127 && dst >> 28 != 14 &&
	     dst >> 28 != 15);
	MUST(dst >> 8 != 0x0a1400 || dst == net->ip4);
	MUST(net->way_out || dst == net->ip4);
	if (dst == net->ip4 && p->kind == HOSTNET_UDP)
		MUST(p->dst_port != 67 && p->dst_port != 69);
	if (dst == net->ip4 && p->kind == HOSTNET_TCP_NEW)
		MUST(net->host_loopback || p->dst_port == 53);
}

static void check_out(const struct hostnet_net *net, const uint8_t *frame,
		      size_t len, const struct packet_offload *o)
{
	struct gso_layout l;

	MUST(load_mac(frame) == net->router_mac);
	if (o->csum_needed)
		MUST(o->csum_start + o->csum_offset + 2u <= len);
	if (!o->gso)
		return;
	MUST(o->csum_needed && o->gso_size >= gso_size_min(o->gso));
	MUST(gso_layout(frame, MIN(len, (size_t)GSO_HEADER_MAX), o->gso, &l));
	MUST(gso_fits(&l, len, o->gso_size));
}

static void reset(const uint8_t *frame, const struct hostnet_packet *p,
		  enum drop_reason reason)
{
	uint8_t answer[HOSTNET_RESET_MAX];

	if (reason == DROP_NO_DESTINATION && p->kind == HOSTNET_TCP_NEW)
		MUST(hostnet_frame_reset(frame, p, answer) <= sizeof(answer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[4], answer[HOSTNET_ANSWER_MAX], *exact;
	enum drop_reason reason;
	struct packet_offload o;
	struct hostnet_packet p;
	struct hostnet_net net;
	bool in;

	fuzz_take(&data, &size, head, sizeof(head));
	size = MIN(size, (size_t)L3 + HOSTNET_IP_MAX);
	exact = malloc(size ? size : 1);
	if (size)
		memcpy(exact, data, size);
	net = net_of(head[1]);
	in = !(head[0] & 1);
	mend(exact, size, head[0], in);
	if (in) {
		if (hostnet_frame_in(&net, &memory, exact, size, &p, &reason))
			check_in(&net, exact, size, &p);
		else
			reset(exact, &p, reason);
	} else {
		MUST(hostnet_frame_answer(&net, exact, size, answer) <=
		     sizeof(answer));
		if (hostnet_frame_out(&net, &memory, exact, size, &o))
			check_out(&net, exact, size, &o);
	}
	free(exact);
	return 0;
}
