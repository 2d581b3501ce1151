/* Stateless DHCPv6; see dhcpv6.h. */
#include "gateway/dhcpv6.h"

#include "gateway/dns_name.h"
#include "gateway/writer.h"
#include "packet/reader.h"

#define REPLY		    7
#define INFORMATION_REQUEST 11
#define DUID_LL		    3
#define DUID_LEN	    10
#define DUID_MAX	    130 /* RFC 8415 11.1, with its type */

enum option6 {
	OPTION6_CLIENT_ID = 1,
	OPTION6_SERVER_ID = 2,
	OPTION6_IA_NA = 3,
	OPTION6_IA_TA = 4,
	OPTION6_REQUEST = 6,
	OPTION6_DNS = 23,
	OPTION6_DOMAINS = 24,
	OPTION6_IA_PD = 25,
	OPTION6_REFRESH = 32,
};

struct request {
	uint32_t transaction;
	const uint8_t *client_id, *server_id; /* NULL: none */
	uint16_t client_id_len, server_id_len;
	bool dns, domains, refresh;
};

static void read_wishes(struct request *request, struct reader r)
{
	while (reader_left(&r) >= 2) {
		uint16_t code = reader_be16(&r);

		request->dns |= code == OPTION6_DNS;
		request->domains |= code == OPTION6_DOMAINS;
		request->refresh |= code == OPTION6_REFRESH;
	}
}

/* RFC 8415 16.12: no addresses are asked for this way. */
static bool read_option(struct request *request, uint16_t code,
			struct reader value)
{
	switch (code) {
	case OPTION6_CLIENT_ID:
		if (request->client_id)
			return false;
		request->client_id_len = reader_left(&value);
		request->client_id = value.at;
		return request->client_id_len &&
		       request->client_id_len <= DUID_MAX;
	case OPTION6_SERVER_ID:
		if (request->server_id)
			return false;
		request->server_id_len = reader_left(&value);
		request->server_id = value.at;
		return true;
	case OPTION6_IA_NA:
	case OPTION6_IA_TA:
	case OPTION6_IA_PD:
		return false;
	case OPTION6_REQUEST:
		read_wishes(request, value);
		return true;
	default:
		return true;
	}
}

static bool read_request(struct request *request, const void *message,
			 size_t len)
{
	struct reader r;

	memset(request, 0, sizeof(*request));
	reader_init(&r, message, len);
	request->transaction = reader_be32(&r);
	if (request->transaction >> 24 != INFORMATION_REQUEST)
		return false;
	while (reader_left(&r)) {
		uint16_t code = reader_be16(&r), size = reader_be16(&r);
		struct reader value = reader_sub(&r, size);

		if (value.failed || !read_option(request, code, value))
			return false;
	}
	return !r.failed;
}

static void write_duid(uint8_t duid[DUID_LEN], uint64_t mac)
{
	struct writer w;

	writer_init(&w, duid, DUID_LEN);
	writer_be16(&w, DUID_LL);
	writer_be16(&w, 1);
	writer_mac(&w, mac);
}

static void put(struct writer *w, uint16_t code, const void *data, size_t len)
{
	writer_be16(w, code);
	writer_be16(w, len);
	writer_bytes(w, data, len);
}

size_t dhcpv6_answer(const struct dhcpv6_config *c, const void *message,
		     size_t len, bool multicast,
		     uint8_t reply[DHCPV6_REPLY_MAX])
{
	uint8_t duid[DUID_LEN], refresh[4];
	struct request request;
	struct dns_name domain;
	struct writer w;

	write_duid(duid, c->mac);
	/* RFC 8415 18.3.6, 16: by unicast only where that was allowed */
	if (!multicast || !read_request(&request, message, len))
		return 0;
	if (request.server_id && (request.server_id_len != DUID_LEN ||
				  memcmp(request.server_id, duid, DUID_LEN)))
		return 0;
	writer_init(&w, reply, DHCPV6_REPLY_MAX);
	writer_be32(&w, REPLY << 24 | (request.transaction & 0xffffff));
	put(&w, OPTION6_SERVER_ID, duid, DUID_LEN);
	if (request.client_id)
		put(&w, OPTION6_CLIENT_ID, request.client_id,
		    request.client_id_len);
	if (request.dns && c->n_dns)
		put(&w, OPTION6_DNS, c->dns, c->n_dns * 16);
	if (request.domains && c->domain &&
	    dns_name_from_text(c->domain, &domain))
		put(&w, OPTION6_DOMAINS, domain.wire, domain.len);
	if (request.refresh) {
		store_be32(refresh, c->refresh_s ? c->refresh_s : 86400);
		put(&w, OPTION6_REFRESH, refresh, 4);
	}
	return w.failed ? 0 : writer_len(&w);
}
