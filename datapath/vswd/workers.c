/* How many worker threads there are, and what follows when that changes. */
#include <stdlib.h>

#include "base/log.h"
#include "vswd/overlay.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

static void set_bond_threads(struct vswitch *vs, unsigned n)
{
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct vbond *vb = b->bonds; vb; vb = vb->next) {
			/* Nor does the control thread send meanwhile. */
			vb->fwd = NULL;
			port_set_threads(vb->port, n);
			bond_set_threads(vb->bond, n);
		}
}

/*
 * Nobody uses ports then. Some kinds are made for a number of threads: those
 * are closed, and opened by vswitch_commit(), which also has the new workers
 * serve them all.
 */
static void stop_workers(struct vswitch *vs, unsigned n_then)
{
	struct hmap_node *node;

	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (v->port && !v->port->class->any_threads) {
			vport_close(vs, v);
			v->to_open = true;
		}
	}
	vswitch_publish(vs);
	worker_pool_destroy(vs->pool);
	vs->pool = NULL;
	vs->changed = true;
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		v->fwd = NULL;
		if (v->port)
			port_set_threads(v->port, n_then + 1);
	}
	set_bond_threads(vs, n_then + 1);
	overlays_set_threads(vs, n_then + 1);
}

void vswitch_configure_workers(struct vswitch *vs,
			       const struct cfg_switch *config)
{
	unsigned n =
		config->n_workers ? config->n_workers : worker_default_count();
	char *why = NULL;

	if (vs->pool && worker_pool_count(vs->pool) != n)
		stop_workers(vs, n);
	if (!vs->pool) {
		vs->pool = worker_pool_create(n, &why);
		if (!vs->pool && n > 1) {
			log_err("%s; one is used", why);
			vs->pool = worker_pool_create(1, &why);
		}
		if (!vs->pool) {
			log_emer("%s", why);
			abort();
		}
		free(why);
		log_info("%u worker threads", worker_pool_count(vs->pool));
	}
	worker_pool_set_poll_idle(vs->pool, config->poll_idle_us);
	worker_pool_set_cores(vs->pool, &config->worker_cores);
}
