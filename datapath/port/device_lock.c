#include "port/device_lock.h"

#include <stdio.h>

#include "base/netns_lock.h"

int device_lock(int ifindex, pid_t *holder)
{
	char name[32];

	snprintf(name, sizeof(name), "vsw-device-%d", ifindex);
	return netns_lock(name, holder);
}
