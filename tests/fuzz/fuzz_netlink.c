/* Datagrams of rtnetlink, as the link monitor takes them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/link_monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_link(enum link_event event, const struct netdev_info *info,
		    void *arg)
{
	unsigned *n = arg;

	if (strlen(info->name) >= IFNAMSIZ || info->ifindex <= 0)
		abort();
	*n += event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = 0;
	struct link_monitor *m = link_monitor_create_deaf(on_link, &n);
	/* Aligned as the kernel's are, and of the exact size. */
	uint8_t *copy = xmalloc(size);

	memcpy(copy, data, size);
	link_monitor_take(m, copy, size);
	link_monitor_begin_dump(m);
	link_monitor_take(m, copy, size);
	free(copy);
	link_monitor_destroy(m);
	return 0;
}
