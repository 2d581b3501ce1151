#include "vswd/neighbor_json.h"

#include <string.h>

#include "discovery/agent.h"
#include "discovery/text.h"
#include "vswd/commands.h"
#include "vswd/config.h"
#include "vswd/json_field.h"

typedef unsigned long long ull;

/* --- as JSON -------------------------------------------------------------- */

static void set_text(json_t *json, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(json, key, json_string(text));
}

static json_t *capabilities_json(uint32_t bits, const char *(*name)(unsigned))
{
	json_t *names = json_array();

	for (unsigned bit = 0; bit < 32; bit++) {
		if (!(bits >> bit & 1))
			continue;
		if (name(bit))
			json_array_append_new(names, json_string(name(bit)));
		else
			json_array_append_new(names,
					      json_sprintf("bit%u", bit));
	}
	return names;
}

static void add_capabilities(json_t *json, const struct discovery_info *info)
{
	if (!info->has_capabilities)
		return;
	if (info->protocol == DISCOVERY_CDP) {
		json_object_set_new(json, "capabilities",
				    capabilities_json(info->cdp_capabilities,
						      cdp_capability_name));
		return;
	}
	json_object_set_new(
		json, "capabilities",
		capabilities_json(info->capabilities, capability_name));
	json_object_set_new(json, "capabilities_enabled",
			    capabilities_json(info->enabled, capability_name));
}

static json_t *addresses_json(const struct discovery_info *info)
{
	json_t *addresses = json_array();
	char buf[DISCOVERY_NAME_SIZE];

	for (unsigned i = 0; i < info->n_addresses; i++) {
		const struct discovery_address *a = &info->addresses[i];
		json_t *one = json_pack("{s:s, s:s}", "type",
					address_family_name(a->family),
					"address", address_format(a, buf));

		if (a->numbering > 1)
			json_object_set_new(one, "interface",
					    json_integer(a->interface));
		json_array_append_new(addresses, one);
	}
	return addresses;
}

static void add_vlans(json_t *json, const struct discovery_info *info)
{
	json_t *vlans = json_array(), *ppvids = json_array();

	if (info->has_pvid)
		json_object_set_new(json, "pvid", json_integer(info->pvid));
	for (unsigned i = 0; i < info->n_vlans; i++)
		json_array_append_new(vlans,
				      json_pack("{s:i, s:s}", "vid",
						(int)info->vlans[i].vid, "name",
						info->vlans[i].name));
	for (unsigned i = 0; i < info->n_ppvids; i++)
		json_array_append_new(
			ppvids,
			json_pack("{s:i, s:b, s:b}", "vid",
				  (int)info->ppvids[i].vid, "supported",
				  (int)info->ppvids[i].supported, "enabled",
				  (int)info->ppvids[i].enabled));
	if (json_array_size(vlans))
		json_object_set(json, "vlans", vlans);
	if (json_array_size(ppvids))
		json_object_set(json, "ppvids", ppvids);
	json_decref(vlans);
	json_decref(ppvids);
}

static void add_link(json_t *json, const struct discovery_info *info)
{
	const char *mau = mau_type_name(info->mau_type);

	if (info->has_aggregation)
		json_object_set_new(
			json, "aggregation",
			json_pack("{s:b, s:b, s:I}", "capable",
				  (int)info->aggregation_capable, "aggregated",
				  (int)info->aggregated, "port",
				  (json_int_t)info->aggregation_port));
	if (info->has_mac_phy)
		json_object_set_new(
			json, "mac_phy",
			json_pack("{s:b, s:b, s:i, s:i, s:s?}",
				  "autoneg_supported",
				  (int)info->autoneg_supported,
				  "autoneg_enabled", (int)info->autoneg_enabled,
				  "advertised", (int)info->autoneg_advertised,
				  "mau_type", (int)info->mau_type, "mau_name",
				  mau));
	if (info->max_frame)
		json_object_set_new(json, "max_frame",
				    json_integer(info->max_frame));
}

static void add_cdp(json_t *json, const struct discovery_info *info)
{
	if (info->protocol != DISCOVERY_CDP)
		return;
	json_object_set_new(json, "cdp_version",
			    json_integer(info->cdp_version));
	set_text(json, "platform", info->platform);
	set_text(json, "vtp_domain", info->vtp_domain);
	if (info->has_duplex)
		json_object_set_new(
			json, "duplex",
			json_string(info->full_duplex ? "full" : "half"));
	if (info->mtu)
		json_object_set_new(json, "mtu", json_integer(info->mtu));
}

static void add_times(json_t *json, const struct neighbor_entry *e,
		      uint64_t now_ms)
{
	char mac[MAC_STRING_SIZE];

	json_object_set_new(json, "source",
			    json_string(mac_format(e->source, mac)));
	json_object_set_new(json, "age",
			    json_integer((now_ms - e->first_ms) / 1000));
	json_object_set_new(json, "last_heard",
			    json_integer((now_ms - e->last_ms) / 1000));
	json_object_set_new(json, "ttl", json_integer(e->ttl_s));
	json_object_set_new(
		json, "ttl_left",
		json_integer(e->expires_ms > now_ms
				     ? (e->expires_ms - now_ms) / 1000
				     : 0));
}

json_t *neighbor_to_json(const struct neighbor_entry *entry, uint64_t now_ms)
{
	char chassis[DISCOVERY_NAME_SIZE], port[DISCOVERY_NAME_SIZE];
	struct discovery_info info;
	json_t *json;

	neighbor_decode(entry, &info);
	json = json_pack(
		"{s:s, s:s, s:s, s:s, s:s}", "protocol",
		discovery_protocol_name(info.protocol), "chassis_id_type",
		chassis_subtype_name(info.chassis.subtype), "chassis_id",
		chassis_format(&info.chassis, chassis), "port_id_type",
		port_id_subtype_name(info.port.subtype), "port_id",
		port_id_format(&info.port, port));
	set_text(json, "port_description", info.port_description);
	set_text(json, "system_name", info.system_name);
	set_text(json, "system_description", info.system_description);
	add_capabilities(json, &info);
	json_object_set_new(json, "management_addresses",
			    addresses_json(&info));
	add_vlans(json, &info);
	add_link(json, &info);
	add_cdp(json, &info);
	if (info.n_left_out)
		json_object_set_new(json, "left_out",
				    json_integer(info.n_left_out));
	add_times(json, entry, now_ms);
	return json;
}

/* --- as text -------------------------------------------------------------- */

static void line(struct text *text, const char *title, const char *value)
{
	if (value[0])
		text_add(text, "  %-22s %s\n", title, value);
}

static void words(struct text *text, const char *title, const json_t *names)
{
	const json_t *name;
	size_t i;

	if (!json_array_size(names))
		return;
	text_add(text, "  %-22s", title);
	json_array_foreach((json_t *)names, i, name)
		text_add(text, "%s %s", i ? "," : "", json_string_value(name));
	text_add(text, "\n");
}

static void vlan_lines(struct text *text, const json_t *json)
{
	const json_t *vlan;
	size_t i;

	if (json_object_get(json, "pvid"))
		text_add(text, "  %-22s %llu\n",
			 "port VLAN:", field_number(json, "pvid"));
	json_array_foreach(json_object_get(json, "vlans"), i, vlan)
		text_add(text, "  %-22s %llu %s\n",
			 "VLAN:", field_number(vlan, "vid"),
			 field_text(vlan, "name"));
	json_array_foreach(json_object_get(json, "ppvids"), i, vlan)
		text_add(text, "  %-22s %llu%s%s\n",
			 "protocol VLAN:", field_number(vlan, "vid"),
			 field_is_true(vlan, "supported") ? ", supported" : "",
			 field_is_true(vlan, "enabled") ? ", enabled" : "");
}

static void link_lines(struct text *text, const json_t *json)
{
	const json_t *a = json_object_get(json, "aggregation");
	const json_t *phy = json_object_get(json, "mac_phy");

	if (a)
		text_add(text, "  %-22s %s, %s, port %llu\n", "aggregation:",
			 field_is_true(a, "capable") ? "capable"
						     : "not capable",
			 field_is_true(a, "aggregated") ? "aggregated"
							: "not aggregated",
			 field_number(a, "port"));
	if (phy) {
		text_add(text, "  %-22s autonegotiation %s", "link:",
			 field_is_true(phy, "autoneg_enabled") ? "on"
			 : field_is_true(phy, "autoneg_supported")
				 ? "off"
				 : "unsupported");
		if (field_text(phy, "mau_name")[0])
			text_add(text, ", %s\n", field_text(phy, "mau_name"));
		else
			text_add(text, ", MAU type %llu\n",
				 field_number(phy, "mau_type"));
	}
	if (field_number(json, "max_frame"))
		text_add(text, "  %-22s %llu\n",
			 "max. frame size:", field_number(json, "max_frame"));
	if (field_number(json, "mtu"))
		text_add(text, "  %-22s %llu\n",
			 "MTU:", field_number(json, "mtu"));
}

void neighbor_details(struct text *text, const json_t *json)
{
	const json_t *address;
	size_t i;

	text_add(text, "\n%s (bridge %s), %s:\n", field_text(json, "port"),
		 field_text(json, "bridge"), field_text(json, "protocol"));
	text_add(text, "  %-22s %s (%s)\n",
		 "chassis:", field_text(json, "chassis_id"),
		 field_text(json, "chassis_id_type"));
	text_add(text, "  %-22s %s (%s)\n",
		 "port:", field_text(json, "port_id"),
		 field_text(json, "port_id_type"));
	line(text, "port description:", field_text(json, "port_description"));
	line(text, "system name:", field_text(json, "system_name"));
	line(text,
	     "system description:", field_text(json, "system_description"));
	line(text, "platform:", field_text(json, "platform"));
	words(text, "capabilities:", json_object_get(json, "capabilities"));
	words(text, "enabled:", json_object_get(json, "capabilities_enabled"));
	json_array_foreach(json_object_get(json, "management_addresses"), i,
			   address)
		line(text,
		     "management address:", field_text(address, "address"));
	vlan_lines(text, json);
	line(text, "VTP domain:", field_text(json, "vtp_domain"));
	line(text, "duplex:", field_text(json, "duplex"));
	link_lines(text, json);
	text_add(text, "  %-22s %llu s, last heard %llu s ago\n",
		 "known for:", field_number(json, "age"),
		 field_number(json, "last_heard"));
	text_add(text, "  %-22s %llu s, %llu s left\n",
		 "TTL:", field_number(json, "ttl"),
		 field_number(json, "ttl_left"));
}
