#include "vswd/config_segment.h"

#include <stdlib.h>
#include <string.h>

struct cfg_segment *cfg_segment_ref(const struct cfg_segment *segment)
{
	struct cfg_segment *s = (struct cfg_segment *)segment;

	s->refs++;
	return s;
}

static void free_forwards(struct cfg_segment *s)
{
	for (size_t i = 0; i < s->n_forwards; i++)
		free(s->forwards[i].error);
	free(s->forwards);
}

void cfg_segment_unref(struct cfg_segment *s)
{
	if (!s || --s->refs)
		return;
	free_forwards(s);
	free(s->error);
	free(s->refused);
	cfg_segment_unref(s->base);
	if (!s->base) {
		for (size_t i = 0; i < s->n_leases; i++)
			free(s->leases[i].interface);
		free(s->leases);
		dhcp_config_fini(&s->dhcp);
		free((char *)s->dhcpv6.domain);
		free((char *)s->dns.domain);
		free((char *)s->dns.gateway);
		free(s->resolv_conf);
		free(s->dns_servers);
		free(s->uplink.bridge);
		free(s->uplink.ip4);
		free(s->uplink.ip6);
		free(s->name);
	}
	free(s);
}

/* All but forwards, of which there is room for so many, is the base's. */
static struct cfg_segment *borrow(const struct cfg_segment *base,
				  size_t n_forwards)
{
	struct cfg_segment *s = xmalloc(sizeof(*s));

	*s = *base;
	s->refs = 1;
	s->base = cfg_segment_ref(base);
	s->error = s->refused = NULL;
	s->forwards = xcalloc(n_forwards, sizeof(*s->forwards));
	return s;
}

struct cfg_segment *cfg_segment_derive(const struct cfg_segment *segment,
				       const char *error,
				       char *const forward_errors[])
{
	struct cfg_segment *s = borrow(segment, segment->n_forwards);

	s->error = error ? xstrdup(error) : NULL;
	for (size_t i = 0; i < s->n_forwards; i++) {
		s->forwards[i] = segment->forwards[i];
		s->forwards[i].error =
			forward_errors[i] ? xstrdup(forward_errors[i]) : NULL;
	}
	return s;
}

static const struct cfg_forward *find_forward(const struct cfg_segment *s,
					      const struct uuid *uuid)
{
	for (size_t i = 0; i < s->n_forwards; i++)
		if (uuid_equals(&s->forwards[i].uuid, uuid))
			return &s->forwards[i];
	return NULL;
}

struct cfg_segment *cfg_segment_keep(const struct cfg_segment *former,
				     const struct cfg_segment *now)
{
	struct cfg_segment *s = borrow(former, now->n_forwards);

	s->n_forwards = now->n_forwards;
	for (size_t i = 0; i < now->n_forwards; i++) {
		const struct cfg_forward *own = &now->forwards[i];
		const struct cfg_forward *f = find_forward(former, &own->uuid);
		const char *error =
			f ? f->error
			  : "the segment goes on by its former settings, which "
			    "do not have it; see the segment's error";

		s->forwards[i] = f ? *f : *own;
		s->forwards[i].error = error ? xstrdup(error) : NULL;
	}
	return s;
}

/* --- the same? -------------------------------------------------------------
 */

static bool text_equals(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool words_equal(const uint32_t *a, const uint32_t *b, unsigned n)
{
	return !memcmp(a, b, n * sizeof(*a));
}

static bool reservations_equal(const struct dhcp_config *a,
			       const struct dhcp_config *b)
{
	for (unsigned i = 0; i < a->n_reservations; i++) {
		const struct dhcp_reservation *x = &a->reservations[i];
		const struct dhcp_reservation *y = &b->reservations[i];

		if (x->mac != y->mac || x->ip != y->ip ||
		    !text_equals(x->hostname, y->hostname))
			return false;
	}
	return true;
}

static bool boot_equals(const struct dhcp_config *a,
			const struct dhcp_config *b)
{
	for (unsigned i = 0; i < a->n_boot; i++)
		if (a->boot[i].arch != b->boot[i].arch ||
		    strcmp(a->boot[i].file, b->boot[i].file) != 0)
			return false;
	return a->next_server == b->next_server &&
	       text_equals(a->tftp_server, b->tftp_server);
}

static bool routes_equal(const struct dhcp_config *a,
			 const struct dhcp_config *b)
{
	for (unsigned i = 0; i < a->n_routes; i++)
		if (a->routes[i].network != b->routes[i].network ||
		    a->routes[i].prefix_len != b->routes[i].prefix_len ||
		    a->routes[i].gateway != b->routes[i].gateway)
			return false;
	for (unsigned i = 0; i < a->n_search; i++)
		if (strcmp(a->search[i], b->search[i]) != 0)
			return false;
	return true;
}

static bool dhcp_equals(const struct dhcp_config *a,
			const struct dhcp_config *b)
{
	return a->server == b->server && a->prefix_len == b->prefix_len &&
	       a->first == b->first && a->last == b->last &&
	       a->n_reservations == b->n_reservations &&
	       a->lease_s == b->lease_s && a->router == b->router &&
	       a->n_dns == b->n_dns && a->n_ntp == b->n_ntp &&
	       words_equal(a->dns, b->dns, a->n_dns) &&
	       words_equal(a->ntp, b->ntp, a->n_ntp) &&
	       text_equals(a->domain, b->domain) &&
	       a->n_search == b->n_search && a->mtu == b->mtu &&
	       a->n_routes == b->n_routes && a->n_boot == b->n_boot &&
	       a->authoritative == b->authoritative &&
	       a->leases_max == b->leases_max &&
	       a->leases_per_port == b->leases_per_port &&
	       a->leases_per_mac == b->leases_per_mac &&
	       reservations_equal(a, b) && boot_equals(a, b) &&
	       routes_equal(a, b);
}

static bool dhcpv6_equals(const struct dhcpv6_config *a,
			  const struct dhcpv6_config *b)
{
	return a->mac == b->mac && a->n_dns == b->n_dns &&
	       !memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) &&
	       text_equals(a->domain, b->domain) &&
	       a->refresh_s == b->refresh_s;
}

static bool resolvers_equal(const struct cfg_segment *a,
			    const struct cfg_segment *b)
{
	if (a->n_dns_servers != b->n_dns_servers)
		return false;
	for (unsigned i = 0; i < a->n_dns_servers; i++) {
		const struct resolver *x = &a->dns_servers[i];
		const struct resolver *y = &b->dns_servers[i];

		if (!ip_address_equal(&x->ip, &y->ip) || x->port != y->port ||
		    strcmp(x->scope, y->scope) != 0)
			return false;
	}
	return text_equals(a->resolv_conf, b->resolv_conf);
}

static bool dns_equals(const struct dns_config *a, const struct dns_config *b)
{
	return text_equals(a->domain, b->domain) &&
	       text_equals(a->gateway, b->gateway) && a->ip4 == b->ip4 &&
	       a->prefix4_len == b->prefix4_len &&
	       !memcmp(a->ip6, b->ip6, sizeof(a->ip6)) &&
	       a->prefix6_len == b->prefix6_len && a->ttl_s == b->ttl_s;
}

static bool ra_equals(const struct station_ra *a, const struct station_ra *b)
{
	return a->enabled == b->enabled &&
	       a->default_router == b->default_router &&
	       a->other_config == b->other_config && a->mtu == b->mtu &&
	       a->n_rdnss == b->n_rdnss &&
	       !memcmp(a->rdnss, b->rdnss, a->n_rdnss * sizeof(a->rdnss[0]));
}

static bool uplink_equals(const struct cfg_uplink *a,
			  const struct cfg_uplink *b)
{
	if (a->n_ip4 != b->n_ip4 || a->n_ip6 != b->n_ip6)
		return false;
	for (unsigned i = 0; i < a->n_ip4; i++)
		if (a->ip4[i].ip != b->ip4[i].ip ||
		    a->ip4[i].prefix_len != b->ip4[i].prefix_len)
			return false;
	for (unsigned i = 0; i < a->n_ip6; i++)
		if (memcmp(a->ip6[i].ip, b->ip6[i].ip, 16) ||
		    a->ip6[i].prefix_len != b->ip6[i].prefix_len)
			return false;
	return text_equals(a->bridge, b->bridge) && a->tag == b->tag &&
	       a->dhcp == b->dhcp && a->gateway4 == b->gateway4 &&
	       a->slaac == b->slaac && !memcmp(a->gateway6, b->gateway6, 16) &&
	       a->mtu == b->mtu;
}

static bool nat_equals(const struct cfg_segment *a, const struct cfg_segment *b)
{
	const struct nat_options *x = &a->nat_options, *y = &b->nat_options;

	return a->nat.max_sessions == b->nat.max_sessions &&
	       a->nat.max_clients == b->nat.max_clients &&
	       a->nat.filtering == b->nat.filtering && x->udp_s == y->udp_s &&
	       x->tcp_s == y->tcp_s && x->icmp_s == y->icmp_s &&
	       x->client_ports == y->client_ports &&
	       x->client_sessions == y->client_sessions &&
	       x->client_rate == y->client_rate;
}

static bool forwards_equal(const struct cfg_segment *a,
			   const struct cfg_segment *b)
{
	if (a->n_forwards != b->n_forwards)
		return false;
	for (size_t i = 0; i < a->n_forwards; i++) {
		const struct cfg_forward *x = &a->forwards[i];
		const struct cfg_forward *y = &b->forwards[i];

		if (!uuid_equals(&x->uuid, &y->uuid) || x->udp != y->udp ||
		    x->version != y->version ||
		    !ip_address_equal(&x->outside, &y->outside) ||
		    x->outside_lo != y->outside_lo ||
		    x->outside_hi != y->outside_hi ||
		    !ip_address_equal(&x->inside, &y->inside) ||
		    x->inside_port != y->inside_port ||
		    !text_equals(x->error, y->error))
			return false;
	}
	return true;
}

static bool addresses_equal(const struct cfg_segment *a,
			    const struct cfg_segment *b)
{
	return a->ip4 == b->ip4 && a->prefix4_len == b->prefix4_len &&
	       a->host_ip4 == b->host_ip4 &&
	       !memcmp(a->ip6.ip, b->ip6.ip, sizeof(a->ip6.ip)) &&
	       a->ip6.prefix_len == b->ip6.prefix_len &&
	       !memcmp(a->host_ip6, b->host_ip6, sizeof(a->host_ip6)) &&
	       a->nat6 == b->nat6 && a->mtu == b->mtu && a->mac == b->mac;
}

bool cfg_segment_equals(const struct cfg_segment *a,
			const struct cfg_segment *b)
{
	return uuid_equals(&a->uuid, &b->uuid) &&
	       text_equals(a->name, b->name) && a->type == b->type &&
	       a->outside == b->outside && a->isolated == b->isolated &&
	       text_equals(a->error, b->error) &&
	       text_equals(a->refused, b->refused) && addresses_equal(a, b) &&
	       ra_equals(&a->ra, &b->ra) && a->dhcp_on == b->dhcp_on &&
	       a->dhcpv6_on == b->dhcpv6_on && a->dns_on == b->dns_on &&
	       dhcp_equals(&a->dhcp, &b->dhcp) &&
	       dhcpv6_equals(&a->dhcpv6, &b->dhcpv6) &&
	       dns_equals(&a->dns, &b->dns) && resolvers_equal(a, b) &&
	       a->host_loopback == b->host_loopback &&
	       uplink_equals(&a->uplink, &b->uplink) && nat_equals(a, b) &&
	       forwards_equal(a, b);
}
