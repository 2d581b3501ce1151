/*
 * The machine's parts as the files of this folder share them. All of it
 * belongs to the control thread but where something else is said.
 */
#ifndef VMM_MACHINE_INTERNAL_H
#define VMM_MACHINE_INTERNAL_H

#include <event2/event.h>
#include <jansson.h>
#include <stdatomic.h>

#include "vmm/machine/kvm.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/snapshot.h"
#include "vmm/machine/vcpu.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio_pci.h"
#include "vmm/x86/chipset.h"
#include "vmm/x86/serial.h"

enum { MACHINE_MAX_DEVICES = PCI_SLOTS, MACHINE_MAX_FDS = 18 };

/* Of `info`, in this order. */
enum machine_state {
	MACHINE_STARTING,
	MACHINE_RUNNING,
	MACHINE_PAUSED,
	MACHINE_CRASHED,
	MACHINE_ENDED,
};

/* What vCPU threads ask of the control thread: bits. */
enum machine_wish {
	WISH_SETTLE = 1 << 0, /* a device's status was written */
	WISH_EJECTED = 1 << 1,
	WISH_POWER_OFF = 1 << 2,
	WISH_RESET = 1 << 3,
	WISH_PANICKED = 1 << 4,
	WISH_CRASHED = 1 << 5,
	WISH_BOOTED = 1 << 6,
	WISH_MEMORY = 1 << 7, /* all of a saved VM's memory is there */
};

struct machine_device {
	struct machine *machine;
	char id[16];		      /* "net0" */
	struct virtio_device *virtio; /* NULL: a free place */
	struct virtio_pci *pci;
	bool is_net;
	bool stopped;	      /* was active before it was saved */
	_Atomic bool ejected; /* set by a vCPU thread */
};

struct machine {
	const struct vm_config *config;
	struct machine_files *files;
	enum machine_state state;
	int status;    /* of the process */
	bool panicked; /* and told so */
	uint64_t started_us;
	struct guest_memory memory;
	struct kvm kvm;
	struct bus *mmio, *pio;
	struct pci_bus *pci;
	struct chipset *chipset;
	struct serial *serial;
	struct vcpus *vcpus;
	struct machine_device devices[MACHINE_MAX_DEVICES];
	json_t *first_chips; /* as at power-on, for a reset */
	json_t *saved;	     /* the VM to be restored, while starting */
	struct snapshot_restore *restore;

	struct event_base *control, *io;
	pthread_t io_thread;
	bool io_runs;
	struct event *link, *wake;
	int wake_fd;
	_Atomic unsigned int wishes; /* any thread */
	_Atomic uint64_t booted_us;  /* by a vCPU thread */
	_Atomic(char *) crash;	     /* the same; why */
};

/* machine.c */
/* Any thread. */
void machine_wish(struct machine *machine, enum machine_wish wish);
/* 0, or -errno with a message when the VM is in no state for it. */
int machine_pause(struct machine *machine, char **errp);
int machine_resume(struct machine *machine, char **errp);
int machine_reset(struct machine *machine, char **errp);
void machine_end(struct machine *machine, int status);

/* devices.c: what is plugged in. 0, or -errno with a message. */
int machine_add_devices(struct machine *machine, char **errp);
int machine_add_net(struct machine *machine, const struct vm_net *net,
		    const struct machine_net_files *files, char **errp);
/* Those of a restored VM get their back ends, when its memory is complete. */
void machine_connect_nets(struct machine *machine);
/* Asks the guest for it; `net-removed` is told when it has let go. */
int machine_eject_net(struct machine *machine, const char *id, char **errp);
struct machine_device *machine_find(struct machine *machine, const char *id);
void machine_settle(struct machine *machine);
void machine_remove_ejected(struct machine *machine);
void machine_remove_devices(struct machine *machine);
json_t *machine_devices_info(struct machine *machine);

/* save.c */
int machine_save(struct machine *machine, int state, int memory, char **errp);
/* Reads the state, before there are devices. */
int machine_load(struct machine *machine, char **errp);
/* The slot that a device was saved in; -1: none is known. */
int machine_saved_slot(const struct machine *machine, const char *id);
/* Gives all parts their saved state. */
int machine_restore(struct machine *machine, char **errp);
/* Devices that were stopped for being saved go on. */
void machine_restart_devices(struct machine *machine);

/* control.c: the link. */
int machine_open_link(struct machine *machine, char **errp);
void machine_close_link(struct machine *machine);
/* `more` is merged into the event; taken over, may be NULL. */
void machine_event(struct machine *machine, const char *name, json_t *more);

#endif
