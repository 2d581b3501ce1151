/* Clients' TCP connections (RFC 1035 4.2.2, RFC 7766): messages with lengths.
 */
#include "gateway/dns_internal.h"

struct dns_stream *dns_stream_open(struct dns *d,
				   const struct dns_client *client,
				   void *stream_arg, uint64_t now_ms)
{
	struct dns_stream *s;

	if (d->n_streams >= d->config.streams_max ||
	    !quota_has_room(&d->stream_ports, client->port) ||
	    !quota_has_room(&d->stream_ips, dns_ip_owner(d, client))) {
		d->counters.limited++;
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->dns = d;
	s->client = *client;
	s->client.udp_port = 0;
	s->arg = stream_arg;
	s->active_ms = now_ms;
	s->next = d->streams;
	s->prev = &d->streams;
	if (d->streams)
		d->streams->prev = &s->next;
	d->streams = s;
	d->n_streams++;
	quota_take(&d->stream_ports, client->port);
	quota_take(&d->stream_ips, dns_ip_owner(d, client));
	dns_due(d, now_ms + DNS_STREAM_IDLE_MS);
	return s;
}

void dns_stream_end(struct dns_stream *s, bool tell)
{
	struct dns *d = s->dns;

	dns_relay_abandon(d, s);
	quota_release(&d->stream_ports, s->client.port);
	quota_release(&d->stream_ips, dns_ip_owner(d, &s->client));
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	d->n_streams--;
	if (tell)
		d->ops.stream_close(s->arg, d->ops_arg);
	free(s);
}

void dns_stream_closed(struct dns_stream *s)
{
	dns_stream_end(s, false);
}

void dns_stream_reply(struct dns_stream *s, const void *message, size_t len)
{
	uint8_t prefix[2];

	store_be16(prefix, len);
	s->dns->ops.stream_send(s->arg, prefix, 2, s->dns->ops_arg);
	s->dns->ops.stream_send(s->arg, message, len, s->dns->ops_arg);
}

/* The messages that are whole; false: the stream cannot go on. */
static bool take_messages(struct dns_stream *s, uint64_t now_ms)
{
	while (s->have >= 2) {
		size_t len = load_be16(s->buffer);

		if (len < DNS_HEADER_LEN || len > DNS_QUERY_MAX) {
			s->dns->counters.bad++;
			return false;
		}
		if (s->have < 2 + len)
			return true;
		dns_query(s->dns, &s->client, s, s->buffer + 2, len, now_ms);
		s->have -= 2 + len;
		memmove(s->buffer, s->buffer + 2 + len, s->have);
		s->active_ms = now_ms;
	}
	return true;
}

bool dns_stream_receive(struct dns_stream *s, const void *data, size_t len,
			uint64_t now_ms)
{
	const uint8_t *at = data;
	bool good = true;

	while (len && good) {
		size_t n = MIN(len, sizeof(s->buffer) - s->have);

		memcpy(s->buffer + s->have, at, n);
		s->have += n;
		at += n;
		len -= n;
		good = take_messages(s, now_ms);
	}
	if (!good)
		dns_stream_end(s, true);
	return good;
}

/* An idle connection ends, and one whose message does not come to its end. */
void dns_streams_run(struct dns *d, uint64_t now_ms)
{
	struct dns_stream *s, *next;

	for (s = d->streams; s; s = next) {
		next = s->next;
		if (s->n_queries)
			dns_due(d, now_ms + 1000);
		else if (now_ms - s->active_ms >= DNS_STREAM_IDLE_MS)
			dns_stream_end(s, true);
		else
			dns_due(d, s->active_ms + DNS_STREAM_IDLE_MS);
	}
}
