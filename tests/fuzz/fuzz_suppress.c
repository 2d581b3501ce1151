/* Questions for a station's MAC, on any bytes, and what is answered. */
#include "fuzz_input.h"
#include "packet/csum.h"
#include "packet/neighbor.h"
#include "packet/parse.h"
#include "tunnel/suppress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VID   10
#define KNOWN 0x020000000009ull

/* Wherever a question may have its target, with a tag or without. */
static struct suppress_table *know_targets(const uint8_t *frame, size_t size)
{
	static const struct {
		uint8_t at, len;
	} targets[] = { { 38, 4 }, { 42, 4 }, { 62, 16 }, { 66, 16 } };
	struct suppress_table *t = suppress_create(16, 1);

	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		if (size >= (size_t)targets[i].at + targets[i].len)
			MUST(!suppress_set(t, VID, frame + targets[i].at,
					   targets[i].len, KNOWN));
	return t;
}

static unsigned ask(const struct suppress_table *t, const uint8_t *frame,
		    size_t size, uint8_t room[SUPPRESS_FRAME_MAX])
{
	struct packet p;

	packet_init(&p, frame, size);
	packet_pull_first(&p);
	return suppress_answer(t, VID, &p, room);
}

static void check_answer(const uint8_t *frame, const uint8_t *answer,
			 unsigned len)
{
	const uint8_t *ip = answer + ETH_HEADER_LEN;

	MUST(load_mac(answer) == load_mac(frame + 6));
	MUST(load_mac(answer + 6) == KNOWN);
	if (load_be16(answer + 12) == ETH_TYPE_ARP) {
		MUST(len == ETH_HEADER_LEN + 28);
		return;
	}
	MUST(load_be16(answer + 12) == ETH_TYPE_IPV6);
	MUST(len == ETH_HEADER_LEN + 40 + load_be16(ip + 4));
	MUST(csum_fold(csum_combine(csum_pseudo6(ip, ip[6], load_be16(ip + 4)),
				    csum_add(0, ip + 40, load_be16(ip + 4)))) ==
	     0xffff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1), room[SUPPRESS_FRAME_MAX];
	uint8_t again[SUPPRESS_FRAME_MAX];
	struct suppress_table *t;
	unsigned len;

	if (size)
		memcpy(exact, data, size);
	t = know_targets(exact, size);
	len = ask(t, exact, size, room);
	MUST(len <= sizeof(room));
	if (len) {
		check_answer(exact, room, len);
		/* An answer asks nothing. */
		MUST(!ask(t, room, len, again));
	}
	suppress_destroy(t);
	free(exact);
	return 0;
}
