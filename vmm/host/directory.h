/*
 * A VM is a directory: vm.json, a lock, sockets, logs, what was saved of it,
 * and whatever disks its owner puts there. Who holds the lock may change it.
 */
#ifndef VMM_HOST_DIRECTORY_H
#define VMM_HOST_DIRECTORY_H

#include "vmm/host/config.h"

struct vm_directory {
	char *path;
	int fd;	   /* of the directory */
	int lock;  /* -1: not ours */
	bool made; /* by us, just now */
};

/* Where the directories of all VMs are; the caller frees it. */
char *vm_home(void);

/*
 * Opens the VM's directory and, with `lock`, takes its lock; with `make`, makes
 * it when it is missing. 0 or -errno with a message: -ENOENT when there is no
 * such VM, -EBUSY when it runs.
 */
int vm_directory_open(struct vm_directory *dir, const char *name, bool make,
		      bool lock, char **errp);
/* Lets go; with `undo`, removes it if it was made by this opening. */
void vm_directory_close(struct vm_directory *dir, bool undo);
/* Whether somebody has the lock: the VM runs, or is about to. */
bool vm_directory_busy(const struct vm_directory *dir);
/* Who has the lock says that it only tidies up. */
void vm_directory_set_ending(const struct vm_directory *dir);
/* Why it ended: kept, and a line of machine.log; the first who says it is
 * right. */
void vm_directory_set_ended(const struct vm_directory *dir, bool well,
			    const char *why);
/* One more line of machine.log. */
void vm_directory_log(const struct vm_directory *dir, const char *line);
/* Whether the VM has ended, and its ports may still be there. */
bool vm_directory_ending(const struct vm_directory *dir);
#define VM_ENDING "has ended; its ports on vswd are still to be removed"

/* The path of a file in it; the caller frees it. */
char *vm_directory_file(const struct vm_directory *dir, const char *name);
int vm_directory_load(const struct vm_directory *dir, struct vm_config *config,
		      char **errp);
/* Whether vm.json has cards, which come and go, or cannot be read. */
bool vm_directory_has_cards(const struct vm_directory *dir);
int vm_directory_store(const struct vm_directory *dir,
		       const struct vm_config *config, char **errp);
/* Removes the sockets that a VM leaves when it is killed. */
void vm_directory_clean(const struct vm_directory *dir);
/* Removes the directory, if nothing is in it that we did not make. */
int vm_directory_remove(const struct vm_directory *dir, char **errp);

#endif
