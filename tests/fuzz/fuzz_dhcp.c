/*
 * A DHCPv4 server and messages of any bytes: the input is a row of them, each
 * with its length, a client, and the time that passed. What must hold after
 * each: a lease has an address of the range, no address has two, and answers
 * are whole.
 */
#include "fuzz_input.h"
#include "gateway/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERVER	  0x0a140001
#define RANGE_MAX 40

static struct dhcp *dhcp;
static unsigned holders[256];

static void on_send(const struct dhcp_destination *to, const void *message,
		    size_t len, void *arg)
{
	MUST(len >= 300 && len <= 1472);
	MUST(*(const uint8_t *)message == 2);
	MUST(to->port == DHCP_CLIENT_PORT);
}

static void on_changed(const struct dhcp_lease *lease, bool gone, void *arg)
{
	MUST(lease->state != DHCP_OFFERED || gone);
	MUST(strlen(lease->hostname) <= DHCP_HOSTNAME_MAX);
}

static void count(const struct dhcp_lease *lease, void *arg)
{
	MUST(lease->ip > SERVER && lease->ip <= SERVER + RANGE_MAX);
	MUST(++holders[lease->ip & 0xff] == 1);
}

/* The length of 2 bytes, the client of 1, the time of 1. */
static void receive_one(const uint8_t **data, size_t *size, uint64_t *now)
{
	struct gateway_client client;
	uint8_t head[4];
	uint8_t *copy;
	size_t len;

	fuzz_take(data, size, head, 4);
	len = MIN((size_t)load_be16(head), *size);
	*now += head[3] * 1000ull;
	copy = xmalloc(len ? len : 1);
	memcpy(copy, *data, len);
	*data += len;
	*size -= len;
	/* mostly the one that the message says, or it goes no further */
	client.mac = len >= 34 && head[2] < 240 ? load_mac(copy + 28) : head[2];
	client.port = head[2] & 3;
	dhcp_receive(dhcp, &client, copy, len, *now);
	free(copy);
	memset(holders, 0, sizeof(holders));
	dhcp_list(dhcp, count, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dhcp_reservation reservation = { 0x525400000007,
							     SERVER + 5,
							     "seven" };
	static const struct dhcp_route route = { 0x0a630000, 16, SERVER };
	static const char *const search[] = { "lab", "example.org" };
	static const struct dhcp_boot boot = { -1, "boot.efi" };
	static const struct dhcp_config config = {
		.server = SERVER,
		.prefix_len = 24,
		.first = SERVER + 1,
		.last = SERVER + RANGE_MAX,
		.lease_s = 60,
		.router = SERVER,
		.dns = { SERVER },
		.n_dns = 1,
		.domain = "lab",
		.search = search,
		.n_search = 2,
		.mtu = 1400,
		.routes = &route,
		.n_routes = 1,
		.boot = &boot,
		.n_boot = 1,
		.reservations = &reservation,
		.n_reservations = 1,
		.authoritative = true,
		.leases_max = 30,
	};
	static const struct dhcp_ops ops = { on_send, on_changed };
	static const struct hash_key key = { 1, 2 };
	uint64_t now = 1;

	dhcp = dhcp_create(&config, &key, &ops, NULL);
	while (size)
		receive_one(&data, &size, &now);
	dhcp_run(dhcp, now + 10000000);
	dhcp_destroy(dhcp);
	return 0;
}
