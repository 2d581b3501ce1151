/* What the files of the name service share. */
#ifndef GATEWAY_DNS_INTERNAL_H
#define GATEWAY_DNS_INTERNAL_H

#include "gateway/dns.h"
#include "gateway/dns_message.h"
#include "gateway/quota.h"

#define DNS_STREAM_QUERIES_MAX 16 /* under way of one connection */

struct dns_stream {
	struct dns *dns;
	struct dns_stream *next, **prev;
	struct dns_client client;
	void *arg;
	uint64_t active_ms;
	unsigned n_queries;
	size_t have; /* bytes of a message that is not whole */
	uint8_t buffer[2 + DNS_QUERY_MAX];
};

/* A question under way at a resolver. */
struct dns_query {
	struct hash_node by_number;
	struct dns_query *next, **prev;
	uint32_t number; /* the caller's handle; new for each try */
	struct dns_client client;
	struct dns_stream *stream; /* NULL: by UDP */
	struct dns_question question;
	struct resolver server; /* that was asked */
	unsigned first;		/* which one is asked first */
	unsigned tries;
	uint16_t id; /* of this try */
	bool open;   /* the caller has a socket for it */
	uint64_t due_ms;
	uint8_t *answer; /* by TCP: what came of it, with its length in front */
	size_t answer_have;
	/*
	 * SERVFAIL or REFUSED of a server, of which the client hears if no
	 * other one knows better.
	 */
	uint8_t rcode;
	size_t len;
	uint8_t message[]; /* as it came, 2 bytes in front for its length */
};

struct dns {
	struct dns_config config;
	struct dns_name domain; /* len 0: none */
	struct dns_ops ops;
	void *ops_arg;
	struct hash_key key;
	struct resolver servers[RESOLV_SERVERS_MAX];
	unsigned n_servers;
	unsigned first; /* which one new questions go to first */
	uint64_t first_until_ms;
	struct hash_index numbers;
	struct dns_query *queries;
	unsigned n_queries;
	uint32_t last_number;
	struct quota query_ports, query_ips;
	struct dns_stream *streams;
	unsigned n_streams;
	struct quota stream_ports, stream_ips;
	uint64_t next_ms;
	struct dns_counters counters;
};

static inline uint64_t dns_ip_owner(const struct dns *d,
				    const struct dns_client *client)
{
	return keyed_hash(&d->key, client->ip.bytes, client->ip.len);
}

static inline void dns_due(struct dns *d, uint64_t due_ms)
{
	d->next_ms = MIN(d->next_ms, due_ms);
}

/* dns_zone.c: the length of our own answer; 0: it is to be relayed. */
size_t dns_zone_answer(const struct dns *d, const struct dns_question *q,
		       uint8_t room[DNS_REPLY_MAX]);

/* dns.c */
/* One message of a client, by datagram or (stream) by connection. */
void dns_query(struct dns *d, const struct dns_client *client,
	       struct dns_stream *stream, const uint8_t *message, size_t len,
	       uint64_t now_ms);
void dns_deliver(struct dns *d, const struct dns_client *client,
		 struct dns_stream *stream, const void *message, size_t len);

/* dns_relay.c; false: refused by a limit */
bool dns_relay(struct dns *d, const struct dns_client *client,
	       struct dns_stream *stream, const struct dns_question *q,
	       const uint8_t *message, size_t len, uint64_t now_ms);
/* Ends all of the stream's queries; nobody is answered. NULL: all there are. */
void dns_relay_abandon(struct dns *d, const struct dns_stream *stream);
void dns_relay_run(struct dns *d, uint64_t now_ms);

/* dns_stream.c */
void dns_stream_reply(struct dns_stream *stream, const void *message,
		      size_t len);
void dns_streams_run(struct dns *d, uint64_t now_ms);
void dns_stream_end(struct dns_stream *stream, bool tell);

#endif
