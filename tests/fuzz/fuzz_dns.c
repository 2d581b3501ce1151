/*
 * The name service: the input is a row of messages, each with its length and
 * whether it is a client's datagram, bytes of a client's connection, or a
 * server's answer (with the right id, or it would go no further), by datagram
 * or by connection. And the same bytes as a resolv.conf.
 */
#include "fuzz_input.h"
#include "gateway/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAMS 2

static struct dns_stream *streams[STREAMS];
static uint32_t last_query;
static uint16_t last_id;
static struct resolver last_server;
static unsigned n_open;

static void on_reply(const struct dns_client *client, const void *message,
		     size_t len, void *arg)
{
	MUST(len >= 12 && len <= 65535);
	MUST(((const uint8_t *)message)[2] & 0x80);
}

static int on_ask(uint32_t query, const struct resolver *server, bool tcp,
		  const void *message, size_t len, void *arg)
{
	last_query = query;
	last_server = *server;
	last_id = load_be16((const uint8_t *)message + (tcp ? 2 : 0));
	MUST(len <= 2 + DNS_QUERY_MAX);
	n_open++;
	return query % 7 ? 0 : -1;
}

static void on_close(uint32_t query, void *arg)
{
	n_open--;
}

static void on_stream_send(void *stream_arg, const void *data, size_t len,
			   void *arg)
{
	MUST(len && stream_arg);
}

static void on_stream_close(void *stream_arg, void *arg)
{
	*(struct dns_stream **)stream_arg = NULL;
}

static bool find_name(const char *label, struct dns_host *host, void *arg)
{
	MUST(strlen(label) < sizeof(host->label));
	host->ip4 = 0x0a140010;
	return !strcmp(label, "vm1");
}

static bool find_ip(const struct ip_address *ip, struct dns_host *host,
		    void *arg)
{
	strcpy(host->label, "vm1");
	return ip->bytes[3] == 16;
}

static void random_bytes(void *to, size_t len, void *arg)
{
	memset(to, 0x5a, len);
}

static void receive(struct dns *dns, uint8_t kind, uint8_t *message, size_t len,
		    uint64_t now)
{
	struct dns_client client = { .ip = { 4, { 10, 20, 0, 16 } },
				     .udp_port = 1000 + kind,
				     .port = kind };
	struct dns_stream **s = &streams[kind / 4 % STREAMS];

	switch (kind & 3) {
	case 0:
		dns_receive(dns, &client, message, len, now);
		return;
	case 1:
		if (!*s)
			*s = dns_stream_open(dns, &client, s, now);
		if (*s)
			dns_stream_receive(*s, message, len, now);
		return;
	case 2:
		if (!len) {
			dns_answer_failed(dns, last_query, now);
			return;
		}
		if (len >= 2)
			store_be16(message, last_id);
		dns_answer(dns, last_query, &last_server, message, len, now);
		return;
	default:
		if (len >= 4)
			store_be16(message + 2, last_id);
		dns_answer_stream(dns, last_query, message, len, now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dns_config config = { .domain = "lab",
						  .gateway = "gateway",
						  .ip4 = 0x0a140001,
						  .prefix4_len = 24,
						  .mtu = 1280 };
	static const struct dns_ops ops = {
		on_reply,	 on_ask,    on_close, on_stream_send,
		on_stream_close, find_name, find_ip,  random_bytes,
	};
	static const struct hash_key key = { 1, 2 };
	struct resolver servers[RESOLV_SERVERS_MAX] = { 0 };
	struct dns *dns = dns_create(&config, &key, &ops, NULL);
	uint64_t now = 1;
	uint8_t head[4];

	MUST(resolv_conf_parse((const char *)data, size, servers) <=
	     RESOLV_SERVERS_MAX);
	memset(servers, 0, sizeof(servers));
	servers[0].ip = ip_address_v4(1);
	servers[1].ip = ip_address_v4(2);
	dns_set_servers(dns, servers, 2);
	memset(streams, 0, sizeof(streams));
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
		receive(dns, head[2], copy, len, now);
		free(copy);
		dns_run(dns, now);
	}
	dns_destroy(dns);
	MUST(!n_open && !streams[0] && !streams[1]);
	return 0;
}
