#include "vswd/port_policy.h"

#include <stdlib.h>

#include "forward/policies.h"
#include "vswd/acls.h"
#include "vswd/port_security.h"
#include "vswd/port_snoop.h"

static struct port_policy *get(struct port_policy **policy)
{
	if (!*policy)
		*policy = xcalloc(1, sizeof(**policy));
	return *policy;
}

/* A policer that is no more wanted lets everything pass. */
static void attach_policer(struct fwd_port *port,
			   const struct cfg_interface *interface,
			   struct port_policy **policy)
{
	const struct policer_config *c = &interface->policing;
	bool wanted = c->rate_kbps || c->rate_kpps;

	if (!wanted && !(*policy && (*policy)->policer))
		return;
	if (!get(policy)->policer)
		(*policy)->policer = policer_create(c);
	else
		policer_configure((*policy)->policer, c);
	if (wanted)
		fwd_port_ingress(port)->policer = (*policy)->policer;
}

static void attach_marking(struct fwd_port *port, const struct cfg_port *config)
{
	struct fwd_ingress *ingress;

	if (!config->marks)
		return;
	ingress = fwd_port_ingress(port);
	ingress->marks = true;
	ingress->mark_pcp = config->mark_pcp;
	ingress->mark_dscp = config->mark_dscp;
}

static void attach_security(struct vswitch *vs, struct fwd_port *port,
			    const struct cfg_port *config,
			    struct port_policy **policy)
{
	const struct cfg_security *s = config->security;
	const struct allowed_ips *_Atomic *leased = NULL;

	if (s && s->by_dhcp)
		leased = port_snoop_leased(vs, config->name,
					   &get(policy)->snoop);
	port_security_attach(port, s, leased);
}

static void attach_acls(struct vswitch *vs, struct fwd_port *port,
			const struct cfg_port *config)
{
	if (config->acl_in)
		fwd_port_ingress(port)->acl = acls_get(vs, config->acl_in);
	if (config->acl_out)
		fwd_port_egress(port)->acl = acls_get(vs, config->acl_out);
}

/* As attach_policer(). */
static void attach_storm(struct fwd_port *port, const struct cfg_port *config,
			 struct port_policy **policy)
{
	bool wanted = !storm_config_is_none(&config->storm);

	if (!wanted && !(*policy && (*policy)->storm))
		return;
	if (!get(policy)->storm)
		(*policy)->storm = storm_create(&config->storm);
	else
		storm_configure((*policy)->storm, &config->storm);
	if (wanted)
		fwd_port_ingress(port)->storm = (*policy)->storm;
}

static void attach_mac_limit(struct fwd_port *port,
			     const struct cfg_port *config)
{
	fdb_set_port_evicts(port->bridge->fdb, port->number,
			    config->mac_limit_action == MAC_LIMIT_EVICT);
	if (config->mac_limit && config->mac_limit_action == MAC_LIMIT_DROP)
		fwd_port_ingress(port)->drops_unlearned = true;
}

void port_policy_attach(struct vswitch *vs, struct fwd_port *port,
			const struct cfg_port *config,
			struct port_policy **policy)
{
	if (!port->bond && config->n_interfaces)
		attach_policer(port, &config->interfaces[0], policy);
	attach_marking(port, config);
	attach_security(vs, port, config, policy);
	attach_acls(vs, port, config);
	attach_storm(port, config, policy);
	attach_mac_limit(port, config);
}

void port_policy_attach_member(struct vswitch *vs, struct fwd_port *member,
			       const struct cfg_interface *interface,
			       struct port_policy **policy)
{
	attach_policer(member, interface, policy);
	/* The steps are those of the bond, and begin with it. */
	if (member->ingress)
		fwd_port_ingress((struct fwd_port *)member->as);
}

void port_policy_free(struct port_policy *policy)
{
	struct port_policy *next;

	for (; policy; policy = next) {
		next = policy->next;
		policer_destroy(policy->policer);
		port_snoop_free(policy->snoop);
		storm_destroy(policy->storm);
		free(policy);
	}
}
