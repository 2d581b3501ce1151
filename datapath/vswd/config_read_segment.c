#include "vswd/config_read_segment.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU_DEFAULT 1500
#define MTU_MIN	    576	 /* what every host must take (RFC 791) */
#define MTU_MIN6    1280 /* RFC 8200 */
#define MTU_MAX	    65520

void segment_refuse(struct cfg_segment *segment, const char *fmt, ...)
{
	va_list args;

	if (segment->error)
		return;
	va_start(args, fmt);
	if (vasprintf(&segment->error, fmt, args) < 0)
		abort();
	va_end(args);
}

bool segment_has_host(const struct cfg_segment *s, const struct ip_address *ip)
{
	uint32_t mask = ip4_mask(s->prefix4_len), ip4;
	static const uint8_t zero[16];
	uint8_t network[16] = { 0 };

	if (ip->len == 4) {
		ip4 = ip_address_to_v4(ip);
		return s->ip4 && ip4 != s->ip4 && !((ip4 ^ s->ip4) & mask) &&
		       ip4 & ~mask && (ip4 & ~mask) != ~mask;
	}
	if (!s->ip6.prefix_len || !memcmp(ip->bytes, s->ip6.ip, 16) ||
	    !ip6_in_prefix(ip->bytes, s->ip6.ip, s->ip6.prefix_len))
		return false;
	/* The subnet's own address is all routers' (RFC 4291 2.6.1). */
	memcpy(network, ip->bytes, 16);
	for (unsigned i = 0; i < s->ip6.prefix_len; i++)
		network[i / 8] &= ~(0x80 >> i % 8);
	return memcmp(network, zero, 16);
}

/* --- what it is ------------------------------------------------------------
 */

static void read_type(struct segment_reader *r)
{
	static const char *const names[] = {
		[SEGMENT_NAT] = "nat",
		[SEGMENT_HOST_ONLY] = "host-only",
		[SEGMENT_INTERNAL] = "internal",
		[SEGMENT_BRIDGED] = "bridged",
	};
	const char *type = db_get_string(r->columns, r->rows->segment,
					 DB_SEGMENT_TYPE, "");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(type, names[i])) {
			r->segment->type = i;
			return;
		}
	}
	segment_refuse(r->segment,
		       "type \"%s\" is not known; it must be nat, host-only, "
		       "internal or bridged",
		       type);
}

static void read_outside(struct segment_reader *r)
{
	const char *outside = db_get_string(r->columns, r->rows->segment,
					    DB_SEGMENT_OUTSIDE, NULL);
	struct cfg_segment *s = r->segment;

	if (s->type != SEGMENT_NAT) {
		s->outside = OUTSIDE_NONE;
		if (outside)
			segment_refuse(s,
				       "outside is \"%s\"; only a segment of "
				       "type nat has an outside: clear the "
				       "column, or set the type to nat",
				       outside);
	} else if (!outside || !strcmp(outside, "host")) {
		s->outside = OUTSIDE_HOST;
	} else {
		s->outside = OUTSIDE_BRIDGE;
		s->uplink.bridge = xstrdup(outside);
		if (!strcmp(outside, s->name) || !outside[0])
			segment_refuse(s,
				       "outside is \"%s\"; it must be another "
				       "bridge than the segment's, or host",
				       outside);
	}
}

/* The same for everybody who gives a segment this name; FNV-1a. */
static uint64_t mac_of_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3;
	return (hash ^ hash >> 48) & 0xfcffffffffff;
}

static void read_link(struct segment_reader *r)
{
	const char *mac = segment_option(r, "mac");
	struct cfg_segment *s = r->segment;

	s->mac = mac_of_name(s->name) | 0x020000000000;
	if (mac && (!mac_from_string(mac, &s->mac) || !s->mac ||
		    mac_is_multicast(s->mac)))
		segment_refuse_option(r, "mac",
				      "a unicast address as "
				      "02:00:00:00:00:01");
	s->mtu =
		segment_number(r, "mtu", s->ip6.prefix_len ? MTU_MIN6 : MTU_MIN,
			       MTU_MAX, MTU_DEFAULT);
}

/* --- its networks ----------------------------------------------------------
 */

/* options:key as an address of a host in the network that s->ip4 is in. */
static void read_ip4(const struct segment_reader *r, const char *key,
		     uint32_t *ip)
{
	const char *text = segment_option(r, key);
	uint32_t mask = ip4_mask(r->segment->prefix4_len), net = *ip & mask;

	if (!text)
		return;
	if (!net_text_ip4(text, ip) || (*ip & mask) != net || *ip == net ||
	    *ip == (net | ~mask)) {
		*ip = net + 1;
		segment_refuse(r->segment,
			       "options:%s is \"%s\"; it must be an address of "
			       "the subnet, from %s to %s",
			       key, text, ip4_text(net + 1).text,
			       ip4_text((net | ~mask) - 1).text);
	}
}

static void read_subnet4(struct segment_reader *r)
{
	const char *text = db_get_string(r->columns, r->rows->segment,
					 DB_SEGMENT_SUBNET, NULL);
	struct cfg_segment *s = r->segment;
	uint32_t net, mask;
	uint8_t len;

	if (!text)
		return;
	if (!net_text_prefix4(text, &net, &len) || len < 8 || len > 30) {
		segment_refuse(s,
			       "subnet is \"%s\"; it must be a network of "
			       "/8 to /30 as 10.20.0.0/24",
			       text);
		return;
	}
	mask = ip4_mask(len);
	if (net & ~mask || !ip4_is_unicast(net)) {
		segment_refuse(s,
			       net & ~mask ? "subnet is \"%s\", which has bits "
					     "beyond its length; write %s/%u"
					   : "subnet is \"%s\"; no machine can "
					     "have addresses of %s/%u: take "
					     "one as 10.20.0.0/24",
			       text, ip4_text(net & mask).text, len);
		return;
	}
	s->prefix4_len = len;
	s->ip4 = s->type == SEGMENT_HOST_ONLY ? (net | ~mask) - 1 : net + 1;
	read_ip4(r, "address", &s->ip4);
	if (s->type != SEGMENT_HOST_ONLY)
		return;
	s->host_ip4 = s->ip4 == net + 1 ? net + 2 : net + 1;
	read_ip4(r, "host-address", &s->host_ip4);
	if (s->host_ip4 == s->ip4)
		segment_refuse(s,
			       "options:address and host-address are both %s; "
			       "the gateway and the host need one each",
			       ip4_text(s->ip4).text);
}

static void read_ip6(const struct segment_reader *r, const char *key,
		     const uint8_t net[16], uint8_t ip[16])
{
	const char *text = segment_option(r, key);

	if (text && (!net_text_ip6(text, ip) || !memcmp(ip, net, 16) ||
		     !ip6_in_prefix(ip, net, r->segment->ip6.prefix_len)))
		segment_refuse(r->segment,
			       "options:%s is \"%s\"; it must be an address of "
			       "the subnet %s/%u",
			       key, text, ip6_text(net).text,
			       r->segment->ip6.prefix_len);
}

/* The host has ::1 where it has one, and the gateway ::2 then. */
static void set_ip6(struct segment_reader *r, const uint8_t net[16])
{
	struct cfg_segment *s = r->segment;

	memcpy(s->ip6.ip, net, 16);
	s->ip6.ip[15] |= s->type == SEGMENT_HOST_ONLY ? 2 : 1;
	read_ip6(r, "address6", net, s->ip6.ip);
	if (s->type != SEGMENT_HOST_ONLY)
		return;
	memcpy(s->host_ip6, net, 16);
	s->host_ip6[15] |= s->ip6.ip[15] == (net[15] | 1) ? 2 : 1;
	read_ip6(r, "host-address6", net, s->host_ip6);
	if (!memcmp(s->host_ip6, s->ip6.ip, 16))
		segment_refuse(s,
			       "options:address6 and host-address6 are both "
			       "%s; the gateway and the host need one each",
			       ip6_text(s->ip6.ip).text);
}

static void read_subnet6(struct segment_reader *r)
{
	const char *text = db_get_string(r->columns, r->rows->segment,
					 DB_SEGMENT_SUBNET6, NULL);
	struct cfg_segment *s = r->segment;
	uint8_t net[16], zero[16] = { 0 }, len;

	if (!text)
		return;
	if (!net_text_prefix6(text, net, &len) || len < 16 || len > 124 ||
	    !ip6_is_unicast(net)) {
		segment_refuse(s,
			       "subnet6 is \"%s\"; it must be a network of "
			       "/16 to /124, most often /64, as fd20::/64",
			       text);
		return;
	}
	for (unsigned i = len; i < 128; i++)
		zero[i / 8] |= net[i / 8] & 0x80 >> i % 8;
	for (unsigned i = 0; i < 16; i++) {
		if (!zero[i])
			continue;
		segment_refuse(s,
			       "subnet6 is \"%s\", which has bits beyond its "
			       "length; they must be 0",
			       text);
		return;
	}
	s->ip6.prefix_len = len;
	set_ip6(r, net);
}

static void check_networks(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;
	bool any = s->ip4 || s->ip6.prefix_len;

	if ((s->type == SEGMENT_NAT || s->type == SEGMENT_HOST_ONLY) && !any)
		segment_refuse(s,
			       "a segment of type %s needs a subnet as "
			       "10.20.0.0/24, or a subnet6",
			       s->type == SEGMENT_NAT ? "nat" : "host-only");
	if (s->type == SEGMENT_BRIDGED && any)
		segment_refuse(s,
			       "a segment of type bridged has no subnet of its "
			       "own: the network that it is bridged to gives "
			       "the addresses; clear subnet and subnet6");
	if (s->type != SEGMENT_BRIDGED || !s->isolated)
		return;
	s->isolated = false;
	segment_refuse(s, "isolated cannot be true on a segment of type "
			  "bridged: the LAN's port would be isolated, too, and "
			  "the machines lose the LAN; set it to false, or take "
			  "a segment of type nat");
}

static void read_ipv6(struct segment_reader *r)
{
	const char *text = segment_option(r, "ipv6");
	struct cfg_segment *s = r->segment;

	s->nat6 = true;
	if (!text || !strcmp(text, "nat"))
		return;
	s->nat6 = false;
	if (strcmp(text, "routed") != 0)
		segment_refuse_option(r, "ipv6", "nat or routed");
	else if (s->outside == OUTSIDE_HOST)
		segment_refuse(s,
			       "options:ipv6 is routed, which the host's "
			       "sockets cannot do; set outside to a bridge, or "
			       "ipv6 to nat");
}

struct cfg_segment *config_read_segment(const struct db_columns *columns,
					const struct segment_rows *rows)
{
	const char *name =
		db_get_string(columns, rows->segment, DB_SEGMENT_NAME, "");
	struct cfg_segment *s = xcalloc(1, sizeof(*s));
	struct segment_reader r = {
		.columns = columns,
		.rows = rows,
		.options = db_get(columns, rows->segment, DB_SEGMENT_OPTIONS),
		.segment = s,
	};

	s->refs = 1;
	s->uuid = rows->segment->uuid;
	s->name = xstrdup(rows->bridge);
	s->isolated = db_get_boolean(columns, rows->segment,
				     DB_SEGMENT_ISOLATED, false);
	if (strcmp(name, s->name) != 0)
		segment_refuse(
			s,
			"its row has the name \"%s\"; it must be that of "
			"its bridge",
			name);
	read_type(&r);
	read_outside(&r);
	read_subnet4(&r);
	read_subnet6(&r);
	read_link(&r);
	check_networks(&r);
	read_ipv6(&r);
	s->host_loopback = segment_boolean(&r, "host-loopback", false);
	config_read_segment_services(&r);
	config_read_segment_uplink(&r);
	config_read_segment_nat(&r);
	config_read_segment_forwards(&r);
	config_read_segment_leases(&r);
	return s;
}
