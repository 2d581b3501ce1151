/* The configuration of a DHCPv4 server: checked, copied, looked up. */
#include "gateway/dhcp_internal.h"

#include <arpa/inet.h>

#include "gateway/dns_name.h"

#define LEASE_LEAST_S 60

struct address_text {
	char text[INET_ADDRSTRLEN];
};

static struct address_text text_of(uint32_t ip)
{
	struct in_addr in = { .s_addr = htonl(ip) };
	struct address_text t;

	inet_ntop(AF_INET, &in, t.text, sizeof(t.text));
	return t;
}

/* An address that a host of the subnet can have. */
static bool is_host(const struct dhcp_config *c, uint32_t ip)
{
	uint32_t mask = ip4_mask(c->prefix_len);

	return (ip & mask) == (c->server & mask) && ip & ~mask &&
	       (ip & ~mask) != ~mask;
}

static char *check_reservations(const struct dhcp_config *c)
{
	for (unsigned i = 0; i < c->n_reservations; i++) {
		const struct dhcp_reservation *a = &c->reservations[i];

		if (!is_host(c, a->ip) || a->ip == c->server)
			return xasprintf(
				"static lease %s: not an address for a "
				"client of %s/%u",
				text_of(a->ip).text, text_of(c->server).text,
				c->prefix_len);
		for (unsigned k = 0; k < i; k++) {
			const struct dhcp_reservation *b = &c->reservations[k];

			if (a->ip == b->ip || a->mac == b->mac)
				return xasprintf(
					"static lease %s: there is another for "
					"the same %s",
					text_of(a->ip).text,
					a->ip == b->ip ? "address" : "MAC");
		}
	}
	return NULL;
}

static char *check_names(const struct dhcp_config *c)
{
	struct dns_name name;

	if (c->domain && !dns_name_from_text(c->domain, &name))
		return xasprintf("domain \"%s\" is not a domain name",
				 c->domain);
	for (unsigned i = 0; i < c->n_search; i++)
		if (!dns_name_from_text(c->search[i], &name))
			return xasprintf(
				"search domain \"%s\" is not a domain name",
				c->search[i]);
	for (unsigned i = 0; i < c->n_boot; i++)
		if (strlen(c->boot[i].file) > DHCP_BOOT_FILE_MAX)
			return xasprintf("boot file \"%s\" is longer than %u "
					 "bytes, which DHCP cannot say",
					 c->boot[i].file, DHCP_BOOT_FILE_MAX);
	if (c->tftp_server && strlen(c->tftp_server) > DHCP_OPTION_MAX)
		return xstrdup("the TFTP server's name is longer than 255 "
			       "bytes, which DHCP cannot say");
	return NULL;
}

char *dhcp_config_check(const struct dhcp_config *c)
{
	char *problem;

	if (c->prefix_len < 1 || c->prefix_len > 30)
		return xasprintf("a subnet of /%u has no room for DHCP; it is "
				 "/1 to /30",
				 c->prefix_len);
	if (!is_host(c, c->server))
		return xasprintf("%s is no host's address in its /%u",
				 text_of(c->server).text, c->prefix_len);
	if (!is_host(c, c->first) || !is_host(c, c->last) || c->first > c->last)
		return xasprintf("the DHCP range %s-%s is not one of hosts of "
				 "%s/%u",
				 text_of(c->first).text, text_of(c->last).text,
				 text_of(c->server).text, c->prefix_len);
	if (c->lease_s < LEASE_LEAST_S)
		return xasprintf("a lease time of %u s is too short; it is at "
				 "least %u s",
				 c->lease_s, LEASE_LEAST_S);
	if (c->n_dns > DHCP_ADDRESSES_MAX || c->n_ntp > DHCP_ADDRESSES_MAX)
		return xasprintf("more than %u DNS or NTP servers",
				 DHCP_ADDRESSES_MAX);
	for (unsigned i = 0; i < c->n_routes; i++)
		if (c->routes[i].prefix_len > 32)
			return xasprintf("route %s/%u: a prefix has 32 bits at "
					 "most",
					 text_of(c->routes[i].network).text,
					 c->routes[i].prefix_len);
	problem = check_reservations(c);
	return problem ? problem : check_names(c);
}

static int by_address(const void *a, const void *b)
{
	const struct dhcp_reservation *x = a, *y = b;

	return (x->ip > y->ip) - (x->ip < y->ip);
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void *copy_array(const void *array, size_t n, size_t size)
{
	void *copy = xcalloc(n ? n : 1, size);

	if (n)
		memcpy(copy, array, n * size);
	return copy;
}

/* Made-up MACs behind one port do not take all addresses from the others. */
static unsigned default_per_port(const struct dhcp_config *c)
{
	unsigned half = (c->last - c->first) / 2 + 1;

	return MIN(MAX(half, DHCP_LEASES_PER_PORT_MIN),
		   DHCP_LEASES_PER_PORT_MAX);
}

void dhcp_config_copy(struct dhcp_config *to, const struct dhcp_config *from)
{
	struct dhcp_reservation *reservations =
		copy_array(from->reservations, from->n_reservations,
			   sizeof(*reservations));
	struct dhcp_boot *boot =
		copy_array(from->boot, from->n_boot, sizeof(*boot));
	const char **search =
		copy_array(from->search, from->n_search, sizeof(*search));

	*to = *from;
	for (unsigned i = 0; i < from->n_reservations; i++)
		reservations[i].hostname = copy_text(reservations[i].hostname);
	qsort(reservations, from->n_reservations, sizeof(*reservations),
	      by_address);
	for (unsigned i = 0; i < from->n_boot; i++)
		boot[i].file = copy_text(boot[i].file);
	for (unsigned i = 0; i < from->n_search; i++)
		search[i] = copy_text(search[i]);
	to->reservations = reservations;
	to->boot = boot;
	to->search = search;
	to->routes =
		copy_array(from->routes, from->n_routes, sizeof(*from->routes));
	to->domain = copy_text(from->domain);
	to->tftp_server = copy_text(from->tftp_server);
	to->leases_max = from->leases_max ? from->leases_max : 65536;
	to->leases_per_port = from->leases_per_port ? from->leases_per_port
						    : default_per_port(from);
	to->leases_per_mac = from->leases_per_mac ? from->leases_per_mac : 4;
}

void dhcp_config_fini(struct dhcp_config *c)
{
	for (unsigned i = 0; i < c->n_reservations; i++)
		free((char *)c->reservations[i].hostname);
	for (unsigned i = 0; i < c->n_boot; i++)
		free((char *)c->boot[i].file);
	for (unsigned i = 0; i < c->n_search; i++)
		free((char *)c->search[i]);
	free((void *)c->reservations);
	free((void *)c->boot);
	free((void *)c->search);
	free((void *)c->routes);
	free((char *)c->domain);
	free((char *)c->tftp_server);
}

const struct dhcp_reservation *dhcp_reservation_of_mac(
	const struct dhcp_config *c, uint64_t mac)
{
	for (unsigned i = 0; i < c->n_reservations; i++)
		if (c->reservations[i].mac == mac)
			return &c->reservations[i];
	return NULL;
}

const struct dhcp_reservation *dhcp_reservation_of_ip(
	const struct dhcp_config *c, uint32_t ip)
{
	struct dhcp_reservation wanted = { .ip = ip };

	return bsearch(&wanted, c->reservations, c->n_reservations,
		       sizeof(wanted), by_address);
}
