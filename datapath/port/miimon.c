/* The link of a device by MII, else by ethtool (miimon.h). */
#include "port/miimon.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"

static int ask(int fd, unsigned long request, struct ifreq *ifr)
{
	return ioctl(fd, request, ifr) ? -errno : 0;
}

static int read_mii(int fd, const char *device, bool *link_up)
{
	struct ifreq ifr = { 0 };
	struct mii_ioctl_data mii;
	int error;

	memcpy(ifr.ifr_name, device, strlen(device));
	error = ask(fd, SIOCGMIIPHY, &ifr); /* which PHY it is */
	if (error)
		return error;
	memcpy(&mii, &ifr.ifr_data, sizeof(mii));
	mii.reg_num = MII_BMSR;
	memcpy(&ifr.ifr_data, &mii, sizeof(mii));
	error = ask(fd, SIOCGMIIREG, &ifr);
	if (error)
		return error;
	memcpy(&mii, &ifr.ifr_data, sizeof(mii));
	*link_up = mii.val_out & BMSR_LSTATUS;
	return 0;
}

static int read_ethtool(int fd, const char *device, bool *link_up)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
	struct ifreq ifr = { 0 };
	int error;

	memcpy(ifr.ifr_name, device, strlen(device));
	ifr.ifr_data = (void *)&value;
	error = ask(fd, SIOCETHTOOL, &ifr);
	if (!error)
		*link_up = value.data;
	return error;
}

int miimon_read(const char *device, bool *link_up)
{
	int fd, error;

	if (strlen(device) >= IFNAMSIZ)
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = read_mii(fd, device, link_up);
	if (error)
		error = read_ethtool(fd, device, link_up);
	close(fd);
	return error;
}
