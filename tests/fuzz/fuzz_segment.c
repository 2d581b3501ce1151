/*
 * What a gateway's control thread does with packets from workers: the input is
 * a row of them, each with its note and length. Services, packets that wait for
 * a next hop, ICMP errors and resets; and that there is no error about an error
 * and no reset about a reset.
 */
#include "fuzz_input.h"
#include "vswd/segment.h"
#include "vswd/segment_reset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cfg_segment config = {
	.refs = 1,
	.name = (char *)"lab",
	.mac = 0x025600000001,
	.ip4 = 0x0a140001,
	.prefix4_len = 24,
	.ip6 = { { 0xfd, 0x20, [15] = 1 }, 64 },
	.mtu = 1500,
	.dhcpv6_on = true,
	.dhcpv6 = { .mac = 0x025600000001 },
};

static struct router *make_router(struct segment *seg)
{
	static const struct router_ip4 ip4 = { 0x0a140001, 24 };
	static const struct router_ip6 ip6 = { { 0xfd, 0x20, [15] = 1 }, 64 };
	struct router_config c = {
		.id = 1,
		.way_out = ROUTER_INSIDE,
	};
	struct router_link *link = &c.links[ROUTER_INSIDE];

	link->up = true;
	link->mac = config.mac;
	link->mtu = 1500;
	link->n_ip4 = link->n_ip6 = 1;
	link->ip4 = &ip4;
	link->ip6 = &ip6;
	link->neighbors = seg->neighbors[ROUTER_INSIDE];
	return router_create(&c);
}

static void try_errors(const struct segment_packet *packet)
{
	static const struct ip_address from4 = { 4, { 10, 20, 0, 1 } };
	static const struct ip_address from6 = { 16, { 0xfd, 0x20, [15] = 1 } };
	uint8_t room[SEGMENT_ERROR_MAX], again[SEGMENT_ERROR_MAX];
	struct segment_packet answer = *packet;

	answer.frame = room;
	for (int v6 = 0; v6 < 2; v6++) {
		const struct ip_address *from = v6 ? &from6 : &from4;
		struct segment_packet about = *packet;

		about.note.icmp_type = v6 ? 1 : 3;
		answer.len = segment_error_build(&about, from, room);
		MUST(answer.len <= sizeof(room));
		answer.note = about.note;
		MUST(!answer.len || !segment_error_build(&answer, from, again));
	}
	answer.len = segment_reset_build(packet, room);
	MUST(answer.len <= SEGMENT_RESET_MAX);
	MUST(!answer.len || !segment_reset_build(&answer, again));
}

static void receive(struct segment *seg, const uint8_t *head,
		    const uint8_t *frame, size_t len)
{
	struct segment_packet packet = {
		.note = { .what = head[2],
			  .in = head[3] % ROUTER_N_SIDES,
			  .side = head[4] % ROUTER_N_SIDES,
			  .icmp_type = head[5],
			  .icmp_code = head[6],
			  .mtu = head[7] * 16 },
		.client = { .mac = load_mac(frame + 6), .port = head[7] & 3 },
		.frame = frame,
		.len = len,
	};

	try_errors(&packet);
	if (head[2] % 3 == ROUTER_LOCAL)
		segment_services_receive(seg->services, &packet);
	else if (head[2] % 3 == ROUTER_RESOLVE)
		segment_hold(seg, &packet);
	else
		segment_error_send(seg, &packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bridge bridge;
	static struct vswitch vs;
	struct segment seg = {
		.vs = &vs, .config = &config, .bridge = &bridge, .key = { 1, 2 }
	};

	seg.neighbors[ROUTER_INSIDE] = neighbor_table_create(4096, 1);
	seg.services = segment_services_create(&seg);
	seg.router = make_router(&seg);
	while (size) {
		uint8_t head[8], *frame;
		size_t len;

		fuzz_take(&data, &size, head, sizeof(head));
		len = MIN(load_be16(head) % (PUNT_BYTES_MAX + 1), size);
		/* As segments_receive() has them. */
		len = MAX(len, (size_t)ETH_HEADER_LEN);
		frame = xmalloc(len);
		fuzz_take(&data, &size, frame, len);
		receive(&seg, head, frame, len);
		free(frame);
	}
	segment_hold_clear(&seg);
	segment_error_clear(&seg);
	segment_services_destroy(seg.services);
	neighbor_table_destroy(seg.neighbors[ROUTER_INSIDE]);
	free(seg.router);
	return 0;
}
