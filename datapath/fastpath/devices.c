/*
 * fp_devices: which devices are ours, and where they are in the tables. A
 * device is entered before its program is attached, and as long as no
 * publication has it, all that comes by it is userspace's. It is taken out when
 * the program is gone: of a device that is not in there, the program lets pass
 * what comes.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/rtnetlink.h"
#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"

static int map_fd(const struct fastpath *fp)
{
	return bpf_map__fd(fp->bpf->maps.fp_devices);
}

static int write_device(const struct fastpath *fp, uint32_t ifindex,
			const struct fp_device *device, uint64_t flags)
{
	return bpf_map_update_elem(map_fd(fp), &ifindex, device, flags) ? -errno
									: 0;
}

int fastpath_device_enter(const struct fastpath_port *port)
{
	const struct fp_device device = { .slot = port->slot,
					  .flags = port->device_flags };

	return write_device(port->fp, port->ifindex, &device, BPF_ANY);
}

/* False: it is not there, or it is another port's by now. */
static bool find(const struct fastpath *fp, uint32_t ifindex, uint32_t slot,
		 struct fp_device *device)
{
	return !bpf_map_lookup_elem(map_fd(fp), &ifindex, device) &&
	       device->slot == slot;
}

int fastpath_device_place(const struct fastpath *fp, uint32_t ifindex,
			  uint32_t slot, uint16_t bridge, uint16_t number)
{
	struct fp_device device;

	if (!find(fp, ifindex, slot, &device))
		device = (struct fp_device){ .slot = slot };
	device.bridge = bridge;
	device.number = number;
	return write_device(fp, ifindex, &device, BPF_ANY);
}

void fastpath_device_displace(const struct fastpath *fp, uint32_t ifindex,
			      uint32_t slot)
{
	struct fp_device device;

	if (find(fp, ifindex, slot, &device))
		fastpath_device_place(fp, ifindex, slot, 0, 0);
}

int fastpath_device_flag(struct fastpath_port *port, uint32_t flags)
{
	struct fp_device device;

	if (!find(port->fp, port->ifindex, port->slot, &device))
		return -ENOENT;
	port->device_flags = device.flags = flags;
	return write_device(port->fp, port->ifindex, &device, BPF_EXIST);
}

void fastpath_device_leave(const struct fastpath_port *port)
{
	uint32_t ifindex = port->ifindex;
	struct fp_device device;

	if (find(port->fp, ifindex, port->slot, &device))
		bpf_map_delete_elem(map_fd(port->fp), &ifindex);
}

int fastpath_set_promiscuous(int ifindex, bool on)
{
	char room[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct ifinfomsg *ifm;

	nlh->nlmsg_type = RTM_SETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	ifm->ifi_index = ifindex;
	ifm->ifi_change = IFF_PROMISC;
	ifm->ifi_flags = on ? IFF_PROMISC : 0;
	return rtnetlink_request(nlh, NULL, NULL);
}
