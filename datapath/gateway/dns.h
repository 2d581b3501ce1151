/*
 * The name service of a segment: it answers for the segment's own domain and
 * addresses, and relays every other question to the host's resolvers. It knows
 * no sockets and no clock.
 *
 * Its own are: NAME.domain and, for addresses, NAME alone; the domain's other
 * names, which do not exist; and the reverse names of the segment's addresses.
 * A name of one label that nobody has is not asked outside when it is an
 * address that is wanted. Transfers are refused.
 *
 * What is relayed gets a new, unpredictable id, and an answer is believed if
 * it has that id and the question, comes from the server that was asked, and by
 * the socket that the question went out by. The message is passed as it is
 * otherwise, EDNS (RFC 6891) included. Servers are tried in turn, one that does
 * not answer after the others for a while; in the end the client is told
 * SERVFAIL. One that repeats its question meanwhile waits
 * for the same answer.
 *
 * Bounded: questions under way in total, for each address and for each port;
 * TCP connections the same; a connection's questions and bytes.
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef GATEWAY_DNS_H
#define GATEWAY_DNS_H

#include "gateway/client.h"
#include "gateway/keyed_hash.h"
#include "gateway/resolv_conf.h"

#define DNS_MESSAGE_MAX	   65535
#define DNS_QUERY_MAX	   4096 /* a client's; a longer one is refused */
#define DNS_TRY_MS	   2000 /* until the next server is asked */
#define DNS_TRY_TCP_MS	   5000
#define DNS_TRIES_MAX	   6
#define DNS_AVOID_MS	   60000 /* a server that did not answer */
#define DNS_STREAM_IDLE_MS 10000 /* RFC 7766 6.2.3 */

struct dns;
struct dns_stream;

struct dns_client {
	struct ip_address ip;
	uint16_t udp_port; /* 0: by TCP */
	uint32_t port;	   /* of the bridge */
	/* Only kept, for the answer: the frame's source, and who was asked. */
	uint64_t mac;
	struct ip_address asked;
};

struct dns_config {
	const char *domain;  /* "lab"; NULL: no own names */
	const char *gateway; /* the gateway's own label: "gateway" */
	uint32_t ip4;	     /* its address; 0: none */
	uint8_t prefix4_len; /* and the segment's */
	uint8_t ip6[16];     /* zero: none */
	uint8_t prefix6_len;
	uint32_t ttl_s; /* of own answers; 0: 60 */
	/*
	 * Of the segment: a datagram that would be larger is cut (TC), whatever
	 * the client takes, as nobody here fragments it. 0: no limit.
	 */
	uint16_t mtu;
	/* 0: the default */
	unsigned queries_max;	   /* 1024 */
	unsigned queries_per_port; /* 256 */
	unsigned queries_per_ip;   /* 64 */
	unsigned streams_max;	   /* 128 */
	unsigned streams_per_port; /* 32 */
	unsigned streams_per_ip;   /* 8 */
};

/* A host of the segment, by name or by address. */
struct dns_host {
	char label[64];	 /* "vm1"; "": no name */
	uint32_t ip4;	 /* 0: none */
	uint8_t ip6[16]; /* zero: none */
};

/*
 * None of them may call the engine; a connection that breaks while something is
 * sent is told about later.
 */
struct dns_ops {
	/* An answer to a client's datagram. */
	void (*reply)(const struct dns_client *client, const void *message,
		      size_t len, void *arg);
	/*
	 * A question to a resolver: by a socket of its own, from a port that
	 * nobody guesses, that belongs to `query` until close(query). By TCP
	 * `message` has its length in front. 0, or -errno: the next server is
	 * asked.
	 */
	int (*ask)(uint32_t query, const struct resolver *server, bool tcp,
		   const void *message, size_t len, void *arg);
	void (*close)(uint32_t query, void *arg);
	/* Bytes for a client's connection, in order; and its end. */
	void (*stream_send)(void *stream_arg, const void *data, size_t len,
			    void *arg);
	/* The engine has ended the connection; it is gone after this. */
	void (*stream_close)(void *stream_arg, void *arg);
	/* Fills in *host; false: there is none. label is in lower case. */
	bool (*find_name)(const char *label, struct dns_host *host, void *arg);
	bool (*find_ip)(const struct ip_address *ip, struct dns_host *host,
			void *arg);
	/* Random bytes that nobody can predict. */
	void (*random)(void *to, size_t len, void *arg);
};

struct dns_counters {
	uint64_t queries, own, relayed, answered, failed, retried;
	uint64_t bad;	   /* questions that cannot be */
	uint64_t limited;  /* refused by a limit */
	uint64_t spoofed;  /* answers that fit no question */
	uint64_t repeated; /* questions that were under way already */
};

/* NULL, or what is wrong, in one line, freed by the caller. */
char *dns_config_check(const struct dns_config *config);
/* The configuration must have passed the check; it is copied. */
struct dns *dns_create(const struct dns_config *config,
		       const struct hash_key *key, const struct dns_ops *ops,
		       void *ops_arg);
/* Closes all queries and streams, by the callbacks. Accepts NULL. */
void dns_destroy(struct dns *dns);
/* At any time; what is under way goes on with the server that was asked. */
void dns_set_servers(struct dns *dns, const struct resolver *servers,
		     unsigned n);

/* A client's datagram to port 53. */
void dns_receive(struct dns *dns, const struct dns_client *client,
		 const void *message, size_t len, uint64_t now_ms);
/*
 * A client's connection to port 53. NULL: refused by a limit; close it.
 * stream_arg: the caller's, for the callbacks.
 */
struct dns_stream *dns_stream_open(struct dns *dns,
				   const struct dns_client *client,
				   void *stream_arg, uint64_t now_ms);
/* Bytes that came. False: the stream is gone, stream_close() was called. */
bool dns_stream_receive(struct dns_stream *stream, const void *data, size_t len,
			uint64_t now_ms);
/* The client is gone; no callback. */
void dns_stream_closed(struct dns_stream *stream);

/* What came by the query's socket; from: the datagram's source. */
void dns_answer(struct dns *dns, uint32_t query, const struct resolver *from,
		const void *message, size_t len, uint64_t now_ms);
/* The query's socket says that the server cannot be reached. */
void dns_answer_failed(struct dns *dns, uint32_t query, uint64_t now_ms);
/* Bytes of the query's connection; len 0: it ended, or could not be made. */
void dns_answer_stream(struct dns *dns, uint32_t query, const void *data,
		       size_t len, uint64_t now_ms);

void dns_run(struct dns *dns, uint64_t now_ms);
uint64_t dns_next_ms(const struct dns *dns);
const struct dns_counters *dns_counters(const struct dns *dns);

#endif
