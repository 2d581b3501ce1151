/* Until programs are put at devices: no port has a part, nothing was left. */
#include <stdlib.h>

#include "fastpath/fastpath.h"

#define STAND_IN __attribute__((weak))

STAND_IN struct fastpath_port *fastpath_port_open(struct fastpath *fp,
						  int ifindex, const char *name,
						  enum fastpath_side side,
						  char **whyp)
{
	*whyp = xstrdup("no programs are put at devices yet");
	return NULL;
}

STAND_IN void fastpath_port_close(struct fastpath_port *port)
{
}

STAND_IN bool fastpath_port_is_old(const struct fastpath_port *port)
{
	return false;
}

STAND_IN int fastpath_port_settle(struct fastpath_port *port)
{
	return 0;
}

STAND_IN bool fastpath_left_tap(const struct fastpath *fp, const char *name)
{
	return false;
}

STAND_IN void fastpath_drop_leftovers(struct fastpath *fp)
{
}

STAND_IN void fastpath_for_each_heard(const struct fastpath *fp,
				      void (*cb)(const struct fastpath_heard *,
						 void *aux),
				      void *aux)
{
}

STAND_IN int fastpath_clean_up(const char *run_dir, char **errp)
{
	return 0;
}
