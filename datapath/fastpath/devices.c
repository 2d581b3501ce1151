/*
 * fp_devices and fp_places: which devices are ours, and where they are in the
 * tables. The programs go by fp_places alone, which has one place for all
 * devices whose ifindex has the same low bits: the first port there has it. The
 * next daemon goes by fp_devices, which names the bridge of a device before
 * fp_places does, and as long.
 *
 * A device is entered before its program is attached, and as long as no
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

static uint64_t *place_of(const struct fastpath *fp, uint32_t ifindex)
{
	return &fp->places[ifindex % FP_PLACES];
}

static bool is_taken(const struct fastpath *fp, uint32_t ifindex)
{
	uint64_t place = *place_of(fp, ifindex);

	return place && (uint32_t)place != ifindex;
}

/* In one store: programs see it as it was, or as it is. */
static void set_place(const struct fastpath *fp, uint32_t ifindex,
		      uint64_t bridge, uint64_t number)
{
	__atomic_store_n(place_of(fp, ifindex),
			 ifindex | bridge << FP_PLACE_BRIDGE_SHIFT |
				 number << FP_PLACE_NUMBER_SHIFT,
			 __ATOMIC_RELEASE);
}

static int write_device(const struct fastpath *fp, uint32_t ifindex,
			const struct fp_device *device, uint64_t flags)
{
	if (is_taken(fp, ifindex))
		return -EADDRINUSE;
	if (bpf_map_update_elem(map_fd(fp), &ifindex, device, flags))
		return -errno;
	set_place(fp, ifindex, device->bridge, device->number);
	return 0;
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

	if (!find(fp, ifindex, slot, &device))
		return;
	set_place(fp, ifindex, 0, 0);
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

	if (!find(port->fp, ifindex, port->slot, &device))
		return;
	__atomic_store_n(place_of(port->fp, ifindex), 0, __ATOMIC_RELEASE);
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
