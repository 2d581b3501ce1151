/*
 * The offload header at a virtqueue: what the guest left undone, checked
 * against its features, and what it is told of a packet that it receives.
 */
#include "virtqueue_fixture.h"

#include <netinet/in.h>

#define ALL_HOST                                                               \
	(FEATURE(VIRTIO_NET_F_CSUM) | FEATURE(VIRTIO_NET_F_HOST_TSO4) |        \
	 FEATURE(VIRTIO_NET_F_HOST_TSO6) | FEATURE(VIRTIO_NET_F_HOST_ECN) |    \
	 FEATURE(VIRTIO_NET_F_HOST_USO) | FEATURE(VIRTIO_NET_F_HOST_UFO))
#define ALL_GUEST                                                              \
	(FEATURE(VIRTIO_NET_F_GUEST_CSUM) | FEATURE(VIRTIO_NET_F_GUEST_TSO4) | \
	 FEATURE(VIRTIO_NET_F_GUEST_TSO6) | FEATURE(VIRTIO_NET_F_GUEST_ECN) |  \
	 FEATURE(VIRTIO_NET_F_GUEST_USO4) | FEATURE(VIRTIO_NET_F_GUEST_USO6) | \
	 FEATURE(VIRTIO_NET_F_GUEST_UFO))
#define CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM
#define USO  5 /* VIRTIO_NET_HDR_GSO_UDP_L4 */

static struct bed bed;
static struct frame frame;
static uint8_t payload[65536];

static const struct offload_case {
	const char *name;
	int version;
	uint8_t proto, gso;	   /* of the frame, of the header */
	unsigned host, guest, ecn; /* features that allow it, besides CSUM */
	uint8_t packet_gso;
} cases[] = {
	{ "csum", 4, IPPROTO_TCP, 0, 0, 0, 0, PACKET_GSO_NONE },
	{ "tso4", 4, IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV4,
	  VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4, 0, PACKET_GSO_TCP4 },
	{ "tso6", 6, IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV6,
	  VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6, 0, PACKET_GSO_TCP6 },
	{ "ecn", 4, IPPROTO_TCP,
	  VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
	  VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4, 1, PACKET_GSO_TCP4 },
	{ "uso4", 4, IPPROTO_UDP, USO, VIRTIO_NET_F_HOST_USO,
	  VIRTIO_NET_F_GUEST_USO4, 0, PACKET_GSO_UDP },
	{ "uso6", 6, IPPROTO_UDP, USO, VIRTIO_NET_F_HOST_USO,
	  VIRTIO_NET_F_GUEST_USO6, 0, PACKET_GSO_UDP },
	{ "ufo4", 4, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_F_HOST_UFO,
	  VIRTIO_NET_F_GUEST_UFO, 0, PACKET_GSO_UFO },
	{ "ufo6", 6, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_F_HOST_UFO,
	  VIRTIO_NET_F_GUEST_UFO, 0, PACKET_GSO_UFO },
};

static void build(const struct offload_case *c, uint32_t len)
{
	struct frame_spec spec = { .version = c->version,
				   .proto = c->proto,
				   .payload = payload,
				   .payload_len = len,
				   .partial = true };

	frame_build(&frame, &spec);
}

static void make_header(const struct offload_case *c, uint8_t header[12])
{
	vnet_make(header, CSUM, c->gso, c->gso ? frame.start : 0,
		  c->gso ? 1400 : 0, frame.l4, frame.csum_offset);
	header[10] = header[11] = 0;
}

static void open_bed(void **state, uint64_t features)
{
	struct bed_config c = { .features = KIND(state) | features,
				.size = 16 };

	fill(payload, sizeof(payload), 3);
	bed_open(&bed, &c);
}

/* Puts the frame with its header; whether it came out. */
static bool passes(const void *header, const struct driver_layout *layout)
{
	unsigned n;

	bed_clear_drops(&bed);
	assert_int_equal(
		driver_put_frame(bed.tx, layout, header, frame.data, frame.len),
		0);
	driver_publish(bed.tx);
	n = bed_receive(&bed, 32);
	if (n)
		virtqueue_done(bed.from);
	assert_int_equal(driver_reclaim(bed.tx), 1);
	assert_int_equal(bed.drops[DROP_BAD_OFFLOAD], !n);
	assert_int_equal(bed_drops(&bed), !n);
	return n;
}

static uint64_t without(uint64_t features, unsigned bit)
{
	return features & ~FEATURE(bit);
}

static void taken_from_guest(void **state)
{
	const struct driver_layout layouts[] = { { 0 },
						 { .own_header = true },
						 { .piece = 5000 },
						 { .zeroes = 1 } };

	open_bed(state, ALL_HOST);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t l = 0; l < ARRAY_SIZE(layouts); l++) {
			const struct offload_case *c = &cases[i];
			const struct packet_offload *o =
				&bed.packets[0].offload;
			uint8_t header[12];

			build(c, c->gso ? 40000 : 1000);
			make_header(c, header);
			assert_true(passes(header, &layouts[l]));
			assert_true(o->csum_needed);
			assert_int_equal(o->csum_start, frame.l4);
			assert_int_equal(o->csum_offset, frame.csum_offset);
			assert_int_equal(o->gso, c->packet_gso);
			assert_int_equal(o->gso_size, c->gso ? 1400 : 0);
			assert_int_equal(o->gso_ecn, c->ecn);
		}
	bed_close(&bed);
}

/* Each is refused without its feature, though all others are there. */
static void not_negotiated(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct offload_case *c = &cases[i];
		uint64_t missing[] = {
			without(ALL_HOST, VIRTIO_NET_F_CSUM),
			c->host ? without(ALL_HOST, c->host) : 0,
			c->ecn ? without(ALL_HOST, VIRTIO_NET_F_HOST_ECN) : 0,
			/* what it receives says nothing of what it sends */
			ALL_GUEST,
		};
		uint8_t header[12];

		build(c, c->gso ? 40000 : 1000);
		make_header(c, header);
		for (size_t m = 0; m < ARRAY_SIZE(missing); m++) {
			open_bed(state, missing[m]);
			assert_false(passes(header, NULL));
			assert_true(passes(NULL, NULL));
			bed_close(&bed);
		}
	}
}

/* Headers that contradict the frame: dropped, the next frame is fine. */
static void contradictions(void **state)
{
	uint8_t header[12] = { 0 };
	const struct offload_case *tso4 = &cases[1];

	open_bed(state, ALL_HOST);
	build(tso4, 40000);
	make_header(tso4, header);
	assert_true(passes(header, NULL));
	vnet_make(header, CSUM, 0, 0, 0, 65535, 65535);
	assert_false(passes(header, NULL));
	vnet_make(header, CSUM, 0, 0, 0, frame.len - 1, 0);
	assert_false(passes(header, NULL));
	vnet_make(header, 0, 0, 0, 0, 0, 0);
	assert_true(passes(header, NULL));
	vnet_make(header, 0, 0, frame.len + 1, 0, 0, 0);
	assert_false(passes(header, NULL));
	vnet_make(header, CSUM, tso4->gso, frame.start, 0, frame.l4, 16);
	assert_false(passes(header, NULL));
	vnet_make(header, CSUM, cases[2].gso, frame.start, 1400, frame.l4, 16);
	assert_false(passes(header, NULL));
	vnet_make(header, CSUM, USO, frame.start, 1400, frame.l4, 6);
	assert_false(passes(header, NULL));
	vnet_make(header, CSUM, 99, frame.start, 1400, frame.l4, 16);
	assert_false(passes(header, NULL));
	make_header(tso4, header);
	assert_true(passes(header, NULL));
	bed_close(&bed);
}

/* A guest's word that a checksum is right counts for nothing. */
static void valid_is_not_believed(void **state)
{
	uint8_t header[12] = { 0 };

	open_bed(state, ALL_HOST | ALL_GUEST);
	build(&cases[0], 100);
	vnet_make(header, VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, 0, 0, 0);
	assert_true(passes(header, NULL));
	assert_false(bed.packets[0].offload.csum_valid);
	bed_close(&bed);
}

static bool send_case(const struct offload_case *c)
{
	struct packet *p = &bed.packets[0];

	packet_init(p, frame.data, frame.len);
	packet_pull_first(p);
	p->offload.csum_needed = true;
	p->offload.csum_start = frame.l4;
	p->offload.csum_offset = frame.csum_offset;
	p->offload.gso = c->packet_gso;
	p->offload.gso_size = c->gso ? 1400 : 0;
	p->offload.gso_ecn = c->ecn;
	return virtqueue_send(bed.to, &p, 1, bed.drops, &bed.bytes);
}

static void given_to_guest(void **state)
{
	for (unsigned m = 0; m < 2; m++) {
		struct driver_layout layout = { .own_header = m };
		uint32_t room = m ? 1526 : PACKET_LEN_MAX + 12;
		struct bed_config config = { .features = KIND(state) |
							 ALL_GUEST |
							 (m ? MERGEABLE : 0),
					     .buffer = room };

		bed_open(&bed, &config);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			uint8_t header[12] = { 0 };

			driver_put_buffers(bed.rx, &layout, room);
			driver_publish(bed.rx);
			build(&cases[i], cases[i].gso ? 40000 : 1000);
			assert_true(send_case(&cases[i]));
			assert_true(driver_take_frame(bed.rx, &bed.frame));
			make_header(&cases[i], header);
			header[10] = bed.frame.n_buffers;
			assert_memory_equal(bed.frame.header, header, 12);
			assert_int_equal(bed.frame.len, frame.len);
			assert_memory_equal(bed.frame.data, frame.data,
					    frame.len);
			assert_false(bed.frame.spilt);
		}
		bed_close(&bed);
	}
}

/* What the guest did not agree on does not reach it. */
static void not_given_to_guest(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned needs[] = { VIRTIO_NET_F_GUEST_CSUM, cases[i].guest,
				     cases[i].packet_gso == PACKET_GSO_UDP
					     ? VIRTIO_NET_F_GUEST_USO6
					     : VIRTIO_NET_F_GUEST_CSUM };

		for (size_t n = 0; n < ARRAY_SIZE(needs); n++) {
			if (!needs[n])
				continue;
			open_bed(state, without(ALL_GUEST, needs[n]));
			driver_put_buffers(bed.rx, NULL, PACKET_LEN_MAX + 12);
			driver_publish(bed.rx);
			build(&cases[i], cases[i].gso ? 40000 : 1000);
			assert_false(send_case(&cases[i]));
			assert_int_equal(bed.drops[DROP_TX_OFFLOAD], 1);
			bed_close(&bed);
		}
	}
}

/* A checksum that is known to be right, to who knows what that means. */
static void valid_is_told(void **state)
{
	for (unsigned told = 0; told < 2; told++) {
		struct packet *p = &bed.packets[0];

		open_bed(state, told ? ALL_GUEST : 0);
		driver_put_buffers(bed.rx, NULL, 2000);
		driver_publish(bed.rx);
		build(&cases[0], 100);
		packet_init(p, frame.data, frame.len);
		p->offload.csum_valid = true;
		p->offload.csum_start = 77; /* means nothing */
		assert_int_equal(
			virtqueue_send(bed.to, &p, 1, bed.drops, &bed.bytes),
			1);
		assert_true(driver_take_frame(bed.rx, &bed.frame));
		assert_int_equal(bed.frame.header[0],
				 told ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
		for (unsigned i = 1; i < 10; i++)
			assert_int_equal(bed.frame.header[i], 0);
		bed_close(&bed);
	}
}

/* What asks for something outside of itself does not reach the guest. */
static void nonsense_is_not_sent(void **state)
{
	struct packet *p = &bed.packets[0];

	open_bed(state, ALL_GUEST);
	driver_put_buffers(bed.rx, NULL, 2000);
	driver_publish(bed.rx);
	build(&cases[0], 100);
	packet_init(p, frame.data, frame.len);
	p->offload.csum_needed = true;
	p->offload.csum_start = frame.len;
	assert_int_equal(virtqueue_send(bed.to, &p, 1, bed.drops, &bed.bytes),
			 0);
	assert_int_equal(bed.drops[DROP_TX_OFFLOAD], 1);
	assert_int_equal(bed_drops(&bed), 1);
	assert_false(driver_has_used(bed.rx));
	assert_true(bed_send(&bed, 1, 60));
	assert_taken(&bed, 1, 60);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(taken_from_guest),	  BOTH(not_negotiated),
		BOTH(contradictions),	  BOTH(valid_is_not_believed),
		BOTH(given_to_guest),	  BOTH(nonsense_is_not_sent),
		BOTH(not_given_to_guest), BOTH(valid_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
