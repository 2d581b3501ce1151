/* A VM's configuration, from vm.json and the command line: see config.h. */
#include "vmm/host/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/uuid.h"
#include "vmm/host/options.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define MEMBER(TYPE, member)                                                   \
	.type = VM_FIELD_##TYPE, .offset = offsetof(OF, member),               \
	.size = sizeof(((OF *)NULL)->member)
#define NUMBER(member, low, high)                                              \
	MEMBER(NUMBER, member), .min = (low), .max = (high)

#define LIST(member, number)                                                   \
	.type = VM_FIELD_LIST, .offset = offsetof(OF, member),                 \
	.size = sizeof(((OF *)NULL)->member[0]), .count = offsetof(OF, number)

static const struct vm_net net_defaults = { .queues = 1, .tag = -1 };
static const struct vm_disk disk_defaults;
static const struct vm_config config_defaults = { .cpus = 1,
						  .memory_mib = 256 };

#define OF struct vm_net
static const struct vm_field net_fields[] = {
	{ "bridge", NULL, MEMBER(TEXT, bridge) },
	{ "id", "NAME\tthe card's name in commands (default net0, net1...)",
	  MEMBER(NAME, id) },
	{ "port", NULL, MEMBER(TEXT, port) },
	{ "back_end",
	  "vhost-user|tap\twho moves the frames (default vhost-user: vswd "
	  "itself)",
	  MEMBER(CHOICE, kind), .words = WORDS("vhost-user", "tap") },
	{ "client", "\tvswd makes the vhost-user socket",
	  MEMBER(FLAG, client) },
	{ "mac",
	  "ADDRESS\tdefault: one of 08:00:27 that the bridge does not have",
	  MEMBER(MAC, mac) },
	{ "mac_given", NULL, MEMBER(FLAG, mac_given) },
	{ "queues", "N\tpairs of queues (default 1)", NUMBER(queues, 1, 16) },
	{ "mtu", "N\tthe guest is told", NUMBER(mtu, 68, UINT16_MAX) },
	{ "packed", "\tpacked rings", MEMBER(FLAG, packed) },
	{ "tag", "VLAN\tthe port's VLAN", NUMBER(tag, 0, 4094) },
	{ "trunks", "VLAN[,VLAN...]\tVLANs that come tagged",
	  MEMBER(TEXT, trunks) },
	{ "vlan_mode", "MODE\tas vlan_mode of vswd's ports",
	  MEMBER(TEXT, vlan_mode),
	  .words = WORDS("access", "trunk", "native-tagged", "native-untagged",
			 "dot1q-tunnel") },
	{ "rate_kbps",
	  "N[k|M|G]\twhat the guest may send, in kbit/s (or Mbit/s, Gbit/s)",
	  NUMBER(rate_kbps, 1, INT32_MAX), .option = "rate", .units = "kMG",
	  .factor = 1000 },
	{ "link_down", "\tthe cable is not in", MEMBER(FLAG, link_down) },
	{ .key = NULL },
};
#undef OF

#define OF struct vm_disk
static const struct vm_field disk_fields[] = {
	{ "path", NULL, MEMBER(PATH, path) },
	{ "id", "NAME\tdefault disk0, disk1...", MEMBER(NAME, id) },
	{ "format", "FORMAT\traw, qcow2, vdi, vmdk...; never guessed",
	  MEMBER(TEXT, format),
	  .words = WORDS("raw", "qcow2", "qcow", "qed", "vdi", "vmdk", "vhdx",
			 "vpc") },
	{ "back_end",
	  "daemon|own\tqemu-storage-daemon (default), or our own for raw files",
	  MEMBER(CHOICE, kind), .words = WORDS("daemon", "own") },
	{ "read_only", "\tthe guest cannot write", MEMBER(FLAG, read_only) },
	{ "direct", "\tpast the host's cache (O_DIRECT)",
	  MEMBER(FLAG, direct) },
	{ .key = NULL },
};
#undef OF

/* "10,20": VLANs, with commas between. */
static bool trunks_valid(const char *text)
{
	char *end;

	do {
		if (!isdigit((uint8_t)*text) || strtoul(text, &end, 10) > 4094)
			return false;
		text = end + 1;
	} while (*end == ',');
	return !*end;
}

static int net_check(const void *element, char **errp)
{
	const struct vm_net *net = element;

	if (!net->bridge || !*net->bridge)
		return set_error(errp, -EINVAL,
				 "no bridge; name one of vswd's bridges or "
				 "segments");
	if (net->trunks && !trunks_valid(net->trunks))
		return set_error(errp, -EINVAL,
				 "trunks: \"%s\" is no list of VLANs such as "
				 "10,20",
				 net->trunks);
	if (net->client && net->kind != VM_NET_VHOST)
		return set_error(errp, -EINVAL,
				 "client is for a card of vhost-user only");
	return 0;
}

static int disk_check(const void *element, char **errp)
{
	const struct vm_disk *disk = element;

	if (!disk->path || !*disk->path)
		return set_error(errp, -EINVAL, "no path of an image");
	if (!disk->format)
		return set_error(errp, -EINVAL,
				 "%s: its format is not stated; add "
				 "format=raw, format=qcow2 or what it is",
				 disk->path);
	if (disk->kind == VM_DISK_RAW && strcmp(disk->format, "raw"))
		return set_error(errp, -EINVAL,
				 "%s: our own back end takes raw images only, "
				 "not %s; leave back_end=own out",
				 disk->path, disk->format);
	return 0;
}

#define OF struct vm_config
const struct vm_field vm_config_fields[] = {
	{ "name", "NAME\tthe VM, and its directory", MEMBER(NAME, name) },
	{ "uuid", NULL, MEMBER(NAME, uuid) },
	{ "kernel", "FILE\ta bzImage, or an ELF with a PVH note",
	  MEMBER(PATH, kernel) },
	{ "initrd", "FILE\tthe initial RAM disk", MEMBER(PATH, initrd) },
	{ "append", "WORDS\tthe kernel's command line", MEMBER(TEXT, append),
	  .empty = true },
	{ "cpus", "N\thow many (default 1)", NUMBER(cpus, 1, VM_MAX_CPUS) },
	{ "memory_mib", "SIZE[M|G]\tof the guest (default 256M)",
	  NUMBER(memory_mib, 4, 1 << 24), .option = "memory", .units = "MGT",
	  .factor = 1024 },
	{ "hugepages", "\tthe guest's memory in huge pages, which must be free",
	  MEMBER(FLAG, hugepages) },
	{ "serial",
	  "terminal|socket|log|none\twhere the serial port goes: this terminal "
	  "(default), only the socket of \"vsw-vmm console\", that and "
	  "serial.log, or nowhere",
	  MEMBER(CHOICE, serial),
	  .words = WORDS("terminal", "socket", "log", "none") },
	{ "console", "\ta virtio console (hvc0), too", MEMBER(FLAG, console) },
	{ "rng", "\trandom numbers of the host", MEMBER(FLAG, rng) },
	{ "balloon", "\tmemory that the guest does not use can be taken back",
	  MEMBER(FLAG, balloon) },
	{ "vsock_cid",
	  "CID\tsockets between host and guest, whose number is CID (3 or more)",
	  NUMBER(vsock_cid, 3, INT32_MAX), .option = "vsock" },
	{ "user", "NAME\twhom the VM's process becomes (default nobody)",
	  MEMBER(TEXT, user) },
	{ "db",
	  "REMOTE\tthe database of vswd (default unix:/run/vsw/db.sock, or "
	  "db.sock in $VSW_RUNDIR)",
	  MEMBER(TEXT, db) },
	{ "boot_timer", "\tprint how long the guest took to its init",
	  MEMBER(FLAG, boot_timer), .option = "boot-timer" },
	{ "nets",
	  "BRIDGE[,KEY=VALUE...]\ta network card on vswd's bridge or segment; "
	  "again for more",
	  LIST(nets, n_nets), .option = "net", .max = VM_MAX_NETS,
	  .fields = net_fields, .defaults = &net_defaults, .check = net_check },
	{ "disks", "FILE,format=FORMAT[,KEY=VALUE...]\ta disk; again for more",
	  LIST(disks, n_disks), .option = "disk", .max = VM_MAX_DISKS,
	  .fields = disk_fields, .defaults = &disk_defaults,
	  .check = disk_check },
	{ .key = NULL },
};
#undef OF

void vm_config_init(struct vm_config *config)
{
	*config = config_defaults;
}

void vm_net_uninit(struct vm_net *net)
{
	vm_fields_free(net_fields, net);
}

void vm_config_uninit(struct vm_config *config)
{
	vm_fields_free(vm_config_fields, config);
	vm_config_init(config);
}

bool vm_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n && n < VM_NAME_SIZE && !name[n] && isalnum((uint8_t)*name);
}

/* The address of a card's or disk's name, or NULL. */
static char *device_id(struct vm_config *config, unsigned int i)
{
	if (i < config->n_nets)
		return config->nets[i].id;
	i -= config->n_nets;
	return i < config->n_disks ? config->disks[i].id : NULL;
}

static bool id_taken(struct vm_config *config, const char *id)
{
	/* of devices without an id=, or whose sockets are beside theirs */
	static const char *const ours[] = { "rng",  "balloon", "vsock",
					    "hvc0", "console", "api" };
	const char *other;

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strcmp(ours[i], id))
			return true;
	for (unsigned int i = 0; (other = device_id(config, i)); i++)
		if (other != id && !strcmp(other, id))
			return true;
	return false;
}

/* Names what has none, and finds two of a name. */
int vm_config_name_devices(struct vm_config *config, char **errp)
{
	char *id;

	for (unsigned int i = 0; (id = device_id(config, i)); i++) {
		const char *kind = i < config->n_nets ? "net" : "disk";

		for (unsigned int n = 0; !*id || (n && id_taken(config, id));
		     n++)
			snprintf(id, sizeof(config->nets[0].id), "%s%u", kind,
				 n);
		if (!vm_name_valid(id))
			return set_error(errp, -EINVAL,
					 "id: \"%s\" is no name for a device",
					 id);
		if (id_taken(config, id))
			return set_error(errp, -EINVAL,
					 "id: two devices are called %s", id);
	}
	return 0;
}

/* Names what has no name yet, and checks the whole. */
static int config_finish(struct vm_config *config, char **errp)
{
	struct uuid uuid;

	if (!*config->name || !config->kernel)
		return set_error(errp, -EINVAL, "%s is missing",
				 *config->name ? "kernel" : "name");
	if (!vm_name_valid(config->name))
		return set_error(errp, -EINVAL,
				 "name: \"%s\" is no name for a VM; use "
				 "letters, digits, '-', '_' and '.'",
				 config->name);
	if (!*config->uuid) {
		uuid_generate(&uuid);
		uuid_format(&uuid, config->uuid);
	} else if (!uuid_from_string(&uuid, config->uuid)) {
		return set_error(errp, -EINVAL, "uuid: \"%s\" is none",
				 config->uuid);
	}
	return vm_config_name_devices(config, errp);
}

int vm_net_from_json(struct vm_net *net, const json_t *json, char **errp)
{
	*net = net_defaults;
	if (vm_fields_from_json(net_fields, net, json, errp))
		return -EINVAL;
	return net_check(net, errp);
}

int vm_config_from_json(struct vm_config *config, const json_t *json,
			char **errp)
{
	if (vm_fields_from_json(vm_config_fields, config, json, errp))
		return -EINVAL;
	return config_finish(config, errp);
}

json_t *vm_net_to_json(const struct vm_net *net)
{
	return vm_fields_to_json(net_fields, net, &net_defaults);
}

json_t *vm_config_to_json(const struct vm_config *config)
{
	return vm_fields_to_json(vm_config_fields, config, &config_defaults);
}
