/* A segment's DHCP: its range, what clients are told, static leases. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vswd/config_read_segment.h"

#define LEASE_S	    3600
#define LEASE_MIN_S 60
#define LEASE_MAX_S (365 * 86400)
#define LEASES_MAX  65536
#define ROUTES_MAX  64 /* what a DHCP message has room for, about */

/* No frame comes from there: an address of it is nobody's. */
#define NOBODY 0xffffffffffff

/* --- addresses and lists ---------------------------------------------------
 */

/* All hosts of the subnet, but the gateway and the host at its ends. */
static void set_range(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;
	uint32_t mask = ip4_mask(s->prefix4_len), net = s->ip4 & mask;
	uint32_t first = net + 1, last = (net | ~mask) - 1;

	while (first < last && (first == s->ip4 || first == s->host_ip4))
		first++;
	while (last > first && (last == s->ip4 || last == s->host_ip4))
		last--;
	s->dhcp.first = first;
	s->dhcp.last = last;
	if (first == last && (first == s->ip4 || first == s->host_ip4))
		segment_refuse(s,
			       "a subnet of /%u has no address left for a "
			       "machine; take a larger one, or set "
			       "options:dhcp to false",
			       s->prefix4_len);
}

static bool in_subnet(const struct cfg_segment *s, uint32_t ip)
{
	uint32_t mask = ip4_mask(s->prefix4_len);

	return !((ip ^ s->ip4) & mask) && ip & ~mask && (ip & ~mask) != ~mask;
}

static void read_range(struct segment_reader *r)
{
	const char *text = segment_option(r, "dhcp-range");
	struct cfg_segment *s = r->segment;
	struct dhcp_config *c = &s->dhcp;
	uint32_t mask = ip4_mask(s->prefix4_len), net = s->ip4 & mask;

	if (!text) {
		set_range(r);
		return;
	}
	if (!net_text_range4(text, &c->first, &c->last))
		segment_refuse_option(r, "dhcp-range",
				      "the first and the last address as "
				      "10.20.0.100-10.20.0.199");
	else if (!in_subnet(s, c->first) || !in_subnet(s, c->last))
		segment_refuse(
			s,
			"options:dhcp-range is \"%s\"; it must be in the "
			"subnet, from %s to %s",
			text, ip4_text(net + 1).text,
			ip4_text((net | ~mask) - 1).text);
}

static void read_search(struct segment_reader *r)
{
	struct dhcp_config *c = &r->segment->dhcp;
	const char *text = segment_option(r, "search"), *item;
	const char **search = NULL;
	struct text_list list;

	text_list_init(&list, text ? text : "");
	while ((item = text_list_next(&list))) {
		search = xrealloc(search, (c->n_search + 1) * sizeof(*search));
		search[c->n_search++] = xstrdup(item);
	}
	text_list_fini(&list);
	c->search = search;
}

/* Lists of at most DHCP_ADDRESSES_MAX. */
static unsigned read_servers(struct segment_reader *r, const char *key,
			     uint32_t servers[])
{
	struct text_list list;
	const char *item;
	unsigned n = 0;

	text_list_init(&list, segment_option(r, key));
	while ((item = text_list_next(&list))) {
		if (n == DHCP_ADDRESSES_MAX ||
		    !net_text_ip4(item, &servers[n])) {
			segment_refuse_option(r, key,
					      "at most 8 IPv4 addresses with "
					      "commas between them");
			break;
		}
		n++;
	}
	text_list_fini(&list);
	return n;
}

static bool read_route(const char *item, struct dhcp_route *route)
{
	const char *equals = strchr(item, '=');
	char network[INET6_ADDRSTRLEN];

	if (!equals || equals - item >= INET6_ADDRSTRLEN)
		return false;
	memcpy(network, item, equals - item);
	network[equals - item] = '\0';
	return net_text_prefix4(network, &route->network, &route->prefix_len) &&
	       !(route->network & ~ip4_mask(route->prefix_len)) &&
	       net_text_ip4(equals + 1, &route->gateway);
}

static void read_routes(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;
	const char *text = segment_option(r, "routes"), *item;
	struct dhcp_route *routes = xcalloc(ROUTES_MAX, sizeof(*routes));
	struct text_list list;
	unsigned n = 0;

	text_list_init(&list, text ? text : "");
	while ((item = text_list_next(&list))) {
		if (n == ROUTES_MAX || !read_route(item, &routes[n])) {
			segment_refuse_option(r, "routes",
					      "at most 64 networks, each with "
					      "its gateway, as "
					      "10.5.0.0/16=10.20.0.9");
			break;
		}
		if (!in_subnet(s, routes[n].gateway))
			segment_refuse(s,
				       "options:routes has the gateway %s, "
				       "which no machine of %s/%u reaches",
				       ip4_text(routes[n].gateway).text,
				       ip4_text(s->ip4).text, s->prefix4_len);
		n++;
	}
	text_list_fini(&list);
	s->dhcp.routes = routes;
	s->dhcp.n_routes = n;
}

static void read_router(struct segment_reader *r)
{
	const char *text = segment_option(r, "router");
	struct cfg_segment *s = r->segment;

	if (!text)
		s->dhcp.router = s->type == SEGMENT_NAT ? s->ip4 : 0;
	else if (strcmp(text, "none") != 0 &&
		 (!net_text_ip4(text, &s->dhcp.router) ||
		  !in_subnet(s, s->dhcp.router)))
		segment_refuse_option(r, "router",
				      "an address of the subnet, or none");
}

/* boot-file=FILE, and boot-file-ARCH=FILE for each number of option 93. */
static void read_boot(struct segment_reader *r)
{
	static const char key[] = "boot-file";
	struct dhcp_config *c = &r->segment->dhcp;
	struct dhcp_boot *boot = xcalloc(r->options->n + 1, sizeof(*boot));
	const char *server = segment_option(r, "next-server");
	const char *tftp = segment_option(r, "tftp-server");

	for (unsigned i = 0; i < r->options->n; i++) {
		const char *name = ovsdb_atom_string(&r->options->keys[i]);
		uint64_t arch;

		if (strncmp(name, key, strlen(key)) != 0)
			continue;
		if (!strcmp(name, key))
			boot[c->n_boot].arch = -1;
		else if (name[strlen(key)] == '-' &&
			 net_text_number(name + strlen(key) + 1, 0, UINT16_MAX,
					 &arch))
			boot[c->n_boot].arch = (int)arch;
		else
			continue;
		boot[c->n_boot++].file =
			xstrdup(ovsdb_atom_string(&r->options->values[i]));
	}
	c->boot = boot;
	c->tftp_server = tftp ? xstrdup(tftp) : NULL;
	if (server && !net_text_ip4(server, &c->next_server))
		segment_refuse_option(r, "next-server",
				      "an IPv4 address as 10.20.0.1");
}

/* --- static leases ---------------------------------------------------------
 */

/* "IP" or "IP,NAME" */
static bool parse_static_lease(const char *text, struct dhcp_reservation *lease)
{
	const char *comma = strchr(text, ',');
	char address[INET_ADDRSTRLEN];
	size_t n = comma ? (size_t)(comma - text) : strlen(text);

	if (n >= sizeof(address) || (comma && !net_text_is_label(comma + 1)))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (!net_text_ip4(address, &lease->ip))
		return false;
	lease->hostname = comma ? xstrdup(comma + 1) : NULL;
	return true;
}

/* Nobody else has the same, of those that were read before it. */
static void check_static_lease(struct cfg_segment *s, const char *mac,
			       const struct dhcp_reservation *lease)
{
	const struct dhcp_config *c = &s->dhcp;
	struct ip_address ip = ip_address_v4(lease->ip);

	if (!segment_has_host(s, &ip) || lease->ip == s->host_ip4)
		segment_refuse(s,
			       "static lease of %s: no machine can have %s: it "
			       "must be an address of the subnet of %s/%u, "
			       "and not %s",
			       mac, ip4_text(lease->ip).text,
			       ip4_text(s->ip4).text, s->prefix4_len,
			       lease->ip == s->ip4 ? "the gateway's"
			       : lease->ip == s->host_ip4
				       ? "the host's"
				       : "its first or last one");
	for (unsigned i = 0; i < c->n_reservations; i++) {
		const struct dhcp_reservation *other = &c->reservations[i];
		char is[MAC_STRING_SIZE];

		if (other->ip != lease->ip && other->mac != lease->mac &&
		    (!other->hostname || !lease->hostname ||
		     strcasecmp(other->hostname, lease->hostname) != 0))
			continue;
		segment_refuse(s,
			       "static lease of %s: %s is another's with the "
			       "same %s; remove one",
			       mac, mac_format(other->mac, is),
			       other->mac == lease->mac ? "MAC"
			       : other->ip == lease->ip ? "address"
							: "name");
	}
}

static void read_static_leases(struct segment_reader *r)
{
	const struct ovsdb_datum *map =
		db_get(r->columns, r->rows->segment, DB_SEGMENT_STATIC_LEASES);
	struct cfg_segment *s = r->segment;
	struct dhcp_reservation *leases =
		xcalloc((size_t)map->n + 1, sizeof(*leases));

	s->dhcp.reservations = leases;
	for (unsigned i = 0; i < map->n; i++) {
		struct dhcp_reservation *lease =
			&leases[s->dhcp.n_reservations];
		const char *mac = ovsdb_atom_string(&map->keys[i]);
		const char *value = ovsdb_atom_string(&map->values[i]);

		if (!mac_from_string(mac, &lease->mac) || !lease->mac ||
		    mac_is_multicast(lease->mac)) {
			segment_refuse(s,
				       "static lease of \"%s\": it must be of "
				       "one machine's MAC as 02:00:00:00:00:01",
				       mac);
		} else if (!parse_static_lease(value, lease)) {
			segment_refuse(s,
				       "static lease of %s: it is \"%s\"; it "
				       "must be an address, or an address and "
				       "a name of letters, digits and hyphens, "
				       "as 10.20.0.15,vm1",
				       mac, value);
		} else {
			check_static_lease(s, mac, lease);
			s->dhcp.n_reservations++;
		}
	}
}

/* The host is no client, but has its address. */
static void reserve_host_address(struct cfg_segment *s)
{
	struct dhcp_reservation *leases =
		(struct dhcp_reservation *)s->dhcp.reservations;

	if (s->host_ip4 && s->host_ip4 >= s->dhcp.first &&
	    s->host_ip4 <= s->dhcp.last)
		leases[s->dhcp.n_reservations++] = (struct dhcp_reservation){
			.mac = NOBODY,
			.ip = s->host_ip4,
		};
}

void config_read_segment_dhcp(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;
	struct dhcp_config *c = &s->dhcp;
	char *problem;

	s->dhcp_on = segment_boolean(r, "dhcp", true) && s->ip4;
	if (!s->ip4)
		return;
	c->server = s->ip4;
	c->prefix_len = s->prefix4_len;
	c->authoritative = true;
	c->mtu = segment_option(r, "mtu") ? s->mtu : 0;
	c->lease_s = segment_number(r, "lease-time", LEASE_MIN_S, LEASE_MAX_S,
				    LEASE_S);
	c->leases_per_port =
		segment_number(r, "leases-per-port", 1, LEASES_MAX, 0);
	if (segment_option(r, "ntp-servers"))
		c->n_ntp = read_servers(r, "ntp-servers", c->ntp);
	if (s->dhcp_on)
		read_range(r);
	read_router(r);
	read_routes(r);
	read_search(r);
	read_boot(r);
	read_static_leases(r);
	if (!s->dhcp_on)
		return;
	reserve_host_address(s);
	problem = s->error ? NULL : dhcp_config_check(c);
	if (problem)
		segment_refuse(s, "%s", problem);
	free(problem);
}
