/*
 * A whole VM as a file of JSON beside the file of its memory, and back. What
 * is read was written by us but says what a guest liked: each part checks its
 * own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/machine/internal.h"
#include "vmm/x86/cpu.h"

enum { SAVE_VERSION = 1 };

/* --- saving --------------------------------------------------------------- */

static void stop_devices(struct machine *machine)
{
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];
		struct virtio_device *virtio = device->virtio;

		if (!virtio)
			continue;
		virtio_device_settle(virtio);
		pthread_mutex_lock(&virtio->lock);
		device->stopped |= virtio->active;
		virtio_device_stop(virtio);
		pthread_mutex_unlock(&virtio->lock);
	}
}

void machine_restart_devices(struct machine *machine)
{
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];
		struct virtio_device *virtio = device->virtio;

		if (!virtio || !device->stopped)
			continue;
		device->stopped = false;
		pthread_mutex_lock(&virtio->lock);
		virtio->active = !virtio->ops->activate(virtio);
		if (!virtio->active)
			virtio_device_broken(virtio);
		pthread_mutex_unlock(&virtio->lock);
	}
}

static json_t *save_devices(struct machine *machine)
{
	json_t *list = json_array();

	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];

		if (!device->virtio)
			continue;
		/* To be activated again where it is restored. */
		device->virtio->active = device->stopped;
		json_array_append_new(
			list,
			json_pack("{ss,si,so}", "id", device->id, "slot",
				  pci_slot(virtio_pci_function(device->pci)),
				  "state", virtio_pci_save(device->pci)));
		device->virtio->active = false;
	}
	return list;
}

/* NULL with a message. */
static json_t *save_state(struct machine *machine, char **errp)
{
	json_t *cpus = json_array(), *chips = NULL;

	for (unsigned int i = 0; i < machine->config->cpus; i++) {
		json_t *cpu = x86_cpu_save(vcpus_fd(machine->vcpus, i), errp);

		if (!cpu)
			goto fail;
		json_array_append_new(cpus, cpu);
	}
	chips = x86_vm_save(machine->kvm.vm, errp);
	if (!chips)
		goto fail;
	return json_pack(
		"{si,sI,so,so,so,so,so,so}", "version", SAVE_VERSION,
		"memory_mib", (json_int_t)machine->config->memory_mib, "cpus",
		cpus, "chips", chips, "chipset", chipset_save(machine->chipset),
		"serial", serial_save(machine->serial), "pci",
		pci_bus_save(machine->pci), "devices", save_devices(machine));
fail:
	json_decref(cpus);
	return NULL;
}

int machine_save(struct machine *machine, int state, int memory, char **errp)
{
	json_t *json;
	int error;

	if (machine->state == MACHINE_RUNNING) {
		error = machine_pause(machine, errp);
		if (error)
			return error;
	}
	if (machine->state != MACHINE_PAUSED || machine->restore)
		return set_error(errp, -EBUSY,
				 machine->restore
					 ? "the VM is still being restored"
					 : "the VM is in no state to be saved");
	/* One that the guest let go a moment ago is no part of it any more. */
	machine_remove_ejected(machine);
	stop_devices(machine);
	json = save_state(machine, errp);
	if (!json)
		return -EIO;
	error = snapshot_save_memory(&machine->memory, memory, errp);
	if (!error &&
	    (json_dumpfd(json, state, JSON_COMPACT) || fdatasync(state)))
		error = set_error(errp, -EIO,
				  "the VM's state cannot be written: %s",
				  strerror(errno));
	json_decref(json);
	if (!error)
		machine_event(machine, "saved", NULL);
	return error;
}

/* --- restoring ------------------------------------------------------------ */

int machine_load(struct machine *machine, char **errp)
{
	json_error_t problem;
	int version;
	json_int_t memory_mib;

	machine->saved = json_loadfd(machine->files->restore_state,
				     JSON_REJECT_DUPLICATES, &problem);
	if (!machine->saved ||
	    json_unpack_ex(machine->saved, &problem, 0, "{si,sI}", "version",
			   &version, "memory_mib", &memory_mib))
		return set_error(errp, -EINVAL, "the saved state is none: %s",
				 problem.text);
	if (version != SAVE_VERSION)
		return set_error(errp, -EINVAL,
				 "the saved state is of version %d, this "
				 "program's is %d",
				 version, SAVE_VERSION);
	if ((uint64_t)memory_mib != machine->config->memory_mib)
		return set_error(
			errp, -EINVAL,
			"the VM was saved with %lld MiB of memory and "
			"is now to have %llu",
			(long long)memory_mib,
			(unsigned long long)machine->config->memory_mib);
	return 0;
}

static json_t *find_saved(const struct machine *machine, const char *id)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(machine->saved, "devices"), i,
			   device) {
		const char *text =
			json_string_value(json_object_get(device, "id"));

		if (text && !strcmp(text, id))
			return device;
	}
	return NULL;
}

int machine_saved_slot(const struct machine *machine, const char *id)
{
	json_t *slot = json_object_get(find_saved(machine, id), "slot");

	return json_is_integer(slot) && json_integer_value(slot) < PCI_SLOTS
		       ? (int)json_integer_value(slot)
		       : -1;
}

static int restore_devices(struct machine *machine, char **errp)
{
	size_t n = 0;

	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		struct machine_device *device = &machine->devices[i];
		json_t *saved;
		int error;

		if (!device->virtio)
			continue;
		n++;
		saved = find_saved(machine, device->id);
		if (!saved)
			return set_error(errp, -EINVAL,
					 "the VM was saved without %s",
					 device->id);
		error = virtio_pci_restore(
			device->pci, json_object_get(saved, "state"), errp);
		if (error)
			return error;
	}
	if (n != json_array_size(json_object_get(machine->saved, "devices")))
		return set_error(errp, -EINVAL,
				 "the VM was saved with other devices than it "
				 "now has");
	return 0;
}

static void on_memory_there(void *aux)
{
	machine_wish(aux, WISH_MEMORY);
}

static int restore_memory(struct machine *machine, char **errp)
{
	const struct vm_config *config = machine->config;
	bool wait = false;
	int error;

	/* A disk's process has the memory mapped and would see holes. */
	for (unsigned int i = 0; i < config->n_disks; i++)
		wait |= config->disks[i].kind == VM_DISK_STORAGE_DAEMON;
	error = snapshot_restore_memory(
		&machine->memory, machine->files->restore_memory,
		machine->files->userfault, wait ? NULL : on_memory_there,
		machine, &machine->restore, errp);
	if (!error && wait) {
		error = snapshot_restore_wait(machine->restore, errp);
		machine->restore = NULL;
	}
	return error;
}

int machine_restore(struct machine *machine, char **errp)
{
	json_t *cpus, *chips, *chipset, *serial, *pci;
	json_error_t problem;
	int error;

	if (json_unpack_ex(machine->saved, &problem, 0, "{so,so,so,so,so}",
			   "cpus", &cpus, "chips", &chips, "chipset", &chipset,
			   "serial", &serial, "pci", &pci))
		return set_error(errp, -EINVAL, "the saved state is none: %s",
				 problem.text);
	if (json_array_size(cpus) != machine->config->cpus)
		return set_error(errp, -EINVAL,
				 "the VM was saved with %zu CPUs and is now to "
				 "have %u",
				 json_array_size(cpus), machine->config->cpus);
	error = restore_memory(machine, errp);
	if (!error)
		error = chipset_restore(machine->chipset, chipset, errp);
	if (!error)
		error = serial_restore(machine->serial, serial, errp);
	if (!error)
		error = pci_bus_restore(machine->pci, pci, errp);
	if (!error)
		error = x86_vm_restore(machine->kvm.vm, chips, errp);
	for (unsigned int i = 0; i < machine->config->cpus && !error; i++)
		error = x86_cpu_restore(vcpus_fd(machine->vcpus, i),
					json_array_get(cpus, i), errp);
	/* Last: what they interrupt for is not to be overwritten. */
	if (!error)
		error = restore_devices(machine, errp);
	json_decref(machine->saved);
	machine->saved = NULL;
	if (!error && !machine->restore)
		machine_connect_nets(machine);
	return error;
}
