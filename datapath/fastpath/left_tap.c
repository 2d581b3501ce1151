/* Taps that a killed daemon has left (left_tap.h). */
#include "fastpath/left_tap.h"

#include <errno.h>
#include <net/if.h>
#include <unistd.h>

#include "base/tun.h"

int left_tap_remove(int ifindex)
{
	char name[IF_NAMESIZE];
	int fd, error;

	if (!if_indextoname(ifindex, name))
		return -ENODEV;
	error = tun_attach(name, true, &fd);
	if (error == -EINVAL)
		error = tun_attach(name, false, &fd);
	if (error)
		return error;
	/* Of that name a device was made just now, if the other is gone. */
	error = if_nametoindex(name) == (unsigned)ifindex ? 0 : -ENODEV;
	if (!error)
		error = tun_set_persistent(fd, false);
	close(fd);
	if (!error && if_indextoname(ifindex, name))
		error = -EBUSY;
	return error;
}
