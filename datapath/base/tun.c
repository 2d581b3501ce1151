/* Queues of taps (tun.h). */
#include "base/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of Linux 5.4. */
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

int tun_attach(const char *name, bool several, int *fdp)
{
	struct ifreq ifr = { 0 };
	int fd, error;

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return -EINVAL;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (several)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	/* One without an owner anybody may attach to, and be its other end. */
	if (ioctl(fd, TUNSETIFF, &ifr) ||
	    ioctl(fd, TUNSETOWNER, (unsigned long)geteuid())) {
		error = -errno;
		close(fd);
		return error;
	}
	*fdp = fd;
	return 0;
}

int tun_set_persistent(int fd, bool persistent)
{
	return ioctl(fd, TUNSETPERSIST, persistent) ? -errno : 0;
}

bool tun_is_here(int fd)
{
	int netns = ioctl(fd, TUNGETDEVNETNS);
	struct stat its, ours;
	bool here;

	if (netns < 0)
		return false;
	here = !fstat(netns, &its) && !stat("/proc/self/ns/net", &ours) &&
	       its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
	close(netns);
	return here;
}
