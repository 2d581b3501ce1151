/*
 * The gateway as a station: the input is a row of frames, each with its length,
 * the port and the time that passed. And each frame as a UDP datagram.
 */
#include "fuzz_input.h"
#include "gateway/station.h"
#include "gateway/udp_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(const void *frame, size_t len, void *arg)
{
	MUST(len >= 60 && len <= PACKET_LEN_MAX);
	MUST(load_mac((const uint8_t *)frame + 6) == 0x025600000001);
}

static void on_resolved(const struct ip_address *ip, uint64_t mac, void *arg)
{
	MUST(ip->len == 4 || ip->len == 16);
}

static void try_datagram(const uint8_t *frame, size_t len)
{
	static uint8_t room[PACKET_LEN_MAX + 128];
	struct udp_datagram d, again;
	size_t n;

	if (!udp_frame_parse(&d, frame, len))
		return;
	MUST(d.payload >= frame && d.payload + d.len <= frame + len);
	n = udp_frame_build(&d, room, sizeof(room));
	if (!n)
		return;
	MUST(udp_frame_parse(&again, room, n));
	MUST(again.len == d.len && !memcmp(again.payload, d.payload, d.len));
}

static void receive(struct station *s, const uint8_t *head,
		    const uint8_t *frame, size_t len, uint64_t now)
{
	struct gateway_client client = { .port = head[2] & 3 };
	struct ip_address ip = { .len = 4, .bytes = { 10, 20, 0, head[2] } };
	uint64_t mac;

	if (len >= 12)
		client.mac = load_mac(frame + 6);
	station_receive(s, &client, frame, len, now);
	try_datagram(frame, len);
	if (head[2] & 4 && !neighbor_cache_resolve(station_neighbors(s), &ip,
						   client.port, now, &mac))
		MUST(mac);
	station_run(s, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct station_config config = {
		.mac = 0x025600000001,
		.ip4 = 0x0a140001,
		.prefix4_len = 24,
		.ip6 = true,
		.global = { { { 0xfd, 0x20, [15] = 1 }, 64 } },
		.n_global = 1,
		.ra = { .enabled = true,
			.default_router = true,
			.mtu = 1400,
			.n_rdnss = 1 },
		.limits = { .total = 16,
			    .per_port = 6,
			    .per_mac = 3,
			    .asked = 8,
			    .asked_per_port = 4 },
	};
	static const struct station_ops ops = { .send = on_send,
						.resolved = on_resolved };
	static const struct hash_key key = { 1, 2 };
	uint64_t now = 100000;
	struct station *s = station_create(&config, &key, &ops, NULL, now);
	uint8_t head[4];

	while (size) {
		uint8_t *copy;
		size_t len;

		fuzz_take(&data, &size, head, 4);
		len = MIN((size_t)load_be16(head), size);
		copy = xmalloc(len ? len : 1);
		memcpy(copy, data, len);
		data += len;
		size -= len;
		now += head[3] * 100;
		receive(s, head, copy, len, now);
		free(copy);
	}
	station_destroy(s);
	return 0;
}
