/*
 * The patch kind (Interface type "patch"): one end of a wire to another bridge.
 * It has no queues: the pipeline itself carries a frame on to the port that
 * options:peer names (fwd_port.patch_peer). What is sent to a patch port whose
 * peer is not there has nowhere to go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packet/offload.h"
#include "port/classes.h"

struct patch {
	struct port up;
	struct port_txq txq, *txqs[1];
};

static int check_peer(const struct port_config *config, char **errp)
{
	const char *peer = port_config_option(config, "peer");

	if (!peer || !peer[0])
		return set_error(errp, -EINVAL,
				 "%s: patch type requires valid 'peer' "
				 "argument (options:peer=NAME)",
				 config->name);
	if (!strcmp(peer, config->name))
		return set_error(errp, -EINVAL,
				 "%s: patch peer must not be self",
				 config->name);
	for (size_t i = 0; i < config->n_options; i++)
		if (strcmp(config->options[i].key, "peer"))
			return set_error(errp, -EINVAL,
					 "%s: unknown patch option '%s'; "
					 "there is only 'peer'",
					 config->name, config->options[i].key);
	return 0;
}

static int patch_open(const struct port_config *config, struct port **portp,
		      char **errp)
{
	int error = check_peer(config, errp);
	struct patch *p;

	if (error)
		return error;
	p = xcalloc_aligned(1, sizeof(*p));
	port_init(&p->up, &port_class_patch, config);
	p->up.mtu = UINT16_MAX; /* the ports behind it know theirs */
	p->up.tx_offloads = OFFLOAD_ALL;
	p->txq.port = &p->up;
	p->txqs[0] = &p->txq;
	p->up.txqs = p->txqs;
	p->up.n_txqs = 1;
	*portp = &p->up;
	return 0;
}

static void patch_close(struct port *port)
{
	port_fini(port);
	free(CONTAINER_OF(port, struct patch, up));
}

static int patch_reconfigure(struct port *port,
			     const struct port_config *config, char **errp)
{
	/* Who the peer is, the snapshot knows. */
	return check_peer(config, errp);
}

static void patch_status(struct port *port, struct port_status *status)
{
	status->present = true;
	status->admin_up = true;
	status->link_up = true;
	status->mtu = 0;
}

static unsigned patch_receive(struct port_rxq *rxq, struct packet *packets,
			      unsigned max, unsigned thread)
{
	return 0;
}

static void patch_done(struct port_rxq *rxq)
{
}

static unsigned patch_send(struct port_txq *txq, struct packet *const packets[],
			   unsigned n, unsigned thread, uint64_t *sent_bytes)
{
	port_drop(txq->port, thread, DROP_TX_DOWN, n);
	return 0;
}

const struct port_class port_class_patch = {
	.type = "patch",
	.open = patch_open,
	.close = patch_close,
	.any_threads = true,
	.reconfigure = patch_reconfigure,
	.status = patch_status,
	.receive = patch_receive,
	.done = patch_done,
	.send = patch_send,
};
