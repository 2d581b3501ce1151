/* The PCI transport's registers (virtio 1.2, 4.1.4), as a guest's driver reads
 * and writes them. */
#include "vmm/virtio/virtio_pci_internal.h"

#include <string.h>
#include <sys/eventfd.h>

#include "base/util.h"

#define COMMON(FIELD) offsetof(struct virtio_pci_common_cfg, FIELD)

/* The common configuration (virtio 1.2, 4.1.4.3): where each register lies in
 * our own structures. All are little-endian, as we are. */
enum owner { TRANSPORT, DEVICE, QUEUE };

#define REGISTER(FIELD, OWNER, PLACE)                                          \
	{                                                                      \
		COMMON(FIELD),                                                 \
			sizeof(((struct virtio_pci_common_cfg *)0)->FIELD),    \
			OWNER, PLACE                                           \
	}
#define OF_TRANSPORT(FIELD) offsetof(struct virtio_pci, registers.FIELD)
#define OF_DEVICE(FIELD)    offsetof(struct virtio_device, FIELD)
#define OF_QUEUE(FIELD)	    offsetof(struct virtio_queue, FIELD)

static const struct common_register {
	uint8_t at, size, owner;
	uint16_t place;
} registers[] = {
	REGISTER(device_feature_select, TRANSPORT,
		 OF_TRANSPORT(device_feature_select)),
	REGISTER(device_feature, DEVICE, OF_DEVICE(offered)),
	REGISTER(guest_feature_select, TRANSPORT,
		 OF_TRANSPORT(driver_feature_select)),
	REGISTER(guest_feature, TRANSPORT, OF_TRANSPORT(driver_features)),
	REGISTER(msix_config, TRANSPORT, OF_TRANSPORT(config_vector)),
	REGISTER(num_queues, DEVICE, OF_DEVICE(n_queues)),
	REGISTER(device_status, DEVICE, OF_DEVICE(status)),
	REGISTER(config_generation, DEVICE, OF_DEVICE(config_generation)),
	REGISTER(queue_select, TRANSPORT, OF_TRANSPORT(queue_select)),
	REGISTER(queue_size, QUEUE, OF_QUEUE(size)),
	REGISTER(queue_msix_vector, QUEUE, OF_QUEUE(vector)),
	REGISTER(queue_enable, QUEUE, OF_QUEUE(enabled)),
	REGISTER(queue_notify_off, QUEUE, OF_QUEUE(index)),
	REGISTER(queue_desc_lo, QUEUE, OF_QUEUE(desc)),
	REGISTER(queue_desc_hi, QUEUE, OF_QUEUE(desc) + 4),
	REGISTER(queue_avail_lo, QUEUE, OF_QUEUE(avail)),
	REGISTER(queue_avail_hi, QUEUE, OF_QUEUE(avail) + 4),
	REGISTER(queue_used_lo, QUEUE, OF_QUEUE(used)),
	REGISTER(queue_used_hi, QUEUE, OF_QUEUE(used) + 4),
};

static struct virtio_queue *selected(struct virtio_pci *t)
{
	uint16_t i = t->registers.queue_select;

	return i < t->device->n_queues ? &t->device->queues[i] : NULL;
}

/* A register of this size here; NULL: there is none (4.1.3.1: a driver keeps to
 * the sizes), or it is of a queue or feature word that does not exist. */
static void *find(struct virtio_pci *t, uint64_t at, unsigned int size)
{
	void *owners[] = { t, t->device, selected(t) };
	uint32_t word = 0;

	if (at == COMMON(device_feature))
		word = t->registers.device_feature_select;
	if (at == COMMON(guest_feature))
		word = t->registers.driver_feature_select;
	for (size_t i = 0; i < ARRAY_SIZE(registers) && word <= 1; i++)
		if (registers[i].at == at && registers[i].size == size &&
		    owners[registers[i].owner])
			return (uint8_t *)owners[registers[i].owner] +
			       registers[i].place + 4 * word;
	return NULL;
}

uint64_t virtio_pci_read(void *aux, uint64_t offset, unsigned int length)
{
	struct virtio_pci *t = aux;
	struct virtio_device *device = t->device;
	const void *from = NULL;
	uint64_t value = 0;

	pthread_mutex_lock(&device->lock);
	if (offset < sizeof(struct virtio_pci_common_cfg)) {
		from = find(t, offset, length);
		if (!from && offset == COMMON(queue_msix_vector))
			value = VIRTIO_MSI_NO_VECTOR;
	} else if (offset == BAR_ISR) {
		value = t->registers.isr;
		t->registers.isr = 0;
	} else if (offset >= BAR_DEVICE &&
		   offset - BAR_DEVICE + length <= device->config_size) {
		from = (uint8_t *)device->config + offset - BAR_DEVICE;
	}
	if (from)
		memcpy(&value, from, length);
	pthread_mutex_unlock(&device->lock);
	return value;
}

/* --- the driver writes -----------------------------------------------------
 */

void virtio_pci_write_status(struct virtio_pci *t, uint8_t status)
{
	struct virtio_device *device = t->device;

	/* A reset that is under way ends first. */
	if (device->unsettled && !device->wanted_status)
		return;
	/* Not accepted is read as not set (virtio 1.2, 3.1.1). */
	if (status & ~device->status & VIRTIO_CONFIG_S_FEATURES_OK &&
	    !virtio_device_negotiate(device, t->registers.driver_features))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!status)
		t->registers = VIRTIO_PCI_NO_REGISTERS;
	virtio_device_want(device, status);
}

uint16_t virtio_pci_vector(struct virtio_pci *t, uint16_t vector)
{
	return pci_vector_fd(t->function, vector) < 0 ? VIRTIO_MSI_NO_VECTOR
						      : vector;
}

static void set_queue_vector(struct virtio_pci *t, struct virtio_queue *queue,
			     uint16_t vector)
{
	struct virtio_device *device = t->device;

	queue->vector = virtio_pci_vector(t, vector);
	queue->call_fd = pci_vector_fd(t->function, queue->vector);
	if (device->active && device->ops->call_changed)
		device->ops->call_changed(device, queue);
}

/* Before the queue is enabled, and between FEATURES_OK and DRIVER_OK. */
static bool may_set_up(const struct virtio_device *device,
		       const struct virtio_queue *queue)
{
	return !queue->enabled && !device->active && !device->unsettled &&
	       device->status & VIRTIO_CONFIG_S_FEATURES_OK &&
	       !(device->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void write_common(struct virtio_pci *t, uint64_t offset,
			 unsigned int size, uint32_t value)
{
	struct virtio_queue *queue = selected(t);
	void *place = find(t, offset, size);

	if (!place)
		return;
	switch (offset) {
	case COMMON(device_feature):
	case COMMON(num_queues):
	case COMMON(config_generation):
	case COMMON(queue_notify_off):
		return;
	case COMMON(device_status):
		virtio_pci_write_status(t, value);
		return;
	case COMMON(msix_config):
		t->registers.config_vector = virtio_pci_vector(t, value);
		return;
	case COMMON(queue_msix_vector):
		set_queue_vector(t, queue, value);
		return;
	case COMMON(device_feature_select):
	case COMMON(guest_feature_select):
	case COMMON(guest_feature):
	case COMMON(queue_select):
		break;
	default:
		if (!may_set_up(t->device, queue) ||
		    (offset == COMMON(queue_enable) && value != 1) ||
		    (offset == COMMON(queue_size) &&
		     (!value || value > queue->max_size)))
			return;
	}
	memcpy(place, &value, size);
}

void virtio_pci_kick(struct virtio_device *device, unsigned int index)
{
	device->n_kicks++;
	eventfd_write(device->queues[index].kick_fd, 1);
}

void virtio_pci_write(void *aux, uint64_t offset, unsigned int length,
		      uint64_t value)
{
	struct virtio_pci *t = aux;
	struct virtio_device *device = t->device;

	if (offset >= BAR_NOTIFY) {
		/* KVM did not take it: the BAR's address is in doubt, or the
		 * access came by the configuration space. */
		offset = (offset - BAR_NOTIFY) / NOTIFY_STEP;
		if (offset < device->n_queues)
			virtio_pci_kick(device, offset);
		return;
	}
	pthread_mutex_lock(&device->lock);
	if (offset < sizeof(struct virtio_pci_common_cfg))
		write_common(t, offset, length, value);
	else if (offset >= BAR_DEVICE && device->ops->config_write &&
		 offset - BAR_DEVICE + length <= device->config_size)
		device->ops->config_write(device, offset - BAR_DEVICE, &value,
					  length);
	pthread_mutex_unlock(&device->lock);
}

/* The BAR's registers by way of configuration space (4.1.4.9). */
void virtio_pci_cap_access(void *aux, uint8_t *body, unsigned int offset,
			   unsigned int length, bool write)
{
	struct virtio_pci_cfg_cap *cap = (struct virtio_pci_cfg_cap *)body;
	uint64_t value = 0;

	if (cap->cap.cfg_type != VIRTIO_PCI_CAP_PCI_CFG ||
	    offset + length <=
		    offsetof(struct virtio_pci_cfg_cap, pci_cfg_data) ||
	    cap->cap.bar ||
	    (cap->cap.length != 1 && cap->cap.length != 2 &&
	     cap->cap.length != 4) ||
	    cap->cap.offset % cap->cap.length || cap->cap.offset >= BAR_MSIX)
		return;
	if (write) {
		memcpy(&value, cap->pci_cfg_data, cap->cap.length);
		virtio_pci_write(aux, cap->cap.offset, cap->cap.length, value);
	} else {
		value = virtio_pci_read(aux, cap->cap.offset, cap->cap.length);
		memcpy(cap->pci_cfg_data, &value, cap->cap.length);
	}
}
