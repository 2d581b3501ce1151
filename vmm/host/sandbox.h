/*
 * What shuts the VM's process in. In the order of their calls:
 *
 *	keeper: vm_sandbox_fork()	new pid, mount, network, IPC and UTS
 *					namespaces (a user namespace too when
 *					not root), dies with its parent
 *	machine: vm_sandbox_confine()	empty root, ordinary user, no
 *					capabilities, no new ones, limits
 *	each thread: vm_sandbox_thread()	its seccomp filter
 *
 * Built with a sanitizer the filters are left out: its runtime needs more.
 */
#ifndef VMM_HOST_SANDBOX_H
#define VMM_HOST_SANDBOX_H

#include <sys/types.h>

#include "base/util.h"

enum vm_thread { VM_THREAD_VCPU, VM_THREAD_IO, VM_THREAD_CONTROL };

/* As fork(): 0 in the new process, which is pid 1 of its namespace. */
pid_t vm_sandbox_fork(char **errp);
/* In the new process: closes all descriptors from 3 on but those (n; -1: none)
 * and what vm_sandbox_confine() needs. */
void vm_sandbox_close_others(const int *fds, size_t n);
/*
 * The directory again as a mount of its own, seen by nobody else: no name that
 * is looked up from there leads out of it. `fd` itself, where that cannot be
 * had. Before vm_sandbox_confine(); takes fd over.
 */
int vm_sandbox_directory(int fd);
/* `user`: by name; NULL: nobody. All threads to come inherit it. */
int vm_sandbox_confine(const char *user, char **errp);
/* For the helpers beside it: of root's privileges only the use of others' files
 * is kept, and nothing that is executed gets new ones. */
void vm_sandbox_keep_files(void);
/* The calling thread may do what its kind needs; anything else ends the
 * process. */
int vm_sandbox_thread(enum vm_thread kind, char **errp);

#endif
