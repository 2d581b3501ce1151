/* Questions under way at the host's resolvers; see dns.h. */
#include "gateway/dns_internal.h"

static bool same_server(const struct resolver *a, const struct resolver *b)
{
	return ip_address_equal(&a->ip, &b->ip) && a->port == b->port;
}

static struct dns_query *find(const struct dns *d, uint32_t number)
{
	struct hash_node *node = hash_index_find(&d->numbers, number);

	return node ? CONTAINER_OF(node, struct dns_query, by_number) : NULL;
}

/* The try's socket is no more wanted, nor is an answer to it believed. */
static void close_try(struct dns *d, struct dns_query *query)
{
	if (!query->open)
		return;
	query->open = false;
	hash_index_remove(&d->numbers, &query->by_number);
	free(query->answer);
	query->answer = NULL;
	query->answer_have = 0;
	d->ops.close(query->number, d->ops_arg);
}

static void discard(struct dns *d, struct dns_query *query)
{
	close_try(d, query);
	quota_release(&d->query_ports, query->client.port);
	quota_release(&d->query_ips, dns_ip_owner(d, &query->client));
	if (query->stream)
		query->stream->n_queries--;
	*query->prev = query->next;
	if (query->next)
		query->next->prev = query->prev;
	d->n_queries--;
	free(query);
}

/*
 * The server of this try has not answered: new questions begin with the next,
 * for a while, as the first of the list is the one that is meant.
 */
static void avoid_server(struct dns *d, const struct dns_query *query,
			 uint64_t now_ms)
{
	if (!d->n_servers ||
	    !same_server(&query->server, &d->servers[d->first]))
		return;
	d->first = (d->first + 1) % d->n_servers;
	d->first_until_ms = now_ms + DNS_AVOID_MS;
}

static unsigned first_server(struct dns *d, uint64_t now_ms)
{
	if (d->first && now_ms >= d->first_until_ms)
		d->first = 0;
	return d->first;
}

static bool begin_try(struct dns *d, struct dns_query *query, uint64_t now_ms)
{
	bool tcp = query->stream;

	query->server =
		d->servers[(query->first + query->tries) % d->n_servers];
	query->tries++;
	d->ops.random(&query->id, sizeof(query->id), d->ops_arg);
	do
		query->number = ++d->last_number;
	while (find(d, query->number));
	store_be16(query->message, query->len);
	store_be16(query->message + 2, query->id);
	query->due_ms = now_ms + (tcp ? DNS_TRY_TCP_MS : DNS_TRY_MS);
	dns_due(d, query->due_ms);
	query->open = true;
	hash_index_add(&d->numbers, &query->by_number, query->number);
	if (!d->ops.ask(query->number, &query->server, tcp,
			query->message + (tcp ? 0 : 2),
			query->len + (tcp ? 2 : 0), d->ops_arg))
		return true;
	avoid_server(d, query, now_ms);
	close_try(d, query);
	return false;
}

/* The next server, or the end. */
static void next_try(struct dns *d, struct dns_query *query, uint64_t now_ms)
{
	unsigned most = MIN(2 * d->n_servers, (unsigned)DNS_TRIES_MAX);
	struct dns_client client = query->client;
	struct dns_stream *stream = query->stream;
	uint8_t room[DNS_REPLY_MAX];
	size_t n;

	close_try(d, query);
	while (query->tries < most) {
		if (query->tries)
			d->counters.retried++;
		if (begin_try(d, query, now_ms))
			return;
	}
	d->counters.failed++;
	n = dns_reply_code(&query->question,
			   query->rcode ? query->rcode : DNS_SERVFAIL, 0, room);
	discard(d, query);
	dns_deliver(d, &client, stream, room, n);
}

/* The client repeats itself before it was answered. */
static bool is_repeated(const struct dns *d, const struct dns_client *client,
			const struct dns_stream *stream,
			const struct dns_question *q)
{
	if (!quota_used(&d->query_ips, dns_ip_owner(d, client)))
		return false;
	for (const struct dns_query *k = d->queries; k; k = k->next)
		if (k->stream == stream && k->question.id == q->id &&
		    k->client.udp_port == client->udp_port &&
		    ip_address_equal(&k->client.ip, &client->ip) &&
		    k->question.type == q->type &&
		    dns_name_equal(&k->question.name, &q->name))
			return true;
	return false;
}

bool dns_relay(struct dns *d, const struct dns_client *client,
	       struct dns_stream *stream, const struct dns_question *q,
	       const uint8_t *message, size_t len, uint64_t now_ms)
{
	struct dns_query *query;

	if (is_repeated(d, client, stream, q)) {
		d->counters.repeated++;
		return true;
	}
	if (d->n_queries >= d->config.queries_max ||
	    !quota_has_room(&d->query_ports, client->port) ||
	    !quota_has_room(&d->query_ips, dns_ip_owner(d, client)) ||
	    (stream && stream->n_queries >= DNS_STREAM_QUERIES_MAX))
		return false;
	query = xcalloc(1, sizeof(*query) + 2 + len);
	query->client = *client;
	query->stream = stream;
	query->question = *q;
	query->first = first_server(d, now_ms);
	query->len = len;
	memcpy(query->message + 2, message, len);
	query->next = d->queries;
	query->prev = &d->queries;
	if (d->queries)
		d->queries->prev = &query->next;
	d->queries = query;
	d->n_queries++;
	quota_take(&d->query_ports, client->port);
	quota_take(&d->query_ips, dns_ip_owner(d, client));
	if (stream)
		stream->n_queries++;
	d->counters.relayed++;
	next_try(d, query, now_ms);
	return true;
}

void dns_relay_abandon(struct dns *d, const struct dns_stream *stream)
{
	struct dns_query *query, *next;

	for (query = d->queries; query; query = next) {
		next = query->next;
		if (!stream || query->stream == stream)
			discard(d, query);
	}
}

/* What fits into a datagram for the client. */
static size_t datagram_max(const struct dns *d, const struct dns_query *query)
{
	size_t most = query->question.udp_size;
	/* of IP and UDP, without options */
	size_t headers = query->client.ip.len == 4 ? 28 : 48;

	if (d->config.mtu > headers)
		most = MIN(most, d->config.mtu - headers);
	return MAX(most, (size_t)DNS_UDP_LEAST);
}

/*
 * Passes an answer on, with the client's id; too long a one says so (TC). The
 * message is not the query's own, which ends here.
 */
static void pass(struct dns *d, struct dns_query *query, uint8_t *message,
		 size_t len)
{
	struct dns_client client = query->client;
	struct dns_stream *stream = query->stream;
	uint8_t room[DNS_REPLY_MAX];

	d->counters.answered++;
	if (!stream && len > datagram_max(d, query)) {
		len = dns_reply_code(&query->question, DNS_NOERROR, DNS_FLAG_TC,
				     room);
		message = room;
	}
	store_be16(message, query->question.id);
	discard(d, query);
	dns_deliver(d, &client, stream, message, len);
}

static void take_answer(struct dns *d, struct dns_query *query,
			uint8_t *message, size_t len, uint64_t now_ms)
{
	uint8_t rcode = DNS_RCODE(load_be16(message + 2));
	unsigned most = MIN(2 * d->n_servers, (unsigned)DNS_TRIES_MAX);

	/* another server may know better, each of them once */
	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) &&
	    query->tries < MIN(d->n_servers, most)) {
		query->rcode = rcode;
		next_try(d, query, now_ms);
		return;
	}
	pass(d, query, message, len);
}

void dns_answer(struct dns *d, uint32_t number, const struct resolver *from,
		const void *message, size_t len, uint64_t now_ms)
{
	struct dns_query *query = find(d, number);
	uint8_t *copy;

	if (!query || query->stream || len > DNS_MESSAGE_MAX ||
	    len < DNS_HEADER_LEN || load_be16(message) != query->id ||
	    !same_server(from, &query->server) ||
	    !dns_is_answer(&query->question, message, len)) {
		d->counters.spoofed++;
		return;
	}
	copy = xmalloc(len);
	memcpy(copy, message, len);
	take_answer(d, query, copy, len, now_ms);
	free(copy);
}

void dns_answer_failed(struct dns *d, uint32_t number, uint64_t now_ms)
{
	struct dns_query *query = find(d, number);

	if (!query)
		return;
	avoid_server(d, query, now_ms);
	next_try(d, query, now_ms);
}

/* 0: not whole yet. */
static size_t whole_len(const struct dns_query *query)
{
	size_t len;

	if (query->answer_have < 2)
		return 0;
	len = load_be16(query->answer);
	return query->answer_have >= 2 + len ? 2 + len : 0;
}

void dns_answer_stream(struct dns *d, uint32_t number, const void *data,
		       size_t len, uint64_t now_ms)
{
	struct dns_query *query = find(d, number);
	uint8_t *answer;
	size_t n, whole;

	if (!query || !query->stream)
		return;
	n = MIN(len, 2 + DNS_MESSAGE_MAX - query->answer_have);
	if (!n) {
		next_try(d, query, now_ms);
		return;
	}
	query->answer = xrealloc(query->answer, query->answer_have + n);
	memcpy(query->answer + query->answer_have, data, n);
	query->answer_have += n;
	whole = whole_len(query);
	if (!whole)
		return;
	answer = query->answer;
	if (whole < 2 + DNS_HEADER_LEN || load_be16(answer + 2) != query->id ||
	    !dns_is_answer(&query->question, answer + 2, whole - 2)) {
		d->counters.spoofed++;
		next_try(d, query, now_ms);
		return;
	}
	query->answer = NULL; /* freed here */
	query->answer_have = 0;
	take_answer(d, query, answer + 2, whole - 2, now_ms);
	free(answer);
}

void dns_relay_run(struct dns *d, uint64_t now_ms)
{
	struct dns_query *query, *next;

	/* what is tried again lies where it did, what ends is taken out */
	for (query = d->queries; query; query = next) {
		next = query->next;
		if (now_ms < query->due_ms) {
			dns_due(d, query->due_ms);
			continue;
		}
		avoid_server(d, query, now_ms);
		next_try(d, query, now_ms);
	}
}
