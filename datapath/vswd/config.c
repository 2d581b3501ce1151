#include "vswd/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_acl.h"
#include "vswd/config_mirror.h"
#include "vswd/config_overlay.h"
#include "vswd/config_security.h"
#include "vswd/config_segment.h"

LOG_MODULE(config);

struct cfg_port *cfg_port_ref(const struct cfg_port *port)
{
	struct cfg_port *p = (struct cfg_port *)port;

	p->refs++;
	return p;
}

struct port_option *cfg_options_clone(const struct port_option *options,
				      size_t n)
{
	struct port_option *clone = xcalloc(n, sizeof(*clone));

	for (size_t i = 0; i < n; i++) {
		clone[i].key = xstrdup(options[i].key);
		clone[i].value = xstrdup(options[i].value);
	}
	return clone;
}

void cfg_options_free(struct port_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)options[i].key);
		free((char *)options[i].value);
	}
	free(options);
}

static void interface_fini(struct cfg_interface *interface)
{
	cfg_options_free(interface->options, interface->n_options);
	number_pairs_fini(&interface->worker_affinity);
	cfg_overlay_free(interface->overlay);
	free(interface->name);
	free(interface->type);
}

struct cfg_port *cfg_port_derive(const struct cfg_port *port, char *error)
{
	struct cfg_port *p = xmalloc(sizeof(*p));
	struct cfg_overlay *overlay = xmalloc(sizeof(*overlay));

	*overlay = *port->interfaces[0].overlay;
	overlay->error = error;
	*p = *port;
	p->refs = 1;
	p->base = cfg_port_ref(port);
	p->interfaces = xmalloc(sizeof(*p->interfaces));
	p->interfaces[0] = port->interfaces[0];
	p->interfaces[0].overlay = overlay;
	return p;
}

static void free_derived(struct cfg_port *port)
{
	free(port->interfaces[0].overlay->error);
	free(port->interfaces[0].overlay);
	free(port->interfaces);
	cfg_port_unref(port->base);
	free(port);
}

void cfg_port_unref(struct cfg_port *port)
{
	if (!port || --port->refs)
		return;
	if (port->base) {
		free_derived(port);
		return;
	}
	for (size_t i = 0; i < port->n_interfaces; i++)
		interface_fini(&port->interfaces[i]);
	free(port->interfaces);
	cfg_bond_free(port->bond);
	cfg_security_free(port->security);
	free(port->trunks);
	free(port->cvlans);
	free(port->acl_in);
	free(port->acl_out);
	free(port->error);
	free(port->community);
	free(port->teaming_order);
	free(port->name);
	free(port);
}

void cfg_port_refuse(struct cfg_port *port, char *why)
{
	log_warn("port %s: %s", port->name, why);
	if (port->error)
		free(why);
	else
		port->error = why;
}

void cfg_bond_free(struct cfg_bond *bond)
{
	if (!bond)
		return;
	free(bond->members);
	free(bond->primary);
	free(bond->error);
	free(bond);
}

static bool text_equals(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool member_equals(const struct bond_member_config *a,
			  const struct bond_member_config *b)
{
	return !strcmp(a->name, b->name) && a->role == b->role &&
	       a->rank == b->rank && a->lacp.id == b->lacp.id &&
	       a->lacp.priority == b->lacp.priority &&
	       a->lacp.key == b->lacp.key;
}

static bool bond_config_equals(const struct bond_config *a,
			       const struct bond_config *b)
{
	return a->policy == b->policy && a->detect == b->detect &&
	       a->updelay_ms == b->updelay_ms &&
	       a->downdelay_ms == b->downdelay_ms &&
	       a->rebalance_ms == b->rebalance_ms &&
	       a->beacon_ms == b->beacon_ms && a->hash_basis == b->hash_basis &&
	       a->failback == b->failback &&
	       a->lacp_fallback_ab == b->lacp_fallback_ab &&
	       a->lacp.mode == b->lacp.mode && a->lacp.fast == b->lacp.fast &&
	       a->lacp.system_priority == b->lacp.system_priority &&
	       a->lacp.system_id == b->lacp.system_id &&
	       a->lacp.key == b->lacp.key &&
	       text_equals(a->primary, b->primary) &&
	       a->n_members == b->n_members;
}

bool cfg_bond_equals(const struct cfg_bond *a, const struct cfg_bond *b)
{
	if (!a || !b)
		return a == b;
	if (!bond_config_equals(&a->config, &b->config) ||
	    a->miimon_ms != b->miimon_ms || !text_equals(a->error, b->error))
		return false;
	for (unsigned i = 0; i < a->config.n_members; i++)
		if (!member_equals(&a->members[i], &b->members[i]))
			return false;
	return true;
}

void cfg_bridge_free(struct cfg_bridge *bridge)
{
	for (size_t i = 0; i < bridge->n_ports; i++)
		cfg_port_unref(bridge->ports[i]);
	free(bridge->ports);
	for (size_t i = 0; i < bridge->n_mirrors; i++)
		cfg_mirror_unref(bridge->mirrors[i]);
	free(bridge->mirrors);
	cfg_segment_unref(bridge->segment);
	private_vlans_fini(&bridge->private_vlans);
	free(bridge->name);
	free(bridge);
}

void cfg_switch_free(struct cfg_switch *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_bridges; i++)
		cfg_bridge_free(config->bridges[i]);
	for (size_t i = 0; i < config->n_acls; i++)
		cfg_acl_unref(config->acls[i]);
	free(config->acls);
	number_pairs_fini(&config->worker_cores);
	free(config->bridges);
	cfg_options_free(config->settings, config->n_settings);
	free(config);
}

static bool set_equals(const struct vlan_set *a, const struct vlan_set *b)
{
	if (!a || !b)
		return a == b;
	return !memcmp(a, b, sizeof(*a));
}

bool cfg_vlan_equals(const struct cfg_port *a, const struct cfg_port *b)
{
	return a->vlan.mode == b->vlan.mode && a->vlan.tag == b->vlan.tag &&
	       a->vlan.qinq_tpid == b->vlan.qinq_tpid &&
	       a->vlan.priority_tags == b->vlan.priority_tags &&
	       set_equals(a->trunks, b->trunks) &&
	       set_equals(a->cvlans, b->cvlans);
}

/* Options come from a map, so both are in the order of their keys. */
bool cfg_interface_same_device(const struct cfg_interface *a,
			       const struct cfg_interface *b)
{
	if (strcmp(a->name, b->name) || strcmp(a->type, b->type))
		return false;
	if (!strcmp(a->type, "vxlan"))
		return true;
	if (a->n_options != b->n_options)
		return false;
	for (size_t i = 0; i < a->n_options; i++)
		if (strcmp(a->options[i].key, b->options[i].key) ||
		    strcmp(a->options[i].value, b->options[i].value))
			return false;
	return true;
}

const char *cfg_interface_option(const struct cfg_interface *interface,
				 const char *key)
{
	for (size_t i = 0; i < interface->n_options; i++)
		if (!strcmp(interface->options[i].key, key))
			return interface->options[i].value;
	return NULL;
}

bool mac_from_string(const char *s, uint64_t *mac)
{
	unsigned b[6];
	int end = 0;

	*mac = 0;
	if (strlen(s) != MAC_STRING_SIZE - 1 ||
	    sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3],
		   &b[4], &b[5], &end) != 6 ||
	    end != MAC_STRING_SIZE - 1)
		return false;
	for (int i = 0; i < 6; i++)
		*mac = *mac << 8 | b[i];
	return true;
}

char *mac_format(uint64_t mac, char buf[MAC_STRING_SIZE])
{
	snprintf(buf, MAC_STRING_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x",
		 (unsigned)(mac >> 40) & 0xff, (unsigned)(mac >> 32) & 0xff,
		 (unsigned)(mac >> 24) & 0xff, (unsigned)(mac >> 16) & 0xff,
		 (unsigned)(mac >> 8) & 0xff, (unsigned)mac & 0xff);
	return buf;
}
