#include "fdb_places.h"

#include <stdio.h>
#include <stdlib.h>

#include "fastpath/fastpath.h"

struct fastpath *fdb_place;

static struct fastpath *open_fastpath(void)
{
	char *why = NULL;
	struct fastpath *fp = fastpath_create("/proc/self", &why);

	if (!fp)
		printf("not in the kernel's memory: %s\n", why);
	free(why);
	return fp;
}

bool fdb_place_has_kernel(void)
{
	struct fastpath *fp = open_fastpath();

	fastpath_destroy(fp);
	return fp;
}

int fdb_place_in_kernel(void **state)
{
	fdb_place = open_fastpath();
	return fdb_place ? 0 : -1;
}

int fdb_place_own(void **state)
{
	fastpath_destroy(fdb_place);
	fdb_place = NULL;
	return 0;
}
