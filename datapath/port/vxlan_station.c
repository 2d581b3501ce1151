/*
 * The port of a VTEP's address on an uplink's bridge: no device and no queues,
 * as a gateway's. Outer packets come into the bridge by it, and what is sent to
 * it the pipeline decapsulates, or hands to who answers ARP for the address
 * (vswd/underlay_station.c). It has a MAC and counters.
 */
#include <stdlib.h>

#include "port/classes.h"

struct vxlan_station {
	struct port port;
	uint64_t mac;
};

static int station_open(const struct port_config *config, struct port **portp,
			char **errp)
{
	struct vxlan_station *s = xcalloc(1, sizeof(*s));

	port_init(&s->port, &port_class_vxlan_station, config);
	s->port.mtu = UINT16_MAX; /* the uplink has one */
	/* port_send() goes no further than this. */
	s->port.tx_enabled = false;
	s->mac = config->mac;
	*portp = &s->port;
	return 0;
}

static void station_close(struct port *port)
{
	port_fini(port);
	free(CONTAINER_OF(port, struct vxlan_station, port));
}

static int station_reconfigure(struct port *port,
			       const struct port_config *config, char **errp)
{
	CONTAINER_OF(port, struct vxlan_station, port)->mac = config->mac;
	return 0;
}

static void station_status(struct port *port, struct port_status *status)
{
	status->present = true;
	status->admin_up = true;
	status->link_up = true;
	status->mac = CONTAINER_OF(port, struct vxlan_station, port)->mac;
}

const struct port_class port_class_vxlan_station = {
	.type = "vxlan-station",
	.any_threads = true,
	.made_up = true,
	.open = station_open,
	.close = station_close,
	.reconfigure = station_reconfigure,
	.status = station_status,
};
