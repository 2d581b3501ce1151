/*
 * Routers for a trace: a packet that is routed may open a session, so the
 * trace's gateways get NATs of their own, with the sessions that there are.
 * A new session gets the outside port that it would get of the control thread;
 * workers choose at random. (That a next hop's address was looked up is noted
 * in its table, all the same: at most its MAC is asked for again a little
 * earlier.)
 */
#include <stdlib.h>

#include "forward/trace_internal.h"
#include "nat/nat.h"
#include "router/router.h"

struct trace_gateway {
	struct fwd_gateway *gateway;
	struct nat *nat; /* NULL: it has none */
};

static bool is_own(const struct trace *t, const struct fwd_gateway *g)
{
	for (unsigned i = 0; i < t->n_gateways; i++)
		if (t->gateways[i].gateway == g)
			return true;
	return false;
}

static void make_own(struct trace *t, struct fwd_gateway *g, uint64_t now_ms)
{
	struct nat *nat = router_get_nat(g->router), *copy = NULL;
	char *why = NULL;

	if (nat && nat_copy(nat, now_ms, &copy, &why)) {
		trace_say(t, "gateway", NULL,
			  "the NAT's sessions cannot be copied (%s): the "
			  "packet is routed without a NAT",
			  why ? why : "out of memory");
		free(why);
	}
	g->router = router_copy(g->router, copy);
	t->gateways = xrealloc(t->gateways,
			       (t->n_gateways + 1) * sizeof(t->gateways[0]));
	t->gateways[t->n_gateways++] = (struct trace_gateway){ g, copy };
}

void trace_free_gateways(struct trace *t)
{
	for (unsigned i = 0; i < t->n_gateways; i++) {
		nat_destroy(t->gateways[i].nat);
		free(t->gateways[i].gateway->router);
	}
	free(t->gateways);
}

void trace_gateway(struct pipeline *pl, const struct fwd_port *out,
		   uint64_t now_ms)
{
	struct trace *t = pl->trace;

	trace_see(t, "output");
	if (!is_own(t, out->gateway))
		make_own(t, out->gateway, now_ms);
	trace_say(t, "gateway", out, "to the gateway's port %s: routed%s",
		  out->port->name,
		  router_get_nat(out->gateway->router)
			  ? ", with address translation"
			  : "");
}
