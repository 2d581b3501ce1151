/* The process's descriptors, counted in /proc. */
#include <dirent.h>

#include "descriptors.h"

unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
