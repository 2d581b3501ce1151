/* The DHCPv4 server as its owner sees it: made, configured, restored, shown. */
#include "gateway/dhcp_internal.h"

#include <errno.h>

struct dhcp *dhcp_create(const struct dhcp_config *config,
			 const struct hash_key *key, const struct dhcp_ops *ops,
			 void *ops_arg)
{
	struct dhcp *d = xcalloc(1, sizeof(*d));

	dhcp_config_copy(&d->config, config);
	d->ops = *ops;
	d->ops_arg = ops_arg;
	lease_table_init(&d->leases, key, d->config.leases_max);
	return d;
}

void dhcp_destroy(struct dhcp *d)
{
	if (!d)
		return;
	lease_table_fini(&d->leases);
	dhcp_config_fini(&d->config);
	free(d);
}

void dhcp_configure(struct dhcp *d, const struct dhcp_config *config)
{
	struct dhcp_config former = d->config;

	dhcp_config_copy(&d->config, config);
	dhcp_config_fini(&former);
}

int dhcp_restore(struct dhcp *d, const struct dhcp_lease *lease,
		 uint64_t now_ms)
{
	uint32_t mask = ip4_mask(d->config.prefix_len);
	bool declined = lease->state == DHCP_DECLINED;
	struct lease *l;

	if ((lease->ip & mask) != (d->config.server & mask) ||
	    lease->ip == d->config.server || lease->state == DHCP_OFFERED ||
	    !lease->mac || !memchr(lease->hostname, 0, DHCP_HOSTNAME_MAX + 1))
		return -EINVAL;
	if (lease_find_ip(&d->leases, lease->ip) ||
	    (!declined &&
	     lease_find_client(&d->leases, lease->mac, lease->client_id,
			       lease->client_id_len)))
		return -EEXIST;
	l = lease_add(&d->leases, lease);
	if (!l)
		return -ENOSPC;
	l->was_bound = true;
	lease_set_name(&d->leases, l, lease->hostname);
	/* what ended meanwhile is told about */
	if (lease->state != DHCP_OVER && now_ms >= lease->expires_ms)
		dhcp_run(d, now_ms);
	return 0;
}

int dhcp_forget(struct dhcp *d, uint32_t ip)
{
	struct lease *l = lease_find_ip(&d->leases, ip);

	if (!l)
		return -ENOENT;
	dhcp_pool_drop(d, l);
	return 0;
}

uint64_t dhcp_next_ms(const struct dhcp *d)
{
	return d->leases.next_ms;
}

void dhcp_list(const struct dhcp *d,
	       void (*cb)(const struct dhcp_lease *lease, void *arg), void *arg)
{
	for (const struct lease *l = d->leases.all; l; l = l->next)
		if (l->public.state != DHCP_OFFERED)
			cb(&l->public, arg);
}

static const struct dhcp_lease *live(const struct lease *l)
{
	return l && l->public.state == DHCP_BOUND ? &l->public : NULL;
}

const struct dhcp_lease *dhcp_find_ip(const struct dhcp *d, uint32_t ip)
{
	return live(lease_find_ip(&d->leases, ip));
}

const struct dhcp_lease *dhcp_find_name(const struct dhcp *d,
					const char *hostname)
{
	return live(lease_find_name(&d->leases, hostname));
}

const struct dhcp_counters *dhcp_counters(const struct dhcp *d)
{
	return &d->counters;
}
