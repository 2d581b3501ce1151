/* outside=BRIDGE: addresses on the uplink, and the translation of addresses. */
#include <stdlib.h>
#include <string.h>

#include "vswd/config_read_segment.h"

#define TIMEOUT_MAX_S (7 * 24 * 3600)
#define UDP_MIN_S     120  /* RFC 4787 REQ-5 */
#define TCP_MIN_S     7440 /* RFC 5382 REQ-5 */
#define ICMP_MIN_S    60   /* RFC 5508 REQ-2 */
#define LIMIT_MAX     1000000000

static const char addresses_rule[] =
	"dhcp, or an address with its network's length and, with commas, "
	"others, as 192.0.2.5/24,192.0.2.8-192.0.2.15 (at most 64)";
static const char addresses6_rule[] =
	"auto, or an address with its network's length and, with commas, "
	"others, as 2001:db8::5/64,2001:db8::6 (at most 64)";

/* --- IPv4 ------------------------------------------------------------------
 */

static bool on_link4(const struct router_ip4 *a, uint32_t ip)
{
	return !((ip ^ a->ip) & ip4_mask(a->prefix_len));
}

/* Neither the network's own address nor that for all of it. */
static bool is_host4(const struct router_ip4 *a)
{
	uint32_t beyond = ~ip4_mask(a->prefix_len);

	return ip4_is_unicast(a->ip) &&
	       (a->prefix_len > 30 ||
		(a->ip & beyond && (a->ip & beyond) != beyond));
}

static bool add_ip4(struct cfg_uplink *uplink, uint32_t ip, uint8_t len)
{
	struct router_ip4 new = { ip, len };

	if (uplink->n_ip4 == ROUTER_ADDRESSES_MAX || !is_host4(&new))
		return false;
	for (unsigned i = 0; i < uplink->n_ip4; i++)
		if (uplink->ip4[i].ip == ip)
			return false;
	uplink->ip4[uplink->n_ip4++] = new;
	return true;
}

static bool add_item4(struct cfg_uplink *uplink, const char *item)
{
	const struct router_ip4 *own = &uplink->ip4[0];
	uint32_t first, last;
	uint8_t len;

	if (net_text_prefix4(item, &first, &len))
		return len && add_ip4(uplink, first, len);
	if (!uplink->n_ip4 || !net_text_range4(item, &first, &last) ||
	    last - first >= ROUTER_ADDRESSES_MAX)
		return false;
	for (; first <= last; first++)
		if (!add_ip4(uplink, first,
			     on_link4(own, first) ? own->prefix_len : 32))
			return false;
	return true;
}

static void read_addresses4(struct segment_reader *r)
{
	const char *text = segment_option(r, "outside-address"), *item;
	struct cfg_uplink *uplink = &r->segment->uplink;
	struct text_list list;

	if (!text || !strcmp(text, "dhcp")) {
		uplink->dhcp = true;
		return;
	}
	uplink->ip4 = xcalloc(ROUTER_ADDRESSES_MAX, sizeof(*uplink->ip4));
	text_list_init(&list, text);
	while ((item = text_list_next(&list))) {
		if (!add_item4(uplink, item)) {
			segment_refuse_option(r, "outside-address",
					      addresses_rule);
			break;
		}
	}
	text_list_fini(&list);
	if (!uplink->n_ip4)
		segment_refuse_option(r, "outside-address", addresses_rule);
}

static void read_gateway4(struct segment_reader *r)
{
	static const char key[] = "outside-gateway";
	const char *text = segment_option(r, key);
	struct cfg_uplink *uplink = &r->segment->uplink;
	bool on_link = false;

	if (!text)
		return;
	if (uplink->dhcp) {
		segment_refuse(
			r->segment,
			"options:outside-gateway is \"%s\", but DHCP "
			"tells the gateway; set outside-address, too, or "
			"remove outside-gateway",
			text);
		return;
	}
	if (!net_text_ip4(text, &uplink->gateway4)) {
		segment_refuse_option(r, key, "an IPv4 address");
		return;
	}
	for (unsigned i = 0; i < uplink->n_ip4; i++) {
		on_link |= on_link4(&uplink->ip4[i], uplink->gateway4);
		if (uplink->ip4[i].ip == uplink->gateway4)
			segment_refuse_option(r, key,
					      "another address than the "
					      "segment's own");
	}
	if (!on_link)
		segment_refuse_option(r, key,
				      "an address of outside-address's "
				      "network");
}

/* --- IPv6 ------------------------------------------------------------------
 */

static bool add_item6(struct cfg_uplink *uplink, const char *item)
{
	struct router_ip6 new = { .prefix_len = 128 };

	if (uplink->n_ip6 == ROUTER_ADDRESSES_MAX)
		return false;
	if (!net_text_prefix6(item, new.ip, &new.prefix_len)) {
		if (!uplink->n_ip6 || !net_text_ip6(item, new.ip))
			return false;
		if (ip6_in_prefix(new.ip, uplink->ip6[0].ip,
				  uplink->ip6[0].prefix_len))
			new.prefix_len = uplink->ip6[0].prefix_len;
	}
	if (!ip6_is_unicast(new.ip) || !new.prefix_len)
		return false;
	for (unsigned i = 0; i < uplink->n_ip6; i++)
		if (!memcmp(uplink->ip6[i].ip, new.ip, 16))
			return false;
	uplink->ip6[uplink->n_ip6++] = new;
	return true;
}

static void read_addresses6(struct segment_reader *r)
{
	const char *text = segment_option(r, "outside-address6"), *item;
	struct cfg_uplink *uplink = &r->segment->uplink;
	struct text_list list;

	if (!text || !strcmp(text, "auto")) {
		uplink->slaac = text || r->segment->ip6.prefix_len;
		return;
	}
	uplink->ip6 = xcalloc(ROUTER_ADDRESSES_MAX, sizeof(*uplink->ip6));
	text_list_init(&list, text);
	while ((item = text_list_next(&list))) {
		if (!add_item6(uplink, item)) {
			segment_refuse_option(r, "outside-address6",
					      addresses6_rule);
			break;
		}
	}
	text_list_fini(&list);
	if (!uplink->n_ip6)
		segment_refuse_option(r, "outside-address6", addresses6_rule);
}

static void read_gateway6(struct segment_reader *r)
{
	static const char key[] = "outside-gateway6";
	const char *text = segment_option(r, key);
	struct cfg_uplink *uplink = &r->segment->uplink;
	const uint8_t *ip = uplink->gateway6;
	bool on_link;

	if (!text)
		return;
	if (uplink->slaac || !uplink->n_ip6) {
		segment_refuse(r->segment,
			       "options:outside-gateway6 is \"%s\", but router "
			       "advertisements tell the gateway; set "
			       "outside-address6, too, or remove "
			       "outside-gateway6",
			       text);
		return;
	}
	if (!net_text_ip6(text, uplink->gateway6)) {
		segment_refuse_option(r, key, "an IPv6 address");
		return;
	}
	on_link = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80; /* link-local */
	for (unsigned i = 0; i < uplink->n_ip6; i++)
		on_link |= ip6_in_prefix(ip, uplink->ip6[i].ip,
					 uplink->ip6[i].prefix_len) &&
			   memcmp(ip, uplink->ip6[i].ip, 16) != 0;
	if (!on_link)
		segment_refuse_option(r, key,
				      "a router's link-local address, or one "
				      "of outside-address6's network");
}

/* --- both ------------------------------------------------------------------
 */

/* An address inside that is one outside, too, would be nobody's. */
static void check_sides(struct segment_reader *r)
{
	const struct cfg_segment *s = r->segment;
	const struct cfg_uplink *uplink = &s->uplink;

	for (unsigned i = 0; i < uplink->n_ip4 && s->ip4; i++) {
		uint8_t len = MIN(uplink->ip4[i].prefix_len, s->prefix4_len);

		if (!((uplink->ip4[i].ip ^ s->ip4) & ip4_mask(len)))
			segment_refuse(r->segment,
				       "options:outside-address has %s/%u, "
				       "which overlaps the subnet of %s/%u; "
				       "take another subnet",
				       ip4_text(uplink->ip4[i].ip).text,
				       uplink->ip4[i].prefix_len,
				       ip4_text(s->ip4).text, s->prefix4_len);
	}
	for (unsigned i = 0; i < uplink->n_ip6 && s->ip6.prefix_len; i++) {
		uint8_t len = MIN(uplink->ip6[i].prefix_len, s->ip6.prefix_len);

		if (ip6_in_prefix(uplink->ip6[i].ip, s->ip6.ip, len))
			segment_refuse(r->segment,
				       "options:outside-address6 has %s/%u, "
				       "which overlaps the subnet6 of %s/%u; "
				       "take another subnet6",
				       ip6_text(uplink->ip6[i].ip).text,
				       uplink->ip6[i].prefix_len,
				       ip6_text(s->ip6.ip).text,
				       s->ip6.prefix_len);
	}
}

void config_read_segment_uplink(struct segment_reader *r)
{
	struct cfg_segment *s = r->segment;

	if (s->outside != OUTSIDE_BRIDGE)
		return;
	s->uplink.tag = segment_number(r, "outside-tag", 1, 4094, 0);
	s->uplink.mtu = segment_number(r, "outside-mtu", 576, 65520, 0);
	read_addresses4(r);
	read_gateway4(r);
	read_addresses6(r);
	read_gateway6(r);
	check_sides(r);
}

/* --- translation -----------------------------------------------------------
 */

static void read_filtering(struct segment_reader *r)
{
	const char *text = segment_option(r, "filtering");
	struct nat_config *c = &r->segment->nat;

	if (!text || !strcmp(text, "endpoint-independent"))
		c->filtering = NAT_FILTER_NONE;
	else if (!strcmp(text, "address-dependent"))
		c->filtering = NAT_FILTER_ADDRESS;
	else
		segment_refuse_option(r, "filtering",
				      "endpoint-independent or "
				      "address-dependent");
}

void config_read_segment_nat(struct segment_reader *r)
{
	struct nat_options *o = &r->segment->nat_options;
	struct nat_config *c = &r->segment->nat;

	nat_config_init(c);
	nat_options_init(o);
	c->max_sessions = segment_number(r, "nat-sessions", 16,
					 NAT_SESSIONS_MAX, c->max_sessions);
	c->max_clients = segment_number(r, "nat-clients", 1, NAT_SESSIONS_MAX,
					c->max_clients);
	read_filtering(r);
	o->udp_s = segment_number(r, "udp-timeout", UDP_MIN_S, TIMEOUT_MAX_S,
				  o->udp_s);
	o->tcp_s = segment_number(r, "tcp-timeout", TCP_MIN_S, TIMEOUT_MAX_S,
				  o->tcp_s);
	o->icmp_s = segment_number(r, "icmp-timeout", ICMP_MIN_S, TIMEOUT_MAX_S,
				   o->icmp_s);
	o->client_sessions =
		segment_number(r, "client-sessions", 1, LIMIT_MAX, 0);
	o->client_ports = segment_number(r, "client-ports", 1, UINT16_MAX, 0);
	o->client_rate = segment_number(r, "client-rate", 1, LIMIT_MAX, 0);
}
