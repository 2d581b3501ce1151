/* What is plugged into a VM, from its start or while it runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/machine/internal.h"

LOG_MODULE(machine);

/* One VM a process: devices know of none. */
static struct machine *the_machine;

static void on_wake(struct virtio_device *virtio)
{
	machine_wish(the_machine, WISH_SETTLE);
}

void machine_settle(struct machine *machine)
{
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		if (machine->devices[i].virtio)
			virtio_device_settle(machine->devices[i].virtio);
	}
}

struct machine_device *machine_find(struct machine *machine, const char *id)
{
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];

		if (device->virtio && !strcmp(device->id, id))
			return device;
	}
	return NULL;
}

/* A place for a device that is about to be made. */
static struct machine_device *claim(struct machine *machine, const char *id,
				    char **errp)
{
	struct machine_device *device = machine->devices;

	if (machine_find(machine, id)) {
		set_error(errp, -EEXIST, "the VM has a device %s already", id);
		return NULL;
	}
	while (device->virtio) {
		if (++device == machine->devices + MACHINE_MAX_DEVICES) {
			set_error(errp, -ENOSPC, "no free slot for %s", id);
			return NULL;
		}
	}
	memset(device, 0, sizeof(*device));
	device->machine = machine;
	snprintf(device->id, sizeof(device->id), "%s", id);
	return device;
}

/* Plugs in what was made for the place; NULL: making it has failed. */
static int plug(struct machine_device *device, struct virtio_device *virtio,
		char **errp)
{
	struct machine *machine = device->machine;
	bool hot = machine->state != MACHINE_STARTING;
	int slot = machine_saved_slot(machine, device->id);

	if (!virtio)
		return -EIO;
	device->pci = virtio_pci_create(machine->pci, slot, hot,
					&machine->kvm.hypervisor, virtio,
					on_wake, errp);
	if (!device->pci) {
		virtio->ops->destroy(virtio);
		return -ENOSPC;
	}
	device->virtio = virtio;
	return 0;
}

/* --- network cards -------------------------------------------------------- */

static void tell_lost(struct machine_device *device)
{
	machine_event(device->machine, "net-lost",
		      json_pack("{ss}", "net", device->id));
}

static void on_net_lost(void *aux)
{
	tell_lost(aux);
}

int machine_add_net(struct machine *machine, const struct vm_net *net,
		    const struct machine_net_files *files, char **errp)
{
	struct machine_device *device = claim(machine, net->id, errp);
	struct virtio_net_config config = {
		.mtu = net->mtu,
		.pairs = net->queues,
		.packed = net->packed,
	};
	bool later = machine->saved; /* machine_connect_nets() */
	struct virtio_device *virtio;
	int error;

	if (!device)
		return -EEXIST;
	memcpy(config.mac, net->mac, sizeof(config.mac));
	device->is_net = true;
	if (net->kind == VM_NET_TAP)
		virtio = virtio_net_tap_create(machine->io, &machine->memory,
					       &config, files->taps, errp);
	else
		virtio = virtio_net_vhost_create(machine->control,
						 &machine->memory, &config,
						 later ? -1 : files->connected,
						 later ? -1 : files->listener,
						 on_net_lost, device, errp);
	error = plug(device, virtio, errp);
	if (!error && net->link_down)
		virtio_net_set_link(virtio, false);
	return error;
}

void machine_connect_nets(struct machine *machine)
{
	const struct vm_config *config = machine->config;

	for (unsigned int i = 0; i < config->n_nets; i++) {
		struct machine_net_files *files = &machine->files->nets[i];
		struct machine_device *device =
			machine_find(machine, config->nets[i].id);
		char *error = NULL;

		if (!device) /* unplugged meanwhile */
			continue;
		if (files->listener >= 0)
			virtio_net_listen(device->virtio, files->listener);
		else if (files->connected >= 0 &&
			 virtio_net_connected(device->virtio, files->connected,
					      &error)) {
			log_warn("%s", error);
			free(error);
			tell_lost(device);
		}
		virtio_net_announce(device->virtio);
	}
}

/* In a vCPU's thread. */
static void on_ejected(void *aux, struct pci_function *function)
{
	struct machine_device *device = aux;

	device->ejected = true;
	machine_wish(device->machine, WISH_EJECTED);
}

int machine_eject_net(struct machine *machine, const char *id, char **errp)
{
	struct machine_device *device = machine_find(machine, id);

	if (!device || !device->is_net)
		return set_error(errp, -ENOENT, "the VM has no card %s", id);
	pci_request_eject(virtio_pci_function(device->pci), on_ejected, device);
	return 0;
}

static void remove_device(struct machine_device *device)
{
	virtio_pci_destroy(device->pci);
	device->virtio = NULL;
	device->pci = NULL;
	device->ejected = false;
}

void machine_remove_ejected(struct machine *machine)
{
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];

		if (!device->virtio || !device->ejected)
			continue;
		remove_device(device);
		machine_event(machine, "net-removed",
			      json_pack("{ss}", "net", device->id));
	}
}

void machine_remove_devices(struct machine *machine)
{
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		if (machine->devices[i].virtio)
			remove_device(&machine->devices[i]);
	}
}

/* --- all that a VM starts with -------------------------------------------- */

/* The same where the device is made before its place. */
static int add(struct machine *machine, const char *id,
	       struct virtio_device *virtio, char **errp)
{
	struct machine_device *device =
		virtio ? claim(machine, id, errp) : NULL;

	if (device)
		return plug(device, virtio, errp);
	if (virtio)
		virtio->ops->destroy(virtio);
	return -EEXIST;
}

static int add_disk(struct machine *machine, const struct vm_disk *disk, int fd,
		    char **errp)
{
	struct guest_memory *memory = &machine->memory;

	return add(machine, disk->id,
		   disk->kind == VM_DISK_RAW
			   ? virtio_blk_raw_create(machine->io, memory, fd,
						   disk->read_only, disk->id,
						   errp)
			   : virtio_blk_vhost_create(machine->control, memory,
						     fd, errp),
		   errp);
}

int machine_add_devices(struct machine *machine, char **errp)
{
	const struct vm_config *config = machine->config;
	struct machine_files *files = machine->files;
	struct guest_memory *memory = &machine->memory;
	int error = 0;

	the_machine = machine;
	for (unsigned int i = 0; i < config->n_disks && !error; i++)
		error = add_disk(machine, &config->disks[i], files->disks[i],
				 errp);
	for (unsigned int i = 0; i < config->n_nets && !error; i++)
		error = machine_add_net(machine, &config->nets[i],
					&files->nets[i], errp);
	if (!error && config->console)
		error = add(machine, "console",
			    virtio_console_create(machine->io, memory,
						  files->console, errp),
			    errp);
	if (!error && config->rng)
		error = add(machine, "rng",
			    virtio_rng_create(machine->io, memory, errp), errp);
	if (!error && config->balloon)
		error = add(machine, "balloon",
			    virtio_balloon_create(machine->io, memory, errp),
			    errp);
	if (!error && config->vsock_cid)
		error = add(machine, "vsock",
			    virtio_vsock_create(machine->io, memory,
						config->vsock_cid,
						files->vsock_listener,
						files->vsock_directory, errp),
			    errp);
	return error;
}

json_t *machine_devices_info(struct machine *machine)
{
	json_t *list = json_array();

	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];
		struct virtio_device *virtio = device->virtio;
		json_t *json;

		if (!virtio)
			continue;
		json = json_pack("{ss,ss,si,sb,sI,sI,sI}", "id", device->id,
				 "kind", virtio->ops->name, "slot",
				 pci_slot(virtio_pci_function(device->pci)),
				 "active", virtio->active, "kicks",
				 (json_int_t)virtio->n_kicks, "interrupts",
				 (json_int_t)virtio->n_interrupts, "broken",
				 (json_int_t)virtio->n_broken);
		if (device->is_net)
			json_object_set_new(
				json, "link",
				json_boolean(virtio_net_link(virtio)));
		if (!strcmp(device->id, "balloon"))
			json_object_set_new(
				json, "mib",
				json_integer((json_int_t)virtio_balloon_actual(
					virtio)));
		json_array_append_new(list, json);
	}
	return list;
}
