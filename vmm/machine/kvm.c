/* KVM: the VM, its memory, and interrupts that bypass our threads. */
#include "vmm/machine/kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/x86/cpu.h"

enum { PIC_PINS = 16, PINS = HYPERVISOR_FIRST_MSI_GSI };

/* KVM takes the routes of all interrupts at once only. */
struct kvm_routes {
	pthread_mutex_t lock;
	struct kvm_irq_routing table; /* followed by its entries */
	struct kvm_irq_routing_entry entries[PIC_PINS + HYPERVISOR_MAX_GSI];
};

static const struct {
	int number;
	const char *name;
} needed[] = {
	{ KVM_CAP_IRQCHIP, "interrupt chips" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
	{ KVM_CAP_IRQFD, "irqfd" },
	{ KVM_CAP_IOEVENTFD, "ioeventfd" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any length" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exits" },
	{ KVM_CAP_SIGNAL_MSI, "MSI" },
};

static void add_pin(struct kvm_routes *routes, unsigned int chip,
		    unsigned int pin)
{
	routes->entries[routes->table.nr++] = (struct kvm_irq_routing_entry){
		.gsi = pin,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip,
			       .pin = pin & (chip == 2 ? ~0u : 7u) },
	};
}

static struct kvm_routes *routes_create(void)
{
	struct kvm_routes *routes = xcalloc(1, sizeof(*routes));

	pthread_mutex_init(&routes->lock, NULL);
	for (unsigned int pin = 0; pin < PINS; pin++) {
		if (pin < PIC_PINS)
			add_pin(routes,
				pin < 8 ? KVM_IRQCHIP_PIC_MASTER
					: KVM_IRQCHIP_PIC_SLAVE,
				pin);
		add_pin(routes, KVM_IRQCHIP_IOAPIC, pin);
	}
	return routes;
}

static int route_msi(struct hypervisor *hypervisor, unsigned int gsi,
		     uint64_t addr, uint32_t data)
{
	struct kvm *kvm = CONTAINER_OF(hypervisor, struct kvm, hypervisor);
	struct kvm_routes *routes = kvm->routes;
	struct kvm_irq_routing_entry *entry, before;
	uint32_t i = 0;
	int error = 0;

	if (gsi < PINS || gsi >= HYPERVISOR_MAX_GSI)
		return -EINVAL;
	pthread_mutex_lock(&routes->lock);
	while (i < routes->table.nr && routes->entries[i].gsi != gsi)
		i++;
	entry = &routes->entries[i];
	before = *entry;
	if (i == routes->table.nr)
		routes->table.nr++;
	*entry = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = (uint32_t)addr,
			   .address_hi = (uint32_t)(addr >> 32),
			   .data = data },
	};
	if (ioctl(kvm->vm, KVM_SET_GSI_ROUTING, &routes->table)) {
		/* Left in, it would make every later change fail. */
		error = -errno;
		*entry = before;
		if (!before.type)
			routes->table.nr--;
	}
	pthread_mutex_unlock(&routes->lock);
	return error;
}

static int connect_irqfd(struct hypervisor *hypervisor, unsigned int gsi,
			 int fd, bool on)
{
	struct kvm *kvm = CONTAINER_OF(hypervisor, struct kvm, hypervisor);
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(kvm->vm, KVM_IRQFD, &irqfd) ? -errno : 0;
}

static int connect_ioeventfd(struct hypervisor *hypervisor, uint64_t addr,
			     int fd, bool on)
{
	struct kvm *kvm = CONTAINER_OF(hypervisor, struct kvm, hypervisor);
	struct kvm_ioeventfd ioeventfd = {
		.addr = addr,
		.fd = fd,
		.flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return ioctl(kvm->vm, KVM_IOEVENTFD, &ioeventfd) ? -errno : 0;
}

static int set_irq(struct hypervisor *hypervisor, unsigned int gsi, bool level)
{
	struct kvm *kvm = CONTAINER_OF(hypervisor, struct kvm, hypervisor);
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	return ioctl(kvm->vm, KVM_IRQ_LINE, &irq) ? -errno : 0;
}

static const struct hypervisor_ops ops = {
	.route_msi = route_msi,
	.connect_irqfd = connect_irqfd,
	.connect_ioeventfd = connect_ioeventfd,
	.set_irq = set_irq,
};

static int check(int kvm, char **errp)
{
	int version = ioctl(kvm, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION)
		return set_error(errp, -ENOTSUP,
				 "/dev/kvm is no KVM of version %d that this "
				 "program could use",
				 KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].number) <= 0)
			return set_error(errp, -ENOTSUP,
					 "this kernel's KVM has no %s: a newer "
					 "kernel is needed",
					 needed[i].name);
	}
	return 0;
}

static int set_memory(struct kvm *kvm, const struct guest_memory *memory,
		      char **errp)
{
	for (uint32_t i = 0; i < memory->n_regions; i++) {
		const struct guest_memory_region *r = &memory->regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = r->guest_addr,
			.memory_size = r->size,
			.userspace_addr = (uintptr_t)(memory->base + r->offset),
		};

		if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &slot))
			return set_error(errp, -errno,
					 "KVM does not take the guest's "
					 "memory: %s",
					 strerror(errno));
	}
	return 0;
}

int kvm_create(struct kvm *kvm, int kvm_fd, const struct guest_memory *memory,
	       char **errp)
{
	int error = check(kvm_fd, errp);

	*kvm = (struct kvm){ .hypervisor = { &ops }, .kvm = kvm_fd, .vm = -1 };
	if (error)
		return error;
	do
		kvm->vm = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	while (kvm->vm < 0 && errno == EINTR);
	if (kvm->vm < 0)
		return set_error(errp, -errno, "KVM makes no VM: %s",
				 strerror(errno));
	kvm->routes = routes_create();
	error = x86_vm_init(kvm->vm, errp);
	if (!error)
		error = set_memory(kvm, memory, errp);
	if (error)
		kvm_destroy(kvm);
	return error;
}

void kvm_destroy(struct kvm *kvm)
{
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->routes)
		pthread_mutex_destroy(&kvm->routes->lock);
	free(kvm->routes);
	*kvm = (struct kvm){ .vm = -1 };
}
