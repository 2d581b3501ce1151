#include "vswd/config_read_overlay.h"

#include <stdlib.h>
#include <string.h>

#define MTU_MIN	   68	 /* RFC 791 */
#define MTU_MAX	   65450 /* less the outer headers */
#define HOLD_MAX_S 86400
#define ECN_BITS   3

static const char remote_rule[] =
	"the IP address of another VTEP, or flow for several";

/* --- remotes ---------------------------------------------------------------
 */

static int compare_ips(const void *a_, const void *b_)
{
	const struct ip_address *a = a_, *b = b_;

	return a->len != b->len ? a->len - b->len
				: memcmp(a->bytes, b->bytes, a->len);
}

static void add_remote(struct overlay_reader *r, const char *key,
		       const char *text, const char *must_be)
{
	struct cfg_overlay *o = r->overlay;
	struct ip_address ip;

	if (!overlay_address(r, key, text, must_be, &ip))
		return;
	overlay_same_version(r, key, &ip);
	o->remotes =
		xrealloc(o->remotes, (o->n_remotes + 1) * sizeof(*o->remotes));
	o->remotes[o->n_remotes++] = ip;
}

static void read_list(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "remotes"), *item;
	struct cfg_overlay *o = r->overlay;
	struct text_list list;

	if (!text)
		return;
	text_list_init(&list, text);
	while (!o->error && (item = text_list_next(&list)))
		add_remote(r, "remotes", item, "the IP address of a VTEP");
	text_list_fini(&list);
	if (o->n_remotes)
		qsort(o->remotes, o->n_remotes, sizeof(*o->remotes),
		      compare_ips);
	for (size_t i = 1; i < o->n_remotes; i++)
		if (ip_address_equal(&o->remotes[i - 1], &o->remotes[i]))
			overlay_refuse(o, "options:remotes has %s twice",
				       ip_text(&o->remotes[i]).text);
	if (o->n_remotes > VTEP_FLOOD_MAX)
		overlay_refuse(o,
			       "options:remotes has %zu addresses; a VXLAN "
			       "port floods to %u at most",
			       o->n_remotes, VTEP_FLOOD_MAX);
}

static void read_group(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "group");
	const char *device = overlay_option(r, "group-dev");
	struct cfg_overlay *o = r->overlay;

	if (device && !text)
		overlay_refuse(o,
			       "options:group-dev is \"%s\" without a group; "
			       "set options:group to a multicast address",
			       device);
	if (device &&
	    (!device[0] || strlen(device) > 15 || strpbrk(device, "/ \t\r\n")))
		overlay_refuse_option(r, "group-dev",
				      "the name of a device of the host");
	if (!text)
		return;
	if (!net_text_ip(text, &o->group) ||
	    !overlay_ip_is_multicast(&o->group)) {
		o->group = (struct ip_address){ 0 };
		overlay_refuse_option(r, "group",
				      "a multicast address as 239.1.1.1");
		return;
	}
	overlay_same_version(r, "group", &o->group);
	if (device)
		o->group_dev = xstrdup(device);
}

/* Point to point: nothing else says who the remote is. */
static void check_single(const struct overlay_reader *r)
{
	static const char *const others[] = { "remotes", "group", "evpn" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const char *value = overlay_option(r, others[i]);

		if (!value || (i == 2 && !r->overlay->evpn))
			continue;
		overlay_refuse(r->overlay,
			       "options:remote_ip is %s, which is the port's "
			       "only remote, and %s is \"%s\"; set remote_ip "
			       "to flow, or remove %s",
			       overlay_option(r, "remote_ip"), others[i], value,
			       others[i]);
	}
}

/* With evpn=false they wait for it. */
static void check_without_evpn(const struct overlay_reader *r)
{
	static const char *const keys[] = { "evpn-hold", "evpn-frr-dir" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (overlay_option(r, keys[i]) && !overlay_option(r, "evpn"))
			overlay_refuse(r->overlay,
				       "options:%s is \"%s\" without evpn; set "
				       "evpn to true, or remove %s",
				       keys[i], overlay_option(r, keys[i]),
				       keys[i]);
}

static void read_remotes(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "remote_ip");
	struct cfg_overlay *o = r->overlay;

	o->evpn = overlay_boolean(r, "evpn", false);
	o->hold_s =
		overlay_number(r, "evpn-hold", 1, HOLD_MAX_S, OVERLAY_HOLD_S);
	check_without_evpn(r);
	if (!text) {
		overlay_refuse(o, "options:remote_ip is missing; it must be "
				  "the IP address of another VTEP, or flow "
				  "with options:remotes, group or evpn");
		return;
	}
	o->single = strcmp(text, "flow") != 0;
	if (o->single) {
		add_remote(r, "remote_ip", text, remote_rule);
		check_single(r);
		return;
	}
	read_list(r);
	read_group(r);
	if (o->evpn && o->group.len)
		overlay_refuse(o, "options:group and evpn are both set; with "
				  "EVPN broadcasts go to each VTEP that FRR "
				  "names: remove group");
}

/* --- VNIs ------------------------------------------------------------------
 */

/* "A" or "A-B"; says what is wrong with it. what: "VLAN" or "VNI". */
static bool parse_range(struct cfg_overlay *o, const char *what, char *text,
			uint32_t max, uint32_t *first, uint32_t *last)
{
	char *dash = strchr(text, '-');
	const char *wrong = NULL;

	if (dash)
		*dash = '\0';
	if (!overlay_parse_number(text, 0, max, first))
		wrong = text;
	else if (dash && !overlay_parse_number(dash + 1, 0, max, last))
		wrong = dash + 1;
	else if (!dash)
		*last = *first;
	if (wrong)
		overlay_refuse(o,
			       "options:vni-map has \"%s\" as a %s; those are "
			       "from 0 to %u",
			       wrong, what, max);
	else if (*last < *first)
		overlay_refuse(o,
			       "options:vni-map has %ss %u-%u in the wrong "
			       "order",
			       what, *first, *last);
	return !wrong && *last >= *first;
}

/* False: the item is no VLAN=VNI. */
static bool add_pairs(struct cfg_overlay *o, char *item)
{
	char *equals = strchr(item, '='), *why = NULL;
	uint32_t vlan, vlan_last, vni, vni_last;

	if (!equals)
		return false;
	*equals = '\0';
	if (!parse_range(o, "VLAN", item, VTEP_VLAN_MAX, &vlan, &vlan_last) ||
	    !parse_range(o, "VNI", equals + 1, VXLAN_VNI_MAX, &vni, &vni_last))
		return true;
	if (vlan_last - vlan != vni_last - vni)
		overlay_refuse(o,
			       "options:vni-map has VLANs %u-%u and VNIs "
			       "%u-%u, which are not as many",
			       vlan, vlan_last, vni, vni_last);
	for (; vlan <= vlan_last && !why && !o->error; vlan++, vni++)
		if (vtep_map_add(o->map, vlan, vni, &why))
			overlay_refuse(o, "options:vni-map: %s", why);
	free(why);
	return true;
}

static void read_map(struct overlay_reader *r)
{
	static const char rule[] =
		"VLAN=VNI pairs with commas as 10=1010,20=1020 or "
		"100-199=10100-10199, VLANs from 0 (untagged) to 4094, VNIs "
		"from 0 to 16777215";
	const char *text = overlay_option(r, "vni-map");
	struct cfg_overlay *o = r->overlay;
	struct text_list list;
	char *item;

	o->vni = VTEP_NO_VNI;
	o->map = vtep_map_new();
	if (!text) {
		for (unsigned i = 1; i <= VTEP_VLAN_MAX; i++)
			if (vtep_map_add(o->map, i, i, NULL))
				abort();
		return;
	}
	if (!text[0])
		overlay_refuse_option(r, "vni-map", rule);
	text_list_init(&list, text);
	while (!o->error && (item = text_list_next(&list)))
		if (!add_pairs(o, item))
			overlay_refuse_option(r, "vni-map", rule);
	text_list_fini(&list);
}

/*
 * Open vSwitch's in_key and out_key are key where they are not set. They say
 * the same here, or the two ways would be two networks.
 */
static const char *read_key_text(struct overlay_reader *r)
{
	const char *key = overlay_option(r, "key");
	const char *in = overlay_option(r, "in_key");
	const char *out = overlay_option(r, "out_key");

	in = in ? in : key;
	out = out ? out : key;
	if ((in || out) && strcmp(in ? in : "0", out ? out : "0") != 0)
		overlay_refuse(r->overlay,
			       "options:in_key is \"%s\" and out_key \"%s\"; a "
			       "VXLAN port has one VNI for both ways: set key "
			       "alone",
			       in ? in : "0", out ? out : "0");
	return in;
}

static void read_key(struct overlay_reader *r)
{
	const char *key = read_key_text(r);
	const char *map = overlay_option(r, "vni-map");
	struct cfg_overlay *o = r->overlay;

	if (key ? !strcmp(key, "flow") : map != NULL) {
		read_map(r);
		return;
	}
	if (map)
		overlay_refuse(o,
			       "options:key is \"%s\", and vni-map says VNIs "
			       "by VLANs; set key to flow, or remove vni-map",
			       key);
	if (key && !overlay_parse_number(key, 0, VXLAN_VNI_MAX, &o->vni))
		overlay_refuse(o,
			       "options:key is \"%s\"; it must be a VNI from 0 "
			       "to %u, or flow for VNIs by VLANs",
			       key, VXLAN_VNI_MAX);
}

/* --- headers, behaviour ----------------------------------------------------
 */

static bool is_inherit(const struct overlay_reader *r, const char *key)
{
	const char *text = overlay_option(r, key);

	return text && !strcmp(text, "inherit");
}

static void read_headers(struct overlay_reader *r)
{
	static const char tos_rule[] =
		"inherit, or a number from 0 to 252 whose lowest two bits are "
		"0: those are ECN's (RFC 6040)";
	const char *tos = overlay_option(r, "tos");
	const char *ttl = overlay_option(r, "ttl");
	struct cfg_overlay *o = r->overlay;
	uint32_t number = 0;

	o->inherit_tos = is_inherit(r, "tos");
	if (tos && !o->inherit_tos &&
	    (!overlay_parse_number(tos, 0, 255, &number) || number & ECN_BITS))
		overlay_refuse_option(r, "tos", tos_rule);
	o->tos = number;
	o->ttl = 64;
	o->group_ttl = 1;
	o->inherit_ttl = is_inherit(r, "ttl");
	if (ttl && !o->inherit_ttl) {
		if (!overlay_parse_number(ttl, 1, 255, &number))
			overlay_refuse_option(r, "ttl",
					      "inherit, or a number from 1 to "
					      "255");
		o->ttl = o->group_ttl = number;
	}
	o->dont_fragment = overlay_boolean(r, "df_default", true);
	o->csum = overlay_boolean(r, "csum", o->ip_version == 6);
}

static void read_reserved(struct overlay_reader *r)
{
	const char *text = overlay_option(r, "reserved-bits");

	if (!text || !strcmp(text, "ignore"))
		return;
	r->overlay->refuse_reserved = true;
	if (strcmp(text, "refuse") != 0)
		overlay_refuse_option(r, "reserved-bits", "ignore or refuse");
}

static void read_behaviour(struct overlay_reader *r)
{
	struct cfg_overlay *o = r->overlay;

	o->learning = overlay_boolean(r, "learning", !o->evpn);
	if (o->evpn && o->learning)
		overlay_refuse(o, "options:evpn and learning are both true; "
				  "with EVPN, FRR says where MACs are: remove "
				  "learning");
	o->suppress = overlay_boolean(r, "arp-suppression", !o->single);
	o->split_horizon = overlay_boolean(r, "split-horizon", true);
	o->mtu = overlay_number(r, "mtu", MTU_MIN, MTU_MAX,
				MIN(r->interface->mtu_request, MTU_MAX));
	read_reserved(r);
}

struct cfg_overlay *config_read_overlay(const struct cfg_interface *interface)
{
	struct cfg_overlay *o = xcalloc(1, sizeof(*o));
	struct overlay_reader r = { .interface = interface, .overlay = o };

	o->ip_version = 4;
	overlay_check_keys(&r);
	read_remotes(&r);
	read_key(&r);
	config_read_overlay_underlay(&r);
	read_headers(&r);
	read_behaviour(&r);
	return o;
}

/* --- the port's VLANs ------------------------------------------------------
 */

static struct vlan_set *mapped_vlans(const struct vtep_map *map)
{
	struct vlan_set *set = xcalloc(1, sizeof(*set));

	for (unsigned i = 0; i <= VTEP_VLAN_MAX; i++)
		if (vtep_map_vni(map, i) != VTEP_NO_VNI)
			vlan_set_add(set, i);
	return set;
}

void config_read_overlay_vlans(struct cfg_port *port)
{
	struct cfg_overlay *o;
	enum vlan_mode mode = port->vlan.mode;

	for (size_t i = 0; i < port->n_interfaces && port->bond; i++)
		if (port->interfaces[i].overlay)
			overlay_refuse(port->interfaces[i].overlay,
				       "a VXLAN port cannot be a member of a "
				       "bond, nor speak LACP; its remotes are "
				       "reached by any way that the underlay "
				       "has");
	if (port->bond || port->n_interfaces != 1)
		return;
	o = port->interfaces[0].overlay;
	if (!o || !o->map)
		return;
	if (mode == VLAN_ACCESS || mode == VLAN_DOT1Q_TUNNEL) {
		overlay_refuse(o,
			       "options:key is flow, so that a frame's VLAN "
			       "says its VNI, but the port has vlan_mode %s "
			       "with tag %u; clear both, or set key to a VNI",
			       mode == VLAN_ACCESS ? "access" : "dot1q-tunnel",
			       port->vlan.tag);
		return;
	}
	if (!port->trunks)
		port->vlan.trunks = port->trunks = mapped_vlans(o->map);
}
