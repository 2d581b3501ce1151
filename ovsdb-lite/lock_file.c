/* Locking a database. */
#include "ovsdb-lite/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

static char *lock_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xasprintf(".%s.~lock~", path);
	return xasprintf("%.*s/.%s.~lock~", (int)(slash - path), path,
			 slash + 1);
}

/*
 * A lock of the open file, so that a second open in this process fails too; it
 * conflicts with the process locks that other programs take.
 */
int lock_file(const char *path, char **errp)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *name = lock_name(path);
	int error = 0, fd;

	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		error = set_error(errp, -errno, "%s: cannot be opened: %s",
				  name, strerror(errno));
	} else if (fcntl(fd, F_OFD_SETLK, &lock)) {
		error = errno == EACCES ? -EAGAIN : -errno;
		if (error == -EAGAIN)
			set_error(errp, error,
				  "%s: another process has this database open; "
				  "end it first",
				  path);
		else
			set_error(errp, error, "%s: cannot be locked: %s", name,
				  strerror(-error));
		close(fd);
	}
	free(name);
	return error ? error : fd;
}
