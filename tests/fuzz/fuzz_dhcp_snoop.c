/*
 * DHCP as a port's station says it and is told, on any frames: the input is a
 * row of them, each with a byte for its way and time and two for its length.
 * Never is there more than has room, nor an address that a station cannot have.
 */
#include "fuzz_input.h"
#include "vswd/dhcp_snoop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dhcp_snoop *snoop, uint64_t now_ms)
{
	struct allowed_ips *ips = dhcp_snoop_allowed(snoop);
	const struct dhcp_binding *b;
	unsigned n = dhcp_snoop_bindings(snoop, &b);

	MUST(n <= SNOOP_BINDINGS_MAX && !n == !ips);
	MUST(!ips || ips->n_ip4 + ips->n_ip6 == n);
	for (unsigned i = 0; i < n; i++) {
		MUST(b[i].ends_ms > now_ms);
		MUST(b[i].client_len && b[i].client_len <= SNOOPED_CLIENT_MAX);
		if (b[i].ip.version == 4)
			MUST(b[i].prefix_len == 32 && b[i].ip.bytes[0] &&
			     b[i].ip.bytes[0] < 224);
		else
			MUST(b[i].prefix_len >= 16 && b[i].prefix_len <= 128 &&
			     b[i].ip.bytes[0] >= 0x20 &&
			     b[i].ip.bytes[0] < 0xfe);
	}
	free(ips);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp_snoop *snoop = dhcp_snoop_create();
	uint64_t now_ms = 0;

	while (size) {
		uint8_t head[3];
		uint8_t *exact;
		size_t n;

		fuzz_take(&data, &size, head, sizeof(head));
		n = MIN((size_t)load_be16(head + 1), size);
		now_ms += (head[0] >> 1) * 1000u;
		dhcp_snoop_run(snoop, now_ms);
		exact = xmalloc(n ? n : 1);
		memcpy(exact, data, n);
		data += n;
		size -= n;
		dhcp_snoop_frame(snoop, exact, n, head[0] & 1, now_ms);
		free(exact);
		check(snoop, now_ms);
	}
	dhcp_snoop_destroy(snoop);
	return 0;
}
