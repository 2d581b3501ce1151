/*
 * A tap device of the host's, whose other end is a VM's network card. vswd has
 * it as a port of type system.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/host/wiring_private.h"

enum { HEADER = 12 /* struct virtio_net_hdr_mrg_rxbuf */ };

static int open_queue(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI |
					      IFF_VNET_HDR | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int header = HEADER;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd >= 0 && (ioctl(fd, TUNSETIFF, &request) ||
			ioctl(fd, TUNSETVNETHDRSZ, &header))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd < 0 ? -errno : fd;
}

/* What the host itself would send on an interface that comes up. */
static void be_silent(const char *name)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* there is no IPv6 */
	if (write(fd, "1", 1) < 0)
		errno = 0;
	close(fd);
}

static int set_up(const char *name)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		error = -errno;
	request.ifr_flags |= IFF_UP;
	if (!error && ioctl(fd, SIOCSIFFLAGS, &request))
		error = -errno;
	close(fd);
	return error;
}

int tap_create(const char *name, unsigned int queues, int *fds, char **errp)
{
	int several = queues > 1 ? IFF_MULTI_QUEUE : 0, error = 0;
	unsigned int n = 0;

	while (n < queues && error >= 0) {
		error = open_queue(name, several | (n ? 0 : IFF_TUN_EXCL));
		if (error >= 0)
			fds[n++] = error;
	}
	if (error >= 0) {
		be_silent(name);
		error = set_up(name);
	}
	if (!error)
		return 0;
	while (n)
		close(fds[--n]);
	return set_error(errp, error, "cannot make tap device %s: %s%s", name,
			 strerror(-error),
			 error == -EPERM
				 ? "; that takes CAP_NET_ADMIN, be root "
				   "or leave back_end=tap out"
				 : "");
}
