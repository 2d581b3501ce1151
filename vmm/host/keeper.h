/*
 * The keeper: the process that `vsw-vmm run` is. It opens what the VM needs,
 * gets its ports and disks, starts the machine in a process of its own, does
 * what the API socket asks for, and tidies up when the VM has ended.
 */
#ifndef VMM_HOST_KEEPER_H
#define VMM_HOST_KEEPER_H

#include "vmm/host/directory.h"

/*
 * Runs the VM until it ends. The directory is open and locked; both are let go
 * of. detach: the calling process exits when the guest runs. restore: goes on
 * from what was saved. Returns the exit status; an error was printed.
 */
int keeper_run(struct vm_directory *dir, struct vm_config *config, bool detach,
	       bool restore);

#endif
