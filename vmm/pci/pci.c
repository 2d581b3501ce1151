/* The bus and what is plugged into it (pci.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/machine/snapshot.h"
#include "vmm/pci/pci_internal.h"

LOG_MODULE(pci);

/* A guest looks for a host bridge before it believes that there is a bus. */
static const struct pci_function_config host_bridge = {
	.vendor = 0x1b36,
	.device = 0x0008,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_revision = 0x060000 << 8,
};
static const struct pci_function_ops no_ops;

struct pci_bus *pci_bus_create(struct bus *mmio, struct bus *pio,
			       struct hypervisor *hypervisor)
{
	struct pci_bus *bus = xcalloc(1, sizeof(*bus));
	struct pci_function *bridge;
	int error;

	pthread_mutex_init(&bus->lock, NULL);
	bus->mmio = mmio;
	bus->pio = pio;
	bus->hypervisor = hypervisor;
	error = pci_config_add_ports(bus);
	if (!error)
		error = pci_hotplug_add_ports(bus);
	if (error)
		log_err("PCI's registers: %s", strerror(-error));
	pci_add(bus, 0, false, &host_bridge, &no_ops, NULL, &bridge, NULL);
	return bus;
}

void pci_bus_destroy(struct pci_bus *bus)
{
	if (!bus)
		return;
	pci_config_remove_ports(bus);
	pci_hotplug_remove_ports(bus);
	for (unsigned int i = 0; i < PCI_SLOTS; i++)
		if (bus->slots[i])
			pci_remove(bus->slots[i]);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

void pci_bus_on_reset(struct pci_bus *bus, void (*reset)(void *aux), void *aux)
{
	bus->reset = reset;
	bus->reset_aux = aux;
}

/* Its place in the bus; with the lock. */
static int plug(struct pci_bus *bus, struct pci_function *function, int slot,
		bool hot, const struct pci_function_config *config, char **errp)
{
	int error;

	for (int i = 0; slot < 0 && i < PCI_SLOTS; i++)
		if (!bus->slots[i])
			slot = i;
	if (slot < 0)
		return set_error(errp, -ENOSPC,
				 "no PCI slot is free: remove a card first");
	if (slot >= PCI_SLOTS || bus->slots[slot])
		return set_error(errp, -EBUSY, "PCI slot %d is not free", slot);
	error = msix_init(&function->msix, bus->hypervisor, slot,
			  config->n_vectors, errp);
	if (error)
		return error;
	function->slot = slot;
	pci_config_init(function, config);
	pci_config_reset(function, !hot);
	bus->slots[slot] = function;
	return 0;
}

int pci_add(struct pci_bus *bus, int slot, bool hot,
	    const struct pci_function_config *config,
	    const struct pci_function_ops *ops, void *aux,
	    struct pci_function **functionp, char **errp)
{
	struct pci_function *function = xcalloc(1, sizeof(*function));
	int error;

	function->bus = bus;
	function->ops = ops;
	function->aux = aux;
	pthread_mutex_lock(&bus->lock);
	error = plug(bus, function, slot, hot, config, errp);
	*functionp = error ? NULL : function;
	pthread_mutex_unlock(&bus->lock);
	if (error)
		free(function);
	else if (hot)
		pci_hotplug_tell(bus, &bus->up, function->slot);
	return error;
}

void pci_remove(struct pci_function *function)
{
	struct pci_bus *bus = function->bus;
	uint32_t others = ~(1u << function->slot);

	pthread_mutex_lock(&bus->lock);
	pci_config_unmap(function);
	bus->slots[function->slot] = NULL;
	bus->up &= others;
	bus->down &= others;
	msix_uninit(&function->msix);
	pthread_mutex_unlock(&bus->lock);
	free(function);
}

unsigned int pci_slot(const struct pci_function *function)
{
	return function->slot;
}

/* The descriptors are there for as long as the function: no lock. */
int pci_vector_fd(struct pci_function *function, unsigned int vector)
{
	return vector < function->msix.n ? function->msix.vectors[vector].fd
					 : -1;
}

void pci_bus_reset(struct pci_bus *bus)
{
	pci_hotplug_reset(bus);
	pthread_mutex_lock(&bus->lock);
	bus->address = 0;
	for (unsigned int i = 0; i < PCI_SLOTS; i++)
		if (bus->slots[i])
			pci_config_reset(bus->slots[i], true);
	pthread_mutex_unlock(&bus->lock);
}

json_t *pci_bus_save(struct pci_bus *bus)
{
	const uint32_t saved[] = { bus->address, bus->up, bus->down };

	return snapshot_bytes(saved, sizeof(saved));
}

int pci_bus_restore(struct pci_bus *bus, const json_t *state, char **errp)
{
	uint32_t saved[3];

	if (snapshot_from_bytes(state, saved, sizeof(saved)))
		return set_error(errp, -EINVAL,
				 "the saved PCI bus is not complete");
	bus->address = saved[0];
	bus->up = saved[1];
	bus->down = saved[2];
	return 0;
}

json_t *pci_function_save(struct pci_function *function)
{
	json_t *state;

	pthread_mutex_lock(&function->bus->lock);
	state = json_pack("{s:o, s:o}", "config",
			  snapshot_bytes(function->config, CONFIG_SIZE), "msix",
			  msix_save(&function->msix));
	pthread_mutex_unlock(&function->bus->lock);
	return state;
}

/* Of what was saved only what a guest may write is taken over; the rest has to
 * be the same. */
static int restore_config(struct pci_function *function, const uint8_t *saved,
			  char **errp)
{
	for (unsigned int i = 0; i < CONFIG_SIZE; i++)
		if ((saved[i] ^ function->config[i]) & ~function->writable[i])
			return set_error(errp, -EINVAL,
					 "the saved PCI card in slot %u is "
					 "another than is there now",
					 function->slot);
	memcpy(function->config, saved, CONFIG_SIZE);
	return 0;
}

int pci_function_restore(struct pci_function *function, const json_t *state,
			 char **errp)
{
	uint8_t saved[CONFIG_SIZE];
	json_t *config, *msix;
	int error;

	if (json_unpack((json_t *)state, "{s:o, s:o}", "config", &config,
			"msix", &msix) ||
	    snapshot_from_bytes(config, saved, sizeof(saved)))
		return set_error(errp, -EINVAL,
				 "the saved PCI card in slot %u is not "
				 "complete",
				 function->slot);
	pthread_mutex_lock(&function->bus->lock);
	error = msix_restore(&function->msix, msix, errp);
	if (!error)
		error = restore_config(function, saved, errp);
	if (!error)
		pci_config_apply(function);
	pthread_mutex_unlock(&function->bus->lock);
	return error;
}
