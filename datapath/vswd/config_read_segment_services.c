/* What a segment's machines are told: DNS, router advertisements, DHCPv6. */
#include <stdlib.h>
#include <string.h>

#include "vswd/config_read_segment.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define HOST_LABEL  "gateway"

/* --- DNS -------------------------------------------------------------------
 */

/* "IP", "IP:PORT", "[IP6]:PORT", "IP6", "IP6%DEVICE" */
static bool parse_resolver(char *text, struct resolver *server)
{
	char *port = NULL, *end, *scope;
	uint64_t number = 53;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
	} else if ((end = strchr(text, ':')) && !strchr(end + 1, ':')) {
		*end = '\0';
		port = end + 1;
	}
	scope = strchr(text, '%');
	if (scope) {
		*scope++ = '\0';
		if (!*scope || strlen(scope) >= sizeof(server->scope))
			return false;
		strcpy(server->scope, scope);
	}
	if (port && !net_text_number(port, 1, UINT16_MAX, &number))
		return false;
	server->port = number;
	return net_text_ip(text, &server->ip) &&
	       (!scope || server->ip.len == 16);
}

static void read_resolvers(struct segment_reader *r)
{
	const char *text = segment_option(r, "dns-forward");
	const char *path = segment_option(r, "resolv-conf");
	struct cfg_segment *s = r->segment;
	struct text_list list;
	char *item;

	/* Nothing leads outside of others, unless somebody says so. */
	if (path || s->type == SEGMENT_NAT)
		s->resolv_conf = xstrdup(path ? path : RESOLV_CONF);
	if (path && path[0] != '/')
		segment_refuse_option(r, "resolv-conf",
				      "the whole path of a file");
	if (path && text)
		segment_refuse(s,
			       "options:dns-forward and resolv-conf both say "
			       "whom to ask; remove one");
	if (!text)
		return;
	s->dns_servers = xcalloc(RESOLV_SERVERS_MAX, sizeof(*s->dns_servers));
	text_list_init(&list, text);
	while ((item = text_list_next(&list))) {
		if (s->n_dns_servers == RESOLV_SERVERS_MAX ||
		    !parse_resolver(item, &s->dns_servers[s->n_dns_servers])) {
			segment_refuse_option(r, "dns-forward",
					      "1 to 8 addresses as 192.0.2.1, "
					      "192.0.2.1:5353 or "
					      "[2001:db8::1]:53, with commas "
					      "between them");
			break;
		}
		s->n_dns_servers++;
	}
	text_list_fini(&list);
	if (!s->n_dns_servers)
		segment_refuse_option(r, "dns-forward", "at least one address");
}

/* NULL: none. The segment's name, when that can be a domain. */
static char *read_domain(struct segment_reader *r)
{
	const char *domain = segment_option(r, "domain");

	if (!domain)
		domain = net_text_is_label(r->segment->name) ? r->segment->name
							     : "";
	return domain[0] ? xstrdup(domain) : NULL;
}

static void read_dns(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;
	struct dns_config *c = &s->dns;
	char *problem;

	s->dns_on = segment_boolean(r, "dns", true) &&
		    (s->ip4 || s->ip6.prefix_len);
	c->domain = read_domain(r);
	c->gateway = xstrdup(HOST_LABEL);
	c->ip4 = s->ip4;
	c->prefix4_len = s->prefix4_len;
	memcpy(c->ip6, s->ip6.ip, sizeof(c->ip6));
	c->prefix6_len = s->ip6.prefix_len;
	read_resolvers(r);
	problem = dns_config_check(c);
	if (problem)
		segment_refuse(s, "options:domain: %s", problem);
	free(problem);
	s->dhcp.domain = c->domain ? xstrdup(c->domain) : NULL;
	s->dhcpv6.domain = c->domain ? xstrdup(c->domain) : NULL;
}

static void tell_server6(struct cfg_segment *s, const uint8_t ip[16])
{
	if (s->ra.n_rdnss < STATION_RDNSS_MAX)
		memcpy(s->ra.rdnss[s->ra.n_rdnss++], ip, 16);
	if (s->dhcpv6.n_dns < DHCPV6_DNS_MAX)
		memcpy(s->dhcpv6.dns[s->dhcpv6.n_dns++], ip, 16);
}

/* Which servers machines are told of: the gateway, or what options say. */
static void read_told_servers(struct segment_reader *r)
{
	static const char key[] = "dns-servers";
	const char *text = segment_option(r, key), *item;
	struct cfg_segment *s = r->segment;
	struct text_list list;
	struct ip_address ip;

	if (!text && s->dns_on) {
		s->dhcp.dns[0] = s->ip4;
		s->dhcp.n_dns = s->ip4 ? 1 : 0;
		if (s->ip6.prefix_len)
			tell_server6(s, s->ip6.ip);
	}
	text_list_init(&list, text ? text : "");
	while ((item = text_list_next(&list))) {
		if (!net_text_ip(item, &ip)) {
			segment_refuse_option(r, key,
					      "addresses with commas between "
					      "them");
			break;
		}
		if (ip.len == 16)
			tell_server6(s, ip.bytes);
		else if (s->dhcp.n_dns < DHCP_ADDRESSES_MAX)
			s->dhcp.dns[s->dhcp.n_dns++] = ip_address_to_v4(&ip);
		else
			segment_refuse_option(r, key, "at most 8 addresses");
	}
	text_list_fini(&list);
}

/* --- IPv6 ------------------------------------------------------------------
 */

static void read_ra(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;

	s->dhcpv6_on = segment_boolean(r, "dhcpv6", true) && s->ip6.prefix_len;
	s->ra.enabled = segment_boolean(r, "ra", true) && s->ip6.prefix_len;
	s->ra.default_router = s->type == SEGMENT_NAT;
	s->ra.other_config = s->dhcpv6_on;
	s->ra.mtu = segment_option(r, "mtu") ? s->mtu : 0;
	s->dhcpv6.mac = s->mac;
	if (s->ra.enabled && s->ip6.prefix_len != 64)
		segment_refuse(s,
			       "subnet6 has /%u, with which machines cannot "
			       "make addresses of their own (RFC 4862); take a "
			       "/64, or set options:ra to false and give the "
			       "machines addresses by hand",
			       s->ip6.prefix_len);
}

void config_read_segment_services(struct segment_reader *r)
{
	read_dns(r);
	read_ra(r);
	read_told_servers(r);
	config_read_segment_dhcp(r);
}
