/*
 * A member of groups: the input is a row of frames, each with its length, what
 * is joined or left, and the time that passed. What it says itself must be
 * understood by another member.
 */
#include "fuzz_input.h"
#include "gateway/membership.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct membership_config config = {
	.mac = 0x025600000001,
	.ip4 = 0x0a140001,
	.link_local = { 0xfe, 0x80, [15] = 1 },
};
static const struct hash_key key = { 1, 2 };

static void on_send(const void *frame, size_t len, void *listener)
{
	uint64_t bad = membership_counters(listener)->bad;

	MUST(len >= 60 && len <= 14 + 1280);
	MUST(load_mac((const uint8_t *)frame + 6) == config.mac);
	MUST(membership_receive(listener, frame, len, 0));
	MUST(membership_counters(listener)->bad == bad);
}

static void no_send(const void *frame, size_t len, void *arg)
{
	MUST(len >= 60);
}

static void change(struct membership *m, uint8_t what, uint64_t now)
{
	struct ip_address group =
		what & 8 ? (struct ip_address){ 16,
						{ 0xff, 5, [15] = what & 7 } }
			 : ip_address_v4(0xef000000 | (what & 7));

	if (what & 16) {
		MUST(!membership_join(m, &group, now));
		MUST(membership_has(m, &group));
	} else if (what & 32) {
		membership_leave(m, &group, now);
		MUST(!membership_has(m, &group));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct membership *listener =
		membership_create(&config, &key, no_send, NULL);
	struct membership *m =
		membership_create(&config, &key, on_send, listener);
	uint64_t now = 100000;
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
		now += head[3] * 200;
		change(m, head[2], now);
		membership_receive(m, copy, len, now);
		membership_run(m, now);
		MUST(membership_next_ms(m) > now);
		free(copy);
	}
	membership_end(m, now);
	membership_destroy(m);
	membership_destroy(listener);
	return 0;
}
