/* What the two files of the PCI transport share. */
#ifndef VMM_VIRTIO_VIRTIO_PCI_INTERNAL_H
#define VMM_VIRTIO_VIRTIO_PCI_INTERNAL_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "vmm/virtio/virtio_pci.h"

/* The BAR, in pages: common configuration, ISR and device configuration;
 * notifications; MSI-X table; its pending bits. */
enum {
	BAR_COMMON = 0x0,
	BAR_ISR = 0x200,
	BAR_DEVICE = 0x400,
	BAR_NOTIFY = 0x1000,
	BAR_MSIX = 0x2000,
	BAR_SIZE = 0x4000,
	NOTIFY_STEP = 4, /* bytes a queue */
	VENDOR = 0x1af4,
	FIRST_DEVICE = 0x1040,
	ISR_CONFIG = 2,
};

/* What the driver wrote that is neither the device's nor a queue's. */
struct virtio_pci_registers {
	uint32_t device_feature_select, driver_feature_select;
	uint64_t driver_features;
	uint16_t config_vector, queue_select;
	uint8_t isr;
};

#define VIRTIO_PCI_NO_REGISTERS                                                \
	((struct virtio_pci_registers){ .config_vector = VIRTIO_MSI_NO_VECTOR })

struct virtio_pci {
	struct pci_function *function;
	struct hypervisor *hypervisor;
	struct virtio_device *device;
	uint64_t mapped; /* ioeventfds are connected for a BAR here */
	struct virtio_pci_registers registers; /* with the device's lock */
};

/* What is saved of a queue, and of the whole. */
struct virtio_pci_saved {
	struct virtio_pci_registers registers;
	uint64_t negotiated;
	uint8_t status, generation;
	struct virtio_pci_saved_queue {
		uint64_t desc, avail, used;
		uint32_t base;
		uint16_t size, vector, enabled;
	} queues[VIRTIO_MAX_QUEUES];
};

/* virtio_pci_registers.c: a guest's accesses below BAR_MSIX. */
uint64_t virtio_pci_read(void *aux, uint64_t offset, unsigned int length);
void virtio_pci_write(void *aux, uint64_t offset, unsigned int length,
		      uint64_t value);
/* The same through the capability VIRTIO_PCI_CAP_PCI_CFG. */
void virtio_pci_cap_access(void *aux, uint8_t *body, unsigned int offset,
			   unsigned int length, bool write);
/* Carries out a driver's write of the status. With the device's lock. */
void virtio_pci_write_status(struct virtio_pci *transport, uint8_t status);
/* Signals a queue's kick_fd. */
void virtio_pci_kick(struct virtio_device *device, unsigned int index);
/* A vector that the function has, or none. */
uint16_t virtio_pci_vector(struct virtio_pci *transport, uint16_t vector);

#endif
