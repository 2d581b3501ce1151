#include "policy/guard.h"

int guard_judge(const struct guard *guard, struct packet *p)
{
	(void)guard;
	(void)p;
	return -1;
}
