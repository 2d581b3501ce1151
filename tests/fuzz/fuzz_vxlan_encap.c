/*
 * Any inner frame, with any offload that a port would let in, in any outer
 * headers: it comes off again as it was, or with its checksum finished; large
 * ones in segments that each come off again.
 */
#include <errno.h>

#include "fuzz_input.h"
#include "packet/offload.h"
#include "tunnel/vxlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t wire[PACKET_LEN_MAX + 128], before[PACKET_LEN_MAX + 64];
static uint8_t after[PACKET_LEN_MAX + 64];
static struct vxlan_outer outer_headers;
static struct vxlan_flow flow;

/* Takes the frame off the wire again; returns its length. */
static uint32_t back(const struct packet *outer)
{
	const struct vxlan_decap_rules rules = { .zero_csum6 = true,
						 .keep_tag = true };
	struct vxlan_info info;
	struct vxlan_room room = { 0 };
	struct packet p, in;
	uint8_t tos = vxlan_outer_tos(&outer_headers, &flow);

	MUST(packet_read(outer, 0, wire, sizeof(wire)) == outer->len);
	packet_init(&p, wire, outer->len);
	p.offload.csum_needed = outer->offload.csum_needed;
	p.offload.csum_start = outer->offload.csum_start;
	p.offload.csum_offset = outer->offload.csum_offset;
	if (outer_headers.form == VXLAN_PAYLOAD)
		MUST(!vxlan_decap_payload(&rules, &p, tos, &room, &in, &info));
	else
		MUST(!vxlan_decap(&rules, &p, &room, &in, &info));
	MUST(info.vni == 0xabcdef && !info.ecn_alarm);
	MUST(packet_read(&in, 0, after, sizeof(after)) == in.len);
	return in.len;
}

static void one(struct packet *p)
{
	static struct packet_segment segments[FUZZ_PIECES_MAX + 1];
	static struct csum_far far;
	struct vxlan_room room = { .segments = segments,
				   .max = ARRAY_SIZE(segments),
				   .far = &far };
	bool asked = p->offload.csum_needed;
	uint32_t n = packet_read(p, 0, before, sizeof(before));
	struct packet outer;

	if (vxlan_encap(&outer_headers, &flow, 0xabcdef, p, &room, &outer))
		return;
	MUST(outer.len == n + vxlan_overhead(&outer_headers));
	MUST(back(&outer) == n);
	/* Its checksum is as it was, or left to be where it is by now. */
	if (!asked || (outer.offload.csum_needed &&
		       outer.offload.csum_start >= outer_headers.len))
		MUST(!memcmp(before, after, n));
}

static void large(struct packet *p)
{
	static struct vxlan_segments s;
	struct packet *outer;
	int r;

	if (vxlan_segment_start(&s, &outer_headers, &flow, 0xabcdef, 1, p))
		return;
	while ((r = vxlan_segment_next(&s, &outer)) > 0 || r == -ENOSPC) {
		if (r > 0)
			MUST(back(outer) + vxlan_overhead(&outer_headers) ==
			     outer->len);
		else if (s.inner.n_packets)
			vxlan_segments_clear(&s);
		else
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how[6], vnet[VNET_HDR_LEN];
	struct vxlan_outer_config c;
	struct fuzz_packet f;

	fuzz_take(&data, &size, how, sizeof(how));
	fuzz_take(&data, &size, vnet, sizeof(vnet));
	c = (struct vxlan_outer_config){
		.form = how[2] & 1,
		.tagged = how[2] & 2,
		.ip_version = how[2] & 4 ? 4 : 6,
		.udp_csum = (how[2] >> 3) % 3,
		.leave_inner_csum = how[2] & 32,
		.inherit_tos = how[2] & 64,
		.inherit_ttl = how[2] & 128,
		.ttl = how[3],
		.tos = how[4],
	};
	if (vxlan_outer_init(&outer_headers, &c, NULL))
		return 0;
	fuzz_packet_init(&f, data, size, how[0], how[1] & 1);
	if (offload_receive(&f.p, vnet, OFFLOAD_ALL | OFFLOAD_UFO)) {
		packet_pull(&f.p, how[5] & 127);
		vxlan_flow_of(&f.p, 1, &flow);
		MUST(flow.src_port >= 49152);
		if (f.p.offload.gso)
			large(&f.p);
		else
			one(&f.p);
	}
	fuzz_packet_fini(&f);
	return 0;
}
