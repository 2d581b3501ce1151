/*
 * What stands in for parts of segments that are not there: nothing. The linker
 * takes the part's own function where there is one, as its file comes before
 * this one's in the archive.
 */
#include "vswd/segment.h"

#include <stdlib.h>

#define MISSING __attribute__((weak))

MISSING struct segment_leases *segment_leases_create(struct segment *seg)
{
	return NULL;
}

MISSING void segment_leases_destroy(struct segment_leases *leases)
{
}

MISSING void segment_leases_restore(struct segment_leases *leases,
				    struct dhcp *dhcp)
{
}

MISSING void segment_leases_changed(struct segment_leases *leases,
				    const struct dhcp_lease *lease, bool gone)
{
}

MISSING struct segment_dns *segment_dns_create(struct segment *seg)
{
	return NULL;
}

MISSING void segment_dns_destroy(struct segment_dns *dns)
{
}

MISSING void segment_dns_configure(struct segment_dns *dns)
{
}

MISSING void segment_dns_receive(struct segment_dns *dns,
				 const struct gateway_client *client,
				 const struct ip_address *from,
				 uint16_t from_port,
				 const struct ip_address *to,
				 const void *message, size_t len)
{
}

MISSING const char *segment_dns_socket(const struct segment_dns *dns)
{
	return NULL;
}

MISSING void segment_dns_run(struct segment_dns *dns, uint64_t now_ms)
{
}

MISSING uint64_t segment_dns_next_ms(const struct segment_dns *dns)
{
	return UINT64_MAX;
}

MISSING struct segment_uplink *segment_uplink_create(struct segment *seg)
{
	return NULL;
}

MISSING void segment_uplink_destroy(struct segment_uplink *uplink)
{
}

MISSING void segment_uplink_configure(struct segment_uplink *uplink)
{
}

MISSING void segment_uplink_receive(struct segment_uplink *uplink,
				    const struct segment_packet *packet)
{
}

MISSING int segment_uplink_resolve(struct segment_uplink *uplink,
				   const struct ip_address *ip, uint32_t asker,
				   uint64_t *mac)
{
	return -1;
}

MISSING void segment_uplink_fill(const struct segment_uplink *uplink,
				 struct router_link *link)
{
}

MISSING void segment_uplink_run(struct segment_uplink *uplink, uint64_t now_ms)
{
}

MISSING uint64_t segment_uplink_next_ms(const struct segment_uplink *uplink)
{
	return UINT64_MAX;
}

MISSING struct segment_nat *segment_nat_create(struct segment *seg)
{
	return NULL;
}

MISSING void segment_nat_destroy(struct segment_nat *nat, bool save)
{
}

MISSING void segment_nat_configure(struct segment_nat *nat)
{
}

MISSING void segment_nat_set_outside(struct segment_nat *nat,
				     const struct nat_addr *addrs, unsigned n)
{
}

MISSING struct nat *segment_nat_engine(struct segment_nat *nat)
{
	return NULL;
}

MISSING void segment_nat_run(struct segment_nat *nat, uint64_t now_ms)
{
}

MISSING uint64_t segment_nat_next_ms(const struct segment_nat *nat)
{
	return UINT64_MAX;
}

MISSING void segment_set_forward_error(struct segment *seg,
				       const struct uuid *forward,
				       const char *why)
{
}

MISSING struct cfg_segment *cfg_segment_ref(const struct cfg_segment *segment)
{
	struct cfg_segment *s = (struct cfg_segment *)segment;

	s->refs++;
	return s;
}

MISSING void cfg_segment_unref(struct cfg_segment *segment)
{
	if (segment)
		segment->refs--;
}

MISSING bool cfg_segment_equals(const struct cfg_segment *a,
				const struct cfg_segment *b)
{
	return a == b;
}
