/*
 * vCPU threads. One that is to pause is signalled out of KVM_RUN, or out of the
 * next (kvm_run.immediate_exit): only from there, when the last access has been
 * completed in the kernel, does it park.
 */
#include "vmm/machine/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/host/sandbox.h"
#include "vmm/x86/cpu.h"

LOG_MODULE(vcpu);

struct vcpu {
	struct vcpus *vcpus;
	int fd;
	pthread_t thread;
	struct kvm_run *run;
	_Atomic uint64_t n_exits;
};

struct vcpus {
	struct bus *mmio, *pio;
	const struct vcpu_ops *ops;
	void *aux;
	size_t run_size;
	unsigned int n, n_threads;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int n_running;
	bool paused, ending;
	struct vcpu list[];
};

/* Read by the kernel, in the vCPU's thread. */
static void set_immediate_exit(struct vcpu *vcpu, uint8_t on)
{
	__atomic_store_n(&vcpu->run->immediate_exit, on, __ATOMIC_SEQ_CST);
}

static void interrupted(int number)
{
	(void)number;
}

static void crash(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs regs = { .rip = 0 };
	char *why;

	vcpus_request_pause(vcpu->vcpus);
	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	why = xasprintf("%s (%#" PRIx64 ") at rip %#llx of CPU %td", what,
			detail, regs.rip, vcpu - vcpu->vcpus->list);
	vcpu->vcpus->ops->crashed(vcpu->vcpus->aux, why);
	free(why);
}

static void bus_access(struct bus *bus, bool write, uint64_t addr, void *data,
		       unsigned int length)
{
	if (write)
		bus_write(bus, addr, data, length);
	else
		bus_read(bus, addr, data, length);
}

static void port_access(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	/* A string instruction's accesses all go to the one port. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		bus_access(vcpu->vcpus->pio,
			   run->io.direction == KVM_EXIT_IO_OUT, run->io.port,
			   data, run->io.size);
}

/* Runs the guest up to its next exit. False when it was interrupted. */
static bool run(struct vcpu *vcpu)
{
	struct vcpus *vcpus = vcpu->vcpus;

	if (ioctl(vcpu->fd, KVM_RUN, 0)) {
		if (errno == EINTR)
			return false;
		/* EAGAIN: a CPU that waited for its start was woken. */
		if (errno != EAGAIN)
			crash(vcpu, "KVM cannot run the guest", errno);
		return true;
	}
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu->n_exits++;
		port_access(vcpu);
		break;
	case KVM_EXIT_MMIO:
		vcpu->n_exits++;
		bus_access(vcpus->mmio, vcpu->run->mmio.is_write,
			   vcpu->run->mmio.phys_addr, vcpu->run->mmio.data,
			   vcpu->run->mmio.len);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		vcpus_request_pause(vcpus);
		vcpus->ops->fault(vcpus->aux);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		crash(vcpu, "KVM cannot emulate what the guest does",
		      vcpu->run->internal.suberror);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		crash(vcpu, "the processor does not enter the guest",
		      vcpu->run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		crash(vcpu, "unknown exit from the guest",
		      vcpu->run->exit_reason);
	}
	return true;
}

/* Waits while paused. False when the thread is to end. */
static bool park(struct vcpus *vcpus)
{
	bool ending;

	pthread_mutex_lock(&vcpus->lock);
	vcpus->n_running--;
	pthread_cond_broadcast(&vcpus->changed);
	while (vcpus->paused && !vcpus->ending)
		pthread_cond_wait(&vcpus->changed, &vcpus->lock);
	ending = vcpus->ending;
	vcpus->n_running += !ending;
	pthread_mutex_unlock(&vcpus->lock);
	return !ending;
}

static void *vcpu_main(void *aux)
{
	struct vcpu *vcpu = aux;
	char *error = NULL;

	if (vm_sandbox_thread(VM_THREAD_VCPU, &error)) {
		log_err("%s", error);
		_exit(EXIT_FAILURE);
	}
	while (park(vcpu->vcpus)) {
		while (run(vcpu))
			;
	}
	return NULL;
}

static int create_one(struct vcpus *vcpus, struct kvm *kvm, unsigned int index,
		      char **errp)
{
	struct vcpu *vcpu = &vcpus->list[index];

	vcpu->vcpus = vcpus;
	vcpu->fd = ioctl(kvm->vm, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0)
		return set_error(errp, -errno, "KVM makes no vCPU %u: %s",
				 index, strerror(errno));
	vcpus->n++;
	vcpu->run = mmap(NULL, vcpus->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return set_error(errp, -errno, "vCPU %u cannot be mapped: %s",
				 index, strerror(errno));
	}
	set_immediate_exit(vcpu, 1);
	return 0;
}

struct vcpus *vcpus_create(struct kvm *kvm, unsigned int n, struct bus *mmio,
			   struct bus *pio, const struct vcpu_ops *ops,
			   void *aux, char **errp)
{
	struct vcpus *vcpus =
		xcalloc(1, sizeof(*vcpus) + n * sizeof(struct vcpu));
	int run_size = ioctl(kvm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int error = 0;

	*vcpus = (struct vcpus){ .mmio = mmio,
				 .pio = pio,
				 .ops = ops,
				 .aux = aux,
				 .run_size = (size_t)MAX(run_size, 0),
				 .paused = true };
	pthread_mutex_init(&vcpus->lock, NULL);
	pthread_cond_init(&vcpus->changed, NULL);
	for (unsigned int i = 0; i < n && !error; i++) {
		error = create_one(vcpus, kvm, i, errp);
		if (!error)
			error = x86_cpu_init(kvm->kvm, vcpus->list[i].fd, i, n,
					     errp);
	}
	if (!error)
		return vcpus;
	vcpus_destroy(vcpus);
	return NULL;
}

static void interrupt_all(struct vcpus *vcpus)
{
	for (unsigned int i = 0; i < vcpus->n_threads; i++) {
		set_immediate_exit(&vcpus->list[i], 1);
		pthread_kill(vcpus->list[i].thread, SIGUSR1);
	}
}

void vcpus_destroy(struct vcpus *vcpus)
{
	if (!vcpus)
		return;
	pthread_mutex_lock(&vcpus->lock);
	vcpus->ending = true;
	interrupt_all(vcpus);
	pthread_cond_broadcast(&vcpus->changed);
	pthread_mutex_unlock(&vcpus->lock);
	for (unsigned int i = 0; i < vcpus->n_threads; i++)
		pthread_join(vcpus->list[i].thread, NULL);
	for (unsigned int i = 0; i < vcpus->n; i++) {
		if (vcpus->list[i].run)
			munmap(vcpus->list[i].run, vcpus->run_size);
		close(vcpus->list[i].fd);
	}
	pthread_cond_destroy(&vcpus->changed);
	pthread_mutex_destroy(&vcpus->lock);
	free(vcpus);
}

int vcpus_start(struct vcpus *vcpus, char **errp)
{
	struct sigaction action = { .sa_handler = interrupted };
	int error = 0;

	sigaction(SIGUSR1, &action, NULL);
	pthread_mutex_lock(&vcpus->lock);
	for (unsigned int i = 0; i < vcpus->n && !error; i++) {
		error = pthread_create(&vcpus->list[i].thread, NULL, vcpu_main,
				       &vcpus->list[i]);
		if (!error)
			vcpus->n_threads++;
	}
	vcpus->n_running = vcpus->n_threads;
	pthread_mutex_unlock(&vcpus->lock);
	if (error)
		return set_error(errp, -error, "no thread for a vCPU: %s",
				 strerror(error));
	return 0;
}

void vcpus_resume(struct vcpus *vcpus)
{
	pthread_mutex_lock(&vcpus->lock);
	vcpus->paused = false;
	for (unsigned int i = 0; i < vcpus->n; i++)
		set_immediate_exit(&vcpus->list[i], 0);
	pthread_cond_broadcast(&vcpus->changed);
	pthread_mutex_unlock(&vcpus->lock);
}

void vcpus_request_pause(struct vcpus *vcpus)
{
	pthread_mutex_lock(&vcpus->lock);
	vcpus->paused = true;
	interrupt_all(vcpus);
	pthread_mutex_unlock(&vcpus->lock);
}

void vcpus_pause(struct vcpus *vcpus)
{
	vcpus_request_pause(vcpus);
	pthread_mutex_lock(&vcpus->lock);
	while (vcpus->n_running)
		pthread_cond_wait(&vcpus->changed, &vcpus->lock);
	pthread_mutex_unlock(&vcpus->lock);
}

int vcpus_fd(const struct vcpus *vcpus, unsigned int index)
{
	return vcpus->list[index].fd;
}

uint64_t vcpus_exits(const struct vcpus *vcpus)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < vcpus->n; i++)
		sum += vcpus->list[i].n_exits;
	return sum;
}
