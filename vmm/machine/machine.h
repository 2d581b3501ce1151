/*
 * The VM itself: what runs in the process that the guest could take over. It is
 * given everything it needs as open descriptors, then shut in (host/sandbox.h),
 * and told what to do by the keeper (host/keeper.c) over one socket.
 *
 * The link: SOCK_SEQPACKET, a JSON object a message, descriptors as SCM_RIGHTS.
 *   keeper to machine   {"id": N, "cmd": "pause", ...}
 *   machine to keeper   {"id": N, "result": {...}} or {"id": N, "error": "..."}
 *                       {"event": "paused", ...} unasked
 * Commands: pause, resume, shutdown (power button), reset, info,
 * set-link {net, up}, add-net {net: as in vm.json; descriptors: its sockets},
 * del-net {net}, connect-net {net; one descriptor}, balloon {mib},
 * save {descriptors: state file, memory file}.
 * Events: started, paused, resumed, reset, shutdown, panicked, crashed {why},
 * net-lost {net}, net-removed {net}, saved, boot {us}.
 * The process ends with status 0 when the guest powered off, 1 on errors.
 */
#ifndef VMM_MACHINE_MACHINE_H
#define VMM_MACHINE_MACHINE_H

#include "vmm/host/config.h"

/* Descriptors, all owned by the machine from then on; -1: none. */
struct machine_files {
	int kvm;
	int link;
	int kernel, initrd;
	int serial, console; /* stream sockets to the keeper */
	int vsock_listener, vsock_directory;
	struct machine_net_files {
		int connected, listener; /* vhost-user */
		int taps[16];
	} nets[VM_MAX_NETS];
	int disks[VM_MAX_DISKS]; /* raw: the file; else the daemon's socket */
	int restore_state, restore_memory; /* of a saved VM; -1: boot */
	int userfault; /* for restoring at once; -1: read all first */
};

/*
 * The life of a VM, in the calling process: returns its exit status. `confine`
 * is called when everything is open and before any thread or the guest runs.
 */
int machine_main(const struct vm_config *config, struct machine_files *files,
		 int (*confine)(char **errp));

#endif
