/*
 * Settings that are right, and have no effect on a segment as it is
 * (segment_rules.h). vswd ignores them, and says so in its log only.
 */
#include <string.h>

#include "ctl/segment_rules.h"

static bool has_ip4(const struct segment_plan *plan)
{
	return plan->subnet;
}

static bool has_ip6(const struct segment_plan *plan)
{
	return plan->subnet6;
}

static bool has_subnet(const struct segment_plan *plan)
{
	return plan->subnet || plan->subnet6;
}

static bool is_host_only(const struct segment_plan *plan)
{
	return !strcmp(plan->type, "host-only");
}

static bool is_by_bridge(const struct segment_plan *plan)
{
	return !strcmp(plan->type, "nat") && !segment_plan_is_by_host(plan);
}

static bool is_ip6_by_bridge(const struct segment_plan *plan)
{
	return !is_by_bridge(plan) || plan->subnet6;
}

/* The first need that is not met is told; "boot-file" is all of that prefix. */
static const struct need {
	bool (*is_met)(const struct segment_plan *plan);
	const char *but;
	const char *keys; /* with a space behind each */
} needs[] = {
	{ is_by_bridge, "it is for type nat with outside=BRIDGE",
	  "outside-address outside-gateway outside-address6 outside-gateway6 "
	  "outside-tag outside-mtu nat-sessions nat-clients udp-timeout "
	  "tcp-timeout icmp-timeout filtering client-sessions client-ports "
	  "client-rate " },
	{ segment_plan_is_by_host, "it is for type nat with outside=host",
	  "host-loopback " },
	{ is_host_only, "it is for type host-only",
	  "host-address host-address6 " },
	{ has_subnet, "it has no subnet, so no gateway",
	  "address address6 boot-file dhcp dhcp-range dhcpv6 dns dns-forward "
	  "dns-servers domain ipv6 lease-time leases-per-port mac mtu "
	  "next-server ntp-servers ra resolv-conf router routes search "
	  "tftp-server " },
	{ has_ip4, "it has no IPv4 subnet",
	  "boot-file dhcp dhcp-range lease-time leases-per-port next-server "
	  "ntp-servers router routes search tftp-server " },
	{ has_ip6, "it has no subnet6", "dhcpv6 ipv6 ra " },
	{ is_ip6_by_bridge, "it has no subnet6",
	  "outside-address6 outside-gateway6 " },
};

static bool is_one_of(const char *key, const char *keys)
{
	size_t n = strncmp(key, "boot-file-", 10) ? strlen(key) : 9;
	const char *end;

	for (; *keys; keys = end + 1) {
		end = strchr(keys, ' ');
		if ((size_t)(end - keys) == n && !memcmp(keys, key, n))
			return true;
	}
	return false;
}

char *segment_plan_doubt(const struct segment_plan *plan)
{
	for (size_t n = 0; n < ARRAY_SIZE(needs); n++) {
		if (needs[n].is_met(plan))
			continue;
		for (size_t i = 0; i < plan->n_options; i++)
			if (is_one_of(plan->options[i].key, needs[n].keys))
				return xasprintf("segment %s: %s has no "
						 "effect: %s",
						 plan->name,
						 plan->options[i].key,
						 needs[n].but);
	}
	return NULL;
}
