/*
 * The port of a segment's gateway: no device and no queues. What is sent to it
 * is routed by the pipeline (forward/pipeline.c), and what the gateway sends
 * comes in by it; it has a MAC and counters. Made for segments only
 * (vswd/config_segment.h).
 */
#include <errno.h>
#include <stdlib.h>

#include "port/classes.h"

struct gateway_port {
	struct port port;
	uint64_t mac;
};

static int gateway_open(const struct port_config *config, struct port **portp,
			char **errp)
{
	struct gateway_port *g = xcalloc(1, sizeof(*g));

	port_init(&g->port, &port_class_gateway, config);
	g->port.mtu = UINT16_MAX; /* the router knows what fits */
	/* port_send() goes no further than this. */
	g->port.tx_enabled = false;
	g->mac = config->mac;
	*portp = &g->port;
	return 0;
}

static void gateway_close(struct port *port)
{
	port_fini(port);
	free(port);
}

static int gateway_reconfigure(struct port *port,
			       const struct port_config *config, char **errp)
{
	CONTAINER_OF(port, struct gateway_port, port)->mac = config->mac;
	return 0;
}

static void gateway_status(struct port *port, struct port_status *status)
{
	status->present = true;
	status->admin_up = true;
	status->link_up = true;
	status->mac = CONTAINER_OF(port, struct gateway_port, port)->mac;
}

const struct port_class port_class_gateway = {
	.type = "gateway",
	.any_threads = true,
	.made_up = true,
	.open = gateway_open,
	.close = gateway_close,
	.reconfigure = gateway_reconfigure,
	.status = gateway_status,
};
