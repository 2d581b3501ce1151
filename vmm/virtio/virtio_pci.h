/*
 * The PCI transport of a virtio device (virtio 1.2, 4.1), modern only: common
 * configuration, notifications (an ioeventfd for each queue), ISR, device
 * configuration and MSI-X in one BAR.
 */
#ifndef VMM_VIRTIO_VIRTIO_PCI_H
#define VMM_VIRTIO_VIRTIO_PCI_H

#include "vmm/pci/pci.h"
#include "vmm/virtio/virtio.h"

struct virtio_pci;

/*
 * Plugs a device in (slot as of pci_add()). The transport sets device->wake to
 * `wake`, which is called in vCPU threads. Returns NULL with a message.
 */
struct virtio_pci *virtio_pci_create(struct pci_bus *bus, int slot, bool hot,
				     struct hypervisor *hypervisor,
				     struct virtio_device *device,
				     void (*wake)(struct virtio_device *),
				     char **errp);
/* Deactivates the device, unplugs it and destroys both. Control thread. */
void virtio_pci_destroy(struct virtio_pci *transport);
struct pci_function *virtio_pci_function(struct virtio_pci *transport);

/* Of a device that virtio_device_stop() was called for: its registers, queues,
 * back end's state and PCI function. */
json_t *virtio_pci_save(struct virtio_pci *transport);
/* Of a device just created. Leaves it settled: activated again if it was
 * active. -EINVAL with a message, and the device is to be destroyed. */
int virtio_pci_restore(struct virtio_pci *transport, const json_t *state,
		       char **errp);
/* The guest was reset: as if it had written status 0. Control thread. */
void virtio_pci_reset(struct virtio_pci *transport);

#endif
