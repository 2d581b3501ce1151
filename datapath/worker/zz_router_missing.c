/* Stands in for the router until it is there; the last of its archive. */
#include "forward/snapshot.h"
#include "router/neighbor_table.h"
#include "router/router.h"

#define MISSING __attribute__((weak))

MISSING struct router *router_create(const struct router_config *config)
{
	return NULL;
}

MISSING bool router_find_way(const struct router *router, const uint8_t *ip,
			     unsigned ip_len, enum router_side *side,
			     uint8_t next_hop[16])
{
	return false;
}

MISSING struct fwd_gateway *fwd_snapshot_add_gateway(
	struct fwd_snapshot *snapshot, struct router *router)
{
	return NULL;
}

MISSING void fwd_port_set_gateway(struct fwd_port *port,
				  struct fwd_gateway *gateway, unsigned side)
{
}

MISSING struct neighbor_table *neighbor_table_create(unsigned max,
						     uint64_t seed)
{
	return NULL;
}

MISSING void neighbor_table_destroy(struct neighbor_table *table)
{
}

MISSING void neighbor_table_set(struct neighbor_table *table, const uint8_t *ip,
				unsigned ip_len, uint64_t mac)
{
}

MISSING void neighbor_table_take_used(struct neighbor_table *table,
				      void (*cb)(const uint8_t *ip,
						 unsigned ip_len, void *arg),
				      void *arg)
{
}
