/*
 * What a VM is made of: the readable file vm.json of its directory, and what
 * `vsw-vmm run` makes of its command line. Decoding either checks everything
 * that can be checked without opening anything.
 */
#ifndef VMM_HOST_CONFIG_H
#define VMM_HOST_CONFIG_H

#include <jansson.h>

#include "base/util.h"

enum {
	VM_MAX_NETS = 16,
	VM_MAX_DISKS = 12,
	VM_MAX_CPUS = 64,
	VM_NAME_SIZE = 64, /* of a name with its NUL */
};

enum vm_net_kind { VM_NET_VHOST, VM_NET_TAP };

/* --net */
struct vm_net {
	char id[16];  /* "net0": the card, also in control commands */
	char *bridge; /* a bridge or segment of vswd */
	char *port;   /* its port's name there: VM and card */
	enum vm_net_kind kind;
	bool client; /* vhost: vswd listens, not we */
	uint8_t mac[6];
	bool mac_given; /* by the user, not chosen by us */
	unsigned int queues;
	uint16_t mtu;
	bool packed;
	int tag;	    /* -1: none */
	char *trunks;	    /* "10,20"; NULL: none */
	char *vlan_mode;    /* NULL: by tag and trunks */
	uint64_t rate_kbps; /* ingress policing; 0: none */
	bool link_down;
};

enum vm_disk_kind { VM_DISK_STORAGE_DAEMON, VM_DISK_RAW };

/* --disk */
struct vm_disk {
	char id[16]; /* "disk0" */
	char *path;
	char *format; /* stated, never probed */
	enum vm_disk_kind kind;
	bool read_only;
	bool direct; /* O_DIRECT */
};

enum vm_serial_kind {
	VM_SERIAL_TERMINAL,
	VM_SERIAL_SOCKET,
	VM_SERIAL_LOG,
	VM_SERIAL_NONE
};

struct vm_config {
	char name[VM_NAME_SIZE];
	char uuid[37]; /* vm-id: made once */
	char *kernel, *initrd, *append;
	unsigned int cpus;
	uint64_t memory_mib;
	bool hugepages;
	struct vm_net nets[VM_MAX_NETS];
	unsigned int n_nets;
	struct vm_disk disks[VM_MAX_DISKS];
	unsigned int n_disks;
	enum vm_serial_kind serial;
	bool console; /* virtio-console, too */
	bool rng, balloon;
	uint32_t vsock_cid; /* 0: none */
	char *user;	    /* whom the VM's process becomes */
	char *db;	    /* vswd's database */
	bool boot_timer;
};

void vm_config_init(struct vm_config *config);
void vm_config_uninit(struct vm_config *config);
/* Each returns 0, or -EINVAL with a message that names the place. */
int vm_config_from_json(struct vm_config *config, const json_t *json,
			char **errp);
json_t *vm_config_to_json(const struct vm_config *config);

#endif
