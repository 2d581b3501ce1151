/* The name service: made, configured, and which way each question goes. */
#include "gateway/dns_internal.h"

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

char *dns_config_check(const struct dns_config *c)
{
	struct dns_name name;

	if (c->domain && (!dns_name_from_text(c->domain, &name) ||
			  name.len < 2 || name.len > 128))
		return xasprintf("domain \"%s\" is not a domain name of at "
				 "most 126 letters",
				 c->domain);
	if (c->gateway &&
	    (!dns_name_from_text(c->gateway, &name) || strchr(c->gateway, '.')))
		return xasprintf("\"%s\" is not a host name of one label",
				 c->gateway);
	return NULL;
}

struct dns *dns_create(const struct dns_config *config,
		       const struct hash_key *key, const struct dns_ops *ops,
		       void *ops_arg)
{
	struct dns *d = xcalloc(1, sizeof(*d));
	struct dns_config *c = &d->config;

	*c = *config;
	c->gateway = config->gateway ? xstrdup(config->gateway) : NULL;
	c->domain = NULL; /* of which d->domain is made */
	if (config->domain)
		dns_name_from_text(config->domain, &d->domain);
	c->ttl_s = or_default(c->ttl_s, 60);
	c->queries_max = or_default(c->queries_max, 1024);
	c->streams_max = or_default(c->streams_max, 128);
	d->ops = *ops;
	d->ops_arg = ops_arg;
	d->key = *key;
	d->next_ms = UINT64_MAX;
	hash_index_init(&d->numbers, c->queries_max);
	quota_init(&d->query_ports, key, c->queries_max,
		   or_default(c->queries_per_port, 256));
	quota_init(&d->query_ips, key, c->queries_max,
		   or_default(c->queries_per_ip, 64));
	quota_init(&d->stream_ports, key, c->streams_max,
		   or_default(c->streams_per_port, 32));
	quota_init(&d->stream_ips, key, c->streams_max,
		   or_default(c->streams_per_ip, 8));
	return d;
}

void dns_destroy(struct dns *d)
{
	if (!d)
		return;
	dns_relay_abandon(d, NULL);
	while (d->streams)
		dns_stream_end(d->streams, true);
	hash_index_fini(&d->numbers);
	quota_fini(&d->query_ports);
	quota_fini(&d->query_ips);
	quota_fini(&d->stream_ports);
	quota_fini(&d->stream_ips);
	free((char *)d->config.gateway);
	free(d);
}

void dns_set_servers(struct dns *d, const struct resolver *servers, unsigned n)
{
	d->first = 0;
	d->n_servers = MIN(n, (unsigned)RESOLV_SERVERS_MAX);
	if (n)
		memcpy(d->servers, servers, d->n_servers * sizeof(*servers));
}

/* To a client, the way that it asked. */
void dns_deliver(struct dns *d, const struct dns_client *client,
		 struct dns_stream *stream, const void *message, size_t len)
{
	if (!len)
		return;
	if (stream)
		dns_stream_reply(stream, message, len);
	else
		d->ops.reply(client, message, len, d->ops_arg);
}

/* Questions that are answered by their kind alone. */
static bool refuse(const struct dns_question *q, enum dns_rcode *rcode)
{
	if (DNS_OPCODE(q->flags)) {
		*rcode = DNS_NOTIMP;
		return true;
	}
	if (q->edns && q->edns_version) {
		*rcode = DNS_BADVERS;
		return true;
	}
	*rcode = DNS_REFUSED; /* RFC 1035 3.2.3: of zones, which we relay not */
	return q->type == DNS_AXFR || q->type == DNS_IXFR;
}

void dns_query(struct dns *d, const struct dns_client *client,
	       struct dns_stream *stream, const uint8_t *message, size_t len,
	       uint64_t now_ms)
{
	uint8_t room[DNS_REPLY_MAX];
	struct dns_question q;
	enum dns_parsed parsed = dns_question_parse(&q, message, len);
	enum dns_rcode rcode = DNS_FORMERR;
	size_t n;

	if (parsed == DNS_IS_BAD) {
		d->counters.bad++;
		return;
	}
	d->counters.queries++;
	if (parsed == DNS_IS_MALFORMED || len > DNS_QUERY_MAX ||
	    refuse(&q, &rcode)) {
		d->counters.bad++;
		n = dns_reply_code(&q, rcode, 0, room);
		dns_deliver(d, client, stream, room, n);
		return;
	}
	n = dns_zone_answer(d, &q, room);
	if (n) {
		d->counters.own++;
		dns_deliver(d, client, stream, room, n);
		return;
	}
	if (dns_relay(d, client, stream, &q, message, len, now_ms))
		return;
	d->counters.limited++;
	n = dns_reply_code(&q, DNS_SERVFAIL, 0, room);
	dns_deliver(d, client, stream, room, n);
}

void dns_receive(struct dns *d, const struct dns_client *client,
		 const void *message, size_t len, uint64_t now_ms)
{
	dns_query(d, client, NULL, message, len, now_ms);
}

void dns_run(struct dns *d, uint64_t now_ms)
{
	if (now_ms < d->next_ms)
		return;
	d->next_ms = UINT64_MAX;
	dns_relay_run(d, now_ms);
	dns_streams_run(d, now_ms);
}

uint64_t dns_next_ms(const struct dns *d)
{
	return d->next_ms;
}

const struct dns_counters *dns_counters(const struct dns *d)
{
	return &d->counters;
}
