/* Port:other_config's keys of security, and Interface:external_ids. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address_list.h"
#include "vswd/config_read.h"
#include "vswd/config_security.h"

/* A list that has mistakes: what is right of it is used. */
static void complain(struct cfg_port *port, const char *key, char *why)
{
	if (why)
		cfg_port_refuse(port, xasprintf("other_config:%s: %s; only "
						"the rest is allowed",
						key, why));
	free(why);
}

/* Who says something of it wants a limit: what is not known is one. */
static bool read_accept(struct cfg_port *port, const struct ovsdb_datum *other,
			const char *key, bool fallback)
{
	const char *text = ovsdb_datum_get_string(other, key);

	if (!text)
		return fallback;
	if (!strcmp(text, "accept"))
		return true;
	if (strcmp(text, "reject") != 0)
		cfg_port_refuse(port, xasprintf("other_config:%s is \"%s\"; it "
						"must be accept or reject; "
						"reject is used",
						key, text));
	return false;
}

/* The same: true is the limit. */
static bool read_guard(struct cfg_port *port, const struct ovsdb_datum *other,
		       const char *key)
{
	const char *text = ovsdb_datum_get_string(other, key);

	if (!text || !strcasecmp(text, "false"))
		return false;
	if (strcasecmp(text, "true") != 0)
		cfg_port_refuse(port, xasprintf("other_config:%s is \"%s\"; it "
						"must be true or false; true "
						"is used",
						key, text));
	return true;
}

/* Of a bond: those of all its interfaces. */
static void read_attached(struct allowed *a, const struct db_columns *columns,
			  const struct ovsdb_client_row *const interfaces[],
			  size_t n)
{
	a->macs = xcalloc(n, sizeof(*a->macs));
	for (size_t i = 0; i < n; i++) {
		const char *text = ovsdb_datum_get_string(
			db_get(columns, interfaces[i],
			       DB_INTERFACE_EXTERNAL_IDS),
			"attached-mac");
		uint64_t mac;

		if (text && mac_from_string(text, &mac) && mac &&
		    !mac_is_multicast(mac))
			a->macs[a->n_macs++] = mac;
	}
}

/* Whose MACs these are: named ones, else what the interfaces are said to have.
 */
static void read_macs(struct cfg_port *port, struct allowed *a,
		      const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "allowed-macs");
	struct address_list list;

	if (!text)
		return;
	complain(port, "allowed-macs", address_list_macs(&list, text));
	a->n_macs = list.any ? 0 : list.n;
	free(a->macs);
	a->macs = xcalloc(a->n_macs, sizeof(*a->macs));
	for (unsigned i = 0; i < a->n_macs; i++)
		a->macs[i] = list.macs[i];
}

static bool names_any_mac(const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "allowed-macs");
	struct address_list list;

	if (!text)
		return false;
	free(address_list_macs(&list, text));
	return list.any;
}

static void add_ip(struct allowed_ips *ips, const struct net_prefix *p)
{
	if (p->addr.version == 4)
		ips->ip4[ips->n_ip4++] = allowed_prefix4(p->addr.bytes, p->len);
	else
		ips->ip6[ips->n_ip6++] = allowed_prefix6(p->addr.bytes, p->len);
}

static void read_ips(struct cfg_port *port, struct cfg_security *s,
		     const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "allowed-ips");
	struct allowed *a = &s->rules.allowed;
	struct address_list list;

	if (!text)
		return;
	complain(port, "allowed-ips", address_list_ips(&list, text));
	if (list.any)
		return;
	a->guards_ips = true;
	s->by_dhcp = list.dhcp;
	a->ips.ip4 = xcalloc(list.n, sizeof(*a->ips.ip4));
	a->ips.ip6 = xcalloc(list.n, sizeof(*a->ips.ip6));
	for (unsigned i = 0; i < list.n; i++)
		add_ip(&a->ips, &list.ips[i]);
}

/* What needs to know whose MACs are the port's. */
static void check_macs(struct cfg_port *port, const struct cfg_security *s,
		       const struct ovsdb_datum *other)
{
	const char *key = s->rules.allowed.guards_macs ? "forged-transmits"
			  : !s->mac_changes	       ? "mac-changes"
						       : NULL;

	if (!key || s->rules.allowed.n_macs)
		return;
	if (names_any_mac(other))
		cfg_port_refuse(port, xasprintf("other_config:%s=reject and "
						"other_config:allowed-macs=any "
						"contradict each other; no MAC "
						"address is taken for the "
						"port's",
						key));
	else
		cfg_port_refuse(port,
				xasprintf("other_config:%s=reject needs "
					  "other_config:allowed-macs, or "
					  "external_ids:attached-mac of the "
					  "interface; no MAC address is taken "
					  "for the port's",
					  key));
}

static bool is_open(const struct cfg_security *s)
{
	return s->promiscuous && s->mac_changes &&
	       !s->rules.allowed.guards_macs && !s->rules.allowed.guards_ips &&
	       !s->rules.dhcp_guard && !s->rules.router_guard;
}

struct cfg_security *config_read_security(
	struct cfg_port *port, const struct db_columns *columns,
	const struct ovsdb_client_row *row,
	const struct ovsdb_client_row *const interfaces[], size_t n_interfaces)
{
	const struct ovsdb_datum *other =
		db_get(columns, row, DB_PORT_OTHER_CONFIG);
	struct cfg_security *s = xcalloc(1, sizeof(*s));
	struct allowed *a = &s->rules.allowed;
	bool named;

	read_attached(a, columns, interfaces, n_interfaces);
	/* Of a machine's port; what leads elsewhere has more stations. */
	s->promiscuous = read_accept(port, other, "promiscuous", !a->n_macs);
	/* Who names the port's addresses alone means that it has no others. */
	named = ovsdb_datum_get_string(other, "allowed-macs") &&
		!names_any_mac(other) &&
		!ovsdb_datum_get_string(other, "forged-transmits");
	s->mac_changes = read_accept(port, other, "mac-changes", !named);
	a->guards_macs = !read_accept(port, other, "forged-transmits", !named);
	s->rules.dhcp_guard = read_guard(port, other, "dhcp-guard");
	s->rules.router_guard = read_guard(port, other, "router-guard");
	read_macs(port, a, other);
	read_ips(port, s, other);
	check_macs(port, s, other);
	if (s->by_dhcp && n_interfaces > 1)
		cfg_port_refuse(
			port,
			xasprintf("other_config:allowed-ips says dhcp, and %zu "
				  "interfaces make the port a bond, at which "
				  "DHCP is not listened to; name the addresses",
				  n_interfaces));
	if (is_open(s)) {
		cfg_security_free(s);
		return NULL;
	}
	return s;
}

void cfg_security_free(struct cfg_security *s)
{
	if (!s)
		return;
	free(s->rules.allowed.macs);
	free(s->rules.allowed.ips.ip4);
	free(s->rules.allowed.ips.ip6);
	free(s);
}

bool cfg_security_flushes(const struct cfg_security *a,
			  const struct cfg_security *b)
{
	const struct allowed *was, *is;

	if (!b || b->mac_changes)
		return false;
	if (!a || a->mac_changes)
		return true;
	was = &a->rules.allowed;
	is = &b->rules.allowed;
	for (unsigned i = 0; i < was->n_macs; i++)
		if (!allowed_names_mac(is, was->macs[i]))
			return true;
	return false;
}
