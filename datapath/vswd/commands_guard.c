/*
 * guard/show: of guarded ports, what their stations may call their own and say,
 * what DHCP has leased to them, and what they tried nevertheless.
 */
#include <stdlib.h>
#include <string.h>

#include "packet/drop.h"
#include "vswd/commands.h"
#include "vswd/config_security.h"
#include "vswd/json_field.h"
#include "vswd/port_snoop.h"
#include "vswd/port_snoop_file.h"
#include "vswd/vbond.h"

static const enum drop_reason violations[] = {
	DROP_FORGED_SOURCE, DROP_SPOOFED_IP, DROP_SPOOFED_ARP, DROP_SPOOFED_ND,
	DROP_DHCP_SERVER,   DROP_ROUTER,     DROP_UNINSPECTED,
};

static const struct cfg_security *security_of(const struct vport *v)
{
	return v->config->security;
}

/* --- as JSON ---------------------------------------------------------------
 */

static json_t *macs_json(const struct allowed *a)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < a->n_macs; i++) {
		char text[MAC_STRING_SIZE];

		mac_format(a->macs[i], text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static void add_prefix(json_t *list, const struct net_addr *addr, unsigned len)
{
	unsigned whole = addr->version == 4 ? 32 : 128;
	char ip[NET_TEXT_MAX], *text;

	net_addr_text(addr, ip);
	text = len < whole ? xasprintf("%s/%u", ip, len) : xstrdup(ip);
	json_array_append_new(list, json_string(text));
	free(text);
}

static json_t *ips_json(const struct allowed_ips *ips)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ips->n_ip4; i++) {
		struct net_addr addr = { .version = 4 };

		store_be32(addr.bytes, ips->ip4[i].address);
		add_prefix(list, &addr, __builtin_popcount(ips->ip4[i].mask));
	}
	for (unsigned i = 0; i < ips->n_ip6; i++) {
		const struct allowed_ip6 *p = &ips->ip6[i];
		struct net_addr addr = { .version = 6 };

		memcpy(addr.bytes, p->address, sizeof(p->address));
		add_prefix(list, &addr,
			   __builtin_popcountll(p->mask[0]) +
				   __builtin_popcountll(p->mask[1]));
	}
	return list;
}

static json_t *leases_json(const struct vport *v)
{
	const struct dhcp_snoop *snoop = port_snoop_of(v);
	uint64_t now_ms = vswitch_now_ms();
	const struct dhcp_binding *b;
	json_t *list = json_array();
	unsigned n = snoop ? dhcp_snoop_bindings(snoop, &b) : 0;

	for (unsigned i = 0; i < n; i++) {
		json_t *entry =
			snoop_file_entry(v->config->name, now_ms, &b[i]);

		json_object_del(entry, "port");
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *violations_json(const struct vport *v)
{
	struct port_counters counters;
	json_t *counts = json_object();

	port_get_counters(v->port, &counters);
	for (unsigned i = 0; i < ARRAY_SIZE(violations); i++) {
		uint64_t n = counters.drops[violations[i]];

		if (n)
			json_object_set_new(counts,
					    drop_reason_name(violations[i]),
					    json_integer((json_int_t)n));
	}
	return counts;
}

static json_t *guard_json(const struct vport *v)
{
	const struct cfg_security *s = security_of(v);
	const struct allowed *a = &s->rules.allowed;

	return json_pack(
		"{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o, "
		"s:o}",
		"bridge", v->bridge->name, "port", v->interface->name,
		"promiscuous", s->promiscuous, "mac-changes", s->mac_changes,
		"forged-transmits", !a->guards_macs, "guards-ips",
		a->guards_ips, "dhcp", s->by_dhcp, "dhcp-guard",
		s->rules.dhcp_guard, "router-guard", s->rules.router_guard,
		"macs", macs_json(a), "ips", ips_json(&a->ips), "leases",
		leases_json(v), "violations", violations_json(v));
}

/* --- as text --------------------------------------------------------------
 */

static void list_text(struct text *text, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		text_add(text, " %s", json_string_value(one));
}

static void lease_text(struct text *text, const json_t *lease)
{
	unsigned long long len = field_number(lease, "prefix-len");
	const char *ip = field_text(lease, "ip");

	text_add(text, "  leased %s", ip);
	if (len != (strchr(ip, ':') ? 128 : 32))
		text_add(text, "/%llu", len);
	text_add(text, " to %s, ", field_text(lease, "client"));
	if (json_object_get(lease, "left-ms"))
		text_add(text, "%llu s left\n",
			 field_number(lease, "left-ms") / 1000);
	else
		text_add(text, "for ever\n");
}

static const char *word(const json_t *guard, const char *key)
{
	return field_is_true(guard, key) ? "accept" : "reject";
}

static void guard_text(struct text *text, const json_t *guard)
{
	const json_t *one;
	const char *name;
	size_t i;

	text_add(text,
		 "%s (%s): promiscuous %s, mac-changes %s, "
		 "forged-transmits %s%s%s\n",
		 field_text(guard, "port"), field_text(guard, "bridge"),
		 word(guard, "promiscuous"), word(guard, "mac-changes"),
		 word(guard, "forged-transmits"),
		 field_is_true(guard, "dhcp-guard") ? ", dhcp-guard" : "",
		 field_is_true(guard, "router-guard") ? ", router-guard" : "");
	text_add(text, "  MACs");
	list_text(text, json_object_get(guard, "macs"));
	if (!json_array_size(json_object_get(guard, "macs")))
		text_add(text, field_is_true(guard, "forged-transmits")
				       ? " any"
				       : " none");
	text_add(text, "\n  IPs");
	list_text(text, json_object_get(guard, "ips"));
	text_add(text, "%s%s\n",
		 field_is_true(guard, "guards-ips") ? "" : " any",
		 field_is_true(guard, "dhcp") ? " dhcp" : "");
	json_array_foreach(json_object_get(guard, "leases"), i, one)
		lease_text(text, one);
	json_object_foreach((json_t *)json_object_get(guard, "violations"),
			    name, one)
		text_add(text, "  %s %lld packets\n", name,
			 (long long)json_integer_value(one));
}

/* --- the command -----------------------------------------------------------
 */

static void cmd_show(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	struct vswitch *vs = aux;
	json_t *all = json_array();
	struct vport **list, *one;
	size_t n = 0;

	if (argc > 1) {
		one = command_open_port(request, vs, argv[1]);
		if (one && security_of(one)) {
			json_array_append_new(all, guard_json(one));
		} else {
			json_decref(all);
			if (one)
				command_fail(
					request,
					"%s: nothing is restricted at it; "
					"see \"Table Port: security\" in vswd(8)",
					argv[1]);
			return;
		}
	} else {
		list = command_sorted_vports(vs, NULL, &n);
		for (size_t i = 0; i < n; i++)
			if (security_of(list[i]))
				json_array_append_new(all, guard_json(list[i]));
		free(list);
	}
	command_reply_each(request, all, guard_text);
}

void commands_register_guard(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "guard/show", "[port]", 0, 1, cmd_show, vs);
}
