/* Any bytes to the stateless DHCPv6 server; an answer fits its request. */
#include "fuzz_input.h"
#include "gateway/dhcpv6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dhcpv6_config config = {
		.mac = 0x025600000001,
		.dns = { { 0xfd, 0x20, [15] = 1 } },
		.n_dns = 1,
		.domain = "lab",
	};
	uint8_t reply[DHCPV6_REPLY_MAX];
	size_t len = dhcpv6_answer(&config, data, size, true, reply);

	MUST(len <= sizeof(reply));
	if (len) {
		MUST(size >= 4 && len >= 4);
		MUST(reply[0] == 7 && !memcmp(reply + 1, data + 1, 3));
	}
	return 0;
}
