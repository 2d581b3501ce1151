#include "vswd/config_overlay.h"

#include <stdlib.h>
#include <string.h>

static void remote_mac_fini(struct cfg_remote_mac *mac)
{
	free(mac->ips);
	free(mac->error);
}

void cfg_overlay_free(struct cfg_overlay *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->n_macs; i++)
		remote_mac_fini(&o->macs[i]);
	free(o->macs);
	vtep_map_free(o->map);
	free(o->remotes);
	free(o->group_dev);
	free(o->underlay);
	free(o->underlay_port);
	free(o->error);
	free(o);
}

/* --- comparison ------------------------------------------------------------
 */

static bool text_equals(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool ips_equal(const struct ip_address *a, size_t n_a,
		      const struct ip_address *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!ip_address_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool maps_equal(const struct vtep_map *a, const struct vtep_map *b)
{
	return a && b ? vtep_map_equals(a, b) : a == b;
}

static bool mac_equals(const struct cfg_remote_mac *a,
		       const struct cfg_remote_mac *b)
{
	return uuid_equals(&a->uuid, &b->uuid) && a->mac == b->mac &&
	       a->vlan == b->vlan && ip_address_equal(&a->remote, &b->remote) &&
	       a->sticky == b->sticky && text_equals(a->error, b->error) &&
	       ips_equal(a->ips, a->n_ips, b->ips, b->n_ips);
}

static bool headers_equal(const struct cfg_overlay *a,
			  const struct cfg_overlay *b)
{
	return a->dst_port == b->dst_port && a->ip_version == b->ip_version &&
	       a->inherit_tos == b->inherit_tos &&
	       a->inherit_ttl == b->inherit_ttl && a->tos == b->tos &&
	       a->ttl == b->ttl && a->group_ttl == b->group_ttl &&
	       a->dont_fragment == b->dont_fragment && a->csum == b->csum &&
	       a->refuse_reserved == b->refuse_reserved;
}

static bool underlay_equals(const struct cfg_overlay *a,
			    const struct cfg_overlay *b)
{
	return text_equals(a->underlay, b->underlay) &&
	       text_equals(a->underlay_port, b->underlay_port) &&
	       ip_address_equal(&a->local, &b->local) &&
	       a->underlay_tag == b->underlay_tag &&
	       a->prefix_len == b->prefix_len &&
	       ip_address_equal(&a->gateway, &b->gateway) &&
	       ip_address_equal(&a->group, &b->group) &&
	       text_equals(a->group_dev, b->group_dev);
}

static bool ways_equal(const struct cfg_overlay *a, const struct cfg_overlay *b)
{
	return a->single == b->single && a->vni == b->vni &&
	       maps_equal(a->map, b->map) &&
	       a->split_horizon == b->split_horizon &&
	       a->learning == b->learning && a->suppress == b->suppress &&
	       a->evpn == b->evpn && a->hold_s == b->hold_s &&
	       a->mtu == b->mtu &&
	       ips_equal(a->remotes, a->n_remotes, b->remotes, b->n_remotes);
}

bool cfg_overlay_equals(const struct cfg_overlay *a,
			const struct cfg_overlay *b)
{
	if (!a || !b || a == b)
		return a == b;
	if (!headers_equal(a, b) || !underlay_equals(a, b) ||
	    !ways_equal(a, b) || !text_equals(a->error, b->error) ||
	    a->n_macs != b->n_macs)
		return false;
	for (size_t i = 0; i < a->n_macs; i++)
		if (!mac_equals(&a->macs[i], &b->macs[i]))
			return false;
	return true;
}
