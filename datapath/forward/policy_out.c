/*
 * What is imposed on packets as they leave by a port (fwd_egress), in this
 * order: access lists judge them, mirrors see what is left, and a shaper may
 * keep them for later (and puts its queues' marks on).
 */
#include "forward/filters.h"
#include "forward/mirror.h"
#include "forward/policies.h"
#include "forward/stage.h"
#include "forward/trace.h"

unsigned policy_out_burst(struct pipeline *pl, const struct fwd_port *out,
			  struct packet *const packets[], unsigned n,
			  struct packet *kept[])
{
	const struct fwd_egress *egress = out->egress;

	if (unlikely(pl->trace != NULL))
		trace_policies_out(pl, out);
	if (unlikely(egress->reserved) &&
	    !mirror_may_leave(pl, out, packets, n))
		return 0;
	if (egress->acl)
		n = filters_out(pl, out, packets, n, kept);
	else
		memcpy(kept, packets, n * sizeof(*kept));
	if (unlikely(egress->snoops))
		snoop_answered(pl, out, kept, n);
	if (unlikely(egress->mirrors) && n)
		mirror_sent(pl, out, kept, n);
	if (egress->shaper && n) {
		policy_shape(pl, out, kept, n);
		return 0;
	}
	return n;
}
