/* What stations say of their addresses, on any bytes. */
#include "fuzz_input.h"
#include "packet/neighbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was said can be said for the station, and is understood the same. */
static void check_announcement(const struct neighbor *n)
{
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t len = neighbor_announce(n->mac, n->ip, n->ip_len, frame);
	struct neighbor again;

	MUST(len >= 60 && len <= sizeof(frame));
	MUST(neighbor_parse(frame, len, &again));
	MUST(again.gratuitous && again.mac == n->mac);
	MUST(again.ip_len == n->ip_len);
	MUST(!memcmp(again.ip, n->ip, n->ip_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	struct neighbor n;

	if (size)
		memcpy(exact, data, size);
	if (neighbor_parse(exact, size, &n)) {
		MUST(n.ip_len == 4 || n.ip_len == 16);
		MUST(n.mac && !mac_is_multicast(n.mac));
		MUST(n.mac == load_mac(exact + 6));
		check_announcement(&n);
	}
	free(exact);
	return 0;
}
