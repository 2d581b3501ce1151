/* The PCI transport (virtio_pci.h): plugging in, interrupts, saved state. */
#include "vmm/virtio/virtio_pci_internal.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/machine/snapshot.h"

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
	int fd = pci_vector_fd(t->function, t->registers.config_vector);

	if (!(device->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	t->registers.isr |= ISR_CONFIG;
	if (fd >= 0)
		eventfd_write(fd, 1);
}

/* --- plugging in -----------------------------------------------------------
 */

static int plug(struct virtio_pci *t, struct pci_bus *bus, int slot, bool hot,
		char **errp)
{
	static const struct pci_function_ops ops = {
		.bar_read = virtio_pci_read,
		.bar_write = virtio_pci_write,
		.bar_mapped = bar_mapped,
		.cap_access = virtio_pci_cap_access,
	};
	/* Class and subclass; of others: none. */
	static const uint16_t classes[] = {
		[VIRTIO_ID_NET] = 0x0200,
		[VIRTIO_ID_BLOCK] = 0x0100,
		[VIRTIO_ID_CONSOLE] = 0x0780,
	};
	uint16_t type = t->device->type;
	uint32_t class = type < ARRAY_SIZE(classes) ? classes[type] : 0;
	/* All of the longest's length, as a driver has to accept. */
#define CAP(TYPE, OFFSET, LENGTH)                                              \
	{                                                                      \
		{ .cap_len = sizeof(struct virtio_pci_notify_cap),             \
		  .cfg_type = VIRTIO_PCI_CAP_##TYPE,                           \
		  .offset = (OFFSET),                                          \
		  .length = (LENGTH) },                                        \
			NOTIFY_STEP                                            \
	}
	const struct virtio_pci_notify_cap caps[] = {
		CAP(COMMON_CFG, BAR_COMMON,
		    sizeof(struct virtio_pci_common_cfg)),
		CAP(NOTIFY_CFG, BAR_NOTIFY, t->device->n_queues * NOTIFY_STEP),
		CAP(ISR_CFG, BAR_ISR, 1),
		CAP(PCI_CFG, 0, 0),
		CAP(DEVICE_CFG, BAR_DEVICE, t->device->config_size),
	};
	static const struct virtio_pci_cfg_cap writable = {
		.cap = { .bar = 0xff,
			 .offset = UINT32_MAX,
			 .length = UINT32_MAX },
		.pci_cfg_data = { 0xff, 0xff, 0xff, 0xff },
	};
	const struct pci_capability capabilities[] = {
		{ &caps[0], NULL, sizeof(caps[0]) },
		{ &caps[1], NULL, sizeof(caps[0]) },
		{ &caps[2], NULL, sizeof(caps[0]) },
		{ &caps[3], &writable, sizeof(caps[0]) },
		{ &caps[4], NULL, sizeof(caps[0]) },
	};
	const struct pci_function_config config = {
		.vendor = VENDOR,
		.device = FIRST_DEVICE + t->device->type,
		.subsystem_vendor = VENDOR,
		.subsystem = FIRST_DEVICE + t->device->type,
		.class_revision = (class ? class : 0xff00) << 16 | 1,
		.bar_size = BAR_SIZE,
		.msix_offset = BAR_MSIX,
		.n_vectors = t->device->n_queues + 1,
		.capabilities = capabilities,
		/* None for a configuration of no bytes. */
		.n_capabilities =
			ARRAY_SIZE(capabilities) - !t->device->config_size,
	};

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
	t->registers = VIRTIO_PCI_NO_REGISTERS;
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
	int kicks[VIRTIO_MAX_QUEUES];
	unsigned int n;

	pthread_mutex_lock(&device->lock);
	virtio_device_stop(device);
	device->config_changed = NULL;
	pthread_mutex_unlock(&device->lock);
	/* From here on no vCPU reaches the device. */
	pci_remove(t->function);
	for (unsigned int i = 0; i < device->n_queues; i++)
		kicks[i] = device->queues[i].kick_fd;
	n = device->n_queues;
	device->ops->destroy(device);
	/* Last: until then the I/O thread may be about to read one. */
	while (n)
		close(kicks[--n]);
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

/* Bytes of it for this device. */
static size_t saved_size(const struct virtio_device *device)
{
	return offsetof(struct virtio_pci_saved, queues) +
	       device->n_queues * sizeof(struct virtio_pci_saved_queue);
}

json_t *virtio_pci_save(struct virtio_pci *t)
{
	struct virtio_device *device = t->device;
	struct virtio_pci_saved saved = { 0 };
	json_t *state, *own = NULL;

	pthread_mutex_lock(&device->lock);
	saved.registers = t->registers;
	saved.negotiated = device->negotiated;
	saved.status = device->status;
	saved.generation = device->config_generation;
	for (unsigned int i = 0; i < device->n_queues; i++) {
		const struct virtio_queue *queue = &device->queues[i];

		saved.queues[i] = (struct virtio_pci_saved_queue){
			queue->desc, queue->avail,  queue->used,    queue->base,
			queue->size, queue->vector, queue->enabled,
		};
	}
	if (device->ops->save)
		own = device->ops->save(device);
	pthread_mutex_unlock(&device->lock);
	state = json_pack("{s:o, s:o}", "registers",
			  snapshot_bytes(&saved, saved_size(device)), "pci",
			  pci_function_save(t->function));
	json_object_set_new(state, "device", own);
	return state;
}

/* With the device's lock. */
static int restore_registers(struct virtio_pci *t, const json_t *state,
			     char **errp)
{
	struct virtio_device *device = t->device;
	struct virtio_pci_saved saved;
	bool fits = !snapshot_from_bytes(json_object_get(state, "registers"),
					 &saved, saved_size(device));

	for (unsigned int i = 0; i < device->n_queues && fits; i++)
		fits = saved.queues[i].size <= device->queues[i].max_size;
	/* Otherwise they could be negotiated again, with rings that run. */
	if (fits)
		fits = !(saved.status & VIRTIO_CONFIG_S_FEATURES_OK) ==
		       !saved.negotiated;
	if (!fits)
		return set_error(errp, -EINVAL,
				 "the saved state of virtio-%s is not that of "
				 "this device",
				 device->ops->name);
	if (saved.negotiated &&
	    !virtio_device_negotiate(device, saved.negotiated))
		return set_error(errp, -EINVAL,
				 "virtio-%s cannot do all that it could when "
				 "the VM was saved (features %#jx, now %#jx)",
				 device->ops->name, (uintmax_t)saved.negotiated,
				 (uintmax_t)device->offered);
	for (unsigned int i = 0; i < device->n_queues; i++) {
		const struct virtio_pci_saved_queue *from = &saved.queues[i];
		struct virtio_queue *queue = &device->queues[i];

		queue->desc = from->desc;
		queue->avail = from->avail;
		queue->used = from->used;
		queue->base = from->base;
		queue->size = from->size;
		queue->enabled = from->enabled == 1;
		queue->vector = virtio_pci_vector(t, from->vector);
		queue->call_fd = pci_vector_fd(t->function, queue->vector);
	}
	t->registers = saved.registers;
	t->registers.config_vector =
		virtio_pci_vector(t, saved.registers.config_vector);
	device->status = saved.status;
	device->config_generation = saved.generation;
	return 0;
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
	/* A kick that nobody had taken was not saved. */
	for (unsigned int i = 0; i < device->n_queues; i++)
		if (device->queues[i].enabled)
			virtio_pci_kick(device, i);
	return 0;
}
