/*
 * The name service of a segment: gateway/dns.h between the segment's machines,
 * the leases, and the host's resolvers. Sockets are in dns_upstream.c (to
 * resolvers) and dns_listener.c (of clients by TCP).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "gateway/udp_frame.h"
#include "vswd/dns_listener.h"
#include "vswd/dns_upstream.h"
#include "vswd/resolv_watch.h"
#include "vswd/segment.h"
#include "vswd/vbond.h"

LOG_MODULE(dns);

#define DNS_PORT 53

struct segment_dns {
	struct segment *seg;
	struct dns *engine;
	struct dns_config config; /* of the engine; its strings are owned */
	struct dns_upstream *upstream;
	struct dns_listener *listener; /* NULL: it cannot listen */
	char *path;
	struct resolv_watch *watch; /* NULL: the segment has its own servers */
	struct resolver servers[RESOLV_SERVERS_MAX];
	unsigned n_servers;
};

/* --- names -----------------------------------------------------------------
 */

static bool found(struct dns_host *host, const char *label, uint32_t ip)
{
	memset(host, 0, sizeof(*host));
	snprintf(host->label, sizeof(host->label), "%s", label);
	host->ip4 = ip;
	return true;
}

static const struct dhcp_config *dhcp_config(const struct segment_dns *dns)
{
	return &dns->seg->config->dhcp;
}

/* What the administrator has named goes before what a machine calls itself. */
static bool find_name(const char *label, struct dns_host *host, void *arg)
{
	const struct segment_dns *dns = arg;
	const struct dhcp_config *config = dhcp_config(dns);
	const struct dhcp_lease *lease = NULL;

	for (unsigned i = 0; i < config->n_reservations; i++) {
		const struct dhcp_reservation *r = &config->reservations[i];

		if (r->hostname && !strcasecmp(r->hostname, label))
			return found(host, label, r->ip);
	}
	if (dns->seg->services && segment_services_dhcp(dns->seg->services))
		lease = dhcp_find_name(
			segment_services_dhcp(dns->seg->services), label);
	return lease && found(host, lease->hostname, lease->ip);
}

static bool find_ip(const struct ip_address *ip, struct dns_host *host,
		    void *arg)
{
	const struct segment_dns *dns = arg;
	const struct dhcp_config *config = dhcp_config(dns);
	const struct dhcp_lease *lease = NULL;
	uint32_t ip4;

	if (ip->len != 4)
		return false;
	ip4 = ip_address_to_v4(ip);
	for (unsigned i = 0; i < config->n_reservations; i++) {
		const struct dhcp_reservation *r = &config->reservations[i];

		if (r->hostname && r->ip == ip4)
			return found(host, r->hostname, ip4);
	}
	if (dns->seg->services && segment_services_dhcp(dns->seg->services))
		lease = dhcp_find_ip(segment_services_dhcp(dns->seg->services),
				     ip4);
	return lease && found(host, lease->hostname, lease->ip);
}

/* --- the engine's calls ----------------------------------------------------
 */

/*
 * To the MAC that asked: who writes another's address into its question hears
 * the answer itself.
 */
static void reply(const struct dns_client *client, const void *message,
		  size_t len, void *arg)
{
	const struct segment_dns *dns = arg;
	uint8_t room[DNS_MESSAGE_MAX + UDP_FRAME_HEADERS];
	struct udp_datagram datagram = {
		.from = { dns->seg->config->mac, client->asked, DNS_PORT },
		.to = { client->mac, client->ip, client->udp_port },
		.payload = message,
		.len = len,
	};
	size_t n = udp_frame_build(&datagram, room, sizeof(room));

	if (n)
		segment_send(dns->seg, ROUTER_INSIDE, room, n);
}

static bool is_gateway(const struct cfg_segment *c, const struct resolver *r)
{
	if (r->ip.len == 4)
		return c->ip4 && ip_address_to_v4(&r->ip) == c->ip4;
	return c->ip6.prefix_len && !memcmp(r->ip.bytes, c->ip6.ip, 16);
}

/*
 * The host may ask gateways (of host-only segments), but if one asked another
 * since the host does, that one would ask it in turn. Who writes dns-forward
 * knows what he does.
 */
static bool goes_in_circles(const struct segment_dns *dns,
			    const struct resolver *server)
{
	const struct segment *seg = dns->watch ? dns->seg->vs->segments : NULL;

	while (seg && !is_gateway(seg->config, server))
		seg = seg->next;
	return seg;
}

static int ask(uint32_t query, const struct resolver *server, bool tcp,
	       const void *message, size_t len, void *arg)
{
	struct segment_dns *dns = arg;

	if (goes_in_circles(dns, server))
		return -ELOOP;
	return dns_upstream_ask(dns->upstream, query, server, tcp, message,
				len);
}

static void close_query(uint32_t query, void *arg)
{
	struct segment_dns *dns = arg;

	dns_upstream_close(dns->upstream, query);
}

static void stream_send(void *stream, const void *data, size_t len, void *arg)
{
	dns_listener_send(stream, data, len);
}

static void stream_close(void *stream, void *arg)
{
	dns_listener_close(stream);
}

static void random_bytes(void *to, size_t len, void *arg)
{
	/* So few at once are not interrupted (getrandom(2)). */
	if (getrandom(to, len, 0) != (ssize_t)len)
		log_err_limited("no random numbers are to be had");
}

static void used(void *arg)
{
	struct segment_dns *dns = arg;

	segment_arm(dns->seg);
}

/* --- resolvers -------------------------------------------------------------
 */

static void set_servers(const struct resolver *servers, unsigned n, void *arg)
{
	struct segment_dns *dns = arg;

	dns->n_servers = 0;
	for (unsigned i = 0; i < n && dns->n_servers < RESOLV_SERVERS_MAX; i++)
		if (!is_gateway(dns->seg->config, &servers[i]))
			dns->servers[dns->n_servers++] = servers[i];
		else
			log_info("segment %s: the gateway itself is named as "
				 "resolver; it is not asked",
				 dns->seg->config->name);
	dns_set_servers(dns->engine, dns->servers, dns->n_servers);
	segment_mark_dirty(dns->seg);
}

/* Its own, or those of the file that it names. */
static void configure_servers(struct segment_dns *dns)
{
	const struct cfg_segment *c = dns->seg->config;
	const struct resolver *servers = c->dns_servers;
	unsigned n = c->n_dns_servers;
	const char *path = n ? NULL : c->resolv_conf; /* NULL: nobody */

	if (dns->watch &&
	    (!path || strcmp(resolv_watch_path(dns->watch), path) != 0)) {
		resolv_watch_destroy(dns->watch);
		dns->watch = NULL;
	}
	if (path && !dns->watch)
		dns->watch = resolv_watch_create(dns->seg->vs->base, path,
						 set_servers, dns);
	if (dns->watch)
		n = resolv_watch_servers(dns->watch, &servers);
	set_servers(servers, n, dns);
}

/* --- the engine ------------------------------------------------------------
 */

static struct dns_config wanted_config(const struct segment *seg)
{
	struct dns_config c = seg->config->dns;

	c.mtu = segment_mtu(seg);
	/* The listener counts them as one client's each. */
	c.streams_max = DNS_LISTENER_STREAMS_MAX;
	c.streams_per_port = DNS_LISTENER_STREAMS_MAX;
	return c;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_config(const struct dns_config *a, const struct dns_config *b)
{
	return same_text(a->domain, b->domain) &&
	       same_text(a->gateway, b->gateway) && a->ip4 == b->ip4 &&
	       a->prefix4_len == b->prefix4_len &&
	       !memcmp(a->ip6, b->ip6, sizeof(a->ip6)) &&
	       a->prefix6_len == b->prefix6_len && a->ttl_s == b->ttl_s &&
	       a->mtu == b->mtu && a->queries_max == b->queries_max &&
	       a->queries_per_port == b->queries_per_port &&
	       a->queries_per_ip == b->queries_per_ip;
}

static void drop_engine(struct segment_dns *dns)
{
	dns_destroy(dns->engine);
	dns->engine = NULL;
	free((char *)dns->config.domain);
	free((char *)dns->config.gateway);
}

static void make_engine(struct segment_dns *dns,
			const struct dns_config *config)
{
	static const struct dns_ops ops = {
		.reply = reply,
		.ask = ask,
		.close = close_query,
		.stream_send = stream_send,
		.stream_close = stream_close,
		.find_name = find_name,
		.find_ip = find_ip,
		.random = random_bytes,
	};

	dns->config = *config;
	if (config->domain)
		dns->config.domain = xstrdup(config->domain);
	if (config->gateway)
		dns->config.gateway = xstrdup(config->gateway);
	dns->engine = dns_create(&dns->config, &dns->seg->key, &ops, dns);
	dns_upstream_set_engine(dns->upstream, dns->engine);
	if (dns->listener)
		dns_listener_set_engine(dns->listener, dns->engine);
}

/* --- for the segment -------------------------------------------------------
 */

/* What is under way when the names change is lost: clients ask again. */
void segment_dns_configure(struct segment_dns *dns)
{
	struct dns_config config = wanted_config(dns->seg);

	if (dns->engine && !same_config(&config, &dns->config))
		drop_engine(dns);
	if (!dns->engine)
		make_engine(dns, &config);
	configure_servers(dns);
}

static void listen_for_streams(struct segment_dns *dns)
{
	const char *name = dns->seg->config->name;
	char *why = NULL;

	dns->path = dns_listener_path(dns->seg->vs->run_dir, name);
	if (dns->path)
		dns->listener = dns_listener_create(dns->seg->vs->base,
						    dns->path, used, dns, &why);
	if (!dns->listener)
		log_warn("segment %s: no DNS by TCP: %s", name,
			 why ? why
			     : "its name, or the run directory's, is too "
			       "long for a socket");
	free(why);
}

struct segment_dns *segment_dns_create(struct segment *seg)
{
	struct segment_dns *dns = xcalloc(1, sizeof(*dns));

	dns->seg = seg;
	dns->upstream = dns_upstream_create(seg->vs->base, used, dns);
	listen_for_streams(dns);
	segment_dns_configure(dns);
	return dns;
}

void segment_dns_destroy(struct segment_dns *dns)
{
	if (!dns)
		return;
	drop_engine(dns);
	dns_upstream_destroy(dns->upstream);
	dns_listener_destroy(dns->listener);
	resolv_watch_destroy(dns->watch);
	free(dns->path);
	free(dns);
}

static bool is_on_link(const struct cfg_segment *c, const struct ip_address *ip)
{
	uint32_t mask = ip4_mask(c->dns.prefix4_len);

	if (ip->len == 4)
		return c->ip4 &&
		       (ip_address_to_v4(ip) & mask) == (c->ip4 & mask);
	return c->ip6.prefix_len &&
	       ip6_in_prefix(ip->bytes, c->ip6.ip, c->ip6.prefix_len);
}

/* An address that is another's: its share of questions is not to be taken. */
static bool is_another(const struct segment_dns *dns,
		       const struct gateway_client *client,
		       const struct ip_address *from)
{
	uint64_t mac;

	return dns->seg->services && is_on_link(dns->seg->config, from) &&
	       !segment_services_resolve(dns->seg->services, from, client->port,
					 &mac) &&
	       mac != client->mac;
}

void segment_dns_receive(struct segment_dns *dns,
			 const struct gateway_client *client,
			 const struct ip_address *from, uint16_t from_port,
			 const struct ip_address *to, const void *message,
			 size_t len)
{
	const struct dns_client who = {
		.ip = *from,
		.udp_port = from_port,
		.port = client->port,
		.mac = client->mac,
		.asked = *to,
	};

	if (!from_port)
		return;
	if (is_another(dns, client, from)) {
		log_dbg_limited("segment %s: a question in another's name",
				dns->seg->config->name);
		return;
	}
	dns_receive(dns->engine, &who, message, len, vswitch_now_ms());
}

const char *segment_dns_socket(const struct segment_dns *dns)
{
	return dns->listener ? dns->path : NULL;
}

void segment_dns_run(struct segment_dns *dns, uint64_t now_ms)
{
	dns_run(dns->engine, now_ms);
}

uint64_t segment_dns_next_ms(const struct segment_dns *dns)
{
	return dns_next_ms(dns->engine);
}

const struct dns_counters *segment_dns_counters(const struct segment_dns *dns)
{
	return dns_counters(dns->engine);
}

unsigned segment_dns_servers(const struct segment_dns *dns,
			     const struct resolver **serversp)
{
	*serversp = dns->servers;
	return dns->n_servers;
}
