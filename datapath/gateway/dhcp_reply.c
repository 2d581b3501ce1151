/*
 * Answers of a DHCPv4 server. Options go where there is room: first the options
 * field, then the fields of the boot file and the server's name, if they have
 * nothing of their own to say (option overload, RFC 2132 9.3).
 */
#include "gateway/dhcp_internal.h"

#include <stdio.h>
#include <arpa/inet.h>

#include "gateway/dns_name.h"
#include "gateway/writer.h"

#define BOOTREPLY     2
#define HEADERS_LEN   28  /* IPv4 and UDP */
#define REPLY_LEAST   300 /* RFC 1542 2.1 */
#define SIADDR_OFFSET 20
#define SNAME_OFFSET  44
#define FILE_OFFSET   108
#define OVERLOAD_SIZE 3
#define LONG_MAX      1024 /* of an option before it is split */
#define FQDN_S	      0x01
#define FQDN_O	      0x02
#define FQDN_E	      0x04

struct reply {
	const struct dhcp_config *config;
	const struct dhcp_message *m;
	const struct dhcp_lease *lease;
	struct writer options, file, sname;
	uint8_t overload;
};

static unsigned size_in_parts(size_t len)
{
	return len + 2 * MAX(DIV_ROUND_UP(len, DHCP_OPTION_MAX), (size_t)1);
}

static void write_parts(struct writer *w, uint8_t code, const uint8_t *data,
			size_t len)
{
	do { /* RFC 3396 */
		size_t n = MIN(len, (size_t)DHCP_OPTION_MAX);

		writer_u8(w, code);
		writer_u8(w, n);
		writer_bytes(w, data, n);
		data += n;
		len -= n;
	} while (len);
}

/* An option that has no room anywhere is left out. */
static void put(struct reply *r, uint8_t code, const void *data, size_t len)
{
	size_t size = size_in_parts(len);

	if (size + OVERLOAD_SIZE + 1 <= writer_left(&r->options)) {
		write_parts(&r->options, code, data, len);
	} else if (size + 1 <= writer_left(&r->file)) {
		write_parts(&r->file, code, data, len);
		r->overload |= 1;
	} else if (size + 1 <= writer_left(&r->sname)) {
		write_parts(&r->sname, code, data, len);
		r->overload |= 2;
	}
}

static void put_u32(struct reply *r, uint8_t code, uint32_t v)
{
	uint8_t bytes[4];

	store_be32(bytes, v);
	put(r, code, bytes, 4);
}

static void put_list(struct reply *r, uint8_t code, const uint32_t *ips,
		     unsigned n)
{
	uint8_t bytes[DHCP_ADDRESSES_MAX * 4];

	for (unsigned i = 0; i < n; i++)
		store_be32(bytes + 4 * i, ips[i]);
	if (n)
		put(r, code, bytes, 4 * n);
}

static void put_text(struct reply *r, uint8_t code, const char *text)
{
	if (text && text[0])
		put(r, code, text, strlen(text));
}

static void write_route(struct writer *w, uint32_t network, unsigned prefix_len,
			uint32_t gateway)
{
	uint8_t bytes[4];

	store_be32(bytes, network & ip4_mask(prefix_len));
	writer_u8(w, prefix_len);
	writer_bytes(w, bytes, (prefix_len + 7) / 8);
	writer_be32(w, gateway);
}

/* RFC 3442: who takes these ignores the router, so that is one of them. */
static void put_routes(struct reply *r)
{
	const struct dhcp_config *c = r->config;
	uint8_t room[LONG_MAX];
	struct writer w;

	if (!c->n_routes)
		return;
	writer_init(&w, room, sizeof(room));
	for (unsigned i = 0; i < c->n_routes && writer_left(&w) >= 18; i++)
		write_route(&w, c->routes[i].network, c->routes[i].prefix_len,
			    c->routes[i].gateway);
	if (c->router)
		write_route(&w, 0, 0, c->router);
	put(r, OPTION_ROUTES, room, writer_len(&w));
}

/* RFC 3397 */
static void put_search(struct reply *r)
{
	uint8_t room[LONG_MAX];
	struct dns_name name;
	struct writer w;

	writer_init(&w, room, sizeof(room));
	for (unsigned i = 0; i < r->config->n_search; i++)
		if (dns_name_from_text(r->config->search[i], &name) &&
		    name.len <= writer_left(&w))
			writer_bytes(&w, name.wire, name.len);
	if (writer_len(&w))
		put(r, OPTION_SEARCH, room, writer_len(&w));
}

/* RFC 4702 4: the name is ours to enter, and is this. */
static void put_fqdn(struct reply *r)
{
	uint8_t asked = r->m->fqdn.bytes[0], room[3 + DNS_NAME_MAX];
	const char *domain = r->config->domain;
	struct dns_name name;
	struct writer w;
	char text[600];

	if (!r->lease || !r->lease->hostname[0] || r->m->fqdn.len < 3)
		return;
	snprintf(text, sizeof(text), "%s%s%s", r->lease->hostname,
		 domain ? "." : "", domain ? domain : "");
	if (!dns_name_from_text(text, &name) || name.len > 250)
		return;
	writer_init(&w, room, sizeof(room));
	writer_u8(&w,
		  FQDN_S | (asked & FQDN_S ? 0 : FQDN_O) | (asked & FQDN_E));
	writer_be16(&w, 0xffff);
	if (asked & FQDN_E)
		writer_bytes(&w, name.wire, name.len);
	else
		writer_bytes(&w, text, strlen(text));
	put(r, OPTION_FQDN, room, writer_len(&w));
}

static const char *boot_file(const struct reply *r)
{
	const char *any = NULL;

	for (unsigned i = 0; i < r->config->n_boot; i++) {
		const struct dhcp_boot *boot = &r->config->boot[i];

		if (boot->arch >= 0 && boot->arch == r->m->arch)
			return boot->file;
		if (boot->arch < 0)
			any = boot->file;
	}
	return any;
}

static void put_tftp(struct reply *r)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr in = { .s_addr = htonl(r->config->next_server) };

	if (r->config->tftp_server)
		put_text(r, OPTION_TFTP_SERVER, r->config->tftp_server);
	else if (r->config->next_server &&
		 inet_ntop(AF_INET, &in, text, sizeof(text)))
		put_text(r, OPTION_TFTP_SERVER, text);
}

static void put_parameter(struct reply *r, uint8_t code)
{
	const struct dhcp_config *c = r->config;
	uint8_t mtu[2];

	switch (code) {
	case OPTION_MASK:
		return put_u32(r, code, ip4_mask(c->prefix_len));
	case OPTION_ROUTER:
		return put_list(r, code, &c->router, c->router ? 1 : 0);
	case OPTION_DNS:
		return put_list(r, code, c->dns, c->n_dns);
	case OPTION_NTP:
		return put_list(r, code, c->ntp, c->n_ntp);
	case OPTION_DOMAIN:
		return put_text(r, code, c->domain);
	case OPTION_HOSTNAME:
		return put_text(r, code, r->lease ? r->lease->hostname : NULL);
	case OPTION_BROADCAST:
		return put_u32(r, code, c->server | ~ip4_mask(c->prefix_len));
	case OPTION_MTU:
		store_be16(mtu, c->mtu);
		return c->mtu ? put(r, code, mtu, 2) : (void)0;
	case OPTION_ROUTES:
		return put_routes(r);
	case OPTION_SEARCH:
		return put_search(r);
	case OPTION_TFTP_SERVER:
		return put_tftp(r);
	case OPTION_BOOT_FILE:
		return put_text(r, code, boot_file(r));
	default:
		return;
	}
}

/* In the order of the client's wishes, each once; or all of them. */
static void put_parameters(struct reply *r)
{
	static const uint8_t all[] = {
		OPTION_MASK,	  OPTION_ROUTES, OPTION_ROUTER,	  OPTION_DNS,
		OPTION_DOMAIN,	  OPTION_SEARCH, OPTION_HOSTNAME, OPTION_MTU,
		OPTION_BROADCAST, OPTION_NTP,
	};
	const uint8_t *list = all;
	unsigned n = sizeof(all);
	bool done[256] = { false };

	if (r->m->has_parameters) {
		list = r->m->parameters.bytes;
		n = r->m->parameters.len;
	}
	if (r->lease) { /* RFC 2132 3.3: in front of the router */
		put_parameter(r, OPTION_MASK);
		done[OPTION_MASK] = true;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!done[list[i]])
			put_parameter(r, list[i]);
		done[list[i]] = true;
	}
	put_fqdn(r);
}

static void put_lease_times(struct reply *r)
{
	uint32_t lease_s = r->config->lease_s;

	put_u32(r, OPTION_LEASE_TIME, lease_s);
	put_u32(r, OPTION_T1, lease_s / 2);
	put_u32(r, OPTION_T2, lease_s - lease_s / 8);
}

/* RFC 2131 table 3 */
static void write_fixed(const struct reply *r, enum dhcp_type type,
			uint8_t room[DHCP_FIXED_LEN + 4])
{
	const char *file = boot_file(r);
	struct writer w;

	memset(room, 0, DHCP_FIXED_LEN);
	writer_init(&w, room, DHCP_FIXED_LEN + 4);
	writer_be32(&w, BOOTREPLY << 24 | 1 << 16 | 6 << 8);
	writer_be32(&w, r->m->xid);
	writer_be16(&w, 0);
	writer_be16(&w, r->m->flags);
	writer_be32(&w, type == DHCP_ACK ? r->m->ciaddr : 0);
	writer_be32(&w, r->lease ? r->lease->ip : 0);
	writer_be32(&w, type == DHCP_NAK ? 0 : r->config->next_server);
	writer_be32(&w, 0);
	writer_bytes(&w, r->m->chaddr, 16);
	if (type != DHCP_NAK && file)
		snprintf((char *)room + FILE_OFFSET, DHCP_FILE_LEN, "%s", file);
	store_be32(room + DHCP_FIXED_LEN, DHCP_COOKIE);
}

static void finish(struct reply *r)
{
	if (r->overload) {
		writer_u8(&r->options, OPTION_OVERLOAD);
		writer_u8(&r->options, 1);
		writer_u8(&r->options, r->overload);
	}
	writer_u8(&r->options, OPTION_END);
	if (r->overload & 1)
		writer_u8(&r->file, OPTION_END);
	if (r->overload & 2)
		writer_u8(&r->sname, OPTION_END);
}

size_t dhcp_reply_build(const struct dhcp_config *config,
			const struct dhcp_message *m, enum dhcp_type type,
			const struct dhcp_lease *lease,
			uint8_t room[DHCP_REPLY_MAX])
{
	size_t size =
		MIN((size_t)m->max_size - HEADERS_LEN, (size_t)DHCP_REPLY_MAX);
	struct reply r = { .config = config, .m = m, .lease = lease };
	size_t len;

	memset(room, 0, DHCP_REPLY_MAX);
	write_fixed(&r, type, room);
	writer_init(&r.options, room + DHCP_FIXED_LEN + 4,
		    size - DHCP_FIXED_LEN - 4);
	writer_init(&r.file, room + FILE_OFFSET,
		    room[FILE_OFFSET] ? 0 : DHCP_FILE_LEN);
	writer_init(&r.sname, room + SNAME_OFFSET, DHCP_SNAME_LEN);
	put(&r, OPTION_TYPE, &(uint8_t){ type }, 1);
	put_u32(&r, OPTION_SERVER_ID, config->server);
	if (m->client_id.len) /* RFC 6842 */
		put(&r, OPTION_CLIENT_ID, m->client_id.bytes, m->client_id.len);
	if (lease)
		put_lease_times(&r);
	if (type == DHCP_NAK)
		put_text(&r, OPTION_MESSAGE, "the address is not yours here");
	else
		put_parameters(&r);
	finish(&r);
	len = r.options.at - room;
	return MAX(len, (size_t)REPLY_LEAST);
}
