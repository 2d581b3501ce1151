/*
 * The life of a VM: its parts are made and connected, the guest is started,
 * reset and ended. What vCPU threads cannot do themselves they leave as a wish
 * for the control thread, which runs this file's loop.
 */
#include <errno.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/host/sandbox.h"
#include "vmm/machine/internal.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/cpu.h"
#include "vmm/x86/layout.h"

LOG_MODULE(machine);

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void machine_wish(struct machine *machine, enum machine_wish wish)
{
	atomic_fetch_or(&machine->wishes, wish);
	eventfd_write(machine->wake_fd, 1);
}

/* --- what vCPU threads ask for -------------------------------------------- */

static void on_power_off(void *aux)
{
	struct machine *machine = aux;

	vcpus_request_pause(machine->vcpus);
	machine_wish(machine, WISH_POWER_OFF);
}

static void on_reset(void *aux)
{
	struct machine *machine = aux;

	vcpus_request_pause(machine->vcpus);
	machine_wish(machine, WISH_RESET);
}

static void on_panicked(void *aux)
{
	machine_wish(aux, WISH_PANICKED);
}

static const struct chipset_ops chipset_ops = { on_power_off, on_reset,
						on_panicked };

static void on_crashed(void *aux, const char *why)
{
	struct machine *machine = aux;

	free(atomic_exchange(&machine->crash, xstrdup(why)));
	machine_wish(machine, WISH_CRASHED);
}

static const struct vcpu_ops vcpu_ops = { on_reset, on_crashed };

static uint64_t boot_timer_read(void *aux, uint64_t offset, unsigned int length)
{
	return UINT64_MAX;
}

static void boot_timer_write(void *aux, uint64_t offset, unsigned int length,
			     uint64_t value)
{
	struct machine *machine = aux;

	uint64_t none = 0;

	/* Once a boot: a guest may write here as often as it likes. */
	if (atomic_compare_exchange_strong(&machine->booted_us, &none,
					   clock_us(CLOCK_MONOTONIC)))
		machine_wish(machine, WISH_BOOTED);
}

/* --- states --------------------------------------------------------------- */

int machine_pause(struct machine *machine, char **errp)
{
	if (machine->state != MACHINE_RUNNING)
		return set_error(errp, -EINVAL,
				 machine->state == MACHINE_PAUSED
					 ? "it is paused already"
					 : "it does not run");
	vcpus_pause(machine->vcpus);
	machine->state = MACHINE_PAUSED;
	machine_event(machine, "paused", NULL);
	return 0;
}

int machine_resume(struct machine *machine, char **errp)
{
	if (machine->state != MACHINE_PAUSED)
		return set_error(errp, -EINVAL, "the VM is not paused");
	machine_restart_devices(machine);
	machine->state = MACHINE_RUNNING;
	vcpus_resume(machine->vcpus);
	machine_event(machine, "resumed", NULL);
	return 0;
}

void machine_end(struct machine *machine, int status)
{
	machine->state = MACHINE_ENDED;
	machine->status = status;
	event_base_loopbreak(machine->control);
}

/* The kernel is where it is to start, and the first vCPU there. */
static int load_kernel(struct machine *machine, char **errp)
{
	const struct vm_config *config = machine->config;
	struct boot_entry entry;
	uint64_t rsdp = acpi_write_tables(&machine->memory, config->cpus);
	int error = boot_load(&machine->memory, machine->files->kernel,
			      machine->files->initrd,
			      config->append ? config->append : "", rsdp,
			      &entry, errp);

	if (error)
		return error;
	return x86_cpu_set_entry(vcpus_fd(machine->vcpus, 0), &entry, errp);
}

int machine_reset(struct machine *machine, char **errp)
{
	int error = 0;

	vcpus_pause(machine->vcpus);
	machine_restart_devices(machine);
	for (size_t i = 0; i < MACHINE_MAX_DEVICES; i++) {
		if (machine->devices[i].pci)
			virtio_pci_reset(machine->devices[i].pci);
	}
	pci_bus_reset(machine->pci);
	machine_remove_ejected(machine);
	chipset_reset(machine->chipset);
	if (machine->serial)
		serial_reset(machine->serial);
	error = x86_vm_restore(machine->kvm.vm, machine->first_chips, errp);
	for (unsigned int i = 0; i < machine->config->cpus && !error; i++)
		error = x86_cpu_reset(vcpus_fd(machine->vcpus, i), i, errp);
	if (!error)
		error = load_kernel(machine, errp);
	if (error)
		return error;
	/* What the guest wished before is void. */
	atomic_fetch_and(&machine->wishes, WISH_MEMORY);
	if (machine->state == MACHINE_CRASHED)
		machine->state = MACHINE_RUNNING;
	machine->panicked = false;
	machine->booted_us = 0;
	machine_event(machine, "reset", NULL);
	if (machine->state == MACHINE_RUNNING)
		vcpus_resume(machine->vcpus);
	return 0;
}

static void crashed(struct machine *machine, char *why)
{
	vcpus_pause(machine->vcpus);
	machine->state = MACHINE_CRASHED;
	log_err("the guest crashed: %s", why);
	machine_event(machine, "crashed", json_pack("{ss}", "why", why));
	free(why);
}

static void memory_complete(struct machine *machine)
{
	char *error = NULL;

	if (snapshot_restore_wait(machine->restore, &error))
		crashed(machine, error);
	else
		machine_connect_nets(machine);
	machine->restore = NULL;
}

static void carry_out(evutil_socket_t fd, short what, void *aux)
{
	struct machine *machine = aux;
	unsigned int wishes;
	eventfd_t count;
	char *error = NULL, *why;

	eventfd_read(machine->wake_fd, &count);
	wishes = atomic_exchange(&machine->wishes, 0);
	if (wishes & WISH_MEMORY)
		memory_complete(machine);
	if (wishes & WISH_SETTLE)
		machine_settle(machine);
	if (wishes & WISH_EJECTED)
		machine_remove_ejected(machine);
	if (wishes & WISH_BOOTED)
		machine_event(machine, "boot",
			      json_pack("{sI}", "us",
					(json_int_t)(machine->booted_us -
						     machine->started_us)));
	if (wishes & WISH_PANICKED && !machine->panicked) {
		machine->panicked = true; /* once, until it is reset */
		machine_event(machine, "panicked", NULL);
	}
	/* Of several CPUs the last one's words are left for the first wish. */
	why = wishes & WISH_CRASHED ? atomic_exchange(&machine->crash, NULL)
				    : NULL;
	if (why)
		crashed(machine, why);
	if (wishes & WISH_POWER_OFF) {
		vcpus_pause(machine->vcpus);
		machine_event(machine, "shutdown", NULL);
		machine_end(machine, EXIT_SUCCESS);
	} else if (wishes & WISH_RESET && machine_reset(machine, &error)) {
		crashed(machine, error);
	}
}

/* --- making it ------------------------------------------------------------ */

static int make_loops(struct machine *machine, char **errp)
{
	if (evthread_use_pthreads())
		return set_error(errp, -ENOMEM, "libevent has no threads");
	machine->control = event_base_new();
	machine->io = event_base_new();
	machine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!machine->control || !machine->io || machine->wake_fd < 0)
		return set_error(errp, -errno, "no event loop: %s",
				 strerror(errno));
	machine->wake = event_new(machine->control, machine->wake_fd,
				  EV_READ | EV_PERSIST, carry_out, machine);
	event_add(machine->wake, NULL);
	return 0;
}

static int make_board(struct machine *machine, char **errp)
{
	const struct vm_config *config = machine->config;
	struct bus_device timer = { boot_timer_read, boot_timer_write,
				    machine };
	int error;

	error = guest_memory_create(&machine->memory, config->memory_mib << 20,
				    config->hugepages, errp);
	if (error)
		return error;
	error = kvm_create(&machine->kvm, machine->files->kvm, &machine->memory,
			   errp);
	if (error)
		return error;
	machine->mmio = bus_create();
	machine->pio = bus_create();
	machine->pci = pci_bus_create(machine->mmio, machine->pio,
				      &machine->kvm.hypervisor);
	machine->chipset =
		chipset_create(machine->pio, &machine->kvm.hypervisor,
			       machine->pci, &chipset_ops, machine);
	machine->serial = serial_create(machine->pio, &machine->kvm.hypervisor,
					machine->io, machine->files->serial);
	if (config->boot_timer)
		bus_add(machine->mmio, LAYOUT_BOOT_TIMER, 8, &timer);
	machine->vcpus =
		vcpus_create(&machine->kvm, config->cpus, machine->mmio,
			     machine->pio, &vcpu_ops, machine, errp);
	return machine->vcpus ? 0 : -ENODEV;
}

static void *io_main(void *aux)
{
	struct machine *machine = aux;
	char *error = NULL;

	if (vm_sandbox_thread(VM_THREAD_IO, &error)) {
		log_err("%s", error);
		_exit(EXIT_FAILURE);
	}
	event_base_loop(machine->io, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static int start_threads(struct machine *machine, char **errp)
{
	int error = pthread_create(&machine->io_thread, NULL, io_main, machine);

	if (error)
		return set_error(errp, -error, "no I/O thread: %s",
				 strerror(error));
	machine->io_runs = true;
	return vcpus_start(machine->vcpus, errp);
}

static int make(struct machine *machine, int (*confine)(char **errp),
		char **errp)
{
	int error = make_loops(machine, errp);

	if (!error)
		error = machine_open_link(machine, errp);
	if (!error && machine->files->restore_state >= 0)
		error = machine_load(machine, errp);
	if (!error)
		error = make_board(machine, errp);
	if (!error)
		error = machine_add_devices(machine, errp);
	if (!error)
		error = confine(errp);
	if (error)
		return error;
	/* Files that somebody else wrote are read shut in. */
	machine->first_chips = x86_vm_save(machine->kvm.vm, errp);
	if (!machine->first_chips)
		return -EIO;
	error = machine->saved ? machine_restore(machine, errp)
			       : load_kernel(machine, errp);
	if (!error)
		error = start_threads(machine, errp);
	return error ? error : vm_sandbox_thread(VM_THREAD_CONTROL, errp);
}

static void run(struct machine *machine)
{
	uint64_t cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);

	machine->state = MACHINE_RUNNING;
	machine_event(machine, "started",
		      json_pack("{sI}", "cpu_us", (json_int_t)cpu_us));
	vcpus_resume(machine->vcpus);
	event_base_dispatch(machine->control);
}

static void unmake(struct machine *machine)
{
	vcpus_destroy(machine->vcpus);
	if (machine->io_runs) {
		/* A break would be forgotten by a loop not begun yet. */
		event_base_loopexit(machine->io, NULL);
		pthread_join(machine->io_thread, NULL);
	}
	snapshot_restore_wait(machine->restore, NULL);
	machine_remove_devices(machine);
	serial_destroy(machine->serial);
	chipset_destroy(machine->chipset);
	if (machine->pci)
		pci_bus_destroy(machine->pci);
	bus_destroy(machine->mmio);
	bus_destroy(machine->pio);
	kvm_destroy(&machine->kvm);
	guest_memory_destroy(&machine->memory);
	json_decref(machine->first_chips);
	json_decref(machine->saved);
	machine_close_link(machine);
	if (machine->wake)
		event_free(machine->wake);
	if (machine->io)
		event_base_free(machine->io);
	if (machine->control)
		event_base_free(machine->control);
	if (machine->wake_fd >= 0)
		close(machine->wake_fd);
	free(machine->crash);
}

int machine_main(const struct vm_config *config, struct machine_files *files,
		 int (*confine)(char **errp))
{
	struct machine machine = {
		.config = config,
		.files = files,
		.status = EXIT_FAILURE,
		.started_us = clock_us(CLOCK_MONOTONIC),
		.memory = { .fd = -1 },
		.kvm = { .vm = -1 },
		.wake_fd = -1,
	};
	char *error = NULL;

	if (make(&machine, confine, &error)) {
		log_err("%s", error);
		machine_event(&machine, "crashed",
			      json_pack("{ss}", "why", error));
		free(error);
	} else {
		run(&machine);
	}
	unmake(&machine);
	return machine.status;
}
