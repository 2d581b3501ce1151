/*
 * A DHCPv4 client and messages of any bytes: the input is a row of them, each
 * with its length, the time that passed, and what else happens. What must hold
 * after each: it uses an address that a host can have, until it is over, and
 * does not send more than a few messages a turn.
 */
#include "fuzz_input.h"
#include "gateway/dhcp_client.h"
#include "gateway/dhcp_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAC 0x025600000001

static struct dhcp_client *client;
static uint8_t xid[4];
static uint32_t probed;
static unsigned n_sent;

static void on_send(uint32_t from, uint32_t to, const void *message, size_t len,
		    void *arg)
{
	struct dhcp_message m;

	MUST(len == DHCP_CLIENT_MESSAGE_LEN);
	MUST(dhcp_message_parse(&m, message, len));
	MUST(m.mac == MAC);
	MUST(++n_sent < 16);
	memcpy(xid, (const uint8_t *)message + 4, 4);
}

static void on_probe(uint32_t ip, void *arg)
{
	probed = ip;
}

static void on_changed(const struct dhcp_client_lease *l, void *arg)
{
	MUST(!l || (l->ip && l->prefix_len >= 8 && l->prefix_len <= 32));
	MUST(!l || l->n_routes <= DHCP_CLIENT_ROUTES_MAX);
	MUST(!l || (l->lease_s >= DHCP_CLIENT_LEASE_MIN_S && l->server));
}

static void check(uint64_t now)
{
	const struct dhcp_client_lease *l = dhcp_client_lease(client);

	MUST(dhcp_client_next_ms(client) > now);
	MUST(!l || now < l->over_ms);
}

/* The length of 2 bytes, the time of 1, what happens of 1. */
static void one(const uint8_t **data, size_t *size, uint64_t *now)
{
	uint8_t head[4], *copy;
	size_t len;

	fuzz_take(data, size, head, 4);
	len = MIN((size_t)load_be16(head), *size);
	*now += head[2] * 300ull << (head[3] & 7);
	dhcp_client_run(client, *now);
	copy = xmalloc(len ? len : 1);
	memcpy(copy, *data, len);
	*data += len;
	*size -= len;
	/* mostly an answer to what was said, or it goes no further */
	if (len >= 34 && !(head[3] & 0x80)) {
		memcpy(copy + 4, xid, 4);
		store_be16(copy + 28, MAC >> 32);
		store_be32(copy + 30, (uint32_t)MAC);
	}
	n_sent = 0;
	if (head[3] & 0x40)
		dhcp_client_conflict(client, probed, *now);
	if (head[3] & 0x20)
		dhcp_client_restart(client, *now);
	dhcp_client_receive(client, copy, len, *now);
	n_sent = 0;
	free(copy);
	check(*now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dhcp_client_config config = { .mac = MAC, .seed = 7 };
	static const struct dhcp_client_ops ops = { on_send, on_probe,
						    on_changed };
	uint64_t now = 1;

	n_sent = 0;
	client = dhcp_client_create(&config, &ops, NULL, now);
	while (size)
		one(&data, &size, &now);
	dhcp_client_release(client);
	dhcp_client_destroy(client);
	return 0;
}
