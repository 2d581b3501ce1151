#include "vswd/port_policy.h"

#include <stdlib.h>

#include "forward/policies.h"
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

void port_policy_attach(struct vswitch *vs, struct fwd_port *port,
			const struct cfg_port *config,
			struct port_policy **policy)
{
	if (!port->bond && config->n_interfaces)
		attach_policer(port, &config->interfaces[0], policy);
	attach_marking(port, config);
	attach_security(vs, port, config, policy);
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
		free(policy);
	}
}
