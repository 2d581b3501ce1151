/*
 * Any packet with any offload through the whole of a port's sending: what was
 * let in and asks for segmentation is either too large for the port or comes
 * out as packets that are whole, within the MTU and with right checksums. And
 * the segmentation itself, on packets that nobody checked.
 */
#include <errno.h>

#include "fuzz_input.h"
#include "packet/gso.h"
#include "packet/offload.h"
#include "packet/parse.h"
#include "port/null.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t frame[PACKET_LEN_MAX + 64];
static struct packet_offload asked;
static uint64_t payload_sent;

static uint16_t plain_sum(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i & 1 ? at[i] : at[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* A fragment; test_gso_fragments puts them together. */
static void check_fragment(const struct packet *p)
{
	struct flow_key key;

	MUST(packet_read(p, 0, frame, sizeof(frame)) == p->len);
	MUST(flow_parse(frame, p->len, &key));
	MUST(!p->offload.csum_needed);
	payload_sent += p->len - (key.l4 ? key.l4 : p->len);
}

static void check_segment(const struct packet *p, bool finished)
{
	struct gso_layout l;
	const uint8_t *ip;
	uint16_t sum;

	MUST(packet_read(p, 0, frame, sizeof(frame)) == p->len);
	MUST(gso_layout(frame, p->len, asked.gso, &l));
	ip = frame + l.l3;
	if (l.ip_version == 4) {
		MUST(load_be16(ip + 2) == p->len - l.l3);
		MUST(plain_sum(ip, l.l4 - l.l3, 0) == 0xffff);
		sum = plain_sum(ip + 12, 8, 0);
	} else {
		MUST(load_be16(ip + 4) == p->len - l.l3 - 40);
		sum = plain_sum(ip + 8, 32, 0);
	}
	sum = plain_sum((uint8_t[]){ 0, l.ip_proto }, 2, sum);
	store_be16(frame + sizeof(frame) - 2, p->len - l.l4);
	sum = plain_sum(frame + sizeof(frame) - 2, 2, sum);
	if (finished)
		MUST(plain_sum(frame + l.l4, p->len - l.l4, sum) == 0xffff);
	MUST(p->len - l.payload <= asked.gso_size);
	payload_sent += p->len - l.payload;
}

static bool sink(struct packet *p, unsigned thread, void *arg)
{
	const struct port *port = arg;
	uint8_t vnet[VNET_HDR_LEN];

	MUST(!p->offload.csum_needed || port->tx_offloads & PORT_TX_CSUM);
	MUST(packet_read(p, 0, frame, sizeof(frame)) == p->len);
	MUST(offload_send(p, vnet));
	if (p->offload.gso) {
		MUST(p->offload.gso == asked.gso);
		return true;
	}
	MUST(p->len <= port->mtu + ETH_HEADER_LEN + 2 * VLAN_TAG_LEN);
	if (asked.gso == PACKET_GSO_UFO)
		check_fragment(p);
	else if (asked.gso)
		check_segment(p, !p->offload.csum_needed);
	return true;
}

static struct port *port_get(uint8_t offloads, uint16_t mtu)
{
	const struct port_config config = { .name = "n", .type = "null" };
	static struct port *port;

	if (!port) {
		MUST(!port_open(&config, &port, NULL));
		null_set_sink(port, sink, port);
	}
	port->mtu = mtu;
	null_set_offloads(port, offloads & (OFFLOAD_ALL | OFFLOAD_UFO));
	return port;
}

static void send_checked(struct fuzz_packet *f, struct port *port,
			 const uint8_t *vnet)
{
	struct packet *p = &f->p;
	struct port_counters before, after;
	uint32_t header_len = 0;
	bool whole;

	if (!offload_receive(p, vnet, OFFLOAD_ALL | OFFLOAD_UFO) ||
	    !packet_pull(p, ETH_HEADER_LEN))
		return;
	packet_pull(p, PACKET_PULL);
	asked = p->offload;
	payload_sent = 0;
	if (asked.gso)
		header_len = packet_gso_header_len(p);
	port_get_counters(port, &before);
	port_send(port, &p, 1, 0);
	port_get_counters(port, &after);
	/* sent or dropped; checked packets can always be segmented */
	MUST(after.tx_packets - before.tx_packets +
		     after.drops[DROP_TX_TOO_BIG] -
		     before.drops[DROP_TX_TOO_BIG] >=
	     1);
	MUST(after.drops[DROP_TX_OFFLOAD] == before.drops[DROP_TX_OFFLOAD]);
	whole = after.tx_packets - before.tx_packets == 1;
	/* Of fragments, those with no transport header are not summed here. */
	if (asked.gso && asked.gso != PACKET_GSO_UFO &&
	    after.tx_packets != before.tx_packets && !whole)
		MUST(payload_sent == p->len - header_len);
}

/* No check in front of it. */
static void segment(struct fuzz_packet *f, const uint8_t *offload)
{
	static struct gso_scratch scratch;
	struct packet *out;
	struct gso gso;
	int r;

	f->p.offload.gso = offload[0] & 7;
	f->p.offload.gso_size = offload[1] | offload[2] << 8;
	asked = f->p.offload;
	if (gso_start(&gso, &f->p, offload[0] & 8))
		return;
	gso_scratch_clear(&scratch);
	while ((r = gso_next(&gso, &scratch, &out)) > 0 || r == -ENOSPC) {
		if (r > 0 && asked.gso == PACKET_GSO_UFO)
			check_fragment(out);
		else if (r > 0)
			check_segment(out, offload[0] & 8);
		else if (scratch.n_packets)
			gso_scratch_clear(&scratch);
		else
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how[6], vnet[VNET_HDR_LEN];
	struct fuzz_packet f;

	fuzz_take(&data, &size, how, sizeof(how));
	fuzz_take(&data, &size, vnet, sizeof(vnet));
	fuzz_packet_init(&f, data, size, how[0], how[1] & 1);
	if (how[1] & 2)
		segment(&f, vnet);
	else
		send_checked(&f, port_get(how[2], how[4] | how[5] << 8), vnet);
	fuzz_packet_fini(&f);
	return 0;
}
