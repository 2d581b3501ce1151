/* The PCI transport (virtio_pci.h): plugging in, interrupts, saved state. */
#include "vmm/virtio/virtio_pci_internal.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(virtio);

static void connect_kicks(struct virtio_pci *t, uint64_t addr, bool on)
{
	struct virtio_device *device = t->device;
	struct hypervisor *hv = t->hypervisor;

	for (unsigned int i = 0; i < device->n_queues; i++) {
		uint64_t at = addr + BAR_NOTIFY + i * NOTIFY_STEP;
		int error = hv->ops->connect_ioeventfd(
			hv, at, device->queues[i].kick_fd, on);

		if (error)
			log_warn_limited("%s: queue %u: ioeventfd: %s",
					 device->ops->name, i,
					 strerror(-error));
	}
}

static void bar_mapped(void *aux, uint64_t addr)
{
	struct virtio_pci *t = aux;

	if (t->mapped)
		connect_kicks(t, t->mapped, false);
	t->mapped = addr;
	if (addr)
		connect_kicks(t, addr, true);
}

static void config_changed(struct virtio_device *device)
{
	struct virtio_pci *t = device->transport;
	int fd = pci_vector_fd(t->function, t->config_vector);
	uint64_t one = 1;

	if (!(device->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	t->isr |= ISR_CONFIG;
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		log_warn_limited("%s: interrupt: %s", device->ops->name,
				 strerror(errno));
}

/* --- plugging in -----------------------------------------------------------
 */

#define CAP(TYPE, OFFSET, LENGTH)                                              \
	{                                                                      \
		.cap_len = sizeof(struct virtio_pci_cap), .cfg_type = (TYPE),  \
		.offset = (OFFSET), .length = (LENGTH)                         \
	}

static uint32_t class_of(uint16_t type)
{
	switch (type) {
	case VIRTIO_ID_NET:
		return 0x020000;
	case VIRTIO_ID_BLOCK:
		return 0x010000;
	case VIRTIO_ID_CONSOLE:
		return 0x078000;
	default:
		return 0xff0000;
	}
}

static int plug(struct virtio_pci *t, struct pci_bus *bus, int slot, bool hot,
		char **errp)
{
	static const struct pci_function_ops ops = {
		.bar_read = virtio_pci_read,
		.bar_write = virtio_pci_write,
		.bar_mapped = bar_mapped,
		.cap_access = virtio_pci_cap_access,
	};
	static const struct virtio_pci_cap common =
		CAP(VIRTIO_PCI_CAP_COMMON_CFG, BAR_COMMON,
		    sizeof(struct virtio_pci_common_cfg));
	static const struct virtio_pci_cap isr =
		CAP(VIRTIO_PCI_CAP_ISR_CFG, BAR_ISR, 1);
	const struct virtio_pci_cap device = CAP(
		VIRTIO_PCI_CAP_DEVICE_CFG, BAR_DEVICE, t->device->config_size);
	struct virtio_pci_notify_cap notify = {
		.cap = CAP(VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_NOTIFY,
			   t->device->n_queues * NOTIFY_STEP),
		.notify_off_multiplier = NOTIFY_STEP,
	};
	struct virtio_pci_cfg_cap access = {
		.cap = CAP(VIRTIO_PCI_CAP_PCI_CFG, 0, 0),
	};
	static const struct virtio_pci_cfg_cap writable = {
		.cap = { .bar = 0xff,
			 .offset = UINT32_MAX,
			 .length = UINT32_MAX },
		.pci_cfg_data = { 0xff, 0xff, 0xff, 0xff },
	};
	const struct pci_capability capabilities[] = {
		{ &common, NULL, sizeof(common) },
		{ &notify, NULL, sizeof(notify) },
		{ &isr, NULL, sizeof(isr) },
		{ &access, &writable, sizeof(access) },
		{ &device, NULL, sizeof(device) },
	};
	const struct pci_function_config config = {
		.vendor = VENDOR,
		.device = FIRST_DEVICE + t->device->type,
		.subsystem_vendor = VENDOR,
		.subsystem = FIRST_DEVICE + t->device->type,
		.class_revision = class_of(t->device->type) << 8 | 1,
		.bar_size = BAR_SIZE,
		.msix_offset = BAR_MSIX,
		.n_vectors = t->device->n_queues + 1,
		.capabilities = capabilities,
		/* None for a configuration of no bytes. */
		.n_capabilities =
			ARRAY_SIZE(capabilities) - !t->device->config_size,
	};

	notify.cap.cap_len = sizeof(notify);
	access.cap.cap_len = sizeof(access);
	return pci_add(bus, slot, hot, &config, &ops, t, &t->function, errp);
}

static void close_kicks(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->n_queues; i++) {
		if (device->queues[i].kick_fd >= 0)
			close(device->queues[i].kick_fd);
		device->queues[i].kick_fd = -1;
	}
}

struct virtio_pci *virtio_pci_create(struct pci_bus *bus, int slot, bool hot,
				     struct hypervisor *hypervisor,
				     struct virtio_device *device,
				     void (*wake)(struct virtio_device *),
				     char **errp)
{
	struct virtio_pci *t = xcalloc(1, sizeof(*t));

	t->device = device;
	t->hypervisor = hypervisor;
	virtio_pci_reset_registers(t);
	for (unsigned int i = 0; i < device->n_queues; i++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		device->queues[i].kick_fd = fd;
		if (fd < 0) {
			set_error(errp, -errno, "virtio-%s: eventfd: %s",
				  device->ops->name, strerror(errno));
			goto fail;
		}
	}
	device->transport = t;
	device->wake = wake;
	device->config_changed = config_changed;
	if (!plug(t, bus, slot, hot, errp))
		return t;
	device->config_changed = NULL;
fail:
	close_kicks(device);
	free(t);
	return NULL;
}

void virtio_pci_destroy(struct virtio_pci *t)
{
	struct virtio_device *device = t->device;

	pthread_mutex_lock(&device->lock);
	virtio_device_stop(device);
	device->config_changed = NULL;
	pthread_mutex_unlock(&device->lock);
	/* From here on no vCPU reaches the device. */
	pci_remove(t->function);
	close_kicks(device);
	device->ops->destroy(device);
	free(t);
}

struct pci_function *virtio_pci_function(struct virtio_pci *t)
{
	return t->function;
}

void virtio_pci_reset(struct virtio_pci *t)
{
	struct virtio_device *device = t->device;

	pthread_mutex_lock(&device->lock);
	virtio_pci_write_status(t, 0);
	pthread_mutex_unlock(&device->lock);
	virtio_device_settle(device);
}

/* --- saved -----------------------------------------------------------------
 */

static json_t *save_queue(const struct virtio_queue *queue)
{
	return json_pack("{s:i, s:i, s:b, s:I, s:I, s:I, s:I}", "size",
			 queue->size, "vector", queue->vector, "enabled",
			 queue->enabled, "desc", (json_int_t)queue->desc,
			 "avail", (json_int_t)queue->avail, "used",
			 (json_int_t)queue->used, "base",
			 (json_int_t)queue->base);
}

json_t *virtio_pci_save(struct virtio_pci *t)
{
	struct virtio_device *device = t->device;
	json_t *queues = json_array(), *state;

	pthread_mutex_lock(&device->lock);
	for (unsigned int i = 0; i < device->n_queues; i++)
		json_array_append_new(queues, save_queue(&device->queues[i]));
	state = json_pack(
		"{s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:I, s:o}",
		"device_feature_select", (json_int_t)t->device_feature_select,
		"driver_feature_select", (json_int_t)t->driver_feature_select,
		"driver_features", (json_int_t)t->driver_features,
		"config_vector", t->config_vector, "queue_select",
		t->queue_select, "isr", t->isr, "status", device->status,
		"generation", device->config_generation, "negotiated",
		(json_int_t)device->negotiated, "queues", queues);
	if (device->ops->save)
		json_object_set_new(state, "device", device->ops->save(device));
	pthread_mutex_unlock(&device->lock);
	json_object_set_new(state, "pci", pci_function_save(t->function));
	return state;
}

static int restore_queue(struct virtio_pci *t, struct virtio_queue *queue,
			 const json_t *state)
{
	json_int_t desc, avail, used, base;
	int size, vector, enabled;

	if (json_unpack((json_t *)state, "{s:i, s:i, s:b, s:I, s:I, s:I, s:I}",
			"size", &size, "vector", &vector, "enabled", &enabled,
			"desc", &desc, "avail", &avail, "used", &used, "base",
			&base) ||
	    size < 0 || size > queue->max_size)
		return -EINVAL;
	queue->size = size;
	queue->vector = virtio_pci_vector(t, vector);
	queue->call_fd = pci_vector_fd(t->function, queue->vector);
	queue->enabled = enabled;
	queue->desc = desc;
	queue->avail = avail;
	queue->used = used;
	queue->base = base;
	return 0;
}

/* With the device's lock. */
static int restore_registers(struct virtio_pci *t, const json_t *state,
			     char **errp)
{
	int config_vector, queue_select, isr, status, generation;
	json_int_t device_select, driver_select, features, negotiated;
	struct virtio_device *device = t->device;
	json_t *queues;

	if (json_unpack((json_t *)state,
			"{s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:I, s:o}",
			"device_feature_select", &device_select,
			"driver_feature_select", &driver_select,
			"driver_features", &features, "config_vector",
			&config_vector, "queue_select", &queue_select, "isr",
			&isr, "status", &status, "generation", &generation,
			"negotiated", &negotiated, "queues", &queues) ||
	    json_array_size(queues) != device->n_queues)
		return set_error(errp, -EINVAL,
				 "the saved state of virtio-%s is not that of "
				 "this device",
				 device->ops->name);
	/* Otherwise they could be negotiated again, with rings that run. */
	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK) != !negotiated)
		return set_error(errp, -EINVAL,
				 "the saved status %#x of virtio-%s does not "
				 "go with its features %#llx",
				 status, device->ops->name,
				 (unsigned long long)negotiated);
	if (negotiated && !virtio_device_negotiate(device, negotiated))
		return set_error(errp, -EINVAL,
				 "virtio-%s cannot do all that it could when "
				 "the VM was saved (features %llx, now %llx)",
				 device->ops->name,
				 (unsigned long long)negotiated,
				 (unsigned long long)device->offered);
	for (unsigned int i = 0; i < device->n_queues; i++)
		if (restore_queue(t, &device->queues[i],
				  json_array_get(queues, i)))
			return set_error(errp, -EINVAL,
					 "the saved queue %u of virtio-%s is "
					 "not one of this device",
					 i, device->ops->name);
	t->device_feature_select = device_select;
	t->driver_feature_select = driver_select;
	t->driver_features = features;
	t->config_vector = virtio_pci_vector(t, config_vector);
	t->queue_select = queue_select;
	t->isr = isr;
	device->status = status;
	device->config_generation = generation;
	return 0;
}

/* A kick that nobody had taken was not saved. */
static void kick_all(struct virtio_device *device)
{
	for (unsigned int i = 0; i < device->n_queues; i++)
		if (device->queues[i].enabled)
			virtio_pci_kick(device, i);
}

int virtio_pci_restore(struct virtio_pci *t, const json_t *state, char **errp)
{
	const json_t *own = json_object_get(state, "device");
	struct virtio_device *device = t->device;
	int error = pci_function_restore(t->function,
					 json_object_get(state, "pci"), errp);

	if (error)
		return error;
	pthread_mutex_lock(&device->lock);
	error = restore_registers(t, state, errp);
	if (!error && device->ops->restore)
		error = device->ops->restore(device, own, errp);
	device->wanted_status = device->status;
	device->unsettled =
		!error && !(device->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	pthread_mutex_unlock(&device->lock);
	if (error)
		return error;
	virtio_device_settle(device);
	kick_all(device);
	return 0;
}
