/*
 * Segment:status: what a segment is by now, which its configuration does not
 * say, or leaves open.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/segment.h"

/* text: freed here; NULL: not told. */
static void add_status(json_t *pairs, const char *key, char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	if (value)
		json_array_append_new(pairs, json_pack("[s,o]", key, value));
	free(text);
}

static char *ip_text(const void *ip, unsigned len)
{
	static const uint8_t none[16];
	char text[INET6_ADDRSTRLEN];

	if (!memcmp(ip, none, len))
		return NULL;
	return xstrdup(inet_ntop(len == 4 ? AF_INET : AF_INET6, ip, text,
				 sizeof(text)));
}

static char *ip4_text(uint32_t ip)
{
	uint32_t net = htonl(ip);

	return ip_text(&net, 4);
}

/* Takes over the address's text. */
static char *with_prefix(char *ip, unsigned prefix_len)
{
	char *text = ip ? xasprintf("%s/%u", ip, prefix_len) : NULL;

	free(ip);
	return text;
}

/* Appends to a list of words, which is taken over, as is the word. */
static char *append(char *list, char *word)
{
	char *both;

	if (!list || !word)
		return list ? list : word;
	both = xasprintf("%s,%s", list, word);
	free(list);
	free(word);
	return both;
}

static void add_outside(json_t *pairs, const struct segment *seg)
{
	struct router_link link = { 0 };
	const char *dhcp = segment_uplink_dhcp_state(seg->uplink);
	char *list = NULL;

	segment_uplink_fill(seg->uplink, &link);
	for (unsigned i = 0; i < link.n_ip4; i++)
		list = append(list, with_prefix(ip4_text(link.ip4[i].ip),
						link.ip4[i].prefix_len));
	add_status(pairs, "outside-address", list);
	list = NULL;
	for (unsigned i = 0; i < link.n_ip6; i++)
		list = append(list, with_prefix(ip_text(link.ip6[i].ip, 16),
						link.ip6[i].prefix_len));
	add_status(pairs, "outside-address6", list);
	add_status(pairs, "outside-gateway", ip4_text(link.gateway4));
	add_status(pairs, "outside-gateway6", ip_text(link.gateway6, 16));
	if (dhcp)
		add_status(pairs, "outside-dhcp", xstrdup(dhcp));
}

/* What a ping of a machine's failed with on the host; 0: none did. */
static int ping_error(const struct segment *seg)
{
	struct hostnet_stats stats;

	if (!seg->hostnet || !seg->hostnet->port)
		return 0;
	hostnet_get_stats(seg->hostnet->port, &stats);
	return stats.ping_error;
}

static void add_ping(json_t *pairs, const struct segment *seg)
{
	int error = ping_error(seg);

	if (error)
		add_status(pairs, "ping",
			   xasprintf("not possible: the kernel gives no socket "
				     "for it (%s): " HOSTNET_PING_REMEDY,
				     strerror(error)));
}

void segment_status_look(struct segment *seg)
{
	int error = ping_error(seg);

	if (error == seg->ping_error)
		return;
	seg->ping_error = error;
	segment_mark_dirty(seg);
}

static char *resolvers(const struct segment_dns *dns)
{
	const struct resolver *servers;
	unsigned n = segment_dns_servers(dns, &servers);
	char *list = NULL;

	for (unsigned i = 0; i < n; i++)
		list = append(list,
			      ip_text(servers[i].ip.bytes, servers[i].ip.len));
	return list;
}

json_t *segment_status(const struct segment *seg)
{
	const struct cfg_segment *c = seg->config;
	json_t *pairs = json_array();
	char mac[MAC_STRING_SIZE];
	const char *conflict;

	if (seg->services) {
		add_status(pairs, "mac", xstrdup(mac_format(c->mac, mac)));
		add_status(pairs, "address",
			   with_prefix(ip4_text(c->ip4), c->dns.prefix4_len));
		add_status(
			pairs, "address6",
			with_prefix(ip_text(c->ip6.ip, 16), c->ip6.prefix_len));
		conflict = segment_services_conflict(seg->services);
		add_status(pairs, "conflict",
			   conflict ? xstrdup(conflict) : NULL);
	}
	if (seg->leases)
		add_status(pairs, "dhcp-range",
			   append(ip4_text(c->dhcp.first),
				  ip4_text(c->dhcp.last)));
	if (seg->dns)
		add_status(pairs, "resolvers", resolvers(seg->dns));
	if (seg->uplink)
		add_outside(pairs, seg);
	add_ping(pairs, seg);
	return json_pack("[s,o]", "map", pairs);
}
