/* The PCI transport's registers (virtio 1.2, 4.1.4), as a guest's driver reads
 * and writes them. */
#include "vmm/virtio/virtio_pci_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(virtio);

#define COMMON(FIELD) offsetof(struct virtio_pci_common_cfg, FIELD)

static uint32_t half(uint64_t value, uint32_t select)
{
	return select > 1 ? 0 : value >> 32 * select;
}

static struct virtio_queue *selected(struct virtio_pci *transport)
{
	struct virtio_device *device = transport->device;

	return transport->queue_select < device->n_queues
		       ? &device->queues[transport->queue_select]
		       : NULL;
}

/* All registers as they are now (virtio 1.2, 4.1.4.3): little-endian. */
static void fill_common(struct virtio_pci *t, struct virtio_pci_common_cfg *c)
{
	const struct virtio_device *device = t->device;
	const struct virtio_queue *queue = selected(t);

	*c = (struct virtio_pci_common_cfg){
		.device_feature_select = t->device_feature_select,
		.device_feature =
			half(device->offered, t->device_feature_select),
		.guest_feature_select = t->driver_feature_select,
		.guest_feature =
			half(t->driver_features, t->driver_feature_select),
		.msix_config = t->config_vector,
		.num_queues = device->n_queues,
		.device_status = device->status,
		.config_generation = device->config_generation,
		.queue_select = t->queue_select,
		.queue_msix_vector = VIRTIO_MSI_NO_VECTOR,
	};
	if (!queue)
		return;
	c->queue_size = queue->size;
	c->queue_msix_vector = queue->vector;
	c->queue_enable = queue->enabled;
	c->queue_notify_off = queue->index;
	c->queue_desc_lo = (uint32_t)queue->desc;
	c->queue_desc_hi = queue->desc >> 32;
	c->queue_avail_lo = (uint32_t)queue->avail;
	c->queue_avail_hi = queue->avail >> 32;
	c->queue_used_lo = (uint32_t)queue->used;
	c->queue_used_hi = queue->used >> 32;
}

uint64_t virtio_pci_read(void *aux, uint64_t offset, unsigned int length)
{
	struct virtio_pci *t = aux;
	struct virtio_device *device = t->device;
	struct virtio_pci_common_cfg common;
	uint64_t value = 0;

	pthread_mutex_lock(&device->lock);
	if (offset + length <= sizeof(common)) {
		fill_common(t, &common);
		memcpy(&value, (uint8_t *)&common + offset, length);
	} else if (offset == BAR_ISR) {
		value = t->isr;
		t->isr = 0;
	} else if (offset >= BAR_DEVICE &&
		   offset - BAR_DEVICE + length <= device->config_size) {
		memcpy(&value, (uint8_t *)device->config + offset - BAR_DEVICE,
		       length);
	}
	pthread_mutex_unlock(&device->lock);
	return value;
}

/* --- the driver writes -----------------------------------------------------
 */

static bool is_resetting(const struct virtio_device *device)
{
	return device->unsettled && !device->wanted_status;
}

void virtio_pci_reset_registers(struct virtio_pci *t)
{
	t->device_feature_select = t->driver_feature_select = 0;
	t->driver_features = 0;
	t->config_vector = VIRTIO_MSI_NO_VECTOR;
	t->queue_select = 0;
	t->isr = 0;
}

void virtio_pci_write_status(struct virtio_pci *t, uint8_t status)
{
	struct virtio_device *device = t->device;

	if (is_resetting(device))
		return;
	/* Not accepted is read as not set (virtio 1.2, 3.1.1). */
	if (status & ~device->status & VIRTIO_CONFIG_S_FEATURES_OK &&
	    !virtio_device_negotiate(device, t->driver_features))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!status)
		virtio_pci_reset_registers(t);
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

static void set_low(uint64_t *addr, uint32_t value)
{
	*addr = (*addr & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *addr, uint32_t value)
{
	*addr = (*addr & UINT32_MAX) | (uint64_t)value << 32;
}

/* Before the queue is enabled, and between FEATURES_OK and DRIVER_OK. */
static void set_up_queue(struct virtio_pci *t, struct virtio_queue *queue,
			 uint64_t offset, uint32_t value)
{
	const struct virtio_device *device = t->device;

	if (queue->enabled || device->active || device->unsettled ||
	    !(device->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    device->status & VIRTIO_CONFIG_S_DRIVER_OK)
		return;
	switch (offset) {
	case COMMON(queue_size):
		if (value && value <= queue->max_size)
			queue->size = value;
		break;
	case COMMON(queue_enable):
		queue->enabled = value == 1;
		break;
	case COMMON(queue_desc_lo):
		set_low(&queue->desc, value);
		break;
	case COMMON(queue_desc_hi):
		set_high(&queue->desc, value);
		break;
	case COMMON(queue_avail_lo):
		set_low(&queue->avail, value);
		break;
	case COMMON(queue_avail_hi):
		set_high(&queue->avail, value);
		break;
	case COMMON(queue_used_lo):
		set_low(&queue->used, value);
		break;
	case COMMON(queue_used_hi):
		set_high(&queue->used, value);
		break;
	}
}

static void write_common(struct virtio_pci *t, uint64_t offset, uint32_t value)
{
	struct virtio_queue *queue = selected(t);

	switch (offset) {
	case COMMON(device_feature_select):
		t->device_feature_select = value;
		break;
	case COMMON(guest_feature_select):
		t->driver_feature_select = value;
		break;
	case COMMON(guest_feature):
		if (t->driver_feature_select == 0)
			set_low(&t->driver_features, value);
		else if (t->driver_feature_select == 1)
			set_high(&t->driver_features, value);
		break;
	case COMMON(msix_config):
		t->config_vector = virtio_pci_vector(t, value);
		break;
	case COMMON(device_status):
		virtio_pci_write_status(t, value);
		break;
	case COMMON(queue_select):
		t->queue_select = value;
		break;
	case COMMON(queue_msix_vector):
		if (queue)
			set_queue_vector(t, queue, value);
		break;
	default:
		if (queue)
			set_up_queue(t, queue, offset, value);
	}
}

/* The registers' sizes (4.1.3.1: a driver keeps to them). */
static unsigned int common_size(uint64_t offset)
{
	switch (offset) {
	case COMMON(device_status):
		return 1;
	case COMMON(msix_config):
	case COMMON(queue_select):
	case COMMON(queue_size):
	case COMMON(queue_msix_vector):
	case COMMON(queue_enable):
		return 2;
	default:
		return 4;
	}
}

void virtio_pci_kick(struct virtio_device *device, unsigned int index)
{
	uint64_t one = 1;

	device->n_kicks++;
	if (write(device->queues[index].kick_fd, &one, sizeof(one)) < 0)
		log_warn_limited("%s: queue %u: kick: %s", device->ops->name,
				 index, strerror(errno));
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
	if (offset < sizeof(struct virtio_pci_common_cfg)) {
		if (length == common_size(offset))
			write_common(t, offset, value);
	} else if (offset >= BAR_DEVICE && device->ops->config_write &&
		   offset - BAR_DEVICE + length <= device->config_size) {
		device->ops->config_write(device, offset - BAR_DEVICE, &value,
					  length);
	}
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
