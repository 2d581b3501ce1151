#include "vswd/port_security.h"

#include "forward/policies.h"
#include "policy/guard.h"

void port_security_attach(struct fwd_port *port, const struct cfg_security *s,
			  const struct allowed_ips *_Atomic *leased)
{
	struct inspect_rules rules;

	if (!s)
		return;
	rules = s->rules;
	rules.allowed.leased = s->by_dhcp ? leased : NULL;
	if (!s->promiscuous)
		fwd_port_set_stations(port, rules.allowed.macs,
				      rules.allowed.n_macs);
	if (!s->mac_changes || rules.allowed.guards_macs ||
	    rules.allowed.guards_ips || rules.dhcp_guard || rules.router_guard)
		fwd_port_ingress(port)->guard =
			guard_create(&rules, s->mac_changes);
}
