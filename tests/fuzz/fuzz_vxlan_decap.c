/*
 * Any bytes as an outer frame or a UDP payload, by any rules: what is taken out
 * of it lies within it, is the end of it but for the ECN mark, and looks the
 * same however the outer frame lay in memory.
 */
#include "fuzz_input.h"
#include "packet/parse.h"
#include "tunnel/vxlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t whole[PACKET_LEN_MAX + 64], inside[PACKET_LEN_MAX + 64];

static void check_offload(const struct packet *in)
{
	const struct packet_offload *o = &in->offload;

	MUST(!o->gso && !o->csum_valid);
	if (!o->csum_needed)
		return;
	MUST(o->csum_start >= packet_l2_len(in, FLOW_TAGS_MAX));
	MUST(o->csum_start + o->csum_offset + 2u <= in->len);
}

/* Whether the outer frame has these bytes anywhere. */
static bool is_in_outer(uint32_t outer_len, uint32_t len)
{
	for (uint32_t at = 0; at + len <= outer_len; at++)
		if (!memcmp(whole + at, inside, len))
			return true;
	return false;
}

static void check_inner(struct packet *in, uint32_t outer_len, unsigned tos)
{
	MUST(in->len >= ETH_HEADER_LEN && in->header_len >= ETH_HEADER_LEN);
	packet_pull(in, PACKET_PULL_MAX);
	MUST(packet_read(in, 0, inside, sizeof(inside)) == in->len);
	/* Behind the addresses there may be a mark. */
	MUST(is_in_outer(outer_len, tos & 3 ? 12 : in->len));
	check_offload(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet_segment segments[FUZZ_PIECES_MAX];
	struct vxlan_room room = { .segments = segments,
				   .max = FUZZ_PIECES_MAX };
	struct vxlan_decap_rules rules;
	struct vxlan_info info;
	struct fuzz_packet f;
	enum vxlan_fault fault;
	struct packet in;
	uint8_t how[8];

	fuzz_take(&data, &size, how, sizeof(how));
	rules = (struct vxlan_decap_rules){
		.csum = how[0] % 3,
		.zero_csum6 = how[0] & 16,
		.refuse_reserved = how[0] & 32,
		.keep_tag = how[0] & 64,
	};
	fuzz_packet_init(&f, data, size, how[1], how[2] & 1);
	packet_pull(&f.p, how[3] & 127);
	f.p.offload.csum_needed = how[2] & 2;
	f.p.offload.csum_valid = how[2] & 4;
	f.p.offload.csum_start = how[4] | (how[2] & 24) << 5;
	f.p.offload.csum_offset = how[5];
	room.max = how[6] % (FUZZ_PIECES_MAX + 1);
	if (how[2] & 128)
		fault = vxlan_decap_payload(&rules, &f.p, how[7], &room, &in,
					    &info);
	else
		fault = vxlan_decap(&rules, &f.p, &room, &in, &info);
	MUST(fault < N_VXLAN_FAULTS);
	MUST(packet_read(&f.p, 0, whole, sizeof(whole)) == f.p.len);
	if (fault == VXLAN_OK) {
		MUST(info.vni <= VXLAN_VNI_MAX);
		check_inner(&in, f.p.len, info.tos);
	}
	fuzz_packet_fini(&f);
	return 0;
}
