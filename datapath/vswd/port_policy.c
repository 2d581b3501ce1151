#include "vswd/port_policy.h"

#include <stdlib.h>

void port_policy_attach(struct vswitch *vs, struct fwd_port *port,
			const struct cfg_port *config,
			struct port_policy **policy)
{
	(void)vs;
	(void)port;
	(void)config;
	(void)policy;
}

void port_policy_free(struct port_policy *policy)
{
	struct port_policy *next;

	for (; policy; policy = next) {
		next = policy->next;
		free(policy);
	}
}
