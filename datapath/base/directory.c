#include "base/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

int directory_make_for(const char *path)
{
	char *directory = xstrdup(path), *slash = strrchr(directory, '/');
	int error = 0;

	if (slash && slash != directory) {
		*slash = '\0';
		if (mkdir(directory, 0700) && errno != EEXIST)
			error = -errno;
	}
	free(directory);
	return error;
}
