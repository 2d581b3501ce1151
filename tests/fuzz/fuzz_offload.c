/*
 * Any virtio_net_hdr with any frame: what is let in asks for nothing outside of
 * the frame, and can be sent on, also after tags were pushed. The short way in
 * says what the long one says.
 */
#include "fuzz_input.h"
#include "packet/csum.h"
#include "packet/offload.h"
#include "packet/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned le16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

static void check_sent(const struct packet *p)
{
	uint8_t vnet[VNET_HDR_LEN];

	MUST(offload_send(p, vnet));
	MUST(le16(vnet + 2) <= p->len);
	if (vnet[0] & 1)
		MUST(le16(vnet + 6) + le16(vnet + 8) + 2 <= p->len);
	if (vnet[1])
		MUST(vnet[0] & 1 && le16(vnet + 4) &&
		     le16(vnet + 2) > le16(vnet + 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct csum_far far;
	uint8_t how[3], vnet[VNET_HDR_LEN];
	struct fuzz_packet f;
	struct packet *p = &f.p, other;
	bool yes;

	fuzz_take(&data, &size, how, sizeof(how));
	fuzz_take(&data, &size, vnet, sizeof(vnet));
	fuzz_packet_init(&f, data, size, how[0], how[1] & 1);
	other = f.p;
	if (f.n == 1)
		other.segments = &other.segment;
	other.header = other.room + PACKET_HEADROOM;
	yes = offload_receive(p, vnet, how[2]);
	MUST(offload_receive_slow(&other, vnet, how[2]) == yes);
	if (yes) {
		MUST(!memcmp(&p->offload, &other.offload, sizeof(p->offload)));
		unsigned n = how[1] >> 1 & 3;

		packet_pull(p, PACKET_PULL);
		if (p->offload.csum_needed)
			MUST(p->offload.csum_start >=
			     packet_l2_len(p, FLOW_TAGS_MAX));
		check_sent(p);
		while (n-- && p->header_len >= ETH_HEADER_LEN)
			if (packet_vlan_push(p, ETH_TYPE_VLAN, 1))
				check_sent(p);
		if (p->offload.csum_needed && !p->offload.gso)
			MUST(packet_finish_csum_far(p, &far) ||
			     packet_finish_csum(p));
	}
	fuzz_packet_fini(&f);
	return 0;
}
