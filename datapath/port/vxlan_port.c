/*
 * The port of an Interface of type "vxlan", and those of its remote VTEPs
 * (vxlan_port.h): no device and no queues. What is sent to them the pipeline
 * encapsulates, and what comes from them it decapsulated; they count.
 */
#include "port/vxlan_port.h"

#include <stdlib.h>

#include "port/classes.h"

struct vxlan_port {
	struct port port;
	struct vxlan_remote *remotes; /* in no order */
	struct port_counters *gone;   /* of remotes that are closed */
};

struct vxlan_remote {
	struct port port;
	struct vxlan_port *parent;
	struct vxlan_remote *next, **link; /* what points to it */
};

static struct vxlan_port *vxlan_of(struct port *port)
{
	return CONTAINER_OF(port, struct vxlan_port, port);
}

static void init(struct port *port, const struct port_class *class,
		 const struct port_config *config)
{
	port_init(port, class, config);
	port->mtu = UINT16_MAX; /* the tunnel knows what fits */
	/* port_send() goes no further than this. */
	port->tx_enabled = false;
}

static int vxlan_open(const struct port_config *config, struct port **portp,
		      char **errp)
{
	struct vxlan_port *v = xcalloc(1, sizeof(*v));

	init(&v->port, &port_class_vxlan, config);
	v->gone = xcalloc_aligned(1, sizeof(*v->gone));
	*portp = &v->port;
	return 0;
}

static void vxlan_close(struct port *port)
{
	struct vxlan_port *v = vxlan_of(port);

	free(v->gone);
	port_fini(port);
	free(v);
}

/* Options are the overlay's (vswd/config_overlay.h). */
static int vxlan_reconfigure(struct port *port,
			     const struct port_config *config, char **errp)
{
	return 0;
}

static void vxlan_counters(struct port *port, struct port_counters *total)
{
	struct vxlan_port *v = vxlan_of(port);

	port_counters_add(total, v->gone);
	for (struct vxlan_remote *r = v->remotes; r; r = r->next)
		for (unsigned i = 0; i < r->port.n_threads; i++)
			port_counters_add(total, r->port.counters[i]);
}

const struct port_class port_class_vxlan = {
	.type = "vxlan",
	.any_threads = true,
	.open = vxlan_open,
	.close = vxlan_close,
	.reconfigure = vxlan_reconfigure,
	.device_counters = vxlan_counters,
};

static void remote_close(struct port *port)
{
	struct vxlan_remote *r = CONTAINER_OF(port, struct vxlan_remote, port);

	for (unsigned i = 0; i < port->n_threads; i++)
		port_counters_add(r->parent->gone, port->counters[i]);
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	port_fini(port);
	free(r);
}

static const struct port_class remote_class = {
	.type = "vxlan",
	.any_threads = true,
	.close = remote_close,
};

struct port *vxlan_remote_open(struct port *parent, const char *name,
			       unsigned n_threads)
{
	const struct port_config config = {
		.name = name,
		.n_threads = n_threads,
	};
	struct vxlan_remote *r = xcalloc(1, sizeof(*r));

	init(&r->port, &remote_class, &config);
	r->parent = vxlan_of(parent);
	r->next = r->parent->remotes;
	r->link = &r->parent->remotes;
	if (r->next)
		r->next->link = &r->next;
	r->parent->remotes = r;
	return &r->port;
}
