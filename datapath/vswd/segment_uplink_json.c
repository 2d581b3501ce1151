/* A segment's uplink for people. */
#include <arpa/inet.h>
#include <string.h>

#include "vswd/segment_uplink.h"
#include "vswd/vbond.h"

const char *uplink_format_ip(const struct ip_address *ip,
			     char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->bytes, text,
			 INET6_ADDRSTRLEN);
}

static json_t *ip_to_json(const struct ip_address *ip, unsigned prefix_len)
{
	char text[INET6_ADDRSTRLEN];

	return json_sprintf("%s/%u", uplink_format_ip(ip, text), prefix_len);
}

static json_t *addresses_to_json(const struct uplink_addresses *a)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < a->n_ip4; i++) {
		const struct ip_address ip = ip_address_v4(a->ip4[i].ip);

		json_array_append_new(all,
				      ip_to_json(&ip, a->ip4[i].prefix_len));
	}
	for (unsigned i = 0; i < a->n_ip6; i++) {
		const struct ip_address ip = ip_address_of(a->ip6[i].ip, 16);

		json_array_append_new(all,
				      ip_to_json(&ip, a->ip6[i].prefix_len));
	}
	return all;
}

static void add_gateway(json_t *json, const char *key,
			const struct ip_address *ip)
{
	static const uint8_t none[16];
	char text[INET6_ADDRSTRLEN];

	if (memcmp(ip->bytes, none, ip->len) != 0)
		json_object_set_new(json, key,
				    json_string(uplink_format_ip(ip, text)));
}

static json_t *dhcp_to_json(const struct dhcp_client *client)
{
	const struct dhcp_client_lease *lease = dhcp_client_lease(client);
	uint64_t now_ms = vswitch_now_ms();
	char text[INET6_ADDRSTRLEN];
	struct ip_address server;
	json_t *json =
		json_pack("{s:s}", "state",
			  dhcp_client_state_name(dhcp_client_state(client)));

	if (!lease)
		return json;
	server = ip_address_v4(lease->server);
	json_object_set_new(json, "server",
			    json_string(uplink_format_ip(&server, text)));
	if (lease->over_ms != UINT64_MAX && lease->over_ms > now_ms)
		json_object_set_new(
			json, "expires_s",
			json_integer((lease->over_ms - now_ms) / 1000));
	return json;
}

json_t *segment_uplink_to_json(const struct segment_uplink *uplink)
{
	const struct uplink_addresses *a = &uplink->now;
	struct ip_address gateway = ip_address_v4(a->gateway4);
	json_t *json = json_pack("{s:s, s:b, s:i, s:o}", "bridge",
				 uplink->seg->config->uplink.bridge, "link",
				 (int)(uplink->n_links > 0), "mtu", (int)a->mtu,
				 "addresses", addresses_to_json(a));

	add_gateway(json, "gateway", &gateway);
	gateway = ip_address_of(a->gateway6, 16);
	add_gateway(json, "gateway6", &gateway);
	if (uplink->dhcp)
		json_object_set_new(json, "dhcp", dhcp_to_json(uplink->dhcp));
	return json;
}
