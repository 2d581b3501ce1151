/*
 * When workers' loads are compared, and what is said of it. worker/balance.c
 * knows how.
 */
#include "base/log.h"
#include "vswd/switch.h"

LOG_MODULE(bridge);

#define INTERVAL_S 10

void vswitch_balance(struct vswitch *vs, uint32_t now_s)
{
	struct worker_balance found;

	if (!vs->pool || !vs->config || now_s - vs->balanced_s < INTERVAL_S)
		return;
	vs->balanced_s = now_s;
	if (!worker_pool_balance(vs->pool, vs->config->worker_auto_balance,
				 &found))
		return;
	log_info("%u queues go to other workers: the variance of the workers' "
		 "loads is %.0f percent squared and becomes %.0f",
		 found.n_moved, found.before, found.after);
	vs->changed = true;
}
