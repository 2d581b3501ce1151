/* The segment's own names and addresses (RFC 1034 4.3.2, RFC 2308). */
#include "gateway/dns_internal.h"

#include <stdio.h>

#define NEGATIVE_TTL_S 10 /* a machine that is started soon has its name */

static const uint8_t no_ip6[16];

/* RFC 2308 3: who says that there is nothing, and how long that is true. */
static void add_soa(struct dns_reply *r, const struct dns *d)
{
	uint8_t data[DNS_NAME_MAX + 64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_bytes(&w, d->domain.wire, d->domain.len); /* its server */
	writer_bytes(&w, d->domain.wire,
		     d->domain.len); /* who looks after it */
	writer_be32(&w, 1);
	writer_be32(&w, 3600);
	writer_be32(&w, 600);
	writer_be32(&w, 86400);
	writer_be32(&w, NEGATIVE_TTL_S);
	if (!w.failed)
		dns_reply_record(r, &d->domain, DNS_SOA, NEGATIVE_TTL_S, data,
				 writer_len(&w));
}

static size_t negative(const struct dns *d, const struct dns_question *q,
		       enum dns_rcode rcode, uint8_t room[DNS_REPLY_MAX])
{
	struct dns_reply r;

	dns_reply_begin(&r, q, room);
	if (d->domain.len)
		add_soa(&r, d);
	return dns_reply_end(&r, rcode, DNS_FLAG_AA);
}

static bool find_host(const struct dns *d, const char *label,
		      struct dns_host *host)
{
	memset(host, 0, sizeof(*host));
	if (d->config.gateway && !strcmp(label, d->config.gateway)) {
		host->ip4 = d->config.ip4;
		memcpy(host->ip6, d->config.ip6, 16);
		return true;
	}
	return d->ops.find_name && d->ops.find_name(label, host, d->ops_arg);
}

static size_t answer_host(const struct dns *d, const struct dns_question *q,
			  const struct dns_host *host,
			  uint8_t room[DNS_REPLY_MAX])
{
	struct dns_reply r;
	uint8_t ip4[4];

	dns_reply_begin(&r, q, room);
	store_be32(ip4, host->ip4);
	if (host->ip4 && (q->type == DNS_A || q->type == DNS_ANY))
		dns_reply_record(&r, NULL, DNS_A, d->config.ttl_s, ip4, 4);
	if (memcmp(host->ip6, no_ip6, 16) &&
	    (q->type == DNS_AAAA || q->type == DNS_ANY))
		dns_reply_record(&r, NULL, DNS_AAAA, d->config.ttl_s, host->ip6,
				 16);
	if (!r.n_answers)
		return negative(d, q, DNS_NOERROR, room);
	return dns_reply_end(&r, DNS_NOERROR, DNS_FLAG_AA);
}

/* A number of a reverse name's label; base is 10 or 16. */
static bool read_number(const uint8_t *label, unsigned base, unsigned *number)
{
	char text[4] = { 0 }, *end;

	if (label[0] < 1 || label[0] > (base == 16 ? 1 : 3) ||
	    (base == 10 && label[0] > 1 && label[1] == '0'))
		return false;
	memcpy(text, label + 1, label[0]);
	if (text[0] == '+' || text[0] == '-' || text[0] == ' ')
		return false;
	*number = strtoul(text, &end, base);
	return !*end && *number < 256;
}

/* The address of a whole reverse name (RFC 1035 3.5, RFC 3596 2.5). */
static bool reverse_address(const struct dns_name *name, struct ip_address *ip)
{
	struct dns_name v4, v6;
	const uint8_t *at = name->wire;
	unsigned number, n;
	bool is_v4;

	dns_name_from_text("in-addr.arpa", &v4);
	dns_name_from_text("ip6.arpa", &v6);
	memset(ip, 0, sizeof(*ip));
	is_v4 = dns_name_under(name, &v4) == 4;
	if (!is_v4 && dns_name_under(name, &v6) != 32)
		return false;
	n = is_v4 ? 4 : 32;
	for (unsigned i = 0; i < n; i++, at += 1 + at[0]) {
		if (!read_number(at, is_v4 ? 10 : 16, &number))
			return false;
		if (is_v4)
			ip->bytes[3 - i] = number;
		else
			ip->bytes[15 - i / 2] |= number << (i % 2 * 4);
	}
	ip->len = is_v4 ? 4 : 16;
	return true;
}

static bool is_ours(const struct dns *d, const struct ip_address *ip)
{
	const struct dns_config *c = &d->config;
	uint32_t mask = ip4_mask(c->prefix4_len);

	if (ip->len == 4)
		return c->ip4 &&
		       (ip_address_to_v4(ip) & mask) == (c->ip4 & mask);
	return memcmp(c->ip6, no_ip6, 16) &&
	       ip6_in_prefix(ip->bytes, c->ip6, c->prefix6_len);
}

static bool find_label(const struct dns *d, const struct ip_address *ip,
		       struct dns_host *host)
{
	memset(host, 0, sizeof(*host));
	if (d->config.gateway &&
	    ((ip->len == 4 && ip_address_to_v4(ip) == d->config.ip4) ||
	     (ip->len == 16 && !memcmp(ip->bytes, d->config.ip6, 16)))) {
		snprintf(host->label, sizeof(host->label), "%s",
			 d->config.gateway);
		return true;
	}
	return d->ops.find_ip && d->ops.find_ip(ip, host, d->ops_arg) &&
	       host->label[0];
}

static size_t answer_reverse(const struct dns *d, const struct dns_question *q,
			     const struct ip_address *ip,
			     uint8_t room[DNS_REPLY_MAX])
{
	struct dns_name label;
	uint8_t data[DNS_NAME_MAX];
	struct dns_host host;
	struct dns_reply r;
	struct writer w;

	if (!find_label(d, ip, &host) ||
	    !dns_name_from_text(host.label, &label))
		return negative(d, q, DNS_NXDOMAIN, room);
	if (q->type != DNS_PTR && q->type != DNS_ANY)
		return negative(d, q, DNS_NOERROR, room);
	writer_init(&w, data, sizeof(data));
	writer_bytes(&w, label.wire, label.len - 1);
	if (d->domain.len)
		writer_bytes(&w, d->domain.wire, d->domain.len);
	else
		writer_u8(&w, 0);
	dns_reply_begin(&r, q, room);
	dns_reply_record(&r, NULL, DNS_PTR, d->config.ttl_s, data,
			 writer_len(&w));
	return dns_reply_end(&r, DNS_NOERROR, DNS_FLAG_AA);
}

/* The domain itself: it is there, and has an SOA. */
static size_t answer_apex(const struct dns *d, const struct dns_question *q,
			  uint8_t room[DNS_REPLY_MAX])
{
	struct dns_reply r;

	dns_reply_begin(&r, q, room);
	add_soa(&r, d);
	if (q->type == DNS_SOA) {
		r.n_answers = r.n_authority;
		r.n_authority = 0;
	}
	return dns_reply_end(&r, DNS_NOERROR, DNS_FLAG_AA);
}

size_t dns_zone_answer(const struct dns *d, const struct dns_question *q,
		       uint8_t room[DNS_REPLY_MAX])
{
	static const struct dns_name root = { .len = 1 };
	int below = d->domain.len ? dns_name_under(&q->name, &d->domain) : -1;
	bool address = q->type == DNS_A || q->type == DNS_AAAA;
	char label[DNS_LABEL_MAX + 1];
	struct dns_host host;
	struct ip_address ip;

	if (q->class != DNS_CLASS_IN)
		return 0;
	if (below == 0)
		return answer_apex(d, q, room);
	if (below == 1 ||
	    (below < 0 && address && dns_name_under(&q->name, &root) == 1)) {
		if (dns_name_label(&q->name, label) &&
		    find_host(d, label, &host))
			return answer_host(d, q, &host, room);
		return negative(d, q, DNS_NXDOMAIN, room);
	}
	if (below > 1)
		return negative(d, q, DNS_NXDOMAIN, room);
	if (reverse_address(&q->name, &ip) && is_ours(d, &ip))
		return answer_reverse(d, q, &ip, room);
	return 0;
}
